"""Sensors, checks, alarms, maintenances and the room; equipment columns of a machine."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def _key(name: str, parent: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, sa.ForeignKey(f"{parent}.id"), nullable=nullable)


def _figures(fields: list[str]) -> list[sa.Column[float]]:
    return [sa.Column(f"{field}_{figure}", sa.Float) for field in fields for figure in ("min", "mean", "max")]


def _add_equipment() -> None:
    op.add_column("machines", sa.Column("reference", sa.Text, nullable=False, server_default=""))
    op.add_column("machines", sa.Column("price_before_tax", sa.Text))
    op.add_column("machines", sa.Column("vat_rate_percent", sa.Text))


def _add_disks() -> None:
    for table in ("machine_minutes", "machine_quarters"):
        for column in _figures(["disk_percent"]):
            op.add_column(table, column)


def _make_sensors() -> None:
    op.create_table(
        "sensor_series",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("sensor", sa.Text, nullable=False),
        sa.Column("quantity", sa.Text, nullable=False),
        sa.Column("unit", sa.String(32)),
        sa.Column("samples", sa.Integer, nullable=False),
        sa.Column("last_s", sa.Float, nullable=False),
        sa.Column("last_value", sa.Float, nullable=False),
    )
    op.create_table(
        "sensor_measures",
        _key("series_id", "sensor_series"),
        sa.Column("time_s", sa.Float, nullable=False),
        sa.Column("value", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("series_id", "time_s"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sensor_quarters",
        _key("series_id", "sensor_series"),
        sa.Column("quarter_s", sa.Integer, nullable=False),
        sa.Column("samples", sa.Integer, nullable=False),
        *_figures(["value"]),
        sa.PrimaryKeyConstraint("series_id", "quarter_s"),
        sqlite_with_rowid=False,
    )
    op.execute(
        "CREATE VIEW mesures AS SELECT sensor_series.sensor AS identifiant, sensor_measures.value AS temperature,"
        " strftime('%Y-%m-%dT%H:%M:%fZ', sensor_measures.time_s, 'unixepoch') AS timestamp"
        " FROM sensor_measures JOIN sensor_series ON sensor_series.id = sensor_measures.series_id"
        " WHERE sensor_series.quantity = 'temperature_c'"
    )


def _make_checks() -> None:
    fields = ["latency_ms", "certificate_days"]
    op.create_table(
        "checks",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("target", sa.Text, nullable=False),
    )
    op.create_table(
        "check_results",
        _key("check_id", "checks"),
        sa.Column("time_s", sa.Float, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("status", sa.Integer),
        *[sa.Column(field, sa.Float) for field in fields],
        sa.Column("error", sa.Text),
        sa.PrimaryKeyConstraint("check_id", "time_s"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "check_quarters",
        _key("check_id", "checks"),
        sa.Column("quarter_s", sa.Integer, nullable=False),
        sa.Column("samples", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        *_figures(fields),
        sa.PrimaryKeyConstraint("check_id", "quarter_s"),
        sqlite_with_rowid=False,
    )


def _make_alarms() -> None:
    op.create_table(
        "alarms",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("since_s", sa.Float, nullable=False),
        sa.Column("changed_s", sa.Float, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("value", sa.Float),
        sa.Column("threshold", sa.Float),
        sa.Column("unit", sa.String(32)),
        sa.Column("until_s", sa.Float),
        _key("operator_id", "operators", nullable=True),
        sa.Column("comment", sa.Text),
        sa.Column("quantity", sa.Text),
    )
    op.create_index("alarms_by_time", "alarms", ["since_s"])
    op.create_index("alarms_by_state", "alarms", ["state"])
    op.create_table(
        "maintenances",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("start_s", sa.Float, nullable=False),
        sa.Column("end_s", sa.Float, nullable=False),
        _key("operator_id", "operators"),
        sa.Column("comment", sa.Text, nullable=False),
    )
    op.create_index("maintenances_by_end", "maintenances", ["end_s"])


def _make_room() -> None:
    op.create_table(
        "chat_lines",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("id", sa.String(64), nullable=False, unique=True),
        sa.Column("room", sa.Text, nullable=False),
        sa.Column("time_s", sa.Float, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("link", sa.Text),
    )
    op.create_index("chat_lines_by_room", "chat_lines", ["room", "time_s"])


def upgrade() -> None:
    """Make the new tables and columns; what is there stays as it is."""
    _add_equipment()
    _add_disks()
    _make_sensors()
    _make_checks()
    _make_alarms()
    _make_room()
