"""The condition of a rule over the values of one series: what the engine and the replay both ask.

`step` is given every value with its time, oldest first, and says when the condition has lasted long enough and when
it is over. Between the threshold and `hysteresis` inside it nothing changes: what rings goes on, what does not waits
anew. A gap in the values begins the duration anew, since nobody knows what was in it.
"""

from __future__ import annotations

import math
from collections import deque

from core.site_records import AlarmRule, RuleKind

RINGS, OVER, NOTHING = 1, -1, 0

MINUTE_S = 60.0

SHORTEST_GAP_S = 15.0
GAP_PERIODS = 3.0

WIRED_V = 50.0
"""A phase that never had as many volts is not wired: a meter of three phases on one of them says 0 V for the others."""

_PHASES = frozenset({"voltage_l1_v", "voltage_l2_v", "voltage_l3_v"})

_MOST_RATE_SAMPLES = 240


class Condition:
    """One rule over one series; `is_ringing` from the moment that it has lasted until it is over.

    `value` is the last one looked at, for a rate the change a minute; `since_s` when the condition began.
    """

    __slots__ = ("_calm_high", "_calm_low", "_floor", "_is_rate", "_past", "duration_s", "high", "is_ringing", "low",
                 "since_s", "value")  # fmt: skip

    def __init__(self, rule: AlarmRule, quantity: str | None = None) -> None:
        low, high = limits(rule)
        self.high, self.low = high, low
        # how long nothing came is itself the value of a rule of silence
        self.duration_s = 0.0 if rule.kind is RuleKind.SILENT else rule.duration_s
        self.is_ringing = False
        self.since_s: float | None = None
        self.value: float | None = None
        inside = max(0.0, rule.hysteresis) if math.isfinite(rule.hysteresis) else 0.0
        self._calm_high = high - inside
        self._calm_low = low + inside
        if self._calm_low > self._calm_high:  # a hysteresis wider than the band would never let it be over
            self._calm_low = self._calm_high = (low + high) / 2
        self._is_rate = rule.kind is RuleKind.RATE
        self._past: deque[tuple[float, float]] = deque(maxlen=_MOST_RATE_SAMPLES)
        is_phase = rule.kind in (RuleKind.OUTSIDE, RuleKind.BELOW) and quantity in _PHASES
        self._floor = WIRED_V if is_phase else -math.inf

    def step(self, time_s: float, value: float) -> int:
        """RINGS, OVER or NOTHING, now that the series has `value`; what is no number says nothing."""
        if self._is_rate:
            rate = self._rate(time_s, value)
            if rate is None:
                return NOTHING
            value = rate
        if self.low <= value <= self.high:
            if self.is_ringing:
                if self._calm_low <= value <= self._calm_high:
                    self.value, self.since_s, self.is_ringing = value, None, False
                    return OVER
            else:
                self.since_s = None
                self._floor = -math.inf
            return NOTHING
        if value != value or value < self._floor:
            return NOTHING
        self._floor = -math.inf
        self.value = value
        if self.since_s is None or time_s < self.since_s:  # the clock was set back
            self.since_s = time_s
        if not self.is_ringing and time_s - self.since_s >= self.duration_s:
            self.is_ringing = True
            return RINGS
        return NOTHING

    def interrupt(self) -> None:
        """Nothing is known of a while: what has not rung yet begins anew, what rings goes on."""
        if not self.is_ringing:
            self.since_s = None
        self._past.clear()

    def shift(self, seconds: float) -> None:
        """The clock was set, or this program did not run, for so long: what has lasted has lasted no longer."""
        if self.since_s is not None:
            self.since_s += seconds
        self._past.clear()

    def take_over(self, other: Condition) -> None:
        """Go on where `other` stands, which is of the same rule before it was changed."""
        self.is_ringing, self.since_s, self.value = other.is_ringing, other.since_s, other.value
        self._floor = other._floor if self._floor > -math.inf else self._floor

    @property
    def threshold(self) -> float | None:
        """The limit that `value` is beyond, or would be nearest to."""
        low, high, value = self.low, self.high, self.value
        if math.isinf(low):
            return None if math.isinf(high) else high
        if math.isinf(high) or value is None:
            return low
        return low if abs(value - low) < abs(value - high) else high

    def beyond(self, value: float) -> float:
        """How far a value is outside of the limits; negative where it is within."""
        return max(self.low - value, value - self.high)

    def _rate(self, time_s: float, value: float) -> float | None:
        """Change a minute since the newest value that is a minute old or more; None while there is none."""
        past = self._past
        if past and time_s <= past[-1][0]:
            past.clear()
        if not math.isfinite(value):
            return None
        while len(past) > 1 and past[1][0] <= time_s - MINUTE_S:
            past.popleft()
        rate = None
        if past and past[0][0] <= time_s - MINUTE_S:
            rate = (value - past[0][1]) / (time_s - past[0][0]) * MINUTE_S
        # A fast series is thinned, so that a minute always fits.
        if not past or time_s - past[-1][0] >= MINUTE_S / (_MOST_RATE_SAMPLES - 2):
            past.append((time_s, value))
        return rate


class Pace:
    """How often a series usually comes, and whether it did not for a while."""

    __slots__ = ("last_s", "period_s")

    def __init__(self) -> None:
        self.last_s: float | None = None
        self.period_s: float | None = None

    def is_gap(self, time_s: float) -> bool:
        """True where `time_s`, when the next value came, is far later than usual."""
        last_s, self.last_s = self.last_s, time_s
        if last_s is None:
            return False
        distance_s = time_s - last_s
        period_s = self.period_s
        if period_s is not None and distance_s > SHORTEST_GAP_S and distance_s > GAP_PERIODS * period_s:
            # one that comes more seldom from now on is told from one that was away by what follows
            self.period_s = max(GAP_PERIODS * period_s, SHORTEST_GAP_S / GAP_PERIODS)
            return True
        if distance_s > 0:
            self.period_s = distance_s
        return False


def limits(rule: AlarmRule) -> tuple[float, float]:
    """Least and greatest value that a rule lets pass, infinite where it has none.

    A fall may be written with or without its sign: `low = 5` and `low = -5` are the same rate.
    """
    low = -math.inf if rule.low is None or not math.isfinite(rule.low) else rule.low
    high = math.inf if rule.high is None or not math.isfinite(rule.high) else rule.high
    if rule.kind is RuleKind.ABOVE:
        return -math.inf, high
    if rule.kind is RuleKind.BELOW:
        return low, math.inf
    if rule.kind is RuleKind.RATE:
        return -abs(low), high
    if rule.kind is RuleKind.SILENT:
        return -math.inf, rule.duration_s
    if rule.kind is RuleKind.OFFLINE:
        return -math.inf, 0.5
    return low, high
