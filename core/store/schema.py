"""Tables of the history, in SQLAlchemy Core; the migrations make them, a test holds the two against each other.

Times are seconds since the epoch, UTC. Measurements, measures, check results and minutes are clustered by whose they
are and when, so that a range of one meter is one run of pages. What is absent is NULL, never zero.
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
    "disk_percent": "%",
}
"""Quantities of a machine's minute, each with its least, mean and greatest, and the unit of each.

`disk_percent` is that of the fullest disk: which one it is, and how the others are, only the present status tells.
"""

SENSOR_FIELDS: Mapping[str, str | None] = {"value": None}
"""A sensor's series has one value; the unit is its own."""

CHECK_FIELDS: Mapping[str, str | None] = {"latency_ms": "ms", "certificate_days": "d"}
"""Quantities of a check and the unit of each."""

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
    Column("reference", Text, nullable=False, server_default=""),
    Column("price_before_tax", Text),
    Column("vat_rate_percent", Text),
)
"""Rows stay when a machine is removed (`is_configured` false), as long as its history does; prices are decimal text."""

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

sensor_series = Table(
    "sensor_series",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("sensor", Text, nullable=False),
    Column("quantity", Text, nullable=False),
    Column("unit", String(32)),
    Column("samples", Integer, nullable=False),
    Column("last_s", Float, nullable=False),
    Column("last_value", Float, nullable=False),
    Column("simulated_s", Float),
)
"""One for each quantity of a sensor; `name` is `SENSOR/QUANTITY`, `samples` how many measures are kept as they came.

`simulated_s` is when the last one came that a simulator sent.
"""

sensor_measures = Table(
    "sensor_measures",
    metadata,
    Column("series_id", Integer, ForeignKey("sensor_series.id"), nullable=False),
    Column("time_s", Float, nullable=False),
    Column("value", Float, nullable=False),
    PrimaryKeyConstraint("series_id", "time_s"),
    sqlite_with_rowid=False,
)
"""The view `mesures(identifiant, temperature, timestamp)` shows those of temperatures to other programs."""

sensor_quarters = Table(
    "sensor_quarters",
    metadata,
    Column("series_id", Integer, ForeignKey("sensor_series.id"), nullable=False),
    Column("quarter_s", Integer, nullable=False),
    Column("samples", Integer, nullable=False),
    *_figures(SENSOR_FIELDS),
    PrimaryKeyConstraint("series_id", "quarter_s"),
    sqlite_with_rowid=False,
)

checks = Table(
    "checks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("target", Text, nullable=False),
)

check_results = Table(
    "check_results",
    metadata,
    Column("check_id", Integer, ForeignKey("checks.id"), nullable=False),
    Column("time_s", Float, nullable=False),
    Column("state", String(16), nullable=False),
    Column("status", Integer),
    *[Column(field, Float) for field in CHECK_FIELDS],
    Column("error", Text),
    PrimaryKeyConstraint("check_id", "time_s"),
    sqlite_with_rowid=False,
)

check_quarters = Table(
    "check_quarters",
    metadata,
    Column("check_id", Integer, ForeignKey("checks.id"), nullable=False),
    Column("quarter_s", Integer, nullable=False),
    Column("samples", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    *_figures(CHECK_FIELDS),
    PrimaryKeyConstraint("check_id", "quarter_s"),
    sqlite_with_rowid=False,
)

alarms = Table(
    "alarms",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("source", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("severity", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("since_s", Float, nullable=False),
    Column("changed_s", Float, nullable=False),
    Column("text", Text, nullable=False),
    Column("value", Float),
    Column("threshold", Float),
    Column("unit", String(32)),
    Column("until_s", Float),
    Column("operator_id", Integer, ForeignKey("operators.id")),
    Column("comment", Text),
    Column("quantity", Text),
    Index("alarms_by_time", "since_s"),
    Index("alarms_by_state", "state"),
)

maintenances = Table(
    "maintenances",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("source", Text, nullable=False),
    Column("start_s", Float, nullable=False),
    Column("end_s", Float, nullable=False),
    Column("operator_id", Integer, ForeignKey("operators.id"), nullable=False),
    Column("comment", Text, nullable=False),
    Index("maintenances_by_end", "end_s"),
)

chat_lines = Table(
    "chat_lines",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("room", Text, nullable=False),
    Column("time_s", Float, nullable=False),
    Column("author", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("link", Text),
    Index("chat_lines_by_room", "room", "time_s"),
)
"""`number` is the order in which they came: of lines of one moment the earlier has the lower one."""
