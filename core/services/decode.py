"""Decodes a saved capture: raw octets, hexadecimal text or a recording, of any protocol that is read here.

What does not hold is told and not shown; what a capture holds besides is shown all the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from msgspec import Struct

from core.errors import BeffroiError, NoiseError, RefusedError, RemoteProtocolError, WrongKeyError
from core.language import _, ngettext
from core.meter.presets import Preset, Presets
from core.meter.readings import readings_of_push
from core.meter.registers import RegisterWatch
from core.protocol.apdu import BODY_TAGS, LLC_FROM_METER, LLC_TO_METER
from core.protocol.hdlc import HdlcReader
from core.protocol.push import APDU_TAGS, PushSession, PushTelegram
from core.protocol.session import NEED_DATA, Rejected, Told
from core.records import MeterIdentity, MeterReadings, Reading
from core.services.capture_octets import is_push_by_bus, line_octets, octets_of, recognised

__all__ = ["PROTOCOLS", "DecodeResult", "Protocol", "decode_capture", "octets_of", "recognised"]

Protocol = Literal["auto", "push", "iec62056-21", "dlms", "mbus"]
PROTOCOLS: tuple[Protocol, ...] = ("auto", "push", "iec62056-21", "dlms", "mbus")

_ERRORS_SHOWN = 10
"""Reasons that are told one by one; the others are counted."""
_NOISE_SHOWN = 3
_NOTES_SHOWN = 30
_PORTION = 1 << 16


class DecodeResult(Struct, frozen=True, kw_only=True):
    """What a capture says: `telegrams` one by one, and all of their readings and errors together.

    `time` is the meter's own clock. `failures` counts what could not be decoded, `refusals` those among them for
    want of the right key; the whole beginning of a message whose last frames were not saved is no failure.
    """

    protocol: str | None
    meter: MeterIdentity
    time: str | None
    readings: tuple[Reading, ...]
    errors: tuple[str, ...]
    telegrams: tuple[MeterReadings, ...] = ()
    failures: int = 0
    refusals: int = 0

    @property
    def exit_status(self) -> int:
        """0 all decoded, 3 where every failure is a missing or wrong key, else 1."""
        if not self.failures:
            return 0
        return 3 if self.refusals == self.failures else 1

    @property
    def document(self) -> dict[str, object]:
        """The JSON that other programs rely on."""
        return {
            "protocol": self.protocol,
            "meter": {
                "manufacturer": self.meter.manufacturer,
                "model": self.meter.model,
                "serial_number": self.meter.serial_number,
            },
            "time": self.time,
            "readings": [
                {
                    "obis": reading.obis,
                    "quantity": reading.quantity or reading.label,
                    "value": reading.value,
                    "raw": reading.raw,
                    "unit": reading.unit,
                    "time": reading.time,
                    "quality": reading.quality.value,
                }
                for reading in self.readings
            ],
            "errors": list(self.errors),
        }


@dataclass(slots=True)
class _Findings:
    """What has been found so far."""

    telegrams: list[MeterReadings] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    failures: int = 0
    refusals: int = 0
    registers: RegisterWatch = field(default_factory=RegisterWatch)

    def fail(self, error: BeffroiError) -> None:
        if self.failures < _ERRORS_SHOWN:
            self.errors.append(str(error))
        self.failures += 1
        self.refusals += isinstance(error, (WrongKeyError, RefusedError))


def decode_capture(
    data: bytes,
    *,
    protocol: Protocol = "auto",
    key: bytes | None = None,
    auth_key: bytes | None = None,
    system_title: bytes | None = None,
    preset: Preset | None = None,
    presets: Presets | None = None,
    name: str | None = None,
) -> DecodeResult:
    """Everything that the capture `data` says; raises UsageError for text that is meant to be hexadecimal and is not.

    `key` and `auth_key` have 16 or 32 octets. `name` is the meter's name in the readings.
    """
    octets, is_recorded = line_octets(data)
    found = _Findings()
    chosen: str | None = protocol
    if protocol == "auto":
        chosen = recognised(octets)
    if not octets:
        found.fail(RemoteProtocolError(_("the capture is empty")))
        chosen = None if protocol == "auto" else protocol
    elif chosen == "iec62056-21":
        _decode_data_sets(octets, name, found)
    elif chosen == "dlms":
        _decode_dialogue(octets, key, auth_key, system_title, name, found)
    elif chosen == "mbus" and not is_push_by_bus(octets):
        _decode_mbus(octets, key, name, found)
    elif chosen in ("push", "mbus"):
        session = PushSession(key, auth_key, system_title=system_title)
        _decode_push(octets, session, preset, presets, name, found, is_recorded=is_recorded)
    else:
        found.fail(
            RemoteProtocolError(
                _("no protocol of a meter begins like this: {octets}").format(octets=octets[:8].hex(" ").upper())
            )
        )
    return _result(chosen, found)


def _decode_push(
    octets: bytes,
    session: PushSession,
    preset: Preset | None,
    presets: Presets | None,
    name: str | None,
    found: _Findings,
    *,
    is_recorded: bool,
) -> None:
    """Read the pushes of a line; that a recording begins and ends within a message is no failure of its meter."""

    def readings_of(telegram: PushTelegram) -> MeterReadings:
        return readings_of_push(
            telegram, name=name, preset=preset, presets=presets, identity=identity, factors_told=factors_told
        )

    identity: MeterIdentity | None = None
    nameless: list[PushTelegram] = []
    taken: list[MeterReadings] = []
    noise: list[str] = []
    factors_told: set[tuple[str, int]] = set()
    cut: list[str] = []
    for is_end in _fed(session, octets):
        while (event := session.next_event()) is not NEED_DATA:
            if isinstance(event, Rejected):
                is_cut = is_recorded and (is_end or not taken) and not isinstance(event.error, WrongKeyError)
                if is_cut and not isinstance(event.error, NoiseError) and len(cut) < _NOISE_SHOWN:
                    cut.append(str(event.error))
                elif not isinstance(event.error, NoiseError):
                    found.fail(event.error)
                elif len(noise) <= _NOISE_SHOWN:
                    noise.append(str(event.error))
            elif isinstance(event, Told):
                telegram = event.telegram
                assert isinstance(telegram, PushTelegram)
                readings = readings_of(telegram)
                identity = readings.meter
                taken.append(readings)
                if len(nameless) == len(taken) - 1:  # a meter of several lists names itself in one of them
                    if identity.manufacturer is None:
                        nameless.append(telegram)
                    else:
                        taken[: len(nameless)] = [readings_of(earlier) for earlier in nameless]
    found.telegrams += [found.registers.checked(readings) for readings in taken]
    if len(noise) > _NOISE_SHOWN:
        noise = [
            _("{count} octets in all belong to no frame and were skipped").format(count=session.skipped),
        ]
    found.errors += noise
    if taken:
        found.errors += cut
    elif cut:
        found.fail(RemoteProtocolError(cut[0]))
    if not found.telegrams and not found.failures:
        found.fail(
            RemoteProtocolError(
                ngettext(
                    "there is no push: {count} frame of a dialogue",
                    "there is no push: {count} frames of a dialogue",
                    session.other_frames,
                ).format(count=session.other_frames)
                if session.other_frames
                else _("no frame whose check holds")
            )
        )


def _fed(session: PushSession, octets: bytes) -> Iterator[bool]:
    """Feed `session` with the capture by portions, so that what it has to tell never piles up; True at the end."""
    if octets[:1] == b"\x7e" or not _begins_with_a_message(octets) or _has_frame(octets):
        for start in range(0, len(octets), _PORTION):
            session.receive_data(octets[start : start + _PORTION], 0.0)
            yield False
    else:
        session.receive_message(octets)
        yield False
    session.finish()
    yield True


def _begins_with_a_message(octets: bytes) -> bool:
    return octets[:3] in (LLC_FROM_METER, LLC_TO_METER) or octets[0] in APDU_TAGS or octets[0] in BODY_TAGS


def _has_frame(octets: bytes) -> bool:
    """True where an HDLC frame begins somewhere within the first portion."""
    reader = HdlcReader()
    reader.receive_data(octets[:_PORTION])
    try:
        return reader.next_frame() is not None
    except RemoteProtocolError:
        return True


def _decode_data_sets(octets: bytes, name: str | None, found: _Findings) -> None:
    from core.meter.readings_21 import readings_of_data_sets, reported_error  # imported here: a push needs none of it
    from core.protocol.iec62056_21 import decode_telegrams

    for telegram in decode_telegrams(octets):
        error = telegram.error or reported_error(telegram)
        if error is not None:
            found.fail(error)
        else:
            found.telegrams.append(found.registers.checked(readings_of_data_sets(telegram, name=name)))
    if not found.telegrams and not found.failures:
        found.fail(RemoteProtocolError(_("no data set was found")))


def _decode_dialogue(
    octets: bytes,
    key: bytes | None,
    auth_key: bytes | None,
    system_title: bytes | None,
    name: str | None,
    found: _Findings,
) -> None:
    from core.services.decode_dialogue import decode_dialogue  # imported here: a push needs none of it

    said = decode_dialogue(octets, name, key, auth_key, system_title)
    readings = said.readings()
    for error in said.rejected:
        found.fail(error)
    found.errors += said.notes[:_NOTES_SHOWN]
    if readings is not None:
        found.telegrams.append(found.registers.checked(readings))
    elif not said.rejected:
        found.fail(RemoteProtocolError(_("the dialogue reads no value")))


def _decode_mbus(octets: bytes, key: bytes | None, name: str | None, found: _Findings) -> None:
    from core.services.decode_mbus import decode_mbus  # imported here: a push needs none of it

    said = decode_mbus(octets, name, key)
    for error in said.rejected:
        found.fail(error)
    found.errors += said.notes
    found.telegrams += [found.registers.checked(readings) for readings in said.telegrams]


def _result(protocol: str | None, found: _Findings) -> DecodeResult:
    readings = tuple(reading for telegram in found.telegrams for reading in telegram.readings)
    notes = dict.fromkeys(note for telegram in found.telegrams for note in telegram.errors)
    errors = [*found.errors, *list(notes)[:_NOTES_SHOWN]]
    more = max(0, found.failures - _ERRORS_SHOWN) + max(0, len(notes) - _NOTES_SHOWN)
    if more > 0:
        errors.append(ngettext("{count} more", "{count} more", more).format(count=more))
    return DecodeResult(
        protocol=protocol,
        meter=_meter(found.telegrams),
        time=_time(found.telegrams),
        readings=readings,
        errors=tuple(errors),
        telegrams=tuple(found.telegrams),
        failures=found.failures,
        refusals=found.refusals,
    )


def _meter(telegrams: Iterable[MeterReadings]) -> MeterIdentity:
    """What the telegrams say of the meter, the last word counting."""
    manufacturer = model = serial_number = None
    for telegram in telegrams:
        manufacturer = telegram.meter.manufacturer or manufacturer
        model = telegram.meter.model or model
        serial_number = telegram.meter.serial_number or serial_number
    return MeterIdentity(manufacturer=manufacturer, model=model, serial_number=serial_number)


def _time(telegrams: Iterable[MeterReadings]) -> str | None:
    """The meter's clock: the time that most readings of a telegram share; that of a lone maximum is none."""
    clocks: Counter[str] = Counter()
    for telegram in telegrams:
        if telegram.readings:
            time, count = Counter(reading.time for reading in telegram.readings).most_common(1)[0]
            if time is not None:
                clocks[time] += count
    return clocks.most_common(1)[0][0] if clocks else None
