"""The past of a simulated E450, as if it had been read all the time: for a history that would be empty otherwise."""

from __future__ import annotations

import math
from collections.abc import Iterator

from core.meter.virtual_e450 import DAY_S, VirtualE450, VirtualMoment
from core.records import Measurement, MeterIdentity, MeterReadings

HOUR_S = 3600
PERIODS = ((HOUR_S + 300, 1), (DAY_S + HOUR_S, 60), (8 * DAY_S, 300), (36 * DAY_S, 900), (400 * DAY_S, HOUR_S))
"""So far back from now there is a reading every so many seconds: as fine as a curve of that range is drawn."""

BATCH_READINGS = 1000


def simulated_past(
    name: str, until_s: float, *, seed: int = 1, periods: tuple[tuple[int, int], ...] = PERIODS
) -> Iterator[list[MeterReadings]]:
    """Readings of the meter called `name` before `until_s`, marked simulated: batches, the newest first, each in order.

    The counters go on into those of the simulated meter of the same `seed`.
    """
    meter = VirtualE450(seed)
    latest_s = until_s
    for back_s, period_s in periods:
        times = range(
            math.ceil((until_s - back_s) / period_s) * period_s, math.ceil(latest_s / period_s) * period_s, period_s
        )
        if not times:
            continue
        latest_s = times[0]
        for end in range(len(times), 0, -BATCH_READINGS):
            batch = times[max(0, end - BATCH_READINGS) : end]
            yield [_reading(name, meter.moment(float(time_s))) for time_s in batch]


def _reading(name: str, now: VirtualMoment) -> MeterReadings:
    return MeterReadings(
        name=name,
        protocol="push",
        meter=MeterIdentity(),
        time_s=now.time_s,
        readings=(),
        is_simulated=True,
        measurement=_measurement(now),
    )


def _measurement(now: VirtualMoment) -> Measurement:
    """What a push of it says, each value with the digits that it has there."""
    volts = [round(value, 1) for value in now.voltage_v]
    amperes = [round(value, 2) for value in now.current_a]
    phases = [float(round(value)) for value in now.active_power_w]
    power_w = float(round(now.power_w))
    return Measurement(
        active_power_w=power_w,
        active_power_import_w=max(0.0, power_w),
        active_power_export_w=max(0.0, -power_w),
        active_power_l1_w=phases[0],
        active_power_l2_w=phases[1],
        active_power_l3_w=phases[2],
        reactive_power_var=float(round(now.reactive_var)),
        apparent_power_va=float(round(now.apparent_va)),
        voltage_l1_v=volts[0],
        voltage_l2_v=volts[1],
        voltage_l3_v=volts[2],
        current_l1_a=amperes[0],
        current_l2_a=amperes[1],
        current_l3_a=amperes[2],
        power_factor=round(now.power_factor, 3),
        frequency_hz=round(now.frequency_hz, 3),
        active_energy_import_wh=float(round(now.energy_import_wh)),
        active_energy_export_wh=float(round(now.energy_export_wh)),
        reactive_energy_import_varh=float(round(now.reactive_import_varh)),
        reactive_energy_export_varh=float(round(now.reactive_export_varh)),
        active_energy_import_t1_wh=float(round(now.import_by_tariff_wh[0])),
        active_energy_import_t2_wh=float(round(now.import_by_tariff_wh[1])),
    )
