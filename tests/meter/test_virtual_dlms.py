"""The simulated E450 as a DLMS server, joined in memory with our client; nothing is written, nobody gets in unasked."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from core.errors import RemoteProtocolError, WrongKeyError, WrongPasswordError
from core.meter.virtual_dlms import Access, VirtualDlms
from core.meter.virtual_e450 import VirtualE450
from core.meter.virtual_objects import (
    ASSOCIATION_NAME,
    CLOCK_NAME,
    LOGICAL_DEVICE_NAME,
    PROFILE_NAME,
    REGISTERS,
    octets_of_code,
)
from core.protocol.association import Credentials
from core.protocol.axdr import value_at
from core.protocol.dlms_session import DlmsSession
from core.protocol.get_messages import Attribute, entry_parameters, range_parameters
from core.protocol.hdlc_control import parse_server
from core.protocol.hdlc_link import HdlcLink
from core.protocol.push_encoder import clock_octets
from core.protocol.session import NEED_DATA, Finished, Told, Transmit
from core.protocol.wrapper_link import WrapperLink

NOW_S = datetime(2026, 5, 1, 13, 7, 30, tzinfo=UTC).timestamp()
KEY, AUTH_KEY = bytes(range(16)), bytes(range(16, 32))
CLOCK = Attribute(8, CLOCK_NAME, 2)


class Client:
    """Our client and one connection of the meter; the clock of both stands still."""

    def __init__(self, access, credentials=None, *, is_wrapper=False):
        self.meter = VirtualDlms(VirtualE450(1), lambda: NOW_S, access, is_wrapper=is_wrapper)
        link = WrapperLink(1) if is_wrapper else HdlcLink(parse_server("1"))
        self.session = DlmsSession(link, credentials or Credentials())
        self.now_s = 1.0
        self.sent = 0

    def run(self):
        """What the session tells up to its end; raises the error that it ended with."""
        told = []
        while True:
            event = self.session.next_event()
            if event is NEED_DATA:
                self.now_s = max(self.now_s, self.session.next_deadline())
                self.session.receive_data(b"", self.now_s)
            elif isinstance(event, Transmit):
                self.session.receive_data(b"", self.now_s)
                answer = self.meter.receive_data(event.data)
                self.sent += len(answer)
                if answer:
                    self.session.receive_data(answer, self.now_s)
            elif isinstance(event, Finished):
                if event.error is not None:
                    raise event.error
                return told
            elif isinstance(event, Told):
                told.append(event.telegram)

    def open(self):
        self.session.open()
        self.run()
        return self

    def get(self, *attributes):
        self.session.get(attributes)
        return [result for answers in self.run() for result in answers.results]

    def rows(self, selector=None, parameters=b""):
        self.session.get_rows(Attribute(7, PROFILE_NAME, 2, selector, parameters))
        return [row for part in self.run() for row in part.rows]


def value(result):
    assert result.data is not None, result.error
    return value_at(result.data, has_descriptors=False)[0]


@pytest.fixture(params=[False, True], ids=["hdlc", "wrapper"])
def is_wrapper(request):
    return request.param


CREDENTIALS = {
    "none": ({}, {}),
    "low": ({"password": b"12345678"}, {"password": b"12345678"}),
    "gmac": ({"key": KEY, "auth_key": AUTH_KEY}, {"key": KEY, "auth_key": AUTH_KEY}),
}


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_every_register_is_read_with_its_scaler_and_unit(kind, is_wrapper):
    access, given = CREDENTIALS[kind]
    client = Client(Access(**access), Credentials(**given), is_wrapper=is_wrapper).open()
    objects = value(client.get(Attribute(15, ASSOCIATION_NAME, 2))[0])
    assert len(objects) == len(REGISTERS) + 7
    asked = [Attribute(3, name, number) for name in REGISTERS for number in (2, 3)]
    results = client.get(*asked)
    assert len(results) == len(asked)
    by_name = dict(zip(REGISTERS, zip(results[::2], results[1::2], strict=True), strict=True))
    raw, scaler = by_name[octets_of_code("1-0:32.7.0")]
    moment = VirtualE450(1).moment(NOW_S)
    assert value(raw) == round(moment.voltage_v[0] * 10)
    assert tuple(map(int, value(scaler))) == (-1, 35)
    assert value(by_name[octets_of_code("1-0:1.8.0")][0]) == round(moment.energy_import_wh)
    assert value(client.get(Attribute(1, LOGICAL_DEVICE_NAME, 2))[0]) == b"LGZSIM00000001"


def test_the_public_client_reads_names_clock_and_counter_only_where_others_need_a_password():
    client = Client(Access(password=b"secret")).open()
    refused, clock, name = client.get(
        Attribute(3, octets_of_code("1-0:1.8.0"), 2), CLOCK, Attribute(1, LOGICAL_DEVICE_NAME, 2)
    )
    assert refused.data is None
    assert value(clock)[:4] == b"\x07\xea\x05\x01"
    assert value(name) == b"LGZSIM00000001"
    assert len(value(client.get(Attribute(15, ASSOCIATION_NAME, 2))[0])) == 4


def test_a_wrong_password_is_refused_and_the_third_locks_the_meter_for_a_minute(is_wrapper):
    access = Access(password=b"right")
    for _time in range(3):
        with pytest.raises(WrongPasswordError, match="13"):
            Client(access, Credentials(password=b"wrong"), is_wrapper=is_wrapper).open()
    assert access.locked_until_s == NOW_S + 60
    with pytest.raises(WrongPasswordError):
        Client(access, Credentials(password=b"right"), is_wrapper=is_wrapper).open()
    access.locked_until_s = NOW_S
    assert Client(access, Credentials(password=b"right"), is_wrapper=is_wrapper).open()


@pytest.mark.parametrize(("key", "auth_key"), [(AUTH_KEY, AUTH_KEY), (KEY, KEY)])
def test_keys_that_do_not_fit_open_nothing(key, auth_key):
    with pytest.raises(WrongKeyError):
        Client(Access(key=KEY, auth_key=AUTH_KEY), Credentials(key=key, auth_key=auth_key)).open()


def test_counters_of_the_client_must_rise_from_one_association_to_the_next():
    access = Access(key=KEY, auth_key=AUTH_KEY)
    credentials = Credentials(key=KEY, auth_key=AUTH_KEY)
    Client(access, credentials).open()
    last = max(access.counters.values())
    Client(access, credentials).open()  # it reads the counter as the public client first
    assert max(access.counters.values()) > last
    recorded = []
    client = Client(access, credentials)
    usual = client.meter.receive_data
    client.meter.receive_data = lambda data: recorded.append(data) or usual(data)
    client.open()
    replaying = VirtualDlms(VirtualE450(1), lambda: NOW_S, access)
    answers = [replaying.receive_data(data) for data in recorded]
    assert not any(b"\x08\x00" in answer and b"LGZSIMUL" in answer for answer in answers)
    assert b"\xd8\x01\x06" in b"".join(answers)


def test_rows_are_chosen_by_range_and_by_entry(is_wrapper):
    client = Client(Access(), is_wrapper=is_wrapper).open()
    start_s = NOW_S - NOW_S % 900 - 4 * 3600
    chosen = range_parameters(Attribute(8, CLOCK_NAME, 2), clock_octets(start_s, 0), clock_octets(start_s + 14_400, 0))
    rows = client.rows(1, chosen)
    assert len(rows) == 17
    assert rows[0][1] == round(VirtualE450(1).moment(start_s).energy_import_wh)
    assert [later[1] >= earlier[1] for earlier, later in pairwise(rows)].count(False) == 0
    (count,) = client.get(Attribute(7, PROFILE_NAME, 7))
    last = value(count)
    assert last > 200_000
    assert [row[0] for row in client.rows(2, entry_parameters(last - 1, last))] == [row[0] for row in rows[-2:]]


def test_a_profile_of_months_is_sent_block_by_block_without_being_held():
    client = Client(Access(), is_wrapper=True).open()
    start_s = NOW_S - 60 * 86_400
    chosen = range_parameters(Attribute(8, CLOCK_NAME, 2), clock_octets(start_s, 0), clock_octets(NOW_S, 0))
    client.session.get_rows(Attribute(7, PROFILE_NAME, 2, 1, chosen))
    count = sum(len(part.rows) for part in client.run())
    assert count == 60 * 96
    assert client.sent > 150_000
    assert len(client.meter._held) < 2048


@pytest.mark.parametrize(
    ("attribute", "error"),
    [
        (Attribute(3, octets_of_code("1-0:99.99.0"), 2), 4),
        (Attribute(1, octets_of_code("1-0:1.8.0"), 2), 9),
        (Attribute(3, octets_of_code("1-0:1.8.0"), 9), 4),
    ],
)
def test_what_is_not_there_is_said(attribute, error):
    (result,) = Client(Access()).open().get(attribute)
    assert (result.data, result.error) == (None, error)


def test_the_good_bye_of_the_link_is_noticed():
    client = Client(Access()).open()
    assert not client.meter.is_released
    client.session.release()
    client.run()
    assert client.meter.is_released


def test_garbage_raises_nothing_and_is_not_answered_for_long():
    random.seed(11)
    opened = Client(Access()).open().meter
    for meter in (opened, VirtualDlms(VirtualE450(1), lambda: NOW_S, Access(), is_wrapper=True)):
        for _turn in range(300):
            meter.receive_data(random.randbytes(random.randint(1, 300)))
    for _turn in range(300):
        message = bytes((random.choice((0x60, 0xC0, 0xC3, 0xC8, 0xCB, 0xDB, 0x62)),)) + random.randbytes(40)
        answer = opened._answer(message, 16)
        assert isinstance(answer, bytes)
    with pytest.raises(RemoteProtocolError):
        octets_of_code("nonsense")
