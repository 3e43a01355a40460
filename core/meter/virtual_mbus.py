"""Simulated slaves on an M-Bus: an E450 with M-Bus, a heat meter and a water meter, always labelled simulated.

Pure: `VirtualBus.receive_data` takes what a master sends and returns what comes back on the line. Where several slaves
answer at once the line carries the AND of their octets, as the currents of real slaves add up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from core.errors import RemoteProtocolError
from core.meter.readings_mbus import SIMULATED_MAKER
from core.meter.virtual_e450 import DAY_S, FIRST_DAY, VirtualE450, VirtualMoment
from core.protocol.mbus_frames import (
    ACKNOWLEDGE,
    ANSWER_OF_ANY,
    FRAME_COUNT,
    FRAME_COUNT_VALID,
    REQ_UD1,
    REQ_UD2,
    RSP_UD,
    SELECTED,
    SND_NKE,
    SND_UD,
    FrameKind,
    MbusFrame,
    MbusReader,
    long_frame,
)
from core.protocol.mbus_telegram import (
    APPLICATION_ERROR,
    LONG_HEADER,
    manufacturer_number,
)

SELECT = 0x52
APPLICATION_RESET = 0x50
DATA_SEND = 0x51
MORE = b"\x1f"

Records = Callable[[float], Sequence[bytes]]
"""The records of each telegram of a slave at epoch seconds, without headers."""


@dataclass(slots=True)
class VirtualSlave:
    """One slave: eight digits, three letters, version and medium make its secondary address."""

    address: int
    identification: str
    medium: int
    records: Records
    manufacturer: str = SIMULATED_MAKER
    version: int = 1
    status: int = 0
    access_number: int = 0
    is_selected: bool = False
    next_telegram: int = 0
    frame_count: int | None = None
    error: int | None = None
    last: bytes = field(default=b"", repr=False)

    @property
    def secondary_octets(self) -> bytes:
        """The secondary address as it stands on the line."""
        maker = manufacturer_number(self.manufacturer).to_bytes(2, "little")
        return bytes.fromhex(self.identification)[::-1] + maker + bytes((self.version, self.medium))

    def answer(self, frame: MbusFrame, time_s: float) -> bytes:
        """What this slave answers to a frame that is meant for it."""
        control = frame.control & ~FRAME_COUNT
        if frame.control == SND_NKE:
            self.frame_count = None
            self.next_telegram = 0
            if frame.address == SELECTED:
                self.is_selected = False
            return ACKNOWLEDGE
        if control == SND_UD and frame.has_data:
            self._take(frame)
            return ACKNOWLEDGE
        if control == REQ_UD2:
            return self._telegram(frame, time_s)
        return ACKNOWLEDGE if control == REQ_UD1 else b""  # no alarm is waiting

    def is_meant(self, pattern: bytes) -> bool:
        """True where a selection by `pattern` (F in the digits, FF elsewhere stand for any) fits."""
        own = self.secondary_octets
        digits, mine = pattern[:4].hex(), own[:4].hex()
        if any(wanted not in ("f", digit) for wanted, digit in zip(digits, mine, strict=True)):
            return False
        if pattern[4:6] not in (b"\xff\xff", own[4:6]):
            return False
        return all(wanted in (0xFF, octet) for wanted, octet in zip(pattern[6:8], own[6:8], strict=True))

    def _take(self, frame: MbusFrame) -> None:
        if frame.ci == APPLICATION_RESET:
            self.next_telegram = 0
        elif frame.ci == DATA_SEND and frame.content[:2] == b"\x01\x7a" and len(frame.content) == 3:
            self.address = frame.content[2]
        elif frame.ci != SELECT:
            self.error = 1

    def _telegram(self, frame: MbusFrame, time_s: float) -> bytes:
        count = frame.control & FRAME_COUNT if frame.control & FRAME_COUNT_VALID else None
        if count is not None and count == self.frame_count and self.last:
            return self.last  # the master has not heard it: the same again
        self.frame_count = count
        self.access_number = self.access_number + 1 & 0xFF
        if self.error is not None:
            self.last = long_frame(RSP_UD, self.address, APPLICATION_ERROR, bytes((self.error,)))
            self.error = None
            return self.last
        parts = self.records(time_s)
        index = self.next_telegram % len(parts)
        self.next_telegram = (index + 1) % len(parts)
        header = self.secondary_octets + bytes((self.access_number, self.status, 0, 0))
        more = MORE if index + 1 < len(parts) else b""
        self.last = long_frame(RSP_UD, self.address, LONG_HEADER, header + parts[index] + more)
        return self.last


class VirtualBus:
    """Slaves on one line; `clock` gives the epoch seconds for which they show their values."""

    def __init__(self, slaves: Sequence[VirtualSlave], clock: Callable[[], float]) -> None:
        self.slaves = list(slaves)
        self._clock = clock
        self._reader = MbusReader()

    def receive_data(self, data: bytes) -> bytes:
        """What comes back on the line to the octets of a master."""
        self._reader.receive_data(data)
        answers = bytearray()
        while True:
            try:
                frame = self._reader.next_frame()
            except RemoteProtocolError:
                continue  # a slave is silent to what does not hold
            if frame is None:
                return bytes(answers)
            if frame.kind is not FrameKind.ACKNOWLEDGE and frame.is_from_master:
                answers += self._answer(frame)

    def pass_silence(self) -> None:
        """Nothing came for a while: a frame that has begun is forgotten."""
        self._reader.drop()

    def _answer(self, frame: MbusFrame) -> bytes:
        now_s = self._clock()
        if frame.ci == SELECT and frame.has_data and frame.address == SELECTED:
            if len(frame.content) < 8:
                return b""
            for slave in self.slaves:
                slave.is_selected = slave.is_meant(frame.content)
        return _together([slave.answer(frame, now_s) for slave in self.slaves if self._is_meant(slave, frame)])

    @staticmethod
    def _is_meant(slave: VirtualSlave, frame: MbusFrame) -> bool:
        if frame.address == SELECTED:
            return slave.is_selected
        return frame.address in (slave.address, ANSWER_OF_ANY)


def virtual_bus(clock: Callable[[], float], seed: int = 1, *, is_alone: bool = False) -> VirtualBus:
    """The simulated slaves of `seed`: an E450 at address 1, a heat meter at 2, a water meter at 3.

    With `is_alone` only the E450 is there.
    """
    meter = VirtualE450(seed)
    number = seed % 10_000 * 10
    slaves = [VirtualSlave(1, f"{20_000_000 + number:08d}", 0x02, lambda time_s: _electricity(meter, time_s))]
    if not is_alone:
        slaves.append(VirtualSlave(2, f"{40_000_000 + number:08d}", 0x04, _heat))
        slaves.append(VirtualSlave(3, f"{70_000_000 + number:08d}", 0x07, _water))
    return VirtualBus(slaves, clock)


def _together(answers: Sequence[bytes]) -> bytes:
    """What several answers at once look like on the line."""
    answers = [answer for answer in answers if answer]
    if len(answers) < 2:
        return answers[0] if answers else b""
    size = max(len(answer) for answer in answers)
    line = bytearray(b"\xff" * size)
    for answer in answers:
        for place, octet in enumerate(answer):
            line[place] &= octet
    return bytes(line)


def _electricity(meter: VirtualE450, time_s: float) -> Sequence[bytes]:
    """Two telegrams: registers and power, then what the phases do."""
    moment = meter.moment(time_s)
    power = round(moment.power_w)
    first, second = moment.import_by_tariff_wh
    registers = (
        b"\x0c\x78" + _digits(meter.seed, 4)
        + b"\x04\x6d" + date_time_octets(time_s)
        + b"\x04\x03" + _number(moment.energy_import_wh)
        + b"\x84\x10\x03" + _number(first)
        + b"\x84\x20\x03" + _number(second)
        + b"\x04\x83\x3c" + _number(moment.energy_export_wh)
        + b"\x04\xfb\x82\x73" + _number(moment.reactive_import_varh)
        + b"\x04\xfb\x82\xf3\x3c" + _number(moment.reactive_export_varh)
        + b"\x04\x2b" + _number(max(power, 0))
        + b"\x04\xab\x3c" + _number(max(-power, 0))
    )  # fmt: skip
    return registers, _phases(moment)


def _phases(moment: VirtualMoment) -> bytes:
    octets = bytearray()
    for phase in range(3):
        behind = bytes((0xFC, phase + 1))
        octets += b"\x02\xfd\xc8" + behind + _number(moment.voltage_v[phase] * 10, 2)
        octets += b"\x03\xfd\xd9" + behind + _number(moment.current_a[phase] * 1000, 3)
        octets += b"\x04\xab" + behind + _number(moment.active_power_w[phase])
    octets += b"\x04\xfb\x14" + _number(moment.reactive_var)
    octets += b"\x04\xfb\x34" + _number(moment.apparent_va)
    octets += b"\x02\xfb\x2d" + _number(moment.frequency_hz * 100, 2)
    return bytes(octets)


def _heat(time_s: float) -> Sequence[bytes]:
    """Energy, volume, power, flow and temperatures of a small heat meter, constant through the day."""
    hours = (time_s - FIRST_DAY * DAY_S) / 3600
    octets = (
        b"\x04\x6d" + date_time_octets(time_s)
        + b"\x04\x06" + _number(1.9 * hours)
        + b"\x04\x14" + _number(8.2 * hours)
        + b"\x04\x2b" + _number(1900)
        + b"\x04\x3b" + _number(82)
        + b"\x02\x5a" + _number(552, 2)
        + b"\x02\x5e" + _number(353, 2)
        + b"\x02\x62" + _number(199, 2)
    )  # fmt: skip
    return (octets,)


def _water(time_s: float) -> Sequence[bytes]:
    """A volume that grows by 380 l a day, its flow, and its value at the end of the year before."""
    year = datetime.fromtimestamp(time_s, UTC).year
    began_s = datetime(year, 1, 1, tzinfo=UTC).timestamp()
    octets = (
        b"\x04\x6d" + date_time_octets(time_s)
        + b"\x0c\x13" + _digits(_litres(time_s), 4)
        + b"\x02\x3b" + _number(16, 2)
        + b"\x4c\x13" + _digits(_litres(began_s), 4)
        + b"\x42\x6c" + _date_octets(began_s - 1)
    )  # fmt: skip
    return (octets,)


def _litres(time_s: float) -> int:
    return int(380 * (time_s / DAY_S - FIRST_DAY))


def _number(value: float, size: int = 4) -> bytes:
    limit = 1 << 8 * size - 1
    return max(-limit + 1, min(limit - 1, round(value))).to_bytes(size, "little", signed=True)


def _digits(value: int, size: int) -> bytes:
    return bytes.fromhex(f"{value % 10 ** (2 * size):0{2 * size}d}")[::-1]


def date_time_octets(time_s: float) -> bytes:
    """Type F of epoch seconds, in UTC (EN 13757-3, annex A)."""
    moment = datetime.fromtimestamp(time_s, UTC)
    return bytes((moment.minute, moment.hour)) + _date_octets(time_s)


def _date_octets(time_s: float) -> bytes:
    moment = datetime.fromtimestamp(time_s, UTC)
    year = moment.year % 100
    return bytes((moment.day | (year & 7) << 5, moment.month | year >> 3 << 4))
