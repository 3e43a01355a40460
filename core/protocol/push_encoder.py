"""Builds what a meter pushes: for the virtual meter and for tests; never for a real line towards a meter.

    encode_push(values, layout, *, clock=None, system_title=b"LGZ\\0\\0\\0\\0\\1", key=None, auth_key=None,
                security_control=0x30, invocation_counter=1, transfer="auto", ...) -> bytes

`values` are `PushValue(code, value, scaler=None, unit=None, class_id=3, is_short=False)`; `layout` is 1 to 4 as
docs/meters.md numbers them: (1) an object list, then the values; (2) a clock, then code and value in turn;
(3) the values alone; (4) as (2), in two APDUs one after the other in one frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from core.obis import ObisCode
from core.protocol.apdu import DATA_NOTIFICATION, GENERAL_BLOCK_TRANSFER, LLC_FROM_METER
from core.protocol.ciphering import AUTHENTICATED, ENCRYPTED, GENERAL_GLO_CIPHERING, encoded_length, seal_apdu
from core.protocol.hdlc import encode_frame

Transfer = Literal["auto", "frame", "blocks", "segments", "none"]
"""How an APDU travels: in one frame, in blocks, in segmented frames, or `none`: the APDU alone."""

E450_DESTINATION = b"\xce\xff"
E450_SOURCE = b"\x03"
BLOCK_SIZE = 120


@dataclass(frozen=True, slots=True)
class PushValue:
    """One value: `code` such as `1-0:1.8.0*255`; texts and octets go as octet-strings.

    With `scaler` and `unit` (the number of a unit) layouts 2 and 4 send a structure with both.
    """

    code: str
    value: int | str | bytes
    scaler: int | None = None
    unit: int | None = None
    class_id: int = 3
    is_short: bool = False


def clock_octets(time_s: float, utc_offset_min: int | None = None, *, is_summer: bool = False) -> bytes:
    """The date-time of COSEM for epoch seconds, in local time of that offset; None: the offset is not specified.

    A deviation is minutes from local time to UTC; 0x8000 says that it is not specified (Blue Book, clause 4.1.6.1).
    """
    moment = datetime.fromtimestamp(time_s, UTC) + timedelta(minutes=utc_offset_min or 0)
    deviation = -0x8000 if utc_offset_min is None else -utc_offset_min
    return (
        moment.year.to_bytes(2, "big")
        + bytes((moment.month, moment.day, moment.isoweekday(), moment.hour, moment.minute, moment.second, 0xFF))
        + deviation.to_bytes(2, "big", signed=True)
        + bytes((0x80 if is_summer else 0x00,))
    )


def encode_push(
    values: Sequence[PushValue],
    layout: int,
    *,
    clock: bytes | None = None,
    system_title: bytes = b"LGZ\x00\x00\x00\x00\x01",
    key: bytes | None = None,
    auth_key: bytes | None = None,
    security_control: int = AUTHENTICATED | ENCRYPTED,
    invocation_counter: int = 1,
    ciphering: int = GENERAL_GLO_CIPHERING,
    invoke_id: int = 1,
    transfer: Transfer = "auto",
    block_size: int = BLOCK_SIZE,
    destination: bytes = E450_DESTINATION,
    source: bytes = E450_SOURCE,
) -> bytes:
    """Octets of one push as they go over the line; ciphered where `key` is given.

    `auto` takes one frame where the APDU fits into `block_size` octets or the layout is 4, else blocks.
    """
    bodies = _bodies(values, layout, clock)
    apdus = []
    for number, body in enumerate(bodies):
        apdu = _notification(body, invoke_id + number, clock)
        if key is not None:
            apdu = seal_apdu(
                apdu,
                system_title=system_title,
                invocation_counter=invocation_counter + number,
                key=key,
                auth_key=auth_key,
                security_control=security_control,
                tag=ciphering,
            )
        apdus.append(apdu)
    return transport(
        b"".join(apdus),
        transfer if layout != 4 or transfer != "auto" else "frame",
        block_size=block_size,
        destination=destination,
        source=source,
    )


def transport(
    apdu: bytes,
    transfer: Transfer = "auto",
    *,
    block_size: int = BLOCK_SIZE,
    destination: bytes = E450_DESTINATION,
    source: bytes = E450_SOURCE,
) -> bytes:
    """Frames that carry `apdu` the way `transfer` says."""
    if transfer == "none":
        return apdu
    if transfer == "auto":
        transfer = "frame" if len(apdu) <= block_size else "blocks"
    pieces = [apdu[start : start + block_size] for start in range(0, len(apdu), block_size)]
    if transfer == "frame":
        return encode_frame(LLC_FROM_METER + apdu, destination=destination, source=source)
    if transfer == "segments":
        return b"".join(
            encode_frame(
                (b"" if number else LLC_FROM_METER) + piece,
                destination=destination,
                source=source,
                control=0x13 if number == len(pieces) - 1 else 0x03,
                is_segmented=number < len(pieces) - 1,
            )
            for number, piece in enumerate(pieces)
        )
    return b"".join(
        encode_frame(
            (b"" if number > 1 else LLC_FROM_METER) + encode_block(number, piece, is_last=number == len(pieces)),
            destination=destination,
            source=source,
        )
        for number, piece in enumerate(pieces, 1)
    )


def encode_block(number: int, content: bytes, *, is_last: bool) -> bytes:
    """One block of general block transfer, streaming as the E450 sends it."""
    control = 0x40 | (0x80 if is_last else 0)
    header = bytes((GENERAL_BLOCK_TRANSFER, control)) + number.to_bytes(2, "big") + b"\0\0"
    return header + encoded_length(len(content)) + content


def _notification(body: bytes, invoke_id: int, clock: bytes | None) -> bytes:
    date = b"\x00" if clock is None else b"\x0c" + clock
    return bytes((DATA_NOTIFICATION,)) + invoke_id.to_bytes(4, "big") + date + body


def _bodies(values: Sequence[PushValue], layout: int, clock: bytes | None) -> list[bytes]:
    if layout == 1:
        objects = [_object(PushValue("0-8:25.9.0*255", 0, class_id=40)), *map(_object, values)]
        list_octets = b"\x01" + encoded_length(len(objects)) + b"".join(objects)
        return [_structure([list_octets, *map(_value, values)])]
    if layout == 2:
        return [_pairs(values, clock)]
    if layout == 3:
        return [_structure([_value(value) for value in values])]
    if layout == 4:
        half = (len(values) + 1) // 2
        return [_pairs(part, clock) for part in (values[:half], values[half:]) if part]
    raise ValueError(f"a push has layout 1 to 4, not {layout}")


def _pairs(values: Sequence[PushValue], clock: bytes | None) -> bytes:
    elements = [] if clock is None else [b"\x09\x0c" + clock]
    for value in values:
        code = b"\x09\x06" + _octets_of(value.code)
        if value.scaler is None or value.unit is None:
            elements += [code, _value(value)]
        else:
            scaler = b"\x02\x02\x0f" + (value.scaler & 0xFF).to_bytes(1, "big") + bytes((0x16, value.unit))
            elements.append(_structure([code, _value(value), scaler]))
    return _structure(elements)


def _object(value: PushValue) -> bytes:
    return _structure(
        [
            b"\x12" + value.class_id.to_bytes(2, "big"),
            b"\x09\x06" + _octets_of(value.code),
            b"\x0f\x02",
            b"\x12\x00\x00",
        ]
    )


def _value(value: PushValue) -> bytes:
    content = value.value
    if isinstance(content, str):
        content = content.encode()
    if isinstance(content, bytes):
        return b"\x09" + encoded_length(len(content)) + content
    if value.is_short:
        return (
            b"\x12" + content.to_bytes(2, "big") if content >= 0 else b"\x10" + content.to_bytes(2, "big", signed=True)
        )
    if content >= 1 << 32:
        return b"\x15" + content.to_bytes(8, "big")
    return b"\x06" + content.to_bytes(4, "big") if content >= 0 else b"\x05" + content.to_bytes(4, "big", signed=True)


def _structure(elements: Sequence[bytes]) -> bytes:
    return b"\x02" + encoded_length(len(elements)) + b"".join(elements)


def _octets_of(code: str) -> bytes:
    parsed = ObisCode.parse(code)
    groups = (parsed.a, parsed.b, parsed.c, parsed.d, parsed.e, parsed.f)
    return bytes(group if isinstance(group, int) else 255 if place == 5 else 0 for place, group in enumerate(groups))
