"""All that works behind the window: its threads, started after the first paint and stopped with it.

Belongs to the GUI thread; nothing here waits. What services learn comes out of `mailbox`, what was asked for comes
back through callbacks in the GUI thread. Heavy modules (database, TLS, serial) are imported by the threads that use
them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from PyQt5.QtCore import QObject, Qt, pyqtSignal

from core.config import Config, MeterConfig, load_config
from core.errors import BeffroiError, TransportError, WrongPassphraseError
from core.home import Home
from core.language import _
from core.records import (
    CommandProgress,
    CommandRequest,
    Event,
    Machine,
    MachineReport,
    Severity,
    StoreReport,
)
from core.requests import ReloadRequest, Request
from core.services.hub import Hub
from core.site_records import Record
from gui.runtime.command_post import CommandPost
from gui.runtime.common_work import made_recorder, paired, paired_all, serial_ports
from gui.runtime.console_identity import opened_identity
from gui.runtime.home_share import HomeShare, console_name
from gui.runtime.loop_thread import Answers, LoopThread
from gui.runtime.mailbox import Mailbox
from gui.runtime.meter_threads import MeterThreads
from gui.runtime.worker_pool import WorkerPool

if TYPE_CHECKING:
    from core.services.pairing import PairedAgent
    from core.services.recorder import Recorder
    from core.store.history import History
    from core.transport.identity import Identity

LINKED_S = 60.0
"""How often machines tell that they are there where another polls them."""

log = logging.getLogger("beffroi.gui")

T = TypeVar("T")
Done = Callable[[Any], object]
Failed = Callable[[BaseException], object]


class Services(QObject):
    """Threads and services of one window."""

    crashed = pyqtSignal(str)
    beside_changed = pyqtSignal(bool)
    """True: a `collect` beside collects for this home; False: this window does."""

    history_ready = pyqtSignal()
    identity_ready = pyqtSignal()
    key_locked = pyqtSignal(object)
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
        self._post: CommandPost | None = None
        self.identity: Identity | None = None
        self.pool: WorkerPool | None = None
        self.meters = MeterThreads(home, self._hub.publish, self)
        self._meters_wanted: dict[str, MeterConfig] = {}
        self._machines: list[Machine] = []
        self._visible: frozenset[str] = frozenset()
        self._is_collecting = False
        self._is_beside = False
        self._rows_waiting = 0
        self._share = HomeShare(home, self._hub, self.mailbox.put, self.meters, self)
        self._share.crashed.connect(self.crashed)
        self._share.began.connect(self._on_began)
        self._share.stepped_back.connect(self._on_stepped_back)

    def start(self) -> None:
        """Start all threads; `history_ready` and `identity_ready` follow."""
        self._common.start()
        self._recording.start()
        self.answers.when(
            self._recording.submit(made_recorder(self.home, self.config, self._on_store)),
            self._on_recorder,
            self._on_failed,
        )
        self.answers.when(
            self._common.submit(opened_identity(self.home, self.config)), self._on_identity, self._on_no_identity
        )

    def running_commands(self) -> list[CommandRequest]:
        """The commands that run, oldest first; the machines of each are those that have no result yet."""
        return [] if self.pool is None else self.pool.running()

    def stop(self, *, let_commands_go_on: bool = False) -> None:
        """Stop all; what has been learned is written when this returns.

        Commands that run are cancelled, and up to two seconds waited for their ends; `let_commands_go_on` leaves them
        to their agents, and the next window fetches their results.
        """
        self._is_stopped = True
        self.mailbox.close()
        if self.pool is not None:
            CommandPost.end_commands(self.pool, go_on=let_commands_go_on)
        self.answers.close()
        self.meters.request_stop()
        if self.pool is not None:
            self.pool.request_stop()
        self._common.request_stop()
        self._share.request_stop()
        self.meters.stop()
        if self.pool is not None:
            self.pool.stop()
        self._common.stop()
        self._share.stop()
        self._recording.stop()
        if self._post is not None:
            self._post.journal.close()
        self._share.release()

    @property
    def is_beside(self) -> bool:
        """True while a `collect` beside collects for this home, and this window shows what it learns."""
        return self._is_beside

    @property
    def lost(self) -> int:
        """Records that this window was too slow for."""
        return self.mailbox.lost + self._share.lost

    # What others ask for

    def ask(self, request: Request, failed: Failed | None = None) -> None:
        """Have a request carried out by who collects; `failed` gets the error, else the window says it.

        A ReloadRequest takes the settings in here too: whoever has written some asks for that, and no more.
        """
        if isinstance(request, ReloadRequest):
            try:
                self.take_config(load_config(self.home)[0])
            except BeffroiError as error:
                (failed or self._on_refused)(error)
                return
        self.answers.when(self._share.ask(request), lambda _done: None, failed or self._on_refused)

    def take_config(self, config: Config) -> None:
        """Work by these settings; who collects is told by a ReloadRequest."""
        self.config = config
        self._share.set_config(config)
        if self.pool is not None and self._is_collecting:
            self.pool.set_intervals(config.polling.interval_s, config.polling.visible_interval_s)

    def set_machines(self, machines: Sequence[Machine]) -> None:
        """The machines of this home: they are polled while this window collects, and commands go to them."""
        self._machines = list(machines)
        self._share.set_machines(machines)
        self._hand_over_machines()

    def set_visible(self, names: frozenset[str]) -> None:
        """The machines on screen, which are polled more often."""
        self._visible = names
        self._share.set_visible(names)
        if self.pool is not None and self._is_collecting:
            self.pool.set_visible(names)

    def poll_now(self, names: Sequence[str] | None = None) -> None:
        """Poll these machines at once, or all."""
        if self._is_beside:
            self._share.poll_now(names)
        if self.pool is not None:
            self.pool.poll_now(names)

    def publish(self, record: Record) -> None:
        """Something that the window itself has to tell: to the history, and back to the window."""
        self._hub.publish(record)

    def keep(self, record: Record) -> None:
        """To the history alone: what is no news. From any thread."""
        if self._recorder is not None:
            self._recorder.put(record)

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
        return self.run(paired(host, port, code, self._own_identity, console_name(self.config)), done, failed)

    def pair_all(
        self,
        machines: Sequence[Machine],
        code: str,
        progressed: Callable[[Any], object],
        done: Done,
        failed: Failed,
    ) -> Callable[[], None]:
        """Pair with many; `progressed` for each; what is returned cancels it."""
        tell = partial(self._progressed.emit, progressed)
        return self.run(paired_all(machines, code, self._own_identity, tell), done, failed)

    def serial_ports(self, done: Done, failed: Failed | None = None) -> None:
        """The serial ports of this machine."""
        self.run(serial_ports(), done, failed)

    def execute(
        self, words: Sequence[str], machines: Sequence[str], timeout_s: float, window: int = 0
    ) -> CommandRequest:
        """Send a command; raises UsageError where the words mean nothing, TransportError while nothing can be sent."""
        from core.services.commands import new_request

        request = new_request(words, machines, timeout_s, self.config.operator, time.time(), window)
        if self.pool is None or not (self._is_collecting or self._is_beside):  # until then the pollers have no machines
            raise TransportError(_("the console is still starting, nothing was sent; send it again in a moment"))
        self.pool.execute(request)
        return request

    def connect_meter(self, meter: MeterConfig) -> None:
        """Read a meter from now on; one that the settings name is left to a `collect` beside, where there is one.

        Raises ConfigError for a key that cannot be read.
        """
        self._meters_wanted[meter.name] = meter
        if self._is_read_here(meter):
            self.meters.connect_meter(meter)

    def disconnect_meter(self, name: str) -> None:
        """Read a meter no more."""
        self._meters_wanted.pop(name, None)
        self.meters.disconnect_meter(name)

    def is_read_beside(self, name: str) -> bool:
        """True for a meter that the `collect` beside reads."""
        return self._is_beside and self.config.meter(name) is not None

    # What happens behind

    def _on_recorder(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._hub.add(recorder)
        self.meters.set_history(recorder.query)
        self._recording.spawn(recorder.run())
        self._share.start(self.config, recorder.query, lambda: self._rows_waiting)
        self._recover_commands()
        self.history_ready.emit()

    def _recover_commands(self) -> None:
        """Once both the history and the pollers are there: what commands of a console that is gone came to."""
        post, pool = self._post, self.pool
        if self._recorder is not None and post is not None and pool is not None:
            told = partial(post.take_over, pool=pool, publish=self.publish, keep=self.keep)
            self.query(post.recover, told, post.on_not_recovered)

    async def _own_identity(self) -> Identity:
        return self.identity or await opened_identity(self.home, self.config)

    def unlock(self, passphrase: str, failed: Failed) -> None:
        """Open the key after `key_locked`; `identity_ready` follows, or `failed` gets a WrongPassphraseError."""
        self.run(opened_identity(self.home, self.config, passphrase), self._on_identity, failed)

    def _on_no_identity(self, error: BaseException) -> None:
        (self.key_locked.emit if isinstance(error, WrongPassphraseError) else self._on_failed)(error)

    def _on_identity(self, identity: Identity) -> None:
        self.identity = identity
        self._post = CommandPost(self.home)
        self.pool = self._post.pollers(identity, self.config.polling, self._publish_polled, self)
        self.pool.crashed.connect(self.crashed)
        self.pool.start()
        self._hand_over_machines()
        self._recover_commands()
        self.identity_ready.emit()

    def _on_began(self) -> None:
        """This window collects from now on."""
        self._is_collecting, self._is_beside = True, False
        self._hand_over_machines()
        for meter in self._meters_wanted.values():
            if meter.name not in self.meters.names():
                try:
                    self.meters.connect_meter(meter)
                except BeffroiError as error:
                    self.meters.failed.emit(meter.name, str(error))
        self.beside_changed.emit(False)

    def _on_stepped_back(self) -> None:
        """Another collects: let go of ports, keep the links for commands."""
        if self._is_beside:
            return  # said again, by one that does not answer
        self._is_collecting, self._is_beside = False, True
        for meter in self._meters_wanted.values():
            if not self._is_read_here(meter):
                self.meters.disconnect_meter(meter.name)
        self._hand_over_machines()
        self.meters.when_free(self._share.let_go)
        self.beside_changed.emit(True)

    def _is_read_here(self, meter: MeterConfig) -> bool:
        """A meter of the settings is read by who collects; until it is known who does, nobody reads it."""
        return self._is_collecting or self.config.meter(meter.name) is None

    def _hand_over_machines(self) -> None:
        """To the pollers: to be polled, or, beside a `collect`, to be linked for commands alone."""
        if self.pool is None or not (self._is_collecting or self._is_beside):
            return
        polling = self.config.polling
        if self._is_collecting:
            self.pool.set_intervals(polling.interval_s, polling.visible_interval_s)
            self.pool.set_sections(None)
        else:
            self.pool.set_intervals(LINKED_S, LINKED_S)
            self.pool.set_sections(())
        self.pool.set_machines(self._machines)
        self.pool.set_visible(self._visible if self._is_collecting else frozenset())

    def _publish_polled(self, record: Record) -> None:
        """From the threads of the pollers: beside a `collect` what they see of machines is not news, but commands are.

        Called in any thread.
        """
        if self._is_collecting:
            self._hub.publish(record)
        elif not isinstance(record, MachineReport | Event):
            self._hub.publish(record)
            if isinstance(record, CommandRequest | CommandProgress):
                self._share.tell(record)

    def _on_store(self, report: StoreReport) -> None:
        """From the recorder's thread; beside a `collect` its database is the one that matters, unless ours fails."""
        self._rows_waiting = report.rows_waiting
        if not self._is_beside or report.error is not None:
            self.mailbox.put(report)

    def _on_refused(self, error: BaseException) -> None:
        self.crashed.emit(str(error))

    def _on_failed(self, error: BaseException) -> None:
        log.error("a service did not start", exc_info=error)
        self.crashed.emit(str(error))


def _call(function: Callable[[Any], object], value: object) -> None:
    function(value)
