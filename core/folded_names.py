"""Folded names spelled out: `srv[01-02,4]` is srv01, srv02, srv4, as ClusterShell and pdsh have it. Pure.

`core.gather` folds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from core.language import _

MOST_NAMES = 20_000
"""Names that the brackets of one text may spell."""

BRACKETS = re.compile(r"\[([0-9][0-9,/-]*)\]")
"""A list of numbers in brackets; brackets that hold anything else are no folded names."""

_RANGE = re.compile(r"(\d{1,18})(?:-(\d{1,18})(?:/(\d{1,6}))?)?", re.ASCII)


class NotUnderstoodError(Exception):
    """Why a text means nothing, in a sentence."""


def expanded(text: str, most: int = MOST_NAMES) -> Iterator[str]:
    """All that the brackets of `text` spell: every combination, numbers as wide as the first of their range.

    Raises NotUnderstoodError, before the first one, for brackets that are no list of numbers or spell more than `most`.
    """
    pieces = BRACKETS.split(text)
    choices = [_numbers(piece, most) for piece in pieces[1::2]]
    count = 1
    for numbers in choices:
        count *= len(numbers)
        if count > most:
            raise NotUnderstoodError(_("its brackets spell more than {count} names").format(count=most))

    def spelled(at: int, begun: str) -> Iterator[str]:
        if at == len(choices):
            yield begun
            return
        for number in choices[at]:
            yield from spelled(at + 1, begun + number + pieces[2 * at + 2])

    return spelled(0, pieces[0])


def _numbers(ranges: str, most: int) -> Sequence[str]:
    """`01-03,7` as 01, 02, 03, 7; raises NotUnderstoodError."""
    found: dict[str, None] = {}
    for part in ranges.split(","):
        read = _RANGE.fullmatch(part)
        if read is None:
            raise NotUnderstoodError(_("[{ranges}] is no list of numbers such as [01-40,42]").format(ranges=ranges))
        first, last, step = int(read[1]), int(read[2] or read[1]), int(read[3] or 1)
        if last < first or step < 1:
            raise NotUnderstoodError(_("the numbers of [{ranges}] run backwards").format(ranges=ranges))
        if (last - first) // step >= most:
            raise NotUnderstoodError(_("its brackets spell more than {count} names").format(count=most))
        width = len(read[1]) if read[1].startswith("0") else 1
        found.update((f"{number:0{width}}", None) for number in range(first, last + 1, step))
    return list(found)
