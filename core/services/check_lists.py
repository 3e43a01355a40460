"""Lists of targets in a file, one a line, as people and other programs write them.

A byte-order mark, blank lines, lines that begin with `#`, a remark behind ` #`, quotes and a comma or semicolon at the
end are let pass. A bad line is told with its number and the others are taken; a target is taken once.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from core.errors import ConfigError, UsageError
from core.language import _
from core.services.check_target import parse_target
from core.services.text_files import text_of

LARGEST_FILE = 16 << 20
MOST_TARGETS = 100_000


class BadLine(Struct, frozen=True):
    """A line that names no target, and why, for the user; without a password."""

    line: int
    reason: str


def read_targets(path: Path) -> tuple[list[str], list[BadLine]]:
    """Targets and bad lines of the file at `path`, `-` for stdin; raises ConfigError where it cannot be read."""
    try:
        if str(path) == "-":
            content = sys.stdin.buffer.read(LARGEST_FILE + 1)
        else:
            with path.open("rb") as stream:
                content = stream.read(LARGEST_FILE + 1)
    except OSError as error:
        raise ConfigError(_("{path} cannot be read: {reason}").format(path=path, reason=error.strerror)) from error
    if len(content) > LARGEST_FILE:
        raise ConfigError(_("{path} is larger than {count} MiB").format(path=path, count=LARGEST_FILE >> 20))
    return parse_targets(content)


def parse_targets(content: bytes) -> tuple[list[str], list[BadLine]]:
    """Targets and bad lines of the content of a list; raises nothing."""
    targets: dict[str, int] = {}
    bad: list[BadLine] = []
    for number, line in enumerate(text_of(content).splitlines(), 1):
        text = re.sub(r"\s#.*", "", line.strip()).strip().rstrip(",;").strip().strip("\"'")
        if not text or text.startswith("#"):
            continue
        try:
            if len(targets) >= MOST_TARGETS:
                raise UsageError(_("a list has {count} targets at most").format(count=MOST_TARGETS))
            parse_target(text)
        except UsageError as error:
            bad.append(BadLine(number, str(error)))
            if len(targets) >= MOST_TARGETS:
                break
            continue
        targets.setdefault(text, number)
    return list(targets), bad


def told(path: Path, bad: Sequence[BadLine], most: int = 20) -> list[str]:
    """The bad lines in words, `most` of them and how many more there are."""
    lines = [
        _("{path}, line {line}: {reason}").format(path=path, line=one.line, reason=one.reason) for one in bad[:most]
    ]
    if len(bad) > most:
        lines.append(_("{path}: {count} more lines are no targets").format(path=path, count=len(bad) - most))
    return lines
