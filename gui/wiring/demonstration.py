"""What `--demo` sets in its home before anything starts, so that sensors, room and alarms move as well."""

from __future__ import annotations

import logging

from core.config import Config, load_config, save_setting, save_tables
from core.config.settings import SensorConfig
from core.errors import BeffroiError
from core.home import Home
from core.language import N_, _

ANY_PORT = "127.0.0.1:0"

_PLACES = (N_("Cold store"), N_("Server room"), N_("Office"), N_("Workshop"), N_("Boiler room"))
_LIMITS: tuple[tuple[float | None, float | None], ...] = ((2, 8), (None, 27), (None, None), (None, None), (None, 45))
"""The simulated cold store is far too warm: something rings from the first minute on."""

log = logging.getLogger("beffroi.gui")


def prepare(home: Home, config: Config) -> Config:
    """Open intake and room of `home` on free ports of this machine, and name the simulated sensors; the settings then.

    What the home has open or named already stays as it is. A file that cannot be written is logged: the demonstration
    shows less then.
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
        return load_config(home)[0]
    except (BeffroiError, OSError) as error:
        log.warning("the demonstration shows no sensors and no room: %s", error)
        return config


def _sensors() -> list[SensorConfig]:
    return [
        SensorConfig(id=f"capteur_{number}", place=_(place), low=low, high=high)
        for number, (place, (low, high)) in enumerate(zip(_PLACES, _LIMITS, strict=True), start=1)
    ]
