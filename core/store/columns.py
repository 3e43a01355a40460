"""The fields of each kind of series, and the columns that a table of them has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Boolean, Column, Float, ForeignKey, Integer, MetaData, PrimaryKeyConstraint, Table

from core.records import Measurement

_UNITS = {
    "w": "W",
    "var": "var",
    "va": "VA",
    "v": "V",
    "a": "A",
    "hz": "Hz",
    "percent": "%",
    "wh": "Wh",
    "varh": "varh",
}


def _unit(field: str) -> str | None:
    return _UNITS.get(field.rpartition("_")[2])


METER_FIELDS: Mapping[str, str | None] = {
    field: _unit(field) for field in msgspec.structs.asdict(Measurement()) if field != "quality"
}
"""Columns of a measurement, in the record's own order, and the unit of each."""

MACHINE_FIELDS: Mapping[str, str | None] = {
    "cpu_percent": "%",
    "memory_percent": "%",
    "memory_used_bytes": "B",
    "swap_used_bytes": "B",
    "disk_read_bytes_per_s": "B/s",
    "disk_written_bytes_per_s": "B/s",
    "network_received_bytes_per_s": "B/s",
    "network_sent_bytes_per_s": "B/s",
    "process_count": None,
    "disk_percent": "%",
}
"""Quantities of a machine's minute, each with its least, mean and greatest, and the unit of each.

`disk_percent` is that of the fullest disk: which one it is, and how the others are, only the present status tells.
"""

SENSOR_FIELDS: Mapping[str, str | None] = {"value": None}
"""A sensor's series has one value; the unit is its own."""

CHECK_FIELDS: Mapping[str, str | None] = {"latency_ms": "ms", "certificate_days": "d"}
"""Quantities of a check and the unit of each."""

REGISTER_FIELDS: Mapping[str, str | None] = {"value": None}
"""A register of a meter without a column of its own has one value; the unit is its own."""

COUNTERS = tuple(field for field, unit in METER_FIELDS.items() if unit in ("Wh", "varh"))
"""Fields of a meter that only grow: a bucket keeps what was counted within it."""

FIGURES = ("min", "mean", "max")

COUNTED = ("first", "last", "used")
"""Of a counter in a bucket: its first and its last value, and the sum of its steps upwards between them."""

metadata = MetaData()


def figures(fields: Mapping[str, str | None]) -> list[Column[float]]:
    """Least, mean and greatest of each field."""
    return [Column(f"{field}_{figure}", Float) for field in fields for figure in FIGURES]


def roll_up(name: str, owner: str, time: str, fields: Mapping[str, str | None], *further: Column[Any]) -> Table:
    """Buckets of one length: `first_s` and `last_s` are the times of the first and the last row in each.

    They are NULL in those that an earlier form of the database made.
    """
    parent, _dot, owner_id = owner.partition(".")
    return Table(
        name,
        metadata,
        Column(owner_id, Integer, ForeignKey(f"{parent}.id"), nullable=False),
        Column(time, Integer, nullable=False),
        Column("samples", Integer, nullable=False),
        Column("first_s", Float),
        Column("last_s", Float),
        *further,
        *figures(fields),
        PrimaryKeyConstraint(owner_id, time),
        sqlite_with_rowid=False,
    )


def meter_roll_up(name: str, time: str) -> Table:
    """Buckets of meters: the worst quality, and what the counters counted."""
    return roll_up(
        name,
        "meters.meter_id",
        time,
        METER_FIELDS,
        Column("quality", Integer, nullable=False),
        Column("is_simulated", Boolean, nullable=False),
        *[Column(f"{field}_{part}", Float) for field in COUNTERS for part in COUNTED],
    )


def check_roll_up(name: str, time: str) -> Table:
    """Buckets of checks: how many failed."""
    return roll_up(name, "checks.check_id", time, CHECK_FIELDS, Column("failures", Integer, nullable=False))


def merge_statement(table: Table, key: Sequence[str], changes: dict[str, str]) -> str:
    """INSERT of all columns, in the table's order; where `key` is there already, `changes` are made instead."""
    names = [column.name for column in table.columns]
    updates = ", ".join(f"{name} = {change}" for name, change in changes.items())
    return (
        f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))}) "  # noqa: S608 -- names of our own schema
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {updates}"
    )
