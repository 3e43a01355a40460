"""`machines commands MACHINE`: what this console may run there, as the policy of its agent says."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

from core.access_records import AllowedCommand, AllowedCommands
from core.cli.console import Console, reach_within_s
from core.cli.output import print_json, print_problem, print_table
from core.errors import UsageError
from core.language import _
from core.records import Machine
from core.services.allowed_commands import allowed_commands


def register_commands(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb `commands` to `machines`."""
    listing = verbs.add_parser(
        "commands", parents=[common], help=_("what may be run on a machine, beside built-ins, by its policy")
    )
    listing.add_argument("machine", metavar="MACHINE", help=_("which machine"))
    listing.set_defaults(handler=_run, empty_document=[])


def command_document(command: AllowedCommand) -> dict[str, object]:
    """A command as JSON: every key is there, null where it says nothing."""
    return {
        "id": command.id,
        "argv": list(command.argv),
        "parameters": [
            {
                "name": parameter.name,
                "type": parameter.type,
                "values": list(parameter.values),
                "minimum": parameter.minimum,
                "maximum": parameter.maximum,
                "roots": list(parameter.roots),
                "letters": parameter.letters or None,
                "optional": parameter.is_optional,
                "repeated": parameter.is_repeated,
            }
            for parameter in command.parameters
        ],
        "level": command.level.value,
        "timeout_s": command.timeout_s,
        "description": command.description or None,
        "default": command.is_default,
        "pinned": command.is_pinned,
    }


def _run(options: argparse.Namespace) -> int:
    with Console(options) as console:
        machines = console.chosen([options.machine])
        if len(machines) != 1:
            raise UsageError(
                _("{target!r} means {count} machines; name one").format(target=options.machine, count=len(machines))
            )
        told = asyncio.run(_ask(console, machines[0]))
    if options.json:
        print_json([command_document(command) for command in told.commands])
        return 0
    if not told.commands:
        print_problem(
            _("the policy of {machine} allows this console no command; built-ins are answered").format(
                machine=told.machine
            )
        )
        return 0
    print_table(
        [_("name"), _("command"), _("level"), _("description")],
        [[command.id, " ".join(command.argv), command.level.value, command.description] for command in told.commands],
    )
    return 0


async def _ask(console: Console, machine: Machine) -> AllowedCommands:
    async with console.polling([machine], lambda record: None, 60.0, sections=()) as poller:
        await poller.settled(reach_within_s([machine]))
        return await allowed_commands(poller.link_of(machine.name), machine.name)
