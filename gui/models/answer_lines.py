"""The lines that an answer is shown by: what a machine printed, what is said of it, what can be clicked.

Text from outside is only ever put into a span, never into markup.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from core.language import _, ngettext
from core.records import CommandResult, CommandState
from gui.models.answers import MARKS, WORDS, Standing
from gui.numbers import duration, number, size
from gui.plain_text import one_line, printable

LINES_SHOWN = 40
"""Lines of an answer before it is folded, where there are few answers; with many, fewer."""

LINES_IN_ALL = 3000
LINES_UNFOLDED = 5000
COLUMNS_SHOWN = 2000
NAMES_SHOWN = 400
"""Characters of the names of one group before they are cut."""

_POLICY_LINE = re.compile(r"[A-Za-z0-9_-]+ = \{ argv = \[.*\].* \}")
"""How an agent writes the line of policy.toml that allows what it has refused."""


class Span(NamedTuple):
    """A piece of a line: `role` is a colour role, `anchor` makes it something to click, `is_found` marks it."""

    text: str
    role: str = "text"
    is_bold: bool = False
    is_mono: bool = False
    anchor: str = ""
    is_found: bool = False


class Line(NamedTuple):
    """A line of spans; `is_output` marks an indented one, whose indent is not copied."""

    spans: tuple[Span, ...]
    is_output: bool = False


GAP = Line(())
"""Half an empty line."""


class Section(NamedTuple):
    """The lines of one group or machine; `key` stays the same while its content changes."""

    key: str
    lines: tuple[Line, ...]
    machines: tuple[str, ...] = ()


class Shown(NamedTuple):
    """How answers are shown: which of them unfolded, as differences or whole, and only those that hold `search`."""

    unfolded: frozenset[str] = frozenset()
    as_difference: bool = True
    search: str = ""


def policy_line(message: str | None) -> str:
    """The line that a refusal says the agent's administrator can add, empty where it says none."""
    found = _POLICY_LINE.search(message or "")
    return found[0] if found else ""


def holds(text: str, search: str) -> bool:
    """True where `text` has `search` in it, whatever the case."""
    return search.lower() in text.lower()


def answer_lines(result: CommandResult, truncated_bytes: int, key: str, limit: int, shown: Shown) -> list[Line]:
    """What is said of an answer and what it printed, folded to about `limit` lines; with a search, what it found."""
    lines = _message_lines(result)
    if shown.search:
        found = _found_lines(result, limit, shown.search)
        if found:
            return lines + found
    sizes = [line_count(result.stdout), line_count(result.stderr)]
    if not lines and not any(sizes):
        if result.state is CommandState.OK:
            lines.append(Line((Span("  " + _("prints nothing"), "dim"),)))
        return lines
    lines += _output(result, sizes, key, limit, shown.unfolded)
    if truncated_bytes:
        amount = " ".join(size(truncated_bytes))
        lines.append(Line((Span("  " + _("{amount} of the answer left out").format(amount=amount), "warning"),)))
    return lines


def difference_lines(difference: Sequence[str], key: str, limit: int, shown: Shown) -> list[Line]:
    """A difference in colours, with its signs."""
    # what comes before the first difference goes without saying
    rows = difference[1:] if difference and difference[0].startswith("@") else difference
    if len(rows) <= limit + 3:
        return [_difference_line(text) for text in rows]
    kept, last = _kept(len(rows), key, limit, shown.unfolded)
    return [*(_difference_line(text) for text in rows[:kept]), *last]


def header(names: str, standing: Standing, words: str, key: str, shown: Shown) -> list[Line]:
    """Names and what is said of them; very many names are cut, with an anchor to all of them."""
    names_key = f"names {key}"
    if len(names) <= NAMES_SHOWN or names_key in shown.unfolded:
        return [Line((*names_spans(names, standing, shown.search), Span(words, "dim")))]
    cut = names[:NAMES_SHOWN].rsplit(", ", 1)[0]
    spans = (*names_spans(f"{cut} …", standing, shown.search), Span(words, "dim"))
    return [Line(spans), action(_("show all names"), names_key)]


def names_spans(name: str, standing: Standing, search: str = "") -> tuple[Span, ...]:
    """The mark of a state and the name it is about."""
    mark, role = MARKS[standing]
    return Span(f"{mark} ", role, is_bold=True), *_marked(Span(f"{one_line(name)}  ", "text", is_bold=True), search)


def ending(result: CommandResult, duration_s: float | None) -> str:
    """How it ended, and after how long: `exit 0 · 31 ms`, `time-out · 30 s`, `not allowed`."""
    words = []
    if result.state in (CommandState.OK, CommandState.FAILED) and result.exit_status is not None:
        words.append(_("exit {status}").format(status=result.exit_status))
    else:
        words.append(_(WORDS[result.state]))
    if duration_s is not None and result.state is not CommandState.NOT_ALLOWED:
        words.append(duration(duration_s))
    return " · ".join(words)


def action(words: str, key: str) -> Line:
    """Something to click that folds or unfolds `key`."""
    return Line((Span("  ", "dim"), Span(words, "accent", anchor=f"fold {key}")))


def output_line(text: str, search: str = "") -> Line:
    """A line that a machine printed."""
    if not search:
        return Line((Span(f"  {_clipped(text)}", is_mono=True),), is_output=True)
    return Line((Span("  ", is_mono=True), *_marked(Span(_clipped(text), is_mono=True), search)), is_output=True)


def line_limit(answers: int) -> int:
    """Lines of each of so many answers; in steps, so that one answer more leaves the others as they are."""
    for limit in (LINES_SHOWN, 20, 10):
        if limit * answers <= LINES_IN_ALL:
            return limit
    return 4


def line_count(text: str) -> int:
    """Lines of an answer as `split_lines` would find them, without doing it."""
    end = _end(text)
    return text.count("\n", 0, end) + 1 if end else 0


def _end(text: str) -> int:
    """Where the last line that is not empty ends; what is long is not copied for it."""
    if text and not text[-1].isspace():
        return len(text)
    if len(text) > 1 and text[-1] == "\n" and not text[-2].isspace():
        return len(text) - 1
    end = len(text.rstrip())
    line_end = text.find("\n", end)
    return end if not end else len(text) if line_end < 0 else line_end


def split_lines(text: str, most: int = -1) -> list[str]:
    """The first `most` lines of an answer, as a terminal would end them."""
    end = _end(text)
    if not end:
        return []
    if most < 0:
        return text[:end].split("\n")
    lines: list[str] = []
    at = 0
    while len(lines) < most and at <= end:
        line_end = text.find("\n", at, end)
        if line_end < 0:
            line_end = end
        lines.append(text[at:line_end])
        at = line_end + 1
    return lines


def _output(result: CommandResult, sizes: Sequence[int], key: str, limit: int, unfolded: frozenset[str]) -> list[Line]:
    """Output, then what came on the error output."""
    total = sum(sizes) + all(sizes)
    kept, last = (total, []) if total <= limit + 3 else _kept(total, key, limit, unfolded)
    lines = [output_line(text) for text in split_lines(result.stdout, kept)] if sizes[0] else []
    if sizes[1] and len(lines) < kept:
        if sizes[0]:
            lines.append(Line((Span("  " + _("on its error output:"), "dim"),)))
        lines += [output_line(text) for text in split_lines(result.stderr, max(0, kept - len(lines)))]
    return [*lines, *last]


def _kept(total: int, key: str, limit: int, unfolded: frozenset[str]) -> tuple[int, list[Line]]:
    """How many of so many lines are shown, and the lines that say so."""
    if key not in unfolded:
        words = ngettext("show all {count} line", "show all {count} lines", total).format(count=number(total))
        return limit, [action(words, key)]
    fewer = action(_("show fewer lines"), key)
    if total <= LINES_UNFOLDED:
        return total, [fewer]
    words = _("{count} lines more; save or copy the answers to read them").format(count=number(total - LINES_UNFOLDED))
    return LINES_UNFOLDED, [Line((Span(f"  {words}", "warning"),)), fewer]


def _found_lines(result: CommandResult, limit: int, search: str) -> list[Line]:
    """The lines of an answer that hold what is searched for, and of how many they are."""
    wanted = search.lower()
    found: list[str] = []
    total = 0
    for text in (result.stdout, result.stderr):
        if wanted not in text.lower():
            continue
        for line in split_lines(text):
            if wanted in line.lower():
                total += 1
                if len(found) < limit:
                    found.append(line)
    lines = [output_line(line, search) for line in found]
    if total > len(found):
        words = ngettext("{count} line more with it", "{count} lines more with it", total - len(found))
        lines.append(Line((Span("  " + words.format(count=number(total - len(found))), "dim"),)))
    return lines


def _marked(span: Span, search: str) -> tuple[Span, ...]:
    """The span, cut so that what is searched for is marked in it."""
    if not search:
        return (span,)
    spans = []
    at = 0
    for found in re.finditer(re.escape(search), span.text, re.IGNORECASE):
        if found.start() > at:
            spans.append(span._replace(text=span.text[at : found.start()]))
        spans.append(span._replace(text=found[0], is_found=True))
        at = found.end()
    if at < len(span.text):
        spans.append(span._replace(text=span.text[at:]))
    return tuple(spans)


def _message_lines(result: CommandResult) -> list[Line]:
    """What the console or the agent says; of a refusal, also the line to add and a button that copies it."""
    message = (result.message or "").strip()
    if not message:
        return []
    addition = policy_line(message) if result.state is CommandState.NOT_ALLOWED else ""
    said = message.replace(addition, "") if addition else message
    lines = [Line((Span(f"  {printable(text)}", "dim"),), is_output=True) for text in split_lines(said)]
    if addition:
        lines.append(output_line(addition))
        words = _("Copy the line for policy.toml")
        lines.append(Line((Span("  ", "dim"), Span(words, "accent", anchor=f"copy {addition}"))))
    return lines


def _difference_line(text: str) -> Line:
    if text.startswith("@"):
        return Line((Span("  ⋯", "dim", is_mono=True),), is_output=True)
    role = {"-": "critical", "+": "ok"}.get(text[:1], "text")
    return Line((Span(f"  {text[:1]} {_clipped(text[1:])}", role, is_mono=True),), is_output=True)


def _clipped(text: str) -> str:
    if len(text) <= COLUMNS_SHOWN:
        return printable(text)
    rest = _("… {count} characters more").format(count=number(len(text) - COLUMNS_SHOWN))
    return f"{printable(text[:COLUMNS_SHOWN])} {rest}"
