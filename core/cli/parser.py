"""The parser of the command line: words in the user's language, and nothing loaded that an agent does not need."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from core.language import N_, _, ngettext

# What argparse itself says goes through the `gettext` of its module, which knows no catalogue of ours.
argparse._ = _  # type: ignore[attr-defined]  # a name that its stubs leave out
argparse.ngettext = ngettext  # type: ignore[attr-defined]  # likewise

_SAID_BY_ARGPARSE = (
    N_("usage: "),
    N_("positional arguments"),
    N_("options"),
    N_("show this help message and exit"),
    N_("argument %(argument_name)s: %(message)s"),
    N_("the following arguments are required: %s"),
    N_("unrecognized arguments: %s"),
    N_("expected one argument"),
    N_("expected at least one argument"),
    N_("expected at most one argument"),
    N_("ignored explicit argument %r"),
    N_("not allowed with argument %s"),
    N_("one of the arguments %s is required"),
    N_("ambiguous option: %(option)s could match %(matches)s"),
    N_("invalid choice: %(value)r (choose from %(choices)s)"),
    N_("invalid %(type)s value: %(value)r"),
)
"""Named here for the catalogue alone."""


class Formatter(argparse.HelpFormatter):
    """Asks for the terminal's width itself: argparse would load `shutil` into every agent for it (0.6 MiB)."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_terminal_columns() - 2)

    def add_argument(self, action: argparse.Action) -> None:
        """Reckon with the indent of commands, which argparse forgets: the longest would get a line of its own."""
        super().add_argument(action)
        if action.help is not argparse.SUPPRESS:
            for command in self._iter_indented_subactions(action):
                length = len(self._format_action_invocation(command)) + self._current_indent
                self._action_max_length = max(self._action_max_length, length)


class Parser(argparse.ArgumentParser):
    """Says what is wrong with the words on stderr and ends with status 2."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"formatter_class": Formatter, **options})

    def error(self, message: str) -> None:  # type: ignore[override]  # ends the program
        """End with the usage and what is wrong."""
        self.print_usage(sys.stderr)
        self.exit(2, f"beffroi: {message}\n")


def number(text: str) -> float:
    """A number typed as an option; for people, since argparse would name the type."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(_("{text} is not a number").format(text=text)) from None


def whole_number(text: str) -> int:
    """A whole number typed as an option."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(_("{text} is not a whole number").format(text=text)) from None


def _terminal_columns() -> int:
    try:
        return int(os.environ.get("COLUMNS", "")) or 80
    except ValueError:
        pass
    try:
        return os.get_terminal_size().columns or 80
    except OSError:
        return 80
