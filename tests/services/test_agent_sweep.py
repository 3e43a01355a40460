"""A look for agents at a range of addresses: real agents, other programs, silence, and hostile ones."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from agent_site import Agent

from core.errors import UsageError
from core.protocol import messages
from core.protocol.frames import JSON_FRAME, encode_frame
from core.records import Machine
from core.services import agent_sweep
from core.services.address_range import MOST, addresses_of, own_networks
from core.services.agent_certificate import agent_name
from core.services.agent_sweep import sweep
from core.site_records import SweepFind, SweepKind, SweepProgress
from core.transport.identity import Identity, ensure_identity
from core.transport.tls import agent_context

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]


@pytest.mark.parametrize(
    ("text", "first", "last", "count"),
    [
        ("10.1.0.0/24", "10.1.0.1", "10.1.0.254", 254),
        ("10.1.0.7/24", "10.1.0.1", "10.1.0.254", 254),
        ("10.1.0.10-60", "10.1.0.10", "10.1.0.60", 51),
        ("10.1.0.250-10.1.1.4", "10.1.0.250", "10.1.1.4", 11),
        ("10.1.0.7", "10.1.0.7", "10.1.0.7", 1),
        ("10.1.0.6/31", "10.1.0.6", "10.1.0.7", 2),
        ("10.1.0.1, 10.1.0.1 10.1.0.2", "10.1.0.1", "10.1.0.2", 2),
        ("fe80::7", "fe80::7", "fe80::7", 1),
        ("2001:db8::/116", "2001:db8::", "2001:db8::fff", 4096),
        ("10.0.0.0/20", "10.0.0.1", "10.0.15.254", 4094),
    ],
)
def test_a_range_means_its_addresses(text: str, first: str, last: str, count: int) -> None:
    found = addresses_of(text)
    assert (found[0], found[-1], len(found)) == (first, last, count)


@pytest.mark.parametrize(
    "text",
    [
        *("", "   ", "web-1", "10.1.0", "10.1.0.60-10", "10.0.0.0/19", "10.0.0.0/8", "0.0.0.0-255.255.255.255"),
        *("::/0", "2001:db8::/64", "2001:db8::1-9", "224.0.0.1", "0.0.0.0", "255.255.255.255", "10.1.0.1-999"),
        *("10.1.0.0/24/3", "10.1.0.1-1e3", "10.1.0.1-²", "1" * 5000, "10.0.0.0/20 10.1.0.0/20"),
    ],
)
def test_what_is_no_range_or_too_large_a_one_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        addresses_of(text)
    assert len(str(caught.value)) < 300


def test_own_networks_can_be_looked_through() -> None:
    for network in own_networks():
        assert 0 < len(addresses_of(network)) <= MOST


def looked(port: int, known: list[Machine], hosts: tuple[str, ...] = ("127.0.0.1",)) -> object:
    async def work() -> tuple[list[SweepFind], SweepProgress, list[SweepProgress]]:
        found: list[SweepFind] = []
        steps: list[SweepProgress] = []
        return found, await sweep(hosts, port, known, found.append, steps.append), steps

    return work()


def paired(identity: Identity, host: str, port: int, name: str = "lab-1") -> Machine:
    return Machine(
        name=name, host=host, port=port, fingerprint=identity.fingerprint, certificate_pem=identity.certificate_pem
    )


def test_agents_are_told_apart_by_pairing_and_by_who_is_known(
    tmp_path: Path, identities: tuple[Identity, list[Identity]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_sweep, "SILENCE_S", 0.25)
    agent = Agent(tmp_path / "agent", identities[1][0])
    other = identities[1][1]

    async def scenario() -> None:
        async with agent.running():
            [find], end, _steps = await looked(agent.port, [])
            assert (find.kind, find.name, find.is_pairing_open, find.machine) == (SweepKind.AGENT, "lab", False, None)
            assert find.fingerprint == agent.identity.fingerprint
            assert (end.total, end.done, end.found, end.refused, end.silent) == (1, 1, 1, 0, 0)
            agent.open_pairing()
            [find], _end, _steps = await looked(agent.port, [])
            assert find.is_pairing_open is True
            [find], _end, _steps = await looked(agent.port, [paired(agent.identity, "127.0.0.1", agent.port)])
            assert (find.kind, find.machine) == (SweepKind.KNOWN, "lab-1")
            [find], _end, _steps = await looked(agent.port, [paired(agent.identity, "10.9.9.9", 1)])
            assert (find.kind, find.machine) == (SweepKind.KNOWN, "lab-1")
            assert "10.9.9.9:1" in find.text
            [find], _end, _steps = await looked(agent.port, [paired(other, "127.0.0.1", agent.port)])
            assert (find.kind, find.machine) == (SweepKind.AGENT, "lab-1")
            assert "another agent" in find.text

    asyncio.run(scenario())
    assert not agent.consoles.listed(), "nothing was paired"
    log = agent.audit_path.read_text() if agent.audit_path.exists() else ""
    assert "pairing" not in log, "no try was made"


@contextlib.asynccontextmanager
async def listening(handle: Handle, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    done: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        done.append(writer)
        with contextlib.suppress(OSError):
            await handle(reader, writer)  # type: ignore[misc]  # a coroutine function

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        for writer in done:
            writer.transport.abort()
        server.close()
        await asyncio.sleep(0.05)


async def _greets(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")


async def _says_nothing(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    while await reader.read(1000):
        pass


async def _floods(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"\xff" * 65536)
        await writer.drain()


async def _speaks_json(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(encode_frame(JSON_FRAME, messages.encode_notification("welcome", messages.NotTrusted())))


@pytest.mark.parametrize("handle", [_greets, _says_nothing, _floods])
def test_another_program_is_something_else(handle: Handle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_sweep, "HANDSHAKE_S", 0.3)

    async def scenario() -> None:
        async with listening(handle) as port:
            [find], _end, _steps = await looked(port, [])
            assert (find.kind, find.name, find.fingerprint) == (SweepKind.OTHER, "", None)

    asyncio.run(scenario())


@pytest.mark.parametrize("handle", [_floods, _speaks_json])
def test_an_agents_certificate_alone_makes_no_agent(
    handle: Handle, identities: tuple[Identity, list[Identity]]
) -> None:
    context = agent_context(identities[1][0], [])

    async def scenario() -> None:
        async with listening(handle, context) as port:
            [find], _end, _steps = await looked(port, [])
            assert find.kind is SweepKind.OTHER

    asyncio.run(scenario())


def test_where_nothing_listens_nothing_is_found() -> None:
    async def scenario() -> None:
        async with listening(_greets) as port:
            pass
        found, end, steps = await looked(port, [], tuple(f"127.0.1.{number}" for number in range(1, 201)))
        assert not found
        assert (end.total, end.refused, end.silent) == (200, 200, 0)
        assert [step.done for step in steps] == list(range(1, 201))

    asyncio.run(scenario())


def test_a_sweep_asks_no_more_than_64_at_once_and_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    running: list[str] = []
    most: list[int] = []

    async def slow(host: str, _port: int, _timeout_s: float) -> None:
        running.append(host)
        most.append(len(running))
        try:
            await asyncio.sleep(30)
        finally:
            running.remove(host)

    monkeypatch.setattr(agent_sweep, "open_socket", slow)

    async def scenario() -> float:
        task = asyncio.ensure_future(looked(1, [], tuple(addresses_of("10.0.0.0/22"))))  # type: ignore[call-overload]  # a coroutine of the test
        await asyncio.sleep(0.05)
        task.cancel()
        start_s = time.monotonic()
        await asyncio.wait([task])
        return time.monotonic() - start_s

    assert asyncio.run(scenario()) < 1
    assert max(most) == agent_sweep.AT_ONCE
    assert not running


def test_the_name_in_a_certificate_is_fit_to_be_shown(tmp_path: Path) -> None:
    identity = ensure_identity(tmp_path / "agent", "<b>\x1b[2J\u202eevil\n" + "x" * 40)
    der = ssl.PEM_cert_to_DER_cert(identity.certificate_pem)
    shown = agent_name(der)
    assert shown is not None
    assert shown.isprintable()
    assert len(shown) <= 64
    for cut in range(0, len(der), 7):
        assert agent_name(der[:cut]) is None
    assert agent_name(b"\x30\x82\xff\xff" * 4000) is None
