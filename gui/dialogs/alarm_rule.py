"""One rule of the alarms: what it looks at, when it rings, and when it would have rung."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QCheckBox, QCompleter, QGridLayout, QLineEdit, QWidget

from core.alarms.bells import quantities
from core.alarms.meter_rules import DERIVED
from core.alarms.rules import rule_title
from core.alarms.texts import duration_text, quantity_text, unit_of
from core.language import N_, _
from core.site_records import AlarmRule, AlarmSeverity, RuleKind
from gui.dialogs.base import FormDialog
from gui.models import alarm_words as words
from gui.plain_text import one_line, plain_tip
from gui.widgets.choice_box import ChoiceBox
from gui.widgets.labels import plain_label
from gui.widgets.rule_preview import RulePreview

KINDS = (
    (RuleKind.ABOVE, N_("a value is above")),
    (RuleKind.BELOW, N_("a value is below")),
    (RuleKind.OUTSIDE, N_("a value is outside")),
    (RuleKind.RATE, N_("a value changes in a minute by")),
    (RuleKind.SILENT, N_("nothing comes any more")),
    (RuleKind.OFFLINE, N_("it is offline, or a check fails")),
)
_WITH_HIGH = {RuleKind.ABOVE, RuleKind.OUTSIDE, RuleKind.RATE}
_WITH_LOW = {RuleKind.BELOW, RuleKind.OUTSIDE, RuleKind.RATE}
_WITHOUT_VALUE = {RuleKind.SILENT, RuleKind.OFFLINE}
_UNITS_S = {"": 1.0, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "j": 86_400.0}
_SOURCE = re.compile(r"(@.+|(machine|meter|sensor|check)/.+)")


class RuleDialog(FormDialog):
    """`saved(rule)` when the user agrees; whoever writes it calls `accept`, or `say` with what is wrong.

    `rule` is where the fields begin; with `is_new` its name can be typed, else it is that of the rule.
    """

    saved = pyqtSignal(object)

    def __init__(
        self, rule: AlarmRule, sources: Sequence[str], *, is_new: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(
            _("New rule") if is_new else _("Rule: {name}").format(name=words.rule_words(rule.name)), _("Save"), parent
        )
        self._rule = rule
        self._is_new = is_new
        self.setMinimumWidth(660)
        self.name = QLineEdit(rule.name if is_new else rule_title(rule.name))
        self.name.setReadOnly(not is_new)
        self.name.setMaxLength(64)
        self.name.setPlaceholderText(_("what people call it"))
        self.add_row(_("Name"), self.name)
        self.source = self._field(rule.source, sources)
        self.source.setPlaceholderText(_("machine/NAME, @GROUP, or a pattern such as machine/lab-*"))
        if not is_new:
            self.source.setToolTip(_("Another one makes an exception for it, beside this rule"))
        self.add_row(_("For"), self.source)
        self.kind = ChoiceBox()
        for kind, title in KINDS:
            self.kind.addItem(_(title), kind)
        self.kind.setCurrentIndex(self.kind.findData(rule.kind))
        self.add_row(_("Rings when"), self.kind)
        self.quantity = self._field(rule.quantity, [])
        self.add_row(_("Value"), self.quantity)
        self._make_numbers(rule)
        self.severity = ChoiceBox()
        for severity in AlarmSeverity:
            self.severity.addItem(words.severity_words(severity), severity)
        self.severity.setCurrentIndex(self.severity.findData(rule.severity))
        self.add_row(_("Severity"), self.severity)
        self.enabled = QCheckBox(_("This rule rings"))
        self.enabled.setChecked(rule.is_enabled)
        self.add_row("", self.enabled)
        self.preview = RulePreview()
        self.add_wide(self.preview)
        for field in (self.name, self.source, self.quantity, self.high, self.low, self.hysteresis, self.duration):
            field.textChanged.connect(self._on_changed)
        for box in (self.kind, self.severity):
            box.currentIndexChanged.connect(self._on_changed)
        self._on_changed()

    @property
    def is_new(self) -> bool:
        """True for a rule that is not there yet."""
        return self._is_new

    def rule(self) -> AlarmRule:
        """The rule as typed; raises ValueError with what is wrong with it."""
        name = (self.name.text().strip() if self._is_new else self._rule.name) or ""
        if not name:
            raise ValueError(_("Give the rule a name."))
        source = self.source.text().strip()
        if not _SOURCE.fullmatch(source):
            raise ValueError(_("Say what it is for: machine/NAME, meter/NAME, sensor/ID, check/NAME or @GROUP."))
        kind = self.kind.currentData()
        high = _number(self.high.text()) if kind in _WITH_HIGH else None
        low = _number(self.low.text()) if kind in _WITH_LOW else None
        if kind not in _WITHOUT_VALUE and high is None and low is None:
            raise ValueError(_("Give a limit: a number."))
        if high is not None and low is not None and kind is RuleKind.OUTSIDE and low >= high:
            raise ValueError(_("The lower limit must be below the upper one."))
        duration_s = _seconds(self.duration.text())
        if kind in _WITHOUT_VALUE and duration_s <= 0:
            raise ValueError(_("Say for how long, such as 90 s or 5 min."))
        return AlarmRule(
            name=name,
            kind=kind,
            source=source,
            quantity=(self.quantity.text().strip() or "*") if kind not in _WITHOUT_VALUE else "*",
            high=high,
            low=low,
            hysteresis=abs(_number(self.hysteresis.text()) or 0.0) if kind not in _WITHOUT_VALUE else 0.0,
            duration_s=duration_s,
            severity=self.severity.currentData(),
            is_enabled=self.enabled.isChecked(),
        )

    def on_accept(self) -> None:
        """Tell the rule, or what is wrong with it."""
        try:
            rule = self.rule()
        except ValueError as error:
            self.say(str(error), "warning")
            return
        self.saved.emit(rule)

    def _on_changed(self) -> None:
        kind = self.kind.currentData()
        for widget in (self.quantity, self._numbers):
            widget.setVisible(kind not in _WITHOUT_VALUE)
            label = self.form.labelForField(widget)
            if label is not None:
                label.setVisible(kind not in _WITHOUT_VALUE)
        for field, label, is_there in (
            (self.high, self._high_label, kind in _WITH_HIGH),
            (self.low, self._low_label, kind in _WITH_LOW),
        ):
            field.setVisible(is_there)
            label.setVisible(is_there)
        is_two = kind in _WITH_HIGH and kind in _WITH_LOW
        self._high_label.setText(_("rise of") if kind is RuleKind.RATE else _("above") if is_two else _("limit"))
        self._low_label.setText(_("fall of") if kind is RuleKind.RATE else _("below") if is_two else _("limit"))
        quantity = self.quantity.text().strip()
        self._unit.setText(one_line(unit_of(quantity) or ""))
        self.quantity.setToolTip(plain_tip(quantity_text(quantity, _("the meter"))) if quantity in DERIVED else "")
        self._complete_quantities()
        try:
            rule = self.rule()
        except ValueError:
            self.preview.set_rule(None)
        else:
            self.preview.set_rule(rule)

    def _make_numbers(self, rule: AlarmRule) -> None:
        self._numbers = QWidget()
        grid = QGridLayout(self._numbers)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        self.high, self.low = QLineEdit(_text(rule.high)), QLineEdit(_text(rule.low))
        self.hysteresis = QLineEdit(_text(rule.hysteresis) if rule.hysteresis else "")
        self.hysteresis.setPlaceholderText("0")
        self.hysteresis.setToolTip(_("It is over once the value is so far inside the limit: no ringing on the edge"))
        self._low_label, self._high_label = plain_label("", "dim"), plain_label("", "dim")
        self._unit = plain_label("", "dim")
        for column, widget in enumerate(
            (
                self._low_label,
                self.low,
                self._high_label,
                self.high,
                self._unit,
                plain_label(_("over when inside by"), "dim"),
                self.hysteresis,
            )
        ):
            grid.addWidget(widget, 0, column)
        self.high.setAccessibleName(_("Upper limit"))
        self.low.setAccessibleName(_("Lower limit"))
        self.hysteresis.setAccessibleName(_("Over when inside by"))
        self.add_row(_("Limit"), self._numbers)
        self.duration = QLineEdit(duration_text(rule.duration_s) if rule.duration_s else "")
        self.duration.setPlaceholderText(_("at once; or such as 90 s, 5 min"))
        self.add_row(_("For at least"), self.duration)

    def _field(self, text: str, choices: Sequence[str]) -> QLineEdit:
        field = QLineEdit(text)
        completer = QCompleter(list(choices), self)
        completer.setCaseSensitivity(Qt.CaseInsensitive)
        completer.setFilterMode(Qt.MatchContains)
        completer.popup().setObjectName("completions")
        field.setCompleter(completer)
        return field

    def _complete_quantities(self) -> None:
        kind = self.source.text().partition("/")[0]
        names = sorted(quantities("machine" if kind.startswith("@") else kind)) or ["temperature_c", "humidity_percent"]
        model = self.quantity.completer().model()
        if model.stringList() != names:
            model.setStringList(names)


def _number(text: str) -> float | None:
    """The number typed, with a comma or a point; None for nothing; raises ValueError in words."""
    text = text.strip().replace(",", ".").replace("\u2212", "-")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(_("{text} is no number.").format(text=one_line(text)))
    return value


def _seconds(text: str) -> float:
    """Seconds of `90`, `90 s`, `5 min`, `1 h 30 min`; raises ValueError in words."""
    parts = re.findall(r"([\d.,]+)\s*([a-z]*)", text.lower())
    if re.sub(r"([\d.,]+)\s*([a-z]*)|\s", "", text.lower()) or any(unit not in _UNITS_S for _n, unit in parts):
        raise ValueError(_("{text} is no length of time; type such as 90 s, 5 min or 1 h.").format(text=one_line(text)))
    return sum((_number(number) or 0.0) * _UNITS_S[unit] for number, unit in parts)


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
