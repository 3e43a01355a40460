"""Beffroi: `python main.py` opens the window, `python main.py COMMAND …` runs one command."""

from __future__ import annotations

import argparse
import sys


def open_window(options: argparse.Namespace) -> int:
    """Open the window; imported only now, so that no command needs Qt.

    Raises WindowMissingError where Qt is not installed.
    """
    try:
        from gui.app import run
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] in ("core", "gui", "resources"):
            raise
        from core.cli.app import WindowMissingError

        raise WindowMissingError(error.name and error.name.partition(".")[0]) from error
    return run(options.home, demo=options.demo, is_home_given=options.is_home_given)


def main() -> int:
    """Exit status of the command line."""
    try:
        from core.cli.app import main as run_command

        return run_command(open_window=open_window)
    except KeyboardInterrupt:  # while the command was still being loaded
        return 1


if __name__ == "__main__":
    sys.exit(main())
