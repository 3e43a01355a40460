"""What the recorder promises: all is written within a second, nothing is lost while the database refuses."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from core.config import Retention
from core.errors import StoreError, StoreNewerError
from core.meter_records import ProfileColumn, ProfilePart, ProfileRow
from core.records import (
    CommandOutput,
    Cpu,
    Event,
    MachineReport,
    MachineState,
    Measurement,
    MeterIdentity,
    MeterReadings,
    Reading,
    Severity,
    Status,
    StoreReport,
)
from core.services.recorder import Recorder
from core.site_records import SensorMeasure
from core.store.history import History

NOW = time.time()
MEASURE = SensorMeasure(sensor="c1", quantity="temperature_c", value=21.0, unit="°C", time_s=NOW)


def telegram(time_s: float, *, readings: tuple[Reading, ...] = ()) -> MeterReadings:
    return MeterReadings(
        name="main",
        protocol="push",
        meter=MeterIdentity(),
        time_s=time_s,
        readings=readings,
        measurement=Measurement(voltage_l1_v=230.0),
    )


def report(number: int, time_s: float, percent: float, *late: Status) -> MachineReport:
    return MachineReport(
        machine="m1",
        address="127.0.0.1:1",
        state=MachineState.ONLINE,
        since_s=NOW,
        status=status(number, time_s, percent),
        time_s=time_s,
        is_new=True,
        late_statuses=late,
    )


def status(number: int, time_s: float, percent: float) -> Status:
    return Status(number=number, time_s=time_s, cpu=Cpu(percent=percent, per_core_percent=(), load_average=()))


class Site:
    """A recorder in a loop of its own, and what it published."""

    def __init__(self, path: Path, *, limit: int = 1000) -> None:
        self.path = path
        self.now_s = NOW
        self.reports: list[StoreReport] = []
        self.pages: int | None = None
        self.room: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext
        self.recorder = Recorder(
            self.opened,
            Retention(),
            self.reports.append,
            clock=lambda: self.now_s,
            limit=limit,
            batch_s=0.02,
            retry_s=0.05,
        )

    def opened(self) -> History:
        with self.room():
            history = History.open(self.path, busy_timeout_s=0.05)
        if self.pages is not None:
            cursor = history._connection.connection.cursor()
            cursor.execute(f"PRAGMA max_page_count = {self.pages}")
            cursor.close()
        return history

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for what must come within 10 s."""
        async with asyncio.timeout(10):
            while not is_so():  # noqa: ASYNC110 -- what it waits for is told in no event
                await asyncio.sleep(0.01)

    def run(self, story: Callable[[], Awaitable[None]]) -> None:
        """Run the recorder while `story` is told, and stop it as the window does."""

        async def told() -> None:
            task = asyncio.create_task(self.recorder.run())
            await asyncio.sleep(0)  # a task that is cancelled before its first step never runs
            try:
                await story()
            finally:
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

        asyncio.run(told())

    @property
    def last(self) -> StoreReport:
        return self.reports[-1]

    def samples(self) -> int:
        """Rows that the quarters of an hour of a meter stand for."""
        with contextlib.closing(sqlite3.connect(self.path)) as raw:
            return int(raw.execute("SELECT coalesce(sum(samples), 0) FROM measurement_quarters").fetchone()[0])

    def count(self, table: str) -> int:
        with History.open(self.path, create=False) as history:
            return history.count(table)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "beffroi.db")


def test_what_is_put_is_written_and_told(site: Site) -> None:
    async def story() -> None:
        for second in range(10):
            site.recorder.put(telegram(NOW + second))
        await site.until(lambda: bool(site.reports) and site.last.rows_written == 10)
        assert site.count("measurements") == 10

    site.run(story)
    assert (site.last.rows_waiting, site.last.rows_dropped, site.last.error) == (0, 0, None)


def test_what_is_left_is_written_at_the_end(site: Site) -> None:
    async def story() -> None:
        for second in range(100):
            site.recorder.put(telegram(NOW + second))

    site.run(story)
    assert site.count("measurements") == 100


def test_the_meters_own_time_and_unknown_readings_are_kept(site: Site) -> None:
    readings = (
        Reading(obis="1-0:1.7.0*255", quantity="active_power_import", value=1, time="2026-01-01T00:00:00+01:00"),
        Reading(obis="1-0:2.7.0*255", quantity="active_power_export", value=2, time="2026-01-01T00:00:00+01:00"),
        Reading(obis="F.F", quantity=None, value="00000000"),
    )

    async def story() -> None:
        site.recorder.put(telegram(NOW, readings=readings))
        site.recorder.put(telegram(NOW + 1, readings=readings[:2]))

    site.run(story)
    with contextlib.closing(sqlite3.connect(site.path)) as raw:
        assert raw.execute("SELECT meter_time, others FROM measurements ORDER BY time_s").fetchall() == [
            ("2026-01-01T00:00:00+01:00", '[{"obis":"F.F","value":"00000000"}]'),
            ("2026-01-01T00:00:00+01:00", None),
        ]


def test_a_location_that_is_none_is_told(tmp_path: Path) -> None:
    site = Site(tmp_path / "none.db")
    site.recorder._open_history = lambda: History.open("postgresql://h/d")

    async def story() -> None:
        site.recorder.put(telegram(NOW))
        await site.until(lambda: bool(site.reports) and site.last.error is not None)
        assert "SQLite" in (site.last.error or "")

    site.run(story)


def test_more_than_a_batch_is_written_at_once(tmp_path: Path) -> None:
    site = Site(tmp_path / "beffroi.db", limit=20_000)

    async def story() -> None:
        for second in range(12_000):
            site.recorder.put(telegram(NOW + second))
        await site.until(lambda: bool(site.reports) and site.last.rows_written == 12_000)

    site.run(story)
    assert site.last.rows_dropped == 0


def test_a_loop_that_cancels_all_its_tasks_loses_nothing_and_writes_nothing_twice(site: Site) -> None:
    """As `asyncio.run` and the window's threads end: in the middle of a batch."""

    async def story() -> None:
        task = asyncio.create_task(site.recorder.run())
        for second in range(900):
            site.recorder.put(Event(time_s=NOW + second, source="m1", kind="x", severity=Severity.INFO, text="x"))
        await asyncio.sleep(0.03)
        assert not task.done()

    asyncio.run(story())
    assert site.count("events") == 900


def test_records_that_are_not_kept_take_no_room(site: Site) -> None:
    async def story() -> None:
        for _number in range(5000):
            site.recorder.put(CommandOutput(id="1", machine="m1", fd=1, text="x"))
            site.recorder.put(MachineReport(machine="m1", address="", state=MachineState.LATE, since_s=NOW))

    site.run(story)
    assert site.recorder._rows_dropped == 0


def test_a_minute_is_written_once_it_is_over(site: Site) -> None:
    minute_s = NOW // 60 * 60 + 600

    async def story() -> None:
        site.now_s = minute_s + 30
        for number, percent in enumerate((10, 30, 20)):
            site.recorder.put(report(number, minute_s + number, percent))
        await asyncio.sleep(0.1)
        assert site.count("machine_minutes") == 0
        site.now_s = minute_s + 63
        await site.until(lambda: bool(site.reports) and site.last.rows_written == 1)

    site.run(story)
    with History.open(site.path) as history:
        (points,) = history.machine_points("m1", ["cpu_percent"], minute_s, minute_s + 60)
    assert (points.time_s[0], points.minimum[0], points.mean[0], points.maximum[0]) == (minute_s + 30, 10, 20, 30)


def test_the_minute_in_progress_is_written_at_the_end_and_merged_later(site: Site) -> None:
    minute_s = NOW // 60 * 60

    async def first() -> None:
        site.recorder.put(report(1, minute_s + 1, 10))

    site.run(first)
    again = Site(site.path)

    async def second() -> None:
        for number, percent in ((2, 40), (3, 40)):
            again.recorder.put(report(number, minute_s + number, percent))

    again.run(second)
    with History.open(site.path) as history:
        (points,) = history.machine_points("m1", ["cpu_percent"], minute_s, minute_s + 60)
    assert (points.minimum[0], points.mean[0], points.maximum[0]) == (10, 30, 40)


def test_late_statuses_go_into_their_own_minutes_once(site: Site) -> None:
    """Measured while the link was down, by a clock that is a year behind, and sent twice."""
    minute_s = NOW // 60 * 60
    year_s = 365 * 86400.0
    late = [status(number, minute_s - 180 + 60 * number - year_s, 10 * number) for number in (1, 2)]
    current = MachineReport(
        machine="m1",
        address="",
        state=MachineState.ONLINE,
        since_s=NOW,
        status=status(3, minute_s + 5 - year_s, 50),
        time_s=minute_s + 5,
        is_new=True,
        late_statuses=tuple(late),
    )

    async def story() -> None:
        site.recorder.put(current)
        site.recorder.put(current)

    site.run(story)
    with History.open(site.path) as history:
        (points,) = history.machine_points("m1", ["cpu_percent"], minute_s - 600, minute_s + 60)
        assert list(points.time_s) == [minute_s - 90, minute_s - 30, minute_s + 30]
        assert list(points.mean) == [10, 20, 50]
    with sqlite3.connect(site.path) as raw:
        assert raw.execute("SELECT samples FROM machine_minutes").fetchall() == [(1,), (1,), (1,)]
    raw.close()


def test_while_another_program_holds_it_records_wait_and_are_told(site: Site) -> None:
    async def story() -> None:
        site.recorder.put(telegram(NOW))
        await site.until(lambda: bool(site.reports) and site.last.rows_written == 1)
        other = sqlite3.connect(site.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        site.recorder.put(telegram(NOW + 1))
        await site.until(lambda: site.last.error is not None)
        assert "another program" in (site.last.error or "")
        assert site.last.rows_waiting == 1
        other.execute("ROLLBACK")
        other.close()
        await site.until(lambda: site.last.error is None and site.last.rows_written == 2)

    site.run(story)
    assert site.count("measurements") == 2


def test_a_database_locked_from_the_start_loses_nothing(site: Site) -> None:
    History.open(site.path).close()

    async def story() -> None:
        other = sqlite3.connect(site.path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        for second in range(50):
            site.recorder.put(telegram(NOW + second))
        await site.until(lambda: bool(site.reports) and site.last.error is not None)
        other.execute("ROLLBACK")
        other.close()
        await site.until(lambda: site.last.rows_written == 50)

    site.run(story)
    assert site.count("measurements") == 50


def test_beyond_the_limit_is_counted(site: Site) -> None:
    History.open(site.path).close()
    other = sqlite3.connect(site.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    async def story() -> None:
        for second in range(1500):
            site.recorder.put(telegram(NOW + second))
        await site.until(lambda: bool(site.reports) and site.last.error is not None)
        assert (site.last.rows_waiting, site.last.rows_dropped) == (1000, 500)
        other.execute("ROLLBACK")
        other.close()
        await site.until(lambda: site.last.rows_written == 1000)

    site.run(story)
    assert site.count("measurements") == 1000


def test_a_full_disk_is_told_and_loses_nothing(site: Site) -> None:
    """`max_page_count` makes SQLite say SQLITE_FULL, as a full disk does."""
    History.open(site.path).close()
    site.pages = site.path.stat().st_size // 4096 + 2
    many = tuple(Reading(obis=f"9.9.{number}", quantity=None, value="x" * 100) for number in range(20))

    async def story() -> None:
        for second in range(200):
            site.recorder.put(telegram(NOW + second, readings=many))
        await site.until(lambda: bool(site.reports) and site.last.error is not None)
        assert "disk is full" in (site.last.error or "")
        assert site.last.rows_waiting == 200

        def make_room(history: History) -> None:
            cursor = history._connection.connection.cursor()
            cursor.execute("PRAGMA max_page_count = 100000")
            cursor.close()

        await site.recorder.query(make_room)
        await site.until(lambda: site.last.rows_written == 200)

    site.run(story)
    assert site.count("measurements") == 200
    assert site.last.error is None


@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
def test_a_full_disk_at_the_start_is_told_at_once_and_what_is_there_is_read(site: Site) -> None:
    with History.open(site.path) as history:
        history.write([telegram(NOW)])

    @contextlib.contextmanager
    def full_disk() -> Iterator[None]:
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    site.room = full_disk

    async def story() -> None:
        assert await site.recorder.query(lambda history: history.meters()) == ["main"]
        await site.until(lambda: bool(site.reports) and "cannot grow" in (site.last.error or ""))
        site.recorder.put(telegram(NOW + 1))
        await asyncio.sleep(0.15)
        assert site.last.rows_waiting == 1
        assert await site.recorder.query(lambda history: history.meters()) == ["main"]
        site.room = contextlib.nullcontext
        await site.until(lambda: site.last.error is None and site.last.rows_written == 1)

    site.run(story)
    assert site.last.rows_dropped == 0
    assert site.count("measurements") == 2


def test_a_newer_database_is_told_and_left_alone(site: Site) -> None:
    History.open(site.path).close()
    with sqlite3.connect(site.path) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()

    async def story() -> None:
        site.recorder.put(telegram(NOW))
        await site.until(lambda: bool(site.reports) and site.last.error is not None)
        assert "newer version" in (site.last.error or "")
        with pytest.raises(StoreNewerError):
            await site.recorder.query(lambda history: history.meters())

    site.run(story)
    assert site.last.rows_dropped == 1


def test_a_damaged_database_is_told_and_records_wait_for_a_new_one(site: Site) -> None:
    site.path.write_bytes(b"not a database at all" * 1000)

    async def story() -> None:
        site.recorder.put(telegram(NOW))
        await site.until(lambda: bool(site.reports) and site.last.error is not None)
        assert "damaged" in (site.last.error or "")
        assert site.path.read_bytes().startswith(b"not a database")
        site.path.rename(site.path.with_suffix(".aside"))
        await site.until(lambda: site.last.rows_written == 1)

    site.run(story)
    assert site.count("measurements") == 1


@pytest.mark.skipif(os.name != "posix", reason="an open file can be moved on POSIX only")
@pytest.mark.parametrize("way", ["moved", "removed"])
def test_a_database_that_is_taken_away_is_begun_anew(site: Site, way: str) -> None:
    async def story() -> None:
        site.recorder.put(telegram(NOW))
        await site.until(lambda: bool(site.reports) and site.last.rows_written == 1)
        if way == "moved":
            site.path.rename(site.path.with_suffix(".aside"))
        else:
            site.path.unlink()
        written = await site.recorder.query(lambda history: history.write_measures([MEASURE]))
        assert written == 1
        assert site.path.exists(), "what was just said to be written is where it is looked for"

    site.run(story)
    assert (site.count("measurements"), site.count("sensor_measures")) == (0, 1)


def test_one_record_that_cannot_be_written_takes_no_other_with_it(site: Site) -> None:
    broken = Event(time_s=NOW, source="m1", kind="x", severity=Severity.INFO, text="half a pair \ud800")

    async def story() -> None:
        for second in range(10):
            site.recorder.put(telegram(NOW + second))
            if second == 5:
                site.recorder.put(broken)

    site.run(story)
    assert site.count("measurements") == 10
    assert site.count("events") == 0
    assert site.last.rows_dropped == 1


def test_queries_are_answered_while_batches_are_written(site: Site) -> None:
    async def story() -> None:
        assert await site.recorder.query(lambda history: history.meters()) == []
        site.recorder.put(telegram(NOW))
        await site.until(lambda: bool(site.reports) and site.last.rows_written == 1)
        assert await site.recorder.query(lambda history: history.meters()) == ["main"]

    site.run(story)
    with pytest.raises(StoreError, match="closed"):
        site.recorder.query(lambda history: history.meters())


def test_retention_runs_at_the_start(site: Site) -> None:
    with History.open(site.path) as history:
        history.write([telegram(NOW - 40 * 86400), telegram(NOW)])

    async def story() -> None:
        await site.until(lambda: site.count("measurements") == 1)

    site.run(story)
    assert site.count("measurement_quarters") == 1


def test_retention_goes_on_when_the_clock_is_set_back(site: Site) -> None:
    site.now_s = NOW + 365 * 86400
    with History.open(site.path) as history:
        history.write([telegram(NOW)])

    async def story() -> None:
        await site.until(lambda: site.count("measurement_quarters") == 1)
        await asyncio.sleep(0.1)
        site.now_s = NOW
        with History.open(site.path) as history:
            history.write([telegram(NOW - 40 * 86400)])
        await site.until(lambda: site.count("measurement_quarters") == 2)

    site.run(story)


def test_a_clock_that_jumps_ahead_for_a_moment_removes_nothing(site: Site) -> None:
    """By a clock that is a year ahead all that is there is old; retention waits whether it is set back."""
    with History.open(site.path) as history:
        history.write([telegram(NOW - 60 * number) for number in range(100)])

    async def story() -> None:
        await site.until(lambda: site.count("measurement_minutes") > 90)
        site.now_s = NOW + 3600 * 24 * 365
        site.recorder.put(telegram(site.now_s))
        await site.until(lambda: bool(site.reports) and site.last.rows_written == 1)
        await asyncio.sleep(0.3)

    site.run(story)
    assert site.count("measurements") == 101


def test_what_is_over_is_rolled_up_while_the_recorder_runs(site: Site) -> None:
    site.now_s = NOW // 900 * 900 + 100
    begin_s = site.now_s // 900 * 900 - 900
    History.open(site.path).close()

    async def story() -> None:
        for number in range(90):
            site.recorder.put(telegram(begin_s + 10 * number))
        await site.until(lambda: site.count("measurement_quarters") == 1)
        site.recorder.put(telegram(begin_s + 5))  # late
        await site.until(lambda: site.count("measurements") == 91 and site.samples() == 91)

    site.run(story)


def test_rows_of_a_load_profile_are_kept_and_nothing_else_of_it(site: Site) -> None:
    row = ProfileRow(time="2024-01-01T00:00:00", time_s=NOW - 9000, values=(5,))
    part = ProfilePart(
        name="main",
        meter=MeterIdentity(),
        obis="1-0:99.1.0*255",
        period_s=900,
        columns=(ProfileColumn(obis="1-0:1.7.0*255"),),
        rows=(row,),
        measurements=((NOW - 9000, Measurement(active_power_w=5)),),
    )

    async def story() -> None:
        site.recorder.put(part)
        site.recorder.put(msgspec.structs.replace(part, measurements=()))
        await site.until(lambda: bool(site.reports) and site.last.rows_written == 1)

    site.run(story)
    assert (site.count("measurements"), site.count("profile_rows")) == (1, 1)


def test_a_full_disk_stops_the_roll_ups_until_there_is_room(site: Site) -> None:
    site.now_s = NOW // 86400 * 86400 + 100
    with History.open(site.path) as history:
        history.write([telegram(site.now_s - 10 * number) for number in range(4000)])
        cursor = history._connection.connection.cursor()
        site.pages = cursor.execute("PRAGMA page_count").fetchone()[0] + 5
        cursor.close()

    async def story() -> None:
        await site.until(lambda: bool(site.reports) and "full" in (site.last.error or ""))
        site.pages = 1_000_000
        await site.recorder.query(lambda history: roomy(history))
        await site.until(lambda: site.last.error is None and site.samples() > 3_800)

    def roomy(history: History) -> None:
        cursor = history._connection.connection.cursor()
        cursor.execute("PRAGMA max_page_count = 1000000")
        cursor.close()

    site.run(story)
    assert site.count("measurements") == 4000


CHILD = """
import asyncio, signal, sys, time
from core.config import Retention
from core.records import *
from core.services.recorder import Recorder
from core.store.history import History

path, how = sys.argv[1:]
acknowledged = 0

def told(report):
    global acknowledged
    if report.rows_written > acknowledged:
        acknowledged = report.rows_written
        print(acknowledged, flush=True)

async def main():
    recorder = Recorder(lambda: History.open(path), Retention(), told, batch_s=0.005)
    task = asyncio.create_task(recorder.run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    if how == "minute":
        cpu = Cpu(percent=5.0, per_core_percent=(), load_average=())
        recorder.put(MachineReport(machine="m1", address="", state=MachineState.ONLINE, since_s=0,
                     status=Status(number=1, time_s=time.time(), cpu=cpu), time_s=time.time(), is_new=True))
        print("ready", flush=True)
    second = 0.0
    while not task.done():
        for _ in range(20 if how == "rows" else 0):
            second += 1
            recorder.put(MeterReadings(name="main", protocol="push", meter=MeterIdentity(), readings=(),
                         time_s=time.time() + second, measurement=Measurement(voltage_l1_v=second)))
        await asyncio.sleep(0.001)

asyncio.run(main())
"""


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX")
def test_kill_9_loses_no_batch_that_was_told(tmp_path: Path) -> None:
    for turn in range(3):
        path = tmp_path / f"{turn}.db"
        with child(path, "rows") as process:
            assert process.stdout is not None
            told = [process.stdout.readline() for _line in range(3 + 5 * turn)]
            process.kill()
            told += process.stdout.readlines()
        acknowledged = int(told[-1])
        with History.open(path, create=False) as history:
            assert history.count("measurements") >= acknowledged > 0
            values = list(history.points("meter/main/voltage_l1_v", 0, 1e10, max_points=10**6).mean)
            assert values == [float(number) for number in range(1, len(values) + 1)]
        with sqlite3.connect(path) as raw:
            assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        raw.close()


@pytest.mark.skipif(os.name != "posix", reason="SIGTERM is POSIX")
def test_sigterm_writes_the_minute_in_progress(tmp_path: Path) -> None:
    path = tmp_path / "minute.db"
    with child(path, "minute") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        process.wait(10)
    with History.open(path, create=False) as history:
        assert history.count("machine_minutes") == 1


def child(path: Path, how: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(path), how],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=Path(__file__).parents[2],
    )
