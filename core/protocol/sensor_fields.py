"""What the names that sensors give their fields mean: who it is, what is measured, in which unit.

Names come in English and French, with and without accents, in any case. A field that is not known keeps its name, and
its unit only where the name ends in one (`level_mm`).
"""

from __future__ import annotations

import re
import unicodedata
from enum import Enum
from typing import NamedTuple


class Role(Enum):
    """What a field is for."""

    IDENTIFIER = "identifier"
    VALUE = "value"
    """A number whose quantity another field names, or nobody."""
    QUANTITY = "quantity"
    UNIT = "unit"
    TIME = "time"
    KNOWN = "known"
    """A quantity by its own name: nothing but a number may stand there."""
    OTHER = "other"


class Field(NamedTuple):
    """Meaning of the name of a field; `rank` orders identifiers, 0 first."""

    role: Role
    quantity: str = ""
    unit: str | None = None
    rank: int = 0


LONGEST_NAME = 64
"""Letters of the name of a quantity."""

_IDENTIFIERS = ("capteur_id", "sensor_id", "id", "name", "id_capteur", "sensorid", "capteurid", "capteur", "sensor",
                "device_id", "device", "identifiant", "nom")  # fmt: skip
_VALUES = {"value", "valeur", "val", "mesure", "measure", "measurement"}
_QUANTITIES = {"quantity", "grandeur", "type", "kind"}
_UNITS = {"unit", "unite", "units"}
_TIMES = {"timestamp", "time", "ts", "date", "datetime", "heure", "horodatage", "epoch", "temps"}

_KNOWN: dict[str, tuple[str, str]] = {
    name: meaning
    for names, meaning in {
        "temperature temp temperature_c temp_c t_c temperature_celsius celsius tmp": ("temperature_c", "°C"),
        "temperature_f temp_f fahrenheit": ("temperature_f", "°F"),
        "temperature_k temp_k kelvin": ("temperature_k", "K"),
        "humidity humidite hum humidity_percent relative_humidity hygrometrie rh": ("humidity_percent", "%"),
        "pressure pression press pressure_hpa barometer": ("pressure_hpa", "hPa"),
        "pressure_pa": ("pressure_pa", "Pa"),
        "co2 co2_ppm": ("co2_ppm", "ppm"),
        "voltage tension volts voltage_v": ("voltage_v", "V"),
        "current courant intensite current_a": ("current_a", "A"),
        "power puissance power_w": ("power_w", "W"),
        "energy_wh energie_wh": ("energy_wh", "Wh"),
        "energy_kwh energie_kwh": ("energy_kwh", "kWh"),
        "frequency frequence frequency_hz": ("frequency_hz", "Hz"),
        "battery batterie battery_percent battery_level": ("battery_percent", "%"),
        "light lumiere luminosity luminosite illuminance eclairement lux": ("illuminance_lx", "lx"),
        "noise bruit sound noise_db": ("noise_db", "dB"),
        "rssi": ("rssi_dbm", "dBm"),
    }.items()
    for name in names.split()
}

_ENDINGS = {
    "percent": "%", "pct": "%", "c": "°C", "f": "°F", "k": "K", "pa": "Pa", "hpa": "hPa", "kpa": "kPa", "bar": "bar",
    "mbar": "mbar", "ppm": "ppm", "ppb": "ppb", "lx": "lx", "v": "V", "mv": "mV", "a": "A", "ma": "mA", "w": "W",
    "kw": "kW", "wh": "Wh", "kwh": "kWh", "hz": "Hz", "db": "dB", "dbm": "dBm", "mm": "mm", "cm": "cm",
}  # fmt: skip

_TEMPERATURES = {"°c": "c", "c": "c", "degc": "c", "celsius": "c", "°f": "f", "f": "f", "fahrenheit": "f", "k": "k",
                 "kelvin": "k", "℃": "c", "℉": "f"}  # fmt: skip
_TEMPERATURE_UNITS = {"c": "°C", "f": "°F", "k": "K"}
_LONGEST_UNIT = 16

_fields: dict[str, Field] = {}
_FIELDS_LIMIT = 4096


def field(name: str) -> Field:
    """Meaning of a field's name; the usual ones are remembered."""
    known = _fields.get(name)
    if known is None:
        known = _meaning(clean_name(name))
        if len(name) <= LONGEST_NAME:  # who invents names, many or long ones, shall not fill the memory
            if len(_fields) >= _FIELDS_LIMIT:
                _fields.clear()
            _fields[name] = known
    return known


def clean_name(name: str) -> str:
    """`name` as a quantity is named: small ASCII letters, digits and `_`; `value` where nothing is left of it."""
    plain = unicodedata.normalize("NFKD", name[: 4 * LONGEST_NAME]).casefold()
    letters = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return re.sub(r"[^a-z0-9]+", "_", letters).strip("_")[:LONGEST_NAME].rstrip("_") or "value"


def with_unit(known: Field, unit: str | None) -> Field:
    """The same field as a sensor that names its unit means it; a temperature in °F is another quantity."""
    if unit is None:
        return known
    text = unit.strip().replace("º", "°")
    if not text or len(text) > _LONGEST_UNIT or not text.isprintable():
        return known
    scale = _TEMPERATURES.get(text.casefold().replace(" ", ""))
    base = known.quantity
    if scale is not None and (known.role is Role.VALUE or base.startswith("temperature_")):
        return known._replace(quantity=f"temperature_{scale}", unit=_TEMPERATURE_UNITS[scale])
    if known.unit is not None and known.unit != text:  # pressure_hpa in Pa is not a pressure_hpa
        base = clean_name(base.removesuffix("_" + base.rpartition("_")[2]) + "_" + text.replace("%", "percent"))
    return known._replace(quantity=base, unit=text)


def _meaning(name: str) -> Field:
    if name in _IDENTIFIERS:
        return Field(Role.IDENTIFIER, rank=_IDENTIFIERS.index(name))
    if name in _KNOWN:
        return Field(Role.KNOWN, *_KNOWN[name])
    for names, role in ((_VALUES, Role.VALUE), (_QUANTITIES, Role.QUANTITY), (_UNITS, Role.UNIT), (_TIMES, Role.TIME)):
        if name in names:
            return Field(role, "value" if role is Role.VALUE else name)
    ending = name.rpartition("_")[2] if "_" in name else ""
    return Field(Role.OTHER, name, _ENDINGS.get(ending))
