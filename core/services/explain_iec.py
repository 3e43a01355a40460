"""IEC 62056-21 explained: sign-on, identification, acknowledgement, commands, data sets, block check, P1."""

from __future__ import annotations

import re

from core.errors import RemoteProtocolError
from core.language import _
from core.meter.e450 import quantity_of
from core.meter_records import ExplainedField
from core.obis import ObisCode
from core.protocol.checksum import bcc, crc16_p1
from core.protocol.data_sets import IDENTIFICATION, identification_of
from core.protocol.parity import without_parity
from core.services.explain_fields import Cursor, Keys

_SIGN_ON = re.compile(rb"/\?([^\r\n!]{0,32})!\r\n")
_ACKNOWLEDGEMENT = re.compile(rb"\x06([0-9])([0-9A-I])([0-9:A-Z])\r\n")
_COMMAND = re.compile(rb"\x01([A-Z][0-9])")
_DATA_SET = re.compile(rb"([^()\r\n\x00-\x06]*)((?:\([^()\x02-\x04]*\))+)")
_END_OF_P1 = re.compile(rb"!([0-9A-Fa-f]{4})?\r?\n?")
_BAUDS = ["300", "600", "1200", "2400", "4800", "9600", "19200"]
_NAMES = {0x01: "SOH", 0x02: "STX", 0x03: "ETX", 0x04: "EOT", 0x06: "ACK", 0x15: "NAK"}
_COMMANDS = {
    "P0": "password follows with this seed", "P1": "password", "P2": "ciphered password", "R1": "read a register",
    "R2": "read, formatted", "R3": "read a block", "R5": "read a profile", "R6": "read a profile, in parts",
    "W1": "write", "B0": "end of the dialogue",
}  # fmt: skip


def explain_iec(cursor: Cursor, keys: Keys) -> None:
    """Take all octets of `cursor`; parity in bit 7 is passed over."""
    data = without_parity(cursor.data[: cursor.end])
    block: int | None = None
    telegram: int | None = None
    while cursor.left > 0:
        keys.budget.spend()
        at = cursor.position
        octet = data[at]
        if (match := _SIGN_ON.match(data, at)) is not None:
            cursor.take(match.end() - at, _("sign-on"), match[1].decode("latin-1"))
        elif (match := IDENTIFICATION.match(data, at)) is not None:
            telegram = at
            _identification(cursor, match)
        elif (match := _ACKNOWLEDGEMENT.match(data, at)) is not None:
            mode = {b"0": _("readout"), b"1": _("programming"), b"2": _("binary (mode E)")}.get(match[3], "?")
            speed = _BAUDS[int(match[2])] if match[2].isdigit() and int(match[2]) < len(_BAUDS) else "?"
            cursor.take(match.end() - at, _("acknowledgement"), _("{baud} baud, {mode}").format(baud=speed, mode=mode))
        elif (match := _COMMAND.match(data, at)) is not None:
            block = at + 1
            command = match[1].decode()
            cursor.take(1, "SOH")
            cursor.take(2, _("command"), f"{command}: {_COMMANDS.get(command, '')}".rstrip(": "))
        elif octet in (0x01, 0x02):
            block = at + 1 if block is None or octet == 0x01 else block
            cursor.take(1, _NAMES[octet])
        elif octet in (0x03, 0x04):
            cursor.take(1, _NAMES[octet], _("another block follows") if octet == 0x04 else "")
            _block_check(cursor, data, block)
            block = None
        elif octet == 0x21 and telegram is not None and block is None:
            match = _END_OF_P1.match(data, at)
            assert match is not None
            _end_of_telegram(cursor, data, telegram, match)
            telegram = None
        elif (match := _DATA_SET.match(data, at)) is not None:
            _data_sets(cursor, match)
        elif octet in _NAMES:
            cursor.take(1, _NAMES[octet])
        elif octet in (0x0D, 0x0A):
            cursor.take(2 if data[at : at + 2] == b"\r\n" else 1, _("end of the line"))
        elif octet == 0x21:
            cursor.take(1, _("end of the data"))
        else:
            _not_understood(cursor, data)


def _identification(cursor: Cursor, match: re.Match[bytes]) -> None:
    said = identification_of(match)
    inner = cursor.inner()
    inner.take(1, _("start"))
    inner.take(3, _("manufacturer"), said.manufacturer)
    inner.take(1, _("speed"), _("{baud} baud").format(baud=said.baud))
    if match[3]:
        inner.take(len(match[3]), _("sequence"), _("mode E is possible") if said.enhanced == "2" else "")
    if match[4]:
        inner.take(len(match[4]), _("name"), said.text)
    inner.take(match.end() - inner.position, _("end of the line"))
    cursor.nest(_("identification"), _("mode {mode}").format(mode=said.mode.value), inner)


def _block_check(cursor: Cursor, data: bytes, block: int | None) -> None:
    if not cursor.left:
        cursor.fields.append(
            ExplainedField(
                offset=cursor.base + cursor.position, octets=b"", name="BCC", error=_("the block check is missing")
            )
        )
        return
    received = data[cursor.position]
    error = None
    if block is None:
        error = _("no block begins before it")
    else:
        computed = bcc(data[block : cursor.position])
        if received != computed:
            error = _("received {received:#04x}, computed {computed:#04x}").format(received=received, computed=computed)
    cursor.take(1, "BCC", "" if error else _("(holds)"), error=error)


def _end_of_telegram(cursor: Cursor, data: bytes, start: int, match: re.Match[bytes]) -> None:
    cursor.take(1, _("end of the data"))
    if match[1] is not None:
        received, computed = int(match[1], 16), crc16_p1(data[start : match.start() + 1])
        error = None
        if received != computed:
            error = _("received {received:#06x}, computed {computed:#06x}").format(received=received, computed=computed)
        cursor.take(4, "CRC16", "" if error else _("(holds)"), error=error)
    if match.end() > cursor.position:
        cursor.take(match.end() - cursor.position, _("end of the line"))


def _data_sets(cursor: Cursor, match: re.Match[bytes]) -> None:
    """An address and the values behind it."""
    inner = cursor.inner()
    address = match[1].decode("latin-1")
    if address:
        inner.take(len(match[1]), _("address"), _meaning(address))
    for value in re.findall(rb"\([^()]*\)", match[2]):
        text, star, unit = value[1:-1].decode("latin-1").partition("*")
        inner.take(len(value), _("value"), f"{text} {unit}" if star else text)
    cursor.nest(_("data set"), address.strip(), inner)


def _meaning(address: str) -> str:
    try:
        quantity = quantity_of(ObisCode.parse(address.strip()))
    except RemoteProtocolError:  # an address of the meter's own has no meaning here
        quantity = None
    return "" if quantity is None else quantity.replace("_", " ")


def _not_understood(cursor: Cursor, data: bytes) -> None:
    """Everything up to the next octet that may begin something."""
    end = cursor.position + 1
    while end < len(data) and data[end] not in b"/\x01\x02\x03\x04\x06\x15\r\n(!":
        end += 1
    text = data[cursor.position : end].decode("latin-1")
    is_text = text.isprintable()
    cursor.take(
        end - cursor.position,
        _("text") if is_text else _("not understood"),
        text if is_text else "",
        error=None if is_text else _("no part of a message"),
    )
