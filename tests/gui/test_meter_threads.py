"""Several probes at once: a thread each, one for the meters of a bus, and asks from any thread."""

from __future__ import annotations

import os
import pty
import threading
import tty

import pytest
from test_meter_asking import FakeDialogue, Plan

from core.config import MeterConfig
from core.errors import UsageError
from core.meter_records import RegisterList
from core.records import MeterReadings
from core.services import meter_reader
from gui.runtime.meter_threads import MeterThreads


@pytest.fixture
def devices():
    """Three pseudo-terminals."""
    pairs = [pty.openpty() for _number in range(3)]
    for _master, slave in pairs:
        tty.setraw(slave)
    yield [os.ttyname(slave) for _master, slave in pairs]
    for pair in pairs:
        for descriptor in pair:
            os.close(descriptor)


@pytest.fixture
def threads(qtbot, home, monkeypatch):
    """MeterThreads with meters of a script, what they publish, and in which thread each was asked."""
    asked_in = {}

    class Noting(FakeDialogue):
        async def open(self):
            asked_in.setdefault(self.source.name, set()).add(threading.get_ident())
            await super().open()

    def make(source, *arguments):
        return Noting(Plan(), source, *arguments)

    monkeypatch.setattr(meter_reader, "new_dialogue", lambda _protocol: make)
    records = []
    made = MeterThreads(home, records.append)
    made.records, made.asked_in = records, asked_in
    yield made
    made.stop()
    made.deleteLater()


def read(made, name):
    return [record for record in list(made.records) if isinstance(record, MeterReadings) and record.name == name]


def meter(name, port, **fields):
    return MeterConfig(name=name, port=port, **{"protocol": "dlms", "interval_s": 0.2, **fields})


def test_each_probe_has_a_thread_of_its_own(qtbot, threads, devices):
    for number, device in enumerate(devices):
        threads.connect_meter(meter(f"m{number}", device))
    qtbot.waitUntil(lambda: all(read(threads, f"m{number}") for number in range(3)), timeout=5000)
    assert len(set.union(*threads.asked_in.values())) == 3
    assert threads.names() == ["m0", "m1", "m2"]
    threads.read_registers("m1")
    qtbot.waitUntil(lambda: any(isinstance(record, RegisterList) for record in list(threads.records)), timeout=5000)
    assert {record.name for record in threads.records if isinstance(record, RegisterList)} == {"m1"}
    threads.disconnect_meter("m0")
    freed = []
    threads.when_free(lambda: freed.append(True))
    qtbot.waitUntil(lambda: bool(freed), timeout=5000)
    with pytest.raises(UsageError, match="m0"):
        threads.read_profile("m0", 0.0, 1.0)
    before = len(read(threads, "m2"))
    qtbot.waitUntil(lambda: len(read(threads, "m2")) > before, timeout=5000)


def test_the_meters_of_one_bus_share_thread_and_port(qtbot, threads, devices):
    def connect(number):
        threads.connect_meter(meter(f"h{number}", devices[0], protocol="mbus", address=str(number)))

    for number in range(3):
        connect(number)
    qtbot.waitUntil(lambda: all(read(threads, f"h{number}") for number in range(3)), timeout=5000)
    assert len(set.union(*threads.asked_in.values())) == 1
    threads.disconnect_meter("h0")
    connect(1)  # again, as with another key
    before = {name: len(read(threads, name)) for name in ("h1", "h2")}
    qtbot.waitUntil(lambda: all(len(read(threads, name)) > count for name, count in before.items()), timeout=5000)
    threads.request_stop()
    freed = []
    threads.when_free(lambda: freed.append(True))
    qtbot.waitUntil(lambda: bool(freed), timeout=5000)
    assert threads.names() == []


def test_a_reading_that_ends_by_an_error_says_of_which_meter(qtbot, threads):
    told = []
    threads.failed.connect(lambda name, text: told.append((name, text)))
    threads.connect_meter(meter("m", "x://y"))
    qtbot.waitUntil(lambda: bool(told), timeout=5000)
    assert told[0][0] == "m"
    assert "socket://HOST:PORT" in told[0][1]


def test_a_line_that_is_watched_is_watched_from_the_first_octet_of_the_next_conversation(qtbot, threads, devices):
    threads.connect_meter(meter("m0", devices[0]))
    threads.watch_line("m0", True)
    threads.connect_meter(meter("m0", devices[0]))
    assert threads._meters["m0"].reader._watch.is_wanted
    threads.watch_line("m0", False)
    threads.connect_meter(meter("m0", devices[0]))
    assert not threads._meters["m0"].reader._watch.is_wanted
