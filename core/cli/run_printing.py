"""What `run` shows: output and results as they come, progress of many, and the answers gathered."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from core.cli.output import print_text
from core.gather import gather
from core.language import N_, _, ngettext
from core.records import CommandOutput, CommandProgress, CommandRequest, CommandResult, CommandState
from core.site_records import Record

PROGRESS_FROM = 8
"""Machines from which on a terminal is told how far it is."""
_PROGRESS_S = 0.1

STATE_WORDS = {
    CommandState.OK: N_("done"),
    CommandState.FAILED: N_("failed"),
    CommandState.TIMEOUT: N_("out of time"),
    CommandState.NOT_ALLOWED: N_("not allowed"),
    CommandState.OFFLINE: N_("not sent"),
    CommandState.CANCELLED: N_("cancelled"),
    CommandState.UNKNOWN: N_("unknown"),
}


class Progress:
    """`12 of 200 · 3 failed` in one line of a terminal, gone again before anything else is written there."""

    def __init__(self, count: int, stream: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._count = count
        self._stream = stream
        self._clock = clock
        self._done = self._failed = 0
        self._shown_s = float("-inf")
        self._is_shown = False

    def take(self, result: CommandResult) -> None:
        """One more machine has ended."""
        self._done += 1
        self._failed += result.state is not CommandState.OK
        now_s = self._clock()
        if now_s - self._shown_s < _PROGRESS_S and self._done < self._count:
            return
        self._shown_s = now_s
        text = _("{done} of {count}").format(done=self._done, count=self._count)
        if self._failed:
            text += " · " + _("{count} failed").format(count=self._failed)
        self._write(f"\r\x1b[K{text}")
        self._is_shown = True

    def clear(self) -> None:
        """Give the line free."""
        if self._is_shown:
            self._write("\r\x1b[K")
            self._is_shown = False

    def _write(self, text: str) -> None:
        encoding = self._stream.encoding or "utf-8"
        self._stream.write(text.encode(encoding, "replace").decode(encoding, "replace"))
        self._stream.flush()


class Show:
    """Shows output and results as they come, unless all is told at the end."""

    def __init__(self, request: CommandRequest, *, is_live: bool, is_quiet: bool) -> None:
        self.results: dict[str, CommandResult] = {}
        self.late: list[CommandProgress] = []
        """What came to be known of commands of an earlier console."""
        self._id = request.id
        is_counted = len(request.machines) >= PROGRESS_FROM and sys.stderr.isatty()
        self._progress = Progress(len(request.machines), sys.stderr) if is_counted else None
        self._is_live = is_live
        self._is_quiet = is_quiet

    def publish(self, record: Record) -> None:
        """Take in what the poller learns."""
        if isinstance(record, CommandProgress):
            self._take(record)
        if self._is_quiet or not isinstance(record, CommandOutput | CommandProgress) or record.id != self._id:
            return
        try:
            if isinstance(record, CommandProgress):
                self.clear()
                self._tell(record.result)
            elif self._is_live:
                self._write(record.text, sys.stdout if record.fd == 1 else sys.stderr)
        except BrokenPipeError:  # whoever read us has gone: the command still ends and is recorded
            self._is_quiet = True

    def clear(self) -> None:
        """Nothing more is told of how far it is."""
        if self._progress is not None:
            self._progress.clear()

    def _take(self, progress: CommandProgress) -> None:
        if progress.id != self._id:
            self.late.append(progress)
            return
        is_first = progress.result.machine not in self.results
        self.results[progress.result.machine] = progress.result
        if is_first and self._progress is not None:
            self._progress.take(progress.result)

    def _tell(self, result: CommandResult) -> None:
        if self._is_live:
            if result.message and result.message not in result.stderr:
                self._write(f"beffroi: {result.machine}: {result.message}\n", sys.stderr)
            elif result.state not in (CommandState.OK, CommandState.FAILED):
                self._write(f"beffroi: {result.machine}: {_(STATE_WORDS[result.state])}\n", sys.stderr)
            return
        print_text(f"--- {result.machine}: {_heading(result)}")
        _print_answer(result.stdout, result.stderr, result.message)

    @staticmethod
    def _write(text: str, stream: Any) -> None:
        encoding = stream.encoding or "utf-8"
        stream.write(text.encode(encoding, "replace").decode(encoding, "replace"))
        stream.flush()


def _heading(result: CommandResult) -> str:
    parts = [_(STATE_WORDS[result.state])]
    if result.exit_status:
        parts.append(_("exit status {status}").format(status=result.exit_status))
    if result.duration_s is not None:
        parts.append(f"{result.duration_s:.2f} s")
    if result.truncated_bytes:
        parts.append(_("{count} bytes left out").format(count=result.truncated_bytes))
    return ", ".join(parts)


def _print_answer(stdout: str, stderr: str, message: str | None) -> None:
    for text in (stdout, stderr, message if message and message not in stderr else ""):
        for line in text.splitlines():
            print_text(line)


def print_gathered(results: Sequence[CommandResult]) -> None:
    """Groups of identical answers, each with its machines in short; the others as a difference from the biggest."""
    for group in gather(results):
        count = len(group.machines)
        machines = ngettext("{count} machine", "{count} machines", count).format(count=count)
        first = next(result for result in results if result.machine == group.machines[0])
        print_text(f"--- {group.folded_names} ({machines}): {_heading(first)}")
        if group.difference:
            _print_answer("\n".join(group.difference), "", group.message)
        else:
            _print_answer(group.stdout, group.stderr, group.message)
    print_summary(results)


def print_summary(results: Sequence[CommandResult]) -> None:
    """One line of how many ended how."""
    counts: dict[CommandState, int] = {}
    for result in results:
        counts[result.state] = counts.get(result.state, 0) + 1
    print_text("=== " + ", ".join(f"{count} {_(STATE_WORDS[state])}" for state, count in counts.items()))
