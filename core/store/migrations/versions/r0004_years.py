"""Power factors of the phases; roll-ups of years; what was fetched from a meter's load profile; further registers.

Roll-ups of what is there already are only asked for here: the recorder makes them by and by, see `core.store.folding`.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

PHASES = ["power_factor_l1", "power_factor_l2", "power_factor_l3"]
COUNTERS = [
    "active_energy_import_wh",
    "active_energy_export_wh",
    "reactive_energy_import_varh",
    "reactive_energy_export_varh",
    "active_energy_import_t1_wh",
    "active_energy_import_t2_wh",
    "active_energy_import_t3_wh",
    "active_energy_import_t4_wh",
]
METER = [
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
    *COUNTERS,
    *PHASES,
]
MACHINE = [
    "cpu_percent",
    "memory_percent",
    "memory_used_bytes",
    "swap_used_bytes",
    "disk_read_bytes_per_s",
    "disk_written_bytes_per_s",
    "network_received_bytes_per_s",
    "network_sent_bytes_per_s",
    "process_count",
    "disk_percent",
]
CHECK = ["latency_ms", "certificate_days"]
VALUE = ["value"]


def _figures(fields: list[str]) -> list[str]:
    return [f"{field}_{figure} FLOAT" for field in fields for figure in ("min", "mean", "max")]


def _counted() -> list[str]:
    return [f"{field}_{part} FLOAT" for field in COUNTERS for part in ("first", "last", "used")]


def _make_roll_ups(name: str, owner: str, levels: list[str], fields: list[str], further: list[str]) -> None:
    """In plain words: through objects 900 columns would take as long as all the rest of a first start."""
    parent, _dot, owner_id = owner.partition(".")
    for level in levels:
        columns = [
            f"{owner_id} INTEGER NOT NULL",
            f"{level}_s INTEGER NOT NULL",
            "samples INTEGER NOT NULL",
            "first_s FLOAT",
            "last_s FLOAT",
            *further,
            *_figures(fields),
            f"PRIMARY KEY ({owner_id}, {level}_s)",
            f"FOREIGN KEY({owner_id}) REFERENCES {parent} (id)",
        ]
        op.get_bind().exec_driver_sql(f"CREATE TABLE {name}_{level}s ({', '.join(columns)}) WITHOUT ROWID")


def _extend(table: str, columns: list[str]) -> None:
    for column in columns:
        op.get_bind().exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {column}")


def _extend_quarters() -> None:
    for table in ("measurement_quarters", "machine_quarters", "sensor_quarters", "check_quarters"):
        _extend(table, ["first_s FLOAT", "last_s FLOAT"])
    _extend("measurement_quarters", [*_figures(PHASES), *_counted()])
    _extend("measurements", [f"{field} FLOAT" for field in PHASES])


def _make_meter_tables() -> None:
    op.create_table(
        "profile_rows",
        sa.Column("meter_id", sa.Integer, sa.ForeignKey("meters.id"), nullable=False),
        sa.Column("time_s", sa.Float, nullable=False),
        sa.Column("period_s", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("meter_id", "time_s"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "registers",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("meter_id", sa.Integer, sa.ForeignKey("meters.id"), nullable=False),
        sa.Column("unit", sa.String(32)),
    )
    op.create_table(
        "register_values",
        sa.Column("register_id", sa.Integer, sa.ForeignKey("registers.id"), nullable=False),
        sa.Column("minute_s", sa.Integer, nullable=False),
        sa.Column("value", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("register_id", "minute_s"),
        sqlite_with_rowid=False,
    )


def _make_books() -> None:
    op.create_table(
        "stale_buckets",
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("start_s", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("owner_id", sa.Integer, nullable=False),
        sa.Column("end_s", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("level", "start_s", "kind", "owner_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "kept_from",
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("owner_id", sa.Integer, nullable=False),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("from_s", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("kind", "owner_id", "level"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "series_spans",
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("owner_id", sa.Integer, nullable=False),
        sa.Column("field", sa.String(64), nullable=False),
        sa.Column("first_s", sa.Float, nullable=False),
        sa.Column("last_s", sa.Float, nullable=False),
        sa.Column("samples", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("kind", "owner_id", "field"),
        sqlite_with_rowid=False,
    )


def _ask_for_roll_ups(kind: str, owner: str, fine: str, time: str, name: str, fields: list[str]) -> None:
    """What is there is stale from the first level that it has no buckets of; the names are those above.

    In the form before, quarters stood for the rows that were removed, and for those alone.
    """
    owners, _dot, owner_id = owner.partition(".")
    quarters = f"{name}_quarters"
    level, period_s = (2, 900) if fine == "machine_minutes" else (1, 60)
    ends = ", ".join(
        f"(SELECT {end}({{0}}) FROM {{1}} WHERE {owner_id} = {owners}.id) AS {end}"  # noqa: S608 -- as said
        for end in ("min", "max")
    )
    for target, period, table, column in ((level, period_s, fine, time), (3, 3600, quarters, "quarter_s")):
        op.execute(
            f"INSERT INTO stale_buckets (level, start_s, kind, owner_id, end_s)"  # noqa: S608 -- names of our own schema
            f" SELECT {target}, CAST(min / {period} AS INTEGER) * {period}, '{kind}', id,"
            f" (CAST(max / {period} AS INTEGER) + 1) * {period}"
            f" FROM (SELECT id, {ends.format(column, table)} FROM {owners}) WHERE min IS NOT NULL"
        )
    for removed in range(2 if level == 1 else 1):
        op.execute(
            f"INSERT INTO kept_from (kind, owner_id, level, from_s)"  # noqa: S608 -- as above
            f" SELECT '{kind}', id, {removed if level == 1 else 1}, max + 900"
            f" FROM (SELECT id, {ends.format('quarter_s', quarters)} FROM {owners}) WHERE max IS NOT NULL"
        )
    known = ", ".join(
        f"sum(CASE WHEN {field}_mean IS NOT NULL THEN samples END),"
        f" min(CASE WHEN {field}_mean IS NOT NULL THEN quarter_s END),"
        f" max(CASE WHEN {field}_mean IS NOT NULL THEN quarter_s END)"
        for field in fields
    )
    found = op.get_bind().exec_driver_sql(f"SELECT {owner_id}, {known} FROM {quarters} GROUP BY {owner_id}")  # noqa: S608 -- as above
    for number, *figures in found.fetchall():
        for place, field in enumerate(fields):
            samples, first_s, last_s = figures[3 * place : 3 * place + 3]
            if samples:
                op.get_bind().exec_driver_sql(
                    "INSERT INTO series_spans (kind, owner_id, field, first_s, last_s, samples)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (kind, number, field, first_s, last_s, samples),
                )


def upgrade() -> None:
    """From the form before."""
    _extend_quarters()
    _make_meter_tables()
    _make_books()
    fine = ["minute", "hour", "day"]
    flags = ["quality INTEGER NOT NULL", "is_simulated BOOLEAN NOT NULL"]
    _make_roll_ups("measurement", "meters.meter_id", fine, METER, [*flags, *_counted()])
    _make_roll_ups("machine", "machines.machine_id", ["hour", "day"], MACHINE, [])
    _make_roll_ups("sensor", "sensor_series.series_id", fine, VALUE, [])
    _make_roll_ups("check", "checks.check_id", fine, CHECK, ["failures INTEGER NOT NULL"])
    _make_roll_ups("register", "registers.register_id", ["quarter", "hour", "day"], VALUE, [])
    _ask_for_roll_ups("meter", "meters.meter_id", "measurements", "time_s", "measurement", METER)
    _ask_for_roll_ups("machine", "machines.machine_id", "machine_minutes", "minute_s", "machine", MACHINE)
    _ask_for_roll_ups("sensor", "sensor_series.series_id", "sensor_measures", "time_s", "sensor", VALUE)
    _ask_for_roll_ups("check", "checks.check_id", "check_results", "time_s", "check", CHECK)
