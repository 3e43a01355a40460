"""Audit log…: what was commanded and paired, from this console and on this machine, and whether the record is whole."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from PyQt5.QtCore import Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QGuiApplication
from PyQt5.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from core.audit import AuditEntry, AuditFilter, Verdict, verdict_text
from core.language import N_, _, ngettext
from gui import numbers
from gui.models.audit_rows import EVENTS, LOGS, AuditRowsModel, said
from gui.plain_text import printable
from gui.widgets.card import Card
from gui.widgets.choice_box import ChoiceBox
from gui.widgets.empty_state import EmptyState
from gui.widgets.labels import plain_label, set_role
from gui.widgets.process_table import align_header
from gui.widgets.row_table import RowTable

MOST_SHOWN = 10_000
_DAY_S = 86_400.0
_SPANS = ((None, N_("All times")), (1, N_("Last 24 hours")), (7, N_("Last 7 days")), (31, N_("Last 31 days")))
_FILTER_AFTER_MS = 350
_WIDTHS = (160, 140, 94, 90, 100, 232, 92)


class AuditLogWindow(QDialog):
    """A window of its own; asks by signals and is told by `apply…`. Reading and checking happen elsewhere.

    `wanted(filter, log)` asks for the newest entries, `log` "" means both; `verify_wanted` for a check of all logs,
    `export_wanted(path, filter, log)` for a file.
    """

    wanted = pyqtSignal(object, str)
    verify_wanted = pyqtSignal()
    export_wanted = pyqtSignal(object, object, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.Window)
        self.setAttribute(Qt.WA_DeleteOnClose)
        self.setWindowTitle(_("Audit log"))
        self.resize(1160, 680)
        self._hashes: list[str] = []
        self.log = _choice(_("Log"), [("", _("Both logs")), *((key, _(words)) for key, words in LOGS)])
        self.event = _choice(_("Event"), [("", _("All events")), *((key, _(words)) for key, words in EVENTS)])
        self.span = _choice(_("When"), [(days, _(words)) for days, words in _SPANS])
        self.machine, self.operator, self.text = QLineEdit(), QLineEdit(), QLineEdit()
        for field, name in (
            (self.machine, _("Machine, such as web-*")),
            (self.operator, _("Operator")),
            (self.text, _("Text anywhere")),
        ):
            field.setPlaceholderText(name)
            field.setAccessibleName(name)
            field.setClearButtonEnabled(True)
            field.setMaxLength(256)
            field.textChanged.connect(lambda _text: self._delay.start())
        line = QHBoxLayout()
        line.setSpacing(8)
        for box in (self.log, self.event, self.span):
            box.currentIndexChanged.connect(lambda _row: self._delay.start())
            line.addWidget(box)
        for field in (self.machine, self.operator, self.text):
            line.addWidget(field, 1)
        self.model = AuditRowsModel(self)
        self.view = RowTable(self.model, _("Entries of the audit log"))
        self.view.setVerticalScrollMode(QAbstractItemView.ScrollPerPixel)
        self.view.setSelectionMode(QAbstractItemView.ExtendedSelection)
        align_header(self.view)
        header = self.view.horizontalHeader()
        header.setStretchLastSection(True)
        for column, width in enumerate(_WIDTHS):
            header.resizeSection(column, width)
        self.empty = EmptyState(_("reading…"))
        self._card = Card(_("Entries"))
        self._pane = QStackedLayout()
        self._pane.addWidget(self.empty)
        self._pane.addWidget(self.view)
        self._card.body.addLayout(self._pane, 1)
        self._words = plain_label("", wrap=True, selectable=True)
        self._words.setAccessibleName(_("What happens"))
        self._progress = QProgressBar()
        self._progress.setRange(0, 0)
        self._progress.setTextVisible(False)
        self._progress.hide()
        self.verify_button = self._button(_("Verify"), self._on_verify)
        self.verify_button.setToolTip(_("Checks that no line of the logs was changed or removed"))
        self.copy_button = self._button(_("Copy the last hashes"), self._on_copy)
        self.copy_button.setToolTip(_("Keep them elsewhere: who can write the logs could write them all anew"))
        self.copy_button.setEnabled(False)
        self.copy_rows_button = self._button(_("Copy"), self._on_copy_rows)
        self.export_button = self._button(_("Export…"), self._on_export)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        for button in (self.verify_button, self.copy_button):
            buttons.addWidget(button)
        buttons.addStretch(1)
        for button in (self.copy_rows_button, self.export_button, self._button(_("Close"), self.close)):
            buttons.addWidget(button)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(14, 12, 14, 12)
        outer.setSpacing(10)
        outer.addLayout(line)
        outer.addWidget(self._card, 1)
        outer.addWidget(self._words)
        outer.addWidget(self._progress)
        outer.addLayout(buttons)
        self._delay = QTimer(self)
        self._delay.setSingleShot(True)
        self._delay.setInterval(_FILTER_AFTER_MS)
        self._delay.timeout.connect(self.ask)
        self._show_rows()

    def ask(self) -> None:
        """Ask for the entries that the filters let through."""
        self._set_busy(True)
        self.wanted.emit(self.filter(), str(self.log.currentData()))

    def filter(self) -> AuditFilter:
        """What the fields let through."""
        days = self.span.currentData()
        machine = self.machine.text().strip()
        operator = self.operator.text().strip()
        return AuditFilter(
            event=str(self.event.currentData()),
            machine=_as_pattern(machine),
            operator=_as_pattern(operator),
            text=self.text.text().strip(),
            since_s=time.time() - days * _DAY_S if days else None,
        )

    def apply(self, entries: Sequence[AuditEntry], is_whole: bool) -> None:
        """The entries asked for, newest first; `is_whole` False: older ones are left out."""
        self._set_busy(False)
        self.model.apply(entries)
        self.empty.set_sentence(
            _("Nothing in the logs is like that.")
            if self.filter() != AuditFilter() or self.log.currentData()
            else _("Nothing was recorded yet: each command and each pairing will be here.")
        )
        count = numbers.number(len(entries))
        self._card.set_subtitle(
            ""
            if not entries
            else count
            if is_whole
            else _("the newest {count}; the filters find older ones").format(count=count)
        )
        self._show_rows()

    def apply_verdicts(self, verdicts: Sequence[tuple[str, Verdict]]) -> None:
        """What the check found: the name of each log, and its verdict."""
        self._set_busy(False)
        words = dict(LOGS)
        self._hashes = [f"{name} {verdict.lines} {verdict.last_hash}" for name, verdict in verdicts]
        self.copy_button.setEnabled(bool(self._hashes))
        lines = [
            _("{log}: {verdict}").format(log=_(words.get(name, name)), verdict=verdict_text(verdict))
            for name, verdict in verdicts
        ]
        is_whole = all(verdict.is_whole for _name, verdict in verdicts)
        self.say(
            "\n".join(lines) or _("There is no log yet, so nothing is to be checked."),
            "good" if is_whole else "critical",
        )

    def apply_exported(self, path: Path, count: int) -> None:
        """The file is written."""
        self._set_busy(False)
        text = ngettext("{count} entry exported to {path}", "{count} entries exported to {path}", count)
        self.say(text.format(count=numbers.number(count), path=path))

    def apply_failed(self, reason: str) -> None:
        """Something asked for failed."""
        self._set_busy(False)
        self.say(reason, "critical")

    def say(self, text: str, role: str | None = None) -> None:
        """What happens, or what went wrong."""
        self._words.setText(printable(text))
        set_role(self._words, role)

    def words(self) -> str:
        """What it says."""
        return self._words.text()

    def _button(self, text: str, slot: object) -> QPushButton:
        button = QPushButton(text)
        button.setAutoDefault(False)
        button.clicked.connect(slot)
        return button

    def _set_busy(self, is_busy: bool) -> None:
        self._progress.setVisible(is_busy)

    def _show_rows(self) -> None:
        has_rows = self.model.rowCount() > 0
        self._pane.setCurrentIndex(1 if has_rows else 0)
        for button in (self.copy_rows_button, self.export_button):
            button.setEnabled(has_rows)

    def _on_verify(self) -> None:
        self._set_busy(True)
        self.say(_("checking every line…"))
        self.verify_wanted.emit()

    def _on_copy(self) -> None:
        _to_clipboard("\n".join(self._hashes))
        self.say(_("copied; keep it where those who can write the logs cannot"))

    def _on_copy_rows(self) -> None:
        chosen = sorted({index.row() for index in self.view.selectedIndexes()}) or range(self.model.rowCount())
        lines = ["\t".join(f"{name}={value}" for name, value in said(self.model.entry(row))) for row in chosen]
        _to_clipboard(printable("\n".join(line.replace("\n", " ") for line in lines)))
        self.say(_("copied"))

    def _on_export(self) -> None:
        chosen, _kind = QFileDialog.getSaveFileName(
            self, _("Export"), str(Path.home() / "audit.csv"), _("Tables (*.csv *.xlsx)")
        )
        if chosen:
            path = Path(chosen)
            self._set_busy(True)
            self.say(_("writing the file…"))
            self.export_wanted.emit(
                path if path.suffix else path.with_suffix(".csv"), self.filter(), str(self.log.currentData())
            )


def _as_pattern(text: str) -> str:
    """A part of a name finds it, a pattern means what it says."""
    return text if not text or any(sign in text for sign in "*?[") else f"*{text}*"


def _choice(name: str, choices: Sequence[tuple[object, str]]) -> ChoiceBox:
    box = ChoiceBox()
    box.setAccessibleName(name)
    for value, words in choices:
        box.addItem(words, value)
    return box


def _to_clipboard(text: str) -> None:
    clipboard = QGuiApplication.clipboard()
    if clipboard is not None:
        clipboard.setText(text)
