"""The sensor server of the exercise: a thread for each link, a lock on saving; the parser, store and answers are ours.

`Server` is what every TCP server does, whatever it is for; `TcpServer` adds what this one does with a link. The intake
in one loop (`core.services.sensor_intake`) is the default: it holds more links and saves many of them at once.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path

from core.config.settings import SensorsSettings
from core.errors import StoreError, StoreLockedError
from core.language import N_
from core.protocol.sensor_messages import Refusal
from core.services.sensor_door import Guests, watch_for_silence
from core.services.sensor_file import SensorFile
from core.services.sensor_stream import (
    GREET_AFTER_S,
    GREETING,
    OK,
    TEXT_PAUSE_S,
    Outcome,
    SensorStream,
    Tally,
    not_allowed,
    refusal_line,
    too_many_links,
)
from core.site_records import ListenerState, Record, SensorBatch, SensorMeasure
from core.transport.listener import address_of, open_listener

THREADS = 500
"""Links at most, since each costs a thread."""

POLL_S = 0.2
"""How soon a thread notices that the server stops."""

REPORT_S = 1.0
JOIN_S = 3.0
DRAIN_S, QUIET_S = 1.0, 0.05
RETRY_S, GIVE_UP_S = 0.25, 10.0
_READ_OCTETS = 64 * 1024
_ANSWERS_LIMIT = 64 * 1024

log = logging.getLogger("beffroi.sensors")


class Server(ABC):
    """A TCP server: it listens, takes links in and hands each of them over, until it is stopped."""

    def __init__(self, listen: str) -> None:
        self._listener = open_listener(listen)
        self._is_stopped = threading.Event()
        self.address = address_of(self._listener)

    def serve(self) -> None:
        """Take links in until `stop` is called, then finish; blocks its thread."""
        try:
            while not self._is_stopped.is_set():
                self.on_turn()
                if select.select([self._listener], [], [], POLL_S)[0]:
                    try:
                        link, place = self._listener.accept()
                    except OSError as error:  # gone again, or no more files: others are still served
                        log.info("a link could not be taken in: %s", error)
                        self._is_stopped.wait(0.05)
                        continue
                    self.handle(link, place[0], place[1])
        finally:
            self._listener.close()
            self.finish()

    def stop(self) -> None:
        """Let `serve` come to its end; from any thread."""
        self._is_stopped.set()

    @abstractmethod
    def handle(self, link: socket.socket, host: str, port: int) -> None:
        """Serve one link, without keeping `serve` from the next one."""

    @abstractmethod
    def on_turn(self) -> None:
        """Do what is to be done every now and then, between two links."""

    @abstractmethod
    def finish(self) -> None:
        """Bring to an end what was handed over, after the last link was taken in."""


class TcpServer(Server):
    """The server of sensors: a thread for each link, which saves under a lock that all of them share.

    `save` keeps measures durably and raises StoreError where it cannot; it is called by one thread at a time.
    `publish` is called in any of them.
    """

    def __init__(
        self,
        settings: SensorsSettings,
        save: Callable[[Sequence[SensorMeasure]], object],
        publish: Callable[[Record], None],
        *,
        clock: Callable[[], float] = time.time,
        give_up_s: float = GIVE_UP_S,
    ) -> None:
        super().__init__(settings.listen)
        self._settings = settings
        self._guests = Guests(settings.allow)
        self._save = save
        self._publish = publish
        self._clock = clock
        self._give_up_s = give_up_s
        self._file = None if settings.file is None else SensorFile(Path(settings.file))
        self._lock = threading.Lock()
        self._series: set[tuple[str, str]] = set()
        self._threads: dict[threading.Thread, None] = {}
        self._tally = Tally()
        self._told = Tally()
        self._told_at_s = 0.0
        self._tell(ListenerState.LISTENING)

    def handle(self, link: socket.socket, host: str, port: int) -> None:
        """Give the link a thread of its own, or say why it gets none."""
        stream = SensorStream(host, port, self._series, self._settings.rate_per_s)
        limit = min(self._settings.links, THREADS)
        refusal = None
        if not self._guests.is_allowed(stream.host):
            refusal = not_allowed(stream.host)
        elif len(self._threads) >= limit:
            refusal = too_many_links(limit)
        if refusal is not None:
            with self._lock:
                self._tally.refuse(refusal, stream.peer)
            with link, contextlib.suppress(OSError):
                link.setblocking(False)
                link.send(refusal_line(refusal.english))
            return
        thread = threading.Thread(target=self._converse, args=(link, stream), name=f"sensor {stream.peer}", daemon=True)
        with self._lock:
            self._threads[thread] = None
            self._tally.links = len(self._threads)
        thread.start()

    def on_turn(self) -> None:
        """Report once a second what has changed."""
        if time.monotonic() - self._told_at_s >= REPORT_S:
            with self._lock:
                has_changed = self._tally != self._told
            if has_changed:
                self._tell(ListenerState.LISTENING)

    def finish(self) -> None:
        """Wait until each link's thread has saved what it had read."""
        until_s = time.monotonic() + JOIN_S
        for thread in list(self._threads):
            thread.join(max(0.0, until_s - time.monotonic()))
        if self._file is not None:
            self._file.close()
        self._tell(ListenerState.STOPPED)

    def _tell(self, state: ListenerState) -> None:
        with self._lock:
            self._told_at_s = time.monotonic()
            self._told = Tally(*(getattr(self._tally, name) for name in Tally.__slots__))
            report = self._tally.report(self._clock(), state, self.address)
        self._publish(report)

    # In the thread of a link

    def _converse(self, link: socket.socket, stream: SensorStream) -> None:
        try:
            with link, contextlib.suppress(OSError):  # a reset: the sensor has gone without a word
                watch_for_silence(link)
                self._serve_link(link, stream)
        except Exception:
            log.exception("the link of %s ends", stream.peer)
        finally:
            with self._lock:
                self._threads.pop(threading.current_thread(), None)
                self._tally.links = len(self._threads)

    def _serve_link(self, link: socket.socket, stream: SensorStream) -> None:
        answers = _Answers(link)
        silent_since_s = time.monotonic()
        stopped_at_s: float | None = None
        is_greeted = False
        while not stream.is_over:
            if self._is_stopped.is_set():  # what is on its way is still read
                stopped_at_s = stopped_at_s or time.monotonic()
                if time.monotonic() - stopped_at_s > DRAIN_S:
                    return
            link.settimeout(POLL_S if stopped_at_s is None else QUIET_S)
            try:
                data = link.recv(_READ_OCTETS)
            except TimeoutError:
                if stopped_at_s is not None:
                    return
                silent_s = time.monotonic() - silent_since_s
                if stream.has_text and silent_s >= TEXT_PAUSE_S:
                    self._answer(stream, answers, stream.end_text(self._clock(), time.monotonic()))
                elif not is_greeted and not stream.has_sent and silent_s >= GREET_AFTER_S:
                    is_greeted = True
                    answers.send(GREETING)
                continue
            now_s = silent_since_s = time.monotonic()
            if not data:
                self._answer(stream, answers, stream.end(self._clock(), now_s))
                return
            self._answer(stream, answers, stream.receive_data(data, self._clock(), now_s))

    def _answer(self, stream: SensorStream, answers: _Answers, outcomes: Sequence[Outcome]) -> None:
        """Save what came, under the lock; then answer each message."""
        measures = [measure for outcome in outcomes if not isinstance(outcome, Refusal) for measure in outcome]
        not_saved: Refusal | None = None
        with self._lock:
            if measures:
                try:
                    self._saved(measures)
                except StoreError as error:
                    not_saved = Refusal(N_("not saved: {reason}"), reason=error)
                    self._tally.error = str(error)
                else:
                    self._tally.error = None
                    self._write_file(measures)
                    self._publish(SensorBatch(measures=tuple(measures)))
            lines = []
            for outcome in outcomes:
                refusal = outcome if isinstance(outcome, Refusal) else not_saved
                if refusal is None:
                    self._tally.messages += 1
                    lines.append(OK)
                else:
                    self._tally.refuse(refusal, stream.peer)
                    lines.append(refusal_line(refusal.english))
        answers.send(b"".join(lines))

    def _saved(self, measures: Sequence[SensorMeasure]) -> None:
        """Save, as often as it takes while another program holds the database, up to some seconds."""
        until_s = time.monotonic() + self._give_up_s
        while True:
            try:
                self._save(measures)
            except StoreLockedError:
                if time.monotonic() + RETRY_S > until_s or self._is_stopped.wait(RETRY_S):
                    raise
            else:
                return

    def _write_file(self, measures: Sequence[SensorMeasure]) -> None:
        if self._file is not None:
            try:
                self._file.append(measures)
            except StoreError as error:
                self._tally.error = str(error)
                log.warning("%s", error)


class _Answers:
    """Sends without ever waiting: what a sensor does not read is kept up to a limit, then dropped.

    A peer that takes no answers any more may still have sent something that is to be read, so this is no error.
    """

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._waiting = b""
        self._is_deaf = False

    def send(self, lines: bytes) -> None:
        """Send what the peer takes now; whole lines are dropped where too much waits."""
        if len(self._waiting) < _ANSWERS_LIMIT:
            self._waiting += lines
        if self._waiting and not self._is_deaf:
            self._link.setblocking(False)
            try:
                self._waiting = self._waiting[self._link.send(self._waiting) :]
            except BlockingIOError:
                pass
            except OSError:
                self._is_deaf = True
