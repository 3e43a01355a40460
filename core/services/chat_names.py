"""Who has which name in the room, so that nobody is taken for somebody else."""

from __future__ import annotations

import secrets
from collections import OrderedDict

from core.protocol.chat_text import NAME_LETTERS, name_key

REMEMBERED = 10_000
"""Ids of clients of ours that are known again when they come back."""

_IN_ORDER = 100


class Names:
    """The names in use. One person (`identity`) may have a name several times: two windows, a link that hangs."""

    def __init__(self) -> None:
        self._owners: dict[str, tuple[str, int]] = {}
        self._known: OrderedDict[str, None] = OrderedDict()

    def take(self, wanted: str, identity: str, *, is_reserved: bool = False) -> str:
        """`wanted`, or the first free one of `wanted-2`, `wanted-3`… where somebody else has it or it is reserved.

        Where a hundred are taken it is one of six digits, so that a crowd of one name costs no more than others. The
        name must be given back by `release`.
        """
        name, number = wanted, 1
        while (number == 1 and is_reserved) or self._owner(name) not in (None, identity):
            number = number + 1 if number < _IN_ORDER else 100_000 + secrets.randbelow(900_000)
            name = f"{wanted[: NAME_LETTERS - len(str(number)) - 1]}-{number}"
        key = name_key(name)
        self._owners[key] = (identity, self._owners.get(key, (identity, 0))[1] + 1)
        return name

    def release(self, name: str) -> None:
        """Give a name back, as often as it was taken."""
        key = name_key(name)
        identity, count = self._owners[key]
        if count > 1:
            self._owners[key] = (identity, count - 1)
        else:
            del self._owners[key]

    def _owner(self, name: str) -> str | None:
        found = self._owners.get(name_key(name))
        return None if found is None else found[0]

    def is_back(self, client_id: str) -> bool:
        """True where a client of this id was here before; from now on it was."""
        if not client_id:
            return False
        is_known = client_id in self._known
        self._known[client_id] = None
        self._known.move_to_end(client_id)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return is_known
