"""Data records of M-Bus: DIF, VIF and the value behind them (EN 13757-3, clause 6 and annexes A to C).

Every octet must be accounted for: a chain or a value that is cut off, and a field that the standard does not know,
reject the whole telegram by name. What a header (DIF to last VIFE) means is worked out once and kept, since the same
few come again and again.
"""

from __future__ import annotations

from enum import Enum
from struct import Struct as Packed

from msgspec import Struct

from core.errors import RemoteProtocolError
from core.language import _
from core.protocol.mbus_times import time_text
from core.protocol.mbus_vif import (
    ALTERNATE,
    MAIN_EXTENSION,
    MANUFACTURER,
    PRIMARY,
    SECOND_EXTENSION,
    Kind,
    Meaning,
    extended_by,
    meaning_of,
    modified_by,
    plain_text_at,
)

MOST_EXTENSIONS = 10
"""DIFEs, and VIFEs, of a record at most."""
FILLER = 0x2F
MANUFACTURER_DATA = 0x0F
MORE_FOLLOWS = 0x1F
_PLAIN_TEXT = 0x7C
_CACHE_LIMIT = 4096

Raw = int | float | str | None


class Function(Enum):
    """What kind of value a record holds (bits 4 and 5 of the DIF)."""

    CURRENT = 0
    MAXIMUM = 1
    MINIMUM = 2
    IN_ERROR = 3


_FUNCTIONS = (Function.CURRENT, Function.MAXIMUM, Function.MINIMUM, Function.IN_ERROR)
_SIZES = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 4, 6: 6, 7: 8, 8: 0, 9: 1, 10: 2, 11: 3, 12: 4, 13: -1, 14: 6}


class RecordHead(Struct, frozen=True):
    """What stands before a value: `size` of the value in octets (-1: told by its first one), and what it means.

    The value is the number times `multiply`, divided by `divide`, in `unit`. `words` are those of the VIFEs,
    `error` is the number of a record error (None without one), `phase` 1 to 3 where the standard names it.
    """

    function: Function
    storage: int
    tariff: int
    subunit: int
    data_field: int
    size: int
    quantity: str
    unit: str | None
    multiply: int
    divide: int
    kind: Kind
    words: tuple[str, ...] = ()
    error: int | None = None
    octets: bytes = b""
    is_about: bool = False
    """True where a VIFE makes a date of the data: when something happened to the quantity."""
    is_plain: bool = False
    """True for a number of fixed size that is one."""

    @property
    def phase(self) -> int:
        """1, 2 or 3 where a VIFE says so, else 0."""
        return next((int(word[1]) for word in self.words if word in ("l1", "l2", "l3")), 0)


class MbusRecord(Struct, frozen=True):
    """One record: `raw` is the number before the power of ten, `value` in the unit of `head`; None is no value.

    `is_doubtful` marks what the standard calls an error within a value: hexadecimal digits in BCD, an impossible date,
    the number that means "invalid". `start` and `end` are where the record stands in its telegram's data.
    """

    head: RecordHead
    value: Raw
    raw: Raw
    is_doubtful: bool = False
    start: int = 0
    value_start: int = 0
    end: int = 0


class RecordList(Struct, frozen=True):
    """The records of one telegram, the manufacturer's own octets behind them, and whether more records follow."""

    records: tuple[MbusRecord, ...]
    manufacturer_data: bytes = b""
    has_more: bool = False


_heads: dict[bytes, RecordHead] = {}


def records_of(data: bytes, position: int = 0, *, is_reversed: bool = False) -> RecordList:
    """All records from `position` to the end; `is_reversed` where numbers come highest octet first (mode 2).

    Raises RemoteProtocolError where an octet is left over, missing or reserved.
    """
    size = len(data)
    records: list[MbusRecord] = []
    heads = _heads
    while position < size:
        dif = data[position]
        if dif & 0x0F == 0x0F:
            if dif == FILLER:
                position += 1
                continue
            if dif in (MANUFACTURER_DATA, MORE_FOLLOWS):
                return RecordList(tuple(records), data[position + 1 :], dif == MORE_FOLLOWS)
            raise RemoteProtocolError(
                _("record {number} begins with the reserved function {dif:#04x}").format(
                    number=len(records) + 1, dif=dif
                )
            )
        end = position + 2
        if end > size or (dif | data[end - 1]) & 0x80 or data[end - 1] == _PLAIN_TEXT:
            end = _head_end(data, position, len(records) + 1)
        octets = data[position:end]
        head = heads.get(octets) if not is_reversed else None
        if head is None:
            head = _head_of(octets, is_reversed)
            if not is_reversed:  # the text of a VIF would be the wrong way round for a meter of the other order
                if len(heads) >= _CACHE_LIMIT:
                    heads.clear()
                heads[octets] = head
        stop = end + head.size
        if head.is_plain and not is_reversed and stop <= size:  # by far the most frequent: a number of fixed size
            raw, is_doubtful = _raw(data[end:stop], head.data_field)
            value = raw
            if raw is not None and not isinstance(raw, str):
                value = raw * head.multiply if head.divide == 1 else raw * head.multiply / head.divide
            records.append(MbusRecord(head, value, raw, is_doubtful, position, end, stop))
            position = stop
            continue
        record = _record_at(data, position, end, head, is_reversed, len(records) + 1)
        records.append(record)
        position = record.end
    return RecordList(tuple(records))


def record_at(data: bytes, position: int, number: int, *, is_reversed: bool = False) -> MbusRecord:
    """The single record at `position`, whose DIF is no special function; raises RemoteProtocolError."""
    end = _head_end(data, position, number)
    return _record_at(data, position, end, _head_of(data[position:end], is_reversed), is_reversed, number)


def _head_end(data: bytes, position: int, number: int) -> int:
    """Position behind the last VIFE; raises where the chain is cut off or too long."""
    size = len(data)
    end = position
    limit = position + MOST_EXTENSIONS
    while data[end] & 0x80:
        end += 1
        if end > limit:
            raise RemoteProtocolError(
                _("record {number} has more than {count} DIFEs").format(number=number, count=MOST_EXTENSIONS)
            )
        if end >= size:
            raise RemoteProtocolError(_("record {number} is cut off in its DIFEs").format(number=number))
    end += 1
    if end >= size:
        raise RemoteProtocolError(_("record {number} is cut off before its VIF").format(number=number))
    vif = data[end]
    count = 0
    is_extended = vif & 0x80
    if vif & 0x7F == _PLAIN_TEXT:
        place = plain_text_at(data, end)
        if place < 0:
            raise RemoteProtocolError(_("record {number} is cut off in the text of its VIF").format(number=number))
        stop = place + 1 + data[place]
        if place > end + 1:
            return stop
        end = stop - 1
    while is_extended:
        end += 1
        count += 1
        if count > MOST_EXTENSIONS:
            raise RemoteProtocolError(
                _("record {number} has more than {count} VIFEs").format(number=number, count=MOST_EXTENSIONS)
            )
        if end >= size:
            raise RemoteProtocolError(_("record {number} is cut off in its VIFEs").format(number=number))
        is_extended = data[end] & 0x80
    return end + 1


def _head_of(octets: bytes, is_reversed: bool) -> RecordHead:
    """What a whole header means."""
    dif = octets[0]
    position, storage, tariff, subunit = 1, dif >> 6 & 1, 0, 0
    step = 0
    while octets[position - 1] & 0x80:
        dife = octets[position]
        storage |= (dife & 0x0F) << 1 + 4 * step
        tariff |= (dife >> 4 & 3) << 2 * step
        subunit |= (dife >> 6 & 1) << step
        step += 1
        position += 1
    meaning, position, limit = _meaning_at(octets, position, is_reversed)
    quantity, unit, exponent, multiply, kind = meaning
    words: list[str] = []
    error = None
    is_extended = is_about = False
    while position < limit:
        code = octets[position] & 0x7F
        position += 1
        if meaning is MANUFACTURER or code == 0x7F:
            words.append("manufacturer_specific")  # this VIFE and all behind it are the manufacturer's own
            break
        if code == 0x7C and not is_extended and position < limit:
            is_extended = True
            continue
        change = extended_by(code) if is_extended else modified_by(code)
        is_extended = False
        exponent += change.exponent
        if change.word is not None:
            words.append(change.word)
        if change.per is not None:
            unit = f"{unit or '1'}/{change.per}"
        if change.times is not None:
            unit = f"{unit or '1'}·{change.times}"
        if change.meaning is not None and change.meaning.kind is Kind.DATE_TIME:
            unit, kind, is_about = None, Kind.DATE_TIME, True
        elif change.meaning is not None:
            unit, exponent, multiply, kind = change.meaning[1:]
        if change.error is not None:
            error = change.error
    data_field = dif & 0x0F
    return RecordHead(
        function=_FUNCTIONS[dif >> 4 & 3],
        storage=storage,
        tariff=tariff,
        subunit=subunit,
        data_field=data_field,
        size=_SIZES[data_field],
        quantity=quantity,
        unit=unit,
        multiply=multiply * 10 ** max(exponent, 0),
        divide=10 ** max(-exponent, 0),
        kind=kind,
        words=tuple(words),
        error=error,
        octets=octets,
        is_about=is_about,
        is_plain=kind is Kind.NUMBER and error is None and _SIZES[data_field] > 0,
    )


def _meaning_at(octets: bytes, position: int, is_reversed: bool) -> tuple[Meaning, int, int]:
    """The meaning of the VIF at `position`, with its extension tables, and where the VIFEs left begin and end."""
    vif = octets[position]
    code = vif & 0x7F
    limit = len(octets)
    if code == _PLAIN_TEXT:
        place = plain_text_at(octets, position)
        end = place + 1 + octets[place]
        letters = octets[place + 1 : end]
        text = (letters if is_reversed else letters[::-1]).decode("latin-1").strip()
        meaning = Meaning("plain_text", "".join(letter for letter in text if letter.isprintable()) or None)
        return (meaning, end, limit) if place == position + 1 else (meaning, position + 1, place)
    if vif == 0xFD:
        code = octets[position + 1]
        if code == 0xFD:
            return meaning_of(SECOND_EXTENSION, octets[position + 2]), position + 3, limit
        return meaning_of(MAIN_EXTENSION, code), position + 2, limit
    if vif == 0xFB:
        return meaning_of(ALTERNATE, octets[position + 1]), position + 2, limit
    return meaning_of(PRIMARY, code), position + 1, limit


def _record_at(
    data: bytes, start: int, value_start: int, head: RecordHead, is_reversed: bool, number: int
) -> MbusRecord:
    """The record whose value stands at `value_start`."""
    size = head.size
    field = head.data_field
    position = value_start
    if size < 0:
        if position >= len(data):
            raise RemoteProtocolError(_("record {number} is cut off before its length").format(number=number))
        field, size = _variable(data[position], number)
        position += 1
    end = position + size
    if end > len(data):
        raise RemoteProtocolError(
            _("the value of record {number} has {size} octets, {left} are left").format(
                number=number, size=size, left=len(data) - position
            )
        )
    octets = data[position:end]
    if is_reversed:
        octets = octets[::-1]
    if head.kind is not Kind.NUMBER and field in (2, 3, 4, 6):
        if head.kind is Kind.BITS:
            bits = int.from_bytes(octets, "little")
            return MbusRecord(head, bits, bits, False, start, value_start, end)
        text, is_sound = time_text(octets)
        digits: Raw = octets[::-1].hex(" ").upper()
        if head.is_about and field != 3:
            # whoever passes a VIFE over takes the octets for a number of the VIF: that is kept beside the date
            digits = int.from_bytes(octets, "little") * head.multiply / head.divide
        return MbusRecord(head, text, digits, not is_sound, start, value_start, end)
    raw, is_doubtful = _raw(octets, field)
    value = raw
    if raw.__class__ is not str and raw is not None:
        assert not isinstance(raw, str)
        value = raw * head.multiply if head.divide == 1 else raw * head.multiply / head.divide
    if head.error is not None:
        value = None
    return MbusRecord(head, value, raw, is_doubtful, start, value_start, end)


_REAL = Packed("<f")
_LETTERS = -1
_OCTETS = -2
_NEGATIVE_BCD = -3


def _raw(octets: bytes, field: int) -> tuple[Raw, bool]:
    """Number or text of a data field, and whether it is one that means an error."""
    if 1 <= field <= 7 and field != 5:
        number = int.from_bytes(octets, "little", signed=True)
        # the lowest number means "invalid" (annex A, type B); of one octet it is met as a measured -128
        return number, len(octets) > 1 and number == -1 << 8 * len(octets) - 1
    if 9 <= field <= 14 or field == _NEGATIVE_BCD:
        digits = octets[::-1].hex()
        if digits.isdigit():
            return int(digits) if field > 0 else -int(digits), False
        if digits[:1] == "f" and digits[1:].isdigit():
            return -int(digits[1:]), False
        return (digits.upper(), True) if digits else (None, False)
    if field == 5:
        real: float = _REAL.unpack(octets)[0]
        return (real, False) if real - real == 0.0 else (None, True)
    if field == _LETTERS:
        return "".join(letter for letter in octets[::-1].decode("latin-1") if letter.isprintable()), False
    if field == _OCTETS:
        return octets[::-1].hex(" ").upper(), False
    return None, False


def _variable(length: int, number: int) -> tuple[int, int]:
    """What an LVAR octet announces: the way to read it, and how many octets (EN 13757-3, table 5)."""
    if length <= 0xBF:
        return _LETTERS, length
    if length <= 0xC9:
        return 9, length - 0xC0
    if 0xD0 <= length <= 0xD9:
        return _NEGATIVE_BCD, length - 0xD0
    if 0xE0 <= length <= 0xEF:
        count = length - 0xE0
        return (1 if 0 < count <= 8 else _OCTETS), count
    if 0xF0 <= length <= 0xF4:
        return _OCTETS, 4 * (length - 0xEC)
    if length in (0xF5, 0xF6):
        return _OCTETS, 48 if length == 0xF5 else 64
    if length == 0xF8:
        return 5, 4
    raise RemoteProtocolError(
        _("record {number} has the reserved variable length {length:#04x}").format(number=number, length=length)
    )


__all__ = [
    "Function",
    "MbusRecord",
    "RecordHead",
    "RecordList",
    "record_at",
    "records_of",
]
