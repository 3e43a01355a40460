"""`beffroi audit show|verify`: what was commanded and paired, and whether the record of it is whole."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from core import audit
from core.cli.output import print_json, print_text
from core.home import Home
from core.language import _, ngettext
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
    show = verbs.add_parser("show", parents=[common], help=_("print every entry, oldest first"))
    show.set_defaults(handler=show_logs, empty_document=[])
    verify = verbs.add_parser("verify", parents=[common], help=_("check that no line was changed or removed"))
    verify.set_defaults(handler=verify_logs, empty_document=[])


def show_logs(options: argparse.Namespace) -> int:
    """Print all entries of the logs of this home."""
    entries = [
        dict.fromkeys(_KEYS) | {"log": name} | entry for name, path in _logs(options.home) for entry in audit.read(path)
    ]
    entries.sort(key=lambda entry: str(entry["time"] or ""))
    if options.json:
        print_json(entries)
        return 0
    for entry in entries:
        words = [str(entry["time"] or "?"), str(entry["log"]), str(entry["event"] or "?")]
        words += [
            f"{key}={_shown(value)}"
            for key, value in entry.items()
            if value not in (None, "") and key not in ("time", "log", "event", "previous", "sha256")
        ]
        print_text(" ".join(words))
    return 0


def verify_logs(options: argparse.Namespace) -> int:
    """Check the chain of every log of this home: 1 where one is broken."""
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
        if options.json:
            continue
        if verdict.is_whole:
            text = ngettext(
                "{path}: whole, {count} line, ends with {hash}",
                "{path}: whole, {count} lines, ends with {hash}",
                verdict.lines,
            )
        else:
            text = _("{path}: BROKEN at line {line}: it does not follow from the line before it")
        print_text(text.format(path=path, count=verdict.lines, hash=verdict.last_hash[:16], line=verdict.broken_line))
    if options.json:
        print_json(rows)
    elif not rows:
        print_text(_("nothing was recorded yet"))
    return 0 if is_whole else 1


def _logs(home: Home) -> list[tuple[str, Path]]:
    """Name and path of every log that is there."""
    candidates = (("agent", home.agent_path / "audit.log"), ("console", home.console_path / "audit.log"))
    return [(name, path) for name, path in candidates if path.exists()]


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return plain_text(text, 1000)
