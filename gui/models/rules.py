"""The rules that hold, in a table: what each is for, when it rings, and where it comes from."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import QModelIndex, QObject, Qt

from core.alarms.rules import default_of, is_default
from core.alarms.texts import duration_text, unit_of
from core.language import N_, _
from core.site_records import AlarmRule, Maintenance, RuleKind
from gui import numbers
from gui.models import alarm_words as words
from gui.models.rows import RowsModel
from gui.plain_text import one_line, plain_tip
from gui.theme import theme

COLUMNS = (N_("Rule"), N_("For"), N_("Rings"), N_("Severity"), N_("From"))
NAME, SOURCE, CONDITION, SEVERITY, ORIGIN = range(len(COLUMNS))


def source_words(source: str) -> str:
    """A source or pattern for people: `all machines`, `machines in core`, `machine web-01`."""
    if source.startswith("@"):
        return _("group {name}").format(name=one_line(source[1:]))
    kind, _slash, name = source.partition("/")
    if name == "*":
        return {
            "machine": _("all machines"),
            "meter": _("all meters"),
            "sensor": _("all sensors"),
            "check": _("all checks"),
        }.get(kind, one_line(source))
    return f"{words.kind_word(kind)} {one_line(name)}" if name else one_line(source)


def condition_words(rule: AlarmRule) -> str:
    """When a rule rings: `above 90 % for 5 min`."""
    unit = unit_of(rule.quantity)
    high, low = words.value_text(rule.high, unit), words.value_text(rule.low, unit)
    if rule.kind is RuleKind.OFFLINE:
        if rule.source.startswith("@"):
            text = _("offline, or a check that fails")
        else:
            text = _("a check that fails") if rule.source.startswith("check/") else _("offline")
    elif rule.kind is RuleKind.SILENT:
        return _("nothing for {duration}").format(duration=duration_text(rule.duration_s))
    elif rule.kind is RuleKind.ABOVE:
        text = _("above {high}").format(high=high)
    elif rule.kind is RuleKind.BELOW:
        text = _("below {low}").format(low=low)
    elif rule.kind is RuleKind.OUTSIDE:
        text = _("outside {low} to {high}").format(low=low, high=high)
        if not low or not high:
            text = _("above {high}").format(high=high) if high else _("below {low}").format(low=low)
    else:
        sides = [_("rises by {high}").format(high=high)] if high else []
        sides += [_("falls by {low}").format(low=low)] if low else []
        text = _("{changes} a minute").format(changes=_(" or ").join(sides))
    if rule.duration_s:
        text = _("{condition} for {duration}").format(condition=text, duration=duration_text(rule.duration_s))
    return text


def origin_words(rule: AlarmRule, *, is_configured: bool) -> str:
    """Where a rule comes from: `default`, `changed`, `yours`, or the settings of its sensor."""
    if not is_configured:
        return _("default") if is_default(rule) else _("sensor")
    usual = default_of(rule.name)
    return _("changed") if usual is not None and usual.source == rule.source else _("yours")


class RuleModel(RowsModel):
    """All rules that hold; one that is switched off is dim, and says so."""

    HEADERS = COLUMNS

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[AlarmRule] = []
        self._configured: set[tuple[str, str]] = set()

    def set_rules(self, rules: Sequence[AlarmRule], configured: Sequence[AlarmRule]) -> None:
        """Show these; `configured` are those of the settings."""
        self.beginResetModel()
        self._rows = list(rules)
        self._configured = {(rule.name, rule.source) for rule in configured}
        self.endResetModel()

    def rule(self, row: int) -> AlarmRule:
        """The rule of a row."""
        return self._rows[row]

    def is_configured(self, rule: AlarmRule) -> bool:
        """True for a rule that the settings say."""
        return (rule.name, rule.source) in self._configured

    def row_of(self, name: str, source: str) -> int | None:
        """The row of a rule by its name and source."""
        found = (row for row, rule in enumerate(self._rows) if (rule.name, rule.source) == (name, source))
        return next(found, None)

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> object:
        """Words; dim where the rule is off."""
        rule, column = self._rows[index.row()], index.column()
        if role == Qt.ForegroundRole:
            return None if rule.is_enabled else theme().color("dim")
        if role == Qt.DisplayRole:
            return (
                words.rule_words(rule.name),
                source_words(rule.source),
                condition_words(rule) if rule.is_enabled else _("off"),
                words.severity_words(rule.severity),
                origin_words(rule, is_configured=self.is_configured(rule)),
            )[column]
        if role == Qt.ToolTipRole:
            return plain_tip(f"{rule.name} · {rule.source} · {rule.quantity}")
        return None


def maintenance_words(one: Maintenance, now_s: float) -> tuple[str, str]:
    """(what and by whom, until when) of a mute or a planned work."""
    what = source_words(one.source)
    who = ": ".join(one_line(part) for part in (one.operator, one.comment) if part)
    if who:
        what = f"{what} · {who}"
    until = numbers.clock(one.end_s)
    if one.start_s > now_s:
        return what, _("from {start} to {end}").format(start=numbers.clock(one.start_s), end=until)
    return what, _("until {end}, {duration} left").format(end=until, duration=numbers.duration(one.end_s - now_s))
