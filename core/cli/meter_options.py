"""What the commands of `meter` share: types of their options, and an error kept for the end."""

from __future__ import annotations

import argparse
from collections.abc import Coroutine
from typing import Any

from core.cli.parser import number, whole_number
from core.language import _
from core.services.secrets import PASSWORD_LIMIT

CLIENTS = 16_383


def baud(text: str) -> int:
    """A speed of a line, for argparse."""
    speed = whole_number(text)
    if not 50 <= speed <= 4_000_000:
        raise argparse.ArgumentTypeError(_("a speed lies between 50 and 4000000"))
    return speed


def seconds(text: str) -> float:
    """A length of time, for argparse."""
    value = number(text)
    if not 0.05 <= value <= 86_400:
        raise argparse.ArgumentTypeError(_("seconds lie between 0.05 and 86400"))
    return value


def client(text: str) -> int:
    """A client address of DLMS, for argparse."""
    number = whole_number(text)
    if not 0 <= number <= CLIENTS:
        raise argparse.ArgumentTypeError(_("a client address lies between 0 and {most}").format(most=CLIENTS))
    return number


def password(text: str) -> bytes:
    """A password as octets, for argparse."""
    octets = text.encode("utf-8", "surrogateescape")
    if not 0 < len(octets) <= PASSWORD_LIMIT:
        raise argparse.ArgumentTypeError(_("a password has 1 to {most} octets").format(most=PASSWORD_LIMIT))
    return octets


async def kept(work: Coroutine[Any, Any, None], failures: list[Exception]) -> None:
    """Await `work` and keep what it raises for the end of the command."""
    try:
        await work
    except Exception as error:
        failures.append(error)
