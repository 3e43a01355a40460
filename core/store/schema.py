"""Tables of the history, in SQLAlchemy Core; the migrations make them, a test holds the two against each other.

Times are seconds since the epoch, UTC. Measurements, measures, check results and minutes are clustered by whose they
are and when, so that a range of one meter is one run of pages. What is absent is NULL, never zero.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

from core.store.columns import (
    CHECK_FIELDS,
    MACHINE_FIELDS,
    METER_FIELDS,
    REGISTER_FIELDS,
    SENSOR_FIELDS,
    check_roll_up,
    figures,
    metadata,
    meter_roll_up,
    roll_up,
)

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
    Column("tags", Text, nullable=False, server_default="[]"),
    Column("os", Text, nullable=False, server_default=""),
)
"""Rows stay when a machine is removed (`is_configured` false), as long as its history does; prices are decimal text.

`groups` and `tags` are JSON lists; `os` is `linux`, `windows`, `darwin` or another word in lower case, "" before the
agent has told it.
"""

machine_minutes = Table(
    "machine_minutes",
    metadata,
    Column("machine_id", Integer, ForeignKey("machines.id"), nullable=False),
    Column("minute_s", Integer, nullable=False),
    Column("samples", Integer, nullable=False),
    *figures(MACHINE_FIELDS),
    PrimaryKeyConstraint("machine_id", "minute_s"),
    sqlite_with_rowid=False,
)

machine_quarters = roll_up("machine_quarters", "machines.machine_id", "quarter_s", MACHINE_FIELDS)
machine_hours = roll_up("machine_hours", "machines.machine_id", "hour_s", MACHINE_FIELDS)
machine_days = roll_up("machine_days", "machines.machine_id", "day_s", MACHINE_FIELDS)

minute_processes = Table(
    "minute_processes",
    metadata,
    Column("machine_id", Integer, ForeignKey("machines.id"), nullable=False),
    Column("minute_s", Integer, nullable=False),
    Column("processes", Text, nullable=False),
    PrimaryKeyConstraint("machine_id", "minute_s"),
    sqlite_with_rowid=False,
)
"""`processes` is a JSON list of lists, see `core.store.processes`."""

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

measurement_minutes = meter_roll_up("measurement_minutes", "minute_s")
measurement_quarters = meter_roll_up("measurement_quarters", "quarter_s")
measurement_hours = meter_roll_up("measurement_hours", "hour_s")
measurement_days = meter_roll_up("measurement_days", "day_s")

profile_rows = Table(
    "profile_rows",
    metadata,
    Column("meter_id", Integer, ForeignKey("meters.id"), nullable=False),
    Column("time_s", Float, nullable=False),
    Column("period_s", Float, nullable=False),
    PrimaryKeyConstraint("meter_id", "time_s"),
    sqlite_with_rowid=False,
)
"""The rows of `measurements` that were fetched from the meter's load profile: each stands for the period before it.

They stay known here when the measurements themselves have become roll-ups: none is ever counted twice.
"""

registers = Table(
    "registers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("meter_id", Integer, ForeignKey("meters.id"), nullable=False),
    Column("unit", String(32)),
)
"""Numbers of a meter that have no column; `name` is `METER/LABEL`."""

register_values = Table(
    "register_values",
    metadata,
    Column("register_id", Integer, ForeignKey("registers.id"), nullable=False),
    Column("minute_s", Integer, nullable=False),
    Column("value", Float, nullable=False),
    PrimaryKeyConstraint("register_id", "minute_s"),
    sqlite_with_rowid=False,
)
"""The first value of each minute."""

register_quarters = roll_up("register_quarters", "registers.register_id", "quarter_s", REGISTER_FIELDS)
register_hours = roll_up("register_hours", "registers.register_id", "hour_s", REGISTER_FIELDS)
register_days = roll_up("register_days", "registers.register_id", "day_s", REGISTER_FIELDS)

stale_buckets = Table(
    "stale_buckets",
    metadata,
    Column("level", Integer, nullable=False),
    Column("start_s", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("owner_id", Integer, nullable=False),
    Column("end_s", Integer, nullable=False),
    PrimaryKeyConstraint("level", "start_s", "kind", "owner_id"),
    sqlite_with_rowid=False,
)
"""Buckets from `start_s` to `end_s` that are to be made, or made anew, from the level below; see `core.store.stale`."""

kept_from = Table(
    "kept_from",
    metadata,
    Column("kind", String(16), nullable=False),
    Column("owner_id", Integer, nullable=False),
    Column("level", Integer, nullable=False),
    Column("from_s", Integer, nullable=False),
    PrimaryKeyConstraint("kind", "owner_id", "level"),
    sqlite_with_rowid=False,
)
"""Rows of a level before `from_s` were removed; what comes there later is added to the level above."""

series_spans = Table(
    "series_spans",
    metadata,
    Column("kind", String(16), nullable=False),
    Column("owner_id", Integer, nullable=False),
    Column("field", String(64), nullable=False),
    Column("first_s", Float, nullable=False),
    Column("last_s", Float, nullable=False),
    Column("samples", Integer, nullable=False),
    PrimaryKeyConstraint("kind", "owner_id", "field"),
    sqlite_with_rowid=False,
)
"""What is known of each series up to its last bucket: a list of all series reads no values."""

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

sensor_minutes = roll_up("sensor_minutes", "sensor_series.series_id", "minute_s", SENSOR_FIELDS)
sensor_quarters = roll_up("sensor_quarters", "sensor_series.series_id", "quarter_s", SENSOR_FIELDS)
sensor_hours = roll_up("sensor_hours", "sensor_series.series_id", "hour_s", SENSOR_FIELDS)
sensor_days = roll_up("sensor_days", "sensor_series.series_id", "day_s", SENSOR_FIELDS)

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

check_minutes = check_roll_up("check_minutes", "minute_s")
check_quarters = check_roll_up("check_quarters", "quarter_s")
check_hours = check_roll_up("check_hours", "hour_s")
check_days = check_roll_up("check_days", "day_s")

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
