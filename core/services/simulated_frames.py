"""The far end of a line of frames, DLMS or M-Bus: octets go to a virtual meter without I/O, its answers come back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from core.services.meter_wire import Wire
from core.transport.line import LineSettings

TURNAROUND_S = 0.01
"""What the meter needs before it answers."""


class FrameMeter(Protocol):
    """A virtual meter that answers frames."""

    def receive_data(self, data: bytes) -> bytes:
        """What comes back on the line to the octets of whoever asks."""


async def answer_frames(
    meter: FrameMeter,
    wire: Wire,
    line: LineSettings,
    *,
    is_over: Callable[[], bool] = lambda: False,
    idle_s: float | None = None,
) -> None:
    """Answer until the other side has gone, `is_over` says so, or nothing came for `idle_s`."""
    while not is_over():
        try:
            async with asyncio.timeout(idle_s):
                data = await wire.read(line)
        except TimeoutError:
            return
        if not data:
            return
        answer = meter.receive_data(data)
        if answer:
            await asyncio.sleep(len(data) * line.octet_s + TURNAROUND_S)
            await wire.write(answer, line)
