"""How many machines and checks stand where."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counts:
    """How many machines stand where."""

    online: int
    late: int
    offline: int
    never_seen: int

    @property
    def total(self) -> int:
        """All machines."""
        return self.online + self.late + self.offline + self.never_seen


@dataclass(frozen=True, slots=True)
class CheckCounts:
    """How many checks stand where; `waiting` are those without a result, or with an old one."""

    ok: int
    failed: int
    waiting: int

    @property
    def total(self) -> int:
        """All checks."""
        return self.ok + self.failed + self.waiting
