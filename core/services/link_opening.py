"""Opens a link to an agent: connect, shake hands, compare its certificate, say hello.

`core.services.agent_link` is the link itself. All of it happens in the loop's thread.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable

from core.errors import NotAnAgentError, NotTrustedError, TransportError
from core.language import _
from core.protocol.messages import Hello, StatusMessage
from core.records import Machine
from core.services.agent_link import AgentLink, CommandListener, EndedBeforeHelloError
from core.transport.handshake import shaken
from core.transport.identity import same_fingerprint
from core.transport.tcp import open_socket

HANDSHAKE_TIMEOUT_S = 4.0
_STOPPING_S = 0.3
"""An agent that ends closes its port and its links in this time, in whatever order."""
_SLOT_S = 0.5
"""A handshake that takes longer waits for a slow peer and costs no processor time: it gives its slot back."""


async def open_link(
    machine: Machine,
    context: ssl.SSLContext,
    slots: asyncio.Semaphore,
    on_status: Callable[[StatusMessage], None],
    commands: CommandListener,
    hello: Hello,
) -> AgentLink:
    """A link on which both ends have said hello.

    Raises HostUnknownError, NoRouteError, NothingListensError, NotAnAgentError, NotTrustedError and other
    BeffroiErrors. `slots` bounds the handshakes that run at once; waiting for TCP takes none.
    """
    if machine.fingerprint is None:
        raise NotTrustedError(_("{machine} is not paired yet").format(machine=machine.name))

    async def attempt() -> AgentLink:
        return await _open_once(machine, context, slots, lambda: AgentLink(machine, on_status, commands), hello)

    try:
        return await attempt()
    except EndedBeforeHelloError:
        # One that merely stops listens no more, or is back: ask once again before the trust is doubted.
        await asyncio.sleep(_STOPPING_S)
        return await attempt()


async def _open_once(
    machine: Machine, context: ssl.SSLContext, slots: asyncio.Semaphore, make: Callable[[], AgentLink], hello: Hello
) -> AgentLink:
    peer = await open_socket(machine.host, machine.port)
    link = await _handshake(machine, context, slots, make, peer)
    try:
        shown = link.peer_fingerprint()
        if shown is None or machine.fingerprint is None or not same_fingerprint(shown, machine.fingerprint):
            raise _another_agent(machine)
        await link.greet(hello)
    except BaseException:
        link.close()
        raise
    return link


async def _handshake(
    machine: Machine,
    context: ssl.SSLContext,
    slots: asyncio.Semaphore,
    make: Callable[[], AgentLink],
    peer: socket.socket,
) -> AgentLink:
    loop = asyncio.get_running_loop()
    address = machine.address
    try:
        await slots.acquire()
    except BaseException:
        peer.close()
        raise
    slot = _Slot(slots)
    timer = loop.call_later(_SLOT_S, slot.give_back)
    link: AgentLink | None = None
    try:
        opening = loop.create_connection(
            make,
            sock=peer,
            ssl=context,
            server_hostname="",
            ssl_handshake_timeout=HANDSHAKE_TIMEOUT_S,
            ssl_shutdown_timeout=1.0,
        )
        link = (await shaken(opening))[1]
    except ssl.SSLCertVerificationError:
        raise _another_agent(machine) from None
    except (ConnectionAbortedError, TimeoutError):
        # asyncio says so when the handshake takes too long
        raise NotAnAgentError(
            _("{address} takes links and says nothing: its agent hangs, or something else listens there").format(
                address=address
            )
        ) from None
    except (ssl.SSLError, ConnectionError) as error:
        raise NotAnAgentError(
            _("what answers at {address} is not a Beffroi agent ({reason})").format(
                address=address, reason=getattr(error, "reason", None) or error or type(error).__name__
            )
        ) from None
    except OSError as error:
        raise TransportError(
            _("the link to {address} broke: {reason}").format(address=address, reason=error.strerror or error)
        ) from None
    finally:
        timer.cancel()
        slot.give_back()
        if link is None:
            peer.close()
    return link


class _Slot:
    """One of the handshakes that may run at once, given back once."""

    __slots__ = ("_slots",)

    def __init__(self, slots: asyncio.Semaphore) -> None:
        self._slots: asyncio.Semaphore | None = slots

    def give_back(self) -> None:
        if self._slots is not None:
            self._slots.release()
            self._slots = None


def _another_agent(machine: Machine) -> NotTrustedError:
    return NotTrustedError(
        _(
            "the agent at {address} is not the one that was paired: it shows another certificate; "
            "if it was installed anew, remove {machine} and pair it again"
        ).format(address=machine.address, machine=machine.name)
    )
