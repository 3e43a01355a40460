"""The command line before an independent DLMS meter: pydlms, a program of its own; over TCP and a pseudo-terminal."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import shutil
import socket
import subprocess
import sys
import threading
import tty
from pathlib import Path

import pytest

from core.cli.app import main

PYDLMS = shutil.which("pydlms", path=str(Path(sys.executable).parent)) or shutil.which("pydlms")
PASSWORD = "12345678"
KEY, AUTH_KEY = "000102030405060708090A0B0C0D0E0F", "D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF"
ROW_S = 900

pytestmark = pytest.mark.skipif(PYDLMS is None, reason="pydlms-client is not installed")


@contextlib.contextmanager
def meter(*words):
    """The simulator of pydlms, and where it listens."""
    child = subprocess.Popen(
        [PYDLMS, "simulate", "--hdlc", "--host", "127.0.0.1", "--port", "0", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        line = child.stdout.readline()
        found = re.search(r"127\.0\.0\.1[:, ]+(\d+)", line)
        assert found, line
        yield f"socket://127.0.0.1:{found[1]}"
    finally:
        child.terminate()
        child.wait(10)
        child.stdout.close()


@pytest.fixture(scope="module")
def low():
    """A meter of low security."""
    with meter("--client", f"17:1:{PASSWORD}") as port:
        yield ["--port", port, "--protocol", "dlms", "--client", "17"]


@pytest.fixture(scope="module")
def high():
    """A meter that wants GMAC."""
    with meter("--client", "1:5", "--key", KEY, "--auth-key", AUTH_KEY) as port:
        yield ["--port", port, "--protocol", "dlms", "--system-title", "4D4D4D0000000001"]


def run(home, *words):
    return main(["--home", str(home.path), *words])


def values(told):
    document = json.loads(told)
    return {one["obis"]: (one["value"], one["unit"]) for one in document["readings"]}


VALUES = {
    "1-0:1.8.0*255": (12345678, "Wh"),
    "1-0:1.7.0*255": (1520, "W"),
    "1-0:32.7.0*255": (230.1, "V"),
    "1-0:31.7.0*255": (5.23, "A"),
}


def test_a_meter_of_low_security_is_read(home, capsys, low):
    assert run(home, "meter", "read", *low, "--password", PASSWORD, "--json") == 0
    assert VALUES.items() <= values(capsys.readouterr().out).items()


def test_a_meter_of_high_security_is_read(home, capsys, high):
    assert run(home, "meter", "read", *high, "--key", KEY, "--auth-key", AUTH_KEY, "--json") == 0
    assert VALUES.items() <= values(capsys.readouterr().out).items()


@pytest.mark.parametrize("words", [("--password", "wrong word"), ()])
def test_a_wrong_or_missing_password_ends_with_3_and_is_tried_once(home, capsys, low, words):
    assert run(home, "meter", "read", *low, *words, "--json") == 3
    told = capsys.readouterr()
    document = json.loads(told.out)
    assert document["readings"] == []
    assert len(document["errors"]) == 1
    assert "wrong word" not in told.out + told.err


def test_wrong_keys_end_with_3(home, capsys, high):
    assert run(home, "meter", "read", *high, "--key", "FF" * 16, "--auth-key", "EE" * 16, "--json") == 3
    assert json.loads(capsys.readouterr().out)["errors"]


def test_all_registers_come_with_progress_apart(home, capsys, low):
    assert run(home, "meter", "read", *low, "--password", PASSWORD, "--all", "--json") == 0
    told = capsys.readouterr()
    found = values(told.out)
    assert VALUES.items() <= found.items()
    assert found["0-0:42.0.0*255"] == ("PYD1000000000001", None)
    assert re.search(r"\d+ of \d+ objects read", told.err)


def test_all_registers_for_people_are_a_table(home, capsys, low):
    assert run(home, "meter", "read", *low, "--password", PASSWORD, "--all") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "PYD" in lines[0]
    assert lines[1].startswith("code")
    assert any(line.split()[:3] == ["1-0:1.8.0*255", "12345678", "Wh"] for line in lines)


def test_codes_that_are_named_are_read_and_a_missing_one_is_told(home, capsys, low):
    words = ("meter", "read", *low, "--password", PASSWORD, "--json", "--obis", "1.8.0", "--obis", "1.0.32.7.0.255")
    assert run(home, *words) == 0
    assert list(values(capsys.readouterr().out)) == ["1-0:1.8.0*255", "1-0:32.7.0*255"]
    assert run(home, *words, "--obis", "1-0:99.9.9*255") == 1
    document = json.loads(capsys.readouterr().out)
    assert len(document["readings"]) == 2
    assert document["errors"][0].startswith("1-0:99.9.9*255: ")


def test_a_range_of_the_load_profile_is_read_printed_and_kept(home, capsys, low):
    words = ("meter", "profile", *low, "--password", PASSWORD, "--from", "2024-05-01T02:00Z")
    assert run(home, *words, "--to", "2024-05-01T06:00Z", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert list(document) == ["columns", "rows"]
    assert document["columns"] == [{"obis": "1-0:1.8.0*255", "unit": "Wh"}]
    assert [row[1] for row in document["rows"]] == [1000 + 7 * number for number in range(8, 25)]
    assert [document["rows"][index][0] for index in (0, -1)] == ["2024-05-01T02:00:00Z", "2024-05-01T06:00:00Z"]
    assert run(home, *words, "--to", "2024-05-01T02:30Z") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "3 rows"
    assert run(home, "history", "series", "--json") == 0
    names = [series["name"] for series in json.loads(capsys.readouterr().out)]
    assert "meter/PYD0000000001/active_energy_import_wh" in names


def test_a_profile_that_cannot_be_read_is_an_empty_document(home, capsys, low):
    words = ("meter", "profile", *low, "--from", "2024-05-01", "--to", "2024-05-02", "--json")
    assert run(home, *words, "--password", "wrong word") == 3
    assert json.loads(capsys.readouterr().out) == {"columns": [], "rows": []}
    assert run(home, *words, "--password", PASSWORD, "--obis", "1-0:99.77.0*255") == 1
    assert json.loads(capsys.readouterr().out) == {"columns": [], "rows": []}


def test_a_meter_is_read_over_a_pseudo_terminal(home, capsys, low):
    with bridged(low[1]) as device:
        assert run(home, "meter", "read", "--port", device, *low[2:], "--password", PASSWORD, "--json") == 0
    assert VALUES.items() <= values(capsys.readouterr().out).items()


def test_a_meter_of_the_settings_is_read_and_no_secret_is_ever_shown(home, capsys, low, high):
    for name, secret in (("word", PASSWORD), ("key", KEY), ("auth", AUTH_KEY)):
        path = home.path / name
        path.write_text(secret)
        path.chmod(0o600)
    home.config_path.write_text(
        f'[[meter]]\nname = "Low"\nport = "{low[1]}"\nprotocol = "dlms"\nclient = 17\npassword_file = "word"\n'
        f'[[meter]]\nname = "High"\nport = "{high[1]}"\nprotocol = "dlms"\nkey_file = "key"\nauth_key_file = "auth"\n'
        'system_title = "4D4D4D0000000001"\n'
    )
    for name in ("Low", "High"):
        assert run(home, "meter", "read", name, "--json") == 0
        assert run(home, "meter", "read", name, "--all") == 0
        assert run(home, "meter", "profile", name, "--from", "2024-05-01T02:00Z", "--to", "2024-05-01T03:00Z") == 0
    assert run(home, "meter", "read", "Low", "--password", "another word") == 3
    assert run(home, "meter", "read", "High", "--key", "AB" * 16, "--auth-key", "CD" * 16) == 3
    assert run(home, "history", "series", "--json") == 0
    told = capsys.readouterr()
    assert "meter/Low/" in told.out
    assert "meter/High/" in told.out
    kept = [path.read_bytes() for path in home.path.rglob("*") if path.is_file() and path.name not in SECRET_FILES]
    shown = told.out + told.err + "".join(octets.decode("latin-1") for octets in kept)
    for secret in (KEY, AUTH_KEY, "another word", "AB" * 16, "CD" * 16):
        assert secret.lower() not in shown.lower()
    assert bytes.fromhex(KEY).decode("latin-1") not in shown


SECRET_FILES = ("word", "key", "auth")


@contextlib.contextmanager
def bridged(url):
    """A pseudo-terminal whose octets go to and come from a TCP line, as those of an optical head would."""
    host, _colon, port = url.removeprefix("socket://").partition(":")
    master, slave = pty.openpty()
    tty.setraw(slave)
    link = socket.create_connection((host, int(port)))
    stop_read, stop_write = os.pipe()

    def carry():
        while True:
            ready, _w, _x = select.select([master, link, stop_read], [], [])
            if stop_read in ready:
                return
            if master in ready:
                link.sendall(os.read(master, 4096))
            if link in ready:
                os.write(master, link.recv(4096))

    thread = threading.Thread(target=carry)
    thread.start()
    try:
        yield os.ttyname(slave)
    finally:
        os.write(stop_write, b"x")
        thread.join()
        link.close()
        for descriptor in (master, slave, stop_read, stop_write):
            os.close(descriptor)
