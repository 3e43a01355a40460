"""`check`: is it reachable, how long did it take, and how many days has its certificate left."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from core.cli.console import DONE, FAILED, Console, run_until_signalled
from core.cli.output import local_time, print_json, print_problem, print_table, print_text
from core.cli.parser import number
from core.config.settings import CheckConfig
from core.errors import BeffroiError, UsageError
from core.language import N_, _, ngettext
from core.services.check_lists import read_targets, told
from core.services.check_pages import PageFolder
from core.services.check_target import parse_target
from core.services.checks import AT_ONCE, Outcome, Prober, validated
from core.services.waiting import first_of
from core.site_records import CheckResult, CheckState
from core.times import iso_time

STATE_WORDS = {CheckState.OK: N_("ok"), CheckState.FAILED: N_("failed"), CheckState.TIMEOUT: N_("timeout")}

_BAR, _SHORTEST_BAR = 30, 5
_TARGET_COLUMNS = 60


def register(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add `check` to the command line."""
    check = commands.add_parser(
        "check",
        parents=[common],
        help=_("is a page, a port or a host reachable"),
        description=_(
            "A URL is fetched, HOST:PORT is connected, HOST is pinged; without a target the checks of the settings."
        ),
    )
    check.add_argument("targets", nargs="*", metavar="TARGET", help=_("http://…, https://…, HOST:PORT or HOST"))
    check.add_argument("--file", metavar="LIST", help=_("a file with a target a line; - is stdin"))
    check.add_argument("--save", metavar="DIR", help=_("write each page into this folder, its first MiB"))
    check.add_argument(
        "--interval", type=_interval, metavar="S", help=_("go on, all of them every S seconds, until stopped")
    )
    check.add_argument("--timeout", type=_timeout, default=None, metavar="S", help=_("seconds for each (default 10)"))
    check.add_argument("--text", metavar="TEXT", help=_("what every page must hold"))
    check.set_defaults(handler=_run, empty_document=[])


def check_document(result: CheckResult) -> dict[str, object]:
    """A check as JSON."""
    return {
        "target": result.target,
        "state": result.state.value,
        "status": result.status,
        "latency_ms": result.latency_ms,
        "certificate_days": result.certificate_days,
        "error": result.error,
        "time": iso_time(result.time_s),
    }


def _interval(text: str) -> float:
    seconds = number(text)
    if not 0.2 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError(_("an interval is 0.2 to 86400 seconds"))
    return seconds


def _timeout(text: str) -> float:
    seconds = number(text)
    if not 0.1 <= seconds <= 300:
        raise argparse.ArgumentTypeError(_("a time-out is 0.1 to 300 seconds"))
    return seconds


def _run(options: argparse.Namespace) -> int:
    given, has_bad_lines = _given(options)
    folder = PageFolder(Path(options.save)) if options.save is not None else None
    with Console(options) as console:
        checks = given or [_with_options(check, options) for check in console.config.checks]
        if not checks:
            raise UsageError(_("nothing to check; name a URL, HOST:PORT or HOST, or give a list by --file"))
        round_of_checks = _Round(console, checks, folder, options.json)
        if options.interval is not None:
            return run_until_signalled(lambda signalled: _watch(round_of_checks, options.interval, signalled))
        return run_until_signalled(lambda signalled: _once(round_of_checks, has_bad_lines, signalled))


def _given(options: argparse.Namespace) -> tuple[list[CheckConfig], bool]:
    """Checks of the targets that are named, and whether a line of the list is none; raises UsageError, ConfigError."""
    targets: dict[str, None] = {}
    for target in options.targets:
        parse_target(target)
        targets[target] = None
    bad: list[str] = []
    if options.file is not None:
        path = Path(options.file)
        listed, lines = read_targets(path)
        targets.update(dict.fromkeys(listed))
        bad = told(path, lines)
        for problem in bad:
            print_problem(problem)
        if not targets:
            raise UsageError(_("{path} names no target").format(path=path))
    checks = [CheckConfig(name=parse_target(target).shown, target=target) for target in targets]
    return [_with_options(check, options) for check in checks], bool(bad)


def _with_options(check: CheckConfig, options: argparse.Namespace) -> CheckConfig:
    if options.timeout is not None:
        check = msgspec.structs.replace(check, timeout_s=options.timeout)
    return validated(msgspec.structs.replace(check, text=options.text)) if options.text is not None else check


class _Round:
    """All checks once: bar, table or JSON, history, files."""

    def __init__(
        self, console: Console, checks: Sequence[CheckConfig], folder: PageFolder | None, is_json: bool
    ) -> None:
        self.checks = checks
        self.is_json = is_json
        self._console = console
        self._folder = folder
        self._problem = ""
        self.could_save = True

    async def run(self, prober: Prober, done: Callable[[CheckResult], None]) -> list[CheckResult]:
        """The results in the order of the checks; `done` for each as it comes."""
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(check: CheckConfig) -> CheckResult:
            async with slots:
                outcome = await prober.check(check.target, name=check.name, timeout_s=check.timeout_s, text=check.text)
            self._save(outcome)
            done(outcome.result)
            return outcome.result

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(check)) for check in self.checks]
        results = [task.result() for task in tasks]
        self._console.record(results)
        return results

    def _save(self, outcome: Outcome) -> None:
        if self._folder is None or outcome.page is None:
            return
        try:
            self._folder.save(outcome.result.target, outcome.page)
        except BeffroiError as error:
            self.could_save = False
            if str(error) != self._problem:
                self._problem = str(error)
                print_problem(self._problem)


async def _once(checks: _Round, has_bad_lines: bool, signalled: asyncio.Event) -> int:
    began_s, bar = time.perf_counter(), _ProgressBar(len(checks.checks))
    finished: list[CheckResult] = []

    def done(result: CheckResult) -> None:
        finished.append(result)
        bar.show(len(finished), sum(one.state is not CheckState.OK for one in finished))

    with Prober() as prober:
        bar.show(0, 0)
        running = asyncio.create_task(checks.run(prober, done))
        try:
            await first_of(_wait(running), signalled.wait())
        finally:
            bar.clear()
        is_whole = running.done()
        if not is_whole:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
    results = running.result() if is_whole else finished
    if checks.is_json:
        print_json([check_document(result) for result in results])
    else:
        _print_results(results, time.perf_counter() - began_s)
    is_ok = is_whole and checks.could_save and not has_bad_lines
    return DONE if is_ok and all(result.state is CheckState.OK for result in results) else FAILED


async def _watch(checks: _Round, interval_s: float, signalled: asyncio.Event) -> int:
    state_width = max(len(_(word)) for word in STATE_WORDS.values())
    target_width = min(_TARGET_COLUMNS, max(len(check.target) for check in checks.checks))

    def done(result: CheckResult) -> None:
        if checks.is_json:
            print_json(check_document(result))
        else:
            cells = _cells(result)
            padded = (cells[0].ljust(state_width), cells[1].ljust(target_width), *cells[2:])
            print_text("  ".join((local_time(result.time_s), *padded)).rstrip())

    async def rounds() -> None:
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        while True:
            await checks.run(prober, done)
            due_s += interval_s * max(1, (loop.time() - due_s) // interval_s)
            await asyncio.sleep(due_s - loop.time())

    with Prober() as prober:
        running = asyncio.create_task(rounds())
        await first_of(_wait(running), signalled.wait())
        if running.done():
            running.result()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    return DONE


async def _wait(task: asyncio.Task[Any]) -> None:
    await asyncio.wait([task])


def _cells(result: CheckResult) -> tuple[str, str, str, str, str, str]:
    days = result.certificate_days
    return (
        _(STATE_WORDS[result.state]),
        result.target,
        "-" if result.status is None else str(result.status),
        "-" if result.latency_ms is None else _milliseconds(result.latency_ms),
        "-" if days is None else ngettext("{count} day", "{count} days", int(days)).format(count=int(days)),
        result.error or "",
    )


def _milliseconds(latency_ms: float) -> str:
    return f"{latency_ms:.1f} ms" if latency_ms < 100 else f"{latency_ms:.0f} ms"


def _print_results(results: Sequence[CheckResult], elapsed_s: float) -> None:
    headers = (_("State"), _("Target"), _("Status"), _("Time"), _("Certificate"), _("What happened"))
    print_table(headers, [_cells(result) for result in results])
    if len(results) <= 1:
        return
    ok = sum(result.state is CheckState.OK for result in results)
    summed_s = sum(result.latency_ms or 0.0 for result in results) / 1000
    print_text(
        _("{ok} of {count} ok in {elapsed} s; one after the other those that answered take {summed} s").format(
            ok=ok, count=len(results), elapsed=f"{elapsed_s:.2f}", summed=f"{summed_s:.2f}"
        )
    )


class _ProgressBar:
    """`[#####-----] 12 of 24, 1 failed` on stderr, where that is a terminal; nothing elsewhere."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._is_shown = sys.stderr.isatty()
        self._width = 0

    def show(self, done: int, failed: int) -> None:
        """So many are through."""
        if not self._is_shown:
            return
        columns = _columns()
        words = _("{done} of {total}, {failed} failed").format(done=done, total=self._total, failed=failed)
        size = min(_BAR, columns - len(words) - 3)
        filled = size * done // max(1, self._total)
        line = f"[{'#' * filled}{'-' * (size - filled)}] {words}" if size >= _SHORTEST_BAR else words[:columns]
        self._write(line + " " * (min(self._width, columns) - len(line)))
        self._width = len(line)

    def clear(self) -> None:
        """Leave the line empty for what is printed next."""
        if self._is_shown:
            self._write(" " * min(self._width, _columns()))
            self._write("")

    @staticmethod
    def _write(line: str) -> None:
        encoding = sys.stderr.encoding or "utf-8"
        sys.stderr.write("\r" + line.encode(encoding, "replace").decode(encoding, "replace"))
        sys.stderr.flush()


def _columns() -> int:
    """What one line of the terminal on stderr holds, without its last column: a line that fills it goes to the next."""
    try:
        return max(1, (os.get_terminal_size(sys.stderr.fileno()).columns or 80) - 1)
    except (OSError, ValueError):
        return 79
