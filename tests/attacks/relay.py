"""A TCP relay that can be cut: with FIN, with RST, or without a word. What it carries is TLS to it."""

from __future__ import annotations

import asyncio
import socket
import struct


class Relay:
    """Carries octets between whoever comes and a port of 127.0.0.1."""

    def __init__(self, port: int) -> None:
        self.port = 0
        self.carried = 0
        self._to = port
        self._pairs: list[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = []
        self._dead: set[asyncio.StreamWriter] = set()
        self._is_holding = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Relay:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_error: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.reset()
        await asyncio.sleep(0.02)

    def hold(self) -> None:
        """Carry nothing more to the agent on the links there are; what comes back goes on."""
        self._is_holding = True

    def cut(self) -> None:
        """End all links in order, both ends are told."""
        self._forget(lambda writer: writer.close())

    def reset(self) -> None:
        """Break all links, both ends are told at once."""
        self._forget(_reset)

    def black_hole(self) -> None:
        """All links are open and carry nothing any more; new ones are carried."""
        self._is_holding = False
        for pair in self._pairs:
            self._dead.update(pair)

    def _forget(self, end: object) -> None:
        pairs, self._pairs = self._pairs, []
        self._is_holding = False
        for pair in pairs:
            for writer in pair:
                self._dead.add(writer)
                end(writer)  # type: ignore[operator]  # a function of a writer

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        there_reader, there = await asyncio.open_connection("127.0.0.1", self._to)
        pair = (writer, there)
        self._pairs.append(pair)
        self.carried += 1
        try:
            await asyncio.gather(self._pump(reader, there, is_to_agent=True), self._pump(there_reader, writer))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            if pair in self._pairs:
                self._pairs.remove(pair)
            for end in pair:
                end.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_to_agent: bool = False
    ) -> None:
        while data := await reader.read(65536):
            if writer in self._dead or (is_to_agent and self._is_holding):
                continue
            writer.write(data)
        if writer not in self._dead:
            writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    if raw is not None and raw.fileno() >= 0:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
