"""Energy registers only rise: one that falls, or tariffs above their total, is told and flagged, never dropped.

A register that has come round to zero (99,999.9 kWh, or 32 bits) is told as that; so is one that rises faster than any
meter of a site counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from msgspec.structs import replace

from core.counters import has_come_round, is_too_fast
from core.language import _
from core.meter.quality import worse
from core.records import MeterReadings, Quality, Reading

_REGISTERS_KEPT = 256
_UNITS = {"Wh": 1.0, "kWh": 1e3, "MWh": 1e6, "varh": 1.0, "kvarh": 1e3, "Mvarh": 1e6}


class RegisterWatch:
    """Follows the energy registers of meters, each by its name, from telegram to telegram."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], float] = {}
        self._times: dict[str, float] = {}

    def checked(self, telegram: MeterReadings) -> MeterReadings:
        """`telegram` with its doubtful registers flagged and told; itself where there are none."""
        doubtful: dict[str, str] = {}
        totals: dict[str, Reading] = {}
        elapsed_s = self._elapsed(telegram)
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
            elif last is not None and _is_too_fast(reading, raw - last, elapsed_s):
                doubtful[code] = _(
                    "{code} has risen from {last} to {value} in {seconds} s; no meter counts so fast"
                ).format(code=code, last=f"{last:.15g}", value=f"{raw:.15g}", seconds=f"{elapsed_s:.3g}")
            if last is not None or len(self._last) < _REGISTERS_KEPT:
                self._last[telegram.name, code] = raw
            totals.setdefault(reading.quantity, reading)
        _check_tariffs(totals, doubtful)
        return telegram if not doubtful else _flagged(telegram, doubtful)

    def _elapsed(self, telegram: MeterReadings) -> float | None:
        """Seconds since the telegram before; None where that is not known, or no time has passed."""
        before_s, now_s = self._times.get(telegram.name), telegram.time_s
        if now_s is not None and (before_s is not None or len(self._times) < _REGISTERS_KEPT):
            self._times[telegram.name] = now_s
        return None if before_s is None or now_s is None or now_s <= before_s else now_s - before_s


def _is_too_fast(reading: Reading, rise: float, elapsed_s: float | None) -> bool:
    """True where a register of `reading` cannot have risen by so many of its raw counts."""
    value, raw = reading.value, reading.raw
    factor = _UNITS.get(reading.unit or "")
    if elapsed_s is None or factor is None or not isinstance(value, (int, float)) or not isinstance(raw, (int, float)):
        return False
    count = value / raw if raw else 1.0  # what one count of the register is worth
    return is_too_fast(rise * count * factor, elapsed_s)


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
