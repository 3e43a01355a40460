"""The plots of the Energy page; imported after the first paint."""

from __future__ import annotations

from core.alarms.thresholds import VOLTAGE_V
from core.language import _
from gui.widgets.time_plot import Curve, Scale, TimePlot
from gui.widgets.time_range import TimeRange


def energy_plots(time_range: TimeRange) -> dict[str, TimePlot]:
    """All plots by name, in their order on the page; one without data is to be hidden."""
    phases = ("l1", "l2", "l3")
    return {
        "power": TimePlot(
            _("Active power"),
            (Scale("W"), Scale("kW", 1, 1e3, 20_000)),
            (
                Curve("active_power_w", _("total"), "power", is_filled=True),
                *(Curve(f"active_power_{phase}_w", phase.upper(), phase) for phase in phases),
            ),
            time_range,
        ),
        "voltage": TimePlot(
            _("Voltage"),
            (Scale("V", 1),),
            tuple(Curve(f"voltage_{phase}_v", phase.upper(), phase) for phase in phases),
            time_range,
            at_least=(200.0, 260.0),
            limits=VOLTAGE_V,
        ),
        "current": TimePlot(
            _("Current"),
            (Scale("A", 2),),
            tuple(Curve(f"current_{phase}_a", phase.upper(), phase) for phase in phases),
            time_range,
        ),
        "frequency": TimePlot(
            _("Frequency"),
            (Scale("Hz", 2),),
            (Curve("frequency_hz", "", "power"),),
            time_range,
            at_least=(49.8, 50.2),
            tells_newest=True,
        ),
        "power_factor": TimePlot(
            _("Power factor"),
            (Scale("", 2),),
            (Curve("power_factor", "", "power"),),
            time_range,
            at_least=(0.5, 1.0),
            tells_newest=True,
        ),
        "reactive": TimePlot(
            _("Reactive, apparent"),
            (Scale("var, VA"), Scale("kvar, kVA", 1, 1e3, 20_000)),
            (
                Curve("reactive_power_var", _("reactive"), "accent"),
                Curve("apparent_power_va", _("apparent"), "power"),
            ),
            time_range,
        ),
        "distortion": TimePlot(
            _("Distortion (THD)"),
            (Scale("%", 1),),
            (
                Curve("thd_voltage_percent", _("voltage"), "accent"),
                Curve("thd_current_percent", _("current"), "power"),
            ),
            time_range,
        ),
    }
