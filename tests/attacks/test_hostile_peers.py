"""Strangers and former friends of an agent: it goes on to serve the consoles that it trusts, in bounded memory."""

from __future__ import annotations

import asyncio
import datetime
import os
import ssl
import sys
import time
from pathlib import Path

import pytest
from agent_site import Agent, Console

from bench.hostile_peers import AgentProcess, console_context_of, under_flood
from core.agent.consoles import Consoles
from core.agent.patience import REFUSALS_AT_ONCE
from core.agent.policy import Command
from core.protocol import messages
from core.protocol.frames import JSON_FRAME, encode_frame
from core.protocol.messages import ExecStart, Hello, PairBegin, Subscribe, encode_request
from core.records import Level
from core.transport.identity import ensure_identity
from core.transport.tls import pairing_context

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes and signals of POSIX")


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    return {name: ensure_identity(folder / name, name) for name in ("agent", "ada", "zoe", "mallory")}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read from /proc")
def test_a_flood_of_links_without_a_pinned_certificate_changes_nothing_for_those_it_trusts(people, tmp_path):
    agent = AgentProcess(tmp_path / "home", {people["ada"]: Level.RUN})
    try:
        served = asyncio.run(under_flood(agent, people["ada"], "mixed", 500))
    finally:
        agent.stop()
    assert served.opened == 500
    assert served.longest_gap_s < 2.0, served
    assert served.second_console_s < 5.0, served
    assert served.most_files < 300, served
    assert served.after_mib - served.before_mib < 24, served


@pytest.fixture
def agent(tmp_path, people):
    made = Agent(
        tmp_path / "agent",
        people["agent"],
        (
            Command(id="stubborn", argv=("sh", "-c", "trap '' TERM; echo $$; while :; do sleep 0.05; done")),
            Command(id="quiet", argv=("sh", "-c", "echo $$; exec sleep 30")),
        ),
    )
    made.trust(people["ada"])
    made.trust(people["zoe"])
    return made


def as_stranger(agent: Agent, context: ssl.SSLContext):
    return asyncio.open_connection("127.0.0.1", agent.port, ssl=context, server_hostname="")


def test_a_certificate_that_a_pinned_console_has_signed_is_nobodys(agent, people):
    """Trust is by fingerprint: no key that is trusted here can make another one trusted."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    ada = people["ada"]
    issuer = x509.load_pem_x509_certificate(ada.certificate_pem.encode())
    signer = serialization.load_pem_private_key(Path(ada.key_path).read_bytes(), None)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    leaf = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ada")]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(signer, hashes.SHA256())
    )
    chain = agent.folder.parent / "leaf.pem"
    chain.write_bytes(
        leaf.public_bytes(serialization.Encoding.PEM)
        + ada.certificate_pem.encode()
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = pairing_context()
    context.load_cert_chain(chain)

    async def talk() -> bytes:
        async with agent.running():
            try:
                reader, writer = await as_stranger(agent, context)
                writer.write(encode_frame(JSON_FRAME, encode_request(1, "hello", Hello())))
                told = await asyncio.wait_for(reader.read(4096), 5)
                writer.transport.abort()
            except (ssl.SSLError, ConnectionError):
                return b""
            return told

    told = asyncio.run(talk())
    assert b"run_id" not in told
    assert told == b"" or b"not_trusted" in told


def test_a_flood_of_wrong_codes_closes_the_window_and_ends_in_words(agent, people):
    async def talk() -> list[bytes]:
        agent.open_pairing()
        told = []
        async with agent.running():
            for number in range(12):
                reader, writer = await as_stranger(agent, pairing_context())
                begin = PairBegin(name="x", certificate_pem=people["mallory"].certificate_pem, nonce=os.urandom(16))
                writer.write(encode_frame(JSON_FRAME, encode_request(1, "pair.begin", begin)))
                first = await asyncio.wait_for(reader.read(4096), 5)
                if b"salt" in first:
                    prove = encode_request(2, "pair.prove", {"proof": "A" * 43 + "="})
                    writer.write(encode_frame(JSON_FRAME, prove))
                    first = await asyncio.wait_for(reader.read(4096), 5)
                told.append(first)
                writer.transport.abort()
                assert number < 20
            console = await Console.connect(agent, people["ada"])
            await console.close()
        return told

    told = asyncio.run(talk())
    assert sum(b"wrong" in answer for answer in told) <= 5
    assert all(b"pairing_closed" in answer for answer in told[5:])
    assert "mallory" not in Path(agent.folder / "authorized_consoles").read_text()


async def started(agent: Agent, identity, name: str) -> tuple[Console, int]:
    """A console with a command that runs, and the pid of its process."""
    console = await Console.connect(agent, identity)
    await console.ask("exec.start", ExecStart(exec_id=name, words=(name,), timeout_s=60.0))
    while not bytes(console.output.get(1, b"")).endswith(b"\n"):
        kind, payload = await console.frame()
        if kind != JSON_FRAME:
            console.output.setdefault(1, bytearray()).extend(payload[5:])
    return console, int(console.output[1])


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def revoke(agent: Agent, ada) -> None:
    Consoles(agent.folder).revoke(ada.fingerprint)


def expire(agent: Agent, ada) -> None:
    rewrite(agent, ada, "level=run", "level=run expires=2001-01-01")


def lower(agent: Agent, ada) -> None:
    rewrite(agent, ada, "level=run", "level=view")


def narrow(agent: Agent, ada) -> None:
    rewrite(agent, ada, "level=run", "level=run from=192.0.2.0/24")


def rewrite(agent: Agent, ada, old: str, new: str) -> None:
    path = agent.folder / "authorized_consoles"
    lines = [
        line.replace(old, new) if line.startswith(ada.fingerprint) else line for line in path.read_text().splitlines()
    ]
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc")
@pytest.mark.parametrize("is_linked", [True, False], ids=["linked", "away"])
@pytest.mark.parametrize("change", [revoke, expire, lower, narrow])
def test_trust_that_ends_in_mid_command_kills_it_within_a_second(agent, people, change, is_linked):
    async def talk() -> None:
        async with agent.running():
            ada, stubborn = await started(agent, people["ada"], "stubborn")
            zoe, quiet = await started(agent, people["zoe"], "quiet")
            if not is_linked:
                await ada.close()
                await asyncio.sleep(0.1)
            change(agent, people["ada"])
            began_s = time.monotonic()
            while is_alive(stubborn) and time.monotonic() - began_s < 5:  # noqa: ASYNC110 -- a process of another has no event
                await asyncio.sleep(0.02)
            assert time.monotonic() - began_s < 1.3
            assert is_alive(quiet)
            assert (await zoe.ask("processes", {})).error is None
            if is_linked:
                await ada.ends()
            await zoe.close()

    asyncio.run(talk())


def test_half_a_handshake_and_a_certificate_of_nobody_are_ended(agent, people):
    async def talk() -> None:
        async with agent.running():
            reader, writer = await asyncio.open_connection("127.0.0.1", agent.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"hello" not in await asyncio.wait_for(reader.read(4096), 5)
            writer.transport.abort()
            assert await told_as_stranger() == b""

    async def told_as_stranger() -> bytes:
        try:
            reader, writer = await as_stranger(agent, console_context_of(people["mallory"]))
            writer.write(encode_frame(JSON_FRAME, encode_request(1, "hello", Hello())))
            return await asyncio.wait_for(reader.read(4096), 5)
        except (ssl.SSLError, ConnectionError):
            return b""

    asyncio.run(talk())


def test_a_console_that_floods_is_read_slowly_and_the_others_are_served(agent, people):
    """Each refusal is a line on disk: one console at the lowest level must not hold up the whole agent by them."""
    rewrite(agent, people["zoe"], "level=run", "level=view")

    async def talk() -> tuple[float, int, int]:
        async with agent.running():
            zoe = await Console.connect(agent, people["zoe"])
            ada = await Console.connect(agent, people["ada"])
            await ada.ask("subscribe", Subscribe(interval_s=0.2))
            for number in range(2000):
                zoe.send_request("exec.start", ExecStart(exec_id=f"f{number}", words=("ls", "x" * 3000), timeout_s=5.0))
            longest, last_s = 0.0, time.monotonic()
            for _turn in range(6):
                await ada.notification("status")
                longest, last_s = max(longest, time.monotonic() - last_s), time.monotonic()
            while (answer := await zoe.message()).error is None or answer.error.code != messages.BUSY:
                pass
            written = agent.audit_path.read_bytes()
            await zoe.close()
            await ada.close()
            return longest, len(written.splitlines()), len(written)

    longest, lines, octets = asyncio.run(talk())
    assert longest < 2.5
    assert REFUSALS_AT_ONCE <= lines < REFUSALS_AT_ONCE + 10
    assert octets < 2048 * lines


def test_a_console_that_never_says_hello_has_few_links_and_the_others_are_served(agent, people):
    async def talk() -> int:
        async with agent.running():
            silent = [await Console.connect(agent, people["zoe"], greet=False) for _number in range(40)]
            for console in silent[:24]:
                await console.ends()
            ada = await Console.connect(agent, people["ada"])
            zoe = await Console.connect(agent, people["zoe"])
            count = len(agent.server._links)
            for console in (ada, zoe, *silent[24:]):
                await console.close()
            return count

    assert asyncio.run(talk()) <= 18
