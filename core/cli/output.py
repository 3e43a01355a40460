"""What every command prints: JSON documents for programs, tables for people, ISO times.

JSON goes to stdout as UTF-8 whatever the terminal's encoding is; one document is one line. Text for people has its
control characters taken out, since much of it comes from other machines.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec


def local_time(time_s: float | None) -> str:
    """Local date and time for people, `-` where there is none."""
    if time_s is None:
        return "-"
    try:
        return datetime.fromtimestamp(time_s).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, OSError, ValueError):
        return "-"


def print_json(document: object) -> None:
    """One JSON document on one line of stdout; NaN becomes null, broken UTF-8 U+FFFD."""
    try:
        encoded = msgspec.json.encode(document)
    except UnicodeEncodeError:
        encoded = msgspec.json.encode(_without_surrogates(msgspec.to_builtins(document)))
    sys.stdout.flush()
    stream = getattr(sys.stdout, "buffer", None)
    if stream is None:
        sys.stdout.write(encoded.decode() + "\n")
    else:
        stream.write(encoded + b"\n")
    sys.stdout.flush()


def print_json_array(items: Iterable[object]) -> None:
    """One JSON array on one line of stdout, item by item: a long one is never held in memory."""
    sys.stdout.flush()
    stream = getattr(sys.stdout, "buffer", None)
    before = "["
    for item in items:
        try:
            encoded = msgspec.json.encode(item)
        except UnicodeEncodeError:
            encoded = msgspec.json.encode(_without_surrogates(msgspec.to_builtins(item)))
        if stream is None:
            sys.stdout.write(before + encoded.decode())
        else:
            stream.write(before.encode() + encoded)
        before = ","
    sys.stdout.write(("[]" if before == "[" else "]") + "\n")
    sys.stdout.flush()


def print_text(text: str) -> None:
    """A line for people on stdout; what the terminal cannot show becomes `?`."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding, "replace"))


def print_problem(text: str) -> None:
    """A message on stderr, after the program's name."""
    encoding = sys.stderr.encoding or "utf-8"
    print(f"beffroi: {text}".encode(encoding, "replace").decode(encoding, "replace"), file=sys.stderr)


class NumberText(str):
    """A number that is written already; in a table it stands to the right like others."""

    __slots__ = ()


def measured(value: float) -> NumberText:
    """A measured value with the digits it has, ten at most: `23.46`, `1234567.8`, `5`."""
    return NumberText(f"{value:.10g}")


def print_table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns side by side under `headers`; numbers to the right, a float with one decimal, None as `-`."""
    cells = [[_cell(value) for value in row] for row in rows]
    is_number = [
        all(isinstance(row[column], (int, float, NumberText)) or row[column] is None for row in rows) and bool(rows)
        for column in range(len(headers))
    ]
    widths = [max([_width(headers[column]), *(_width(row[column]) for row in cells)]) for column in range(len(headers))]
    for line in [list(headers), *cells]:
        parts = []
        for column, text in enumerate(line):
            padding = " " * (widths[column] - _width(text))
            parts.append(padding + text if is_number[column] else text + padding)
        print_text("  ".join(parts).rstrip())


def bytes_text(count: float | None) -> str:
    """A number of bytes in binary units, such as `1.5 GiB`; `-` where there is none."""
    if count is None:
        return "-"
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.1f}"
    return "".join(letter if letter.isprintable() else " " for letter in str(value))


def _width(text: str) -> int:
    """Columns of a terminal that `text` takes: two for wide letters, none for combining ones."""
    if text.isascii():
        return len(text)
    import unicodedata  # its tables cost half a megabyte, which an agent does not need

    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def _without_surrogates(value: object) -> object:
    if isinstance(value, str):
        return "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in value)
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_surrogates(item) for item in value]
    return value
