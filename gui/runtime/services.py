"""All that works behind the window: its threads, started after the first paint and stopped with it.

Belongs to the GUI thread; nothing here waits. What services learn comes out of `mailbox`, what was asked for comes
back through callbacks in the GUI thread. Heavy modules (database, TLS, serial) are imported by the threads that use
them.
"""

from __future__ import annotations

import asyncio
import logging
import platform
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from PyQt5.QtCore import QObject, Qt, pyqtSignal

from core.config import Config, MeterConfig, database_location
from core.errors import TransportError
from core.home import Home
from core.language import _
from core.records import CommandRequest, Event, Machine, Severity
from core.services.hub import Hub
from core.site_records import Record
from gui.runtime.loop_thread import Answers, LoopThread
from gui.runtime.mailbox import Mailbox
from gui.runtime.meter_threads import MeterThreads
from gui.runtime.worker_pool import WorkerPool

if TYPE_CHECKING:
    from core.services.pairing import PairedAgent
    from core.services.recorder import Recorder
    from core.store.history import History
    from core.transport.identity import Identity

OPEN_WITHIN_S = 0.5

log = logging.getLogger("beffroi.gui")

T = TypeVar("T")
Done = Callable[[Any], object]
Failed = Callable[[BaseException], object]


class Services(QObject):
    """Threads and services of one window."""

    crashed = pyqtSignal(str)
    history_ready = pyqtSignal()
    identity_ready = pyqtSignal()
    _progressed = pyqtSignal(object, object)

    def __init__(self, home: Home, config: Config, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.home = home
        self.config = config
        self.mailbox = Mailbox(self)
        self.answers = Answers(self)
        self._hub = Hub(self.mailbox)
        self._common = LoopThread("services", self)
        self._recording = LoopThread("recorder", self)
        self._common.crashed.connect(self.crashed)
        self._recording.crashed.connect(self.crashed)
        self._progressed.connect(_call, Qt.QueuedConnection)
        self._is_stopped = False
        self._recorder: Recorder | None = None
        self.identity: Identity | None = None
        self.pool: WorkerPool | None = None
        self.meters = MeterThreads(home, self._hub.publish, self)

    def start(self) -> None:
        """Start all threads; `history_ready` and `identity_ready` follow."""
        self._common.start()
        self._recording.start()
        self.answers.when(self._recording.submit(self._make_recorder()), self._on_recorder, self._on_failed)
        self.answers.when(self._common.submit(self._make_identity()), self._on_identity, self._on_failed)

    def stop(self) -> None:
        """Stop all; what has been learned is written when this returns."""
        self._is_stopped = True
        self.mailbox.close()
        self.answers.close()
        self.meters.request_stop()
        if self.pool is not None:
            self.pool.request_stop()
        self._common.request_stop()
        self.meters.stop()
        if self.pool is not None:
            self.pool.stop()
        self._common.stop()
        self._recording.stop()

    # What others ask for

    def publish(self, record: Record) -> None:
        """Something that the window itself has to tell: to the history, and back to the window."""
        self._hub.publish(record)

    def note(self, source: str, kind: str, text: str, severity: Severity = Severity.INFO) -> None:
        """Keep an event."""
        self.publish(
            Event(
                time_s=time.time(),
                source=source,
                kind=kind,
                severity=severity,
                text=text,
                operator=self.config.operator,
            )
        )

    def query(self, function: Callable[[History], T], done: Done, failed: Failed | None = None) -> None:
        """Call `done` with what `function` returns, asked in the thread that holds the history."""
        if self._recorder is None or self._is_stopped:
            return
        self.answers.when(self._recorder.submit(function), done, failed)

    def run(self, coroutine: Coroutine[Any, Any, T], done: Done, failed: Failed | None = None) -> Callable[[], None]:
        """Run a coroutine in the thread for all things; what is returned cancels it."""
        future = self._common.submit(coroutine)
        self.answers.when(future, done, failed)
        return lambda: future.cancel() and None

    def pair(
        self, host: str, port: int, code: str, done: Callable[[PairedAgent], object], failed: Failed
    ) -> Callable[[], None]:
        """Pair with one agent; what is returned cancels it."""

        async def work() -> PairedAgent:
            from core.services.pairing import pair

            identity = self.identity or await self._make_identity()
            return await pair(host, port, code, identity, _console_name(self.config))

        return self.run(work(), done, failed)

    def pair_all(
        self,
        machines: Sequence[Machine],
        code: str,
        progressed: Callable[[Any], object],
        done: Done,
        failed: Failed,
    ) -> Callable[[], None]:
        """Pair with many; `progressed` for each; what is returned cancels it."""

        async def work() -> None:
            from core.services.site_pairing import pair_all

            identity = self.identity or await self._make_identity()
            found: AsyncIterator[Any] = pair_all(machines, code, identity)
            async for progress in found:
                self._progressed.emit(progressed, progress)

        return self.run(work(), done, failed)

    def serial_ports(self, done: Done, failed: Failed | None = None) -> None:
        """The serial ports of this machine."""

        async def work() -> Any:
            from core.transport.serial_port import serial_ports

            return await asyncio.to_thread(serial_ports)

        self.run(work(), done, failed)

    def execute(self, words: Sequence[str], machines: Sequence[str], timeout_s: float) -> CommandRequest:
        """Send a command; raises UsageError where the words mean nothing, TransportError while nothing can be sent."""
        from core.services.commands import new_request

        request = new_request(words, machines, timeout_s, self.config.operator, time.time())
        if self.pool is None:
            raise TransportError(_("the console is still starting, nothing was sent; send it again in a moment"))
        self.pool.execute(request)
        return request

    def connect_meter(self, meter: MeterConfig) -> None:
        """Read a meter from now on."""
        self.meters.connect_meter(meter)

    # What happens behind

    async def _make_recorder(self) -> Recorder:
        def imported() -> Recorder:
            from core.services.recorder import Recorder
            from core.store.history import History

            location = database_location(self.config, self.home)
            # A window says soon that it has to wait, and asks again; nobody else looks after it.
            return Recorder(
                lambda: History.open(location, busy_timeout_s=OPEN_WITHIN_S),
                self.config.retention,
                self.mailbox.put,
            )

        return await asyncio.to_thread(imported)

    def _on_recorder(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._hub.add(recorder)
        self._recording.spawn(recorder.run())
        self.history_ready.emit()

    async def _make_identity(self) -> Identity:
        def made() -> Identity:
            from core.transport.identity import ensure_identity

            return ensure_identity(self.home.console_path, _console_name(self.config))

        return await asyncio.to_thread(made)

    def _on_identity(self, identity: Identity) -> None:
        from core.audit import AuditLog
        from core.services.agent_poller import AgentPoller

        polling = self.config.polling
        audit_path: Path = self.home.console_path / "audit.log"
        self.identity = identity
        self.pool = WorkerPool(
            lambda publish: AgentPoller(
                identity, publish, polling.interval_s, polling.visible_interval_s, AuditLog(audit_path)
            ),
            self._hub.publish,
            self,
        )
        self.pool.crashed.connect(self.crashed)
        self.pool.start()
        self.identity_ready.emit()

    def _on_failed(self, error: BaseException) -> None:
        log.error("a service did not start", exc_info=error)
        self.crashed.emit(str(error))


def _call(function: Callable[[Any], object], value: object) -> None:
    function(value)


def _console_name(config: Config) -> str:
    return f"{config.operator}@{platform.node() or 'console'}"
