"""What can be done to a process or a service of a machine: who may, what it is called, and the two questions before.

The words that are sent are those of the agent's own commands: `process-end PID STARTED`, `process-kill PID STARTED`,
`service-restart NAME`. STARTED tells the agent which process of that pid is meant, so that none is ended in its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from core.language import _, ngettext
from core.machine_records import Service
from core.records import CommandResult, CommandState, Level, Process
from gui import numbers
from gui.plain_text import one_line

MOST_AT_ONCE = 50
"""Processes that one question can be about."""
_MOST_NAMED = 12
_LONGEST_NAME = 80
_LONGEST_ANSWER = 300


class ActKind(Enum):
    """What is done."""

    END = "process-end"
    KILL = "process-kill"
    RESTART = "service-restart"


@dataclass(frozen=True, slots=True)
class Act:
    """One thing to be done on one machine; `children` are the pids' own children that still run."""

    kind: ActKind
    machine: str
    processes: tuple[Process, ...] = ()
    children: tuple[Process, ...] = ()
    service: Service | None = None

    def lines(self) -> list[tuple[str, ...]]:
        """The words to send, a command for each process."""
        if self.service is not None:
            return [(self.kind.value, self.service.name)]
        return [(self.kind.value, str(one.pid), f"{one.started_s:.2f}") for one in self.processes]


def why_not(level: Level | None) -> str:
    """Why this console may not end processes nor restart services there, and what to do about it; "" where it may."""
    if level is None:
        return _("It is not known yet what this console may do on this machine.")
    if level.rank >= Level.MANAGE.rank:
        return ""
    may = _("watch") if level is Level.VIEW else _("run listed commands")
    return _(
        "This console may {what} on this machine, not manage it. Its administrator can raise that: "
        "beffroi agent pair --level manage"
    ).format(what=may)


def title(act: Act) -> str:
    """The title of the question, and of the command in menus."""
    return {
        ActKind.END: _("End process"),
        ActKind.KILL: _("Kill process"),
        ActKind.RESTART: _("Restart service"),
    }[act.kind]


def question(act: Act) -> str:
    """The first question: what exactly is meant."""
    if act.service is not None:
        return _service_question(act.service, act.machine)
    count = len(act.processes)
    text = {
        ActKind.END: ngettext("End this process on {machine}?", "End these {count} processes on {machine}?", count),
        ActKind.KILL: ngettext("Kill this process on {machine}?", "Kill these {count} processes on {machine}?", count),
    }[act.kind].format(count=count, machine=act.machine)
    return "\n".join([text, "", *_named(act.processes)])


def warning(act: Act) -> str:
    """The second question: what will happen."""
    if act.service is not None:
        return _(
            "Its service manager stops {name} now and starts it again. Whoever uses it is cut off meanwhile, services "
            "that depend on it may be restarted with it, and if its settings are wrong it does not come back."
        ).format(name=_short(act.service.name))
    what = {
        ActKind.END: _(
            "The signal TERM asks it to end: most programs then close their files and go, some take their time, "
            "and one may refuse. What it has not saved may be lost."
        ),
        ActKind.KILL: _(
            "The signal KILL takes it away at once: it saves nothing, closes nothing properly and cannot refuse. "
            "Files it was writing may be left damaged. Try to end it first."
        ),
    }[act.kind]
    return "\n".join([what, "", *_about_children(act)])


def confirmation(act: Act) -> str:
    """The words beside the box that must be ticked."""
    if act.service is not None:
        return _("Yes, restart {name} on {machine} now").format(name=_short(act.service.name), machine=act.machine)
    if len(act.processes) == 1:
        one = act.processes[0]
        text = {
            ActKind.END: _("Yes, end {name} (pid {pid}) on {machine} now"),
            ActKind.KILL: _("Yes, kill {name} (pid {pid}) on {machine} now"),
        }[act.kind]
        return text.format(name=_short(one.name), pid=one.pid, machine=act.machine)
    text = {
        ActKind.END: _("Yes, end these {count} processes on {machine} now"),
        ActKind.KILL: _("Yes, kill these {count} processes on {machine} now"),
    }[act.kind]
    return text.format(count=len(act.processes), machine=act.machine)


def answer_words(results: Sequence[CommandResult]) -> tuple[str, str]:
    """(what the machine answered, role of its colour): the refusals and failures before what went well."""
    bad = [one for one in results if one.state is not CommandState.OK]
    ordered = [*bad, *(one for one in results if one.state is CommandState.OK)]
    lines = [
        f"{'✕' if place < len(bad) else '✓'} {_short(_said(one)[: 4 * _LONGEST_ANSWER], _LONGEST_ANSWER)}"
        for place, one in enumerate(ordered[:_MOST_NAMED])
    ]
    further = len(ordered) - len(lines)
    if further > 0:
        lines.append(ngettext("and {count} more", "and {count} more", further).format(count=further))
    return " · ".join(lines), "critical" if bad else "ok"


def _said(result: CommandResult) -> str:
    """What one command answered, in one line."""
    for text in (result.message, result.stderr, result.stdout):
        if text and text.strip():
            return text.strip()
    return {
        CommandState.OK: _("done"),
        CommandState.TIMEOUT: _("no answer in time"),
        CommandState.OFFLINE: _("the machine is away, nothing was sent"),
        CommandState.UNKNOWN: _("not known: the link broke before the answer came"),
        CommandState.CANCELLED: _("cancelled"),
    }.get(result.state, _("it did not work"))


def _service_question(service: Service, machine: str) -> str:
    lines = [_("Restart this service on {machine}?").format(machine=machine), "", f"    {_short(service.name)}"]
    if service.description:
        lines.append(f"    {_short(service.description)}")
    if service.pid is not None:
        lines.append("    " + _("{state}, pid {pid}").format(state=one_line(service.state), pid=service.pid))
    else:
        lines.append(f"    {one_line(service.state)}")
    return "\n".join(lines)


def _named(processes: Sequence[Process]) -> list[str]:
    """A line for each process, as many as can be read."""
    lines = [
        "    "
        + _("{name} (pid {pid}) of {user}, since {time}").format(
            name=_short(one.name), pid=one.pid, user=_short(one.user), time=numbers.exact_time(one.started_s)
        )
        for one in processes[:_MOST_NAMED]
    ]
    further = len(processes) - _MOST_NAMED
    if further > 0:
        lines.append("    " + ngettext("and {count} more", "and {count} more", further).format(count=further))
    return lines


def _about_children(act: Act) -> list[str]:
    count = len(act.children)
    if not count:
        return [_("It has started no other process that still runs.")]
    head = ngettext(
        "{count} process that it started is not ended with it and may go on:",
        "{count} processes that it started are not ended with it and may go on:",
        count,
    ).format(count=count)
    return [head, *_named(act.children)]


def _short(text: str, longest: int = _LONGEST_NAME) -> str:
    shown = one_line(text)
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"
