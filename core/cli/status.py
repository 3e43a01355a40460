"""`status` and `processes`: what machines say of themselves."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from typing import Any

from core.cli.console import Console, exit_status, reach_within_s, run_until_signalled
from core.cli.output import bytes_text, local_time, print_json, print_problem, print_table, print_text
from core.cli.parser import number, whole_number
from core.cli.targets import no_machines_text
from core.errors import UsageError
from core.language import N_, _
from core.records import Event, Machine, MachineReport, MachineState, Process, ProcessTable
from core.services.waiting import first_of
from core.site_records import Record
from core.times import iso_time

_RECORD_EVERY_S = 10.0
_WAITING_LIMIT = 20_000

STATE_WORDS = {
    MachineState.ONLINE: N_("online"),
    MachineState.LATE: N_("late"),
    MachineState.OFFLINE: N_("offline"),
    MachineState.UNPAIRED: N_("unpaired"),
    MachineState.NOT_TRUSTED: N_("not trusted"),
}

_SORTS: dict[str, Any] = {
    "cpu": lambda process: (-process.cpu_percent, process.pid),
    "memory": lambda process: (-process.memory_bytes, process.pid),
    "pid": lambda process: process.pid,
    "name": lambda process: (process.name.casefold(), process.pid),
}


def register(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add `status` and `processes` to the command line."""
    status = commands.add_parser("status", parents=[common], help=_("what machines say of themselves now"))
    status.add_argument(
        "targets",
        nargs="*",
        metavar="TARGET",
        help=_("a name, a pattern, @group, tag:, os: … as for run; all by default"),
    )
    status.add_argument(
        "--watch", type=_interval, metavar="SECONDS", help=_("go on, with a new status every SECONDS, until stopped")
    )
    status.set_defaults(handler=_run_status, empty_document=[])
    processes = commands.add_parser("processes", parents=[common], help=_("the process table of a machine"))
    processes.add_argument("machine", metavar="MACHINE", help=_("which machine"))
    processes.add_argument("--sort", choices=list(_SORTS), default="cpu", help=_("order of the table (default cpu)"))
    processes.add_argument("--limit", type=_limit, metavar="N", help=_("the first N alone"))
    processes.set_defaults(handler=_run_processes, empty_document=[])


def status_document(report: MachineReport) -> dict[str, object]:
    """A report as JSON: every key is there, null where unknown."""
    status = report.status
    system, cpu, memory, swap, io, network, top = (
        (status.system, status.cpu, status.memory, status.swap, status.disk_io, status.network, status.top_process)
        if status is not None
        else (None,) * 7
    )
    return {
        "machine": report.machine,
        "address": report.address,
        "state": report.state.value,
        "error": report.error,
        "system": {
            **_fields(system, "hostname", "os", "os_version", "kernel", "architecture"),
            "ip_addresses": list(system.ip_addresses) if system else [],
            **_fields(system, "uptime_s", "python"),
        },
        "cpu": {
            "percent": cpu.percent if cpu else None,
            "per_core_percent": list(cpu.per_core_percent) if cpu else [],
            "load_average": list(cpu.load_average) if cpu else [],
        },
        "memory": _fields(memory, "total_bytes", "used_bytes", "free_bytes", "available_bytes", "percent"),
        "swap": _fields(swap, "total_bytes", "used_bytes"),
        "disks": [
            _fields(disk, "mount", "total_bytes", "used_bytes") for disk in (status.disks if status else None) or ()
        ],
        "disk_io": _fields(io, "read_bytes_per_s", "written_bytes_per_s"),
        "network": _fields(network, "received_bytes_per_s", "sent_bytes_per_s"),
        "process_count": status.process_count if status else None,
        "top_process": _fields(top, "name", "pid", "cpu_percent"),
        "time": iso_time(report.time_s),
    }


def process_document(process: Process) -> dict[str, object]:
    """A process as JSON."""
    return {
        **_fields(process, "pid", "parent_pid", "name", "user", "cpu_percent", "memory_bytes", "status"),
        "started": iso_time(process.started_s),
        "command_line": process.command_line,
    }


def _fields(record: object, *names: str) -> dict[str, object]:
    return {name: getattr(record, name, None) for name in names}


def _interval(text: str) -> float:
    seconds = number(text)
    if not 0.2 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(_("an interval is 0.2 to 3600 seconds"))
    return seconds


def _limit(text: str) -> int:
    count = whole_number(text)
    if count < 0:
        raise argparse.ArgumentTypeError(_("a limit is not negative"))
    return count


def _run_status(options: argparse.Namespace) -> int:
    with Console(options) as console:
        machines = console.chosen(options.targets)
        if not machines:
            print_problem(no_machines_text())
            if options.json and options.watch is None:
                print_json([])
            return 0
        if options.watch is not None:
            return run_until_signalled(lambda signalled: _watch(console, machines, options, signalled))
        reports = asyncio.run(_ask(console, machines))
        console.record(reports)
    if options.json:
        print_json([status_document(report) for report in reports])
    else:
        _print_reports(reports)
    return exit_status(
        report.state is MachineState.NOT_TRUSTED
        for report in reports
        if report.state not in (MachineState.ONLINE, MachineState.LATE)
    )


async def _ask(console: Console, machines: Sequence[Machine]) -> list[MachineReport]:
    """One report of each machine, with a fresh status where it is reached."""
    fresh: dict[str, MachineReport] = {}

    def publish(record: Record) -> None:
        if isinstance(record, MachineReport) and record.is_new:
            fresh[record.machine] = record

    async with console.polling(machines, publish, console.config.polling.interval_s) as poller:
        await poller.settled(reach_within_s(machines), with_status=True)
        return [fresh.get(report.machine, report) for report in poller.reports()]


async def _watch(
    console: Console, machines: Sequence[Machine], options: argparse.Namespace, signalled: asyncio.Event
) -> int:
    latest: dict[str, MachineReport] = {}
    waiting: list[Record] = []

    def publish(record: Record) -> None:
        if isinstance(record, Event):
            waiting.append(record)
        if not isinstance(record, MachineReport):
            return
        is_told = record.machine in latest or record.is_new or record.state is not MachineState.OFFLINE
        if options.json and is_told:
            try:
                print_json(status_document(record))
            except BrokenPipeError:  # whoever read us has gone
                signalled.set()
        latest[record.machine] = record
        if record.is_new:
            waiting.append(record)

    async with console.polling(machines, publish, options.watch) as poller:
        await first_of(poller.settled(reach_within_s(machines), with_status=True), signalled.wait())
        since_record_s = 0.0
        while not signalled.is_set():
            if not options.json:
                _print_reports([latest[machine.name] for machine in machines if machine.name in latest])
                print_text("")
            try:
                await asyncio.wait_for(signalled.wait(), options.watch)
            except TimeoutError:
                since_record_s += options.watch
            if since_record_s >= _RECORD_EVERY_S:
                since_record_s = 0.0
                if console.record(waiting):
                    waiting.clear()
                del waiting[:-_WAITING_LIMIT]  # what cannot be written yet is tried again
        console.record(waiting)
    return 0


def _print_reports(reports: Sequence[MachineReport]) -> None:
    rows = []
    for report in reports:
        status = report.status
        memory = status.memory if status else None
        top = status.top_process if status else None
        rows.append(
            [
                report.machine,
                _(STATE_WORDS[report.state]),
                status.cpu.percent if status and status.cpu else None,
                memory.percent if memory else None,
                bytes_text(memory.total_bytes) if memory else "-",
                status.process_count if status else None,
                top.name if top else "-",
                status.system.os_version or status.system.os if status and status.system else "-",
                report.error or "",
            ]
        )
    print_table(
        [
            _("machine"), _("state"), _("CPU %"), _("RAM %"), _("RAM"), _("processes"), _("top process"),
            _("system"), "",
        ],
        rows,
    )  # fmt: skip


def _run_processes(options: argparse.Namespace) -> int:
    with Console(options) as console:
        machines = console.chosen([options.machine])
        if len(machines) != 1:
            raise UsageError(
                _("{target!r} means {count} machines; name one").format(target=options.machine, count=len(machines))
            )
        table = asyncio.run(_processes(console, machines[0]))
    chosen = sorted(table.processes, key=_SORTS[options.sort])[: options.limit]
    if options.json:
        print_json([process_document(process) for process in chosen])
        return 0
    print_table(
        [_("PID"), _("name"), _("user"), _("CPU %"), _("RAM"), _("state"), _("started"), _("command")],
        [
            [
                process.pid, process.name, process.user, process.cpu_percent, bytes_text(process.memory_bytes),
                process.status, local_time(process.started_s), process.command_line[:100],
            ]
            for process in chosen
        ],
    )  # fmt: skip
    return 0


async def _processes(console: Console, machine: Machine) -> ProcessTable:
    async with console.polling([machine], lambda record: None, 60.0, sections=()) as poller:
        await poller.settled(reach_within_s([machine]))
        return await poller.processes(machine.name)
