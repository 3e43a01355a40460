"""Makes the frame of the History plot: an axis for each unit, a stroke for each series, gaps, filled spans.

Imported after the first paint: it needs numpy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from core.language import _
from gui import numbers
from gui.models.history_chosen import Chosen, ChosenModel
from gui.models.history_words import Shown, shown_of
from gui.widgets.history_data import Columns, HistoryData, silent_together
from gui.widgets.time_axis import nice_range, nice_step
from gui.widgets.time_plot_drawing import AxisSpan, Band, Frame, Gap, Stroke

_DOT_APART_PX = 9
_FLAT = 6.0
_FINE_STEPS = 10
_LEAST_BAND = 0.006
_SAME_GAP = 0.008
"""What is silent over nearly the same time is silent together: a meter, whatever it says."""
_MOST_BANDS = 12
_NO_FLOOR = {"V", "Hz", "°C", "°F", "hPa", "Wh", "varh", "d", ""}
"""Units whose axes need not begin at zero."""


class FrameMaker:
    """Frames of a `ChosenModel` from `HistoryData`; an axis keeps still while its curves move a little.

    `fixed` are the axes that somebody has given their ends, by unit, in the unit of the values.
    """

    def __init__(self, chosen: ChosenModel, data: HistoryData) -> None:
        self.fixed: dict[str, tuple[float, float]] = {}
        self._chosen = chosen
        self._data = data
        self._bounds: dict[str, tuple[float, float, float]] = {}

    def frame(self, start_s: float, end_s: float, columns: int, now_s: float) -> Frame:
        """All that is shown of a span."""
        rows = self._chosen.visible()
        found = {
            row.name: _within(self._data.columns(row.name, start_s, end_s, columns), start_s, end_s) for row in rows
        }
        units = list(dict.fromkeys(row.unit for row in rows))
        spans, shown = [], {}
        for unit in units:
            members = [row for row in rows if row.unit == unit]
            shown[unit], span = self._axis(unit, members, [found[row.name] for row in members])
            spans.append(span)
        self._chosen.set_shown(shown)
        first = spans[0] if spans else AxisSpan(0.0, 1.0, "", has_ticks=False)
        return Frame(
            start_s=start_s,
            end_s=end_s,
            low=first.low,
            high=first.high,
            unit=first.unit,
            role=first.role,
            has_ticks=first.has_ticks,
            more=spans[1:],
            strokes=[
                _stroke(
                    row, found[row.name], shown[row.unit].divisor, units.index(row.unit), columns / (end_s - start_s)
                )
                for row in rows
            ],
            gaps=self._gaps(rows, start_s, end_s, now_s),
            bands=self._bands(rows, start_s, end_s) + self._alone(rows, start_s, end_s, now_s),
        )

    def _axis(self, unit: str, rows: Sequence[Chosen], found: Sequence[Columns]) -> tuple[Shown, AxisSpan]:
        """How an axis is shown, and what it spans: a little more than its curves, still while they move a little."""
        lows = [float(np.nanmin(one.low)) for one in found if np.isfinite(one.low).any()]
        highs = [float(np.nanmax(one.high)) for one in found if np.isfinite(one.high).any()]
        low, high = (min(lows), max(highs)) if lows else (0.0, 0.0)
        shown = shown_of(unit, max(abs(low), abs(high)))
        divisor = shown.divisor
        role = rows[0].role if len(rows) == 1 else "dim"
        fixed = self.fixed.get(unit)
        if fixed is not None:
            return shown, AxisSpan(fixed[0] / divisor, fixed[1] / divisor, shown.unit, role)
        if not lows:
            return shown, AxisSpan(0.0, 1.0, shown.unit, role, has_ticks=False)
        # An axis begins at zero unless that would press its curves flat.
        is_flat = low < 0 or high > _FLAT * (high - low)
        floor = None if unit in _NO_FLOOR or is_flat else 0.0
        bottom, top = nice_range(low / divisor, high / divisor, floor=floor, headroom=0.1)
        if unit == "%" and high <= 100 < top:
            top = 100.0
        held = self._bounds.get(unit)
        holds = held is not None and held[2] == divisor and held[0] <= bottom and held[1] >= top
        if held is not None and holds and held[1] - held[0] < 1.5 * (top - bottom):
            bottom, top = held[:2]
        self._bounds[unit] = (bottom, top, divisor)
        _step, digits = nice_step((high - low) / divisor / _FINE_STEPS)
        shown = shown._replace(digits=min(6, max(shown.digits, digits)) if high > low else shown.digits)
        return shown, AxisSpan(bottom, top, shown.unit, role)

    def _alone(self, rows: Sequence[Chosen], start_s: float, end_s: float, now_s: float) -> list[Band]:
        """Where one series is silent and others are not: in its colour; those of one silence are one band."""
        if len(rows) < 2:
            return []
        each = {row.name: self._data.gaps(row.name, start_s, end_s, now_s) for row in rows}
        common = silent_together(list(each.values()))
        near_s = _SAME_GAP * (end_s - start_s)
        alone: list[tuple[float, float, list[Chosen]]] = []
        for row in rows:
            for begin_s, until_s in each[row.name]:
                if (begin_s, until_s) in common or until_s - begin_s <= _LEAST_BAND * (end_s - start_s):
                    continue
                same = (one for one in alone if max(abs(one[0] - begin_s), abs(one[1] - until_s)) < near_s)
                found = next(same, None)
                if found is None:
                    alone.append((begin_s, until_s, [row]))
                else:
                    found[2].append(row)
        bands = [
            Band(begin_s, until_s, who[0].role if len(who) == 1 else "dim", _gap_words(begin_s, until_s, now_s))
            for begin_s, until_s, who in alone
        ]
        return sorted(bands, key=lambda band: band.end_s - band.start_s)[-_MOST_BANDS:]

    def _gaps(self, rows: Sequence[Chosen], start_s: float, end_s: float, now_s: float) -> list[Gap]:
        """Where all are silent, with words; a series that is silent alone shows it by its curve."""
        each = [self._data.gaps(row.name, start_s, end_s, now_s) for row in rows]
        return [
            Gap(begin_s, until_s, _gap_words(begin_s, until_s, now_s)) for begin_s, until_s in silent_together(each)
        ]

    def _bands(self, rows: Sequence[Chosen], start_s: float, end_s: float) -> list[Band]:
        spans = {span for row in rows for span in self._data.filled(row.name)}
        return [
            Band(begin_s, until_s, "accent", _("from the meter"), is_quiet=True)
            for begin_s, until_s in sorted(spans)
            if until_s > start_s and begin_s < end_s
        ]


def _within(found: Columns, start_s: float, end_s: float) -> Columns:
    """The points of a span, cut at its edges: a drawing has no frame that hides what lies beyond."""
    times = found.time_s
    if len(times) < 2:
        return found
    begin = max(0, int(np.searchsorted(times, start_s)) - 1)
    end = min(len(times), int(np.searchsorted(times, end_s, "right")) + 1)
    cut = Columns(*(column[begin:end].copy() for column in found))
    if len(cut.time_s) < 2:
        return cut
    for outer, inner, edge_s in ((0, 1, start_s), (-1, -2, end_s)):
        if (cut.time_s[outer] - edge_s) * (cut.time_s[inner] - edge_s) < 0:
            share = (edge_s - cut.time_s[outer]) / (cut.time_s[inner] - cut.time_s[outer])
            for column in (cut.low, cut.mean, cut.high):
                column[outer] += share * (column[inner] - column[outer])
            cut.time_s[outer] = edge_s
    return cut


def _stroke(row: Chosen, found: Columns, divisor: float, axis: int, pixels_a_second: float) -> Stroke:
    known = found.time_s[np.isfinite(found.mean)]
    apart_px = float(known[-1] - known[0]) * pixels_a_second / (len(known) - 1) if len(known) > 1 else math.inf
    return Stroke(
        role=row.role,
        is_filled=False,
        time_s=found.time_s,
        low=found.low / divisor,
        high=found.high / divisor,
        mean=found.mean / divisor,
        axis=axis,
        has_dots=apart_px >= _DOT_APART_PX,
    )


def _gap_words(start_s: float, end_s: float, now_s: float) -> str:
    if end_s >= now_s - 1:
        return _("no reading since {time}").format(time=numbers.clock(start_s))
    is_short = end_s - start_s < 120
    return _("no reading {start}–{end}").format(
        start=numbers.clock(start_s, with_seconds=is_short), end=numbers.clock(end_s, with_seconds=is_short)
    )
