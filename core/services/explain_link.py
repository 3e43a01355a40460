"""The links of DLMS explained: HDLC frames and the TCP wrapper, and the messages that their frames carry."""

from __future__ import annotations

from core.errors import RemoteProtocolError
from core.language import _
from core.meter_records import ExplainedField
from core.protocol.checksum import fcs16
from core.protocol.hdlc import FLAG
from core.services.explain_apdu import explain_message
from core.services.explain_fields import Cursor, Keys

_UNNUMBERED = {0x83: "SNRM", 0x63: "UA", 0x43: "DISC", 0x0F: "DM", 0x87: "FRMR", 0x03: "UI"}
_SUPERVISORY = {0x01: "RR", 0x05: "RNR", 0x09: "REJ"}
_PARAMETERS = {
    5: "maximum information, transmit", 6: "maximum information, receive", 7: "window, transmit", 8: "window, receive",
}  # fmt: skip
_MOST_SEGMENTS = 1 << 16


class HdlcExplainer:
    """Explains frame after frame of one line; segments of a message are put together as they come."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._segments = bytearray()

    def explain(self, cursor: Cursor) -> None:
        """Take all octets of `cursor`."""
        while cursor.left > 0:
            self._keys.budget.spend()
            start = cursor.data.find(FLAG, cursor.position, cursor.end)
            if start < 0:
                cursor.rest(_("no frame"), error=_("no flag begins here"))
                return
            if start > cursor.position:
                cursor.take(start - cursor.position, _("no frame"), error=_("octets outside of a frame"))
            if cursor.left < 2 or cursor.data[start + 1] & 0xF0 != 0xA0:
                is_shared = cursor.left > 1 and cursor.data[start + 1] != FLAG
                cursor.take(1, _("flag"), error=_("no frame of type 3 follows") if is_shared else None)
                continue
            inner = cursor.inner()
            problem = self._frame(inner)
            cursor.nest(_("HDLC frame"), "", inner, error=problem)

    def _frame(self, cursor: Cursor) -> str | None:
        """Take one frame; what is wrong with it as a whole, None where nothing is."""
        start = cursor.position
        data = cursor.data
        cursor.take(1, _("flag"))
        try:
            cursor.need(2)
            length = (data[start + 1] & 0x07) << 8 | data[start + 2]
            is_segmented = data[start + 1] & 0x08 != 0
            words = _("type 3, {count} octets").format(count=length) + (_(", segmented") if is_segmented else "")
            cursor.take(2, _("format"), words)
            end = start + 1 + length
            for name in (_("destination"), _("source")):
                self._address(cursor, name)
            control = cursor.octet()
            cursor.take(1, _("control"), _control(control))
            if end > cursor.end:
                missing = end - cursor.end
                cursor.rest(_("not understood"))
                return _("the frame is cut off: {count} octets are missing").format(count=missing)
            if end - cursor.position < 2:
                return _("the length of {count} octets is too small").format(count=length)
            if end - cursor.position > 2:
                self._check(cursor, "HCS", start + 1, cursor.position)
                self._information(cursor, end - 2, control, is_segmented)
            self._check(cursor, "FCS", start + 1, end - 2)
        except RemoteProtocolError as error:
            cursor.rest(_("not understood"))
            return str(error)
        if cursor.left and data[cursor.position] == FLAG:
            cursor.take(1, _("flag"))
            return None
        return _("no flag ends the frame")

    def _address(self, cursor: Cursor, name: str) -> None:
        first, size = cursor.position, 1
        cursor.need(1)
        while size < 4 and first + size < cursor.end and not cursor.data[first + size - 1] & 1:
            size += 1
        octets = cursor.data[first : first + size]
        is_whole = octets[-1] & 1 and size in (1, 2, 4)
        cursor.take(
            size,
            name,
            _address_text(octets) if is_whole else "",
            error=None if is_whole else _("an address has 1, 2 or 4 octets"),
        )

    @staticmethod
    def _check(cursor: Cursor, name: str, start: int, end: int) -> None:
        cursor.need(2)
        received = int.from_bytes(cursor.data[cursor.position : cursor.position + 2], "little")
        computed = fcs16(cursor.data[start:end])
        error = None
        if received != computed:
            error = _("received {received:#06x}, computed {computed:#06x}").format(received=received, computed=computed)
        cursor.take(2, name, f"{received:#06x}" + ("" if error else " " + _("(holds)")), error=error)

    def _information(self, cursor: Cursor, end: int, control: int, is_segmented: bool) -> None:
        inner = cursor.inner(end)
        if control & 0xEF in (0x83, 0x63) and inner.left >= 3:
            _parameters(inner)
            cursor.nest(_("parameters"), "", inner)
            return
        if not is_segmented and not self._segments:
            explain_message(inner, self._keys)
            inner.position = end
            cursor.nest(_("information"), "", inner)
            return
        self._segments += cursor.take(end - cursor.position, _("information"), _("a segment of a message"))
        if len(self._segments) > _MOST_SEGMENTS:
            self._segments.clear()
        if not is_segmented:
            message = bytes(self._segments)
            self._segments.clear()
            whole = Cursor(message)
            explain_message(whole, self._keys)
            cursor.fields.append(
                ExplainedField(
                    offset=0,
                    octets=message,
                    name=_("message of all segments"),
                    value=_("{count} octets").format(count=len(message)),
                    children=tuple(whole.fields),
                    is_inner=True,
                )
            )


def _address_text(octets: bytes) -> str:
    """A client's or logical device's number, and behind it the physical address of the longer forms."""
    if len(octets) == 1:
        return str(octets[0] >> 1)
    half = len(octets) // 2
    upper, lower = (
        sum((octet >> 1) << 7 * place for place, octet in enumerate(reversed(part)))
        for part in (octets[:half], octets[half:])
    )
    return f"{upper}:{lower}"


def _control(octet: int) -> str:
    """What a control octet says (ISO/IEC 13239; IEC 62056-46)."""
    final = _(", poll/final") if octet & 0x10 else ""
    if not octet & 1:
        return f"I, N(S)={octet >> 1 & 7}, N(R)={octet >> 5}" + final
    if octet & 3 == 1:
        return _SUPERVISORY.get(octet & 0x0F, _("unknown")) + f", N(R)={octet >> 5}" + final
    return _UNNUMBERED.get(octet & 0xEF, _("unknown")) + final


def _parameters(cursor: Cursor) -> None:
    """Group 0x80 of SNRM and UA."""
    try:
        cursor.take(1, "format", f"{cursor.octet():#04x}")
        cursor.take(1, "group", f"{cursor.octet():#04x}")
        cursor.number(1, _("length"))
        while cursor.left:
            number = cursor.octet()
            cursor.need(2)
            size = cursor.data[cursor.position + 1]
            cursor.need(2 + size)
            value = int.from_bytes(cursor.data[cursor.position + 2 : cursor.position + 2 + size], "big")
            cursor.take(2 + size, _PARAMETERS.get(number, f"{number:#04x}"), str(value))
    except RemoteProtocolError as error:
        cursor.rest(_("not understood"), error=str(error))


def explain_wrapper(cursor: Cursor, keys: Keys) -> None:
    """Take frames of the TCP wrapper: version, both ports, length, message."""
    while cursor.left > 0:
        keys.budget.spend()
        inner = cursor.inner()
        problem = None
        try:
            version = inner.number(2, _("version"))
            if version != 1:
                raise RemoteProtocolError(_("the version of the wrapper is 1, not {version}").format(version=version))
            inner.number(2, _("source"))
            inner.number(2, _("destination"))
            size = inner.number(2, _("length"))
            inner.need(size)
            message = inner.inner(inner.position + size)
            explain_message(message, keys)
            message.position = message.end
            inner.nest(_("message"), "", message)
        except RemoteProtocolError as error:
            problem = str(error)
            inner.rest(_("not understood"))
        cursor.nest(_("wrapper frame"), "", inner, error=problem)
