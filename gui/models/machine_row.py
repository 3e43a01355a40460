"""One machine of the console: what is known of it, as a shape, a colour and words."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from enum import Enum

from core.language import _
from core.records import Machine, MachineReport, MachineState, System
from gui.models.thresholds import CPU, MEMORY
from gui.numbers import clock, duration, exact_time, number

_SEVERITY = {
    MachineState.NOT_TRUSTED: 0,
    MachineState.OFFLINE: 1,
    MachineState.UNPAIRED: 2,
    MachineState.LATE: 3,
}


class Shape(Enum):
    """How a state is drawn; never by colour alone."""

    CIRCLE = "circle"
    TRIANGLE = "triangle"
    SQUARE = "square"
    DIAMOND = "diamond"
    RING = "ring"


_ROLES = {Shape.CIRCLE: "ok", Shape.TRIANGLE: "warning", Shape.SQUARE: "critical", Shape.RING: "unknown"}
HEAT_STEPS = 12
NEVER_SEEN = ("unknown", 0)
OFFLINE = ("critical", HEAT_STEPS)
_HEATS = {Shape.TRIANGLE: ("warning", HEAT_STEPS), Shape.SQUARE: OFFLINE, Shape.RING: NEVER_SEEN}


class MachineRow:
    """One machine: as configured, its last report, and what follows from it.

    What lists and maps ask for again and again is worked out once, by `apply`: with 2,000 machines that is what keeps
    the window fluid.

    `cpu_percent` and `memory_percent` are None where unknown or no longer true; `is_seen` is False as long as the
    machine never answered this console.
    """

    __slots__ = (
        "_machine",
        "_said",
        "_searched",
        "_state_words",
        "cpu_high_since_s",
        "cpu_percent",
        "folded",
        "group",
        "heat",
        "is_seen",
        "memory_high_since_s",
        "memory_percent",
        "name",
        "order",
        "report",
        "shape",
        "state",
    )

    def __init__(self, machine: Machine) -> None:
        self.name = machine.name
        """The machine's name in the console."""

        self.folded = machine.name.casefold()
        """The same in the form by which names are ordered."""

        self.group = ""
        """The group it is listed under: its first one."""

        self.heat: tuple[str, int] = NEVER_SEEN
        """Role and strength of its colour on the map: the CPU in the accent, trouble in its own colour."""

        self.order = 5
        """0 for the worst; all healthy ones are equal."""

        self._said: tuple[object, ...] = ()
        self._searched = ""
        self._state_words = ""
        self.machine = machine
        self.report: MachineReport | None = None
        self.state: MachineState | None = None
        self.shape = Shape.RING
        self.is_seen = False
        self.cpu_percent: float | None = None
        self.memory_percent: float | None = None
        self.cpu_high_since_s: float | None = None
        self.memory_high_since_s: float | None = None

    @property
    def machine(self) -> Machine:
        """The machine as it is configured now."""
        return self._machine

    @machine.setter
    def machine(self, machine: Machine) -> None:
        self._machine = machine
        self._searched = ""
        self.group = machine.groups[0] if machine.groups else ""

    @property
    def role(self) -> str:
        """The role of the colour of its state."""
        return _ROLES[self.shape]

    def apply(self, report: MachineReport) -> None:
        """Take a newer report."""
        now_s = time.time()
        status, state = report.status, report.state
        is_live = status is not None and state in (MachineState.ONLINE, MachineState.LATE)
        self.report, self.state, self.is_seen = report, state, status is not None
        self.cpu_percent = status.cpu.percent if is_live and status.cpu is not None else None
        self.memory_percent = status.memory.percent if is_live and status.memory is not None else None
        cpu_role = CPU.role(self.cpu_percent, self.name, self.machine.groups)
        is_cpu_high = cpu_role != "accent"
        is_memory_high = MEMORY.role(self.memory_percent, self.name, self.machine.groups) != "accent"
        self.cpu_high_since_s = (self.cpu_high_since_s or now_s) if is_cpu_high else None
        self.memory_high_since_s = (self.memory_high_since_s or now_s) if is_memory_high else None
        if state is MachineState.NOT_TRUSTED or (state is MachineState.OFFLINE and self.is_seen):
            self.shape = Shape.SQUARE
        elif state in (MachineState.OFFLINE, MachineState.UNPAIRED):
            self.shape = Shape.RING
        elif state is MachineState.LATE or self.is_busy(now_s):
            self.shape = Shape.TRIANGLE
        else:
            self.shape = Shape.CIRCLE
        self.order = (4 if self.shape is Shape.TRIANGLE else 6) if state is MachineState.ONLINE else _SEVERITY[state]
        self._state_words = ""
        if self.shape is Shape.CIRCLE:
            share = min(100.0, self.cpu_percent or 0.0) / 100
            self.heat = (cpu_role, HEAT_STEPS if is_cpu_high else 3 + round(share * (HEAT_STEPS - 3)))
        else:
            self.heat = _HEATS[self.shape]
        system = status.system if status is not None else None
        if system is not None:
            told = (system.hostname, system.os, system.os_version, system.ip_addresses)
            if told != self._said:
                self._said = told
                self._searched = _searched(self._machine, system)  # now, and not for all at the first letter typed

    def is_busy(self, now_s: float) -> bool:
        """True when CPU or RAM has been high for a while."""
        cpu_s, memory_s = self.cpu_high_since_s, self.memory_high_since_s
        return (cpu_s is not None and now_s - cpu_s >= CPU.after_s) or (
            memory_s is not None and now_s - memory_s >= MEMORY.after_s
        )

    def reason(self) -> str:
        """Its state in a few words: `online`, `offline since 09:12`, `CPU high, 4 min`."""
        report = self.report
        if report is None:
            return _("waiting for its first answer")
        if report.state is MachineState.ONLINE:
            now_s = time.time()
            if self.cpu_high_since_s is not None and now_s - self.cpu_high_since_s >= CPU.after_s:
                return _("CPU high, {duration}").format(duration=duration(now_s - self.cpu_high_since_s))
            if self.memory_high_since_s is not None and now_s - self.memory_high_since_s >= MEMORY.after_s:
                return _("RAM high, {duration}").format(duration=duration(now_s - self.memory_high_since_s))
            return _("online")
        if report.state is MachineState.LATE:
            return _("late since {time}").format(time=clock(report.since_s))
        if report.state is MachineState.UNPAIRED:
            return _("not paired")
        if report.state is MachineState.NOT_TRUSTED:
            return _("not trusted: pair again")
        if not self.is_seen:
            return _("never seen")
        return _("offline since {time}").format(time=clock(report.since_s))

    def about(self) -> list[str]:
        """What it is and what works on it, a line each; empty while nothing is known."""
        status = self.report.status if self.report is not None else None
        if status is None:
            return []
        lines = []
        if status.system is not None:
            system = status.system
            name = system.os_version or system.os or ""
            running = _("up {duration}").format(duration=duration(system.uptime_s)) if system.uptime_s else ""
            lines.append(" · ".join(part for part in (name, *system.ip_addresses[:1], running) if part))
        if status.top_process is not None and self.cpu_percent is not None:
            top = status.top_process
            lines.append(_("busiest: {name}, {percent} %").format(name=top.name, percent=number(top.cpu_percent)))
        return lines

    def details(self) -> str:
        """All that a tool-tip says, plain text."""
        lines = [f"{self.name} · {self.machine.address}", self.reason()]
        report = self.report
        if report is not None:
            if report.error:
                lines.append(report.error)
            lines.append(_("since {time}").format(time=exact_time(report.since_s)))
            if self.cpu_percent is not None:
                lines.append(_("CPU {percent} %").format(percent=number(self.cpu_percent)))
            if self.memory_percent is not None:
                lines.append(_("RAM {percent} %").format(percent=number(self.memory_percent)))
        if self.machine.groups:
            lines.append(_("groups: {groups}").format(groups=", ".join(self.machine.groups)))
        if self.machine.tags:
            lines.append(_("tags: {tags}").format(tags=", ".join(self.machine.tags)))
        if self.machine.notes:
            lines.append(self.machine.notes)
        return "\n".join(lines)

    def rank(self) -> int:
        """0 for the worst; all healthy ones are equal."""
        return self.order

    def matches(self, words: Sequence[str]) -> bool:
        """True when each word, in small letters, is in what it is: name, address, groups, tags, notes, state, system.

        Groups are found as `@lab`, the rest also as the command line writes it: `tag:printer`, `os:debian`,
        `level:run`, `state:offline`, `address:10.1.`; a part of it will do.
        """
        if not words:
            return True
        still = self._searched
        if not still:
            system = self.report.status.system if self.report is not None and self.report.status is not None else None
            still = self._searched = _searched(self._machine, system)
        if all(word in still for word in words):
            return True
        if not self._state_words:
            state = "" if self.state is None else f"state:{self.state.value}"
            self._state_words = f" {self.reason().casefold()} {state}"
        now = self._state_words
        return all(word in still or word in now for word in words)


def _searched(machine: Machine, system: System | None) -> str:
    level = [] if machine.level is None else [f"level:{machine.level.value}"]
    words = [machine.name, machine.address, f"address:{machine.address}", *level, machine.notes]
    words += [f"@{group}" for group in machine.groups]
    words += [f"tag:{tag}" for tag in machine.tags]
    names = [machine.os]
    if system is not None:
        names += [system.os, system.os_version]
        words += [system.hostname, *system.ip_addresses]
    words += names
    words += [f"os:{word}" for name in names for word in re.findall(r"\w+", name)]
    return " ".join(words).casefold()
