"""The Commands page: whom, what, how far, the answers, and all that was sent before.

Nothing but its own user changes whom a command is for. Services are told by signals and answer by `apply…`.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence

from PyQt5.QtCore import QByteArray, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QResizeEvent
from PyQt5.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QSpinBox,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from core.errors import UsageError
from core.gather import fold_names
from core.language import _, ngettext
from core.records import (
    CommandOutput,
    CommandProgress,
    CommandRequest,
    CommandResult,
    CommandRunSummary,
    MachineReport,
    MachineState,
    line_of,
)
from gui.models.answers import Run, counted, monotonic_s
from gui.models.command_line import BUILT_INS, FOLDERS, words_of
from gui.numbers import duration, number
from gui.plain_text import plain_tip
from gui.widgets.answers_card import AnswersCard
from gui.widgets.command_field import CommandField
from gui.widgets.command_history import CommandHistoryCard
from gui.widgets.flow_layout import FlowLayout
from gui.widgets.labels import plain_label
from gui.widgets.segment_bar import ORDER, SegmentBar
from gui.widgets.target_chips import TargetChips

TIMEOUT_S = 30
LONGEST_TIMEOUT_S = 600
RUNS_HELD = 20
SAVED_AFTER_MS = 1500
"""The recorder writes batches of at most a second: then the history holds what has just ended."""

PATIENCE_S = 60.0
"""Seconds beyond the time-out without any news after which the machines still awaited are called unknown."""


class CommandsPage(QWidget):
    """Sends a command to one or two hundred machines and gathers what they answer."""

    send_wanted = pyqtSignal(list, list, float)
    cancel_wanted = pyqtSignal(str)
    history_wanted = pyqtSignal(str)
    run_wanted = pyqtSignal(str)
    add_machine_wanted = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._states: dict[str, MachineState] = {}
        self._groups_of: dict[str, tuple[str, ...]] = {}
        self._runs: OrderedDict[str, Run] = OrderedDict()
        self._queue: deque[tuple[str, ...]] = deque()
        self._queued_to: tuple[str, ...] = ()
        self._lines_in_all = 0
        self._current_id: str | None = None
        self._wanted_id: str | None = None
        self._is_chosen_once = False
        self._is_split_by_user = False
        self.chips = TargetChips(self)
        self.field = CommandField(self)
        self.send_button = QPushButton(self)
        self.cancel_button = QPushButton(_("Cancel"), self)
        self.more_button = QPushButton(_("More"), self)
        self.timeout_box = QSpinBox(self)
        self.several_box = QCheckBox(_("Several lines, each a command of its own"), self)
        self.problem = plain_label("", "warning", self, wrap=True)
        self.bar = SegmentBar(self)
        self.words = plain_label("", "dim", self)
        self.answers = AnswersCard(self)
        self.history = CommandHistoryCard(self)
        self._asking = QTimer(self)
        self._asking.setSingleShot(True)
        self._asking.setInterval(SAVED_AFTER_MS)
        self._asking.timeout.connect(self._on_history_due)
        self._patience = QTimer(self)
        self._patience.setInterval(1000)
        self._patience.timeout.connect(self._on_patience)
        self._build()
        self._connect()
        self._refresh_controls()

    # what services tell

    def set_machines(self, reports: Sequence[MachineReport]) -> None:
        """Take the machines there are; whom the chips mean may change with them, the chips never do."""
        states = {report.machine: report.state for report in reports}
        if states == self._states:
            return
        names_changed = list(states) != list(self._states)
        self._states = states
        if names_changed:
            self._take_machines()
        self._refresh_controls()

    def set_groups(self, groups_of: Mapping[str, Sequence[str]]) -> None:
        """Take the groups of each machine, by its name."""
        taken = {name: tuple(groups) for name, groups in groups_of.items()}
        if taken != self._groups_of:
            self._groups_of = taken
            self._take_machines()

    def set_targets(self, targets: Sequence[str]) -> None:
        """Put `targets` (names, patterns, @groups, `all`) on the chips, because the user asked for them."""
        self._is_chosen_once = True
        self.chips.set_targets(targets)

    def set_command(self, line: str) -> None:
        """Fill in the line, ready to be sent."""
        self.field.set_line(line)
        self.field.setFocus()

    def apply_started(self, request: CommandRequest) -> None:
        """A command goes out: show it from now on."""
        run = Run(request, monotonic_s())
        self._runs[request.id] = run
        while len(self._runs) > RUNS_HELD and not next(iter(self._runs.values())).is_running:
            self._runs.popitem(last=False)
        self._current_id = self._wanted_id = request.id
        self.history.model.apply_live(run.summary())
        self._show(run)
        self._patience.start()

    def apply_output(self, output: CommandOutput) -> None:
        """A piece of what a machine prints."""
        run = self._runs.get(output.id)
        if run is not None:
            run.add_output(output.machine, output.text)
            self._wake(run)

    def apply_progress(self, progress: CommandProgress) -> None:
        """One more result."""
        run = self._runs.get(progress.id)
        if run is None:
            return
        was_running = run.is_running
        run.add_result(progress.result, monotonic_s())
        if was_running and not run.is_running:
            self._end(run)
        else:
            self._wake(run)

    def apply_history(self, summaries: Sequence[CommandRunSummary]) -> None:
        """What the history holds for the search asked for, newest first."""
        self.history.model.apply_saved(summaries)
        if self.answers.run is not None:
            self.history.mark(self.answers.run.request.id)
        self.field.remember([summary.line for summary in reversed(summaries)])

    def apply_run(self, summary: CommandRunSummary, results: Sequence[CommandResult]) -> None:
        """The answers of an older run, asked for by `run_wanted`."""
        if summary.id == self._wanted_id and summary.id not in self._runs:
            self._show(Run.saved(summary, summary.line.split(), results))

    # what the user does

    def send(self) -> None:
        """Send each line typed to the machines of the chips, one line after the other."""
        self.chips.commit()
        lines = self.field.lines()
        names = self.chips.machines()
        try:
            commands = [words_of(line) for line in lines]
        except UsageError as error:
            self._say(_("Not sent: {reason}.").format(reason=error))
            return
        if not names:
            self._say(_("Choose the machines first: a name, a pattern such as srv-*, an @group, or all."))
            self.chips.entry.setFocus()
            return
        if not commands:
            self.field.setFocus()
            return
        self._say("")
        self.field.remember(lines)
        self._queue = deque(commands)
        self._queued_to = names
        self._lines_in_all = len(commands)
        self._send_next()

    def cancel(self) -> None:
        """Stop what is shown where it still runs, else all that runs, and send no further line."""
        self._queue.clear()
        shown = self.answers.run
        running = [run for run in self._runs.values() if run.is_running]
        if shown in running:
            running = [shown]
        for run in running:
            self.cancel_wanted.emit(run.request.id)
        self._refresh_controls()

    def saved_layout(self) -> QByteArray:
        """Where the user has put the splitter; empty where it was never moved."""
        return self._splitter.saveState() if self._is_split_by_user else QByteArray()

    def restore_layout(self, state: QByteArray) -> None:
        """Put the splitter where `saved_layout` found it."""
        self._is_split_by_user = bool(state) and self._splitter.restoreState(state)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Share the width out anew, unless the user has done so."""
        super().resizeEvent(event)
        if not self._is_split_by_user:
            history = max(230, min(340, self.width() * 3 // 10))
            self._splitter.setSizes([self.width() - history, history])

    def _build(self) -> None:
        buttons = QWidget(self)
        flow = FlowLayout(buttons)
        for label, line in BUILT_INS:
            if line == "ps":
                flow.addWidget(self._folder_button())
            button = QPushButton(_(label), buttons)
            button.setToolTip(plain_tip(line))
            button.clicked.connect(lambda _checked=False, line=line: self._on_built_in(line))
            flow.addWidget(button)
        self.send_button.setProperty("role", "primary")
        self.more_button.setCheckable(True)
        self.more_button.setToolTip(_("Time-out, several lines"))
        self.field.setPlaceholderText(_("A command, such as: ls -al /etc"))
        self.field.setAccessibleName(_("Command"))
        self.timeout_box.setRange(1, LONGEST_TIMEOUT_S)
        self.timeout_box.setValue(TIMEOUT_S)
        self.timeout_box.setSuffix(" s")
        self.timeout_box.setButtonSymbols(QSpinBox.NoButtons)
        line = QHBoxLayout()
        line.setSpacing(6)
        for widget in (self.chips, self.field, self.send_button, self.cancel_button, self.more_button):
            line.addWidget(widget, 1 if widget is self.field else 0, Qt.AlignTop)
        self._more = QWidget(self)
        more = QHBoxLayout(self._more)
        more.setContentsMargins(0, 0, 0, 0)
        caption = plain_label(_("&Time-out"), "dim")
        caption.setBuddy(self.timeout_box)
        more.addWidget(caption)
        more.addWidget(self.timeout_box)
        more.addSpacing(16)
        more.addWidget(self.several_box)
        more.addWidget(plain_label(_("Shift+Enter begins a line, Ctrl+Enter sends"), "dim"))
        more.addStretch(1)
        self._more.hide()
        self._progress = QWidget(self)
        progress = QHBoxLayout(self._progress)
        progress.setContentsMargins(0, 0, 0, 0)
        progress.addWidget(self.bar, 1)
        progress.addSpacing(12)
        progress.addWidget(self.words)
        self._progress.hide()
        self._splitter = splitter = QSplitter(Qt.Horizontal, self)
        splitter.setObjectName("commands-splitter")
        splitter.setHandleWidth(10)
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(self.answers)
        splitter.addWidget(self.history)
        splitter.splitterMoved.connect(self._on_splitter_moved)
        self._controls = QWidget(self)
        controls = QVBoxLayout(self._controls)
        controls.setContentsMargins(0, 0, 0, 0)
        controls.setSpacing(8)
        for part in (buttons, line, self._more, self.problem, self._progress):
            if isinstance(part, QWidget):
                controls.addWidget(part)
            else:
                controls.addLayout(part)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(10)
        layout.addWidget(self._controls)
        layout.addWidget(splitter, 1)
        self.problem.hide()

    def _folder_button(self) -> QPushButton:
        button = QPushButton(_("List a directory ▾"), self)
        menu = QMenu(button)
        for folder in FOLDERS:
            action = menu.addAction(folder)
            line = line_of(("ls", "-al", folder))
            action.triggered.connect(lambda _checked=False, line=line: self._on_built_in(line))
        menu.addSeparator()
        other = menu.addAction(_("Another…"))
        other.triggered.connect(lambda _checked=False: self.set_command("ls -al "))
        button.setMenu(menu)
        return button

    def _connect(self) -> None:
        self.chips.changed.connect(self._on_chips_changed)
        self.field.send_pressed.connect(self.send)
        self.field.textChanged.connect(self._refresh_controls)
        self.field.several_changed.connect(self._on_several_changed)
        self.send_button.clicked.connect(self.send)
        self.cancel_button.clicked.connect(self.cancel)
        self.more_button.toggled.connect(self._more.setVisible)
        self.several_box.toggled.connect(self.field.set_several)
        self.answers.example_wanted.connect(self.set_command)
        self.answers.add_machine_wanted.connect(self.add_machine_wanted)
        self.answers.refreshed.connect(self._on_refreshed)
        self.history.search_wanted.connect(self.history_wanted)
        self.history.run_chosen.connect(self._on_run_chosen)
        self.history.again_wanted.connect(self._on_again)

    def _take_machines(self) -> None:
        self.chips.set_machines({name: self._groups_of.get(name, ()) for name in self._states})
        if len(self._states) == 1 and not self._is_chosen_once:
            # with a single machine there is no doubt; the chip says so
            self.chips.set_targets(list(self._states))
        self._is_chosen_once = self._is_chosen_once or bool(self._states)

    def _send_next(self) -> None:
        words = self._queue.popleft()
        self._current_id = None
        self.send_wanted.emit(list(words), list(self._queued_to), float(self.timeout_box.value()))
        self._refresh_controls()

    def _show(self, run: Run) -> None:
        self._wanted_id = run.request.id
        self.answers.show_run(run)
        self._progress.show()
        self.history.mark(run.request.id)
        self._refresh_controls()

    def _wake(self, run: Run) -> None:
        if run is self.answers.run:
            self.answers.wake()

    def _end(self, run: Run) -> None:
        self.history.model.apply_live(run.summary())
        if run is self.answers.run:
            self.answers.refresh()
        if run.request.id == self._current_id and self._queue:
            self._send_next()
        self._asking.start()
        self._refresh_controls()

    def _refresh_controls(self) -> None:
        names = self.chips.machines()
        count = len(names)
        self.send_button.setText(_("Send to {count}").format(count=number(count)) if count else _("Send"))
        self.send_button.setToolTip(plain_tip(self._tip(names)))
        self.send_button.setEnabled(bool(self.field.lines()) and bool(self._states))
        self.cancel_button.setEnabled(bool(self._queue) or any(run.is_running for run in self._runs.values()))
        self._controls.setVisible(bool(self._states))
        self.answers.set_has_machines(bool(self._states))

    def _tip(self, names: Sequence[str]) -> str:
        if not names:
            return _("No machine chosen")
        away = [name for name in names if self._states.get(name) not in (MachineState.ONLINE, MachineState.LATE)]
        lines = [fold_names(names)]
        if away:
            lines.append(
                ngettext(
                    "{count} cannot be reached now: {names}", "{count} cannot be reached now: {names}", len(away)
                ).format(count=number(len(away)), names=fold_names(away))
            )
        return "\n".join(lines)

    def _say(self, problem: str) -> None:
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem))

    def _on_built_in(self, line: str) -> None:
        self.field.set_line(line)
        self.send()

    def _on_chips_changed(self) -> None:
        lost = self.chips.lost()
        names = ", ".join(f"“{target}”" for target in lost)
        self._say(_("No machine matches {targets}.").format(targets=names) if lost and self._states else "")
        self._refresh_controls()

    def _on_splitter_moved(self, _place: int, _handle: int) -> None:
        self._is_split_by_user = True

    def _on_several_changed(self, is_several: bool) -> None:
        self.several_box.setChecked(is_several)
        if is_several:
            self.more_button.setChecked(True)

    def _on_refreshed(self) -> None:
        run = self.answers.run
        if run is None:
            return
        words = run_words(run, monotonic_s())
        place = self._lines_in_all - len(self._queue)
        if self._lines_in_all > 1 and run.request.id == self._current_id:
            line = _("line {place} of {count}").format(place=place, count=self._lines_in_all)
            words = f"{line} · {words}"
        self.words.setText(words)
        self.bar.apply(run.counts(), words)
        if run.is_running:
            self.history.model.apply_live(run.summary())

    def _on_run_chosen(self, summary: CommandRunSummary) -> None:
        self._wanted_id = summary.id
        run = self._runs.get(summary.id)
        if run is not None:
            self._show(run)
        else:
            self.run_wanted.emit(summary.id)

    def _on_again(self, summary: CommandRunSummary) -> None:
        self.set_targets(summary.machines)
        self.set_command(summary.line)

    def _on_history_due(self) -> None:
        self.history_wanted.emit(self.history.search.text().strip())

    def _on_patience(self) -> None:
        now_s = monotonic_s()
        running = [run for run in self._runs.values() if run.is_running]
        for run in running:
            if run.is_stuck(now_s, run.request.timeout_s + PATIENCE_S):
                run.give_up(_("no answer came"), now_s)
                self._end(run)
        if not running:
            self._patience.stop()


def run_words(run: Run, now_s: float) -> str:
    """How far a run is, in words: `6 ok · 1 failed · 1 running · 2 not sent   0.4 s`."""
    counts = run.counts()
    parts = [counted(state, counts[state]) for states, _role in ORDER for state in states if counts[state]]
    return f"{' · '.join(parts)}   {duration(run.elapsed_s(now_s))}"
