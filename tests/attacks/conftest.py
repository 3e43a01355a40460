"""Identities made once; a console with one good machine and some that mean harm."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence

import pytest
from hostile_agent import HostileAgent, Script
from simulated_site import Site

from bench.simulated_agents import SimulatedAgents
from core.records import MachineState
from core.services.agent_poller import AgentPoller
from core.transport.identity import Identity, ensure_identity


@pytest.fixture(scope="session")
def identities(tmp_path_factory: pytest.TempPathFactory) -> tuple[Identity, list[Identity]]:
    """A console, a good agent, an evil one."""
    folder = tmp_path_factory.mktemp("identities")
    agents = [ensure_identity(folder / f"agent{number}", "lab") for number in range(2)]
    return ensure_identity(folder / "console", "lab"), agents


class UnderAttack(Site):
    """A console with the machine `good`, and `evil0`, `evil1`, … whose scripts are given."""

    poller: AgentPoller
    evil: list[HostileAgent]

    @contextlib.asynccontextmanager
    async def by(self, *scripts: Script, interval_s: float = 0.2) -> AsyncIterator[UnderAttack]:
        """Attacked inside; at the end `good` was polled all the time."""
        console_pem = self.console.certificate_pem
        async with contextlib.AsyncExitStack() as stack:
            good = await stack.enter_async_context(SimulatedAgents(self.agents[0], console_pem))
            self.evil = [
                await stack.enter_async_context(HostileAgent(self.agents[1], console_pem, script)) for script in scripts
            ]
            machines = [self.machine("good", good.port)]
            machines += [self.machine(f"evil{at}", agent.port, agent=1) for at, agent in enumerate(self.evil)]
            began_s = time.time()
            self.poller = await stack.enter_async_context(self.polling(*machines, interval_s=interval_s))
            yield self
            await asyncio.sleep(interval_s)
            self.assert_good(began_s)

    def assert_good(self, since_s: float, longest_s: float = 2.5) -> None:
        """The good machine was online and polled: no gap was longer than this."""
        states = self.states("good")
        assert MachineState.ONLINE in states, states
        assert MachineState.OFFLINE not in states[states.index(MachineState.ONLINE) :], states
        heard = [report.time_s for report in self.reports("good") if report.is_new and report.time_s]
        gaps = [later - earlier for earlier, later in zip([since_s, *heard], [*heard, time.time()], strict=True)]
        assert max(gaps) < longest_s, max(gaps)

    def said_of(self, number: int) -> list[str]:
        """Why this machine was left, in words."""
        return [report.error for report in self.reports(f"evil{number}") if report.error]

    async def until_left(self, words: Sequence[str], timeout_s: float = 15.0) -> None:
        """Return once each evil machine was left for the reason that has these words."""

        def missing() -> dict[int, str]:
            return {at: word for at, word in enumerate(words) if not any(word in said for said in self.said_of(at))}

        with contextlib.suppress(TimeoutError):
            await self.until(lambda: not missing(), timeout_s)
        assert not missing(), {at: (word, self.said_of(at)) for at, word in missing().items()}


@pytest.fixture
def attacked(identities: tuple[Identity, list[Identity]]) -> UnderAttack:
    """A console that nobody attacks yet."""
    return UnderAttack(*identities)
