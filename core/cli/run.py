"""`run`: one command on one or many machines."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from core.cli.console import Console, exit_status, now_s, reach_within_s, run_until_signalled
from core.cli.output import print_json, print_problem
from core.cli.parser import number, whole_number
from core.cli.run_printing import Show, print_gathered, print_summary
from core.cli.targets import no_machines_text
from core.errors import ConfigError, UsageError
from core.gather import fold_names
from core.language import _
from core.records import CommandProgress, CommandRequest, CommandResult, CommandState, Machine
from core.services.answer_files import run_document
from core.services.command_journal import SentRun
from core.services.commands import new_request
from core.services.waiting import first_of

_CANCELLED_WITHIN_S = 12.0


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
    options.add_argument(
        "--window",
        type=_window,
        default=argparse.SUPPRESS,
        metavar="N",
        help=_("run it on N machines at once, the next one when one has ended (default all)"),
    )
    options.add_argument(
        "--failed-of",
        default=argparse.SUPPRESS,
        metavar="ID",
        help=_("only where an earlier run, or the last one, did not succeed: its id in the JSON, or last"),
    )
    usage = (
        "beffroi run TARGET... [--timeout S] [--window N] [--gather] [--failed-of ID] [--home DIR] [--json] -- WORD..."
    )
    left = type(common)(prog="beffroi run", add_help=False, parents=[options], usage=usage)
    left.add_argument("targets", nargs="*", metavar="TARGET")
    run = commands.add_parser(
        "run",
        parents=[options],
        help=_("run a command on machines"),
        usage=usage,
        description=_(
            "TARGET is a name, a pattern, folded names (srv[01-40]), @group, tag:, os:, level:, state:, address:, "
            "filter:NAME or all; !TARGET takes away. The words are a built-in (os, ram, cpu, ip, uptime, ls, ps, "
            "python) or a command that the agent's policy allows; Linux:, DOS: or Powershell: in front of them means "
            "such machines alone."
        ),
    )
    run.add_argument(
        "rest", nargs=argparse.REMAINDER, action=_TargetsAndWords, left=left, metavar="TARGET... -- WORD..."
    )
    run.set_defaults(handler=_run, targets=[], words=[], timeout=30.0, gather=False, window=0, failed_of=None)


def _run(options: argparse.Namespace) -> int:
    options.empty_document = {"id": None, "command": " ".join(options.words), "results": []}
    if not options.words:
        raise UsageError(_("the command goes after two dashes: run TARGET... -- WORD..."))
    with Console(options) as console:
        machines = _machines(console, options)
        request = new_request(
            options.words,
            [machine.name for machine in machines],
            options.timeout,
            console.config.operator,
            now_s(),
            options.window,
        )
        owed = console.recover_commands()
        _announce(console, request)
        show = Show(request, is_live=len(machines) == 1, is_quiet=options.json or options.gather)
        run_until_signalled(lambda signalled: _execute(console, machines, request, show, owed, signalled))
        results = [show.results[name] for name in request.machines]
        last = len(results) - 1
        progress = (
            CommandProgress(id=request.id, result=result, is_last=at == last) for at, result in enumerate(results)
        )
        if not console.record([*progress, *show.late]):
            console.journal.hold()
        console.journal.settle(request.id, request.machines)
    _tell_late(show.late, {sent.request.id: sent.request.line for sent in owed})
    if options.json:
        print_json(run_document(request, results))
    elif options.gather:
        print_gathered(results)
    elif len(results) > 1:
        print_summary(results)
    return exit_status(
        result.state is CommandState.NOT_ALLOWED for result in results if result.state is not CommandState.OK
    )


def _announce(console: Console, request: CommandRequest) -> None:
    """Before a machine is even reached: what is killed meanwhile is found by the next one, which tells its end."""
    with contextlib.suppress(ConfigError):  # nor will anything be sent, which is said of each machine
        console.journal.begin(SentRun(request=request, machines={}, offset=console.audit.size()))
    console.record([request])


def _window(text: str) -> int:
    count = whole_number(text)
    if count < 1:
        raise argparse.ArgumentTypeError(_("a window is 1 machine or more"))
    return count


def _machines(console: Console, options: argparse.Namespace) -> list[Machine]:
    """Where it is to run; raises UsageError where that is nowhere."""
    if not options.targets and options.failed_of is None:
        raise UsageError(_("say where: run TARGET... -- WORD..., with all for every machine"))
    machines = console.chosen(options.targets)
    if not machines:
        raise UsageError(no_machines_text())
    if options.failed_of is not None:  # an empty one, of a script, does not mean every machine
        failed = _failed_of(console, options.failed_of)
        machines = [machine for machine in machines if machine.name in failed]
        if not machines:
            raise UsageError(_("the machines on which that run did not succeed are not among these"))
    return machines


def _failed_of(console: Console, run_id: str) -> set[str]:
    """Machines on which an earlier run did not succeed; raises UsageError where there is none."""
    if run_id == "last":
        runs = console.history.command_runs(1)
        run_id = runs[0].id if runs else run_id
    results = console.history.command_results(run_id)
    if not results:
        raise UsageError(_("the history has no run {id}").format(id=run_id or "''"))
    failed = {result.machine for result in results if result.state is not CommandState.OK}
    if not failed:
        raise UsageError(_("run {id} succeeded on all of its machines").format(id=run_id))
    return failed


def _tell_late(late: Sequence[CommandProgress], lines: Mapping[str, str]) -> None:
    """Say what came to be known meanwhile of commands whose console was killed."""
    for run_id, line in lines.items():
        known = [told.result for told in late if told.id == run_id and told.result.state is not CommandState.UNKNOWN]
        if known:
            names = fold_names(result.machine for result in known)
            print_problem(
                _("the end of “{line}” on {names} is known now: see the history").format(line=line, names=names)
            )


async def _execute(
    console: Console,
    machines: Sequence[Machine],
    request: CommandRequest,
    show: Show,
    owed: Sequence[SentRun],
    signalled: asyncio.Event,
) -> int:
    async with console.polling(machines, show.publish, 5.0, sections=()) as poller:
        poller.adopt(owed)
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
            show.clear()
            print_problem(_("cancelled: waiting for the machines to say so"))
            poller.cancel(request.id)
            await asyncio.wait([execution], timeout=_CANCELLED_WITHIN_S)
        stop.cancel()
        if not execution.done():
            execution.cancel()
        else:
            execution.result()
        await asyncio.gather(execution, stop, return_exceptions=True)
        show.clear()
    for name in request.machines:
        show.results.setdefault(name, CommandResult(machine=name, state=CommandState.UNKNOWN))
    return 0
