"""The card of answers: gathered, by machine or as a table, with what to try before the first command."""

from __future__ import annotations

import time

from PyQt5.QtCore import QModelIndex, QSize, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QGuiApplication
from PyQt5.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from core.language import N_, _
from gui.models.answer_text import Gathered, machine_sections, plain_answers, run_title
from gui.models.answers import AnswersTable, Run
from gui.models.command_line import EXAMPLES
from gui.widgets.answers_view import AnswersView
from gui.widgets.card import Card
from gui.widgets.flow_layout import FlowLayout
from gui.widgets.labels import ElidedLabel, plain_label
from gui.widgets.row_table import RowTable

SHORTEST_WAIT_MS = 100
"""Ten times a second at most, and less often where one time costs more."""

VIEWS = (N_("Gathered"), N_("By machine"), N_("Table"))
GATHERED, BY_MACHINE, TABLE = range(3)


class AnswersCard(Card):
    """Shows one run at a time; `refreshed` follows each time the screen was brought up to date."""

    example_wanted = pyqtSignal(str)
    add_machine_wanted = pyqtSignal()
    refreshed = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(_("Answers"), parent)
        self._run: Run | None = None
        self._shown: tuple[object, ...] = ()
        self._gathered = Gathered()
        self._unfolded: frozenset[str] = frozenset()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.refresh)
        self.text = AnswersView(self)
        self.text.setAccessibleName(_("Answers"))
        self.text.activated.connect(self._on_activated)
        self.model = AnswersTable(self)
        self.table = _answers_table(self.model, self)
        self.table.opened.connect(self._on_row_opened)
        self.empty = _Empty(self)
        self.empty.example_wanted.connect(self.example_wanted)
        self.empty.add_machine_wanted.connect(self.add_machine_wanted)
        self._line = QWidget(self)
        line = QHBoxLayout(self._line)
        line.setContentsMargins(0, 0, 0, 0)
        self._title_of_run = ElidedLabel("dim", self)
        line.addWidget(self._title_of_run, 1)
        self._copy = QPushButton(_("Copy all"), self)
        self._copy.clicked.connect(self.copy_all)
        line.addWidget(self._copy)
        self.body.addWidget(self._line)
        self._stack = QStackedWidget(self)
        for widget in (self.empty, self.text, self.table):
            self._stack.addWidget(widget)
        self.body.addWidget(self._stack)
        self._views = QButtonGroup(self)
        self._switch = QWidget(self)
        row = QHBoxLayout(self._switch)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        for place, label in enumerate(VIEWS):
            button = QPushButton(_(label), self)
            button.setCheckable(True)
            button.setChecked(place == GATHERED)
            self._views.addButton(button, place)
            row.addWidget(button)
        self.add_to_title(self._switch)
        self._views.idToggled.connect(self._on_view_chosen)
        self._apply_stack()

    def sizeHint(self) -> QSize:
        """Wide enough for a listing."""
        return QSize(640, 420)

    @property
    def run(self) -> Run | None:
        """The run shown."""
        return self._run

    def view(self) -> int:
        """GATHERED, BY_MACHINE or TABLE."""
        return self._views.checkedId()

    def set_view(self, view: int) -> None:
        """Choose how answers are shown."""
        button = self._views.button(view)
        if button is not None:
            button.setChecked(True)

    def set_has_machines(self, has_machines: bool) -> None:
        """What the empty card proposes: a first command, or a first machine."""
        self.empty.set_has_machines(has_machines)

    def show_run(self, run: Run | None) -> None:
        """Show another run from now on."""
        self._run = run
        self._unfolded = frozenset()
        self._apply_stack()
        self.refresh()
        self.text.go_to_top()

    def wake(self) -> None:
        """Something came: bring the screen up to date soon."""
        if not self._timer.isActive():
            self._timer.start(SHORTEST_WAIT_MS)

    def refresh(self) -> None:
        """Bring the screen up to date now; while the run goes on, again soon."""
        self._timer.stop()
        run = self._run
        if run is None:
            return
        started = time.perf_counter()
        now_s = time.monotonic()
        self._title_of_run.set_text(run_title(run))
        if self.view() == TABLE:
            self.model.apply(run)
        elif self.view() == BY_MACHINE:
            self.text.apply(machine_sections(run, now_s, self._unfolded))
        else:
            self._gathered.update(run)
            self.text.apply(self._gathered.sections(run, now_s, self._unfolded))
        self.refreshed.emit()
        if run.is_running:
            cost_ms = (time.perf_counter() - started) * 1000
            self._timer.start(max(SHORTEST_WAIT_MS, int(cost_ms * 5)))

    def copy_all(self) -> None:
        """Put all answers into the clipboard, whole."""
        if self._run is not None:
            _copy(plain_answers(self._run))

    def _apply_stack(self) -> None:
        has_run = self._run is not None
        for widget in (self._switch, self._line):
            widget.setVisible(has_run)
        self._stack.setCurrentIndex(0 if not has_run else 2 if self.view() == TABLE else 1)

    def _on_view_chosen(self, _view: int, is_checked: bool) -> None:
        if is_checked:
            self._apply_stack()
            self.refresh()

    def _on_activated(self, anchor: str) -> None:
        verb, _space, key = anchor.partition(" ")
        if verb == "copy":
            _copy(key)
        elif verb == "fold":
            self._unfolded = self._unfolded ^ {key}
            self.refresh()

    def _on_row_opened(self, index: QModelIndex) -> None:
        name = self.model.machine_at(index)
        self.set_view(BY_MACHINE)
        self.text.go_to(f"machine {name}")


class _Empty(QWidget):
    """Before the first command: one sentence, and what one can do."""

    example_wanted = pyqtSignal(str)
    add_machine_wanted = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sentence = plain_label("", wrap=True)
        self._sentence.setAlignment(Qt.AlignHCenter)
        self._hint = plain_label("", "dim", wrap=True)
        self._hint.setAlignment(Qt.AlignHCenter)
        self.add = QPushButton(_("Add a machine…"))
        self.add.setProperty("role", "primary")
        self.add.clicked.connect(self.add_machine_wanted)
        self._examples = QWidget()
        flow = FlowLayout(self._examples)
        self.examples: list[QPushButton] = []
        for line in EXAMPLES:
            button = QPushButton(line)
            button.setObjectName("example")
            button.clicked.connect(lambda _checked=False, line=line: self.example_wanted.emit(line))
            self.examples.append(button)
            flow.addWidget(button)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self._examples)
        row.addWidget(self.add)
        row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.addStretch(2)
        layout.addWidget(self._sentence)
        layout.addWidget(self._hint)
        layout.addSpacing(8)
        layout.addLayout(row)
        layout.addStretch(3)
        self.set_has_machines(False)

    def set_has_machines(self, has_machines: bool) -> None:
        """Which of the two it is."""
        self.add.setVisible(not has_machines)
        self._examples.setVisible(has_machines)
        if has_machines:
            self._sentence.setText(_("No command sent yet: choose the machines, then a button above, or type."))
            self._hint.setText(_("Every agent allows lines like these:"))
        else:
            self._sentence.setText(_("Commands go to machines, and there is none yet."))
            self._hint.setText("")


def _answers_table(model: AnswersTable, parent: QWidget) -> RowTable:
    table = RowTable(model, _("Answers, one row for each machine"), parent)
    columns = table.horizontalHeader()
    if columns is not None:
        columns.setSectionResizeMode(len(AnswersTable.HEADERS) - 1, QHeaderView.Stretch)
        for column, width in enumerate((130, 105, 60, 75)):
            columns.resizeSection(column, width)
        columns.setSortIndicator(-1, Qt.AscendingOrder)
    table.setSortingEnabled(True)
    return table


def _copy(text: str) -> None:
    clipboard = QGuiApplication.clipboard()
    if clipboard is not None:
        clipboard.setText(text)
