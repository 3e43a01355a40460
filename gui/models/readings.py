"""All values of a meter's last telegram, as they came: the known ones by name, the unknown ones by their code."""

from __future__ import annotations

import re

from PyQt5.QtCore import QModelIndex, QObject, Qt
from PyQt5.QtGui import QColor

from core.language import N_, _
from core.records import Quality, Reading
from gui import numbers
from gui.models.rows import RowsModel
from gui.plain_text import one_line, plain_tip
from gui.theme import theme

COLUMNS = (N_("OBIS"), N_("Quantity"), N_("Value"), N_("Unit"), N_("Quality"), N_("Scaler from"), N_("Meter time"))
_VALUE = 2
_QUANTITIES = {
    "active_energy_import": N_("Active energy, import"),
    "active_energy_export": N_("Active energy, export"),
    "reactive_energy_import": N_("Reactive energy, import"),
    "reactive_energy_export": N_("Reactive energy, export"),
    "active_power": N_("Active power"),
    "active_power_import": N_("Active power, import"),
    "active_power_export": N_("Active power, export"),
    "reactive_power": N_("Reactive power"),
    "apparent_power": N_("Apparent power"),
    "voltage": N_("Voltage"),
    "current": N_("Current"),
    "power_factor": N_("Power factor"),
    "frequency": N_("Frequency"),
    "thd_voltage": N_("Voltage distortion (THD)"),
    "thd_current": N_("Current distortion (THD)"),
}
_QUALITIES = {Quality.GOOD: N_("good"), Quality.WARNING: N_("warning"), Quality.ERROR: N_("error")}
_SCALERS = {"meter": N_("meter"), "preset": N_("preset"), "user": N_("user")}


def quantity_words(quantity: str | None) -> str:
    """Name of a quantity with its phase or tariff (`Voltage L2`, `Active energy, import T1`); a dash where unknown."""
    if quantity is None:
        return numbers.NO_VALUE
    name, suffix = quantity, ""
    match = re.fullmatch(r"(.+)_([lt])([1-4])", quantity)
    if match:
        name, suffix = match[1], f" {match[2].upper()}{match[3]}"
    return (_(_QUANTITIES[name]) if name in _QUANTITIES else name) + suffix


def scaler_words(source: str | None) -> str:
    """Where a scaler comes from: meter, preset, user; empty where none applies."""
    return _(_SCALERS[source]) if source in _SCALERS else ""


class ReadingsModel(RowsModel):
    """One row for each reading."""

    HEADERS = COLUMNS
    RIGHT = frozenset({_VALUE})

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: tuple[Reading, ...] = ()

    def apply(self, readings: tuple[Reading, ...]) -> None:
        """Show the values of one more telegram; rows stay where they are when its codes are the same."""
        before = [reading.obis for reading in self._rows]
        if before == [reading.obis for reading in readings]:
            self._rows = readings
            if readings:
                self.dataChanged.emit(self.index(0, 0), self.index(len(readings) - 1, len(COLUMNS) - 1))
            return
        self.beginResetModel()
        self._rows = readings
        self.endResetModel()

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> object:
        """Text, alignment, colour of doubtful values, and in the tool-tip the number before its scaler."""
        reading = self._rows[index.row()]
        if role == Qt.DisplayRole:
            return one_line(self._text(reading, index.column()))
        if role == Qt.TextAlignmentRole:
            return self.alignment(index.column())
        if role == Qt.ForegroundRole and reading.quality is not Quality.GOOD:
            return QColor(theme().warning if reading.quality is Quality.WARNING else theme().critical)
        if role == Qt.ToolTipRole and reading.raw is not None:
            return plain_tip(_("before the scaler: {raw}").format(raw=reading.raw))
        return None

    def _text(self, reading: Reading, column: int) -> str:
        if column == _VALUE:
            return value_text(reading.value)
        return (
            reading.obis or numbers.NO_VALUE,
            quantity_words(reading.quantity),
            "",
            reading.unit or "",
            _(_QUALITIES[reading.quality]),
            scaler_words(reading.scaler_source),
            (reading.time or "").replace("T", " "),
        )[column]


def value_text(value: float | int | str | None) -> str:
    """A value with the decimals it has, nine at most."""
    if isinstance(value, str):
        return value
    if value is None:
        return numbers.NO_VALUE
    decimals = f"{value:.9f}".rstrip("0").partition(".")[2]
    return numbers.number(value, len(decimals))
