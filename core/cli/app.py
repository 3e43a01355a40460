"""Reads the words of a command line, runs the command, and turns its end into an exit status.

A group of commands is a module with `register(commands, common)`; it is imported only when its word is typed, so
that an agent never loads a database. A handler takes the parsed options and returns an exit status.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import core
from core.cli.output import print_json
from core.cli.parser import Parser
from core.errors import BeffroiError, ConfigError
from core.home import Home, default_home
from core.language import _, use_language
from core.log_file import BoundedLogHandler

GROUPS = {
    "agent": "core.cli.agent",
    "machines": "core.cli.machines",
    "consoles": "core.cli.consoles",
    "status": "core.cli.status",
    "processes": "core.cli.status",
    "run": "core.cli.run",
    "meter": "core.cli.meter",
    "sensors": "core.cli.sensors",
    "room": "core.cli.room",
    "check": "core.cli.check",
    "alarms": "core.cli.alarms",
    "history": "core.cli.history",
    "audit": "core.cli.audit",
    "collect": "core.cli.collect",
}
"""First word of a command, and the module that knows it."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})
"""Why an output that is a file can take no more; an error about a named file is another matter."""

log = logging.getLogger("beffroi")


class WindowMissingError(ConfigError):
    """The window is asked for where only the agent, or only the command line, is installed."""

    def __init__(self, package: str | None) -> None:
        super().__init__(
            _("the window is not installed ({package} is missing); in the folder of Beffroi, try: {line}").format(
                package=package or "gui", line="pip install '.[console]'"
            )
        )


def main(words: Sequence[str] | None = None, open_window: Callable[[argparse.Namespace], int] | None = None) -> int:
    """Run one command; the exit status (0 done, 1 failed, 2 bad usage or configuration, 3 refused).

    `open_window` is called for `beffroi` and `beffroi console`; `main.py` gives it, since core knows no window.
    """
    _hold_closed_streams()
    use_language()
    typed = list(sys.argv[1:] if words is None else words)
    options = _parse(typed)
    options.is_home_given = bool(options.home or os.environ.get("BEFFROI_HOME"))
    options.home = Home(Path(options.home) if options.home else default_home())
    try:
        options.home.make()
        _write_log_to(options.home)
        _use_configured_language(options.home)
        if options.handler is None:
            if open_window is None:
                raise WindowMissingError(None)
            return open_window(options)
        status: int = options.handler(options)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        _print_nowhere()
        return 1
    except KeyboardInterrupt:
        return 1
    except BeffroiError as error:
        if error.exit_status != 2:  # at status 2 the command has not started
            _print_empty(options)
        print(f"beffroi: {error}", file=sys.stderr)
        return error.exit_status
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _FULL and error.filename is None:
            _print_nowhere()
            print(_("beffroi: the output cannot be written: {reason}").format(reason=error.strerror), file=sys.stderr)
            return 1
        log.exception("command %s failed", typed[:2])
        _print_empty(options)
        print(
            _("beffroi: an error that should not happen; its details are in {path}").format(path=options.home.log_path),
            file=sys.stderr,
        )
        return 1


def _print_nowhere() -> None:
    """What is still to be printed goes to the null device: nobody reads it, or there is no room for it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _hold_closed_streams() -> None:
    """Put the null device where standard streams are closed: else the database would get their numbers, and be written
    into by what is printed.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            handle = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, so this one
            setattr(sys, name, open(handle, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 -- for good


def _print_empty(options: argparse.Namespace) -> None:
    """With --json something is printed even when a command fails before it has anything to tell."""
    document = getattr(options, "empty_document", None)
    if options.json and document is not None:
        print_json(document)


def _parse(words: list[str]) -> argparse.Namespace:
    common = Parser(add_help=False)
    common.add_argument("--home", default=argparse.SUPPRESS, metavar="DIR", help=_("folder of keys, settings, history"))
    common.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=_("print one JSON document"))
    parser = Parser(
        prog="beffroi",
        description=_("Supervise a site: machines, electricity meters, sensors; checks, a room to talk, alarms."),
    )
    parser.add_argument("--home", default=None, metavar="DIR", help=_("folder of keys, settings and history"))
    parser.add_argument("--json", action="store_true", default=False, help=_("print one JSON document on stdout"))
    parser.add_argument(
        "--version", action="version", version=f"beffroi {core.__version__}", help=_("print the version")
    )
    parser.add_argument("--demo", action="store_true", help=_("open the window on this machine and a simulated meter"))
    parser.set_defaults(handler=None)
    commands = parser.add_subparsers(metavar=_("COMMAND"), parser_class=Parser)
    console = commands.add_parser("console", parents=[common], help=_("open the window (the default)"))
    console.add_argument("--demo", action="store_true", default=argparse.SUPPRESS, help=_("show it moving"))
    typed = _typed_group(words)
    if typed is not None:
        modules = [GROUPS[typed]]
    else:
        modules = [] if _opens_window(words) else list(dict.fromkeys(GROUPS.values()))
    for name in modules:
        try:
            importlib.import_module(name).register(commands, common)
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] in ("core", "gui", "resources"):
                raise
            if typed is not None:  # the help of all commands lists those that are installed
                parser.error(
                    _(
                        "“{command}” needs what an agent alone does not install ({package}); "
                        "in the folder of Beffroi, try: {line}"
                    ).format(command=typed, package=error.name, line="pip install '.[headless]'")
                )
    return parser.parse_args(words)


def _typed_group(words: list[str]) -> str | None:
    """The first word of the command that is typed, None where it is missing or unknown."""
    rest = iter(words)
    for word in rest:
        if word == "--home":
            next(rest, None)
        elif not word.startswith("-"):
            return word if word in GROUPS else None
    return None


def _use_configured_language(home: Home) -> None:
    """Take the language of the settings; what is wrong in them is said by the command that needs them."""
    if home.config_path.exists():
        from core.config import load_config  # an agent without settings stays smaller

        try:
            use_language(load_config(home)[0].language)
        except ConfigError:
            log.info("the settings cannot be read yet")


def _opens_window(words: list[str]) -> bool:
    """True for the words that open the window, so that no group of commands is loaded before its first paint."""
    rest = [word for at, word in enumerate(words) if word != "--home" and (at == 0 or words[at - 1] != "--home")]
    return all(word in ("console", "--demo", "--json") or word.startswith("--home=") for word in rest)


def _write_log_to(home: Home) -> None:
    """Log to the home's file, 1 MiB at most and one older file; nothing secret is ever logged."""
    if not log.handlers:
        handler = BoundedLogHandler(home.log_path, encoding="utf-8", delay=True, errors="backslashreplace")
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        log.propagate = False
