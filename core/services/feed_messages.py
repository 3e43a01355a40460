"""What goes over the feed between `collect` and a window, and how it is framed.

A message is `u32 length | MessagePack`, the length big-endian. To the window go pairs of a kind and its value: first
`Welcome` or `Refusal`, then records, an `Answered` for each question, `Losses`, and `alive` when there is nothing else
to say. To `collect` go the tagged structs of this file.

Where a feed is, and the token that a reader must show, stand in `collect.feed` (0600).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path
from typing import Any, get_args

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from core.errors import RemoteProtocolError
from core.home import Home
from core.records import CommandProgress, CommandRequest, MachineReport
from core.requests import Request
from core.site_records import Record

VERSION = 1
PERIOD_S = 0.05
"""Between two deliveries to a window."""

ALIVE_S = 2.0
"""A reader hears something so often; after `SILENT_S` without it, it gives the feed up."""
SILENT_S = 10.0
GREETING_S = 5.0
"""A reader must have shown its token by then."""
READERS = 16
QUESTIONS = 64
"""Of one reader that are carried out at a time."""
TO_WINDOW_LIMIT = 16 << 20
TO_COLLECT_LIMIT = 1 << 20
"""Octets of one message."""
CHUNK = 256 << 10
UNIX_PATH_LIMIT = 100
"""Octets: Linux takes 107, others 103."""

log = logging.getLogger("beffroi.feed")


class Greeting(Struct, frozen=True, kw_only=True, tag="greeting"):
    """The first message of a window: what it read in `collect.feed`, and who sits before it."""

    version: int
    token: str
    operator: str


class Shown(Struct, frozen=True, kw_only=True, tag="shown"):
    """The machines on screen, which are polled more often."""

    machines: tuple[str, ...]


class PollNow(Struct, frozen=True, kw_only=True, tag="poll"):
    """Poll these machines at once; all for None."""

    machines: tuple[str, ...] | None


class Asked(Struct, frozen=True, kw_only=True, tag="asked"):
    """A request; `number` comes back with its answer."""

    number: int
    request: Request


class Told(Struct, frozen=True, kw_only=True, tag="told"):
    """What the window did itself and the room may want to hear: a command that it sent, how it ended on a machine."""

    request: CommandRequest | None = None
    progress: CommandProgress | None = None


class Answered(Struct, frozen=True, kw_only=True):
    """How a request ended; `error` in the user's words."""

    number: int
    error: str | None = None


class Refusal(Struct, frozen=True, kw_only=True):
    """Why a reader is sent away."""

    reason: str


class Welcome(Struct, frozen=True, kw_only=True):
    """A reader is taken; `pid` is the process that collects."""

    pid: int


class Losses(Struct, frozen=True, kw_only=True):
    """Records that this reader was too slow for, since it came."""

    count: int


FromWindow = Greeting | Shown | PollNow | Asked | Told

_KINDS: dict[str, type] = {kind.__name__: kind for kind in (*get_args(Record), Answered, Refusal, Welcome, Losses)}
_DECODERS: dict[str, msgspec.msgpack.Decoder[Any]] = {
    name: msgspec.msgpack.Decoder(kind) for name, kind in _KINDS.items()
}
_envelope_decoder = msgspec.msgpack.Decoder(tuple[str, Raw])
_window_decoder: msgspec.msgpack.Decoder[FromWindow] = msgspec.msgpack.Decoder(FromWindow)
_encoder = msgspec.msgpack.Encoder()
encode = _encoder.encode
ALIVE = encode(("alive", None))


def feed_path(home: Home) -> Path:
    """Where the feed of a home is announced."""
    return home.path / "collect.feed"


def socket_path(home: Home) -> Path:
    """Its Unix socket."""
    return home.path / "collect.sock"


def frame(payload: bytes) -> bytes:
    """The octets of a message."""
    return len(payload).to_bytes(4, "big") + payload


async def read_frame(stream: asyncio.StreamReader, limit: int) -> bytes:
    """The payload of the next frame; raises EOFError at the end, RemoteProtocolError above `limit`."""
    length = int.from_bytes(await stream.readexactly(4), "big")
    if length > limit:
        raise RemoteProtocolError(f"a message of the feed has {length} octets; {limit} are allowed")
    return await stream.readexactly(length)


def value_frame(value: object) -> bytes:
    """The frame of a value to a window."""
    return frame(encode((type(value).__name__, value)))


def record_frame(record: Record) -> bytes:
    """The frame of a record, empty for one that cannot be sent: text that is no Unicode, or beyond any size."""
    kind = type(record).__name__
    with contextlib.suppress(UnicodeEncodeError):
        payload = encode((kind, record))
        if len(payload) > TO_WINDOW_LIMIT and isinstance(record, MachineReport):
            payload = encode((kind, replace(record, late_statuses=())))
        if len(payload) <= TO_WINDOW_LIMIT:
            return frame(payload)
    log.warning("a %s could not be sent to a window", kind)
    return b""


def value_of(payload: bytes) -> Any:
    """What a message to a window holds; None for `alive`. Raises RemoteProtocolError."""
    try:
        kind, raw = _envelope_decoder.decode(payload)
        decoder = _DECODERS.get(kind)
        return None if decoder is None else decoder.decode(raw)
    except msgspec.MsgspecError as error:
        raise RemoteProtocolError(f"a message of the feed cannot be read: {error}") from error


def message_of(payload: bytes) -> FromWindow:
    """What a window sent. Raises RemoteProtocolError."""
    try:
        return _window_decoder.decode(payload)
    except msgspec.MsgspecError as error:
        raise RemoteProtocolError(f"a message of a window cannot be read: {error}") from error
