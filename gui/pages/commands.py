"""The Commands page: whom, what, how far, the answers, and all that was sent before.

Nothing but its own user changes whom a command is for. Services are told by signals and answer by `apply…`.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence

from PyQt5.QtCore import QByteArray, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QResizeEvent
from PyQt5.QtWidgets import QHBoxLayout, QSplitter, QVBoxLayout, QWidget

from core.language import _
from core.records import (
    CommandOutput,
    CommandProgress,
    CommandRequest,
    CommandResult,
    CommandRunSummary,
    MachineReport,
    MachineState,
)
from gui.models.answers import HELD, Run, counted, monotonic_s
from gui.numbers import duration
from gui.widgets.answers_card import AnswersCard
from gui.widgets.command_bar import CommandBar
from gui.widgets.command_history import CommandHistoryCard
from gui.widgets.labels import plain_label
from gui.widgets.segment_bar import ORDER, SegmentBar

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
        self._runs: OrderedDict[str, Run] = OrderedDict()
        self._queue: deque[tuple[str, ...]] = deque()
        self._queued_to: tuple[str, ...] = ()
        self._timeout_s = 0.0
        self._lines_in_all = 0
        self._current_id: str | None = None
        self._wanted_id: str | None = None
        self._is_split_by_user = False
        self._has_recalled = False
        self.controls = CommandBar(self)
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
        self._refresh()
        self.focus_command()  # so that it has the focus whenever the page comes to the front

    # what services tell

    def set_machines(self, reports: Sequence[MachineReport]) -> None:
        """Take the machines there are; whom the chips mean may change with them, the chips never do."""
        states = {report.machine: report.state for report in reports}
        if states != self._states:
            self._states = states
            self.controls.set_machines(states)
            self._refresh()

    def set_groups(self, groups_of: Mapping[str, Sequence[str]]) -> None:
        """Take the groups of each machine, by its name."""
        self.controls.set_groups(groups_of)

    def set_targets(self, targets: Sequence[str]) -> None:
        """Put `targets` (names, patterns, @groups, `all`) on the chips, because the user asked for them."""
        self.controls.set_targets(targets)

    def set_command(self, line: str) -> None:
        """Fill in the line, ready to be sent."""
        self.controls.set_line(line)

    def focus_command(self) -> None:
        """The next key goes into the line."""
        self.controls.field.setFocus()

    def apply_not_sent(self, reason: str) -> None:
        """What was asked for by `send_wanted` cannot be sent; the lines after it are not sent either."""
        self._queue.clear()
        self.controls.say(_("Not sent: {reason}.").format(reason=reason.rstrip(".")))
        self._refresh()

    def apply_started(self, request: CommandRequest) -> None:
        """A command goes out: show it from now on."""
        run = Run(request, monotonic_s())
        self._runs[request.id] = run
        self._forget_old_runs()
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
        if not self._has_recalled:
            self._has_recalled = True
            self.controls.field.remember([summary.line for summary in reversed(summaries)])

    def apply_run(self, summary: CommandRunSummary, results: Sequence[CommandResult]) -> None:
        """The answers of an older run, asked for by `run_wanted`."""
        if summary.id == self._wanted_id and summary.id not in self._runs:
            self._show(Run.saved(summary, summary.line.split(), results))

    def show_saved(self, summary: CommandRunSummary, results: Sequence[CommandResult]) -> None:
        """Show the answers of a run of the history, such as a mark stands for."""
        self._show(self._runs.get(summary.id) or Run.saved(summary, summary.line.split(), results))

    # what the user does

    def send(self) -> None:
        """Send each line typed to the machines of the chips, one line after the other."""
        self.controls.send()

    def cancel(self) -> None:
        """Stop what is shown where it still runs, else all that runs, and send no further line."""
        self._queue.clear()
        shown = self.answers.run
        running = [run for run in self._runs.values() if run.is_running]
        if shown in running:
            running = [shown]
        for run in running:
            self.cancel_wanted.emit(run.request.id)
        self._refresh()

    def layout_state(self) -> QByteArray:
        """Where the user has put the splitter; empty where it was never moved."""
        return self._splitter.saveState() if self._is_split_by_user else QByteArray()

    def restore_layout(self, state: QByteArray) -> None:
        """Put the splitter where `layout_state` found it."""
        self._is_split_by_user = bool(state) and self._splitter.restoreState(state)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Share the width out anew, unless the user has done so."""
        super().resizeEvent(event)
        if not self._is_split_by_user:
            history = max(300, min(340, self.width() * 3 // 10))
            self._splitter.setSizes([self.width() - history, history])

    def _build(self) -> None:
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
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.controls)
        layout.addWidget(self._progress)
        layout.addWidget(splitter, 1)

    def _connect(self) -> None:
        self.controls.send_pressed.connect(self._on_send)
        self.controls.cancel_pressed.connect(self.cancel)
        self.answers.example_wanted.connect(self.set_command)
        self.answers.add_machine_wanted.connect(self.add_machine_wanted)
        self.answers.refreshed.connect(self._on_refreshed)
        self.history.search_wanted.connect(self.history_wanted)
        self.history.run_chosen.connect(self._on_run_chosen)
        self.history.again_wanted.connect(self._on_again)

    def _on_send(self, commands: list[tuple[str, ...]], names: list[str], timeout_s: float) -> None:
        self._queue = deque(commands)
        self._queued_to = tuple(names)
        self._timeout_s = timeout_s
        self._lines_in_all = len(commands)
        self._send_next()

    def _send_next(self) -> None:
        words = self._queue.popleft()
        self._current_id = None
        self.send_wanted.emit(list(words), list(self._queued_to), self._timeout_s)
        self._refresh()

    def _show(self, run: Run) -> None:
        self._wanted_id = run.request.id
        self.answers.show_run(run)
        self._progress.show()
        self.history.mark(run.request.id)
        self._refresh()

    def _forget_old_runs(self) -> None:
        """The history keeps them all; the window holds the newest, within its share of memory."""
        while len(self._runs) > 1:
            oldest = next(iter(self._runs.values()))
            is_too_much = len(self._runs) > RUNS_HELD or sum(run.held for run in self._runs.values()) > HELD
            if not is_too_much or oldest.is_running:
                return
            del self._runs[oldest.request.id]

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
        self._refresh()

    def _refresh(self) -> None:
        self.controls.set_is_running(bool(self._queue) or any(run.is_running for run in self._runs.values()))
        self.controls.setVisible(bool(self._states))
        self.answers.set_has_machines(bool(self._states))

    def _on_splitter_moved(self, _place: int, _handle: int) -> None:
        self._is_split_by_user = True

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
