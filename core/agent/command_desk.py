"""The desk of commands: what consoles start, follow, fetch and end on this machine.

`exec.start` is open to every level, because the executor itself refuses what the level does not cover: so a refusal is
written down with its words. The executor, and all that can start a program, is imported when a console first asks for
something: an agent whose consoles only look on stays a megabyte smaller.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Raw
from msgspec.json import Encoder

from core.agent.collector import Collector
from core.agent.desk import Business, Desk
from core.agent.environment import platform_name
from core.agent.link_host import Request
from core.audit import AuditLog
from core.protocol import messages
from core.records import Level, Status

if TYPE_CHECKING:
    from core.agent.execution import Execution
    from core.agent.executor import Executor
    from core.agent.link import AgentLink
    from core.agent.policy import Policy
    from core.agent.policy_file import PolicyFile

_PAGE_OCTETS = 24 * 1024

_encoder = Encoder()


class CommandDesk(Desk):
    """Answers `exec.*` by an executor, and `policy`; owned by the agent's loop."""

    capabilities = ("exec", "policy")

    def __init__(
        self, audit: AuditLog, collector: Collector, fresh_status: Callable[[], Status], policy: Policy | Path
    ) -> None:
        """Raises ConfigError where `policy` is a file that cannot be used: no agent starts with half a policy."""
        self._audit = audit
        self._collector = collector
        self._fresh_status = fresh_status
        self._policy = policy
        self._file: PolicyFile | None = None
        self._executor: Executor | None = None
        if isinstance(policy, Path) and (policy.exists() or policy.is_symlink()):
            self._policy_file(policy).read()

    @property
    def executor(self) -> Executor:
        """The executor, with the policy of this moment."""
        if self._executor is None:
            from core.agent.executor import Executor
            from core.agent.policy import Policy

            policy = self._policy if isinstance(self._policy, Policy) else Policy((), problem="it was not read")
            self._executor = Executor(policy, platform_name(), self._collector, self._fresh_status, self._audit)
            if isinstance(self._policy, Path):
                held = self._policy_file(self._policy)
                held.refresh()
                self._executor.policy = held.policy
        elif self._file is not None and self._file.refresh():
            self._executor.policy = self._file.policy
        return self._executor

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
        if self._executor is not None:
            self._executor.detach(link)

    def busy_for(self) -> dict[str, Business]:
        """See Desk."""
        return {} if self._executor is None else self._executor.owners()

    def distrust(self, fingerprint: str) -> None:
        """Commands do not outlive trust."""
        if self._executor is not None:
            self._executor.cancel_of(fingerprint)

    def look_around(self, now_s: float) -> None:
        """Notice a changed policy, forget old results, end what was left behind."""
        if self._executor is not None:
            from core.agent.leftovers import LEFTOVERS

            self.executor.expire(now_s)
            LEFTOVERS.sweep()

    async def stop(self) -> None:
        """Kill all that runs."""
        if self._executor is not None:
            await self._executor.stop()

    def _policy_file(self, path: Path) -> PolicyFile:
        if self._file is None:
            from core.agent.policy_file import PolicyFile

            self._file = PolicyFile(path, platform_name())
        return self._file

    def _on_start(self, link: AgentLink, number: int, params: Raw) -> None:
        asked = messages.decode_as(messages.ExecStart, params)
        assert link.console is not None
        _answer(link, number, asked.exec_id, self.executor.start(link.console, asked, link.now_s(), link.address))

    def _on_fetch(self, link: AgentLink, number: int, params: Raw) -> None:
        exec_id = messages.decode_as(messages.ExecReference, params).exec_id
        assert link.console is not None
        _answer(link, number, exec_id, self.executor.fetch(link.console.fingerprint, exec_id))

    def _on_policy(self, link: AgentLink, number: int, _params: Raw) -> None:
        assert link.console is not None
        policy, level = self.executor.policy, link.console.level
        told = {"os": platform_name(), "level": level.value, "time_s": time.time(), "problem": policy.problem}
        page: list[Raw] = []
        octets = 0
        for command in policy.allowed(level):
            encoded = _encoder.encode(command.told())
            if page and octets + len(encoded) > _PAGE_OCTETS:
                link.answer(number, {**told, "commands": page, "is_last": False})
                page, octets = [], 0
            page.append(Raw(encoded))
            octets += len(encoded) + 1
        link.answer(number, {**told, "commands": page, "is_last": True})

    def _on_credit(self, link: AgentLink, params: Raw) -> None:
        credit = messages.decode_as(messages.ExecCredit, params)
        execution = self._found(link, credit.exec_id)
        if execution is not None:
            execution.add_credit(credit.octets)

    def _on_cancel(self, link: AgentLink, params: Raw) -> None:
        exec_id = messages.decode_as(messages.ExecReference, params).exec_id
        if self._found(link, exec_id) is not None:
            assert link.console is not None
            self.executor.cancel(link.console.fingerprint, exec_id)

    def _on_acknowledge(self, link: AgentLink, params: Raw) -> None:
        exec_id = messages.decode_as(messages.ExecReference, params).exec_id
        if self._found(link, exec_id) is not None:
            assert link.console is not None
            self.executor.acknowledge(link.console.fingerprint, exec_id)

    def _found(self, link: AgentLink, exec_id: str) -> Execution | None:
        assert link.console is not None
        return None if self._executor is None else self._executor.find(link.console.fingerprint, exec_id)


def _answer(link: AgentLink, number: int, exec_id: str, found: Execution | messages.ExecDenied) -> None:
    if isinstance(found, messages.ExecDenied):
        link.refuse(number, messages.BUSY if found.reason == "busy" else messages.DENIED, found.rule, found)
        return
    link.answer(number, messages.ExecAccepted(exec_id=exec_id, is_queued=not found.is_open))
    found.attach(link)
