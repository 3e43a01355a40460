"""A thread for each probe: its serial port and its session live there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PyQt5.QtCore import QObject, pyqtSignal

from core.config import MeterConfig
from core.errors import UsageError
from core.home import Home
from core.language import _
from core.site_records import Record
from gui.runtime.loop_thread import LoopThread

if TYPE_CHECKING:
    from core.services.meter_reader import MeterReader


class MeterThreads(QObject):
    """The probes being read, by the name of their meter; all methods belong to the GUI thread."""

    failed = pyqtSignal(str, str)
    """Name of a meter whose reading has ended by an error, and the error's words."""

    def __init__(self, home: Home, publish: Callable[[Record], None], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._home = home
        self._publish = publish
        self._threads: dict[str, LoopThread] = {}
        self._ending: list[LoopThread] = []
        self._readers: dict[str, MeterReader] = {}
        self._when_free: list[Callable[[], None]] = []

    def names(self) -> list[str]:
        """Meters being read."""
        return list(self._threads)

    def connect_meter(self, meter: MeterConfig) -> None:
        """Read this meter; one of the same name is let go first. Raises ConfigError for a key that cannot be read."""
        from core.services.meter_reader import MeterReader
        from core.services.meter_sources import source_of

        reader = MeterReader(source_of(meter, self._home), self._publish)
        self.disconnect_meter(meter.name)
        thread = LoopThread(f"meter {meter.name}", self)
        thread.crashed.connect(lambda text: self.failed.emit(meter.name, text))
        thread.finished.connect(lambda: self._on_finished(thread))
        self._threads[meter.name] = thread
        self._readers[meter.name] = reader
        thread.start()
        thread.spawn(reader.run())

    def disconnect_meter(self, name: str) -> None:
        """Stop reading; the port is free soon after."""
        thread = self._threads.pop(name, None)
        self._readers.pop(name, None)
        if thread is not None:
            self._ending.append(thread)
            thread.request_stop()

    def read_now(self, name: str) -> None:
        """Have a meter read at once; from any thread. Raises UsageError for one that is not read."""
        reader = self._readers.get(name)
        if reader is None:
            raise UsageError(_("{meter} is not read by this window").format(meter=name))
        reader.read_now()

    def when_free(self, done: Callable[[], None]) -> None:
        """Call `done` once the ports of all that were disconnected are free."""
        if self._ending:
            self._when_free.append(done)
        else:
            done()

    def request_stop(self) -> None:
        """Ask all to end."""
        for name in list(self._threads):
            self.disconnect_meter(name)

    def stop(self) -> None:
        """End all and wait."""
        self.request_stop()
        for thread in list(self._ending):
            thread.stop()

    def _on_finished(self, thread: LoopThread) -> None:
        if thread in self._ending:
            self._ending.remove(thread)
        if not self._ending:
            waiting, self._when_free = self._when_free, []
            for done in waiting:
                done()
