"""A field for one parameter of an allowed command: choices as a list, letters as boxes, numbers within their limits."""

from __future__ import annotations

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from core.access_records import AllowedParameter
from core.errors import UsageError
from core.language import _
from gui.models.allowed import hint_of, limits_of, problem_of
from gui.models.command_line import words_of
from gui.plain_text import one_line
from gui.widgets.choice_box import ChoiceBox
from gui.widgets.flow_layout import FlowLayout
from gui.widgets.labels import plain_label

_INT_MAX = 2**31 - 2
_LIST_PX = 110
_NUMBER_PX = 90


class ParameterField(QWidget):
    """`values()` are the arguments that it stands for, `problem()` says why they cannot be sent."""

    changed = pyqtSignal()

    def __init__(self, parameter: AllowedParameter, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.parameter = parameter
        self._boxes: list[tuple[str, QCheckBox]] = []
        self._choice: QComboBox | None = None
        self._list: QListWidget | None = None
        self._number: QSpinBox | None = None
        self._line: QLineEdit | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        field = self._made()
        field.setAccessibleName(one_line(parameter.name))
        layout.addWidget(field)
        self.setFocusProxy(field)

    def values(self) -> tuple[str, ...]:
        """The arguments, none where nothing is given."""
        if self._boxes:
            letters = "".join(letter for letter, box in self._boxes if box.isChecked())
            return (f"-{letters}",) if letters else ()
        if self._choice is not None:
            chosen = self._choice.currentData()
            return () if chosen is None else (str(chosen),)
        if self._list is not None:
            items = [self._list.item(row) for row in range(self._list.count())]
            return tuple(str(item.data(Qt.UserRole)) for item in items if item.checkState() == Qt.Checked)
        if self._number is not None:
            is_none = self.parameter.is_optional and self._number.value() == self._number.minimum()
            return () if is_none else (str(self._number.value()),)
        text = "" if self._line is None else self._line.text().strip()
        if not self.parameter.is_repeated:
            return (text,) if text else ()
        try:
            return words_of(text)
        except UsageError:
            return (text,)

    def is_missing(self) -> bool:
        """True where a value is needed and none is given."""
        return not self.values() and not self.parameter.is_optional and not self.parameter.is_repeated

    def problem(self) -> str:
        """Why the values cannot be sent, empty where they can."""
        values = self.values()
        if self.is_missing():
            return _("{name} is missing").format(name=one_line(self.parameter.name))
        return next((problem for value in values if (problem := problem_of(self.parameter, value))), "")

    def _made(self) -> QWidget:
        parameter = self.parameter
        if parameter.type == "flags" and parameter.letters:
            return self._flags()
        if parameter.type == "enum" and parameter.is_repeated:
            return self._several()
        if parameter.type == "enum":
            return self._choices()
        low, high = limits_of(parameter)
        if parameter.type in ("int", "pid") and not parameter.is_repeated and -_INT_MAX <= low <= high <= _INT_MAX + 1:
            return self._whole_number(low, high)
        self._line = QLineEdit(self)
        hint = hint_of(parameter)
        if parameter.is_repeated:
            hint = _("{hint}; several with spaces between them").format(hint=hint) if hint else _("several words")
        self._line.setPlaceholderText(one_line(hint))
        self._line.textChanged.connect(self.changed)
        return self._line

    def _flags(self) -> QWidget:
        holder = QWidget(self)
        flow = FlowLayout(holder, spacing=10)
        for letter in dict.fromkeys(self.parameter.letters):
            box = QCheckBox(f"-{letter}".replace("&", "&&"), holder)
            box.toggled.connect(self.changed)
            self._boxes.append((letter, box))
            flow.addWidget(box)
        if self._boxes:
            holder.setFocusProxy(self._boxes[0][1])
        return holder

    def _choices(self) -> QWidget:
        self._choice = ChoiceBox(self)
        if self.parameter.is_optional:
            self._choice.addItem(_("(none)"), None)
        for value in self.parameter.values:
            self._choice.addItem(one_line(value), value)
        self._choice.currentIndexChanged.connect(self.changed)
        return self._choice

    def _several(self) -> QWidget:
        self._list = QListWidget(self)
        for value in self.parameter.values:
            item = QListWidgetItem(one_line(value))
            item.setData(Qt.UserRole, value)
            item.setFlags(Qt.ItemIsEnabled | Qt.ItemIsSelectable | Qt.ItemIsUserCheckable)
            item.setCheckState(Qt.Unchecked)
            self._list.addItem(item)
        self._list.setFixedHeight(_LIST_PX)
        self._list.itemChanged.connect(self.changed)
        return self._list

    def _whole_number(self, low: int, high: int) -> QWidget:
        self._number = QSpinBox(self)
        self._number.setRange(low - 1 if self.parameter.is_optional else low, min(high, _INT_MAX + 1))
        if self.parameter.is_optional:
            self._number.setSpecialValueText(_("(none)"))
        self._number.valueChanged.connect(self.changed)
        self._number.setButtonSymbols(QSpinBox.NoButtons)
        self._number.setMinimumWidth(_NUMBER_PX)
        holder = QWidget(self)
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._number)
        row.addWidget(plain_label(hint_of(self.parameter), "dim"))
        row.addStretch(1)
        holder.setFocusProxy(self._number)
        self._number.setAccessibleName(one_line(self.parameter.name))
        return holder
