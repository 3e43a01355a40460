"""Names and texts of the room: made harmless, given a colour, looked through for links and mentions.

Whatever a peer sends passes `clean_name` or `clean_text` before anybody reads it, at the server and again at a client,
which may talk with a server that is not ours.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from datetime import datetime

NAME_LETTERS = 32
"""Letters of a name or a room; what is beyond is cut."""

PALETTE = 8
"""Colours that names are told apart by; window and terminal each have so many."""

GENERAL = "general"
"""The room of whoever names none."""

_NAME_LOOKED_AT = 1000
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Control and format characters (right-to-left marks, joiners), surrogates, private use, line separators."""

_TEXT: dict[int, str | None] = {
    **dict.fromkeys((*range(0x20), *range(0x7F, 0xA0))),  # C0, DEL, C1: what a terminal obeys
    **dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A))),  # they turn what follows around
    **dict.fromkeys((0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x85, 0x2028, 0x2029), " "),
    **dict.fromkeys(range(0xD800, 0xE000), "\ufffd"),  # no UTF-8 has them
}
_LINK = re.compile(
    r"(?<![\w/.:-])(?:(?:machine|alarm|command)/[^\s/]+|time/\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)?)"
)
_WHOLE_LINK = re.compile(r"(?:machine|alarm|command|time)/[^\x00-\x1f\x7f/]{1,200}")


def clean_name(text: str) -> str:
    """`text` as a name that can be shown and told apart: empty where nothing is left of it.

    Control and format characters go, `|` and `:` become `_` (the protocol separates by them, and `IP:PORT` names a
    client without a name), white space becomes one space, and 32 letters are kept.
    """
    normal = unicodedata.normalize("NFC", text[:_NAME_LOOKED_AT])
    seen = "".join(
        " " if letter.isspace() else letter
        for letter in normal
        if letter.isspace() or unicodedata.category(letter) not in _INVISIBLE
    )
    return " ".join(seen.replace("|", "_").replace(":", "_").split())[:NAME_LETTERS].strip()


def room_name(text: str) -> str:
    """`text` as the name of a room, in small letters, so that `Lab` and `lab` are one; `general` where it is empty."""
    return clean_name(text).casefold()[:NAME_LETTERS] or GENERAL


def name_key(name: str) -> str:
    """What two names have in common that people cannot tell apart: `Ann`, `ann` and `ＡＮＮ` have the same key."""
    return unicodedata.normalize("NFKC", name).casefold()


def clean_text(text: str) -> str:
    """`text` on one line, without control characters and without those that turn the direction around."""
    return text.translate(_TEXT)


def escaped(text: str, limit: int = 200) -> str:
    r"""`text` for a log: one line of `limit` letters, what cannot be printed as `\x1b`, the rest as `… (n letters)`."""
    shown = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "replace").decode("ascii")
        for letter in text[:limit]
    )
    return shown if len(text) <= limit else f"{shown}… ({len(text)} letters)"


def colour_index(name: str) -> int:
    """Which of the `PALETTE` colours is that of `name`: the same everywhere and for ever.

    Check values: "alice" 7, "bob" 0, "chloé" 4.
    """
    return zlib.crc32(name_key(name).encode("utf-8", "replace")) % PALETTE


def clock_stamp(time_s: float) -> str:
    """`[hh:mm]`, local time."""
    try:
        return f"[{datetime.fromtimestamp(time_s):%H:%M}]"
    except (OverflowError, OSError, ValueError):
        return "[--:--]"


def is_mentioned(text: str, name: str) -> bool:
    """True where `text` speaks to `name`: `@name` anywhere, or `name:` or `name,` at the beginning."""
    key, said = name_key(name), name_key(text)
    if not key or key not in said:
        return False
    word = re.escape(key)
    return re.search(rf"(?<!\w)@{word}(?!\w)|^\s*{word}\s*[:,]", said) is not None


def link_in(text: str) -> str | None:
    """The first link that `text` names: `machine/NAME`, `alarm/ID`, `command/RUN_ID` or `time/ISO 8601`."""
    found = _LINK.search(text[:10_000])
    return None if found is None else found[0].rstrip(".,;:!?)»\"'")


def checked_link(link: str | None) -> str | None:
    """`link` where it is of one of these forms, None else: a client of the room may send anything as one."""
    return link if link is not None and _WHOLE_LINK.fullmatch(link) else None
