"""An agent that lies about commands: output without credit or end, ends without beginning, ids of others."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import pytest
from hostile_agent import HostileAgent, HostileLink, Script

from core.protocol.frames import encode_output
from core.protocol.messages import Envelope, ExecAccepted, ExecExit, ExecOpened
from core.records import CommandRequest, CommandResult, CommandState, MachineState
from core.services.commands import MOST_OCTETS, new_request

ROOT = Path(__file__).resolve().parents[2]


def exec_id_of(envelope: Envelope) -> str:
    return str(json.loads(bytes(envelope.params))["exec_id"])


def accepted(link: HostileLink, envelope: Envelope) -> str:
    exec_id = exec_id_of(envelope)
    link.result(envelope, ExecAccepted(exec_id=exec_id))
    return exec_id


def opened(link: HostileLink, exec_id: str, stream: int = 1) -> None:
    link.notify("exec.opened", ExecOpened(exec_id=exec_id, stream=stream))


def ended(link: HostileLink, exec_id: str, state: str = "ok") -> None:
    said = ExecExit(exec_id=exec_id, state=state, exit_status=0, dropped_bytes=0, duration_s=1.0)  # type: ignore[arg-type]  # one of the four
    link.notify("exec.exit", said)


def on_start(act: object) -> Script:
    """`act(link, exec_id)` once the command was accepted."""

    def script(link: HostileLink, envelope: Envelope) -> bool:
        if envelope.method == "exec.start":
            act(link, accepted(link, envelope))  # type: ignore[operator]  # a function of the test
            return True
        return envelope.method == "exec.fetch"

    return script


async def run(attacked, *scripts: Script, timeout_s: float = 3.0, wait_s: float = 12.0) -> list[CommandResult]:
    """The results of one command on the good machine and all evil ones; the good one must be well."""
    async with attacked.by(*scripts) as site:
        names = ["good", *(f"evil{number}" for number in range(len(scripts)))]
        await site.until(lambda: all(MachineState.ONLINE in site.states(name) for name in names))
        request = new_request(["echo", "hello"], names, timeout_s, "Ada", time.time())
        task = asyncio.ensure_future(site.poller.execute(request))
        await site.until(lambda: len(site.evil[0].heard) > 2)
        await asyncio.wait([task], timeout=wait_s)
        if not task.done():
            site.poller.cancel(request.id)
        results = await asyncio.wait_for(task, 25)
        assert (results[0].state, results[0].stdout) == (CommandState.OK, "hello\n")
        return results[1:]


def test_output_beyond_its_credit_ends_the_link(attacked):
    def act(link: HostileLink, exec_id: str) -> None:
        opened(link, exec_id)
        link.flood(encode_output(1, 1, b"x" * 16000))

    async def main() -> None:
        async with attacked.by(on_start(act)) as site:
            await site.until(lambda: MachineState.ONLINE in site.states("evil0"))
            task = asyncio.ensure_future(site.poller.execute(request_of(site)))
            await site.until_left(["more output than it was given credit for"])
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


def request_of(site) -> CommandRequest:
    return new_request(["echo", "x"], ["evil0"], 5, "Ada", time.time())


def test_endless_output_within_its_credit_is_cut_and_what_is_kept_is_bounded(attacked):
    def script(link: HostileLink, envelope: Envelope) -> bool:
        if envelope.method == "exec.start":
            opened(link, accepted(link, envelope))
        elif envelope.method != "exec.credit":
            return False
        for _piece in range(2):
            link.raw(encode_output(1, 1, b"x" * 16384))
        return True

    async def main() -> None:
        async with attacked.by(script) as site:
            await site.until(lambda: MachineState.ONLINE in site.states("evil0"))
            request = request_of(site)
            task = asyncio.ensure_future(site.poller.execute(request))
            await site.until_left(["more output than it was given credit for"])
            site.poller.cancel(request.id)
            (result,) = await asyncio.wait_for(task, 25)
            assert result.state is CommandState.UNKNOWN
            assert len(result.stdout) <= MOST_OCTETS

    asyncio.run(main())


def twice(link: HostileLink, exec_id: str) -> None:
    opened(link, exec_id)
    opened(link, exec_id, 2)


def early(link: HostileLink, exec_id: str) -> None:
    ended(link, exec_id)
    opened(link, exec_id)


def two_ends(link: HostileLink, exec_id: str) -> None:
    opened(link, exec_id)
    link.raw(encode_output(1, 1, b"once\n"))
    ended(link, exec_id)
    ended(link, exec_id, "failed")


def of_another(link: HostileLink, exec_id: str) -> None:
    opened(link, "0" * 24)


def end_of_another(link: HostileLink, exec_id: str) -> None:
    ended(link, "0" * 24)


def nothing(link: HostileLink, exec_id: str) -> None:
    opened(link, exec_id)
    link.raw(encode_output(77, 1, b"unknown stream"))
    link.raw(encode_output(1, 2, b"half"))


def test_lies_about_commands_end_in_a_state_for_each_and_never_in_anothers(attacked):
    scripts = [on_start(act) for act in (twice, early, two_ends, of_another, end_of_another)]

    async def main() -> None:
        async with attacked.by(*scripts) as site:
            names = ["good", *(f"evil{number}" for number in range(len(scripts)))]
            await site.until(lambda: all(MachineState.ONLINE in site.states(name) for name in names))
            request = new_request(["echo", "hello"], names, 2.0, "Ada", time.time())
            task = asyncio.ensure_future(site.poller.execute(request))
            words = "not asked to run"
            await site.until_left([words, words, words, words, words])
            site.poller.cancel(request.id)
            results = await asyncio.wait_for(task, 25)
            states = [result.state for result in results]
            assert states[0] is CommandState.OK
            assert states[2:4] == [CommandState.OK, CommandState.OK]  # `early`, `two_ends`: the first end counts
            assert results[3].stdout == "once\n"
            assert {states[1], states[4], states[5]} == {CommandState.UNKNOWN}

    asyncio.run(main())


def test_one_that_never_ends_is_given_up_when_its_time_and_a_grace_are_over(attacked, monkeypatch):
    monkeypatch.setattr("core.services.machine_commands._GRACE_S", 0.5)
    (result,) = asyncio.run(run(attacked, on_start(nothing), timeout_s=1.0))
    assert result.state is CommandState.UNKNOWN
    assert result.stderr == "half"
    assert "not known" in (result.message or "")


def test_one_that_never_answers_is_unknown_and_the_others_are_told_at_once(attacked, monkeypatch):
    monkeypatch.setattr("core.services.machine_commands.ANSWER_TIMEOUT_S", 1.0)

    def mute(_link: HostileLink, envelope: Envelope) -> bool:
        return (envelope.method or "").startswith("exec.")

    (result,) = asyncio.run(run(attacked, mute))
    assert result.state is CommandState.UNKNOWN


CONSOLE = """
import asyncio, json, resource, sys, time
sys.path.insert(0, "tests/services")
from pathlib import Path
from core.records import Machine
from core.services.agent_poller import AgentPoller
from core.transport.identity import ensure_identity

def rss():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) // 1024

async def main():
    home, port, fingerprint, pem = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], Path(sys.argv[4]).read_text()
    evil = Machine(name="evil", host="127.0.0.1", port=port, fingerprint=fingerprint, certificate_pem=pem)
    poller = AgentPoller(ensure_identity(home, "lab"), lambda record: None, 0.5, 0.5)
    poller.set_machines([evil])
    task = asyncio.create_task(poller.run())
    await poller.settled(10, with_status=True)
    before, began = rss(), time.monotonic()
    try:
        table = await poller.processes("evil")
        said = str(len(table.processes))
    except Exception as error:
        said = type(error).__name__ + ": " + str(error)
    print(json.dumps({"before_mib": before, "after_mib": rss(), "seconds": time.monotonic() - began, "said": said}))
    task.cancel()

asyncio.run(main())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read from /proc")
@pytest.mark.parametrize("kind", ["small", "huge"])
def test_a_million_processes_cost_bounded_memory_and_time(identities, kind):
    console, agents = identities
    command_line = "x" * (40 if kind == "small" else 200_000)
    one = {"pid": 1, "parent_pid": 0, "name": "a", "user": "b", "cpu_percent": 0, "memory_bytes": 1, "status": "s"}
    row = json.dumps({**one, "started_s": 1, "command_line": command_line})
    rows = ",".join([row] * (1000 if kind == "small" else 1))

    def script(link: HostileLink, envelope: Envelope) -> bool:
        if envelope.method == "processes":
            page = '{"jsonrpc":"2.0","id":%d,"result":{"time_s":1,"is_last":false,"processes":[%s]}}'
            payload = (page % (envelope.id, rows)).encode()
            link.flood((len(payload) + 1).to_bytes(4, "big") + b"\0" + payload, at_once=1)
            return True
        return False

    async def main() -> dict[str, object]:
        async with HostileAgent(agents[1], console.certificate_pem, script) as evil:
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-c", CONSOLE, str(console.key_path.parent), str(evil.port), agents[1].fingerprint,
                str(agents[1].certificate_path), cwd=ROOT, stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            out, _err = await asyncio.wait_for(child.communicate(), 40)
            return json.loads(out)

    told = asyncio.run(main())
    print(told)
    assert "RemoteProtocolError" in str(told["said"]) or "TransportError" in str(told["said"]), told
    assert told["after_mib"] - told["before_mib"] < 130, told
    assert told["seconds"] < 15, told
