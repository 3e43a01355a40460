"""The kinds of owners of series: where the fine rows of each are, where its quarters, and how its series are named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import Table

from core.errors import StoreError
from core.language import _
from core.store import schema
from core.store.schema import CHECK_FIELDS, MACHINE_FIELDS, METER_FIELDS, SENSOR_FIELDS

QUARTER_S = 900


class Kind(NamedTuple):
    """One kind of owner of series.

    `is_raw` tells that a fine row is one value, else it is a least, a mean and a greatest; `folded` are further
    columns of a quarter and what each is of the fine rows.
    """

    prefix: str
    fields: Mapping[str, str | None]
    owners: Table
    fine: Table
    fine_time: str
    quarters: Table
    owner_id: str
    fine_period_s: int = 0
    is_raw: bool = True
    folded: Mapping[str, str] = {}

    def series_name(self, owner: str, field: str) -> str:
        """Name of a series, such as `meter/main/voltage_l1_v`; the quantity of a sensor is part of its owner."""
        return f"{self.prefix}/{owner}" if self.fields is SENSOR_FIELDS else f"{self.prefix}/{owner}/{field}"


METER = Kind(
    "meter",
    METER_FIELDS,
    schema.meters,
    schema.measurements,
    "time_s",
    schema.measurement_quarters,
    "meter_id",
    folded={"quality": "max(quality)", "is_simulated": "max(is_simulated)"},
)
MACHINE = Kind(
    "machine",
    MACHINE_FIELDS,
    schema.machines,
    schema.machine_minutes,
    "minute_s",
    schema.machine_quarters,
    "machine_id",
    fine_period_s=60,
    is_raw=False,
)
SENSOR = Kind(
    "sensor",
    SENSOR_FIELDS,
    schema.sensor_series,
    schema.sensor_measures,
    "time_s",
    schema.sensor_quarters,
    "series_id",
)
CHECK = Kind(
    "check",
    CHECK_FIELDS,
    schema.checks,
    schema.check_results,
    "time_s",
    schema.check_quarters,
    "check_id",
    folded={"failures": "sum(state <> 'ok')"},
)

KINDS = (METER, MACHINE, SENSOR, CHECK)


def split_name(name: str) -> tuple[Kind, str, str]:
    """Kind, owner and field of a series such as `meter/main/voltage_l1_v`; raises StoreError where it is none.

    The owner of `sensor/cellar/temperature_c` is `cellar/temperature_c`, its field `value`.
    """
    prefix, _slash, rest = name.partition("/")
    owner, _slash, wanted = rest.rpartition("/")
    if prefix == SENSOR.prefix and owner and wanted:
        return SENSOR, rest, "value"
    for kind in KINDS:
        if kind.prefix == prefix and owner and wanted in kind.fields:
            return kind, owner, wanted
    raise StoreError(_("{name} is no series; see: beffroi history series").format(name=name))


def check_field(kind: Kind, owner: str, field: str) -> None:
    """Raise StoreError where `kind` has no such field."""
    if field not in kind.fields:
        raise StoreError(
            _("{name} is no series; see: beffroi history series").format(name=f"{kind.prefix}/{owner}/{field}")
        )
