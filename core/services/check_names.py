"""Host names looked up without stopping the loop: a few threads of our own, whatever the number of checks.

`getaddrinfo` cannot be cancelled and may take half a minute when the name server is gone. The loop's own pool has six
threads on a small machine and the program waits for them at its end; these are daemons, end when nothing waits, and
one name is looked up once at a time however many ask.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import deque
from collections.abc import Callable

from core.errors import HostUnknownError
from core.language import _

MOST_THREADS = 64
"""Names that do not answer hold a thread for their time-out; beyond so many the others wait for their turn."""

MOST_ADDRESSES = 4

Place = tuple[int, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]
"""Family and address of a host, as socket.connect takes them."""

Resolve = Callable[[str], list[Place]]


def addresses_of(host: str) -> list[Place]:
    """Families and addresses of `host`, port 0; waits for the name server. Raises OSError, UnicodeError."""
    found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)
    places: list[Place] = [(family, address) for family, _type, _number, _name, address in found]
    return list(dict.fromkeys(places))[:MOST_ADDRESSES]


class Names:
    """Looks names up, for one loop."""

    def __init__(self, resolve: Resolve = addresses_of) -> None:
        self._resolve = resolve
        self._door = threading.Lock()
        self._queue: deque[tuple[str, asyncio.Future[list[Place]], asyncio.AbstractEventLoop]] = deque()
        self._threads = 0
        self._under_way: dict[str, asyncio.Future[list[Place]]] = {}

    async def addresses(self, host: str, port: int = 0) -> list[Place]:
        """Where `host` is, with `port`; raises HostUnknownError. An address needs neither server nor thread."""
        try:
            numeric = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
            found: list[Place] = [(numeric[0][0], numeric[0][4])]
        except (OSError, UnicodeError):
            try:
                found = await asyncio.shield(self._asked(host))
            except (OSError, UnicodeError):
                found = []
        if not found:
            raise HostUnknownError(
                _("the name {host} has no address; check how it is written, or give the IP address").format(host=host)
            )
        return [(family, (address[0], port, *address[2:])) for family, address in found]

    def _asked(self, host: str) -> asyncio.Future[list[Place]]:
        asked = self._under_way.get(host)
        if asked is None:
            loop = asyncio.get_running_loop()
            asked = self._under_way[host] = loop.create_future()
            asked.add_done_callback(lambda done: self._forget(host, done))
            with self._door:
                self._queue.append((host, asked, loop))
                if self._threads < MOST_THREADS:
                    self._threads += 1
                    threading.Thread(target=self._work, name="check-names", daemon=True).start()
        return asked

    def _forget(self, host: str, done: asyncio.Future[list[Place]]) -> None:
        self._under_way.pop(host, None)
        if not done.cancelled():
            done.exception()  # nobody may be waiting any more

    def _work(self) -> None:
        """In a thread: look up what waits, then end."""
        while True:
            with self._door:
                if not self._queue:
                    self._threads -= 1
                    return
                host, asked, loop = self._queue.popleft()
            found: list[Place] | Exception
            try:
                found = self._resolve(host)
            except (OSError, UnicodeError) as error:
                found = error
            try:
                loop.call_soon_threadsafe(_settle, asked, found)
            except RuntimeError:  # the loop is closed: whoever asked is gone
                continue


def _settle(asked: asyncio.Future[list[Place]], found: list[Place] | Exception) -> None:
    if asked.done():
        return
    if isinstance(found, Exception):
        asked.set_exception(found)
    else:
        asked.set_result(found)
