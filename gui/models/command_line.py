"""What is typed on the Commands page: lines into words, targets into machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from core.errors import UsageError
from core.language import N_, _

ALL = "all"

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

_LABELS = {line: label for label, line in BUILT_INS if " " not in line}


def label_of(line: str) -> str:
    """The name people know a built-in by, else `line` itself."""
    label = _LABELS.get(line)
    return _(label) if label else line


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


def matches(target: str, groups_of: Mapping[str, Sequence[str]]) -> list[str]:
    """Names of the machines that a name, a pattern, an @group or `all` means, in the order of `groups_of`."""
    if target == ALL:
        return list(groups_of)
    if target.startswith("@"):
        return [name for name, groups in groups_of.items() if target[1:] in groups]
    if target in groups_of:
        return [target]
    if any(sign in target for sign in "*?["):
        return [name for name in groups_of if fnmatchcase(name, target)]
    return []


def resolve(targets: Sequence[str], groups_of: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Names of the machines that `targets` mean together, each once, in the order of `groups_of`."""
    wanted = {name for target in targets for name in matches(target, groups_of)}
    return tuple(name for name in groups_of if name in wanted)
