"""A recorded dialogue with a DLMS meter: what was asked and what the meter answered, from the octets of both ends.

HDLC (also behind an entry by mode E) and the TCP wrapper; ciphered dialogues with their keys. Which end speaks is told
by the messages themselves, so that a file without directions is enough. A request whose answer is missing says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from core.errors import BeffroiError, RemoteProtocolError, WrongKeyError, WrongPasswordError
from core.language import _, ngettext
from core.meter.measurement import measurement_of
from core.meter.profile_dlms import ProfileRows, capture_objects_of
from core.meter.readings_dlms import (
    LOGICAL_DEVICE_NAME,
    METER_CLOCK,
    SERIAL_NUMBER,
    VALUE_CLASSES,
    CosemObject,
    ScalerUnit,
    identity_of,
    is_simulated,
    reading_of,
    scaler_unit_of,
    shown_value,
)
from core.protocol.acse import (
    AARE,
    AARQ,
    AUTHENTICATION_FAILURE,
    decode_association_request,
    decode_association_response,
)
from core.protocol.apdu import without_llc
from core.protocol.axdr import Value
from core.protocol.dlms_exchange import value_of
from core.protocol.get_messages import (
    EXCEPTION_RESPONSE,
    GET_REQUEST,
    GET_RESPONSE,
    Attribute,
    ExceptionResponse,
    GetBlockResponse,
    GetRequest,
    GetResponse,
    access_result_text,
    decode_request,
    decode_response,
    results_of,
)
from core.protocol.hdlc import HdlcReader
from core.protocol.hdlc_control import DISC, DM, SNRM, UA
from core.protocol.security import Security, is_ciphered
from core.protocol.wrapper import WrapperReader
from core.records import MeterIdentity, MeterReadings, Quality, Reading

PROTOCOL = "dlms"
MOST_OCTETS = 1 << 24
_PROFILE = 7
_FROM_CLIENT = (0x21, 0xC8, 0xCB, 0xD0, 0xD3)
_LINK_COMMANDS = (SNRM, UA, DISC, DM)
_PUSHED = (b"\x0f", b"\xe0", b"\xdb", b"\xdf", b"\x01", b"\x02")
_MODE_E = re.compile(rb"\x06\x32.\x32\r\n", re.DOTALL)
_WRAPPED = re.compile(rb"\x00\x01\x00.\x00.(..)[\x60\x61\xc0\xc4\xc8\xcc\xdb]", re.DOTALL)


def is_dialogue(octets: bytes) -> bool:
    """True for octets that begin as a dialogue with a DLMS meter does: SNRM, an entry by mode E, or the wrapper."""
    head = octets[:4096]
    if _WRAPPED.match(head) is not None:
        return True
    if head[:1] != b"\x7e":
        return _MODE_E.search(head) is not None and b"\x7e\xa0" in octets
    reader = HdlcReader()
    reader.receive_data(head)
    try:
        frame = reader.next_frame()
    except RemoteProtocolError:
        return False
    if frame is None:
        return False
    if frame.control & 1:
        return frame.control & 0xEF in _LINK_COMMANDS
    message = without_llc(frame.information)
    return message[:1] not in _PUSHED and len(message) < len(frame.information)


class DialogueFindings:
    """What a dialogue says: `readings` None where nothing was read, `rejected` what failed and why, other `notes`."""

    def __init__(self, name: str | None, key: bytes | None, auth_key: bytes | None, system_title: bytes | None) -> None:
        self._name = name
        self._keys = (key, auth_key)
        self._titles: dict[bool, bytes] = {} if system_title is None else {False: system_title}
        self._securities: dict[tuple[bool, bytes], Security] = {}
        self._asked: tuple[Attribute, ...] = ()
        self._content = bytearray()
        self._values: dict[Attribute, Value] = {}
        self.rejected: list[BeffroiError] = []
        self.notes: list[str] = []
        self.messages = 0

    def take(self, message: bytes) -> None:
        """Read one message of either end."""
        self.messages += 1
        try:
            if is_ciphered(message):
                message = self._opened(message)
            self._read(message)
        except RemoteProtocolError as error:
            if len(self.rejected) < 1000:
                self.rejected.append(error)

    def _opened(self, message: bytes) -> bytes:
        is_client = message[0] in _FROM_CLIENT
        title = self._titles.get(is_client, b"")
        key, auth_key = self._keys
        if key is None or auth_key is None:
            raise WrongKeyError(_("the dialogue is ciphered; both of its keys are needed: --key and --auth-key"))
        if message[0] >= 0xDB:  # a general one names its own title, or none where the association has named it
            title = message[2:10] if message[1] == 8 else title
            is_client = title == self._titles.get(True)
        security = self._securities.get((is_client, title))
        if security is None or len(self._securities) > 64:
            security = self._securities[is_client, title] = Security(b"", key, auth_key, peer_title=title)
        return security.open(message)

    def _read(self, message: bytes) -> None:
        tag = message[0]
        if tag == AARQ:
            request = decode_association_request(message)
            if request.calling_title is not None:
                self._titles[True] = request.calling_title
            self._securities.clear()
        elif tag == AARE:
            answer = decode_association_response(message)
            if answer.responding_title is not None:
                self._titles[False] = answer.responding_title
            if not answer.is_accepted:
                kind = WrongPasswordError if answer.diagnostic == AUTHENTICATION_FAILURE else RemoteProtocolError
                self.rejected.append(
                    kind(_("the meter refuses the association: {reason}").format(reason=answer.reason))
                )
        elif tag == GET_REQUEST:
            asked = decode_request(message)
            if isinstance(asked, GetRequest):
                self._asked = asked.attributes
                self._content.clear()
        elif tag == GET_RESPONSE:
            self._answer(message)
        elif tag == EXCEPTION_RESPONSE:
            refused = decode_response(message)
            assert isinstance(refused, ExceptionResponse)
            self.notes.append(_("the meter does not carry a message out: {reason}").format(reason=refused.reason))

    def _answer(self, message: bytes) -> None:
        response = decode_response(message)
        asked = self._asked
        if isinstance(response, GetBlockResponse):
            if response.content is None:
                self.notes.append(_("a block was refused: {reason}").format(reason=access_result_text(response.error)))
                return
            self._content += response.content
            if len(self._content) > MOST_OCTETS:
                self._content.clear()
                raise RemoteProtocolError(
                    _("an answer in blocks is longer than {count} octets").format(count=MOST_OCTETS)
                )
            if not response.is_last:
                return
            content = bytes(self._content)
            self._content.clear()
            if len(asked) == 1:
                self._values[asked[0]] = value_of(content)
                return
            results = results_of(content)
        elif isinstance(response, GetResponse):
            results = response.results
        else:
            return
        if len(results) != len(asked):
            raise RemoteProtocolError(
                _("{count} results came to {asked} attributes").format(count=len(results), asked=len(asked))
            )
        for attribute, result in zip(asked, results, strict=True):
            if result.data is None:
                code = CosemObject(attribute.class_id, attribute.logical_name).code
                self.notes.append(f"{code}: {access_result_text(result.error)}")
            else:
                self._values[attribute] = value_of(result.data)
        self._asked = ()

    def readings(self) -> MeterReadings | None:
        """All values that were read; None where none was."""
        title = self._titles.get(False)
        clock = shown_value(self._attribute(METER_CLOCK))
        found: list[Reading] = []
        for attribute, value in self._values.items():
            one = CosemObject(attribute.class_id, attribute.logical_name)
            if attribute.class_id in VALUE_CLASSES and attribute.number == 2:
                scaler = None if one.scaler is None else scaler_unit_of(self._values.get(one.scaler))
                found.append(reading_of(one, value, scaler, clock))
            elif attribute.class_id == _PROFILE and attribute.number == 2:
                found += self._rows(attribute, value)
        if not found:
            return None
        name, number = self._attribute(LOGICAL_DEVICE_NAME), self._attribute(SERIAL_NUMBER)
        meter: MeterIdentity = identity_of(name, number, title)
        return MeterReadings(
            name=self._name or meter.serial_number or "",
            protocol=PROTOCOL,
            meter=meter,
            time_s=None,
            readings=tuple(found),
            is_simulated=is_simulated(name, title),
            measurement=measurement_of(found),
        )

    def _attribute(self, logical_name: bytes) -> Value:
        return next(
            (value for one, value in self._values.items() if one.logical_name == logical_name and one.number == 2), None
        )

    def _rows(self, attribute: Attribute, value: Value) -> Iterator[Reading]:
        """Rows of a profile: each value under the code of its column, at the time of its row."""
        objects = self._values.get(Attribute(_PROFILE, attribute.logical_name, 3))
        if objects is None or not isinstance(value, list):
            self.notes.append(_("a profile was read whose columns were not asked for"))
            return
        scalers: dict[Attribute, ScalerUnit] = {}
        for one, said in self._values.items():
            scaler = scaler_unit_of(said) if one.number in (3, 4) and isinstance(said, tuple) else None
            if scaler is not None:
                scalers[one] = scaler
        period = self._values.get(Attribute(_PROFILE, attribute.logical_name, 4))
        period_s = float(period) if isinstance(period, int) else 0.0
        try:
            rows = ProfileRows(capture_objects_of(objects), scalers, period_s, float("-inf"), float("inf"))
            taken = rows.of_elements(value)
        except RemoteProtocolError as error:
            self.rejected.append(error)
            return
        for row in taken:
            for column, number in zip(rows.columns, row.values, strict=True):
                if number is not None:
                    yield Reading(
                        obis=column.obis,
                        quantity=None,  # of the past: never the live value
                        value=number,
                        unit=column.unit,
                        time=row.time,
                        quality=Quality.GOOD,
                        scaler_source="meter" if column.unit is not None else None,
                    )


def decode_dialogue(
    octets: bytes,
    name: str | None,
    key: bytes | None,
    auth_key: bytes | None,
    system_title: bytes | None,
) -> DialogueFindings:
    """Everything that a dialogue says."""
    found = DialogueFindings(name, key, auth_key, system_title)
    source = _wrapped(octets, found) if _WRAPPED.match(octets[:64]) else _framed(octets, found)
    for message in source:
        if message:
            found.take(message)
    if not found.messages and not found.rejected:
        found.rejected.append(RemoteProtocolError(_("no message of a dialogue was found")))
    return found


def _framed(octets: bytes, found: DialogueFindings) -> Iterator[bytes]:
    """Messages of numbered HDLC frames, segments put together; a frame that was sent twice counts once."""
    reader = HdlcReader()
    reader.receive_data(octets)
    segments: dict[tuple[bytes, bytes], bytearray] = {}
    last: dict[tuple[bytes, bytes], tuple[int, bytes]] = {}
    while True:
        try:
            frame = reader.next_frame()
        except RemoteProtocolError as error:
            found.rejected.append(error)
            continue
        if frame is None:
            break
        side = (frame.destination, frame.source)
        if frame.control & 1 or not frame.information:
            if frame.control & 0xEF == SNRM:
                segments.clear()
                last.clear()
            continue
        again = (frame.control >> 1 & 7, frame.information)
        if last.get(side) == again:
            continue
        if len(last) > 64:
            last.clear()
            segments.clear()
        last[side] = again
        pieces = segments.setdefault(side, bytearray())
        pieces += frame.information
        if len(pieces) > MOST_OCTETS:
            pieces.clear()
        if not frame.is_segmented:
            message = without_llc(bytes(pieces))
            pieces.clear()
            yield message
    if reader.waiting > 1:
        found.notes.append(
            ngettext(
                "{count} octet at the end is no whole frame",
                "{count} octets at the end are no whole frame",
                reader.waiting,
            ).format(count=reader.waiting)
        )


def _wrapped(octets: bytes, found: DialogueFindings) -> Iterator[bytes]:
    reader = WrapperReader()
    reader.receive_data(octets)
    try:
        while (frame := reader.next_frame()) is not None:
            yield frame.content
    except RemoteProtocolError as error:
        found.rejected.append(error)
    if reader.waiting:
        found.notes.append(_("the last frame is cut off"))
