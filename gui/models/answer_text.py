"""The answers of a run as text in sections: gathered, or by machine.

A section is what the view replaces as a whole, so a section that has not changed compares equal to its older self.
Text from outside is only ever put into a span, never into markup.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from core.gather import AnswerGroup, fold_names, gather
from core.language import _, ngettext
from core.records import CommandResult, CommandState
from gui.models.answers import MARKS, WORDS, Run
from gui.models.command_line import label_of
from gui.numbers import clock, duration, number, size
from gui.plain_text import one_line, printable

LINES_SHOWN = 40
"""Lines of an answer before it is folded, where there are few answers; with many, fewer."""

LINES_IN_ALL = 3000
LINES_UNFOLDED = 20_000
COLUMNS_SHOWN = 2000
NAMES_SHOWN = 400
"""Characters of the names of one group before they are cut."""

_POLICY_LINE = re.compile(r"[a-z0-9-]+ = \{ argv = \[.*\] \}")
"""How an agent writes the line of policy.toml that allows what it has refused."""

LISTED = 12
"""Waiting or unsent machines listed one by one; more are folded by reason."""


class Span(NamedTuple):
    """A piece of a line: `role` is a colour role, `anchor` makes it something to click."""

    text: str
    role: str = "text"
    is_bold: bool = False
    is_mono: bool = False
    anchor: str = ""


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


class Gathered:
    """Keeps what gathering costs, so that a run is gathered again only when an answer came."""

    def __init__(self) -> None:
        self._run: Run | None = None
        self._revision = -1
        self.groups: list[AnswerGroup] = []

    def update(self, run: Run) -> None:
        """Gather the answers of `run`, unless nothing came since."""
        if run is not self._run or run.answers_revision != self._revision:
            self._run, self._revision = run, run.answers_revision
            self.groups = gather(run.results.values())

    def sections(self, run: Run, now_s: float, unfolded: frozenset[str]) -> list[Section]:
        """Identical answers folded, the others as a difference, then what runs and what was not sent."""
        answered = [group for group in self.groups if group.state is not CommandState.OFFLINE]
        unsent = [group for group in self.groups if group.state is CommandState.OFFLINE]
        limit = _limit(len(answered))
        sections = [
            _group_section(group, answered[0], limit, unfolded, is_first=place == 0)
            for place, group in enumerate(answered)
        ]
        sections += _waiting_sections(run, now_s, unfolded)
        for group in unsent:
            sections += _unsent_sections(group, unfolded)
        return _spaced(sections)


def machine_sections(run: Run, now_s: float, unfolded: frozenset[str]) -> list[Section]:
    """Each machine in the order it was asked, with all it answered or has printed so far."""
    limit = _limit(len(run.request.machines))
    sections = []
    for name in run.request.machines:
        result = run.results.get(name)
        if result is None:
            sections.append(_running_section(run, name, now_s, 12))
        elif result.state is CommandState.OFFLINE:
            sections.append(Section(f"machine {name}", (_unsent_line(name, result.message),)))
        else:
            header = (*_names(name, result.state), Span(_ending(result), "dim"))
            key = f"machine {name}"
            lines = [Line(header), *_answer_lines(result, key, limit, unfolded)]
            sections.append(Section(key, tuple(lines)))
    return _spaced(sections)


def plain_answers(run: Run) -> str:
    """All answers as text, for the clipboard: a line for each group of machines, then what they printed."""
    parts = []
    for group in gather(run.results.values()):
        ending = _unsent_words(group.message) if group.state is CommandState.OFFLINE else _ending(group)
        parts.append(f"# {group.folded_names}: {ending}")
        parts += [text.rstrip("\n") for text in (group.message or "", group.stdout, group.stderr) if text.strip()]
    return "\n".join(parts) + "\n"


def policy_line(message: str | None) -> str:
    """The line that a refusal says the agent's administrator can add, empty where it says none."""
    found = _POLICY_LINE.search(message or "")
    return found[0] if found else ""


def _group_section(
    group: AnswerGroup, biggest: AnswerGroup, limit: int, unfolded: frozenset[str], *, is_first: bool
) -> Section:
    key = f"group {group.machines[0]}"
    count, others = len(group.machines), len(biggest.machines)
    words = []
    if count > 1:
        words.append(
            ngettext("{count} machine, same answer", "{count} machines, same answer", count).format(count=number(count))
        )
    is_different = bool(group.difference) and group.state is biggest.state and not is_first
    if is_different:
        words.append(
            _("differs from the {count}").format(count=number(others))
            if others > 1
            else _("differs from {name}").format(name=biggest.folded_names)
        )
    words.append(_ending(group))
    lines = _header(group.folded_names, group.state, " · ".join(words), key, unfolded)
    whole_key = f"whole {key}"
    if is_different and whole_key not in unfolded and _is_telling(group, biggest):
        # what comes before the first difference goes without saying
        shown = group.difference[1:] if group.difference[0].startswith("@") else group.difference
        lines += _folded([_difference_line(text) for text in shown], key, limit, unfolded)
        if len(_split(group.stdout)) + len(_split(group.stderr)) > 3:
            lines.append(_action(_("show the whole answer"), whole_key))
    else:
        lines += _answer_lines(group, key, limit, unfolded)
        if whole_key in unfolded:
            lines.append(_action(_("show the difference"), whole_key))
    return Section(key, tuple(lines))


def _spaced(sections: Sequence[Section]) -> list[Section]:
    """A gap after each section, but none between two of a single line."""
    spaced = []
    for place, section in enumerate(sections):
        following = sections[place + 1 : place + 2]
        is_close = following and len(section.lines) == 1 and len(following[0].lines) == 1
        spaced.append(section if is_close else section._replace(lines=(*section.lines, GAP)))
    return spaced


def _is_telling(group: AnswerGroup, biggest: AnswerGroup) -> bool:
    """False where so much differs that the answer itself is easier to read."""
    here = len(group.stdout.splitlines()) + len(group.stderr.splitlines())
    there = len(biggest.stdout.splitlines()) + len(biggest.stderr.splitlines())
    removed = sum(text.startswith("-") for text in group.difference)
    return removed < there or (here <= 3 and there <= 3)


def _answer_lines(answer: AnswerGroup | CommandResult, key: str, limit: int, unfolded: frozenset[str]) -> list[Line]:
    lines = _message_lines(answer)
    output = [_output_line(text) for text in _split(answer.stdout)]
    errors = [_output_line(text) for text in _split(answer.stderr)]
    if output and errors:
        errors.insert(0, Line((Span("  " + _("on its error output:"), "dim"),)))
    if not lines and not output and not errors:
        if answer.state is CommandState.OK:
            lines.append(Line((Span("  " + _("prints nothing"), "dim"),)))
        return lines
    lines += _folded(output + errors, key, limit, unfolded)
    if answer.truncated_bytes:
        amount = " ".join(size(answer.truncated_bytes))
        lines.append(Line((Span("  " + _("{amount} of the answer left out").format(amount=amount), "warning"),)))
    return lines


def _message_lines(answer: AnswerGroup | CommandResult) -> list[Line]:
    """What the console or the agent says; of a refusal, also the line to add and a button that copies it."""
    message = (answer.message or "").strip()
    if not message:
        return []
    addition = policy_line(message) if answer.state is CommandState.NOT_ALLOWED else ""
    said = message.replace(addition, "") if addition else message
    lines = [Line((Span(f"  {printable(text)}", "dim"),), is_output=True) for text in _split(said)]
    if addition:
        lines.append(_output_line(addition))
        lines.append(Line((Span("  ", "dim"), Span(_("Copy this line"), "accent", anchor=f"copy {addition}"))))
    return lines


def _waiting_sections(run: Run, now_s: float, unfolded: frozenset[str]) -> list[Section]:
    waiting = run.waiting
    if len(waiting) <= LISTED:
        return [_running_section(run, name, now_s, 3) for name in waiting]
    words = ngettext("{count} machine running, {time}", "{count} machines running, {time}", len(waiting)).format(
        count=number(len(waiting)), time=duration(run.elapsed_s(now_s))
    )
    lines = _header(fold_names(waiting), CommandState.RUNNING, words, "waiting", unfolded)
    return [Section("waiting", tuple(lines))]


def _running_section(run: Run, name: str, now_s: float, tail: int) -> Section:
    words = _("running, {time}").format(time=duration(run.elapsed_s(now_s)))
    lines = [Line((*_names(name, CommandState.RUNNING), Span(words, "dim")))]
    lines += [_output_line(text) for text in _split(run.tails.get(name, ""))[-tail:]]
    return Section(f"machine {name}", tuple(lines))


def _unsent_sections(group: AnswerGroup, unfolded: frozenset[str]) -> list[Section]:
    if len(group.machines) <= LISTED:
        return [Section(f"machine {name}", (_unsent_line(name, group.message),)) for name in group.machines]
    key = f"unsent {group.machines[0]}"
    words = one_line(_unsent_words(group.message))
    return [Section(key, tuple(_header(group.folded_names, CommandState.OFFLINE, words, key, unfolded)))]


def _unsent_line(name: str, message: str | None) -> Line:
    return Line((*_names(name, CommandState.OFFLINE), Span(one_line(_unsent_words(message)), "dim")))


def _unsent_words(message: str | None) -> str:
    return (message or "").strip() or _("not sent")


def _header(names: str, state: CommandState, words: str, key: str, unfolded: frozenset[str]) -> list[Line]:
    """Names and what is said of them; very many names are cut, with an anchor to all of them."""
    names_key = f"names {key}"
    if len(names) <= NAMES_SHOWN or names_key in unfolded:
        return [Line((*_names(names, state), Span(words, "dim")))]
    cut = names[:NAMES_SHOWN].rsplit(", ", 1)[0]
    return [Line((*_names(f"{cut} …", state), Span(words, "dim"))), _action(_("show all names"), names_key)]


def _names(name: str, state: CommandState) -> tuple[Span, ...]:
    mark, role = MARKS[state]
    return Span(f"{mark} ", role, is_bold=True), Span(f"{one_line(name)}  ", "text", is_bold=True)


def _ending(answer: AnswerGroup | CommandResult) -> str:
    """How it ended, and after how long: `exit 0 · 31 ms`, `time-out · 30 s`, `not allowed`."""
    words = []
    if answer.state in (CommandState.OK, CommandState.FAILED) and answer.exit_status is not None:
        words.append(_("exit {status}").format(status=answer.exit_status))
    else:
        words.append(_(WORDS[answer.state]))
    if answer.duration_s is not None and answer.state is not CommandState.NOT_ALLOWED:
        words.append(duration(answer.duration_s))
    return " · ".join(words)


def _difference_line(text: str) -> Line:
    if text.startswith("@"):
        return Line((Span("  ⋯", "dim", is_mono=True),), is_output=True)
    role = {"-": "critical", "+": "ok"}.get(text[:1], "text")
    return Line((Span(f"  {text[:1]} {_clipped(text[1:])}", role, is_mono=True),), is_output=True)


def _output_line(text: str) -> Line:
    return Line((Span(f"  {_clipped(text)}", is_mono=True),), is_output=True)


def _clipped(text: str) -> str:
    if len(text) <= COLUMNS_SHOWN:
        return printable(text)
    rest = _("… {count} characters more").format(count=number(len(text) - COLUMNS_SHOWN))
    return f"{printable(text[:COLUMNS_SHOWN])} {rest}"


def _folded(lines: list[Line], key: str, limit: int, unfolded: frozenset[str]) -> list[Line]:
    """The first `limit` lines and an anchor to the rest, or all of them and an anchor back."""
    if len(lines) <= limit + 3:
        return lines
    if key not in unfolded:
        words = ngettext("show all {count} line", "show all {count} lines", len(lines)).format(count=number(len(lines)))
        return [*lines[:limit], _action(words, key)]
    shown = lines[:LINES_UNFOLDED]
    if len(lines) > len(shown):
        words = _("{count} lines more; copy the answers to read them").format(count=number(len(lines) - len(shown)))
        shown.append(Line((Span(f"  {words}", "warning"),)))
    return [*shown, _action(_("show fewer lines"), key)]


def _action(words: str, key: str) -> Line:
    return Line((Span("  ", "dim"), Span(words, "accent", anchor=f"fold {key}")))


def _limit(answers: int) -> int:
    return max(4, min(LINES_SHOWN, LINES_IN_ALL // max(1, answers)))


def _split(text: str) -> Sequence[str]:
    """Lines of an answer, as a terminal would end them."""
    lines = text.split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def run_title(run: Run) -> str:
    """What was sent, when and by whom: `python --version · 09:30:12 · anne`."""
    request = run.request
    parts = (label_of(request.line), clock(request.time_s, with_seconds=True), request.operator)
    return one_line(" · ".join(part for part in parts if part))
