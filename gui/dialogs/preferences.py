"""Preferences: what `config.toml` holds, changed by the window; comments in the file stay."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSpinBox,
    QWidget,
)

from core.config import Config
from core.language import N_, _
from gui.dialogs.base import FormDialog
from gui.plain_text import one_line, plain_tip
from gui.widgets.choice_box import ChoiceBox
from gui.widgets.labels import plain_label

LANGUAGES = (("system", N_("As the system")), ("en", "English"), ("fr", "Français"))
THEMES = (("system", N_("As the system")), ("light", N_("Light")), ("dark", N_("Dark")))


class PreferencesDialog(FormDialog):
    """`changed({key: value})` with those that differ from what it was opened with; `meter_removed(name)`."""

    changed = pyqtSignal(dict)
    meter_removed = pyqtSignal(str)

    def __init__(self, config: Config, path: str, parent: QWidget | None = None) -> None:
        super().__init__(_("Preferences"), _("Save"), parent)
        self._config = config
        self.operator = QLineEdit(config.operator)
        self.operator.setToolTip(_("The name written beside every command"))
        self.add_row(_("Your name"), self.operator)
        self.language = self._choice(_("Language"), LANGUAGES, config.language)
        self.theme = self._choice(_("Theme"), THEMES, config.theme)
        self.add_wide(plain_label(_("Language and theme change at once."), "dim"))
        self.interval = self._seconds(_("Poll all machines every"), config.polling.interval_s)
        self.visible_interval = self._seconds(_("Poll those on screen every"), config.polling.visible_interval_s)
        self.raw_days = self._days(_("Keep meter readings for"), config.retention.raw_days)
        self.minute_days = self._days(_("Keep minutes of machines for"), config.retention.minute_days)
        self.quarter_days = self._days(_("Keep quarters of an hour for"), config.retention.quarter_days)
        self.add_wide(plain_label(_("How long things are kept holds from the next start."), "dim"))
        self.meters = QListWidget()
        self.meters.setObjectName("card")
        self.meters.setAccessibleName(_("Meters"))
        self.meters.setFixedHeight(84)
        self._remove = QPushButton(_("Remove"))
        self._remove.setAutoDefault(False)
        self._remove.clicked.connect(self._on_remove)
        line = QHBoxLayout()
        line.setSpacing(6)
        line.addWidget(self.meters, 1)
        line.addWidget(self._remove)
        self.add_row(_("Meters"), line)
        self._list_meters([(meter.name, meter.port) for meter in config.meters])
        self.add_row(_("File"), plain_label(path, "dim", selectable=True))

    def on_accept(self) -> None:
        """Tell what differs."""
        before = self._config
        values = {
            "operator": (self.operator.text().strip(), before.operator),
            "language": (self.language.currentData(), before.language),
            "theme": (self.theme.currentData(), before.theme),
            "polling.interval_s": (self.interval.value(), before.polling.interval_s),
            "polling.visible_interval_s": (self.visible_interval.value(), before.polling.visible_interval_s),
            "retention.raw_days": (self.raw_days.value(), before.retention.raw_days),
            "retention.minute_days": (self.minute_days.value(), before.retention.minute_days),
            "retention.quarter_days": (self.quarter_days.value(), before.retention.quarter_days),
        }
        if not values["operator"][0]:
            self.say(_("Type a name: it is written beside every command."), "warning")
            self.operator.setFocus()
            return
        self.changed.emit({key: new for key, (new, old) in values.items() if new != old})
        self.accept()

    def _choice(self, label: str, choices: Sequence[tuple[str, str]], value: str) -> QComboBox:
        box = ChoiceBox()
        for key, title in choices:
            box.addItem(_(title), key)
        box.setCurrentIndex(max(0, box.findData(value)))
        self.add_row(label, box)
        return box

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
        box = QSpinBox()
        box.setRange(1, 36500)
        box.setButtonSymbols(QAbstractSpinBox.NoButtons)
        box.setSuffix(" " + _("days"))
        box.setValue(value)
        self.add_row(label, box)
        return box

    def _list_meters(self, meters: Sequence[tuple[str, str]]) -> None:
        self.meters.clear()
        for name, port in meters:
            item = QListWidgetItem(one_line(port if port.endswith(name) else f"{name}   {port}"))
            item.setToolTip(plain_tip(f"{name}\n{port}"))
            self.meters.addItem(item)
        self._names = [name for name, _port in meters]
        self._remove.setEnabled(bool(meters))

    def _on_remove(self) -> None:
        at = self.meters.currentRow()
        if 0 <= at < len(self._names):
            name = self._names.pop(at)
            self.meters.takeItem(at)
            self._remove.setEnabled(bool(self._names))
            self.meter_removed.emit(name)
