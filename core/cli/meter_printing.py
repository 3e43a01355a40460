"""What `meter read` and `watch` print: the JSON document that other programs rely on, tables for people."""

from __future__ import annotations

import sys

from core.cli.output import local_time, measured, print_json, print_table, print_text
from core.language import _
from core.meter_records import RegisterValue
from core.records import MeterIdentity, MeterReadings, Reading
from core.times import iso_time

NOTHING: dict[str, object] = {
    "protocol": None,
    "meter": {"manufacturer": None, "model": None, "serial_number": None},
    "time": None,
    "readings": [],
    "errors": [],
}


def print_readings(readings: MeterReadings, is_json: bool) -> None:
    """One telegram, or one reading."""
    if is_json:
        print_json(document(readings))
        return
    print_who(readings.protocol, readings.meter, readings.name, readings.time_s, is_simulated=readings.is_simulated)
    if readings.readings:
        print_table(
            [_("code"), _("quantity"), _("value"), _("unit")],
            [(code_of(one), one.quantity, _shown(one), one.unit) for one in readings.readings],
        )
    sys.stdout.flush()


def print_who(
    protocol: str | None, meter: MeterIdentity, name: str, time_s: float | None, *, is_simulated: bool
) -> None:
    """A line for people: when, how, who."""
    who = " ".join(part for part in (meter.manufacturer, meter.model, meter.serial_number) if part) or name
    words = [local_time(time_s), protocol or "", who, _("simulated") if is_simulated else ""]
    print_text("  ".join(word for word in words if word))


def print_registers(registers: list[RegisterValue], *, is_first: bool) -> None:
    """Registers as they come, for people; the columns stay where they are from part to part."""
    widths = (22, 16, 8)
    headers = [_("code"), _("value"), _("unit"), _("what it is")]
    rows = [
        (one.code, one.reading.value, one.reading.unit, one.reading.quantity or one.about or one.reading.label)
        for one in registers
        if one.reading is not None
    ]
    for row in [headers, *rows] if is_first else rows:
        cells = ["-" if cell is None else str(measured(cell)) if isinstance(cell, float) else str(cell) for cell in row]
        cells = ["".join(letter if letter.isprintable() else " " for letter in cell) for cell in cells]
        padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=False)]
        print_text("  ".join([*padded, cells[-1]]).rstrip())
    sys.stdout.flush()


def code_of(reading: Reading) -> str | None:
    """What stands for a reading in a table."""
    return reading.obis or reading.label


def document(readings: MeterReadings) -> dict[str, object]:
    """The JSON that other programs rely on."""
    return {
        "protocol": readings.protocol,
        "meter": {
            "manufacturer": readings.meter.manufacturer,
            "model": readings.meter.model,
            "serial_number": readings.meter.serial_number,
        },
        "time": iso_time(readings.time_s),
        "readings": [
            {
                "obis": one.obis,
                "quantity": one.quantity or one.label,
                "value": one.value,
                "raw": one.raw,
                "unit": one.unit,
                "time": one.time,
                "quality": one.quality.value,
            }
            for one in readings.readings
        ],
        "errors": list(readings.errors),
    }


def _shown(reading: Reading) -> object:
    value = reading.value
    return measured(value) if isinstance(value, float) else value
