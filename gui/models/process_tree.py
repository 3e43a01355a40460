"""Who started whom: the processes of a machine as a tree, whatever its agent says of parents.

A parent that is missing, a process that is its own parent and rings of parents all end in a tree: nothing here
follows a parent twice.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from core.records import Process

Key = tuple[int, float]


def key_of(process: Process) -> Key:
    """What a process is known by: a pid that is used again is another one."""
    return process.pid, process.started_s


@dataclass(frozen=True, slots=True)
class Branch:
    """Where a process stands in the tree: how deep, how many it has below it, whether those are folded away."""

    depth: int
    below: int
    is_folded: bool = False


class Family:
    """Parents and children among `processes`; children are in the order in which `keys` names them."""

    def __init__(self, keys: Sequence[Key], processes: Mapping[Key, Process]) -> None:
        by_pid = {key[0]: key for key in sorted(keys, key=lambda key: key[1])}
        self._keys = keys
        self._parents: dict[Key, Key | None] = {}
        self._children: dict[Key | None, list[Key]] = {}
        for key in keys:
            above = by_pid.get(processes[key].parent_pid)
            self._parents[key] = above if above != key else None
            self._children.setdefault(self._parents[key], []).append(key)

    def children(self, key: Key) -> list[Key]:
        """Those that a process started itself."""
        return self._children.get(key, [])

    def with_parents(self, keys: Sequence[Key]) -> set[Key]:
        """These, and all above them."""
        found = set(keys)
        for key in keys:
            above = self._parents[key]
            while above is not None and above not in found:
                found.add(above)
                above = self._parents[above]
        return found

    def walk(self, shown: Container[Key], folded: Container[Key]) -> dict[Key, Branch]:
        """The branches of `shown`, depth first; what is below a folded one is left out, and each stands once."""
        found: dict[Key, Branch] = {}
        seen: set[Key] = set()
        for root in [*self._children.get(None, []), *self._keys]:
            stack = [(root, 0, False)]
            while stack:
                key, depth, is_hidden = stack.pop()
                if key in seen:
                    continue
                seen.add(key)
                below = [child for child in self.children(key) if child in shown and child not in seen]
                is_folded = key in folded and bool(below)
                if key in shown and not is_hidden:
                    found[key] = Branch(depth, len(below), is_folded)
                hides = is_hidden or is_folded
                stack += [(child, depth + 1, hides) for child in reversed(self.children(key))]
        return found
