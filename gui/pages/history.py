"""The History page: any series of any source on one time, an axis for each unit, two cursors, what happened then.

Curves need numpy and pyqtgraph; they are built when the first series is drawn on a page that was painted, or by
`build_board`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt5.QtCore import QByteArray, QSize, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PyQt5.QtWidgets import QSplitter, QVBoxLayout, QWidget

from core.alarms.texts import unit_of
from core.config.views import ViewAxis, ViewConfig, moment_text
from core.language import _, ngettext
from core.records import HistoryMark, Mover, SeriesInfo, SeriesPoints
from core.series import SeriesBook
from gui.models.history_chosen import MOST, ChosenModel
from gui.models.history_range import HistoryRange
from gui.models.history_state import KeptState, unpacked
from gui.models.history_words import split_series
from gui.models.shown_span import FREE
from gui.widgets.card import GAP
from gui.widgets.history_chooser import DropArea, SeriesChooser
from gui.widgets.history_header import HistoryHeader
from gui.widgets.history_start import HistoryStart

if TYPE_CHECKING:
    from gui.widgets.history_board import HistoryBoard
    from gui.widgets.history_plot import HistoryPlot

_NARROW_PX = 900
_AGAIN_MS = 5_000


class HistoryPage(QWidget):
    """Told by `apply…` and `set_…`; asks by signals, with ids where an answer may come late.

    `points_wanted(id, names, start_s, end_s, max_points)` is answered by `apply_points` or `apply_error`,
    `overview_wanted` (the same) by `apply_overview`, `marks_wanted(id, start_s, end_s)` by `apply_marks`,
    `energies_wanted(id, names, start_s, end_s)` by `apply_energies`, `between_wanted` (as `points_wanted`) by
    `apply_between`, `moved_wanted(id, at_s, before_s, after_s)` by `apply_moved`, `series_wanted` by `apply_series`.
    """

    series_wanted = pyqtSignal()
    points_wanted = pyqtSignal(int, object, float, float, int)
    overview_wanted = pyqtSignal(int, object, float, float, int)
    marks_wanted = pyqtSignal(int, float, float)
    energies_wanted = pyqtSignal(int, object, float, float)
    between_wanted = pyqtSignal(int, object, float, float, int)
    moved_wanted = pyqtSignal(int, float, float, float)
    span_wanted = pyqtSignal()
    axis_wanted = pyqtSignal()
    save_view_wanted = pyqtSignal()
    rename_view_wanted = pyqtSignal(str)
    remove_view_wanted = pyqtSignal(str)
    picture_wanted = pyqtSignal(str)
    data_wanted = pyqtSignal()
    mark_opened = pyqtSignal(object)
    told = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.range = HistoryRange(self)
        self.chosen = ChosenModel(self)
        self.plot: HistoryPlot | None = None
        self.board: HistoryBoard | None = None
        self._book: SeriesBook | None = None
        self._names: Mapping[str, str] = {}
        self._view = ""
        self._kept_axes: dict[str, tuple[float, float]] = {}
        self._kept_kinds: list[str] | None = None
        self._is_chooser_by_hand = False
        self.header = HistoryHeader(self.range)
        self.chooser = SeriesChooser()
        self._area = DropArea()
        self.start = HistoryStart()
        self._area.addWidget(self.start)
        self._splitter = QSplitter(Qt.Horizontal)
        self._splitter.setChildrenCollapsible(False)
        self._splitter.setHandleWidth(GAP)
        self._splitter.addWidget(self.chooser)
        self._splitter.addWidget(self._area)
        self._splitter.setStretchFactor(1, 1)
        self._splitter.setSizes([290, 880])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(GAP, GAP, GAP, GAP)
        layout.setSpacing(GAP)
        layout.addWidget(self.header)
        layout.addWidget(self._splitter, 1)
        self._clock = QTimer(self)
        self._clock.setInterval(_AGAIN_MS)
        self._clock.timeout.connect(self.series_wanted)
        self._connect()
        self._show_start()

    # What comes in

    def set_live(self, book: SeriesBook) -> None:
        """Take live points from `book`."""
        self._book = book
        if self.plot is not None:
            self.plot.set_book(book)

    def apply_series(self, infos: Sequence[SeriesInfo], names: Mapping[str, str]) -> None:
        """All series that have a value; `names` is what people call sources such as `sensor/capteur_1`."""
        self._names = dict(names)
        self.chooser.set_series(infos, names)
        self.chosen.set_names(self._names)
        self.chosen.set_units({info.name: info.unit for info in infos})
        if self.board is not None:
            self.board.lower.moved.set_names(self._names)
        self._show_first()
        self.start.set_series(infos)

    def set_busiest(self, machine: str) -> None:
        """The machine with most CPU now, for a suggestion."""
        self.start.set_busiest(machine)

    def apply_points(self, request_id: int, found: Sequence[SeriesPoints], simulated: Sequence[str] = ()) -> None:
        """Answer to `points_wanted`; `simulated` are those of which some values were not measured."""
        if self.plot is not None:
            self.plot.apply_points(request_id, found)
            self.chosen.set_simulated(simulated)

    def apply_error(self, request_id: int, text: str) -> None:
        """`points_wanted` found a history that cannot be read."""
        if self.plot is not None:
            self.plot.apply_error(request_id, text)

    def apply_overview(self, request_id: int, found: Sequence[SeriesPoints]) -> None:
        """Answer to `overview_wanted`."""
        if self.plot is not None:
            self.plot.apply_overview(request_id, found)

    def apply_marks(self, request_id: int, marks: Sequence[HistoryMark]) -> None:
        """Answer to `marks_wanted`."""
        if self.board is not None:
            self.board.apply_marks(request_id, marks)

    def apply_energies(self, request_id: int, found: Mapping[str, float | None]) -> None:
        """Answer to `energies_wanted`."""
        if self.plot is not None:
            self.plot.apply_energies(request_id, found)

    def apply_between(self, request_id: int, found: Sequence[SeriesPoints]) -> None:
        """Answer to `between_wanted`."""
        if self.plot is not None:
            self.plot.apply_between(request_id, found)

    def apply_moved(self, request_id: int, found: Sequence[Mover], error: str = "") -> None:
        """Answer to `moved_wanted`."""
        if self.board is not None:
            self.board.lower.moved.set_names(self._names)
            self.board.apply_moved(request_id, found, error)

    def set_views(self, views: Sequence[ViewConfig]) -> None:
        """Views that are saved."""
        self.header.set_views(views)
        if self._view not in [view.name for view in views]:
            self.set_view_name("")

    def ask_again(self) -> None:
        """The history has changed: what is drawn is asked anew."""
        if self.plot is not None:
            self.plot.ask_again()

    def focus_filter(self) -> None:
        """Ctrl+Shift+F."""
        self.header.chooser_button.setChecked(True)
        self.chooser.focus_filter()

    # Series and views

    def draw(self, names: Sequence[str]) -> None:
        """Draw these too."""
        infos = [info for name in names if (info := self.chooser.model.info(name)) is not None]
        if infos and not self.chosen.rows():
            self.range.fit(min(info.first_s for info in infos), max(info.last_s for info in infos))
        left = self.chosen.add((name, self._unit_of(name)) for name in names)
        if left:
            text = ngettext(
                "{count} series more than the {most} that are drawn at once: remove some first.",
                "{count} series more than the {most} that are drawn at once: remove some first.",
                left,
            )
            self.told.emit(text.format(count=left, most=MOST))

    def view(self, name: str) -> ViewConfig:
        """What is shown, as a view of that name."""
        start_s, end_s = self.range.span()
        is_free = self.range.mode == FREE
        return ViewConfig(
            name=name,
            series=tuple(self.chosen.names()),
            range="day" if is_free else self.range.mode,  # type: ignore[arg-type]  # the modes are those of a view
            start=moment_text(start_s) if is_free else None,
            end=moment_text(end_s) if is_free else None,
            hidden=tuple(row.name for row in self.chosen.rows() if row.is_hidden),
            axes=tuple(
                ViewAxis(unit=unit, low=low, high=high) for unit, (low, high) in sorted(self.fixed_axes().items())
            ),
        )

    def open_view(self, view: ViewConfig) -> None:
        """Show a saved view."""
        self._kept_axes = {axis.unit: (axis.low, axis.high) for axis in view.axes}
        if self.plot is not None:
            self.plot.set_fixed_axes(self._kept_axes)
        self.chosen.replace(((name, self._unit_of(name)) for name in view.series), view.hidden)
        span = view.span_s()
        if span is not None:
            self.range.show_span(*span)
        else:
            self.range.follow(view.range)
        self.set_view_name(view.name)

    @property
    def view_name(self) -> str:
        """The view that is open; empty where none is."""
        return self._view

    def fixed_axes(self) -> dict[str, tuple[float, float]]:
        """Axes that stand still."""
        return self.plot.fixed_axes if self.plot is not None else self._kept_axes

    def set_axis(self, unit: str, low: float | None, high: float | None) -> None:
        """Give an axis its ends, or let it follow its curves."""
        axes = {known: ends for known, ends in self.fixed_axes().items() if known != unit}
        if low is not None and high is not None:
            axes[unit] = (low, high)
        self._kept_axes = axes
        if self.plot is not None:
            self.plot.set_fixed_axes(axes)

    def write_picture(self, path: Path, kind: str) -> None:
        """Write what is drawn as `png` or `svg`; raises OSError."""
        from gui.widgets.history_export import HistoryPicture

        self.build_board()
        assert self.plot is not None
        HistoryPicture(self.plot.canvas, self.chosen, self.range, self._view or _("History")).write(path, kind)

    # Curves

    def build_board(self) -> None:
        """Make plot and lists; called after the first paint, since numpy and pyqtgraph are imported here."""
        if self.plot is not None:
            return
        from gui.widgets.history_board import HistoryBoard

        self.board = board = HistoryBoard(self.chosen, self.range)
        self.plot = plot = board.plot
        plot.set_fixed_axes(self._kept_axes)
        if self._book is not None:
            plot.set_book(self._book)
        plot.points_wanted.connect(self.points_wanted)
        plot.overview_wanted.connect(self.overview_wanted)
        plot.marks_wanted.connect(self.marks_wanted)
        plot.energies_wanted.connect(self.energies_wanted)
        plot.between_wanted.connect(self.between_wanted)
        plot.marks_strip.opened.connect(self.mark_opened)
        board.moved_wanted.connect(self.moved_wanted)
        board.axis_wanted.connect(self.axis_wanted)
        board.lower.picked.connect(self.draw)
        board.lower.mark_opened.connect(self.mark_opened)
        board.lower.moved.set_names(self._names)
        if self._kept_kinds is not None:
            board.lower.set_kinds(self._kept_kinds)
        self._area.addWidget(board)
        self._show_first()
        if self.isVisible():
            plot.start()

    # Keeping the layout

    def layout_state(self) -> QByteArray:
        """What is drawn and how, for the next start."""
        kinds = self._kept_kinds if self.board is None else sorted(self.board.lower.marks.kinds())
        return KeptState(
            view=self._view,
            series=[(row.name, row.unit, row.is_hidden) for row in self.chosen.rows()],
            mode=self.range.mode,
            span=self.range.span() if self.range.mode == FREE else None,
            axes=self.fixed_axes(),
            kinds=kinds,
            chooser=self.header.chooser_button.isChecked() if self._is_chooser_by_hand else None,
            split=self._splitter.sizes() if self.chooser.isVisibleTo(self) else [],
        ).packed()

    def restore_layout(self, state: QByteArray) -> None:
        """Take up what `layout_state` gave; anything else changes nothing."""
        kept = unpacked(state)
        if kept is None:
            return
        self._kept_axes, self._kept_kinds = kept.axes, kept.kinds
        hidden = [name for name, _unit, is_hidden in kept.series if is_hidden]
        self.chosen.replace([(name, unit) for name, unit, _is_hidden in kept.series], hidden)
        if kept.span is not None:
            self.range.show_span(*kept.span)
        else:
            self.range.follow(kept.mode)
        if kept.split and all(kept.split):
            self._splitter.setSizes(kept.split)
        if kept.chooser is not None:
            self._is_chooser_by_hand = True
            self.header.chooser_button.setChecked(kept.chooser)
        self.set_view_name(kept.view)

    # Life of the widget

    def showEvent(self, event: QShowEvent) -> None:
        """Draw while somebody looks, and know all series."""
        super().showEvent(event)
        self.series_wanted.emit()
        self._clock.start()
        self._show_start()
        if self.plot is not None:
            self.plot.start()

    def hideEvent(self, event: QHideEvent) -> None:
        """Do nothing while nobody looks."""
        super().hideEvent(event)
        self._clock.stop()
        if self.plot is not None:
            self.plot.stop()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """A narrow page with curves shows them alone, until somebody opens the list."""
        super().resizeEvent(event)
        self._show_chooser()

    def minimumSizeHint(self) -> QSize:
        """Small: the plot takes what is left."""
        return QSize(480, 320)

    # Inside

    def _connect(self) -> None:
        header = self.header
        header.span_wanted.connect(self.span_wanted)
        header.view_wanted.connect(self.open_view)
        header.save_view_wanted.connect(self.save_view_wanted)
        header.rename_view_wanted.connect(self.rename_view_wanted)
        header.remove_view_wanted.connect(self.remove_view_wanted)
        header.picture_wanted.connect(self.picture_wanted)
        header.data_wanted.connect(self.data_wanted)
        header.chooser_toggled.connect(self.chooser.setVisible)
        header.chooser_button.clicked.connect(self._on_chooser_clicked)
        self.chooser.picked.connect(self.draw)
        self.start.choose_wanted.connect(self.focus_filter)
        self.start.picked.connect(self.draw)
        self._area.dropped.connect(self.draw)
        self.chosen.set_changed.connect(self._on_set_changed)

    def _show_start(self) -> None:
        has_any = bool(self.chosen.rows())
        if has_any and self.isVisible():
            self.build_board()
        self._area.setCurrentIndex(1 if has_any and self.plot is not None else 0)
        self.header.export_button.setEnabled(has_any)

    def _show_chooser(self) -> None:
        if not self._is_chooser_by_hand:
            is_wanted = self.width() >= _NARROW_PX or not self.chosen.rows()
            self.header.chooser_button.setChecked(is_wanted)

    def _unit_of(self, name: str) -> str | None:
        """Unit of a series; of one that is not listed yet what its name says."""
        info = self.chooser.model.info(name)
        return info.unit if info is not None else unit_of(split_series(name).quantity)

    def _show_first(self) -> None:
        """When the oldest of the chosen series began."""
        if self.plot is not None:
            infos = [self.chooser.model.info(name) for name in self.chosen.names()]
            self.plot.set_first(min((info.first_s for info in infos if info is not None), default=None))

    def set_view_name(self, name: str) -> None:
        """The view that is open, was saved, or has another name now."""
        self._view = name
        self.header.set_current_view(name)

    def _on_chooser_clicked(self) -> None:
        self._is_chooser_by_hand = True

    def _on_set_changed(self) -> None:
        names = self.chosen.names()
        self.chooser.set_chosen(names)
        if self.board is not None:
            self.board.lower.moved.set_chosen(names)
        self._show_start()
        self._show_chooser()
        self._show_first()
