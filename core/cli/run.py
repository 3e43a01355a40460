"""`run`: one command on one or many machines."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from typing import Any

from core.cli.console import Console, exit_status, now_s, reach_within_s, run_until_signalled
from core.cli.output import print_json, print_text
from core.cli.parser import number
from core.cli.targets import choose, no_machines_text
from core.errors import UsageError
from core.gather import gather
from core.language import N_, _, ngettext
from core.records import CommandOutput, CommandProgress, CommandRequest, CommandResult, CommandState, Machine
from core.services.commands import new_request
from core.services.waiting import first_of
from core.site_records import Record

_CANCELLED_WITHIN_S = 12.0

STATE_WORDS = {
    CommandState.OK: N_("done"),
    CommandState.FAILED: N_("failed"),
    CommandState.TIMEOUT: N_("out of time"),
    CommandState.NOT_ALLOWED: N_("not allowed"),
    CommandState.OFFLINE: N_("not sent"),
    CommandState.CANCELLED: N_("cancelled"),
    CommandState.UNKNOWN: N_("unknown"),
}


class _TargetsAndWords(argparse.Action):
    """Splits `TARGET... [options] -- WORD...` at the first `--`; argparse alone would give the words to the targets."""

    def __init__(self, *arguments: Any, left: argparse.ArgumentParser, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._left = left

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        typed = list(values)
        if "--" not in typed or not typed[typed.index("--") + 1 :]:
            parser.error(_("the command goes after two dashes: run TARGET... -- WORD..."))
        cut = typed.index("--")
        self._left.parse_args(typed[:cut], namespace)
        namespace.words = typed[cut + 1 :]


def register(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add `run` to the command line."""
    options = argparse.ArgumentParser(add_help=False, parents=[common])
    options.add_argument(
        "--timeout", type=number, default=argparse.SUPPRESS, metavar="S", help=_("seconds it may take (default 30)")
    )
    options.add_argument(
        "--gather", action="store_true", default=argparse.SUPPRESS, help=_("show identical answers once")
    )
    usage = "beffroi run TARGET... [--timeout S] [--gather] [--home DIR] [--json] -- WORD..."
    left = type(common)(prog="beffroi run", add_help=False, parents=[options], usage=usage)
    left.add_argument("targets", nargs="+", metavar="TARGET")
    run = commands.add_parser(
        "run",
        parents=[options],
        help=_("run a command on machines"),
        usage=usage,
        description=_(
            "TARGET is a name, a pattern, @group or all. The words are a built-in (os, ram, cpu, ip, uptime, ls, ps, "
            "python) or a command that the agent's policy allows; Linux:, DOS: or Powershell: in front of them means "
            "such machines alone."
        ),
    )
    run.add_argument(
        "rest", nargs=argparse.REMAINDER, action=_TargetsAndWords, left=left, metavar="TARGET... -- WORD..."
    )
    run.set_defaults(handler=_run, targets=[], words=[], timeout=30.0, gather=False)


def result_document(result: CommandResult) -> dict[str, object]:
    """A result as JSON."""
    return {
        "machine": result.machine,
        "state": result.state.value,
        "exit_status": result.exit_status,
        "stdout": result.stdout,
        "stderr": result.stderr,
        "duration_s": result.duration_s,
        "truncated_bytes": result.truncated_bytes,
        "message": result.message,
    }


def _run(options: argparse.Namespace) -> int:
    options.empty_document = {"id": None, "command": " ".join(options.words), "results": []}
    if not options.words:
        raise UsageError(_("the command goes after two dashes: run TARGET... -- WORD..."))
    with Console(options) as console:
        known = console.history.machines()
        machines = choose(known, options.targets, console.filters)
        if not machines:
            raise UsageError(no_machines_text())
        request = new_request(
            options.words,
            [machine.name for machine in machines],
            options.timeout,
            console.config.operator,
            now_s(),
        )
        show = _Show(request, is_live=len(machines) == 1, is_quiet=options.json or options.gather)
        run_until_signalled(lambda signalled: _execute(console, machines, request, show, signalled))
        results = [show.results[name] for name in request.machines]
        last = len(results) - 1
        progress = (
            CommandProgress(id=request.id, result=result, is_last=at == last) for at, result in enumerate(results)
        )
        console.record([request, *progress])
    if options.json:
        print_json(
            {
                "id": request.id,
                "command": request.line,
                "results": [result_document(result) for result in results],
            }
        )
    elif options.gather:
        _print_gathered(results)
    elif len(results) > 1:
        _print_summary(results)
    return exit_status(
        result.state is CommandState.NOT_ALLOWED for result in results if result.state is not CommandState.OK
    )


async def _execute(
    console: Console,
    machines: Sequence[Machine],
    request: CommandRequest,
    show: _Show,
    signalled: asyncio.Event,
) -> int:
    async with console.polling(machines, show.publish, 5.0, sections=()) as poller:
        await first_of(poller.settled(reach_within_s(machines)), signalled.wait())
        if signalled.is_set():
            for name in request.machines:
                show.results.setdefault(
                    name,
                    CommandResult(
                        machine=name, state=CommandState.CANCELLED, message=_("cancelled before it was sent")
                    ),
                )
            return 0
        execution = asyncio.ensure_future(poller.execute(request))
        stop = asyncio.ensure_future(signalled.wait())
        await asyncio.wait([execution, stop], return_when=asyncio.FIRST_COMPLETED)
        if not execution.done():
            poller.cancel(request.id)
            await asyncio.wait([execution], timeout=_CANCELLED_WITHIN_S)
        stop.cancel()
        if not execution.done():
            execution.cancel()
        else:
            execution.result()
        await asyncio.gather(execution, stop, return_exceptions=True)
    for name in request.machines:
        show.results.setdefault(name, CommandResult(machine=name, state=CommandState.UNKNOWN))
    return 0


class _Show:
    """Shows output and results as they come, unless all is told at the end."""

    def __init__(self, request: CommandRequest, *, is_live: bool, is_quiet: bool) -> None:
        self.results: dict[str, CommandResult] = {}
        self._id = request.id
        self._is_live = is_live
        self._is_quiet = is_quiet

    def publish(self, record: Record) -> None:
        """Take in what the poller learns."""
        if isinstance(record, CommandProgress) and record.id == self._id:
            self.results[record.result.machine] = record.result
        if self._is_quiet or not isinstance(record, CommandOutput | CommandProgress) or record.id != self._id:
            return
        try:
            if isinstance(record, CommandProgress):
                self._tell(record.result)
            elif self._is_live:
                self._write(record.text, sys.stdout if record.fd == 1 else sys.stderr)
        except BrokenPipeError:  # whoever read us has gone: the command still ends and is recorded
            self._is_quiet = True

    def _tell(self, result: CommandResult) -> None:
        if self._is_live:
            if result.message and result.message not in result.stderr:
                self._write(f"beffroi: {result.machine}: {result.message}\n", sys.stderr)
            elif result.state not in (CommandState.OK, CommandState.FAILED):
                self._write(f"beffroi: {result.machine}: {_(STATE_WORDS[result.state])}\n", sys.stderr)
            return
        print_text(f"--- {result.machine}: {_heading(result)}")
        _print_answer(result.stdout, result.stderr, result.message)

    @staticmethod
    def _write(text: str, stream: Any) -> None:
        encoding = stream.encoding or "utf-8"
        stream.write(text.encode(encoding, "replace").decode(encoding, "replace"))
        stream.flush()


def _heading(result: CommandResult) -> str:
    parts = [_(STATE_WORDS[result.state])]
    if result.exit_status:
        parts.append(_("exit status {status}").format(status=result.exit_status))
    if result.duration_s is not None:
        parts.append(f"{result.duration_s:.2f} s")
    if result.truncated_bytes:
        parts.append(_("{count} bytes left out").format(count=result.truncated_bytes))
    return ", ".join(parts)


def _print_answer(stdout: str, stderr: str, message: str | None) -> None:
    for text in (stdout, stderr, message if message and message not in stderr else ""):
        for line in text.splitlines():
            print_text(line)


def _print_gathered(results: Sequence[CommandResult]) -> None:
    for group in gather(results):
        count = len(group.machines)
        machines = ngettext("{count} machine", "{count} machines", count).format(count=count)
        first = next(result for result in results if result.machine == group.machines[0])
        print_text(f"--- {group.folded_names} ({machines}): {_heading(first)}")
        if group.difference:
            _print_answer("\n".join(group.difference), "", group.message)
        else:
            _print_answer(group.stdout, group.stderr, group.message)
    _print_summary(results)


def _print_summary(results: Sequence[CommandResult]) -> None:
    counts: dict[CommandState, int] = {}
    for result in results:
        counts[result.state] = counts.get(result.state, 0) + 1
    print_text("=== " + ", ".join(f"{count} {_(STATE_WORDS[state])}" for state, count in counts.items()))
