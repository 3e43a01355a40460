"""`machines`: which machines this console knows."""

from __future__ import annotations

import argparse
import asyncio
import datetime
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from core.cli.console import DONE, FAILED, Console, exit_status, now_s
from core.cli.machine_tables import machine_document, print_machines, print_preview, print_refused
from core.cli.machines_commands import register_commands
from core.cli.machines_sweep import register_sweep
from core.cli.output import print_json, print_problem, print_text
from core.cli.parser import whole_number
from core.cli.targets import no_machines_text
from core.equipment import sort_key
from core.errors import ConfigError, RefusedError, UsageError
from core.language import _, ngettext
from core.machine_tags import check_tag, check_tags
from core.protocol.pairing import new_site_code, shown_code, site_code_end
from core.records import Event, Level, Machine, MachineState, Severity
from core.services.list_import import check_room_for_one, import_site
from core.services.list_writing import write_list
from core.services.machine_fields import check_name, parse_address
from core.services.machine_lists import COLUMNS
from core.services.site_pairing import pair_all, pair_one
from core.times import iso_time


def register(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add `machines` to the command line."""
    machines = commands.add_parser("machines", parents=[common], help=_("which machines this console knows"))
    machines.set_defaults(handler=_list, empty_document=[], sort="name")
    verbs = machines.add_subparsers(metavar=_("WHAT"))
    listing = verbs.add_parser("list", parents=[common], help=_("the machines known (the default)"))
    listing.add_argument(
        "--sort", choices=("name", "address", "reference", "price"), default="name", help=_("in which order")
    )
    listing.set_defaults(handler=_list)
    add = verbs.add_parser("add", parents=[common], help=_("pair with the agent of one machine"))
    add.add_argument("name", metavar="NAME", help=_("how it is called here"))
    add.add_argument("address", metavar="HOST[:PORT]", help=_("where its agent listens"))
    add.add_argument("--code", required=True, help=_("the code that its agent shows"))
    add.add_argument("--group", action="append", default=[], metavar="G", help=_("a group it belongs to"))
    add.add_argument(
        "--tag", action="append", default=[], metavar="T", help=_("a tag, by which commands choose it: tag:T")
    )
    add.set_defaults(handler=_add)
    importing = verbs.add_parser(
        "import",
        parents=[common],
        help=_("take machines from a list"),
        description=_(
            "A line is IP;PORT or IP,PORT or IP:PORT or an address alone or NAME,IP:PORT, or all stand in one line: "
            "IP PORT IP PORT. With a first line of names the columns are: {columns}."
        ).format(columns=", ".join(COLUMNS)),
    )
    importing.add_argument("file", metavar="FILE", help=_("a text, csv, json or xlsx file"))
    importing.add_argument("--site-code", metavar="CODE", help=_("pair them all by this code"))
    importing.add_argument("--preview", action="store_true", help=_("show what would be taken, and save nothing"))
    importing.set_defaults(handler=_import)
    register_sweep(verbs, common)
    register_commands(verbs, common)
    exporting = verbs.add_parser("export", parents=[common], help=_("write the machines known to a list"))
    exporting.add_argument("file", metavar="FILE", help=_("a file that ends in .csv, .json or .xlsx"))
    exporting.set_defaults(handler=_export)
    remove = verbs.add_parser("remove", parents=[common], help=_("forget a machine; its history stays"))
    which = remove.add_mutually_exclusive_group(required=True)
    which.add_argument("name", metavar="NAME", nargs="?", help=_("which machine"))
    which.add_argument("--reference", metavar="REF", help=_("all machines with this reference instead"))
    remove.set_defaults(handler=_remove)
    site_code = verbs.add_parser(
        "site-code", parents=[common], help=_("make a code by which agents of a whole site are paired")
    )
    site_code.add_argument(
        "--days", type=whole_number, default=7, metavar="N", help=_("days it is good for (default 7)")
    )
    site_code.add_argument(
        "--level",
        choices=(Level.VIEW.value, Level.RUN.value),
        default=Level.RUN.value,
        help=_("what a console may do on machines paired by it (default run)"),
    )
    site_code.set_defaults(handler=_site_code, empty_document={"code": None, "until": None, "level": None})


def _list(options: argparse.Namespace) -> int:
    with Console(options) as console:
        machines = sorted(console.history.machines(), key=lambda machine: sort_key(machine, options.sort))
    if not machines:
        print_problem(no_machines_text())
    if options.json:
        print_json([machine_document(machine) for machine in machines])
    elif machines:
        print_machines(machines)
    return DONE


def _add(options: argparse.Namespace) -> int:
    name = check_name(options.name)
    host, port = parse_address(options.address)
    groups = tuple(dict.fromkeys(map(_group, options.group)))
    tags = check_tags(map(check_tag, options.tag))
    wanted = Machine(name=name, host=host, port=port, groups=groups, tags=tags)
    with Console(options) as console:
        known = console.history.machines()
        present = next((machine for machine in known if machine.name == name), None)
        if present is None:
            check_room_for_one(len(known), console.config.machines.max)
        if present is not None and present.fingerprint is not None and present.address != wanted.address:
            raise UsageError(
                _("{name} is already known at {address}; remove it first to move it").format(
                    name=name, address=present.address
                )
            )
        console.history.check_can_write()  # the code is used up by the pairing
        if present is not None:
            wanted = replace(present, host=host, port=port, groups=groups or present.groups, tags=tags or present.tags)
        machine = asyncio.run(pair_one(wanted, options.code, console.identity))
        console.history.save_machine(machine)
        console.record([_paired_event(console, machine)])
    if options.json:
        print_json([machine_document(machine, MachineState.ONLINE)])
    else:
        level = machine.level.value if machine.level else "-"
        print_text(_("{name} is paired at level {level}").format(name=name, level=level))
        print_text(machine.fingerprint or "")
    return DONE


def _import(options: argparse.Namespace) -> int:
    if options.site_code is not None:
        _check_site_code(options.site_code)
    path = Path(options.file)
    with Console(options) as console:
        found = import_site(path, console.history.machines(), console.config.machines.max)
        if options.preview:
            return print_preview(options, path, found)
        print_refused(path, found)
        if not found.listed:
            raise ConfigError(_("{path}: no machine could be taken").format(path=path))
        console.history.save_machines(found.machines)
        machines = {machine.name: machine for machine in found.listed}
        failures: list[bool] = []
        if options.site_code is not None:
            failures = asyncio.run(_pair_by_site_code(console, machines, options))
        _say(
            options,
            ngettext("{count} machine taken from {path}", "{count} machines taken from {path}", len(machines)).format(
                count=len(machines), path=path
            ),
        )
    if options.json:
        paired = MachineState.ONLINE if options.site_code is not None else None
        print_json([machine_document(machine, paired) for machine in machines.values()])
    if found.refused:
        return FAILED
    return exit_status(failures)


async def _pair_by_site_code(console: Console, machines: dict[str, Machine], options: argparse.Namespace) -> list[bool]:
    """Pair all that are not yet; for each failure, whether it is a refusal."""
    failures: list[bool] = []
    unpaired = [machine for machine in machines.values() if machine.fingerprint is None]
    async for progress in pair_all(unpaired, options.site_code, console.identity):
        machine, error = progress.machine, progress.error
        counted = f"[{progress.done}/{progress.total}] {machine.name}"
        if error is not None:
            failures.append(isinstance(error, RefusedError))
            print_problem(f"{counted}: {error}")
            continue
        machines[machine.name] = machine
        console.history.save_machine(machine)
        console.record([_paired_event(console, machine)])
        print_problem(f"{counted}: " + _("paired"))
    return failures


def _export(options: argparse.Namespace) -> int:
    with Console(options) as console:
        machines = console.history.machines()
    write_list(Path(options.file), machines)
    if options.json:
        print_json([machine_document(machine) for machine in machines])
    _say(
        options,
        ngettext("{count} machine written to {path}", "{count} machines written to {path}", len(machines)).format(
            count=len(machines), path=options.file
        ),
    )
    return DONE


def _remove(options: argparse.Namespace) -> int:
    with Console(options) as console:
        known = console.history.machines()
        if options.reference is None:
            gone = [machine for machine in known if machine.name == options.name]
            missing = _("there is no machine called {machine}").format(machine=options.name)
        else:
            wanted = options.reference.strip().casefold()
            gone = [machine for machine in known if wanted and machine.reference.casefold() == wanted]
            missing = _("there is no machine with the reference {reference}").format(reference=options.reference)
        if not gone:
            raise UsageError(missing)
        for machine in gone:
            console.history.remove_machine(machine.name)
        console.record(
            [
                Event(
                    time_s=now_s(),
                    source=f"machine/{machine.name}",
                    kind="machine_removed",
                    severity=Severity.INFO,
                    text=_("{name} was removed").format(name=machine.name),
                    operator=console.config.operator,
                )
                for machine in gone
            ]
        )
    if options.json:
        print_json([machine_document(machine) for machine in gone])
    else:
        for machine in gone:
            print_text(_("{name} was removed; its history stays").format(name=machine.name))
    return DONE


def _site_code(options: argparse.Namespace) -> int:
    if not 1 <= options.days <= 3660:
        raise UsageError(_("a site code is good for 1 to 3660 days"))
    last = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=options.days)
    code = new_site_code(last, Level(options.level))
    until_s = site_code_end(code)
    if options.json:
        print_json({"code": shown_code(code), "until": iso_time(until_s), "level": options.level})
        return DONE
    print_text(shown_code(code))
    print_problem(
        _("good until {date}; on each machine: beffroi agent run --site-code CODE").format(date=last.isoformat())
    )
    return DONE


def _say(options: argparse.Namespace, text: str) -> None:
    """On stdout for people; on stderr where stdout is for a program."""
    (print_problem if options.json else print_text)(text)


def _check_site_code(code: str) -> None:
    try:
        end_s = site_code_end(code)
    except ValueError as error:
        raise UsageError(_("this is not a site code; make one: beffroi machines site-code")) from error
    if end_s < now_s():
        raise RefusedError(_("this site code has expired; make a new one: beffroi machines site-code"))


def _group(text: str) -> str:
    group = text.strip()
    if not group or not group.isprintable() or len(group) > 64 or any(mark in group for mark in ";,|"):
        raise UsageError(_("{group!r} cannot be a group's name").format(group=text[:64]))
    return group


def _paired_event(console: Console, machine: Machine) -> Event:
    return Event(
        time_s=now_s(),
        source=f"machine/{machine.name}",
        kind="paired",
        severity=Severity.INFO,
        text=_("{name} was paired ({fingerprint})").format(name=machine.name, fingerprint=machine.fingerprint),
        operator=console.config.operator,
    )
