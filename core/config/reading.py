"""Reads `config.toml` and checks it whole; what is wrong names file, line and key."""

from __future__ import annotations

import getpass
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from core.config.coherence import Fault, faults
from core.config.expected import EXPECTED
from core.config.lines import KeyPath, dotted, line_of
from core.config.settings import Config
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
    document = _with_never(document)
    try:
        config = msgspec.convert(document, Config)
    except msgspec.ValidationError as error:
        raise _value_error(error, document, text, path) from error
    fault = next(faults(config), None)
    if fault is not None:
        raise _fault_error(fault, text, path)
    warnings = [
        _("{path}, line {line}: {key} is not used by this version").format(
            path=path, line=line_of(text, key), key=dotted(key)
        )
        for key in _unknown_keys(document)
    ]
    return config, warnings


def _with_never(document: dict[str, Any]) -> dict[str, Any]:
    """The word for None, which TOML does not have, put in its place where a severity can be none."""
    for table, key in (("alarms", "notify"), ("room", "post_alarms")):
        values = document.get(table)
        if isinstance(values, dict) and values.get(key) == "never":
            document[table] = {**values, key: None}
    return document


def _user_name() -> str:
    try:
        return getpass.getuser() or "operator"
    except (OSError, KeyError, ImportError):  # no such user in the password file, nor in the environment
        return "operator"


def _syntax_error(error: tomllib.TOMLDecodeError, text: str, path: Path) -> ConfigError:
    found = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
    line = int(found[1]) if found else text.rstrip().count("\n") + 1
    shown = _without_user(text.split("\n")[line - 1].strip())[:80] if text else ""
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
    return _must_be(key, value, text, path)


def _must_be(key: KeyPath, value: object, text: str, path: Path) -> ConfigError:
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
        return f'"{_without_user(value)[:60]}"'
    return _without_user(str(value))[:60]


def _without_user(text: str) -> str:
    """`text` without the user and password of a URL in it: messages are shown, and logged."""
    return re.sub(r"://.*@", "://", text, flags=re.DOTALL)


def _fault_error(fault: Fault, text: str, path: Path) -> ConfigError:
    if fault.text is not None:
        return ConfigError(
            _("{path}, line {line}: {key}: {reason}").format(
                path=path, line=line_of(text, fault.key), key=dotted(fault.key), reason=fault.text
            )
        )
    if fault.other is None:
        return _must_be(fault.key, fault.value, text, path)
    return ConfigError(
        _("{path}, line {line}: {key} {name} is already used on line {other}").format(
            path=path,
            line=line_of(text, fault.key),
            key=dotted(fault.key),
            name=_shown(fault.value),
            other=line_of(text, fault.other),
        )
    )


def _unknown_keys(value: object, above: KeyPath = ()) -> Iterator[KeyPath]:
    """Keys that no name in EXPECTED is or begins with; `value` has the right types."""
    if isinstance(value, list):
        for number, one in enumerate(value):
            yield from _unknown_keys(one, (*above, number))
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            name = dotted((*above, key))
            if any(known.startswith(f"{name}.") for known in EXPECTED):
                yield from _unknown_keys(inner, (*above, key))
            elif name not in EXPECTED:
                yield (*above, key)


def database_location(config: Config, home: Home) -> Path | str:
    """What `History.open` takes: the file of the home, else the path or the URL that `database` says."""
    if config.database is None:
        return home.database_path
    if "://" in config.database:
        return config.database
    return home.path / Path(config.database).expanduser()
