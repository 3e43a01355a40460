"""Which meter a command means, and how it is asked: the options of `read`, `watch`, `profile` and others like them."""

from __future__ import annotations

import argparse
import re
from dataclasses import replace

from core.cli.meter_decode import add_keys, given_keys, octets_of_option
from core.cli.meter_options import baud, client, password, seconds
from core.config import Config
from core.errors import RemoteProtocolError, UsageError
from core.home import Home
from core.language import _
from core.obis import ObisCode
from core.protocol.hdlc_control import parse_server
from core.protocol.mbus_session import MbusAddress
from core.protocol.programming_mode import password_command
from core.services.meter_sources import MeterSource, source_of
from core.services.secrets import with_secrets

PROTOCOLS = ("auto", "push", "iec62056-21", "dlms", "mbus")
_ADDRESS = re.compile(r"[\x20-\x7e]{1,64}")
_LABEL = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+")
"""What stands for a value without a code, such as `volume_m3`."""
_SIX_GROUPS = re.compile(r"\d{1,3}(?:\.\d{1,3}){5}")
_OF_DLMS = ("auto", "dlms")


def add_source(parser: argparse.ArgumentParser) -> None:
    """Add the options that `source_of_options` takes."""
    parser.add_argument("name", nargs="?", metavar="NAME", help=_("a meter of config.toml"))
    parser.add_argument("--port", metavar="URL", help=_("a serial device, or socket://HOST:PORT"))
    parser.add_argument("--protocol", choices=PROTOCOLS, help=_("what the meter speaks (found by itself)"))
    parser.add_argument("--baud", type=baud, metavar="N", help=_("speed of the line (that of the protocol)"))
    parser.add_argument("--parity", choices=("N", "E", "O"), help=_("parity of the line (that of the protocol)"))
    parser.add_argument(
        "--interval", type=seconds, metavar="S", help=_("seconds between two readings, or two pushes of a slow meter")
    )
    parser.add_argument(
        "--address", type=_address, metavar="TEXT", help=_("address of the meter on a shared line, or server of DLMS")
    )
    parser.add_argument("--password", type=password, metavar="P", help=_("password of the meter (better in a file)"))
    parser.add_argument("--client", type=client, metavar="N", help=_("client address of DLMS (16, or 1 with a key)"))
    parser.add_argument("--framing", choices=("hdlc", "wrapper"), help=_("what carries DLMS: a line, or TCP alone"))
    add_keys(parser)


def add_codes(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose what is read: `--all` and `--obis`."""
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--all", action="store_true", help=_("read every register that the meter lists"))
    chosen.add_argument(
        "--obis", type=code, action="append", default=[], metavar="CODE", help=_("read this code; may be repeated")
    )


def code(text: str) -> str:
    """A code as typed, for argparse; six groups with points between them are a code too, as other programs write it."""
    if _SIX_GROUPS.fullmatch(text):
        first, second, *others, last = text.split(".")
        text = f"{first}-{second}:{'.'.join(others)}*{last}"
    if not _LABEL.fullmatch(text):
        try:
            ObisCode.parse(text)
        except RemoteProtocolError:
            words = _("{text} is no code; write one such as 1-0:1.8.0*255").format(text=text)
            raise argparse.ArgumentTypeError(words) from None
    return text


def source_of_options(options: argparse.Namespace, config: Config) -> MeterSource:
    """What is read: by a name of the configuration, or by a port; the options count more.

    Raises UsageError for words that do not go together, ConfigError for a secret that cannot be read.
    """
    home: Home = options.home
    _name_one(options, config)
    key, auth_key = given_keys(options)
    given = {
        "protocol": options.protocol,
        "baud": options.baud,
        "parity": options.parity,
        "interval_s": options.interval,
        "period_s": options.interval,
        "key": key,
        "auth_key": auth_key,
        "system_title": octets_of_option("--system-title", options.system_title, (8,)),
        "preset": options.preset,
        "address": options.address,
        "password": options.password,
        "client": options.client,
        "framing": options.framing,
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    if options.name is None:
        known = next((meter for meter in config.meters if meter.port == options.port), None)
        source = MeterSource(port=options.port, name=known.name if known else None, home=home.path, **chosen)
    else:
        meter = config.meter(options.name)
        if meter is None:
            raise UsageError(
                _("there is no meter “{name}” in {path}; known are: {names}").format(
                    name=options.name, path=home.config_path, names=", ".join(one.name for one in config.meters) or "-"
                )
            )
        source = replace(with_secrets(source_of(meter, home)), **chosen)
    _check_together(source, options)
    return source


def _name_one(options: argparse.Namespace, config: Config) -> None:
    if (options.name is None) != (options.port is None):
        return
    if options.name is not None:
        raise UsageError(_("give either the NAME of a meter or --port"))
    if len(config.meters) != 1:
        raise UsageError(_("name a meter of config.toml, or give --port; “beffroi meter ports” lists the ports"))
    options.name = config.meters[0].name


def _check_together(source: MeterSource, options: argparse.Namespace) -> None:
    """Refuse what the protocol has no use for, rather than pass over it in silence."""
    for name in ("client", "framing"):
        if getattr(options, name) is not None and source.protocol not in _OF_DLMS:
            raise UsageError(
                _("--{option} belongs to --protocol dlms, not to {protocol}").format(
                    option=name, protocol=source.protocol
                )
            )
    if options.password is not None and source.protocol in ("push", "mbus"):
        raise UsageError(_("a meter of --protocol {protocol} takes no password").format(protocol=source.protocol))
    if source.framing == "wrapper" and not source.port.startswith("socket://"):
        raise UsageError(_("--framing wrapper needs a TCP line: --port socket://HOST:PORT"))
    if source.protocol == "dlms" and source.key is not None and source.auth_key is None:
        raise UsageError(_("--key of a meter that is asked needs --auth-key too"))
    if source.protocol in _OF_DLMS and source.auth_key is not None and source.key is None:
        raise UsageError(_("--auth-key goes with --key: give both"))
    _check_words(source)


def _check_words(source: MeterSource) -> None:
    """Raise UsageError for an address or a password that the protocol cannot carry, before the port is opened."""
    if source.protocol == "dlms":
        parse_server(source.address)
    elif source.protocol == "mbus":
        MbusAddress.parse(source.address)
    elif source.protocol == "iec62056-21" and source.password is not None:
        password_command(source.password)


def _address(text: str) -> str:
    if not _ADDRESS.fullmatch(text):
        raise argparse.ArgumentTypeError(_("an address has 1 to 64 letters and digits"))
    return text
