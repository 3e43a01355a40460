"""The short driver between any meter session and any port: it does what the session asks for, and tells the rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from core.protocol.parity import with_even_parity, without_parity
from core.protocol.session import NEED_DATA, Finished, Rejected, Session, SetLine, Told, Transmit
from core.transport.line import LineSettings, Port


async def conversation(session: Session, port: Port) -> AsyncGenerator[Told | Rejected | SetLine | Finished, None]:
    """What `session` tells while it speaks over `port`, up to `Finished`; raises TransportError.

    The clock of the session is that of the running loop. Leaving the iteration, or cancelling it, sends nothing more.
    """
    loop = asyncio.get_running_loop()
    has_parity = False
    while True:
        while (event := session.next_event()) is not NEED_DATA:
            if isinstance(event, Transmit):
                await port.write(with_even_parity(event.data) if has_parity and not port.carries_parity else event.data)
                session.receive_data(b"", loop.time())
                continue
            if isinstance(event, SetLine):
                port.set_line(LineSettings(event.baud, event.data_bits, event.parity))
                has_parity = event.data_bits == 7 and event.parity == "E"
            yield event
            if isinstance(event, Finished):
                return
        deadline_s = session.next_deadline()
        data = await port.read(None if deadline_s is None else max(0.0, deadline_s - loop.time()))
        session.receive_data(without_parity(data) if has_parity else data, loop.time())
