"""The object list of a meter: each code with what it means and holds, or why it could not be read."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import QModelIndex, QObject, Qt
from PyQt5.QtGui import QColor

from core.language import N_, _
from core.meter_records import RegisterValue
from core.records import Quality
from gui import numbers
from gui.models.readings import reading_words, scaler_words, value_text
from gui.models.rows import RowsModel
from gui.plain_text import one_line, plain_tip
from gui.theme import theme

CODE, MEANING, VALUE, UNIT, SCALER, ERROR = range(6)


class RegistersModel(RowsModel):
    """One row for each object; `set_filter` keeps those that hold a text in any column."""

    HEADERS = (N_("OBIS"), N_("Meaning"), N_("Value"), N_("Unit"), N_("Scaler from"), N_("Remark"))
    RIGHT = frozenset({VALUE})

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: list[RegisterValue] = []
        self._rows: list[RegisterValue] = []
        self._filter = ""

    @property
    def count(self) -> int:
        """Objects known, shown or not."""
        return len(self._all)

    def clear(self) -> None:
        """No object is known."""
        self.beginResetModel()
        self._all, self._rows = [], []
        self.endResetModel()

    def append(self, registers: Sequence[RegisterValue]) -> None:
        """Some more objects, as they come."""
        self._all += registers
        shown = [register for register in registers if self._is_shown(register)]
        if shown:
            first = len(self._rows)
            self.beginInsertRows(QModelIndex(), first, first + len(shown) - 1)
            self._rows += shown
            self.endInsertRows()

    def set_filter(self, text: str) -> None:
        """Show those that hold this text, in whatever case; all where it is empty."""
        self._filter = text.strip().casefold()
        self.beginResetModel()
        self._rows = [register for register in self._all if self._is_shown(register)]
        self.endResetModel()

    def cells(self, register: RegisterValue) -> tuple[str, ...]:
        """The texts of a row."""
        reading = register.reading
        meaning = register.about or (reading_words(reading) if reading is not None else numbers.NO_VALUE)
        return (
            register.code,
            meaning,
            value_text(reading.value) if reading is not None else numbers.NO_VALUE,
            (reading.unit or "") if reading is not None else "",
            scaler_words(reading.scaler_source) if reading is not None else "",
            register.error or "",
        )

    def text(self) -> str:
        """All rows shown, titles first, cells between tabs: for the clipboard."""
        lines = [[_(title) for title in self.HEADERS], *(self.cells(register) for register in self._rows)]
        return "\n".join("\t".join(one_line(cell).replace("\t", " ") for cell in line) for line in lines)

    def registers(self) -> Sequence[RegisterValue]:
        """All objects known."""
        return self._all

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> object:
        """Text, alignment, colour of what could not be read, and what else is known in the tool-tip."""
        register, column = self._rows[index.row()], index.column()
        if role == Qt.DisplayRole:
            return one_line(self.cells(register)[column])
        if role == Qt.TextAlignmentRole:
            return self.alignment(column)
        if role == Qt.ForegroundRole:
            if column == ERROR and register.error:
                return QColor(theme().warning)
            if register.reading is not None and register.reading.quality is not Quality.GOOD and column == VALUE:
                return QColor(theme().warning)
        if role == Qt.ToolTipRole:
            return plain_tip("\n".join(self._about(register)))
        return None

    def _about(self, register: RegisterValue) -> list[str]:
        lines = [register.code]
        if register.class_id is not None:
            lines.append(
                _("class {class_id}, attribute {attribute}").format(
                    class_id=register.class_id,
                    attribute=register.attribute if register.attribute is not None else numbers.NO_VALUE,
                )
            )
        reading = register.reading
        if reading is not None and reading.raw is not None:
            lines.append(_("before the scaler: {raw}").format(raw=reading.raw))
        if reading is not None and reading.time:
            lines.append(_("meter time: {time}").format(time=reading.time.replace("T", " ")))
        if register.error:
            lines.append(register.error)
        return lines

    def _is_shown(self, register: RegisterValue) -> bool:
        return not self._filter or any(self._filter in cell.casefold() for cell in self.cells(register))
