"""Numbers of a meter that have no column of their own: a series each, at most one value a minute."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from core.records import Reading
from core.store import stale
from core.store.columns import METER_FIELDS
from core.store.kinds import REGISTER

MOST = 500
"""Registers of one meter that are kept; what a meter names beyond is in its telegrams alone."""

LABEL_LETTERS = 100

_INSERT = "INSERT INTO register_values (register_id, minute_s, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"


def label_of(reading: Reading) -> str:
    """How a series of it is named, empty where it cannot be: its label, else its code, without slashes."""
    label = " ".join((reading.label or reading.obis or "").replace("/", "_").split())[:LABEL_LETTERS]
    return label if label.isprintable() and label not in METER_FIELDS else ""


class RegisterWriter:
    """Writes registers through a cursor; remembers their numbers and the last minute of each."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], list[int]] = {}
        self._counts: dict[int, int] = {}

    def forget(self) -> None:
        """Look all numbers up again: a transaction was undone."""
        self._known.clear()
        self._counts.clear()

    def write(self, cursor: Any, meter: int, name: str, time_s: float, readings: Iterable[Reading]) -> None:
        """Keep the numbers among `readings`, inside the caller's transaction."""
        minute_s = int(time_s // 60) * 60
        rows = []
        for reading in readings:
            value = reading.value
            if isinstance(value, str | bool) or value is None or not _fits(value):
                continue
            label = label_of(reading)
            if not label:
                continue
            known = self._known.get((meter, label))
            if known is None:
                known = self._register(cursor, meter, f"{name}/{label}", reading.unit)
                if known is None:
                    continue
                self._known[meter, label] = known
            if known[1] != minute_s:
                known[1] = minute_s
                rows.append((known[0], minute_s, float(value)))
        if rows:
            cursor.executemany(_INSERT, rows)
            stale.note_times(cursor, REGISTER, [(number, float(minute)) for number, minute, _value in rows])

    def _register(self, cursor: Any, meter: int, name: str, unit: str | None) -> list[int] | None:
        """Number and last minute (none yet) of the register of that name; None where the meter has too many."""
        row = cursor.execute("SELECT id FROM registers WHERE name = ?", (name,)).fetchone()
        if row is None:
            if meter not in self._counts:
                cursor.execute("SELECT count(*) FROM registers WHERE meter_id = ?", (meter,))
                self._counts[meter] = cursor.fetchone()[0]
            if self._counts[meter] >= MOST:
                return None
            self._counts[meter] += 1
            cursor.execute("INSERT INTO registers (name, meter_id, unit) VALUES (?, ?, ?)", (name, meter, unit))
            return [int(cursor.lastrowid), -1]
        if unit is not None:
            cursor.execute("UPDATE registers SET unit = ? WHERE id = ? AND unit IS NOT ?", (unit, row[0], unit))
        return [int(row[0]), -1]


def _fits(value: float) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False
