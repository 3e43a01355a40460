"""The server with a thread for each link keeps the same promises as the intake in one loop."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import contextmanager

import pytest

from core.config.settings import SensorsSettings
from core.errors import PortInUseError, StoreFullError, StoreLockedError
from core.services import sensor_threads
from core.services.sensor_threads import Server, TcpServer
from core.site_records import IntakeReport, ListenerState, SensorBatch

OK = b'{"ok":true}\n'


class Store:
    """Keeps measures; notices two savings at a time, and fails as often as told."""

    def __init__(self):
        self.measures = []
        self.failures = []
        self.is_saving = False
        self.was_crossed = False

    def save(self, measures):
        self.was_crossed |= self.is_saving
        self.is_saving = True
        time.sleep(0.001)
        self.is_saving = False
        if self.failures:
            raise self.failures.pop()
        self.measures += measures


@contextmanager
def serving(store, **settings):
    published = []
    server = TcpServer(SensorsSettings(listen="127.0.0.1:0", **settings), store.save, published.append)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server, int(server.address.rpartition(":")[2]), published
    finally:
        server.stop()
        thread.join(10)
    assert not thread.is_alive()
    assert [one for one in threading.enumerate() if one.name.startswith("sensor ")] == []
    assert published[-1].state is ListenerState.STOPPED


def exchange(port, octets, *, ends=True):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as link:
        link.sendall(octets)
        if ends:
            link.shutdown(socket.SHUT_WR)
        received = b""
        while data := link.recv(1024):
            received += data
        return received


def message(sensor, value):
    return json.dumps({"capteur_id": sensor, "temperature": value}).encode()


def test_it_is_a_server():
    assert issubclass(TcpServer, Server)


def test_twenty_sensors_at_once_are_saved_one_at_a_time_and_all_are_answered():
    store = Store()
    with serving(store) as (_server, port, published):
        answers = {}

        def sense(number):
            answers[number] = exchange(port, b"".join(message(f"s{number}", value) for value in range(5)))

        sensors = [threading.Thread(target=sense, args=(number,)) for number in range(20)]
        for sensor in sensors:
            sensor.start()
        for sensor in sensors:
            sensor.join(20)
    assert answers == dict.fromkeys(range(20), 5 * OK)
    assert not store.was_crossed
    assert sorted((one.sensor, one.value) for one in store.measures) == sorted(
        (f"s{number}", float(value)) for number in range(20) for value in range(5)
    )
    batches = [record for record in published if isinstance(record, SensorBatch)]
    assert sum(len(batch.measures) for batch in batches) == 100
    assert published[-1].messages == 100


def test_who_waits_is_greeted_and_a_text_counts_after_a_pause(monkeypatch):
    for name in ("GREET_AFTER_S", "TEXT_PAUSE_S", "POLL_S"):
        monkeypatch.setattr(sensor_threads, name, 0.05)
    store = Store()
    with serving(store) as (_server, port, _published), socket.create_connection(("127.0.0.1", port)) as link:
        link.settimeout(10)
        assert link.recv(1024) == b'{"hello":"beffroi"}\n'
        link.sendall("TEMP:28.5 °C".encode())
        assert link.recv(1024) == OK
    assert [one.value for one in store.measures] == [28.5]


def test_a_locked_database_is_tried_again_and_a_full_one_is_said(monkeypatch):
    monkeypatch.setattr(sensor_threads, "RETRY_S", 0.01)
    store = Store()
    store.failures = [StoreFullError("the disk is full"), StoreLockedError("held"), StoreLockedError("held")]
    with serving(store) as (_server, port, _published):
        answer = json.loads(exchange(port, message("a", 1)))
        assert not answer["ok"]
        assert "not saved: the disk is full" in answer["error"]
        assert exchange(port, message("a", 2)) == OK
    assert [one.value for one in store.measures] == [2.0]


def test_threads_are_bounded_and_who_comes_too_late_is_told():
    with serving(Store(), links=2) as (_server, port, _published):
        links = [socket.create_connection(("127.0.0.1", port)) for _number in range(2)]
        for link in links:
            link.sendall(message("a", 1))
            assert link.recv(1024) == OK
        with socket.create_connection(("127.0.0.1", port)) as late:
            assert b"there are 2 links" in late.recv(1024)
        for link in links:
            link.close()


def test_an_address_that_is_not_allowed_is_told_so():
    with serving(Store(), allow=("192.0.2.1",)) as (_server, port, _published):
        assert b"not among the addresses" in exchange(port, b"", ends=False)


def test_a_peer_that_does_not_read_is_never_waited_for():
    store = Store()
    with serving(store) as (_server, port, _published), socket.create_connection(("127.0.0.1", port)) as link:
        link.sendall(b"".join(b'{"id":"a","temperature":%d}' % number for number in range(20_000)))
        until_s = time.monotonic() + 10
        while len(store.measures) < 20_000 and time.monotonic() < until_s:
            time.sleep(0.01)
    assert len(store.measures) == 20_000


def test_a_report_comes_while_something_changes(monkeypatch):
    monkeypatch.setattr(sensor_threads, "REPORT_S", 0.02)
    monkeypatch.setattr(sensor_threads, "POLL_S", 0.02)
    with serving(Store()) as (server, port, published):
        exchange(port, b'{"id": "a", "temperature": true}')
        until_s = time.monotonic() + 5
        while time.monotonic() < until_s:
            reports = [record for record in published if isinstance(record, IntakeReport)]
            if reports[-1].refused == 1:
                break
            time.sleep(0.01)
        assert reports[0].address == server.address
        assert "temperature is true" in reports[-1].last_refusal
        count = len(reports)
        time.sleep(0.1)
        assert len(published) <= count + 1


def test_a_port_that_is_taken_is_said():
    with serving(Store()) as (server, _port, _published), pytest.raises(PortInUseError, match="another program"):
        TcpServer(SensorsSettings(listen=server.address), Store().save, print)
