"""The head of the Energy page: which time, which meter and who it is, what can be asked; and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtGui import QResizeEvent
from PyQt5.QtWidgets import QComboBox, QGridLayout, QHBoxLayout, QPushButton, QWidget

from core.language import _
from core.records import MeterState
from gui.models.meter_shown import MeterShown
from gui.plain_text import one_line
from gui.widgets.card import GAP
from gui.widgets.choice_box import ChoiceBox
from gui.widgets.export_button import ExportButton
from gui.widgets.labels import ElidedLabel, plain_label, set_role
from gui.widgets.time_range import RangeBar, TimeRange

_MOST_DESCRIPTION_PX = 380
"""A description longer than this may be cut rather than stand in a line of its own."""


class EnergyHeader(QWidget):
    """Where there is little width the description of the meter has a line of its own."""

    meter_chosen = pyqtSignal(str)
    read_wanted = pyqtSignal()
    registers_wanted = pyqtSignal()

    def __init__(
        self,
        time_range: TimeRange,
        write_export: Callable[[str, Path], None],
        name_of: Callable[[str], str],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.range_bar = RangeBar(time_range)
        self.meter_box = ChoiceBox()
        self.meter_box.setAccessibleName(_("Meter"))
        self.meter_box.setSizeAdjustPolicy(QComboBox.AdjustToContents)
        self.meter_box.activated.connect(self._on_chosen)
        self._description = ElidedLabel("dim")
        self._simulated = plain_label(_("simulated"), "warning")
        self.read_button = QPushButton(_("Read now"))
        self.read_button.setToolTip(_("Ask the meter for a reading now"))
        self.read_button.clicked.connect(self.read_wanted)
        self.registers_button = QPushButton(_("Registers…"))
        self.registers_button.setToolTip(_("Every value that the meter has, the unknown ones too"))
        self.registers_button.clicked.connect(self.registers_wanted)
        self.export_button = ExportButton(write_export, name_of)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(GAP)
        self._grid.setVerticalSpacing(6)
        self._grid.setColumnStretch(2, 1)
        self._grid.addWidget(self.range_bar, 0, 0)
        for column, widget in enumerate((self.read_button, self.registers_button, self.export_button), 3):
            self._grid.addWidget(widget, 0, column)
        self._about = QWidget()
        about = QHBoxLayout(self._about)
        about.setContentsMargins(0, 0, 0, 0)
        about.setSpacing(GAP)
        about.addWidget(self.meter_box)
        about.addWidget(self._description, 1)
        about.addWidget(self._simulated)
        self._is_narrow: bool | None = None
        self._place_description()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The description goes where it has room."""
        super().resizeEvent(event)
        self._place_description()

    def _place_description(self) -> None:
        """Meter and description in the one line where there is room for most of them, else in a line of their own."""
        shown = [self.range_bar, self.meter_box, self.read_button, self.registers_button, self.export_button]
        taken = sum(widget.sizeHint().width() + GAP for widget in shown if not widget.isHidden())
        wanted = self._description.fontMetrics().horizontalAdvance(self.description())
        wanted += self._simulated.sizeHint().width()
        is_narrow = self.width() - taken < min(wanted, _MOST_DESCRIPTION_PX)
        if is_narrow != self._is_narrow:
            self._is_narrow = is_narrow
            self._grid.addWidget(self._about, *((1, 0, 1, 6) if is_narrow else (0, 1, 1, 2)))

    def apply(self, meters: Sequence[MeterShown], shown: MeterShown | None) -> None:
        """List these meters, the one that is shown among them."""
        lines = [(meter.name, one_line(meter.choice)) for meter in meters]
        box = self.meter_box
        if [box.itemData(row) for row in range(box.count())] != [name for name, _line in lines]:
            box.clear()
            for name, line in lines:
                box.addItem(line, name)
        for row, (_name, line) in enumerate(lines):
            if box.itemText(row) != line:
                box.setItemText(row, line)
        box.setVisible(len(lines) > 1)
        if shown is None:
            return
        box.setCurrentIndex(box.findData(shown.name))
        self._simulated.setVisible(shown.is_simulated)
        self._place_description()
        report = shown.report
        is_read = report is not None and report.state in (MeterState.READING, MeterState.SILENT)
        self.read_button.setEnabled(is_read)
        self.registers_button.setEnabled(not shown.is_total)

    def set_description(self, words: str) -> None:
        """Who is read, how, and how old the numbers are."""
        self._description.set_text(words)
        self._place_description()

    def description(self) -> str:
        """Those words, whole."""
        return self._description.accessibleName()

    def _on_chosen(self, row: int) -> None:
        self.meter_chosen.emit(self.meter_box.itemData(row))


class EnergyBanner(QWidget):
    """What is wrong with the meter shown, and the one button that mends it."""

    pressed = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        self._words = plain_label("", "warning", wrap=True)
        self.button = QPushButton()
        self.button.clicked.connect(self.pressed)
        line.addWidget(self._words, 1)
        line.addWidget(self.button)
        self.hide()

    def apply(self, meter: MeterShown) -> None:
        """Say it, or nothing."""
        report = meter.report
        words, button, role = "", "", "warning"
        if meter.is_total:
            words = meter.waits_words()
        elif report is None:
            words, role = _("Not connected: these are the last readings kept."), "dim"
        elif report.needs_password:
            words, button = report.text, _("Enter the password…")
        elif report.needs_key:
            words, button = report.text, _("Enter the key…")
        elif report.state in (MeterState.FAILED, MeterState.DISCONNECTED):
            words, button = report.text, _("Connect again")
            role = "critical" if report.state is MeterState.FAILED else "dim"
        elif report.state in (MeterState.SILENT, MeterState.SEARCHING):
            words = report.text
        self._words.setText(words)
        set_role(self._words, role)
        self.button.setVisible(bool(button))
        self.button.setText(button)
        self.setVisible(bool(words))
