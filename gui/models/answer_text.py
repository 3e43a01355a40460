"""The answers of a run as text in sections: gathered, or by machine.

A section is what the view replaces as a whole, so a section that has not changed is the same object as before: what
is costly is made once, and again only where an answer came.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from core.gather import fold_names, gather
from core.language import _, ngettext
from core.records import CommandPlace, CommandResult, CommandState
from gui.models.answer_lines import (
    GAP,
    Line,
    Section,
    Shown,
    Span,
    action,
    answer_lines,
    difference_lines,
    ending,
    header,
    holds,
    line_count,
    line_limit,
    names_spans,
    output_line,
    split_lines,
)
from gui.models.answers import WORDS, Run, Standing
from gui.models.command_line import label_of
from gui.models.gathering import Gathering, Group
from gui.numbers import clock, duration, number
from gui.plain_text import one_line

_Made = dict[str, tuple[tuple[object, ...], Section]]
"""Sections by their key, each with all that it was made of."""

AS_IT_IS = Shown()
"""Differences, nothing unfolded, nothing searched for."""

LISTED = 12
"""Waiting or unsent machines listed one by one; more are folded by reason."""

_PLACES: tuple[Standing, ...] = (
    CommandPlace.LINK_LOST, CommandPlace.RUNNING, CommandState.RUNNING, CommandPlace.SENT, CommandPlace.QUEUED,
    CommandPlace.WAITING,
)  # fmt: skip


class Gathered:
    """Sections of a run: `update` takes in what came, `sections` shows it."""

    def __init__(self) -> None:
        self.gathering = Gathering()
        self.is_whole = True
        self._made: _Made = {}
        self._ends_s: float | None = None

    def update(self, run: Run, budget_s: float | None = None) -> bool:
        """Take in the answers that came; False while some are left because `budget_s` is over."""
        return self.gathering.update(run, budget_s)

    def sections(
        self,
        run: Run,
        now_s: float,
        shown: Shown = AS_IT_IS,
        budget_s: float | None = None,
    ) -> list[Section]:
        """Identical answers folded, the others as a difference, then what runs and what was not sent.

        Where `budget_s` is over, what is left is as it was before, or not there yet, and `is_whole` is False.
        """
        self.is_whole = True
        self._ends_s = None if budget_s is None else time.perf_counter() + budget_s
        groups = self.gathering.groups()
        answered = [group for group in groups if group.result.state is not CommandState.OFFLINE]
        unsent = [group for group in groups if group.result.state is CommandState.OFFLINE]
        limit = line_limit(len(answered))
        made: _Made = {}
        sections = []
        for group in answered:
            section = self._section(group, answered[0], limit, shown, made)
            if section is not None:
                sections.append(section)
        self._made = made
        sections += _unfinished(run, now_s, shown)
        for group in unsent:
            if not shown.search or _is_found(group.machines, group.result, shown.search):
                sections += _unsent_sections(group, shown)
        return _spaced(sections or _nothing(shown, is_whole=self.is_whole))

    def _section(
        self,
        group: Group,
        largest: Group,
        limit: int,
        shown: Shown,
        made: _Made,
    ) -> Section | None:
        """The section of a group, made anew only where something in it has changed; None where nothing is found."""
        unfolded = frozenset(key for key in shown.unfolded if key.endswith(group.key))
        state = (
            group.version, largest.key, len(largest.machines), limit, unfolded, shown.as_difference, shown.search
        )  # fmt: skip
        known = self._made.get(group.key)
        if known is not None and known[0] == state:
            made[group.key] = known
            return known[1] if known[1].lines else None
        if self._ends_s is not None and time.perf_counter() > self._ends_s:
            self.is_whole = False
            if known is not None:
                made[group.key] = known
            return None if known is None or not known[1].lines else known[1]
        is_wanted = not shown.search or _is_found(group.machines, group.result, shown.search)
        section = _group_section(group, largest, limit, shown) if is_wanted else Section(group.key, ())
        made[group.key] = state, section
        return section if is_wanted else None


class ByMachine:
    """Sections of a run, one for each machine in the order it was asked."""

    def __init__(self) -> None:
        self.is_whole = True
        self._made: _Made = {}

    def sections(
        self,
        run: Run,
        now_s: float,
        shown: Shown = AS_IT_IS,
        budget_s: float | None = None,
    ) -> list[Section]:
        """All that each machine answered or has printed so far; of `budget_s` as in `Gathered`."""
        self.is_whole = True
        ends_s = None if budget_s is None else time.perf_counter() + budget_s
        limit = line_limit(len(run.request.machines))
        is_long = len(run.request.machines) > LISTED
        made: _Made = {}
        sections = []
        for name in run.request.machines:
            result = run.results.get(name)
            key = f"machine {name}"
            unfolded = frozenset(one for one in shown.unfolded if one == key)
            tail = run.tails.get(name, "")
            elapsed = "" if is_long else duration(run.elapsed_s(now_s))
            state = (id(result), run.standing(name), "" if result else (tail, elapsed), limit, unfolded, shown.search)
            known = self._made.get(key)
            if known is None or known[0] != state:
                if ends_s is not None and time.perf_counter() > ends_s:
                    self.is_whole = False
                    if known is None:
                        continue
                else:
                    known = state, _machine_section(run, name, now_s, limit, shown, is_long=is_long)
            made[key] = known
            if known[1].lines:
                sections.append(known[1])
        self._made = made
        return _spaced(sections or _nothing(shown, is_whole=self.is_whole))


def plain_answers(run: Run) -> str:
    """All answers as text: a line for each group of machines, then what they printed."""
    parts = []
    for group in gather(run.results.values()):
        first = run.results[group.machines[0]]
        words = _unsent_words(group.message) if group.state is CommandState.OFFLINE else ending(first, group.duration_s)
        parts.append(plain_answer(group.folded_names, words, first))
    return "".join(parts)


def plain_machines(run: Run) -> str:
    """All answers as text, a section a machine, in the order they were asked."""
    parts = []
    for name in run.request.machines:
        result = run.results.get(name)
        if result is None:
            parts.append(f"# {name}: {_(WORDS[run.standing(name)])}\n")
        else:
            is_unsent = result.state is CommandState.OFFLINE
            words = _unsent_words(result.message) if is_unsent else ending(result, result.duration_s)
            parts.append(plain_answer(name, words, result))
    return "".join(parts)


def plain_answer(names: str, words: str, result: CommandResult) -> str:
    """One answer as text, under a line that says whose it is."""
    said = [text.rstrip("\n") for text in (result.message or "", result.stdout, result.stderr) if text.strip()]
    if result.state is CommandState.OFFLINE:
        said = []
    return "\n".join((f"# {names}: {words}", *said)) + "\n"


def run_title(run: Run) -> str:
    """What was sent, when and by whom: `python --version · 09:30:12 · anne`."""
    request = run.request
    parts = [label_of(request.line), clock(request.time_s, with_seconds=True), request.operator]
    if request.window:
        parts.append(_("{count} at once").format(count=number(request.window)))
    return one_line(" · ".join(part for part in parts if part))


def _group_section(group: Group, largest: Group, limit: int, shown: Shown) -> Section:
    result, key = group.result, group.key
    count, others = len(group.machines), len(largest.machines)
    words = []
    if count > 1:
        words.append(
            ngettext("{count} machine, same answer", "{count} machines, same answer", count).format(count=number(count))
        )
    is_other = group is not largest and result.state is largest.result.state and group.has_answer
    difference = group.difference_from(largest) if is_other else ()
    if difference or (is_other and (group.is_long() or largest.is_long())):
        words.append(
            _("differs from the {count}").format(count=number(others))
            if others > 1
            else _("differs from {name}").format(name=largest.folded_names)
        )
    words.append(ending(result, group.duration_s))
    if group.fetched:
        words.append(_("fetched later"))
    lines = header(group.folded_names, result.state, " · ".join(words), key, shown)
    other_way = f"whole {key}"
    is_compact = shown.as_difference != (other_way in shown.unfolded)
    if difference and not shown.search and is_compact and _is_telling(difference, group, largest):
        lines += difference_lines(difference, key, limit, shown)
        if line_count(result.stdout) + line_count(result.stderr) > 3:
            lines.append(action(_("show the whole answer"), other_way))
    else:
        lines += answer_lines(result, group.truncated_bytes, key, limit, shown)
        if difference and not shown.search and _is_telling(difference, group, largest):
            lines.append(action(_("show the difference"), other_way))
    return Section(key, tuple(lines), tuple(group.machines))


def _is_telling(difference: Sequence[str], group: Group, largest: Group) -> bool:
    """False where so much differs that the answer itself is easier to read."""
    here = line_count(group.result.stdout) + line_count(group.result.stderr)
    there = line_count(largest.result.stdout) + line_count(largest.result.stderr)
    removed = sum(text.startswith("-") for text in difference)
    return removed < there or (here <= 3 and there <= 3)


def _is_found(machines: Sequence[str], result: CommandResult, search: str) -> bool:
    texts = (*machines, result.message or "", result.stdout, result.stderr)
    return any(holds(text, search) for text in texts)


def _spaced(sections: Sequence[Section]) -> list[Section]:
    """A gap after each section, but none between two of a single line."""
    spaced = []
    for place, section in enumerate(sections):
        following = sections[place + 1 : place + 2]
        is_close = following and len(section.lines) == 1 and len(following[0].lines) == 1
        spaced.append(section if is_close else section._replace(lines=(*section.lines, GAP)))
    return spaced


def _nothing(shown: Shown, *, is_whole: bool) -> list[Section]:
    """What stands there where a search finds nothing."""
    if not shown.search or not is_whole:
        return []
    words = _("No answer holds “{text}”.").format(text=one_line(shown.search))
    return [Section("nothing", (Line((Span(words, "dim"),)),))]


def _machine_section(run: Run, name: str, now_s: float, limit: int, shown: Shown, *, is_long: bool) -> Section:
    key = f"machine {name}"
    result = run.results.get(name)
    if result is None:
        if shown.search and not holds(name, shown.search) and not holds(run.tails.get(name, ""), shown.search):
            return Section(key, ())
        return _running_section(run, name, now_s, 12, shown, has_time=not is_long)
    if shown.search and not _is_found((name,), result, shown.search):
        return Section(key, ())
    if result.state is CommandState.OFFLINE:
        return Section(key, (_unsent_line(name, result.message, shown.search),), (name,))
    words = ending(result, result.duration_s)
    if name in run.fetched:
        words = " · ".join((words, _("fetched later")))
    spans = (*names_spans(name, result.state, shown.search), Span(words, "dim"))
    lines = [Line(spans), *answer_lines(result, result.truncated_bytes, key, limit, shown)]
    return Section(key, tuple(lines), (name,))


def _unfinished(run: Run, now_s: float, shown: Shown) -> list[Section]:
    """Machines without a result: one by one while they are few, else together by where they stand."""
    waiting = run.waiting
    if shown.search:
        waiting = [
            name for name in waiting if holds(name, shown.search) or holds(run.tails.get(name, ""), shown.search)
        ]
    standing: dict[Standing, list[str]] = {}
    for name in waiting:
        standing.setdefault(run.standing(name), []).append(name)
    sections = []
    for place in _PLACES:
        names = standing.get(place, [])
        if len(names) <= LISTED:
            sections += [_running_section(run, name, now_s, 3, shown, has_time=True) for name in names]
            continue
        words = _standing_words(place, len(names), run.elapsed_s(now_s))
        lines = header(fold_names(names), place, words, place.value, shown)
        sections.append(Section(place.value, tuple(lines), tuple(names)))
    return sections


def _standing_words(place: Standing, count: int, elapsed_s: float) -> str:
    shown = number(count)
    if place is CommandPlace.WAITING:
        text = ngettext("{count} machine waits for its turn", "{count} machines wait for their turn", count)
        return text.format(count=shown)
    if place is CommandPlace.QUEUED:
        text = ngettext("{count} machine has it in its queue", "{count} machines have it in their queue", count)
        return text.format(count=shown)
    if place is CommandPlace.LINK_LOST:
        text = ngettext(
            "{count} machine with its link lost: the result is fetched when it is back",
            "{count} machines with their links lost: the results are fetched when they are back",
            count,
        )
        return text.format(count=shown)
    text = ngettext("{count} machine running, {time}", "{count} machines running, {time}", count)
    return text.format(count=shown, time=duration(elapsed_s))


def _running_section(run: Run, name: str, now_s: float, tail: int, shown: Shown, *, has_time: bool) -> Section:
    standing = run.standing(name)
    words = _(WORDS[standing])
    if has_time and standing in (CommandPlace.RUNNING, CommandState.RUNNING):
        words = _("running, {time}").format(time=duration(run.running_s(name, now_s)))
    cancel = Span(_("cancel"), "accent", anchor=f"cancel {name}")
    spans = (*names_spans(name, standing, shown.search), Span(f"{words}  ", "dim"), cancel)
    lines = [Line(spans)]
    lines += [output_line(text, shown.search) for text in split_lines(run.tails.get(name, ""))[-tail:]]
    return Section(f"machine {name}", tuple(lines), (name,))


def _unsent_sections(group: Group, shown: Shown) -> list[Section]:
    if len(group.machines) <= LISTED:
        message = group.result.message
        return [
            Section(f"machine {name}", (_unsent_line(name, message, shown.search),), (name,)) for name in group.machines
        ]
    words = one_line(_unsent_words(group.result.message))
    lines = header(group.folded_names, CommandState.OFFLINE, words, group.key, shown)
    return [Section(group.key, tuple(lines), tuple(group.machines))]


def _unsent_line(name: str, message: str | None, search: str) -> Line:
    words = Span(one_line(_unsent_words(message)), "dim")
    return Line((*names_spans(name, CommandState.OFFLINE, search), words))


def _unsent_words(message: str | None) -> str:
    return (message or "").strip() or _("not sent")
