"""The console's own half against a real agent: what may be run there, and what one that only shows says."""

from __future__ import annotations

import asyncio
import json

import pytest
from agent_site import Agent

from core.access_records import AllowedCommand, AllowedParameter
from core.agent.policy import Command, Parameter
from core.errors import RefusedError, RemoteProtocolError
from core.protocol.frames import encode_frame
from core.protocol.messages import Hello
from core.records import CommandState, Level, Machine
from core.services.agent_link import AgentLink
from core.services.allowed_commands import MOST_COMMANDS, allowed_commands
from core.services.commands import Execution, new_request
from core.services.link_opening import open_link
from core.services.machine_commands import MachineCommands
from core.transport.tls import console_context

PATHS = {"folder": Parameter(type="path", roots=("/srv",)), "count": Parameter(type="int", minimum=1, maximum=9)}
BACKUP = Command(
    id="backup",
    argv=("/usr/local/sbin/backup", "{folder}", "--keep={count?}"),
    parameters=PATHS,
    description="save a folder",
    timeout_s=300,
)


@pytest.fixture
def site(tmp_path, who):
    made = Agent(tmp_path / "agent", who.agent1, (BACKUP,))
    made.trust(who.console1)
    return made


def _linked(site, who, talk):
    """What `talk` returns with the console's own link to the running agent."""

    async def whole():
        async with site.running():
            commands = MachineCommands("m1")
            machine = Machine(
                name="m1", host="127.0.0.1", port=site.port, certificate_pem=site.identity.certificate_pem,
                fingerprint=site.identity.fingerprint,
            )  # fmt: skip
            context = console_context(who.console1, [site.identity.certificate_pem])
            slots = asyncio.Semaphore(1)
            link = await open_link(machine, context, slots, lambda _status: None, commands, Hello(name="test"))
            try:
                return await talk(link, commands)
            finally:
                link.close()
                await asyncio.sleep(0)

    return asyncio.run(whole())


def test_a_console_asks_what_it_may_run_there(site, who):
    async def talk(link, _commands):
        return await allowed_commands(link, "m1")

    told = _linked(site, who, talk)
    assert (told.machine, told.level, told.os) == ("m1", Level.RUN, "linux")
    assert told.commands[0] == AllowedCommand(
        id="backup",
        argv=("/usr/local/sbin/backup", "{folder}", "--keep={count?}"),
        parameters=(
            AllowedParameter(name="folder", type="path", roots=("/srv",)),
            AllowedParameter(name="count", type="int", minimum=1, maximum=9, is_optional=True),
        ),
        timeout_s=300.0,
        description="save a folder",
    )
    assert {"ls", "uname", "true"} <= {command.id for command in told.commands if command.is_default}


def test_a_console_of_level_view_is_refused_in_words(site, who):
    site.trust(who.console1, level=Level.VIEW)

    async def talk(link, _commands):
        with pytest.raises(RefusedError, match="m1 does not allow it: it needs level run, this console has view"):
            await allowed_commands(link, "m1")

    _linked(site, who, talk)


def test_a_policy_that_cannot_be_used_is_told_with_its_reason(site, who):
    path = site.folder / "policy.toml"
    path.write_text("defaults = true\n")
    path.chmod(0o600)

    async def talk(link, _commands):
        path.write_text("broken, and longer than before")
        with pytest.raises(RefusedError, match="m1 cannot use its policy and answers built-ins alone"):
            await allowed_commands(link, "m1")

    _linked(site, who, talk)


def test_a_command_for_a_view_only_agent_is_not_allowed_and_says_why(site, who):
    site.is_view_only = True

    async def talk(link, commands):
        told = asyncio.get_running_loop().create_future()
        request = new_request(("uname",), ("m1",), 5.0, "Ada", 0.0)
        execution = Execution(request, "m1", lambda *_: None, lambda _execution, result: told.set_result(result))
        commands.on_up(link)
        commands.start(execution)
        with pytest.raises(RefusedError, match="view-only"):
            await allowed_commands(link, "m1")
        return await asyncio.wait_for(told, 5.0)

    result = _linked(site, who, talk)
    assert result.state is CommandState.NOT_ALLOWED
    assert "view-only" in result.message


class _Transport(asyncio.Transport):
    """Keeps nothing."""

    def write(self, data: bytes) -> None:
        """Nobody reads."""

    def abort(self) -> None:
        """Nothing to end."""

    def get_write_buffer_size(self) -> int:
        """Nothing waits."""
        return 0


def _told(*pages):
    """What a console makes of these pages of an agent that may lie."""

    async def whole():
        link = AgentLink(Machine(name="m1", host="x"), lambda _status: None, MachineCommands("m1"))
        link.connection_made(_Transport())
        asked = asyncio.ensure_future(allowed_commands(link, "m1"))
        await asyncio.sleep(0)
        for page in pages:
            link._reader.set_limit(1 << 20)
            whole = {"os": "linux", "level": "raw", "time_s": 1.0, "is_last": False, "commands": [], **page}
            answer = json.dumps({"jsonrpc": "2.0", "id": 1, "result": whole}).encode()
            link.data_received(encode_frame(0, answer))
            await asyncio.sleep(0)
        return await asked

    return asyncio.run(whole())


TRUE = {"id": "true", "argv": ["true"]}
ENUM = {"name": "p", "type": "enum", "values": ["a"]}


@pytest.mark.parametrize(
    "command",
    [
        {"id": "", "argv": ["x"]},
        {"id": "a\nb", "argv": ["x"]},
        {"id": "x" * 1000, "argv": ["x"]},
        {"id": "x", "argv": []},
        {"id": "x", "argv": ["x"] * 100},
        {"id": "x", "argv": ["x\x1b[2J"]},
        {"id": "x", "argv": ["x", "{p}"]},
        {"id": "x", "argv": ["x"], "parameters": [ENUM]},
        {"id": "x", "argv": ["x", "{p}"], "parameters": [{**ENUM, "type": "shell"}]},
        {"id": "x", "argv": ["x", "{p}"], "parameters": [{**ENUM, "values": ["a"] * 5000}]},
        {"id": "x", "argv": ["x", "{p}"], "parameters": [{**ENUM, "values": ["a\u202eb"]}]},
        {"id": "x", "argv": ["x", "{p}"], "parameters": [{**ENUM, "maximum": 10**30}]},
        {"id": "x", "argv": ["x"], "level": "view"},
    ],
)
def test_a_command_that_no_policy_can_hold_is_left_out(command):
    assert [known.id for known in _told({"commands": [command, TRUE], "is_last": True}).commands] == ["true"]


def test_what_can_be_mended_is():
    command = {"id": "x", "argv": ["x"], "timeout_s": -5.0, "description": "<b>\x1b[31mred\nline" + "x" * 5000}
    told = _told({"commands": [command], "is_last": True, "os": "linux\n", "time_s": 5e300})
    assert (told.os, told.commands[0].timeout_s, len(told.commands[0].description)) == ("linux ", 600.0, 1000)
    assert told.commands[0].description.startswith("<b> [31mred line")


@pytest.mark.parametrize(
    "pages",
    [
        [{"commands": [TRUE] * 1000}] * (MOST_COMMANDS // 1000 + 1),
        [{}] * 501,
        [{"commands": [TRUE] * 5000}],
        [{"level": "god"}],
        [{"commands": [{"id": 5}]}],
    ],
)
def test_a_policy_without_measure_or_sense_ends_the_link(pages):
    with pytest.raises(RemoteProtocolError):
        _told(*pages)
