"""What follows from the measurements of a meter, for rules to look at: peaks, drops, unbalance, a base load that rises.

Each is computed where it means something and else not at all: an unbalance of currents says nothing without a load, a
peak nothing before it is known what is usual. So a rule over it is silent then, as over a value that does not come.
"""

from __future__ import annotations

import math
from datetime import tzinfo

from core.alarms.baseline import Baseline
from core.alarms.condition import WIRED_V
from core.alarms.meter_words import Words, reason
from core.counters import greater, has_come_round, is_too_fast, rounded_down
from core.records import Measurement, SeriesPoints

SHOWN_BY = {
    "active_power_peak_ratio": "active_power_w",
    "active_power_drop_ratio": "active_power_w",
    "voltage_unbalance_percent": "voltage_l1_v",
    "current_unbalance_percent": "current_l1_a",
    "loaded_power_factor": "power_factor",
    "loaded_thd_current_percent": "thd_current_percent",
    "subscribed_power_percent": "active_power_w",
    "night_base_w": "active_power_w",
    "night_base_ratio": "active_power_w",
    "unexpected_export_w": "active_power_w",
    "energy_fall_wh": "active_energy_import_wh",
    "energy_leap_wh": "active_energy_import_wh",
    "budget_percent": "active_energy_import_wh",
}
"""The series that the history keeps of each: the curve beside its alarm."""

LEAST_USUAL_W = 50.0
"""Below it nothing is a drop of, and a night is as good as without a load."""
LEAST_PEAK_OF_W = 200.0
"""A house that is empty uses ten times the usual when the light is on: less than this is no peak's usual."""
LOAD_W = 500.0
LOAD_OF_EXPORTER_W = 3000.0
"""Behind a roof that exports the net power is small and its power factor means little."""
THD_LOAD_W = 1000.0
LOAD_A = 2.0
EXPORTED_WH = 1000.0
FALL_WH = 0.5
"""A register that is read by two ways may differ by its rounding."""
ANOTHER_METER_S = 3600.0

_REGISTERS = (
    "active_energy_import_wh",
    "active_energy_export_wh",
    "reactive_energy_import_varh",
    "reactive_energy_export_varh",
    "active_energy_import_t1_wh",
    "active_energy_import_t2_wh",
    "active_energy_import_t3_wh",
    "active_energy_import_t4_wh",
)


class DerivedQuantities:
    """Those of one meter, from its measurements in the order of their times; pure, some microseconds each.

    `subscribed_power_w` is that of its contract; `zone` None is the local time of this computer.
    """

    def __init__(self, subscribed_power_w: float | None = None, zone: tzinfo | None = None) -> None:
        self.subscribed_power_w = subscribed_power_w
        self.baseline = Baseline(zone)
        self.last: dict[str, float] = {}
        """What followed from the last measurement."""
        self._wired = [False, False, False]
        self._highest: dict[str, float] = {}
        self._fallen: dict[str, float] = {}
        self._seen: dict[str, tuple[float, float | None]] = {}
        self._leapt: dict[str, tuple[float, float, float]] = {}
        self._is_exporter: bool | None = None
        self._words = Words()

    def learn(self, points: SeriesPoints) -> None:
        """Take the power of the past from the history."""
        self.baseline.learn(points)

    def take(self, time_s: float, measurement: Measurement) -> dict[str, float]:
        """What follows from a measurement: by name, those that mean something now."""
        found: dict[str, float] = {}
        power_w = measurement.active_power_w
        if power_w is not None and math.isfinite(power_w):
            self.baseline.take(time_s, power_w)
            self._beside_usual(power_w, found)
            subscribed_w = self.subscribed_power_w
            if subscribed_w:
                found["subscribed_power_percent"] = 100.0 * max(0.0, power_w) / subscribed_w
                self._words.powers["subscribed_power_percent"] = (power_w, subscribed_w)
        self._unbalances(measurement, found)
        self._under_load(measurement, found)
        self._export(measurement, found)
        self._leaps(time_s, measurement, found)
        self._registers(time_s, measurement, found)
        self.last = found
        return found

    def reason(self, quantity: str) -> str | None:
        """The last value of a quantity in words: what was measured, what is usual, what to look at."""
        return reason(quantity, self._words)

    def _beside_usual(self, power_w: float, found: dict[str, float]) -> None:
        usual, powers = self.baseline, self._words.powers
        if usual.hour_mean_w is not None and usual.week_mean_w is not None:
            # where a roof exports, a cloud is no peak: what is usual at noon is next to nothing
            hour_w = max(usual.hour_mean_w, usual.week_mean_w) if usual.has_exported else usual.hour_mean_w
            hour_w = max(hour_w, LEAST_PEAK_OF_W)
            found["active_power_peak_ratio"] = max(0.0, power_w) / hour_w
            powers["active_power_peak_ratio"] = (power_w, hour_w)
        if usual.lowest_w is not None and usual.lowest_w >= LEAST_USUAL_W and not usual.has_exported:
            found["active_power_drop_ratio"] = max(0.0, power_w) / usual.lowest_w
            powers["active_power_drop_ratio"] = (power_w, usual.lowest_w)
        if usual.last_night_w is not None:
            found["night_base_w"] = usual.last_night_w
        if usual.last_nights_w is not None and usual.nights_before_w is not None:
            before_w = max(usual.nights_before_w, LEAST_USUAL_W)
            found["night_base_ratio"] = usual.last_nights_w / before_w
            powers["night_base_ratio"] = (usual.last_nights_w, before_w)

    def _unbalances(self, measurement: Measurement, found: dict[str, float]) -> None:
        """The greatest deviation from the mean, in percent of the mean.

        Source: NEMA MG 1 (14.36), on the voltages to neutral as in IEEE 141; the 3 % of the rule are those that
        EN 50160 allows where a part of the users has one phase.
        """
        wired = self._wired
        volts = (measurement.voltage_l1_v, measurement.voltage_l2_v, measurement.voltage_l3_v)
        known = []
        for phase, value in enumerate(volts):
            if value is not None:
                if value >= WIRED_V:
                    wired[phase] = True
                if wired[phase]:
                    known.append(value)
        if len(known) > 1:
            found["voltage_unbalance_percent"] = _unbalance(known)
            self._words.phases["voltage_unbalance_percent"] = tuple(known)
        is_blind = not any(wired)
        amperes = (measurement.current_l1_a, measurement.current_l2_a, measurement.current_l3_a)
        flowing = [
            abs(value) for phase, value in enumerate(amperes) if value is not None and (is_blind or wired[phase])
        ]
        if len(flowing) > 1 and sum(flowing) >= LOAD_A * len(flowing):
            found["current_unbalance_percent"] = _unbalance(flowing)
            self._words.phases["current_unbalance_percent"] = tuple(flowing)

    def _under_load(self, measurement: Measurement, found: dict[str, float]) -> None:
        power_w = measurement.active_power_w
        if power_w is None:
            return
        load_w = abs(power_w)
        is_exporter = self._is_exporter or self.baseline.has_exported
        if load_w >= (LOAD_OF_EXPORTER_W if is_exporter else LOAD_W):
            factor = measurement.power_factor
            apparent = measurement.apparent_power_va
            if factor is not None:
                found["loaded_power_factor"] = abs(factor)
            elif apparent is not None and apparent >= load_w:
                found["loaded_power_factor"] = load_w / apparent
            self._words.powers["loaded_power_factor"] = (power_w, 0.0)
        if load_w >= THD_LOAD_W and measurement.thd_current_percent is not None:
            found["loaded_thd_current_percent"] = measurement.thd_current_percent
            self._words.powers["loaded_thd_current_percent"] = (power_w, 0.0)

    def _export(self, measurement: Measurement, found: dict[str, float]) -> None:
        counted_wh = measurement.active_energy_export_wh
        if self._is_exporter is None and counted_wh is not None:
            self._is_exporter = counted_wh > EXPORTED_WH
        if self._is_exporter is None and not self.baseline.is_known:
            return
        sold_w = measurement.active_power_export_w
        if sold_w is None:
            if measurement.active_power_w is None:
                return
            sold_w = -measurement.active_power_w
        usual = self.baseline
        is_usual = self._is_exporter or usual.exported_before
        if is_usual and usual.is_known and usual.is_dark:
            is_usual = usual.exported_in_the_dark
        found["unexpected_export_w"] = 0.0 if is_usual else max(0.0, sold_w)

    def _leaps(self, time_s: float, measurement: Measurement, found: dict[str, float]) -> None:
        """How far a register rose at once: until it is back, or is another meter's after an hour."""
        for field in _REGISTERS:
            value: float | None = getattr(measurement, field)
            if value is None:
                continue
            highest, power_w = self._highest.get(field), measurement.active_power_w
            seen_s, seen_w = self._seen.get(field, (time_s, power_w))
            self._seen[field] = time_s, power_w
            leap = self._leapt.get(field)
            if leap is not None:
                before, _leapt_to, since_s = leap
                if before <= value and not is_too_fast(value - before, time_s - since_s):
                    self._highest[field] = value  # it was read wrongly
                    del self._leapt[field]
                elif not 0 <= time_s - since_s < ANOTHER_METER_S:
                    del self._leapt[field]
            elif highest is not None and is_too_fast(value - highest, abs(time_s - seen_s), greater(seen_w, power_w)):
                self._leapt[field] = (highest, value, time_s)
            found.setdefault("energy_leap_wh", 0.0)
        for field, (before, leapt_to, _since_s) in self._leapt.items():
            if leapt_to - before > found["energy_leap_wh"]:
                found["energy_leap_wh"] = leapt_to - before
                self._words.leap = (field, before, leapt_to)

    def _registers(self, time_s: float, measurement: Measurement, found: dict[str, float]) -> None:
        """How far a register is below what it was: until it is there again, or is another meter's after an hour."""
        worst: float | None = None
        for field in _REGISTERS:
            value: float | None = getattr(measurement, field)
            if value is None:
                continue
            highest = self._highest.get(field)
            if highest is None or value >= highest - FALL_WH or has_come_round(highest, value):
                self._highest[field] = value if highest is None or value < highest - FALL_WH else max(highest, value)
                self._fallen.pop(field, None)
                worst = worst or 0.0
                continue
            if value in rounded_down(highest):
                worst = worst or 0.0
                continue
            since_s = self._fallen.setdefault(field, time_s)
            if not 0 <= time_s - since_s < ANOTHER_METER_S:
                self._highest[field] = value
                del self._fallen[field]
                worst = worst or 0.0
            elif highest - value > (worst or 0.0):
                worst = highest - value
                self._words.register = (field, highest, value)
        if worst is not None:
            found["energy_fall_wh"] = worst


def _unbalance(values: list[float]) -> float:
    mean = sum(values) / len(values)
    if mean <= 0:
        return 0.0
    return 100.0 * max(max(values) - mean, mean - min(values)) / mean
