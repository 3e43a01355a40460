"""Codes as people read and type them, and the proofs that both ends exchange."""

from __future__ import annotations

import datetime

import pytest

from core.protocol import pairing
from core.records import Level


def test_codes_are_read_as_people_write_them():
    assert pairing.normalised_code(" abcde-12oil ") == "ABCDE12011"
    assert pairing.shown_code("ABCDE12011") == "ABCDE-12011"


@pytest.mark.parametrize("text", ["", "ABCDE-1234", "ABCDE-1234U", "ABCDE-12345-6", "ABCDE\u00b212345", "A" * 27])
def test_what_is_no_code_is_refused(text):
    with pytest.raises(ValueError, match="symbol"):
        pairing.normalised_code(text)


def test_codes_are_drawn_from_the_whole_alphabet_and_never_twice():
    codes = {pairing.new_code() for _ in range(500)}
    assert len(codes) == 500
    assert set("".join(codes)) == set(pairing.SYMBOLS)


@pytest.mark.parametrize("level", list(Level))
def test_a_site_code_tells_its_end_and_its_level(level):
    code = pairing.new_site_code(datetime.date(2027, 12, 31), level)
    assert len(code) == 26
    end = datetime.datetime.fromtimestamp(pairing.site_code_end(pairing.shown_code(code).lower()), datetime.UTC)
    assert end == datetime.datetime(2028, 1, 1, tzinfo=datetime.UTC)
    assert pairing.site_code_level(code) is level


def test_a_site_code_off_its_range_and_another_code_are_refused():
    for day in (datetime.date(2019, 12, 31), datetime.date(2109, 9, 19)):
        with pytest.raises(ValueError, match="cannot end"):
            pairing.new_site_code(day)
    with pytest.raises(ValueError, match="site code"):
        pairing.site_code_end(pairing.new_code())
    with pytest.raises(ValueError, match="not a site code"):
        pairing.site_code_level("000Z" + "0" * 22)


def test_every_part_of_the_transcript_matters():
    key = pairing.pairing_key("ABCDE12345", b"salt" * 4)
    assert len(key) == 32
    assert key == pairing.pairing_key("abcde-12345", b"salt" * 4)
    parts = [bytes([number]) * 32 for number in range(2)] + [bytes([number]) * 16 for number in (2, 3)]
    proofs = {pairing.console_proof(key, *parts), pairing.agent_proof(key, *parts)}
    for place in range(4):
        changed = list(parts)
        changed[place] = b"\xff" * len(changed[place])
        proofs.add(pairing.console_proof(key, *changed))
    proofs.add(pairing.console_proof(bytes(32), *parts))
    assert len(proofs) == 7
