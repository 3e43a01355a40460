r"""What a client of ours and the room say to each other: one JSON object a line, both ways.

It begins with a hello that a plain server understands too: `Hello|NAME|ROOM|{"beffroi":1,"id":"…"}` and a newline. A
server of ours answers with `{"event":"welcome",…}`; any other goes on with plain lines. An unknown key is ignored.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from core.errors import RemoteProtocolError
from core.language import _
from core.protocol.chat_text import clean_name
from core.site_records import ChatLine

VERSION = 1


class Extension(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Fourth field of our hello. `id` is the client's own for this server and this name, told to nobody else."""

    beffroi: Annotated[int, Meta(ge=1)]
    id: Annotated[str, Meta(max_length=128)] = ""


class Say(Struct, frozen=True, kw_only=True, tag_field="do", tag="say", omit_defaults=True):
    """Say `text`; `link` as in ChatLine."""

    text: str
    link: Annotated[str, Meta(max_length=250)] | None = None


class Move(Struct, frozen=True, kw_only=True, tag_field="do", tag="room"):
    """Go to another room; answered by a welcome there."""

    room: str


class Bye(Struct, frozen=True, kw_only=True, tag_field="do", tag="bye"):
    """Leave."""


class Stop(Struct, frozen=True, kw_only=True, tag_field="do", tag="stop", omit_defaults=True):
    """End the server, by the `stop_proof` of its home or by its stop word."""

    proof: Annotated[str, Meta(max_length=64)] = ""
    word: Annotated[str, Meta(max_length=200)] = ""


Ask = Say | Move | Bye | Stop


class Welcome(Struct, frozen=True, kw_only=True, tag_field="event", tag="welcome"):
    """You are in `room` as `name`, with these people; `lines` are the last ones said there, oldest first.

    `is_back` tells that this id was here before (*Welcome back*). `challenge` goes into the proof of `Stop`.
    """

    name: str
    room: str
    time_s: float
    challenge: str
    is_back: bool = False
    present: tuple[str, ...] = ()
    rooms: dict[str, int] = {}
    lines: tuple[ChatLine, ...] = ()


class Told(Struct, frozen=True, kw_only=True, tag_field="event", tag="line"):
    """A line of the room, the client's own too. `joined` and `left` lines tell who is present."""

    line: ChatLine


class Notice(Struct, frozen=True, kw_only=True, tag_field="event", tag="notice"):
    """Something for this client alone, in words: another name than asked for, a refusal, too many lines."""

    code: str
    text: str


class Ended(Struct, frozen=True, kw_only=True, tag_field="event", tag="end"):
    """The server ends."""

    text: str = ""


ServerEvent = Welcome | Told | Notice | Ended

_encode = msgspec.json.Encoder().encode
_asks: msgspec.json.Decoder[Ask] = msgspec.json.Decoder(Ask)
_events: msgspec.json.Decoder[ServerEvent] = msgspec.json.Decoder(ServerEvent)


def encode_line(message: Ask | ServerEvent) -> bytes:
    """`message` as it goes over the wire, with its newline."""
    return _encode(message) + b"\n"


def encode_hello(name: str, room: str, client_id: str) -> bytes:
    """The first line of a client of ours."""
    extension = _encode(Extension(beffroi=VERSION, id=client_id)).decode()
    return f"Hello|{clean_name(name)}|{clean_name(room)}|{extension}\n".encode()


def parse_ask(text: str) -> Ask:
    """What a client of ours wants; raises RemoteProtocolError."""
    try:
        return _asks.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise RemoteProtocolError(
            _("a request of a chat client cannot be read: {reason}").format(reason=error)
        ) from None


def parse_event(text: str) -> ServerEvent | None:
    """What a server of ours tells; None where `text` is no event of ours."""
    try:
        return _events.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def client_id(secret: bytes, address: str, name: str) -> str:
    """The id of `name` of this home at the server `address`: another server learns nothing from it."""
    return hmac.new(secret, f"id|{address}|{name}".encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def stop_proof(secret: bytes, challenge: str) -> str:
    """What shows the server that `arret` comes from its own home; the secret itself never travels."""
    return hmac.new(secret, f"stop|{challenge}".encode("utf-8", "replace"), hashlib.sha256).hexdigest()
