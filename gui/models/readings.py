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
_THERMAL = {
    1: N_("Energy"),
    2: N_("Volume"),
    8: N_("Power"),
    9: N_("Flow"),
    10: N_("Flow temperature"),
    11: N_("Return temperature"),
    12: N_("Temperature difference"),
}
_WATER = {1: N_("Volume"), 2: N_("Flow")}
_OF_MEDIUM = {4: {1: N_("Heat cost allocation")}, 5: _THERMAL, 6: _THERMAL, 7: {3: N_("Volume")}, 8: _WATER, 9: _WATER}
"""By the code's first number, the medium, what its third one means (OMS-Spec. vol. 2, annex A)."""
_DIGITS = {"°C": 1, "K": 1, "m³": 2, "m³/h": 3}
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


def reading_words(reading: Reading) -> str:
    """What a value is called: by its quantity, its code or its label; a dash where none says."""
    if reading.quantity is not None:
        return quantity_words(reading.quantity)
    code = re.match(r"(\d+)-\d+:(\d+)\.(\d+)\.", reading.obis or "")
    if code is not None:
        medium, number, kind = (int(group) for group in code.groups())
        known = _OF_MEDIUM.get(medium, {}).get(number)
        if known is not None:
            return _(known)
        if (medium, number, kind) == (1, 4, 7):
            return _("Reactive power, export")
    elif reading.obis is not None and re.match(r"4\.7\.", reading.obis):
        return _("Reactive power, export")
    if reading.label:
        return one_line(reading.label.replace("_", " ").capitalize())
    return numbers.NO_VALUE


def big_value(value: float, unit: str | None) -> tuple[str, str]:
    """(number, unit) with sensible digits, for one that stands large."""
    if unit == "Wh":
        return numbers.energy(value)
    if unit == "W":
        return numbers.power(value)
    if unit in _DIGITS:
        return numbers.number(value, _DIGITS[unit]), unit or ""
    decimals = f"{value:.3f}".rstrip("0").partition(".")[2]
    return numbers.number(value, len(decimals)), unit or ""


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
            reading_words(reading),
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
