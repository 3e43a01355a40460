"""IEC 62056-21 messages and telegrams as bytes: identification, data sets, command messages, block checks.

The rule of this file: bytes that carry a check are shown only when it holds; bytes that carry none are shown with
what is known of that (`Telegram.check`), and what cannot be read is told (`Telegram.error`), never dropped silently.
A check is the block check character of clause 6.3.1 (XOR over 7 bits after the first SOH or STX, up to and with ETX
or EOT), or the CRC-16 that the Dutch P1 companion standard puts behind the `!` of a mode D telegram.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum

from msgspec import Struct

from core.errors import RemoteProtocolError
from core.language import _, ngettext
from core.protocol.checksum import bcc, crc16_p1
from core.protocol.parity import has_even_parity, without_parity

SOH, STX, ETX, EOT, ACK, NAK = 0x01, 0x02, 0x03, 0x04, 0x06, 0x15

BLOCK_LIMIT = 1 << 18
"""Octets of one block at most; a readout is some kilobytes, a load profile some ten."""

ERRORS_LIMIT = 50
"""Rejected telegrams that are told one by one; the others are counted."""

REJECTED_LIMIT = 20_000
"""Rejected telegrams after which the rest of a file is not looked at."""


class DataSet(Struct, frozen=True, gc=False):
    """One value as sent: `address(value*unit)`; `unit` is empty where none was sent.

    Further values of the same address have `position` 1, 2, ….
    """

    address: str
    value: str
    unit: str = ""
    position: int = 0


class Check(Enum):
    """What vouches for a telegram."""

    BCC = "block check character"
    CRC16 = "CRC-16 of P1"
    NONE = "its mode has no check"
    MISSING = "the check was not saved"


class Mode(Enum):
    """Protocol modes of IEC 62056-21, as the identification tells them."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"
    E = "E"


class Identification(Struct, frozen=True, gc=False):
    """What a meter answers to a sign-on: `/XXXZ[\\W]ident`.

    `manufacturer` is the FLAG code as sent; its third letter is lower case where the meter needs 20 ms, not 200 ms,
    to react. `baud_character` is Z; `enhanced` is W of the sequence `\\W` (`2`: HDLC by mode E is possible).
    """

    manufacturer: str
    baud_character: str
    enhanced: str | None
    text: str

    @property
    def mode(self) -> Mode:
        """Mode in which the meter lets itself be read out; mode D cannot be told from its identification."""
        if self.baud_character in _BAUDS_C:
            return Mode.E if self.enhanced == "2" else Mode.C
        return Mode.B if self.baud_character in _BAUDS_B else Mode.A

    @property
    def baud(self) -> int:
        """Highest speed that the meter proposes: 300 where it proposes none (mode A)."""
        return _BAUDS_C.get(self.baud_character) or _BAUDS_B.get(self.baud_character, 300)

    @property
    def reaction_s(self) -> float:
        """Time that either side leaves before it answers (IEC 62056-21, 6.4.3)."""
        return 0.02 if self.manufacturer[2].islower() else 0.2


_BAUDS_C = {"0": 300, "1": 600, "2": 1200, "3": 2400, "4": 4800, "5": 9600, "6": 19200}
_BAUDS_B = {"A": 600, "B": 1200, "C": 2400, "D": 4800, "E": 9600, "F": 19200}


class Telegram(Struct, frozen=True):
    """What one telegram or message says; with `error` nothing of it may be shown.

    `command` is that of a programming message (`P0`, `W2`, `B0`), or `ACK` or `NAK`. `is_partial` tells that the
    block ended with EOT: more follows. `notes` are sentences for the user about what was left out.
    """

    identification: Identification | None = None
    data_sets: tuple[DataSet, ...] = ()
    check: Check = Check.NONE
    command: str | None = None
    is_partial: bool = False
    mode: Mode | None = None
    notes: tuple[str, ...] = ()
    error: RemoteProtocolError | None = None


_DATA_SET = re.compile(r"([^(\r\n]*+)\(([^()*]*+)\*?+([^()]*+)\)")
_LINE = re.compile(r"\s*(?:[^()!/\s\x00-\x1f\x80-\uffff]*(?:\([ -'*-~]*\))+\s*)+!?\s*$")
_CODE = re.compile(r"\s*(?:\d{1,3}-\d{1,3}:)?[0-9A-Z]{1,3}(?:[.:][0-9A-Z]{1,3}){1,3}(?:[*&]\d{1,3})?\(")
_IDENTIFICATION = re.compile(rb"/([A-Za-z]{3})(.)((?:\\[^\r\n])*)([^\r\n/!]{0,64})\r?\n")
_SIGN_ON = re.compile(rb"/\?([0-9A-Za-z ]{0,32})!\r?\n")
_COMMAND = re.compile(rb"[PWRBE][0-9]$")
_ACKNOWLEDGEMENT = re.compile(rb"\x06([0-9])([0-9A-I])([0-9A-Z])\r\n")
_END_OF_P1 = re.compile(rb"(?:^|\n|\))!([0-9A-Fa-f]{0,4})[ \t]*(?:\r?\n|\Z)")
_NEXT_TELEGRAM = re.compile(rb"(?:\A|[\r\n])/[A-Za-z]{3}")
_START = re.compile(
    rb"[\x01\x02]|(?:\A|(?<=[\r\n\x00\x03]))/|(?<=[\x03\x04].)/|/(?=[A-Za-z]{3}[^\r\n]{1,80}\r?\n(?:\r?\n|\x02))",
    re.DOTALL,
)
_TAIL_OF_P1 = re.compile(rb"(?:\A|\n)![0-9A-Fa-f]{1,4}[ \t]*\r?\n?\s*\Z")
_PRINTABLE = bytes(range(0x20, 0x7F)) + b"\r\n\t\x11\x13"  # XON and XOFF occur in data of real meters
_FILLING = b"\x00\x7f\xff \t\r\n"


def decode_identification(line: bytes) -> Identification:
    """Identification of a line that ends with CR LF; raises RemoteProtocolError for anything else."""
    match = _IDENTIFICATION.match(line)
    if match is None:
        raise RemoteProtocolError(_("{line} is not an identification").format(line=_shown(line)))
    return _identification(match)


def _identification(match: re.Match[bytes]) -> Identification:
    escapes = match[3][1::2].decode("latin-1")
    return Identification(
        manufacturer=match[1].decode(),
        baud_character=match[2].decode("latin-1"),
        enhanced=escapes[0] if escapes else None,
        text=match[4].decode("latin-1").strip(),
    )


def decode_data_sets(text: str) -> tuple[DataSet, ...]:
    """Data sets of a data block, its end character `!` included or not.

    Several stand on a line, one may stand over two lines, several values behind one address; `&` divides values
    inside one pair of brackets. Raises RemoteProtocolError where a bracket is left open or text has no value.
    """
    found = _DATA_SET.findall(text)
    brackets = text.count("(")
    if len(found) != brackets or text.count(")") != brackets:
        raise RemoteProtocolError(
            _("{count} brackets are open and {closed} closed in a data block").format(
                count=brackets, closed=text.count(")")
            )
        )
    if "&" in text or ")(" in text or "\n(" in text:
        return tuple(_with_positions(found))
    return tuple([DataSet(*parts) for parts in found])


def _with_positions(found: list[tuple[str, str, str]]) -> Iterator[DataSet]:
    address, position = "", 0
    for sent, value, unit in found:
        if sent.strip():
            address, position = sent.strip(), 0
        if "&" not in value and "&" not in unit:
            yield DataSet(address, value, unit, position)
            position += 1
            continue
        for part in (f"{value}*{unit}" if unit else value).split("&"):
            one, _star, its_unit = part.partition("*")
            yield DataSet(address, one, its_unit, position)
            position += 1


def check_block(block: bytes) -> None:
    """Raise RemoteProtocolError unless `block`, SOH or STX first and BCC last, carries the right block check."""
    received = block[-1] & 0x7F
    computed = bcc(block[1:-1]) & 0x7F
    if received != computed:
        raise RemoteProtocolError(
            _("block check is {received:#04x}, computed {computed:#04x}").format(received=received, computed=computed)
        )


def decode_block(block: bytes, identification: Identification | None = None) -> Telegram:
    """What a block says, from its SOH or STX to its BCC, sent behind `identification`.

    Raises RemoteProtocolError where the check does not hold. Check value: `\\x01B0\\x03q` is the command B0.
    """
    check_block(block)
    strange = block[1:-2].translate(None, _PRINTABLE)
    if strange.translate(None, b"\x02" if block[0] == SOH else b""):
        raise RemoteProtocolError(_("the octets {octets} are no text of a meter").format(octets=_shown(strange)))
    is_partial = block[-2] == EOT
    if block[0] == SOH:
        command, _stx, body = block[1:-2].partition(b"\x02")
        if not _COMMAND.match(command):
            raise RemoteProtocolError(_("{command} is not a command message").format(command=_shown(command)))
        data_sets = decode_data_sets(body.decode("latin-1")) if body else ()
        return Telegram(
            identification=identification,
            data_sets=data_sets,
            check=Check.BCC,
            command=command.decode(),
            is_partial=is_partial,
        )
    return Telegram(
        identification=identification,
        data_sets=decode_data_sets(block[1:-2].decode("latin-1")),
        check=Check.BCC,
        is_partial=is_partial,
        mode=None if identification is None else identification.mode,
    )


def encode_block(body: bytes, *, end: int = ETX) -> bytes:
    """A data message of `body`: STX, body, `end`, BCC. Check value: encode_block(b"3:171.0(0)")[-1] == 0x12."""
    block = b"\x02" + body + bytes((end,))
    return block + bytes((bcc(block[1:]) & 0x7F,))


def encode_command(command: str, data: bytes | None = None) -> bytes:
    """A programming command message such as B0. Check value: encode_command("B0") == b"\\x01B0\\x03q"."""
    body = command.encode() + (b"" if data is None else b"\x02" + data) + b"\x03"
    return b"\x01" + body + bytes((bcc(body) & 0x7F,))


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
        match = _IDENTIFICATION.match(data, start)
        if match is None:
            return self._text()
        identification = _identification(match)
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
            limit = following.start()
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
        if slash > start and self._data[slash - 1] in b"\r\n" and _IDENTIFICATION.match(self._data, slash):
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
        is_tail = _TAIL_OF_P1.search(text) or (following is not None and self._is_mode_d(limit))
        if identification is None and is_tail:
            return _rejected(_("the end of a telegram whose beginning is missing was dropped"))
        if identification is None and b"(" not in text:
            # what stands behind a telegram or between two, such as the fill octets of a port
            return None if start > 0 else _rejected(_("no telegram begins with {text}").format(text=_shown(text)))
        return _unchecked(text, identification)

    def _is_mode_d(self, position: int) -> bool:
        match = _IDENTIFICATION.match(self._data, position)
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


def _shown(data: bytes) -> str:
    """The first octets as a user may see them."""
    return ascii(data[:24].decode("latin-1"))
