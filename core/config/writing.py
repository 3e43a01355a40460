"""Changes `config.toml` by tomlkit, so that comments stay; a file that would not be read again is not written."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from core.config.expected import EXPECTED
from core.config.reading import load_config, parsed
from core.config.settings import MeterConfig
from core.errors import ConfigError, LocalProtocolError
from core.home import Home, write_private
from core.language import _

Value = str | int | float | bool | Sequence[Any] | Mapping[str, Any] | None
"""What a key can hold; a mapping is a table, None takes the key out."""


class _List(NamedTuple):
    """A list of tables in the file: where it stands, and the keys by which one of it is known."""

    path: tuple[str, ...]
    identity: tuple[str, ...]


_LISTS: Mapping[str, _List] = {
    "meter": _List(("meter",), ("name",)),
    "tariff": _List(("tariff",), ("name",)),
    "sensor": _List(("sensor",), ("id",)),
    "check": _List(("check",), ("name",)),
    "view": _List(("view",), ("name",)),
    "command": _List(("command",), ("name",)),
    "filter": _List(("filter",), ("name",)),
    "alarms.rule": _List(("alarms", "rule"), ("name", "source")),
}


def save_setting(home: Home, key: str, value: Value) -> None:
    """Write `key`, such as `polling.interval_s`, or a whole table, such as `alarms.email`; None takes it out.

    Of a table what is None or not named is taken out, but for keys of a newer version. Comments stay. Raises
    ConfigError, and leaves the file as it was, where the value is not one that `load_config` takes.
    """

    def change(document: Any) -> None:
        *tables, last = key.split(".")
        table = _table_at(document, tables, make=value is not None)
        if table is None:
            return
        if value is None:
            table.pop(last, None)
        elif isinstance(value, Mapping):
            inner = _table_at(table, [last], make=True)
            for name in [name for name in inner if name not in value and f"{key}.{name}" in EXPECTED]:
                del inner[name]
            _fill(inner, msgspec.to_builtins(value), {})
        else:
            table[last] = msgspec.to_builtins(value)

    _change(home, change)


def save_table(home: Home, kind: str, table: msgspec.Struct) -> None:
    """Write one `[[table]]` of a `kind` of "meter", "tariff", "sensor", "check" or "alarms.rule". Comments stay.

    It takes the place of the one of the same name (`id` of a sensor, name and source of a rule); what is as without
    the key is left out.
    """
    save_tables(home, kind, [table])


def save_tables(home: Home, kind: str, tables: Sequence[msgspec.Struct]) -> None:
    """The same for several: the file is written once, with all of them or, after an error, none."""
    place = _place(kind)

    def change(document: Any) -> None:
        for table in tables:
            _put(document, place, table)

    if tables:
        _change(home, change)


def replace_tables(home: Home, kind: str, tables: Sequence[msgspec.Struct]) -> None:
    """Make `tables` all there are of a kind, in this order; one that stays keeps its comments."""
    place = _place(kind)

    def change(document: Any) -> None:
        import tomlkit

        parent = _table_at(document, place.path[:-1], make=True)
        last = place.path[-1]
        before = {_identity(one, place): one for one in parent.get(last, [])}
        parent.pop(last, None)
        if not tables:
            return
        parent[last] = tomlkit.aot()
        for table in tables:
            values = _values_of(table)
            kept = before.get(tuple(values[key] for key in place.identity))
            if kept is not None:
                parent[last].append(kept)
            _put(document, place, table)

    _change(home, change)


def remove_table(home: Home, kind: str, name: str | tuple[str, ...]) -> None:
    """Take the `[[table]]` of that name (name and source of a rule, as a tuple) out; nothing where there is none."""
    place = _place(kind)
    names = (name,) if isinstance(name, str) else name

    def change(document: Any) -> None:
        parent = _table_at(document, place.path[:-1], make=False)
        last = place.path[-1]
        found = [] if parent is None else parent.get(last, [])
        for number in reversed([number for number, one in enumerate(found) if _identity(one, place) == names]):
            del found[number]
        if parent is not None and last in parent and not found:
            del parent[last]  # an empty list of tables would be written as `meter = []`, which takes none

    _change(home, change)


def save_meter(home: Home, meter: MeterConfig) -> None:
    """Write one `[[meter]]`, in place of the one of that name."""
    save_table(home, "meter", meter)


def remove_meter(home: Home, name: str) -> None:
    """Take the `[[meter]]` of that name out of the file; nothing happens where there is none."""
    remove_table(home, "meter", name)


def _place(kind: str) -> _List:
    try:
        return _LISTS[kind]
    except KeyError:
        raise LocalProtocolError(f"{kind!r} is no list of tables of the settings") from None


def _identity(table: Any, place: _List) -> tuple[object, ...]:
    return tuple(table.get(key) for key in place.identity)


def _table_at(document: Any, path: Sequence[str], *, make: bool) -> Any:
    """The table at `path`, made where it is missing and `make`, else None."""
    import tomlkit

    table = document
    for name in path:
        if name not in table:
            if not make:
                return None
            table[name] = tomlkit.inline_table() if isinstance(table, tomlkit.items.InlineTable) else tomlkit.table()
        table = table[name]
    return table


def _put(document: Any, place: _List, record: msgspec.Struct) -> None:
    import tomlkit

    parent = _table_at(document, place.path[:-1], make=True)
    last = place.path[-1]
    is_inline = isinstance(parent, tomlkit.items.InlineTable)
    if last not in parent:
        parent[last] = tomlkit.array() if is_inline else tomlkit.aot()
    tables = parent[last]
    values = _values_of(record)
    usual = _usual_of(record)
    names = tuple(values[key] for key in place.identity)
    table = next((one for one in tables if _identity(one, place) == names), None)
    if table is None:
        table = tomlkit.table() if isinstance(tables, tomlkit.items.AoT) else tomlkit.inline_table()
        _fill(table, values, usual)
        tables.append(table)
    else:
        _fill(table, values, usual)


def _values_of(record: msgspec.Struct) -> dict[str, Any]:
    """The keys of a table; of the tables within it only those that are not as usual, since TOML has no None."""
    values: dict[str, Any] = msgspec.to_builtins(record)
    for field in msgspec.structs.fields(record):
        inner = getattr(record, field.name)
        if isinstance(inner, tuple) and any(isinstance(one, msgspec.Struct) for one in inner):
            values[field.encode_name] = [_unusual_of(one) for one in inner]
    return values


def _unusual_of(record: msgspec.Struct) -> dict[str, Any]:
    usual = _usual_of(record)
    return {key: value for key, value in _values_of(record).items() if key not in usual or usual[key] != value}


def _usual_of(record: msgspec.Struct) -> dict[str, Any]:
    """The keys that have a value where the file says nothing."""
    return {
        field.encode_name: msgspec.to_builtins(field.default)
        for field in msgspec.structs.fields(record)
        if field.default is not msgspec.NODEFAULT
    }


def _fill(table: Any, values: Mapping[str, Any], usual: Mapping[str, Any]) -> None:
    """Make `table` hold `values` and no other key that is known; one that is as usual is not added."""
    for key, value in values.items():
        if value is None:
            table.pop(key, None)
        elif key in table:
            if table[key] != value:
                table[key] = value
        elif key not in usual or usual[key] != value:
            table[key] = value


def _change(home: Home, change: Callable[[Any], None]) -> None:
    import tomlkit  # only Preferences write; reading needs none of it

    path = home.config_path
    load_config(home)  # a broken file is the user's to mend, not ours to write over
    try:
        document = tomlkit.parse(path.read_bytes().decode("utf-8-sig") if path.exists() else "")
        change(document)
        content = tomlkit.dumps(document).encode()
        parsed(content, path)
        if _told(tomllib.loads(content.decode())) != _told(document.unwrap()):
            raise ConfigError(
                _("{path} is written in a way that cannot be changed here; change it in an editor").format(path=path)
            )
        write_private(path, content)
    except OSError as error:
        raise ConfigError(_("{path} cannot be written: {reason}").format(path=path, reason=error.strerror)) from error


def _told(table: Mapping[str, Any]) -> dict[str, Any]:
    """`table` without the tables that hold nothing: tomlkit does not write all of them."""
    inner = {key: _told(value) if isinstance(value, Mapping) else value for key, value in table.items()}
    return {key: value for key, value in inner.items() if value != {}}
