"""Rows of a load profile as the history keeps them: the end of each period, and what its columns say in fixed units.

A column of an energy register counts as the register, and gives the mean power of the period by its difference to the
row before; a column that holds a mean power itself (D = 4, 5, 14, 24, 25, 27) is that power. Energy of the period alone
(D = 9, 19, 29) is a power too: Wh divided by hours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from core.errors import RemoteProtocolError
from core.meter.measurement import measurement_of
from core.meter.quality import quality_of
from core.meter_records import ProfileColumn, ProfileRow
from core.obis import ObisCode
from core.records import Measurement, Reading

MEANS = (4, 5, 14, 15, 24, 25, 27, 28)
"""Groups D of averages over a period (Blue Book, clause 6.2.4.2: average values of measurement periods 1 to 3)."""
SHARES = (9, 19, 29)
"""Groups D of time integrals over one period alone."""
_POWERS = {
    1: "active_power_import",
    2: "active_power_export",
    3: "reactive_power",
    9: "apparent_power",
    16: "active_power",
}
_OF_REGISTERS = {
    "active_energy_import_wh": "active_power_import_w",
    "active_energy_export_wh": "active_power_export_w",
}
_POWER_OF_ENERGY = {"Wh": "W", "kWh": "kW", "varh": "var", "kvarh": "kvar", "VAh": "VA", "kVAh": "kVA"}


def period_quantity(code: ObisCode) -> str | None:
    """Quantity of a column that is made of a whole period; None for a column that is a register or a moment."""
    if code.a not in (None, 1) or not isinstance(code.c, int) or code.e not in (None, 0, 255):
        return None
    return _POWERS.get(code.c) if code.d in MEANS or code.d in SHARES else None


class ProfileMeasurements:
    """Turns rows into measurements, part after part: the row before is remembered for its registers."""

    def __init__(self, columns: Sequence[ProfileColumn], period_s: float) -> None:
        self._columns = [(column, _groups(column)) for column in columns]
        self._period_s = period_s
        self._before: tuple[float, Measurement] | None = None

    def of_rows(self, rows: Iterable[ProfileRow]) -> tuple[tuple[float, Measurement], ...]:
        """What the rows with a time say, in their order."""
        found = []
        for row in rows:
            if row.time_s is None:
                continue
            measurement = measurement_of(self._readings(row))
            if measurement is None:
                continue
            full = self._with_powers(row.time_s, measurement)
            self._before = row.time_s, measurement
            found.append((row.time_s, full))
        return tuple(found)

    def _readings(self, row: ProfileRow) -> Iterable[Reading]:
        for (column, code), value in zip(self._columns, row.values, strict=True):
            if value is None or isinstance(value, str) or code is None:
                continue
            quantity, unit, number = column.quantity, column.unit, value
            of_period = period_quantity(code)
            if of_period is not None:
                quantity = of_period
                if code.d in SHARES:
                    if not self._period_s or unit not in _POWER_OF_ENERGY:
                        continue
                    unit, number = _POWER_OF_ENERGY[unit], value * 3600.0 / self._period_s
            if quantity is not None:
                yield Reading(
                    obis=column.obis,
                    quantity=quantity,
                    value=number,
                    unit=unit,
                    time=row.time,
                    quality=quality_of(quantity, number),
                )

    def _with_powers(self, time_s: float, measurement: Measurement) -> Measurement:
        """Mean powers by the difference of registers, where the meter gives none and the row before is near."""
        before = self._before
        if before is None or (self._period_s and time_s - before[0] > 1.5 * self._period_s) or time_s <= before[0]:
            return measurement
        hours = (time_s - before[0]) / 3600.0
        powers: dict[str, float] = {}
        for register, field in _OF_REGISTERS.items():
            last, now = getattr(before[1], register), getattr(measurement, register)
            if last is not None and now is not None and now >= last and getattr(measurement, field) is None:
                powers[field] = (now - last) / hours
        if not powers:
            return measurement
        if measurement.active_power_w is None and "active_power_import_w" in powers:
            powers["active_power_w"] = powers["active_power_import_w"] - powers.get("active_power_export_w", 0.0)
        return replace(measurement, **powers)


def _groups(column: ProfileColumn) -> ObisCode | None:
    try:
        return ObisCode.parse(column.obis)
    except RemoteProtocolError:
        return None
