"""Registers…: every object that a meter lists, as it is read; of a meter that only sends, what it sent last."""

from __future__ import annotations

from PyQt5.QtCore import QTimer, pyqtSignal
from PyQt5.QtGui import QGuiApplication
from PyQt5.QtWidgets import QAbstractItemView, QHeaderView, QLineEdit, QStackedLayout, QWidget

from core.language import _, ngettext
from core.meter_records import RegisterList
from core.records import MeterReadings
from gui import numbers
from gui.dialogs.meter_window import MeterWindow
from gui.models.registers import CODE, MEANING, SCALER, UNIT, VALUE, RegistersModel
from gui.models.table_file import iso_utc
from gui.widgets.card import Card
from gui.widgets.process_table import align_header
from gui.widgets.readings_card import ReadingsCard
from gui.widgets.row_table import RowTable

_WIDTHS = {CODE: 140, MEANING: 230, VALUE: 224, UNIT: 64, SCALER: 100}
_FILTER_AFTER_MS = 120
_SILENT_AFTER_MS = 20_000


class RegistersWindow(MeterWindow):
    """`wanted(meter)` asks for the list again, `stop_wanted(meter)` ends the reading of it."""

    wanted = pyqtSignal(str)
    stop_wanted = pyqtSignal(str)

    def __init__(self, meter: str, parent: QWidget | None = None) -> None:
        super().__init__(_("Registers"), meter, parent)
        self._is_busy = False
        self._time_s: float | None = None
        self._is_simulated = False
        self.model = RegistersModel(self)
        self.view = RowTable(self.model, _("Registers of the meter"))
        self.view.setVerticalScrollMode(QAbstractItemView.ScrollPerPixel)
        align_header(self.view)
        header = self.view.horizontalHeader()
        header.setStretchLastSection(True)
        header.setSectionResizeMode(QHeaderView.Interactive)
        for column, width in _WIDTHS.items():
            header.resizeSection(column, width)
        self.filter_field = QLineEdit()
        self.filter_field.setPlaceholderText(_("Filter registers"))
        self.filter_field.setAccessibleName(_("Filter registers"))
        self.filter_field.setClearButtonEnabled(True)
        self.filter_field.setMaximumWidth(260)
        self._card = Card(_("Object list"))
        self._card.add_to_title(self.filter_field)
        self._card.body.addWidget(self.view, 1)
        self.last = ReadingsCard()
        self._pane = QStackedLayout()
        self._pane.addWidget(self._card)
        self._pane.addWidget(self.last)
        self.outer.addLayout(self._pane, 1)
        self.copy_button = self.add_button(_("Copy"), self._on_copy, at_left=True)
        self.export_button = self.add_button(_("Export CSV…"), self._on_export, at_left=True)
        self.again_button = self.add_button(_("Read again"), self._ask)
        self.stop_button = self.add_button(_("Stop"), self._on_stop)
        self.finish_layout()
        self._delay = QTimer(self)
        self._delay.setSingleShot(True)
        self._delay.setInterval(_FILTER_AFTER_MS)
        self._delay.timeout.connect(self._on_filtered)
        self.filter_field.textChanged.connect(self._delay.start)
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(_SILENT_AFTER_MS)
        self._patience.timeout.connect(self._on_silent)
        self._show_state()

    def ask(self) -> None:
        """Ask the meter for its list."""
        self._ask()

    def show_last(self, readings: MeterReadings | None, reason: str) -> None:
        """No list can be asked, for this reason: show what the meter sent last, and go on showing it."""
        self._end()
        self._pane.setCurrentIndex(1)
        self.last.apply(readings)
        self.again_button.hide()
        self.stop_button.hide()
        for button in (self.copy_button, self.export_button):
            button.hide()
        self.say(reason, "dim")

    def apply_readings(self, readings: MeterReadings) -> None:
        """One more telegram of the meter."""
        if self._pane.currentIndex() == 1:
            self.last.apply(readings)

    def apply(self, part: RegisterList) -> None:
        """Some more of the list."""
        if part.name != self.meter:
            return
        if part.is_first:
            self.model.clear()
        self._pane.setCurrentIndex(0)
        self.model.append(part.registers)
        self._time_s, self._is_simulated = part.time_s, part.is_simulated
        self._card.set_context(_("simulated") if part.is_simulated else "")
        count = self.model.count
        if not part.is_last:
            self._is_busy = True
            self._patience.start()
            self.set_progress(count, part.expected)
            if part.expected:
                words = _("reading: {count} of {total}").format(
                    count=numbers.number(count), total=numbers.number(part.expected)
                )
            else:
                words = ngettext("reading: {count} register", "reading: {count} registers", count).format(
                    count=numbers.number(count)
                )
            self.say(words)
        else:
            self._end()
            self._say_end(part)
        self._show_state()

    def apply_failed(self, error: BaseException) -> None:
        """The list could not even be asked for."""
        self._end()
        self.say(str(error), "critical")
        self._show_state()

    def _say_end(self, part: RegisterList) -> None:
        count = self.model.count
        failed = sum(1 for register in self.model.registers() if register.error)
        words = ngettext("{count} register, read at {time}", "{count} registers, read at {time}", count).format(
            count=numbers.number(count), time=numbers.clock(part.time_s, with_seconds=True)
        )
        if failed:
            not_read = ngettext("{count} could not be read", "{count} could not be read", failed)
            words += " · " + not_read.format(count=numbers.number(failed))
        if part.error:
            self.say(f"{words}. {part.error}" if count else part.error, "warning")
        else:
            self.say(words)

    def _end(self) -> None:
        self._is_busy = False
        self._patience.stop()
        self.set_progress(None)

    def _ask(self) -> None:
        self._is_busy = True
        self._patience.start()
        self._pane.setCurrentIndex(0)
        self.set_progress(0)
        self.say(_("asking the meter for its list…"))
        self._show_state()
        self.wanted.emit(self.meter)

    def _show_state(self) -> None:
        self.stop_button.setEnabled(self._is_busy)
        self.again_button.setEnabled(not self._is_busy)
        has_rows = self.model.count > 0
        self.copy_button.setEnabled(has_rows)
        self.export_button.setEnabled(has_rows and not self._is_busy)
        shown, count = self.model.rowCount(), self.model.count
        words = _("{shown} of {count}").format(shown=shown, count=count) if shown != count else str(count)
        self._card.set_subtitle(words if count else "")

    def _on_filtered(self) -> None:
        self.model.set_filter(self.filter_field.text())
        self._show_state()

    def _on_stop(self) -> None:
        self.stop_wanted.emit(self.meter)
        self._end()
        self.say(_("stopped"))
        self._show_state()

    def _on_silent(self) -> None:
        self.say(_("nothing comes from the meter yet; it may be busy with a reading"), "warning")

    def _on_copy(self) -> None:
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self.model.text())
            self.say(_("copied"))

    def _on_export(self) -> None:
        header = ["code", "class", "attribute", "meaning", "value", "raw", "unit", "scaler_source", "quality", "error"]
        rows = []
        for register in self.model.registers():
            reading = register.reading
            rows.append(
                [
                    register.code,
                    register.class_id,
                    register.attribute,
                    register.about or (reading.quantity if reading is not None else None),
                    reading.value if reading is not None else None,
                    reading.raw if reading is not None else None,
                    reading.unit if reading is not None else None,
                    reading.scaler_source if reading is not None else None,
                    reading.quality.value if reading is not None else None,
                    register.error,
                ]
            )
        if self._is_simulated:
            header, rows = [*header, "source"], [[*row, "simulated"] for row in rows]
        name = "-".join(part for part in ("registers", self.meter, iso_utc(self._time_s)[:10]) if part)
        self.save_rows(f"{_safe(name)}.csv", header, rows)


def _safe(name: str) -> str:
    return "".join(sign if sign.isalnum() or sign in "-_." else "_" for sign in name)
