"""What the history promises: what was written is found again, in fixed units, and nothing is counted twice."""

from __future__ import annotations

import contextlib
import math
import os
import sqlite3
import warnings
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import NullPool, create_engine

from core.errors import StoreError
from core.records import (
    CommandProgress,
    CommandRequest,
    CommandResult,
    CommandState,
    Event,
    Level,
    Machine,
    Measurement,
    MeterIdentity,
    MeterReadings,
    Quality,
    Reading,
    Severity,
)
from core.store.history import History
from core.store.schema import METER_FIELDS, metadata

T0 = 1_700_000_100.0


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with History.open(tmp_path / "beffroi.db") as opened:
        yield opened


def telegram(
    time_s: float, name: str = "main", *, readings: tuple[Reading, ...] = (), **values: float
) -> MeterReadings:
    return MeterReadings(
        name=name,
        protocol="push",
        meter=MeterIdentity(manufacturer="LGZ"),
        time_s=time_s,
        readings=readings,
        measurement=Measurement(**values),
    )


def asked(history: History, statement: str) -> list[tuple[object, ...]]:
    """The rows as another program sees them."""
    with contextlib.closing(sqlite3.connect(history.path)) as raw:
        return raw.execute(statement).fetchall()


def test_the_migrations_make_the_schema(history: History) -> None:
    engine = create_engine(f"sqlite:///{history.path}", poolclass=NullPool)
    with engine.connect() as connection, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_the_file_is_private_and_kept_in_the_log(history: History) -> None:
    assert history.path.stat().st_mode & 0o777 == 0o600
    history.write([telegram(T0, voltage_l1_v=230)])
    assert {path.stat().st_mode & 0o777 for path in history.path.parent.glob("beffroi.db*")} == {0o600}


def test_every_field_of_a_measurement_has_a_column_and_comes_back(history: History) -> None:
    values = {field: float(number) for number, field in enumerate(METER_FIELDS, 1)}
    history.write([telegram(T0, **values)])
    assert history.last_measurement("main") == (T0, Measurement(**values))
    assert METER_FIELDS["voltage_l1_v"] == "V"
    assert METER_FIELDS["reactive_energy_import_varh"] == "varh"
    assert METER_FIELDS["power_factor"] is None
    assert set(METER_FIELDS) == set(msgspec.structs.asdict(Measurement())) - {"quality"}


def test_absent_is_not_zero(history: History) -> None:
    history.write([telegram(T0, active_power_w=0.0)])
    _time, found = history.last_measurement("main") or (0, None)
    assert found is not None
    assert found.active_power_w == 0
    assert found.voltage_l1_v is None
    assert len(history.points("meter/main/voltage_l1_v", T0 - 1, T0 + 1).time_s) == 0


def test_two_telegrams_of_one_moment_fill_each_others_gaps(history: History) -> None:
    history.write([telegram(T0, active_power_w=5), telegram(T0, voltage_l1_v=230)])
    history.write([telegram(T0, voltage_l1_v=230)])
    assert history.count("measurements") == 1
    assert history.last_measurement("main") == (T0, Measurement(active_power_w=5, voltage_l1_v=230))


def test_unknown_readings_are_kept_as_they_are(history: History) -> None:
    readings = (
        Reading(obis="1-0:1.7.0*255", quantity="active_power_import", value=5, unit="W"),
        Reading(obis="F.F", quantity=None, value="00000000"),
        Reading(obis="0-0:96.7.21*255", quantity=None, value=4, quality=Quality.WARNING, time="2024-01-01T00:00:00"),
    )
    history.write([telegram(T0, readings=readings, active_power_import_w=5)])
    ((others, meter_time),) = asked(history, "SELECT others, meter_time FROM measurements")
    assert msgspec.json.decode(others) == [
        {"obis": "F.F", "value": "00000000"},
        {"obis": "0-0:96.7.21*255", "value": 4, "quality": "warning"},
    ]
    assert meter_time == "2024-01-01T00:00:00"


def test_quality_and_simulation_are_kept(history: History) -> None:
    record = telegram(T0, voltage_l1_v=300)
    assert record.measurement is not None
    worse = msgspec.structs.replace(record.measurement, quality=Quality.ERROR)
    history.write([msgspec.structs.replace(record, measurement=worse, is_simulated=True)])
    assert history.last_measurement("main") == (T0, worse)
    assert history.is_simulated("main", T0, T0 + 1)
    assert not history.is_simulated("main", T0 + 1, T0 + 2)


def test_series_are_named_with_unit_span_and_count(history: History) -> None:
    history.write([telegram(T0 + second, "E450/1", voltage_l1_v=230 + second) for second in range(3)])
    (found,) = history.series()
    assert (found.name, found.unit, found.first_s, found.last_s, found.count) == (
        "meter/E450/1/voltage_l1_v",
        "V",
        T0,
        T0 + 2,
        3,
    )
    assert list(history.points(found.name, T0, T0 + 3).mean) == [230, 231, 232]


@pytest.mark.parametrize("name", ["", "meter", "meter/main", "meter//voltage_l1_v", "meter/main/colour", "x/y/z"])
def test_a_name_that_is_no_series_is_said(history: History, name: str) -> None:
    with pytest.raises(StoreError, match="is no series"):
        history.points(name, 0, 1)


def test_points_are_raw_where_they_are_few(history: History) -> None:
    history.write([telegram(T0 + second, voltage_l1_v=230 + second % 3) for second in range(100)])
    points = history.points("meter/main/voltage_l1_v", T0 + 10, T0 + 20)
    assert list(points.time_s) == [T0 + second for second in range(10, 20)]
    assert points.minimum == points.mean == points.maximum


def test_points_keep_every_peak_where_they_are_many(history: History) -> None:
    history.write([telegram(T0 + second, voltage_l1_v=400.0 if second == 777 else 230.0) for second in range(10_000)])
    (points,) = history.meter_points("main", ["voltage_l1_v"], T0, T0 + 10_000, 500)
    assert len(points.time_s) == 500
    assert max(points.maximum) == 400
    assert min(points.minimum) == 230
    assert not any(map(math.isnan, points.mean))
    assert sum(points.mean) / 500 == pytest.approx(230 + 170 / 10_000)
    assert list(points.time_s) == sorted(points.time_s)


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(st.floats(0.01, 500), min_size=1, max_size=120),
    max_points=st.integers(1, 150),
    data=st.data(),
)
def test_points_tell_the_truth_however_they_are_asked(
    steps: list[float], max_points: int, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    values = data.draw(st.lists(st.floats(-1e6, 1e6), min_size=len(steps), max_size=len(steps)))
    times = [T0 + sum(steps[:number]) for number in range(len(steps))]
    with History.open(tmp_path_factory.mktemp("points") / "beffroi.db") as history:
        history.write([telegram(time_s, voltage_l1_v=value) for time_s, value in zip(times, values, strict=True)])
        points = history.points("meter/main/voltage_l1_v", T0, times[-1] + 1, max_points=max_points)
    kept = [number for number, mean in enumerate(points.mean) if not math.isnan(mean)]
    assert 1 <= len(kept) <= max_points
    assert min(points.minimum[number] for number in kept) == min(values)
    assert max(points.maximum[number] for number in kept) == max(values)
    for number in kept:
        assert points.minimum[number] - 1e-6 <= points.mean[number] <= points.maximum[number] + 1e-6
    assert list(points.time_s) == sorted(points.time_s)
    assert times[0] <= points.time_s[0] <= points.time_s[-1] <= times[-1]
    assert not math.isnan(points.mean[0])
    assert not math.isnan(points.mean[-1])


@pytest.mark.parametrize("max_points", [200, 1000])
def test_a_gap_is_nan(history: History, max_points: int) -> None:
    seconds = [*range(300), *range(330, 600)]
    history.write([telegram(T0 + second, voltage_l1_v=230) for second in seconds])
    points = history.points("meter/main/voltage_l1_v", T0, T0 + 600, max_points=max_points)
    gaps = [time_s for time_s, value in zip(points.time_s, points.mean, strict=True) if math.isnan(value)]
    assert gaps == [pytest.approx(T0 + 314.5)]


def test_a_gap_of_one_field_is_not_a_gap_of_another(history: History) -> None:
    history.write([telegram(T0 + second, active_power_w=1) for second in range(300)])
    history.write([telegram(T0 + second, voltage_l1_v=230) for second in [*range(100), *range(200, 300)]])
    power, voltage = history.meter_points("main", ["active_power_w", "voltage_l1_v"], T0, T0 + 300)
    assert sum(map(math.isnan, power.mean)) == 0
    assert sum(map(math.isnan, voltage.mean)) == 1


def test_values_that_come_by_turns_have_no_gaps(history: History) -> None:
    """A meter that pushes two lists in turn: each field has the period of its own list."""
    for second in range(0, 4000, 10):
        history.write([telegram(T0 + second, voltage_l1_v=230), telegram(T0 + second + 5, active_power_w=1)])
    for max_points in (1000, 100):
        for points in history.meter_points("main", ["active_power_w", "voltage_l1_v"], T0, T0 + 4000, max_points):
            assert not any(map(math.isnan, points.mean))


def test_an_unknown_meter_has_no_points(history: History) -> None:
    (points,) = history.meter_points("none", ["voltage_l1_v"], 0, 1e10)
    assert len(points.time_s) == 0
    assert history.last_measurement("none") is None
    assert history.energy_since("none", 0) is None
    assert history.meters() == []


def test_samples_are_streamed_and_stepped(history: History) -> None:
    start_s = 1_700_000_100.0
    history.write([telegram(start_s + second, voltage_l1_v=second) for second in range(0, 120, 10)])
    name = "meter/main/voltage_l1_v"
    assert [sample.mean for sample in history.samples(name, start_s, start_s + 30)] == [0, 10, 20]
    stepped = list(history.samples(name, start_s, start_s + 120, 60))
    assert [tuple(sample) for sample in stepped] == [(start_s, 0, 25, 50), (start_s + 60, 60, 85, 110)]


def test_several_series_can_be_read_side_by_side(history: History) -> None:
    history.write([telegram(T0 + second, voltage_l1_v=second, voltage_l2_v=-second) for second in range(3000)])
    one, other = (history.samples(f"meter/main/{field}", T0, T0 + 3000) for field in ("voltage_l1_v", "voltage_l2_v"))
    assert all(a.mean == -b.mean for a, b in zip(one, other, strict=True))


def test_what_a_clock_that_was_ahead_has_left_is_not_the_last_that_was_read_before_now(history: History) -> None:
    history.write([telegram(time_s, active_power_w=watts) for time_s, watts in ((T0, 1.0), (T0 + 3e7, 2.0))])
    for before_s, watts in ((T0 + 60, 1.0), (T0 + 4e7, 2.0)):
        last = history.last_measurement("main", before_s)
        assert last is not None
        assert last[1].active_power_w == watts
    assert history.last_measurement("main", T0) is None


def test_energy_since_is_what_the_register_counted(history: History) -> None:
    history.write([telegram(T0 + 60 * minute, active_energy_import_wh=1000 + 10 * minute) for minute in range(100)])
    assert history.energy_since("main", T0 + 50 * 60) == 990 - 500
    assert history.energy_since("main", T0 - 5) == 990
    assert history.energy_since("main", T0 + 1e6) is None


def test_a_register_that_falls_begins_anew(history: History) -> None:
    values = [100, 110, 5, 25]
    history.write([telegram(T0 + number, active_energy_import_wh=value) for number, value in enumerate(values)])
    assert history.energy_since("main", T0) == 30


def test_machines_are_saved_changed_and_removed(history: History) -> None:
    second = Machine(name="b", host="10.0.0.2")
    first = Machine(
        name="a",
        host="::1",
        port=1,
        groups=("lab", "x"),
        notes="by the door",
        fingerprint="SHA256:x",
        certificate_pem="pem",
        level=Level.VIEW,
        is_local=True,
    )
    history.save_machine(second)
    history.save_machine(first)
    assert history.machines() == [first, second]
    history.save_machine(msgspec.structs.replace(first, notes="moved"))
    assert history.machines()[0].notes == "moved"
    assert history.remove_machine("a")
    assert not history.remove_machine("a")
    assert history.machines() == [second]
    assert asked(history, "SELECT certificate_pem, fingerprint FROM machines WHERE name = 'a'") == [(None, None)]


def test_many_machines_are_saved_at_once(history: History) -> None:
    many = [Machine(name=f"m{number:04}", host="10.0.0.1") for number in range(500)]
    history.save_machines(many)
    assert history.machines() == many


def request(run_id: str, *machines: str, line: str = "uname -a", time_s: float = T0) -> CommandRequest:
    return CommandRequest(
        id=run_id, words=tuple(line.split()), machines=machines, timeout_s=30, operator="Alice", time_s=time_s
    )


def test_commands_are_kept_with_every_answer(history: History) -> None:
    result = CommandResult(machine="a", state=CommandState.OK, exit_status=0, stdout="Linux\n", duration_s=0.1)
    refused = CommandResult(machine="b", state=CommandState.NOT_ALLOWED, message="no rule", truncated_bytes=3)
    history.write([request("1", "a", "b"), CommandProgress(id="1", result=refused)])
    history.write([CommandProgress(id="1", result=result, is_last=True)])
    (summary,) = history.command_runs()
    assert (summary.id, summary.line, summary.operator) == ("1", "uname -a", "Alice")
    assert summary.machines == ("a", "b")
    assert summary.counts == {"ok": 1, "not_allowed": 1}
    assert history.command_results("1") == [result, refused]


def test_commands_are_found_newest_first(history: History) -> None:
    history.write([request(str(number), "m1", line=f"ls /{number}", time_s=T0 + number) for number in range(5)])
    history.write([request("other", "srv", line="100%_done", time_s=T0 + 9)])
    assert [run.id for run in history.command_runs(limit=2)] == ["other", "4"]
    assert [run.id for run in history.command_runs(search="LS /3")] == ["3"]
    assert [run.id for run in history.command_runs(search="srv")] == ["other"]
    assert [run.id for run in history.command_runs(search="%_")] == ["other"]
    assert [run.id for run in history.command_runs(search="m1 /4")] == ["4"], "each word, wherever it stands"
    assert history.command_runs(search="srv ls") == []
    assert len(history.command_runs(search="alice")) == 6


def test_a_command_whose_console_died_is_unknown(history: History) -> None:
    answer = CommandProgress(id="1", result=CommandResult(machine="a", state=CommandState.OK))
    history.write([request("1", "a", "b"), answer])
    assert history.command_runs()[0].counts == {"ok": 1, "unknown": 1}


def test_an_answer_without_its_request_is_kept(history: History) -> None:
    result = CommandResult(machine="a", state=CommandState.OK)
    history.write([CommandProgress(id="1", result=result, is_last=True)])
    history.write([request("1", "a")])
    assert history.command_results("1") == [result]
    assert history.command_runs()[0].line == "uname -a"


def test_events_are_kept_newest_first(history: History) -> None:
    events = [
        Event(time_s=T0, source="m1", kind="offline", severity=Severity.WARNING, text="no answer"),
        Event(time_s=T0 + 1, source="m1", kind="paired", severity=Severity.INFO, text="paired", operator="Alice"),
    ]
    history.write(events)
    assert history.events() == events[::-1]
    assert history.events(limit=1) == events[1:]


def test_a_batch_is_all_or_nothing(history: History) -> None:
    broken = msgspec.structs.replace(telegram(T0 + 1), measurement=Measurement(voltage_l1_v=object()))  # type: ignore[arg-type]  # on purpose
    with pytest.raises(StoreError):
        history.write([telegram(T0, "new"), broken])
    assert history.meters() == []
    history.write([telegram(T0, "new")])
    assert history.meters() == ["new"]


def test_text_from_outside_stays_text(history: History) -> None:
    name = "'; DROP TABLE meters; --\x00é\n"
    history.write([telegram(T0, name, voltage_l1_v=1)])
    assert history.meters() == [name]
    history.save_machine(Machine(name=name, host=name, notes=name))
    assert history.machines()[0].notes == name


def test_two_histories_share_one_file(history: History) -> None:
    with History.open(history.path) as other:
        other.write([telegram(T0, voltage_l1_v=1)])
        history.write([telegram(T0 + 1, voltage_l1_v=2)])
        assert len(other.points("meter/main/voltage_l1_v", T0, T0 + 2).time_s) == 2


def test_a_url_names_the_file_too(tmp_path: Path) -> None:
    with History.open(f"sqlite:///{tmp_path}/a%20b.db") as history:
        assert history.path.parent == tmp_path
    assert os.listdir(tmp_path)
