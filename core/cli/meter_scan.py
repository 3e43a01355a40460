"""`meter scan`: which meters are on an M-Bus."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any

from core.cli.meter_options import baud, kept
from core.cli.output import print_json, print_problem, print_table, print_text
from core.cli.parser import whole_number
from core.errors import UsageError
from core.language import _, ngettext
from core.protocol.mbus_frames import HIGHEST_PRIMARY
from core.services.dialogue_mbus import BAUD
from core.services.meter_scan import BusScan, FoundMeter, check_range
from core.transport.line import LineSettings


def add_scan(parsers: Any, common: argparse.ArgumentParser) -> None:
    """Add `scan` to the commands of `meter`; `parsers` is what `add_subparsers` gave."""
    parser = parsers.add_parser("scan", parents=[common], help=_("find the meters on an M-Bus"))
    parser.add_argument("--port", required=True, metavar="URL", help=_("a serial device, or socket://HOST:PORT"))
    parser.add_argument("--baud", type=baud, default=BAUD, metavar="N", help=_("speed of the bus (2400)"))
    parser.add_argument(
        "--secondary", action="store_true", help=_("search by the meters' numbers instead of primary addresses")
    )
    parser.add_argument("--from", dest="first", type=whole_number, metavar="N", help=_("first primary address (1)"))
    parser.add_argument(
        "--to",
        dest="last",
        type=whole_number,
        metavar="N",
        help=_("last primary address (250)"),
    )
    parser.set_defaults(handler=_scan, empty_document=[])


def _scan(options: argparse.Namespace) -> int:
    from core.cli.console import run_until_signalled
    from core.services.waiting import first_of
    from core.transport.serial_port import open_port

    if options.secondary and (options.first is not None or options.last is not None):
        raise UsageError(_("--from and --to belong to primary addresses, not to --secondary"))
    first = 1 if options.first is None else options.first
    last = HIGHEST_PRIMARY if options.last is None else options.last
    check_range(first, last)
    found: list[FoundMeter] = []
    failures: list[Exception] = []
    is_told = sys.stderr.isatty()

    def progress(looked: int, count: int | None, address: str) -> None:
        if is_told:
            text = _("looking at {address}").format(address=address) if address else ""
            share = "" if count is None else f"{looked}/{count} "
            sys.stderr.write(f"\r\x1b[K{share}{text}")
            sys.stderr.flush()

    async def search() -> None:
        line = LineSettings(options.baud, 8, "E")
        port = await open_port(options.port, line)
        try:
            scan = BusScan(port, line, progress)
            if options.secondary:
                async for meter in scan.secondary():
                    found.append(meter)
            else:
                async for meter in scan.primary(first, last):
                    found.append(meter)
        finally:
            port.close()

    async def main(signalled: asyncio.Event) -> int:
        await first_of(kept(search(), failures), signalled.wait())
        return 0

    run_until_signalled(main)
    if is_told:
        sys.stderr.write("\r\x1b[K")
    if failures and not found:
        raise failures[0]
    _print(found, is_json=options.json)
    if failures:
        raise failures[0]
    return 0 if found else 1


def _print(found: list[FoundMeter], *, is_json: bool) -> None:
    if is_json:
        print_json([meter.document for meter in found])
    elif found:
        print_table(
            [_("address"), _("secondary address"), _("manufacturer"), _("medium"), _("version")],
            [
                (
                    meter.address,
                    meter.secondary_address,
                    meter.manufacturer,
                    None if meter.medium is None else _(meter.medium),
                    meter.version,
                )
                for meter in found
            ],
        )
        print_text(ngettext("{count} meter", "{count} meters", len(found)).format(count=len(found)))
    else:
        print_problem(_("no meter answered; is the bus fed, and is its speed right?"))
    for meter in found:
        if meter.problem is not None:
            place = meter.secondary_address if meter.address is None else meter.address
            print_problem(f"{place}: {meter.problem}")
