"""Energy registers only rise: one that falls, or tariffs above their total, is told and flagged, never dropped.

A register that has come round to zero (99,999.9 kWh, or 32 bits) is told as that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from msgspec.structs import replace

from core.counters import has_come_round
from core.language import _
from core.meter.quality import worse
from core.records import MeterReadings, Quality, Reading

_REGISTERS_KEPT = 256


class RegisterWatch:
    """Follows the energy registers of meters, each by its name, from telegram to telegram."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], float] = {}

    def checked(self, telegram: MeterReadings) -> MeterReadings:
        """`telegram` with its doubtful registers flagged and told; itself where there are none."""
        doubtful: dict[str, str] = {}
        totals: dict[str, Reading] = {}
        seen: set[str] = set()
        for reading in telegram.readings:
            code, raw = reading.obis, reading.raw
            if code is None or reading.quantity is None or "energy" not in reading.quantity:
                continue
            if not isinstance(raw, (int, float)) or not math.isfinite(raw) or code in seen:
                continue
            seen.add(code)
            last = self._last.get((telegram.name, code))
            if last is not None and raw < last:
                doubtful[code] = (
                    _("{code} has come round: {last} before, {value} now")
                    if has_come_round(last, raw)
                    else _("{code} has fallen from {last} to {value}; energy registers only rise")
                ).format(code=code, last=f"{last:.15g}", value=f"{raw:.15g}")
            if last is not None or len(self._last) < _REGISTERS_KEPT:
                self._last[telegram.name, code] = raw
            totals.setdefault(reading.quantity, reading)
        _check_tariffs(totals, doubtful)
        return telegram if not doubtful else _flagged(telegram, doubtful)


def _check_tariffs(registers: dict[str, Reading], doubtful: dict[str, str]) -> None:
    """Tariffs may add up to less than their total (not all need be sent), never to more than rounding allows."""
    for quantity, total in registers.items():
        tariffs = [registers[name] for number in range(1, 5) if (name := f"{quantity}_t{number}") in registers]
        if not tariffs or total.obis is None or not isinstance(total.raw, (int, float)):
            continue
        if any(tariff.unit != total.unit for tariff in tariffs):
            continue
        numbers = [tariff.raw for tariff in tariffs if isinstance(tariff.raw, (int, float))]
        count = 1.0 if all(number == int(number) for number in (*numbers, total.raw)) else 0.1
        if sum(numbers) > total.raw + len(numbers) * count:
            doubtful.setdefault(
                total.obis,
                _("the tariffs of {code} add up to {sum}, more than its {total}").format(
                    code=total.obis, sum=f"{sum(numbers):.15g}", total=f"{total.raw:.15g}"
                ),
            )


def _flagged(telegram: MeterReadings, doubtful: dict[str, str]) -> MeterReadings:
    def flag(readings: Iterable[Reading]) -> Iterable[Reading]:
        for reading in readings:
            if reading.obis in doubtful and reading.quantity is not None:
                reading = replace(reading, quality=worse(reading.quality, Quality.WARNING))
            yield reading

    measurement = telegram.measurement
    if measurement is not None:
        measurement = replace(measurement, quality=worse(measurement.quality, Quality.WARNING))
    return replace(
        telegram,
        readings=tuple(flag(telegram.readings)),
        errors=(*telegram.errors, *doubtful.values()),
        measurement=measurement,
    )
