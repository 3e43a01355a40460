"""Load profiles as text: headers, rows, times, and what no meter should send."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import RemoteProtocolError
from core.meter.codes_21 import is_code, live_addresses, profile_code
from core.meter.profile_21 import ProfileText, moment_of, request_of
from core.meter.virtual_e450 import VirtualE450
from core.meter.virtual_profile import profile_blocks, row_times, stamp_s
from core.protocol.data_sets import DataSet, decode_block, decode_data_sets

START_S = datetime(2026, 5, 1, tzinfo=UTC).timestamp()
HEADER = "P.01(2260501000000)(08)(15)(2)(1-1:1.5.0)(kW)(1.8.0)(kWh)\r\n"


def fed(*texts: str, start_s: float = 0.0, end_s: float = 1e11) -> ProfileText:
    profile = ProfileText(start_s, end_s)
    for text in texts:
        profile.feed(decode_data_sets(text))
    return profile


def test_rows_follow_their_header_a_period_apart():
    profile = fed(HEADER + "(1.5)(10.0)\r\n(-0.25)(10.5)\r\n()(11)\r\n")
    rows = profile.take(10)
    assert profile.period_s == 900
    assert [(one.obis, one.unit, one.quantity) for one in profile.columns] == [
        ("1-1:1.5.0", "kW", "active_power_import"),
        ("1.8.0", "kWh", "active_energy_import"),
    ]
    assert [row.time_s for row in rows] == [START_S, START_S + 900, START_S + 1800]
    assert [row.values for row in rows] == [(1.5, 10.0), (-0.25, 10.5), (None, 11)]
    assert [row.time for row in rows][:2] == ["2026-05-01T00:00:00Z", "2026-05-01T00:15:00Z"]
    assert {row.status for row in rows} == {8}
    measured = dict(profile.measurements(rows))
    assert measured[START_S].active_power_import_w == 1500
    assert measured[START_S + 1800].active_energy_import_wh == 11_000


def test_blocks_may_end_anywhere_between_two_values_and_a_new_header_takes_over():
    profile = fed(HEADER + "(1)(2)\r\n(3)", "(4)\r\n", HEADER.replace("000000", "120000") + "(5)(6)\r\n")
    rows = profile.take(10)
    assert [row.values for row in rows] == [(1, 2), (3, 4), (5, 6)]
    assert rows[2].time_s == START_S + 12 * 3600


def test_only_rows_of_the_range_come_and_each_once():
    text = HEADER + "(1)(1)\r\n(2)(2)\r\n(3)(3)\r\n"
    profile = fed(text, text, start_s=START_S + 900, end_s=START_S + 1800)
    assert [row.values for row in profile.take(10)] == [(2, 2)]


@pytest.mark.parametrize("text", ["P.01()\r\n", "P.01(2260501000000)(00)(15)\r\n", "(1)(2)\r\n"])
def test_a_profile_without_rows_is_empty(text):
    assert fed(text).waiting == 0


@pytest.mark.parametrize(
    "text",
    ["P.01(x)(00)(15)(1)(1.5)(kW)(1)", "P.01(2260501000000)(00)(15)(0)(1)", "P.01(2260501000000)(00)(15)(999)(1)"],
)
def test_a_header_that_is_none_is_told(text):
    with pytest.raises(RemoteProtocolError, match="begins no load profile"):
        fed(text)


def test_times_with_and_without_season_and_seconds():
    assert moment_of("2260501123000") == ("2026-05-01T12:30:00Z", START_S + 12.5 * 3600)
    assert moment_of("22605011230") == moment_of("2260501123000")
    for text in ("260501123000", "2605011230", "0260501123000", "1260501123000"):
        found = moment_of(text)
        assert found is not None
        assert abs(found[1] - START_S - 12.5 * 3600) <= 14 * 3600, text
    summer, winter = moment_of("1260501120000"), moment_of("0260501120000")
    assert summer is not None
    assert winter is not None
    assert winter[1] - summer[1] in (0.0, 3600.0)  # where the zone has no summer time they are the same
    assert moment_of("9260501123000") is None
    assert moment_of("2261301123000") is None


def test_what_the_virtual_meter_sends_is_read_and_its_requests_are_understood():
    meter = VirtualE450(1)
    times = row_times(START_S, START_S + 86_400, START_S + 1e6)
    profile = ProfileText(START_S, START_S + 86_400)
    blocks = list(profile_blocks(meter, times, is_partial=True))
    for number, block in enumerate(blocks):
        telegram = decode_block(block)
        assert telegram.is_partial == (number < len(blocks) - 1)
        profile.feed(telegram.data_sets)
    rows = profile.take(1000)
    assert len(rows) == 96
    assert rows[0].values[0] == pytest.approx(meter.moment(START_S).energy_import_wh / 1000, abs=0.001)
    (whole,) = profile_blocks(meter, times, is_partial=False)
    assert len(decode_block(whole).data_sets) == 12 + 97 * 4
    asked = request_of("P.01", START_S, START_S + 3600)
    bounds = asked.removeprefix("P.01(").removesuffix(")").split(";")
    assert [stamp_s(text) for text in bounds] == [START_S - 3600, START_S + 7200]


def test_codes_are_the_same_whatever_groups_they_leave_out():
    assert is_code("1.8.0", "1-0:1.8.0*255")
    assert is_code("1-1:1.8.0", "1.8.0")
    assert not is_code("1.8.0*01", "1.8.0")
    assert not is_code("1.8.1", "1.8.0")
    assert is_code("F.F", "F.F")
    assert profile_code(None) == profile_code("1-0:99.1.0") == "P.01"
    assert profile_code("1-0:99.2.0*255") == "P.02"
    assert profile_code("P.02") == "P.02"
    powers, others = live_addresses(["0.0.0", "1.8.0", "1.8.0*01", "32.7.0", "2.7.0", "1.7.0"])
    assert powers == ["1.7.0", "2.7.0"]
    assert others == ["32.7.0", "1.8.0"]


@given(
    st.lists(
        st.tuples(st.sampled_from(["", "P.01", "1.8.0"]), st.text("0123456789.-()x2 ", max_size=14), st.integers(0, 3)),
        max_size=60,
    )
)
def test_no_data_sets_raise_anything_but_the_named_error(parts):
    profile = ProfileText(0.0, 1e11)
    with contextlib.suppress(RemoteProtocolError):
        profile.feed(DataSet(address, value, "", position) for address, value, position in parts)
    rows = profile.take(1000)
    assert len(profile.measurements(rows)) <= len(rows)
