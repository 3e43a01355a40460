"""Tables of the history, in SQLAlchemy Core; the migrations make them, a test holds the two against each other.

Times are seconds since the epoch, UTC. Measurements and minutes are clustered by whose they are and when, so that a
range of one meter is one run of pages. What is absent is NULL, never zero.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

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
}
"""Quantities of a machine's minute, each with its least, mean and greatest, and the unit of each."""

FIGURES = ("min", "mean", "max")

metadata = MetaData()


def _figures(fields: Mapping[str, str | None]) -> list[Column[float]]:
    return [Column(f"{field}_{figure}", Float) for field in fields for figure in FIGURES]


operators = Table(
    "operators",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(256), nullable=False, unique=True),
)

machines = Table(
    "machines",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(256), nullable=False, unique=True),
    Column("is_configured", Boolean, nullable=False),
    Column("host", Text, nullable=False),
    Column("port", Integer, nullable=False),
    Column("groups", Text, nullable=False),
    Column("notes", Text, nullable=False),
    Column("fingerprint", Text),
    Column("certificate_pem", Text),
    Column("level", String(16)),
    Column("is_local", Boolean, nullable=False),
)
"""Rows stay when a machine is removed (`is_configured` false), as long as its history does."""

machine_minutes = Table(
    "machine_minutes",
    metadata,
    Column("machine_id", Integer, ForeignKey("machines.id"), nullable=False),
    Column("minute_s", Integer, nullable=False),
    Column("samples", Integer, nullable=False),
    *_figures(MACHINE_FIELDS),
    PrimaryKeyConstraint("machine_id", "minute_s"),
    sqlite_with_rowid=False,
)

machine_quarters = Table(
    "machine_quarters",
    metadata,
    Column("machine_id", Integer, ForeignKey("machines.id"), nullable=False),
    Column("quarter_s", Integer, nullable=False),
    Column("samples", Integer, nullable=False),
    *_figures(MACHINE_FIELDS),
    PrimaryKeyConstraint("machine_id", "quarter_s"),
    sqlite_with_rowid=False,
)

meters = Table(
    "meters",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(256), nullable=False, unique=True),
    Column("manufacturer", Text),
    Column("model", Text),
    Column("serial_number", Text),
    Column("protocol", String(32), nullable=False),
)

measurements = Table(
    "measurements",
    metadata,
    Column("meter_id", Integer, ForeignKey("meters.id"), nullable=False),
    Column("time_s", Float, nullable=False),
    Column("quality", Integer, nullable=False),
    Column("is_simulated", Boolean, nullable=False),
    Column("meter_time", Text),
    Column("others", Text),
    *[Column(field, Float) for field in METER_FIELDS],
    PrimaryKeyConstraint("meter_id", "time_s"),
    sqlite_with_rowid=False,
)
"""`quality` 0 good, 1 warning, 2 error; `others` is JSON: the readings that have no column, as they came."""

measurement_quarters = Table(
    "measurement_quarters",
    metadata,
    Column("meter_id", Integer, ForeignKey("meters.id"), nullable=False),
    Column("quarter_s", Integer, nullable=False),
    Column("samples", Integer, nullable=False),
    Column("quality", Integer, nullable=False),
    Column("is_simulated", Boolean, nullable=False),
    *_figures(METER_FIELDS),
    PrimaryKeyConstraint("meter_id", "quarter_s"),
    sqlite_with_rowid=False,
)

commands = Table(
    "commands",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("time_s", Float, nullable=False),
    Column("operator_id", Integer, ForeignKey("operators.id"), nullable=False),
    Column("line", Text, nullable=False),
    Column("words", Text, nullable=False),
    Column("machines", Text, nullable=False),
    Column("timeout_s", Float, nullable=False),
    Column("is_ended", Boolean, nullable=False),
    Index("commands_by_time", "time_s"),
)
"""`words` and `machines` are JSON lists; `is_ended` once the last result is in."""

command_results = Table(
    "command_results",
    metadata,
    Column("command_id", String(64), ForeignKey("commands.id", ondelete="CASCADE"), nullable=False),
    Column("machine", String(256), nullable=False),
    Column("state", String(16), nullable=False),
    Column("exit_status", Integer),
    Column("stdout", Text, nullable=False),
    Column("stderr", Text, nullable=False),
    Column("duration_s", Float),
    Column("truncated_bytes", Integer, nullable=False),
    Column("message", Text),
    PrimaryKeyConstraint("command_id", "machine"),
)

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("time_s", Float, nullable=False),
    Column("source", Text, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("operator_id", Integer, ForeignKey("operators.id")),
    Index("events_by_time", "time_s"),
)
