"""Answers of many machines made short: identical ones folded, the others shown as a difference.

Pure: the command line and the window gather alike.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from msgspec import Struct

from core.records import CommandResult, CommandState

LONGEST_DIFFERENCE = 400
"""Lines of an answer, beyond those it shares at its ends with the reference, that are still compared one by one."""

MOST_COMPARED = 3200
"""Lines compared one by one in all: with many groups each has its share."""

_LAST_NUMBER = re.compile(r"^(.*?)(\d+)(\D*)$", re.DOTALL)


_NUMBERED = re.compile(r"[^\s;,]*\d")


class AnswerGroup(Struct, frozen=True, kw_only=True):
    """Machines that gave the same answer; `difference` are lines against the biggest group, empty for that one.

    A line of the difference starts with `+` (only here), `-` (only there), a space (in both) or `@` (a place).
    `duration_s` is that of the slowest machine. `message` is without numbers where they differ.
    """

    machines: tuple[str, ...]
    folded_names: str
    state: CommandState
    exit_status: int | None
    stdout: str
    stderr: str
    message: str | None
    duration_s: float | None
    truncated_bytes: int
    difference: tuple[str, ...]


def gather(results: Iterable[CommandResult]) -> list[AnswerGroup]:
    """Groups of identical answers, the biggest that answered first, those that did not answer last."""
    groups: dict[tuple[object, ...], list[CommandResult]] = {}
    for result in results:
        reason = result.message if _has_answer(result) else without_numbers(result.message or "")
        key = (
            result.state, result.exit_status, result.stdout, result.stderr, reason, result.truncated_bytes > 0
        )  # fmt: skip
        groups.setdefault(key, []).append(result)
    ordered = sorted(
        groups.values(), key=lambda group: (not _has_answer(group[0]), -len(group), _key(group[0].machine))
    )
    reference = ordered[0][0] if ordered and _has_answer(ordered[0][0]) else None
    longest = min(LONGEST_DIFFERENCE, MOST_COMPARED // max(1, len(ordered)))
    return [_answer_group(group, reference, longest) for group in ordered]


def without_numbers(reason: str) -> str:
    """Why a machine did not answer, without its own address or time: those of many machines are one reason."""
    return _NUMBERED.sub("…", reason)


def fold_names(names: Iterable[str]) -> str:
    """Names in short: `lab-[01-02,04], rack[1-2]n[01-16], web`; `core.targets` reads them back.

    Numbers are folded from the last one of a name to its first, as ClusterShell does, and keep their width.
    """
    waiting = [_Folded(name, "", name) for name in dict.fromkeys(names)]
    done: list[_Folded] = []
    while waiting:
        families: dict[tuple[str, str, int], dict[int, str]] = {}
        for item in waiting:
            parts = _LAST_NUMBER.match(item.left)
            if parts is None or not parts[2].isascii() or len(parts[2]) > 18:
                done.append(item)
            else:
                key = (parts[1], parts[3] + item.right, len(parts[2]))
                families.setdefault(key, {})[int(parts[2])] = item.first
        _join_widths(families)
        waiting = [
            _Folded(prefix, _numbers_text(numbers, width) + suffix, numbers[min(numbers)])
            for (prefix, suffix, width), numbers in families.items()
        ]
    return ", ".join(item.left + item.right for item in sorted(done, key=lambda item: _key(item.first)))


class _Folded(NamedTuple):
    """Names folded so far: what is left of a name to be looked at, what is folded, and the first of the names."""

    left: str
    right: str
    first: str


def _join_widths(families: dict[tuple[str, str, int], dict[int, str]]) -> None:
    for prefix, suffix, width in sorted(families, reverse=True):
        # lab-9 and lab-10 are one family, lab-09 and lab-9 are not
        shorter = (prefix, suffix, width - 1)
        if shorter in families and not any(_is_padded(key, families) for key in (shorter, (prefix, suffix, width))):
            families[shorter] |= families.pop((prefix, suffix, width))


def _numbers_text(numbers: Collection[int], width: int) -> str:
    return f"{min(numbers):0{width}}" if len(numbers) == 1 else f"[{_ranges(sorted(numbers), width)}]"


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key by which `lab-2` comes before `lab-10`, whatever the case."""
    return _key(name)


def _is_padded(key: tuple[str, str, int], families: dict[tuple[str, str, int], dict[int, str]]) -> bool:
    return any(len(str(number)) < key[2] for number in families[key])


def _ranges(numbers: Sequence[int], width: int) -> str:
    parts: list[str] = []
    first = previous = numbers[0]
    for number in [*numbers[1:], None]:
        if number is not None and number == previous + 1:
            previous = number
            continue
        parts.append(f"{first:0{width}}" if first == previous else f"{first:0{width}}-{previous:0{width}}")
        if number is not None:
            first = previous = number
    return ",".join(parts)


def _key(name: str) -> tuple[tuple[int, int, str], ...]:
    return tuple(
        (0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name.casefold()) if part
    )


def _has_answer(result: CommandResult) -> bool:
    return result.state in (CommandState.OK, CommandState.FAILED, CommandState.TIMEOUT)


def _answer_group(group: Sequence[CommandResult], reference: CommandResult | None, longest: int) -> AnswerGroup:
    first = group[0]
    names = tuple(sorted((result.machine for result in group), key=_key))
    durations = [result.duration_s for result in group if result.duration_s is not None]
    is_compared = reference is not None and first is not reference and _has_answer(first)
    return AnswerGroup(
        machines=names,
        folded_names=fold_names(names),
        state=first.state,
        exit_status=first.exit_status,
        stdout=first.stdout,
        stderr=first.stderr,
        message=first.message
        if len({result.message for result in group}) == 1
        else without_numbers(first.message or ""),
        duration_s=max(durations, default=None),
        truncated_bytes=max(result.truncated_bytes for result in group),
        difference=difference(reference, first, longest) if is_compared and reference is not None else (),
    )


def difference(reference: CommandResult, other: CommandResult, longest: int = LONGEST_DIFFERENCE) -> tuple[str, ...]:
    """The lines of `other` against those of `reference`, as an AnswerGroup has them."""
    return _difference(_lines(reference), _lines(other), longest)


def _lines(result: CommandResult) -> list[str]:
    return [*result.stdout.splitlines(), *result.stderr.splitlines()]


def _difference(there: list[str], here: list[str], longest: int) -> tuple[str, ...]:
    """Lines that differ, with one line of surroundings; a long stretch is shown whole instead of compared."""
    start = 0
    while start < min(len(there), len(here)) and there[start] == here[start]:
        start += 1
    end = 0
    while end < min(len(there), len(here)) - start and there[-1 - end] == here[-1 - end]:
        end += 1
    only_there, only_here = there[start : len(there) - end], here[start : len(here) - end]
    if max(len(only_there), len(only_here)) > longest:
        place = f"@@ -{start + 1},{len(only_there)} +{start + 1},{len(only_here)} @@"
        return (place, *(f"-{line}" for line in only_there), *(f"+{line}" for line in only_here))
    before = max(0, start - 1)
    compared = difflib.unified_diff(
        there[before : len(there) - end + 1], here[before : len(here) - end + 1], lineterm="", n=1
    )
    return tuple(compared)[2:]
