"""Pairing by both real ends: what makes a pair, and all that does not."""

from __future__ import annotations

import asyncio
import datetime
import socket
import ssl
import time

import pytest
from agent_site import CODE, Agent, Console, serving

from core import audit
from core.agent.pairing import ADDRESS_TRIES, load_window, site_window
from core.errors import (
    HostUnknownError,
    NoRouteError,
    NotAnAgentError,
    NothingListensError,
    UsageError,
    WrongCodeError,
)
from core.protocol import messages
from core.protocol.pairing import console_proof, new_site_code, pairing_key
from core.records import Level
from core.services.pairing import pair
from core.transport.identity import ensure_identity, fingerprint_octets
from core.transport.tls import agent_context, pairing_context


@pytest.fixture
def fresh(tmp_path, who):
    """An agent that trusts nobody yet."""
    return Agent(tmp_path / "agent", who.agent1)


async def _pair(agent, identity, code=CODE, name="desk"):
    return await pair("127.0.0.1", agent.port, code, identity, name)


def test_a_right_code_pairs_both_ends_and_closes_the_window(fresh, who):
    async def talk():
        fresh.open_pairing()
        async with fresh.running():
            paired = await _pair(fresh, who.console1, "abcde-i2345".replace("i", "1"))
            with pytest.raises(WrongCodeError, match="used already"):
                await _pair(fresh, who.console2)
            return paired

    paired = asyncio.run(talk())
    assert paired.fingerprint == who.agent1.fingerprint
    assert paired.certificate_pem.strip() == who.agent1.certificate_pem.strip()
    assert paired.level is Level.RUN
    assert paired.name == "lab"
    line = fresh.consoles.path.read_text()
    assert line == f"{who.console1.fingerprint} level=run  # desk\n"
    assert load_window(fresh.folder).console == "desk"
    entries = [entry["decision"] for entry in audit.read(fresh.audit_path)]
    assert entries == ["tried", "paired"]


def test_a_window_opened_beside_a_running_agent_is_noticed(fresh, who):
    async def talk():
        async with fresh.running():
            with pytest.raises(WrongCodeError, match="not open"):
                await _pair(fresh, who.console1)
            await asyncio.to_thread(fresh.open_pairing, CODE, Level.VIEW)
            return await _pair(fresh, who.console1)

    assert asyncio.run(talk()).level is Level.VIEW


def test_a_wrong_code_is_refused_five_times_and_then_the_right_one_too(fresh, who):
    async def talk():
        fresh.open_pairing()
        async with fresh.running():
            for _ in range(5):
                with pytest.raises(WrongCodeError, match="wrong"):
                    await _pair(fresh, who.console1, "0000000000")
            with pytest.raises(WrongCodeError, match="too many"):
                await _pair(fresh, who.console1)

    asyncio.run(talk())
    assert fresh.consoles.listed() == ()
    assert [entry["decision"] for entry in audit.read(fresh.audit_path)] == ["tried", "refused"] * 5


def test_tries_are_not_given_back_by_a_restart(fresh, who):
    async def try_wrong(count):
        async with fresh.running():
            for _ in range(count):
                with pytest.raises(WrongCodeError):
                    await _pair(fresh, who.console1, "0000000000")

    fresh.open_pairing()
    asyncio.run(try_wrong(2))
    assert load_window(fresh.folder).tries_left == 3
    asyncio.run(try_wrong(3))
    assert load_window(fresh.folder).ending == "tries"


def test_an_expired_code_is_refused(fresh, who):
    async def talk():
        fresh.open_pairing(minutes=0)
        async with fresh.running():
            with pytest.raises(WrongCodeError, match="expired"):
                await _pair(fresh, who.console1)

    asyncio.run(talk())


def test_what_is_no_code_is_said_before_anything_is_sent(who):
    for text in ("", "ABC", "ABCDE-1234U", "ABCDE-12345-6"):
        with pytest.raises(UsageError):
            asyncio.run(pair("127.0.0.1", 1, text, who.console1, "desk"))


def test_the_ways_a_host_can_fail_are_told_apart(who):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(NothingListensError):
        asyncio.run(pair("127.0.0.1", port, CODE, who.console1, "desk"))
    with pytest.raises(HostUnknownError):
        asyncio.run(pair("no-such-host.invalid", 17450, CODE, who.console1, "desk"))


def test_a_host_that_never_answers_is_no_route(who):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        address = deaf.getsockname()
        # Connections that nobody accepts fill the queue; the kernel then drops what comes.
        waiting = []
        for _ in range(4):
            link = socket.socket()
            link.setblocking(False)
            link.connect_ex(address)
            waiting.append(link)
        try:
            with pytest.raises(NoRouteError):
                asyncio.run(pair("127.0.0.1", address[1], CODE, who.console1, "desk", 0.4))
        finally:
            for link in waiting:
                link.close()


@pytest.mark.parametrize("said", [b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
def test_what_is_not_an_agent_is_called_so(who, said):
    async def answer(reader, writer):
        writer.write(said)
        await reader.read(1)
        await asyncio.sleep(1.0 if not said else 0)
        writer.close()

    async def talk():
        async with serving(answer) as port:
            with pytest.raises(NotAnAgentError):
                await pair("127.0.0.1", port, CODE, who.console1, "desk", 0.5)

    asyncio.run(talk())


def test_a_tls_server_that_speaks_otherwise_is_not_an_agent(who):
    async def answer(reader, writer):
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nServer: something\r\n\r\n")
        writer.close()

    async def talk():
        context = agent_context(who.agent2, [])
        async with serving(answer, context) as port:
            with pytest.raises(NotAnAgentError):
                await pair("127.0.0.1", port, CODE, who.console1, "desk", 1.0)

    asyncio.run(talk())


async def _relay(one, other):
    """Pass octets on in both directions until one of them ends."""

    async def copy(source, target):
        while data := await source.read(4096):
            target.write(data)

    tasks = [asyncio.ensure_future(copy(one[0], other[1])), asyncio.ensure_future(copy(other[0], one[1]))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0.05)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        one[1].transport.abort()
        other[1].transport.abort()


def test_a_relay_that_ends_tls_in_the_middle_is_refused(fresh, who):
    """It passes every message on; but both proofs name the certificate that the console saw, the relay's."""

    async def relay(reader, writer):
        onward = await asyncio.open_connection("127.0.0.1", fresh.port, ssl=pairing_context(), server_hostname="")
        await _relay((reader, writer), onward)

    async def talk():
        fresh.open_pairing()
        async with fresh.running(), serving(relay, agent_context(who.agent3, [])) as port:
            with pytest.raises(WrongCodeError):
                await pair("127.0.0.1", port, CODE, who.console1, "desk")

    asyncio.run(talk())
    assert fresh.consoles.listed() == ()


def test_a_relay_of_octets_changes_nothing(fresh, who):
    async def relay(reader, writer):
        onward = await asyncio.open_connection("127.0.0.1", fresh.port)
        await _relay((reader, writer), onward)

    async def talk():
        fresh.open_pairing()
        async with fresh.running(), serving(relay) as port:
            return await pair("127.0.0.1", port, CODE, who.console1, "desk")

    assert asyncio.run(talk()).fingerprint == who.agent1.fingerprint


def test_a_replayed_proof_is_refused(fresh, who):
    async def attempt(key, nonce, replayed=None):
        console = Console(
            *await asyncio.open_connection("127.0.0.1", fresh.port, ssl=pairing_context(), server_hostname="")
        )
        begin = messages.PairBegin(name="x", certificate_pem=who.console1.certificate_pem, nonce=nonce)
        challenge = await console.ask("pair.begin", begin, messages.PairChallenge)
        proof = replayed or console_proof(
            key or pairing_key(CODE, challenge.salt),
            fingerprint_octets(who.agent1.fingerprint),
            fingerprint_octets(who.console1.fingerprint),
            challenge.nonce,
            nonce,
        )
        answer = await console.ask("pair.prove", messages.PairProve(proof=proof))
        await console.close()
        return proof, answer

    async def talk():
        fresh.open_pairing()
        async with fresh.running():
            nonce = bytes(16)
            proof, first = await attempt(None, nonce)
            assert first.error is None
            # The same code once more: everything the console said then is said again.
            fresh.open_pairing()
            window = load_window(fresh.folder)
            _proof, again = await attempt(window.key, nonce, replayed=proof)
            return again

    assert asyncio.run(talk()).error.code == messages.WRONG_CODE


def test_an_impostor_that_does_not_know_the_code_is_found_out(who):
    """It takes the console's proof as good and says so; its own proof is noise."""

    async def impostor(reader, writer):
        console = Console(reader, writer)
        asked = await console.message()
        writer.write(_frame(messages.encode_result(asked.id, messages.PairChallenge(salt=b"s" * 16, nonce=b"n" * 16))))
        asked = await console.message()
        answer = messages.PairProof(proof=b"?" * 32, level=Level.RUN, name="lab")
        writer.write(_frame(messages.encode_result(asked.id, answer)))
        await reader.read()
        writer.close()

    async def talk():
        async with serving(impostor, agent_context(who.agent3, [])) as port:
            with pytest.raises(Exception, match="cannot prove") as caught:
                await pair("127.0.0.1", port, CODE, who.console1, "desk")
            return caught.value

    assert asyncio.run(talk()).exit_status == 3


def _frame(payload):
    return (len(payload) + 1).to_bytes(4, "big") + b"\0" + payload


def test_a_name_cannot_write_a_line_of_its_own(fresh, who):
    evil = "x\nSHA256:" + "A" * 52 + " level=raw"

    async def talk():
        fresh.open_pairing()
        async with fresh.running():
            await _pair(fresh, who.console1, name=evil)

    asyncio.run(talk())
    assert len(fresh.consoles.path.read_text().splitlines()) == 1
    fresh.consoles.refresh()
    assert [console.fingerprint for console in fresh.consoles.listed()] == [who.console1.fingerprint]


@pytest.mark.parametrize(
    "pem", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_what_is_no_certificate_closes_the_link(fresh, pem):
    async def talk():
        fresh.open_pairing()
        async with fresh.running():
            console = Console(
                *await asyncio.open_connection("127.0.0.1", fresh.port, ssl=pairing_context(), server_hostname="")
            )
            console.send_request("pair.begin", messages.PairBegin(name="x", certificate_pem=pem, nonce=bytes(16)))
            await console.ends()
            assert console.others == []

    asyncio.run(talk())


def test_a_site_code_pairs_many_agents_and_many_consoles(tmp_path, who):
    code = new_site_code(datetime.datetime.now(datetime.UTC).date(), Level.VIEW)

    async def talk():
        found = []
        for number, identity in enumerate((who.agent1, who.agent2), 1):
            agent = Agent(tmp_path / f"site{number}", identity)
            agent.desk.site = site_window(code)
            async with agent.running():
                for console in (who.console1, who.console2):
                    found.append((await _pair(agent, console, code.lower())).level)
        return found

    assert asyncio.run(talk()) == [Level.VIEW] * 4


def test_wrong_site_codes_of_one_address_are_limited(fresh, who):
    today = datetime.datetime.now(datetime.UTC).date()
    fresh.desk.site = site_window(new_site_code(today))

    async def talk():
        async with fresh.running():
            for _ in range(ADDRESS_TRIES):
                with pytest.raises(WrongCodeError, match="wrong"):
                    await _pair(fresh, who.console1, new_site_code(today))
            with pytest.raises(WrongCodeError, match="too many"):
                await _pair(fresh, who.console1, new_site_code(today))

    asyncio.run(talk())


def test_a_site_code_and_a_code_are_open_side_by_side(fresh, who):
    site = new_site_code(datetime.datetime.now(datetime.UTC).date())
    fresh.desk.site = site_window(site)

    async def talk():
        fresh.open_pairing()
        async with fresh.running():
            await _pair(fresh, who.console1, site)
            await _pair(fresh, who.console2)
            with pytest.raises(WrongCodeError):
                await _pair(fresh, who.console3)
            await _pair(fresh, who.console3, site)

    asyncio.run(talk())
    fresh.consoles.refresh()
    assert len(fresh.consoles.listed()) == 3


def test_an_agent_in_the_place_of_another_is_refused_and_never_pinned(tmp_path, who):
    """A console that knows agent1 meets agent2 at its address: the handshake itself fails."""

    async def talk():
        other = Agent(tmp_path / "other", who.agent2)
        other.trust(who.console1)
        async with other.running():
            pinned = Agent(tmp_path / "pinned", who.agent1)
            pinned.port = other.port
            with pytest.raises(ssl.SSLCertVerificationError):
                await Console.connect(pinned, who.console1)

    asyncio.run(talk())


def test_pairing_needs_no_right_clock(fresh, who, monkeypatch):
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 366 * 86400)

    async def talk():
        fresh.open_pairing()
        async with fresh.running():
            return await _pair(fresh, who.console1)

    assert asyncio.run(talk()).level is Level.RUN


def test_an_identity_is_made_once_and_kept(tmp_path):
    made = ensure_identity(tmp_path / "id", "desk")
    assert ensure_identity(tmp_path / "id", "desk") == made
