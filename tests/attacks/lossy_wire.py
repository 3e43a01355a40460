"""A wire between two network interfaces that delays each frame and loses some, for kernels without netem.

    python tests/attacks/lossy_wire.py NAME NAME DELAY_S LOSS

makes two TAP interfaces, prints `ready`, and carries frames between them until it is ended. What is lost is drawn from
a fixed seed: every run loses the same share.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import random
import struct
import sys

_TUNSETIFF = 0x400454CA
_TAP, _NO_INFORMATION = 0x0002, 0x1000


def tap(name: str) -> int:
    """A new TAP interface; gone with its descriptor."""
    opened = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(opened, _TUNSETIFF, struct.pack("16sH", name.encode(), _TAP | _NO_INFORMATION))
    return opened


async def carry(one: int, other: int, delay_s: float, loss: float) -> None:
    """For ever."""
    loop = asyncio.get_running_loop()
    drawn = random.Random(1)

    def write(to: int, frame: bytes) -> None:
        with contextlib.suppress(OSError):  # the interface is down
            os.write(to, frame)

    def read(source: int, to: int) -> None:
        with contextlib.suppress(OSError):
            while frame := os.read(source, 65536):
                if drawn.random() >= loss:
                    loop.call_later(delay_s, write, to, frame)

    loop.add_reader(one, read, one, other)
    loop.add_reader(other, read, other, one)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    first, second, delay, share = sys.argv[1:5]
    asyncio.run(carry(tap(first), tap(second), float(delay), float(share)))
