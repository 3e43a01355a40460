"""The machines as a list of equipment: reference, prices and notes, sorted by any of them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from PyQt5.QtCore import QModelIndex, QObject, Qt

from core.equipment import Totals, price_with_tax, sort_key
from core.language import N_, _
from core.records import Machine
from gui.models.rows import RowsModel
from gui.numbers import number
from gui.plain_text import one_line, plain_tip


def money(amount: Decimal | None) -> str:
    """An amount as people read it; empty where none is known."""
    return "" if amount is None else number(float(amount), 2)


def percent(rate: Decimal | None) -> str:
    """A VAT rate, such as `5.5 %`."""
    return "" if rate is None else f"{number(float(rate), 0 if rate == rate.to_integral() else 1)} %"


def total_lines(found: Totals) -> list[str]:
    """What prices add up to: the sum first, then that of each VAT rate where there are several."""
    if found.count == 0:
        return []
    text = _("{before} before tax + {tax} tax = {sum} with tax")
    lines = [
        _("{count} with a price").format(count=number(found.count))
        + ":  "
        + text.format(before=money(found.before_tax), tax=money(found.tax), sum=money(found.with_tax))
    ]
    if len(found.by_rate) > 1:
        lines += [
            (
                _("without a VAT rate")
                if one.rate_percent is None
                else _("VAT {percent}").format(percent=percent(one.rate_percent))
            )
            + f" ({number(one.count)}):  "
            + text.format(before=money(one.before_tax), tax=money(one.tax), sum=money(one.with_tax))
            for one in found.by_rate
        ]
    return lines


_SORTS = {0: "name", 1: "address", 2: "reference", 5: "price"}
"""What a column is sorted by, in the words of `core.equipment.sort_key`."""


class EquipmentModel(RowsModel):
    """A row for each machine whose name, address, reference or notes hold the filter."""

    HEADERS = (
        N_("Name"),
        N_("Address"),
        N_("Reference"),
        N_("Before tax"),
        N_("VAT"),
        N_("With tax"),
        N_("Notes"),
    )
    RIGHT = frozenset((3, 4, 5))

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: list[Machine] = []
        self._rows: list[Machine] = []
        self._filter = ""
        self._by = 0
        self._order = Qt.AscendingOrder

    @property
    def shown(self) -> Sequence[Machine]:
        """The machines of the rows, in their order."""
        return self._rows

    def set_machines(self, machines: Sequence[Machine]) -> None:
        """Show these."""
        self._all = list(machines)
        self._rebuild()

    def set_filter(self, text: str) -> None:
        """Show only what holds `text`."""
        self._filter = text.strip().casefold()
        self._rebuild()

    def sort(self, column: int, order: Qt.SortOrder = Qt.AscendingOrder) -> None:
        """By a column; machines that have nothing there come last, whichever way."""
        self._by, self._order = column, order
        self._rebuild()

    def _rebuild(self) -> None:
        self.beginResetModel()
        rows = [machine for machine in self._all if not self._filter or self._filter in _searched(machine)]
        rows.sort(key=lambda machine: sort_key(machine, "name"))
        with_value = [machine for machine in rows if self._value(machine)]
        with_value.sort(key=self._key, reverse=self._order == Qt.DescendingOrder)
        self._rows = with_value + [machine for machine in rows if not self._value(machine)]
        self.endResetModel()

    def _value(self, machine: Machine) -> object:
        match self._by:
            case 2:
                return machine.reference
            case 3 | 5:
                return machine.price_before_tax
            case 4:
                return machine.vat_rate_percent
            case 6:
                return machine.notes
        return machine.name

    def _key(self, machine: Machine) -> Any:
        match self._by:
            case 3:
                return Decimal(machine.price_before_tax or 0)
            case 4:
                return Decimal(machine.vat_rate_percent or 0)
            case 6:
                return machine.notes.casefold()
        return sort_key(machine, _SORTS[self._by])

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Texts as they are; amounts in the user's own form."""
        machine, column = self._rows[index.row()], index.column()
        if role == Qt.DisplayRole:
            return self._text(machine, column)
        if role == Qt.TextAlignmentRole:
            return self.alignment(column)
        if role == Qt.ToolTipRole and column == 6:
            return plain_tip(machine.notes)
        return None

    def _text(self, machine: Machine, column: int) -> str:
        match column:
            case 0:
                return one_line(machine.name)
            case 1:
                return machine.address
            case 2:
                return one_line(machine.reference)
            case 3:
                return money(None if machine.price_before_tax is None else Decimal(machine.price_before_tax))
            case 4:
                return percent(None if machine.vat_rate_percent is None else Decimal(machine.vat_rate_percent))
            case 5:
                return money(price_with_tax(machine))
        return one_line(machine.notes)


def _searched(machine: Machine) -> str:
    return "\n".join((machine.name, machine.address, machine.reference, machine.notes)).casefold()
