"""The settings of a home, `config.toml`: read by tomllib, checked whole, changed by tomlkit so that comments stay.

What the user can mend is a ConfigError that names file, line and key; an unknown key is a warning, since a newer
version may have written it.
"""

from __future__ import annotations

from core.config.commands import CommandConfig, FilterConfig
from core.config.lines import line_of
from core.config.reading import database_location, load_config
from core.config.secret_files import read_secret, save_secret, secret_path
from core.config.settings import (
    AgentSettings,
    AlarmsSettings,
    CheckConfig,
    Config,
    ConsoleSettings,
    EmailSettings,
    MachinesSettings,
    MeterConfig,
    Polling,
    Retention,
    RoomSettings,
    SensorConfig,
    SensorsSettings,
    WebhookSettings,
)
from core.config.writing import (
    remove_meter,
    remove_table,
    replace_tables,
    save_meter,
    save_setting,
    save_table,
    save_tables,
)
from core.tariffs import TariffConfig, TariffPeriod

__all__ = [
    "AgentSettings",
    "AlarmsSettings",
    "CheckConfig",
    "CommandConfig",
    "Config",
    "ConsoleSettings",
    "EmailSettings",
    "FilterConfig",
    "MachinesSettings",
    "MeterConfig",
    "Polling",
    "Retention",
    "RoomSettings",
    "SensorConfig",
    "SensorsSettings",
    "TariffConfig",
    "TariffPeriod",
    "WebhookSettings",
    "database_location",
    "line_of",
    "load_config",
    "read_secret",
    "remove_meter",
    "remove_table",
    "replace_tables",
    "save_meter",
    "save_secret",
    "save_setting",
    "save_table",
    "save_tables",
    "secret_path",
]
