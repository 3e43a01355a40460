"""The tab of Preferences for what energy costs."""

from __future__ import annotations

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QHBoxLayout, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout, QWidget

from core.config import Config
from core.language import _, ngettext
from core.tariffs import TariffConfig
from gui.dialogs.preference_tabs import PreferenceTab, Values
from gui.dialogs.tariff import TariffDialog
from gui.plain_text import one_line


class TariffsTab(PreferenceTab):
    """`tariff_saved(TariffConfig, old name)` and `tariff_removed(name)` at once, without *Save*."""

    tariff_saved = pyqtSignal(object, str)
    tariff_removed = pyqtSignal(str)

    def __init__(self, config: Config, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = _("Tariffs")
        self._tariffs = {tariff.name: tariff for tariff in config.tariffs}
        self.add_words(
            _("What a kWh costs, by hour, day and season or by the meter's own registers; Energy counts by it.")
        )
        self.list = QListWidget()
        self.list.setObjectName("card")
        self.list.setAccessibleName(_("Tariffs"))
        self.list.setMinimumHeight(150)
        self.list.itemActivated.connect(lambda _item: self.edit())
        self.list.currentRowChanged.connect(lambda _row: self._show_state())
        self.add_button = QPushButton(_("Add…"))
        self.edit_button = QPushButton(_("Edit…"))
        self.remove_button = QPushButton(_("Remove"))
        buttons = QVBoxLayout()
        for button, slot in (
            (self.add_button, self.add),
            (self.edit_button, self.edit),
            (self.remove_button, self._on_remove),
        ):
            button.setAutoDefault(False)
            button.clicked.connect(lambda _checked, slot=slot: slot())
            buttons.addWidget(button)
        buttons.addStretch(1)
        line = QHBoxLayout()
        line.setSpacing(8)
        line.addWidget(self.list, 1)
        line.addLayout(buttons)
        self.add_wide(line)
        self.add_words(_("A meter uses the tariff chosen in its settings; where there is only one, all meters use it."))
        self._show()

    def values(self) -> Values:
        """Nothing waits for *Save* here."""
        return {}

    def add(self) -> TariffDialog:
        """A new tariff."""
        return self._open(None)

    def edit(self) -> TariffDialog | None:
        """The tariff chosen."""
        name = self._chosen()
        return self._open(self._tariffs[name]) if name else None

    def _open(self, tariff: TariffConfig | None) -> TariffDialog:
        dialog = TariffDialog(tariff, list(self._tariffs), self)
        dialog.saved.connect(self._on_saved)
        dialog.open()
        return dialog

    def _on_saved(self, tariff: TariffConfig, old_name: str) -> None:
        self._tariffs = {name: known for name, known in self._tariffs.items() if name != old_name}
        self._tariffs[tariff.name] = tariff
        self._show()
        self.tariff_saved.emit(tariff, old_name)

    def _on_remove(self) -> None:
        name = self._chosen()
        if name:
            del self._tariffs[name]
            self._show()
            self.tariff_removed.emit(name)

    def _chosen(self) -> str:
        row, names = self.list.currentRow(), list(self._tariffs)
        return names[row] if 0 <= row < len(names) else ""

    def _show(self) -> None:
        self.list.clear()
        for tariff in self._tariffs.values():
            count = len(tariff.periods)
            periods = ngettext("{count} period", "{count} periods", count).format(count=count)
            prices = "  ".join(f"{period.name} {period.price_per_kwh}" for period in tariff.periods[:4])
            words = f"{tariff.name}   {tariff.currency} · {periods} · {prices}"
            self.list.addItem(QListWidgetItem(one_line(words)))
        if self._tariffs:
            self.list.setCurrentRow(0)
        self._show_state()

    def _show_state(self) -> None:
        for button in (self.edit_button, self.remove_button):
            button.setEnabled(bool(self._chosen()))
