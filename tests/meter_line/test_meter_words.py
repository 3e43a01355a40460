"""The words of `meter`: what is printed, what is recorded, and how a command ends."""

from __future__ import annotations

import json
import signal

import pytest
from child_program_of_tests import program

from core.cli.app import main

KEYS = ["--key", "000102030405060708090A0B0C0D0E0F", "--auth-key", "D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF"]
DOCUMENT = ["protocol", "meter", "time", "readings", "errors"]


def run(home, *words):
    return main(["--home", str(home.path), *words])


@pytest.fixture(scope="module")
def pushing(tmp_path_factory):
    """A simulated meter that pushes ciphered data, as a link."""
    folder = tmp_path_factory.mktemp("push")
    link = str(folder / "tty")
    with program(
        folder / "home",
        *("meter", "simulate", "--link", link, "--baud", "115200", "--interval", "0.3", *KEYS),
    ) as (_child, line):
        assert line == f"listening on {link}"
        yield link


def test_ports_are_an_array(home, capsys):
    assert run(home, "meter", "ports", "--json") == 0
    assert isinstance(json.loads(capsys.readouterr().out), list)


def test_a_read_prints_one_document_and_is_recorded(home, capsys, pushing):
    words = ("meter", "read", "--port", pushing, "--protocol", "push", "--baud", "115200", *KEYS, "--json")
    assert run(home, *words) == 0
    document = json.loads(capsys.readouterr().out)
    assert list(document) == DOCUMENT
    assert document["time"].endswith("Z")
    assert list(document["readings"][0]) == ["obis", "quantity", "value", "raw", "unit", "time", "quality"]
    assert document["meter"]["serial_number"] == "LGZSIM00000001"
    assert run(home, "history", "series", "--json") == 0
    names = [series["name"] for series in json.loads(capsys.readouterr().out)]
    assert "meter/LGZSIM00000001/voltage_l1_v" in names


def test_a_read_for_people_says_that_it_is_simulated(home, capsys, pushing):
    assert run(home, "meter", "read", "--port", pushing, "--protocol", "push", "--baud", "115200", *KEYS) == 0
    shown = capsys.readouterr().out
    assert "simulated" in shown.splitlines()[0]
    assert "1-0:1.8.0*255" in shown


def test_a_missing_or_wrong_key_ends_with_3(home, capsys, pushing):
    words = ("meter", "read", "--port", pushing, "--protocol", "push", "--baud", "115200", "--json")
    assert run(home, *words) == 3
    told = capsys.readouterr()
    assert "key" in json.loads(told.out)["errors"][0]
    assert "key" in told.err
    assert run(home, *words, "--key", "FF" * 16, "--auth-key", "EE" * 16) == 3


def test_a_port_that_is_missing_ends_with_1_and_one_document(home, capsys, tmp_path):
    assert run(home, "meter", "read", "--port", str(tmp_path / "none"), "--json") == 1
    document = json.loads(capsys.readouterr().out)
    assert list(document) == DOCUMENT
    assert "no serial port" in document["errors"][0]


@pytest.mark.parametrize(
    "words",
    [
        ("meter", "read", "nobody"),
        ("meter", "read"),
        ("meter", "read", "name", "--port", "/dev/null"),
        ("meter", "read", "--port", "x", "--key", "zz"),
        ("meter", "read", "--port", "x", "--key", "00"),
        ("meter", "read", "--port", "x", "--preset", "none-such"),
        ("meter", "read", "--port", "socket://x"),
        ("meter", "read", "--port", "/dev/null", "--protocol", "dlms", "--address", "house"),
        ("meter", "read", "--port", "/dev/null", "--protocol", "dlms", "--auth-key", "00" * 16),
        ("meter", "read", "--port", "/dev/null", "--protocol", "mbus", "--address", "999"),
        ("meter", "read", "--port", "/dev/null", "--protocol", "iec62056-21", "--password", "(1)"),
        ("meter", "decode", "/dev/null", "--auth-key", "00" * 16),
        ("meter", "scan", "--port", "/dev/null", "--from", "5", "--to", "3"),
        ("meter", "scan", "--port", "/dev/null", "--to", "300"),
        ("meter", "scan", "--port", "/dev/null", "--secondary", "--from", "3"),
        ("meter", "simulate", "--listen", "127.0.0.1:0", "--replay", "/dev/null"),
        ("meter", "simulate", "--listen", "127.0.0.1:0", "--protocol", "mbus", "--mode", "D"),
        ("meter", "simulate", "--listen", "127.0.0.1:0", "--protocol", "mbus", "--password", "1"),
        ("meter", "simulate", "--listen", "127.0.0.1:0", "--protocol", "push", "--client", "3"),
        ("meter", "simulate", "--listen", "127.0.0.1:0", "--protocol", "iec62056-21", "--password", "()"),
        ("meter", "simulate", "--listen", "nowhere"),
        ("meter", "simulate", "--listen", "127.0.0.1:0", "--replay", "/none"),
    ],
)
def test_bad_usage_ends_with_2(home, capsys, words):
    assert run(home, *words) == 2
    assert capsys.readouterr().err.startswith("beffroi: ")


@pytest.mark.parametrize(
    "words", [("meter", "read", "--protocol", "modbus"), ("meter", "read", "--baud", "x"), ("meter",)]
)
def test_words_that_do_not_exist_end_with_2(home, words):
    with pytest.raises(SystemExit) as ended:
        run(home, *words)
    assert ended.value.code == 2


def test_a_meter_of_the_configuration_is_read_by_its_name(home, capsys, pushing):
    for name, key in (("m.key", KEYS[1]), ("m.auth", KEYS[3])):
        (home.path / name).write_text(key)
        (home.path / name).chmod(0o600)
    home.config_path.write_text(
        f'[[meter]]\nname = "Main"\nport = "{pushing}"\nprotocol = "push"\nbaud = 115200\n'
        'key_file = "m.key"\nauth_key_file = "m.auth"\n'
    )
    assert run(home, "meter", "read", "Main", "--json") == 0
    assert json.loads(capsys.readouterr().out)["readings"]
    assert run(home, "history", "series", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["name"].startswith("meter/Main/")


def test_a_watch_prints_an_object_a_line_and_ends_with_0_when_stopped(home, pushing):
    words = ("meter", "watch", "--port", pushing, "--protocol", "push", "--baud", "115200", *KEYS, "--json")
    with program(home.path, *words) as (child, first):
        second = child.stdout.readline()
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == 0
    for line in (first, second):
        assert list(json.loads(line)) == DOCUMENT


def test_a_simulator_stopped_by_a_signal_ends_with_0_and_takes_its_link_away(home, tmp_path):
    link = tmp_path / "tty"
    with program(home.path, "meter", "simulate", "--link", str(link)) as (child, _line):
        assert link.is_symlink()
        child.send_signal(signal.SIGINT)
        assert child.wait(10) == 0
    assert not link.is_symlink()


def test_a_port_in_use_ends_with_1(home, capsys):
    with program(home.path, "meter", "simulate", "--listen", "127.0.0.1:0") as (_child, line):
        place = line.removeprefix("listening on ")
        assert run(home, "meter", "simulate", "--listen", place) == 1
    assert f"another program listens on {place} already; choose another port with --listen" in capsys.readouterr().err
