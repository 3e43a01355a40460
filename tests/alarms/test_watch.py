"""What the watch promises: it rings from the inbox, goes on after a restart, and sees what others write."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alarm_records import alarm, lost_report, machine_report, measure, meter_readings

from core.cli.app import main
from core.config import Retention
from core.config.settings import AlarmsSettings, CheckConfig, SensorConfig
from core.errors import StoreError, UsageError
from core.home import Home
from core.records import Event, Machine
from core.requests import AlarmRequest, MaintenanceRequest
from core.services.alarm_watch import AlarmWatch
from core.services.hub import Hub
from core.services.recorder import Recorder
from core.site_records import Alarm, AlarmRule, AlarmState, Maintenance, Record, RuleKind
from core.store.history import History

ACTIVE, ACKNOWLEDGED, RESOLVED, IGNORED = AlarmState
HOT = AlarmRule(name="hot", kind=RuleKind.ABOVE, source="sensor/*", quantity="temperature_c", high=30.0)
NOW = time.time()


class Site:
    """A history in a thread of its own, as the recorder has it, and a watch that publishes into it."""

    def __init__(
        self, path: Path, *rules: AlarmRule, sensors: tuple[SensorConfig, ...] = (), limit: int = 1000
    ) -> None:
        self.path = path
        self.told: list[Record] = []
        self.now_s = NOW
        self.is_broken = False
        self._thread = ThreadPoolExecutor(1)
        self._history = self._thread.submit(History.open, path).result()
        self.watch = AlarmWatch(
            AlarmsSettings(rules=rules or (HOT,)),
            sensors,
            self.publish,
            self.query,
            clock=lambda: self.now_s,
            limit=limit,
            drain_s=0.005,
        )

    def query(self, function: Callable[[Any], Any]) -> Awaitable[Any]:
        def work() -> Any:
            if self.is_broken:
                raise StoreError("the disk is gone")
            return function(self._history)

        return asyncio.wrap_future(self._thread.submit(work))

    def publish(self, record: Record) -> None:
        self.told.append(record)
        if isinstance(record, Alarm):
            self._thread.submit(self._history.write, [record])

    @property
    def alarms(self) -> list[Alarm]:
        return [record for record in self.told if isinstance(record, Alarm)]

    @property
    def states(self) -> list[AlarmState]:
        return [record.state for record in self.alarms]

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not is_so():  # noqa: ASYNC110 -- what it waits for is told in no event
                await asyncio.sleep(0.005)

    async def settle(self) -> None:
        """Let the watch look at all that was put."""
        await asyncio.sleep(0.03)

    def run(self, story: Callable[[], Awaitable[None]]) -> None:
        async def told() -> None:
            task = asyncio.create_task(self.watch.run())
            try:
                await self.until(lambda: self.watch._engine is not None or task.done())
                await story()
            finally:
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

        try:
            asyncio.run(told())
        finally:
            self._thread.submit(self._history.close).result()
            self._thread.shutdown()


def other(path: Path, work: Callable[[History], Any]) -> Any:
    """What another process does to the history."""
    with History.open(path) as history:
        return work(history)


def test_what_is_put_from_any_thread_rings_and_is_over(tmp_path):
    site = Site(tmp_path / "h.db")

    async def story() -> None:
        await asyncio.to_thread(site.watch.put, measure(NOW, 31.0))
        await site.until(lambda: site.states == [ACTIVE])
        site.watch.put(measure(NOW + 1, 20.0))
        await site.until(lambda: site.states == [ACTIVE, RESOLVED])

    site.run(story)
    assert [one.id for one in site.alarms] == [1, 1]


def test_a_restart_neither_rings_twice_nor_forgets(tmp_path):
    first = Site(tmp_path / "h.db")

    async def ring() -> None:
        first.watch.put(measure(NOW, 31.0, "a"))
        first.watch.put(measure(NOW, 31.0, "b"))
        first.watch.put(measure(NOW, 31.0, "c"))
        await first.until(lambda: len(first.alarms) == 3)
        await first.watch.handle(AlarmRequest(ids=(3,), operator="Anna", is_ignored=True))

    first.run(ring)
    second = Site(tmp_path / "h.db")

    async def go_on() -> None:
        for name, value in (("a", 32.0), ("b", 20.0), ("c", 33.0), ("d", 34.0)):
            second.watch.put(measure(NOW + 60, value, name))
        await second.until(lambda: len(second.alarms) == 2)
        await second.settle()

    second.run(go_on)
    assert [(one.id, one.state, one.source) for one in second.alarms] == [
        (2, RESOLVED, "sensor/b"),
        (4, ACTIVE, "sensor/d"),
    ]


def test_phases_and_disks_go_on_one_by_one_after_a_restart(tmp_path):
    path = tmp_path / "h.db"
    rule = AlarmRule(
        name="voltage", kind=RuleKind.OUTSIDE, source="meter/*", quantity="voltage_l?_v", low=207.0, high=253.0
    )
    first = Site(path, rule)

    async def ring() -> None:
        first.watch.put(meter_readings(NOW, voltage_l1_v=260.0, voltage_l2_v=261.0))
        await first.until(lambda: len(first.alarms) == 2)

    first.run(ring)
    second = Site(path, rule)

    async def go_on() -> None:
        second.watch.put(meter_readings(NOW + 1, voltage_l1_v=230.0, voltage_l2_v=261.0))
        await second.until(lambda: len(second.alarms) == 1)
        await second.settle()

    second.run(go_on)
    assert [(one.quantity, one.state) for one in second.alarms] == [("voltage_l1_v", RESOLVED)]


def test_what_another_process_acknowledges_is_seen(tmp_path):
    site = Site(tmp_path / "h.db")

    async def story() -> None:
        site.watch.put(measure(NOW, 31.0))
        await site.until(lambda: site.states == [ACTIVE])
        await site.settle()
        await asyncio.to_thread(other, site.path, lambda h: h.change_alarms([1], ACKNOWLEDGED, "Anna", "seen", NOW + 1))
        await site.until(lambda: site.states == [ACTIVE, ACKNOWLEDGED])

    site.run(story)
    assert (site.alarms[-1].operator, site.alarms[-1].comment) == ("Anna", "seen")


def test_a_maintenance_of_another_process_is_seen_too(tmp_path):
    site = Site(tmp_path / "h.db")
    mute = Maintenance(id=0, source="sensor/*", start_s=NOW - 1, end_s=NOW + 3600, operator="Anna", comment="quiet")

    async def story() -> None:
        await asyncio.to_thread(other, site.path, lambda h: h.save_maintenance(mute))
        await site.until(lambda: any(isinstance(record, Maintenance) for record in site.told))
        site.now_s += 2  # its tick
        await site.settle()
        site.watch.put(measure(NOW, 31.0))
        await site.until(lambda: bool(site.alarms))

    site.run(story)
    assert (site.states, site.alarms[0].comment) == ([IGNORED], "quiet")


def test_an_operator_acknowledges_mutes_and_ends_the_mute(tmp_path):
    site = Site(tmp_path / "h.db")

    async def story() -> None:
        site.watch.put(measure(NOW, 31.0))
        await site.until(lambda: bool(site.alarms))
        await site.watch.handle(AlarmRequest(ids=(1,), operator="Anna", comment="seen"))
        assert site.states == [ACTIVE, ACKNOWLEDGED]
        await site.watch.handle(
            MaintenanceRequest(source="sensor/*", start_s=NOW, end_s=NOW + 3600, operator="Anna", comment="work")
        )
        assert site.states[-1] is IGNORED
        (mute,) = [record for record in site.told if isinstance(record, Maintenance)]
        assert mute.id > 0
        await site.watch.handle(MaintenanceRequest(source="", start_s=0, end_s=0, operator="Anna", id=mute.id))
        assert site.states[-1] is ACTIVE
        assert site.told[-2].end_s == NOW

    site.run(story)
    assert other(site.path, lambda h: h.maintenances(NOW + 1)) == []


@pytest.mark.parametrize(
    "asked",
    [
        AlarmRequest(ids=(99,), operator="Anna"),
        MaintenanceRequest(source="sensor/*", start_s=NOW, end_s=NOW - 1, operator="Anna"),
        MaintenanceRequest(source=" ", start_s=NOW, end_s=NOW + 1, operator="Anna"),
        MaintenanceRequest(source="x", start_s=NOW, end_s=NOW + 1, operator="Anna", id=12),
    ],
)
def test_what_cannot_be_is_refused_in_words(tmp_path, asked):
    site = Site(tmp_path / "h.db")

    async def story() -> None:
        with pytest.raises(UsageError):
            await site.watch.handle(asked)

    site.run(story)


def test_alarms_ring_where_the_history_cannot_be_read(tmp_path, monkeypatch):
    monkeypatch.setattr("core.services.alarm_watch._LOAD_TRIES", 1)
    site = Site(tmp_path / "h.db")
    site.is_broken = True

    async def story() -> None:
        site.watch.put(measure(NOW, 31.0))
        await site.until(lambda: bool(site.alarms))

    site.run(story)
    assert site.alarms[0].id > NOW - 10
    assert [record.kind for record in site.told if isinstance(record, Event)] == ["alarms_unread"]


def test_too_many_records_lose_the_oldest_and_are_told(tmp_path):
    site = Site(tmp_path / "h.db", limit=10)
    for number in range(25):
        site.watch.put(measure(NOW, float(number)))
    assert site.watch.lost == 15

    async def story() -> None:
        site.now_s += 1.5
        await site.until(lambda: any(isinstance(record, Event) for record in site.told))

    site.run(story)
    (event,) = [record for record in site.told if isinstance(record, Event)]
    assert event.text == "15 values came too fast and were not looked at for alarms"


@pytest.mark.parametrize("skipped_s", [7200.0, -7200.0, -86_400.0 * 365], ids=["sleep", "set back", "a year back"])
def test_our_own_sleep_and_a_clock_that_is_set_do_not_ring_and_what_follows_does(tmp_path, skipped_s):
    site = Site(tmp_path / "h.db", sensors=(SensorConfig(id="s", name="Cold room", silent_after_s=30.0),))

    async def story() -> None:
        site.watch.put(measure(NOW, 1.0, "s"))
        await site.settle()
        site.now_s += skipped_s
        await site.settle()
        assert site.alarms == []
        for _second in range(35):
            site.now_s += 1.5
            await asyncio.sleep(0.01)
        await site.until(lambda: site.states == [ACTIVE])
        assert site.alarms[0].text.startswith("Nothing from Cold room for 3")

    site.run(story)


def test_a_group_has_rules_of_its_own_and_a_machine_that_is_removed_is_over(tmp_path):
    rule = AlarmRule(name="cpu high", kind=RuleKind.ABOVE, source="@web", quantity="cpu_percent", high=50.0)
    site = Site(tmp_path / "h.db", rule)
    site.watch.set_machines([Machine(name="web-01", host="h", groups=("web",)), Machine(name="db-01", host="h")])

    async def story() -> None:
        for name in ("web-01", "db-01"):
            site.watch.put(machine_report(NOW, name, cpu=60.0))
        await site.until(lambda: bool(site.alarms))
        await site.settle()
        site.watch.set_machines([Machine(name="db-01", host="h")])
        site.now_s += 1.5
        await site.until(lambda: site.states == [ACTIVE, RESOLVED])

    site.run(story)
    assert {one.source for one in site.alarms} == {"machine/web-01"}


def test_the_alarms_of_a_check_that_was_removed_are_over(tmp_path):
    path = tmp_path / "h.db"
    other(path, lambda h: h.write([alarm(5, source="check/site", rule="check failed")]))
    site = Site(path)
    site.watch.set_checks([CheckConfig(name="another", target="h")])

    async def story() -> None:
        await site.until(lambda: site.states == [RESOLVED])

    site.run(story)


def test_machines_that_are_still_to_be_read_do_not_end_the_alarms_of_before(tmp_path):
    path = tmp_path / "h.db"
    other(path, lambda h: h.write([alarm(5, source="machine/web-01")]))
    site = Site(path)
    site.watch.set_machines([])

    async def story() -> None:
        site.watch.put(lost_report(NOW, "web-01"))
        site.now_s += 1.5
        await site.settle()
        assert site.watch.open_alarms[0].id == 5

    site.run(story)
    assert site.alarms == []


def test_new_settings_hold_at_once(tmp_path):
    site = Site(tmp_path / "h.db")

    async def story() -> None:
        site.watch.put(measure(NOW, 31.0))
        await site.until(lambda: site.states == [ACTIVE])
        site.watch.set_settings(AlarmsSettings(), ())
        site.now_s += 1.5
        await site.until(lambda: site.states == [ACTIVE, RESOLVED])

    site.run(story)


def test_what_waits_at_the_end_is_still_looked_at(tmp_path):
    site = Site(tmp_path / "h.db")

    async def story() -> None:
        site.watch.put(measure(NOW, 31.0))

    site.run(story)
    assert site.states == [ACTIVE]


def test_with_the_recorder_and_the_command_line_an_alarm_is_kept_seen_and_acknowledged(tmp_path, capsys):
    """The parts as a site has them: hub, recorder, watch; and `beffroi alarms acknowledge` beside them."""
    home = Home(tmp_path / "home").make()
    home.config_path.write_text('operator = "Anna"\n')
    told: list[Record] = []
    hub = Hub()
    recorder = Recorder(lambda: History.open(home.database_path), Retention(), hub.publish, batch_s=0.02)
    watch = AlarmWatch(AlarmsSettings(rules=(HOT,)), (), hub.publish, recorder.query, drain_s=0.01)

    class Seen:
        def put(self, record: Record) -> None:
            told.append(record)

    for sink in (recorder, watch, Seen()):
        hub.add(sink)

    def states() -> list[AlarmState]:
        return [record.state for record in told if isinstance(record, Alarm)]

    async def until(is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(15):
            while not is_so():  # noqa: ASYNC110 -- what it waits for is told in no event
                await asyncio.sleep(0.01)

    async def story() -> None:
        tasks = [asyncio.create_task(part.run()) for part in (recorder, watch)]
        hub.publish(measure(time.time(), 31.0))
        await until(lambda: states() == [ACTIVE])
        await until(lambda: other(home.database_path, lambda h: h.last_alarm_id()) == 1)
        words = ["alarms", "acknowledge", "1", "--comment", "seen", "--home", str(home.path)]
        assert await asyncio.to_thread(main, words) == 0
        await until(lambda: states() == [ACTIVE, ACKNOWLEDGED])
        hub.publish(measure(time.time(), 20.0))
        await until(lambda: states() == [ACTIVE, ACKNOWLEDGED, RESOLVED])
        for task in reversed(tasks):
            task.cancel()
            await asyncio.wait([task])

    asyncio.run(story())
    (kept,) = other(home.database_path, lambda h: h.alarms())
    assert (kept.state, kept.operator, kept.comment, kept.quantity) == (RESOLVED, "Anna", "seen", "temperature_c")
