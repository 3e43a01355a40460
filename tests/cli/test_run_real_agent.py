"""Commands on a real agent whose link breaks, floods or comes back: what the console then knows."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from real_agent import SITE_CODE, Agent

from core.records import (
    CommandOutput,
    CommandProgress,
    CommandRequest,
    CommandState,
    CommandStep,
    Machine,
    MachineReport,
    MachineState,
)
from core.services.agent_poller import AgentPoller
from core.services.commands import new_request
from core.services.site_pairing import pair_one
from core.site_records import Record
from core.transport.identity import Identity, ensure_identity

POLICY = """
[commands]
count = { argv = ["seq", "{n}"], parameters = { n = { type = "int", min = 1, max = 9999999 } } }
slow = { argv = ["sh", "-c", "for i in 1 2 3 4 5 6; do echo line $i; sleep 0.2; done"] }
nap = { argv = ["sleep", "30"] }
brief = { argv = ["sh", "-c", "echo begun; sleep 0.2; echo done"] }
broken = { argv = ["printf", "\\\\377\\\\033[31mx"] }
[commands.zeros]
argv = ["dd", "if=/dev/zero", "bs=1M", "count={n}", "status=none"]
parameters = { n = { type = "int", min = 1, max = 4096 } }
"""


class Relay:
    """Passes octets between a console and an agent, until it is cut."""

    def __init__(self, port: int) -> None:
        self.port = 0
        self._agent_port = port
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Relay:
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._server.close()
        self.cut()
        await self._server.wait_closed()
        await asyncio.sleep(0.05)

    def cut(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there = await asyncio.open_connection("127.0.0.1", self._agent_port)
        self._writers |= {writer, there}

        async def pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                while octets := await source.read(65536):
                    sink.write(octets)
                    await sink.drain()
            sink.transport.abort()

        await asyncio.gather(pipe(reader, there), pipe(there_reader, writer))
        self._writers -= {writer, there}


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    agent = Agent(tmp_path_factory.mktemp("agent") / "home", policy=POLICY)
    yield agent
    agent.stop()


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return ensure_identity(tmp_path_factory.mktemp("console"), "Ada")


@pytest.fixture(scope="module")
def machine(agent: Agent, console: Identity) -> Machine:
    return asyncio.run(pair_one(Machine(name="m1", host="127.0.0.1", port=agent.port), SITE_CODE, console))


@contextlib.asynccontextmanager
async def polling(console: Identity, machine: Machine, records: list[Record]) -> AsyncIterator[AgentPoller]:
    poller = AgentPoller(console, records.append, 0.5, 0.5)
    poller.set_machines([machine])
    task = asyncio.create_task(poller.run())
    try:
        await poller.settled(10)
        yield poller
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def request(*words: str) -> CommandRequest:
    return new_request(words, ["m1"], 20, "Ada", time.time())


async def shown(records: list[Record], text: str) -> None:
    async with asyncio.timeout(10):
        while text not in live(records):  # noqa: ASYNC110 -- what is seen from outside has no event
            await asyncio.sleep(0.01)


def live(records: list[Record]) -> str:
    return "".join(record.text for record in records if isinstance(record, CommandOutput))


def test_a_flood_keeps_its_beginning_and_its_end(console: Identity, machine: Machine) -> None:
    async def main() -> None:
        records: list[Record] = []
        async with polling(console, machine, records) as poller:
            result = (await poller.execute(request("count", "400000")))[0]
        assert result.state is CommandState.OK
        assert result.stdout.startswith("1\n2\n3\n")
        assert result.stdout.endswith("399999\n400000\n")
        whole = sum(len(str(number)) + 1 for number in range(1, 400001))
        assert len(result.stdout) + result.truncated_bytes == whole
        assert result.truncated_bytes > 0

    asyncio.run(main())


def test_output_that_is_no_text_is_shown_as_far_as_it_can_be(console: Identity, machine: Machine) -> None:
    async def main() -> None:
        async with polling(console, machine, []) as poller:
            result = (await poller.execute(request("broken")))[0]
        assert result.stdout == "\ufffd[31mx"

    asyncio.run(main())


def test_a_link_that_breaks_twice_meanwhile_loses_nothing(agent: Agent, console: Identity, machine: Machine) -> None:
    async def main() -> None:
        records: list[Record] = []
        async with (
            Relay(agent.port) as relay,
            polling(console, replace(machine, port=relay.port), records) as poller,
        ):
            running = asyncio.create_task(poller.execute(request("slow")))
            await shown(records, "line 2")
            relay.cut()
            await shown(records, "line 4")
            relay.cut()
            result = (await running)[0]
        assert result.state is CommandState.OK
        assert result.stdout == "".join(f"line {number}\n" for number in range(1, 7))
        assert live(records) == result.stdout, "nothing is shown twice, nothing is left out"

    asyncio.run(main())


@pytest.mark.parametrize("cut_at", ["sent", "running", "output", "ended"])
def test_a_link_cut_at_any_step_ends_in_the_result(
    agent: Agent, console: Identity, machine: Machine, cut_at: str
) -> None:
    async def main() -> None:
        async with Relay(agent.port) as relay:
            cuts: list[Record] = []

            def told(record: Record) -> None:
                is_step = isinstance(record, CommandStep) and record.place.value == cut_at
                is_output = isinstance(record, CommandOutput) and cut_at == "output"
                if not cuts and (is_step or is_output or (isinstance(record, CommandProgress) and cut_at == "ended")):
                    cuts.append(record)
                    relay.cut()

            poller = AgentPoller(console, told, 0.5, 0.5)
            poller.set_machines([replace(machine, port=relay.port)])
            task = asyncio.create_task(poller.run())
            await poller.settled(10)
            result = (await poller.execute(request("brief")))[0]
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert len(cuts) == 1
        assert (result.state, result.stdout) == (CommandState.OK, "begun\ndone\n")

    asyncio.run(main())


def test_a_flood_of_gigabytes_costs_the_console_no_memory(agent: Agent, console: Identity, machine: Machine) -> None:
    """256 MiB here; 2 GiB were measured."""
    resource = pytest.importorskip("resource")

    async def main() -> None:
        async with polling(console, machine, []) as poller:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            result = (await poller.execute(request("zeros", "256")))[0]
            grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert result.state is CommandState.OK
        assert result.truncated_bytes > 250 << 20
        assert grown_kib < 24 * 1024

    asyncio.run(main())


def test_an_agent_killed_meanwhile_leaves_an_unknown_result_and_comes_back(tmp_path: Path, console: Identity) -> None:
    agent = Agent(tmp_path / "home", policy=POLICY)

    async def main() -> None:
        records: list[Record] = []
        machine = await pair_one(Machine(name="m1", host="127.0.0.1", port=agent.port), SITE_CODE, console)
        async with polling(console, machine, records) as poller:
            running = asyncio.create_task(poller.execute(request("slow")))
            await shown(records, "line 1")
            await asyncio.to_thread(agent.stop, signal.SIGKILL)
            await asyncio.to_thread(agent.start)
            result = (await running)[0]
            assert result.state is CommandState.UNKNOWN
            assert result.stdout.startswith("line 1\n")
            assert poller.reports()[0].state is MachineState.ONLINE
        offline = [record for record in records if isinstance(record, MachineReport)]
        assert MachineState.OFFLINE in [report.state for report in offline[2:]]
        assert len([record for record in records if isinstance(record, CommandProgress)]) == 1

    try:
        asyncio.run(main())
    finally:
        agent.stop()


def test_a_command_is_cancelled_there_too(agent: Agent, console: Identity, machine: Machine) -> None:
    async def main() -> None:
        async with polling(console, machine, []) as poller:
            wanted = request("nap")
            running = asyncio.create_task(poller.execute(wanted))
            await asyncio.sleep(0.2)
            poller.cancel(wanted.id)
            result = (await running)[0]
            names = [process.command_line for process in (await poller.processes("m1")).processes]
        assert result.state is CommandState.CANCELLED
        assert "sleep 30" not in names

    asyncio.run(main())
