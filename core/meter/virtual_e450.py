"""A simulated three-phase E450: a believable day, the same for the same seed and time, and always labelled simulated.

The house has a base load with a morning and an evening, a kettle on L1, an oven across L2 and L3, a heat pump in
three phases, and a roof that exports around noon. Energies are counters: those of a day are scaled to a total that
follows the season and a little chance, so that any moment is computed from that day alone.

With anomalies the house leaks (a load that never falls), and each day has a peak, an export at night and an hour on one
phase, for detectors to find.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from random import Random

from core.meter.e450 import SIMULATED_NAME

DAY_S = 86_400
IMPORT_WH_A_DAY, IMPORT_SEASON_WH, IMPORT_SPREAD_WH = 9_600.0, 2_400.0, 1_100.0
EXPORT_WH_A_DAY, EXPORT_SEASON_WH, EXPORT_SPREAD_WH = 6_300.0, -3_400.0, 900.0
"""Mean of a day; how much more it is in winter than that; half of how far a day may be off."""
YEAR_DAYS = 365.25
COLDEST_DAY = 18_276  # 2020-01-15
REACTIVE_SHARE = 0.22
"""Reactive energy beside active import, as that of a house with motors and power supplies."""
ANOMALOUS_SHARE = 2.0
"""How much more a day imports with anomalies."""
LEAK_W = 260.0
PEAK_MINUTE, PEAK_MINUTES, PEAK_W = 21 * 60, 45, 7_500.0
UNBALANCE_MINUTE, UNBALANCE_W = 9 * 60 + 30, 9_200.0
EXPORT_MINUTE, EXPORT_W = 23 * 60 + 10, 2_400.0
GRID_OHM = 0.35
"""Impedance of the line to the house, that makes a load sag the voltage."""
NOMINAL_V = 230.0
FIRST_DAY = 18_262  # 2020-01-01, when the meter was put in


@dataclass(frozen=True, slots=True)
class VirtualMoment:
    """All that the meter measures at one moment; powers in W, var, VA, energies in Wh, varh, THD in percent.

    Power of a phase is positive where it is imported. `power_factor` is that of the three phases together.
    """

    time_s: float
    active_power_w: tuple[float, float, float]
    reactive_power_var: tuple[float, float, float]
    voltage_v: tuple[float, float, float]
    current_a: tuple[float, float, float]
    frequency_hz: float
    power_factor: float
    thd_voltage_percent: float
    thd_current_percent: float
    energy_import_wh: float
    energy_export_wh: float
    reactive_import_varh: float
    reactive_export_varh: float
    import_by_tariff_wh: tuple[float, float]

    @property
    def power_w(self) -> float:
        """Signed total, import positive."""
        return sum(self.active_power_w)

    @property
    def reactive_var(self) -> float:
        """Signed total of the reactive power."""
        return sum(self.reactive_power_var)

    def phase_power_factor(self, phase: int) -> float:
        """Power factor of phase 0, 1 or 2."""
        active = self.active_power_w[phase]
        apparent = math.hypot(active, self.reactive_power_var[phase])
        return abs(active) / apparent if apparent else 1.0

    @property
    def apparent_va(self) -> float:
        """Apparent power of the three phases together."""
        return math.hypot(self.power_w, self.reactive_var)


@dataclass(frozen=True, slots=True)
class _Day:
    """Loads of one day by minute and phase, the roof, and the counters at each minute's beginning."""

    phases: tuple[tuple[float, ...], ...]
    roof: tuple[float, ...]
    imported: tuple[float, ...]
    exported: tuple[float, ...]
    sags: tuple[tuple[int, int, float, int], ...]


class VirtualE450:
    """The meter of `seed`; `moment(time_s)` is what it shows at epoch seconds `time_s`."""

    def __init__(self, seed: int = 1, *, has_anomalies: bool = False) -> None:
        self.seed = seed
        self.has_anomalies = has_anomalies
        self.serial_number = f"{SIMULATED_NAME}{seed % 100_000_000:08d}"

    def moment(self, time_s: float) -> VirtualMoment:
        """Everything at `time_s`: deterministic, whatever was asked before."""
        number, second = divmod(time_s, DAY_S)
        day = _day(self.seed, int(number), self.has_anomalies)
        minute, fraction = int(second // 60), second % 60 / 60
        jitter = [1.0 + 0.015 * _noise(self.seed, time_s, phase) for phase in range(3)]
        roof = day.roof[minute] * (1.0 + 0.01 * _noise(self.seed, time_s, 7))
        active = [day.phases[phase][minute] * jitter[phase] - roof / 3 for phase in range(3)]
        reactive = [abs(power) * 0.12 + 35.0 + 8.0 * phase for phase, power in enumerate(active)]
        voltage = [self._voltage(time_s, int(second), phase, active[phase], day) for phase in range(3)]
        current = [math.hypot(power, var) / volts for power, var, volts in zip(active, reactive, voltage, strict=True)]
        total, total_var = sum(active), sum(reactive)
        apparent = math.hypot(total, total_var)
        imported = _between(day.imported, minute, fraction) + _imported_before(
            self.seed, int(number), self.has_anomalies
        )
        exported = _between(day.exported, minute, fraction) + _exported_before(self.seed, int(number))
        return VirtualMoment(
            time_s=time_s,
            active_power_w=_three(active),
            reactive_power_var=_three(reactive),
            voltage_v=_three(voltage),
            current_a=_three(current),
            frequency_hz=50.0 + 0.012 * math.sin(time_s / 41) + 0.01 * _noise(self.seed, time_s, 8),
            power_factor=abs(total) / apparent if apparent else 1.0,
            thd_voltage_percent=1.9 + 0.4 * math.sin(time_s / 5_400) + 0.05 * _noise(self.seed, time_s, 9),
            thd_current_percent=6.5 + 2.0 * math.sin(time_s / 3_100) + 0.3 * _noise(self.seed, time_s, 10),
            energy_import_wh=imported,
            energy_export_wh=exported,
            reactive_import_varh=imported * REACTIVE_SHARE,
            reactive_export_varh=exported * REACTIVE_SHARE / 4,
            import_by_tariff_wh=(imported * 0.62, imported * 0.38),
        )

    def _voltage(self, time_s: float, second: int, phase: int, load_w: float, day: _Day) -> float:
        volts = (
            NOMINAL_V
            + 2.6 * math.sin(2 * math.pi * time_s / 21_600 + phase)
            + 0.35 * _noise(self.seed, time_s, 3 + phase)
        )
        volts -= GRID_OHM * load_w / NOMINAL_V
        index = bisect_right(day.sags, (second, DAY_S, 0.0, 0)) - 1
        if index >= 0:
            began, length, depth, sagging = day.sags[index]
            if second < began + length:
                volts *= 1.0 - depth * (1.0 if sagging == phase else 0.25)
        return volts


@lru_cache(maxsize=8)
def _day(seed: int, number: int, has_anomalies: bool) -> _Day:
    """The day `number` since the epoch (UTC) of the meter `seed`."""
    random = Random(f"{seed} {number}")  # noqa: S311  # a simulated house, no secret
    weekend = datetime.fromtimestamp(number * DAY_S, UTC).isoweekday() >= 6
    wake = 8.0 if weekend else 6.5
    phases = [[0.0] * 1440 for _phase in range(3)]
    for minute in range(1440):
        hour = minute / 60
        house = 150.0 + 260.0 * _bump(hour, wake + 0.7, 0.9) + 420.0 * _bump(hour, 19.5, 2.0)
        house += 90.0 * _bump(hour, 12.5, 0.8)
        cooling = 75.0 if (minute + seed) % 46 < 17 else 0.0
        for phase, share in enumerate((0.40, 0.33, 0.27)):
            phases[phase][minute] = house * share + (cooling if phase == 2 else 0.0)
    for begin in (wake, wake + 0.5, 10.3, 16.2, 20.1):
        start = int(begin * 60 + random.randint(-12, 12))
        _add(phases[0], start, random.randint(3, 4), 2_050.0)
    start = int(18.6 * 60 + random.randint(-15, 15))
    for offset in range(0, 55, 8):
        _add(phases[1], start + offset, 8 if offset == 0 else 4, 1_750.0)
        _add(phases[2], start + offset, 8 if offset == 0 else 4, 900.0)
    for start in range(random.randint(0, 40), 1440, 96):
        for loads in phases:
            _add(loads, start, 22, 310.0)
    clouds = [random.uniform(0.35, 1.0) for _quarter in range(97)]
    roof = []
    for minute in range(1440):
        quarter, rest = divmod(minute, 15)
        cloud = clouds[quarter] + (clouds[quarter + 1] - clouds[quarter]) * rest / 15
        roof.append(
            3_900.0 * max(0.0, math.sin(math.pi * (minute / 60 - 6.5) / 12.5)) ** 1.4 * cloud
            if 390 < minute < 1140
            else 0.0
        )
    if has_anomalies:
        _add(phases[1], 0, 1440, LEAK_W)
        _add(phases[0], PEAK_MINUTE, PEAK_MINUTES, PEAK_W)
        _add(phases[2], UNBALANCE_MINUTE, 60, UNBALANCE_W)
        for minute in range(EXPORT_MINUTE, EXPORT_MINUTE + 20):
            roof[minute] += EXPORT_W
    imported_wh = _imported_before(seed, number + 1, has_anomalies) - _imported_before(seed, number, has_anomalies)
    exported_wh = _exported_before(seed, number + 1) - _exported_before(seed, number)
    net = [sum(phase[minute] for phase in phases) - roof[minute] for minute in range(1440)]
    sags = sorted(
        (random.randrange(DAY_S), random.randint(2, 5), random.uniform(0.11, 0.17), random.randrange(3))
        for _count in range(60)
    )
    return _Day(
        phases=tuple(tuple(phase) for phase in phases),
        roof=tuple(roof),
        imported=_counter([max(0.0, power) for power in net], imported_wh),
        exported=_counter([max(0.0, -power) for power in net], exported_wh),
        sags=tuple(sags),
    )


def _imported_before(seed: int, number: int, has_anomalies: bool) -> float:
    """What the meter had counted when the day `number` began."""
    counted_wh = _counted_before(seed, number, 11, (IMPORT_WH_A_DAY, IMPORT_SEASON_WH, IMPORT_SPREAD_WH))
    return counted_wh * (ANOMALOUS_SHARE if has_anomalies else 1.0)


def _exported_before(seed: int, number: int) -> float:
    return _counted_before(seed, number, 12, (EXPORT_WH_A_DAY, EXPORT_SEASON_WH, EXPORT_SPREAD_WH))


def _counted_before(seed: int, number: int, channel: int, a_day_wh: tuple[float, float, float]) -> float:
    """The mean of a day, a season in place of which its integral stands, and chance that is gone the next day."""
    mean_wh, season_wh, spread_wh = a_day_wh

    def swing(day: int) -> float:
        season = season_wh * YEAR_DAYS / (2 * math.pi) * math.sin(2 * math.pi * (day - COLDEST_DAY) / YEAR_DAYS)
        return season + spread_wh * _noise(seed, day, channel)

    return (number - FIRST_DAY) * mean_wh + swing(number) - swing(FIRST_DAY)


def _counter(powers: list[float], total_wh: float) -> tuple[float, ...]:
    """Energy at the beginning of each minute, and at the end of the day: `total_wh` in all."""
    scale = total_wh / (sum(powers) or 1.0)
    counted, out = 0.0, []
    for power in powers:
        out.append(counted)
        counted += power * scale
    return (*out, total_wh)


def _between(counter: tuple[float, ...], minute: int, fraction: float) -> float:
    return counter[minute] + (counter[minute + 1] - counter[minute]) * fraction


def _add(phase: list[float], start: int, minutes: int, power_w: float) -> None:
    for minute in range(max(0, start), min(1440, start + minutes)):
        phase[minute] += power_w


def _bump(hour: float, centre: float, width: float) -> float:
    return math.exp(-(((hour - centre) / width) ** 2))


def _noise(seed: int, time_s: float, channel: int) -> float:
    """A number from -1 to 1 that looks random and is the same for the same second."""
    value = math.sin((seed % 9973 + 1) * 12.9898 + (time_s % 100_003) * 78.233 + channel * 37.719) * 43_758.5453
    return 2.0 * (value - math.floor(value)) - 1.0


def _three(values: list[float]) -> tuple[float, float, float]:
    return (values[0], values[1], values[2])
