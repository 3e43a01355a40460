"""`beffroi audit show|verify`: what was commanded and paired, and whether the record of it is whole."""

from __future__ import annotations

import argparse
import heapq
import json
import re
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from core import audit
from core.audit import AuditFilter
from core.audit_entries import all_lines, newest_lines
from core.audit_head import head_path
from core.cli.moments import moment
from core.cli.output import print_json, print_json_array, print_problem, print_text
from core.cli.parser import whole_number
from core.home import Home
from core.language import _
from core.protocol.messages import plain_text

_KEYS = (
    *("log", "time", "event", "console", "console_name", "address", "operator", "machine", "exec_id", "argv"),
    *("decision", "rule", "state", "exit_status", "octets", "sha256", "previous"),
)
"""Keys that every entry has in JSON, null where it does not say."""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the group `audit`."""
    group = commands.add_parser("audit", parents=[common], help=_("show or verify the record of all commands"))
    verbs = group.add_subparsers(metavar=_("VERB"), required=True, parser_class=type(group))
    show = verbs.add_parser("show", parents=[common], help=_("print the entries, oldest first"))
    show.add_argument("--log", choices=("agent", "console"), help=_("of this log alone"))
    show.add_argument("--machine", default="", metavar="NAME", help=_("of this machine, or a pattern such as web-*"))
    show.add_argument("--operator", default="", metavar="NAME", help=_("of this operator, or a pattern"))
    show.add_argument("--event", default="", metavar="EVENT", help=_("of this kind, such as command, result, pairing"))
    show.add_argument("--decision", default="", metavar="WORD", help=_("decided so, such as allowed, refused, send"))
    show.add_argument("--state", default="", metavar="STATE", help=_("of results that ended so, such as ok or failed"))
    times = _("a time such as 2026-01-31T08:00, or -7d")
    show.add_argument("--since", default=None, metavar="T", help=_("from then on: {times}").format(times=times))
    show.add_argument("--until", default=None, metavar="T", help=_("before then: {times}").format(times=times))
    show.add_argument("--text", default="", metavar="TEXT", help=_("that hold this text anywhere, in whatever case"))
    show.add_argument("--limit", type=_count, default=None, metavar="N", help=_("the newest N alone"))
    show._negative_number_matcher = re.compile(r"^-\d+[smhdw]?$")  # `--since -1h` is no option
    show.set_defaults(handler=show_logs, empty_document=[])
    verify = verbs.add_parser("verify", parents=[common], help=_("check that no line was changed or removed"))
    verify.set_defaults(handler=verify_logs, empty_document=[])


def show_logs(options: argparse.Namespace) -> int:
    """Print the entries wanted of the logs of this home; they are printed as they are read."""
    found = _wanted_entries(options)
    if options.json:
        print_json_array(found)
        return 0
    is_empty = True
    for entry in found:
        print_text(_line(entry))
        is_empty = False
    if is_empty:
        print_problem(_("no entry is like that") if _logs(options.home) else _("nothing was recorded yet"))
    return 0


def _wanted_entries(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Of all logs, oldest first; within a log its own order stands."""
    now_s = time.time()
    wanted = AuditFilter(
        machine=options.machine,
        operator=options.operator,
        event=options.event,
        decision=options.decision,
        state=options.state,
        since_s=moment(options.since, now_s) if options.since else None,
        until_s=moment(options.until, now_s) if options.until else None,
        text=options.text,
    )
    logs = [(name, path) for name, path in _logs(options.home) if options.log in (None, name)]
    if options.limit is None:
        return _merged((name, all_lines(path, wanted)) for name, path in logs)
    newest = _merged((name, newest_lines(path, wanted, options.limit)) for name, path in logs)
    return iter(deque(newest, options.limit))


def _merged(logs: Iterable[tuple[str, Iterable[dict[str, Any]]]]) -> Iterator[dict[str, Any]]:
    """The entries of all logs by their time; within a log its own order stands."""

    def documents(name: str, entries: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for entry in entries:
            entry.pop("entry", None)  # its number, which is the head's matter
            yield dict.fromkeys(_KEYS) | {"log": name} | entry

    return heapq.merge(*(documents(*log) for log in logs), key=lambda entry: str(entry["time"] or ""))


def _line(entry: dict[str, Any]) -> str:
    words = [str(entry["time"] or "?"), str(entry["log"]), str(entry["event"] or "?")]
    words += [
        f"{key}={_shown(value)}"
        for key, value in entry.items()
        if value not in (None, "") and key not in ("time", "log", "event", "previous", "sha256")
    ]
    return " ".join(plain_text(word, 1400) for word in words)


def verify_logs(options: argparse.Namespace) -> int:
    """Check every log of this home: 1 where one is not what was written."""
    rows = []
    is_whole = True
    for name, path in _logs(options.home):
        verdict = audit.verify(path)
        is_whole = is_whole and verdict.is_whole
        rows.append(
            {
                "log": name,
                "path": str(path),
                "lines": verdict.lines,
                "whole": verdict.is_whole,
                "broken_line": verdict.broken_line,
                "last_hash": verdict.last_hash,
            }
        )
        if not options.json:
            print_text(f"{path}: {audit.verdict_text(verdict)}")
    if options.json:
        print_json(rows)
    elif not rows:
        print_text(_("nothing was recorded yet"))
    return 0 if is_whole else 1


def _count(text: str) -> int:
    number = whole_number(text)
    if number < 1:
        raise argparse.ArgumentTypeError(_("a number above 0 is needed"))
    return number


def _logs(home: Home) -> list[tuple[str, Path]]:
    """Name and path of every log that is there."""
    candidates = (("agent", home.agent_path / "audit.log"), ("console", home.console_path / "audit.log"))
    return [(name, path) for name, path in candidates if path.exists() or head_path(path).exists()]


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return plain_text(text, 1000)
