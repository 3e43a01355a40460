"""A sensor intake in the test's own loop, with a store that can be made to fail, and raw links to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from core.config.settings import SensorsSettings
from core.services.sensor_intake import SensorIntake
from core.site_records import IntakeReport, Record, SensorBatch, SensorMeasure

OK = b'{"ok":true}\n'


class FakeStore:
    """Keeps measures in memory; raises `error` while there is one, waits for `gate` where it is there."""

    def __init__(self) -> None:
        self.measures: list[SensorMeasure] = []
        self.batches = 0
        self.tries = 0
        self.error: Exception | None = None
        self.gate: asyncio.Event | None = None

    async def save(self, measures: Sequence[SensorMeasure]) -> None:
        self.tries += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.batches += 1
        self.measures += measures

    @property
    def values(self) -> list[tuple[str, float]]:
        return [(measure.sensor, measure.value) for measure in self.measures]


class Site:
    """An intake that runs; `reports` and `batches` are what it published."""

    def __init__(self, intake: SensorIntake, store: FakeStore, published: list[Record], task: asyncio.Future) -> None:
        self.intake = intake
        self.store = store
        self.published = published
        self.task = task
        self.writers: list[asyncio.StreamWriter] = []

    @property
    def port(self) -> int:
        assert self.intake.address is not None
        return int(self.intake.address.rpartition(":")[2])

    @property
    def reports(self) -> list[IntakeReport]:
        return [record for record in self.published if isinstance(record, IntakeReport)]

    @property
    def batches(self) -> list[SensorBatch]:
        return [record for record in self.published if isinstance(record, SensorBatch)]

    async def link(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        return reader, writer

    async def stop(self) -> None:
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


@asynccontextmanager
async def site(store: FakeStore | None = None, *, give_up_s: float = 5.0, **settings: object) -> AsyncIterator[Site]:
    store = store or FakeStore()
    published: list[Record] = []
    intake = SensorIntake(
        SensorsSettings(listen="127.0.0.1:0", **settings),  # type: ignore[arg-type]  # of the test's choice
        store.save,
        published.append,
        give_up_s=give_up_s,
    )
    task = asyncio.ensure_future(intake.run())
    await intake.ready()
    made = Site(intake, store, published, task)
    try:
        yield made
    finally:
        await made.stop()
        for writer in made.writers:
            writer.transport.abort()
        await asyncio.sleep(0)


async def until(condition, within_s: float = 5.0) -> None:
    """Wait until `condition()` holds."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 -- of anything, not of an event
            await asyncio.sleep(0.005)
