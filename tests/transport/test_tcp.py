"""Connected sockets, and in words why there is none."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from core.errors import HostUnknownError, NoRouteError, NothingListensError
from core.transport import tcp


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def refusing_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def connected_to(host: str, port: int) -> int:
    """Port at the other end of the socket."""
    with await tcp.open_socket(host, port, 1.0) as made:
        assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        peer: int = made.getpeername()[1]
        return peer


def test_an_address_is_connected(listening: socket.socket) -> None:
    port = listening.getsockname()[1]
    assert asyncio.run(connected_to("127.0.0.1", port)) == port


def test_a_port_where_nothing_listens_is_named() -> None:
    port = refusing_port()
    with pytest.raises(NothingListensError, match=f"127.0.0.1:{port}"):
        asyncio.run(connected_to("127.0.0.1", port))


def test_a_name_without_an_address_is_named() -> None:
    with pytest.raises(HostUnknownError, match=r"no\.\.such"):
        asyncio.run(connected_to("no..such..host", 1))


def test_the_next_address_of_a_name_is_tried(listening: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    port = listening.getsockname()[1]

    async def two(_loop: object, _host: str, _port: int) -> list[object]:
        return [(socket.AF_INET, ("127.0.0.1", refusing_port())), (socket.AF_INET, ("127.0.0.1", port))]

    monkeypatch.setattr(tcp, "_addresses", two)
    assert asyncio.run(connected_to("two.example", 1)) == port


def test_an_address_that_does_not_answer_is_given_up_in_time(
    listening: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_arguments: object) -> None:
        await asyncio.sleep(60)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "sock_connect", never)
        await tcp.open_socket("127.0.0.1", listening.getsockname()[1], 0.05)

    with pytest.raises(NoRouteError, match="does not answer"):
        asyncio.run(main())


def test_a_name_server_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_arguments: object) -> list[object]:
        await asyncio.sleep(60)
        return []

    monkeypatch.setattr(tcp, "_addresses", never)
    monkeypatch.setattr(tcp, "LOOKUP_TIMEOUT_S", 0.05)
    with pytest.raises(HostUnknownError, match="name server"):
        asyncio.run(connected_to("slow.example", 1))
