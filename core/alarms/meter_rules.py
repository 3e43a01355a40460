"""The rules of the first day about what follows from a meter's measurements.

On are those that an ordinary house or site does not ring in a month of ordinary days; the others wait to be asked for.
"""

from __future__ import annotations

from core.alarms import thresholds
from core.language import N_
from core.site_records import AlarmRule, AlarmSeverity, RuleKind

DERIVED = (
    "active_power_peak_ratio",
    "active_power_drop_ratio",
    "voltage_unbalance_percent",
    "current_unbalance_percent",
    "loaded_power_factor",
    "loaded_thd_current_percent",
    "subscribed_power_percent",
    "night_base_w",
    "night_base_ratio",
    "unexpected_export_w",
    "energy_fall_wh",
    "energy_leap_wh",
    "budget_percent",
)
"""Names of the quantities; `docs/alarms.md` says what each is. The last one is computed from the history.
A rule means one of them where it has its whole name: `voltage_*` is about volts."""

_LOW, _MEDIUM, _HIGH, _CRITICAL = AlarmSeverity


def _rule(name: str, kind: RuleKind, quantity: str, limit: float, inside: float, lasting_s: float,
          severity: AlarmSeverity, *, is_enabled: bool = True) -> AlarmRule:  # fmt: skip
    is_below = kind is RuleKind.BELOW
    return AlarmRule(
        name=name,
        kind=kind,
        source="meter/*",
        quantity=quantity,
        high=None if is_below else limit,
        low=limit if is_below or kind is RuleKind.RATE else None,
        hysteresis=inside,
        duration_s=lasting_s,
        severity=severity,
        is_enabled=is_enabled,
    )


_ABOVE, _BELOW, _RATE = RuleKind.ABOVE, RuleKind.BELOW, RuleKind.RATE

METER_RULES: tuple[AlarmRule, ...] = (
    _rule("consumption peak", _ABOVE, "active_power_peak_ratio", thresholds.PEAK_RATIO, 0.5, 1800.0, _MEDIUM),
    _rule("consumption drop", _BELOW, "active_power_drop_ratio", thresholds.DROP_RATIO, 0.1, 900.0, _LOW),
    _rule("power jump", _RATE, "active_power_w", thresholds.POWER_JUMP_W, 0.0, 0.0, _LOW, is_enabled=False),
    _rule(
        "subscribed power",
        _ABOVE,
        "subscribed_power_percent",
        thresholds.SUBSCRIBED_PERCENT,
        5.0,
        30.0,
        _HIGH,
    ),
    _rule("night base risen", _ABOVE, "night_base_ratio", thresholds.NIGHT_RATIO, 0.2, 0.0, _MEDIUM),
    _rule("night base high", _ABOVE, "night_base_w", thresholds.NIGHT_W, 50.0, 0.0, _LOW, is_enabled=False),
    _rule("unexpected export", _ABOVE, "unexpected_export_w", thresholds.EXPORT_W, 40.0, 60.0, _MEDIUM),
    _rule("register falls", _ABOVE, "energy_fall_wh", thresholds.REGISTER_FALL_WH, 0.0, 0.0, _HIGH),
    _rule("register leaps", _ABOVE, "energy_leap_wh", thresholds.REGISTER_FALL_WH, 0.0, 0.0, _HIGH),
    _rule(
        "voltage unbalance",
        _ABOVE,
        "voltage_unbalance_percent",
        thresholds.VOLTAGE_UNBALANCE_PERCENT,
        0.5,
        600.0,
        _MEDIUM,
    ),
    _rule(
        "current unbalance",
        _ABOVE,
        "current_unbalance_percent",
        thresholds.CURRENT_UNBALANCE_PERCENT,
        5.0,
        600.0,
        _LOW,
        is_enabled=False,
    ),
    _rule("power factor", _BELOW, "loaded_power_factor", thresholds.POWER_FACTOR, 0.03, 900.0, _LOW),
    _rule("voltage distortion", _ABOVE, "thd_voltage_percent", thresholds.THD_VOLTAGE_PERCENT, 1.0, 600.0, _MEDIUM),
    _rule(
        "current distortion",
        _ABOVE,
        "loaded_thd_current_percent",
        thresholds.THD_CURRENT_PERCENT,
        2.0,
        900.0,
        _LOW,
        is_enabled=False,
    ),
    _rule("budget", _ABOVE, "budget_percent", thresholds.BUDGET_PERCENT, 2.0, 0.0, _MEDIUM),
)

METER_TITLES = {
    "consumption peak": N_("Consumption far above the usual"),
    "consumption drop": N_("Consumption far below the usual"),
    "power jump": N_("Power jumps"),
    "subscribed power": N_("Above the subscribed power"),
    "night base risen": N_("Night base load has risen"),
    "night base high": N_("Night base load high"),
    "unexpected export": N_("Unexpected export"),
    "register falls": N_("Energy register goes backwards"),
    "register leaps": N_("Energy register rises too fast"),
    "voltage unbalance": N_("Voltages not balanced"),
    "current unbalance": N_("Currents not balanced"),
    "power factor": N_("Power factor low"),
    "voltage distortion": N_("Voltage distorted"),
    "current distortion": N_("Current distorted"),
    "budget": N_("Month above its budget"),
}
