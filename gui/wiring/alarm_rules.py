"""The desk of alarm rules: shows them, tries them on the past, writes them, and has everything follow them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec.structs import replace
from PyQt5.QtCore import QObject

from core.alarms.rules import DEFAULT_RULES, effective_rules, fits, looks_at
from core.config import remove_table, save_table
from core.errors import BeffroiError, StoreError
from core.language import _
from core.records import SeriesPoints
from core.requests import ReloadRequest
from core.site_records import Alarm, AlarmRule, AlarmSeverity, RuleKind
from gui.dialogs.alarm_rule import RuleDialog
from gui.dialogs.alarm_rules import RulesDialog
from gui.dialogs.base import ask
from gui.main_window import MainWindow
from gui.models import alarm_words as words
from gui.models import thresholds
from gui.models.rules import source_words
from gui.pages.alarms import AlarmsPage
from gui.runtime.services import Services

if TYPE_CHECKING:
    from core.store.history import History

MOST_SERIES = 500
PREVIEW_POINTS = 4_000
FINE_POINTS = 100_000
"""A silence is seen between single values only."""

_SILENT_FIELDS = {"machine": "cpu_percent", "meter": "active_power_w", "check": "latency_ms"}


class RuleDesk(QObject):
    """Serves the rules of one window at a time; `sources` gives what a rule can be for."""

    def __init__(self, services: Services, sources: Callable[[], list[str]], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._sources = sources
        self._window: MainWindow | None = None
        self._list: RulesDialog | None = None
        self._editor: RuleDialog | None = None

    def attach(self, window: MainWindow, page: AlarmsPage) -> None:
        """Serve this window."""
        self._window, self._list, self._editor = window, None, None
        page.rules_wanted.connect(self.open_rules)

    def rules(self) -> tuple[AlarmRule, ...]:
        """The rules that hold."""
        config = self._services.config
        return effective_rules(config.alarms.rules, config.sensor_list)

    def apply_config(self) -> None:
        """The settings may have changed: bars, shapes and the open dialog follow."""
        rules = self.rules()
        thresholds.use_rules(rules)
        if self._list is not None:
            self._list.apply_rules(rules, self._services.config.alarms.rules)

    def open_rules(self, alarm: Alarm | None = None) -> RulesDialog:
        """The list of rules; that of an alarm is chosen."""
        dialog = RulesDialog(self._window)
        dialog.change_wanted.connect(self.open_change)
        dialog.exception_wanted.connect(self.open_exception)
        dialog.new_wanted.connect(self.open_new)
        dialog.removed.connect(self._on_removed)
        dialog.switched.connect(self._on_switched)
        dialog.finished.connect(self._on_list_closed)
        self._list = dialog
        self.apply_config()
        if alarm is not None:
            found = [rule for rule in self.rules() if rule.name == alarm.rule and fits(rule.source, alarm.source)]
            if found:
                best = max(found, key=lambda rule: len(rule.source))
                dialog.choose(best.name, best.source)
        dialog.open()
        return dialog

    def open_change(self, rule: AlarmRule) -> RuleDialog:
        """Change a rule."""
        return self._open(RuleDialog(rule, self._sources(), parent=self._list or self._window))

    def open_exception(self, rule: AlarmRule) -> RuleDialog:
        """The same rule for one machine, meter, sensor, check or group."""
        dialog = RuleDialog(replace(rule, source=""), self._sources(), parent=self._list or self._window)
        return self._open(dialog)

    def open_new(self) -> RuleDialog:
        """A rule of the user's own."""
        rule = AlarmRule(
            name="",
            kind=RuleKind.ABOVE,
            source="machine/*",
            quantity="memory_percent",
            severity=AlarmSeverity.MEDIUM,
            duration_s=60.0,
        )
        return self._open(RuleDialog(rule, self._sources(), is_new=True, parent=self._list or self._window))

    def _open(self, dialog: RuleDialog) -> RuleDialog:
        dialog.saved.connect(self._on_saved)
        dialog.preview.series_wanted.connect(self._on_series_wanted)
        dialog.preview.points_wanted.connect(self._on_points_wanted)
        dialog.finished.connect(self._on_editor_closed)
        self._editor = dialog
        dialog.open()
        return dialog

    # Writing

    def _on_saved(self, rule: AlarmRule) -> None:
        dialog = self._editor
        if dialog is None:
            return
        if dialog.is_new and any(one.name == rule.name for one in self.rules()):
            dialog.say(_("There is a rule of this name: choose another name, or change that one."), "warning")
            return
        try:
            save_table(self._services.home, "alarms.rule", rule)
        except BeffroiError as error:
            dialog.say(str(error), "critical")
            return
        dialog.accept()
        self._reload()
        if self._list is not None:
            self._list.choose(rule.name, rule.source)

    def _on_switched(self, rule: AlarmRule, is_enabled: bool) -> None:
        changed = replace(rule, is_enabled=is_enabled)
        if changed in DEFAULT_RULES:
            self._remove(rule)
        else:
            self._write(lambda: save_table(self._services.home, "alarms.rule", changed))

    def _on_removed(self, rule: AlarmRule) -> None:
        text = _("Remove the rule “{name}” for {source}?").format(
            name=words.rule_words(rule.name), source=source_words(rule.source)
        )
        usual = [one for one in DEFAULT_RULES if (one.name, one.source) == (rule.name, rule.source)]
        if usual or ask(self._list or self._window, _("Remove a rule"), text, _("Remove")):
            self._remove(rule)

    def _remove(self, rule: AlarmRule) -> None:
        self._write(lambda: remove_table(self._services.home, "alarms.rule", (rule.name, rule.source)))

    def _write(self, write: Callable[[], None]) -> None:
        try:
            write()
        except BeffroiError as error:
            if self._list is not None:
                self._list.say(str(error), "critical")
            return
        self._reload()

    def _reload(self) -> None:
        self._services.ask(ReloadRequest(operator=self._services.config.operator))
        self.apply_config()
        if self._window is not None:
            self._window.model.rearrange()

    def _on_list_closed(self) -> None:
        self._list = None

    def _on_editor_closed(self) -> None:
        self._editor = None

    # Trying on the past

    def _on_series_wanted(self, request_id: int, rule: AlarmRule) -> None:
        groups = self._groups()

        def read(history: History) -> list[str]:
            found = [one.name for one in history.series() if _is_about(rule, one.name, groups)]
            return found[:MOST_SERIES]

        def done(names: list[str]) -> None:
            if self._editor is not None:
                self._editor.preview.apply_series(request_id, names)

        self._services.query(read, done, lambda _error: done([]))

    def _on_points_wanted(self, request_id: int, name: str, start_s: float, end_s: float) -> None:
        rule = self._editor.preview.current_rule if self._editor is not None else None
        is_silence = rule is not None and rule.kind in (RuleKind.SILENT, RuleKind.OFFLINE)
        most = FINE_POINTS if is_silence else PREVIEW_POINTS
        if is_silence:
            start_s = max(start_s, time.time() - 86_400)

        def read(history: History) -> SeriesPoints | None:
            try:
                return history.points(name, start_s, end_s, max_points=most)
            except StoreError:
                return None

        def done(points: SeriesPoints | None) -> None:
            if self._editor is not None:
                self._editor.preview.apply_points(request_id, points)

        self._services.query(read, done, lambda _error: done(None))

    def _groups(self) -> dict[str, frozenset[str]]:
        found: dict[str, frozenset[str]] = {}
        if self._window is not None:
            for row in self._window.model.rows():
                found[f"machine/{row.name}"] = frozenset(row.machine.groups)
        for check in self._services.config.checks:
            found[f"check/{check.name}"] = frozenset(check.groups)
        return found


def _is_about(rule: AlarmRule, name: str, groups: dict[str, frozenset[str]]) -> bool:
    """True for a series that a rule looks at; for silence and absence one series of each source."""
    source, _slash, quantity = name.rpartition("/")
    if not fits(rule.source, source, groups.get(source, frozenset())):
        return False
    if rule.kind in (RuleKind.SILENT, RuleKind.OFFLINE):
        usual = _SILENT_FIELDS.get(words.source_kind(source))
        return usual is None or quantity == usual
    return looks_at(rule, quantity)
