"""The settings of a home, `config.toml`: read by tomllib, checked whole, changed by tomlkit so that comments stay.

What the user can mend is a ConfigError that names file, line and key; an unknown key is a warning, since a newer
version may have written it.
"""

from __future__ import annotations

import getpass
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from core.errors import ConfigError
from core.home import Home, check_private, make_private_folder, write_private
from core.language import N_, _
from core.records import Level

Seconds = Annotated[float, Meta(ge=0.2, le=3600)]
Days = Annotated[int, Meta(ge=1, le=36500)]
Text = Annotated[str, Meta(max_length=1024)]
ListenAddress = Annotated[str, Meta(pattern=r"^(\[[^\]]+\]|[^:\s]+):[0-9]{1,5}$")]


class Polling(Struct, frozen=True, kw_only=True):
    """How often an agent sends its status: to a machine in the background, to one that is shown."""

    interval_s: Seconds = 5.0
    visible_interval_s: Seconds = 1.0


class Retention(Struct, frozen=True, kw_only=True):
    """Days that rows are kept: meter readings as they came, minute rows of machines, quarters of an hour."""

    raw_days: Days = 30
    minute_days: Days = 90
    quarter_days: Days = 1100


class AgentSettings(Struct, frozen=True, kw_only=True):
    """The agent of this home: where it listens, and the most that it lets a console do."""

    listen: ListenAddress = "0.0.0.0:17450"
    max_level: Level = Level.RUN


class MeterConfig(Struct, frozen=True, kw_only=True):
    """One `[[meter]]`; None leaves the choice to the reader. Files are relative to the home."""

    name: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^/\x00-\x1f]+$")]
    port: Annotated[str, Meta(min_length=1, max_length=1024)]
    protocol: Literal["auto", "push", "iec62056-21"] = "auto"
    baud: Annotated[int, Meta(ge=50, le=4_000_000)] | None = None
    parity: Literal["N", "E", "O"] | None = None
    client: Annotated[int, Meta(ge=0, le=16383)] | None = None
    password_file: Text | None = None
    key_file: Text | None = None
    auth_key_file: Text | None = None
    preset: Text | None = None


class Config(Struct, frozen=True, kw_only=True, rename={"meters": "meter"}):
    """All settings; `database` None is `beffroi.db` in the home, else a path or a URL such as `sqlite:///FILE`."""

    operator: Annotated[str, Meta(min_length=1, max_length=128)] = ""
    language: Literal["system", "en", "fr"] = "system"
    theme: Literal["system", "light", "dark"] = "system"
    database: Annotated[str, Meta(min_length=1, max_length=1024)] | None = None
    polling: Polling = Polling()
    retention: Retention = Retention()
    agent: AgentSettings = AgentSettings()
    meters: tuple[MeterConfig, ...] = ()

    def meter(self, name: str) -> MeterConfig | None:
        """The meter of that name."""
        return next((meter for meter in self.meters if meter.name == name), None)


_EXPECTED: Mapping[str, str] = {
    "operator": N_("a name in quotes"),
    "language": N_('"system", "en" or "fr"'),
    "theme": N_('"system", "light" or "dark"'),
    "database": N_("a path or a URL in quotes"),
    "polling.interval_s": N_("a number of seconds from 0.2 to 3600"),
    "polling.visible_interval_s": N_("a number of seconds from 0.2 to 3600"),
    "retention.raw_days": N_("a whole number of days from 1 to 36500"),
    "retention.minute_days": N_("a whole number of days from 1 to 36500"),
    "retention.quarter_days": N_("a whole number of days from 1 to 36500"),
    "agent.listen": N_('an address such as "0.0.0.0:17450"'),
    "agent.max_level": N_('"view", "run", "manage" or "raw"'),
    "meter": N_("a list of tables, each under [[meter]]"),
    "meter.name": N_("a name in quotes, without a slash"),
    "meter.port": N_('a port in quotes, such as "/dev/ttyUSB0"'),
    "meter.protocol": N_('"auto", "push" or "iec62056-21"'),
    "meter.baud": N_("a whole number such as 2400"),
    "meter.parity": N_('"N", "E" or "O"'),
    "meter.client": N_("a whole number from 0 to 16383"),
    "meter.password_file": N_("the name of a file, in quotes"),
    "meter.key_file": N_("the name of a file, in quotes"),
    "meter.auth_key_file": N_("the name of a file, in quotes"),
    "meter.preset": N_("the name of a preset, in quotes"),
}
"""What each key must be, in words; also the list of keys that this version knows."""

_TABLES = frozenset({"polling", "retention", "agent"})

KeyPath = tuple[str | int, ...]
"""Where a value stands: names of tables and keys, and the number of a `[[table]]` after its name."""


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
    return _parsed(content, path)


def _parsed(content: bytes, path: Path) -> tuple[Config, list[str]]:
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
    expected = _EXPECTED.get(dotted(key))
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
                expected=_(_EXPECTED["agent.listen"]),
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
        if key in _TABLES:
            yield from ((key, inner) for inner in value if f"{key}.{inner}" not in _EXPECTED)
        elif key == "meter":
            for number, table in enumerate(value):
                yield from ((key, number, inner) for inner in table if f"{key}.{inner}" not in _EXPECTED)
        elif key not in _EXPECTED:
            yield (key,)


def dotted(key: KeyPath) -> str:
    """The key as people write it: `meter.baud`."""
    return ".".join(str(part) for part in key if isinstance(part, str))


_KEY = re.compile(r"\s*((?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*'))*)\s*=")
_HEADER = re.compile(r"\s*(\[\[?)([^\[\]]+)\]")


def line_of(text: str, key: KeyPath) -> int:
    """Line, from 1, where `key` stands in the TOML `text`; that of its table where the key itself is not found."""
    table: KeyPath = ()
    counts: dict[str, int] = {}
    best, best_depth = 1, 0
    closing: str | None = None
    for number, line in enumerate(text.split("\n"), 1):
        if closing is not None:
            closing = None if closing in line else closing
            continue
        header, assigned = _HEADER.match(line), _KEY.match(line)
        here: KeyPath = table
        if header:
            name = _parts(header[2])
            if header[1] == "[[":
                counts[header[2].strip()] = counts.get(header[2].strip(), -1) + 1
                name = (*name, counts[header[2].strip()])
            here = table = name
        elif assigned:
            here = (*table, *_parts(assigned[1]))
            closing = next((quote for quote in ('"""', "'''") if line.count(quote) == 1), None)
        else:
            continue
        if len(here) > best_depth and key[: len(here)] == here:
            best, best_depth = number, len(here)
    return best


def _parts(written: str) -> KeyPath:
    return tuple(part.strip("\"'") for part in re.findall(r"\"[^\"]*\"|'[^']*'|[A-Za-z0-9_-]+", written))


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
        _parsed(content, path)
        write_private(path, content)
    except OSError as error:
        raise ConfigError(_("{path} cannot be written: {reason}").format(path=path, reason=error.strerror)) from error


def database_location(config: Config, home: Home) -> Path | str:
    """What `History.open` takes: the file of the home, else the path or the URL that `database` says."""
    if config.database is None:
        return home.database_path
    if "://" in config.database:
        return config.database
    return home.path / Path(config.database).expanduser()


def secret_path(home: Home, name: str) -> Path:
    """The file that `password_file`, `key_file` or `auth_key_file` means."""
    return home.path / Path(name).expanduser()


def read_secret(path: Path) -> str:
    """First line of a file with a password or a key; raises ConfigError where others may read it, or it is empty."""
    check_private(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").strip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else _("not UTF-8 text")
        raise ConfigError(_("{path} cannot be read: {reason}").format(path=path, reason=reason)) from error
    if not lines:
        raise ConfigError(
            _("{path} is empty; it must hold the password or the key on its first line").format(path=path)
        )
    return lines[0].strip()


def save_secret(home: Home, name: str, secret: str) -> str:
    """Keep `secret` in the home's `secrets` folder, 0600; what to give as `key_file` and the like."""
    folder = make_private_folder(home.path / "secrets")
    name = re.sub(r"[/\\\x00-\x1f]|^\.+", "_", name)
    write_private(folder / name, f"{secret}\n".encode())
    return f"secrets/{name}"
