"""A window and a `collect` of one home: one of them collects, the other shows or waits, and neither takes what the
other has."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest
from PyQt5.QtWidgets import QLabel

from core.config import load_config, save_meter
from core.config.settings import MeterConfig
from core.home import Lock
from core.records import Machine, MachineReport, MachineState, MeterReadings
from core.requests import AlarmRequest, ReloadRequest, SayRequest
from core.services import feed_reader
from core.site_records import (
    Alarm,
    AlarmState,
    ChatLine,
    FeedReport,
    IntakeReport,
    ListenerState,
    RoomReport,
    SensorBatch,
)
from core.store.history import History
from gui.app import Window
from gui.runtime import home_share
from gui.runtime.services import Services

ROOT = Path(__file__).resolve().parents[2]
SLOW_MS = 15_000
PUSHED_S = 0.5
"""The simulated meter pushes no faster."""
SERVERS = '[sensors]\nenabled = true\nlisten = "127.0.0.1:{}"\n[room]\nenabled = true\nlisten = "127.0.0.1:0"\n'


class Collect:
    """A real `beffroi collect`."""

    def __init__(self, home):
        self.child = subprocess.Popen(
            [sys.executable, "main.py", "--home", str(home.path), "collect"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
        )

        self.lines = []
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    def _read(self):
        for line in self.child.stdout:
            self.lines.append(line.removeprefix("listening on ").strip())

    def wait_ready(self, qtbot):
        """Where its servers listen, once it collects; the window goes on meanwhile."""
        qtbot.waitUntil(lambda: "collecting" in self.lines, timeout=SLOW_MS)
        return self.lines[:-1]

    def stop(self, number=signal.SIGTERM):
        if self.child.poll() is None:
            self.child.send_signal(number)
        self.child.wait(15)
        self._reading.join()
        self.child.stdout.close()
        return self.child.returncode


@pytest.fixture
def open_services(qtbot, home):
    opened = []

    def begin():
        services = Services(home, load_config(home)[0])
        services.seen = []
        services.mailbox.delivered.connect(lambda delivery: services.seen.extend((*delivery.reports, *delivery.others)))
        services.complaints = []
        services.crashed.connect(services.complaints.append)
        services.start()
        opened.append(services)
        return services

    yield begin
    for services in opened:
        services.stop()
        services.deleteLater()
    qtbot.wait(1)


@pytest.fixture
def start_collect(home):
    started = []

    def begin():
        started.append(Collect(home))
        return started[-1]

    yield begin
    for collect in started:
        collect.stop(signal.SIGKILL)


def last(services, kind):
    return next((record for record in reversed(services.seen) if isinstance(record, kind)), None)


def wait_for(qtbot, services, kind, holds=lambda record: True):
    qtbot.waitUntil(
        lambda: any(isinstance(record, kind) and holds(record) for record in services.seen), timeout=SLOW_MS
    )


def wait_own(qtbot, services):
    qtbot.waitUntil(lambda: services._is_collecting, timeout=SLOW_MS)


def wait_beside(qtbot, services):
    qtbot.waitUntil(lambda: services.is_beside, timeout=SLOW_MS)


def is_lock_free(home):
    lock = Lock(home.path / "collecting.lock")
    if lock.take():
        lock.release()
        return True
    return False


def send(port, document):
    with socket.create_connection(("127.0.0.1", port), timeout=5) as link:
        link.sendall(json.dumps(document).encode())
        link.shutdown(socket.SHUT_WR)
        return b"true" in link.recv(1024)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_a_window_collects_by_itself_and_answers_what_it_is_asked(qtbot, home, open_services):
    home.config_path.write_text(SERVERS.format(0))
    services = open_services()
    wait_own(qtbot, services)
    wait_for(qtbot, services, RoomReport, lambda report: report.state is ListenerState.LISTENING)
    services.ask(SayRequest(room="general", text="hello", operator="ann"))
    wait_for(qtbot, services, ChatLine, lambda line: line.text == "hello")
    home.config_path.write_text(SERVERS.format(0).replace("true", "false"))
    services.ask(ReloadRequest())
    assert not services.config.room.enabled
    refused = []
    qtbot.waitUntil(
        lambda: services.ask(SayRequest(room="general", text="again", operator="ann"), refused.append) or refused != [],
        timeout=SLOW_MS,
    )
    assert "room is not open" in str(refused[0])
    assert not services.is_beside
    assert last(services, FeedReport) is None or not last(services, FeedReport).is_beside


def test_settings_that_are_changed_in_the_first_moment_hold_and_nobody_complains(qtbot, home, open_services):
    services = open_services()
    home.config_path.write_text(SERVERS.format(0))
    services.ask(ReloadRequest())
    wait_for(qtbot, services, IntakeReport, lambda report: report.state is ListenerState.LISTENING)
    assert services.complaints == []


def test_a_window_beside_a_collect_shows_what_it_learns_and_collects_nothing(qtbot, home, open_services, start_collect):
    home.config_path.write_text(SERVERS.format(0))
    addresses = start_collect().wait_ready(qtbot)
    services = open_services()
    wait_beside(qtbot, services)
    wait_for(qtbot, services, IntakeReport, lambda report: report.address == addresses[0])
    services.ask(SayRequest(room="general", text="from beside", operator="ann"))
    wait_for(qtbot, services, ChatLine, lambda line: line.text == "from beside")
    with History.open(home.database_path) as history:
        history.save_machine(Machine(name="m1", host="127.0.0.1", port=1))
    wait_for(qtbot, services, MachineReport, lambda report: report.machine == "m1")
    assert last(services, FeedReport).is_beside
    assert services.complaints == []


def test_a_window_hands_over_to_a_collect_and_takes_over_when_it_ends(qtbot, home, open_services, start_collect):
    port = free_port()
    home.config_path.write_text(SERVERS.format(port))
    services = open_services()
    wait_for(qtbot, services, IntakeReport, lambda report: report.state is ListenerState.LISTENING)
    collect = start_collect()
    feed = home.path / "collect.feed"
    qtbot.waitUntil(feed.exists, timeout=SLOW_MS)
    wait_beside(qtbot, services)
    services.seen.clear()
    wait_for(qtbot, services, IntakeReport, lambda report: (report.state, report.address) == listening(port))
    assert collect.wait_ready(qtbot)[0] == f"127.0.0.1:{port}"
    services.seen.clear()
    assert collect.stop() == 0
    wait_own(qtbot, services)
    wait_for(qtbot, services, IntakeReport, lambda report: (report.state, report.address) == listening(port))
    assert services.complaints == []


def test_a_collect_that_is_killed_is_noticed(qtbot, home, open_services, start_collect):
    home.config_path.write_text(SERVERS.format(0))
    collect = start_collect()
    collect.wait_ready(qtbot)
    services = open_services()
    wait_beside(qtbot, services)
    services.seen.clear()
    collect.stop(signal.SIGKILL)
    wait_own(qtbot, services)
    wait_for(qtbot, services, IntakeReport, lambda report: report.state is ListenerState.LISTENING)
    assert not is_lock_free(home)


def test_a_collect_that_hangs_is_said_and_seen_again_when_it_goes_on(
    qtbot, home, open_services, start_collect, monkeypatch
):
    monkeypatch.setattr(feed_reader, "SILENT_S", 3.0)
    monkeypatch.setattr(feed_reader, "GREETING_S", 0.3)
    monkeypatch.setattr(home_share, "HELD_S", 0.5)
    collect = start_collect()
    collect.wait_ready(qtbot)
    services = open_services()
    wait_for(qtbot, services, FeedReport, lambda report: report.is_beside)
    collect.child.send_signal(signal.SIGSTOP)
    wait_for(qtbot, services, FeedReport, lambda report: "does not answer" in (report.error or ""))
    services.seen.clear()
    collect.child.send_signal(signal.SIGCONT)
    wait_for(qtbot, services, FeedReport, lambda report: report.is_beside)
    assert not services._is_collecting


def test_a_collect_of_another_version_is_said_and_nothing_is_collected_twice(
    qtbot, home, open_services, start_collect, monkeypatch
):
    start_collect().wait_ready(qtbot)
    monkeypatch.setattr(feed_reader, "VERSION", 99)
    services = open_services()
    wait_for(qtbot, services, FeedReport, lambda report: "another version" in (report.error or ""))
    assert not services._is_collecting
    assert services.complaints == []


def test_a_window_that_closes_lets_the_home_go(qtbot, home, open_services):
    services = open_services()
    wait_own(qtbot, services)
    assert not is_lock_free(home)
    services.stop()
    assert is_lock_free(home)


def test_a_meter_of_the_settings_is_read_by_one_of_both_and_its_history_has_no_moment_twice(
    qtbot, home, open_services, start_collect
):
    words = ["meter", "simulate", "--listen", "127.0.0.1:0", "--protocol", "push", "--interval", str(PUSHED_S)]
    simulator = subprocess.Popen(
        [sys.executable, "main.py", "--home", str(home.path), *words],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        port = "socket://" + simulator.stdout.readline().removeprefix("listening on ").strip()
        meter = MeterConfig(name="main", port=port, protocol="push")
        save_meter(home, meter)
        services = open_services()
        services.connect_meter(meter)
        wait_for(qtbot, services, MeterReadings)
        collect = start_collect()
        wait_beside(qtbot, services)
        assert services.is_read_beside("main")
        collect.wait_ready(qtbot)
        qtbot.waitUntil(lambda: services.meters.names() == [], timeout=SLOW_MS)
        services.seen.clear()
        wait_for(qtbot, services, MeterReadings)
        collect.stop()
        wait_own(qtbot, services)
        services.seen.clear()
        wait_for(qtbot, services, MeterReadings)
        assert services.meters.names() == ["main"]
        services.stop()
    finally:
        simulator.terminate()
        simulator.communicate(timeout=10)
    with History.open(home.database_path) as history:
        times = [sample.time_s for sample in history.samples("meter/main/active_power_w", 0, time.time())]
    steps = [later - earlier for earlier, later in pairwise(times)]
    assert len(times) <= 1.3 * (times[-1] - times[0]) / PUSHED_S + 3  # some more where both had stored them
    assert max(steps) < 10  # a second on a machine that does nothing else


def test_an_alarm_goes_on_over_both_hand_overs_and_rings_once(qtbot, home, open_services, start_collect):
    port = free_port()
    home.config_path.write_text(
        SERVERS.format(port)
        + '[[alarms.rule]]\nname = "hot"\nkind = "above"\nsource = "sensor/*"\nquantity = "temperature_c"\nhigh = 30\n'
    )
    services = open_services()
    wait_for(qtbot, services, IntakeReport, lambda report: report.state is ListenerState.LISTENING)
    send(port, {"id": "c1", "temperature": 45})
    wait_for(qtbot, services, Alarm, lambda alarm: alarm.source == "sensor/c1" and alarm.state is AlarmState.ACTIVE)
    number = last(services, Alarm).id
    collect = start_collect()
    collect.wait_ready(qtbot)
    wait_beside(qtbot, services)
    services.seen.clear()
    send(port, {"id": "c1", "temperature": 46})
    wait_for(qtbot, services, SensorBatch)
    services.ask(AlarmRequest(ids=(number,), operator="ann", comment="seen"))
    wait_for(qtbot, services, Alarm, lambda alarm: alarm.state is AlarmState.ACKNOWLEDGED)
    assert collect.stop() == 0
    wait_own(qtbot, services)
    wait_for(qtbot, services, IntakeReport, lambda report: report.state is ListenerState.LISTENING)
    qtbot.waitUntil(lambda: send(port, {"id": "c1", "temperature": 20}), timeout=SLOW_MS)
    wait_for(qtbot, services, Alarm, lambda alarm: alarm.state is AlarmState.RESOLVED)
    services.stop()
    with History.open(home.database_path) as history:
        found = [(alarm.id, alarm.state, alarm.operator) for alarm in history.alarms() if alarm.rule == "hot"]
    assert found == [(number, AlarmState.RESOLVED, "ann")]


def test_commands_go_out_from_the_window_beside(qtbot, home, open_services, start_collect):
    with History.open(home.database_path) as history:
        history.save_machine(Machine(name="m1", host="127.0.0.1", port=1))
    start_collect().wait_ready(qtbot)
    services = open_services()
    wait_beside(qtbot, services)
    qtbot.waitUntil(lambda: services.pool is not None, timeout=SLOW_MS)
    services.set_machines([Machine(name="m1", host="127.0.0.1", port=1)])
    request = services.execute(["os"], ["m1"], 5.0)
    qtbot.waitUntil(lambda: any(getattr(record, "id", None) == request.id for record in services.seen), timeout=SLOW_MS)
    reports = [record for record in services.seen if isinstance(record, MachineReport)]
    assert {report.state for report in reports} <= {MachineState.UNPAIRED}


def listening(port):
    return ListenerState.LISTENING, f"127.0.0.1:{port}"


def test_the_window_beside_says_so_and_shows_a_machine_that_others_add(qtbot, home, start_collect):
    start_collect().wait_ready(qtbot)
    window = Window(home, load_config(home)[0])
    try:
        qtbot.waitUntil(lambda: window.console is not None and window.console.services.is_beside, timeout=SLOW_MS)
        words = window.main_window.status_line.findChildren(QLabel)
        qtbot.waitUntil(
            lambda: "collected by the service on this home" in {label.text() for label in words}, timeout=SLOW_MS
        )
        with History.open(home.database_path) as history:
            history.save_machine(Machine(name="m1", host="127.0.0.1", port=1))
        desk = window.console.machines
        qtbot.waitUntil(lambda: window.main_window.model.row("m1") is not None, timeout=SLOW_MS)
        qtbot.waitUntil(lambda: window.main_window.model.row("m1").report is not None, timeout=SLOW_MS)
        local = desk.local
        qtbot.waitUntil(lambda: local() is not None and is_online(window, local().name), timeout=SLOW_MS)
    finally:
        window.close()
        window.end()
        window.main_window.deleteLater()
        window.deleteLater()
        qtbot.wait(1)


def is_online(window, name):
    row = window.main_window.model.row(name)
    return row is not None and row.report is not None and row.report.state is MachineState.ONLINE
