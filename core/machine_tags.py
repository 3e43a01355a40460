"""Tags of machines: words by which commands and filters choose them (`tag:printer`), wherever they are typed."""

from __future__ import annotations

import re
from collections.abc import Iterable

from core.errors import UsageError
from core.language import _

LONGEST_TAG = 64
MOST_TAGS = 32


def check_tag(text: str) -> str:
    """`text` as a tag: one word without the signs that targets and lists are written with; raises UsageError."""
    tag = text.strip()
    if not tag or len(tag) > LONGEST_TAG:
        raise UsageError(_("a tag has 1 to {count} characters").format(count=LONGEST_TAG))
    if not tag.isprintable() or any(letter.isspace() or letter in ",;|!*?[]" for letter in tag):
        raise UsageError(
            _("the tag {tag!r} cannot be written in a command; use letters, digits, dashes and dots").format(tag=tag)
        )
    return tag


def tags_of(text: str) -> tuple[str, ...]:
    """Tags as typed or listed, with commas, semicolons or spaces between them, each once; raises UsageError."""
    return check_tags(check_tag(word) for word in re.split(r"[\s,;|]+", text.strip()) if word)


def check_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """All tags of one machine, each once; raises UsageError where they are too many."""
    found = tuple(dict.fromkeys(tags))
    if len(found) > MOST_TAGS:
        raise UsageError(_("a machine has at most {count} tags").format(count=MOST_TAGS))
    return found
