"""The tabs of Preferences for sensors and the room; each tells its values, or what is wrong with one."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtWidgets import QAbstractSpinBox, QCheckBox, QFormLayout, QLayout, QLineEdit, QSpinBox, QWidget

from core.config import Config
from core.language import N_, _
from core.site_records import AlarmSeverity
from gui.dialogs.fields import NotANumberError, addresses, decimal, is_network, listen_error
from gui.widgets.choice_box import ChoiceBox
from gui.widgets.labels import plain_label

SEVERITIES = (
    (AlarmSeverity.LOW, N_("low")),
    (AlarmSeverity.MEDIUM, N_("medium")),
    (AlarmSeverity.HIGH, N_("high")),
    (AlarmSeverity.CRITICAL, N_("critical")),
)
NEVER = "never"
Values = dict[str, tuple[object, object]]
"""Key of the settings: (value now, value before)."""


class WrongFieldError(Exception):
    """A field that holds what cannot be; the message is for the user."""

    def __init__(self, field: QWidget, message: str) -> None:
        super().__init__(message)
        self.field = field


class PreferenceTab(QWidget):
    """A form; `values` raises WrongFieldError, `opens_to_network` says what a change lets in that was kept out."""

    title = ""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.form = QFormLayout(self)
        self.form.setContentsMargins(4, 14, 4, 4)
        self.form.setHorizontalSpacing(14)
        self.form.setVerticalSpacing(10)
        self.form.setFieldGrowthPolicy(QFormLayout.ExpandingFieldsGrow)

    def values(self) -> Values:
        """What is chosen now beside what was before."""
        raise NotImplementedError

    def secrets(self) -> dict[str, str]:
        """Passwords that were typed, by the name of their file."""
        return {}

    def opens_to_network(self) -> str:
        """What saving opens to the network that was not open before, empty for nothing."""
        return ""

    def add_row(self, label: str, field: QWidget | QLayout) -> None:
        """One line."""
        caption = plain_label(label, "dim")
        self.form.addRow(caption, field)
        if isinstance(field, QWidget):
            caption.setBuddy(field)
            field.setAccessibleName(label)

    def add_wide(self, item: QWidget | QLayout) -> None:
        """Something over the whole width."""
        self.form.addRow(item)

    def add_words(self, text: str) -> None:
        """A sentence about the line above."""
        self.form.addRow(plain_label(text, "dim", wrap=True))

    def line(self, label: str, text: str, hint: str = "", most: int = 1024) -> QLineEdit:
        """A field of text."""
        field = QLineEdit(text)
        field.setMaxLength(most)
        field.setPlaceholderText(hint)
        self.add_row(label, field)
        return field

    def box(self, text: str, is_checked: bool) -> QCheckBox:
        """A box to check."""
        box = QCheckBox(text)
        box.setChecked(is_checked)
        self.form.addRow(box)
        return box

    def choice(self, label: str, choices: Sequence[tuple[object, str]], value: object) -> ChoiceBox:
        """One of some."""
        box = ChoiceBox()
        for key, title in choices:
            box.addItem(title, key)
        box.setCurrentIndex(max(0, box.findData(value)))
        self.add_row(label, box)
        return box

    def severity(self, label: str, value: AlarmSeverity | None, *, has_never: bool = False) -> ChoiceBox:
        """From which severity on."""
        choices: list[tuple[object, str]] = [(NEVER, _("never"))] if has_never else []
        choices += [(severity.value, _(title)) for severity, title in SEVERITIES]
        return self.choice(label, choices, value.value if value is not None else NEVER)

    def number(self, label: str, value: int, least: int, most: int) -> QSpinBox:
        """A whole number."""
        box = QSpinBox()
        box.setRange(least, most)
        box.setButtonSymbols(QAbstractSpinBox.NoButtons)
        box.setValue(value)
        self.add_row(label, box)
        return box


def checked_listen(field: QLineEdit) -> str:
    """The address of a field; raises WrongFieldError where nothing can listen there."""
    text = field.text().strip()
    error = listen_error(text)
    if error:
        raise WrongFieldError(field, error)
    return text


class SensorsTab(PreferenceTab):
    """The intake of sensors."""

    def __init__(self, config: Config, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = _("Sensors")
        self._before = before = config.sensors
        self.enabled = self.box(_("Take in what sensors send"), before.enabled)
        self.listen = self.line(_("Listen on"), before.listen, "127.0.0.1:17452", 80)
        self.add_words(_("127.0.0.1 is this machine only, 0.0.0.0 the network; the number is the port."))
        self.allow = self.line(
            _("Allowed addresses"), ", ".join(before.allow), _("everybody; or such as 10.0.1.0/24, 10.0.2.7"), 8000
        )
        self.file = self.line(_("Text file"), before.file or "", _("none; or such as donnees.txt"))
        self.add_words(_("The file gets one line a measure, beside the database."))
        self.links = self.number(_("Links at most"), before.links, 1, 100_000)
        rate = "" if before.rate_per_s is None else f"{before.rate_per_s:g}"
        self.rate = self.line(_("Messages a second of one link"), rate, _("as many as it sends"), 16)

    def values(self) -> Values:
        """Settings of the intake."""
        before = self._before
        listen = checked_listen(self.listen)
        allow, error = addresses(self.allow.text())
        if error:
            raise WrongFieldError(self.allow, error)
        try:
            rate = decimal(self.rate, _("Messages a second of one link"))
        except NotANumberError as number_error:
            raise WrongFieldError(self.rate, str(number_error)) from number_error
        if rate is not None and not 0 < rate <= 1_000_000:
            raise WrongFieldError(self.rate, _("The rate must be between 0 and a million a second, or empty."))
        return {
            "sensors.enabled": (self.enabled.isChecked(), before.enabled),
            "sensors.listen": (listen, before.listen),
            "sensors.allow": (list(allow) or None, list(before.allow) or None),
            "sensors.file": (self.file.text().strip() or None, before.file),
            "sensors.links": (self.links.value(), before.links),
            "sensors.rate_per_s": (rate, before.rate_per_s),
        }

    def opens_to_network(self) -> str:
        """Strangers could send values."""
        is_open = self.enabled.isChecked() and is_network(self.listen.text().strip())
        if not is_open or (self._before.enabled and is_network(self._before.listen)):
            return ""
        return _("Every machine that reaches this one could then send values: sensors show no password.")


class RoomTab(PreferenceTab):
    """The operators' room."""

    def __init__(self, config: Config, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = _("Room")
        self._before = before = config.room
        self.enabled = self.box(_("Open the room"), before.enabled)
        self.listen = self.line(_("Listen on"), before.listen, "127.0.0.1:17453", 80)
        self.add_words(_("127.0.0.1 is this machine only, 0.0.0.0 the network; the number is the port."))
        self.stop_word = self.line(_("Stop word"), before.stop_word or "", _("none: nobody from outside ends it"), 64)
        self.post_alarms = self.severity(_("Post alarms from"), before.post_alarms, has_never=True)
        self.post_commands = self.box(_("Post commands that have ended"), before.post_commands)

    def values(self) -> Values:
        """Settings of the room."""
        before = self._before
        return {
            "room.enabled": (self.enabled.isChecked(), before.enabled),
            "room.listen": (checked_listen(self.listen), before.listen),
            "room.stop_word": (self.stop_word.text().strip() or None, before.stop_word),
            "room.post_alarms": (
                self.post_alarms.currentData(),
                before.post_alarms.value if before.post_alarms is not None else NEVER,
            ),
            "room.post_commands": (self.post_commands.isChecked(), before.post_commands),
        }

    def opens_to_network(self) -> str:
        """Strangers could join."""
        is_open = self.enabled.isChecked() and is_network(self.listen.text().strip())
        if not is_open or (self._before.enabled and is_network(self._before.listen)):
            return ""
        return _("Every machine that reaches this one could then join, read and speak: the room asks for no password.")
