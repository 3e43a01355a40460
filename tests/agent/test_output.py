"""Output as it is kept: both ends, in order, within its limits."""

from __future__ import annotations

import hashlib
import sys

import pytest

from core.agent.output import HALF_OCTETS, KeptOutput


def _all(output, most=10_000):
    found = []
    cursor = (0, 0)
    while (piece := output.piece(*cursor, most)) is not None:
        fd, data, *cursor = piece
        found.append((fd, data))
    return found


def _of(output, fd):
    return b"".join(data for found, data in _all(output) if found == fd)


def test_short_output_comes_back_whole_and_in_order_as_often_as_asked():
    output = KeptOutput()
    for number in range(100):
        output.put(1 + number % 2, b"%d " % number)
    output.end()
    assert _all(output) == _all(output)
    assert _of(output, 1) == b"".join(b"%d " % number for number in range(0, 100, 2))
    assert _of(output, 2) == b"".join(b"%d " % number for number in range(1, 100, 2))
    assert output.dropped_octets == 0


def test_output_is_handed_out_while_it_grows():
    output = KeptOutput()
    assert output.piece(0, 0, 10) is None
    output.put(1, b"abc")
    fd, data, *cursor = output.piece(0, 0, 10)
    assert (fd, data) == (1, b"abc")
    assert output.piece(*cursor, 10) is None
    output.put(1, b"def")
    fd, data, *cursor = output.piece(*cursor, 10)
    assert data == b"def"
    output.put(2, b"ghi")
    assert output.piece(*cursor, 10)[:2] == (2, b"ghi")


@pytest.mark.parametrize("size", [1000, 65536, 3_000_000])
def test_of_too_much_both_ends_are_kept_exactly_and_the_rest_counted(size):
    content = b"".join(b"%07d\n" % number for number in range(375_000))
    output = KeptOutput()
    for start in range(0, len(content), size):
        output.put(1, content[start : start + size])
    output.end()
    assert _of(output, 1) == content[:HALF_OCTETS] + content[-HALF_OCTETS:]
    assert output.dropped_octets == len(content) - 2 * HALF_OCTETS
    assert output.octets == len(content)
    assert output.sha256 == hashlib.sha256(content).hexdigest()


def test_the_last_half_waits_for_the_end():
    output = KeptOutput()
    output.put(1, b"x" * (HALF_OCTETS + 10))
    assert len(_of(output, 1)) == HALF_OCTETS
    output.end()
    assert len(_of(output, 1)) == HALF_OCTETS + 10


def test_single_octets_now_here_now_there_cost_no_more_memory():
    output = KeptOutput()
    for number in range(100_000):
        output.put(1 + number % 2, b"x")
    output.end()
    held = len(output._head) + len(output._tail)
    assert held * sys.getsizeof(bytearray(b"x")) < 4 << 20
    assert output.dropped_octets + sum(len(data) for _fd, data in _all(output)) == 100_000


def test_many_small_pieces_count_for_what_they_cost():
    output = KeptOutput()
    for number in range(1000):
        output.put(1 + number % 2, b"x")
    assert output.kept_octets == 1000
    assert output.memory_octets > 100_000
