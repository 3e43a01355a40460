"""The meters of a site read in one asyncio loop, without a thread each: what `collect` does."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from core.config import MeterConfig
from core.errors import BeffroiError, UsageError
from core.home import Home
from core.language import _
from core.records import MeterReport, MeterState
from core.services.gap_filling import Query, last_row_by
from core.services.meter_reader import MeterReader
from core.services.meter_sources import source_of
from core.services.shared_lines import SharedLines
from core.site_records import Record

log = logging.getLogger("beffroi.meters")


class SiteMeters:
    """Reads meters from `set_meters` on until `stop`; all methods belong to the loop's thread.

    `query` asks the history when that of a meter ends, so that its load profile may fill what is missing.
    """

    def __init__(
        self,
        home: Home,
        publish: Callable[[Record], None],
        query: Query | None = None,
    ) -> None:
        self._home = home
        self._publish = publish
        self._last_row = None if query is None else last_row_by(query)
        self._lines = SharedLines()
        self._wanted: dict[str, MeterConfig] = {}
        self._readers: dict[str, MeterReader] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def names(self) -> list[str]:
        """Meters that are wanted."""
        return list(self._wanted)

    async def set_meters(self, meters: Sequence[MeterConfig]) -> None:
        """Read these from now on; one that stays as it was goes on being read."""
        wanted = {meter.name: meter for meter in meters}
        changed = [name for name, meter in self._wanted.items() if wanted.get(name) != meter]
        await self._end(changed)
        fresh = [meter for name, meter in wanted.items() if name not in self._wanted or name in changed]
        self._wanted = wanted
        for meter in fresh:
            self._begin(meter)

    def read_now(self, name: str) -> None:
        """Ask a meter at once, where it is one that is asked; raises UsageError for one that is not read."""
        self._reader(name).read_now()

    def read_registers(self, name: str, codes: Sequence[str] = ()) -> None:
        """See `MeterReader.read_registers`; raises UsageError for a meter that is not read."""
        self._reader(name).read_registers(codes)

    def read_profile(self, name: str, start_s: float, end_s: float, obis: str | None = None) -> None:
        """See `MeterReader.read_profile`; raises UsageError for a meter that is not read."""
        self._reader(name).read_profile(start_s, end_s, obis)

    def cancel_asks(self, name: str) -> None:
        """See `MeterReader.cancel_asks`; raises UsageError for a meter that is not read."""
        self._reader(name).cancel_asks()

    def watch_line(self, name: str, is_wanted: bool) -> None:
        """See `MeterReader.watch_line`; raises UsageError for a meter that is not read."""
        self._reader(name).watch_line(is_wanted)

    def unwatch(self) -> None:
        """Publish the octets of no line any more: nobody is there to see them."""
        for reader in self._readers.values():
            reader.watch_line(False)

    async def stop(self) -> None:
        """Let all ports go."""
        await self._end(list(self._tasks))
        self._wanted = {}

    def _reader(self, name: str) -> MeterReader:
        reader = self._readers.get(name)
        if reader is None:
            raise UsageError(_("there is no meter called {meter} in the settings").format(meter=name))
        return reader

    def _begin(self, meter: MeterConfig) -> None:
        try:
            source = source_of(meter, self._home)
            reader = MeterReader(source, self._publish, lines=self._lines, last_row=self._last_row)
        except BeffroiError as error:
            self._fail(meter, error)
            return
        self._readers[meter.name] = reader
        self._tasks[meter.name] = asyncio.get_running_loop().create_task(
            self._read(meter, reader), name=f"meter {meter.name}"
        )

    async def _read(self, meter: MeterConfig, reader: MeterReader) -> None:
        try:
            await reader.run()
        except BeffroiError as error:
            self._fail(meter, error)
        except Exception as error:
            log.exception("reading %s failed", meter.name)
            self._fail(meter, error)

    async def _end(self, names: Sequence[str]) -> None:
        tasks = [self._tasks.pop(name) for name in names if name in self._tasks]
        for name in names:
            self._readers.pop(name, None)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _fail(self, meter: MeterConfig, error: Exception) -> None:
        words = str(error) or type(error).__name__
        self._publish(
            MeterReport(name=meter.name, port=meter.port, state=MeterState.FAILED, text=words, time_s=time.time())
        )
