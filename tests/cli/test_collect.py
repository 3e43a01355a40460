"""`beffroi collect` as a process: what it needs, prints, keeps and hands out, and how it ends."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from collect_process import ROOT, Collect
from real_agent import SITE_CODE, Agent

from core.cli.app import main
from core.home import Home
from core.records import Machine, MachineReport, MachineState
from core.services.feed_reader import open_feed
from core.site_records import Record, SensorBatch
from core.store.history import History

Start = Callable[..., Collect]

SERVERS = '[sensors]\nenabled = true\nlisten = "127.0.0.1:0"\n[room]\nenabled = true\nlisten = "127.0.0.1:0"\n'


@pytest.fixture
def start(home: Home) -> Iterator[Start]:
    started: list[Collect] = []

    def begin(*words: str, **more: dict[str, str]) -> Collect:
        started.append(Collect(home, *words, **more))
        return started[-1]

    yield begin
    for collect in started:
        collect.stop(signal.SIGKILL)


async def heard(home: Home, wanted: Callable[[Record], bool]) -> Record:
    """The first record of the feed that is wanted."""
    feed = await open_feed(home, "ann")
    assert feed is not None
    try:
        async with asyncio.timeout(10):
            while not wanted(record := await feed.next_record()):
                pass
        return record
    finally:
        feed.close()


def send(address: str, text: str) -> bytes:
    host, _colon, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as link:
        link.sendall(text.encode())
        link.shutdown(socket.SHUT_WR)
        return link.recv(1024)


def test_it_says_where_it_listens_then_that_it_collects_and_ends_0(home: Home, start: Start) -> None:
    home.config_path.write_text(SERVERS)
    collect = start()
    assert [line.split(":")[0] for line in collect.lines] == ["listening on 127.0.0.1"] * 2 + ["collecting"]
    status, said = collect.stop()
    assert (status, "Traceback" in said) == (0, False)
    assert not (home.path / "collect.feed").exists()


def test_what_it_says_that_it_collects_counts_the_machines_of_before(home: Home, start: Start) -> None:
    with History.open(home.database_path) as history:
        history.save_machines([Machine(name=f"m{number}", host="127.0.0.1", port=1) for number in range(3)])
    _status, said = start().stop()
    assert "3 machines" in said


def test_json_is_one_object_a_line(home: Home, start: Start) -> None:
    home.config_path.write_text(SERVERS)
    collect = start("--json")
    documents = [json.loads(line) for line in collect.lines]
    assert [(one["event"], one["service"]) for one in documents] == [
        ("listening", "sensors"),
        ("listening", "room"),
        ("collecting", None),
    ]
    assert {frozenset(one) for one in documents} == {frozenset({"time", "event", "service", "address"})}


def test_a_second_one_is_refused_and_names_the_first(
    home: Home, start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    collect = start()
    assert main(["--home", str(home.path), "collect"]) == 1
    assert f"process {collect.child.pid}" in capsys.readouterr().err


def test_what_was_answered_survives_a_kill(home: Home, start: Start) -> None:
    home.config_path.write_text(SERVERS)
    collect = start()
    for number in range(5):
        assert b"true" in send(collect.addresses[0], json.dumps({"id": "c1", "temperature": number}))
    collect.stop(signal.SIGKILL)
    with History.open(home.database_path) as history:
        assert [(found.sensor, found.count) for found in history.sensors()] == [("c1", 5)]
    again = start()
    assert again.stop()[0] == 0


def test_a_machine_added_meanwhile_is_polled_and_its_minute_in_progress_is_written(
    home: Home, start: Start, tmp_path: Path
) -> None:
    agent = Agent(tmp_path / "other")
    try:
        collect = start()
        words = ["machines", "add", "m1", f"127.0.0.1:{agent.port}", "--code", SITE_CODE]
        assert main(["--home", str(home.path), *words]) == 0

        def is_seen(record: Record) -> bool:
            return (
                isinstance(record, MachineReport) and record.state is MachineState.ONLINE and record.status is not None
            )

        found = asyncio.run(heard(home, is_seen))
        assert isinstance(found, MachineReport)
        assert found.machine == "m1"
        began_s = time.monotonic()
        assert collect.stop()[0] == 0
        assert time.monotonic() - began_s < 10
    finally:
        agent.stop()
    with History.open(home.database_path) as history:
        assert "machine/m1/cpu_percent" in {series.name for series in history.series()}


def test_settings_are_read_again_at_a_hangup_and_bad_ones_leave_it_as_it_was(home: Home, start: Start) -> None:
    collect = start()
    assert collect.lines == ["collecting"]
    home.config_path.write_text("[sensors]\nenabled = 1\n")
    collect.child.send_signal(signal.SIGHUP)
    assert collect.child.stderr is not None
    for line in collect.child.stderr:
        if "stay as they were" in line:
            break
    home.config_path.write_text(SERVERS)
    collect.child.send_signal(signal.SIGHUP)
    assert collect.child.stdout is not None
    address = collect.child.stdout.readline().removeprefix("listening on ").strip()
    other = collect.child.stdout.readline().removeprefix("listening on ").strip()
    for one in (address, other):
        host, _colon, port = one.rpartition(":")
        socket.create_connection((host, int(port)), timeout=5).close()


def test_the_feed_tells_what_sensors_say(home: Home, start: Start) -> None:
    home.config_path.write_text(SERVERS)
    collect = start()
    send(collect.addresses[0], '{"capteur_id": "capteur_1", "temperature": 23.5}')
    found = asyncio.run(heard(home, lambda record: isinstance(record, SensorBatch)))
    assert isinstance(found, SensorBatch)
    assert [(one.sensor, one.value) for one in found.measures] == [("capteur_1", 23.5)]


def test_an_intake_that_listens_and_cannot_keep_what_comes_says_so(home: Home, start: Start) -> None:
    home.config_path.write_text(SERVERS.replace("[room]", 'file = "folder"\n[room]'))
    (home.path / "folder").mkdir()
    collect = start()
    send(collect.addresses[0], '{"id": "c1", "temperature": 1}')
    assert collect.child.stderr is not None
    while "folder" not in (line := collect.child.stderr.readline()):
        assert line
    assert collect.stop()[0] == 0


def test_a_service_manager_is_told_how_it_stands(home: Home, start: Start, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        collect = start(environment={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"})
        told = [manager.recv(4096).decode() for _turn in range(4)]
        assert told[0] == "READY=1"
        assert told.count("WATCHDOG=1") >= 2
        assert [line for line in told if line.startswith("STATUS=0 of 0 machines")]
        collect.child.send_signal(signal.SIGTERM)
        while (line := manager.recv(4096).decode()) != "STOPPING=1":
            assert line == "WATCHDOG=1"
        assert collect.stop()[0] == 0


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not there")
def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    unit = tmp_path / "beffroi-collect.service"
    text = (ROOT / "resources" / unit.name).read_text()
    assert "--home /var/lib/beffroi collect" in text
    unit.write_text(text.replace("/usr/local/bin/beffroi", "/bin/true").replace("User=beffroi", "User=root"))
    checked = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=30)
    assert (checked.returncode, checked.stderr) == (0, "")
