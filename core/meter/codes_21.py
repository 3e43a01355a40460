"""Which addresses of a readout in IEC 62056-21 are live values, and what else its codes are called elsewhere."""

from __future__ import annotations

from collections.abc import Iterable

from core.errors import RemoteProtocolError, UsageError
from core.language import _
from core.obis import ObisCode

DEFAULT_PROFILE = "P.01"

_POWERS = ((16, 7, 0), (1, 7, 0), (2, 7, 0))
_LIVE = (
    *((group, 7, 0) for group in (32, 52, 72, 31, 51, 71, 21, 22, 41, 42, 61, 62, 14, 13, 9, 3, 4)),
    *((group, 8, 0) for group in (1, 2, 3, 4)),
    (13, 21, 0),
    (12, 7, 124),
    (11, 7, 124),
)


def live_addresses(addresses: Iterable[str]) -> tuple[list[str], list[str]]:
    """The powers among `addresses`, and the other live values in the order in which they are worth reading."""
    found: dict[tuple[int | str, int | str, int], str] = {}
    for address in addresses:
        key = _live_key(address)
        if key is not None:
            found.setdefault(key, address)
    powers = _POWERS[:1] if _POWERS[0] in found else _POWERS[1:]
    return [found[key] for key in powers if key in found], [found[key] for key in _LIVE if key in found]


def is_code(address: str | None, code: str) -> bool:
    """True where `address` of a data set is what `code` names, whatever groups either of them leaves out."""
    if address is None:
        return False
    try:
        one, other = ObisCode.parse(address), ObisCode.parse(code)
    except RemoteProtocolError:
        return address == code
    for given, wanted in ((one.a, other.a), (one.b, other.b), (one.e, other.e)):
        if given is not None and wanted is not None and given != wanted:
            return False
    return (one.c, one.d) == (other.c, other.d) and (one.f or 255) == (other.f or 255)


def _live_key(address: str) -> tuple[int | str, int | str, int] | None:
    """C, D, E of a live code; None for a billing period's and for what is no code."""
    try:
        code = ObisCode.parse(address)
    except RemoteProtocolError:
        return None
    if code.f not in (None, 255) or code.a not in (None, 1):
        return None
    return (code.c, code.d, code.e or 0)


def profile_code(obis: str | None) -> str:
    """How a meter of IEC 62056-21 calls a profile that COSEM calls 1-0:99.1.0."""
    if obis is None:
        return DEFAULT_PROFILE
    try:
        code = ObisCode.parse(obis)
    except RemoteProtocolError:
        raise UsageError(_("“{text}” is no load profile; write P.01 or 1-0:99.1.0").format(text=obis[:40])) from None
    return f"P.{code.d:02}" if code.c == 99 and isinstance(code.d, int) else obis
