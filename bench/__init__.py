"""Speed as ratios: each module measures ours and its peer or floor side by side in one run.

`make bench` runs them all; `make bench ARGS="decode_push history_rows"` runs some.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: ours beside a peer (or a floor) measured in the same run, and the goal.

    `ratio` is peer / ours where less is better (3.0: three times as fast as the peer); None where there is no peer.
    `reached` is None where the row cannot be judged, for example since the peer is not installed: `note` says why.
    """

    work: str
    ours: float
    peer: float | None
    ratio: float | None
    unit: str
    goal: str
    reached: bool | None
    note: str = ""
