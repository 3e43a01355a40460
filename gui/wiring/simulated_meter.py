"""A simulated E450: a child program that is read like any other meter, and ends with the window."""

from __future__ import annotations

from PyQt5.QtCore import QObject, pyqtSignal

from core.config import MeterConfig
from core.home import Home
from core.language import _
from gui.runtime.child_program import ChildProgram

SIMULATED = "E450 demo"


class SimulatedMeter(QObject):
    """`ready(MeterConfig)` once it listens; it never counts in the site's total."""

    ready = pyqtSignal(object)
    failed = pyqtSignal(str)

    def __init__(self, home: Home, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._home = home
        self._program: ChildProgram | None = None

    def start(self) -> None:
        """Start it, unless it is there."""
        if self._program is not None:
            return
        self._program = ChildProgram(
            [
                *("--home", str(self._home.path), "meter", "simulate"),
                *("--listen", "127.0.0.1:0", "--protocol", "push", "--interval", "1"),
            ],
            self,
        )
        self._program.line_read.connect(self._on_line)
        self._program.died.connect(
            lambda words: self.failed.emit(_("the simulated meter ended: {reason}").format(reason=words))
        )
        self._program.start()

    @property
    def pid(self) -> int | None:
        """Its process; None while there is none."""
        return self._program.pid if self._program is not None else None

    def let_go(self) -> None:
        """End it; `start` makes another one."""
        if self._program is not None:
            self._program.request_stop()
            self._program = None

    def request_stop(self) -> None:
        """Ask it to end."""
        if self._program is not None:
            self._program.request_stop()

    def stop(self) -> None:
        """End it, and wait for that."""
        self.request_stop()
        if self._program is not None:
            self._program.stop()

    def _on_line(self, line: str) -> None:
        if line.startswith("listening on "):
            port = "socket://" + line.removeprefix("listening on ").strip()
            self.ready.emit(MeterConfig(name=SIMULATED, port=port, protocol="push", total=False))
