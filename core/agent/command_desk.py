"""The desk of commands: what consoles start, follow, fetch and end on this machine.

`exec.start` is open to every level, because the executor itself refuses what the level does not cover: so a refusal is
written down with its words.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Raw

from core.agent.collector import Collector
from core.agent.desk import Desk
from core.agent.environment import platform_name
from core.agent.executor import Executor
from core.agent.link_host import Request
from core.agent.policy import Policy, load_policy
from core.audit import AuditLog
from core.protocol import messages
from core.records import Level, Status

if TYPE_CHECKING:
    from core.agent.link import AgentLink

log = logging.getLogger("beffroi.agent")


class CommandDesk(Desk):
    """Answers `exec.*` by an executor; owned by the agent's loop."""

    capabilities = ("exec",)

    def __init__(
        self, audit: AuditLog, collector: Collector, fresh_status: Callable[[], Status], policy: Policy | Path
    ) -> None:
        held = load_policy(policy, platform_name()) if isinstance(policy, Path) else policy
        self.executor = Executor(held, platform_name(), collector, fresh_status, audit)

    def requests(self) -> dict[str, Request]:
        """See Desk."""
        return {"exec.start": Request(Level.VIEW, self._on_start)}

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
        """Forget old results."""
        self.executor.expire(now_s)

    async def stop(self) -> None:
        """Kill all that runs."""
        await self.executor.stop()

    def _on_start(self, link: AgentLink, number: int, params: Raw) -> None:
        asked = messages.decode_as(messages.ExecStart, params)
        assert link.console is not None
        started = self.executor.start(link.console, asked, link.now_s())
        if isinstance(started, messages.ExecDenied):
            code = messages.BUSY if started.reason == "busy" else messages.DENIED
            link.refuse(number, code, started.rule, started)
            return
        link.answer(number, messages.ExecAccepted(exec_id=asked.exec_id, is_queued=not started.is_open))
        started.attach(link)

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
