"""One tariff: what a kWh costs and when, taxes, the standing charge, the budget of a month."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import msgspec
from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from core.calendar_words import HOLIDAYS
from core.language import N_, _
from core.tariffs import Problem, TariffConfig, TariffPeriod, problems
from gui.dialogs.base import FormDialog, More
from gui.plain_text import plain_tip
from gui.widgets.choice_box import ChoiceBox
from gui.widgets.labels import plain_label
from gui.widgets.process_table import align_header

NAME, PRICE, HOURS, DAYS, MONTHS, DATES, REGISTER = range(7)
_TITLES = (
    N_("Period"), N_("Price/kWh"), N_("Hours"), N_("Days"), N_("Months"), N_("Dates"), N_("Register"),
)  # fmt: skip
_TIPS = (
    N_("such as peak or night"),
    N_("such as 0.2516, before tax"),
    N_("such as 06:00-22:00; several with commas; empty: all day"),
    N_("such as mon-fri or sat, sun; empty: every day"),
    N_("such as nov-mar; empty: all year"),
    N_("such as 12-20..01-05, each year; empty: all year"),
    N_("1 to 4: the meter's own tariff register counts it, in place of hours and days; empty: the clock decides"),
)
_WIDTHS = (118, 84, 130, 92, 80, 92, 72)
_COLUMNS: dict[str | int, int] = {
    "price_per_kwh": PRICE, "hours": HOURS, "days": DAYS, "months": MONTHS, "dates": DATES, "register": REGISTER,
}  # fmt: skip
_MOST_PERIODS = 100
_CURRENCIES = ("EUR", "CHF", "GBP", "USD")
_HOLIDAY_WORDS = {"yes": N_("as on any day"), "no": N_("never"), "only": N_("only"), "also": N_("its days too")}


class TariffDialog(FormDialog):
    """`saved(TariffConfig, old name)`; of two periods that hold at a moment, the upper one counts."""

    saved = pyqtSignal(object, str)

    def __init__(
        self, tariff: TariffConfig | None = None, names: Sequence[str] = (), parent: QWidget | None = None
    ) -> None:
        super().__init__(_("Tariff"), _("Save"), parent)
        self.setMinimumWidth(820)
        self._before = tariff
        self._names = frozenset(names) - ({tariff.name} if tariff is not None else set())
        self.name = self._line(_("Name"), tariff.name if tariff is not None else "", _("such as the supplier's"), 64)
        self.currency = ChoiceBox()
        self.currency.setEditable(True)
        self.currency.addItems(list(_CURRENCIES))
        self.currency.setCurrentText(tariff.currency if tariff is not None else _CURRENCIES[0])
        self.add_row(_("Currency"), self.currency)
        self.periods = QTableWidget(0, len(_TITLES))
        self.periods.setObjectName("card")
        self.periods.setAccessibleName(_("Periods and their prices"))
        self.periods.setHorizontalHeaderLabels([_(title) for title in _TITLES])
        self.periods.setSelectionBehavior(QAbstractItemView.SelectRows)
        self.periods.setSelectionMode(QAbstractItemView.SingleSelection)
        self.periods.setTabKeyNavigation(True)
        self.periods.setFixedHeight(150)
        rows, columns = self.periods.verticalHeader(), self.periods.horizontalHeader()
        if rows is not None and columns is not None:
            rows.hide()
            rows.setDefaultSectionSize(26)
            columns.setStretchLastSection(True)
            columns.setHighlightSections(False)
            columns.setDefaultAlignment(Qt.AlignLeft | Qt.AlignVCenter)
            for column, width in enumerate(_WIDTHS):
                columns.resizeSection(column, width)
        align_header(self.periods)
        for column, tip in enumerate(_TIPS):
            item = self.periods.horizontalHeaderItem(column)
            if item is not None:
                item.setToolTip(plain_tip(_(tip)))
        self._add = QPushButton(_("Add"))
        self._remove = QPushButton(_("Remove"))
        self._up = QPushButton(_("Up"))
        buttons = QVBoxLayout()
        for button, slot in ((self._add, self._on_add), (self._remove, self._on_remove), (self._up, self._on_up)):
            button.setAutoDefault(False)
            button.clicked.connect(slot)
            buttons.addWidget(button)
        buttons.addStretch(1)
        line = QHBoxLayout()
        line.setSpacing(8)
        line.addWidget(self.periods, 1)
        line.addLayout(buttons)
        self.add_wide(line)
        words = _("Of two periods that hold at the same time the upper one counts; one without hours is for the rest.")
        self.add_wide(plain_label(words, "dim", wrap=True))
        before = tariff or TariffConfig(name="-", periods=(TariffPeriod(name="-", price_per_kwh=0),))
        self.tax = self._line(_("Tax, %"), _amount(before.tax_percent), _("such as 20, on all of it"), 16)
        self.standing = self._line(
            _("Standing charge a month"), _amount(before.standing_charge_per_month), _("before tax; empty: none"), 16
        )
        self.budget = self._line(
            _("Budget a month"), _amount(before.budget_per_month), _("amber above it; empty: none"), 16
        )
        self.more = More()
        self.standing_day = self._more(_("Standing charge a day"), _amount(before.standing_charge_per_day), "")
        self.tax_kwh = self._more(_("Tax on each kWh"), _amount(before.tax_per_kwh), _("added before the percent"))
        self.export = self._more(
            _("An exported kWh earns"), _amount(before.export_price_per_kwh), _("as it is paid; empty: nothing")
        )
        self.holidays = self._more(
            _("Holidays"),
            ", ".join(before.holidays),
            _("a country ({countries}), or such as 05-01, easter+1").format(countries=", ".join(HOLIDAYS)),
        )
        self.on_holidays = ChoiceBox()
        for key, title in _HOLIDAY_WORDS.items():
            self.on_holidays.addItem(_(title), key)
        self.on_holidays.currentIndexChanged.connect(self._on_holidays_chosen)
        self.more.add_row(_("The chosen period on holidays"), self.on_holidays)
        self.time_zone = self._more(_("Time zone"), before.time_zone or "", _("that of this computer"))
        self.add_wide(self.more)
        self.more.toggled.connect(lambda _is_open: self._grow())
        self.periods.currentCellChanged.connect(lambda *_cells: self._show_holidays())
        for period in tariff.periods if tariff is not None else ():
            self._add_period(period)
        if tariff is None:
            self._add_period(TariffPeriod(name=_("all day"), price_per_kwh=""), is_new=True)

    def on_accept(self) -> None:
        """Tell the tariff, or what is wrong with it."""
        name = self.name.text().strip()
        if not name or name in self._names:
            self.say(_("Give the tariff a name that no other one has."), "warning")
            self.name.setFocus()
            return
        if not self.periods.rowCount():
            self.say(_("A tariff needs a period with a price."), "warning")
            return
        try:
            tariff = msgspec.convert(
                {
                    "name": name,
                    "currency": self.currency.currentText().strip() or _CURRENCIES[0],
                    "time_zone": self.time_zone.text().strip() or None,
                    "period": [self._period(row) for row in range(self.periods.rowCount())],
                    "standing_charge_per_month": self.standing.text().strip() or 0,
                    "standing_charge_per_day": self.standing_day.text().strip() or 0,
                    "tax_percent": self.tax.text().strip() or 0,
                    "tax_per_kwh": self.tax_kwh.text().strip() or 0,
                    "export_price_per_kwh": self.export.text().strip() or None,
                    "budget_per_month": self.budget.text().strip() or None,
                    "holidays": _words(self.holidays.text()),
                },
                TariffConfig,
            )
        except msgspec.ValidationError:
            self.say(_("A period needs a name and a price; a register is a number from 1 to 4."), "warning")
            return
        found = next(problems(tariff), None)
        if found is not None:
            self._tell_problem(found)
            return
        self.saved.emit(tariff, self._before.name if self._before is not None else "")
        self.accept()

    def _tell_problem(self, found: Problem) -> None:
        """Say it, with how it is written, and go to the cell."""
        words, column = found.text or "", None
        if found.key[0] == "period" and len(found.key) > 2 and isinstance(found.key[1], int):
            column = _COLUMNS.get(found.key[2])
            self.periods.setCurrentCell(found.key[1], column or NAME)
        if not words:
            where = " ".join(self._place(part) for part in found.key[:3])
            words = _("{where}: {value} is not understood").format(where=where, value=found.value)
            if column is not None:
                words = _("{problem}; write it {example}").format(problem=words, example=_(_TIPS[column]))
        self.say(words, "warning")

    def _place(self, part: str | int) -> str:
        """Words of a key of the settings."""
        titles = {
            "period": _("Period"), "price_per_kwh": _("Price of a kWh"), "hours": _("Hours"), "days": _("Days"),
            "months": _("Months"), "dates": _("Dates"), "register": _("Register"), "tax_percent": _("Tax, %"),
            "standing_charge_per_month": _("Standing charge a month"), "budget_per_month": _("Budget a month"),
            "standing_charge_per_day": _("Standing charge a day"), "tax_per_kwh": _("Tax on each kWh"),
            "export_price_per_kwh": _("An exported kWh earns"), "holidays": _("Holidays"),
            "time_zone": _("Time zone"),
        }  # fmt: skip
        return str(part + 1) if isinstance(part, int) else titles.get(part, part)

    def _period(self, row: int) -> dict[str, object]:
        texts = [
            (self.periods.item(row, column) or QTableWidgetItem()).text().strip() for column in range(len(_TITLES))
        ]
        kept = self._kept(row)
        register = texts[REGISTER]
        return {
            "name": texts[NAME],
            "price_per_kwh": texts[PRICE],
            "hours": _words(texts[HOURS]),
            "days": _words(texts[DAYS]),
            "months": _words(texts[MONTHS]),
            "dates": _words(texts[DATES]),
            "register": int(register) if register.isdigit() else register or None,
            "holidays": kept[0],
            "valid_from": kept[1],
            "valid_until": kept[2],
        }

    def _kept(self, row: int) -> tuple[str, date | None, date | None]:
        """What a row holds that has no column: holidays, first and last day."""
        item = self.periods.item(row, NAME)
        found = item.data(Qt.UserRole) if item is not None else None
        return found if found is not None else ("yes", None, None)

    def _add_period(self, period: TariffPeriod, *, is_new: bool = False) -> None:
        row = self.periods.rowCount()
        self.periods.insertRow(row)
        texts = (
            period.name,
            "" if is_new else str(period.price_per_kwh),
            ", ".join(period.hours),
            ", ".join(period.days),
            ", ".join(period.months),
            ", ".join(period.dates),
            "" if period.register is None else str(period.register),
        )
        for column, text in enumerate(texts):
            item = QTableWidgetItem(text)
            if column in (PRICE, REGISTER):
                item.setTextAlignment(int(Qt.AlignRight | Qt.AlignVCenter))
            self.periods.setItem(row, column, item)
        name = self.periods.item(row, NAME)
        if name is not None:
            name.setData(Qt.UserRole, (period.holidays, period.valid_from, period.valid_until))
        self.periods.setCurrentCell(row, PRICE if is_new else NAME)

    def _on_add(self) -> None:
        if self.periods.rowCount() < _MOST_PERIODS:
            self._add_period(TariffPeriod(name=_("period"), price_per_kwh=""), is_new=True)

    def _on_remove(self) -> None:
        if self.periods.currentRow() >= 0:
            self.periods.removeRow(self.periods.currentRow())

    def _on_up(self) -> None:
        row = self.periods.currentRow()
        if row <= 0:
            return
        for column in range(len(_TITLES)):
            upper, lower = self.periods.takeItem(row - 1, column), self.periods.takeItem(row, column)
            self.periods.setItem(row - 1, column, lower)
            self.periods.setItem(row, column, upper)
        self.periods.setCurrentCell(row - 1, NAME)

    def _show_holidays(self) -> None:
        row = self.periods.currentRow()
        self.on_holidays.setEnabled(row >= 0)
        if row >= 0:
            blocked = self.on_holidays.blockSignals(True)
            self.on_holidays.setCurrentIndex(max(0, self.on_holidays.findData(self._kept(row)[0])))
            self.on_holidays.blockSignals(blocked)

    def _on_holidays_chosen(self) -> None:
        row = self.periods.currentRow()
        item = self.periods.item(row, NAME) if row >= 0 else None
        if item is not None:
            item.setData(Qt.UserRole, (self.on_holidays.currentData(), *self._kept(row)[1:]))

    def _line(self, label: str, text: str, hint: str, most: int) -> QLineEdit:
        field = QLineEdit(text)
        field.setPlaceholderText(hint)
        field.setMaxLength(most)
        self.add_row(label, field)
        return field

    def _more(self, label: str, text: str, hint: str) -> QLineEdit:
        field = QLineEdit(text)
        field.setPlaceholderText(hint)
        field.setMaxLength(1000)
        self.more.add_row(label, field)
        return field


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.replace(";", ",").split(",") if word.strip()]


def _amount(price: object) -> str:
    return "" if price in (None, 0, "0") else str(price)
