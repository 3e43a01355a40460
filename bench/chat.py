"""A line to all of a room: 1,000 plain clients of one server, ours and a bare asyncio broadcast, until the last has it.

Servers run in processes of their own; the clients are sockets of this one: `python -m bench.chat ours|bare` serves.
"""

from __future__ import annotations

import asyncio
import resource
import select
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import ClassVar

from bench import Row
from core.config.settings import RoomSettings
from core.services.chat_room import ChatRoom
from core.site_records import ChatLine

CLIENTS = 1_000
DEAF = 100
ROUNDS = 30
GOAL_MS = 100.0
QUIET_S = 1.0


def run() -> list[Row]:
    """A row for all reading, one with 100 that do not."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(16384, hard), hard))
    rows = []
    for deaf in (0, DEAF):
        bare_ms = _measured("bare", deaf)
        ours_ms = _measured("ours", deaf)
        ours, bare = statistics.median(ours_ms), statistics.median(bare_ms)
        rows.append(
            Row(
                f"chat: a line to {CLIENTS:,} clients" + (f", {deaf} of them do not read" if deaf else ""),
                ours,
                bare,
                bare / ours,
                "ms",
                f"≤ {GOAL_MS:g} ms",
                max(ours_ms) <= GOAL_MS,
                f"{ROUNDS} lines, until the last client has it: median {ours:.1f}, longest {max(ours_ms):.1f} ms; "
                f"a bare asyncio broadcast {bare:.1f} and {max(bare_ms):.1f} ms",
            )
        )
    return rows


def _measured(kind: str, deaf: int) -> list[float]:
    """Milliseconds from the sending of a line to its last arrival, for each of the rounds."""
    with _server(kind) as address, _Crowd(address, deaf) as crowd:
        if deaf:
            for number in range(25):  # what deaf clients can hold is full after that
                crowd.round_s(f"filling {number} " + "x" * 12_000)
        return [crowd.round_s(f"line {number} of the bench") * 1000 for number in range(ROUNDS)]


@contextmanager
def _server(kind: str) -> Iterator[tuple[str, int]]:
    with subprocess.Popen([sys.executable, "-m", "bench.chat", kind], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            host, port = server.stdout.readline().split()[-1].rsplit(":", 1)
            yield host, int(port)
        finally:
            server.terminate()


class _Crowd:
    """Clients of one room; the first speaks, the last `deaf` ones never read."""

    def __init__(self, address: tuple[str, int], deaf: int) -> None:
        self._poll = select.epoll()
        self._sockets: list[socket.socket] = []
        self._listeners: dict[int, socket.socket] = {}
        self._tails: dict[int, bytes] = {}
        for number in range(CLIENTS):
            made = socket.socket()
            if number >= CLIENTS - deaf:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
            made.connect(address)
            made.sendall(f"Hello|client {number}\n".encode())
            self._sockets.append(made)
            if number < CLIENTS - deaf:
                made.setblocking(False)
                self._listeners[made.fileno()] = made
                self._poll.register(made.fileno(), select.EPOLLIN)
        while self._poll.poll(QUIET_S) and self._read_all():
            pass

    def __enter__(self) -> _Crowd:
        return self

    def __exit__(self, *_error: object) -> None:
        for made in self._sockets:
            made.close()
        self._poll.close()

    def _read_all(self) -> bool:
        for number, _event in self._poll.poll(0):
            self._listeners[number].recv(1 << 16)
        return True

    def round_s(self, text: str) -> float:
        """Say `text`; seconds until every reader but its author has it."""
        time.sleep(0.1)  # the course's 30 ms between two lines are over
        token = text[:24].encode()
        author = self._sockets[0].fileno()
        waiting = set(self._listeners) - {author}
        self._tails.clear()
        began_s = time.perf_counter()
        self._sockets[0].sendall(f"{text}\n".encode())
        while waiting:
            ready = self._poll.poll(30)
            if not ready:
                raise ValueError(f"{len(waiting)} clients did not get the line")
            for number, _event in ready:
                piece = self._listeners[number].recv(1 << 16)
                if not piece:
                    raise ValueError("the server has closed a link")
                data = self._tails.get(number, b"") + piece
                if token in data and data.endswith(b"\n"):
                    waiting.discard(number)
                self._tails[number] = data
        return time.perf_counter() - began_s


class _Bare(asyncio.Protocol):
    links: ClassVar[set[asyncio.Transport]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.links.add(transport)

    def data_received(self, data: bytes) -> None:
        if not data.startswith(b"Hello|"):
            for other in self.links:
                if other is not self.transport:
                    other.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.links.discard(self.transport)


async def _serve(kind: str) -> None:
    if kind == "bare":
        server = await asyncio.get_running_loop().create_server(_Bare, "127.0.0.1", 0, backlog=1024)
        print("listening on {}:{}".format(*server.sockets[0].getsockname()), flush=True)
        await server.serve_forever()

    def nothing_kept(_room: str) -> Awaitable[list[ChatLine]]:
        return asyncio.sleep(0, [])

    room = ChatRoom(RoomSettings(listen="127.0.0.1:0"), lambda _record: None, operator="bench", last_lines=nothing_kept)
    running = asyncio.create_task(room.run())
    await room.ready()
    print(f"listening on {room.address}", flush=True)
    await running


if __name__ == "__main__":
    hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(16384, hard_limit), hard_limit))
    asyncio.run(_serve(sys.argv[1]))
