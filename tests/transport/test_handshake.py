"""A handshake that is cancelled leaves nothing open, whenever that happens."""

from __future__ import annotations

import asyncio
import gc
import socket

import pytest

from core.transport.handshake import shaken
from core.transport.identity import ensure_identity
from core.transport.tls import agent_context, console_context


@pytest.fixture(scope="module")
def identity(tmp_path_factory):
    return ensure_identity(tmp_path_factory.mktemp("one") / "id", "lab")


@pytest.mark.parametrize("is_agent", [True, False])
@pytest.mark.parametrize("turns", range(1, 6))
def test_a_handshake_is_cancelled_in_whatever_turn(identity, turns, is_agent):
    """What is left open is a warning, and thereby an error of this test."""

    async def talk():
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        if is_agent:
            opening = loop.connect_accepted_socket(asyncio.Protocol, ours, ssl=agent_context(identity, []))
        else:
            context = console_context(identity, [identity.certificate_pem])
            opening = loop.create_connection(asyncio.Protocol, sock=ours, ssl=context, server_hostname="")
        task = asyncio.ensure_future(shaken(opening))
        for _turn in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for _turn in range(3):
            await asyncio.sleep(0)
        theirs.close()
        ours.close()

    asyncio.run(talk())
    gc.collect()
