"""A simulated meter and a dialogue with it, over a TCP line or a pseudo-terminal, for tests."""

from __future__ import annotations

import asyncio
import contextlib
import time

from core.services.meter_simulator import MeterSimulator, Simulation
from core.services.meter_sources import MeterSource
from core.transport.line import LineSettings
from core.transport.serial_port import open_port


@contextlib.asynccontextmanager
async def simulator(folder=None, **fields):
    """Our simulator; yields the port to open. `folder` is where the terminal's link goes, None is TCP."""
    place = asyncio.get_running_loop().create_future()
    where = {"listen": "127.0.0.1:0"} if folder is None else {"link": folder / "tty"}
    task = asyncio.create_task(MeterSimulator(Simulation(**where, **fields)).run(place.set_result))
    try:
        await asyncio.wait((task, place), return_when=asyncio.FIRST_COMPLETED)
        if not place.done():
            task.result()
        yield place.result() if folder is not None else f"socket://{place.result()}"
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@contextlib.asynccontextmanager
async def asked(dialogue, folder=None, source=None, **fields):
    """`dialogue` (a class) with a simulator of `fields`, opened; yields it with `told`, what it told."""
    async with simulator(folder, **fields) as url, dialogue_with(dialogue, url, **(source or {})) as made:
        yield made


@contextlib.asynccontextmanager
async def dialogue_with(dialogue, url, line=None, **source):
    """`dialogue` with whatever is at `url`, opened, with `told` and `port`."""
    port = await open_port(url, line or LineSettings(9600))
    told = []
    made = dialogue(MeterSource(port=url, **source), port, told.append, time.time)
    made.told, made.port = told, port
    try:
        await made.open()
        yield made
    finally:
        await made.close()
        port.close()
