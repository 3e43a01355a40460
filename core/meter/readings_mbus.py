"""From a telegram of M-Bus to readings: values in the standard's units, a code where OMS gives one, else a label.

A code is given where exactly one record of the telegram can be meant by it (OMS Specification volume 2, annex A); of
several alike, such as the powers of three phases without their phase, none gets it. A label is unique within its
telegram: quantity, unit, then whatever distinguishes it from the plain current value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from core.language import N_, _
from core.meter.e450 import quantity_of
from core.meter.measurement import measurement_of
from core.meter.quality import quality_of, worse
from core.obis import ObisCode
from core.protocol.mbus_records import Function, MbusRecord, RecordHead
from core.protocol.mbus_telegram import MEDIA, MbusHeader, MbusTelegram
from core.protocol.mbus_vif import RECORD_ERRORS, Kind
from core.records import MeterIdentity, MeterReadings, Quality, Reading

PROTOCOL = "mbus"
SIMULATED_MAKER = "SIM"
"""Manufacturer of the simulated M-Bus meters; whatever carries it is labelled simulated."""

_ELECTRICITY, _GAS, _COOLING, _HEAT = 0x02, 0x03, (0x0A, 0x0B), (0x04, 0x0C, 0x0D)
_COLD_WATER, _WARM_WATER, _ALLOCATOR = (0x07, 0x16), (0x06, 0x15), 0x08
_SLUGS = {"m³": "m3", "°C": "c", "°F": "f", "°": "degrees", "%": "percent", "ft³": "ft3"}
_PHASE_STEP = 20
_MOST_PROBLEMS = 20

_APPLICATION_STATUS = {
    1: N_("the meter says that its application is busy"),
    2: N_("the meter says that its application has an error"),
    3: N_("the meter reports an abnormal condition"),
}


def readings_of_mbus(telegram: MbusTelegram, *, name: str | None = None, time_s: float | None = None) -> MeterReadings:
    """Everything that `telegram` says; `name` is the meter's name in the console, None takes its identification."""
    header = telegram.header
    errors: list[str] = []
    least = _status(header.status, errors)
    medium = header.medium
    named = [_named(record.head, medium) for record in telegram.records]
    codes = _codes(telegram.records, named)
    times = _times(telegram.records)
    clock = times.get(0)
    labels: dict[str, int] = {}
    readings: list[Reading] = []
    for record, name_of, code in zip(telegram.records, named, codes, strict=True):
        head = record.head
        value = record.value
        is_number = isinstance(value, (int, float))
        quality = least
        quantity = label = None
        if record.is_doubtful or head.error is not None:
            quality = Quality.ERROR if head.error is not None or head.kind is Kind.NUMBER else Quality.WARNING
            if len(errors) < _MOST_PROBLEMS:
                errors.append(_problem(record))
        elif code is not None:
            quantity = name_of.quantity
            if quantity is not None and is_number:
                quality = worse(quality, quality_of(quantity, value))
        if code is None:
            label = name_of.label
            count = labels[label] = labels.get(label, 0) + 1
            if count > 1:
                label = f"{label}_{count}"
        unit = head.unit
        readings.append(
            Reading(
                obis=code,
                quantity=quantity,
                value=value,
                raw=record.raw,
                unit=unit,
                time=times.get(head.storage, clock) if times else None,
                quality=quality,
                scaler_source="meter" if is_number and unit is not None else None,
                label=label,
            )
        )
    if telegram.manufacturer_data:
        readings.append(
            Reading(
                obis=None,
                quantity=None,
                value=telegram.manufacturer_data.hex(" ").upper(),
                time=clock,
                quality=least,
                label="manufacturer_data",
            )
        )
    if telegram.alarm is not None:
        readings.append(Reading(obis=None, quantity=None, value=telegram.alarm, raw=telegram.alarm, label="alarm_bits"))
        if telegram.alarm:
            errors.append(_("the meter reports an alarm: {bits:#04x}").format(bits=telegram.alarm))
    meter = identity_of(header)
    return MeterReadings(
        name=name or meter.serial_number or "",
        protocol=PROTOCOL,
        meter=meter,
        time_s=time_s,
        readings=tuple(readings),
        errors=tuple(errors),
        is_simulated=header.manufacturer == SIMULATED_MAKER,
        measurement=measurement_of(readings) if medium == _ELECTRICITY else None,
    )


def identity_of(header: MbusHeader) -> MeterIdentity:
    """Who speaks: the three letters, version and medium as model, the identification as number."""
    if header.medium is None:
        return MeterIdentity(serial_number=header.identification or None)
    medium = MEDIA.get(header.medium)
    words = [_(medium) if medium is not None else _("medium {code:#04x}").format(code=header.medium)]
    if header.version is not None:
        words.append(_("version {version}").format(version=header.version))
    letters = header.manufacturer
    return MeterIdentity(
        manufacturer=letters if letters.isalpha() else None,
        model=", ".join(words),
        serial_number=header.identification or None,
    )


class _Named(NamedTuple):
    """What a header of a record is called: the code that OMS may give it, its quantity, its label."""

    code: str | None
    quantity: str | None
    label: str


_NAMES_LIMIT = 4096
_names: dict[tuple[bytes, int | None], _Named] = {}


def _named(head: RecordHead, medium: int | None) -> _Named:
    """Worked out once for each header that comes in octets: the same few come again and again."""
    key = (head.octets, medium)
    found = _names.get(key)
    if found is None or not head.octets:
        code = None if medium is None else _code(head, medium)
        found = _Named(code, None if code is None else quantity_of(ObisCode.parse(code)), label_of(head))
        if len(_names) >= _NAMES_LIMIT:
            _names.clear()
        _names[key] = found
    return found


def label_of(head: RecordHead) -> str:
    """Name of a record: quantity, VIFE words, unit, function, storage, tariff and subunit where they are not plain."""
    parts = [head.quantity, *head.words]
    if head.unit is not None:
        parts.append(_slug(head.unit))
    if head.function is not Function.CURRENT:
        parts.append({Function.MAXIMUM: "max", Function.MINIMUM: "min"}.get(head.function, "in_error"))
    if head.storage:
        parts.append(f"storage_{head.storage}")
    if head.tariff:
        parts.append(f"tariff_{head.tariff}")
    if head.subunit:
        parts.append(f"subunit_{head.subunit}")
    return "_".join(part for part in parts if part)


def _slug(text: str) -> str:
    """A unit (or the plain text of a meter) in letters, digits and underscores."""
    text = "/".join(_SLUGS.get(part, part) for part in text.split("/"))
    for sign, word in (("/", "_per_"), ("·", "_"), ("%", "percent_"), ("³", "3"), ("²", "2")):
        text = text.replace(sign, word)
    return "".join(letter if letter.isalnum() else "_" for letter in text.lower()).strip("_")[:40]


def _codes(records: Sequence[MbusRecord], named: Sequence[_Named]) -> list[str | None]:
    """The code of each record, None for those that have none or share theirs."""
    found = [name.code for name in named]
    there = [code for code in found if code is not None]
    if len(set(there)) == len(there):
        return found
    alike: dict[str, list[int]] = {}
    for index, code in enumerate(found):
        if code is not None:
            alike.setdefault(code, []).append(index)
    for places in alike.values():
        if len(places) > 1:
            # the same number in two units is one quantity; the same header twice is two that are not told apart
            is_one = len({records[index].value for index in places}) == 1
            is_one = is_one and len({records[index].head.octets for index in places}) == len(places)
            for index in places[1 if is_one else 0 :]:
                found[index] = None
    return found


def _code(head: RecordHead, medium: int) -> str | None:
    """The code of OMS for a live value of that medium, None where it gives none."""
    if head.function is not Function.CURRENT or head.storage or head.subunit or head.error is not None:
        return None
    if head.kind is Kind.DATE_TIME and head.quantity == "date_time" and not head.words and not head.tariff:
        return "0-0:1.0.0*255"
    if medium == _ELECTRICITY:
        return _electricity(head)
    if head.tariff:
        return None
    base = head.words == ("base_conditions",)
    if medium == _GAS and head.quantity == "volume" and head.unit == "m³" and (base or not head.words):
        return "7-0:3.2.0*255" if base else "7-0:3.0.0*255"
    if head.words:
        return None
    if medium in _HEAT or medium in _COOLING:
        number = _THERMAL.get(head.quantity)
        return None if number is None else f"{6 if medium in _HEAT else 5}-0:{number}.0.0*255"
    if medium in _COLD_WATER or medium in _WARM_WATER:
        number = {"volume": 1, "volume_flow": 2}.get(head.quantity)
        return None if number is None else f"{8 if medium in _COLD_WATER else 9}-0:{number}.0.0*255"
    if medium == _ALLOCATOR and head.quantity == "heat_cost_allocation":
        return "4-0:1.0.0*255"
    return None


_THERMAL = {
    "energy": 1, "volume": 2, "power": 8, "volume_flow": 9, "flow_temperature": 10, "return_temperature": 11,
    "temperature_difference": 12,
}  # fmt: skip

_REGISTERS = {"energy": (1, 2, 8), "reactive_energy": (3, 4, 8), "apparent_energy": (9, 10, 8)}
_POWERS = {"power": (1, 2, 7), "reactive_power": (3, 4, 7), "apparent_power": (9, 10, 7)}
_PER_PHASE = {"current": 11, "voltage": 12}


def _electricity(head: RecordHead) -> str | None:
    """A code of electricity: the direction by the VIFEs of accumulation, the phase by that of the phase."""
    words = set(head.words)
    is_export = "backward" in words
    phase = head.phase
    if (
        len(head.words) != len(words)
        or words - {"forward", "backward", f"l{phase}"}
        or {"forward", "backward"} <= words
    ):
        return None
    groups = _REGISTERS.get(head.quantity)
    if groups is not None:
        if head.unit not in ("Wh", "varh", "VAh") or head.tariff > 63:
            return None
        return f"1-0:{groups[is_export] + _PHASE_STEP * phase}.{groups[2]}.{head.tariff}*255"
    if head.tariff:
        return None
    groups = _POWERS.get(head.quantity)
    if groups is not None:
        return f"1-0:{groups[is_export] + _PHASE_STEP * phase}.7.0*255" if head.unit != "J/h" else None
    if head.quantity in _PER_PHASE and phase and not is_export:
        return f"1-0:{_PER_PHASE[head.quantity] + _PHASE_STEP * phase}.7.0*255"
    if head.quantity == "frequency" and not words:
        return "1-0:14.7.0*255"
    return None


def _times(records: Sequence[MbusRecord]) -> dict[int, str]:
    """The meter's own time by storage number: the clock for live values, the moment of storing for the others."""
    times: dict[int, str] = {}
    for record in records:
        head = record.head
        if head.kind is Kind.NUMBER:
            continue
        if (
            head.quantity in ("date_time", "date")
            and not head.words
            and not record.is_doubtful
            and head.function is Function.CURRENT
            and isinstance(record.value, str)
            and (head.storage or "T" in record.value)
        ):
            times.setdefault(head.storage, record.value)
    return times


def _status(status: int, errors: list[str]) -> Quality:
    """What the status octet says, for the user, and what that makes of every value (EN 13757-3, 5.10)."""
    if not status & 0x1F:
        return Quality.GOOD
    quality = Quality.GOOD
    application = _APPLICATION_STATUS.get(status & 3)
    if application is not None:
        errors.append(_(application))
        quality = Quality.WARNING
    if status & 0x04:
        errors.append(_("the meter says that its power is low"))
    if status & 0x08:
        errors.append(_("the meter reports a permanent error"))
        quality = Quality.ERROR
    if status & 0x10:
        errors.append(_("the meter reports a temporary error"))
        quality = worse(quality, Quality.WARNING)
    return quality


def _problem(record: MbusRecord) -> str:
    head = record.head
    if head.error is not None:
        reason = RECORD_ERRORS.get(head.error, f"{head.error:#04x}")
        return _("{label}: the meter gives no value ({reason})").format(label=label_of(head), reason=reason)
    return _("{label}: “{value}” is no sound value").format(label=label_of(head), value=record.raw)
