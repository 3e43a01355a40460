"""What is asked of meters: who carries it out, what of it is refused, and how it comes back over the feed."""

from __future__ import annotations

import asyncio

import pytest

from core.config import Config, MeterConfig
from core.errors import UsageError
from core.meter_records import LineOctets, ProfilePart, RegisterList, RegisterValue
from core.records import MeterIdentity, MeterReport, MeterState, Reading
from core.requests import LineWatchRequest, MeterCancelRequest, MeterReadRequest, ProfileRequest, RegistersRequest
from core.services import feed_messages
from core.services.hub import Hub
from core.services.site import Site
from core.services.site_meters import SiteMeters


class Meters:
    """Notes what it is asked for; reads one meter."""

    def __init__(self):
        self.asked = []

    def names(self):
        return ["main"]

    def read_now(self, name):
        self._note(name)

    def read_registers(self, name):
        self._note(name)

    def read_profile(self, name, start_s, end_s, obis):
        self._note(name, start_s, end_s, obis)

    def cancel_asks(self, name):
        self._note(name, "cancel")

    def watch_line(self, name, is_wanted):
        self._note(name, is_wanted)

    def _note(self, name, *words):
        if name != "main":
            raise UsageError("not read here")
        self.asked.append((name, *words))


def handled(home, *requests, meters=None):
    async def scenario():
        site = Site(home, Config(), Hub(), None, lambda record: None, meters=meters)
        for request in requests:
            await site.handle(request)

    asyncio.run(scenario())


def test_each_request_reaches_who_reads_the_meter(home):
    meters = Meters()
    handled(
        home,
        MeterReadRequest(meter="main"),
        RegistersRequest(meter="main"),
        ProfileRequest(meter="main", start_s=1.0, end_s=2.0, obis="1-0:99.2.0"),
        LineWatchRequest(meter="main", is_wanted=False),
        MeterCancelRequest(meter="main"),
        meters=meters,
    )
    assert meters.asked == [("main",), ("main",), ("main", 1.0, 2.0, "1-0:99.2.0"), ("main", False), ("main", "cancel")]


@pytest.mark.parametrize(
    "request_",
    [
        RegistersRequest(meter="other"),
        ProfileRequest(meter="main", start_s=2.0, end_s=2.0),
        LineWatchRequest(meter="other"),
        MeterCancelRequest(meter="other"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(home, request_):
    meters = Meters()
    with pytest.raises(UsageError):
        handled(home, request_, meters=meters)
    with pytest.raises(UsageError):
        handled(home, request_)
    assert not meters.asked


def test_what_comes_of_it_passes_the_feed_as_it_is():
    identity = MeterIdentity(serial_number="77")
    reading = Reading(obis="1-0:1.8.0*255", quantity=None, value=1)
    for record in (
        RegisterList(
            name="m",
            meter=identity,
            time_s=1.0,
            registers=(RegisterValue(code="1-0:1.8.0*255", reading=reading),),
            is_first=True,
            is_last=True,
        ),
        ProfilePart(name="m", meter=identity, obis="1-0:99.1.0", period_s=900.0, columns=(), rows=()),
        LineOctets(name="m", time_s=1.0, is_sent=True, octets=b"\x00\xff"),
    ):
        assert feed_messages.value_of(feed_messages.record_frame(record)[4:]) == record
    for request in (RegistersRequest(meter="m"), ProfileRequest(meter="m", start_s=1.0, end_s=2.0)):
        asked = feed_messages.Asked(number=1, request=request)
        assert feed_messages.message_of(feed_messages.encode(asked)) == asked


def test_a_meter_whose_reading_cannot_begin_says_so_and_others_are_read(home, tmp_path):
    async def scenario():
        records = []
        meters = SiteMeters(home, records.append)
        await meters.set_meters(
            [
                MeterConfig(name="broken", port="x://y"),
                MeterConfig(name="keyless", port=str(tmp_path / "a"), key_file="none"),
                MeterConfig(name="absent", port=str(tmp_path / "b"), protocol="dlms", usb_serial="no such probe"),
            ]
        )
        async with asyncio.timeout(5):
            while len({record.name for record in records if isinstance(record, MeterReport)}) < 3:  # noqa: ASYNC110 -- seen from outside
                await asyncio.sleep(0.01)
        meters.read_registers("absent")
        with pytest.raises(UsageError):
            meters.read_registers("nobody")
        meters.unwatch()
        await asyncio.sleep(0.8)
        await meters.stop()
        return records

    records = asyncio.run(scenario())
    reports = {}
    for record in records:
        if isinstance(record, MeterReport):
            reports.setdefault(record.name, record)
    assert reports["broken"].state is MeterState.FAILED
    assert "socket://HOST:PORT" in reports["broken"].text
    assert reports["keyless"].state is MeterState.FAILED
    assert reports["absent"].state is MeterState.DISCONNECTED
    assert "no such probe" in reports["absent"].text
    (answer,) = [record for record in records if isinstance(record, RegisterList)]
    assert "no such probe" in answer.error
