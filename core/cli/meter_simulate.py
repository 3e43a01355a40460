"""`meter simulate`: a meter that is not there, for trials without hardware."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Any

from core.cli.meter_decode import octets_of_option
from core.cli.meter_options import baud, kept, seconds
from core.cli.output import print_problem
from core.errors import UsageError
from core.language import _

PROTOCOLS = ("push", "iec62056-21")
_CIPHERED = (b"\xdb\x08", b"\xdf\x08")
"""How a ciphered message begins: its tag and the length of the system title."""


def add_simulate(parsers: Any, common: argparse.ArgumentParser) -> None:
    """Add `simulate` to the commands of `meter`; `parsers` is what `add_subparsers` gave."""
    parser = parsers.add_parser("simulate", parents=[common], help=_("simulate an E450, or replay a capture"))
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--link", type=Path, metavar="PATH", help=_("make a serial port under this name"))
    place.add_argument("--listen", metavar="HOST:PORT", help=_("serve over TCP; port 0 picks one"))
    parser.add_argument("--protocol", choices=PROTOCOLS, default="push", help=_("how the meter speaks"))
    parser.add_argument("--layout", type=int, choices=(1, 2, 3, 4), default=2, help=_("form of a push"))
    parser.add_argument("--baud", type=baud, metavar="N", help=_("speed of the line (9600)"))
    parser.add_argument("--key", metavar="HEX", help=_("cipher the pushes with this key"))
    parser.add_argument("--auth-key", metavar="HEX", help=_("and authenticate them with this one"))
    parser.add_argument("--seed", type=int, default=1, metavar="N", help=_("which meter; the same seed, the same day"))
    parser.add_argument("--interval", type=seconds, default=5.0, metavar="S", help=_("seconds between two pushes"))
    parser.add_argument("--replay", type=Path, metavar="FILE", help=_("send this capture instead, again and again"))
    parser.add_argument("--once", action="store_true", help=_("send the capture once, then end"))
    parser.set_defaults(handler=_simulate)


def _simulate(options: argparse.Namespace) -> int:
    from core.cli.console import run_until_signalled
    from core.services.decode import octets_of
    from core.services.meter_simulator import MeterSimulator, Simulation
    from core.services.waiting import first_of

    replay = None
    if options.replay is not None:
        try:
            replay = octets_of(options.replay.read_bytes())
        except OSError as error:
            raise UsageError(
                _("{path} cannot be read: {reason}").format(path=options.replay, reason=error.strerror)
            ) from error
    if replay is not None and not options.once and any(start in replay for start in _CIPHERED):
        print_problem(
            _("the capture is ciphered and its counter stands still: a reader takes it once and refuses it afterwards")
        )
    simulator = MeterSimulator(
        Simulation(
            protocol=options.protocol,
            link=options.link,
            listen=options.listen,
            layout=options.layout,
            baud=options.baud,
            key=octets_of_option("--key", options.key, (16, 32)),
            auth_key=octets_of_option("--auth-key", options.auth_key, (16, 32)),
            seed=options.seed,
            interval_s=options.interval,
            replay=replay,
            is_once=options.once,
        )
    )
    failures: list[Exception] = []

    async def main(signalled: asyncio.Event) -> int:
        simulating = simulator.run(lambda place: print(f"listening on {place}", flush=True))
        await first_of(kept(simulating, failures), signalled.wait())
        return 0

    run_until_signalled(main)
    if failures:
        raise failures[0]
    return 0
