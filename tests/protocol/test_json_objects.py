"""A stream of objects is cut where they end, however it came, and nothing in it costs more than one message."""

from __future__ import annotations

import json
import sys
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.protocol.json_objects import DEPTH, LIMIT, Broken, JsonObjects, TextLine, TooLong

EXAMPLE = b'{\n  "capteur_id": "capteur_1",\n  "temperature": 23.5\n}\n'
NAMED = '{"capteur_id": "salle é", "humidité": 40}'.encode()


def found_in(*chunks: bytes) -> list:
    objects = JsonObjects()
    found = [part for chunk in chunks for part in objects.receive_data(chunk)]
    return found + objects.end()


@pytest.mark.parametrize("size", range(1, len(EXAMPLE) + 1))
def test_an_object_over_several_lines_is_one_however_it_is_cut(size):
    chunks = [EXAMPLE[begin : begin + size] for begin in range(0, len(EXAMPLE), size)]
    assert found_in(*chunks) == [{"capteur_id": "capteur_1", "temperature": 23.5}]


@pytest.mark.parametrize("at", range(1, len(NAMED)))
def test_an_object_cut_anywhere_even_inside_a_letter_is_whole(at):
    assert found_in(NAMED[:at], NAMED[at:]) == [{"capteur_id": "salle é", "humidité": 40}]


def test_glued_objects_are_told_apart():
    assert found_in(b'{"a":1}{"a":2} {"a":3}\n{"a":4}\r\n\r\n{"a":5}\x00{"a":6}') == [{"a": n} for n in range(1, 7)]


def test_objects_in_a_list_are_taken_one_by_one():
    assert found_in(b'[{"a": 1},\n {"a": 2}]\n') == [{"a": 1}, {"a": 2}]


def test_a_mark_of_byte_order_is_no_text():
    assert found_in(b'\xef\xbb\xbf{"a": 1}') == [{"a": 1}]


def test_lists_within_lists_without_end_are_a_broken_object_and_no_error_of_ours():
    found = found_in(b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}", b'{"b": 1}')
    assert isinstance(found[0], Broken)
    assert f"more than {DEPTH} levels" in found[0].reason
    assert found[-1] == {"b": 1}


def test_braces_and_quotes_in_a_text_end_nothing():
    raw = rb'{"a": "}{\"\\", "b": {"c": ["]}", {}]}}'
    assert found_in(raw + b'{"d":1}') == [json.loads(raw), {"d": 1}]
    assert found_in(*(bytes([octet]) for octet in raw)) == [json.loads(raw)]


@pytest.mark.parametrize(
    ("broken", "text"),
    [
        (b'{"id": "c1", "temperature": 21,5}', '{"id": "c1", "temperature": 21,5}'),
        (b'{"id": "c1", "temperature": }', '{"id": "c1", "temperature": }'),
        (b'{"id": "c1", "temperature": 21', '{"id": "c1", "temperature": 21'),
        (b'{"id": "c1, "temperature": 21}\n', '{"id": "c1, "temperature": 21}'),
        (b'{"id": "c1\n', '{"id": "c1'),
        (b"{'id': 'c1', 'temperature': 21}", "{'id': 'c1', 'temperature': 21}"),
        (b'{"id": "c1", "temperature": 2.3.4}', '{"id": "c1", "temperature": 2.3.4}'),
        (b'{"id": "\xff", "temperature": 2}', '{"id": "\ufffd", "temperature": 2}'),
        (b'{"id": "\\x"', '{"id": "\\x"'),
        (b'{"id": ]', '{"id": ]'),
        (b"{nothing", "{nothing"),
    ],
)
def test_of_a_broken_object_and_a_good_one_the_good_one_counts_and_the_broken_one_is_told(broken, text):
    good = b'{"id": "c1", "temperature": 21.5}'
    for chunks in ([broken + good], [broken, good]):
        first, *rest = found_in(*chunks)
        assert isinstance(first, Broken)
        assert first.text.startswith(text)
        assert first.reason
        assert rest == [{"id": "c1", "temperature": 21.5}]


def test_an_object_that_the_end_breaks_off_is_broken():
    (found,) = found_in(b'{"id": "c1", "temper')
    assert isinstance(found, Broken)
    assert found.text == '{"id": "c1", "temper'


def test_nan_and_infinities_are_objects_whose_numbers_can_be_named():
    assert str(found_in(b'{"t": NaN}{"t": -Infinity}{"t": 1e999}')) == "[{'t': nan}, {'t': -inf}, {'t': inf}]"


def test_levels_without_end_are_broken_and_not_followed():
    first, *_rest = found_in(b'{"a":' * (DEPTH + 1))
    assert isinstance(first, Broken)
    assert str(DEPTH) in first.reason


def test_a_message_of_64_kib_is_taken_and_one_octet_more_is_not():
    whole = b'{"a": "' + b"x" * (LIMIT - 9) + b'"}'
    assert len(whole) == LIMIT
    assert found_in(whole) == found_in(whole[:1000], whole[1000:]) == [json.loads(whole)]
    longer = whole.replace(b"x", b"xx", 1)
    for chunks in ([longer], [longer[:1000], longer[1000:]], [longer[:-1], longer[-1:]]):
        found = found_in(*chunks, b'{"a": 1}')
        assert [type(part) for part in found] == [TooLong, dict]


def test_a_message_without_an_end_is_told_once_costs_no_memory_and_the_next_one_counts():
    objects = JsonObjects()
    chunk = b"x" * LIMIT
    found = objects.receive_data(b'{"a": "')
    tracemalloc.start()
    try:
        for _turn in range(200):
            found += objects.receive_data(chunk)
        used = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [type(part) for part in found] == [TooLong]
    assert used < 4 * LIMIT
    assert objects.swallowed > 190 * LIMIT
    assert objects.receive_data(b'"}{"a": 1}') == [{"a": 1}]
    assert objects.swallowed == 0


def test_a_text_ends_at_a_newline_an_object_the_end_or_a_pause():
    objects = JsonObjects()
    assert objects.receive_data("temp: 15\r\nTEMP:28.5 °C".encode()) == [TextLine("temp: 15")]
    assert objects.has_text
    assert objects.receive_data(b'{"a": 1}hello') == [TextLine("TEMP:28.5 °C"), {"a": 1}]
    assert objects.end_text() == [TextLine("hello")]
    assert not objects.has_text
    assert objects.end_text() == []
    assert objects.receive_data(b"more") == []
    assert objects.end() == [TextLine("more")]


def test_a_text_without_an_end_is_told_once_and_the_next_line_counts():
    objects = JsonObjects()
    found = [part for _turn in range(5) for part in objects.receive_data(b"y" * LIMIT)]
    assert [type(part) for part in found] == [TooLong]
    assert objects.receive_data(b"\ntemp: 1\n") == [TextLine("temp: 1")]


def test_empty_lines_are_nothing():
    assert found_in(b"\r\n\n \x00 \t\r\n" * 100) == []


def test_blanks_are_counted_until_a_message_comes():
    objects = JsonObjects()
    for _turn in range(10):
        assert objects.receive_data(b'{"a": 1}\n') == [{"a": 1}]
        assert objects.swallowed <= 1
    assert objects.receive_data(b"\n" * 1000) == []
    assert objects.swallowed == 1001
    assert objects.receive_data(b'{"a": {}}') == [{"a": {}}]
    assert objects.swallowed == 0


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_no_octets_raise_anything(chunks):
    for found in found_in(*chunks):
        assert isinstance(found, dict | TextLine | Broken | TooLong)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**53), 2**53)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.text(), JSON, max_size=4), max_size=4), st.booleans(), st.integers(1, 30))
def test_whatever_objects_are_sent_come_out_whatever_the_cuts(objects, is_ascii, size):
    encodable = [one for one in objects if is_ascii or "\\ud" not in json.dumps(one)]
    raw = "".join(json.dumps(one, ensure_ascii=is_ascii) for one in encodable).encode("utf-8", "surrogatepass")
    chunks = [raw[begin : begin + size] for begin in range(0, len(raw), size)]
    assert found_in(*chunks) == found_in(raw) == encodable


def test_a_number_of_ten_thousand_digits_is_no_trouble():
    assert sys.get_int_max_str_digits() < 10_000
    (found,) = found_in(b'{"t": ' + b"9" * 10_000 + b"}")
    assert isinstance(found, Broken | dict)
