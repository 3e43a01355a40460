"""Text from outside, made harmless before Qt sees it.

Tool-tips have no plain mode: Qt draws whatever looks like HTML as HTML, so theirs is escaped here.
"""

from __future__ import annotations

from html import escape

_REPLACED = {code: "\ufffd" for code in (*range(0x20), *range(0x7F, 0xA0)) if code not in (0x09, 0x0A)}
_REPLACED |= dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F), "\ufffd")
_REPLACED |= {0x0D: "", 0x2028: " ", 0x2029: " "}


def plain_tip(text: str) -> str:
    """`text` as a tool-tip that shows it letter by letter; empty stays empty."""
    return f'<div style="white-space: pre-wrap">{escape(printable(text))}</div>' if text else ""


def printable(text: str) -> str:
    """`text` without signs that steer a terminal or turn the direction of reading; tabs and line ends stay."""
    return text.translate(_REPLACED)


def one_line(text: str) -> str:
    """`text` made printable, with spaces for its line ends."""
    return " ".join(printable(text).split("\n"))
