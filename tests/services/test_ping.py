"""What pings promise, on the loopback of this machine."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from pathlib import Path

import pytest

from core.errors import NoRouteError, TransportError
from core.services.ping import Pinger, _Link, checksum

HERE = (socket.AF_INET, ("127.0.0.1", 0))
HERE_6 = (socket.AF_INET6, ("::1", 0, 0, 0))


def can_ping(family: int) -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            socket.socket(
                family, kind, socket.IPPROTO_ICMP if family == socket.AF_INET else socket.IPPROTO_ICMPV6
            ).close()
        except OSError:
            continue
        return True
    return False


needs_socket = pytest.mark.skipif(not can_ping(socket.AF_INET), reason="this user may open no ICMP socket")


def test_checksum() -> None:
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0x220D
    assert checksum(b"\x01") == 0xFEFF


@needs_socket
@pytest.mark.parametrize("place", [HERE, HERE_6])
def test_this_machine_answers(place) -> None:
    async def run() -> float:
        pinger = Pinger()
        try:
            return await pinger.ping(place, 5)
        finally:
            pinger.close()

    if place is HERE_6 and not can_ping(socket.AF_INET6):
        pytest.skip("no IPv6 here")
    assert 0 < asyncio.run(run()) < 5000


@needs_socket
def test_hundreds_are_in_flight_over_one_socket() -> None:
    async def run() -> list[float]:
        pinger = Pinger()
        try:
            found = await asyncio.gather(
                *(pinger.ping((socket.AF_INET, (f"127.0.{n // 250}.{n % 250 + 1}", 0)), 10) for n in range(500))
            )
            assert len(pinger._links) == 1
            return found
        finally:
            pinger.close()

    assert len(asyncio.run(run())) == 500


def link_that_waits() -> tuple[_Link, asyncio.Future]:
    """A link over an ordinary socket, with one ping (number 7) in flight."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    link = _Link(socket.AF_INET, made)
    answered = asyncio.get_running_loop().create_future()
    link._waiting[7] = (answered, asyncio.get_running_loop().time(), "192.0.2.1")
    return link, answered


def test_echoes_of_others_and_garbage_are_not_taken() -> None:
    async def run() -> None:
        link, answered = link_that_waits()
        try:
            content = link._token + (7).to_bytes(2, "big")
            reply = bytes([0, 0, 0, 0, 0, 1, 0, 7])
            for octets in (
                b"",
                b"\0",
                reply,
                reply + b"x" * 18,
                reply + content[:-1],
                b"\x45" + b"\0" * 40,
                b"\x03" * 9,
            ):
                link._take(octets)
            assert not answered.done()
            link._take(b"\x45" + b"\0" * 19 + reply + content)
            assert answered.result() >= 0
        finally:
            link.close()

    asyncio.run(run())


def test_an_error_that_quotes_the_ping_ends_it_at_once() -> None:
    async def run() -> None:
        link, answered = link_that_waits()
        try:
            own = link._identifier.to_bytes(2, "big")
            quoted = b"\x45" + b"\0" * 19 + bytes([8, 0, 0, 0]) + own + bytes([0, 7])
            foreign = b"\x45" + b"\0" * 19 + bytes([8, 0, 0, 0, own[0] ^ 1, own[1], 0, 7])
            link._take(bytes([3, 1, 0, 0, 0, 0, 0, 0]) + foreign)
            assert not answered.done()
            for cut in range(len(quoted)):
                link._take(bytes([3, 1, 0, 0, 0, 0, 0, 0]) + quoted[:cut])
            assert not answered.done()
            link._take(bytes([3, 1, 0, 0, 0, 0, 0, 0]) + quoted)
            assert isinstance(answered.exception(), NoRouteError)
        finally:
            link.close()

    asyncio.run(run())


def program(folder: Path, text: str) -> str:
    path = folder / "ping"
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def by_program(path: str, timeout_s: float = 5.0) -> float:
    async def run() -> float:
        return await Pinger(allow_sockets=False, program=path).ping(HERE, timeout_s)

    return asyncio.run(run())


@pytest.mark.skipif(os.name != "posix", reason="a script with a shebang")
def test_without_a_socket_the_program_of_the_system_is_asked(tmp_path: Path) -> None:
    said = "64 bytes from 127.0.0.1: icmp_seq=1 ttl=64 time=0.042 ms"
    assert by_program(program(tmp_path, f'echo "$@" > "{tmp_path}/words"; echo "{said}"')) == 0.042
    assert (tmp_path / "words").read_text().split()[-1] == "127.0.0.1"
    with pytest.raises(TimeoutError):
        by_program(program(tmp_path, "exit 1"))
    with pytest.raises(NoRouteError):
        by_program(program(tmp_path, 'echo "From 1.2.3.4 Destination Host Unreachable"; exit 1'))


@pytest.mark.skipif(os.name != "posix", reason="a script with a shebang")
def test_a_program_that_hangs_is_ended_with_the_time(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        by_program(program(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 60"), 0.5)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_program_that_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TransportError, match="cannot be started"):
        by_program(str(tmp_path / "none"))
    monkeypatch.setenv("PATH", str(tmp_path))

    async def run() -> None:
        await Pinger(allow_sockets=False).ping(HERE, 1)

    with pytest.raises(TransportError, match="may not ping"):
        asyncio.run(run())
