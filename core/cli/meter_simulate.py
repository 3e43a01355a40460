"""`meter simulate`: a meter that is not there, for trials without hardware."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from core.cli.meter_decode import octets_of_option, read_capture
from core.cli.meter_options import baud, client, kept, password, seconds
from core.cli.output import print_problem
from core.errors import UsageError
from core.language import _

PROTOCOLS = ("push", "iec62056-21", "dlms", "mbus")
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
    parser.add_argument(
        "--positions", type=int, choices=(9, 11, 14), default=11, help=_("how many values layout 3 has")
    )
    parser.add_argument("--mode", choices=("A", "B", "C", "D", "E"), help=_("mode of IEC 62056-21; E leads to DLMS"))
    parser.add_argument("--baud", type=baud, metavar="N", help=_("speed of the line (9600; M-Bus and mode D 2400)"))
    parser.add_argument(
        "--password",
        type=password,
        metavar="TEXT",
        help=_("password of the programming mode, or of the DLMS client"),
    )
    parser.add_argument("--client", type=client, metavar="N", help=_("DLMS client with password or keys (1)"))
    parser.add_argument("--framing", choices=("hdlc", "wrapper"), help=_("what DLMS messages travel in"))
    parser.add_argument("--key", metavar="HEX", help=_("encryption key of pushes, or of the DLMS client"))
    parser.add_argument("--auth-key", metavar="HEX", help=_("authentication key that goes with it"))
    parser.add_argument("--seed", type=int, default=1, metavar="N", help=_("which meter; the same seed, the same day"))
    parser.add_argument(
        "--anomalies", action="store_true", help=_("with a leak, a peak, an export at night, an hour on one phase")
    )
    parser.add_argument("--interval", type=seconds, default=5.0, metavar="S", help=_("seconds between two pushes"))
    parser.add_argument(
        "--replay",
        type=Path,
        metavar="FILE",
        help=_("send this capture instead, again and again; or answer as in this recording"),
    )
    parser.add_argument("--once", action="store_true", help=_("send the capture once, then end"))
    parser.set_defaults(handler=_simulate)


def _simulate(options: argparse.Namespace) -> int:
    from core.cli.console import run_until_signalled
    from core.services.meter_simulator import MeterSimulator, Simulation
    from core.services.waiting import first_of

    _check_together(options)
    replayed = _replay_of(options.replay)
    replay = replayed.get("replay")
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
            positions=options.positions,
            mode=options.mode or "C",
            baud=options.baud,
            client=1 if options.client is None else options.client,
            password=options.password,
            framing=options.framing or "hdlc",
            key=octets_of_option("--key", options.key, (16, 32)),
            auth_key=octets_of_option("--auth-key", options.auth_key, (16, 32)),
            seed=options.seed,
            has_anomalies=options.anomalies,
            interval_s=options.interval,
            is_once=options.once,
            **replayed,
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


def _check_together(options: argparse.Namespace) -> None:
    """Raise UsageError for what the protocol has no use for, rather than pass over it in silence."""
    protocol = options.protocol
    for name in ("client", "framing"):
        if getattr(options, name) is not None and protocol != "dlms" and options.mode != "E":
            raise UsageError(
                _("--{option} belongs to --protocol dlms, not to {protocol}").format(option=name, protocol=protocol)
            )
    if options.mode is not None and protocol in ("push", "mbus"):
        raise UsageError(_("a meter of --protocol {protocol} has no mode").format(protocol=protocol))
    if options.password is not None and protocol in ("push", "mbus"):
        raise UsageError(_("a meter of --protocol {protocol} takes no password").format(protocol=protocol))


def _replay_of(path: Path | None) -> dict[str, Any]:
    """What of a Simulation the file of `--replay` fills: a capture, or a recorded line; raises UsageError."""
    from core.services.decode import octets_of
    from core.services.line_recording import pieces_of
    from core.services.line_replay import is_recording, recorded_pieces, recorded_settings

    if path is None:
        return {}
    data = read_capture(str(path))
    if is_recording(data):
        return {"recording": tuple(recorded_pieces(data)), "recorded_at": recorded_settings(data)}
    pieces = pieces_of(data)
    if pieces is not None:  # a trace of another program, which knows no times
        return {"recording": tuple(replace(piece, time_s=0.0) for piece in pieces)}
    replay = octets_of(data)
    if not replay:
        raise UsageError(_("{path} holds nothing that can be sent").format(path=path))
    return {"replay": replay}
