"""Telegrams of IEC 62056-21 in the octets of a file, whatever their mode; messages and data sets are in data_sets.py.

The rule of this file: bytes that carry a check are shown only when it holds; bytes that carry none are shown with
what is known of that (`Telegram.check`), and what cannot be read is told (`Telegram.error`), never dropped silently.
A check is the block check character of clause 6.3.1 (XOR over 7 bits after the first SOH or STX, up to and with ETX
or EOT), or the CRC-16 that the Dutch P1 companion standard puts behind the `!` of a mode D telegram.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from core.errors import RemoteProtocolError
from core.language import _, ngettext
from core.protocol.checksum import crc16_p1
from core.protocol.data_sets import (
    ACK,
    BLOCK_LIMIT,
    IDENTIFICATION,
    NAK,
    SOH,
    STX,
    Check,
    Identification,
    Mode,
    Telegram,
    decode_block,
    decode_data_sets,
    identification_of,
    shown_octets,
)
from core.protocol.parity import has_even_parity, without_parity

ERRORS_LIMIT = 8
"""Rejected telegrams that are told one by one; the others are counted."""

REJECTED_LIMIT = 20_000
"""Rejected telegrams after which the rest of a file is not looked at."""

_LINE = re.compile(r"\s*(?:[^()!/\s\x00-\x1f\x80-\uffff]*(?:\([ -'*-~]*\))+\s*)+!?\s*$")
_CODE = re.compile(r"\s*(?:\d{1,3}-\d{1,3}:)?[0-9A-Z]{1,3}(?:[.:][0-9A-Z]{1,3}){1,3}(?:[*&]\d{1,3})?\(")
_SIGN_ON = re.compile(rb"/\?([0-9A-Za-z ]{0,32})!\r?\n")
_ACKNOWLEDGEMENT = re.compile(rb"\x06([0-9])([0-9A-I])([0-9A-Z])\r\n")
_END_OF_P1 = re.compile(rb"(?:^|\n|\))!([0-9A-Fa-f]{0,4})[ \t]*(?:\r?\n|\Z)")
_NEXT_TELEGRAM = re.compile(rb"(?:\A|[\r\n])/[A-Za-z]{3}")
_START = re.compile(
    rb"[\x01\x02]|(?:\A|(?<=[\r\n\x00\x03]))/|(?<=[\x03\x04].)/|/(?=[A-Za-z]{3}[^\r\n]{1,80}\r?\n(?:\r?\n|\x02))",
    re.DOTALL,
)
_TAIL_OF_P1 = re.compile(rb"(?:\A|\n)![0-9A-Fa-f]{1,4}[ \t]*\r?\n?\s*\Z")
_FILLING = b"\x00\x7f\xff \t\r\n"


def decode_telegrams(data: bytes) -> list[Telegram]:
    """All telegrams of a saved file, whatever the mode, in their order; never raises, see `Telegram.error`.

    Bytes of a 7E1 line that were saved with their parity bit are taken without it.
    """
    if not data.isascii() and has_even_parity(data):
        data = without_parity(data)
    telegrams: list[Telegram] = []
    rejected = 0
    for telegram in _Scanner(data).telegrams():
        if telegram.error is not None:
            rejected += 1
            if rejected == REJECTED_LIMIT:
                telegrams.append(_rejected(_("this is garbage: the rest was not looked at")))
                break
            if rejected > ERRORS_LIMIT:
                continue
        telegrams.append(telegram)
    if rejected > ERRORS_LIMIT:
        more = rejected - ERRORS_LIMIT
        telegrams.append(
            _rejected(ngettext("{count} more was rejected", "{count} more were rejected", more).format(count=more))
        )
    return telegrams


class _Scanner:
    """Walks once over the bytes of a file; each step yields what it found and moves on."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0
        self._next_end = {b"\x03": -1, b"\x04": -1}
        self._announced: Identification | None = None

    def telegrams(self) -> Iterator[Telegram]:
        data = self._data
        while True:
            start = self._position
            while start < len(data) and data[start] in _FILLING:
                start += 1
            if start >= len(data):
                return
            self._position = start
            first = data[start]
            if first == 0x2F:
                telegram = self._identified()
            elif first in (SOH, STX):
                telegram = self._block(self._announced)
                self._announced = None
            elif first in (ACK, NAK):
                telegram = self._acknowledgement()
            else:
                telegram = self._text()
            if telegram is not None:
                yield telegram

    def _identified(self) -> Telegram | None:
        data, start = self._data, self._position
        sign_on = _SIGN_ON.match(data, start)
        if sign_on is not None:
            self._position = sign_on.end()
            return None
        match = IDENTIFICATION.match(data, start)
        if match is None:
            return self._text()
        identification = identification_of(match)
        self._position = after = match.end()
        following = data[after : after + 2]
        if following[:1] in (b"\x02", b"\x01"):
            return self._block(identification)
        if following[:1] == b"\n" or following == b"\r\n":
            return self._mode_d(identification, start)
        if not following or following[0] in _FILLING or following[0] in (ACK, NAK, 0x2F):
            self._announced = identification  # a recorded dialogue: the data follows the acknowledgement
            return Telegram(identification=identification, mode=identification.mode)
        return self._text(identification)

    def _mode_d(self, identification: Identification, start: int) -> Telegram:
        """A telegram from `/` to `!`, with the CRC-16 of P1 behind it or, before DSMR 4, without."""
        data, body = self._data, self._position
        limit = min(len(data), body + BLOCK_LIMIT)
        following = _NEXT_TELEGRAM.search(data, body, limit)
        if following is not None:
            limit = data.index(b"/", following.start())
        end = _END_OF_P1.search(data, body, limit)
        if end is None:
            self._position = limit
            return _rejected(_("a telegram of {meter} is cut off before its end").format(meter=identification.text))
        self._position = end.end()
        closing = end.start(1)
        check = Check.NONE
        if end[1]:
            check = Check.CRC16
            received, computed = int(end[1], 16), crc16_p1(data[start:closing])
            if received != computed:
                return _rejected(
                    _("CRC-16 is {received:#06x}, computed {computed:#06x}").format(
                        received=received, computed=computed
                    )
                )
        try:
            data_sets = decode_data_sets(data[body : closing - 1].decode("latin-1"))
        except RemoteProtocolError as error:
            return Telegram(error=error)
        return Telegram(identification=identification, data_sets=data_sets, check=check, mode=Mode.D)

    def _block(self, identification: Identification | None) -> Telegram | None:
        data, start = self._data, self._position
        end = self._end_of_block(start)
        if end is None or end - start > BLOCK_LIMIT:
            return self._block_cut_off(identification)
        if end + 1 >= len(data):
            self._position = len(data)
            return _rejected(_("the block check behind the last octet is missing"))
        restart = self._restart(start, end)
        if restart is not None:
            self._position = restart
            return _rejected(_("a data block is cut off before its end"))
        self._position = end + 2
        try:
            return decode_block(data[start : end + 2], identification)
        except RemoteProtocolError as error:
            return Telegram(error=error)

    def _restart(self, start: int, end: int) -> int | None:
        """Where another telegram begins inside the block that seems to reach from `start` to `end`."""
        again = self._data.rfind(b"\x02", start + 1, end)
        if again > start and self._data[start] == STX:
            return again
        slash = self._data.rfind(b"/", start, end)
        if slash > start and self._data[slash - 1] in b"\r\n" and IDENTIFICATION.match(self._data, slash):
            return slash
        return None

    def _end_of_block(self, start: int) -> int | None:
        """Index of the next ETX or EOT; each octet of the file is looked at once, however many blocks begin."""
        for octet, index in self._next_end.items():
            if index < start:
                found = self._data.find(octet, start)
                self._next_end[octet] = len(self._data) if found < 0 else found
        end = min(self._next_end.values())
        return None if end >= len(self._data) else end

    def _block_cut_off(self, identification: Identification | None) -> Telegram:
        """A block without ETX: shown as unchecked text where its `!` came, else rejected."""
        data, start = self._data, self._position
        following = _START.search(data, start + 1)
        limit = len(data) if following is None else following.start()
        text = data[start + 1 : limit] if limit - start <= BLOCK_LIMIT else b""
        self._position = max(limit, start + 1)
        if data[start] == STX and text.rstrip(_FILLING).endswith(b"!"):
            return _unchecked(text, identification)
        return _rejected(_("a data block is cut off before its end"))

    def _acknowledgement(self) -> Telegram | None:
        match = _ACKNOWLEDGEMENT.match(self._data, self._position)
        if match is not None:
            self._position = match.end()
            return Telegram(command="ACK", notes=())
        name = "ACK" if self._data[self._position] == ACK else "NAK"
        self._position += 1
        return Telegram(command=name)

    def _text(self, identification: Identification | None = None) -> Telegram | None:
        """Lines without a frame around them, up to whatever begins a telegram."""
        data, start = self._data, self._position
        following = _START.search(data, start + 1)
        limit = len(data) if following is None else following.start()
        self._position = limit
        text = data[start:limit]
        if len(text) > BLOCK_LIMIT:
            return _rejected(_("{count} octets are no telegram").format(count=len(text)))
        is_tail = _TAIL_OF_P1.search(text) or (b"(" in text and following is not None and self._is_mode_d(limit))
        if identification is None and is_tail:
            return _rejected(_("the end of a telegram whose beginning is missing was dropped"))
        if identification is None and b"(" not in text:
            # what stands before, behind or between telegrams, such as what a port catches when it is opened
            return (
                None
                if start > 0 or following is not None
                else _rejected(_("no telegram begins with {text}").format(text=shown_octets(text)))
            )
        return _unchecked(text, identification)

    def _is_mode_d(self, position: int) -> bool:
        match = IDENTIFICATION.match(self._data, position)
        return match is not None and self._data[match.end() : match.end() + 2].strip(b"\r") in (b"\n", b"\n\n")


def _unchecked(text: bytes, identification: Identification | None) -> Telegram:
    """Telegram of lines that nothing vouches for, from the first complete one on."""
    lines = [line for line in text.decode("latin-1").split("\n") if line.strip() and line.strip() != "!"]
    good: list[str] = []
    dropped = 0
    for line in lines:
        stripped = line.rstrip("\r")
        if _LINE.match(stripped) and (good or not stripped.startswith("(")):
            good.append(stripped)
        else:
            dropped += 1
    if not any(_CODE.match(line) for line in good):
        return _rejected(_("no line of this text is a data set"))
    try:
        data_sets = decode_data_sets("\r\n".join(good))
    except RemoteProtocolError as error:
        return Telegram(error=error)
    notes = [_("nothing vouches for these values: the text was saved without its block check")]
    if dropped:
        notes.append(
            ngettext(
                "{count} line that is no data set was dropped",
                "{count} lines that are no data sets were dropped",
                dropped,
            ).format(count=dropped)
        )
    return Telegram(
        identification=identification,
        data_sets=data_sets,
        check=Check.MISSING,
        mode=None if identification is None else identification.mode,
        notes=tuple(notes),
    )


def _rejected(reason: str) -> Telegram:
    return Telegram(error=RemoteProtocolError(reason))
