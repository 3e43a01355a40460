"""One series of one sensor: what is known of it, its trend, and where it stands as a shape, a colour and words."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from core.alarms.rules import SENSOR_VALUE, looks_at, sensor_rules
from core.config.settings import SensorConfig
from core.language import _
from core.site_records import SensorMeasure, SensorSummary
from gui.models.machine_row import Shape
from gui.models.sensor_words import limit_text, quantity_words, unit_of_quantity, value_text, with_unit
from gui.numbers import age, clock, exact_time
from gui.plain_text import one_line

KEPT_S = 3600.0
MOST_POINTS = 240
"""A tile's curve: points of the last hour, thinned by halves when they are more."""
TREND_S = 1800.0
_LEAST_TREND_S = 120.0
_LEAST_TREND_POINTS = 4
QUIET_S = 60.0
_QUIET_PERIODS = 5.0
"""A sensor that nobody set a silence for is called quiet after so many of its periods, a minute at least."""
MOST_NAME = 64

Key = tuple[str, str]
"""(sensor, quantity): one series."""


class SensorRow:
    """One tile. `is_alone` tells that its sensor sends nothing else, so that its quantity needs not be said."""

    __slots__ = (
        "_limits", "_step_s", "config", "count", "has_past", "is_alone", "is_simulated", "period_s", "quantity",
        "sensor", "time_s", "times", "unit", "value", "values",
    )  # fmt: skip

    def __init__(self, sensor: str, quantity: str) -> None:
        self.sensor = sensor
        self.quantity = quantity
        self.config: SensorConfig | None = None
        self._limits: tuple[float | None, float | None] = (None, None)
        self.value: float | None = None
        self.unit = unit_of_quantity(quantity)
        self.time_s: float | None = None
        self.count = 0
        self.period_s: float | None = None
        self.is_alone = True
        self.is_simulated = False
        self.has_past = False
        self.times = array("d")
        self.values = array("d")
        self._step_s = 0.0

    # What comes in

    def set_config(self, config: SensorConfig | None) -> None:
        """What is set for its sensor; limits only where the alarms would look at this quantity."""
        self.config = config
        self._limits = (None, None)
        for rule in sensor_rules([config] if config is not None else []):
            if rule.name == SENSOR_VALUE and looks_at(rule, self.quantity):
                self._limits = (rule.low, rule.high)

    def apply(self, measure: SensorMeasure) -> None:
        """Take a newer measure; one that is older than the last counts and is not shown."""
        self.count += 1
        if self.time_s is not None and measure.time_s < self.time_s:
            return
        if self.time_s is not None:
            distance = measure.time_s - self.time_s
            self.period_s = distance if self.period_s is None else 0.8 * self.period_s + 0.2 * distance
        self.value, self.time_s, self.is_simulated = measure.value, measure.time_s, measure.is_simulated
        if measure.unit:
            self.unit = measure.unit
        self._add(measure.time_s, measure.value)

    def apply_last(self, last: SensorSummary) -> None:
        """What the history knows of it; what came since stays."""
        self.count = max(self.count, last.count)
        self.unit = last.unit or self.unit
        if self.time_s is None or last.time_s > self.time_s:
            self.value, self.time_s, self.is_simulated = last.value, last.time_s, last.is_simulated

    def apply_past(self, times: Sequence[float], values: Sequence[float]) -> None:
        """The last hour from the history: it goes before what has come since."""
        self.has_past = True
        first_s = self.times[0] if len(self.times) else float("inf")
        newer = list(zip(self.times, self.values, strict=True))
        older = [(at, value) for at, value in zip(times, values, strict=True) if at < first_s and value == value]
        self.times, self.values, self._step_s = array("d"), array("d"), 0.0
        for at, value in [*older, *newer]:
            self._add(at, value)

    def _add(self, time_s: float, value: float) -> None:
        times, values = self.times, self.values
        if len(times) > 1 and time_s - times[-2] < self._step_s:
            times[-1], values[-1] = time_s, value
            return
        times.append(time_s)
        values.append(value)
        if len(times) <= MOST_POINTS:
            return
        begin = next((place for place, at in enumerate(times) if at >= time_s - KEPT_S), 0)
        if begin < MOST_POINTS // 4:
            # every second one goes, never the newest; from now on they are kept that far apart
            self.times, self.values = times[len(times) % 2 == 0 :: 2], values[len(times) % 2 == 0 :: 2]
            self._step_s = max(2 * self._step_s, (time_s - times[0]) / MOST_POINTS * 2)
        else:
            del times[:begin], values[:begin]

    # What is shown

    @property
    def key(self) -> Key:
        """(sensor, quantity)."""
        return self.sensor, self.quantity

    @property
    def series(self) -> str:
        """Its name in the history."""
        return f"sensor/{self.sensor}/{self.quantity}"

    @property
    def shown_unit(self) -> str:
        """The unit it sends, else the one of the settings."""
        return self.unit or (self.config.unit if self.config is not None and self.is_alone else None) or ""

    def title(self) -> str:
        """What people call it, else its id."""
        name = self.config.name if self.config is not None else ""
        return one_line(name or self.sensor)[:MOST_NAME]

    def subtitle(self) -> str:
        """`Server room · humidity · simulated`: its place, what it is where its sensor sends several, if it is real."""
        place = self.config.place if self.config is not None else ""
        parts = [one_line(place)[:MOST_NAME]] if place else []
        if not self.is_alone or not place:
            parts.append(quantity_words(self.quantity)[:MOST_NAME])
        if self.is_simulated:
            parts.append(_("simulated"))
        return " · ".join(parts)

    def limits(self) -> tuple[float | None, float | None]:
        """(low, high) that ring for this quantity."""
        return self._limits

    def value_words(self) -> str:
        """The number, without its unit."""
        return value_text(self.value, self.shown_unit)

    def is_silent(self, now_s: float) -> bool:
        """True when the silence that was set is over, and nothing came."""
        after_s = self.config.silent_after_s if self.config is not None else None
        return after_s is not None and self.time_s is not None and now_s - self.time_s > after_s

    def is_quiet(self, now_s: float) -> bool:
        """True when it sent for some time and has stopped, whether that rings or not."""
        if self.time_s is None or self.is_silent(now_s):
            return True
        if self.config is not None and self.config.silent_after_s is not None:
            return False
        return now_s - self.time_s > max(QUIET_S, _QUIET_PERIODS * (self.period_s or 0.0))

    def state(self, now_s: float) -> tuple[Shape, str, str]:
        """(shape, colour role, words) of where it stands; the words are empty where all is well."""
        if self.time_s is None:
            return Shape.RING, "unknown", _("never heard")
        if self.is_silent(now_s):
            return Shape.TRIANGLE, "warning", _("silent since {time}").format(time=clock(self.time_s))
        low, high = self.limits()
        unit = self.shown_unit
        if high is not None and self.value is not None and self.value > high:
            return Shape.TRIANGLE, "warning", _("above {limit}").format(limit=limit_text(high, unit))
        if low is not None and self.value is not None and self.value < low:
            return Shape.TRIANGLE, "warning", _("below {limit}").format(limit=limit_text(low, unit))
        if self.is_quiet(now_s):
            return Shape.RING, "unknown", _("quiet since {time}").format(time=clock(self.time_s))
        return Shape.CIRCLE, "ok", ""

    def rank(self, now_s: float) -> int:
        """0 silent, 1 beyond a limit, 2 quiet, 3 well: problems first."""
        if self.is_silent(now_s):
            return 0
        return (Shape.TRIANGLE, Shape.RING, Shape.CIRCLE).index(self.state(now_s)[0]) + 1

    def age_words(self, now_s: float) -> str:
        """`3 s ago`."""
        return age(now_s - self.time_s) if self.time_s is not None else ""

    def change_per_hour(self, now_s: float) -> float | None:
        """Slope of the last half hour in units an hour; None while there is too little of it, or it is over."""
        if self.is_quiet(now_s):
            return None
        begin = next((place for place, at in enumerate(self.times) if at >= now_s - TREND_S), len(self.times))
        times, values = self.times[begin:], self.values[begin:]
        if len(times) < _LEAST_TREND_POINTS or times[-1] - times[0] < _LEAST_TREND_S:
            return None
        mean_s, mean = sum(times) / len(times), sum(values) / len(values)
        spread = sum((at - mean_s) ** 2 for at in times)
        slope = sum((at - mean_s) * (value - mean) for at, value in zip(times, values, strict=True)) / spread
        return slope * 3600 if abs(slope) < 1e9 else None

    def trend_words(self, now_s: float) -> str:
        """`↗ +1.2 °C/h`; `→ steady` where the digits shown would not move, empty while unknown."""
        change = self.change_per_hour(now_s)
        if change is None:
            return ""
        text = value_text(abs(change), self.shown_unit)
        if not any(sign in "123456789" for sign in text):
            return "→ " + _("steady")
        arrow, sign = ("↗", "+") if change > 0 else ("↘", "\u2212")
        unit = one_line(self.shown_unit)[:16]
        return f"{arrow} {sign}{text} {unit}/h" if unit else f"{arrow} {sign}{text} /h"

    def matches(self, words: Sequence[str]) -> bool:
        """True where each word is part of its name, id, place or quantity."""
        text = f"{self.title()} {self.sensor} {self.subtitle()} {self.quantity}".casefold()
        return all(word in text for word in words)

    def details(self, now_s: float) -> str:
        """All that is known, for the tool-tip."""
        lines = [self.title()]
        if self.title() != self.sensor:
            lines.append(_("id {id}").format(id=one_line(self.sensor)))
        if self.subtitle():
            lines.append(self.subtitle())
        value = with_unit(self.value_words(), self.shown_unit)
        if self.time_s is not None:
            lines.append(_("{value} at {time}").format(value=value, time=exact_time(self.time_s)))
        words = self.state(now_s)[2]
        if words:
            lines.append(words)
        return "\n".join(lines)
