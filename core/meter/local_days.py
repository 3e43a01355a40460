"""Days, hours and months of the clock on the wall, in epoch seconds: right over both changes of daylight time.

A day may have 23 or 25 hours; an hour that comes twice is two hours. Source of the rules: the time zone database
(zoneinfo), or this computer's own zone where none is named.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

DAY_S = 86_400.0


class LocalDays:
    """The local time of `zone`, such as `Europe/Paris`; None is the zone of this computer."""

    def __init__(self, zone: str | None = None) -> None:
        self._zone = None if zone is None else ZoneInfo(zone)

    def wall(self, time_s: float) -> datetime:
        """What the clock on the wall says, without a zone; `fold` 1 in the second run of an hour that comes twice."""
        return datetime.fromtimestamp(time_s, self._zone).replace(tzinfo=None)

    def day_of(self, time_s: float) -> date:
        """The local day of a moment."""
        return self.wall(time_s).date()

    def instant(self, wall: datetime) -> float:
        """When the clock on the wall says that; in the hour that is skipped, the moment that takes its place."""
        return wall.replace(tzinfo=self._zone).timestamp()

    def day_start(self, day: date) -> float:
        """The first moment of a local day."""
        return self.instant(datetime(day.year, day.month, day.day))

    def hour_start(self, time_s: float) -> float:
        """The beginning of the hour that a moment is in."""
        wall = self.wall(time_s)
        start_s = time_s - wall.minute * 60 - wall.second - wall.microsecond / 1e6
        return float(round(start_s))

    def at_wall(self, day: date, wall: datetime) -> float:
        """The moment of `day` when the clock says what it says in `wall`, but not after the end of that day."""
        found = datetime(day.year, day.month, day.day, wall.hour, wall.minute, wall.second, fold=wall.fold)
        return min(self.instant(found), self.day_start(day + timedelta(days=1)))

    def minutes(self, day: date, edges: tuple[int, ...]) -> list[float]:
        """All moments of a day when the clock stands at one of `edges` (minutes), or is set; ends of the day too."""
        start_s, end_s = self.day_start(day), self.day_start(day + timedelta(days=1))
        if end_s - start_s == DAY_S:
            return [start_s + 60.0 * minute for minute in edges]
        midnight = datetime(day.year, day.month, day.day)
        found = {start_s, end_s, self._change(start_s, end_s)}
        for minute in edges:
            if minute < 1440:
                wall = midnight + timedelta(minutes=minute)
                found.update(self.instant(wall.replace(fold=fold)) for fold in (0, 1))
        return sorted(time_s for time_s in found if start_s <= time_s <= end_s)

    def _change(self, start_s: float, end_s: float) -> float:
        """When the clock is set between two moments, to the second."""
        before = self._offset(start_s)
        low, high = int(start_s), int(end_s)
        while high - low > 1:
            middle = (low + high) // 2
            if self._offset(middle) == before:
                low = middle
            else:
                high = middle
        return float(high)

    def _offset(self, time_s: float) -> float:
        return (self.wall(time_s) - datetime(1970, 1, 1)).total_seconds() - time_s


@lru_cache(maxsize=16)
def local_days(zone: str | None) -> LocalDays:
    """The same, made once for each zone."""
    return LocalDays(zone)


def months_later(day: date, months: int) -> date:
    """The first day of the month so many months after that of `day`; before it where negative."""
    number = day.year * 12 + day.month - 1 + months
    return date(number // 12, number % 12 + 1, 1)
