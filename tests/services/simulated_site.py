"""A console with machines, and what its poller published."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from core.audit import AuditLog
from core.records import Machine, MachineReport, MachineState
from core.services.agent_poller import AgentPoller
from core.services.command_journal import CommandJournal
from core.site_records import Record
from core.transport.identity import Identity


class Site:
    """A console, agents' identities of one name, and what was published."""

    def __init__(self, console: Identity, agents: list[Identity]) -> None:
        self.console = console
        self.agents = agents
        self.records: list[Record] = []

    def machine(self, name: str, port: int, agent: int = 0, host: str = "127.0.0.1") -> Machine:
        """A machine paired with agent number `agent`."""
        identity = self.agents[agent]
        return Machine(
            name=name, host=host, port=port, fingerprint=identity.fingerprint, certificate_pem=identity.certificate_pem
        )

    @contextlib.asynccontextmanager
    async def polling(
        self,
        *machines: Machine,
        interval_s: float = 0.2,
        audit: AuditLog | None = None,
        journal: CommandJournal | None = None,
    ) -> AsyncIterator[AgentPoller]:
        """A poller that runs."""
        poller = AgentPoller(self.console, self.records.append, interval_s, interval_s, audit, journal=journal)
        poller.set_machines(machines)
        task = asyncio.create_task(poller.run())
        try:
            yield poller
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            assert not [other for other in asyncio.all_tasks() if other.get_name() in {m.name for m in machines}]

    def reports(self, name: str) -> list[MachineReport]:
        """What was said of a machine, oldest first."""
        return [record for record in self.records if isinstance(record, MachineReport) and record.machine == name]

    def states(self, name: str) -> list[MachineState]:
        """States in the order they began."""
        states: list[MachineState] = []
        for report in self.reports(name):
            if not states or states[-1] is not report.state:
                states.append(report.state)
        return states

    async def until(self, holds: Callable[[], object], timeout_s: float = 10.0) -> None:
        """Return once `holds`."""
        async with asyncio.timeout(timeout_s):
            while not holds():  # noqa: ASYNC110 -- a promise about what is seen from outside, which has no event
                await asyncio.sleep(0.01)
