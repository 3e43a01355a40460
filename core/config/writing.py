"""Changes `config.toml` by tomlkit, so that comments stay; a file that would not be read again is not written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from core.config.reading import load_config, parsed
from core.config.settings import MeterConfig
from core.errors import ConfigError
from core.home import Home, write_private
from core.language import _


def save_setting(home: Home, key: str, value: str | int | float | bool | None) -> None:
    """Write `key`, such as `polling.interval_s`, into the file; None takes it out. Comments stay.

    Raises ConfigError, and leaves the file as it was, where the value is not one that `load_config` takes.
    """

    def change(document: Any) -> None:
        *tables, last = key.split(".")
        table = document
        for name in tables:
            if name not in table:
                import tomlkit

                table[name] = tomlkit.table()
            table = table[name]
        if value is None:
            table.pop(last, None)
        else:
            table[last] = value

    _change(home, change)


def save_meter(home: Home, meter: MeterConfig) -> None:
    """Write one `[[meter]]`, in place of the one of that name; keys that are None are left out. Comments stay."""

    def change(document: Any) -> None:
        import tomlkit

        meters = document.setdefault("meter", tomlkit.aot())
        values = msgspec.to_builtins(meter)
        table = next((one for one in meters if one.get("name") == meter.name), None)
        if table is None:
            table = tomlkit.table() if isinstance(meters, tomlkit.items.AoT) else tomlkit.inline_table()
            table.update({key: value for key, value in values.items() if value is not None})
            meters.append(table)
            return
        for key, value in values.items():
            if value is None:
                table.pop(key, None)
            elif table.get(key) != value:
                table[key] = value

    _change(home, change)


def remove_meter(home: Home, name: str) -> None:
    """Take the `[[meter]]` of that name out of the file; nothing happens where there is none."""

    def change(document: Any) -> None:
        meters = document.get("meter", [])
        for number in [number for number, one in enumerate(meters) if one.get("name") == name]:
            del meters[number]
        if "meter" in document and not meters:
            del document["meter"]  # an empty list of tables would be written as `meter = []`, which takes none

    _change(home, change)


def _change(home: Home, change: Callable[[Any], None]) -> None:
    import tomlkit  # only Preferences write; reading needs none of it

    path = home.config_path
    load_config(home)  # a broken file is the user's to mend, not ours to write over
    try:
        document = tomlkit.parse(path.read_bytes().decode("utf-8-sig") if path.exists() else "")
        change(document)
        content = tomlkit.dumps(document).encode()
        parsed(content, path)
        write_private(path, content)
    except OSError as error:
        raise ConfigError(_("{path} cannot be written: {reason}").format(path=path, reason=error.strerror)) from error
