"""The sum of several meters on one grid of times."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from sqlalchemy import Connection

from core.records import SeriesPoints
from core.store.columns import FIGURES
from core.store.kinds import METER, check_field
from core.store.levels import Levels
from core.store.reading import GAP_PERIODS, owner_id

_LOOKED_AT = 50
"""Rows whose distances tell the period of a meter."""

Cell = tuple[float, float, float]
"""Least, mean, greatest."""


def total_points(
    connection: Connection, meters: Sequence[str], fields: Sequence[str], start_s: float, end_s: float, max_points: int
) -> list[SeriesPoints]:
    """As `History.total_points` says."""
    for field in fields:
        check_field(METER, "total", field)
    numbers = [owner_id(connection, METER, meter) for meter in meters]
    found = [
        SeriesPoints(f"total/{field}", METER.fields[field], array("d"), array("d"), array("d"), array("d"))
        for field in fields
    ]
    if not meters or None in numbers or end_s <= start_s:
        return found
    cursor = connection.connection.cursor()
    try:
        all_levels = [Levels(cursor, METER, number) for number in numbers if number is not None]
        ends = [levels.ends() for levels in all_levels]
        known = [span for span in ends if span is not None]
        if len(known) < len(all_levels):
            return found
        start_s, end_s = max(start_s, min(span[0] for span in known)), min(end_s, max(span[1] for span in known) + 1)
        if end_s <= start_s:
            return found
        places = _places(all_levels, (end_s - start_s) / max_points)
        periods = [
            _period_s(cursor, levels, place, start_s, end_s) for levels, place in zip(all_levels, places, strict=True)
        ]
        width_s = max((end_s - start_s) / max_points, *periods)
        count = max(1, math.ceil((end_s - start_s) / width_s))
        sums: list[list[Cell | None]] = [[(0.0, 0.0, 0.0)] * count for _field in fields]
        for levels, place, period_s in zip(all_levels, places, periods, strict=True):
            cells = _cells(cursor, levels, place, fields, (start_s, end_s), width_s, count)
            for total, own in zip(sums, cells, strict=True):
                _hold(own, math.floor(GAP_PERIODS * period_s / width_s))
                for number, cell in enumerate(own):
                    so_far = total[number]
                    total[number] = None if so_far is None or cell is None else _sum(so_far, cell)
    finally:
        cursor.close()
    for points, total in zip(found, sums, strict=True):
        for number, cell in enumerate(total):
            low, mean, high = cell or (math.nan, math.nan, math.nan)
            points.time_s.append(start_s + (number + 0.5) * width_s)
            points.minimum.append(low)
            points.mean.append(mean)
            points.maximum.append(high)
    return found


def _sum(one: Cell, other: Cell) -> Cell:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def _places(all_levels: Sequence[Levels], width_s: float) -> list[int]:
    ladder = METER.ladder
    wanted = max(place for place, level in enumerate(ladder) if place == 0 or level.period_s <= width_s)
    return [wanted] * len(all_levels)


def _period_s(cursor: Any, levels: Levels, place: int, start_s: float, end_s: float) -> float:
    """Usual distance of two rows of a meter at the end of the span."""
    usual_s = 0.0
    for level, from_s, until_s in reversed(levels.pieces(start_s, end_s, place)):
        cursor.execute(
            f"SELECT {level.time} FROM {level.table.name} WHERE meter_id = ? AND {level.time} >= ?"  # noqa: S608 -- names of our own schema
            f" AND {level.time} < ? ORDER BY {level.time} DESC LIMIT ?",
            (levels.owner, from_s, until_s, _LOOKED_AT),
        )
        times = [row[0] for row in cursor.fetchall()]
        if len(times) > 2:
            usual_s = max(usual_s, median(later - earlier for later, earlier in pairwise(times)))
    return usual_s


def _cells(
    cursor: Any,
    levels: Levels,
    place: int,
    fields: Sequence[str],
    span: tuple[float, float],
    width_s: float,
    count: int,
) -> list[list[Cell | None]]:
    found: list[list[Cell | None]] = [[None] * count for _field in fields]
    weights = [[0.0] * count for _field in fields]
    for level, from_s, until_s in levels.pieces(*span, place):
        is_fine = level is METER.ladder[0]
        figures = []
        for field in fields:
            low, mean, high = (field if is_fine else f"{field}_{figure}" for figure in FIGURES)
            total, weight = f"sum({mean})", f"count({mean})"
            if not is_fine:
                total, weight = f"sum({mean} * samples)", f"sum(CASE WHEN {mean} IS NOT NULL THEN samples END)"
            figures.append(f"min({low}), {total}, max({high}), {weight}")
        cursor.execute(
            f"SELECT CAST(({level.time} + {level.period_s / 2} - ?) / ? AS INTEGER) AS cell, {', '.join(figures)}"  # noqa: S608 -- as above
            f" FROM {level.table.name} WHERE meter_id = ? AND {level.time} >= ? AND {level.time} < ? GROUP BY cell",
            (span[0], width_s, levels.owner, from_s, until_s),
        )
        for number, *values in cursor.fetchall():
            number = min(count - 1, max(0, number))
            for place_of, (own, weight_of) in enumerate(zip(found, weights, strict=True)):
                low, total, high, weight = values[4 * place_of : 4 * place_of + 4]
                if weight:
                    cell, before = own[number], weight_of[number]
                    mean = total / weight
                    if cell is not None:
                        low, high = min(low, cell[0]), max(high, cell[2])
                        mean = (cell[1] * before + total) / (before + weight)
                    own[number] = (low, mean, high)
                    weight_of[number] = before + weight
    return found


def _hold(cells: list[Cell | None], most: int) -> None:
    """A value stands for the empty cells after it as well, as long as that is no gap."""
    held: Cell | None = None
    empty = 0
    for number, cell in enumerate(cells):
        if cell is not None:
            held, empty = cell, 0
        else:
            empty += 1
            if empty <= most:
                cells[number] = held
