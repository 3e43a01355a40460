"""OBIS codes: which quantity of which meter a value belongs to (IEC 62056-61; DLMS UA Blue Book, clause 6)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.errors import RemoteProtocolError
from core.language import _

# [A-B:]C.D[.E][*F|&F]; C and D may be letters in IEC 62056-21 data sets (F.F, C.1.0, L.1, P.01).
_TEXT = re.compile(
    r"(?:(?P<a>\d{1,3})-(?P<b>\d{1,3}):)?"
    r"(?P<c>\d{1,3}|[A-Z]{1,2})\.(?P<d>\d{1,3}|[A-Z]{1,2})(?:\.(?P<e>\d{1,3}))?(?:[*&](?P<f>\d{1,3}))?$"
)


@dataclass(frozen=True, slots=True)
class ObisCode:
    """One code in its six value groups A-B:C.D.E*F; a group that the meter did not send is None.

    `c` and `d` keep letters as they are written (`F.F`); `str(code)` is the usual text.
    """

    a: int | None
    b: int | None
    c: int | str
    d: int | str
    e: int | None
    f: int | None

    @classmethod
    def from_octets(cls, octets: bytes) -> ObisCode:
        """Code of a logical name, shape (6,) octets."""
        if len(octets) != 6:
            raise RemoteProtocolError(_("an OBIS code has 6 octets, not {count}").format(count=len(octets)))
        return cls(*octets)

    @classmethod
    def parse(cls, text: str) -> ObisCode:
        """Code written as in a data set or on a command line; raises RemoteProtocolError for anything else."""
        match = _TEXT.match(text)
        if match is None:
            raise RemoteProtocolError(_("“{text}” is not an OBIS code").format(text=text[:40]))
        groups = {name: _group(value) for name, value in match.groupdict().items()}
        return cls(**groups)  # type: ignore[arg-type]  # the pattern bounds which groups may be letters

    @property
    def cde(self) -> tuple[int | str, int | str, int | None]:
        """The groups that name the quantity: (C, D, E)."""
        return (self.c, self.d, self.e)

    def __str__(self) -> str:
        text = "" if self.a is None or self.b is None else f"{self.a}-{self.b}:"
        text += f"{self.c}.{self.d}"
        if self.e is not None:
            text += f".{self.e}"
        return text if self.f is None else f"{text}*{self.f}"


def _group(value: str | None) -> int | str | None:
    if value is None:
        return None
    if not value.isdigit():
        return value
    number = int(value)
    if number > 255:
        raise RemoteProtocolError(_("OBIS value group {number} is above 255").format(number=number))
    return number
