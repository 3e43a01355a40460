from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import UsageError
from core.protocol.checksum import bcc
from core.protocol.data_sets import encode_block
from core.protocol.hdlc import encode_frame
from core.protocol.push_encoder import PushValue, clock_octets, encode_push
from core.records import Quality
from core.services.decode import decode_capture, octets_of, recognised

KEY = bytes(range(16))
AUTH_KEY = bytes(range(0xD0, 0xE0))
CLOCK = clock_octets(1_700_000_000, 60)
VALUES = [
    PushValue("1-0:1.8.0*255", 12_345_678),
    PushValue("1-0:1.7.0*255", 1520),
    PushValue("1-0:32.7.0*255", 231, is_short=True),
    PushValue("0-0:96.1.0*255", "12345678"),
]
PLAIN = encode_push(VALUES, 2, clock=CLOCK)
CIPHERED = encode_push(VALUES, 2, clock=CLOCK, key=KEY, auth_key=AUTH_KEY)
READOUT = b"1.8.0(000123.4*kWh)\r\n32.7.0(230.1*V)\r\n!\r\n\x03"


@pytest.mark.parametrize(
    "data",
    [
        PLAIN,
        PLAIN.hex().encode(),
        PLAIN.hex(" ").upper().encode() + b"\r\n",
        "\n".join(PLAIN.hex()[start : start + 64] for start in range(0, len(PLAIN.hex()), 64)).encode(),
        b", ".join(b"0x%02x" % octet for octet in PLAIN),
        b"\xef\xbb\xbf" + PLAIN.hex().encode(),
        b"\x00\xff\x81" + PLAIN,
        PLAIN[PLAIN.index(b"\xe6\xe7\x00") : -3],
        encode_push(VALUES, 2, clock=CLOCK, transfer="none"),
        encode_push(VALUES, 2, clock=CLOCK, transfer="none")[18:],
    ],
    ids=["raw", "hex", "spaced", "lines", "0x", "bom", "noise before", "llc", "apdu", "body"],
)
def test_a_push_is_recognised_in_every_clothing(data):
    result = decode_capture(data)
    assert result.protocol == "push"
    assert result.exit_status == 0
    found = {reading.obis: reading.value for reading in result.readings}
    assert found["1-0:1.8.0*255"] == 12_345_678
    assert result.meter.serial_number == "12345678"


def test_a_readout_is_recognised_and_given_to_its_own_decoder():
    result = decode_capture(b"\x02" + READOUT + bytes((bcc(READOUT),)))
    assert result.protocol == "iec62056-21"
    assert result.exit_status == 0
    assert [(reading.obis, reading.value) for reading in result.readings] == [("1.8.0", 123.4), ("32.7.0", 230.1)]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x68\x03\x03\x68\x08\x01\x72\x7b\x16", "12 octets, here are 0"),
        (b"\x10\x40\xfd\x3d\x16", "1 command of a master"),
        (b"\xe5", "no frame"),
    ],
)
def test_m_bus_that_says_nothing_is_named(data, reason):
    result = decode_capture(data)
    assert result.protocol == "mbus"
    assert result.exit_status == 1
    assert reason in result.errors[0]


def test_the_protocol_may_be_told():
    assert decode_capture(PLAIN, protocol="iec62056-21").exit_status == 1
    assert decode_capture(READOUT, protocol="push").exit_status == 1


def test_a_ciphered_capture_needs_both_keys_to_be_vouched_for():
    assert decode_capture(CIPHERED, key=KEY, auth_key=AUTH_KEY).errors == ()
    doubtful = decode_capture(CIPHERED, key=KEY)
    assert doubtful.exit_status == 0
    assert "nothing vouches" in doubtful.errors[0]


@pytest.mark.parametrize("keys", [{}, {"key": AUTH_KEY}, {"key": KEY, "auth_key": KEY}])
def test_a_missing_or_wrong_key_is_a_refusal(keys):
    result = decode_capture(CIPHERED, **keys)
    assert result.exit_status == 3
    assert not result.readings
    assert "key" in result.errors[0]


def test_a_refusal_beside_another_failure_is_a_failure():
    broken = bytearray(PLAIN)
    broken[30] ^= 1
    assert decode_capture(CIPHERED + bytes(broken)).exit_status == 1


def test_several_telegrams_give_all_their_readings_with_their_times():
    later = encode_push(VALUES[:1], 2, clock=clock_octets(1_700_000_005, 60))
    result = decode_capture(PLAIN + later)
    assert len(result.telegrams) == 2
    assert {reading.time for reading in result.readings} == {"2023-11-14T23:13:20+01:00", "2023-11-14T23:13:25+01:00"}


def test_a_corrupt_telegram_among_good_ones_is_told_and_the_others_shown():
    broken = bytearray(PLAIN)
    broken[30] ^= 1
    result = decode_capture(bytes(broken) + PLAIN)
    assert len(result.telegrams) == 1
    assert result.exit_status == 1
    assert "frame check" in result.errors[0]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\x99" * 50, "no protocol of a meter"),
        (PLAIN[:60], "broke off"),
        (bytes.fromhex("7EA0070321930F017E"), "dialogue"),
    ],
)
def test_what_cannot_be_decoded_says_why(data, reason):
    result = decode_capture(data)
    assert result.exit_status == 1
    assert not result.readings
    assert reason in result.errors[0]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"7EA0 8Z00", "line 1, column 7: “Z”"),
        (b"7EA0\n7G", "line 2, column 2"),
        (b"7EA", "3 digits"),
        (b"hello world", "“h”"),
    ],
)
def test_broken_hexadecimal_is_named_by_line_and_column(text, reason):
    with pytest.raises(UsageError, match=reason):
        decode_capture(text)


def test_octets_written_one_by_one_may_lack_their_zero():
    assert octets_of(b"D 04 4 68") == b"\x0d\x04\x04\x68"


def test_the_document_has_every_key_always():
    document = decode_capture(b"\x99").document
    assert list(document) == ["protocol", "meter", "time", "readings", "errors"]
    assert document["meter"] == {"manufacturer": None, "model": None, "serial_number": None}
    reading = decode_capture(PLAIN).document["readings"][1]
    assert list(reading) == ["obis", "quantity", "value", "raw", "unit", "time", "quality"]
    assert reading["quality"] == "good"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_meter_that_names_itself_in_one_of_its_lists_is_known_in_all(order):
    lists = (
        encode_push([PushValue("0-0:42.0.0*255", "LGZ1020078254637"), PushValue("1-0:1.8.1*255", 5)], 1, clock=CLOCK),
        encode_push([PushValue("1-0:32.7.0*255", 2301), PushValue("1-0:14.7.0*255", 4998)], 1, clock=CLOCK),
    )
    result = decode_capture(lists[order[0]] + lists[order[1]])
    found = {reading.obis: (reading.value, reading.unit) for reading in result.readings}
    assert found["1-0:32.7.0*255"] == (230.1, "V")
    assert found["1-0:14.7.0*255"] == (49.98, "Hz")
    assert found["1-0:1.8.1*255"] == (5, "Wh")


def test_the_time_of_a_lone_maximum_is_not_the_meters_clock():
    result = decode_capture(
        b"/KMP5KA\r\n\r\n1-0:1.8.1(5*kWh)\r\n1-0:2.8.1(5*kWh)\r\n1-0:1.6.0(230828134500S)(4*kW)\r\n!\r\n"
    )
    assert result.time is None
    assert result.readings[2].time == "2023-08-28T13:45:00"


def test_what_a_meter_refuses_is_a_failure_without_values():
    result = decode_capture(encode_block(b"(ER04)"))
    assert (result.exit_status, result.readings) == (1, ())
    assert "ER04" in result.errors[0]


def test_a_message_without_its_llc_octets_is_taken_where_it_is_whole():
    apdu = encode_push(VALUES, 2, clock=CLOCK, transfer="none")
    assert len(decode_capture(encode_frame(apdu)).readings) == len(VALUES) + 1
    rest = decode_capture(encode_frame(apdu[:-1]))
    assert (rest.exit_status, rest.readings) == (1, ())


def test_a_segmented_capture_without_its_end_shows_what_is_whole_with_a_warning():
    values = [PushValue("1-0:1.7.0*255", number, scaler=0, unit=27) for number in range(20)]
    data = encode_push(values, 2, clock=CLOCK, transfer="segments")
    result = decode_capture(data[: data.index(b"\x7e", 1) + 1])
    assert result.exit_status == 0
    assert result.readings
    assert all(reading.quality is Quality.WARNING for reading in result.readings)
    assert "breaks off" in result.errors[0]


def test_ten_megabytes_of_noise_end_with_few_words():
    result = decode_capture(b"\xaa" + random.Random(5).randbytes(10_000_000))
    assert result.exit_status == 1
    assert len(result.errors) <= 12


def test_a_flood_of_corrupt_frames_is_counted_not_kept():
    result = decode_capture(bytes.fromhex("7EA0070321930000") * 20_000)
    assert result.exit_status == 1
    assert result.failures == 20_000
    assert len(result.errors) <= 12
    assert "more" in result.errors[-1]


def test_a_title_given_for_a_body_decrypted_elsewhere_names_its_layout():
    values = [PushValue("", CLOCK)] + [PushValue("", 1000 + number) for number in range(8)]
    body = encode_push(values, 3, transfer="none")[6:]
    assert body[0] == 2
    assert decode_capture(body).readings[1].obis is None
    named = decode_capture(body, system_title=b"LGZ\x01\x02\x03\x04\x05")
    assert named.readings[1].obis == "1-0:1.8.0*255"
    assert named.readings[1].unit == "Wh"


def test_frames_behind_a_few_stray_octets_are_found_whatever_these_are():
    for stray in (b"\x0f", b"\x02\x01", b"\xe6\xe7\x00", b"\x7e\x7e"):
        assert len(decode_capture(stray + PLAIN, protocol="push").telegrams) == 1


@settings(max_examples=150)
@given(st.binary(max_size=300))
def test_any_octets_are_decoded_or_refused(data):
    recognised(data)
    for protocol in ("auto", "push"):
        try:
            result = decode_capture(data, protocol=protocol)
        except UsageError:
            continue
        assert result.exit_status in (0, 1, 3)
