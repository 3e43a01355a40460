"""What this console may run on a machine, asked of its agent: cleaned, bounded, and what it cannot be left out.

An agent may lie. A page has a largest size, so has the list; a command or parameter whose texts are too long, hold what
is no letter, or say what no policy can say, is not told further: nobody is offered half of a command.
"""

from __future__ import annotations

import math
import re

from msgspec import Raw

from core.access_records import AllowedCommand, AllowedCommands, AllowedParameter
from core.errors import RefusedError, RemoteProtocolError
from core.language import _
from core.protocol import messages
from core.protocol.messages import plain_text
from core.protocol.policy_messages import PolicyPage
from core.records import Level
from core.services.agent_link import AgentLink

MOST_COMMANDS = 2000
_MOST_PAGES = 500
_MOST_WORDS = 64
_MOST_CHOICES = 500
_LONGEST = 256
_TYPES = frozenset({"enum", "int", "word", "path", "host", "pid", "flags"})
_PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]*)([?*]?)\}")


async def allowed_commands(link: AgentLink, machine: str) -> AllowedCommands:
    """The commands that `machine` allows this console, in the order of its policy.

    Raises BeffroiError where the agent does not tell; RefusedError where this console has level view, where the agent
    is view-only, or cannot use its policy.
    """
    found: list[AllowedCommand] = []
    pages: list[PolicyPage] = []
    count = 0

    def take(result: Raw) -> bool:
        nonlocal count
        page = messages.decode_as(PolicyPage, result)
        count += 1
        if count > _MOST_PAGES:
            raise RemoteProtocolError(f"a policy of more than {_MOST_PAGES} pages")
        pages[:] = [page]
        found.extend(command for command in map(_plain_command, page.commands) if command is not None)
        if len(found) > MOST_COMMANDS:
            raise RemoteProtocolError(f"a policy of more than {MOST_COMMANDS} commands")
        return page.is_last

    known = link.hello.capabilities
    if "status" in known and "exec" not in known:
        raise RefusedError(_("the agent there is view-only: it shows its machine and runs nothing"))
    await link.ask("policy", {}, take)
    last = pages[0]
    if last.problem:
        raise RefusedError(
            _("{machine} cannot use its policy and answers built-ins alone: {problem}").format(
                machine=machine, problem=plain_text(last.problem, 1000)
            )
        )
    return AllowedCommands(
        machine=machine,
        time_s=last.time_s if math.isfinite(last.time_s) else 0.0,
        level=last.level,
        os=plain_text(last.os, 32),
        commands=tuple(found),
    )


def _plain_command(command: AllowedCommand) -> AllowedCommand | None:
    """`command` fit to be shown and called, None where it is none."""
    parameters = tuple(map(_plain_parameter, command.parameters[:_MOST_WORDS]))
    whole = tuple(parameter for parameter in parameters if parameter is not None)
    placeholders = [found.group(1) for word in command.argv if (found := _PLACEHOLDER.search(word)) is not None]
    if (
        not _is_plain(command.id)
        or not 1 <= len(command.argv) <= _MOST_WORDS
        or not all(map(_is_plain, command.argv))
        or len(whole) != len(command.parameters)
        or [parameter.name for parameter in whole] != placeholders
        or command.level is Level.VIEW
    ):
        return None
    timeout_s = command.timeout_s
    return AllowedCommand(
        id=command.id,
        argv=command.argv,
        parameters=whole,
        level=command.level,
        timeout_s=timeout_s if math.isfinite(timeout_s) and 0 < timeout_s <= 600 else 600.0,
        description=plain_text(command.description, 1000).strip(),
        is_default=command.is_default,
        is_pinned=command.is_pinned,
    )


def _plain_parameter(parameter: AllowedParameter) -> AllowedParameter | None:
    texts = (parameter.name, *parameter.values, *parameter.roots)
    is_whole = (
        parameter.type in _TYPES
        and len(parameter.values) <= _MOST_CHOICES
        and len(parameter.roots) <= _MOST_WORDS
        and all(map(_is_plain, texts))
        and len(parameter.letters) <= 128
        and parameter.letters.isprintable()
        and all(limit is None or abs(limit) < 2**63 for limit in (parameter.minimum, parameter.maximum))
    )
    return parameter if is_whole else None


def _is_plain(text: str) -> bool:
    return 0 < len(text) <= _LONGEST and text.isprintable()
