"""Records of EN 13757-3: every data field, the tables of meanings, and what must be rejected by name."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import RemoteProtocolError, WrongKeyError
from core.protocol.mbus_frames import frames_of, long_frame
from core.protocol.mbus_records import Function, records_of
from core.protocol.mbus_telegram import ApplicationError, telegram_of

HEADER = bytes.fromhex("78563412 2440 01 07 55 00 0000")


def only(text: str):
    found = records_of(bytes.fromhex(text))
    assert len(found.records) == 1
    return found.records[0]


@pytest.mark.parametrize(
    ("octets", "value", "unit"),
    [
        ("01 13 FF", -0.001, "m³"),
        ("02 13 00 01", 0.256, "m³"),
        ("03 13 15 31 00", 12.565, "m³"),
        ("04 06 01 00 00 00", 1000, "Wh"),
        ("06 03 00 00 00 00 01 00", 1 << 32, "Wh"),
        ("07 03 01 00 00 00 00 00 00 00", 1, "Wh"),
        ("09 5B 42", 42, "°C"),
        ("0A 5A 52 05", 55.2, "°C"),
        ("0B 3B 27 01 00", 0.127, "m³/h"),
        ("0C 78 78 56 34 12", 12345678, None),
        ("0E 03 12 90 78 56 34 12", 123456789012, "Wh"),
        ("0A 62 02 F0", -0.2, "K"),
        ("05 5B 00 00 A8 41", 21.0, "°C"),
        ("0D 78 05 35 34 33 32 31", "12345", None),
        ("0D 03 C3 56 34 12", 123456, "Wh"),
        ("0D 03 D2 34 12", -1234, "Wh"),
        ("0D 03 E2 FF FF", -1, "Wh"),
        ("02 FD 17 01 80", 0x8001, None),
        ("04 FB 00 02 00 00 00", 200_000, "Wh"),
        ("04 FB 08 01 00 00 00", 100_000_000, "J"),
        ("02 FD 48 09 09", 231.3, "V"),
        ("02 FD 59 10 27", 10.0, "A"),
        ("02 FB 2D 88 13", 50.0, "Hz"),
        ("01 22 02", 7200, "s"),
        ("01 23 02", 172_800, "s"),
        ("04 83 74 39 30 00 00", 123.45, "Wh"),
        ("04 83 7D 02 00 00 00", 2000, "Wh"),
        ("01 93 22 05", 5e-3, "m³/h"),
        ("02 7C 03 48 52 25 10 00", 16, "%RH"),
        ("02 FC 03 48 52 25 74 22 15", 54.10, "%RH"),  # the text before the VIFE, as older documents have it
        ("02 FC 74 03 48 52 25 22 15", 54.10, "%RH"),  # behind it, as the standard has it
        ("03 FC F4 3B 02 68 57 15 31 00", 125.65, "Wh"),
        ("42 6C BF 1C", "2013-12-31", None),
        ("04 6D 0A 0B 0C 14", "2008-04-12T11:10:00", None),
        ("03 6D 1E 0F 0A", "10:15:30", None),
        ("06 6D 1E 0F 0A 0C 14 00", "2008-04-12T10:15:30", None),
        ("0D 7F F0 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F",
         "0F 0E 0D 0C 0B 0A 09 08 07 06 05 04 03 02 01 00", None),
        ("00 13", None, "m³"),
        ("08 13", None, "m³"),
    ],
)  # fmt: skip
def test_every_data_field_has_its_value_in_its_unit(octets, value, unit):
    record = only(octets)
    assert record.value == (pytest.approx(value) if isinstance(value, float) else value)
    assert record.head.unit == unit
    assert not record.is_doubtful


def test_storage_tariff_subunit_and_function_come_from_the_whole_chain():
    head = only("DA 02 3B 13 01").head
    assert (head.function, head.storage, head.tariff, head.subunit) == (Function.MAXIMUM, 5, 0, 0)
    head = only("8B 60 04 37 18 02").head
    assert (head.storage, head.tariff, head.subunit) == (0, 2, 1)
    head = only("84 8F 0F 6D 00 00 E1 F1").head
    assert head.storage == 510
    assert only("B4 FF 7F 13 00 00 00 00").head.tariff == 0b1111


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("0A 5A 5B 05", "055B"),
        ("04 03 00 00 00 80", -(1 << 31)),
        ("05 5B 00 00 C0 7F", None),
        ("42 6C 00 00", "2000-00-00"),
        ("04 6D 8A 0B 0C 14", "2008-04-12T11:10:00"),
    ],
)
def test_a_value_that_means_an_error_is_kept_and_flagged(octets, text):
    record = only(octets)
    assert record.is_doubtful
    assert record.value == text


def test_a_record_error_of_the_meter_gives_no_value():
    record = only("02 DA 15 00 00")
    assert record.value is None
    assert record.head.error == 0x15


def test_limits_future_values_and_phases_are_words():
    assert only("02 FD C8 FC 01 09 09").head.phase == 1
    assert only("02 DA 48 52 05").head.words == ("upper_limit",)
    assert only("04 83 7E 01 00 00 00").head.words == ("future",)
    assert only("04 DA 6F 32 14 7A 18").value == "2011-08-26T20:50:00"
    assert only("01 DA 59 05").value == 300
    assert only("01 FF 13 07").head.words == ("manufacturer_specific",)


def test_fillers_are_passed_over_and_the_manufacturers_data_are_kept():
    found = records_of(bytes.fromhex("2F 2F 01 13 01 2F 1F AB CD"))
    assert found.records[0].value == pytest.approx(0.001)
    assert found.manufacturer_data == b"\xab\xcd"
    assert found.has_more
    assert not records_of(b"\x0f\x01").has_more


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        ("03 13 15 31", "the value of record 1 has 3 octets, 2 are left"),
        ("8B", "cut off in its DIFEs"),
        ("8B 60", "cut off before its VIF"),
        ("8B 60 84", "cut off in its VIFEs"),
        ("8B" * 12, "more than 10 DIFEs"),
        ("0B" + "84" * 12, "more than 10 VIFEs"),
        ("02 FC 13 48 52 25", "cut off in the text of its VIF"),
        ("02 7C", "cut off in the text of its VIF"),
        ("0D 78", "cut off before its length"),
        ("0D 78 05 31", "has 5 octets, 1 are left"),
        ("0D 78 FF", "reserved variable length 0xff"),
        ("3F 01", "reserved function 0x3f"),
        ("7F", "reserved function 0x7f"),
        ("01 13 01 02", "record 2 is cut off before its VIF"),
        ("01 FD", "cut off in its VIFEs"),
        ("01 FD FD", "cut off in its VIFEs"),
    ],
)
def test_what_is_cut_off_or_reserved_is_rejected_by_name(octets, reason):
    with pytest.raises(RemoteProtocolError, match=reason):
        records_of(bytes.fromhex(octets))


@given(st.binary(max_size=120))
def test_any_octets_give_records_or_a_named_error(data):
    for is_reversed in (False, True):
        try:
            found = records_of(data, is_reversed=is_reversed)
        except RemoteProtocolError:
            continue
        else:
            end = found.records[-1].end if found.records else 0
            assert end <= len(data)


def telegram(ci: int, content: bytes, key: bytes | None = None):
    return telegram_of(frames_of(long_frame(0x08, 5, ci, content))[0], key)


def test_the_fixed_structure_of_the_standards_example():
    found = telegram(0x73, bytes.fromhex("78563412 0A 00 E97E 01000000 35010000"))
    assert found.header.identification == "12345678"
    assert found.header.medium == 7
    assert [record.value for record in found.records] == [pytest.approx(0.001), pytest.approx(0.135)]
    assert [record.head.storage for record in found.records] == [0, 1]


def test_the_other_order_of_octets_says_the_same():
    usual = telegram(0x72, HEADER + bytes.fromhex("04 06 10 27 00 00 02 5A 52 05"))
    swapped = bytes.fromhex("12345678 4024 01 07 55 00 0000") + bytes.fromhex("04 06 00 00 27 10 02 5A 05 52")
    other = telegram(0x76, swapped)
    assert other.header == usual.header
    assert [record.value for record in other.records] == [record.value for record in usual.records]
    assert usual.header.secondary_address == "12345678.PAD.01.07"


def test_short_and_missing_headers_are_read():
    assert telegram(0x7A, bytes.fromhex("2A 10 0000 01 13 05")).header.status == 0x10
    assert telegram(0x78, bytes.fromhex("01 13 05")).records[0].raw == 5


@pytest.mark.parametrize(
    ("ci", "content", "reason"),
    [
        (0x70, b"\x08", "too busy"),
        (0x70, b"", "unspecified"),
        (0x70, b"\x55", "number 85"),
        (0x72, b"\x78\x56\x34\x12", "12 octets, here are 4"),
        (0x73, bytes(15), "16 octets, here are 15"),
        (0x7A, b"\x01", "4 octets, here are 1"),
        (0x8B, b"", "0x8b"),
    ],
)
def test_what_a_meter_says_instead_of_values_is_named(ci, content, reason):
    with pytest.raises(RemoteProtocolError, match=reason) as caught:
        telegram(ci, content)
    assert isinstance(caught.value, ApplicationError) == (ci == 0x70)


def test_an_alarm_is_told_with_its_bits():
    assert telegram(0x71, b"\x06").alarm == 6


def ciphered(key: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    header = HEADER[:10] + struct.pack("<H", 0x0510)
    vector = header[4:6] + header[:4] + header[6:8] + header[8:9] * 8
    plain = bytes.fromhex("2F2F 0406 10270000").ljust(16, b"\x2f")
    sealer = Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor()
    return header + sealer.update(plain) + sealer.finalize()


def test_security_mode_5_is_opened_by_its_key_alone():
    key = bytes(range(16))
    found = telegram(0x72, ciphered(key), key)
    assert found.is_ciphered
    assert found.records[0].value == 10_000_000
    with pytest.raises(WrongKeyError, match="its key is needed"):
        telegram(0x72, ciphered(key))
    with pytest.raises(WrongKeyError, match="does not open"):
        telegram(0x72, ciphered(key), bytes(16))


def test_octets_that_merely_look_like_a_configuration_leave_plain_records_plain():
    content = HEADER[:10] + b"\x27\xb6" + bytes.fromhex("01 13 05")
    assert telegram(0x72, content).records[0].raw == 5
