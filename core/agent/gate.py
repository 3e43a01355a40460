"""The agent's port: takes links in, within limits.

Links that have not shown a trusted certificate are few at any time (128, and 32 of one address): one more pushes the
oldest one of the busiest address out, so that a thousand idle links never keep a paired console waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Iterable

from core.agent.link import AgentLink
from core.transport.address import shown_address
from core.transport.handshake import shaken
from core.transport.listener import open_listener

log = logging.getLogger("beffroi.agent")

STRANGERS_AT_MOST = 128
STRANGERS_OF_AN_ADDRESS = 32
HANDSHAKE_TIMEOUT_S = 5.0
SHUTDOWN_TIMEOUT_S = 2.0


class Gate:
    """The listener of an agent and the handshakes that go on at it; owned by the agent's loop."""

    def __init__(
        self,
        context: ssl.SSLContext,
        new_link: Callable[[str], AgentLink],
        strangers: Callable[[], Iterable[AgentLink]],
    ) -> None:
        """`new_link` gets the peer's address; `strangers` tells the links that have shown no trusted certificate."""
        self.handshakes: dict[asyncio.Task[None], str] = {}
        self._context = context
        self._new_link = new_link
        self._strangers = strangers
        self._listener: socket.socket | None = None

    def listen(self, host: str, port: int) -> tuple[str, int]:
        """Bind; the address that consoles can reach. Raises PortInUseError, HostUnknownError, TransportError."""
        self._listener = listener = open_listener(shown_address(host, port))
        bound_host, bound_port = listener.getsockname()[:2]
        return bound_host, bound_port

    def close(self) -> list[asyncio.Task[None]]:
        """Take nobody in any more; the handshakes that are given up, to be waited for."""
        if self._listener is not None:
            self._listener.close()
        handshakes = list(self.handshakes)
        for task in handshakes:
            self._give_up(task)
        return handshakes

    async def accept(self) -> None:
        """Take links in until cancelled."""
        assert self._listener is not None
        loop = asyncio.get_running_loop()
        while True:
            try:
                link, address = await loop.sock_accept(self._listener)
            except OSError as error:
                log.warning("no link can be taken in: %s", error)
                await asyncio.sleep(0.2)
                continue
            host = str(address[0])
            self._make_room(host)
            task = loop.create_task(self._shake_hands(link, host))
            self.handshakes[task] = host
            task.add_done_callback(lambda ended: self.handshakes.pop(ended, None))
            # A link that waits already is taken in without a turn of the loop: those pushed out could never close.
            await asyncio.sleep(0)

    def _make_room(self, host: str) -> None:
        """Push the oldest stranger out where one more is too many."""
        strangers: list[tuple[str, asyncio.Task[None] | AgentLink]] = [
            (address, task) for task, address in self.handshakes.items()
        ]
        strangers += [(link.address, link) for link in self._strangers()]
        counts = Counter(address for address, _stranger in strangers)
        if counts[host] < STRANGERS_OF_AN_ADDRESS and len(strangers) < STRANGERS_AT_MOST:
            return
        busiest = host if counts[host] >= STRANGERS_OF_AN_ADDRESS else counts.most_common(1)[0][0]
        for address, stranger in strangers:
            if address == busiest:
                if isinstance(stranger, AgentLink):
                    stranger.abort()
                else:
                    self._give_up(stranger)
                return

    def _give_up(self, handshake: asyncio.Task[None]) -> None:
        """Cancel a handshake, but not before it has begun: only then its socket has an owner that closes it."""
        self.handshakes.pop(handshake, None)
        asyncio.get_running_loop().call_soon(handshake.cancel)

    async def _shake_hands(self, link: socket.socket, host: str) -> None:
        try:
            link.setblocking(False)
            _watch_for_silence(link)
            await shaken(
                asyncio.get_running_loop().connect_accepted_socket(
                    lambda: self._new_link(host),
                    link,
                    ssl=self._context,
                    ssl_handshake_timeout=HANDSHAKE_TIMEOUT_S,
                    ssl_shutdown_timeout=SHUTDOWN_TIMEOUT_S,
                )
            )
        except ssl.SSLCertVerificationError as error:
            log.info("a certificate that is not pinned was refused from %s: %s", host, error.verify_message)
        except (OSError, ssl.SSLError) as error:
            log.info("handshake with %s failed: %s", host, error)


def _watch_for_silence(link: socket.socket) -> None:
    """Let the kernel find out that a console is gone, within about a minute."""
    link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 30_000)):
        option = getattr(socket, name, None)
        if option is not None:
            with contextlib.suppress(OSError):
                link.setsockopt(socket.IPPROTO_TCP, option, value)
