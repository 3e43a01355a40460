"""Listens to a meter that sends by itself; what somebody wants to know of it is in its last telegram, or nowhere."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable

from core.language import _
from core.meter.presets import Preset, Presets
from core.meter.readings import readings_of_push
from core.meter.readings_21 import readings_of_data_sets
from core.meter_records import RegisterList, RegisterValue
from core.protocol.data_sets import Telegram
from core.protocol.push import PushTelegram
from core.protocol.session import Rejected, Told
from core.records import MeterReadings
from core.services.heard_session import HeardSession
from core.services.meter_asking import answer
from core.services.meter_asks import Ask, AskQueue, ProfileAsk
from core.services.meter_line import conversation
from core.services.meter_sources import MeterSource
from core.services.meter_telling import SILENT_S, MeterTelling
from core.transport.line import Port

LOOK_S = 0.2
"""Between two looks whether somebody wants to know something."""

_CODE = re.compile(r"(?:(\d+)-(\d+):)?([0-9A-Z]+)\.([0-9A-Z]+)(?:\.(\d+))?(?:[*&](\d+))?")


class MeterListening:
    """Takes telegrams of one meter in, for as long as its port is there."""

    def __init__(
        self,
        source: MeterSource,
        telling: MeterTelling,
        asks: AskQueue,
        clock: Callable[[], float],
        *,
        presets: Presets,
        preset: Preset | None,
    ) -> None:
        self._source = source
        self._telling = telling
        self._asks = asks
        self._clock = clock
        self._presets = presets
        self._preset = preset
        self._factors_told: set[tuple[str, int]] = set()

    async def run(self, port: Port, session: HeardSession) -> None:
        """Listen until the port is gone: raises TransportError."""
        telling = self._telling
        telling.expect(SILENT_S + (self._source.period_s or 0.0))
        answering = asyncio.ensure_future(self._answer())
        try:
            async with contextlib.aclosing(conversation(session, port)) as events:
                async for event in events:
                    if isinstance(event, Told):
                        self._take(event.telegram)
                    elif isinstance(event, Rejected):
                        telling.rejected(event.error)
        finally:
            answering.cancel()
            await asyncio.wait([answering])

    def _take(self, telegram: object) -> None:
        telling = self._telling
        if isinstance(telegram, PushTelegram):
            telling.is_ciphered = telegram.is_ciphered
            telling.is_authenticated = telegram.is_authenticated
            telling.take(
                readings_of_push(
                    telegram,
                    name=self._source.name,
                    time_s=self._clock(),
                    preset=self._preset,
                    presets=self._presets,
                    identity=telling.identity,
                    factors_told=self._factors_told,
                )
            )
        elif isinstance(telegram, Telegram):
            telling.protocol = "iec62056-21"
            telling.take(readings_of_data_sets(telegram, name=self._source.name, time_s=self._clock()))

    async def _answer(self) -> None:
        """Answer who asks, from the last telegram as soon as there is one; nothing is sent."""
        ask: Ask | None = None
        while True:
            await asyncio.sleep(LOOK_S)
            self._asks.take_reading()
            ask = ask or self._asks.take()
            if isinstance(ask, ProfileAsk):
                text = _("this meter sends by itself: it cannot be asked for a load profile here")
                answer(ask, self._telling, text, self._clock())
                ask = None
            elif ask is not None and self._telling.last is not None:
                self._telling.publish(registers_of(self._telling.last, ask.codes, self._telling.name))
                ask = None


def registers_of(readings: MeterReadings, codes: tuple[str, ...], name: str) -> RegisterList:
    """What a telegram says as a list of registers: of `codes`, a missing one with its error, else of all."""
    found = [RegisterValue(code=one.obis or one.label or "", reading=one) for one in readings.readings]
    if codes:
        wanted = {code: [value for value in found if is_same_code(code, value.code)] for code in codes}
        missing = _("the meter does not send this code")
        found = [
            value for code, values in wanted.items() for value in values or [RegisterValue(code=code, error=missing)]
        ]
    return RegisterList(
        name=name,
        meter=readings.meter,
        time_s=readings.time_s or 0.0,
        registers=tuple(found),
        is_first=True,
        is_last=True,
        expected=len(found),
        is_simulated=readings.is_simulated,
    )


def is_same_code(asked: str, given: str) -> bool:
    """True where two codes can mean the same: a group that one of them leaves out says nothing."""
    one, other = _CODE.fullmatch(asked), _CODE.fullmatch(given)
    if one is None or other is None:
        return asked == given
    groups = zip(one.groups(), other.groups(), strict=True)
    return all(left is None or right is None or left == right for left, right in groups)
