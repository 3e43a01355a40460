"""The saved views of the History page as records."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

ViewName = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f]+$")]
SeriesText = Annotated[str, Meta(min_length=1, max_length=512)]
Moment = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")]


class ViewAxis(Struct, frozen=True, kw_only=True):
    """An axis that stands still: its unit, and its ends in that unit."""

    unit: Annotated[str, Meta(max_length=32)]
    low: float
    high: float


class ViewConfig(Struct, frozen=True, kw_only=True):
    """One `[[view]]` of the History page: which series, over which time, on which axes.

    `range` ends now; with `start` and `end` (UTC, ISO 8601) the view stands still there instead. `hidden` are series
    whose curves are left out; axes that are not named follow their curves.
    """

    name: ViewName
    series: Annotated[tuple[SeriesText, ...], Meta(max_length=64)] = ()
    range: Literal["hour", "day", "week", "month", "year", "all"] = "day"
    start: Moment | None = None
    end: Moment | None = None
    hidden: Annotated[tuple[SeriesText, ...], Meta(max_length=64)] = ()
    axes: Annotated[tuple[ViewAxis, ...], Meta(max_length=16)] = ()

    def span_s(self) -> tuple[float, float] | None:
        """Start and end as epoch seconds; None where the view ends now. Raises ValueError where one is no date."""
        if self.start is None or self.end is None:
            return None
        return datetime.fromisoformat(self.start).timestamp(), datetime.fromisoformat(self.end).timestamp()


def moment_text(time_s: float) -> str:
    """A time as `start` and `end` have it."""
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
