"""The card of answers: gathered, by machine or as a table, with what to try before the first command."""

from __future__ import annotations

import time

from PyQt5.QtCore import QModelIndex, QPoint, QSize, Qt, QTimer, pyqtSignal
from PyQt5.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QStackedWidget,
    QWidget,
)

from core.language import N_, _
from gui.models.answer_lines import Section, Shown, holds
from gui.models.answer_text import ByMachine, Gathered, plain_answers, run_title
from gui.models.answers import Run
from gui.models.answers_table import AnswersTable
from gui.widgets.answers_empty import NoAnswers
from gui.widgets.answers_line import AnswersLine
from gui.widgets.answers_menu import answers_menu, copy_text
from gui.widgets.answers_view import AnswersView
from gui.widgets.card import Card
from gui.widgets.labels import ElidedLabel
from gui.widgets.row_table import RowTable

SHORTEST_WAIT_MS = 250
"""Four times a second at most, and less often where one time costs more."""
SEARCH_WAIT_MS = 200
BUDGET_S = 0.004
"""So long each step (gather, make lines, put them into the text) goes on before the window has its turn."""
AGAIN_MS = 20

VIEWS = (N_("Gathered"), N_("By machine"), N_("Table"))
GATHERED, BY_MACHINE, TABLE = range(3)


class AnswersCard(Card):
    """Shows one run at a time; `refreshed` follows each time the screen was brought up to date."""

    example_wanted = pyqtSignal(str)
    add_machine_wanted = pyqtSignal()
    refreshed = pyqtSignal()
    cancel_wanted = pyqtSignal(object, list)
    """A run, and those of its machines on which it shall end."""
    targets_wanted = pyqtSignal(list)
    again_wanted = pyqtSignal(object, list)
    """A run, and the machines on which its line shall run again."""
    save_wanted = pyqtSignal(object, str)
    """A run, and the kind of file."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(_("Answers"), parent)
        self._run: Run | None = None
        self._gathered = Gathered()
        self._by_machine = ByMachine()
        self._shown = Shown()
        self._found: dict[str, tuple[tuple[int, str] | None, bool]] = {}
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.refresh_soon)
        self._searching = QTimer(self)
        self._searching.setSingleShot(True)
        self._searching.setInterval(SEARCH_WAIT_MS)
        self._searching.timeout.connect(self._on_search_settled)
        self.text = AnswersView(self)
        self.text.setAccessibleName(_("Answers"))
        self.text.activated.connect(self._on_activated)
        self.text.menu_wanted.connect(self._on_menu_wanted)
        self.model = AnswersTable(self)
        self.table = _answers_table(self.model, self)
        self.table.opened.connect(self._on_row_opened)
        self.table.setContextMenuPolicy(Qt.CustomContextMenu)
        self.table.customContextMenuRequested.connect(self._on_table_menu)
        self.empty = NoAnswers(self)
        self.empty.example_wanted.connect(self.example_wanted)
        self.empty.add_machine_wanted.connect(self.add_machine_wanted)
        self.line = AnswersLine(self)
        self.line.copy_wanted.connect(self.copy_all)
        self.line.save_wanted.connect(self._on_save)
        self.line.again_wanted.connect(self._on_again)
        self.line.differences_toggled.connect(self._on_differences)
        self.search = self.line.search
        self._title_of_run = ElidedLabel("dim", self)
        self._build()
        self._apply_stack()

    def _build(self) -> None:
        self.body.addWidget(self.line)
        self._stack = QStackedWidget(self)
        for widget in (self.empty, self.text, self.table):
            self._stack.addWidget(widget)
        self.body.addWidget(self._stack)
        self.search.textChanged.connect(self._searching.start)
        self.add_to_title(self._title_of_run, 100)
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
        self._shown = self._shown._replace(unfolded=frozenset())
        self._apply_stack()
        self._refresh(BUDGET_S)
        self.text.go_to_top()

    def wake(self) -> None:
        """Something came: bring the screen up to date soon."""
        if not self._timer.isActive():
            self._timer.start(SHORTEST_WAIT_MS)

    def refresh(self) -> None:
        """Bring the screen up to date now, whatever it costs."""
        self._refresh(None)
        self.text.settle()

    def refresh_soon(self) -> None:
        """Begin to bring the screen up to date now, without keeping the window busy."""
        self._refresh(BUDGET_S)

    def copy_all(self) -> None:
        """Put all answers into the clipboard, whole."""
        if self._run is not None:
            copy_text(plain_answers(self._run))

    def _refresh(self, budget_s: float | None) -> None:
        """Bring the screen up to date; while the run goes on, or something is left to do, again soon."""
        self._timer.stop()
        run = self._run
        if run is None:
            return
        started_s = time.perf_counter()
        now_s = time.monotonic()
        self.line.show_run(run)
        self._title_of_run.set_text(run_title(run))
        is_done = True
        if self.view() == TABLE:
            self.model.apply(run, self._found_in(run))
        elif self.view() == BY_MACHINE:
            self.text.apply(self._by_machine.sections(run, now_s, self._shown, budget_s), budget_s)
            is_done = self._by_machine.is_whole
        else:
            is_done = self._gathered.update(run, budget_s)
            self.text.apply(self._gathered.sections(run, now_s, self._shown, budget_s), budget_s)
            is_done = is_done and self._gathered.is_whole
        self.refreshed.emit()
        cost_ms = int((time.perf_counter() - started_s) * 1000)
        if not is_done:
            self._timer.start(max(AGAIN_MS, cost_ms))
        elif run.is_running:
            self._timer.start(max(SHORTEST_WAIT_MS, cost_ms * 5))

    def _found_in(self, run: Run) -> frozenset[str] | None:
        """Machines whose row holds what is searched for; None without a search."""
        search = self._shown.search
        if not search:
            return None
        known, self._found = self._found, {}
        for name in run.request.machines:
            result = run.results.get(name)
            key = (id(result), search)
            is_found = known.get(name, (None, False))
            if is_found[0] != key:
                texts = (name,) if result is None else (name, result.message or "", result.stdout, result.stderr)
                is_found = key, any(holds(text, search) for text in texts)
            self._found[name] = is_found
        return frozenset(name for name, (_key, is_found) in self._found.items() if is_found)

    def _apply_stack(self) -> None:
        has_run = self._run is not None
        for widget in (self._switch, self.line, self._title_of_run):
            widget.setVisible(has_run)
        self.line.differences.setEnabled(self.view() == GATHERED)
        self._stack.setCurrentIndex(0 if not has_run else 2 if self.view() == TABLE else 1)

    def _on_view_chosen(self, _view: int, is_checked: bool) -> None:
        if is_checked:
            self._apply_stack()
            self.refresh_soon()

    def _on_search_settled(self) -> None:
        self._shown = self._shown._replace(search=self.search.text().strip())
        self.refresh_soon()

    def _on_differences(self, is_on: bool) -> None:
        kept = frozenset(key for key in self._shown.unfolded if not key.startswith("whole "))
        self._shown = self._shown._replace(as_difference=is_on, unfolded=kept)
        self.refresh_soon()

    def _on_activated(self, anchor: str) -> None:
        verb, _space, key = anchor.partition(" ")
        if verb == "copy":
            copy_text(key)
        elif verb == "cancel":
            self.cancel_wanted.emit(self._run, [key])
        elif verb == "fold":
            self._shown = self._shown._replace(unfolded=self._shown.unfolded ^ {key})
            self.refresh_soon()

    def _on_save(self, kind: str) -> None:
        if self._run is not None:
            self.save_wanted.emit(self._run, kind)

    def _on_again(self, names: list[str]) -> None:
        if self._run is not None:
            self.again_wanted.emit(self._run, names)

    def _on_row_opened(self, index: QModelIndex) -> None:
        name = self.model.machine_at(index)
        self.set_view(BY_MACHINE)
        self.refresh()
        self.text.go_to(f"machine {name}")

    def _on_menu_wanted(self, section: Section | None, where: QPoint) -> None:
        if section is not None and section.machines:
            self._open_menu(section.machines, where, has_selection=self.text.textCursor().hasSelection())

    def _on_table_menu(self, place: QPoint) -> None:
        selection, viewport = self.table.selectionModel(), self.table.viewport()
        if selection is not None and viewport is not None and selection.hasSelection():
            names = [self.model.machine_at(index) for index in selection.selectedRows()]
            self._open_menu(names, viewport.mapToGlobal(place), has_selection=False)

    def _open_menu(self, names: tuple[str, ...] | list[str], where: QPoint, *, has_selection: bool) -> None:
        run = self._run
        if run is None:
            return
        menu = answers_menu(
            self,
            run,
            names,
            cancel=lambda chosen: self.cancel_wanted.emit(run, chosen),
            use=self.targets_wanted.emit,
            again=lambda chosen: self.again_wanted.emit(run, chosen),
        )
        menu.setAttribute(Qt.WA_DeleteOnClose)
        if has_selection:
            first = menu.actions()[0]
            copy = menu.addAction(_("Copy what is selected"))
            copy.triggered.connect(self.text.copy)
            menu.insertAction(first, copy)
        menu.popup(where)


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
