"""The desk of the History page: answers its questions out of the history, opens what a mark is about."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from PyQt5.QtCore import QObject

from core.errors import StoreError
from core.records import CommandResult, CommandRunSummary, HistoryMark, SeriesInfo, SeriesPoints
from core.series import SeriesBook
from gui.dialogs.history_span import AxisDialog, SpanDialog
from gui.main_window import MainWindow
from gui.models.history_words import shown_of, split_series
from gui.pages.history import HistoryPage
from gui.plain_text import one_line
from gui.runtime.services import Services
from gui.wiring.history_beside import read_beside
from gui.wiring.history_files import HistoryFilesDesk

if TYPE_CHECKING:
    from core.store.history import History

_SERIES_AGAIN_S = 120.0
_MOST_MARKS = 500
_MOST_RUNS = 1_000
_SAME_MOMENT_S = 0.001
_MOST_MOVED = 30

log = logging.getLogger("beffroi.gui")


class HistoryDesk(QObject):
    """Serves one History page at a time; what the history is asked is read in the thread that holds it."""

    def __init__(self, services: Services, book: SeriesBook, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._book = book
        self._window: MainWindow | None = None
        self._page: HistoryPage | None = None
        self._infos: list[SeriesInfo] = []
        self._listed_s = 0.0
        self._is_ready = False
        self.files = HistoryFilesDesk(services, self.names, self.infos, self)
        services.history_ready.connect(self._on_history_ready)

    def attach(self, window: MainWindow, page: HistoryPage) -> None:
        """Serve this window and its page."""
        self._window, self._page = window, page
        page.set_live(self._book)
        page.series_wanted.connect(self._on_series_wanted)
        page.points_wanted.connect(self._on_points_wanted)
        page.overview_wanted.connect(self._on_overview_wanted)
        page.marks_wanted.connect(self._on_marks_wanted)
        page.between_wanted.connect(self._on_between_wanted)
        page.energies_wanted.connect(self._on_energies_wanted)
        page.moved_wanted.connect(self._on_moved_wanted)
        page.span_wanted.connect(self.open_span)
        page.axis_wanted.connect(self.open_axis)
        page.mark_opened.connect(self.open_mark)
        page.told.connect(self._tell)
        self.files.attach(window, page)
        if self._infos:
            page.apply_series(self._infos, self.names())
        else:
            self._ask_series()

    def apply_config(self) -> None:
        """The settings may have changed: names of sensors, saved views."""
        self.files.apply_config()
        if self._page is not None:
            self._page.apply_series(self._infos, self.names())

    def names(self) -> dict[str, str]:
        """What people call sources."""
        return {f"sensor/{one.id}": one.name for one in self._services.config.sensor_list if one.name}

    def infos(self) -> list[SeriesInfo]:
        """All series, as they were last listed."""
        return self._infos

    def open_span(self) -> SpanDialog | None:
        """The time from – to."""
        page = self._page
        if page is None:
            return None
        dialog = SpanDialog(*page.range.span(), self._window)
        dialog.chosen.connect(page.range.show_span)
        dialog.open()
        return dialog

    def open_axis(self) -> AxisDialog | None:
        """The ends of an axis."""
        page = self._page
        if page is None or page.plot is None or not page.chosen.visible():
            return None
        fixed = page.fixed_axes()
        frame = page.plot.frame(*page.range.span())
        units = list(dict.fromkeys(row.unit for row in page.chosen.visible()))
        axes = []
        for place, unit in enumerate(units):
            row = next(row for row in page.chosen.visible() if row.unit == unit)
            axes.append((unit, page.chosen.shown(row) or shown_of(unit, 0.0), *frame.span_of(place), unit in fixed))
        dialog = AxisDialog(axes, self._window)
        dialog.chosen.connect(page.set_axis)
        dialog.open()
        return dialog

    def open_mark(self, mark: HistoryMark) -> None:
        """The page where it is told in full."""
        window = self._window
        if window is None:
            return
        kind, name = mark.source.partition("/")[::2]
        if mark.kind == "alarm":
            self._open_alarm(mark)
            return
        if mark.kind == "command":
            self._open_command(mark)
            return
        if mark.kind == "event" and kind == "machine" and window.model.row(name) is not None:
            window.show_machine(name)
        elif mark.kind == "event" and window.model.row(mark.source) is not None:
            window.show_machine(mark.source)
        else:
            other = "energy" if kind == "meter" else "overview"
            window.show_page("room" if mark.kind == "chat" else other)

    def _open_command(self, mark: HistoryMark) -> None:
        """The answers of the run that the mark is of."""
        window = self._window
        if window is None:
            return
        window.show_page("commands")

        def read(history: History) -> tuple[CommandRunSummary, list[CommandResult]] | None:
            runs = history.command_runs(_MOST_RUNS, mark.source)
            run = next((run for run in runs if abs(run.time_s - mark.time_s) < _SAME_MOMENT_S), None)
            return None if run is None else (run, history.command_results(run.id))

        def done(found: tuple[CommandRunSummary, list[CommandResult]] | None) -> None:
            page = window.page("commands")
            if found is not None and page is not None and hasattr(page, "show_saved"):
                page.show_saved(*found)

        self._services.query(read, done, self._on_failed)

    def _open_alarm(self, mark: HistoryMark) -> None:
        """The list of alarms, and the one that the mark is of."""
        window = self._window
        if window is None:
            return
        window.show_page("alarms")

        def read(history: History) -> int:
            found = history.alarms(search=mark.source, limit=_MOST_MARKS)
            return next((one.id for one in found if (one.source, one.since_s) == (mark.source, mark.time_s)), 0)

        def done(number: int) -> None:
            page = window.page("alarms")
            if number and page is not None and hasattr(page, "show_alarm"):
                page.show_alarm(number)

        self._services.query(read, done, self._on_failed)

    # Answers

    def _on_history_ready(self) -> None:
        """What was asked before was asked in vain."""
        self._is_ready = True
        self._ask_series()
        if self._page is not None:
            self._page.ask_again()

    def _on_series_wanted(self) -> None:
        """Asked when the page is opened and every few seconds while it is shown: the list is read more seldom."""
        if time.monotonic() - self._listed_s > _SERIES_AGAIN_S or not self._infos:
            self._ask_series()
        rows = [row for row in self._window.model.rows() if row.cpu_percent is not None] if self._window else []
        busiest = max(rows, key=lambda row: row.cpu_percent or 0.0, default=None)
        if busiest is not None:
            self._tell_page(lambda page: page.set_busiest(busiest.name))

    def _ask_series(self) -> None:
        if not self._is_ready:
            return
        self._listed_s = time.monotonic()

        def done(infos: list[SeriesInfo]) -> None:
            self._infos = infos
            if self._page is not None:
                self._page.apply_series(infos, self.names())

        # the list of 2,000 machines takes a fifth of a second: nobody who writes waits for it
        self._services.run(read_beside(self._services, lambda history: history.series()), done, self._on_failed)

    def _on_points_wanted(
        self, request_id: int, names: Sequence[str], start_s: float, end_s: float, max_points: int
    ) -> None:
        def read(history: History) -> tuple[list[SeriesPoints], list[str]]:
            found = _points(history, names, start_s, end_s, max_points)
            return found, list(_simulated(history, names, start_s, end_s))

        def failed(error: BaseException) -> None:
            self._on_failed(error)
            self._tell_page(lambda page: page.apply_error(request_id, one_line(str(error))))

        self._services.query(
            read, lambda found: self._tell_page(lambda page: page.apply_points(request_id, *found)), failed
        )

    def _on_overview_wanted(
        self, request_id: int, names: Sequence[str], start_s: float, end_s: float, max_points: int
    ) -> None:
        self._services.query(
            lambda history: _points(history, names, start_s, end_s, max_points),
            lambda found: self._tell_page(lambda page: page.apply_overview(request_id, found)),
            self._on_failed,
        )

    def _on_between_wanted(
        self, request_id: int, names: Sequence[str], start_s: float, end_s: float, max_points: int
    ) -> None:
        # a little more at both ends, so that there are points on both sides of A and of B
        around_s = max(120.0, 4 * (end_s - start_s) / max_points)
        self._services.query(
            lambda history: _points(history, names, start_s - around_s, end_s + around_s, max_points),
            lambda found: self._tell_page(lambda page: page.apply_between(request_id, found)),
            self._on_failed,
        )

    def _on_marks_wanted(self, request_id: int, start_s: float, end_s: float) -> None:
        self._services.query(
            lambda history: history.marks(start_s, end_s, _MOST_MARKS),
            lambda found: self._tell_page(lambda page: page.apply_marks(request_id, found)),
            self._on_failed,
        )

    def _on_energies_wanted(self, request_id: int, names: Sequence[str], start_s: float, end_s: float) -> None:
        def read(history: History) -> dict[str, float | None]:
            found: dict[str, float | None] = {}
            for kind, owner, quantity in map(split_series, names):
                try:
                    if kind == "meter":
                        found[f"{kind}/{owner}/{quantity}"] = history.energy(owner, [start_s, end_s], quantity)[0]
                except StoreError as error:
                    log.info("%s is no counter: %s", quantity, error)
            return found

        self._services.query(
            read, lambda found: self._tell_page(lambda page: page.apply_energies(request_id, found)), self._on_failed
        )

    def _on_moved_wanted(self, request_id: int, at_s: float, before_s: float, after_s: float) -> None:
        def failed(error: BaseException) -> None:
            self._tell_page(lambda page: page.apply_moved(request_id, [], one_line(str(error))))

        self._services.query(
            lambda history: history.moved(at_s, before_s, after_s, _MOST_MOVED),
            lambda found: self._tell_page(lambda page: page.apply_moved(request_id, found)),
            failed,
        )

    def _tell_page(self, tell: Callable[[HistoryPage], None]) -> None:
        """To the page of now: it drops what another one had asked for."""
        if self._page is not None:
            tell(self._page)

    def _tell(self, text: str) -> None:
        if self._window is not None:
            self._window.status_line.showMessage(text, 8000)

    @staticmethod
    def _on_failed(error: BaseException) -> None:
        log.warning("the history was not read: %s", error)


def _points(
    history: History, names: Sequence[str], start_s: float, end_s: float, max_points: int
) -> list[SeriesPoints]:
    """All at once; where one of them is no series any more, one by one without it."""
    try:
        return history.points_of(names, start_s, end_s, max_points)
    except StoreError:
        if len(names) < 2:
            raise
    found = []
    for name in names:
        try:
            found += history.points_of([name], start_s, end_s, max_points)
        except StoreError as error:
            log.info("%s is left out: %s", name, error)
    return found


def _simulated(history: History, names: Sequence[str], start_s: float, end_s: float) -> Iterable[str]:
    """Series of which some values of the span were not measured."""
    known: dict[str, bool] = {}
    for name in names:
        kind, owner, quantity = split_series(name)
        key = f"{kind}/{owner}" if kind == "meter" else name
        if key not in known:
            known[key] = (kind == "meter" and history.is_simulated(owner, start_s, end_s)) or (
                kind == "sensor" and history.is_sensor_simulated(f"{owner}/{quantity}", start_s)
            )
        if known[key]:
            yield name
