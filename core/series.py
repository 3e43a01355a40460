"""The curves of the window in memory: a track for each meter, machine or sensor, found by the names of its series.

A book belongs to one thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from core.records import Measurement, Status
from core.track import DAY_POINTS, GAP_PERIODS, SHORTEST_GAP_S, Floats, Span, Track, nothing

HOUR_POINTS = 4_096
HOUR_S = 3_700.0
"""A little more than an hour, and its points at one a second."""

MEASUREMENT_FIELDS = tuple(name for name in Measurement.__struct_fields__ if name != "quality")
STATUS_FIELDS = (
    "cpu_percent",
    "memory_percent",
    "memory_used_bytes",
    "swap_used_bytes",
    "network_received_bytes_per_s",
    "network_sent_bytes_per_s",
    "disk_read_bytes_per_s",
    "disk_written_bytes_per_s",
    "process_count",
    "disk_percent",
)
"""Series of a machine."""


def status_values(status: Status) -> dict[str, float | None]:
    """What a status says under each name of `STATUS_FIELDS`."""
    memory, network, disk_io = status.memory, status.network, status.disk_io
    values = (
        status.cpu.percent if status.cpu else None,
        memory.percent if memory else None,
        memory.used_bytes if memory else None,
        status.swap.used_bytes if status.swap else None,
        network.received_bytes_per_s if network else None,
        network.sent_bytes_per_s if network else None,
        disk_io.read_bytes_per_s if disk_io else None,
        disk_io.written_bytes_per_s if disk_io else None,
        status.process_count,
        status.fullest_disk_percent,
    )
    return dict(zip(STATUS_FIELDS, values, strict=True))


class SeriesBook:
    """All live series by name, such as `meter/E450/voltage_l1_v` or `machine/m1/cpu_percent`.

    A meter keeps a day at one point a second, a machine an hour (in single precision: there may be 2,000 of them).
    """

    def __init__(self, *, limit: int = DAY_POINTS, machine_limit: int = HOUR_POINTS) -> None:
        self._limit = limit
        self._machine_limit = machine_limit
        self._tracks: dict[str, Track] = {}
        self._revisions: dict[str, int] = {}
        self._alone: set[str] = set()

    def append(self, name: str, time_s: float, value: float, *, period_s: float | None = None) -> None:
        """Add one point to one series; `period_s` where the source says how often it sends."""
        self._alone.add(name)
        self._add(name, time_s, {_split(name)[1]: value}, period_s)

    def append_measurement(
        self, meter: str, time_s: float, measurement: Measurement, *, period_s: float | None = None
    ) -> None:
        """Add what a meter says at one moment; what it does not say stays absent."""
        values = {
            field: float(value) for field in MEASUREMENT_FIELDS if (value := getattr(measurement, field)) is not None
        }
        if values:
            self._add(f"meter/{meter}", time_s, values, period_s)

    def fill(self, meter: str, rows: Sequence[tuple[float, Measurement]], period_s: float) -> None:
        """Put rows of a load profile where the curves of a meter have no point in the period before each."""
        owner = f"meter/{meter}"
        track = self._tracks.get(owner)
        if track is None:
            return
        free = [
            (time_s, row) for time_s, row in sorted(rows, key=itemgetter(0)) if track.is_free(time_s - period_s, time_s)
        ]
        values = np.array(
            [
                [np.nan if (value := getattr(row, name, None)) is None else value for _, row in free]
                for name in track.columns
            ],
            np.float64,
        ).reshape(len(track.columns), len(free))
        track.insert(np.array([time_s for time_s, _ in free], np.float64), values, period_s)
        self._revisions[owner] = self._revisions.get(owner, 0) + 1

    def append_status(self, machine: str, time_s: float, status: Status, *, period_s: float | None = None) -> None:
        """Add what a machine says at one moment, under the names of `STATUS_FIELDS`."""
        owner = f"machine/{machine}"
        if owner not in self._tracks:
            self._tracks[owner] = Track(STATUS_FIELDS, limit=self._machine_limit, span_s=HOUR_S, dtype=np.float32)
        self._add(owner, time_s, status_values(status), period_s)

    def extend(self, names: Sequence[str], time_s: Floats, values: NDArray[np.floating]) -> None:
        """Add many points at once to series of one owner, shapes (n,) and (len(names), n)."""
        owners = {_split(name)[0] for name in names}
        if len(owners) != 1:
            raise ValueError(f"series of one owner are wanted, not of {sorted(owners)}")
        owner = owners.pop()
        columns = [_split(name)[1] for name in names]
        track = self._tracks.setdefault(owner, Track(columns, limit=self._limit))
        if list(track.columns) != columns:
            raise ValueError(f"{owner} has the columns {track.columns}, not {columns}")
        track.extend(time_s, values)
        self._revisions[owner] = self._revisions.get(owner, 0) + 1

    def view(self, name: str, start_s: float, end_s: float, columns: int) -> tuple[Floats, Floats, Floats]:
        """(time, minimum, maximum), shapes (n,), of a series in about `columns` entries; a NaN in every gap."""
        found = self._find(name)
        return found[0].view(found[1], start_s, end_s, columns) if found else nothing()

    def gaps(self, name: str, start_s: float, end_s: float) -> list[Span]:
        """(last point before, first point after) of each silence in the span."""
        found = self._find(name)
        return found[0].gaps(start_s, end_s) if found else []

    def at(self, name: str, time_s: float) -> tuple[float, float] | None:
        """(time_s, value) nearest to `time_s`; None in a gap and beyond the ends."""
        found = self._find(name)
        return found[0].at(found[1], time_s) if found else None

    def last(self, name: str) -> tuple[float, float] | None:
        """(time_s, value) of the newest point of a series."""
        found = self._find(name)
        return found[0].last(found[1]) if found else None

    def has_value(self, name: str) -> bool:
        """True where the series has had any value."""
        found = self._find(name)
        return found is not None and found[0].has_value(found[1])

    def first_s(self, name: str) -> float | None:
        """Time of the oldest point held of a series (of its owner, where several share their times)."""
        found = self._find(name)
        return found[0].first_s if found else None

    def last_s(self, name: str) -> float | None:
        """Time of the newest point of a series' owner."""
        found = self._find(name)
        return found[0].last_s if found else None

    def period_s(self, name: str) -> float | None:
        """Usual distance of two points of a series."""
        found = self._find(name)
        return found[0].period_s if found else None

    def is_stale(self, name: str, now_s: float) -> bool:
        """True when more than three periods have passed since the newest point, or there is none."""
        found = self._find(name)
        if found is None or found[0].last_s is None:
            return True
        return now_s - found[0].last_s > max(SHORTEST_GAP_S, GAP_PERIODS * (found[0].period_s or 10.0))

    def revision(self, name: str) -> int:
        """A number that changes whenever the series does: nothing new, nothing to draw."""
        owner = _split(name)[0]
        return self._revisions.get(name, 0) + self._revisions.get(owner, 0)

    def names(self) -> list[str]:
        """All series that have had a point, sorted."""
        return sorted(
            owner if owner in self._alone else f"{owner}/{column}"
            for owner, track in self._tracks.items()
            for column in track.columns
        )

    def forget(self, owner: str) -> None:
        """Drop all series of `machine/NAME` or `meter/NAME`."""
        for key in [key for key in self._tracks if key == owner or key.startswith(f"{owner}/")]:
            del self._tracks[key]
            self._revisions[key] = self._revisions.get(key, 0) + 1

    def _add(self, owner: str, time_s: float, values: Mapping[str, float | None], period_s: float | None) -> None:
        track = self._tracks.get(owner)
        if track is None:
            track = self._tracks[owner] = Track(tuple(values), limit=self._limit)
        track.append(time_s, values, period_s)
        self._revisions[owner] = self._revisions.get(owner, 0) + 1

    def _find(self, name: str) -> tuple[Track, str] | None:
        owner, column = _split(name)
        for key in (name, owner):
            track = self._tracks.get(key)
            if track is not None and column in track.columns:
                return track, column
        return None


def _split(name: str) -> tuple[str, str]:
    owner, _, column = name.rpartition("/")
    return owner, column
