"""`machines`: lists with a preview, equipment and its sums, an order, removal by name and by reference, a maximum."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from core.cli.app import main
from core.home import Home

Run = Callable[..., tuple[int, str, str]]

LIST = """name;address;groups;reference;price;VAT
lab-10;10.0.0.2;lab;INV-3;1 000,00 €;20
lab-2;10.0.0.10;;INV-1;100;5.5
bad;10.0.0.300;;;;
free;10.0.0.4;;INV-9;0;20
web;10.0.0.1;;;;
"""


@pytest.fixture
def run(home: Home, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line in the home and gives exit status, stdout and stderr."""

    def typed(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            status = main(["--home", str(home.path), *words])
        except SystemExit as ended:
            status = int(ended.code or 0)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return typed


@pytest.fixture
def listed(tmp_path: Path) -> str:
    path = tmp_path / "list.csv"
    path.write_text(LIST, encoding="utf-8")
    return str(path)


def names(run: Run, *words: str) -> list[str]:
    status, out, _err = run("machines", "list", "--json", *words)
    assert status == 0
    return [entry["name"] for entry in json.loads(out)]


def test_a_preview_says_what_each_line_would_do_and_saves_nothing(run: Run, listed: str) -> None:
    status, out, err = run("machines", "import", listed, "--preview")
    assert status == 1  # some lines would be refused
    assert "3 new, 0 changed, 0 as they were, 2 refused; nothing was saved" in err
    assert "is not an address" in out
    assert "the price with tax is 0.00; it must be more than 0" in out
    assert "1305.50" in out  # 1,200 + 105.50 with tax
    assert names(run) == []
    status, out, err = run("machines", "import", listed, "--preview", "--json")
    assert [entry["name"] for entry in json.loads(out)] == ["lab-10", "lab-2", "web"]
    assert f"{listed}:4: '10.0.0.300' is not an address" in err
    assert names(run) == []


def test_a_second_import_changes_only_what_differs(run: Run, listed: str, tmp_path: Path) -> None:
    assert run("machines", "import", listed)[0] == 1
    other = tmp_path / "other.csv"
    other.write_text("name;address;notes\nweb;10.0.0.1;\nlab-2;10.0.0.10;moved\n")
    status, _out, err = run("machines", "import", str(other), "--preview")
    assert status == 0
    assert "0 new, 1 changed, 1 as they were, 0 refused" in err


def test_the_list_shows_equipment_its_sums_and_keeps_its_json(run: Run, listed: str) -> None:
    run("machines", "import", listed)
    status, out, _err = run("machines", "list")
    assert status == 0
    for text in ("INV-3", "1000.00", "1200.00", "VAT 5.5 %", "105.50", "1100.00", "205.50", "1305.50"):
        assert text in out
    _status, out, _err = run("machines", "list", "--json")
    assert all(
        list(entry) == ["name", "address", "groups", "state", "fingerprint", "level"] for entry in json.loads(out)
    )


def test_without_prices_there_are_no_columns_of_them(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("10.0.0.1\n")
    run("machines", "import", str(path))
    _status, out, _err = run("machines")
    assert "10.0.0.1" in out
    assert "VAT" not in out


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("name", ["lab-2", "lab-10", "web"]),
        ("address", ["web", "lab-10", "lab-2"]),
        ("reference", ["lab-2", "lab-10", "web"]),
        ("price", ["lab-2", "lab-10", "web"]),
    ],
)
def test_the_list_is_sorted_as_asked(run: Run, listed: str, by: str, expected: list[str]) -> None:
    run("machines", "import", listed)
    assert names(run, "--sort", by) == expected


def test_machines_are_removed_by_name_and_by_reference(run: Run, listed: str) -> None:
    run("machines", "import", listed)
    assert run("machines", "remove", "web")[0] == 0
    status, out, _err = run("machines", "remove", "--reference", "inv-3")
    assert status == 0
    assert "lab-10 was removed" in out
    assert names(run) == ["lab-2"]
    status, _out, err = run("machines", "remove", "--reference", "INV-3")
    assert status == 2
    assert "no machine with the reference INV-3" in err
    assert run("machines", "remove", "--reference", "")[0] == 2
    assert run("machines", "remove")[0] == 2
    assert run("machines", "remove", "lab-2", "--reference", "INV-1")[0] == 2
    assert names(run) == ["lab-2"]


def test_beyond_the_maximum_nothing_is_added_and_the_maximum_is_named(run: Run, home: Home, listed: str) -> None:
    home.config_path.write_text("[machines]\nmax = 2\n")
    status, _out, err = run("machines", "import", listed)
    assert status == 1
    assert f"{listed}:6: the list takes at most 2 machines; raise max under [machines] in config.toml" in err
    assert names(run) == ["lab-2", "lab-10"]
    status, _out, err = run("machines", "add", "more", "127.0.0.1:9", "--code", "ABCDE-FGHJK")
    assert status == 2
    assert "at most 2 machines" in err


@pytest.mark.parametrize("suffix", [".csv", ".json", ".xlsx"])
def test_equipment_goes_out_and_in_again(run: Run, listed: str, tmp_path: Path, suffix: str) -> None:
    run("machines", "import", listed)
    path = tmp_path / f"out{suffix}"
    assert run("machines", "export", str(path))[0] == 0
    before = run("machines", "list")[1]
    for name in ("web", "lab-2", "lab-10"):
        run("machines", "remove", name)
    assert run("machines", "import", str(path))[0] == 0
    assert run("machines", "list")[1] == before


def test_of_many_bad_lines_some_are_named_and_the_others_counted(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("10.0.0.1\n" + "10.0.0.300\n" * 500)
    status, _out, err = run("machines", "import", str(path))
    assert status == 1
    assert err.count("is not an address") == 200
    assert "… and 300 more lines" in err


def test_tags_are_a_column_where_a_machine_has_one(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "tags.csv"
    path.write_text("name,address\nweb,10.0.0.1\n", encoding="utf-8")
    assert run("machines", "import", str(path))[0] == 0
    assert "tags" not in run("machines", "list")[1]
    path.write_text("name,address,tags\nprint,10.0.0.2,printer;first.floor\n", encoding="utf-8")
    assert run("machines", "import", str(path))[0] == 0
    assert "printer, first.floor" in run("machines", "list")[1]
    status, out, _err = run("machines", "list", "--json")
    assert status == 0
    assert "tags" not in json.loads(out)[0]
