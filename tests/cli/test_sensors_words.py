"""The words of `sensors` as a user types them."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from signal import SIGINT, SIGTERM

import pytest

from core.cli.app import main
from core.site_records import SensorMeasure
from core.store.history import History

ROOT = Path(__file__).resolve().parents[2]


def start(home, *words):
    return subprocess.Popen(
        [sys.executable, "main.py", "--home", str(home.path), "sensors", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def serve(home, *words):
    child = start(home, "serve", *words)
    return child, child.stdout.readline().split()[-1]


def end(child, number=SIGTERM):
    child.send_signal(number)
    out, err = child.communicate(timeout=20)
    return child.returncode, out, err


def test_a_day_with_a_server_a_sensor_and_a_simulation(home, capsys):
    home.config_path.write_text(
        '[sensors]\nlisten = "127.0.0.1:0"\nfile = "donnees.txt"\n\n'
        '[[sensor]]\nid = "capteur_1"\nplace = "cellar"\nunit = "°C (shade)"\n'
    )
    server, address = serve(home)
    assert (
        main(["--home", str(home.path), "sensors", "send", "--to", address, "--id", "door", "--temperature", "21"]) == 0
    )
    assert "door: 21 °C was saved" in capsys.readouterr().out
    simulation = start(home, "simulate", "--count", "3", "--to", address, "--interval", "0.05", "--json")
    path = home.path / "donnees.txt"
    until_s = time.monotonic() + 20
    while time.monotonic() < until_s and path.read_text().count("capteur_3") < 3:
        time.sleep(0.02)
    status, out, _err = end(simulation, SIGINT)
    assert status == 0
    told = json.loads(out)
    assert (told["sensors"], told["refused"], told["error"]) == (3, 0, None)
    assert told["sent"] - 3 <= told["acknowledged"] <= told["sent"]
    assert end(server) == (0, "", "")

    assert main(["--home", str(home.path), "--json", "sensors", "list"]) == 0
    rows = {row["id"]: row for row in json.loads(capsys.readouterr().out)}
    assert sorted(rows) == ["capteur_1", "capteur_2", "capteur_3", "door"]
    assert list(rows["door"]) == ["id", "quantity", "value", "unit", "place", "time", "count"]
    door = rows["door"]
    assert (door["quantity"], door["value"], door["unit"], door["place"], door["count"]) == (
        "temperature_c",
        21.0,
        "°C",
        None,
        1,
    )
    assert door["time"].endswith("Z")
    assert (rows["capteur_1"]["place"], rows["capteur_1"]["unit"]) == ("cellar", "°C (shade)")
    assert len(path.read_text().splitlines()) == sum(row["count"] for row in rows.values())

    assert main(["--home", str(home.path), "sensors", "list"]) == 0
    assert "cellar" in capsys.readouterr().out


@pytest.mark.parametrize("words", [(), ("--threads",)])
def test_a_server_stopped_at_once_ends_with_0(home, words):
    server, address = serve(home, "--listen", "127.0.0.1:0", *words)
    with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))):
        assert end(server) == (0, "", "")


@pytest.mark.parametrize("words", [[], ["--threads"]])
def test_a_port_that_is_taken_is_said(home, capsys, words):
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        assert main(["--home", str(home.path), "sensors", "serve", "--listen", address, *words]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"another program listens on {address}" in printed.err


def test_people_read_the_digits_that_a_sensor_sent(home, capsys):
    with History.open(home.path / "beffroi.db") as history:
        history.write_measures(
            [
                SensorMeasure(sensor=name, quantity="temperature_c", value=value, time_s=1.0, unit="°C")
                for name, value in (("a", 23.46), ("b", 5.0), ("c", 1234567.8), ("d", 0.1 + 0.2))
            ]
        )
    assert main(["--home", str(home.path), "sensors", "list"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[2] for row in rows] == ["Value", "23.46", "5", "1234567.8", "0.3"]


def test_no_sensor_yet_is_an_empty_list_and_a_hint(home, capsys):
    assert main(["--home", str(home.path), "sensors", "list", "--json"]) == 0
    printed = capsys.readouterr()
    assert printed.out == "[]\n"
    assert main(["--home", str(home.path), "sensors", "list"]) == 0
    assert "beffroi sensors serve" in capsys.readouterr().err
    assert not home.database_path.exists()


def test_a_temperature_that_nobody_takes_is_exit_status_1(home, capsys):
    words = ["--home", str(home.path), "sensors", "send", "--to", "127.0.0.1:1", "--id", "a", "--temperature", "1"]
    assert main(words) == 1
    assert "nothing listens at 127.0.0.1:1" in capsys.readouterr().err
    assert main([*words, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is False
    assert "nothing listens" in told["error"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["send", "--to", "127.0.0.1:1", "--id", "a", "--temperature", "warm"], "warm is not a number"),
        (["send", "--to", "127.0.0.1:1", "--id", "a", "--temperature", "nan"], "nan is no temperature"),
        (["send", "--to", "a:b:c d", "--id", "a", "--temperature", "1"], "is not an address"),
        (["send", "--to", "127.0.0.1:1", "--id", " ", "--temperature", "1"], "a sensor needs a name"),
        (["serve", "--listen", "127.0.0.1:0", "--file", "/nowhere/donnees.txt"], "/nowhere/donnees.txt cannot be"),
        (["serve", "--threads", "--listen", "127.0.0.1:0", "--file", "/"], "/ cannot be written"),
        (["simulate", "--count", "0", "--to", "127.0.0.1:1"], "from 1 to 1000"),
        (["simulate", "--count", "1001", "--to", "127.0.0.1:1"], "from 1 to 1000"),
        (["simulate", "--count", "1", "--to", "127.0.0.1:1", "--interval", "0"], "0.01"),
        (["serve", "--listen", "nowhere at all"], "is not an address"),
        ([], "required"),
    ],
)
def test_words_that_mean_nothing_are_exit_status_2(home, capsys, words, said):
    try:
        status = main(["--home", str(home.path), "sensors", *words])
    except SystemExit as ended:
        status = ended.code
    assert status == 2
    assert said in capsys.readouterr().err


def test_an_allowed_address_that_is_none_is_exit_status_2(home, capsys):
    home.config_path.write_text('[sensors]\nallow = ["the lab"]\n')
    assert main(["--home", str(home.path), "sensors", "serve", "--listen", "127.0.0.1:0"]) == 2
    assert "the lab" in capsys.readouterr().err


def test_a_simulation_that_reaches_nobody_says_so(home, capsys, monkeypatch):
    monkeypatch.setattr("core.cli.sensors.FIRST_ANSWER_S", 0.3)
    assert main(["--home", str(home.path), "sensors", "simulate", "--count", "2", "--to", "127.0.0.1:1"]) == 1
    assert "nothing listens at 127.0.0.1:1" in capsys.readouterr().err


def test_the_list_needs_no_lock_and_takes_another_database(home, tmp_path, capsys):
    home.config_path.write_text(f'database = "{tmp_path}/other.db"\n')
    with History.open(tmp_path / "other.db") as history:
        history.write_measures([SensorMeasure(sensor="a", quantity="flow", value=1.5, time_s=1_800_000_000.0)])
        assert main(["--home", str(home.path), "sensors", "list", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["id"], row["quantity"], row["unit"], row["time"]) == ("a", "flow", None, "2027-01-15T08:00:00.000Z")
