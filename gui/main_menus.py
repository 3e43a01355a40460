"""The window's menus: what each entry says, its key, and the signal it sends; `gui.main_window` does the rest.

An entry goes into the method of its menu, its signal beside the others; a desk of `gui.wiring` listens to it.
"""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtGui import QKeySequence
from PyQt5.QtWidgets import QAction, QActionGroup, QMainWindow, QMenu

from core.config.commands import CommandConfig
from core.language import N_, _
from gui.widgets.library_menu import fill_library_menu

PAGES = (
    ("overview", N_("Overview")),
    ("machine", N_("Machine")),
    ("commands", N_("Commands")),
    ("energy", N_("Energy")),
    ("sensors", N_("Sensors")),
    ("room", N_("Room")),
    ("alarms", N_("Alarms")),
    ("history", N_("History")),
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


class MenuWindow(QMainWindow):
    """A window with the menus of Beffroi; asks for everything by signals."""

    import_machines_wanted = pyqtSignal()
    export_machines_wanted = pyqtSignal()
    export_data_wanted = pyqtSignal()
    preferences_wanted = pyqtSignal()
    add_machine_wanted = pyqtSignal()
    add_several_wanted = pyqtSignal()
    equipment_wanted = pyqtSignal()
    consoles_wanted = pyqtSignal()
    add_check_wanted = pyqtSignal()
    pair_again_wanted = pyqtSignal(str)
    remove_wanted = pyqtSignal(list)
    edit_many_wanted = pyqtSignal(list)
    find_agents_wanted = pyqtSignal()
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
    registers_wanted = pyqtSignal()
    profile_wanted = pyqtSignal()
    line_wanted = pyqtSignal()
    meter_settings_wanted = pyqtSignal()
    theme_wanted = pyqtSignal(str)
    language_wanted = pyqtSignal(str)
    files_wanted = pyqtSignal()
    shortcuts_wanted = pyqtSignal()
    about_wanted = pyqtSignal()
    audit_log_wanted = pyqtSignal()
    site_command_wanted = pyqtSignal(object)
    """A command of the site's library (`CommandConfig`), to be filled in."""
    allowed_commands_wanted = pyqtSignal()
    library_wanted = pyqtSignal()
    keep_line_wanted = pyqtSignal()
    mute_wanted = pyqtSignal(list)
    say_wanted = pyqtSignal(str)
    """Say something in the room about what this link leads to, such as `machine/m1` or `alarm/12`."""

    def __init__(self) -> None:
        super().__init__()
        self._with_selection: list[QAction] = []
        self._with_one: list[QAction] = []
        self._with_probe: list[QAction] = []
        self._library: tuple[CommandConfig, ...] = ()

    # What the entries are about, told by the window

    def selected_names(self) -> list[str]:
        """Names of the machines that an entry is about."""
        raise NotImplementedError

    def show_page(self, key: str) -> None:
        """Bring a page to the front."""
        raise NotImplementedError

    def focus_filter(self) -> None:
        """Put the cursor into the filter of the machines."""
        raise NotImplementedError

    def focus_page_filter(self) -> None:
        """Put the cursor into the filter of the page in front, where it has one."""
        raise NotImplementedError

    def set_probe_connected(self, is_connected: bool) -> None:
        """Entries of the menu that need a probe."""
        for action in self._with_probe:
            action.setEnabled(is_connected)

    def set_selected_count(self, count: int) -> None:
        """Entries that need a machine, or exactly one."""
        for action in self._with_selection:
            action.setEnabled(count > 0)
        for action in self._with_one:
            action.setEnabled(count == 1)

    def set_library(self, commands: Sequence[CommandConfig]) -> None:
        """Take the site's own commands."""
        self._library = tuple(commands)

    def fill_library(self) -> QMenu:
        """The menu of the site's own commands, as they are now."""
        fill_library_menu(
            self._library_menu,
            self._library,
            self.site_command_wanted.emit,
            self.keep_line_wanted.emit,
            self.library_wanted.emit,
        )
        return self._library_menu

    def set_choices(self, theme: str, chosen_language: str) -> None:
        """Mark the theme and the language in use in the menus."""
        for group, value in ((self._themes, theme), (self._languages, chosen_language)):
            for action in group.actions():
                action.setChecked(action.data() == value)

    # Making

    def build_menus(self) -> None:
        """Fill the menu bar; once, when the window has what its entries are about."""
        bar = self.menuBar()
        menu = bar.addMenu(_("&File"))
        self._entry(menu, _("&Import machines…"), self.import_machines_wanted.emit)
        self._entry(menu, _("&Export machines…"), self.export_machines_wanted.emit)
        self._entry(menu, _("Export &data…"), self.export_data_wanted.emit)
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
            self._entry(menu, _("Re&gisters…"), self.registers_wanted.emit),
            self._entry(menu, _("Load &profile…"), self.profile_wanted.emit),
            self._entry(menu, _("Li&ne…"), self.line_wanted.emit),
            self._entry(menu, _("Se&ttings of the meter…"), self.meter_settings_wanted.emit),
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
        self._entry(menu, _("&Look for agents…"), self.find_agents_wanted.emit)
        self._entry(menu, _("&Equipment…"), self.equipment_wanted.emit)
        self._entry(menu, _("&Consoles…"), self.consoles_wanted.emit)
        self._entry(menu, _("A&dd check…"), self.add_check_wanted.emit)
        menu.addSeparator()
        self._entry(menu, _("Poll &now"), self._poll_now, "F5")
        self._entry(menu, _("&Find"), self.focus_filter, "Ctrl+F")
        menu.addSeparator()
        self._with_one = [
            self._entry(menu, _("&Pair again…"), lambda: self.pair_again_wanted.emit(self.selected_names()[0])),
        ]
        self._with_selection = [
            self._entry(menu, _("&Groups, tags and notes…"), self._edit_selected),
            self._entry(menu, _("&Mute for 1 hour"), lambda: self.mute_wanted.emit(self.selected_names())),
            self._entry(menu, _("&Remove…"), lambda: self.remove_wanted.emit(self.selected_names())),
        ]

    def _edit_selected(self) -> None:
        names = self.selected_names()
        if len(names) == 1:
            self.edit_wanted.emit(names[0])
        elif names:
            self.edit_many_wanted.emit(names)

    def _build_commands(self, menu: QMenu) -> None:
        for title, line in COMMANDS:
            self._entry(menu, _(title), lambda _checked=False, line=line: self._want_command(line))
        menu.addSeparator()
        self._library_menu = menu.addMenu(_("&Site's commands"))
        self._library_menu.aboutToShow.connect(self.fill_library)
        self._entry(menu, _("Allo&wed commands…"), self.allowed_commands_wanted.emit)
        self._entry(menu, _("&Custom…"), lambda: self._want_command(""))
        menu.addSeparator()
        self._entry(menu, _("&Audit log…"), self.audit_log_wanted.emit)

    def _build_view(self, menu: QMenu) -> None:
        for number, (key, title) in enumerate(PAGES, start=1):
            self._entry(menu, _(title), lambda _checked=False, key=key: self.show_page(key), f"Ctrl+{number}")
        self._entry(menu, _("&Find on the page"), self.focus_page_filter, "Ctrl+Shift+F")
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

    def _poll_now(self) -> None:
        self.poll_wanted.emit(self.selected_names() or None)

    def _want_command(self, line: str) -> None:
        self.command_wanted.emit(self.selected_names(), line)
