"""The desk of commands: what consoles start, follow, fetch and end on this machine.

`exec.start` is open to every level, because the executor itself refuses what the level does not cover: so a refusal is
written down with its words.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Raw
from msgspec.json import Encoder

from core.access_records import AllowedCommand, AllowedParameter
from core.agent.collector import Collector
from core.agent.desk import Desk
from core.agent.environment import platform_name
from core.agent.execution import Execution
from core.agent.executor import Executor
from core.agent.leftovers import LEFTOVERS
from core.agent.link_host import Request
from core.agent.policy import DEFAULT_COMMANDS, PLACEHOLDER, Command, Policy
from core.agent.policy_file import PolicyFile
from core.audit import AuditLog
from core.protocol import messages
from core.records import Level, Status

if TYPE_CHECKING:
    from core.agent.link import AgentLink

_PAGE_OCTETS = 24 * 1024

_encoder = Encoder()


class CommandDesk(Desk):
    """Answers `exec.*` by an executor, and `policy`; owned by the agent's loop."""

    capabilities = ("exec", "policy")

    def __init__(
        self, audit: AuditLog, collector: Collector, fresh_status: Callable[[], Status], policy: Policy | Path
    ) -> None:
        """Raises ConfigError where `policy` is a file that cannot be used."""
        self._file = PolicyFile(policy, platform_name()) if isinstance(policy, Path) else None
        held = policy if self._file is None else self._file.policy
        assert isinstance(held, Policy)
        self.executor = Executor(held, platform_name(), collector, fresh_status, audit)

    def requests(self) -> dict[str, Request]:
        """See Desk."""
        return {
            "exec.start": Request(Level.VIEW, self._on_start),
            "exec.fetch": Request(Level.RUN, self._on_fetch),
            "policy": Request(Level.RUN, self._on_policy),
        }

    def notifications(self) -> dict[str, Callable[[AgentLink, Raw], None]]:
        """See Desk."""
        return {
            "exec.credit": self._on_credit,
            "exec.cancel": self._on_cancel,
            "exec.acknowledge": self._on_acknowledge,
        }

    def detach(self, link: AgentLink) -> None:
        """Commands outlive their link."""
        self.executor.detach(link)

    def distrust(self, fingerprint: str) -> None:
        """Commands do not outlive trust."""
        self.executor.cancel_of(fingerprint)

    def look_around(self, now_s: float) -> None:
        """Notice a changed policy, forget old results, end what was left behind."""
        self._refresh_policy()
        self.executor.expire(now_s)
        LEFTOVERS.sweep()

    async def stop(self) -> None:
        """Kill all that runs."""
        await self.executor.stop()

    def _on_start(self, link: AgentLink, number: int, params: Raw) -> None:
        asked = messages.decode_as(messages.ExecStart, params)
        assert link.console is not None
        self._refresh_policy()
        _answer(link, number, asked.exec_id, self.executor.start(link.console, asked, link.now_s()))

    def _on_fetch(self, link: AgentLink, number: int, params: Raw) -> None:
        exec_id = messages.decode_as(messages.ExecReference, params).exec_id
        assert link.console is not None
        _answer(link, number, exec_id, self.executor.fetch(link.console.fingerprint, exec_id))

    def _on_policy(self, link: AgentLink, number: int, _params: Raw) -> None:
        assert link.console is not None
        self._refresh_policy()
        policy, level = self.executor.policy, link.console.level
        told = {"os": platform_name(), "level": level.value, "time_s": time.time(), "problem": policy.problem}
        page: list[Raw] = []
        octets = 0
        for command in policy.allowed(level):
            encoded = _encoder.encode(_allowed(command))
            if page and octets + len(encoded) > _PAGE_OCTETS:
                link.answer(number, {**told, "commands": page, "is_last": False})
                page, octets = [], 0
            page.append(Raw(encoded))
            octets += len(encoded) + 1
        link.answer(number, {**told, "commands": page, "is_last": True})

    def _refresh_policy(self) -> None:
        if self._file is not None and self._file.refresh():
            self.executor.policy = self._file.policy

    def _on_credit(self, link: AgentLink, params: Raw) -> None:
        credit = messages.decode_as(messages.ExecCredit, params)
        assert link.console is not None
        execution = self.executor.find(link.console.fingerprint, credit.exec_id)
        if execution is not None:
            execution.add_credit(credit.octets)

    def _on_cancel(self, link: AgentLink, params: Raw) -> None:
        assert link.console is not None
        exec_id = messages.decode_as(messages.ExecReference, params).exec_id
        self.executor.cancel(link.console.fingerprint, exec_id)

    def _on_acknowledge(self, link: AgentLink, params: Raw) -> None:
        assert link.console is not None
        exec_id = messages.decode_as(messages.ExecReference, params).exec_id
        self.executor.acknowledge(link.console.fingerprint, exec_id)


def _answer(link: AgentLink, number: int, exec_id: str, found: Execution | messages.ExecDenied) -> None:
    if isinstance(found, messages.ExecDenied):
        link.refuse(number, messages.BUSY if found.reason == "busy" else messages.DENIED, found.rule, found)
        return
    link.answer(number, messages.ExecAccepted(exec_id=exec_id, is_queued=not found.is_open))
    found.attach(link)


def _allowed(command: Command) -> AllowedCommand:
    """A command of the policy as a console is told of it."""
    parameters = []
    for word in command.argv:
        holder = PLACEHOLDER.search(word)
        if holder is None:
            continue
        kind = command.parameters[holder.group(1)]
        is_int = kind.type == "int"
        parameters.append(
            AllowedParameter(
                name=holder.group(1),
                type=kind.type,
                values=kind.values,
                minimum=kind.minimum if is_int else None,
                maximum=kind.maximum if is_int else None,
                roots=kind.roots,
                letters=kind.letters,
                is_optional=holder.group(2) != "",
                is_repeated=holder.group(2) == "*",
            )
        )
    return AllowedCommand(
        id=command.id,
        argv=command.argv,
        parameters=tuple(parameters),
        level=command.level,
        timeout_s=command.timeout_s,
        description=command.description,
        is_default=command in DEFAULT_COMMANDS,
        is_pinned=bool(command.sha256),
    )
