"""From the data sets of IEC 62056-21 to readings: which quantity, which number, which unit, whose clock.

A value is a number where a unit was sent, or where its code is a known quantity; else it is a text. A billing
period (`*F`) never counts as the live value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby

from core.errors import RemoteProtocolError
from core.language import _
from core.meter.e450 import IDENTITY_LIMIT, quantity_of
from core.meter.measurement import measurement_of
from core.meter.quality import quality_of, worse
from core.obis import ObisCode
from core.protocol.data_sets import (
    Check,
    DataSet,
    Telegram,
)
from core.records import MeterIdentity, MeterReadings, Quality, Reading

PROTOCOL = "iec62056-21"

SIMULATED_TEXT = "SIMULATED"
"""What the identification of a simulated meter begins with, behind manufacturer and speed."""

_NUMBER = re.compile(r"\s*[+-]?\d{1,30}(\.\d{0,30})?\s*$|\s*[+-]?\.\d{1,30}\s*$")
_UNIT = re.compile(r"[^\W\d_]|[%°]")
_COMPACT_TIME = re.compile(r"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?[SWUMN]?$")
_WRITTEN_TIME = re.compile(r"(?:20)?(\d\d)-(\d\d)-(\d\d)[ &T](\d\d):(\d\d)(?::(\d\d))?$")
_OBIS_OF_M_BUS = re.compile(r"\d-\d{1,2}:\d+\.\d+\.\d+$")
_SERIAL_NUMBERS = ("0.0.0", "C.1.0", "C.1", "96.1.0", "96.1.1", "0.0", "9.21")


def readings_of_data_sets(
    telegram: Telegram, *, name: str | None = None, time_s: float | None = None, protocol: str = PROTOCOL
) -> MeterReadings:
    """Everything that `telegram` says; with no readings and the reason in `errors` where it was rejected.

    `name` is the meter's name in the console; None takes its serial number, else what it identifies itself with.
    """
    error = telegram.error or reported_error(telegram)
    if error is not None:
        return MeterReadings(
            name=name or "",
            protocol=protocol,
            meter=MeterIdentity(),
            time_s=time_s,
            readings=(),
            errors=(str(error),),
        )
    errors = list(telegram.notes)
    quality = Quality.GOOD if telegram.check in (Check.BCC, Check.CRC16) else Quality.WARNING
    if telegram.check is Check.NONE and telegram.data_sets:  # mode D, P1 before version 4
        errors.append(_("nothing vouches for these values: telegrams of this meter carry no check"))
    clock = _meter_clock(telegram.data_sets)
    readings: list[Reading] = []
    for _address, group in groupby(_with_first_positions(telegram.data_sets), key=lambda pair: pair[0]):
        readings += _readings_of([data_set for _number, data_set in group], clock, quality, errors)
    identification = telegram.identification
    serial_number = _serial_number(telegram.data_sets)
    meter = MeterIdentity(
        manufacturer=identification.manufacturer if identification else None,
        model=(identification.text or None) if identification else None,
        serial_number=serial_number,
    )
    return MeterReadings(
        name=name or serial_number or meter.model or "",
        protocol=protocol,
        meter=meter,
        time_s=time_s,
        readings=tuple(readings),
        errors=tuple(errors),
        is_simulated=identification is not None and identification.text.startswith(SIMULATED_TEXT),
        measurement=measurement_of(readings),
    )


def reported_error(telegram: Telegram) -> RemoteProtocolError | None:
    """What the meter says where it refuses: a data message of `(ERxx)` alone (IEC 62056-21, 6.3.13)."""
    if len(telegram.data_sets) == 1 and not telegram.data_sets[0].address:
        text = telegram.data_sets[0].value
        if text.startswith("ER"):
            return RemoteProtocolError(_("the meter reports an error: {text}").format(text=text[:40]))
    return None


def _with_first_positions(data_sets: Sequence[DataSet]) -> Iterable[tuple[int, DataSet]]:
    """Each data set with a number that all values behind one sent address share."""
    number = 0
    for data_set in data_sets:
        number += data_set.position == 0
        yield number, data_set


def _readings_of(
    values: Sequence[DataSet], clock: str | None, quality: Quality, errors: list[str]
) -> Iterable[Reading]:
    """Readings of all values behind one address: a time of capture is laid upon its value."""
    address = values[0].address
    quantity, is_live = _quantity(address)
    if len(values) == 1:
        return [_reading(values[0], quantity, clock if is_live else None, quality, errors)]
    if len(values) >= 7 and _OBIS_OF_M_BUS.match(values[-3].value):
        # P1 before DSMR 4: (time)(status)(period)(count)(code)(unit) and the value on the next line
        found = DataSet(address, values[-1].value, values[-2].value)
        return [_reading(found, quantity, iso_meter_time(values[0].value), quality, errors)]
    if len(values) == 2 and _is_time(values[1].value) and not _is_time(values[0].value):
        # a maximum and when it was reached
        return [_reading(values[0], quantity, iso_meter_time(values[1].value), quality, errors)]
    readings: list[Reading] = []
    captured = None
    for data_set in values:
        if _is_time(data_set.value) and data_set is not values[-1] and not data_set.unit:
            captured = iso_meter_time(data_set.value)
            continue
        readings.append(_reading(data_set, quantity if not readings else None, captured or clock, quality, errors))
    return readings


def _reading(data_set: DataSet, quantity: str | None, time: str | None, quality: Quality, errors: list[str]) -> Reading:
    text, unit = data_set.value, data_set.unit or None
    value: float | int | str | None = text
    if unit is not None or quantity is not None:
        if _NUMBER.match(text):
            value = float(text) if "." in text else int(text)
        elif not text.strip():
            value = None
        elif unit is not None and quantity is None and not _UNIT.match(unit):
            value = text = f"{text}*{unit}"  # the name of a firmware may hold a star
            unit = None
        else:
            quantity = None
            quality = Quality.WARNING
            errors.append(_("{code}: “{text}” is not a number").format(code=data_set.address, text=text[:40]))
    elif _is_clock(data_set.address):
        value = (iso_meter_time(text) or text).replace("T", " ")
    return Reading(
        obis=data_set.address or None,
        quantity=quantity,
        value=value,
        raw=value if isinstance(value, (int, float)) else text,
        unit=unit,
        time=time,
        quality=worse(quality, quality_of(quantity, value)),
        scaler_source="meter" if unit is not None and value is not None else None,
    )


def _quantity(address: str) -> tuple[str | None, bool]:
    """Quantity of a code, and whether it is a live value rather than one of a billing period."""
    if "&" in address:
        return None, False
    try:
        code = ObisCode.parse(address)
    except RemoteProtocolError:
        return None, True  # an address of the meter's own, such as 3:14 of gas correctors: kept as it is
    if code.f not in (None, 255):
        return None, False
    if code.a not in (None, 1):
        return None, True
    return quantity_of(code), True


def _is_clock(address: str) -> bool:
    return address.endswith("0-0:1.0.0") or address == "0-0:1.0.0*255"


def _is_time(text: str) -> bool:
    return iso_meter_time(text) is not None


def iso_meter_time(text: str) -> str | None:
    """A meter's own local time in ISO 8601 without zone (it names none); None where `text` is no time.

    Forms: `YYMMDDhhmm[ss]` with the season letter of P1, `[20]YY-MM-DD hh:mm[:ss]`.
    """
    match = _COMPACT_TIME.match(text) or _WRITTEN_TIME.match(text)
    if match is None:
        return None
    year, month, day, hour, minute = (int(match[number]) for number in range(1, 6))
    second = int(match[6] or 0)
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 60):
        return None
    return f"20{year:02}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"


def _meter_clock(data_sets: Sequence[DataSet]) -> str | None:
    """The meter's clock: 0-0:1.0.0 of P1, else time 0.9.1 and date 0.9.2, as ISO 8601 where they can be."""
    date = time = None
    for data_set in data_sets:
        address = data_set.address.removeprefix("1-0:").removeprefix("0-0:").removesuffix("*255")
        if address == "1.0.0" and _is_clock(data_set.address):
            return iso_meter_time(data_set.value) or data_set.value or None
        if address == "0.9.1":
            time = data_set.value
        elif address == "0.9.2":
            date = data_set.value
        elif address == "0.9.4":
            return iso_meter_time(data_set.value) or data_set.value or None
    if not date or not time:
        return None
    digits = [re.sub(r"\D", "", text) for text in (date, time)]
    return iso_meter_time(digits[0][-6:] + digits[1][-6:]) or f"{date} {time}"


def _serial_number(data_sets: Sequence[DataSet]) -> str | None:
    found: dict[str, str] = {}
    for data_set in data_sets:
        prefix, _colon, code = data_set.address.rpartition(":")
        code = code.removesuffix("*255")
        if code in _SERIAL_NUMBERS and prefix in ("", "1-0", "0-0") and data_set.value.strip("0 "):
            found.setdefault(code, _as_text(data_set.value) if code.startswith("96") else data_set.value)
    return next((found[code][:IDENTITY_LIMIT] for code in _SERIAL_NUMBERS if code in found), None)


def _as_text(value: str) -> str:
    """P1 writes equipment identifiers as hexadecimal octets of text; anything else stays as it is."""
    if len(value) % 2 == 0 and re.fullmatch(r"(?:[2-7][0-9A-Fa-f])+", value):
        text = bytes.fromhex(value).decode("ascii", "replace").strip()
        if len(text) >= 4 and text.isalnum():
            return text
    return value
