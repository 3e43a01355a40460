"""`machines sweep`: where agents answer in a range of addresses. A suggestion: nothing is paired, nothing is added."""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import Any

from core.cli.console import DONE, Console
from core.cli.output import print_json, print_problem, print_text
from core.cli.parser import whole_number
from core.errors import UsageError
from core.language import _, ngettext
from core.records import Machine
from core.services.machine_fields import DEFAULT_PORT
from core.site_records import SweepFind, SweepProgress
from core.transport.address import shown_address

_TOLD_EVERY_S = 2.0


def register_sweep(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add `sweep` to the verbs of `machines`."""
    parser = verbs.add_parser(
        "sweep",
        parents=[common],
        help=_("look for agents in a range of addresses"),
        description=_(
            "Each address is asked once, 64 at a time, for a second at most; 4,096 addresses at most. Agents tell "
            "their name; no code is sent and nothing is added. Look only through networks that are yours. Without an "
            "address, the networks of this machine are named."
        ),
    )
    parser.add_argument("ranges", metavar="RANGE", nargs="*", help=_("such as 10.1.0.0/24 or 10.1.0.10-60"))
    parser.add_argument("--port", type=whole_number, default=DEFAULT_PORT, metavar="N", help=_("port of the agents"))
    parser.set_defaults(handler=_sweep, empty_document=[])


def find_document(find: SweepFind) -> dict[str, object]:
    """An address where something listens, as JSON."""
    return {
        "address": shown_address(find.host, find.port),
        "state": find.kind.value,
        "name": find.name or None,
        "fingerprint": find.fingerprint,
        "pairing_open": find.is_pairing_open,
        "machine": find.machine,
    }


def _sweep(options: argparse.Namespace) -> int:
    from core.services.address_range import addresses_of, own_networks

    if not 1 <= options.port <= 65535:
        raise UsageError(_("{port!r} is not a port; ports go from 1 to 65535").format(port=str(options.port)))
    if not options.ranges:
        own = ", ".join(own_networks()) or "10.1.0.0/24"
        raise UsageError(_("write where to look; this machine is in: {networks}").format(networks=own))
    hosts = addresses_of(" ".join(options.ranges))
    with Console(options) as console:
        known = console.history.machines()
    began_s = time.monotonic()
    found, progress = asyncio.run(_look(hosts, options, known))
    if options.json:
        order = {host: place for place, host in enumerate(hosts)}
        print_json([find_document(find) for find in sorted(found, key=lambda one: order[one.host])])
    print_problem(
        ngettext(
            "{count} address asked in {seconds:.1f} s: {found} listen, {refused} refuse, {silent} are silent",
            "{count} addresses asked in {seconds:.1f} s: {found} listen, {refused} refuse, {silent} are silent",
            progress.total,
        ).format(
            count=progress.total,
            seconds=time.monotonic() - began_s,
            found=progress.found,
            refused=progress.refused,
            silent=progress.silent,
        )
    )
    return DONE


async def _look(
    hosts: list[str], options: argparse.Namespace, known: list[Machine]
) -> tuple[list[SweepFind], SweepProgress]:
    from core.services.agent_sweep import sweep

    found: list[SweepFind] = []
    told_s = time.monotonic()

    def on_found(find: SweepFind) -> None:
        found.append(find)
        if not options.json:
            name = f"{find.name}: " if find.name else ""
            print_text(f"{shown_address(find.host, find.port)}  {name}{find.text}")

    def on_progress(progress: SweepProgress) -> None:
        nonlocal told_s
        if time.monotonic() - told_s >= _TOLD_EVERY_S:
            told_s = time.monotonic()
            print_problem(_("{done} of {total} addresses").format(done=progress.done, total=progress.total))

    return found, await sweep(hosts, options.port, known, on_found, on_progress)
