"""A mode C readout on a pseudo-terminal and over TCP, beside the time that the wire alone needs.

The wire: sign-on, identification and acknowledgement at 300 baud, three reaction times of 200 ms, and the data.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path

from bench import Row
from core.meter.virtual_e450 import VirtualE450
from core.meter.virtual_telegrams import identification_line, readout
from core.protocol.mode_c import ReadoutSession
from core.protocol.session import Told
from core.services.meter_line import conversation
from core.services.meter_simulator import MeterSimulator, Simulation
from core.transport.line import LineSettings
from core.transport.serial_port import open_port

BAUD = 9600
GOAL = 1.05
RUNS = 3


def run() -> list[Row]:
    """A row for each kind of line."""
    return asyncio.run(_measure())


async def _measure() -> list[Row]:
    octets = len(readout(VirtualE450(1), 1_772_359_200.0))
    wire_s = (5 + len(identification_line(BAUD)) + 6) * 10 / 300 + 3 * 0.2 + octets * 10 / BAUD
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for work, simulation in (
            ("mode C readout on a terminal", Simulation(protocol="iec62056-21", link=Path(folder, "tty"), baud=BAUD)),
            ("mode C readout over TCP", Simulation(protocol="iec62056-21", listen="127.0.0.1:0", baud=BAUD)),
        ):
            ours_s = await _readout_s(simulation)
            rows.append(
                Row(
                    work,
                    ours_s,
                    wire_s,
                    wire_s / ours_s,
                    "s",
                    f"≤ {GOAL:g} × the wire",
                    ours_s <= GOAL * wire_s,
                    f"{octets} octets; ours is {ours_s / wire_s:.3f} × the wire's own time",
                )
            )
    return rows


async def _readout_s(simulation: Simulation) -> float:
    place = asyncio.get_running_loop().create_future()
    simulating = asyncio.create_task(MeterSimulator(simulation).run(place.set_result))
    url = await place
    times = []
    try:
        for _run in range(RUNS):
            port = await open_port(url if simulation.link else f"socket://{url}", LineSettings(300, 7, "E"))
            loop = asyncio.get_running_loop()
            began_s = loop.time()
            try:
                async for event in conversation(ReadoutSession(attempts=1), port):
                    if isinstance(event, Told):
                        times.append(loop.time() - began_s)
            finally:
                port.close()
            await asyncio.sleep(0.1)
    finally:
        simulating.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await simulating
    return min(times)
