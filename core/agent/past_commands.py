"""Commands of which nothing will run any more: what is remembered of this run of the agent, and of earlier ones."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import msgspec

from core.protocol.messages import ExecDenied, plain_text

_SEARCHED_OCTETS = 8 << 20
"""From the end: some twenty thousand commands."""
_IDS_REMEMBERED = 2048
_IDS_IN_ALL = 16384


class Settled:
    """Ids of commands that will never run (again), the last 2,048 of each console: none pushes another's out.

    Above 16,384 in all, the console that has most of them loses its oldest: consoles without end cost no memory.
    """

    def __init__(self) -> None:
        self._count = 0
        self._of_consoles: dict[str, OrderedDict[str, ExecDenied]] = {}

    def get(self, key: tuple[str, str]) -> ExecDenied | None:
        """What is told of a console's id, None where nothing is remembered."""
        known = self._of_consoles.get(key[0])
        return None if known is None else known.get(key[1])

    def put(self, key: tuple[str, str], denied: ExecDenied) -> None:
        """Remember what is told of a console's id."""
        known = self._of_consoles.setdefault(key[0], OrderedDict())
        self._count += key[1] not in known
        known[key[1]] = denied
        if len(known) <= _IDS_REMEMBERED:
            if self._count <= _IDS_IN_ALL:
                return
            known = max(self._of_consoles.values(), key=len)
        known.popitem(last=False)
        self._count -= 1


def past_of(path: Path, fingerprint: str, exec_id: str) -> ExecDenied:
    """Why there is no result: the command was never run here, has ended, or nobody knows how it ended."""
    command, result = False, None
    needle = msgspec.json.encode(exec_id)
    for line in _last_lines(path):
        if needle not in line:
            continue
        try:
            entry = msgspec.json.decode(line)
        except (ValueError, RecursionError):
            continue
        if not isinstance(entry, dict) or (entry.get("exec_id"), entry.get("console")) != (exec_id, fingerprint):
            continue
        command = command or (entry.get("event") == "command" and entry.get("decision") == "allowed")
        result = entry if entry.get("event") == "result" else result
    if result is not None:
        state, status = plain_text(str(result.get("state"))), result.get("exit_status")
        told = f"it ended {state}" + (f" with status {status}" if isinstance(status, int) else "")
        return ExecDenied(reason="done", rule=f"{told} before the agent was started anew; its output is gone")
    if command:
        return ExecDenied(reason="lost", rule="the agent was started anew while the command ran or waited")
    return ExecDenied(reason="unknown", rule="this agent knows nothing of the command: it was never run here")


def _last_lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - _SEARCHED_OCTETS))
            while line := stream.readline(_SEARCHED_OCTETS):
                yield line
    except OSError:
        return
