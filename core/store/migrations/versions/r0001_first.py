"""First form of the history."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_MEASUREMENT = [
    "active_power_w",
    "active_power_import_w",
    "active_power_export_w",
    "active_power_l1_w",
    "active_power_l2_w",
    "active_power_l3_w",
    "reactive_power_var",
    "apparent_power_va",
    "voltage_l1_v",
    "voltage_l2_v",
    "voltage_l3_v",
    "current_l1_a",
    "current_l2_a",
    "current_l3_a",
    "power_factor",
    "frequency_hz",
    "thd_voltage_percent",
    "thd_current_percent",
    "active_energy_import_wh",
    "active_energy_export_wh",
    "reactive_energy_import_varh",
    "reactive_energy_export_varh",
    "active_energy_import_t1_wh",
    "active_energy_import_t2_wh",
    "active_energy_import_t3_wh",
    "active_energy_import_t4_wh",
]

_MINUTE = [
    "cpu_percent",
    "memory_percent",
    "memory_used_bytes",
    "swap_used_bytes",
    "disk_read_bytes_per_s",
    "disk_written_bytes_per_s",
    "network_received_bytes_per_s",
    "network_sent_bytes_per_s",
    "process_count",
]


def _key(name: str, parent: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, sa.ForeignKey(f"{parent}.id"), nullable=False)


def _figures(fields: list[str]) -> list[sa.Column[float]]:
    return [sa.Column(f"{field}_{figure}", sa.Float) for field in fields for figure in ("min", "mean", "max")]


def _make_machines() -> None:
    op.create_table(
        "machines",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(256), nullable=False, unique=True),
        sa.Column("is_configured", sa.Boolean, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("port", sa.Integer, nullable=False),
        sa.Column("groups", sa.Text, nullable=False),
        sa.Column("notes", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text),
        sa.Column("certificate_pem", sa.Text),
        sa.Column("level", sa.String(16)),
        sa.Column("is_local", sa.Boolean, nullable=False),
    )
    for table, time in (("machine_minutes", "minute_s"), ("machine_quarters", "quarter_s")):
        op.create_table(
            table,
            _key("machine_id", "machines"),
            sa.Column(time, sa.Integer, nullable=False),
            sa.Column("samples", sa.Integer, nullable=False),
            *_figures(_MINUTE),
            sa.PrimaryKeyConstraint("machine_id", time),
            sqlite_with_rowid=False,
        )


def _make_meters() -> None:
    op.create_table(
        "meters",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(256), nullable=False, unique=True),
        sa.Column("manufacturer", sa.Text),
        sa.Column("model", sa.Text),
        sa.Column("serial_number", sa.Text),
        sa.Column("protocol", sa.String(32), nullable=False),
    )
    op.create_table(
        "measurements",
        _key("meter_id", "meters"),
        sa.Column("time_s", sa.Float, nullable=False),
        sa.Column("quality", sa.Integer, nullable=False),
        sa.Column("is_simulated", sa.Boolean, nullable=False),
        sa.Column("meter_time", sa.Text),
        sa.Column("others", sa.Text),
        *[sa.Column(field, sa.Float) for field in _MEASUREMENT],
        sa.PrimaryKeyConstraint("meter_id", "time_s"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "measurement_quarters",
        _key("meter_id", "meters"),
        sa.Column("quarter_s", sa.Integer, nullable=False),
        sa.Column("samples", sa.Integer, nullable=False),
        sa.Column("quality", sa.Integer, nullable=False),
        sa.Column("is_simulated", sa.Boolean, nullable=False),
        *_figures(_MEASUREMENT),
        sa.PrimaryKeyConstraint("meter_id", "quarter_s"),
        sqlite_with_rowid=False,
    )


def _make_commands() -> None:
    op.create_table(
        "operators",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(256), nullable=False, unique=True),
    )
    op.create_table(
        "commands",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("time_s", sa.Float, nullable=False),
        _key("operator_id", "operators"),
        sa.Column("line", sa.Text, nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("machines", sa.Text, nullable=False),
        sa.Column("timeout_s", sa.Float, nullable=False),
        sa.Column("is_ended", sa.Boolean, nullable=False),
    )
    op.create_index("commands_by_time", "commands", ["time_s"])
    op.create_table(
        "command_results",
        sa.Column("command_id", sa.String(64), sa.ForeignKey("commands.id", ondelete="CASCADE"), nullable=False),
        sa.Column("machine", sa.String(256), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("exit_status", sa.Integer),
        sa.Column("stdout", sa.Text, nullable=False),
        sa.Column("stderr", sa.Text, nullable=False),
        sa.Column("duration_s", sa.Float),
        sa.Column("truncated_bytes", sa.Integer, nullable=False),
        sa.Column("message", sa.Text),
        sa.PrimaryKeyConstraint("command_id", "machine"),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("time_s", sa.Float, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("operator_id", sa.Integer, sa.ForeignKey("operators.id")),
    )
    op.create_index("events_by_time", "events", ["time_s"])


def upgrade() -> None:
    """Make all tables."""
    _make_machines()
    _make_meters()
    _make_commands()
