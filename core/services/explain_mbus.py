"""M-Bus explained: frames, headers, and each record with its chain of DIF and VIF."""

from __future__ import annotations

from core.errors import RemoteProtocolError, WrongKeyError
from core.language import N_, _
from core.meter.readings_mbus import label_of
from core.meter_records import ExplainedField
from core.protocol.mbus_frames import MbusFrame, frames_of
from core.protocol.mbus_push import FragmentAssembly, carries_dlms
from core.protocol.mbus_records import FILLER, MANUFACTURER_DATA, MORE_FOLLOWS, MbusRecord, record_at
from core.protocol.mbus_telegram import MEDIA, manufacturer_letters, telegram_of
from core.protocol.mbus_vif import RECORD_ERRORS, plain_text_at
from core.services.explain_apdu import explain_message
from core.services.explain_fields import Cursor, Keys

_CI = {
    0x50: N_("application reset"), 0x51: N_("data to the slave"), 0x52: N_("selection of a slave"),
    0x70: N_("application error"), 0x71: N_("alarm"), 0x72: N_("records, long header"),
    0x73: N_("fixed structure"), 0x76: N_("records, long header, mode 2"), 0x77: N_("fixed structure, mode 2"),
    0x78: N_("records without header"), 0x7A: N_("records, short header"),
}  # fmt: skip
_CONTROL = {0x40: "SND_NKE", 0x53: "SND_UD", 0x5A: "REQ_UD1", 0x5B: "REQ_UD2", 0x08: "RSP_UD"}
_HEADERS = {0x72: 12, 0x76: 12, 0x7A: 4, 0x78: 0}
_FIELDS = (
    N_("no data"), N_("8 bit"), N_("16 bit"), N_("24 bit"), N_("32 bit"), N_("32 bit real"), N_("48 bit"),
    N_("64 bit"), N_("selection for readout"), N_("2 digits BCD"), N_("4 digits BCD"), N_("6 digits BCD"),
    N_("8 digits BCD"), N_("variable length"), N_("12 digits BCD"), N_("special function"),
)  # fmt: skip
_FUNCTIONS = (N_("current value"), N_("maximum"), N_("minimum"), N_("value during an error"))


class MbusExplainer:
    """Explains frame after frame of one line; fragments of DLMS messages are put together as they come."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._fragments = FragmentAssembly()

    def explain(self, cursor: Cursor) -> None:
        """Take all octets of `cursor`."""
        skipped = cursor.position
        while cursor.position < cursor.end:
            if cursor.data[cursor.position] in (0xE5, 0x10, 0x68):
                place = cursor.position
                cursor.position = skipped
                if place > skipped and self._starts_at(cursor, place):
                    cursor.take(place - skipped, _("no frame"), error=_("octets outside of a frame"))
                cursor.position = place
                if self._frame_at(cursor):
                    skipped = cursor.position
                    continue
            cursor.position += 1
        end, cursor.position = cursor.position, skipped
        if end > skipped:
            cursor.take(end - skipped, _("no frame"), error=_("octets outside of a frame"))

    @staticmethod
    def _starts_at(cursor: Cursor, place: int) -> bool:
        data = cursor.data
        if data[place] == 0xE5:
            return True
        if data[place] == 0x10:
            return place + 5 <= cursor.end and data[place + 4] == 0x16
        return place + 4 <= cursor.end and data[place + 3] == 0x68

    def _frame_at(self, cursor: Cursor) -> bool:
        """Take the frame that begins here; False where none does."""
        self._keys.budget.spend()
        if not self._starts_at(cursor, cursor.position):
            return False
        first = cursor.octet()
        if first == 0xE5:
            cursor.take(1, _("acknowledgement"))
            return True
        inner = cursor.inner()
        try:
            problem = self._short(inner) if first == 0x10 else self._long(inner)
        except RemoteProtocolError as error:
            inner.rest(_("not understood"))
            problem = str(error)
        cursor.nest(_("short frame") if first == 0x10 else _("long frame"), "", inner, error=problem)
        return True

    def _short(self, cursor: Cursor) -> str | None:
        start = cursor.position
        cursor.take(1, _("start"))
        self._link(cursor)
        self._check(cursor, start + 1)
        cursor.take(1, _("stop"))
        return None

    def _long(self, cursor: Cursor) -> str | None:
        start = cursor.position
        cursor.take(1, _("start"))
        length = cursor.number(1, _("length"))
        again = cursor.octet()
        cursor.take(1, _("length again"), str(again), error=None if again == length else _("the two lengths differ"))
        cursor.take(1, _("start"))
        end = cursor.position + length
        if length < 3:
            return _("a long frame announces {count} octets; it has 3 at least").format(count=length)
        cursor.need(length + 2)
        self._link(cursor)
        ci = cursor.octet()
        text = _(_CI[ci]) if ci in _CI else _("fragment {number} of a DLMS message").format(number=ci & 15)
        cursor.take(1, "CI", text if ci in _CI or ci < 0x20 else _("unknown"))
        inner = cursor.inner(end)
        frame = frames_of(_whole(cursor.data[start + 4 : end]))[0]
        self._content(inner, frame)
        if end > cursor.position:
            inner.position = end
            cursor.nest(_("data"), "", inner)
        self._check(cursor, start + 4)
        stop = cursor.octet()
        cursor.take(1, _("stop"), error=None if stop == 0x16 else _("0x16 was due"))
        return None

    @staticmethod
    def _link(cursor: Cursor) -> None:
        control = cursor.octet()
        kind = _CONTROL.get(control & ~0x20 if control & 0x40 else control & 0x0F, _("unknown"))
        bit = f", FCB {control >> 5 & 1}" if control & 0x50 == 0x50 else ""
        cursor.take(1, "C", kind + bit)
        address = cursor.octet()
        words = {253: _("the selected slave"), 254: _("any slave"), 255: _("all, without answer")}
        cursor.take(1, "A", words.get(address, str(address)))

    @staticmethod
    def _check(cursor: Cursor, start: int) -> None:
        computed = sum(cursor.data[start : cursor.position]) & 0xFF
        received = cursor.octet()
        error = None
        if received != computed:
            error = _("received {received:#04x}, computed {computed:#04x}").format(received=received, computed=computed)
        cursor.take(1, _("checksum"), "" if error else _("(holds)"), error=error)

    def _content(self, cursor: Cursor, frame: MbusFrame) -> None:
        try:
            if carries_dlms(frame):
                self._fragment(cursor, frame)
            elif frame.is_from_master:
                if frame.ci == 0x52 and cursor.left >= 8:
                    self._secondary(cursor)
                cursor.rest(_("octets"))
            elif frame.ci in _HEADERS:
                self._telegram(cursor, frame)
            else:
                self._other(cursor, frame)
        except RemoteProtocolError as error:
            cursor.rest(_("not understood"), error=str(error))

    def _fragment(self, cursor: Cursor, frame: MbusFrame) -> None:
        cursor.number(1, "STSAP")
        cursor.number(1, "DTSAP")
        message = self._fragments.take(frame)
        cursor.rest(_("part of the message"))
        if message is not None:
            inner = Cursor(message)
            explain_message(inner, self._keys)
            cursor.fields.append(
                ExplainedField(
                    offset=0,
                    octets=message,
                    name=_("message of all fragments"),
                    value=_("{count} octets").format(count=len(message)),
                    children=tuple(inner.fields),
                    is_inner=True,
                )
            )

    @staticmethod
    def _secondary(cursor: Cursor) -> None:
        cursor.need(8)
        data, at = cursor.data, cursor.position
        cursor.take(4, _("identification"), data[at : at + 4][::-1].hex().upper())
        cursor.take(2, _("manufacturer"), manufacturer_letters(int.from_bytes(data[at + 4 : at + 6], "little")))
        cursor.number(1, _("version"))
        medium = cursor.octet()
        cursor.take(1, _("medium"), _(MEDIA[medium]) if medium in MEDIA else f"{medium:#04x}")

    def _telegram(self, cursor: Cursor, frame: MbusFrame) -> None:
        size = _HEADERS[frame.ci]
        is_reversed = frame.ci == 0x76
        cursor.need(size)
        if size == 12 and is_reversed:
            cursor.take(8, _("secondary address"))
        elif size == 12:
            self._secondary(cursor)
        if size:
            cursor.number(1, _("access number"))
            cursor.take(1, _("status"), _status(cursor.octet()))
            cursor.take(2, _("configuration"))
        try:
            telegram_of(frame, self._keys.key)
        except WrongKeyError as error:
            cursor.rest(_("ciphered records"), error=str(error))
            return
        except RemoteProtocolError:
            pass  # said where it stands, by the records themselves
        self._records(cursor, is_reversed=is_reversed)

    def _records(self, cursor: Cursor, *, is_reversed: bool) -> None:
        number = 0
        data = cursor.data[: cursor.end]
        while cursor.left:
            dif = cursor.octet()
            if dif == FILLER:
                cursor.take(1, _("filler"))
                continue
            if dif in (MANUFACTURER_DATA, MORE_FOLLOWS):
                more = dif == MORE_FOLLOWS
                cursor.take(1, "DIF", _("more telegrams follow") if more else _("manufacturer's own data follow"))
                cursor.rest(_("manufacturer's own data"))
                return
            if dif & 0x0F == 0x0F:
                raise RemoteProtocolError(
                    _("record {number} begins with the reserved function {dif:#04x}").format(number=number + 1, dif=dif)
                )
            number += 1
            self._keys.budget.spend()
            self._record(cursor, record_at(data, cursor.position, number, is_reversed=is_reversed))

    def _record(self, cursor: Cursor, record: MbusRecord) -> None:
        """One record: its DIF and DIFEs, VIF and VIFEs, its value."""
        head = record.head
        inner = cursor.inner(record.end)
        dif = inner.octet()
        words = [_(_FUNCTIONS[dif >> 4 & 3]), _(_FIELDS[dif & 0x0F]), _("storage {n}").format(n=dif >> 6 & 1)]
        inner.take(1, "DIF", ", ".join(words))
        while inner.data[inner.position - 1] & 0x80:
            dife = inner.octet()
            text = _("storage {storage}, tariff {tariff}, subunit {subunit}").format(
                storage=dife & 0x0F, tariff=dife >> 4 & 3, subunit=dife >> 6 & 1
            )
            inner.take(1, "DIFE", text)
        unit = head.unit or _("no unit")
        factor = head.multiply / head.divide
        inner.take(
            1,
            "VIF",
            _("{quantity}, times {factor:g}, {unit}").format(
                quantity=head.quantity.replace("_", " "), factor=factor, unit=unit
            ),
        )
        extensions = ", ".join(head.words).replace("_", " ")
        if inner.data[inner.position - 1] & 0x7F == 0x7C:
            place = plain_text_at(inner.data[: record.value_start], inner.position - 1)
            if inner.position < place:
                inner.take(place - inner.position, "VIFE", extensions)
            inner.take(1 + inner.octet(), _("text of the VIF"), head.unit or "")
        if inner.position < record.value_start:
            inner.take(record.value_start - inner.position, "VIFE", extensions)
        error = None
        if head.error is not None:
            error = RECORD_ERRORS.get(head.error, f"{head.error:#04x}")
        elif record.is_doubtful:
            error = _("no sound value")
        shown = (
            "" if record.value is None else f"{record.value:.10g}" if isinstance(record.value, float) else record.value
        )
        text = f"{shown} {head.unit or ''}".strip()
        inner.take(record.end - inner.position, _("value"), text, error=error)
        cursor.nest(_("record"), f"{label_of(head)} = {text}", inner, error=error)

    @staticmethod
    def _other(cursor: Cursor, frame: MbusFrame) -> None:
        """Errors, alarms, the fixed structure."""
        try:
            telegram = telegram_of(frame)
        except RemoteProtocolError as error:
            if frame.ci == 0x70 and cursor.left:
                cursor.take(1, _("error"), error=str(error))
                return
            cursor.rest(_("not understood"), error=str(error))
            return
        if telegram.alarm is not None:
            cursor.rest(_("alarm bits"))
            return
        order = -1 if frame.ci == 0x73 else 1
        data, at = cursor.data, cursor.position
        cursor.take(4, _("identification"), data[at : at + 4][::order].hex().upper())
        cursor.number(1, _("access number"))
        cursor.take(1, _("status"), _status(cursor.octet() & 0x3C))
        cursor.take(2, _("medium and units"))
        for record in telegram.records:
            cursor.take(4, label_of(record.head), f"{record.value} {record.head.unit or ''}".strip())


def _whole(body: bytes) -> bytes:
    """The body of a long frame with checks that hold, whatever those on the line were."""
    return bytes((0x68, len(body), len(body), 0x68)) + body + bytes((sum(body) & 0xFF, 0x16))


def _status(octet: int) -> str:
    words = [
        {1: _("application busy"), 2: _("application error"), 3: _("abnormal condition")}.get(octet & 3, ""),
        _("power low") if octet & 4 else "",
        _("permanent error") if octet & 8 else "",
        _("temporary error") if octet & 16 else "",
        _("manufacturer's own bits {bits}").format(bits=octet >> 5) if octet >> 5 else "",
    ]
    return ", ".join(filter(None, words)) or _("no error")
