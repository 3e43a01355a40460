"""Preferences: what `config.toml` holds, changed by the window; comments in the file stay."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import (
    QAbstractSpinBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSpinBox,
    QTabWidget,
    QWidget,
)

from core.config import Config
from core.config.settings import EmailSettings
from core.language import N_, _
from gui.dialogs.base import FormDialog
from gui.dialogs.preference_alarms import AlarmsTab, EmailTab, WebhookTab
from gui.dialogs.preference_tabs import PreferenceTab, RoomTab, SensorsTab, Values, WrongFieldError
from gui.dialogs.preference_tariffs import TariffsTab
from gui.plain_text import one_line, plain_tip
from gui.widgets.labels import plain_label

LANGUAGES = (("system", N_("As the system")), ("en", "English"), ("fr", "Français"))
THEMES = (("system", N_("As the system")), ("light", N_("Light")), ("dark", N_("Dark")))


class GeneralTab(PreferenceTab):
    """Who sits here, and how the window looks."""

    def __init__(self, config: Config, path: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = _("General")
        self._before = config
        self.operator = QLineEdit(config.operator)
        self.operator.setToolTip(_("The name written beside every command"))
        self.add_row(_("Your name"), self.operator)
        self.language = self.choice(_("Language"), [(key, _(title)) for key, title in LANGUAGES], config.language)
        self.theme = self.choice(_("Theme"), [(key, _(title)) for key, title in THEMES], config.theme)
        self.add_words(_("Language and theme change at once."))
        self.add_row(_("File"), plain_label(path, "dim", selectable=True))

    def values(self) -> Values:
        """Name, language, theme."""
        operator = self.operator.text().strip()
        if not operator:
            raise WrongFieldError(self.operator, _("Type a name: it is written beside every command."))
        return {
            "operator": (operator, self._before.operator),
            "language": (self.language.currentData(), self._before.language),
            "theme": (self.theme.currentData(), self._before.theme),
        }


class CollectingTab(PreferenceTab):
    """How often machines are polled, how long things are kept, which meters are read."""

    meter_removed = pyqtSignal(str)

    def __init__(self, config: Config, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = _("Collecting")
        self._before = config
        self.interval = self._seconds(_("Poll all machines every"), config.polling.interval_s)
        self.visible_interval = self._seconds(_("Poll those on screen every"), config.polling.visible_interval_s)
        self.machines_max = self.number(_("Machines in the list at most"), config.machines.max, 1, 100_000)
        self.raw_days = self._days(_("Keep values as they came for"), config.retention.raw_days)
        self.minute_days = self._days(_("Keep minutes for"), config.retention.minute_days)
        self.quarter_days = self._days(_("Keep quarters of an hour for"), config.retention.quarter_days)
        self.hour_days = self._days(_("Keep hours for"), config.retention.hour_days)
        self.day_days = self._days(_("Keep days for"), config.retention.day_days)
        self.add_words(_("How long things are kept holds from the next start."))
        self.meters = QListWidget()
        self.meters.setObjectName("card")
        self.meters.setAccessibleName(_("Meters"))
        self.meters.setFixedHeight(84)
        self.remove = QPushButton(_("Remove"))
        self.remove.setAutoDefault(False)
        self.remove.clicked.connect(self._on_remove)
        line = QHBoxLayout()
        line.setSpacing(6)
        line.addWidget(self.meters, 1)
        line.addWidget(self.remove)
        self.add_row(_("Meters"), line)
        self._list_meters([(meter.name, meter.port) for meter in config.meters])

    def values(self) -> Values:
        """Polling and retention."""
        polling, retention = self._before.polling, self._before.retention
        return {
            "polling.interval_s": (self.interval.value(), polling.interval_s),
            "polling.visible_interval_s": (self.visible_interval.value(), polling.visible_interval_s),
            "machines.max": (self.machines_max.value(), self._before.machines.max),
            "retention.raw_days": (self.raw_days.value(), retention.raw_days),
            "retention.minute_days": (self.minute_days.value(), retention.minute_days),
            "retention.quarter_days": (self.quarter_days.value(), retention.quarter_days),
            "retention.hour_days": (self.hour_days.value(), retention.hour_days),
            "retention.day_days": (self.day_days.value(), retention.day_days),
        }

    def _seconds(self, label: str, value: float) -> QDoubleSpinBox:
        box = QDoubleSpinBox()
        box.setRange(0.2, 3600)
        box.setDecimals(1)
        box.setButtonSymbols(QAbstractSpinBox.NoButtons)
        box.setSuffix(" s")
        box.setValue(value)
        self.add_row(label, box)
        return box

    def _days(self, label: str, value: int) -> QSpinBox:
        box = self.number(label, value, 1, 36500)
        box.setSuffix(" " + _("days"))
        return box

    def _list_meters(self, meters: Sequence[tuple[str, str]]) -> None:
        self.meters.clear()
        for name, port in meters:
            item = QListWidgetItem(one_line(port if port.endswith(name) else f"{name}   {port}"))
            item.setToolTip(plain_tip(f"{name}\n{port}"))
            self.meters.addItem(item)
        self._names = [name for name, _port in meters]
        self.remove.setEnabled(bool(meters))

    def _on_remove(self) -> None:
        at = self.meters.currentRow()
        if 0 <= at < len(self._names):
            name = self._names.pop(at)
            self.meters.takeItem(at)
            self.remove.setEnabled(bool(self._names))
            self.meter_removed.emit(name)


class PreferencesDialog(FormDialog):
    """`changed({key: value})` with those that differ from what it was opened with; `meter_removed(name)`.

    A value None means to take the key out. `secrets_given({name: text})` comes before it, with passwords that belong
    into files of their own; `test_wanted(settings, secrets)` of an output is answered by `apply_tested`.
    """

    changed = pyqtSignal(dict)
    secrets_given = pyqtSignal(dict)
    meter_removed = pyqtSignal(str)
    tariff_saved = pyqtSignal(object, str)
    tariff_removed = pyqtSignal(str)
    test_wanted = pyqtSignal(object, dict)

    def __init__(self, config: Config, path: str, parent: QWidget | None = None) -> None:
        super().__init__(_("Preferences"), _("Save"), parent)
        self._agreed = ""
        self.general = GeneralTab(config, path)
        self.collecting = CollectingTab(config)
        self.collecting.meter_removed.connect(self.meter_removed)
        self.sensors, self.room, self.alarms = SensorsTab(config), RoomTab(config), AlarmsTab(config)
        self.tariffs = TariffsTab(config)
        self.tariffs.tariff_saved.connect(self.tariff_saved)
        self.tariffs.tariff_removed.connect(self.tariff_removed)
        self.email, self.webhook = EmailTab(config), WebhookTab(config)
        for output in (self.email, self.webhook):
            output.test_wanted.connect(self.test_wanted)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.setAccessibleName(_("Preferences"))
        self._tabs: tuple[PreferenceTab, ...] = (
            self.general, self.collecting, self.tariffs, self.sensors, self.room, self.alarms, self.email, self.webhook,
        )  # fmt: skip
        for tab in self._tabs:
            self.tabs.addTab(tab, tab.title)
        self.add_wide(self.tabs)
        self.setMinimumWidth(680)

    def show_tab(self, tab: PreferenceTab) -> None:
        """Bring a tab to the front."""
        self.tabs.setCurrentWidget(tab)

    def apply_tested(self, settings: object, error: str) -> None:
        """What came of the test of these settings: they were sent, or why not."""
        tab = self.email if isinstance(settings, EmailSettings) else self.webhook
        tab.apply_tested(error)

    def on_accept(self) -> None:
        """Tell what differs; what opens this machine to the network is asked first."""
        values: Values = {}
        secrets: dict[str, str] = {}
        for tab in self._tabs:
            try:
                values |= tab.values()
            except WrongFieldError as error:
                self.tabs.setCurrentWidget(tab)
                self.say(str(error), "warning")
                error.field.setFocus()
                return
            secrets |= tab.secrets()
        opened = " ".join(filter(None, (tab.opens_to_network() for tab in self._tabs)))
        if opened and opened != self._agreed:
            self._agreed = opened
            self.say(_("{what} Save again to open it.").format(what=opened), "warning")
            return
        if secrets:
            self.secrets_given.emit(secrets)
        self.changed.emit({key: new for key, (new, old) in values.items() if new != old})
        self.accept()
