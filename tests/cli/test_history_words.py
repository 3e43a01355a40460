"""What `beffroi history` promises on the command line."""

from __future__ import annotations

import csv
import json
import time
from datetime import datetime
from pathlib import Path

import pytest

from core.cli.app import main
from core.cli.history import duration, moment
from core.errors import UsageError
from core.home import Home
from core.records import Measurement, MeterIdentity, MeterReadings, Reading
from core.store.history import History

NOW = datetime(2026, 3, 15, 14, 30).timestamp()


def filled(home: Home) -> Home:
    with History.open(home.database_path) as history:
        history.write(
            [
                MeterReadings(
                    name="main",
                    protocol="push",
                    meter=MeterIdentity(),
                    time_s=time.time() - age_s,
                    readings=(),
                    measurement=Measurement(voltage_l1_v=230.0),
                )
                for age_s in (7200, 120, 60)
            ]
        )
    return home


def test_series_as_json(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["history", "series", "--json", "--home", str(filled(home).path)]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert list(found) == ["name", "unit", "first", "last", "count"]
    assert (found["name"], found["unit"], found["count"]) == ("meter/main/voltage_l1_v", "V", 3)
    assert found["first"].endswith("Z")


def test_series_for_people(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["history", "series", "--home", str(filled(home).path)]) == 0
    assert "meter/main/voltage_l1_v" in capsys.readouterr().out


def test_no_history_yet_is_an_empty_list_and_makes_no_file(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["history", "series", "--json", "--home", str(home.path)]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out) == []
    assert "no history yet" in told.err
    assert not home.database_path.exists()


def test_an_empty_history_says_what_fills_it(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    History.open(home.database_path).close()
    assert main(["history", "series", "--json", "--home", str(home.path)]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out) == []
    assert "holds no value yet" in told.err


def test_export_takes_distances(home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["history", "export", "--series", "meter/main/voltage_l1_v", "--from", "-1h", "--to", "now"]
    path = tmp_path / "out.csv"
    assert main(["--home", str(filled(home).path), *words, "-o", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"file": str(path), "series": ["meter/main/voltage_l1_v"], "rows": 2}
    with path.open(newline="") as stream:
        assert len(list(csv.reader(stream))) == 3


def test_several_series_are_one_table_by_steps(home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with History.open(filled(home).database_path) as history:
        reading = Reading(obis=None, quantity=None, value=7.5, unit="m3", label="volume_m3")
        history.write(
            [
                MeterReadings(
                    name="heat", protocol="mbus", meter=MeterIdentity(), time_s=time.time(), readings=(reading,)
                )
            ]
        )
    path = tmp_path / "out.csv"
    words = ["history", "export", "--series", "meter/main/voltage_l1_v", "--series", "meter/heat/volume_m3"]
    assert main(["--home", str(home.path), *words, "--step", "1h", "-o", str(path)]) == 0
    with path.open(newline="") as stream:
        header, *rows = csv.reader(stream)
    assert header[1:] == [
        *[f"meter/main/voltage_l1_v {figure} [V]" for figure in ("mean", "min", "max")],
        *[f"meter/heat/volume_m3 {figure} [m3]" for figure in ("mean", "min", "max")],
    ]
    assert {cell for row in rows for cell in row[1:]} == {"", "230.0", "7.5"}
    assert all(row[0].endswith(":00:00.000Z") for row in rows)


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["--series", "meter/main/colour", "-o", "x.csv"], 1, "is no series"),
        (["--series", "meter/other/voltage_l1_v", "-o", "x.csv"], 1, "is no series"),
        (["--series", "meter/main/voltage_l1_v", "-o", "x.pdf"], 2, ".csv or .xlsx"),
        (["--series", "meter/main/voltage_l1_v", "-o", "x.csv", "--from", "soon"], 2, "soon is no time"),
        (["--series", "meter/main/voltage_l1_v", "-o", "x.csv", "--from", "now", "--to", "-1h"], 2, "nothing lies"),
        (["--series", "meter/main/voltage_l1_v", "-o", "x.csv", "--step", "0"], 2, "no length of time"),
        (["--series", "meter/main/voltage_l1_v", "-o", "none/x.csv"], 1, "cannot be written"),
    ],
)
def test_what_cannot_be_exported_is_said(
    home: Home,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    status: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["history", "export", "--json", "--home", str(filled(home).path), *words]) == status
    told = capsys.readouterr()
    assert message in told.err
    assert told.out == "" if status == 2 else json.loads(told.out)["rows"] == 0
    assert not (tmp_path / "x.csv").exists()


def test_a_broken_configuration_ends_with_two(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    home.config_path.write_text("[polling]\ninterval_s = 'fast'\n")
    assert main(["history", "series", "--home", str(home.path)]) == 2
    assert "line 2: polling.interval_s" in capsys.readouterr().err


def test_a_damaged_history_is_said_and_left(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    home.database_path.write_bytes(b"x" * 8192)
    assert main(["history", "series", "--json", "--home", str(home.path)]) == 1
    told = capsys.readouterr()
    assert "damaged" in told.err
    assert json.loads(told.out) == []
    assert home.database_path.read_bytes() == b"x" * 8192


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW),
        ("today", datetime(2026, 3, 15).timestamp()),
        ("Yesterday", datetime(2026, 3, 14).timestamp()),
        ("-90s", NOW - 90),
        ("-1h", NOW - 3600),
        ("-1.5d", NOW - 129_600),
        ("2026-03-01", datetime(2026, 3, 1).timestamp()),
        ("2026-03-01T08:15", datetime(2026, 3, 1, 8, 15).timestamp()),
        ("2026-03-01T08:15:00Z", 1772352900),
        ("2026-03-01 09:15:00+01:00", 1772352900),
    ],
)
def test_times_are_understood(text: str, expected: float) -> None:
    assert moment(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "soon", "-1", "1h", "2026-13-01", "0001-01-01T00:00:00+14:00x", "-1y"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        moment(text, NOW)


def test_lengths_of_time_are_understood() -> None:
    assert [duration(text) for text in ("90", "90s", "15m", "1h", "1D", "0.5m")] == [90, 90, 900, 3600, 86400, 30]
    for text in ("", "-1", "0", "h", "1y", "nan"):
        with pytest.raises(UsageError):
            duration(text)
