"""A program of ours run as a child of the window: the local agent, the simulated meter."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from PyQt5.QtCore import QObject, QProcess, QProcessEnvironment, QTimer, pyqtSignal

STOP_S = 4.0
RESTARTS = 5


def own_command() -> list[str]:
    """The words that start this very program again: from source `python main.py`, else `python -m main`."""
    source = Path(__file__).resolve().parents[2] / "main.py"
    return [sys.executable, str(source)] if source.is_file() else [sys.executable, "-m", "main"]


class ChildProgram(QObject):
    """Runs one of our commands, tells its lines, starts it again when it dies, and ends it with the window.

    It is started again after 1, 2, 4, … s, five times at most without a minute of life in between.
    """

    line_read = pyqtSignal(str)
    fell = pyqtSignal(str)
    """It ended by itself and is started again soon; the last words of its stderr."""

    died = pyqtSignal(str)
    """It ended by itself and is not started again; the last words of its stderr."""

    def __init__(self, words: Sequence[str], parent: QObject | None = None, *, restarts: int = RESTARTS) -> None:
        super().__init__(parent)
        self._words = list(words)
        self._restarts = restarts
        self._restarts_left = restarts
        self._buffer = b""
        self._last_error = ""
        self._is_stopping = False
        self._process = QProcess(self)
        environment = QProcessEnvironment.systemEnvironment()
        environment.insert("PYTHONUNBUFFERED", "1")
        self._process.setProcessEnvironment(environment)
        self._process.readyReadStandardOutput.connect(self._on_output)
        self._process.readyReadStandardError.connect(self._on_error_output)
        self._process.finished.connect(self._on_finished)
        self._process.errorOccurred.connect(self._on_error)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.start)
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.setInterval(60_000)
        self._settled.timeout.connect(self._on_settled)

    @property
    def is_running(self) -> bool:
        """True while the program runs."""
        return self._process.state() != QProcess.NotRunning

    @property
    def pid(self) -> int:
        """Its process id, 0 when it does not run."""
        return int(self._process.processId())

    def start(self) -> None:
        """Start it; the lines come by `line_read`."""
        if self.is_running or self._is_stopping:
            return
        self._buffer = b""
        command = own_command() + self._words
        self._process.start(command[0], command[1:])
        self._settled.start()

    def set_words(self, words: Sequence[str]) -> None:
        """The words of the next start."""
        self._words = list(words)

    def request_stop(self) -> None:
        """Ask it to end (SIGTERM), without waiting."""
        self._is_stopping = True
        self._timer.stop()
        self._settled.stop()
        if self.is_running:
            self._process.terminate()

    def stop(self) -> None:
        """End it, by force after some seconds; only when the window closes."""
        self.request_stop()
        if self.is_running and not self._process.waitForFinished(round(STOP_S * 1000)):
            self._process.kill()
            self._process.waitForFinished(1000)

    def _on_output(self) -> None:
        self._buffer += bytes(self._process.readAllStandardOutput())
        *lines, rest = self._buffer.split(b"\n")
        self._buffer = rest[-4096:]
        for line in lines:
            self.line_read.emit(line.decode("utf-8", "replace").rstrip("\r"))

    def _on_error_output(self) -> None:
        text = bytes(self._process.readAllStandardError()).decode("utf-8", "replace").strip()
        if text:
            self._last_error = text.splitlines()[-1][:500]

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.FailedToStart:
            self._last_error = self._process.errorString()
            self._on_finished()

    def _on_finished(self, *_status: object) -> None:
        self._settled.stop()
        if self._is_stopping:
            return
        if self._restarts_left == 0:
            self.died.emit(self._last_error)
            return
        delay_s = 2 ** (self._restarts - self._restarts_left)
        self._restarts_left -= 1
        self.fell.emit(self._last_error)
        self._timer.start(delay_s * 1000)

    def _on_settled(self) -> None:
        self._restarts_left = self._restarts
