"""What a saved capture is: its octets, from hexadecimal text or a recording where it is that, and its protocol."""

from __future__ import annotations

import re

from core.errors import UsageError
from core.language import _
from core.protocol.apdu import BODY_TAGS, LLC_FROM_METER, LLC_TO_METER
from core.protocol.mbus_push import LAST_CI
from core.protocol.push import APDU_TAGS

LOOKED_AT = 1 << 16
"""Octets that are looked at to tell the protocol."""

_HEX_SIGNS = re.compile(rb"0[xX]|[\s,;:-]")
_PRINTABLE = frozenset(range(0x20, 0x7F)) | {0x09, 0x0A, 0x0D}


def line_octets(data: bytes) -> tuple[bytes, bool]:
    """The octets of a capture, and whether it is a recording with directions.

    Of a recording they are those of the meter, of a recorded DLMS dialogue those of both ends.

    Raises UsageError for text that is broken.
    """
    from core.services.decode_dialogue import is_dialogue
    from core.services.line_recording import pieces_of

    pieces = pieces_of(data)
    if pieces is None:
        return octets_of(data), False
    both = b"".join(piece.octets for piece in pieces)
    if is_dialogue(both):
        return both, True
    return b"".join(piece.octets for piece in pieces if not piece.is_sent), True


def octets_of(data: bytes) -> bytes:
    """The octets of a capture, from hexadecimal text where it is that; raises UsageError for broken hexadecimal."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    if any(octet not in _PRINTABLE for octet in data[:4096]) or b"(" in data or b"/" in data:
        return data
    words = _HEX_SIGNS.sub(b" ", data).split()
    if words and all(len(word) <= 2 for word in words):  # octets one by one, some without their leading zero
        words = [word.rjust(2, b"0") for word in words]
    digits = b"".join(words)
    try:
        return bytes.fromhex(digits.decode("ascii"))
    except (ValueError, UnicodeDecodeError):
        pass
    wrong = re.search(rb"[^0-9A-Fa-f\s,;:xX-]", data)
    if wrong is None:
        raise UsageError(_("the hexadecimal text has {count} digits; two make an octet").format(count=len(digits)))
    line = data.count(b"\n", 0, wrong.start()) + 1
    column = wrong.start() - (data.rfind(b"\n", 0, wrong.start()) + 1) + 1
    raise UsageError(
        _("line {line}, column {column}: “{sign}” is no hexadecimal digit").format(
            line=line, column=column, sign=wrong[0].decode("latin-1")
        )
    )


def recognised(octets: bytes) -> str | None:
    """Which protocol a capture is: `push`, `iec62056-21`, `dlms` (a dialogue), `mbus`; None for none of them."""
    from core.services.decode_dialogue import is_dialogue

    if is_dialogue(octets):
        return "dlms"
    if octets[:3] in (LLC_FROM_METER, LLC_TO_METER) or octets[:1] in (b"\xdb", b"\xdf", b"\xe0"):
        return "push"
    if re.match(rb"\x7e[\xa0-\xaf]", octets):
        return "push"
    if _is_text(octets):
        return "iec62056-21"
    if re.match(rb"\x68(.)\1\x68|\x10[^\x00]..\x16|\xe5", octets, re.DOTALL):
        return "push" if is_push_by_bus(octets) else "mbus"
    if (octets[:1] and (octets[0] in APDU_TAGS or octets[0] in BODY_TAGS)) or re.search(rb"\x7e[\xa0-\xaf]", octets):
        return "push"
    return "mbus" if re.search(rb"\x68(.)\1\x68", octets, re.DOTALL) else None


def is_push_by_bus(octets: bytes) -> bool:
    """True where a first long frame of M-Bus carries a fragment of a DLMS message."""
    first = re.search(rb"\x68(.)\1\x68..(.)", octets[:LOOKED_AT], re.DOTALL)
    return first is not None and first[2][0] <= LAST_CI


def _is_text(octets: bytes) -> bool:
    """True where nearly all octets are letters of a 7-bit line, as they came or with a parity bit."""
    sample = octets[:4096]
    if re.match(rb"[\xaf/]|\x06...\r\n", sample, re.DOTALL):
        return True
    printable = sum(octet & 0x7F in _PRINTABLE for octet in sample)
    begins = bool(sample) and sample[0] & 0x7F in (0x01, 0x02)
    return (
        printable >= 0.9 * len(sample) - 6
        and (begins or any(octet & 0x7F in b"(/" for octet in sample))
        and (sum(octet & 0x7F == 0x28 for octet in sample) > 0 or len(sample) < 32)
    )
