"""What a slave answers: the header and the records of a telegram (EN 13757-3, clauses 5 and 6).

CI 72 and 76 bring a long header, 7A a short one, 78 none; 73 and 77 the fixed structure of old meters; 70 an error of
the application, 71 an alarm. The second of each pair sends the highest octet first (mode 2).
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from core.errors import RemoteProtocolError, WrongKeyError
from core.language import N_, _
from core.protocol.mbus_frames import MbusFrame
from core.protocol.mbus_records import MANUFACTURER_DATA, Function, MbusRecord, RecordHead, records_of
from core.protocol.mbus_vif import PRIMARY, Kind, Meaning

LONG_HEADER = 0x72
LONG_HEADER_REVERSED = 0x76
FIXED = 0x73
FIXED_REVERSED = 0x77
NO_HEADER = 0x78
SHORT_HEADER = 0x7A
APPLICATION_ERROR = 0x70
ALARM = 0x71
LAST_FRAGMENT = 0x10
LAST_DLMS_CI = 0x1F
"""CI fields up to this one carry a DLMS message in fragments."""

MEDIA: dict[int, str] = {
    0x00: N_("other"), 0x01: N_("oil"), 0x02: N_("electricity"), 0x03: N_("gas"), 0x04: N_("heat (outlet)"),
    0x05: N_("steam"), 0x06: N_("warm water"), 0x07: N_("water"), 0x08: N_("heat cost allocator"),
    0x09: N_("compressed air"), 0x0A: N_("cooling (outlet)"), 0x0B: N_("cooling (inlet)"), 0x0C: N_("heat (inlet)"),
    0x0D: N_("heat and cooling"), 0x0E: N_("bus or system"), 0x0F: N_("unknown"), 0x14: N_("calorific value"),
    0x15: N_("hot water"), 0x16: N_("cold water"), 0x17: N_("hot and cold water"), 0x18: N_("pressure"),
    0x19: N_("A/D converter"), 0x1A: N_("smoke detector"), 0x1B: N_("room sensor"), 0x1C: N_("gas detector"),
    0x20: N_("breaker (electricity)"), 0x21: N_("valve"), 0x25: N_("customer unit"), 0x28: N_("waste water"),
    0x29: N_("garbage"), 0x31: N_("communication controller"), 0x32: N_("repeater (one way)"),
    0x33: N_("repeater (two ways)"), 0x36: N_("radio converter (system side)"),
    0x37: N_("radio converter (meter side)"),
}  # fmt: skip

_APPLICATION_ERRORS = {
    0: N_("unspecified error"),
    1: N_("unimplemented CI field"),
    2: N_("buffer too long, truncated"),
    3: N_("too many records"),
    4: N_("premature end of record"),
    5: N_("more than 10 DIFEs"),
    6: N_("more than 10 VIFEs"),
    8: N_("application too busy to answer"),
    9: N_("too many readouts"),
}

_FIXED_MEDIA = (0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x0F, 0x03, 0x04, 0x06, 0x07, 0x08, 0x0F)


class MbusHeader(Struct, frozen=True):
    """Who speaks: `identification` are eight digits, `manufacturer` three letters; both empty without a long header."""

    identification: str = ""
    manufacturer: str = ""
    version: int | None = None
    medium: int | None = None
    access_number: int = 0
    status: int = 0
    configuration: int = 0

    @property
    def secondary_address(self) -> str:
        """`IDENTIFICATION.MANUFACTURER.VERSION.MEDIUM`, the last two in hexadecimal; empty where it is not known."""
        if not self.identification or self.version is None or self.medium is None:
            return ""
        return f"{self.identification}.{self.manufacturer}.{self.version:02X}.{self.medium:02X}"


class MbusTelegram(Struct, frozen=True):
    """One answer, or several put together: `address` of the link layer, the header, all records.

    `has_more` tells that the meter has announced another telegram; `alarm` are the bits of an alarm telegram.
    `data_start` is where the records begin behind the CI field.
    """

    address: int
    ci: int
    header: MbusHeader
    records: tuple[MbusRecord, ...]
    manufacturer_data: bytes = b""
    has_more: bool = False
    alarm: int | None = None
    data_start: int = 0
    is_ciphered: bool = False


class ApplicationError(RemoteProtocolError):
    """What a meter says in place of values."""


def telegram_of(frame: MbusFrame, key: bytes | None = None) -> MbusTelegram:
    """What `frame` of a slave says; raises RemoteProtocolError by name for what cannot be read.

    `key` opens telegrams of security mode 5. Raises WrongKeyError for ciphered records without their key.
    """
    ci, content = frame.ci, frame.content
    if frame.is_from_master:
        raise RemoteProtocolError(_("this is a command of a master (CI {ci:#04x}); it reports nothing").format(ci=ci))
    if ci in (LONG_HEADER, LONG_HEADER_REVERSED):
        is_reversed = ci == LONG_HEADER_REVERSED
        header, start = _long_header(content, is_reversed), 12
    elif ci == SHORT_HEADER:
        if len(content) < 4:
            raise _short_header(4, len(content))
        is_reversed, start = False, 4
        header = MbusHeader(
            access_number=content[0], status=content[1], configuration=int.from_bytes(content[2:4], "little")
        )
    elif ci == NO_HEADER:
        is_reversed, start, header = False, 0, MbusHeader()
    elif ci in (FIXED, FIXED_REVERSED):
        return _fixed(frame, is_reversed=ci == FIXED_REVERSED)
    elif ci == APPLICATION_ERROR:
        code = content[0] if content else 0
        text = _APPLICATION_ERRORS.get(code)
        raise ApplicationError(
            _("the meter reports an application error: {text}").format(
                text=_(text) if text is not None else _("number {code}").format(code=code)
            )
        )
    elif ci == ALARM:
        return MbusTelegram(frame.address, ci, MbusHeader(), (), alarm=content[0] if content else 0)
    else:
        raise RemoteProtocolError(_("data of the kind CI {ci:#04x} are not read here").format(ci=ci))
    data, is_ciphered = _opened(content, start, header, key)
    found = records_of(data, start, is_reversed=is_reversed)
    return MbusTelegram(
        frame.address,
        ci,
        header,
        found.records,
        found.manufacturer_data,
        found.has_more,
        data_start=start,
        is_ciphered=is_ciphered,
    )


def joined(telegrams: list[MbusTelegram]) -> MbusTelegram:
    """Several telegrams of one readout as one."""
    first, last = telegrams[0], telegrams[-1]
    if len(telegrams) == 1:
        return first
    return replace(
        last,
        header=first.header if first.header.identification else last.header,
        records=tuple(record for telegram in telegrams for record in telegram.records),
        manufacturer_data=b"".join(telegram.manufacturer_data for telegram in telegrams),
    )


def manufacturer_letters(number: int) -> str:
    """Three letters of five bits each, `@` for none (EN 13757-3, 5.6; IEC 62056-21)."""
    return "".join(chr(64 + (number >> shift & 0x1F)) for shift in (10, 5, 0))


def manufacturer_number(letters: str) -> int:
    """The two octets of three letters A to Z, in one number."""
    number = 0
    for letter in letters:
        number = number << 5 | ord(letter) - 64 & 0x1F
    return number


def _long_header(content: bytes, is_reversed: bool) -> MbusHeader:
    if len(content) < 12:
        raise _short_header(12, len(content))
    order = 1 if is_reversed else -1
    maker = content[4:6] if not is_reversed else content[5:3:-1]
    return MbusHeader(
        identification=content[:4][::order].hex().upper(),
        manufacturer=manufacturer_letters(int.from_bytes(maker, "little")),
        version=content[6],
        medium=content[7],
        access_number=content[8],
        status=content[9],
        configuration=int.from_bytes(content[10:12], "big" if is_reversed else "little"),
    )


def _short_header(wanted: int, count: int) -> RemoteProtocolError:
    return RemoteProtocolError(
        _("the header of a telegram has {wanted} octets, here are {count}").format(wanted=wanted, count=count)
    )


def _opened(content: bytes, start: int, header: MbusHeader, key: bytes | None) -> tuple[bytes, bool]:
    """The telegram's data with its ciphered blocks opened (OMS security mode 5: AES-128 in CBC mode).

    Other modes cannot be read here. Old meters put anything into these two octets: data that begin with the fillers
    which ciphering asks for, or whose number of blocks does not fit, are plain.
    """
    mode, blocks = header.configuration >> 8 & 0x1F, header.configuration >> 4 & 0x0F
    size = blocks * 16 if blocks != 15 else (len(content) - start) // 16 * 16
    if (
        mode not in (5, 7, 9, 13)
        or not size
        or size > len(content) - start
        or content[start : start + 2] == b"\x2f\x2f"
    ):
        return content, False
    who = header.secondary_address or _("of this address")
    if mode != 5 or not header.identification:
        raise WrongKeyError(
            _("meter {meter} ciphers its records in security mode {mode}, which is not read here").format(
                meter=who, mode=mode
            )
        )
    if key is None:
        raise WrongKeyError(
            _("meter {meter} sends ciphered data; its key is needed, ask whoever installed it").format(meter=who)
        )
    if len(key) != 16:
        raise WrongKeyError(
            _("meter {meter} needs a key of {wanted} octets, this one has {count}").format(
                meter=who, wanted=16, count=len(key)
            )
        )
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    vector = content[4:6] + content[:4] + content[6:8] + content[8:9] * 8
    opener = Cipher(algorithms.AES(key), modes.CBC(vector)).decryptor()
    opened: bytes = opener.update(content[start : start + size]) + opener.finalize()
    if opened[:2] != b"\x2f\x2f":
        raise WrongKeyError(_("the key does not open the data of meter {title}").format(title=who))
    return content[:start] + opened + content[start + size :], True


def _fixed(frame: MbusFrame, *, is_reversed: bool) -> MbusTelegram:
    """The fixed structure: identification, access number, status, medium with units, two counters of 4 octets."""
    content = frame.content
    if len(content) != 16:
        raise RemoteProtocolError(
            _("a telegram of fixed structure has {wanted} octets, here are {count}").format(
                wanted=16, count=len(content)
            )
        )
    order = 1 if is_reversed else -1
    status = content[5]
    first, second = content[6], content[7]
    medium = _FIXED_MEDIA[(first >> 6) | (second >> 6) << 2]
    header = MbusHeader(
        identification=content[:4][::order].hex().upper(),
        access_number=content[4],
        status=status & 0x3C,
        medium=medium,
    )
    units = (first & 0x3F, second & 0x3F)
    is_historic = status & 0x02 != 0
    records = []
    for index, unit in enumerate(units):
        octets = content[8 + 4 * index : 12 + 4 * index][::order]
        storage = 1 if is_historic and (index == 1 or units[1] != 0x3E) else 0
        if index == 1 and unit == 0x3E:
            unit, storage = units[0], 1
        meaning = _fixed_unit(unit)
        records.append(_fixed_record(octets, status & 0x01 != 0, meaning, storage, 8 + 4 * index))
    return MbusTelegram(frame.address, frame.ci, header, tuple(records), data_start=8)


def _fixed_record(octets: bytes, is_binary: bool, meaning: Meaning, storage: int, start: int) -> MbusRecord:
    digits = octets.hex()
    raw: int | str = int.from_bytes(octets, "big") if is_binary else digits.upper()
    is_doubtful = False
    if not is_binary:
        if digits.isdigit():
            raw = int(digits)
        elif digits[0] == "f" and digits[1:].isdigit():
            raw = -int(digits[1:])
        else:
            is_doubtful = True
    multiply, divide = meaning.multiply * 10 ** max(meaning.exponent, 0), 10 ** max(-meaning.exponent, 0)
    value: int | float | str = raw
    if isinstance(raw, int):
        value = raw * multiply / divide if divide != 1 else raw * multiply
    head = RecordHead(
        Function.CURRENT, storage, 0, 0, 4 if is_binary else 12, 4, meaning.quantity, meaning.unit, multiply, divide,
        meaning.kind,
    )  # fmt: skip
    return MbusRecord(head, value, raw, is_doubtful, start, start, start + 4)


def _fixed_unit(code: int) -> Meaning:
    """The unit of a counter of the fixed structure (EN 13757-3, annex of the fixed data structure)."""
    if code < 2:
        return Meaning("time_of_day" if code == 0 else "day_of_year")
    for first, last, quantity, unit, exponent in _FIXED_UNITS:
        if first <= code <= last:
            return Meaning(quantity, unit, exponent + code - first)
    if code == 0x38:
        return Meaning("temperature", "°C", -3)
    if code == 0x39:
        return PRIMARY[0x6E]
    return Meaning("reserved" if code != 0x3F else "dimensionless", kind=Kind.NUMBER)


_FIXED_UNITS = (
    (0x02, 0x0A, "energy", "Wh", 0),
    (0x0B, 0x13, "energy", "J", 3),
    (0x14, 0x1C, "power", "W", 0),
    (0x1D, 0x25, "power", "J/h", 3),
    (0x26, 0x2E, "volume", "m³", -6),
    (0x2F, 0x37, "volume_flow", "m³/h", -6),
)

__all__ = ["MANUFACTURER_DATA", "ApplicationError", "MbusHeader", "MbusTelegram", "joined", "telegram_of"]
