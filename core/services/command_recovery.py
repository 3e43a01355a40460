"""Commands whose console was killed, or closed while they went on: told as unknown at once, to be fetched later.

Whoever is about to send commands for a home asks for this first. What a process that is gone had sent is found by its
journal (`core.services.command_journal`); the audit log says what of it has an end. Blocks: call it in a thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.json import Decoder
from msgspec.structs import replace

from core.audit import AuditLog
from core.language import _, ngettext
from core.records import (
    CommandProgress,
    CommandRequest,
    CommandResult,
    CommandState,
    Event,
    Severity,
)
from core.services.command_journal import CommandJournal, Leavings, SentRun
from core.site_records import Record

UNKNOWN_KIND = "command_unknown"
"""The kind of the event that tells of a command of a killed console; its source is `command/ID`."""

FETCHED_WITHIN_S = 3600.0
"""An agent keeps a result so long after the time that its command had."""

_LONGEST_LINE = 1 << 20


class Recovered(Struct, frozen=True, kw_only=True):
    """What was found: to be written into the history and told (`requests` to the history alone), and to be fetched."""

    requests: tuple[CommandRequest, ...] = ()
    progress: tuple[CommandProgress, ...] = ()
    events: tuple[Event, ...] = ()
    owed: tuple[SentRun, ...] = ()


class _Line(Struct, frozen=True):
    """What is looked for in an entry of the audit log."""

    event: str = ""
    exec_id: str = ""
    machine: str = ""
    decision: str = ""
    state: str = ""
    exit_status: int | None = None


_line_decoder = Decoder(_Line)


def recover(
    journal: CommandJournal,
    audit: AuditLog,
    results_of: Callable[[str], Sequence[CommandResult]],
    now_s: float,
    keep: Callable[[Sequence[Record]], object] | None = None,
) -> Recovered:
    """Take over what processes of this home that are gone have left.

    `results_of` gives what the history has of a command. Every machine of such a command that has no result gets one,
    in the audit log too: `unknown` where it was to be sent. `keep` writes it into the history; without, the caller has
    to. Raises BeffroiError where it cannot be written: then all is left for the next one.
    """
    if not journal.folder.is_dir():
        return Recovered()
    leavings = Leavings(journal.folder)
    is_taken_over = False
    try:
        found = _found(leavings.runs, audit, results_of, now_s)
        audit.append(found.entries)
        if keep is not None and found.progress:
            keep([*(run.request for run in leavings.runs), *found.events, *found.progress])
        for sent in found.owed:
            journal.begin(sent)
        is_taken_over = True
    finally:
        leavings.close(is_taken_over=is_taken_over)
    return Recovered(
        requests=tuple(run.request for run in leavings.runs),
        progress=tuple(found.progress),
        events=tuple(found.events),
        owed=tuple(found.owed),
    )


class _Found:
    def __init__(self) -> None:
        self.entries: list[dict[str, object]] = []
        self.progress: list[CommandProgress] = []
        self.events: list[Event] = []
        self.owed: list[SentRun] = []


def _found(
    runs: Sequence[SentRun], audit: AuditLog, results_of: Callable[[str], Sequence[CommandResult]], now_s: float
) -> _Found:
    found = _Found()
    if not runs:
        return found
    size = audit.size()
    said = _said(audit.path, min(run.offset for run in runs), {run.request.id for run in runs})
    for run in runs:
        is_moved = size < run.offset  # a log that somebody has put away says nothing of what was sent
        request = run.request
        known = {result.machine: result for result in results_of(request.id)}
        results: list[CommandResult] = []
        owed: dict[str, str] = {}
        for name in request.machines:
            sent, ended = said.get((request.id, name), (None, None))
            is_sent = name in run.machines and (sent is not None or is_moved)
            if is_sent and (ended is None or ended.state == CommandState.UNKNOWN.value):
                kept = known.get(name)
                if kept is not None and kept.state is not CommandState.UNKNOWN:
                    found.entries.append(_entry(request, name, kept))
                    continue
                owed[name] = run.machines[name]
                if ended is None:
                    results.append(_unknown(name, is_left=run.is_told))
                    found.entries.append(_entry(request, name))
                    continue
            if name not in known:
                results.append(_from_audit(name, sent, ended))
        _tell(found, request, results, now_s)
        # Once it is asked for in any case: the clock may have been set, and an agent's own log remembers longer.
        if owed and (not run.is_told or now_s - request.time_s <= FETCHED_WITHIN_S + request.timeout_s):
            found.owed.append(replace(run, machines=owed, is_told=True))
    return found


def _tell(found: _Found, request: CommandRequest, results: Sequence[CommandResult], now_s: float) -> None:
    found.progress += [
        CommandProgress(id=request.id, result=result, is_last=at == len(results) - 1)
        for at, result in enumerate(results)
    ]
    count = sum(result.state is CommandState.UNKNOWN for result in results)
    if count:
        text = ngettext(
            "the console was ended while “{line}” of {time} ran: how it ended on {count} machine is not known yet",
            "the console was ended while “{line}” of {time} ran: how it ended on {count} machines is not known yet",
            count,
        ).format(line=request.line[:200], time=time.strftime("%H:%M", time.localtime(request.time_s)), count=count)
        found.events.append(
            Event(
                time_s=now_s,
                source=f"command/{request.id}",
                kind=UNKNOWN_KIND,
                severity=Severity.WARNING,
                text=text,
                operator=request.operator,
            )
        )


def _unknown(name: str, *, is_left: bool) -> CommandResult:
    message = (
        _("the console was closed and left it running; its result is fetched when the machine is linked")
        if is_left
        else _("the console was ended after this was written down; whether it was sent, and how it ended, is not known")
    )
    return CommandResult(machine=name, state=CommandState.UNKNOWN, message=message)


def _from_audit(name: str, sent: _Line | None, ended: _Line | None) -> CommandResult:
    """A result that never came to the history, as far as the audit log knows it."""
    if ended is not None and ended.state in _STATES:
        message = _("its output was not kept in the history; this is what the audit log says")
        return CommandResult(
            machine=name, state=CommandState(ended.state), exit_status=ended.exit_status, message=message
        )
    if sent is not None:
        return CommandResult(
            machine=name, state=CommandState.OFFLINE, message=_("not sent: {reason}").format(reason=sent.decision)
        )
    return CommandResult(
        machine=name, state=CommandState.CANCELLED, message=_("never sent: the console was ended before")
    )


_STATES = {state.value for state in CommandState}


def _entry(request: CommandRequest, name: str, kept: CommandResult | None = None) -> dict[str, object]:
    """The line of a result that did not come to the log before; `kept`: it came to the history."""
    return {
        "event": "result",
        "exec_id": request.id,
        "operator": request.operator,
        "machine": name,
        "argv": list(request.words),
        "state": CommandState.UNKNOWN.value if kept is None else kept.state.value,
        "exit_status": None if kept is None else kept.exit_status,
        "octets": None,
        "sha256": None,
        "note": "the console was ended" if kept is None else "as the history has it",
    }


def _said(path: Path, offset: int, ids: set[str]) -> dict[tuple[str, str], tuple[_Line | None, _Line | None]]:
    """The lines of the audit log, from `offset` on, that tell of these commands: what was decided, and the last end."""
    said: dict[tuple[str, str], tuple[_Line | None, _Line | None]] = {}
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        return said
    with stream:
        stream.seek(offset)
        while text := stream.readline(_LONGEST_LINE):
            try:
                line = _line_decoder.decode(text)
            except (ValueError, RecursionError):
                continue
            if line.exec_id in ids:
                key = (line.exec_id, line.machine)
                sent, ended = said.get(key, (None, None))
                said[key] = (line, ended) if line.event == "command" else (sent, line)
    return said
