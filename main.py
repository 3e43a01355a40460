"""Beffroi: `python main.py` opens the window, `python main.py COMMAND …` runs one command."""

from __future__ import annotations

import argparse
import sys


def open_window(options: argparse.Namespace) -> int:
    """Open the window; imported only now, so that no command needs Qt."""
    from gui.app import run

    return run(options.home, demo=options.demo, is_home_given=options.is_home_given)


def main() -> int:
    """Exit status of the command line."""
    from core.cli.app import main as run_command

    return run_command(open_window=open_window)


if __name__ == "__main__":
    sys.exit(main())
