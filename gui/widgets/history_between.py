"""What a series did from cursor A to cursor B, whatever part of it is on screen.

Until the history has answered it is told from the points that are drawn, where they reach from A to B.
Imported after the first paint: it needs numpy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.records import SeriesPoints
from gui.models.history_chosen import Chosen
from gui.models.shown_span import next_request_id
from gui.widgets.history_data import HistoryData, Span


class BetweenFigures:
    """The answers to one question about A and B; `drawn` are the points on screen."""

    def __init__(self, drawn: HistoryData) -> None:
        self._drawn = drawn
        self._points = HistoryData()
        self._energies: dict[str, float] = {}
        self._asked: tuple[int, Span] | None = None

    def ask(self, start_s: float, end_s: float) -> int:
        """Another question: the number that its answers carry."""
        self._asked = (next_request_id(), (start_s, end_s))
        self._points, self._energies = HistoryData(), {}
        return self._asked[0]

    def apply_energies(self, request_id: int, found: Mapping[str, float | None]) -> bool:
        """What registers counted; False for an answer that comes late."""
        if self._asked is None or request_id != self._asked[0]:
            return False
        self._energies = {name: value for name, value in found.items() if value is not None}
        return True

    def apply_points(self, request_id: int, found: Sequence[SeriesPoints]) -> bool:
        """Points from A to B; False for an answer that comes late."""
        if self._asked is None or request_id != self._asked[0]:
            return False
        self._points.apply(found)
        return True

    def value_at(self, name: str, time_s: float) -> float | None:
        """The value at a cursor."""
        drawn = self._drawn.value_at(name, time_s)
        return self._points.value_at(name, time_s) if drawn is None else drawn

    def figure(self, row: Chosen, span: Span, held: Span) -> float | None:
        """Unit × hours under a power, what a register counted, the mean of all others; None where it is not known."""
        is_answered = self._asked is not None and self._asked[1] == span
        if row.is_register:
            if is_answered and row.name in self._energies:
                return self._energies[row.name]
            return self._drawn.rise(row.name, *span) if _reaches(held, span) else None
        if is_answered and self._points.last_s(row.name) is not None:
            data = self._points
        elif _reaches(held, span):
            data = self._drawn
        else:
            return None
        if row.is_power:
            return data.area(row.name, *span)
        figures = data.figures(row.name, *span)
        return figures[1] if figures else None


def _reaches(held: Span, span: Span) -> bool:
    return held[0] <= span[0] and span[1] <= held[1] + 1.0
