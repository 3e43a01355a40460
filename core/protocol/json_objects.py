"""The next complete JSON object of a stream of octets, however it was cut or glued; and the lines of text between.

Nothing on the wire says how long a message is, so the syntax has to: an object ends at its closing brace. Every octet
is looked at once, as it comes; the first one that cannot stand in JSON ends the object as broken, and the next `{`
begins another. What is no object is text and ends at a newline, a NUL, a `{`, the end of the stream or a pause.

One message holds 64 KiB at most. A longer one is reported when it gets there, and its remainder is followed to its
end without being kept, so that the one behind it counts again.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import msgspec

from core.language import N_

LIMIT = 64 * 1024
"""Octets of one message."""

DEPTH = 32
"""Objects and lists within each other."""

_EXCERPT = 200


@dataclass(frozen=True, slots=True)
class TextLine:
    """Text that is no object, without blanks around it."""

    text: str


@dataclass(frozen=True, slots=True)
class Broken:
    """An object that is none: its beginning as it came, and why, a template with `{value}` in it or without."""

    text: str
    template: str
    value: object = None

    @property
    def reason(self) -> str:
        """Why, in English."""
        return self.template.format(value=self.value)


@dataclass(frozen=True, slots=True)
class TooLong:
    """A message that passed the limit: its beginning as it came."""

    text: str


Found = dict[str, Any] | TextLine | Broken | TooLong
"""What a stream holds; an object is a dict, in which NaN and infinities are floats."""


class _Mode(Enum):
    BETWEEN = auto()
    OBJECT = auto()
    TEXT = auto()
    LOST = auto()  # after a broken object: nothing counts until the next `{`
    LONG_TEXT = auto()  # after a text that was too long: nothing counts until it ends


class _Expect(Enum):
    """What may come next within an object."""

    FIRST_KEY = auto()
    KEY = auto()
    COLON = auto()
    VALUE = auto()
    FIRST_ITEM = auto()
    AFTER_VALUE = auto()
    STRING = auto()
    ESCAPE = auto()
    SCALAR = auto()


# Between messages: blanks, what a list of objects has around them, a NUL of a C string, a byte-order mark.
_SEPARATORS = re.compile(rb"(?:[\s,\[\]\x00]++|\xef\xbb\xbf)*+")
# An object without others in it, all of it there: the usual case, in one step.
_FLAT = re.compile(rb'(?:[\s,\[\]\x00]++|\xef\xbb\xbf)*+(\{[^{}"]*+(?:"[^"\\\x00-\x1f]*+"[^{}"]*+)*+\})')
_BLANKS = re.compile(rb"[ \t\r\n]*+")
_STRING_STOP = re.compile(rb'["\\\x00-\x1f]')
_SCALAR_END = re.compile(rb"[^-+.0-9A-Za-z]")
_SCALAR_START = frozenset(b"-0123456789tfnNI")
_ESCAPED = frozenset(b'"\\/bfnrtu')
_TEXT_END = re.compile(rb"[\n\x00{]")
_OPEN, _CLOSE, _QUOTE = b"{}"[0], b"{}"[1], b'"'[0]
_LIST, _LIST_END, _COMMA, _COLON, _BACKSLASH = b"["[0], b"]"[0], b","[0], b":"[0], b"\\"[0]

_decode = msgspec.json.Decoder().decode


class JsonObjects:
    """Cuts one stream into what it holds; `limit` octets a message at most, and no more is ever kept."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._mode = _Mode.BETWEEN
        self._kept = bytearray()
        self._swallowed = 0
        self._is_long = False
        self._stack = bytearray()
        self._expect = _Expect.FIRST_KEY
        self._after_string = _Expect.AFTER_VALUE
        self._problem: tuple[str, object] | None = None

    @property
    def has_text(self) -> bool:
        """True while text waits for its end, which may be a pause: then call `end_text`."""
        return self._mode is _Mode.TEXT

    @property
    def swallowed(self) -> int:
        """Octets in a row that were followed without being kept: blanks, or the rest of a message past the limit."""
        return self._swallowed

    def receive_data(self, data: bytes) -> list[Found]:
        """What `data` completes, in order."""
        found: list[Found] = []
        at, end = 0, len(data)
        while at < end:
            mode = self._mode
            if mode is _Mode.BETWEEN:
                flat = _FLAT.match(data, at)
                if flat is not None and flat.end() - at <= self._limit:
                    try:
                        found.append(_decode(flat[1]))
                    except (ValueError, RecursionError):
                        pass  # looked at closely below
                    else:
                        at = flat.end()
                        self._swallowed = 0
                        continue
                at = self._begin(data, at, _SEPARATORS.match(data, at).end())  # type: ignore[union-attr]  # it matches nothing, too
            elif mode is _Mode.OBJECT:
                at = self._follow(data, at, found)
            elif mode is _Mode.TEXT:
                at = self._follow_text(data, at, found)
            elif mode is _Mode.LOST:
                at = self._skip(data, at, data.find(b"{", at))
            else:
                stop = _TEXT_END.search(data, at)
                at = self._skip(data, at, -1 if stop is None else stop.start())
        return found

    def end_text(self) -> list[Found]:
        """Take the text that waits as whole: nothing came for a while."""
        return self._text() if self._mode is _Mode.TEXT else []

    def end(self) -> list[Found]:
        """What the end of the stream completes: a text, or an object that is broken off."""
        if self._mode is _Mode.OBJECT and not self._is_long:
            found: list[Found] = [Broken(_excerpt(self._kept), N_("it ends before its last brace"))]
            self._restart(_Mode.BETWEEN)
            return found
        return self.end_text()

    def _begin(self, data: bytes, before: int, at: int) -> int:
        if at == len(data):
            self._swallowed += at - before
            return at
        self._swallowed = 0
        if data[at] != _OPEN:
            self._mode = _Mode.TEXT
            return at
        self._mode = _Mode.OBJECT
        self._stack[:] = b"{"
        self._expect = _Expect.FIRST_KEY
        self._kept += b"{"
        return at + 1

    def _restart(self, mode: _Mode) -> None:
        self._mode = mode
        self._kept = bytearray()
        self._swallowed = 0
        self._is_long = False

    def _skip(self, data: bytes, at: int, stop: int) -> int:
        """Go on to `stop`, where something else begins; to the end where it is not in `data` (-1)."""
        if stop >= 0:
            self._restart(_Mode.BETWEEN)
            return stop
        self._swallowed += len(data) - at
        return len(data)

    # Text

    def _follow_text(self, data: bytes, at: int, found: list[Found]) -> int:
        stop = _TEXT_END.search(data, at)
        until = len(data) if stop is None else stop.start()
        room = self._limit - len(self._kept)
        self._kept += data[at : min(until, at + room)]
        if until - at > room:
            found.append(TooLong(_excerpt(self._kept)))
            self._restart(_Mode.LONG_TEXT)
        elif stop is not None:
            found += self._text()
        return until

    def _text(self) -> list[Found]:
        text = self._kept.decode("utf-8", "replace").strip()
        self._restart(_Mode.BETWEEN)
        return [TextLine(text)] if text else []

    # Objects

    def _follow(self, data: bytes, begin: int, found: list[Found]) -> int:
        """Go through the object that is under way until it ends, breaks, or `data` does."""
        at = self._scan(data, begin)
        room = self._limit - len(self._kept)
        if self._is_long:
            self._swallowed += at - begin
        elif at - begin > room:
            self._kept += data[begin : begin + min(room, _EXCERPT)]
            found.append(TooLong(_excerpt(self._kept)))
            self._is_long = True
            self._kept = bytearray()
        else:
            self._kept += data[begin:at]
        if self._problem is not None:
            problem, self._problem = self._problem, None
            if not self._is_long:
                following = data.find(b"{", at)
                rest = data[at : min(at + _EXCERPT, len(data) if following < 0 else following)]
                found.append(Broken(_excerpt(self._kept + rest.rstrip()), *problem))
            self._restart(_Mode.LOST)
        elif not self._stack:
            if not self._is_long:
                found.append(_object(bytes(self._kept)))
            self._restart(_Mode.BETWEEN)
        return at

    def _scan(self, data: bytes, at: int) -> int:
        """Where the object ends (then nothing is open), breaks (then there is a problem), or `data` ends."""
        end = len(data)
        while at < end:
            expect = self._expect
            if expect is _Expect.STRING:
                stop = _STRING_STOP.search(data, at)
                if stop is None:
                    return end
                at = stop.end()
                sign = data[at - 1]
                if sign == _QUOTE:
                    self._expect = self._after_string
                elif sign == _BACKSLASH:
                    self._expect = _Expect.ESCAPE
                else:
                    return self._broken(at - 1, N_("a control character in a text"))
            elif expect is _Expect.ESCAPE:
                if data[at] not in _ESCAPED:
                    return self._broken(at, N_("a backslash before what it cannot escape"))
                self._expect = _Expect.STRING
                at += 1
            elif expect is _Expect.SCALAR:
                stop = _SCALAR_END.search(data, at)
                if stop is None:
                    return end
                at = stop.start()
                self._expect = _Expect.AFTER_VALUE
            else:
                at = _BLANKS.match(data, at).end()  # type: ignore[union-attr]  # it matches nothing, too
                if at == end:
                    return end
                if not self._step(expect, data[at]):
                    return at if self._problem is not None else self._misplaced(at, chr(data[at]))
                at += 1
                if not self._stack:
                    return at
        return at

    def _step(self, expect: _Expect, sign: int) -> bool:
        """Take one sign outside of texts and numbers; False where it cannot stand there."""
        if expect is _Expect.COLON:
            self._expect = _Expect.VALUE
            return sign == _COLON
        if expect is _Expect.AFTER_VALUE:
            if sign == _COMMA:
                self._expect = _Expect.KEY if self._stack[-1] == _OPEN else _Expect.VALUE
                return True
            return self._close(sign)
        if expect is _Expect.KEY or expect is _Expect.FIRST_KEY:
            if sign == _QUOTE:
                self._expect, self._after_string = _Expect.STRING, _Expect.COLON
                return True
            return expect is _Expect.FIRST_KEY and self._close(sign)
        if sign == _QUOTE:
            self._expect, self._after_string = _Expect.STRING, _Expect.AFTER_VALUE
        elif sign in (_OPEN, _LIST):
            if len(self._stack) >= DEPTH:
                self._problem = N_("more than {value} levels"), DEPTH
                return False
            self._stack.append(sign)
            self._expect = _Expect.FIRST_KEY if sign == _OPEN else _Expect.FIRST_ITEM
        elif sign in _SCALAR_START:
            self._expect = _Expect.SCALAR
        else:
            return expect is _Expect.FIRST_ITEM and self._close(sign)
        return True

    def _close(self, sign: int) -> bool:
        """Close the innermost object or list by its own sign."""
        if sign != (_CLOSE if self._stack[-1] == _OPEN else _LIST_END):
            return False
        del self._stack[-1]
        self._expect = _Expect.AFTER_VALUE
        return True

    def _misplaced(self, at: int, sign: str) -> int:
        if sign == "'":  # a dict of Python, sent as Python prints it
            return self._broken(at, N_("JSON has double quotes, as json.dumps writes them"))
        return self._broken(at, N_("{value} stands where it cannot"), repr(sign))

    def _broken(self, at: int, template: str, value: object = None) -> int:
        self._problem = template, value
        return at


def _object(octets: bytes) -> dict[str, Any] | Broken:
    """The object that `octets` are, as far as braces and quotes go; with NaN and infinities, so they can be named."""
    try:
        decoded: dict[str, Any] = _decode(octets)
    except ValueError:
        try:
            decoded = json.loads(octets.decode())
        except (ValueError, RecursionError) as error:
            return Broken(_excerpt(octets), *_reason(error))
    return decoded


def _reason(error: Exception) -> tuple[str, object]:
    if isinstance(error, UnicodeDecodeError):
        return N_("octet {value} is not UTF-8"), error.start
    if isinstance(error, json.JSONDecodeError):
        return N_("no JSON at letter {value}"), error.pos
    return N_("no JSON"), None


def _excerpt(octets: bytes | bytearray) -> str:
    return bytes(octets[:_EXCERPT]).decode("utf-8", "replace")
