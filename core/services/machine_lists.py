"""Lists of machines from files: what is good is taken, what is not is named with its line and reason.

Six simple forms, mixed as one likes: `ip;port`, `name,ip:port`, `ip,port`, `ip:port`, an address alone (the default
port), `ip port ip port` on one line; and csv, json and xlsx with the headers name, address, port, groups, notes,
reference, price_before_tax, vat_rate_percent, and tags where there are any. A byte order mark, Windows-1252 and tabs
are taken as they come. `#` begins a comment line. `core.services.list_writing` writes what is read here.
"""

from __future__ import annotations

import csv
import functools
import io
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from core.equipment import checked_price, checked_reference
from core.errors import ConfigError, UsageError
from core.language import _
from core.machine_tags import tags_of
from core.records import Machine
from core.services.machine_fields import DEFAULT_PORT, BadFieldError, check_name, parse_address, parse_port
from core.services.spreadsheet import NotASpreadsheetError, sheet_rows
from core.services.text_files import text_of

COLUMNS = ("name", "address", "port", "groups", "notes", "reference", "price_before_tax", "vat_rate_percent")
TAGS = "tags"
"""A column that is written only where a machine has a tag: a list without any stays as it always was."""

LARGEST_FILE = 64 << 20

_HEADERS = {
    "name": "name", "nom": "name", "machine": "name", "hostname": "name",
    "address": "address", "adresse": "address", "ip": "address", "host": "address", "hote": "address",
    "ip address": "address", "adresse ip": "address",
    "port": "port",
    "groups": "groups", "group": "groups", "groupes": "groups", "groupe": "groups",
    "tags": TAGS, "tag": TAGS, "etiquettes": TAGS, "etiquette": TAGS, "mots cles": TAGS,
    "notes": "notes", "note": "notes", "comment": "notes", "commentaire": "notes",
    "reference": "reference", "ref": "reference",
    "price before tax": "price_before_tax", "price": "price_before_tax", "prix ht": "price_before_tax",
    "prix": "price_before_tax", "prix hors taxe": "price_before_tax", "prix hors taxes": "price_before_tax",
    "vat rate percent": "vat_rate_percent", "vat rate": "vat_rate_percent", "vat": "vat_rate_percent",
    "tva": "vat_rate_percent", "taux tva": "vat_rate_percent", "taux de tva": "vat_rate_percent",
}  # fmt: skip
_SHOWN = 200
_SPACE = re.compile(r"[ \t\n\r]*")
FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")


class LineError(Struct, frozen=True):
    """A line (of json: an entry; of xlsx: a row) that was not taken, and why, for the user."""

    line: int
    text: str
    reason: str


class Listing(Struct, frozen=True):
    """What a list holds: machines, the line of each, and the lines that were not taken, in their order."""

    machines: list[Machine]
    lines: list[int]
    errors: list[LineError]


def read_list(path: Path) -> tuple[list[Machine], list[LineError]]:
    """Machines and bad lines of the file at `path`; raises ConfigError where it cannot be read."""
    found = read_listing(path)
    return found.machines, found.errors


def read_listing(path: Path) -> Listing:
    """The same with the line of each machine."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ConfigError(_("{path} is larger than {count} MiB").format(path=path, count=LARGEST_FILE >> 20))
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(_("{path} cannot be read: {reason}").format(path=path, reason=error.strerror)) from error
    return parse_listing(content, path.suffix)


def parse_list(content: str | bytes, suffix: str = "") -> tuple[list[Machine], list[LineError]]:
    """Machines and bad lines of a list whose file name ends in `suffix`; a duplicate is a bad line. Raises nothing."""
    found = parse_listing(content, suffix)
    return found.machines, found.errors


def parse_listing(content: str | bytes, suffix: str = "") -> Listing:
    """The same with the line of each machine."""
    machines: list[Machine] = []
    lines: list[int] = []
    errors: list[LineError] = []
    names: dict[str, int] = {}
    addresses: dict[tuple[str, int], int] = {}
    for line, text, found in _entries(content, suffix.lower()):
        if isinstance(found, UsageError):
            errors.append(LineError(line, text, str(found)))
            continue
        for machine in found:
            place = (machine.host.casefold(), machine.port)
            name = machine.name
            if name == machine.host and name in names and place not in addresses:
                machine = Machine(name=machine.address, host=machine.host, port=machine.port)
            earlier = names.get(machine.name)
            if earlier is not None:
                reason = _("the name {name} is already on line {line}").format(name=machine.name, line=earlier)
            elif place in addresses:
                reason = _("{address} is already on line {line}").format(address=machine.address, line=addresses[place])
            else:
                names[machine.name] = addresses[place] = line
                machines.append(machine)
                lines.append(line)
                continue
            errors.append(LineError(line, text or f"{machine.name}, {machine.address}", reason))
    return Listing(machines, lines, errors)


_Found = list[Machine] | UsageError


def _entries(content: str | bytes, suffix: str) -> Iterator[tuple[int, str, _Found]]:
    if suffix == ".xlsx" and isinstance(content, bytes):
        try:
            yield from _table_entries(sheet_rows(content))
        except NotASpreadsheetError as error:
            yield 1, "", error
        return
    text = text_of(content) if isinstance(content, bytes) else content.removeprefix("\ufeff")
    if suffix == ".json":
        yield from _json_entries(text)
        return
    first = next((line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")), "")
    separator = max(";\t,", key=first.count)
    if _columns(first.split(separator)) is not None:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        yield from _table_entries(_numbered(rows))
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line.strip(), _taken(_simple, line)


def _numbered(rows: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    number = 0
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error:
            row = ["\0"]
        number = getattr(rows, "line_num", number + 1)
        yield number, row


def _table_entries(rows: Iterable[tuple[int, Sequence[object]]]) -> Iterator[tuple[int, str, _Found]]:
    """Entries of a table whose first row that says anything is its headers."""
    columns: list[str | None] | None = None
    for number, row in rows:
        cells = [_cell_text(cell) for cell in row]
        shown = " ".join(cell for cell in cells if cell)
        if not shown or shown.startswith("#"):
            continue
        if columns is None:
            columns = _columns(cells)
            if columns is None:  # a sheet without headers: each row is one of the simple forms
                columns = []
            else:
                continue
        if not columns:
            yield number, shown, _taken(_simple, ",".join(cell for cell in cells if cell))
            continue
        fields = {column: cell for column, cell in zip(columns, cells, strict=False) if column}
        yield number, shown, _taken(lambda fields: [_machine_of(fields)], fields)


def _json_entries(text: str) -> Iterator[tuple[int, str, _Found]]:
    try:
        for number, entry in enumerate(_json_values(text), 1):
            if isinstance(entry, str):
                yield number, entry[:_SHOWN], _taken(_simple, entry)
            elif isinstance(entry, dict):
                columns = ((_HEADERS.get(_key(key)), value) for key, value in entry.items())
                fields = {column: _plain_text(value) for column, value in columns if column is not None}
                found = _taken(lambda fields: [_machine_of(fields)], fields)
                yield number, _shown(entry) if isinstance(found, UsageError) else "", found
            else:
                yield number, _shown(entry), BadFieldError(_("this is not a machine"))
    except json.JSONDecodeError as error:
        yield error.lineno, "", BadFieldError(_("this is not JSON: {reason}").format(reason=error.msg))
    except (RecursionError, TypeError):
        yield 1, "", BadFieldError(_("this is not a list of machines"))


def _json_values(text: str) -> Iterator[object]:
    """The values of a JSON list, or of the list `machines` of an object, one at a time.

    `json.loads` of a long list would hold every thread of the program until it ends. Raises JSONDecodeError, after
    the values that come before what is broken; TypeError where there is no list.
    """
    decoder = json.JSONDecoder()
    at = _past_space(text, 0)
    if not text.startswith("[", at):
        document = json.loads(text)
        if not isinstance(document, dict) or not isinstance(document.get("machines"), list):
            raise TypeError
        yield from document["machines"]
        return
    at = _past_space(text, at + 1)
    is_end = text.startswith("]", at)
    while not is_end:
        value, at = decoder.raw_decode(text, at)
        yield value
        at = _past_space(text, at)
        is_end = text.startswith("]", at)
        if not is_end:
            if not text.startswith(",", at):
                raise json.JSONDecodeError("Expecting ',' delimiter", text, at)
            at = _past_space(text, at + 1)
    at = _past_space(text, at + 1)
    if at != len(text):
        raise json.JSONDecodeError("Extra data", text, at)


def _past_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _shown(entry: object) -> str:
    return json.dumps(entry, ensure_ascii=False)[:_SHOWN]


def _taken(parse: object, line: object) -> _Found:
    try:
        return parse(line)  # type: ignore[operator,no-any-return]  # one of the two parsers of this module
    except UsageError as error:
        return error


def _columns(cells: Sequence[str]) -> list[str | None] | None:
    """The column each header names, None where none of them is an address."""
    found = [_HEADERS.get(_key(cell)) for cell in cells]
    return found if "address" in found else None


@functools.lru_cache(maxsize=256)
def _key(header: str) -> str:
    """A header as it stands in _HEADERS: small letters without accents, underscores or a unit behind."""
    decomposed = unicodedata.normalize("NFKD", header.strip().strip('"').casefold())
    plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return re.sub(r"\s*[(\[].*|\s*[%€]$", "", plain.replace("_", " ")).strip()


def _plain_text(value: object) -> str:
    """Text of a value: numbers without a needless `.0`, lists joined."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ";".join(_plain_text(part) for part in value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _cell_text(cell: object) -> str:
    """Text of a cell of a table, the apostrophe against formulas taken off."""
    text = _plain_text(cell)
    return text[1:].strip() if len(text) > 1 and text[0] == "'" and text[1] in FORMULA else text


def _simple(line: str) -> list[Machine]:
    """Machines of a line in one of the six simple forms."""
    text = line.strip()
    separator = next((mark for mark in ";,\t" if mark in text), None)
    fields = [field.strip() for field in text.split(separator)]
    while len(fields) > 1 and not fields[-1]:
        fields.pop()
    if len(fields) == 1 and separator is not None:
        return _simple(fields[0])
    if len(fields) == 1:
        return [_fromparse_address(fields[0])]
    if len(fields) % 2 == 0 and all(field.isdecimal() for field in fields[1::2]):
        return [
            _machine_of({"address": host, "port": port}) for host, port in zip(fields[::2], fields[1::2], strict=True)
        ]
    if separator is None:
        if all(":" in field for field in fields):
            return [_fromparse_address(field) for field in fields]
        raise BadFieldError(_("this is neither an address nor a name and an address"))
    return [_machine_of(dict(zip(COLUMNS, fields, strict=False)))]


def _fromparse_address(text: str) -> Machine:
    return _machine_of({"address": text})


def _machine_of(fields: dict[str, str]) -> Machine:
    """The machine of named fields; raises BadFieldError."""
    address = fields.get("address", "")
    if not address:
        raise BadFieldError(_("there is no address"))
    port_text = fields.get("port", "")
    host, port = parse_address(address, parse_port(port_text) if port_text else DEFAULT_PORT)
    groups = tuple(
        dict.fromkeys(group.strip() for group in re.split(r"[;,|]", fields.get("groups", "")) if group.strip())
    )
    for group in groups:
        if not group.isprintable() or len(group) > 64:
            raise BadFieldError(_("the group {group!r} has characters that cannot be shown").format(group=group[:64]))
    notes = "".join(letter if letter.isprintable() or letter in "\n\t" else " " for letter in fields.get("notes", ""))
    price, rate = checked_price(fields.get("price_before_tax", ""), fields.get("vat_rate_percent", ""))
    return Machine(
        name=check_name(fields.get("name") or host),
        host=host,
        port=port,
        groups=groups,
        notes=notes[:2000],
        reference=checked_reference(fields.get("reference", "")),
        price_before_tax=price,
        vat_rate_percent=rate,
        tags=tags_of(fields.get(TAGS, "")),
    )
