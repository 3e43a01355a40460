"""The kinds of owners of series: where the rows of each are, its ladder of roll-ups, and how its series are named.

A ladder leads from the rows as they came to the buckets of a minute, a quarter of an hour, an hour and a day.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import Table

from core.errors import StoreError
from core.language import _
from core.store import schema
from core.store.columns import CHECK_FIELDS, COUNTERS, MACHINE_FIELDS, METER_FIELDS, REGISTER_FIELDS, SENSOR_FIELDS

QUARTER_S = 900
HOUR_S = 3600
DAY_S = 86400


class Level(NamedTuple):
    """A step of a ladder: `number` 0 is rows as they came, 1 minutes, 2 quarters, 3 hours, 4 days of UTC."""

    table: Table
    time: str
    number: int
    period_s: int

    def floor(self, time_s: float) -> int:
        """Beginning of the bucket that `time_s` is in."""
        return int(time_s // self.period_s) * self.period_s

    def ceil(self, time_s: float) -> int:
        """End of the bucket that ends with or after `time_s`."""
        return -int(-time_s // self.period_s) * self.period_s


class Kind(NamedTuple):
    """One kind of owner of series: `word` names it in the tables that are of all kinds, `prefix` in names of series.

    `is_raw` tells that a fine row is one value, else it is a least, a mean and a greatest; `folded` are further
    columns of a bucket, and what each is of the fine rows and of finer buckets; `counters` only grow.
    """

    word: str
    prefix: str
    fields: Mapping[str, str | None]
    owners: Table
    owner_id: str
    ladder: tuple[Level, ...]
    is_raw: bool = True
    folded: Mapping[str, tuple[str, str]] = {}
    counters: tuple[str, ...] = ()

    def series_name(self, owner: str, field: str) -> str:
        """Name of a series, such as `meter/main/voltage_l1_v`; a quantity, a label are part of the owner."""
        return f"{self.prefix}/{owner}" if "value" in self.fields else f"{self.prefix}/{owner}/{field}"


def _ladder(fine: Level, minutes: Table | None, quarters: Table, hours: Table, days: Table) -> tuple[Level, ...]:
    return (
        fine,
        *([] if minutes is None else [Level(minutes, "minute_s", 1, 60)]),
        Level(quarters, "quarter_s", 2, QUARTER_S),
        Level(hours, "hour_s", 3, HOUR_S),
        Level(days, "day_s", 4, DAY_S),
    )


METER = Kind(
    "meter",
    "meter",
    METER_FIELDS,
    schema.meters,
    "meter_id",
    _ladder(
        Level(schema.measurements, "time_s", 0, 0),
        schema.measurement_minutes,
        schema.measurement_quarters,
        schema.measurement_hours,
        schema.measurement_days,
    ),
    folded={
        "quality": ("max(quality)", "max(quality)"),
        "is_simulated": ("max(is_simulated)", "max(is_simulated)"),
    },
    counters=COUNTERS,
)
MACHINE = Kind(
    "machine",
    "machine",
    MACHINE_FIELDS,
    schema.machines,
    "machine_id",
    _ladder(
        Level(schema.machine_minutes, "minute_s", 1, 60),
        None,
        schema.machine_quarters,
        schema.machine_hours,
        schema.machine_days,
    ),
    is_raw=False,
)
SENSOR = Kind(
    "sensor",
    "sensor",
    SENSOR_FIELDS,
    schema.sensor_series,
    "series_id",
    _ladder(
        Level(schema.sensor_measures, "time_s", 0, 0),
        schema.sensor_minutes,
        schema.sensor_quarters,
        schema.sensor_hours,
        schema.sensor_days,
    ),
)
CHECK = Kind(
    "check",
    "check",
    CHECK_FIELDS,
    schema.checks,
    "check_id",
    _ladder(
        Level(schema.check_results, "time_s", 0, 0),
        schema.check_minutes,
        schema.check_quarters,
        schema.check_hours,
        schema.check_days,
    ),
    folded={"failures": ("sum(state <> 'ok')", "sum(failures)")},
)
REGISTER = Kind(
    "register",
    "meter",
    REGISTER_FIELDS,
    schema.registers,
    "register_id",
    _ladder(
        Level(schema.register_values, "minute_s", 1, 60),
        None,
        schema.register_quarters,
        schema.register_hours,
        schema.register_days,
    ),
)
"""Numbers of a meter without a column: `meter/NAME/LABEL`."""

KINDS: Mapping[str, Kind] = {kind.word: kind for kind in (METER, MACHINE, SENSOR, CHECK, REGISTER)}


def split_name(name: str) -> tuple[Kind, str, str]:
    """Kind, owner and field of a series such as `meter/main/voltage_l1_v`; raises StoreError where it is none.

    The owner of `sensor/cellar/temperature_c` is `cellar/temperature_c`, its field `value`; likewise what a meter has
    no column for, whether there is such a register or not.
    """
    prefix, _slash, rest = name.partition("/")
    owner, _slash, wanted = rest.rpartition("/")
    if owner and wanted:
        if prefix == SENSOR.prefix:
            return SENSOR, rest, "value"
        for kind in (METER, MACHINE, CHECK):
            if kind.prefix == prefix and wanted in kind.fields:
                return kind, owner, wanted
        if prefix == REGISTER.prefix:
            return REGISTER, rest, "value"
    raise no_series(name)


def no_series(name: str) -> StoreError:
    """The error that says it."""
    return StoreError(_("{name} is no series; see: beffroi history series").format(name=name))


def check_field(kind: Kind, owner: str, field: str) -> None:
    """Raise StoreError where `kind` has no such field."""
    if field not in kind.fields:
        raise no_series(f"{kind.prefix}/{owner}/{field}")
