"""The Commands page: whom, what, how far, the answers, and all that was sent before.

Nothing but its own user changes whom a command is for. Services are told by signals and answer by `apply…`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PyQt5.QtCore import QByteArray, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QResizeEvent
from PyQt5.QtWidgets import QSplitter, QVBoxLayout, QWidget

from core.config.commands import CommandConfig
from core.language import _
from core.records import (
    CommandOutput,
    CommandProgress,
    CommandRequest,
    CommandResult,
    CommandRunSummary,
    CommandStep,
    Machine,
    MachineReport,
    MachineState,
)
from core.targets import TargetBook
from gui.models.answers import Run, monotonic_s
from gui.models.command_line import typed_line
from gui.models.commands_layout import kept_layout, read_layout
from gui.models.line_queue import LineQueue
from gui.models.runs import Runs, saved_run
from gui.widgets.answers_card import AnswersCard
from gui.widgets.command_bar import CommandBar
from gui.widgets.command_history import CommandHistoryCard
from gui.widgets.run_progress import RunProgress

SAVED_AFTER_MS = 1500
"""The recorder writes batches of at most a second: then the history holds what has just ended."""


class CommandsPage(QWidget):
    """Sends a command to one or two hundred machines and gathers what they answer."""

    send_wanted = pyqtSignal(list, list, float, int)
    """Words, names of machines, time-out in seconds, machines at once (0: all)."""
    cancel_wanted = pyqtSignal(str, list)
    """The id of a run, and those of its machines on which it shall end, none for all of them."""
    history_wanted = pyqtSignal(str)
    run_wanted = pyqtSignal(str)
    add_machine_wanted = pyqtSignal()
    save_wanted = pyqtSignal(object, str)
    """A `Run`, and the kind of file that its answers are to be saved as (`gui.widgets.answers_line.SAVES`)."""
    allowed_wanted = pyqtSignal()
    library_wanted = pyqtSignal()
    keep_wanted = pyqtSignal()
    """The line that stands there is to be kept in the library."""
    save_filter_wanted = pyqtSignal(list)
    filters_wanted = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._machines: tuple[Machine, ...] = ()
        self._filters: dict[str, tuple[str, ...]] = {}
        self._states: dict[str, MachineState] = {}
        self._runs = Runs()
        self._queue = LineQueue()
        self._wanted_id: str | None = None
        self._is_split_by_user = False
        self._has_recalled = False
        self.controls = CommandBar(self)
        self.progress = RunProgress(self)
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

    def set_inventory(self, machines: Sequence[Machine]) -> None:
        """Take the machines as they are kept, with their groups, tags, systems and levels."""
        if tuple(machines) != self._machines:
            self._machines = tuple(machines)
            self._take_book()

    def set_machines(self, reports: Sequence[MachineReport]) -> None:
        """Take where machines stand; whom the chips mean may change with it, the chips never do."""
        states = {report.machine: report.state for report in reports}
        if states != self._states:
            self._states = states
            self._take_book()

    def set_filters(self, filters: Mapping[str, Sequence[str]]) -> None:
        """Take the saved filters: the targets of each, by its name."""
        taken = {name: tuple(targets) for name, targets in filters.items()}
        if taken != self._filters:
            self._filters = taken
            self._take_book()

    def set_library(self, commands: Sequence[CommandConfig]) -> None:
        """Take the site's own commands."""
        self.controls.buttons.set_library(commands)

    def fill_command(self, command: CommandConfig) -> None:
        """Fill in a command of the library, ready to be sent."""
        self.controls.fill_command(command)

    def set_targets(self, targets: Sequence[str]) -> None:
        """Put `targets` (names, patterns, @groups, `all`) on the chips, because the user asked for them."""
        self.controls.set_targets(targets)

    def set_command(self, line: str) -> None:
        """Fill in the line, ready to be sent."""
        self.controls.set_line(line)

    def targets(self) -> tuple[str, ...]:
        """What the chips say."""
        return self.controls.chips.targets()

    def target_machines(self) -> tuple[str, ...]:
        """The machines that the chips mean now."""
        return self.controls.chips.machines()

    def book(self) -> TargetBook:
        """The machines and filters that targets are looked up in."""
        return self.controls.book

    def line(self) -> str:
        """What is typed: one command, or several lines of them."""
        return "\n".join(self.controls.field.lines())

    def timeout_s(self) -> float:
        """The time-out that is set."""
        return float(self.controls.timeout_box.value())

    def running(self) -> list[Run]:
        """The runs that go on, of this window."""
        return self._runs.running()

    def focus_filter(self) -> None:
        """Find something in the answers."""
        self.answers.search.setFocus()

    def send_command(self, words: Sequence[str], names: Sequence[str]) -> None:
        """Send `words` to these machines, with the time-out and the window that are set; the chips stay."""
        self.send_wanted.emit(list(words), list(names), self.timeout_s(), self.controls.window())

    def say_no_target(self) -> None:
        """Say that machines are to be chosen first."""
        self.controls.say_no_target()

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
        run = self._runs.start(request, monotonic_s())
        self._wanted_id = request.id
        self._queue.started(request.id, request.words)
        self.history.model.apply_live(run.summary())
        self._show(run)
        self._patience.start()

    def apply_output(self, output: CommandOutput) -> None:
        """A piece of what a machine prints."""
        run = self._runs.get(output.id)
        if run is not None:
            run.add_output(output.machine, output.text)
            self._wake(run)

    def apply_step(self, step: CommandStep) -> None:
        """A machine has come further."""
        run = self._runs.get(step.id)
        if run is not None:
            run.add_step(step.machine, step.place, monotonic_s())
            self._wake(run)

    def apply_progress(self, progress: CommandProgress) -> None:
        """One more result."""
        run = self._runs.get(progress.id)
        if run is None:
            self._take_late(progress)
            return
        was_running = run.is_running
        run.add_result(progress.result, monotonic_s())
        if (was_running and not run.is_running) or not was_running:
            self._end(run)
        else:
            self._wake(run)

    def apply_history(self, summaries: Sequence[CommandRunSummary]) -> None:
        """What the history holds for the search asked for, newest first."""
        self.history.model.apply_saved(summaries)
        if self.answers.run is not None:
            self.history.mark(self.answers.run.request.id)
        elif any(summary.id == self._wanted_id for summary in summaries):
            self.run_wanted.emit(self._wanted_id)
        if not self._has_recalled:
            self._has_recalled = True
            self.controls.field.remember([typed_line(summary.line) for summary in reversed(summaries)])

    def apply_run(self, summary: CommandRunSummary, results: Sequence[CommandResult]) -> None:
        """The answers of an older run, asked for by `run_wanted`."""
        if summary.id == self._wanted_id and self._runs.get(summary.id) is None:
            self._show(saved_run(summary, results))

    def show_saved(self, summary: CommandRunSummary, results: Sequence[CommandResult]) -> None:
        """Show the answers of a run of the history, such as a mark stands for."""
        self._show(self._runs.get(summary.id) or saved_run(summary, results))

    # what the user does

    def send(self) -> None:
        """Send each line typed to the machines of the chips, one line after the other."""
        self.controls.send()

    def cancel(self) -> None:
        """Stop what is shown where it still runs, else all that runs, and send no further line."""
        self._queue.clear()
        shown = self.answers.run
        running = self._runs.running()
        if shown in running:
            running = [shown]
        for run in running:
            self.cancel_wanted.emit(run.request.id, [])
        self._refresh()

    def layout_state(self) -> QByteArray:
        """Where the user has put the splitter, and how many machines run at once; empty where all is as at first."""
        return kept_layout(
            splitter=bytes(self._splitter.saveState()) if self._is_split_by_user else b"",
            window=self.controls.window(),
            is_whole=not self.answers.line.differences.isChecked(),
        )

    def restore_layout(self, state: QByteArray) -> None:
        """Put all where `layout_state` found it."""
        splitter, window, is_whole = read_layout(state)
        self._is_split_by_user = bool(splitter) and self._splitter.restoreState(QByteArray(splitter))
        self.controls.set_window(window)
        self.answers.line.differences.setChecked(not is_whole)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Share the width out anew, unless the user has done so."""
        super().resizeEvent(event)
        if not self._is_split_by_user:
            history = max(300, min(340, self.width() * 3 // 10))
            self._splitter.setSizes([self.width() - history, history])

    def _build(self) -> None:
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
        layout.addWidget(self.progress)
        layout.addWidget(splitter, 1)

    def _connect(self) -> None:
        self.controls.send_pressed.connect(self._on_send)
        self.controls.cancel_pressed.connect(self.cancel)
        self.controls.buttons.allowed_wanted.connect(self.allowed_wanted)
        self.controls.buttons.library_wanted.connect(self.library_wanted)
        self.controls.buttons.keep_wanted.connect(self.keep_wanted)
        self.controls.chips.save_wanted.connect(self.save_filter_wanted)
        self.controls.chips.filters_wanted.connect(self.filters_wanted)
        self.answers.cancel_wanted.connect(self._on_cancel_some)
        self.answers.targets_wanted.connect(self.set_targets)
        self.answers.again_wanted.connect(self._on_run_again)
        self.answers.save_wanted.connect(self.save_wanted)
        self.answers.example_wanted.connect(self.set_command)
        self.answers.add_machine_wanted.connect(self.add_machine_wanted)
        self.answers.refreshed.connect(self._on_refreshed)
        self.history.search_wanted.connect(self.history_wanted)
        self.history.run_chosen.connect(self._on_run_chosen)
        self.history.again_wanted.connect(self._on_again)

    def _on_send(self, commands: list[tuple[str, ...]], names: list[str], timeout_s: float, window: int) -> None:
        self._queue.fill(commands, names, timeout_s, window)
        self._send_next()

    def _send_next(self) -> None:
        queue = self._queue
        self.send_wanted.emit(list(queue.take()), list(queue.names), queue.timeout_s, queue.window)
        self._refresh()

    def _take_book(self) -> None:
        machines = {machine.name: machine for machine in self._machines}
        for name in self._states:
            if name not in machines:
                machines[name] = Machine(name=name, host="")
        book = TargetBook(machines=tuple(machines.values()), filters=self._filters, states=self._states)
        self.controls.set_book(book)
        self._refresh()

    def _on_cancel_some(self, run: Run, names: list[str]) -> None:
        self.cancel_wanted.emit(run.request.id, names)

    def _on_run_again(self, run: Run, names: list[str]) -> None:
        """The same line on some of its machines, within the same window; the chips stay as they are."""
        request = run.request
        if self._runs.get(request.id) is None:  # of the history, which keeps neither time-out nor window
            self.send_command(request.words, names)
        else:
            self.send_wanted.emit(list(request.words), names, request.timeout_s, request.window)

    def _show(self, run: Run) -> None:
        self._wanted_id = run.request.id
        self.answers.show_run(run)
        self.progress.show()
        self.history.mark(run.request.id)
        self._refresh()

    def _take_late(self, progress: CommandProgress) -> None:
        """A result fetched for a run that the window holds no more, such as one of an earlier window.

        What an earlier window has left is shown before anything else is.
        """
        shown = self.answers.run
        if shown is None:
            self._wanted_id = progress.id
        elif shown.request.id == progress.id:
            shown.add_result(progress.result, monotonic_s())
            self.answers.wake()
        self._asking.start()

    def _wake(self, run: Run) -> None:
        if run is self.answers.run:
            self.answers.wake()

    def _end(self, run: Run) -> None:
        self.history.model.apply_live(run.summary())
        if run is self.answers.run:
            self.answers.refresh_soon()
        if self._queue.is_current(run.request.id) and self._queue:
            self._send_next()
        self._asking.start()
        self._refresh()

    def _refresh(self) -> None:
        self.controls.set_is_running(bool(self._queue) or bool(self._runs.running()))
        has_machines = bool(self._states or self._machines)
        self.controls.setVisible(has_machines)
        self.answers.set_has_machines(has_machines)

    def _on_splitter_moved(self, _place: int, _handle: int) -> None:
        self._is_split_by_user = True

    def _on_refreshed(self) -> None:
        run = self.answers.run
        if run is None:
            return
        self.progress.apply(run, monotonic_s(), self._queue.place(run.request.id))
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
        self.set_command(typed_line(summary.line))

    def _on_history_due(self) -> None:
        self.history_wanted.emit(self.history.search.text().strip())

    def _on_patience(self) -> None:
        for run in self._runs.give_up_stuck(monotonic_s()):
            self._end(run)
        if not self._runs.running():
            self._patience.stop()
