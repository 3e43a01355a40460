"""What `--demo` sets in its home before anything starts, so that sensors, room, alarms and cost move as well.

The simulated meter gets a past too, written while the window is used already.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from PyQt5.QtCore import QObject, pyqtSignal

from core.config import Config, load_config, save_setting, save_tables
from core.config.settings import SensorConfig
from core.errors import BeffroiError
from core.home import Home
from core.language import N_, _
from core.records import MeterReadings
from core.tariffs import TariffConfig, TariffPeriod
from gui.runtime.services import Services
from gui.wiring.simulated_meter import SIMULATED

if TYPE_CHECKING:
    from core.store.history import History

ANY_PORT = "127.0.0.1:0"

_PLACES = (N_("Cold store"), N_("Server room"), N_("Office"), N_("Workshop"), N_("Boiler room"))
_LIMITS: tuple[tuple[float | None, float | None], ...] = ((2, 8), (None, 27), (None, None), (None, None), (None, 45))
"""The simulated cold store is far too warm: something rings from the first minute on."""

PAUSE_S = 0.05
"""Between two batches of the past: it is in no hurry, and the window is."""

log = logging.getLogger("beffroi.gui")


def prepare(home: Home, config: Config) -> Config:
    """Open intake and room of `home` on free ports of this machine, name the simulated sensors, price the energy.

    Returns the settings then. What the home has open or named already stays as it is. A file that cannot be written is
    logged: the demonstration shows less then.
    """
    try:
        for table, settings in (("sensors", config.sensors), ("room", config.room)):
            if not settings.enabled:
                save_setting(home, f"{table}.listen", ANY_PORT)
                save_setting(home, f"{table}.enabled", True)
        if not config.room.enabled:
            save_setting(home, "room.post_alarms", "low")
            save_setting(home, "room.post_commands", True)
        if not config.sensor_list:
            save_tables(home, "sensor", _sensors())
        if not config.tariffs:
            save_tables(home, "tariff", [_tariff()])
        return load_config(home)[0]
    except (BeffroiError, OSError) as error:
        log.warning("the demonstration shows no sensors and no room: %s", error)
        return config


def _sensors() -> list[SensorConfig]:
    return [
        SensorConfig(id=f"capteur_{number}", place=_(place), low=low, high=high)
        for number, (place, (low, high)) in enumerate(zip(_PLACES, _LIMITS, strict=True), start=1)
    ]


def _tariff() -> TariffConfig:
    return TariffConfig(
        name=_("Peak and off-peak"),
        currency="EUR",
        periods=(
            TariffPeriod(name=_("peak"), price_per_kwh="0.2146", hours=("06:00-22:00",)),
            TariffPeriod(name=_("off-peak"), price_per_kwh="0.1696"),
        ),
        standing_charge_per_month="12.60",
        tax_percent="20",
        export_price_per_kwh="0.04",
        budget_per_month="95",
    )


class MadeUpPast(QObject):
    """Writes a past for the simulated meter into a history that has no readings of it; `written` tells its name."""

    written = pyqtSignal(str)

    def __init__(self, services: Services, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._is_wanted = False
        self._first_s: float | None = None
        services.history_ready.connect(self._look)

    def apply_readings(self, readings: MeterReadings) -> None:
        """A telegram came; the past ends with the first one of the simulated meter."""
        if readings.name == SIMULATED and self._first_s is None and readings.time_s is not None:
            self._first_s = readings.time_s
            self._write()

    def _look(self) -> None:
        def is_unknown(history: History) -> bool:
            return SIMULATED not in history.meters()

        def done(is_wanted: bool) -> None:
            self._is_wanted = is_wanted
            self._write()

        self._services.query(is_unknown, done, self._on_failed)

    def _write(self) -> None:
        until_s = self._first_s
        if until_s is None or not self._is_wanted:
            return
        self._is_wanted = False

        async def work() -> None:
            from core.services.simulated_past import simulated_past

            past = simulated_past(SIMULATED, until_s)
            while batch := await asyncio.to_thread(_next_of, past):
                for readings in batch:
                    self._services.keep(readings)
                await asyncio.sleep(PAUSE_S)

        self._services.run(work(), lambda _done: self.written.emit(SIMULATED), self._on_failed)

    def _on_failed(self, error: BaseException) -> None:
        log.warning("the simulated meter has no past: %s", error)


def _next_of(past: Iterator[list[MeterReadings]]) -> list[MeterReadings]:
    return next(past, [])
