"""The cards of a meter's numbers: each value that it gives, and no card for what it does not give."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QWidget

from core.language import _
from core.meter_records import EnergyAccount
from core.records import Measurement, Reading
from gui import numbers
from gui.models.meter_shown import MeterShown
from gui.models.readings import big_value, reading_words
from gui.widgets.cost_card import CostCard
from gui.widgets.number_card import PHASES, NumberCard, NumberRow, PhaseCard

_MOST_OTHERS = 12


class MeterNumbers(NumberRow):
    """Power, energy, cost, voltages, currents and the rest, in `cards` by name; the plots tell most of them too."""

    tariff_wanted = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        self.voltage = PhaseCard(_("Voltage"), "V", 1)
        self.current = PhaseCard(_("Current"), "A", 2)
        self.cost = CostCard()
        self.cards: dict[str, NumberCard] = {
            "power": NumberCard(_("Active power")),
            "energy": NumberCard(_("Energy import")),
            "power_factor": NumberCard(_("Power factor")),
            "cost": self.cost,
            "export": NumberCard(_("Energy export")),
            "frequency": NumberCard(_("Frequency")),
            "voltage": self.voltage,
            "current": self.current,
            "reactive": NumberCard(_("Reactive power")),
            "apparent": NumberCard(_("Apparent power")),
            "distortion": NumberCard(_("Distortion (THD)")),
        }
        always = ("power", "energy", "cost")
        spare = [card for name, card in self.cards.items() if name not in always]
        self.others = [NumberCard("") for _place in range(_MOST_OTHERS)]
        super().__init__([*self.cards.values(), *self.others], spare, parent)
        self.cost.tariff_wanted.connect(self.tariff_wanted)

    def show_meter(self, meter: MeterShown) -> None:
        """Show what is known of this meter."""
        if meter.is_other:
            self.apply_others(meter.others, is_simulated=meter.is_simulated)
            return
        words = meter.today_words()
        self.apply(meter.measurement, words, is_simulated=meter.is_simulated, account=meter.account)

    def apply(
        self, values: Measurement, today: str, *, is_simulated: bool, account: EnergyAccount | None = None
    ) -> None:
        """Show these values; `today` is what the words beside the energy say, `account` what it has cost."""
        power_w = values.active_power_w
        direction = "" if not power_w else _("import") if power_w > 0 else _("export")
        shown = [self._number("power", numbers.power(power_w), direction)]
        if values.active_energy_import_wh is not None:
            shown.append(self._number("energy", numbers.energy(values.active_energy_import_wh), today))
        factors = (values.power_factor_l1, values.power_factor_l2, values.power_factor_l3)
        if values.power_factor is not None:
            phases = " ".join(
                f"{phase.upper()} {numbers.number(factor, 2)}"
                for phase, factor in zip(PHASES, factors, strict=True)
                if factor is not None
            )
            shown.append(self._number("power_factor", (numbers.number(values.power_factor, 2), ""), phases))
        has_energy = values.active_energy_import_wh is not None
        if account is not None and (has_energy or account.today.import_wh is not None):
            self.cost.apply(account)
            shown.append(self.cost)
        if values.active_energy_export_wh is not None:
            shown.append(self._number("export", numbers.energy(values.active_energy_export_wh)))
        if values.frequency_hz is not None:
            shown.append(self._number("frequency", (numbers.number(values.frequency_hz, 2), "Hz")))
        voltages = (values.voltage_l1_v, values.voltage_l2_v, values.voltage_l3_v)
        currents = (values.current_l1_a, values.current_l2_a, values.current_l3_a)
        for card, phases in ((self.voltage, voltages), (self.current, currents)):
            if any(value is not None for value in phases):
                card.set_phases(phases)
                shown.append(card)
        if values.reactive_power_var is not None:
            shown.append(self._number("reactive", _scaled(values.reactive_power_var, "var")))
        if values.apparent_power_va is not None:
            shown.append(self._number("apparent", _scaled(values.apparent_power_va, "VA")))
        voltage, current = values.thd_voltage_percent, values.thd_current_percent
        if voltage is not None or current is not None:
            words = _("current {value} %").format(value=numbers.number(current, 1)) if current is not None else ""
            shown.append(self._number("distortion", (numbers.number(voltage, 1), "%"), words))
        for card in self.cards.values():
            card.set_simulated(is_simulated)
        self.set_shown(shown)

    def apply_others(self, readings: Sequence[Reading], *, is_simulated: bool) -> None:
        """Show the numbers of a meter of heat, water or gas, the first ones where there are many."""
        shown: list[NumberCard] = []
        for card, reading in zip(self.others, readings, strict=False):
            card.set_title(reading_words(reading) if reading.label or reading.obis else "")
            card.set_value(big_value(float(reading.value or 0), reading.unit))
            card.set_simulated(is_simulated)
            shown.append(card)
        self.set_shown(shown)

    def set_stale(self, words: str) -> None:
        """Grey all numbers and say since when they are old; empty words: they are fresh."""
        for card in (*self.cards.values(), *self.others):
            card.set_stale(words)
        self.settle()

    def _number(self, name: str, value: tuple[str, str], detail: str = "") -> NumberCard:
        self.cards[name].set_value(value, detail)
        return self.cards[name]


def _scaled(value: float, unit: str) -> tuple[str, str]:
    number, power_unit = numbers.power(value)
    return number, power_unit.replace("W", unit)
