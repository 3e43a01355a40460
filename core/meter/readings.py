"""From a pushed telegram to readings: which quantity, which number, which unit, whose scaler, whose clock.

A scaler comes from the meter where it sends one, else from a preset (the user's or ours); without either the number
is published as it came, without a unit. Unknown codes are kept. A value without any code keeps `obis` None.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from core.language import _
from core.meter.clock import clock_of
from core.meter.e450 import IDENTITY_LIMIT, SIMULATED_NAME, SIMULATED_TITLE, family_of, quantity_of, unit_text
from core.meter.measurement import measurement_of
from core.meter.presets import Preset, Presets, UnitOf, load_presets
from core.meter.push_entries import Entry, entries_of, is_logical_name
from core.meter.quality import VOLTAGE_PLAUSIBLE_V, quality_of, worse
from core.obis import ObisCode
from core.protocol.apdu import Notification
from core.protocol.axdr import Value
from core.protocol.ciphering import title_text
from core.protocol.push import PushTelegram
from core.records import MeterIdentity, MeterReadings, Quality, Reading

PROTOCOL = "push"

_TEXT_LIMIT = 512
_PLAUSIBLE = {"voltage": VOLTAGE_PLAUSIBLE_V, "frequency": (45.0, 65.0)}
_TAGGED_CLOCK = "KFM_"
"""Kaifa's Norwegian meters write the clock of a notification as a tagged octet-string; their list 1 names nothing."""


class _Known(NamedTuple):
    """What a code means, worked out once."""

    code: ObisCode
    text: str
    quantity: str | None
    family: str | None
    is_clock: bool
    is_watched: bool
    """True where a value that is not negative can still be out of the ordinary."""


@lru_cache(maxsize=4096)
def _known(octets: bytes) -> _Known:
    code = ObisCode.from_octets(octets)
    is_clock = code.a == 0 and code.cde == (1, 0, 0)
    family = family_of(code)
    return _Known(code, str(code), quantity_of(code), family, is_clock, family in _PLAUSIBLE)


@lru_cache(maxsize=1024)
def _octets(code: str) -> bytes:
    parsed = ObisCode.parse(code)
    groups = (parsed.a, parsed.b, parsed.c, parsed.d, parsed.e, parsed.f)
    return bytes(group if isinstance(group, int) else 255 if place == 5 else 0 for place, group in enumerate(groups))


def readings_of_push(
    telegram: PushTelegram,
    *,
    name: str | None = None,
    time_s: float | None = None,
    preset: Preset | None = None,
    presets: Presets | None = None,
    identity: MeterIdentity | None = None,
    factors_told: set[tuple[str, int]] | None = None,
) -> MeterReadings:
    """Everything that `telegram` says.

    `preset` is the one the user has chosen; None takes the one that the meter's identification names. `identity` is
    what the same meter said of itself before, since not every telegram says it. `name` is the meter's name in the
    console; None takes its serial number, else its system title. `factors_told`, kept by the caller from telegram to
    telegram of one meter, makes the choice of a factor told once.
    """
    errors = list(telegram.warnings)
    found = [_notification_entries(notification, errors) for notification in telegram.notifications]
    texts = _texts(telegram, found)
    if preset is None:
        known_as = () if identity is None or identity.manufacturer is None else (identity.manufacturer,)
        presets = presets or load_presets()
        preset = presets.identified_by((*texts, *known_as))
    readings: list[Reading] = []
    for notification, entries in zip(telegram.notifications, found, strict=True):
        coded = _with_codes(entries, preset, errors)
        exponents = _exponents(coded, preset, errors, factors_told)
        clock = _clock(notification, coded)
        is_doubtful = not telegram.is_complete or all(entry.code is None for entry in coded)
        _publish(coded, preset, exponents, clock, errors, readings, is_doubtful=is_doubtful)
    meter = _identity(telegram.system_title, preset, readings, identity)
    return MeterReadings(
        name=name or meter.serial_number or (title_text(telegram.system_title) if telegram.system_title else ""),
        protocol=PROTOCOL,
        meter=meter,
        time_s=time_s,
        readings=tuple(readings),
        errors=tuple(errors),
        is_simulated=telegram.system_title == SIMULATED_TITLE or any(text.startswith(SIMULATED_NAME) for text in texts),
        measurement=measurement_of(readings),
    )


def text_of(value: Value) -> str:
    """Octets for people: a clock as date and time, printable ones as text, others in hexadecimal."""
    if isinstance(value, bytes):
        moment = clock_of(value)
        if moment is not None:
            return moment.strftime("%Y-%m-%d %H:%M:%S")
        stripped = value.rstrip(b"\0")
        if stripped.isascii() and (text := stripped.decode("ascii")).isprintable():
            return text[:_TEXT_LIMIT]
        return value[:_TEXT_LIMIT].hex().upper()
    if isinstance(value, str):
        return "".join(letter if letter.isprintable() else "\ufffd" for letter in value.rstrip("\0"))[:_TEXT_LIMIT]
    if isinstance(value, (tuple, list)):
        return "; ".join("" if member is None else text_of(member) for member in value[:64])[:_TEXT_LIMIT]
    return str(value)


def _notification_entries(notification: Notification, problems: list[str]) -> list[Entry]:
    """The values of one message; positions of a push without any code are kept, the empty ones too."""
    body = notification.body
    entries = entries_of(body, problems)
    if any(entry.code is not None for entry in entries) or not isinstance(body, (tuple, list)):
        return entries
    if any(isinstance(value, (tuple, list)) for value in body):
        return entries
    return [Entry(None, value) for value in body]


def _texts(telegram: PushTelegram, found: Sequence[Sequence[Entry]]) -> list[str]:
    """What may identify the meter: its system title, the texts it sends, its way of writing."""
    texts = []
    title = telegram.system_title
    if title is not None:
        texts.append(title.decode("latin-1"))
    for entries in found:
        for entry in entries:
            value = entry.value
            if type(value) is int:
                continue
            if isinstance(value, str):
                texts.append(value)
            elif isinstance(value, bytes) and value[:3].isalnum():
                texts.append(value.decode("latin-1"))
    for notification, entries in zip(telegram.notifications, found, strict=True):
        if notification.is_clock_tagged and all(entry.code is None for entry in entries):
            texts.append(_TAGGED_CLOCK)
    return texts


def _with_codes(entries: list[Entry], preset: Preset | None, errors: list[str]) -> list[Entry]:
    """Give a push without any code the codes of a preset, where one has a list that fits."""
    if not entries:
        return entries
    if any(entry.code is not None for entry in entries):
        return _with_number(entries)
    codes = preset.codes_for(len(entries)) if preset is not None else None
    if codes is not None and _fits(codes, entries):
        unnamed = sum(1 for code in codes if not code)
        if unnamed:
            errors.append(_("{count} values stand at positions that nobody has named").format(count=unnamed))
        return [
            entry._replace(code=_octets(code)) if code else entry for code, entry in zip(codes, entries, strict=True)
        ]
    errors.append(
        _("{count} values came without codes; choose the preset of your grid operator to name them").format(
            count=len(entries)
        )
    )
    return entries


def _with_number(entries: list[Entry]) -> list[Entry]:
    """Meters of Kaifa in Austria end a list of codes and values with their number, which has no code before it."""
    last = entries[-1]
    if last.code is not None or not isinstance(last.value, bytes) or not 6 <= len(last.value) <= 32:
        return entries
    if not last.value.isdigit() or any(entry.code == _NUMBER_CODE for entry in entries):
        return entries
    return [*entries[:-1], last._replace(code=_NUMBER_CODE)]


def _fits(codes: Sequence[str], entries: Sequence[Entry]) -> bool:
    """True where each value is of the kind its code asks for: a clock, a number, a text."""
    for code, entry in zip(codes, entries, strict=True):
        if not code or entry.value is None:
            continue
        known = _known(_octets(code))
        is_number = isinstance(entry.value, (int, float))
        if known.is_clock:
            if not isinstance(entry.value, bytes) or clock_of(entry.value) is None:
                return False
        elif is_number != (known.family is not None):
            return False
    return True


def _exponents(
    entries: Iterable[Entry], preset: Preset | None, errors: list[str], told: set[tuple[str, int]] | None
) -> dict[str, int]:
    """The power of ten of each family of a preset: of several the one whose values are plausible."""
    if preset is None or not preset.units:
        return {}
    exponents = {family: unit.exponents[0] for family, unit in preset.units.items()}
    watched = [
        (entry, known.family)
        for entry in entries
        if entry.code is not None
        and entry.unit is None
        and (known := _known(entry.code)).is_watched
        and known.quantity is not None
    ]
    if not watched:
        return exponents
    for family, (low, high) in _PLAUSIBLE.items():
        unit = preset.units.get(family)
        if unit is None or len(unit.exponents) < 2:
            continue
        numbers = [entry.value for entry, found in watched if found == family and isinstance(entry.value, (int, float))]
        if not numbers:
            continue
        best = max(unit.exponents, key=lambda power: sum(low <= _scaled(number, power) <= high for number in numbers))
        if best != unit.exponents[0] and family == "voltage" and (told is None or (family, best) not in told):
            if told is not None:
                told.add((family, best))
            errors.append(
                _("voltages are taken times {factor}, since times {other} they are no phase voltages").format(
                    factor=f"{10.0**best:g}", other=f"{10.0 ** unit.exponents[0]:g}"
                )
            )
        exponents[family] = best
    return exponents


def _clock(notification: Notification, entries: Iterable[Entry]) -> str | None:
    """The meter's own time in ISO 8601: that of the clock object, else of the message, else the first one there is."""
    octets = None
    for entry in entries:
        if isinstance(entry.value, bytes) and len(entry.value) == 12:
            if entry.code is not None and _known(entry.code).is_clock:
                octets = entry.value
                break
            if octets is None and entry.code is None:
                octets = entry.value
    for candidate in (octets, notification.clock):
        if candidate is not None:
            moment = clock_of(candidate)
            if moment is not None:
                return moment.isoformat()
    return None


def _publish(
    entries: Iterable[Entry],
    preset: Preset | None,
    exponents: dict[str, int],
    clock: str | None,
    errors: list[str],
    readings: list[Reading],
    *,
    is_doubtful: bool,
) -> None:
    units = {} if preset is None else preset.units
    source = None if preset is None else preset.scaler_source
    least = Quality.WARNING if is_doubtful else Quality.GOOD
    for entry in entries:
        code, value, scaler, unit_number, _attribute = entry
        if value is None:
            continue
        known = None if code is None else _known(code)
        if not isinstance(value, (int, float)):
            text = "" if is_logical_name(entry) else text_of(value)
            readings.append(Reading(obis=known and known.text, quantity=None, value=text, time=clock, quality=least))
            continue
        number = value if type(value) is int or isinstance(value, float) else int(value)
        if known is None:
            readings.append(
                Reading(obis=None, quantity=None, value=number, raw=number, time=clock, quality=Quality.WARNING)
            )
            continue
        family = known.family
        unit: str | None = None
        scaled: float | int = number
        scaler_source: str | None = None
        if unit_number is not None or scaler is not None:
            unit = unit_text(unit_number) if unit_number is not None else None
            scaled = _scaled(number, scaler) if scaler else number
            scaler_source = "meter"
        elif family is not None and family in exponents:
            unit = units.get(family, _NO_UNIT).unit
            exponent = exponents[family]
            scaled = _scaled(number, exponent) if exponent else number
            scaler_source = source
        quality = least
        if known.is_watched or not scaled >= 0:
            quality = worse(least, _flag(known, scaled, unit, scaler_source, errors))
        readings.append(
            Reading(
                obis=known.text,
                quantity=known.quantity,
                value=scaled,
                raw=number,
                unit=unit,
                time=clock,
                quality=quality,
                scaler_source=scaler_source,
            )
        )


_NO_UNIT = UnitOf()


def _flag(known: _Known, value: float, unit: str | None, source: str | None, errors: list[str]) -> Quality:
    """Quality of a value in its unit; a phase voltage that can be none is told as a doubt about its factor."""
    if known.quantity is None:
        return Quality.GOOD
    quality = quality_of(known.quantity, value)
    if known.family == "frequency" and source is None:
        return Quality.GOOD if value >= 0 else quality  # of an unknown power of ten nothing can be said
    if known.family != "voltage":
        return quality
    low, high = VOLTAGE_PLAUSIBLE_V
    if source is None or unit != "V":
        return Quality.GOOD if value >= 0 else quality
    if value and not low <= value <= high:
        errors.append(
            _("{code}: {value} V is no phase voltage; the factor (from: {source}) may be wrong").format(
                code=known.text, value=f"{value:g}", source=source
            )
        )
    return quality


def _scaled(number: float, exponent: int) -> float | int:
    """`number` times that power of ten, rounded correctly (2364 and -1 give 236.4)."""
    power: int = 10 ** abs(exponent)
    return number * power if exponent >= 0 else number / power


_NUMBER_CODE = bytes((0, 0, 96, 1, 0, 255))
_SERIAL_NUMBERS = ("0-0:96.1.0*255", "1-1:0.0.5*255", "1-0:0.0.0*255", "0-0:96.1.1*255", "0-0:42.0.0*255")
_MODELS = ("0-0:96.1.7*255", "1-1:96.1.1*255")


def _identity(
    title: bytes | None, preset: Preset | None, readings: Iterable[Reading], before: MeterIdentity | None
) -> MeterIdentity:
    """Who the meter says it is; what it does not say now is what it said before."""
    texts: dict[str, str] = {}
    for reading in readings:
        value = reading.value
        if type(value) is str and value and reading.obis is not None:
            texts.setdefault(reading.obis, value[:IDENTITY_LIMIT])
    manufacturer = _letters(title.decode("latin-1")) if title else None
    if manufacturer is None and preset is not None:
        manufacturer = preset.manufacturer
    if manufacturer is None:
        manufacturer = _letters(texts.get("0-0:42.0.0*255", ""))
    serial_number = next((texts[code] for code in _SERIAL_NUMBERS if code in texts), None)
    model = next((texts[code] for code in _MODELS if code in texts), None)
    if before is None:
        return MeterIdentity(manufacturer=manufacturer, model=model, serial_number=serial_number)
    return MeterIdentity(
        manufacturer=manufacturer or before.manufacturer,
        model=model or before.model,
        serial_number=serial_number or before.serial_number,
    )


def _letters(text: str) -> str | None:
    """The manufacturer's three letters that a system title or logical device name begins with."""
    letters = text[:3]
    return letters if len(letters) == 3 and letters.isascii() and letters.isalpha() and letters.isupper() else None
