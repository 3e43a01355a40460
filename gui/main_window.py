"""The window: the list of machines at the left, the pages at the right, the status bar below (`gui.main_menus` above).

It is built and painted before any service exists: pages that draw curves come in by `set_page` when they are
ready. It asks for everything by signals and is told everything by `apply…`; `gui.app` connects both ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from PyQt5.QtCore import QByteArray, QPoint, QSettings, QSize, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QCloseEvent, QGuiApplication, QPaintEvent, QResizeEvent
from PyQt5.QtWidgets import (
    QSplitter,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from core.language import _
from core.records import Machine, MachineReport, MeterReadings, MeterReport, StoreReport
from gui.main_menus import PAGES, MenuWindow
from gui.models.machines import MachineModel
from gui.pages.overview import OverviewPage
from gui.widgets.card import GAP
from gui.widgets.empty_state import EmptyState
from gui.widgets.machine_list import MachineList
from gui.widgets.notice import Notice
from gui.widgets.status_line import StatusLine

LAYOUT_VERSION = 1
_TAB_AIR_PX = 34
_TAB_BORDER_PX = 2


class MainWindow(MenuWindow):
    """The window of one home; sizes, splitters, order and last page are kept in `settings`."""

    painted = pyqtSignal()
    closing = pyqtSignal()
    machine_shown = pyqtSignal(str)
    visible_changed = pyqtSignal(object)
    page_changed = pyqtSignal(str)

    def __init__(self, settings: QSettings, model: MachineModel) -> None:
        super().__init__()
        self._settings = settings
        self._is_painted = False
        self._tab_padding: int | None = None
        self._selected_before: list[str] = []
        self._selected_count = 0
        self._pages: dict[str, QWidget] = {}
        self.may_close: Callable[[], bool] | None = None
        """Asked before the window closes; False keeps it open."""
        self.model = model
        self.setWindowTitle("Beffroi")
        self.setMinimumSize(800, 560)
        self.machine_list = MachineList(model)
        self.overview = OverviewPage(model)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.setElideMode(Qt.ElideRight)
        self.tabs.setUsesScrollButtons(False)  # a page behind an arrow is not found
        self.tabs.setAccessibleName(_("Pages"))
        for _key, title in PAGES:
            self.tabs.addTab(EmptyState(_("one moment…")), _(title))
        self.set_page("overview", self.overview)
        self._splitter = QSplitter(Qt.Horizontal)
        self._splitter.setHandleWidth(4)
        self._splitter.setChildrenCollapsible(False)
        self._splitter.addWidget(self.machine_list)
        self._splitter.addWidget(self.tabs)
        self._splitter.setStretchFactor(1, 1)
        self._splitter.setSizes([292, 1148])
        # wide enough for its buttons, whose words are longer in some languages
        self.machine_list.setMinimumWidth(max(190, self.machine_list.minimumSizeHint().width()))
        self._notice = Notice()
        centre = QWidget()
        layout = QVBoxLayout(centre)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        framed = QVBoxLayout()
        framed.setContentsMargins(8, 0, GAP, 0)
        framed.addWidget(self._notice)
        layout.addLayout(framed)
        layout.addWidget(self._splitter, 1)
        self.setCentralWidget(centre)
        self.status_line = StatusLine()
        self.setStatusBar(self.status_line)
        self.build_menus()
        self._connect()
        self._restore()
        self._on_selected([])
        self.set_probe_connected(False)

    # Pages and what is shown

    def set_page(self, key: str, page: QWidget) -> None:
        """Put `page` in its place; the tab shown stays shown."""
        at = self._place(key)
        layout = page.layout()
        if layout is not None and layout.contentsMargins().isNull():
            layout.setContentsMargins(GAP, GAP, GAP, GAP)
        current = self.tabs.currentIndex()
        blocked = self.tabs.blockSignals(True)
        old = self.tabs.widget(at)
        title = self.tabs.tabText(at)
        self.tabs.removeTab(at)
        self.tabs.insertTab(at, page, title)
        self.tabs.setCurrentIndex(current)
        self.tabs.blockSignals(blocked)
        self._pages[key] = page
        if hasattr(page, "restore_layout"):
            page.restore_layout(self._settings.value(f"layout/of_{key}", QByteArray(), QByteArray))
        if old is not None:
            old.deleteLater()

    def page(self, key: str) -> QWidget | None:
        """The page of that key, once it is there."""
        return self._pages.get(key)

    def _fit_tabs(self) -> None:
        """Tabs stand closer together where not all of them would be seen."""
        bar = self.tabs.tabBar()
        words = sum(bar.fontMetrics().horizontalAdvance(bar.tabText(at)) for at in range(bar.count()))
        room = self.tabs.width() - words
        each = room // bar.count()
        padding = None if each >= _TAB_AIR_PX else max(2, (each - _TAB_BORDER_PX) // 2)
        if padding != self._tab_padding:
            self._tab_padding = padding
            bar.setStyleSheet("" if padding is None else f"QTabBar::tab {{ padding: 8px {padding}px; }}")

    def set_count(self, key: str, count: int) -> None:
        """A number beside the title of a page: what waits there to be seen."""
        title = _(dict(PAGES)[key])
        self.tabs.setTabText(self._place(key), f"{title}  {count}" if count else title)
        self._fit_tabs()

    def show_page(self, key: str) -> None:
        """Bring a page to the front."""
        self.tabs.setCurrentIndex(self._place(key))

    def current_page(self) -> str:
        """Key of the page in front."""
        return PAGES[self.tabs.currentIndex()][0]

    def show_machine(self, name: str) -> None:
        """Select a machine and open its page."""
        self.machine_list.select([name])
        self.machine_shown.emit(name)
        self.show_page("machine")

    def show_notice(self, text: str) -> None:
        """A line over everything that stays until it is closed: what has failed, and what to try."""
        self._notice.show_text(text)

    def withdraw_notice(self, text: str) -> None:
        """Take that line away again, if it is still the one shown: what it told is over."""
        self._notice.withdraw(text)

    def notice(self) -> str:
        """The line over everything, empty while none is shown."""
        return self._notice.text() if self._notice.isVisibleTo(self) else ""

    def set_machines(self, machines: Iterable[Machine]) -> None:
        """These machines are watched now."""
        self.model.set_machines(machines)
        self._count()
        self._select_as_before()

    def apply_reports(self, reports: Sequence[MachineReport]) -> None:
        """News of machines."""
        self.model.apply(reports)

    def apply_readings(self, readings: MeterReadings) -> None:
        """A telegram of a meter."""
        self.overview.apply_readings(readings)

    def apply_probe(self, report: MeterReport) -> None:
        """State of a probe."""
        self.status_line.apply_probe(report)
        self.overview.apply_report(report)

    def apply_store(self, report: StoreReport) -> None:
        """State of the database."""
        self.status_line.apply_store(report)

    # Keeping the layout

    def keep_layout(self) -> None:
        """Write sizes, splitters, order and page for the next start."""
        self._settings.setValue("layout/version", LAYOUT_VERSION)
        self._settings.setValue("layout/geometry", self.saveGeometry())
        self._settings.setValue("layout/splitter", self._splitter.saveState())
        self._settings.setValue("layout/page", self.current_page())
        self._settings.setValue("layout/problems_first", self.model.is_problems_first)
        self._settings.setValue("layout/grouped", self.model.is_grouped)
        self._settings.setValue("layout/selected", self.selected_names())
        for key, page in self._pages.items():
            if hasattr(page, "layout_state"):
                self._settings.setValue(f"layout/of_{key}", page.layout_state())
        self._settings.sync()

    def _restore(self) -> None:
        self._fit(QSize(1440, 900))
        if self._settings.value("layout/version", 0, int) != LAYOUT_VERSION:
            return
        self.restoreGeometry(self._settings.value("layout/geometry", QByteArray(), QByteArray))
        self._fit(self.size())
        room, corner = QGuiApplication.primaryScreen().availableGeometry(), self.pos()
        if room.contains(corner):
            most = room.bottomRight() - QPoint(self.width() - 1, self.height() - 1)
            self.move(max(room.left(), min(corner.x(), most.x())), max(room.top(), min(corner.y(), most.y())))
        self._splitter.restoreState(self._settings.value("layout/splitter", QByteArray(), QByteArray))
        selected = self._settings.value("layout/selected", [])
        self._selected_before = [selected] if isinstance(selected, str) else list(selected or [])
        key = self._settings.value("layout/page", "overview", str)
        if key in dict(PAGES):
            self.show_page(key)
        self.machine_list.set_grouped(self._settings.value("layout/grouped", True, bool))
        self.machine_list.set_problems_first(self._settings.value("layout/problems_first", True, bool))

    def _fit(self, size: QSize) -> None:
        """Take `size`, or what the screen has room for: it may have been another screen."""
        room = QGuiApplication.primaryScreen().availableSize()
        self.resize(size.boundedTo(room.expandedTo(self.minimumSize())))

    def _select_as_before(self) -> None:
        """The machines that were selected when the window was closed, as soon as they are there."""
        if next(iter(self.model.rows()), None) is None:
            return
        names, self._selected_before = self._selected_before, []
        known = [name for name in names if self.model.row(name) is not None]
        if known and not self.selected_names():
            self.machine_list.select(known)

    # Qt's events

    def paintEvent(self, event: QPaintEvent) -> None:
        """The first one starts everything else."""
        super().paintEvent(event)
        if not self._is_painted:
            self._is_painted = True
            QTimer.singleShot(0, self.painted.emit)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The tabs may have more room, or less."""
        super().resizeEvent(event)
        self._fit_tabs()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Keep the layout; the services are ended by who listens."""
        if self.may_close is not None and not self.may_close():
            event.ignore()
            return
        self.keep_layout()
        self._counting.stop()
        self.closing.emit()
        super().closeEvent(event)

    # What happens inside

    def _connect(self) -> None:
        listed = self.machine_list
        listed.selected.connect(self._on_selected)
        listed.opened.connect(self.show_machine)
        listed.visible_changed.connect(self.visible_changed)
        listed.add_wanted.connect(self.add_machine_wanted)
        listed.command_wanted.connect(lambda names: self.command_wanted.emit(names, ""))
        listed.poll_wanted.connect(self.poll_wanted)
        listed.copy_address_wanted.connect(self.copy_address_wanted)
        listed.ssh_wanted.connect(self.ssh_wanted)
        listed.edit_wanted.connect(self.edit_wanted)
        listed.edit_many_wanted.connect(self.edit_many_wanted)
        listed.shown_changed.connect(lambda _shown: self._tell_chosen())
        listed.pair_again_wanted.connect(self.pair_again_wanted)
        listed.remove_wanted.connect(self.remove_wanted)
        listed.mute_wanted.connect(self.mute_wanted)
        listed.say_wanted.connect(self.say_wanted)
        self.overview.machine_opened.connect(self.show_machine)
        self.overview.add_machine_wanted.connect(self.add_machine_wanted)
        self.overview.connect_probe_wanted.connect(self.connect_probe_wanted)
        self.tabs.currentChanged.connect(lambda _at: self.page_changed.emit(self.current_page()))
        self._counting = QTimer(self)
        self._counting.setInterval(1000)
        self._counting.timeout.connect(self._count)
        self._counting.start()
        self._count()

    def _count(self) -> None:
        self.status_line.apply_counts(self.model.counts())

    def selected_names(self) -> list[str]:
        """The machines selected in the list."""
        return self.machine_list.selected_names()

    def focus_filter(self) -> None:
        """Ctrl+F."""
        self.machine_list.focus_filter()

    def focus_page_filter(self) -> None:
        """Ctrl+Shift+F."""
        page = self.tabs.currentWidget()
        if hasattr(page, "focus_filter"):
            page.focus_filter()

    def _on_selected(self, names: list[str]) -> None:
        self.set_selected_count(len(names))
        self._selected_count = len(names)
        self._tell_chosen()
        if len(names) == 1:
            self.machine_shown.emit(names[0])

    def _tell_chosen(self) -> None:
        total = sum(1 for _row in self.model.rows())
        self.status_line.apply_chosen(self._selected_count, self.model.shown_count, total)

    @staticmethod
    def _place(key: str) -> int:
        return [known for known, _title in PAGES].index(key)
