"""The Sensors page: the intake's state, a tile for each sensor, and curves of those that are chosen."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from PyQt5.QtCore import QByteArray, QPoint, QSize, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QGuiApplication, QHideEvent, QPaintEvent, QResizeEvent, QShowEvent
from PyQt5.QtWidgets import QLayout, QMenu, QSplitter, QStackedLayout, QVBoxLayout, QWidget

from core.config.settings import SensorConfig
from core.language import _
from core.records import SeriesPoints
from core.site_records import Alarm, IntakeReport, ListenerState, SensorBatch, SensorSummary
from gui.models.sensor_row import Key
from gui.models.sensors import SensorModel, SensorOrder
from gui.plain_text import one_line
from gui.widgets.card import GAP
from gui.widgets.labels import plain_label
from gui.widgets.sensor_header import SensorHeader
from gui.widgets.sensor_tiles import SensorTiles
from gui.widgets.site_start import SiteStart

if TYPE_CHECKING:
    from gui.widgets.sensor_curves import SensorCurves
    from gui.widgets.time_range import TimeRange

TICK_MS = 500
_OFTEN_SORTED = 1_000
_TILES_SHARE = 0.58
_DEFAULT_ADDRESS = "127.0.0.1:17452"


class SensorsPage(QWidget):
    """Told by `apply…`; asks by signals. `history_wanted(request, sensor, quantity, start_s, end_s)` is answered by
    `apply_points`, `past_wanted(keys)` by `apply_past`.
    """

    open_wanted = pyqtSignal()
    listen_wanted = pyqtSignal()
    stop_wanted = pyqtSignal()
    simulate_wanted = pyqtSignal(bool)
    edit_wanted = pyqtSignal(str)
    forget_wanted = pyqtSignal(str)
    past_wanted = pyqtSignal(list)
    history_wanted = pyqtSignal(int, str, str, float, float)
    exported = pyqtSignal(str)

    def __init__(self, model: SensorModel | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = model or SensorModel(self)
        self.curves: SensorCurves | None = None
        self._report: IntakeReport | None = None
        self._is_starting = False
        self._alarms: Mapping[str, Sequence[Alarm]] = {}
        self._ticks = 0
        self._are_curves_wanted = True
        self._is_split_by_hand = False
        self._wanted: list[Key] = []
        self._address = _DEFAULT_ADDRESS
        self._pane = QStackedLayout(self)
        self._pane.setContentsMargins(0, 0, 0, 0)
        self._pane.setSizeConstraint(QLayout.SetNoConstraint)
        self.start = self._make_start()
        self._pane.addWidget(self.start)
        self._pane.addWidget(self._make_content())
        self.model.layoutChanged.connect(self._on_layout)
        self._clock = QTimer(self)
        self._clock.setInterval(TICK_MS)
        self._clock.timeout.connect(self.tick)
        self._show_start()

    # What comes in

    def apply_batch(self, batch: SensorBatch) -> None:
        """Measures that were written."""
        self.model.apply(batch.measures)
        if self.curves is not None:
            self.curves.apply(batch.measures)
        if self._pane.currentIndex() == 0:
            self.model.rearrange()

    def apply_report(self, report: IntakeReport) -> None:
        """State of the intake."""
        self._report = report
        if report.state is not ListenerState.STOPPED:
            self._is_starting = False
        if report.address:
            self._address = report.address
        self.header.apply(report)
        self._show_start()

    def apply_summaries(self, summaries: Iterable[SensorSummary]) -> None:
        """Sensors that the history knows."""
        self.model.apply_summaries(summaries)
        self.model.rearrange()

    def set_configs(self, configs: Iterable[SensorConfig], address: str = _DEFAULT_ADDRESS) -> None:
        """Names, places and limits as they are set now, and where the intake listens once it is open."""
        if self._report is None or self._report.address is None:
            self._address = address
        self.model.set_configs(configs)
        self._show_curves()
        self._show_start()

    def set_starting(self) -> None:
        """The intake was asked to open."""
        self._is_starting = True
        self._show_start()

    def set_simulating(self, is_simulating: bool) -> None:
        """Whether our simulator sends."""
        self.header.set_simulating(is_simulating)

    def apply_past(self, sensor: str, quantity: str, points: SeriesPoints) -> None:
        """The last hour of a tile."""
        row = self.model.row((sensor, quantity))
        if row is not None:
            row.apply_past(points.time_s, points.mean)
            self.tiles.refresh()

    def apply_points(self, points: SeriesPoints, request_id: int) -> None:
        """Take an answer to `history_wanted`."""
        if self.curves is not None:
            self.curves.apply_points(points, request_id)

    def show_sensor(self, sensor: str) -> None:
        """Select all that a sensor sends, and draw it."""
        self.header.filter.clear()
        self.model.rearrange()
        keys = [row.key for row in self.model.shown() if row.sensor == sensor]
        if keys:
            self._are_curves_wanted = True
            self.tiles.select(keys)

    def set_alarms(self, alarms: Mapping[str, Sequence[Alarm]]) -> None:
        """All alarms by their sources, for the marks on curves."""
        self._alarms = alarms
        if self.curves is not None:
            self.curves.set_alarms(alarms)

    @property
    def range(self) -> TimeRange:
        """The time that the curves show; asking for it makes them."""
        self.build_curves()
        assert self.curves is not None
        return self.curves.range

    def focus_filter(self) -> None:
        """Ctrl+Shift+F."""
        self.header.filter.setFocus(Qt.ShortcutFocusReason)

    def tick(self) -> None:
        """Twice a second while somebody looks: values and ages, one repaint for all; the order of many less often."""
        self._ticks += 1
        if self._ticks % (1 + self.model.rowCount() // _OFTEN_SORTED) == 0:
            self.model.rearrange()
        self.header.refresh(time.time())
        self.tiles.refresh()

    # Curves

    def build_curves(self) -> None:
        """Make the curves; called after the first paint, since numpy and pyqtgraph are imported here."""
        if self.curves is not None:
            return
        from gui.widgets.sensor_curves import SensorCurves

        self.curves = SensorCurves()
        self.curves.set_alarms(self._alarms)
        self.curves.history_wanted.connect(self.history_wanted)
        self.curves.closed.connect(self._on_curves_closed)
        self.curves.export_button.written.connect(self.exported)
        self._splitter.addWidget(self.curves)
        self._splitter.setStretchFactor(0, 1)
        self._splitter.setStretchFactor(1, 1)
        self._share_height()
        self._show_curves()

    # Keeping the layout

    def layout_state(self) -> QByteArray:
        """The order, for the next start."""
        return QByteArray(self.model.order.value.encode())

    def restore_layout(self, state: QByteArray) -> None:
        """The order as it was kept."""
        value = bytes(state).decode("ascii", "replace")
        if value in [order.value for order in SensorOrder]:
            order = SensorOrder(value)
            self.header.order.setCurrentIndex(self.header.order.findData(order))
            self.model.set_order(order)

    # Life of the widget

    def paintEvent(self, event: QPaintEvent) -> None:
        """Make the curves once tiles have been seen."""
        super().paintEvent(event)
        if self.curves is None and self._pane.currentIndex() == 1:
            QTimer.singleShot(0, self.build_curves)

    def showEvent(self, event: QShowEvent) -> None:
        """Count ages while somebody looks."""
        super().showEvent(event)
        self._clock.start()
        self.tick()

    def hideEvent(self, event: QHideEvent) -> None:
        """Do nothing while nobody looks."""
        super().hideEvent(event)
        self._clock.stop()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Share the height out anew."""
        super().resizeEvent(event)
        self._share_height()

    def minimumSizeHint(self) -> QSize:
        """Small: tiles and curves scroll."""
        return QSize(420, 240)

    # Making

    def _make_start(self) -> SiteStart:
        start = SiteStart(
            _("Sensors"),
            _("No sensor has sent anything yet"),
            _(
                "Sensors send their values to the intake by TCP, as JSON or as plain text. Each one that does gets a"
                " tile here with its value, its trend and its age."
            ),
        )
        self.simulate_button = start.add_button(_("Try simulated sensors"), lambda: self.simulate_wanted.emit(True))
        self.where_button = start.add_button(_("Where it listens…"), self.listen_wanted)
        self.open_button = start.add_button(_("Open the intake"), self.open_wanted, is_primary=True)
        return start

    def _make_content(self) -> QWidget:
        self.header = SensorHeader()
        self.header.filter_changed.connect(self.model.set_filter)
        self.header.order_changed.connect(self.model.set_order)
        self.header.open_wanted.connect(self.open_wanted)
        self.header.listen_wanted.connect(self.listen_wanted)
        self.header.stop_wanted.connect(self.stop_wanted)
        self.header.simulate_wanted.connect(self.simulate_wanted)
        self.tiles = SensorTiles(self.model)
        self.tiles.chosen.connect(self._on_chosen)
        self.tiles.edit_wanted.connect(self.edit_wanted)
        self.tiles.menu_wanted.connect(self._open_menu)
        self.tiles.seen.connect(self.past_wanted)
        self._nothing = plain_label(_("No sensor matches the filter."), "dim")
        self._nothing.setAlignment(Qt.AlignCenter)
        self._nothing.hide()
        self._not_shown = plain_label("", "warning", wrap=True)
        self._not_shown.hide()
        upper = QWidget()
        column = QVBoxLayout(upper)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.tiles, 1)
        column.addWidget(self._nothing, 1)
        column.addWidget(self._not_shown)
        self._splitter = QSplitter(Qt.Vertical)
        self._splitter.setChildrenCollapsible(False)
        self._splitter.setHandleWidth(GAP)
        self._splitter.addWidget(upper)
        self._splitter.splitterMoved.connect(self._on_splitter_moved)
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(GAP, GAP, GAP, GAP)
        layout.setSpacing(GAP)
        layout.addWidget(self.header)
        layout.addWidget(self._splitter, 1)
        return page

    # Showing

    def _show_start(self) -> None:
        report = self._report
        state = report.state if report is not None else ListenerState.STOPPED
        has_rows = next(iter(self.model.rows()), None) is not None
        self._pane.setCurrentIndex(1 if has_rows else 0)
        is_open = state is ListenerState.LISTENING
        self.open_button.setVisible(not is_open)
        self.open_button.setEnabled(not self._is_starting)
        self.where_button.setVisible(is_open or state is ListenerState.FAILED)
        if state is ListenerState.FAILED and report is not None:
            self.start.set_state(one_line(report.error or _("The intake does not listen.")), "critical")
        elif is_open:
            words = _("The intake listens on {address}; nothing has come yet.").format(address=self._address)
            self.start.set_state(words)
        else:
            self.start.set_state(_("opening the intake…") if self._is_starting else "", "dim")
        self.start.set_line(
            _("To try it, type this in a terminal of this machine:") if is_open else "",
            f"beffroi sensors simulate --count 5 --to {self._address}" if is_open else "",
        )

    def _on_layout(self) -> None:
        """Rows came, went or moved."""
        has_rows = next(iter(self.model.rows()), None) is not None
        if (self._pane.currentIndex() == 1) != has_rows:
            self._show_start()
        is_empty = has_rows and not self.model.rowCount()
        self._share_height()
        self._nothing.setVisible(is_empty)
        self.tiles.setVisible(not is_empty)
        self._not_shown.setVisible(self.model.not_shown > 0)
        if self.model.not_shown:
            self._not_shown.setText(_("There are more sensors than are shown here: see the command sensors list."))
        if self._are_curves_wanted and not self._wanted:
            first = next((row.key for row in self.model.shown() if row.time_s is not None), None)
            if first is not None:
                self.tiles.select([first])

    def _on_chosen(self, keys: list[Key]) -> None:
        if not keys:
            return  # a filter that hides the tile leaves its curve
        self._wanted = keys
        self._are_curves_wanted = True
        self._show_curves()

    def _show_curves(self) -> None:
        if self.curves is None:
            return
        rows = [row for key in self._wanted if key[1] and (row := self.model.row(key)) is not None]
        self.curves.show_rows(rows)
        self.curves.setVisible(bool(rows) and self._are_curves_wanted)

    def _on_curves_closed(self) -> None:
        self._are_curves_wanted = False
        self.tiles.clearSelection()
        self._show_curves()

    def _share_height(self) -> None:
        """As much for the tiles as they need, a bit over half of the page at most, until somebody moves the border."""
        if self.curves is None or self._is_split_by_hand:
            return
        height = self._splitter.height() - self._splitter.handleWidth()
        tiles_px = min(self.tiles.wanted_height(self._splitter.width()), round(_TILES_SHARE * height))
        self._splitter.setSizes([tiles_px, max(1, height - tiles_px)])

    def _on_splitter_moved(self, *_place: int) -> None:
        self._is_split_by_hand = True

    # What the user does

    def _open_menu(self, place: QPoint) -> None:
        keys = self.tiles.selected_keys()
        if keys:
            self.menu_for(keys).exec_(place)

    def menu_for(self, keys: Sequence[Key]) -> QMenu:
        """What one can do with these sensors."""
        sensors = list(dict.fromkeys(sensor for sensor, _quantity in keys))
        menu = QMenu(self)
        menu.setAttribute(Qt.WA_DeleteOnClose)
        edit = menu.addAction(_("Name, place and limits…"), lambda: self.edit_wanted.emit(sensors[0]))
        edit.setEnabled(len(sensors) == 1)
        menu.addAction(_("Copy id"), lambda: QGuiApplication.clipboard().setText("\n".join(sensors)))
        menu.addSeparator()
        forget = menu.addAction(_("Forget name, place and limits"), lambda: self.forget_wanted.emit(sensors[0]))
        row = self.model.row(keys[0])
        forget.setEnabled(len(sensors) == 1 and row is not None and row.config is not None)
        return menu
