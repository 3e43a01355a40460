"""A line of the room as spans: each with its colour, what it leads to, and nothing in it that could mislead."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import NamedTuple

from core.language import _, ngettext
from core.protocol.chat_text import clean_name, colour_index, is_mentioned, link_in, name_key
from core.site_records import AlarmSeverity, ChatKind, ChatLine
from gui import numbers
from gui.plain_text import one_line

MOST_LETTERS = 600
"""A longer line is cut, with a link that shows all of it."""
MOST_MARKS = 4
"""Accents on one letter; some pile up hundreds of them, over the lines above."""
WHOLE = "whole/"
"""What the link of a line that is cut leads to: `whole/ID`."""

_MARK = r"[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]"
_MARKS = re.compile(f"({_MARK}{{{MOST_MARKS}}}){_MARK}+")
_ENDLESS = re.compile(r"\S{200,}")
"""Letters without a blank that Qt would lay out in time that grows with their square."""
_PIECE = re.compile(r"\S{24}")
_BREAK = "\u200b"
_ISOLATE, _POP = "\u2068", "\u2069"
_SEVERITIES = {
    AlarmSeverity.LOW: ("●", "unknown"),
    AlarmSeverity.MEDIUM: ("▲", "warning"),
    AlarmSeverity.HIGH: ("■", "critical"),
    AlarmSeverity.CRITICAL: ("■", "critical"),
}


class ChatSpan(NamedTuple):
    """Text of one look; `color` is the number of a name's colour, else -1 and `role` holds."""

    text: str
    role: str = "text"
    color: int = -1
    is_bold: bool = False
    anchor: str = ""


class ChatRow(NamedTuple):
    """A line as it is drawn: what stands before it (time or nothing), and its spans."""

    id: str
    stamp: str
    spans: tuple[ChatSpan, ...]
    is_mention: bool = False
    tip: str = ""


def is_own(line: ChatLine, operator: str) -> bool:
    """True where the operator of this window said it."""
    return bool(line.author) and name_key(line.author) == name_key(clean_name(operator))


def is_for(line: ChatLine, operator: str) -> bool:
    """True where somebody else speaks to the operator of this window."""
    return (
        line.kind is ChatKind.MESSAGE and not is_own(line, operator) and is_mentioned(line.text, clean_name(operator))
    )


def safe(text: str) -> str:
    """`text` on one line, harmless, and set apart: letters written from the right turn nothing else around."""
    shown = _MARKS.sub(r"\1", one_line(text))
    shown = _ENDLESS.sub(lambda run: _PIECE.sub(lambda piece: piece[0] + _BREAK, run[0]), shown)
    return f"{_ISOLATE}{shown}{_POP}" if not shown.isascii() else shown


def bare(text: str) -> str:
    """`text` as it was before `safe` set parts of it apart and gave it places to break at, for the clipboard."""
    return text.replace(_ISOLATE, "").replace(_POP, "").replace(_BREAK, "")


def chat_row(
    line: ChatLine,
    operator: str,
    severities: Mapping[str, AlarmSeverity] | None = None,
    *,
    is_whole: bool = False,
) -> ChatRow:
    """How `line` is shown to `operator`; `severities` are those of alarms by their links."""
    local = time.localtime(line.time_s)
    stamp = f"[{time.strftime('%H:%M', local)}]"
    tip = numbers.exact_time(line.time_s)
    text = line.text if is_whole else line.text[:MOST_LETTERS]
    if line.kind in (ChatKind.JOINED, ChatKind.LEFT):
        words = _("{name} has joined") if line.kind is ChatKind.JOINED else _("{name} has left")
        return ChatRow(line.id, stamp, (ChatSpan(words.format(name=safe(line.author[:200])), "dim"),), tip=tip)
    rest = _rest(line, text)
    if line.kind is ChatKind.SERVER:
        return ChatRow(line.id, stamp, (ChatSpan(safe(text), "dim"), *rest), tip=tip)
    if line.kind is ChatKind.ALARM:
        sign, role = _SEVERITIES[(severities or {}).get(line.link or "", AlarmSeverity.MEDIUM)]
        return ChatRow(line.id, stamp, (ChatSpan(f"{sign} ", role), ChatSpan(safe(text)), *rest), tip=tip)
    if line.kind is ChatKind.COMMAND:
        return ChatRow(line.id, stamp, (ChatSpan("› ", "accent"), ChatSpan(safe(text)), *rest), tip=tip)
    own, mention = is_own(line, operator), is_for(line, operator)
    name = _("You said") if own else safe(line.author[:200])
    head = ChatSpan(_("{name}:").format(name=name) + " ", "text", colour_index(line.author), is_bold=True)
    return ChatRow(line.id, stamp, (head, *_text_spans(line, text, operator), *rest), mention, tip)


def _text_spans(line: ChatLine, text: str, operator: str) -> list[ChatSpan]:
    """The text, with the link that it names and the names it speaks to set off."""
    link = link_in(text)
    if link is not None and link in text:
        before, _link, after = text.partition(link)
        return [
            *_mention_spans(before, operator),
            ChatSpan(safe(link), "accent", anchor=line.link or link),
            *_mention_spans(after, operator),
        ]
    return _mention_spans(text, operator)


def _mention_spans(text: str, operator: str) -> list[ChatSpan]:
    spans = []
    at = 0
    me = name_key(clean_name(operator))
    for found in re.finditer(r"(?<!\w)@[\w.-]{1,32}", text):
        name = found[0][1:]
        if found.start() > at:
            spans.append(ChatSpan(safe(text[at : found.start()])))
        is_me = bool(me) and name_key(name) == me
        spans.append(ChatSpan(safe(found[0]), "accent" if is_me else "text", -1 if is_me else colour_index(name), True))
        at = found.end()
    if at < len(text):
        spans.append(ChatSpan(safe(text[at:])))
    return spans


def _rest(line: ChatLine, text: str) -> list[ChatSpan]:
    """What comes after the text: how much is left out, and what the line leads to."""
    spans = []
    left = len(line.text) - len(text)
    if left > 0:
        words = ngettext("… {count} letter more", "… {count} letters more", left)
        spans.append(ChatSpan(" "))
        spans.append(ChatSpan(words.format(count=numbers.number(left)), "accent", anchor=f"{WHOLE}{line.id}"))
    if line.link and line.link not in text:
        spans.append(ChatSpan("  → ", "dim"))
        spans.append(ChatSpan(safe(link_words(line.link)), "accent", anchor=line.link))
    return spans


def link_words(link: str) -> str:
    """`the alarm 12` for `alarm/12`: what a link leads to, for people."""
    kind, _slash, name = link.partition("/")
    name = one_line(name)[:64]
    if kind == "machine":
        return _("machine {name}").format(name=name)
    if kind == "alarm":
        return _("alarm {id}").format(id=name)
    if kind == "command":
        return _("command and its answers")
    return name.replace("T", " ")[:19] if kind == "time" else name


def day_words(time_s: float) -> str:
    """`Saturday 21 November`, above the first line of a day."""
    from PyQt5.QtCore import QDate, QLocale

    from core.language import language

    local = time.localtime(time_s)
    return QLocale(language()).toString(QDate(local.tm_year, local.tm_mon, local.tm_mday), "dddd d MMMM")
