"""The answer to the request `policy`: what a console may run on a machine, in pages."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from core.access_records import AllowedCommand
from core.protocol import messages
from core.protocol.messages import Short
from core.records import Level


class PolicyPage(Struct, frozen=True, kw_only=True):
    """Some of the commands, in the order in which they are tried; the last page has `is_last`.

    `os` is the machine's as policies name it, `level` the console's there. `problem` says why the policy cannot be used
    and nothing but built-ins is allowed, "" where it can.
    """

    commands: Annotated[tuple[AllowedCommand, ...], Meta(max_length=4096)]
    os: Short
    level: Level
    time_s: float
    is_last: bool
    problem: Annotated[str, Meta(max_length=4096)] = ""


messages.register(PolicyPage)
