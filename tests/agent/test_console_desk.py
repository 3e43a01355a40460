"""One console admits, restricts and revokes another over a real link; the agent says no where it must."""

from __future__ import annotations

import asyncio
import datetime
import time

import psutil
import pytest
from agent_site import Console

from core import audit
from core.agent import server
from core.agent.console_desk import ConsoleDesk
from core.agent.consoles import Consoles
from core.agent.policy import Command, Parameter
from core.errors import ConfigError
from core.protocol import messages
from core.protocol.trust_messages import (
    ConsoleAdmit,
    ConsoleChange,
    ConsolePage,
    ConsoleQuery,
    ConsoleRevoke,
    ConsolesChanged,
)
from core.records import Level

SOON = datetime.date(2090, 1, 1)
SECONDS = "577"


def sleepers():
    """How many of our commands run."""
    return sum(child.as_dict(["cmdline"])["cmdline"] == ["sleep", SECONDS] for child in psutil.Process().children())


def admission(who, level=Level.RUN, **more):
    return ConsoleAdmit(
        certificate_pem=who.certificate_pem, fingerprint=who.fingerprint, name=who.name, level=level, **more
    )


async def refusal(console, method, params):
    answer = await console.ask(method, params)
    assert answer.error is not None
    return answer.error.message


def entries(agent):
    return [entry for entry in audit.read(agent.audit_path) if entry["event"] == "consoles"]


def test_a_second_console_is_admitted_and_works_at_once(agent, who):
    async def scenario():
        async with agent.running():
            first = await Console.connect(agent, who.console1)
            assert "consoles" in first.hello.capabilities
            asked = admission(who.console2, operator="Ada\x1b[2J", expires="2090-01-01")
            done = await first.ask("consoles.admit", asked, ConsolesChanged)
            assert done.fingerprints == (who.console2.fingerprint,)
            second = await Console.connect(agent, who.console2)
            assert second.hello.level is Level.RUN
            ended = await second.run("os")
            assert ended.state == "ok"
            page = await second.ask("consoles.list", ConsoleQuery(), ConsolePage)
            await first.close()
            await second.close()
            return page

    page = asyncio.run(scenario())
    one, two = page.consoles
    assert page.may_admit
    assert page.is_last
    assert (one.is_own, one.may_change, one.is_online, one.admitted_by) == (False, False, True, None)
    assert (two.is_own, two.may_change, two.is_online) == (True, True, True)
    assert (two.admitted_by, two.expires, two.level) == (who.console1.fingerprint, "2090-01-01", Level.RUN)
    written = entries(agent)
    assert [entry["decision"] for entry in written] == ["allowed"]
    assert written[0]["argv"][:2] == ["consoles.admit", who.console2.fingerprint]
    assert written[0]["console"] == who.console1.fingerprint
    assert written[0]["operator"] == "Ada [2J"
    assert f"by={who.console1.fingerprint}" in (agent.folder / "authorized_consoles").read_text()


def test_what_is_not_allowed_is_refused_and_written_down(agent, who):
    agent.trust(who.console1, expires=SOON)

    async def scenario():
        async with agent.running():
            console = await Console.connect(agent, who.console1)
            said = [
                await refusal(console, "consoles.admit", admission(who.console2, Level.MANAGE)),
                await refusal(console, "consoles.admit", admission(who.console2, expires="2091-01-01")),
                await refusal(console, "consoles.admit", admission(who.console1)),
                await refusal(console, "consoles.admit", admission(who.console2, expires="2001-01-01")),
                await refusal(console, "consoles.revoke", ConsoleRevoke(fingerprint=who.console3.fingerprint)),
                await refusal(
                    console, "consoles.change", ConsoleChange(fingerprint=who.console1.fingerprint, level=Level.RAW)
                ),
            ]
            await console.close()
            return said

    said = asyncio.run(scenario())
    assert "above" in said[0]
    assert "outlast" in said[1]
    assert "already" in said[2]
    assert "over" in said[3]
    assert "no console" in said[4]
    assert "itself" in said[5]
    assert [entry["rule"] for entry in entries(agent)] == said
    assert len(agent.consoles.listed()) == 1


@pytest.mark.parametrize(
    "pem",
    ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "another"],
)
def test_only_a_certificate_of_our_form_and_that_fingerprint_comes_in(agent, who, pem):
    asked = ConsoleAdmit(
        certificate_pem=who.console3.certificate_pem if pem == "another" else pem,
        fingerprint=who.console2.fingerprint,
        level=Level.RUN,
    )

    async def scenario():
        async with agent.running():
            console = await Console.connect(agent, who.console1)
            said = await refusal(console, "consoles.admit", asked)
            await console.close()
            return said

    assert "admitted" in asyncio.run(scenario()) or pem == "another"
    assert len(agent.consoles.listed()) == 1


@pytest.mark.parametrize(("line", "level"), [({"level": Level.VIEW}, "view"), ({"may_admit": False}, "run")])
def test_a_console_that_may_not_admit_is_told_so(agent, who, line, level):
    agent.trust(who.console1, **line)
    agent.trust(who.console3)

    async def scenario():
        async with agent.running():
            console = await Console.connect(agent, who.console1)
            said = await refusal(console, "consoles.admit", admission(who.console2, Level.VIEW))
            page = await console.ask("consoles.list", ConsoleQuery(), ConsolePage)
            await console.close()
            return said, page

    said, page = asyncio.run(scenario())
    assert "level run" in said if level == "view" else "admit=no" in said
    assert not page.may_admit
    assert len(page.consoles) == (1 if level == "view" else 2)


def test_nothing_that_a_console_sends_writes_more_than_it_says(agent, who):
    """The zone of an address of IPv6 may be any text: it once put level=raw into the line, and `by=` behind a `#`."""
    agent.max_level = Level.RAW

    async def scenario():
        async with agent.running():
            console = await Console.connect(agent, who.console1)
            said = [
                await refusal(console, "consoles.admit", admission(who.console2, networks=networks))
                for networks in (("0.0.0.0/0", "fe80::1%x level=raw #"), (f"fe80::1%\n{'A' * 52} #",), ("::%1",))
            ]
            await console.close()
            return said

    before = (agent.folder / "authorized_consoles").read_text()
    assert all("is no network" in rule for rule in asyncio.run(scenario()))
    assert (agent.folder / "authorized_consoles").read_text() == before


def test_a_change_that_comes_after_the_administrators_is_refused(agent, who, monkeypatch):
    """Between decision and writing lies a write to the disk, long enough for another process."""
    append = audit.AuditLog.append

    def slow(self, lines):
        append(self, lines)
        if lines[0].get("decision") == "allowed":
            agent.trust(who.console1, level=Level.VIEW)

    async def scenario():
        async with agent.running():
            console = await Console.connect(agent, who.console1)
            monkeypatch.setattr(audit.AuditLog, "append", slow)
            change = ConsoleChange(fingerprint=who.console1.fingerprint, level=Level.RUN)
            said = await refusal(console, "consoles.change", change)
            await console.close()
            return said

    assert "just changed" in asyncio.run(scenario())
    assert "level=view" in (agent.folder / "authorized_consoles").read_text()
    assert [entry["decision"] for entry in entries(agent)] == ["allowed", "refused"]


def test_lowering_a_console_lowers_those_it_admitted_within_a_second(agent, who):
    async def scenario():
        async with agent.running():
            first = await Console.connect(agent, who.console1)
            await first.ask("consoles.admit", admission(who.console2), ConsolesChanged)
            second = await Console.connect(agent, who.console2)
            begun_s = time.monotonic()
            change = ConsoleChange(fingerprint=who.console1.fingerprint, level=Level.VIEW)
            done = await first.ask("consoles.change", change, ConsolesChanged)
            assert set(done.fingerprints) == {who.console1.fingerprint, who.console2.fingerprint}
            await asyncio.gather(first.ends(), second.ends())
            took_s = time.monotonic() - begun_s
            again = await Console.connect(agent, who.console2)
            level = again.hello.level
            await again.close()
            return took_s, level

    took_s, level = asyncio.run(scenario())
    assert took_s < 1.0
    assert level is Level.VIEW


def test_revoking_in_mid_command_kills_it_and_takes_the_admitted_along(tmp_path, agent, who):
    parameters = {"seconds": Parameter(type="int", minimum=0, maximum=600)}
    agent.commands = (Command(id="wait", argv=("sleep", "{seconds}"), parameters=parameters),)

    async def scenario():
        async with agent.running():
            first = await Console.connect(agent, who.console1)
            await first.ask("consoles.admit", admission(who.console2), ConsolesChanged)
            await first.ask("consoles.admit", admission(who.console3), ConsolesChanged)
            second, third = await Console.connect(agent, who.console2), await Console.connect(agent, who.console3)
            for console in (second, third):
                start = messages.ExecStart(exec_id="e1", words=("sleep", SECONDS), timeout_s=60)
                await console.ask("exec.start", start, messages.ExecAccepted)
            async with asyncio.timeout(5):
                while (running := sleepers()) < 2:  # noqa: ASYNC110 -- processes tell nobody that they are there
                    await asyncio.sleep(0.02)
            begun_s = time.monotonic()
            await first.ask("consoles.revoke", ConsoleRevoke(fingerprint=who.console2.fingerprint), ConsolesChanged)
            told = await second.notification("not_trusted")
            await second.ends()
            while sleepers() > 1:
                await asyncio.sleep(0.02)
                assert time.monotonic() - begun_s < 4
            took_s = time.monotonic() - begun_s
            await first.ask("consoles.revoke", ConsoleRevoke(fingerprint=who.console1.fingerprint), ConsolesChanged)
            await asyncio.gather(first.ends(), third.ends())
            while sleepers():
                await asyncio.sleep(0.02)
                assert time.monotonic() - begun_s < 8
            return running, messages.decode_as(messages.NotTrusted, told.params).reason, took_s

    count, reason, took_s = asyncio.run(scenario())
    assert (count, reason) == (2, "removed")
    assert took_s < 3.0
    assert Consoles(agent.folder).listed() == ()
    assert (agent.folder / "authorized_consoles").read_text() == ""


def test_from_the_moment_of_its_revocation_a_console_starts_nothing(agent, who, monkeypatch):
    """Not within half a second, which is when the agent looks round by itself."""
    monkeypatch.setattr(server, "WATCH_PERIOD_S", 60.0)
    agent.commands = (Command(id="wait", argv=("sleep", SECONDS)),)

    async def scenario():
        async with agent.running():
            first = await Console.connect(agent, who.console1)
            await first.ask("consoles.admit", admission(who.console2), ConsolesChanged)
            second = await Console.connect(agent, who.console2)
            for number in range(6):  # four run, two wait
                start = messages.ExecStart(exec_id=f"e{number}", words=("sleep", SECONDS), timeout_s=60)
                await second.ask("exec.start", start, messages.ExecAccepted)
            first.send_request("consoles.revoke", ConsoleRevoke(fingerprint=who.console2.fingerprint))
            for number in range(200):
                start = messages.ExecStart(exec_id=f"late{number}", words=("os",), timeout_s=60)
                second.send_request("exec.start", start)
            await second.ends()
            async with asyncio.timeout(5):
                while agent.executor.owners():  # noqa: ASYNC110 -- nothing tells that all have ended
                    await asyncio.sleep(0.02)
            await first.close()

    asyncio.run(scenario())
    written = [(entry["event"], entry.get("exec_id"), entry.get("decision")) for entry in audit.read(agent.audit_path)]
    revoked = written.index(("consoles", None, "allowed"), 1)
    assert not [entry for entry in written[revoked:] if entry[0] == "command"]
    assert sleepers() == 0


def test_the_administrator_forbids_it_for_all(agent, who):
    async def scenario():
        async with agent.running():
            desk = next(desk for desk in agent.server._desks if isinstance(desk, ConsoleDesk))
            desk._may_admit = False  # as [agent] admit = false
            console = await Console.connect(agent, who.console1)
            said = await refusal(console, "consoles.admit", admission(who.console2))
            page = await console.ask("consoles.list", ConsoleQuery(), ConsolePage)
            await console.close()
            return said, page.may_admit

    said, may_admit = asyncio.run(scenario())
    assert "admit = false" in said
    assert not may_admit


def test_certificates_without_end_are_not_admitted(agent, who, monkeypatch):
    monkeypatch.setattr("core.agent.console_desk.ADMISSIONS_AN_HOUR", 2)

    async def scenario():
        async with agent.running():
            console = await Console.connect(agent, who.console1)
            for _turn in range(2):
                await console.ask("consoles.admit", admission(who.console2), ConsolesChanged)
                await console.ask(
                    "consoles.revoke", ConsoleRevoke(fingerprint=who.console2.fingerprint), ConsolesChanged
                )
            said = await refusal(console, "consoles.admit", admission(who.console2))
            await console.close()
            return said

    assert "an hour" in asyncio.run(scenario())


def test_what_cannot_be_written_down_is_not_done(agent, who, monkeypatch):
    async def scenario():
        async with agent.running():
            console = await Console.connect(agent, who.console1)

            def fail(_entries):
                raise ConfigError("the disk is full")

            monkeypatch.setattr(agent.server.audit, "append", fail)
            own = who.console1.fingerprint
            said = [
                await refusal(console, "consoles.admit", admission(who.console2)),
                await refusal(console, "consoles.change", ConsoleChange(fingerprint=own, level=Level.VIEW)),
                await refusal(console, "consoles.revoke", ConsoleRevoke(fingerprint=own)),
            ]
            monkeypatch.undo()
            await console.close()
            return said

    before = (agent.folder / "authorized_consoles").read_text()
    assert all("the disk is full" in rule for rule in asyncio.run(scenario()))
    assert (agent.folder / "authorized_consoles").read_text() == before
    assert len(list((agent.folder / "consoles").iterdir())) == 1


def test_a_name_from_afar_is_one_clean_line(agent, who):
    asked = ConsoleAdmit(
        certificate_pem=who.console2.certificate_pem,
        fingerprint=who.console2.fingerprint.lower().replace("sha256:", "").replace("-", " "),
        name="evil\n" + f"{who.console3.fingerprint} level=raw" + "x" * 150,
        level=Level.RUN,
    )

    async def scenario():
        async with agent.running():
            console = await Console.connect(agent, who.console1)
            await console.ask("consoles.admit", asked, ConsolesChanged)
            await console.close()

    asyncio.run(scenario())
    agent.consoles.read()
    assert len(agent.consoles.listed()) == 2
    assert len(agent.consoles.listed()[1].name) <= 64
