"""What an export promises: read back, it says what the history says, and nothing in it is a formula."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec
import openpyxl
import pytest

from core.errors import StoreError, UsageError
from core.records import (
    CommandProgress,
    CommandRequest,
    CommandResult,
    CommandState,
    Measurement,
    MeterIdentity,
    MeterReadings,
)
from core.services.export import export_commands, write_series
from core.services.formulas import escaped
from core.store.history import History
from core.store.minutes import MachineMinute
from core.store.schema import MACHINE_FIELDS

T0 = 1_700_000_100.0
V1, V2, POWER = "meter/main/voltage_l1_v", "meter/main/voltage_l2_v", "meter/sim/active_power_w"


def telegram(time_s: float, name: str = "main", **values: float) -> MeterReadings:
    return MeterReadings(
        name=name,
        protocol="push",
        meter=MeterIdentity(),
        time_s=time_s,
        readings=(),
        measurement=Measurement(**values),
        is_simulated=name == "sim",
    )


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with History.open(tmp_path / "beffroi.db") as opened:
        opened.write(
            [
                telegram(T0, voltage_l1_v=230.5, voltage_l2_v=231.25),
                telegram(T0 + 1.5, voltage_l1_v=229.0),
                telegram(T0 + 1.5, "sim", active_power_w=-1200),
                MachineMinute(
                    machine="m1", minute_s=1_700_000_100, samples=12, figures=(1.0, 2.0, 4.0) * len(MACHINE_FIELDS)
                ),
            ]
        )
        yield opened


def rows_of(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def test_series_as_csv(history: History, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    assert write_series(history, [V1, V2, POWER], T0, T0 + 60, None, path) == 2
    assert rows_of(path) == [
        ["time_utc", f"{V1} [V]", f"{V2} [V]", f"{POWER} [W] (simulated)"],
        ["2023-11-14T22:15:00.000Z", "230.5", "231.25", ""],
        ["2023-11-14T22:15:01.500Z", "229.0", "", "-1200.0"],
    ]
    assert {found.name for found in tmp_path.iterdir() if "out" in found.name} == {"out.csv"}


def test_series_as_xlsx_are_dates_and_numbers(history: History, tmp_path: Path) -> None:
    path = tmp_path / "out.xlsx"
    assert write_series(history, [V1, POWER], T0, T0 + 60, None, path) == 2
    sheet = openpyxl.load_workbook(path).worksheets[0]
    assert [[cell.value for cell in row] for row in sheet.iter_rows()] == [
        ["time_utc", f"{V1} [V]", f"{POWER} [W] (simulated)"],
        [datetime(2023, 11, 14, 22, 15), 230.5, None],
        [datetime(2023, 11, 14, 22, 15, 1, 500000), 229.0, -1200.0],
    ]
    assert sheet["A2"].number_format.endswith('"Z"')


def test_minutes_and_steps_have_three_columns(history: History, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    write_series(history, ["machine/m1/cpu_percent"], T0 - 60, T0 + 60, None, path)
    assert rows_of(path) == [
        ["time_utc", *(f"machine/m1/cpu_percent {figure} [%]" for figure in ("mean", "min", "max"))],
        ["2023-11-14T22:15:00.000Z", "2.0", "1.0", "4.0"],
    ]
    write_series(history, [V1], T0, T0 + 60, 60, path)
    assert rows_of(path)[1:] == [["2023-11-14T22:15:00.000Z", "229.75", "229.0", "230.5"]]


def test_a_series_without_values_leaves_a_header(history: History, tmp_path: Path) -> None:
    for name in ("out.csv", "out.xlsx"):
        assert write_series(history, [V1], 0, 1, None, tmp_path / name) == 0
    assert rows_of(tmp_path / "out.csv") == [["time_utc", f"{V1} [V]"]]
    assert openpyxl.load_workbook(tmp_path / "out.xlsx").worksheets[0]["B1"].value == f"{V1} [V]"


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_commands_are_read_back_without_formulas(history: History, tmp_path: Path, suffix: str) -> None:
    request = CommandRequest(id="1", words=("=1+1",), machines=("@a", "b"), timeout_s=1, operator="+Alice", time_s=T0)
    evil = '=HYPERLINK("http://x","y")\nsecond "line", with \x07 bell'
    result = CommandResult(machine="@a", state=CommandState.FAILED, exit_status=-9, stdout=evil, duration_s=0.25)
    history.write([request, CommandProgress(id="1", result=result)])
    path = tmp_path / f"commands.{suffix}"
    assert export_commands(history, path) == 2
    if suffix == "csv":
        found: list[list[object]] = [list(row) for row in rows_of(path)]
    else:
        sheet = openpyxl.load_workbook(path).worksheets[0]
        assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
        found = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert found[0][:6] == ["time_utc", "id", "operator", "command", "machine", "state"]
    assert found[1][1:6] == ["1", "'+Alice", "'=1+1", "'@a", "failed"]
    assert str(found[1][6]) == "-9"
    assert str(found[1][8]).startswith("'=HYPERLINK")
    assert found[2][4:6] == ["b", "unknown"]


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\tx", "\rx", "\n=1"])
def test_what_could_be_a_formula_is_escaped(text: str) -> None:
    assert escaped(text) == "'" + text
    assert escaped("a" + text) == "a" + text


def test_a_long_answer_fits_a_cell(history: History, tmp_path: Path) -> None:
    request = CommandRequest(id="1", words=("x",), machines=("a",), timeout_s=1, operator="A", time_s=T0)
    result = CommandResult(machine="a", state=CommandState.OK, stdout="x" * 100_000)
    history.write([request, CommandProgress(id="1", result=result)])
    export_commands(history, tmp_path / "c.xlsx")
    assert len(openpyxl.load_workbook(tmp_path / "c.xlsx").worksheets[0]["I2"].value) == 32_767
    export_commands(history, tmp_path / "c.csv")
    assert len(rows_of(tmp_path / "c.csv")[1][8]) == 100_000


def test_another_suffix_is_refused(history: History, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.csv or \.xlsx"):
        write_series(history, [V1], 0, 1, None, tmp_path / "out.pdf")


def test_a_folder_that_is_not_there_is_said_and_an_older_file_stays(history: History, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        write_series(history, [V1], 0, 1, None, tmp_path / "none" / "out.csv")
    kept = tmp_path / "kept.csv"
    kept.write_text("mine")
    with pytest.raises(StoreError, match="is no series"):
        write_series(history, ["nonsense"], 0, 1, None, kept)
    assert kept.read_text() == "mine"


def test_a_name_may_hold_slashes(history: History, tmp_path: Path) -> None:
    history.write([msgspec.structs.replace(telegram(T0, voltage_l1_v=1.0), name="/dev/ttyUSB0")])
    write_series(history, ["meter//dev/ttyUSB0/voltage_l1_v"], T0, T0 + 1, None, tmp_path / "out.csv")
    assert rows_of(tmp_path / "out.csv")[1][1] == "1.0"


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_who_watches_is_told_and_can_end_it_without_a_trace(history: History, tmp_path: Path, suffix: str) -> None:
    class EnoughError(Exception):
        pass

    told = []

    def watch(rows: int) -> None:
        told.append(rows)
        if rows >= 2000:
            raise EnoughError

    history.write([telegram(T0 + number, voltage_l1_v=230) for number in range(2500)])
    with pytest.raises(EnoughError):
        write_series(history, [V1], T0, T0 + 2500, None, tmp_path / f"out{suffix}", watch=watch)
    assert told == [0, 500, 1000, 1500, 2000]
    assert list(tmp_path.glob("*out*")) == []
