"""What is usual for a meter: the means of the quarters of its last week, and the least power of its last nights.

Kept by quarters of an hour: some 700 numbers a meter, looked through once a quarter. Hours and nights are those of the
clock on the wall. What is not known is not guessed: nothing is usual before there were two days.
"""

from __future__ import annotations

from datetime import datetime, tzinfo
from statistics import fmean, median

from core.records import SeriesPoints

QUARTER_S = 900
DAY_QUARTERS = 96
WEEK_QUARTERS = 7 * DAY_QUARTERS

LEAST_DAYS = 2
LEAST_QUARTERS = 2 * 80
"""Two days, of which a little may be missing."""

NIGHT_HOURS = (2, 3, 4)
LEAST_NIGHT_QUARTERS = 6
LAST_NIGHTS = 3
BEFORE_NIGHTS = 14
LEAST_NIGHTS_BEFORE = 4
LEARNED_S = (LAST_NIGHTS + BEFORE_NIGHTS + 2) * 86_400.0
"""So much of the past is worth to be learned from the history."""

EXPORT_W = 10.0
DARK_HOURS = (22, 23, 0, 1, 2, 3)
"""No roof exports at these hours of the clock, but in a summer far north."""


class _Quarter:
    """Sum, number and least of the powers of one quarter; its local day and hour."""

    __slots__ = ("count", "day", "hour", "least", "total")

    def __init__(self, when: datetime) -> None:
        self.total, self.count, self.least = 0.0, 0, float("inf")
        self.day, self.hour = when.toordinal(), when.hour

    @property
    def mean(self) -> float:
        return self.total / self.count

    def add(self, mean_w: float, least_w: float) -> None:
        self.total += mean_w
        self.count += 1
        self.least = min(self.least, least_w)


class Baseline:
    """The past of one meter's signed power; `zone` None is the local time of this computer.

    `hour_mean_w` is the usual consumption at this hour of the day (without today's), `week_mean_w` that of all hours,
    an export counted as none; `lowest_w` the least quarter before the last day; None while too little is known.
    `has_exported` is true where power flowed out in the last week, `exported_before` where it did more than a day ago,
    `exported_in_the_dark` where it did so in a night before, at DARK_HOURS; `is_dark` is whether it is one of these.
    """

    def __init__(self, zone: tzinfo | None = None) -> None:
        self._zone = zone
        self._quarters: dict[int, _Quarter] = {}
        self._now: int | None = None
        self._first_live: int | None = None
        self.hour_mean_w: float | None = None
        self.week_mean_w: float | None = None
        self.lowest_w: float | None = None
        self.last_night_w: float | None = None
        self.last_nights_w: float | None = None
        self.nights_before_w: float | None = None
        self.has_exported = self.exported_before = self.exported_in_the_dark = False
        self.is_known = self.is_dark = False
        self._nights: dict[int, tuple[float, int]] = {}

    def learn(self, points: SeriesPoints) -> None:
        """Take the past from the history; what came meanwhile stays."""
        fresh: dict[int, _Quarter] = {}
        for time_s, least_w, mean_w in zip(points.time_s, points.minimum, points.mean, strict=True):
            number = int(time_s // QUARTER_S)
            if mean_w == mean_w and (self._first_live is None or number < self._first_live):
                quarter = fresh.get(number)
                if quarter is None:
                    quarter = fresh[number] = _Quarter(self._local(number))
                quarter.add(mean_w, least_w)
        for number in sorted(fresh):
            self._quarters[number] = fresh[number]
            self._count_night(fresh[number])
        if self._now is not None:
            self._look_back(self._now)

    def take(self, time_s: float, power_w: float) -> None:
        """Take what is measured now."""
        number = int(time_s // QUARTER_S)
        if number != self._now:
            before = None if self._now is None else self._quarters.get(self._now)
            if before is not None:
                self._count_night(before)
            if self._first_live is None or number < self._first_live:
                self._first_live = number
            self._now = number
            if number not in self._quarters:
                self._quarters[number] = _Quarter(self._local(number))
            self._look_back(number)
        self._quarters[number].add(power_w, power_w)

    def _look_back(self, now: int) -> None:
        """What is usual from now on; what is too old, or lies in a future that the clock was in, is forgotten."""
        for number in [one for one in self._quarters if one < now - WEEK_QUARTERS or one > now]:
            del self._quarters[number]
        here = self._quarters.get(now)
        when = self._local(now)
        today, hour = when.toordinal(), when.hour
        past = [(number, quarter) for number, quarter in self._quarters.items() if quarter is not here]
        older = [quarter for number, quarter in past if number < now - DAY_QUARTERS]
        same = [quarter for _number, quarter in past if quarter.hour == hour and quarter.day != today]
        self.is_known = len(past) >= LEAST_QUARTERS
        is_usual = self.is_known and len({quarter.day for quarter in same}) >= LEAST_DAYS
        self.hour_mean_w = fmean(max(0.0, quarter.mean) for quarter in same) if is_usual else None
        self.week_mean_w = fmean(max(0.0, quarter.mean) for _number, quarter in past) if self.is_known else None
        self.lowest_w = min(quarter.mean for quarter in older) if len(older) >= LEAST_QUARTERS else None
        self.has_exported = any(quarter.least < -EXPORT_W for _number, quarter in past)
        self.exported_before = any(quarter.least < -EXPORT_W for quarter in older)
        self.exported_in_the_dark = any(
            quarter.least < -EXPORT_W and quarter.hour in DARK_HOURS
            for number, quarter in past
            if number < now - DAY_QUARTERS // 2
        )
        self.is_dark = hour in DARK_HOURS
        self._look_at_nights(today if hour > NIGHT_HOURS[-1] else today - 1)

    def _count_night(self, quarter: _Quarter) -> None:
        if quarter.hour in NIGHT_HOURS and quarter.count:
            least, count = self._nights.get(quarter.day, (float("inf"), 0))
            self._nights[quarter.day] = (min(least, quarter.mean), count + 1)

    def _look_at_nights(self, last: int) -> None:
        """The least power of the last nights, that of `last` the newest; and what it was in those before."""
        oldest = last - LAST_NIGHTS - BEFORE_NIGHTS
        for day in [one for one in self._nights if one < oldest or one > last + 1]:
            del self._nights[day]
        known = {day: max(0.0, least) for day, (least, count) in self._nights.items() if count >= LEAST_NIGHT_QUARTERS}
        newest = [known[day] for day in range(last - LAST_NIGHTS + 1, last + 1) if day in known]
        before = [least for day, least in known.items() if day <= last - LAST_NIGHTS]
        self.last_night_w = known.get(last)
        self.last_nights_w = min(newest) if len(newest) == LAST_NIGHTS else None
        self.nights_before_w = median(before) if len(before) >= LEAST_NIGHTS_BEFORE else None

    def _local(self, number: int) -> datetime:
        return datetime.fromtimestamp(number * QUARTER_S, self._zone)
