"""What the history promises of the site: no measure is lost, an acknowledgement holds, a line comes once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import NullPool, create_engine

import core.store
from core.errors import StoreError
from core.records import Machine, StoreReport
from core.services.export import write_series
from core.services.recorder import Recorder
from core.site_records import (
    Alarm,
    AlarmSeverity,
    AlarmState,
    ChatKind,
    ChatLine,
    CheckResult,
    CheckState,
    Maintenance,
    SensorBatch,
    SensorMeasure,
    SensorSummary,
)
from core.store.connection import UnwritableError
from core.store.history import History

T0 = 1_700_000_100.0


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with History.open(tmp_path / "beffroi.db") as opened:
        yield opened


def asked(history: History, statement: str) -> list[tuple[object, ...]]:
    """The rows as another program sees them."""
    with contextlib.closing(sqlite3.connect(history.path)) as raw:
        return raw.execute(statement).fetchall()


def measure(time_s: float, value: float = 20.0, sensor: str = "capteur_1", **more: object) -> SensorMeasure:
    return SensorMeasure(**{"sensor": sensor, "quantity": "temperature_c", "value": value, "time_s": time_s, **more})


def alarm(number: int = 1, state: AlarmState = AlarmState.ACTIVE, **more: object) -> Alarm:
    return Alarm(
        **{
            "id": number,
            "source": "machine/m1",
            "rule": "cpu",
            "severity": AlarmSeverity.HIGH,
            "state": state,
            "since_s": T0 + number,
            "changed_s": T0 + number,
            "text": f"alarm {number}",
            **more,
        }
    )


def test_measures_come_back_as_summary_points_and_series(history: History) -> None:
    rows = [measure(T0 + second, 20 + second, unit="°C") for second in range(5)]
    assert history.write_measures([*rows, measure(T0, 55, quantity="humidity_percent", unit="%")]) == 6
    assert history.sensors() == [
        SensorSummary(sensor="capteur_1", quantity="humidity_percent", value=55, unit="%", time_s=T0, count=1),
        SensorSummary(sensor="capteur_1", quantity="temperature_c", value=24, unit="°C", time_s=T0 + 4, count=5),
    ]
    points = history.sensor_points("capteur_1", "temperature_c", T0, T0 + 10)
    assert (points.name, points.unit) == ("sensor/capteur_1/temperature_c", "°C")
    assert list(points.mean) == [20, 21, 22, 23, 24]
    assert history.points(points.name, T0, T0 + 10) == points
    info = {one.name: one for one in history.series()}["sensor/capteur_1/temperature_c"]
    assert (info.unit, info.first_s, info.last_s, info.count) == ("°C", T0, T0 + 4, 5)
    assert [sample.mean for sample in history.samples(points.name, T0, T0 + 2)] == [20, 21]


def test_other_programs_read_the_view_of_the_exercise(history: History) -> None:
    history.write_measures([measure(1_700_000_100.123, 23.5), measure(T0, 1, quantity="humidity_percent")])
    found = asked(history, "SELECT identifiant, temperature, timestamp FROM mesures")
    assert found == [("capteur_1", 23.5, "2023-11-14T22:15:00.123Z")]


def test_two_measures_of_one_moment_are_both_kept(history: History) -> None:
    assert history.write_measures([measure(T0, 1), measure(T0, 2), measure(T0, 3), measure(T0, 4, "capteur_2")]) == 4
    history.write_measures([measure(T0, 5), measure(T0 + 1e-6, 6), measure(T0, 7), measure(T0 + 1, 8)])
    points = history.sensor_points("capteur_1", "temperature_c", T0 - 1, T0 + 2)
    kept = [value for value in points.mean if value == value]
    assert sorted(kept) == [1, 2, 3, 5, 6, 7, 8]
    assert points.time_s[-2 if len(points.mean) > 7 else -1] < T0 + 1.1
    assert {one.sensor: one.count for one in history.sensors()} == {"capteur_1": 7, "capteur_2": 1}


def test_a_thousand_measures_of_one_moment_are_all_kept(history: History) -> None:
    for _batch in range(2):
        history.write_measures([measure(T0, number) for number in range(1000)])
    assert history.count("sensor_measures") == 2000
    ((last_s,),) = asked(history, "SELECT max(time_s) FROM sensor_measures")
    assert T0 < float(str(last_s)) < T0 + 0.003


def test_an_older_measure_that_comes_late_is_kept_and_the_last_value_stays(history: History) -> None:
    history.write_measures([measure(T0, 20)])
    history.write_measures([measure(T0 - 60, 10)])
    (summary,) = history.sensors()
    assert (summary.value, summary.time_s, summary.count) == (20, T0, 2)


def test_a_unit_that_comes_later_is_taken_and_one_that_is_missing_takes_none_away(history: History) -> None:
    history.write_measures([measure(T0)])
    history.write_measures([measure(T0 + 1, unit="°C")])
    history.write_measures([measure(T0 + 2)])
    assert [one.unit for one in history.sensors()] == ["°C"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_number_is_refused_and_nothing_of_its_batch_is_there(history: History, value: float) -> None:
    with pytest.raises(UnwritableError, match="capteur_1"):
        history.write_measures([measure(T0), measure(T0 + 1, value)])
    assert (history.count("sensor_measures"), history.sensors()) == (0, [])
    assert history.write_measures([measure(T0)]) == 1


def test_names_from_outside_stay_names(history: History) -> None:
    sensor = "a/b'; DROP TABLE alarms --"
    history.write_measures([measure(T0, 1, sensor, quantity="x/y")])
    (summary,) = history.sensors()
    assert (summary.sensor, summary.quantity) == (sensor, "x_y")
    assert list(history.points(f"sensor/{sensor}/x_y", T0, T0 + 1).mean) == [1]


def test_a_series_that_another_process_removed_is_made_again(history: History) -> None:
    history.write_measures([measure(T0)])
    with History.open(history.path) as other:
        other.apply_retention(_Days(), T0 + 10 * 86400)
        assert other.sensors() == []
    assert history.write_measures([measure(T0 + 10 * 86400, 5)]) == 1
    assert [one.value for one in history.sensors()] == [5]


class _Days:
    raw_days = 1
    minute_days = 1
    quarter_days = 2
    hour_days = 2
    day_days = 2


def test_measures_are_folded_into_quarters_and_stay_one_curve(history: History) -> None:
    rows = [measure(T0 // 900 * 900 + 10.0 * number, number % 90) for number in range(180)]
    history.write_measures(rows)
    history.apply_retention(_Days(), T0 + 1.5 * 86400)
    assert (history.count("sensor_measures"), history.count("sensor_quarters")) == (0, 2)
    points = history.sensor_points("capteur_1", "temperature_c", T0 - 900, T0 + 3600)
    assert list(points.minimum) == [0, 0]
    assert list(points.mean) == [44.5, 44.5]
    assert list(points.maximum) == [89, 89]
    assert [one.count for one in history.sensors()] == [0]
    assert history.apply_retention(_Days(), T0 + 4 * 86400) == 5, "two quarters, an hour, a day, the series"
    assert history.sensors() == []


def test_a_check_under_another_name_keeps_its_results(history: History) -> None:
    def result(name: str, time_s: float, latency_ms: float) -> CheckResult:
        return CheckResult(check=name, target="x", state=CheckState.OK, time_s=time_s, latency_ms=latency_ms)

    history.write([result("web", T0 - 900, 1.0), result("web", T0, 2.0)])
    history.rename_check("web", "shop")
    history.rename_check("never there", "shop")
    history.rename_check("shop", "shop")
    assert [one.latency_ms for one in history.check_results("shop", 0, T0 + 1)] == [1.0, 2.0]
    # one that was under way came under the old name, another under the new one
    history.write([result("web", T0 + 60, 3.0), result("web", T0, 9.0), result("shop", T0 + 120, 4.0)])
    history.rename_check("web", "shop")
    assert [one.latency_ms for one in history.check_results("shop", 0, T0 + 200)] == [1.0, 2.0, 3.0, 4.0]
    assert [one.check for one in history.last_checks()] == ["shop"]


def test_results_of_checks_are_kept_with_their_curve(history: History) -> None:
    good = CheckResult(
        check="web",
        target="https://example.org/",
        state=CheckState.OK,
        time_s=T0,
        status=200,
        latency_ms=12.5,
        certificate_days=-3,
    )
    bad = CheckResult(check="web", target="https://example.org/", state=CheckState.TIMEOUT, time_s=T0 + 60, error="no")
    ping = CheckResult(check="ping", target="example.org", state=CheckState.OK, time_s=T0, latency_ms=1)
    assert history.write([good, bad, ping]) == 3
    assert history.last_checks() == [ping, bad]
    assert history.check_results("web", T0, T0 + 100) == [good, bad]
    assert history.check_results("web", T0, T0 + 100, limit=1) == [bad]
    assert list(history.points("check/web/latency_ms", T0, T0 + 100).mean) == [12.5]
    assert {one.name: (one.unit, one.count) for one in history.series()} == {
        "check/ping/latency_ms": ("ms", 1),
        "check/web/latency_ms": ("ms", 1),
        "check/web/certificate_days": ("d", 1),
    }
    history.apply_retention(_Days(), T0 + 1.5 * 86400)
    assert asked(history, "SELECT samples, failures FROM check_quarters ORDER BY check_id") == [(2, 1), (1, 0)]
    assert list(history.points("check/web/latency_ms", T0 - 900, T0 + 900).mean) == [12.5]


def test_an_alarm_is_kept_changed_and_found(history: History) -> None:
    first = alarm(1, value=97.5, threshold=90, unit="%")
    history.write([first, alarm(2, AlarmState.RESOLVED, text="Überspannung 100 %", until_s=T0 + 9)])
    assert [one.id for one in history.alarms()] == [2, 1]
    assert history.open_alarms() == [first]
    assert [one.id for one in history.alarms({AlarmState.RESOLVED})] == [2]
    assert [one.id for one in history.alarms(search="100 %")] == [2]
    assert history.alarms(search="100_%") == []
    assert [one.id for one in history.alarms(limit=1)] == [2]
    assert [one.id for one in history.alarms(since_s=T0 + 100)] == [1]  # it still stands
    assert history.last_alarm_id() == 2


def test_an_acknowledgement_holds_against_a_watch_that_does_not_know_of_it_yet(history: History) -> None:
    history.write([alarm(1), alarm(2)])
    with History.open(history.path) as other:
        (changed,) = other.change_alarms([1, 7], AlarmState.ACKNOWLEDGED, "Alice", "on my way", T0 + 10)
    assert (changed.state, changed.operator, changed.comment) == (AlarmState.ACKNOWLEDGED, "Alice", "on my way")
    history.write([alarm(1, changed_s=T0 + 11, value=99)])
    assert history.open_alarms()[1].state is AlarmState.ACKNOWLEDGED
    assert history.open_alarms()[1].value == 99
    history.write([alarm(1, AlarmState.RESOLVED, changed_s=T0 + 12, until_s=T0 + 12)])
    (resolved,) = history.alarms({AlarmState.RESOLVED})
    assert (resolved.operator, resolved.comment, resolved.until_s) == ("Alice", "on my way", T0 + 12)
    history.write([alarm(1, changed_s=T0 + 11)])
    assert history.alarms({AlarmState.RESOLVED}) == [resolved]


def test_what_is_over_cannot_be_acknowledged(history: History) -> None:
    history.write([alarm(1, AlarmState.RESOLVED, until_s=T0 + 5), alarm(2)])
    assert [one.id for one in history.change_alarms([1, 2], AlarmState.IGNORED, "Bob", "", T0 + 9)] == [2]
    assert history.change_alarms([1, 2], AlarmState.ACKNOWLEDGED, "Bob", "", T0 + 10) == []
    (ignored,) = history.alarms({AlarmState.IGNORED})
    assert (ignored.until_s, ignored.operator, ignored.comment) == (T0 + 9, "Bob", None)


def test_two_thousand_alarms_are_acknowledged_at_once(history: History) -> None:
    history.write([alarm(number) for number in range(1, 2001)])
    changed = history.change_alarms(range(1, 2001), AlarmState.ACKNOWLEDGED, "Alice", "", T0 + 3000)
    assert [one.id for one in changed] == list(range(1, 2001))
    assert len(history.open_alarms()) == 2000


def test_another_connections_writing_is_noticed_and_ones_own_is_not(history: History) -> None:
    with History.open(history.path) as other:
        before = history.data_version()
        history.write([alarm(1)])
        assert history.data_version() == before
        other.change_alarms([1], AlarmState.ACKNOWLEDGED, "Alice", "", T0 + 10)
        assert history.data_version() != before


def test_maintenances_are_numbered_found_and_ended(history: History) -> None:
    work = Maintenance(id=0, source="machine/m*", start_s=T0, end_s=T0 + 3600, operator="Alice", comment="fan")
    saved = history.save_maintenance(work)
    later = history.save_maintenance(Maintenance(id=0, source="@lab", start_s=T0 + 9, end_s=T0 + 99, operator="Bob"))
    assert (saved.id, later.id) == (1, 2)
    assert history.maintenances(T0) == [saved, later]
    assert history.maintenances(T0 + 100) == [saved]
    ended = history.end_maintenance(saved.id, T0 + 60)
    assert ended is not None
    assert ended.end_s == T0 + 60
    assert history.end_maintenance(99, T0) is None
    assert history.maintenances(T0 + 60) == [later]
    history.write([Maintenance(id=2, source="@lab", start_s=T0, end_s=T0 + 500, operator="Bob", comment="longer")])
    assert history.maintenances(T0 + 100) == [
        Maintenance(id=2, source="@lab", start_s=T0, end_s=T0 + 500, operator="Bob", comment="longer")
    ]


def line(number: int, text: str = "hello", room: str = "general", **more: object) -> ChatLine:
    return ChatLine(
        **{"id": f"l{number}", "room": room, "author": "Zoé", "text": text, "time_s": T0 + number // 2, **more}
    )


def test_lines_of_a_room_come_once_and_in_order(history: History) -> None:
    lines = [line(number, f"{number}") for number in range(5)]
    history.write([*lines, line(9, "elsewhere", "lab", kind=ChatKind.ALARM, link="alarm/3")])
    history.write([line(0, "said again")])
    assert history.chat_lines("general") == lines
    assert history.chat_lines("general", limit=2) == lines[-2:]
    assert history.chat_lines("general", before_s=T0 + 1) == lines[:2]
    assert history.rooms() == ["general", "lab"]
    assert [one.link for one in history.search_chat("ELSE")] == ["alarm/3"]
    assert [one.id for one in history.search_chat("Zo", limit=2)] == ["l9", "l4"]
    assert history.search_chat("50%") == []


def test_old_alarms_lines_and_maintenances_end_and_open_alarms_stay(history: History) -> None:
    history.write([alarm(1), alarm(2, AlarmState.RESOLVED), line(1)])
    history.save_maintenance(Maintenance(id=0, source="*", start_s=T0, end_s=T0 + 1, operator="A"))
    history.apply_retention(_Days(), T0 + 3 * 86400)
    assert [one.id for one in history.alarms()] == [1]
    assert [history.count(table) for table in ("chat_lines", "maintenances")] == [0, 0]


def test_what_a_machine_is_as_equipment_is_kept(history: History) -> None:
    machine = Machine(name="m1", host="h", reference="INV-7", price_before_tax="1249.90", vat_rate_percent="20")
    history.save_machine(machine)
    assert history.machines() == [machine]


def test_a_history_of_the_first_form_is_brought_up_with_all_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "beffroi.db"
    config = Config()
    config.set_main_option("script_location", str(Path(core.store.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.exec_driver_sql(
            "INSERT INTO machines (name, is_configured, host, port, groups, notes, is_local)"
            " VALUES ('m1', 1, 'h', 17450, '[]', '', 0)"
        )
    with History.open(path) as history:
        assert history.machines() == [Machine(name="m1", host="h")]
        assert history.write_measures([measure(T0)]) == 1


def test_a_slow_machine_writes_fast_enough(history: History) -> None:
    """Some 250,000 a second where it was measured; far less would be one commit for each measure."""
    batch = [measure(T0 + number / 1e4, 20, f"capteur_{number % 100}") for number in range(20_000)]
    begun_s = time.perf_counter()
    for begin in range(0, len(batch), 1000):
        history.write_measures(batch[begin : begin + 1000])
    assert len(batch) / (time.perf_counter() - begun_s) > 5_000


_WRITER = """
import sys
from pathlib import Path
from core.site_records import SensorMeasure
from core.store.history import History

with History.open(Path(sys.argv[1])) as history:
    number = 0
    while True:
        rows = [
            SensorMeasure(sensor=f"s{one % 7}", quantity="temperature_c", value=one, time_s=1.7e9 + number + one)
            for one in range(100)
        ]
        history.write_measures(rows)
        number += 100
        print(number, flush=True)
"""


def test_kill_9_loses_no_measure_that_was_returned_from(tmp_path: Path) -> None:
    path = tmp_path / "beffroi.db"
    with subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        told = [int(writer.stdout.readline()) for _batch in range(20)]
        os.kill(writer.pid, signal.SIGKILL)
        told += [int(number) for number in writer.stdout.read().split()]
    with History.open(path) as history:
        assert history.count("sensor_measures") >= told[-1]
        assert sum(one.count for one in history.sensors()) == history.count("sensor_measures")


def test_a_series_without_a_quantity_is_none(history: History) -> None:
    for name in ("sensor/", "sensor/a", "sensor//", "check/web/colour"):
        with pytest.raises(StoreError, match="no series"):
            history.points(name, 0, 1)


def test_series_of_sensors_and_checks_are_exported_with_their_unit(history: History, tmp_path: Path) -> None:
    history.write_measures([measure(T0, 20.5, unit="°C"), measure(T0 + 1, 21)])
    history.write([CheckResult(check="web", target="h", state=CheckState.OK, time_s=T0, latency_ms=7)])
    path = tmp_path / "out.csv"
    names = ["sensor/capteur_1/temperature_c", "check/web/latency_ms"]
    assert write_series(history, names, T0, T0 + 10, None, path) == 2
    assert path.read_text(encoding="utf-8").splitlines() == [
        "time_utc,sensor/capteur_1/temperature_c [°C],check/web/latency_ms [ms]",
        "2023-11-14T22:15:00.000Z,20.5,7.0",
        "2023-11-14T22:15:01.000Z,21.0,",
    ]


def test_what_a_simulator_sent_is_marked_until_the_sensor_is_real(history: History, tmp_path: Path) -> None:
    history.write_measures([measure(T0 + turn, is_simulated=True) for turn in range(3)] + [measure(T0, sensor="real")])
    assert [one.is_simulated for one in history.sensors()] == [True, False]
    history.write_measures([measure(T0 + 100)])
    assert [one.is_simulated for one in history.sensors()] == [False, False]
    path = tmp_path / "out.csv"
    for start_s, mark in ((T0, " (simulated)"), (T0 + 50, "")):
        write_series(history, ["sensor/capteur_1/temperature_c"], start_s, T0 + 200, None, path)
        assert path.read_text().splitlines()[0] == f"time_utc,sensor/capteur_1/temperature_c{mark}"


def test_the_recorder_keeps_alarms_lines_checks_and_maintenances(tmp_path: Path) -> None:
    path = tmp_path / "beffroi.db"
    told: list[StoreReport] = []
    written = asyncio.Event()

    def tell(report: StoreReport) -> None:
        told.append(report)
        if report.rows_written >= 4:
            written.set()

    recorder = Recorder(lambda: History.open(path), _Days(), tell, clock=lambda: T0, batch_s=0.01)
    result = CheckResult(check="web", target="h", state=CheckState.FAILED, time_s=T0, error="no")
    work = Maintenance(id=5, source="*", start_s=T0, end_s=T0 + 1, operator="A")
    for record in (alarm(1), line(1), result, work, SensorBatch(measures=(measure(T0),))):
        recorder.put(record)

    async def run() -> list[Alarm]:
        task = asyncio.create_task(recorder.run())
        await asyncio.wait_for(written.wait(), 10)
        found = await recorder.query(lambda history: history.open_alarms())
        await recorder.query(lambda history: history.write_measures([measure(T0, 7)]))
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return found

    assert asyncio.run(run()) == [alarm(1)]
    assert told[-1].rows_dropped == 0
    with History.open(path) as history:
        assert history.chat_lines("general") == [line(1)]
        assert history.last_checks() == [result]
        assert history.maintenances(T0) == [work]
        assert [one.value for one in history.sensors()] == [7]  # a batch that is published is written already
