"""Name, place, unit, limits and silence of a sensor."""

from __future__ import annotations

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QHBoxLayout, QLineEdit, QWidget

from core.config.settings import SensorConfig
from core.language import N_, _
from gui.dialogs.base import FormDialog
from gui.dialogs.fields import NotANumberError, decimal
from gui.plain_text import one_line
from gui.widgets.choice_box import ChoiceBox
from gui.widgets.labels import plain_label

_SPANS = ((1.0, N_("seconds")), (60.0, N_("minutes")), (3600.0, N_("hours")))
_LONGEST_S = 31_536_000.0


class EditSensorDialog(FormDialog):
    """`edited(SensorConfig)`; what is left empty is not set."""

    edited = pyqtSignal(object)

    def __init__(self, config: SensorConfig, unit: str = "", parent: QWidget | None = None) -> None:
        super().__init__(_("Sensor {id}").format(id=one_line(config.name or config.id)[:64]), _("Save"), parent)
        self._config = config
        self.add_row(_("Id"), plain_label(one_line(config.id), "dim", selectable=True))
        self.name = self._line(_("Name"), config.name, one_line(config.id), 64)
        self.place = self._line(_("Place"), config.place, _("Building A"), 64)
        self.unit = self._line(_("Unit"), config.unit or "", unit or "°C", 16)
        self.low = self._line(_("Rings below"), _shown(config.low), _("never"), 32)
        self.high = self._line(_("Rings above"), _shown(config.high), _("never"), 32)
        self.silence = QLineEdit()
        self.silence.setPlaceholderText(_("never"))
        self.silence.setAccessibleName(_("Rings when silent for"))
        self.span = ChoiceBox()
        self.span.setAccessibleName(_("Unit of the silence"))
        for seconds, title in _SPANS:
            self.span.addItem(_(title), seconds)
        self._show_silence(config.silent_after_s)
        line = QHBoxLayout()
        line.setSpacing(6)
        line.addWidget(self.silence, 1)
        line.addWidget(self.span)
        self.add_row(_("Rings when silent for"), line)
        self.add_wide(
            plain_label(
                _(
                    "The limits are for the temperature; with a unit they are for the values of that unit. Leave a"
                    " field empty for no alarm."
                ),
                "dim",
                wrap=True,
            )
        )

    def on_accept(self) -> None:
        """Tell what is written, or say which field cannot be."""
        try:
            low = decimal(self.low, _("Rings below"))
            high = decimal(self.high, _("Rings above"))
            silence = decimal(self.silence, _("Rings when silent for"))
        except NotANumberError as error:
            self.say(str(error), "warning")
            error.field.setFocus()
            return
        if low is not None and high is not None and low >= high:
            self.say(_("The lower limit must be less than the upper one."), "warning")
            self.low.setFocus()
            return
        silent_after_s = None if silence is None else silence * float(self.span.currentData())
        if silent_after_s is not None and not 1 <= silent_after_s <= _LONGEST_S:
            self.say(_("The silence must be between one second and a year."), "warning")
            self.silence.setFocus()
            return
        self.edited.emit(
            SensorConfig(
                id=self._config.id,
                name=self.name.text().strip(),
                place=self.place.text().strip(),
                unit=self.unit.text().strip() or None,
                low=low,
                high=high,
                silent_after_s=silent_after_s,
            )
        )
        self.accept()

    def _line(self, label: str, text: str, hint: str, most: int) -> QLineEdit:
        field = QLineEdit(text)
        field.setMaxLength(most)
        field.setPlaceholderText(hint)
        self.add_row(label, field)
        return field

    def _show_silence(self, seconds: float | None) -> None:
        place = 1
        if seconds is not None:
            place = max(at for at, (span, _title) in enumerate(_SPANS) if at == 0 or seconds % span == 0)
            self.silence.setText(_shown(seconds / _SPANS[place][0]))
        self.span.setCurrentIndex(place)


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"
