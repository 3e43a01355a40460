"""What is typed on the Commands page: lines into words."""

from __future__ import annotations

import re

from core.errors import UsageError
from core.language import N_, _

BUILT_INS = (
    (N_("Operating system"), "os"),
    (N_("RAM"), "ram"),
    (N_("CPU"), "cpu"),
    (N_("IP and name"), "ip"),
    (N_("Processes"), "ps"),
    (N_("Python version"), "python --version"),
)
"""Label (to be translated where it is shown) and line of the buttons that need nothing more."""

FOLDERS = ("/", "/home", "/etc", "/var/log", "/srv", "C:\\", "C:\\Users")
"""Folders offered by *List a directory*."""

EXAMPLES = ("ls -al /etc", "Linux:df -h", "python3 --version")
"""Lines that an agent allows by default, to be tried first."""

_PREFIX = re.compile(r"\s*(linux|dos|powershell):", re.IGNORECASE)
_LABELS = {line: label for label, line in BUILT_INS if " " not in line}


def label_of(line: str) -> str:
    """The name people know a built-in by, else `line` itself."""
    label = _LABELS.get(line)
    return _(label) if label else typed_line(line)


def command_words(line: str) -> tuple[str, ...]:
    """The words that a typed line is sent as: after a prefix it stays as typed, since a shell may be to read it.

    Raises UsageError as `words_of` does.
    """
    return (line.strip(),) if _PREFIX.match(line) else words_of(line)


def typed_line(line: str) -> str:
    """The line as it was typed, from `line_of` its words."""
    try:
        words = words_of(line)
    except UsageError:
        return line
    return words[0] if len(words) == 1 and _PREFIX.match(words[0]) else line


def words_of(line: str) -> tuple[str, ...]:
    """The words of `line`; quotes keep spaces together, nothing else is special, and a backslash is a backslash.

    Raises UsageError for a quote that is not closed. `C:\\Windows` stays as it is, which shlex would not leave it.
    `core.records.line_of` is the way back.
    """
    words: list[str] = []
    word: list[str] | None = None
    quote = ""
    for sign in line:
        if quote:
            if sign == quote:
                quote = ""
            elif word is not None:
                word.append(sign)
        elif sign in "\"'":
            quote = sign
            word = [] if word is None else word
        elif sign.isspace():
            if word is not None:
                words.append("".join(word))
                word = None
        else:
            word = [sign] if word is None else [*word, sign]
    if quote:
        raise UsageError(_("a quote {quote} is opened and never closed").format(quote=quote))
    if word is not None:
        words.append("".join(word))
    return tuple(words)
