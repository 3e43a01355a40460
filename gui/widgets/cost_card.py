"""The card of what today's energy costs, or of the one button that makes it known."""

from __future__ import annotations

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QPushButton, QWidget

from core.language import _
from core.meter_records import EnergyAccount
from gui import numbers
from gui.models.energy_words import account_tip, currency_sign, is_over_budget, money, month_words
from gui.plain_text import plain_tip
from gui.widgets.labels import set_role
from gui.widgets.number_card import NumberCard


class CostCard(NumberCard):
    """`2.61 €  month: 41 of 58 €, forecast 55`; amber words where the month will cost more than its budget."""

    tariff_wanted = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(_("Cost today"), parent)
        self.button = QPushButton(_("Set a tariff…"))
        self.button.setToolTip(_("Say what energy costs, and this card says what it has cost today and this month"))
        self.button.clicked.connect(self.tariff_wanted)
        self.button.hide()
        self.body.addWidget(self.button, 0, Qt.AlignLeft | Qt.AlignBottom)

    def apply(self, account: EnergyAccount) -> None:
        """Show the account of the meter."""
        has_tariff = account.tariff is not None
        self.big.setVisible(has_tariff)
        self.button.setVisible(not has_tariff)
        if not has_tariff:
            self.set_value((numbers.NO_VALUE, ""))
            self.setAccessibleDescription("")
            self.setToolTip("")
            return
        if account.today.cost is None:
            value = (numbers.NO_VALUE, currency_sign(account.currency))
        else:
            value = money(account.today.cost, account.currency)
        self.set_value(value, month_words(account))
        set_role(self.big.detail_label, "warning" if is_over_budget(account) else "dim")
        self.setToolTip(plain_tip(account_tip(account)))

    def set_stale(self, words: str) -> None:
        """The cost of a day does not become old with a reading."""
