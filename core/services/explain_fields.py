"""How explained fields are made: a cursor that walks octets and gives each step its name and meaning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from core.errors import RemoteProtocolError
from core.language import _
from core.meter_records import ExplainedField
from core.protocol.apdu import BlockAssembly

DEEPEST = 8
"""Messages inside messages at most."""
MOST_FIELDS = 20_000
"""Fields of one explanation at most: whoever reads it is a person."""


class Budget:
    """How many fields may still be made."""

    def __init__(self, count: int = MOST_FIELDS) -> None:
        self.left = count

    def spend(self) -> None:
        """One field more; raises RemoteProtocolError where there are too many."""
        self.left -= 1
        if self.left < 0:
            raise RemoteProtocolError(_("there is more than can be shown: {count} fields").format(count=MOST_FIELDS))


class Cursor:
    """Walks `data`, whose first octet has offset `base`; the fields that it made stand in `fields`."""

    def __init__(self, data: bytes, base: int = 0, position: int = 0, end: int | None = None) -> None:
        self.data = data
        self.base = base
        self.position = position
        self.end = len(data) if end is None else end
        self.fields: list[ExplainedField] = []

    @property
    def left(self) -> int:
        """Octets that are left."""
        return self.end - self.position

    def octet(self) -> int:
        """The next octet, not taken; raises RemoteProtocolError at the end."""
        self.need(1)
        return self.data[self.position]

    def need(self, count: int) -> None:
        """Raises RemoteProtocolError where `count` octets are not there."""
        if self.left < count:
            raise RemoteProtocolError(
                _("{count} octets are due at offset {offset}, {left} are left").format(
                    count=count, offset=self.base + self.position, left=max(self.left, 0)
                )
            )

    def take(
        self,
        count: int,
        name: str,
        value: str = "",
        *,
        error: str | None = None,
        children: Sequence[ExplainedField] = (),
    ) -> bytes:
        """Take `count` octets as a field."""
        self.need(count)
        octets = self.data[self.position : self.position + count]
        self.fields.append(
            ExplainedField(
                offset=self.base + self.position,
                octets=octets,
                name=name,
                value=value,
                error=error,
                children=tuple(children),
            )
        )
        self.position += count
        return octets

    def number(self, count: int, name: str, order: str = "big") -> int:
        """Take a number as a field."""
        self.need(count)
        octets = self.data[self.position : self.position + count]
        number = int.from_bytes(octets, "big" if order == "big" else "little")
        self.take(count, name, str(number))
        return number

    def rest(self, name: str, *, error: str | None = None) -> None:
        """Take all that is left, if anything."""
        if self.left > 0:
            self.take(self.left, name, error=error)

    def nest(self, name: str, value: str, inner: Cursor, *, error: str | None = None) -> None:
        """Take the fields of `inner`, which walked on from here, as one field with children."""
        count = inner.position - self.position
        self.take(count, name, value, error=error, children=inner.fields)

    def inner(self, end: int | None = None) -> Cursor:
        """A cursor over the same octets from here."""
        return Cursor(self.data, self.base, self.position, self.end if end is None else end)


@dataclass(slots=True)
class Keys:
    """What opens ciphered messages: the user's keys, and the titles that associations have named so far."""

    key: bytes | None = field(default=None, repr=False)
    auth_key: bytes | None = field(default=None, repr=False)
    system_title: bytes | None = None
    meter_title: bytes | None = None
    client_title: bytes | None = None
    is_sent: bool = False
    budget: Budget = field(default_factory=Budget)
    blocks: BlockAssembly = field(default_factory=BlockAssembly)
    get_blocks: bytearray = field(default_factory=bytearray)
    depth: int = 0
    """How deep messages stand inside each other just now."""

    @property
    def title(self) -> bytes:
        """The system title of who speaks, where it is known."""
        own = self.client_title if self.is_sent else self.meter_title
        return own or self.system_title or b""


def all_fields(fields: Sequence[ExplainedField]) -> Iterator[ExplainedField]:
    """Every field of a tree, from top to bottom."""
    waiting = list(reversed(fields))
    while waiting:
        field = waiting.pop()
        yield field
        waiting += reversed(field.children)
