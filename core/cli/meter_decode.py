"""`meter decode`: what a saved capture says, for people or as JSON."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

from core.cli.output import measured, print_json, print_problem, print_table, print_text
from core.errors import UsageError
from core.language import _, ngettext
from core.services.decode import PROTOCOLS, DecodeResult, decode_capture

CAPTURE_LIMIT = 64 << 20
"""Octets of a capture that are read at most."""


def add_decode(parsers: Any, common: argparse.ArgumentParser) -> None:
    """Add `decode` to the commands of `meter`; `parsers` is what `add_subparsers` gave."""
    parser = parsers.add_parser("decode", parents=[common], help=_("show what a saved capture says"))
    parser.add_argument(
        "file", nargs="?", default="-", metavar="FILE", help=_("raw bytes, hex text or a recording; - is stdin")
    )
    parser.add_argument(
        "--protocol", choices=PROTOCOLS, default="auto", help=_("which protocol (recognised by itself)")
    )
    parser.add_argument(
        "--explain", action="store_true", help=_("show every field of every frame, for whoever looks for an error")
    )
    add_keys(parser)
    parser.set_defaults(handler=_decode)


def add_keys(parser: argparse.ArgumentParser) -> None:
    """Options for ciphered meters, the same for `decode`, `read` and `watch`."""
    parser.add_argument("--key", metavar="HEX", help=_("encryption key of the meter, from your grid operator"))
    parser.add_argument("--auth-key", metavar="HEX", help=_("authentication key of the meter"))
    parser.add_argument(
        "--key-file", metavar="FILE", type=Path, help=_("file with the key, and behind a space the authentication key")
    )
    parser.add_argument("--system-title", metavar="HEX", help=_("system title, where the meter names none"))
    parser.add_argument("--preset", metavar="NAME", help=_("what the meter's operator leaves unsaid"))


def given_keys(options: argparse.Namespace) -> tuple[bytes | None, bytes | None]:
    """Encryption and authentication key from the options of `add_keys`; raises UsageError or ConfigError."""
    key = octets_of_option("--key", options.key, (16, 32))
    auth_key = octets_of_option("--auth-key", options.auth_key, (16, 32))
    if options.key_file is not None:
        from core.config import read_secret  # imported here: most captures need no key

        if key is not None:
            raise UsageError(_("give either --key or --key-file"))
        words = read_secret(options.key_file).replace(",", " ").split()
        if len(words) > 2:
            raise UsageError(_("{path} must hold one key, or two").format(path=options.key_file))
        key = octets_of_option(str(options.key_file), words[0], (16, 32))
        if len(words) == 2 and auth_key is None:
            auth_key = octets_of_option(str(options.key_file), words[1], (16, 32))
    return key, auth_key


def octets_of_option(name: str, text: str | None, sizes: tuple[int, ...]) -> bytes | None:
    """Octets written in hexadecimal; raises UsageError that names the option, never its value."""
    if text is None:
        return None
    digits = re.sub(r"[\s:-]", "", text)
    try:
        octets = bytes.fromhex(digits)
    except ValueError:
        raise UsageError(_("{name} must be hexadecimal digits").format(name=name)) from None
    if len(octets) not in sizes:
        raise UsageError(
            _("{name} must have {sizes} octets, not {count}").format(
                name=name, sizes=_(" or ").join(str(size) for size in sizes), count=len(octets)
            )
        )
    return octets


def _decode(options: argparse.Namespace) -> int:
    key, auth_key = given_keys(options)
    system_title = octets_of_option("--system-title", options.system_title, (8,))
    if auth_key is not None and key is None:
        raise UsageError(_("--auth-key goes with --key: give both"))
    from core.meter.presets import load_presets

    presets = load_presets(options.home.path)
    preset = presets.named(options.preset) if options.preset is not None else None
    data = read_capture(options.file)
    if options.explain:
        _explain(data, options, key, auth_key, system_title)
    result = decode_capture(
        data,
        protocol=options.protocol,
        key=key,
        auth_key=auth_key,
        system_title=system_title,
        preset=preset,
        presets=presets,
    )
    if options.explain:
        if not data:
            print_problem(_("the capture is empty"))
        return result.exit_status  # the reasons stand where they belong
    if options.json:
        print_json(result.document)
    else:
        _print(result)
    for error in result.errors:
        print_problem(error)
    return result.exit_status


def _explain(
    data: bytes, options: argparse.Namespace, key: bytes | None, auth_key: bytes | None, system_title: bytes | None
) -> None:
    """Print what each octet is, as a tree of text or of JSON."""
    from core.services.decode import octets_of
    from core.services.explain import explain, explain_pieces, explained_document, explained_lines
    from core.services.line_recording import pieces_of

    pieces = pieces_of(data)
    if pieces is None:
        tree = explain(octets_of(data), key=key, auth_key=auth_key, system_title=system_title)
    else:
        tree = explain_pieces(pieces, key=key, auth_key=auth_key, system_title=system_title)
    if options.json:
        print_json(explained_document(tree))
        return
    for line in explained_lines(tree):
        print_text("".join(letter if letter.isprintable() else " " for letter in line))


def read_capture(file: str) -> bytes:
    """The octets of a file, or of stdin as `-`; raises UsageError, also for more than a capture may have."""
    try:
        if file == "-":
            data = sys.stdin.buffer.read(CAPTURE_LIMIT + 1)
        else:
            with Path(file).open("rb") as stream:
                data = stream.read(CAPTURE_LIMIT + 1)
    except OSError as error:
        raise UsageError(_("{path} cannot be read: {reason}").format(path=file, reason=error.strerror)) from error
    if len(data) > CAPTURE_LIMIT:
        raise UsageError(_("{path} is larger than {count} MiB").format(path=file, count=CAPTURE_LIMIT >> 20))
    return data


def _print(result: DecodeResult) -> None:
    """For people: who, when, and a table of what."""
    meter = result.meter
    who = " ".join(part for part in (meter.manufacturer, meter.model, meter.serial_number) if part)
    parts = [result.protocol or "-", who, result.time or ""]
    print_text("  ".join(part for part in parts if part))
    if any(telegram.is_simulated for telegram in result.telegrams):
        print_text(_("simulated"))
    if result.readings:
        print_table(
            [_("code"), _("quantity"), _("value"), _("unit"), _("quality")],
            [
                (
                    reading.obis or reading.label,
                    reading.quantity,
                    measured(reading.value) if isinstance(reading.value, float) else reading.value,
                    reading.unit,
                    _QUALITY_WORDS[reading.quality.value](),
                )
                for reading in result.readings
            ],
        )
    # in garbage each lone ACK would count
    count = sum(1 for telegram in result.telegrams if telegram.readings or not result.failures)
    print_text(ngettext("{count} telegram", "{count} telegrams", count).format(count=count))


_QUALITY_WORDS = {"good": lambda: _("good"), "warning": lambda: _("warning"), "error": lambda: _("error")}
