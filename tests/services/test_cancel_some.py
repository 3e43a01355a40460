"""A command is ended on some of its machines and goes on, within its window, on the others."""

from __future__ import annotations

import asyncio
import time

from simulated_site import Site

from bench.simulated_agents import SimulatedAgents
from core.records import CommandPlace, CommandProgress, CommandState, CommandStep
from core.services.commands import new_request


def test_what_runs_there_ends_what_waited_is_never_sent_and_its_place_is_taken(site: Site) -> None:
    names = tuple(f"m{number}" for number in range(6))
    wanted = new_request(("hang",), names, 5.0, "Ada", time.time(), 2)

    def sent() -> list[str]:
        steps = [one for one in site.records if isinstance(one, CommandStep)]
        return [one.machine for one in steps if one.place is CommandPlace.SENT]

    async def main() -> None:
        async with SimulatedAgents(site.agents[0], site.console.certificate_pem) as agents:
            machines = [site.machine(name, agents.port) for name in names]
            async with site.polling(*machines) as poller:
                await poller.settled(5)
                run = asyncio.ensure_future(poller.execute(wanted))
                await site.until(lambda: len(sent()) == 2)
                poller.cancel(wanted.id, ("m0", "m4", "nobody"))
                await site.until(lambda: len(sent()) == 3)
                ended = [one.result.machine for one in site.records if isinstance(one, CommandProgress)]
                assert sorted(ended) == ["m0", "m4"]
                assert not run.done()
                poller.cancel(wanted.id)
                results = await asyncio.wait_for(run, 5)
        assert {result.state for result in results} == {CommandState.CANCELLED}
        assert sent() == ["m0", "m1", "m2"]

    asyncio.run(main())


def test_a_machine_that_is_being_linked_is_waited_for_and_one_that_is_away_is_not_sent_to(site: Site) -> None:
    wanted = new_request(("echo", "hi"), ("m0", "m1", "away"), 5.0, "Ada", time.time())

    async def main() -> None:
        async with SimulatedAgents(site.agents[0], site.console.certificate_pem) as agents:
            away = site.machine("away", 1)
            async with site.polling(site.machine("m0", agents.port), site.machine("m1", agents.port), away) as poller:
                asked = asyncio.ensure_future(poller.execute(wanted))
                for _turn in range(2):
                    await asyncio.sleep(0)
                poller.cancel(wanted.id, ("m1",))
                results = {result.machine: result.state for result in await asyncio.wait_for(asked, 5)}
        assert results == {
            "m0": CommandState.OK, "m1": CommandState.CANCELLED, "away": CommandState.OFFLINE,
        }  # fmt: skip
        assert len(agents.starts) == 1

    asyncio.run(main())
