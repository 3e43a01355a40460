"""All that is built after the first paint: services, desks, the pages with curves; and how it ends."""

from __future__ import annotations

import logging

from PyQt5.QtCore import QObject, QTimer, pyqtSignal

from core.config import Config
from core.home import Home
from core.language import _
from core.meter_records import LineOctets, ProfilePart, RegisterList
from core.records import (
    CommandOutput,
    CommandProgress,
    CommandRequest,
    CommandStep,
    Event,
    MeterReadings,
    MeterReport,
    StoreReport,
)
from core.series import SeriesBook
from core.site_records import (
    Alarm,
    ChatLine,
    CheckResult,
    FeedReport,
    IntakeReport,
    Maintenance,
    RoomReport,
    SensorBatch,
)
from gui.dialogs.base import TextDialog
from gui.main_window import MainWindow
from gui.pages.alarms import AlarmsPage
from gui.pages.commands import CommandsPage
from gui.pages.energy import EnergyPage
from gui.pages.history import HistoryPage
from gui.pages.machine import MachinePage
from gui.pages.room import RoomPage
from gui.pages.sensors import SensorsPage
from gui.plain_text import one_line
from gui.runtime.mailbox import Delivery
from gui.runtime.services import Services
from gui.wiring.alarms import AlarmDesk
from gui.wiring.audit import AuditDesk
from gui.wiring.checks import CheckDesk
from gui.wiring.commands import CommandDesk
from gui.wiring.consoles import TrustDesk
from gui.wiring.demonstration import MadeUpPast
from gui.wiring.history import HistoryDesk
from gui.wiring.local_agent import LocalAgent
from gui.wiring.machine_details import MachineDetailDesk
from gui.wiring.machines import MachineDesk
from gui.wiring.meters import MeterDesk
from gui.wiring.preferences import PreferencesDesk
from gui.wiring.room import RoomDesk
from gui.wiring.sensors import SensorDesk
from gui.wiring.settings_watch import SettingsWatch

LOST_MS = 2000

log = logging.getLogger("beffroi.gui")


class Console(QObject):
    """Joins one window at a time to the services; a new window (another language) takes over where the old one was."""

    theme_wanted = pyqtSignal(str)
    language_wanted = pyqtSignal(str)

    def __init__(self, home: Home, config: Config, *, is_demo: bool = False, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._home = home
        self._is_demo = is_demo
        self._window: MainWindow | None = None
        self.services = Services(home, config, self)
        self._past = MadeUpPast(self.services, self) if is_demo else None
        self.book = SeriesBook()
        self.machines = MachineDesk(self.services, self)
        self.trust = TrustDesk(self.services, lambda: self.machines.machines.values(), self)
        self.trust.taken.connect(self.machines.lists.taken)
        self.local_agent = LocalAgent(home, self.services, self.machines, self)
        self.meters = MeterDesk(home, self.services, self.book, self)
        self.commands = CommandDesk(self.services, self)
        self.details = MachineDetailDesk(self.services, self.book, self)
        self.audit = AuditDesk(self.services, self)
        self.preferences = PreferencesDesk(self.services, self)
        self.preferences.changed.connect(self._on_settings_changed)
        self.preferences.theme_wanted.connect(self.theme_wanted)
        self.preferences.language_wanted.connect(self.language_wanted)
        self.preferences.meter_removed.connect(self.meters.disconnect_meter)
        self.meters.tariff_wanted.connect(self.preferences.open_tariffs)
        if self._past is not None:
            self._past.written.connect(self.meters.history.show_past)
        self.sensors = SensorDesk(self.services, self)
        self.checks = CheckDesk(self.services, self)
        self.room = RoomDesk(self.services, self)
        self.alarms = AlarmDesk(self.services, self.book, self)
        self.history = HistoryDesk(self.services, self.book, self)
        self.services.mailbox.delivered.connect(self._on_delivered)
        self.services.crashed.connect(self._on_crashed)
        self.local_agent.failed.connect(self._on_crashed)
        self.local_agent.mended.connect(self._on_mended)
        self.machines.loaded.connect(self._on_loaded)
        self.machines.known.connect(lambda reports: self._on_delivered(Delivery(tuple(reports), ())))
        self.machines.local_pairing_wanted.connect(self.local_agent.pair_again)
        self._losses = QTimer(self)
        self._losses.setInterval(LOST_MS)
        self._losses.timeout.connect(self._tell_losses)
        self.settings_watch = SettingsWatch(home, self.services, self)
        self.settings_watch.changed.connect(self._on_settings_changed)
        self.settings_watch.refused.connect(self._on_crashed)
        self.settings_watch.mended.connect(self._on_mended)

    def attach(self, window: MainWindow) -> None:
        """Build the pages of this window and serve it."""
        self._window = window
        commands, machine, energy = CommandsPage(), MachinePage(), EnergyPage()
        for key, page in (("commands", commands), ("machine", machine), ("energy", energy)):
            window.set_page(key, page)
        for page in (machine, energy):
            page.export_button.written.connect(self._on_exported)
        machine.set_live(self.book, self.details.recent)
        self.machines.attach(window)
        self.meters.attach(window)
        self.meters.attach_page(energy)
        self.commands.attach(window, commands)
        self.details.attach(window, machine)
        sensors, room, alarms = SensorsPage(self.sensors.model), RoomPage(rooms=self.room.rooms), AlarmsPage()
        window.set_page("sensors", sensors)
        window.set_page("room", room)
        window.set_page("alarms", alarms)
        self.sensors.attach(window, sensors)
        self.checks.attach(window)
        self.room.attach(window, room)
        self.alarms.attach(window, alarms)
        history = HistoryPage()
        window.set_page("history", history)
        self.history.attach(window, history)
        alarms.say_wanted.connect(window.say_wanted)
        window.page_changed.connect(self._on_page_changed)
        self.audit.attach(window)
        self.trust.attach(window)
        self.preferences.attach(window)
        window.files_wanted.connect(self.open_files)
        window.shortcuts_wanted.connect(self.open_shortcuts)
        window.about_wanted.connect(self.open_about)
        window.set_choices(self.services.config.theme, self.services.config.language)
        self._on_page_changed(window.current_page())

    def start(self) -> None:
        """Start the services; what they learn comes in as it comes."""
        self._losses.start()
        self.services.start()
        self.settings_watch.start()

    def stop(self) -> None:
        """End everything: children, threads; all that was learned is written when this returns."""
        self._losses.stop()
        self.settings_watch.stop()
        self.alarms.stop()
        self.local_agent.request_stop()
        self.meters.request_stop()
        self.sensors.request_stop()
        self.services.stop(let_commands_go_on=self.commands.let_commands_go_on)
        self.local_agent.stop()
        self.meters.stop()
        self.sensors.stop()

    # News

    def _on_loaded(self) -> None:
        self.local_agent.start()
        self.meters.start()
        if self._is_demo:
            self.meters.simulate()
            self.sensors.simulate(True)
            if self._window is not None:
                self._window.show_page("overview")

    def _on_delivered(self, delivery: Delivery) -> None:
        window = self._window
        if window is None:
            return
        if delivery.reports:
            self.machines.keep_unknown(delivery.reports)
            window.apply_reports(delivery.reports)
            for report in delivery.reports:
                self.details.apply(report)
            self._on_page_changed(window.current_page())
        results = [record for record in delivery.others if isinstance(record, CheckResult)]
        if results:
            self.checks.apply(results)
        self.alarms.apply([record for record in delivery.others if isinstance(record, Alarm)])
        for record in delivery.others:
            if isinstance(record, MeterReadings):
                self.meters.apply_readings(record)
                if self._past is not None:
                    self._past.apply_readings(record)
            elif isinstance(record, MeterReport):
                self.meters.apply_report(record)
            elif isinstance(record, RegisterList | ProfilePart | LineOctets):
                self.meters.asks.apply(record)
            elif isinstance(record, CommandRequest | CommandOutput | CommandProgress | CommandStep):
                if not self.details.acts.apply(record):
                    self.commands.apply(record)
            elif isinstance(record, SensorBatch | IntakeReport):
                self.sensors.apply(record)
                if isinstance(record, SensorBatch):
                    window.status_line.apply_measures(record)
            elif isinstance(record, ChatLine | RoomReport | Alarm):
                self.room.apply(record)
            elif isinstance(record, Maintenance):
                self.alarms.apply_maintenance(record)
            elif isinstance(record, Event):
                self.commands.apply_event(record)
            elif isinstance(record, StoreReport):
                window.apply_store(record)
            elif isinstance(record, FeedReport):
                window.status_line.apply_feed(record)
                self.room.enter_again()

    def _on_page_changed(self, key: str) -> None:
        if key == "commands":
            self.commands.show_targets()
        elif key == "machine":
            self.details.show_any()

    def _on_exported(self, path: str) -> None:
        if self._window is not None:
            self._window.status_line.showMessage(_("exported to {path}").format(path=one_line(path)), 8000)

    def _on_crashed(self, text: str) -> None:
        if self._window is not None:
            self._window.show_notice(text)

    def _on_mended(self, text: str) -> None:
        if self._window is not None:
            self._window.withdraw_notice(text)

    def _tell_losses(self) -> None:
        if self._window is not None:
            self._window.status_line.apply_lost(self.services.lost)

    # Settings and help

    def _on_settings_changed(self) -> None:
        self.machines.apply_config()
        self.commands.apply_config()
        self.sensors.apply_config()
        self.room.apply_config()
        self.checks.apply_config()
        self.alarms.apply_config()
        self.history.apply_config()
        self.meters.apply_config()

    def open_files(self) -> TextDialog:
        """Where the files are."""
        home = self._home
        dialog = TextDialog(
            _("Where the files are"),
            [
                (_("Everything is in"), str(home.path)),
                (_("Settings"), str(home.config_path)),
                (_("History"), str(home.database_path)),
                (_("Keys of this console"), str(home.console_path)),
                (_("This machine's agent"), str(home.agent_path)),
                (_("Log"), str(home.log_path)),
            ],
            self._window,
        )
        dialog.open()
        return dialog

    def open_shortcuts(self) -> TextDialog:
        """Shortcuts."""
        dialog = TextDialog(
            _("Shortcuts"),
            [
                ("Ctrl+1 … Ctrl+8", _("Overview, Machine, Commands, Energy, Sensors, Room, Alarms, History")),
                ("Ctrl+F", _("filter the machines; Enter goes to the list")),
                ("Ctrl+Shift+F", _("filter what the page in front lists")),
                ("Ctrl+K, Ctrl+I", _("acknowledge, or ignore, the alarms chosen in their list")),
                ("F5", _("poll the selected machines, or all, now")),
                ("Shift+F5", _("read the meter now")),
                ("Ctrl+N", _("add a machine")),
                ("Ctrl+M", _("connect a probe")),
                ("Ctrl+,", _("preferences")),
                ("Ctrl+Q", _("quit")),
            ],
            self._window,
        )
        dialog.open()
        return dialog

    def open_about(self) -> TextDialog:
        """About Beffroi."""
        import core

        dialog = TextDialog(
            _("About Beffroi"),
            [
                (
                    "",
                    _("Beffroi {version} watches a site: its machines and its electricity meter.").format(
                        version=core.__version__
                    ),
                ),
                ("", _("Free software under the GNU General Public License, version 3 or later.")),
            ],
            self._window,
        )
        dialog.open()
        return dialog
