r"""The course's chat protocol, from the server's side: bytes of one client in, messages out; and the lines it is told.

A plain client sends bare UTF-8 without an end: a message ends at a newline or after 50 ms without bytes, one over
64 KiB is taken in pieces of 64 KiB. The first message is `Hello|NAME` or `Hello|NAME|ROOM`; `Hello` alone is answered
by `Hello IP:PORT`. A client of ours adds a fourth field, `{"beffroi":1,…}`: from there on both sides send one JSON
object a line (`core.protocol.chat_events`). No I/O and no clock: `now_s` is any monotonic clock of the caller's.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import msgspec

from core.errors import RemoteProtocolError
from core.language import _
from core.protocol.chat_events import Extension
from core.protocol.session import NEED_DATA, NeedData

SILENCE_S = 0.05
"""A plain client's message ends after so long without bytes."""

LETTER_S = 0.5
"""…but a letter that is cut in the middle is waited for so long."""

PIECE_BYTES = 64 * 1024
"""A longer message is relayed in pieces of so many bytes."""

OBJECT_BYTES = 4 * PIECE_BYTES
"""A client of ours may send a line of so many bytes."""

_MARK = b'|{"beffroi":'
_HTTP = re.compile(r"[A-Z]{3,8} \S{1,2000} HTTP/\d(?:\.\d)?")
_TLS = b"\x16\x03"
_decode_extension = msgspec.json.Decoder(Extension).decode


@dataclass(frozen=True, slots=True)
class Greeting:
    """`Hello` alone, as the first message: to be answered by `Hello IP:PORT`."""


@dataclass(frozen=True, slots=True)
class Joining:
    """`Hello|NAME` or `Hello|NAME|ROOM`; both as sent. `extension` is there where a client of ours says hello."""

    name: str
    room: str = ""
    extension: Extension | None = None


@dataclass(frozen=True, slots=True)
class Leaving:
    """`bye`."""


@dataclass(frozen=True, slots=True)
class Stopping:
    """`arret`, or `arret WORD`: the server shall end."""

    word: str = ""


@dataclass(frozen=True, slots=True)
class Stranger:
    """The first message is of another protocol: HTTP, TLS."""

    protocol: str


@dataclass(frozen=True, slots=True)
class Saying:
    """Anything else: to be relayed."""

    text: str


Message = Greeting | Joining | Leaving | Stopping | Stranger | Saying


class MessageStream:
    """The messages in the bytes of one client, as texts.

    `is_framed` is set by who has read the hello of a client of ours: then only a newline ends a message. Bytes stay
    bytes until their message is asked for: as texts they would be twenty times larger where a client is read slowly.
    """

    def __init__(self) -> None:
        self.is_framed = False
        self._buffer = bytearray()
        self._searched = 0
        self._heard_s = 0.0
        self._back: str | None = None
        self._is_first = True

    def receive_data(self, data: bytes, now_s: float) -> None:
        """Take bytes in (none: only the time has passed)."""
        if data:
            self._buffer += data
            self._heard_s = now_s
        deadline_s = self.next_deadline()
        if deadline_s is not None and now_s >= deadline_s:
            self._buffer += b"\n"

    def resume(self, now_s: float) -> None:
        """The caller reads again: the time in which it did not is no silence of the client."""
        self._heard_s = now_s

    def receive_end(self) -> None:
        """No more bytes will come: what is there is the last message."""
        self._buffer += b"\n"

    def next_event(self) -> str | NeedData:
        """The next message; never empty. Raises RemoteProtocolError where a line of a client of ours has no end."""
        text, self._back = self._back, None
        while not text or text.isspace():
            size = self._size_of_next()
            if size is None:
                return NEED_DATA
            text = self._buffer[:size].removesuffix(b"\n").decode("utf-8", "replace").rstrip("\r")
            del self._buffer[:size]
            self._searched = 0
        self._is_first = False
        return text

    def put_back(self, message: str) -> None:
        """Let `next_event` say `message` again: it cannot be carried out yet."""
        self._back = message

    def next_deadline(self) -> float | None:
        """When to call `receive_data(b"", now_s)`, by the same clock; None: never."""
        if not self._buffer or self.is_framed or self._buffer.endswith(b"\n"):
            return None
        if self._is_first and (self._buffer.startswith(b"Hello|") and _MARK in self._buffer):
            return self._heard_s + 10 * LETTER_S  # a hello of ours has an end of its own
        return self._heard_s + (LETTER_S if _open_letter(self._buffer) else SILENCE_S)

    def _size_of_next(self) -> int | None:
        """How many bytes the next message has, its newline included; None where it is not whole."""
        limit = OBJECT_BYTES if self.is_framed else PIECE_BYTES
        end = self._buffer.find(b"\n", self._searched, limit + 1)
        if end >= 0:
            return end + 1
        if len(self._buffer) < limit:
            self._searched = len(self._buffer)
            return None
        if self.is_framed:
            self._buffer.clear()
            self._searched = 0
            raise RemoteProtocolError(_("a line is longer than {count} bytes").format(count=limit))
        return limit - _open_letter(self._buffer[limit - 4 : limit])


def _open_letter(data: bytes | bytearray) -> int:
    """How many bytes at the end of `data` begin a letter of UTF-8 that is not complete; 0 to 3."""
    for back in range(1, min(3, len(data)) + 1):
        octet = data[-back]
        if octet >= 0xC0:
            length = 2 if octet < 0xE0 else 3 if octet < 0xF0 else 4
            return back if back < length else 0
        if octet < 0x80:
            return 0
    return 0


def parse_message(text: str, *, is_first: bool) -> Message:
    """What `text` means; some things only as the first message of a client (`is_first`)."""
    word = text.strip()
    if word[:6].casefold() == "hello|":
        return _parse_hello(word)
    if is_first:
        if word == "Hello":
            return Greeting()
        if _HTTP.fullmatch(word):
            return Stranger("HTTP")
        if word.encode("utf-8", "replace").startswith(_TLS):
            return Stranger("TLS")
    if word.casefold() == "bye":
        return Leaving()
    first, _space, rest = unicodedata.normalize("NFC", word[:200]).partition(" ")
    if first.casefold() in ("arret", "arrêt") and len(word) <= 200 and len(rest.split()) <= 1:
        return Stopping(rest.strip())
    return Saying(text)


def _parse_hello(word: str) -> Joining:
    fields = word.split("|", 3)
    extension = None
    if len(fields) == 4 and fields[3].startswith(_MARK[1:].decode()):
        try:
            extension = _decode_extension(fields[3])
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            extension = None  # then it is a plain client with odd habits
    return Joining(fields[1], fields[2] if len(fields) > 2 else "", extension)


# The lines of the course, word for word: never translated, since programs read them.

JOINED = "a rejoint la chatroom"
LEFT = "a quitté la chatroom"


def hello_line(peer: str) -> str:
    """Answer to `Hello`; `peer` is `IP:PORT`."""
    return f"Hello {peer}"


def said_line(name: str, text: str) -> str:
    """Somebody has said something."""
    return f"{name} a dit : {text}"


def announced_line(text: str) -> str:
    """The server tells something to all: who has come (`NAME` and `JOINED`) or gone (`LEFT`), an alarm, its end."""
    return f"Annonce : {text}"
