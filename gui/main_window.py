"""The window: menus, the list of machines at the left, the pages at the right, the status bar below.

It is built and painted before any service exists: pages that draw curves come in by `set_page` when they are
ready. It asks for everything by signals and is told everything by `apply…`; `gui.app` connects both ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PyQt5.QtCore import QByteArray, QSettings, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QCloseEvent, QKeySequence, QPaintEvent
from PyQt5.QtWidgets import (
    QAction,
    QActionGroup,
    QMainWindow,
    QMenu,
    QSplitter,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from core.language import N_, _
from core.records import Machine, MachineReport, MeterReadings, MeterReport, StoreReport
from gui.models.machines import MachineModel
from gui.pages.overview import OverviewPage
from gui.widgets.card import GAP
from gui.widgets.empty_state import EmptyState
from gui.widgets.machine_list import MachineList
from gui.widgets.notice import Notice
from gui.widgets.status_line import StatusLine

PAGES = (
    ("overview", N_("Overview")),
    ("machine", N_("Machine")),
    ("commands", N_("Commands")),
    ("energy", N_("Energy")),
    ("sensors", N_("Sensors")),
    ("room", N_("Room")),
    ("alarms", N_("Alarms")),
)
COMMANDS = (
    (N_("Operating system"), "os"),
    (N_("RAM"), "ram"),
    (N_("CPU"), "cpu"),
    (N_("IP and name"), "ip"),
    (N_("List a directory"), "ls -al /"),
    (N_("Processes"), "ps"),
    (N_("Python version"), "python --version"),
)
THEMES = (("system", N_("As the system")), ("light", N_("Light")), ("dark", N_("Dark")))
LANGUAGES = (("system", N_("As the system")), ("en", "English"), ("fr", "Français"))
LAYOUT_VERSION = 1


class MainWindow(QMainWindow):
    """The window of one home; sizes, splitters, order and last page are kept in `settings`."""

    painted = pyqtSignal()
    closing = pyqtSignal()
    machine_shown = pyqtSignal(str)
    visible_changed = pyqtSignal(object)
    page_changed = pyqtSignal(str)
    import_machines_wanted = pyqtSignal()
    export_machines_wanted = pyqtSignal()
    preferences_wanted = pyqtSignal()
    add_machine_wanted = pyqtSignal()
    add_several_wanted = pyqtSignal()
    pair_again_wanted = pyqtSignal(str)
    remove_wanted = pyqtSignal(list)
    edit_wanted = pyqtSignal(str)
    poll_wanted = pyqtSignal(object)
    copy_address_wanted = pyqtSignal(list)
    ssh_wanted = pyqtSignal(str)
    command_wanted = pyqtSignal(list, str)
    connect_probe_wanted = pyqtSignal()
    read_now_wanted = pyqtSignal()
    disconnect_wanted = pyqtSignal()
    simulate_wanted = pyqtSignal()
    key_wanted = pyqtSignal()
    theme_wanted = pyqtSignal(str)
    language_wanted = pyqtSignal(str)
    files_wanted = pyqtSignal()
    shortcuts_wanted = pyqtSignal()
    about_wanted = pyqtSignal()

    def __init__(self, settings: QSettings, model: MachineModel) -> None:
        super().__init__()
        self._settings = settings
        self._is_painted = False
        self._selected_before: list[str] = []
        self._pages: dict[str, QWidget] = {}
        self.model = model
        self.setWindowTitle("Beffroi")
        self.setMinimumSize(800, 560)
        self.machine_list = MachineList(model)
        self.overview = OverviewPage(model)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
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
        self._with_selection: list[QAction] = []
        self._with_one: list[QAction] = []
        self._with_probe: list[QAction] = []
        self._build_menus()
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

    def set_probe_connected(self, is_connected: bool) -> None:
        """Entries of the menu that need a probe."""
        for action in self._with_probe:
            action.setEnabled(is_connected)

    def set_choices(self, theme: str, chosen_language: str) -> None:
        """Mark the theme and the language in use in the menus."""
        for group, value in ((self._themes, theme), (self._languages, chosen_language)):
            for action in group.actions():
                action.setChecked(action.data() == value)

    # Keeping the layout

    def keep_layout(self) -> None:
        """Write sizes, splitters, order and page for the next start."""
        self._settings.setValue("layout/version", LAYOUT_VERSION)
        self._settings.setValue("layout/geometry", self.saveGeometry())
        self._settings.setValue("layout/splitter", self._splitter.saveState())
        self._settings.setValue("layout/page", self.current_page())
        self._settings.setValue("layout/problems_first", self.model.is_problems_first)
        self._settings.setValue("layout/selected", self._selected())
        for key, page in self._pages.items():
            if hasattr(page, "layout_state"):
                self._settings.setValue(f"layout/of_{key}", page.layout_state())
        self._settings.sync()

    def _restore(self) -> None:
        self.resize(1440, 900)
        if self._settings.value("layout/version", 0, int) != LAYOUT_VERSION:
            return
        self.restoreGeometry(self._settings.value("layout/geometry", QByteArray(), QByteArray))
        self._splitter.restoreState(self._settings.value("layout/splitter", QByteArray(), QByteArray))
        selected = self._settings.value("layout/selected", [])
        self._selected_before = [selected] if isinstance(selected, str) else list(selected or [])
        key = self._settings.value("layout/page", "overview", str)
        if key in dict(PAGES):
            self.show_page(key)
        self.machine_list.set_problems_first(self._settings.value("layout/problems_first", True, bool))

    def _select_as_before(self) -> None:
        """The machines that were selected when the window was closed, as soon as they are there."""
        if next(iter(self.model.rows()), None) is None:
            return
        names, self._selected_before = self._selected_before, []
        known = [name for name in names if self.model.row(name) is not None]
        if known and not self._selected():
            self.machine_list.select(known)

    # Qt's events

    def paintEvent(self, event: QPaintEvent) -> None:
        """The first one starts everything else."""
        super().paintEvent(event)
        if not self._is_painted:
            self._is_painted = True
            QTimer.singleShot(0, self.painted.emit)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Keep the layout; the services are ended by who listens."""
        self.keep_layout()
        self._counting.stop()
        self.closing.emit()
        super().closeEvent(event)

    # Menus

    def _build_menus(self) -> None:
        bar = self.menuBar()
        menu = bar.addMenu(_("&File"))
        self._entry(menu, _("&Import machines…"), self.import_machines_wanted.emit)
        self._entry(menu, _("&Export machines…"), self.export_machines_wanted.emit)
        menu.addSeparator()
        self._entry(menu, _("&Preferences…"), self.preferences_wanted.emit, "Ctrl+,")
        menu.addSeparator()
        self._entry(menu, _("&Quit"), self.close, QKeySequence("Ctrl+Q"))
        self._build_machines(bar.addMenu(_("&Machines")))
        self._build_commands(bar.addMenu(_("&Commands")))
        menu = bar.addMenu(_("M&eter"))
        self._entry(menu, _("&Connect probe…"), self.connect_probe_wanted.emit, "Ctrl+M")
        self._with_probe = [
            self._entry(menu, _("&Read now"), self.read_now_wanted.emit, "Shift+F5"),
            self._entry(menu, _("&Key of the meter…"), self.key_wanted.emit),
            self._entry(menu, _("&Disconnect"), self.disconnect_wanted.emit),
        ]
        menu.addSeparator()
        self._entry(menu, _("&Simulate an E450"), self.simulate_wanted.emit)
        self._build_view(bar.addMenu(_("&View")))
        menu = bar.addMenu(_("&Help"))
        self._entry(menu, _("&Shortcuts"), self.shortcuts_wanted.emit, "F1")
        self._entry(menu, _("&Where the files are"), self.files_wanted.emit)
        menu.addSeparator()
        self._entry(menu, _("&About Beffroi"), self.about_wanted.emit)

    def _build_machines(self, menu: QMenu) -> None:
        self._entry(menu, _("&Add machine…"), self.add_machine_wanted.emit, "Ctrl+N")
        self._entry(menu, _("Add &several…"), self.add_several_wanted.emit)
        menu.addSeparator()
        self._entry(menu, _("Poll &now"), self._poll_now, "F5")
        self._entry(menu, _("&Find"), self.machine_list.focus_filter, "Ctrl+F")
        menu.addSeparator()
        self._with_one = [
            self._entry(menu, _("&Groups and notes…"), lambda: self.edit_wanted.emit(self._selected()[0])),
            self._entry(menu, _("&Pair again…"), lambda: self.pair_again_wanted.emit(self._selected()[0])),
        ]
        self._with_selection = [
            self._entry(menu, _("&Remove…"), lambda: self.remove_wanted.emit(self._selected())),
        ]

    def _build_commands(self, menu: QMenu) -> None:
        for title, line in COMMANDS:
            self._entry(menu, _(title), lambda _checked=False, line=line: self._want_command(line))
        menu.addSeparator()
        self._entry(menu, _("&Custom…"), lambda: self._want_command(""))

    def _build_view(self, menu: QMenu) -> None:
        for number, (key, title) in enumerate(PAGES, start=1):
            self._entry(menu, _(title), lambda _checked=False, key=key: self.show_page(key), f"Ctrl+{number}")
        menu.addSeparator()
        self._themes = self._choices(menu.addMenu(_("&Theme")), THEMES, self.theme_wanted.emit)
        self._languages = self._choices(menu.addMenu(_("&Language")), LANGUAGES, self.language_wanted.emit)

    def _choices(self, menu: QMenu, choices: Sequence[tuple[str, str]], chosen: object) -> QActionGroup:
        group = QActionGroup(self)
        for value, title in choices:
            action = menu.addAction(_(title))
            action.setCheckable(True)
            action.setData(value)
            group.addAction(action)
        group.triggered.connect(lambda action: chosen(action.data()))
        return group

    def _entry(self, menu: QMenu, text: str, slot: object, shortcut: str | QKeySequence | None = None) -> QAction:
        action = menu.addAction(text)
        if shortcut is not None:
            action.setShortcut(QKeySequence(shortcut))
        action.triggered.connect(slot)
        return action

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
        listed.pair_again_wanted.connect(self.pair_again_wanted)
        listed.remove_wanted.connect(self.remove_wanted)
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

    def _selected(self) -> list[str]:
        return self.machine_list.selected_names()

    def _on_selected(self, names: list[str]) -> None:
        for action in self._with_selection:
            action.setEnabled(bool(names))
        for action in self._with_one:
            action.setEnabled(len(names) == 1)
        if len(names) == 1:
            self.machine_shown.emit(names[0])

    def _poll_now(self) -> None:
        self.poll_wanted.emit(self._selected() or None)

    def _want_command(self, line: str) -> None:
        self.command_wanted.emit(self._selected(), line)

    @staticmethod
    def _place(key: str) -> int:
        return [known for known, _title in PAGES].index(key)
