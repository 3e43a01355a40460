"""What a probe speaks is found out by listening, then by asking; what has been found is remembered."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import tty
from pathlib import Path
from types import SimpleNamespace

import pytest
from test_meter_reader import Listener, running

from core.errors import NoiseError, SerialPortMissingError, TransportError, WrongPasswordError
from core.meter.virtual_e450 import VirtualE450
from core.meter.virtual_telegrams import push
from core.protocol.hdlc import HdlcReader
from core.protocol.push import PushSession, PushTelegram
from core.protocol.session import NEED_DATA, Rejected, Told
from core.records import MeterReport, MeterState
from core.services import heard_session, probe_search
from core.services.decode import octets_of
from core.services.heard_session import HeardSession
from core.services.meter_reader import MeterReader
from core.services.meter_sources import MeterSource
from core.services.probe_search import RememberedLines, search
from core.transport import serial_port
from core.transport.line import LineSettings

TELEGRAM = b"/ISK5\\2M550T-1012\r\n\r\n1-0:1.7.0(00.480*kW)\r\n1-0:32.7.0(230.1*V)\r\n!\r\n"
PUSH = push(VirtualE450(1), 1_772_359_200.0, 2)
CAPTURES = os.environ.get("BEFFROI_CAPTURES")


class FakePort:
    """A line that answers from a script: octets by the line's settings, and to what was sent."""

    url, has_speed, carries_parity = "fake", True, True

    def __init__(self, sent=None, answers=None):
        self.sent, self.answers = sent or {}, answers or {}
        self.line, self.written = None, []
        self._waiting = b""

    def set_line(self, line):
        if line != self.line:
            self._waiting = self.sent.get(str(line), b"")
        self.line = line

    async def read(self, timeout_s):
        await asyncio.sleep(0 if self._waiting else min(timeout_s or 0.05, 0.05))
        data, self._waiting = self._waiting, b""
        return data

    async def write(self, data):
        self.written.append((str(self.line), data))
        for asked, answer in self.answers.items():
            if asked in data:
                self._waiting += answer

    def close(self):
        pass


class NoDialogue:
    """A DLMS client whose SNRM goes out, and that takes no answer for one."""

    def __init__(self, source, port, tell, clock):
        self.source, self.port = source, port

    async def open(self):
        await self.port.write(b"SNRM")
        await self.port.read(0.05)
        raise WrongPasswordError("the public client is refused")

    async def close(self):
        pass


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(probe_search, "new_dialogue", lambda protocol: NoDialogue)
    monkeypatch.setattr(probe_search, "ReadoutSession", lambda address, attempts: _Quick(address), raising=True)


class _Quick:
    """A sign-on that nobody answers."""

    def __init__(self, address):
        self._events = [SimpleNamespace(error=None)]

    def receive_data(self, data, now_s):
        pass

    def next_deadline(self):
        return 0.0

    def next_event(self):
        from core.protocol.session import Finished

        return Finished(TransportError("nothing answers the sign-on"))


def searched(port, remembered=None, **fields):
    told = []

    async def scenario():
        source = MeterSource(port="fake", password=b"hidden-word", **fields)
        return await search(
            port, source, lambda text, line: told.append((text, str(line))), remembered=remembered, listen_s=0.2
        )

    return asyncio.run(scenario()), told


@pytest.mark.parametrize(
    ("line", "octets", "is_pushing"),
    [
        ("9600 8N1", PUSH, True),
        ("2400 8E1", PUSH, True),
        ("9600 8N1", TELEGRAM, False),
        ("115200 8N1", TELEGRAM, False),
        ("2400 7E1", TELEGRAM, False),
    ],
)
def test_a_meter_that_sends_by_itself_is_found_at_its_line(line, octets, is_pushing):
    outcome, told = searched(FakePort({line: octets}))
    assert (outcome.found.protocol, str(outcome.found.line)) == ("push", line)
    assert outcome.found.push.is_pushing is is_pushing
    assert isinstance(outcome.found.push.next_event(), Told)
    assert told[-1][0].startswith("found")


def test_the_order_is_listening_then_asking_without_any_secret():
    port = FakePort()
    outcome, told = searched(port)
    assert outcome.found is None
    assert [line for _text, line in told] == [
        "9600 8N1",
        "2400 8E1",
        "300 7E1",
        "9600 8N1",
        "115200 8N1",
        "2400 7E1",
    ]
    assert port.written == [("9600 8N1", b"SNRM")]
    for words in ("silence at 9600 8N1", "sign-on", "no answer as a DLMS meter"):
        assert words in outcome.text


def answer(destination):
    """An HDLC frame to the client of that address."""
    from core.protocol.checksum import fcs16

    body = bytes((0xA0, 7, destination << 1 | 1, 0x03, 0x73))
    return b"\x7e" + body + fcs16(body).to_bytes(2, "little") + b"\x7e"


def test_a_meter_that_answers_in_frames_is_dlms_also_where_it_refuses_the_public_client():
    reader = HdlcReader()
    reader.receive_data(answer(16))
    assert reader.next_frame().destination == probe_search.PUBLIC_CLIENT_OCTETS
    outcome, _told = searched(FakePort(answers={b"SNRM": answer(16)}))
    assert (outcome.found.protocol, str(outcome.found.line)) == ("dlms", "9600 8N1")
    echoed, _told = searched(FakePort(answers={b"SNRM": answer(1)}))  # as of an optical head: not to us
    assert echoed.found is None


def test_what_was_found_before_is_tried_first():
    outcome, told = searched(FakePort(answers={b"SNRM": answer(16)}), remembered=("dlms", LineSettings(9600)))
    assert outcome.found.protocol == "dlms"
    assert len(told) == 2
    outcome, told = searched(FakePort({"2400 8E1": PUSH}), remembered=("push", LineSettings(2400, 8, "E")))
    assert told[0][1] == "2400 8E1"
    outcome, told = searched(FakePort({"2400 8E1": PUSH}), remembered=("dlms", LineSettings(9600)))
    assert outcome.found.protocol == "push"  # another meter by now


def test_a_probe_is_remembered_by_its_number_and_its_port(tmp_path):
    remembered = RememberedLines(tmp_path / "probes.json")
    remembered.remember("/dev/ttyUSB0", "A1", "push", LineSettings(2400, 8, "E"))
    remembered.remember("/dev/ttyUSB1", None, "dlms", LineSettings(9600))
    assert remembered.line_of("/dev/ttyUSB7", "A1") == ("push", LineSettings(2400, 8, "E"))
    assert remembered.line_of("/dev/ttyUSB0") == ("push", LineSettings(2400, 8, "E"))
    assert remembered.line_of("/dev/ttyUSB1", "B2") == ("dlms", LineSettings(9600))
    for content in ("[]", "{", '{"p": {"protocol": "push", "baud": true}}', '{"p": 3}', "\xff"):
        (tmp_path / "probes.json").write_text(content, "latin-1")
        assert remembered.line_of("p") is None


def test_a_probe_is_found_by_its_number_on_whatever_port_it_is(monkeypatch):
    from serial.tools import list_ports

    ports = [SimpleNamespace(device="/dev/ttyUSB3", serial_number="A1", description="", hwid="x")]
    monkeypatch.setattr(list_ports, "comports", lambda: ports)
    assert serial_port.device_with("A1") == "/dev/ttyUSB3"
    assert serial_port.usb_serial_of("/dev/ttyUSB3") == "A1"
    assert serial_port.usb_serial_of("/dev/ttyUSB4") is None
    assert serial_port.usb_serial_of("socket://h:1") is None
    ports[0].device = "/dev/ttyUSB9"
    assert serial_port.device_with("A1") == "/dev/ttyUSB9"
    with pytest.raises(SerialPortMissingError, match="B2"):
        serial_port.device_with("B2")


def test_a_probe_that_moves_to_another_port_is_read_on(monkeypatch):
    from serial.tools import list_ports

    async def scenario():
        listener = Listener()
        with contextlib.ExitStack() as stack:
            masters, names = zip(*[stack.enter_context(_terminal()) for _number in range(2)], strict=True)
            found = SimpleNamespace(device=names[0], serial_number="A1", description="", hwid="x")
            monkeypatch.setattr(list_ports, "comports", lambda: [found])
            source = MeterSource(port="/dev/never", usb_serial="A1", protocol="push", baud=9600)
            async with running(MeterReader(source, listener.publish).run()):
                await listener.state(MeterState.SEARCHING)
                os.write(masters[0], PUSH)
                await listener.readings()
                found.device = names[1]
                os.close(masters[0])
                await listener.wait_for(
                    lambda record: (
                        isinstance(record, MeterReport)
                        and record.state is MeterState.SEARCHING
                        and record.port == names[1]
                    )
                )
                os.write(masters[1], PUSH)
                await listener.readings(2)

    asyncio.run(scenario())


@contextlib.contextmanager
def _terminal():
    master, slave = pty.openpty()
    tty.setraw(slave)
    name = os.ttyname(slave)
    os.close(slave)
    held = os.open(name, os.O_RDWR | os.O_NOCTTY)
    try:
        yield master, name
    finally:
        os.close(held)
        with contextlib.suppress(OSError):
            os.close(master)


# Both sessions at once


def events_of(session, octets, *, size=64, after_s=10.0):
    found, now_s = [], 0.0
    for start in range(0, len(octets), size):
        now_s += 0.01
        session.receive_data(octets[start : start + size], now_s)
        while (event := session.next_event()) is not NEED_DATA:
            found.append(event)
    session.receive_data(b"", now_s + after_s)
    while (event := session.next_event()) is not NEED_DATA:
        found.append(event)
    return found


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_one_of_two_is_recognised_and_the_other_keeps_quiet(size):
    for octets, kind in ((PUSH, True), (TELEGRAM, False)):
        session = HeardSession(PushSession())
        events = events_of(session, octets * 3, size=size)
        assert session.is_heard
        assert session.is_pushing is kind
        assert all(isinstance(event, Told) for event in events)
        assert len(events) == 3
        assert isinstance(events[0].telegram, PushTelegram) is kind


def test_noise_that_is_neither_is_told_once_after_a_while(monkeypatch):
    session = HeardSession(PushSession())
    events = events_of(session, b"\x55" * 5000)
    (told,) = [event for event in events if isinstance(event, Rejected)]
    assert isinstance(told.error, NoiseError)
    assert not session.is_heard
    assert session.next_deadline() is None or session.next_deadline() > 0
    assert heard_session.UNDECIDED_S > 1


@pytest.mark.skipif(not CAPTURES, reason="the captures' folder is not here (BEFFROI_CAPTURES)")
def test_every_capture_of_a_meter_that_sends_by_itself_is_recognised():
    index = json.loads(Path(CAPTURES, "index.json").read_text())
    entries = index if isinstance(index, list) else index["entries"]
    count = 0
    for entry in entries:
        name = entry["file"]
        is_sent = name.startswith(("hdlc/hdlc", "hdlc/amshan", "mbus/mbus_", "iec62056-21/dsmr"))
        if entry["outcome"] != "ok" or not is_sent:
            continue
        keys = {key: bytes.fromhex(entry[key]) for key in ("key", "auth_key") if entry.get(key)}
        session = HeardSession(PushSession(keys.get("key"), keys.get("auth_key")))
        octets = Path(CAPTURES, name).read_bytes()
        octets = octets_of(octets) if name.endswith(".hex") else octets
        if octets[:1] not in (b"\x7e", b"\x68", b"/"):
            continue  # saved without its flags: no line sends that
        events_of(session, octets)
        assert session.is_heard, name
        assert session.is_pushing is not name.startswith("iec"), name
        count += 1
    assert count > 10
