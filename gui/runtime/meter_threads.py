"""A thread for each probe: its serial port and its session live there. The meters of one M-Bus share theirs."""

from __future__ import annotations

import concurrent.futures
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PyQt5.QtCore import QObject, pyqtSignal

from core.config import MeterConfig
from core.errors import UsageError
from core.home import Home
from core.language import _
from core.site_records import Record
from gui.runtime.loop_thread import LoopThread

if TYPE_CHECKING:
    from core.services.gap_filling import Query
    from core.services.meter_reader import MeterReader
    from core.services.shared_lines import SharedLines

log = logging.getLogger("beffroi.gui")


@dataclass(frozen=True, slots=True, eq=False)
class _Probe:
    """A thread, and the ports that the meters read in it share."""

    thread: LoopThread
    lines: SharedLines


@dataclass(frozen=True, slots=True, eq=False)
class _Meter:
    """One meter that is read: where, by whom, and the end of that."""

    probe: _Probe
    reader: MeterReader
    reading: concurrent.futures.Future[None]


class MeterThreads(QObject):
    """The probes being read, by the name of their meter.

    What asks a meter for something may be called from any thread; all else belongs to the GUI thread.
    """

    failed = pyqtSignal(str, str)
    """Name of a meter whose reading has ended by an error, and the error's words."""

    def __init__(
        self,
        home: Home,
        publish: Callable[[Record], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._home = home
        self._publish = publish
        self._query: Query | None = None
        self._meters: dict[str, _Meter] = {}
        self._buses: dict[str, _Probe] = {}
        self._ending: list[LoopThread] = []
        self._when_free: list[Callable[[], None]] = []
        self._watched: set[str] = set()

    def names(self) -> list[str]:
        """Meters being read."""
        return list(self._meters)

    def set_history(self, query: Query) -> None:
        """Who answers when the history of a meter ends; for those that are connected from now on."""
        self._query = query

    def connect_meter(self, meter: MeterConfig) -> None:
        """Read this meter; one of the same name is let go first. Raises ConfigError for a key that cannot be read."""
        from core.services.dlms_asking import forget_meters
        from core.services.gap_filling import last_row_by
        from core.services.meter_reader import MeterReader
        from core.services.meter_sources import source_of

        source = source_of(meter, self._home)
        last_row = None if self._query is None else last_row_by(self._query)
        place = _bus_of(meter)
        shared = self._buses.get(place) if place is not None else None
        probe = shared if shared is not None else self._new_probe(place or meter.name)
        reader = MeterReader(source, self._publish, lines=probe.lines, last_row=last_row)
        if meter.name in self._watched:
            forget_meters()  # nothing is left out of a conversation that is watched: it may be recorded and replayed
            reader.watch_line(True)
        self._let_go(meter.name, keep=probe)
        if place is not None:
            self._buses[place] = probe
        if not probe.thread.isRunning():
            probe.thread.start()
        reading = probe.thread.submit(reader.run())
        reading.add_done_callback(lambda ended: self._on_ended(meter.name, ended))
        self._meters[meter.name] = _Meter(probe, reader, reading)

    def disconnect_meter(self, name: str) -> None:
        """Stop reading; the port is free soon after."""
        self._let_go(name)

    # From any thread

    def read_now(self, name: str) -> None:
        """Have a meter read at once; raises UsageError for one that is not read."""
        self._reader(name).read_now()

    def read_registers(self, name: str, codes: Sequence[str] = ()) -> None:
        """Have all its registers read, or those of `codes`; raises UsageError for a meter that is not read."""
        self._reader(name).read_registers(codes)

    def read_profile(self, name: str, start_s: float, end_s: float, obis: str | None = None) -> None:
        """Have its load profile read; raises UsageError for a meter that is not read."""
        self._reader(name).read_profile(start_s, end_s, obis)

    def cancel_asks(self, name: str) -> None:
        """See `MeterReader.cancel_asks`; raises UsageError for a meter that is not read."""
        self._reader(name).cancel_asks()

    def watch_line(self, name: str, is_wanted: bool) -> None:
        """Have the octets of its line published, or no more; those too of who reads the meter later.

        Raises UsageError for a meter that is not read now.
        """
        if is_wanted:
            self._watched.add(name)
        else:
            self._watched.discard(name)
        self._reader(name).watch_line(is_wanted)

    # The end

    def when_free(self, done: Callable[[], None]) -> None:
        """Call `done` once the ports of all that were disconnected are free."""
        if self._ending:
            self._when_free.append(done)
        else:
            done()

    def request_stop(self) -> None:
        """Ask all to end."""
        for name in list(self._meters):
            self._let_go(name)

    def stop(self) -> None:
        """End all and wait."""
        self.request_stop()
        for thread in list(self._ending):
            thread.stop()

    def _new_probe(self, name: str) -> _Probe:
        from core.services.shared_lines import SharedLines

        thread = LoopThread(f"meter {name}", self)
        thread.finished.connect(lambda: self._on_finished(thread))
        return _Probe(thread, SharedLines())

    def _reader(self, name: str) -> MeterReader:
        meter = self._meters.get(name)
        if meter is None:
            raise UsageError(_("{meter} is not read by this window").format(meter=name))
        return meter.reader

    def _let_go(self, name: str, keep: _Probe | None = None) -> None:
        """Stop reading a meter, and the thread of its probe where nobody else is read there."""
        meter = self._meters.pop(name, None)
        if meter is None:
            return
        probe = meter.probe
        if probe is keep or any(other.probe is probe for other in self._meters.values()):
            meter.reading.cancel()
            return
        self._buses = {place: other for place, other in self._buses.items() if other is not probe}
        self._ending.append(probe.thread)
        probe.thread.request_stop()

    def _on_ended(self, name: str, ended: concurrent.futures.Future[None]) -> None:
        """In any thread: only an error is news."""
        if ended.cancelled():
            return
        error = ended.exception()
        if error is not None:
            log.error("reading %s failed", name, exc_info=error)
            self.failed.emit(name, str(error) or type(error).__name__)

    def _on_finished(self, thread: LoopThread) -> None:
        if thread in self._ending:
            self._ending.remove(thread)
        if not self._ending:
            waiting, self._when_free = self._when_free, []
            for done in waiting:
                done()


def _bus_of(meter: MeterConfig) -> str | None:
    """What the meters of one M-Bus have in common; None for a meter with a port of its own."""
    if meter.protocol != "mbus":
        return None
    return f"usb:{meter.usb_serial}" if meter.usb_serial is not None else meter.port
