"""What a machine's report says, in words for people."""

from __future__ import annotations

import math

from core.language import _, ngettext
from core.machine_records import Temperature
from core.records import Cpu, Disk, Level, MachineReport, MachineState, Status, System
from gui import numbers
from gui.plain_text import one_line

HOT_CELSIUS = 100.0
"""What a bar of a temperature is full at where its driver names no limit."""
_NEAR_CELSIUS = 10.0
"""A sensor this near below its limit is a warning."""
_COLDEST, _HOTTEST = -273.15, 1_000.0
_LOAD_SPANS = ("1 min", "5 min", "15 min")


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
    if report.interval_s is not None and report.state in (MachineState.ONLINE, MachineState.LATE):
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


def next_words(report: MachineReport) -> str:
    """What to do about a machine that cannot be looked at; "" where there is nothing to do."""
    if report.state is MachineState.UNPAIRED:
        return _(
            "Run “beffroi agent pair” on that machine, then choose Machines › Pair again… here and enter its code."
        )
    if report.state is MachineState.NOT_TRUSTED:
        return _(
            "Its agent does not take this console, or shows another key than before: if that is meant to be so, pair "
            "with it anew (Machines › Pair again…)."
        )
    if report.state is MachineState.OFFLINE:
        return _("See that it is on, that “beffroi agent run” runs there, and that no firewall is between; then F5.")
    return ""


def age_words(report: MachineReport) -> str:
    """Since when what is shown of a machine that is away is old."""
    if report.time_s is None:
        return _("Nothing is known of this machine yet.")
    return _("Last known, of {time}: the machine is away.").format(time=numbers.clock(report.time_s))


def memory_words(status: Status | None, *, with_swap: bool = True) -> str:
    """`of 32.0 GiB, 6.7 GiB free · swap 0 B of 2.0 GiB`; empty where it is not known."""
    memory = status.memory if status is not None else None
    if memory is None:
        return ""
    total = " ".join(numbers.size(memory.total_bytes))
    free = " ".join(numbers.size(memory.available_bytes))
    words = _("of {total}, {free} free").format(total=total, free=free)
    swap = status.swap if status is not None else None
    if with_swap and swap is not None and swap.total_bytes:
        used = " ".join(numbers.size(swap.used_bytes))
        words += " · " + _("swap {used} of {total}").format(used=used, total=" ".join(numbers.size(swap.total_bytes)))
    return words


def rate_words(first_sign: str, first: float | None, second_sign: str, second: float | None) -> str:
    """Two rates, each after its sign: `↓ 5.1 MB/s   ↑ 2.1 MB/s`; empty where neither is known."""
    if first is None and second is None:
        return ""
    return f"{first_sign} {' '.join(numbers.rate(first))}   {second_sign} {' '.join(numbers.rate(second))}"


def free_words(disk: Disk) -> str:
    """`/var: 17 GiB of 100 GiB free`."""
    free, total_ = " ".join(numbers.size(max(0, disk.total_bytes - disk.used_bytes))), numbers.size(disk.total_bytes)
    return _("{mount}: {free} of {total} free").format(mount=one_line(disk.mount), free=free, total=" ".join(total_))


def cpu_words(cpu: Cpu | None) -> str:
    """`8 cores, load 9.4`."""
    if cpu is None:
        return ""
    count = len(cpu.per_core_percent)
    parts = [ngettext("{count} core", "{count} cores", count).format(count=count)] if count else []
    if cpu.load_average:
        parts.append(_("load {load}").format(load=numbers.number(cpu.load_average[0], 1)))
    return ", ".join(parts)


def load_words(load: tuple[float, ...]) -> str:
    """`load 2.0 · 1.8 · 1.5`: of the last minute, 5 and 15 minutes."""
    figures = " · ".join(numbers.number(one, 1) for one in load[:3])
    return _("load {load}").format(load=figures) if figures else ""


def load_shares(load: tuple[float, ...], cores: int) -> list[tuple[str, str, float]]:
    """(time, average, percent) of each: 100 where every core has one process waiting for it."""
    return [
        (span, numbers.number(one, 1), min(100.0, max(0.0, 100.0 * one / max(1, cores))))
        for span, one in zip(_LOAD_SPANS, load, strict=False)
        if math.isfinite(one)
    ]


def hottest_first(status: Status | None) -> list[Temperature]:
    """The temperatures, the hottest first; what no thermometer shows is left out."""
    found = (status.temperatures or ()) if status is not None else ()
    return sorted((one for one in found if _COLDEST <= one.celsius <= _HOTTEST), key=lambda one: -one.celsius)


def heat_role(sensor: Temperature) -> str:
    """Role of the colour of a temperature: `critical` from its limit on, `warning` a little below it."""
    if sensor.high_celsius is None or not math.isfinite(sensor.high_celsius) or sensor.high_celsius <= 0:
        return "accent"
    if sensor.celsius >= sensor.high_celsius:
        return "critical"
    return "warning" if sensor.celsius >= sensor.high_celsius - _NEAR_CELSIUS else "accent"


def heat_percent(sensor: Temperature) -> float:
    """How full the bar of a temperature is."""
    high = sensor.high_celsius
    full = high if high is not None and math.isfinite(high) and high > 0 else HOT_CELSIUS
    return min(100.0, max(0.0, 100.0 * sensor.celsius / full))


def heat_words(sensor: Temperature | None) -> str:
    """`coretemp Package id 0, limit 90 °C`."""
    if sensor is None:
        return ""
    name = one_line(sensor.name)
    if sensor.high_celsius is None or not math.isfinite(sensor.high_celsius):
        return name
    return _("{name}, limit {limit} °C").format(name=name, limit=numbers.number(sensor.high_celsius))


def total(first: float | None, second: float | None) -> float | None:
    """The sum of what is known; None where nothing is."""
    return None if first is None and second is None else (first or 0.0) + (second or 0.0)
