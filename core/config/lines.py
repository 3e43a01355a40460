"""Finds the line of a key in a TOML text: tomllib does not tell it. Pure."""

from __future__ import annotations

import re

KeyPath = tuple[str | int, ...]
"""Where a value stands: names of tables and keys, and the number of a `[[table]]` after its name."""

_KEY = re.compile(r"\s*((?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*'))*)\s*=")
_HEADER = re.compile(r"\s*(\[\[?)([^\[\]]+)\]")


def dotted(key: KeyPath) -> str:
    """The key as people write it: `meter.baud`."""
    return ".".join(str(part) for part in key if isinstance(part, str))


def line_of(text: str, key: KeyPath) -> int:
    """Line, from 1, where `key` stands in the TOML `text`; that of its table where the key itself is not found."""
    table: KeyPath = ()
    counts: dict[KeyPath, int] = {}
    best, best_depth = 1, 0
    closing: str | None = None
    for number, line in enumerate(text.split("\n"), 1):
        if closing is not None:
            closing = None if closing in line else closing
            continue
        header, assigned = _HEADER.match(line), _KEY.match(line)
        here: KeyPath = table
        if header:
            name: KeyPath = ()
            parts = _parts(header[2])
            for depth, part in enumerate(parts, 1):
                name = (*name, part)
                if header[1] == "[[" and depth == len(parts):
                    counts[name] = counts.get(name, -1) + 1
                if name in counts:  # a table within the last one of a list
                    name = (*name, counts[name])
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
