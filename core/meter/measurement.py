"""One moment of a meter in fixed units, from whatever readings it gave: W, V, A, Wh, Hz, percent.

A reading counts where its unit is known, so that no curve mixes Wh and kWh; power factor and frequency need none.
"""

from __future__ import annotations

from collections.abc import Iterable

from core.meter.quality import FREQUENCY_POSSIBLE_HZ, quality_of, worse
from core.records import Measurement, Quality, Reading

_FACTORS: dict[str, dict[str | None, float]] = {
    "active_energy": {"Wh": 1.0, "kWh": 1e3, "MWh": 1e6, "GWh": 1e9},
    "reactive_energy": {"varh": 1.0, "kvarh": 1e3, "Mvarh": 1e6},
    "active_power": {"W": 1.0, "kW": 1e3, "MW": 1e6},
    "reactive_power": {"var": 1.0, "kvar": 1e3, "Mvar": 1e6},
    "apparent_power": {"VA": 1.0, "kVA": 1e3, "MVA": 1e6},
    "voltage": {"V": 1.0, "kV": 1e3, "mV": 1e-3},
    "current": {"A": 1.0, "mA": 1e-3, "kA": 1e3},
    "power_factor": {None: 1.0, "": 1.0, "1": 1.0},
    "frequency": {"Hz": 1.0, None: 1.0},
    "thd": {"%": 1.0, None: 1.0},
}

_FIELDS = {
    "active_power": "active_power_w",
    "active_power_import": "active_power_import_w",
    "active_power_export": "active_power_export_w",
    "active_power_l1": "active_power_l1_w",
    "active_power_l2": "active_power_l2_w",
    "active_power_l3": "active_power_l3_w",
    "apparent_power": "apparent_power_va",
    "voltage_l1": "voltage_l1_v",
    "voltage_l2": "voltage_l2_v",
    "voltage_l3": "voltage_l3_v",
    "current_l1": "current_l1_a",
    "current_l2": "current_l2_a",
    "current_l3": "current_l3_a",
    "power_factor": "power_factor",
    "power_factor_l1": "power_factor_l1",
    "power_factor_l2": "power_factor_l2",
    "power_factor_l3": "power_factor_l3",
    "frequency": "frequency_hz",
    "thd_voltage": "thd_voltage_percent",
    "thd_current": "thd_current_percent",
    "active_energy_import": "active_energy_import_wh",
    "active_energy_export": "active_energy_export_wh",
    "reactive_energy_import": "reactive_energy_import_varh",
    "reactive_energy_export": "reactive_energy_export_varh",
    "active_energy_import_t1": "active_energy_import_t1_wh",
    "active_energy_import_t2": "active_energy_import_t2_wh",
    "active_energy_import_t3": "active_energy_import_t3_wh",
    "active_energy_import_t4": "active_energy_import_t4_wh",
}

_WITHOUT_UNIT = {"power_factor": (-1.0, 1.0), "frequency": FREQUENCY_POSSIBLE_HZ}
"""What a number without a unit must look like: a raw 980 is no power factor, a raw 499 no frequency."""

_PHASE_POWERS = tuple(
    (f"active_power_l{phase}_w", f"active_power_import_l{phase}", f"active_power_export_l{phase}")
    for phase in (1, 2, 3)
)


def _families() -> dict[str, dict[str | None, float]]:
    found: dict[str, dict[str | None, float]] = {}
    names = [*_FIELDS, "reactive_power", *(name for row in _PHASE_POWERS for name in row[1:])]
    for name in names:
        family = next(family for family in sorted(_FACTORS, key=len, reverse=True) if name.startswith(family))
        found[name] = _FACTORS[family]
    return found


_FACTORS_OF = _families()


def measurement_of(readings: Iterable[Reading]) -> Measurement | None:
    """The moment that `readings` describe, None where they hold no quantity with a known unit.

    The signed total power is 16.7.0, else 1.7.0 - 2.7.0; reactive power 131.7.0, else 3.7.0 - 4.7.0. Of two readings
    of one quantity the first counts.
    """
    fields: dict[str, float] = {}
    phases: dict[str, float] = {}
    reactive: dict[str, float] = {}
    quality = Quality.GOOD
    for reading in readings:
        quantity = reading.quantity
        value = reading.value
        if quantity is None:
            if value is not None and reading.unit is not None and _is_reactive_export(reading.obis):
                factor = _FACTORS["reactive_power"].get(reading.unit)
                if factor is not None and not isinstance(value, str):
                    reactive.setdefault("export", value * factor)
            continue
        factors = _FACTORS_OF.get(quantity)
        if factors is None or value is None or isinstance(value, str):
            continue
        factor = factors.get(reading.unit)
        if factor is None:
            continue
        scaled = value * factor
        limits = _WITHOUT_UNIT.get(quantity) if not reading.unit else None
        if limits is not None and not limits[0] <= scaled <= limits[1]:
            continue
        field = _FIELDS.get(quantity)
        if field is not None:
            fields.setdefault(field, scaled)
        elif quantity == "reactive_power":
            reactive.setdefault("net" if _is_net_reactive(reading.obis) else "import", scaled)
        else:
            phases.setdefault(quantity, scaled)
        if reading.quality is not Quality.GOOD:
            quality = worse(quality, reading.quality)
    _derive(fields, phases, reactive)
    if not fields:
        return None
    if fields.get("active_power_w", 0.0) < 0:
        quality = worse(quality, quality_of("active_power", -1.0))
    return Measurement(**fields, quality=quality)


def _derive(fields: dict[str, float], phases: dict[str, float], reactive: dict[str, float]) -> None:
    """Fill in what follows from other fields: signed powers and the net reactive power."""
    if "active_power_w" not in fields:
        bought, sold = fields.get("active_power_import_w"), fields.get("active_power_export_w")
        if bought is not None or sold:
            fields["active_power_w"] = (bought or 0.0) - (sold or 0.0)
    for field, bought_name, sold_name in _PHASE_POWERS:
        if field not in fields and bought_name in phases:
            fields[field] = phases[bought_name] - phases.get(sold_name, 0.0)
    if "net" in reactive:
        fields["reactive_power_var"] = reactive["net"]
    elif "import" in reactive or reactive.get("export"):  # none sent back alone says nothing of what is taken
        fields["reactive_power_var"] = reactive.get("import", 0.0) - reactive.get("export", 0.0)


def _is_reactive_export(obis: str | None) -> bool:
    return obis is not None and (obis == "4.7.0" or ":4.7.0" in obis)


def _is_net_reactive(obis: str | None) -> bool:
    return obis is not None and "131.7.0" in obis
