"""Telegrams of IEC 62056-21: every mode, every cut, every broken octet."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import RemoteProtocolError
from core.meter.readings_21 import iso_meter_time, readings_of_data_sets
from core.protocol.checksum import crc16_p1
from core.protocol.data_sets import (
    Check,
    Mode,
    decode_block,
    decode_data_sets,
    decode_identification,
    encode_block,
    encode_command,
)
from core.protocol.iec62056_21 import decode_telegrams
from core.protocol.parity import has_even_parity, with_even_parity, without_parity
from core.records import Quality

BODY = (
    b"F.F(00000000)\r\n0.0.0(12345678)\r\n0.9.1(12:34:56)\r\n0.9.2(26-03-01)\r\n1.8.0(000285.4*kWh)\r\n"
    b"1.8.0*01(000201.0*kWh)\r\n2.8.0(000120.1*kWh)1.6.1(2.31*kW)(26-02-11 18:15)\r\n32.7.0(230.1*V)\r\n"
    b"C.1.0()\r\nL.1(ABC)\r\n!\r\n"
)
READOUT = b"/LGZ5\\2ZMD310.B32\r\n" + encode_block(BODY)
P1 = b"/KFM5KAIFA\r\n\r\n1-3:0.2.8(42)\r\n0-0:1.0.0(161113205757W)\r\n1-0:1.7.0(02.027*kW)\r\n!"
P1 += b"%04X\r\n" % crc16_p1(P1)

CAPTURES = os.environ.get("BEFFROI_CAPTURES")


def captures():
    if not CAPTURES:
        return []
    index = json.loads(Path(CAPTURES, "index.json").read_text())
    entries = index if isinstance(index, list) else index["entries"]
    return [entry for entry in entries if entry["file"].startswith("iec62056-21/")]


def readings(data):
    return [readings_of_data_sets(telegram) for telegram in decode_telegrams(data)]


@pytest.mark.skipif(not CAPTURES, reason="the captures' folder is not here (BEFFROI_CAPTURES)")
@pytest.mark.parametrize("entry", captures(), ids=lambda entry: entry["file"].partition("/")[2])
def test_every_capture_says_what_its_index_says(entry):
    found = decode_telegrams(Path(CAPTURES, entry["file"]).read_bytes())
    told = [readings_of_data_sets(telegram) for telegram in found]
    if entry["outcome"] != "ok":
        assert all(telegram.error is not None for telegram in found)
        assert [one.errors for one in told if one.errors]
        assert not any(one.readings for one in told)
        return
    assert found
    assert all(telegram.error is None for telegram in found)
    values = [(one.obis, one.value, one.unit) for each in told for one in each.readings]
    for wanted in entry.get("readings", []):
        assert (wanted["obis"], wanted["value"], wanted["unit"]) in values
    if entry["kind"] == "decode" and not entry.get("readings"):
        checked = [one for one, telegram in zip(told, found, strict=True) if telegram.check is not Check.NONE]
        assert not any(one.errors for one in checked)
    facts = entry.get("facts", {})
    if "command" in facts:
        assert found[0].command == facts["command"]


def test_a_readout_gives_identification_values_and_clock():
    (telegram,) = decode_telegrams(READOUT)
    assert telegram.check is Check.BCC
    assert telegram.mode is Mode.E
    told = readings_of_data_sets(telegram)
    assert (told.meter.manufacturer, told.meter.model, told.meter.serial_number) == ("LGZ", "ZMD310.B32", "12345678")
    by_code = {one.obis: one for one in told.readings}
    assert (by_code["1.8.0"].value, by_code["1.8.0"].unit, by_code["1.8.0"].quantity) == (
        285.4,
        "kWh",
        "active_energy_import",
    )
    assert by_code["1.8.0"].time == "2026-03-01T12:34:56"
    assert by_code["1.8.0*01"].quantity is None
    assert by_code["1.8.0*01"].value == 201.0
    assert by_code["1.6.1"].time == "2026-02-11T18:15:00"
    assert by_code["F.F"].value == "00000000"
    assert by_code["C.1.0"].value == ""
    assert all(one.quality is Quality.GOOD for one in told.readings)
    assert not told.is_simulated
    assert told.measurement is not None
    assert told.measurement.active_energy_import_wh == pytest.approx(285400)
    assert told.measurement.voltage_l1_v == pytest.approx(230.1)


@pytest.mark.parametrize("octet", range(len(READOUT) - len(BODY) - 2, len(READOUT)))
def test_one_wrong_octet_of_a_block_rejects_it_all(octet):
    broken = bytearray(READOUT)
    broken[octet] ^= 0x04
    for telegram in decode_telegrams(bytes(broken)):
        # the identification alone carries no check; no value may be shown, unless the text says nothing vouches
        assert telegram.error is not None or not telegram.data_sets or telegram.check is Check.MISSING


@pytest.mark.parametrize("size", range(1, len(READOUT)))
def test_a_cut_readout_never_gives_a_vouched_value(size):
    for telegram in decode_telegrams(READOUT[:size]):
        assert not telegram.data_sets or telegram.check is Check.MISSING


@pytest.mark.parametrize("size", range(1, len(P1) - 6))
def test_a_cut_p1_telegram_is_rejected(size):
    assert not [telegram for telegram in decode_telegrams(P1[:size]) if telegram.data_sets]


def test_p1_is_vouched_for_by_its_crc_and_padded_or_not():
    (telegram,) = decode_telegrams(P1)
    assert (telegram.check, telegram.mode, telegram.error) == (Check.CRC16, Mode.D, None)
    (broken,) = decode_telegrams(P1.replace(b"02.027", b"02.028"))
    assert "CRC-16" in str(broken.error)
    told = readings_of_data_sets(telegram)
    assert told.readings[1].value == "2016-11-13 20:57:57"
    assert told.readings[2].quantity == "active_power_import"


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_p1_telegrams_follow_one_another(end):
    body = end.join((b"/KFM5KAIFA-METER", b"", b"1-0:1.8.1(000004.426*kWh)", b"!"))
    telegram = body + b"%04X" % crc16_p1(body) + end
    found = decode_telegrams(b"\xffcaught" + telegram * 3)
    assert [one.error for one in found] == [None] * 3
    assert [one.check for one in found] == [Check.CRC16] * 3


def test_a_star_in_the_name_of_a_firmware_is_no_unit():
    (found,) = readings(encode_block(b"0.2.0(V1*2)"))
    assert (found.readings[0].value, found.readings[0].unit, found.errors) == ("V1*2", None, ())


def test_a_group_e_of_255_is_no_tariff():
    (found,) = readings(encode_block(b"1-0:1.7.255*255(0015.45*kW)"))
    assert found.readings[0].quantity == "active_power_import"


def test_the_tail_of_a_p1_telegram_is_dropped_up_to_the_next_one():
    dropped, good = decode_telegrams(P1[20:] + P1)
    assert dropped.error is not None
    assert not dropped.data_sets
    assert good.check is Check.CRC16


def test_a_p1_telegram_without_its_beginning_is_dropped_also_when_it_is_the_last():
    (dropped,) = decode_telegrams(P1[20:])
    assert dropped.error is not None


def test_a_telegram_is_found_behind_garbage_on_its_line():
    assert decode_telegrams(b"gar(b)age" + P1)[-1].check is Check.CRC16
    assert decode_telegrams(b"\x19ge" + READOUT)[-1].check is Check.BCC


def test_a_recorded_dialogue_gives_the_readout_its_identification():
    line, _end, rest = READOUT.partition(b"\r\n")
    found = decode_telegrams(b"/?!\r\n" + line + b"\r\n\x06050\r\n" + rest)
    assert [telegram.command for telegram in found] == [None, "ACK", None]
    assert found[-1].identification.text == "ZMD310.B32"


def test_two_telegrams_of_which_one_is_broken_give_the_good_one():
    broken, good = decode_telegrams(P1.replace(b"42", b"43") + P1)
    assert broken.error is not None
    assert len(good.data_sets) == 3


def test_mode_d_without_crc_is_taken_as_its_standard_allows_and_marked():
    (telegram,) = decode_telegrams(b"/ISk5\\2MT382\r\n\r\n1-0:1.7.0(0001.01*kW)\r\n!\r\n")
    told = readings_of_data_sets(telegram)
    assert told.errors == ("nothing vouches for these values: telegrams of this meter carry no check",)
    assert told.readings[0].quality is Quality.WARNING


def test_old_p1_gas_value_on_the_next_line_takes_its_unit_and_time():
    text = b"/ISk5x\r\n\r\n0-1:24.3.0(161107190000)(00)(60)(1)(0-1:24.2.1)(m3)\r\n(00001.001)\r\n0-1:24.4.0(1)\r\n!\r\n"
    (told,) = readings(text)
    first = told.readings[0]
    assert (first.obis, first.value, first.unit, first.time) == ("0-1:24.3.0", 1.001, "m3", "2016-11-07T19:00:00")
    assert told.readings[1].value == "1"


def test_a_copied_readout_is_shown_with_a_warning_and_a_line_that_nothing_vouches():
    (told,) = readings(b"garb\x19age\r\n1-1:52.7.0(230.5*V)\r\n1-1:2.7.0(0.076*kW)\r\n")
    assert [one.value for one in told.readings] == [230.5, 0.076]
    assert all(one.quality is Quality.WARNING for one in told.readings)
    assert "nothing vouches" in told.errors[0]
    assert "dropped" in told.errors[1]
    (identified,) = readings(b"/LGZ5ZMD\r\n1.8.0(1.0*kWh)\r\n!\r\n")
    assert identified.meter.model == "ZMD"
    assert "nothing vouches" in identified.errors[0]


def test_octets_saved_with_their_parity_bit_are_read():
    (telegram,) = decode_telegrams(with_even_parity(READOUT))
    assert telegram.check is Check.BCC
    assert without_parity(with_even_parity(READOUT)) == READOUT == without_parity(READOUT)
    assert has_even_parity(with_even_parity(READOUT))
    assert not has_even_parity(READOUT)


def test_values_divided_by_ampersand_and_several_on_a_line_are_all_kept():
    found = decode_data_sets("9.4(088*C&082*C)9.6(000&00010213&0)6.8.1()\r\n9.36(2017-01-18&01:36:47)")
    assert [(one.address, one.value, one.unit, one.position) for one in found] == [
        ("9.4", "088", "C", 0),
        ("9.4", "082", "C", 1),
        ("9.6", "000", "", 0),
        ("9.6", "00010213", "", 1),
        ("9.6", "0", "", 2),
        ("6.8.1", "", "", 0),
        ("9.36", "2017-01-18", "", 0),
        ("9.36", "01:36:47", "", 1),
    ]


@pytest.mark.parametrize("text", ["1.8.0(1", "1.8.0 1)", "1.8.0((1)", "1.8.0(1))"])
def test_an_open_bracket_is_told(text):
    with pytest.raises(RemoteProtocolError, match="brackets"):
        decode_data_sets(text)


def test_messages_of_programming_mode():
    assert encode_command("B0") == b"\x01B0\x03q"
    assert decode_block(encode_command("B0")).command == "B0"
    password = decode_block(encode_command("P0", b"(1234567)"))
    assert (password.command, password.data_sets[0].value) == ("P0", "1234567")
    with pytest.raises(RemoteProtocolError, match="block check is 0x58, computed 0x50"):
        decode_block(b"\x01P0\x02(1234567)\x03X")
    (refused,) = readings(encode_block(b"(ER23)"))
    assert "ER23" in refused.errors[0]
    assert not refused.readings


@pytest.mark.parametrize(
    ("line", "mode", "baud", "reaction_s", "text"),
    [
        (b"/LGZ5\\2ZMD\r\n", Mode.E, 9600, 0.2, "ZMD"),
        (b"/Els6\\2EK280\r\n", Mode.E, 19200, 0.02, "EK280"),
        (b"/ABB4RM72\r\n", Mode.C, 4800, 0.2, "RM72"),
        (b"/ABBCx\r\n", Mode.B, 2400, 0.2, "x"),
        (b"/ABBZx\r\n", Mode.A, 300, 0.2, "x"),
        (b"/ACE0\\3k260V01.18\r\n", Mode.C, 300, 0.2, "k260V01.18"),
    ],
)
def test_an_identification_names_mode_speed_and_reaction(line, mode, baud, reaction_s, text):
    found = decode_identification(line)
    assert (found.mode, found.baud, found.reaction_s, found.text) == (mode, baud, reaction_s, text)


def test_a_value_with_a_unit_that_is_no_number_is_kept_as_text_and_told():
    (told,) = readings(encode_block(b"1.8.0(----*kWh)32.7.0(230)x(5)16.7.0(-0.3*kW)"))
    first, voltage, unknown, power = told.readings
    assert (first.value, first.quality, first.quantity) == ("----", Quality.WARNING, None)
    assert voltage.value == 230
    assert unknown.value == "5"
    assert power.value == -0.3
    assert len(told.errors) == 1


def test_garbage_is_told_once_and_quickly():
    random.seed(1)
    for data in (random.randbytes(1_000_000), b"\x02" * 300_000, b"\x02a" * 100_000, b"(" * 300_000):
        found = decode_telegrams(data)
        assert found
        assert not any(telegram.data_sets and telegram.check is not Check.MISSING for telegram in found)
        assert len(found) < 500


@given(st.binary(max_size=200))
def test_no_octets_raise_anything(data):
    for telegram in decode_telegrams(data):
        readings_of_data_sets(telegram)


@given(
    st.lists(st.sampled_from([b"/LGZ5x\r\n", b"\x02", b"\x03", b"1.8.0(1*kWh)", b"!", b"\r\n", b"(", b"&", b"\x01P0"]))
)
def test_no_mixture_of_pieces_raises_anything(pieces):
    for telegram in decode_telegrams(b"".join(pieces)):
        readings_of_data_sets(telegram)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("161113205757W", "2016-11-13T20:57:57"),
        ("2602111815", "2026-02-11T18:15:00"),
        ("26-02-11 18:15", "2026-02-11T18:15:00"),
        ("00-00-00 00:00", None),
        ("12345678", None),
    ],
)
def test_a_meters_time_is_iso_where_it_can_be(text, wanted):
    assert iso_meter_time(text) == wanted
