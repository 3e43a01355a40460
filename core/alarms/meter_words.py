"""Why a derived quantity of a meter rings, in words: what was measured, what is usual, and what to look at."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.alarms.texts import value_text
from core.language import N_, _

_POWERS = {
    "active_power_peak_ratio": N_("{now} now, {usual} is usual at this hour; see what was switched on"),
    "active_power_drop_ratio": N_(
        "{now} now, and never under {usual} in the week before; see the fuses, and what must always run"
    ),
    "subscribed_power_percent": N_("{now} of {usual}; switch something off before the breaker does"),
    "night_base_ratio": N_(
        "{now} or more all through the last nights, {usual} in those before; look for what never stops, or for a leak"
    ),
    "loaded_power_factor": N_("at {now}; see motors, their capacitors, and old lamps"),
    "loaded_thd_current_percent": N_("at {now}; see drives, chargers and power supplies"),
}

_PHASES = {
    "voltage_unbalance_percent": (N_("{phases}; see the neutral, the fuses and the load of each phase"), "V"),
    "current_unbalance_percent": (N_("{phases}; see which phase the large loads are on"), "A"),
}

_OTHERS = {
    "unexpected_export_w": N_(
        "no export is usual at this hour; see a new generator or battery, or wires of the meter that were exchanged"
    ),
    "night_base_w": N_("so much is used all night; look for what never stops"),
}


@dataclass(slots=True)
class Words:
    """The numbers behind the last derived quantities: powers with what is usual (W), phases, the registers that
    fell and leapt."""

    powers: dict[str, tuple[float, float]] = field(default_factory=dict)
    phases: dict[str, tuple[float, ...]] = field(default_factory=dict)
    register: tuple[str, float, float] | None = None
    leap: tuple[str, float, float] | None = None


def reason(quantity: str, words: Words) -> str | None:
    """The sentence after an alarm's text; None where nothing is known."""
    if quantity in _POWERS and quantity in words.powers:
        now_w, usual_w = words.powers[quantity]
        return _(_POWERS[quantity]).format(now=_power(now_w), usual=_power(usual_w))
    if quantity in _PHASES and quantity in words.phases:
        text, unit = _PHASES[quantity]
        phases = ", ".join(value_text(round(value, 1), unit) for value in words.phases[quantity])
        return _(text).format(phases=phases)
    if quantity == "energy_fall_wh" and words.register is not None:
        return _register(
            _("{register} was {before} and is {now}; registers only rise: another meter, or one that was set back"),
            *words.register,
        )
    if quantity == "energy_leap_wh" and words.leap is not None:
        return _register(
            _("{register} was {before} and is {now}; no meter counts so fast, and the energy leaves it out"),
            *words.leap,
        )
    return _(_OTHERS[quantity]) if quantity in _OTHERS else None


def _register(text: str, name: str, before: float, now: float) -> str:
    register = name.rpartition("_")[0].replace("_", " ")
    return text.format(register=register, before=f"{before:.15g}", now=f"{now:.15g}")


def _power(power_w: float) -> str:
    return value_text(power_w / 1000, "kW") if abs(power_w) >= 1000 else value_text(round(power_w), "W")
