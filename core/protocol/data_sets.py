"""Data sets and messages of IEC 62056-21: what one line, one block or one identification says, and how it is written.

The block check character of clause 6.3.1 is the XOR over 7 bits after the first SOH or STX, up to and with ETX or EOT.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum

from msgspec import Struct

from core.errors import RemoteProtocolError
from core.language import _
from core.protocol.checksum import bcc

SOH, STX, ETX, EOT, ACK, NAK = 0x01, 0x02, 0x03, 0x04, 0x06, 0x15

BLOCK_LIMIT = 1 << 18
"""Octets of one block at most; a readout is some kilobytes, a load profile some ten."""


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
        if self.baud_character.isdecimal():  # 7 to 9 are reserved: such a meter is acknowledged at 300
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
IDENTIFICATION = re.compile(rb"/([A-Za-z]{3})(.)((?:\\[^\r\n])*)([^\r\n/!]{0,64})\r?\n")
_COMMAND = re.compile(rb"[PWRBE][0-9]$")
_PRINTABLE = bytes(range(0x20, 0x7F)) + b"\r\n\t\x11\x13"  # XON and XOFF occur in data of real meters


def decode_identification(line: bytes) -> Identification:
    """Identification of a line that ends with CR LF; raises RemoteProtocolError for anything else."""
    match = IDENTIFICATION.match(line)
    if match is None:
        raise RemoteProtocolError(_("{line} is not an identification").format(line=shown_octets(line)))
    return identification_of(match)


def identification_of(match: re.Match[bytes]) -> Identification:
    """What a match of IDENTIFICATION says."""
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
        raise RemoteProtocolError(_("the octets {octets} are no text of a meter").format(octets=shown_octets(strange)))
    is_partial = block[-2] == EOT
    if block[0] == SOH:
        command, _stx, body = block[1:-2].partition(b"\x02")
        if not _COMMAND.match(command):
            raise RemoteProtocolError(_("{command} is not a command message").format(command=shown_octets(command)))
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


def shown_octets(data: bytes) -> str:
    """The first octets as a user may see them."""
    return ascii(data[:24].decode("latin-1"))
