"""A meter on an M-Bus that is asked: the whole readout each time, of several telegrams where it has several."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

from msgspec.structs import replace

from core.errors import RemoteProtocolError, TransportError, UsageError
from core.language import _
from core.meter.readings_mbus import readings_of_mbus
from core.meter_records import ProfilePart, RegisterValue
from core.protocol.mbus_frames import SELECTED, SND_NKE, short_frame
from core.protocol.mbus_session import FrameCounts, MbusAddress, MbusReadout
from core.protocol.mbus_telegram import MbusTelegram
from core.protocol.session import Finished, Rejected, SetLine, Told
from core.records import MeterIdentity, MeterReadings, Reading
from core.services.meter_dialogue import CLOSE_S, Tell
from core.services.meter_line import conversation
from core.services.meter_sources import MeterSource
from core.transport.line import Port

BAUD = 2400
"""Speed of nearly every M-Bus."""


class MbusDialogue:
    """See `core.services.meter_dialogue.Dialogue`; raises UsageError for an address that is none."""

    def __init__(self, source: MeterSource, port: Port, tell: Tell, clock: Callable[[], float]) -> None:
        self.identity = MeterIdentity()
        self.is_simulated = False
        self._source = source
        self._port = port
        self._tell = tell
        self._clock = clock
        self._address = MbusAddress.parse(source.address)
        self._counts = FrameCounts()
        self._waiting: MeterReadings | None = None
        self._expected: int | None = None

    @property
    def expected(self) -> int | None:
        """How many values the last readout held."""
        return self._expected

    async def open(self) -> None:
        """See `Dialogue.open`: the first readout shows whether somebody is there."""
        self._waiting = await self._read_out()

    async def read(self) -> MeterReadings:
        """See `Dialogue.read`."""
        readings, self._waiting = self._waiting, None
        if readings is None:
            readings = await self._read_out()
        codes = self._source.codes
        if not codes:
            return readings
        found = tuple(reading for reading in readings.readings if any(_is_meant(reading, code) for code in codes))
        missing = [code for code in codes if not any(_is_meant(reading, code) for reading in found)]
        errors = [_("{code}: the meter does not send this code").format(code=code) for code in missing]
        return replace(readings, readings=found, errors=(*readings.errors, *errors))

    async def registers(self, codes: Sequence[str] = ()) -> AsyncIterator[RegisterValue]:
        """See `Dialogue.registers`: every record, under its code or its label."""
        readings = (await self._read_out()).readings
        for reading in readings:
            if not codes or any(_is_meant(reading, code) for code in codes):
                name = reading.obis or reading.label or ""
                about = None if reading.label is None else reading.label.replace("_", " ")
                yield RegisterValue(code=name, reading=reading, about=about)
        for code in codes:
            if not any(_is_meant(reading, code) for reading in readings):
                yield RegisterValue(code=code, error=_("the meter does not send this code"))

    def profile(self, start_s: float, end_s: float, obis: str | None = None) -> AsyncIterator[ProfilePart]:
        """See `Dialogue.profile`; raises UsageError: M-Bus has none."""
        raise UsageError(_("a meter on an M-Bus gives no load profile; its stored values are in each reading"))

    async def close(self) -> None:
        """See `Dialogue.close`: a slave that was selected is let go."""
        if not self._address.pattern:
            return
        with contextlib.suppress(TransportError, TimeoutError):
            await asyncio.wait_for(self._port.write(short_frame(SND_NKE, SELECTED)), CLOSE_S)

    async def _read_out(self) -> MeterReadings:
        readout = MbusReadout(self._address, self._counts, key=self._source.key, baud=self._source.baud or BAUD)
        telegram: MbusTelegram | None = None
        async for event in conversation(readout, self._port):
            if isinstance(event, Told):
                assert isinstance(event.telegram, MbusTelegram)
                telegram = event.telegram
            elif isinstance(event, (Rejected, SetLine)):
                self._tell(event)
            elif isinstance(event, Finished) and event.error is not None:
                raise event.error
        if telegram is None:
            raise RemoteProtocolError(_("the meter said nothing"))
        readings = readings_of_mbus(telegram, name=self._source.name, time_s=self._clock())
        self.identity, self.is_simulated = readings.meter, readings.is_simulated
        self._expected = len(readings.readings)
        return readings


def _is_meant(reading: Reading, code: str) -> bool:
    """True where a code as typed (with or without medium and storage, or a label) means this reading."""
    if reading.obis is None:
        return reading.label == code
    return code in (
        reading.obis,
        reading.obis.removesuffix("*255"),
        reading.obis.partition(":")[2].removesuffix("*255"),
    )
