"""Reads `config.toml` and checks it whole; what is wrong names file, line and key."""

from __future__ import annotations

import getpass
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from core.config.lines import KeyPath, dotted, line_of
from core.config.settings import EXPECTED, TABLES, Config
from core.errors import ConfigError
from core.home import Home
from core.language import _


def load_config(home: Home) -> tuple[Config, list[str]]:
    """Settings of `home`, its defaults where there is no file, and a warning for each key that is not used.

    Raises ConfigError with file, line and key.
    """
    path = home.config_path
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return Config(operator=_user_name()), []
    except OSError as error:
        raise ConfigError(_("{path} cannot be read: {reason}").format(path=path, reason=error.strerror)) from error
    return parsed(content, path)


def parsed(content: bytes, path: Path) -> tuple[Config, list[str]]:
    """The same for the content of a file; `path` is for the messages."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigError(
            _("{path}, line {line}: not UTF-8 text; save the file as UTF-8").format(path=path, line=line)
        ) from error
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(error, text, path) from error
    document.setdefault("operator", _user_name())
    try:
        config = msgspec.convert(document, Config)
    except msgspec.ValidationError as error:
        raise _value_error(error, document, text, path) from error
    _check_ports_and_names(config, text, path)
    warnings = [
        _("{path}, line {line}: {key} is not used by this version").format(
            path=path, line=line_of(text, key), key=dotted(key)
        )
        for key in _unknown_keys(document)
    ]
    return config, warnings


def _user_name() -> str:
    try:
        return getpass.getuser() or "operator"
    except (OSError, KeyError, ImportError):  # no such user in the password file, nor in the environment
        return "operator"


def _syntax_error(error: tomllib.TOMLDecodeError, text: str, path: Path) -> ConfigError:
    found = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
    line = int(found[1]) if found else text.rstrip().count("\n") + 1
    shown = text.split("\n")[line - 1].strip()[:80] if text else ""
    reason = re.sub(r"\s*\(at [^)]*\)$", "", str(error))
    return ConfigError(
        _("{path}, line {line}: this is not TOML: {shown} ({reason})").format(
            path=path, line=line, shown=shown, reason=reason
        )
    )


def _value_error(error: msgspec.ValidationError, document: Mapping[str, Any], text: str, path: Path) -> ConfigError:
    """The same in the user's words: msgspec ends its message with the place, as in `- at `$.meter[0].baud``."""
    message = str(error)
    found = re.search(r"missing required field `(\w+)`", message)
    where = re.search(r" - at `\$\.?([^`]*)`$", message)
    key: KeyPath = tuple(
        int(part) if part.isdigit() else part for part in re.findall(r"\w+", where[1] if where else "")
    )
    if found:
        return ConfigError(
            _("{path}, line {line}: {key} is missing").format(
                path=path, line=line_of(text, key), key=dotted((*key, found[1]))
            )
        )
    value: Any = document
    for part in key:
        value = value[part]
    expected = EXPECTED.get(dotted(key))
    return ConfigError(
        _("{path}, line {line}: {key} must be {expected}, not {value}").format(
            path=path,
            line=line_of(text, key),
            key=dotted(key),
            expected=_(expected) if expected else _("a table such as [{name}]").format(name=dotted(key)),
            value=_shown(value),
        )
    )


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value[:60]}"'
    return str(value)[:60]


def _check_ports_and_names(config: Config, text: str, path: Path) -> None:
    if int(config.agent.listen.rpartition(":")[2]) > 65535:
        raise ConfigError(
            _("{path}, line {line}: {key} must be {expected}, not {value}").format(
                path=path,
                line=line_of(text, ("agent", "listen")),
                key="agent.listen",
                expected=_(EXPECTED["agent.listen"]),
                value=_shown(config.agent.listen),
            )
        )
    names: dict[str, int] = {}
    for number, meter in enumerate(config.meters):
        if meter.name in names:
            raise ConfigError(
                _("{path}, line {line}: meter.name {name} is already used on line {other}").format(
                    path=path,
                    line=line_of(text, ("meter", number, "name")),
                    name=_shown(meter.name),
                    other=line_of(text, ("meter", names[meter.name], "name")),
                )
            )
        names[meter.name] = number


def _unknown_keys(document: Mapping[str, Any]) -> Iterator[KeyPath]:
    for key, value in document.items():
        if key in TABLES:
            yield from ((key, inner) for inner in value if f"{key}.{inner}" not in EXPECTED)
        elif key == "meter":
            for number, table in enumerate(value):
                yield from ((key, number, inner) for inner in table if f"{key}.{inner}" not in EXPECTED)
        elif key not in EXPECTED:
            yield (key,)


def database_location(config: Config, home: Home) -> Path | str:
    """What `History.open` takes: the file of the home, else the path or the URL that `database` says."""
    if config.database is None:
        return home.database_path
    if "://" in config.database:
        return config.database
    return home.path / Path(config.database).expanduser()
