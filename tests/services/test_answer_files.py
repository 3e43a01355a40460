"""Answers as files: tables, JSON, a folder; what a machine says is text and stays text."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import openpyxl
import pytest

from core.errors import StoreError
from core.records import CommandRequest, CommandResult, CommandState
from core.services.answer_files import (
    file_names,
    proposed_name,
    run_document,
    whole_results,
    write_answer_folder,
    write_answer_json,
    write_answer_table,
)

REQUEST = CommandRequest(
    id="r1", words=("ls", "-al", "a b"), machines=("a", "b", "c"), timeout_s=30, operator="ana", time_s=1.7e9
)
RESULTS = {
    "a": CommandResult(machine="a", state=CommandState.OK, exit_status=0, stdout="=1+1\nzwei\n", duration_s=0.5),
    "b": CommandResult(machine="b", state=CommandState.FAILED, exit_status=2, stderr="@evil\n", message="-x"),
}


def test_a_machine_that_still_runs_is_in_every_file_as_unknown() -> None:
    results = whole_results(REQUEST, RESULTS)
    assert [(result.machine, result.state) for result in results] == [
        ("a", CommandState.OK),
        ("b", CommandState.FAILED),
        ("c", CommandState.UNKNOWN),
    ]


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_a_table_has_a_row_for_each_machine_and_no_formula(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"answers{suffix}"
    assert write_answer_table(path, REQUEST, whole_results(REQUEST, RESULTS)) == 3
    if suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.reader(stream))
    else:
        sheet = openpyxl.load_workbook(path).active
        rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
        assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
    assert rows[0][4:6] == ["machine", "state"]
    assert [row[4:6] for row in rows[1:]] == [["a", "ok"], ["b", "failed"], ["c", "unknown"]]
    assert rows[1][8] == "'=1+1\nzwei\n"
    assert rows[2][9:12:2] == ["'@evil\n", "'-x"]
    assert rows[1][3] == 'ls -al "a b"'


def test_a_cell_that_is_too_small_says_how_much_it_leaves_out(tmp_path: Path) -> None:
    path = tmp_path / "long.xlsx"
    long = CommandResult(machine="a", state=CommandState.OK, stdout="x" * 100_000)
    write_answer_table(path, REQUEST, [long])
    cell = openpyxl.load_workbook(path).active["I2"].value
    assert len(cell) <= 32_767
    kept = cell.index("\n")
    assert f"[{100_000 - kept} letters more: see the same answers as CSV, text or JSON]" in cell


def test_json_is_what_run_prints(tmp_path: Path) -> None:
    path = tmp_path / "answers.json"
    results = whole_results(REQUEST, RESULTS)
    write_answer_json(path, REQUEST, results)
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found == run_document(REQUEST, results)
    assert (found["id"], found["command"]) == ("r1", 'ls -al "a b"')
    assert [result["machine"] for result in found["results"]] == [result.machine for result in results]
    keys = ["machine", "state", "exit_status", "stdout", "stderr", "duration_s", "truncated_bytes", "message"]
    assert all(list(result) == keys for result in found["results"])


def test_a_folder_holds_what_each_machine_printed_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "answers"
    assert write_answer_folder(folder, REQUEST, whole_results(REQUEST, RESULTS)) == 5
    assert sorted(path.name for path in folder.iterdir()) == ["a.txt", "b.stderr.txt", "b.txt", "c.txt", "run.json"]
    assert (folder / "a.txt").read_text() == "=1+1\nzwei\n"
    assert (folder / "b.stderr.txt").read_text() == "@evil\n"
    with pytest.raises(StoreError, match="cannot be made"):
        write_answer_folder(folder, REQUEST, [])


def test_names_of_machines_become_names_that_every_system_takes() -> None:
    machines = ["../../etc/passwd", "web", "WEB", "con", "a b", "a_b", "...", "run", "nul.txt", "x" * 300]
    names = file_names(machines)
    assert list(names.values())[:9] == [
        "_.._etc_passwd", "web", "WEB_2", "_con", "a_b", "a_b_2", "machine", "run_2", "_nul.txt"
    ]  # fmt: skip
    assert len(names["x" * 300]) == 100
    assert "/" not in proposed_name(REQUEST, ".csv")


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        write_answer_json(tmp_path / "no" / "such.json", REQUEST, [])
