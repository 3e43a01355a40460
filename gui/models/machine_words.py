"""What a machine's report says, in words for people."""

from __future__ import annotations

from core.language import _
from core.records import Disk, Level, MachineReport, MachineState, Status, System
from gui import numbers


def identity_words(report: MachineReport) -> str:
    """`Debian 12.7 · Linux 6.1 x86_64 · 10.0.1.14 · up 41 d · Python 3.11.2 · polled each second · …`."""
    parts: list[str] = []
    system = report.status.system if report.status is not None else None
    if system is not None:
        if system.hostname != report.machine:
            parts.append(system.hostname)
        parts += [
            system.os_version if system.os in system.os_version else f"{system.os} {system.os_version}".strip(),
            _kernel_words(system),
            ", ".join(system.ip_addresses[:3]),
            _("up {duration}").format(duration=numbers.duration(system.uptime_s)),
            f"Python {system.python}" if system.python else "",
        ]
    if report.interval_s is not None:
        each = numbers.duration(report.interval_s)
        parts.append(_("polled each second") if report.interval_s == 1 else _("polled every {time}").format(time=each))
    if report.level is not None:
        parts.append(
            {
                Level.VIEW: _("may be watched only"),
                Level.RUN: _("may run listed commands"),
                Level.MANAGE: _("may be managed"),
                Level.RAW: _("may run any command"),
            }[report.level]
        )
    return " · ".join(part for part in parts if part)


def _kernel_words(system: System) -> str:
    """`Linux 6.1 x86_64`, whether or not the kernel's version says its name."""
    name = f"{system.os} " if system.kernel[:1].isdigit() else ""
    return f"{name}{system.kernel} {system.architecture}".strip()


def state_words(report: MachineReport) -> str:
    """State, since when and why: `offline since 09:12: nothing listens there`."""
    since = numbers.clock(report.since_s)
    state = {
        MachineState.ONLINE: _("online since {time}"),
        MachineState.LATE: _("late since {time}"),
        MachineState.OFFLINE: _("offline since {time}"),
        MachineState.UNPAIRED: _("never seen: not paired yet"),
        MachineState.NOT_TRUSTED: _("not trusted since {time}"),
    }[report.state].format(time=since)
    return f"{state}: {report.error}" if report.error else state


def memory_words(status: Status | None) -> str:
    """`of 32.0 GiB, 6.7 GiB free · swap 0 B of 2.0 GiB`; empty where it is not known."""
    memory = status.memory if status is not None else None
    if memory is None:
        return ""
    total = " ".join(numbers.size(memory.total_bytes))
    free = " ".join(numbers.size(memory.available_bytes))
    words = _("of {total}, {free} free").format(total=total, free=free)
    swap = status.swap if status is not None else None
    if swap is not None and swap.total_bytes:
        used = " ".join(numbers.size(swap.used_bytes))
        words += " · " + _("swap {used} of {total}").format(used=used, total=" ".join(numbers.size(swap.total_bytes)))
    return words


def rate_words(first_sign: str, first: float | None, second_sign: str, second: float | None) -> str:
    """Two rates, each after its sign: `↓ 5.1 MB/s   ↑ 2.1 MB/s`; empty where neither is known."""
    if first is None and second is None:
        return ""
    return f"{first_sign} {' '.join(numbers.rate(first))}   {second_sign} {' '.join(numbers.rate(second))}"


def disk_words(disks: tuple[Disk, ...]) -> str:
    """The fullest file systems first: they matter most."""
    known = [(100 * disk.used_bytes / disk.total_bytes, disk.mount) for disk in disks if disk.total_bytes]
    return "   ".join(f"{mount} {numbers.number(percent)} %" for percent, mount in sorted(known, reverse=True))


def total(first: float | None, second: float | None) -> float | None:
    """The sum of what is known; None where nothing is."""
    return None if first is None and second is None else (first or 0.0) + (second or 0.0)
