"""The link is lost at every step of a command, in every way: it has run exactly once, and its result is fetched."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from agent_site import Agent
from relay import Relay

from core.agent.link import AgentLink
from core.agent.policy import Command
from core.audit import AuditLog, read
from core.records import CommandProgress, CommandState, Machine, MachineState
from core.services.commands import new_request
from core.transport.identity import ensure_identity

ENDS: dict[str, Callable[[Relay], None]] = {"FIN": Relay.cut, "RST": Relay.reset, "silence": Relay.black_hole}
STEPS = ("unread", "accepted", "opened", "output", "exit", "told", "acknowledged")
SCRIPT = "echo ran >> {file}; printf 'one\\ntwo\\n'; sleep 0.3; echo three >&2; printf 'four\\n'"


def step_of(frame: bytes) -> str:
    """At which step a frame of the agent is."""
    if frame[4] == 1:
        return "output"
    for words, step in (
        (b'"is_queued"', "accepted"), (b'"method":"exec.opened"', "opened"), (b'"method":"exec.exit"', "exit"),
    ):  # fmt: skip
        if words in frame:
            return step
    return ""


class Scene:
    """One agent behind a relay whose link is lost at `step`, once."""

    def __init__(self, folder: Path, agent: Agent, step: str, end: Callable[[Relay], None]) -> None:
        self.agent, self.step, self._end = agent, step, end
        self.file = folder / "ran"
        self.relay: Relay
        self.is_armed = False
        self.lost_at = ""

    def lose(self) -> None:
        """Now."""
        self.is_armed = False
        self.lost_at = self.step
        self._end(self.relay)

    def on_frame(self, frame: bytes) -> bool:
        """True for a frame of the agent that is lost with its link."""
        if not self.is_armed:
            return False
        step = step_of(frame)
        if step == self.step:
            self.lose()
            return True
        if step == "exit" and self.step in ("told", "acknowledged"):
            # just after it was told (its acknowledgement cannot come any more), or a moment after that
            asyncio.get_running_loop().call_later(0.0 if self.step == "told" else 0.05, self.lose)
        return False


@pytest.fixture(scope="module")
def identities(tmp_path_factory):
    folder = tmp_path_factory.mktemp("losses")
    return {name: ensure_identity(folder / name, name) for name in ("console", "agent")}


@pytest.mark.parametrize("how", ENDS)
def test_a_command_has_run_once_and_its_result_is_fetched_wherever_the_link_is_lost(
    identities, tmp_path, monkeypatch, how
):
    scenes: dict[int, Scene] = {}
    send = AgentLink.send

    def send_or_lose(link: AgentLink, frame: bytes) -> None:
        scene = scenes.get(id(link._server))
        if scene is None or not scene.on_frame(frame):
            send(link, frame)

    monkeypatch.setattr(AgentLink, "send", send_or_lose)
    from simulated_site import Site

    site = Site(identities["console"], [identities["agent"]])

    async def main() -> None:
        async with AsyncExitStack() as stack:
            machines: list[Machine] = []
            for step in STEPS:
                folder = tmp_path / step
                folder.mkdir()
                script = SCRIPT.format(file=folder / "ran")
                command = Command(id="once", argv=("sh", "-c", script))
                agent = Agent(folder / "agent", identities["agent"], (command,))
                agent.trust(identities["console"])
                await stack.enter_async_context(agent.running())
                scene = Scene(folder, agent, step, ENDS[how])
                scenes[id(agent.server)] = scene
                scene.relay = await stack.enter_async_context(Relay(agent.port))
                machines.append(site.machine(step, scene.relay.port))
            poller = await stack.enter_async_context(
                site.polling(*machines, interval_s=0.3, audit=AuditLog(tmp_path / "audit.log"))
            )
            names = [machine.name for machine in machines]
            await site.until(lambda: all(MachineState.ONLINE in site.states(name) for name in names))
            for scene in scenes.values():
                scene.is_armed = True
                if scene.step == "unread":
                    scene.relay.hold()
                    asyncio.get_running_loop().call_later(0.4, scene.lose)
            request = new_request(["once"], names, 20.0, "Ada", time.time())
            running = asyncio.ensure_future(poller.execute(request))
            await asyncio.wait([running], timeout=18)
            missing = set(names) - {
                record.result.machine for record in site.records if isinstance(record, CommandProgress)
            }
            assert running.done(), (missing, {name: site.reports(name)[-1] for name in missing})
            results = running.result()
            await asyncio.sleep(0.3)
            for scene, result in zip(scenes.values(), results, strict=True):
                assert scene.lost_at == scene.step
                assert (result.machine, result.state, result.exit_status) == (scene.step, CommandState.OK, 0), result
                assert (result.stdout, result.stderr) == ("one\ntwo\nfour\n", "three\n"), scene.step
                assert scene.file.read_text() == "ran\n", scene.step
                told = [
                    record.result.state
                    for record in site.records
                    if isinstance(record, CommandProgress) and record.result.machine == scene.step
                ]
                assert told == [CommandState.OK], (scene.step, told)
                entries = [entry["event"] for entry in read(scene.agent.audit_path)]
                assert entries == ["command", "result"], (scene.step, entries)
            # whatever was lost, each link came back
            await site.until(lambda: all(site.reports(name)[-1].state is MachineState.ONLINE for name in names))
            # a result that was acknowledged, or fetched and acknowledged later, is not kept for ever
            executors = [
                desk.executor
                for scene in scenes.values()
                for desk in scene.agent.server._desks
                if hasattr(desk, "executor")
            ]
            await site.until(lambda: not any(executor._executions for executor in executors))

    asyncio.run(main())
    events = [entry["event"] for entry in read(tmp_path / "audit.log")]
    assert sorted(events) == ["command"] * len(STEPS) + ["result"] * len(STEPS)
