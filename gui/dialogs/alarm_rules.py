"""The rules that hold: switched on and off, changed, made for one machine or group, added, taken back."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QAbstractItemView, QHBoxLayout, QHeaderView, QPushButton, QWidget

from core.alarms.rules import default_of
from core.language import _
from core.site_records import AlarmRule
from gui.dialogs.base import FormDialog
from gui.models.rules import CONDITION, RuleModel
from gui.widgets.labels import plain_label
from gui.widgets.process_table import align_header
from gui.widgets.row_table import RowTable


class RulesDialog(FormDialog):
    """Asks by signals; `apply_rules` tells it what holds now."""

    change_wanted = pyqtSignal(object)
    exception_wanted = pyqtSignal(object)
    new_wanted = pyqtSignal()
    removed = pyqtSignal(object)
    switched = pyqtSignal(object, bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(_("Alarm rules"), None, parent)
        self.setMinimumWidth(820)
        self.add_wide(
            plain_label(
                _("Of rules of one name the most exact one holds: of a machine, then of its group, then of all."),
                "dim",
                wrap=True,
            )
        )
        self.model = RuleModel(self)
        self.table = RowTable(self.model, _("Alarm rules"))
        self.table.setSelectionMode(QAbstractItemView.SingleSelection)
        self.table.setMinimumHeight(360)
        align_header(self.table)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeToContents)
        header.setSectionResizeMode(CONDITION, QHeaderView.Stretch)
        self.table.opened.connect(lambda _index: self._with_rule(self.change_wanted))
        self.add_wide(self.table)
        self.change_button = self._action(_("Change…"), lambda: self._with_rule(self.change_wanted))
        self.exception_button = self._action(
            _("For a machine or group…"), lambda: self._with_rule(self.exception_wanted)
        )
        self.switch_button = self._action(_("Switch off"), self._on_switch)
        self.remove_button = self._action(_("Remove"), lambda: self._with_rule(self.removed))
        self.add_rule_button = self._action(_("New rule…"), self.new_wanted.emit)
        line = QHBoxLayout()
        line.setSpacing(6)
        for button in (self.change_button, self.exception_button, self.switch_button, self.remove_button):
            line.addWidget(button)
        line.addStretch(1)
        line.addWidget(self.add_rule_button)
        self.add_wide(line)
        self.table.selectionModel().selectionChanged.connect(self._on_selection)
        self._on_selection()

    def apply_rules(self, rules: Sequence[AlarmRule], configured: Sequence[AlarmRule]) -> None:
        """These rules hold now, `configured` are those of the settings; the one that was chosen stays chosen."""
        before = self.chosen()
        self.model.set_rules(rules, configured)
        if before is not None:
            self.choose(before.name, before.source)
        self._on_selection()

    def choose(self, name: str, source: str) -> None:
        """Choose a rule by its name and source."""
        row = self.model.row_of(name, source)
        if row is not None:
            self.table.setCurrentIndex(self.model.index(row, 0))
            self.table.scrollTo(self.model.index(row, 0))
            self.table.setFocus(Qt.OtherFocusReason)

    def chosen(self) -> AlarmRule | None:
        """The rule that is chosen."""
        index = self.table.currentIndex()
        return self.model.rule(index.row()) if index.isValid() else None

    def _on_switch(self) -> None:
        rule = self.chosen()
        if rule is not None:
            self.switched.emit(rule, not rule.is_enabled)

    def _with_rule(self, wanted: object) -> None:
        rule = self.chosen()
        if rule is not None:
            wanted.emit(rule)

    def _action(self, text: str, slot: object) -> QPushButton:
        button = QPushButton(text)
        button.setAutoDefault(False)
        button.clicked.connect(lambda _checked: slot())
        return button

    def _on_selection(self) -> None:
        rule = self.chosen()
        for button in (self.change_button, self.exception_button, self.switch_button):
            button.setEnabled(rule is not None)
        is_on = rule is None or rule.is_enabled
        self.switch_button.setText(_("Switch off") if is_on else _("Switch on"))
        usual = default_of(rule.name) if rule is not None else None
        is_changed_default = rule is not None and usual is not None and usual.source == rule.source
        self.remove_button.setText(_("Back to the default") if is_changed_default else _("Remove"))
        self.remove_button.setEnabled(rule is not None and self.model.is_configured(rule))
