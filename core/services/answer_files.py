"""The answers of one run as files: a table, JSON as `run --json` prints it, or a folder with a file for each machine.

Text of machines never becomes a formula of the spreadsheet that opens a table. A file is there whole or not at all.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from core.errors import StoreError
from core.language import _
from core.records import CommandRequest, CommandResult, CommandState
from core.services.export import CELL_LETTERS, Cell, write_table, written_whole

HEADER = (
    "time_utc", "id", "operator", "command", "machine", "state", "exit_status", "duration_s", "stdout", "stderr",
    "truncated_bytes", "message",
)  # fmt: skip

_NO_NAME = re.compile(r"[^\w.@+-]+")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_LONGEST_NAME = 100


def run_document(request: CommandRequest, results: Iterable[CommandResult]) -> dict[str, object]:
    """A run as JSON: what was sent, and what each machine answered."""
    return {
        "id": request.id,
        "command": request.line,
        "results": [
            {
                "machine": result.machine,
                "state": result.state.value,
                "exit_status": result.exit_status,
                "stdout": result.stdout,
                "stderr": result.stderr,
                "duration_s": result.duration_s,
                "truncated_bytes": result.truncated_bytes,
                "message": result.message,
            }
            for result in results
        ],
    }


def whole_results(request: CommandRequest, results: Mapping[str, CommandResult]) -> list[CommandResult]:
    """A result for each machine of the run, in the order they were asked; one that still runs is unknown."""
    text = _("it still ran when this was saved")
    return [
        results.get(name) or CommandResult(machine=name, state=CommandState.UNKNOWN, message=text)
        for name in request.machines
    ]


def write_answer_table(path: Path, request: CommandRequest, results: Sequence[CommandResult]) -> int:
    """Write a row for each machine, as .csv or .xlsx by suffix; the number of rows. Raises StoreError, UsageError.

    A cell of a spreadsheet holds 32,767 letters: what an .xlsx leaves out is said at the end of its cell.
    """
    is_sheet = path.suffix.lower() == ".xlsx"
    return write_table(path, HEADER, _rows(request, results, CELL_LETTERS if is_sheet else None))


def write_answer_json(path: Path, request: CommandRequest, results: Sequence[CommandResult]) -> None:
    """Write the document of `run --json`. Raises StoreError."""
    write_answer_text(path, json.dumps(run_document(request, results), ensure_ascii=False, indent=2) + "\n")


def write_answer_text(path: Path, text: str) -> None:
    """Write a text as UTF-8. Raises StoreError."""
    written_whole(path, lambda draft: draft.write_bytes(text.encode("utf-8", "replace")))


def write_answer_folder(folder: Path, request: CommandRequest, results: Sequence[CommandResult]) -> int:
    """Write a file for each machine into a new folder, and `run.json` that says how each ended; how many files.

    A file holds what the machine printed and nothing else; what came on the error output stands in a `.stderr.txt`
    beside it. Raises StoreError, also where the folder is there already.
    """
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise StoreError(_("{path} cannot be made: {reason}").format(path=folder, reason=error.strerror)) from error
    names = file_names([result.machine for result in results])
    count = 0
    for result in results:
        for ending, text in ((".txt", result.stdout), (".stderr.txt", result.stderr)):
            if text or ending == ".txt":
                write_answer_text(folder / f"{names[result.machine]}{ending}", text)
                count += 1
    write_answer_json(folder / "run.json", request, results)
    return count + 1


def file_names(machines: Sequence[str]) -> dict[str, str]:
    """A name for the file of each machine that every system takes, no two alike whatever the case."""
    taken: set[str] = {"run"}
    names: dict[str, str] = {}
    for machine in machines:
        plain = _NO_NAME.sub("_", machine).strip(".")[:_LONGEST_NAME] or "machine"
        if _RESERVED.fullmatch(plain):
            plain = f"_{plain}"
        name, number = plain, 1
        while name.casefold() in taken:
            number += 1
            name = f"{plain}_{number}"
        taken.add(name.casefold())
        names[machine] = name
    return names


def proposed_name(request: CommandRequest, suffix: str) -> str:
    """A file name that says what was sent and when."""
    words = _NO_NAME.sub("-", request.line)[:40].strip("-.") or "run"
    return f"{words}_{time.strftime('%Y-%m-%d_%H%M%S', time.localtime(request.time_s))}{suffix}"


def _rows(request: CommandRequest, results: Sequence[CommandResult], longest: int | None) -> Iterator[list[Cell]]:
    begin: list[Cell] = [datetime.fromtimestamp(request.time_s, UTC), request.id, request.operator, request.line]
    for result in results:
        yield [
            *begin,
            result.machine,
            result.state.value,
            result.exit_status,
            result.duration_s,
            _within(result.stdout, longest),
            _within(result.stderr, longest),
            result.truncated_bytes,
            result.message,
        ]


def _within(text: str, longest: int | None) -> str:
    """`text`, cut where a cell cannot hold it, with words that say so."""
    if longest is None or len(text) < longest:
        return text
    words = "\n" + _("[{count} letters more: see the same answers as CSV, text or JSON]")
    kept = longest - len(words) - 32
    return text[:kept] + words.format(count=len(text) - kept)
