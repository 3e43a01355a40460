"""The master of an M-Bus (EN 13757-2, clause 5.5; EN 13757-3, clauses 8 to 11), as sessions without I/O.

A slave answers within 330 bit times and 50 ms, or not at all. A request that is lost is sent again unchanged, with the
same frame count bit, so that the slave repeats itself; the next one has it toggled. Several slaves answering at once
give octets that are no frame: that is told as a collision, and is what a search by wildcards lives on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass
from enum import Enum

from core.errors import BeffroiError, RemoteProtocolError, TransportError, UsageError
from core.language import _
from core.protocol.mbus_frames import (
    ANSWER_OF_ANY,
    FRAME_COUNT,
    HIGHEST_PRIMARY,
    REQ_UD2,
    SELECTED,
    SND_NKE,
    SND_UD,
    FrameKind,
    MbusFrame,
    MbusReader,
    long_frame,
    short_frame,
)
from core.protocol.mbus_telegram import MbusTelegram, joined, manufacturer_letters, manufacturer_number, telegram_of
from core.protocol.session import NEED_DATA, Event, Finished, NeedData, Rejected, Told, Transmit

SELECT = 0x52
APPLICATION_RESET = 0x50
ANSWER_BITS = 330
ANSWER_S = 0.05
SLACK_S = 0.3
"""What an adapter, a network and an operating system may add to the slave's time."""
GAP_S = 0.03
"""Silence that ends an answer, whole or not, beyond 33 bit times and the slack: a slave sends without a pause."""
REPEATS = 2
MOST_TELEGRAMS = 32
"""Telegrams of one readout at most."""
NOISE_LIMIT = 4096


@dataclass(frozen=True, slots=True)
class MbusAddress:
    """Where a slave is: `primary` 0 to 250 or 254 (any), or `pattern`: the 8 octets of a secondary address."""

    primary: int = ANSWER_OF_ANY
    pattern: bytes = b""

    @classmethod
    def parse(cls, text: str) -> MbusAddress:
        """From `5`, `12345678` (F for any digit) or `12345678.LUG.02.04`; empty is any slave. Raises UsageError."""
        text = text.strip()
        if not text:
            return cls()
        if text.isascii() and text.isdigit() and len(text) < 4:
            number = int(text)
            if number <= HIGHEST_PRIMARY or number == ANSWER_OF_ANY:
                return cls(number)
        parts = text.upper().split(".")
        if len(parts[0]) == 8 and len(parts) in (1, 4) and set(parts[0]) <= set("0123456789F"):
            pattern = bytes.fromhex(parts[0])[::-1]
            if len(parts) == 1:
                return cls(SELECTED, pattern + b"\xff" * 4)
            try:
                maker = b"\xff\xff" if parts[1] in ("", "*") else _maker(parts[1])
                rest = b"".join(b"\xff" if part in ("", "*") else bytes((int(part, 16),)) for part in parts[2:])
                return cls(SELECTED, pattern + maker + rest)
            except ValueError:
                pass
        raise UsageError(
            _("“{text}” is no address of M-Bus: give 0 to 250, or 12345678, or 12345678.LUG.02.04").format(
                text=text[:40]
            )
        )

    @property
    def link(self) -> int:
        """The address in frames."""
        return self.primary

    def __str__(self) -> str:
        if not self.pattern:
            return str(self.primary)
        digits = self.pattern[:4][::-1].hex().upper()
        if self.pattern[4:] == b"\xff" * 4:
            return digits
        maker = manufacturer_letters(int.from_bytes(self.pattern[4:6], "little"))
        words = ["*" if self.pattern[4:6] == b"\xff\xff" else maker]
        words += ["*" if octet == 0xFF else f"{octet:02X}" for octet in self.pattern[6:]]
        return ".".join((digits, *words))


def _maker(letters: str) -> bytes:
    if len(letters) != 3 or not letters.isascii() or not letters.isalpha():
        raise ValueError(letters)
    return manufacturer_number(letters).to_bytes(2, "little")


class ReplyKind(Enum):
    """What came back to a request."""

    NOTHING = "nothing"
    ACKNOWLEDGE = "acknowledge"
    DATA = "data"
    COLLISION = "collision"


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: `frame` where it is data."""

    kind: ReplyKind
    frame: MbusFrame | None = None


@dataclass(frozen=True, slots=True)
class _Ask:
    request: bytes
    repeats: int = REPEATS


@dataclass(slots=True)
class FrameCounts:
    """The frame count bit of one slave, kept from readout to readout; `is_fresh` after a reset of its link."""

    bit: bool = True
    is_fresh: bool = False
    had_several: bool = False

    @property
    def request(self) -> int:
        """C field of the next REQ_UD2."""
        return REQ_UD2 | (FRAME_COUNT if self.bit else 0)


Steps = Generator[_Ask, Reply, BeffroiError | None]


class MbusSession(ABC):
    """Requests and answers in turn, driven by `steps`, which ends with an error or with None."""

    def __init__(self, *, baud: int = 2400, slack_s: float = SLACK_S) -> None:
        self._answer_s = ANSWER_BITS / baud + ANSWER_S + slack_s
        self._gap_s = GAP_S + 33 / baud + slack_s
        self._events: deque[Event] = deque()
        self._reader = MbusReader()
        self._echo = b""
        self._echoed = 0
        self._is_sent = False
        self._deadline_s: float | None = None
        self._repeats = 0
        self._request = b""
        self._is_noisy = False
        self._received = 0
        self._running = self._steps()
        self._is_ended = False
        self._go_on(None)

    @abstractmethod
    def _steps(self) -> Steps:
        """What is asked, one after the other; each `yield` gives the answer."""

    def receive_data(self, data: bytes, now_s: float) -> None:
        """Take octets of the line in, or let the time pass."""
        if self._is_ended:
            return
        if self._is_sent:
            self._is_sent = False
            self._deadline_s = now_s + self._answer_s
        if data:
            self._received += len(data)
            data = self._without_echo(data)
        if data:
            self._deadline_s = now_s + self._gap_s
            self._read(data)
        elif self._deadline_s is not None and now_s >= self._deadline_s:
            self._pass_deadline()

    def next_event(self) -> Event | NeedData:
        """The next thing to do or to tell."""
        return self._events.popleft() if self._events else NEED_DATA

    def next_deadline(self) -> float | None:
        """When to call `receive_data(b"", now_s)`; at once (0) after a Transmit."""
        return 0.0 if self._is_sent else self._deadline_s

    def _read(self, data: bytes) -> None:
        self._reader.receive_data(data)
        while not self._is_ended:
            try:
                frame = self._reader.next_frame()
            except RemoteProtocolError as error:
                self._is_noisy = True
                self._events.append(Rejected(error))
                continue
            if frame is None:
                break
            if frame.is_from_master or self._is_noisy:
                continue
            if frame.kind is FrameKind.ACKNOWLEDGE:
                self._answer(Reply(ReplyKind.ACKNOWLEDGE))
            elif frame.has_data:
                self._answer(Reply(ReplyKind.DATA, frame))
        if self._reader.skipped:
            self._is_noisy = True
        if self._received > NOISE_LIMIT:
            self._answer(Reply(ReplyKind.COLLISION))

    def _pass_deadline(self) -> None:
        """The answer is over, or never came: send again unchanged, or tell what it was."""
        is_noisy = self._is_noisy or self._reader.drop() > 0
        if self._repeats > 0:
            self._repeats -= 1
            self._send()
        else:
            self._answer(Reply(ReplyKind.COLLISION if is_noisy else ReplyKind.NOTHING))

    def _answer(self, reply: Reply) -> None:
        self._deadline_s = None
        self._go_on(reply)

    def _go_on(self, reply: Reply | None) -> None:
        try:
            ask = next(self._running) if reply is None else self._running.send(reply)
        except StopIteration as ended:
            self._is_ended = True
            self._deadline_s = None
            self._events.append(Finished(ended.value))
            return
        self._request, self._repeats = ask.request, ask.repeats
        self._send()

    def _send(self) -> None:
        self._reader = MbusReader()
        self._is_noisy = False
        self._received = 0
        self._echo, self._echoed = self._request, 0
        self._is_sent = True
        self._deadline_s = None
        self._events.append(Transmit(self._request))

    def _without_echo(self, data: bytes) -> bytes:
        """Drop exactly the octets that were sent, where the adapter echoes them."""
        count = min(len(self._echo) - self._echoed, len(data))
        if not count:
            return data
        if data[:count] == self._echo[self._echoed : self._echoed + count]:
            self._echoed += count
            return data[count:]
        data = self._echo[: self._echoed] + data
        self._echo, self._echoed = b"", 0
        return data


class MbusReadout(MbusSession):
    """One readout of one slave: `Told` carries its MbusTelegram, of several telegrams put together, then `Finished`.

    `counts` is kept by the caller for the next readout; the link is reset first where it is not known to be in step.
    """

    def __init__(
        self,
        address: MbusAddress,
        counts: FrameCounts | None = None,
        *,
        key: bytes | None = None,
        baud: int = 2400,
        slack_s: float = SLACK_S,
    ) -> None:
        self._address = address
        self._counts = counts or FrameCounts()
        self._key = key
        super().__init__(baud=baud, slack_s=slack_s)

    def _steps(self) -> Steps:
        counts, address = self._counts, self._address
        if not counts.is_fresh or address.pattern:
            error = yield from self._begin()
            if error is not None:
                return error
        counts.is_fresh = False  # until this readout has gone well
        telegrams: list[MbusTelegram] = []
        while True:
            reply = yield _Ask(short_frame(counts.request, address.link))
            counts.bit = not counts.bit
            if reply.frame is None:
                return self._why(reply)
            try:
                telegram = telegram_of(reply.frame, self._key)
            except RemoteProtocolError as error:
                return error
            if telegrams and telegrams[-1].records == telegram.records and telegram.header == telegrams[-1].header:
                return RemoteProtocolError(
                    _("the meter at {address} repeats a telegram instead of going on").format(address=address)
                )
            telegrams.append(telegram)
            counts.had_several = counts.had_several or telegram.has_more
            if not telegram.has_more:
                break
            if len(telegrams) >= MOST_TELEGRAMS:
                return RemoteProtocolError(
                    _("the meter at {address} has more than {count} telegrams").format(
                        address=address, count=MOST_TELEGRAMS
                    )
                )
        counts.is_fresh = True
        self._events.append(Told(joined(telegrams)))
        return None

    def _begin(self) -> Steps:
        """Reset the link; select a slave by its secondary address."""
        address, counts = self._address, self._counts
        yield _Ask(short_frame(SND_NKE, address.link), repeats=0 if address.pattern else 1)
        counts.bit = True
        if address.pattern:
            reply = yield _Ask(long_frame(SND_UD | FRAME_COUNT, SELECTED, SELECT, address.pattern))
            if reply.kind is not ReplyKind.ACKNOWLEDGE:
                return self._why(reply)
        if counts.had_several:  # an interrupted readout would go on where it stood
            counts.had_several = False
            yield _Ask(long_frame(SND_UD | FRAME_COUNT, address.link, APPLICATION_RESET), repeats=0)
        return None

    def _why(self, reply: Reply) -> BeffroiError:
        if reply.kind is ReplyKind.COLLISION:
            return RemoteProtocolError(
                _(
                    "what comes from {address} is no frame: several meters answer at once, or the speed is wrong; "
                    "“beffroi meter scan” finds their addresses"
                ).format(address=self._address)
            )
        if reply.kind is ReplyKind.NOTHING:
            return TransportError(_("no meter answers at address {address} of the M-Bus").format(address=self._address))
        return RemoteProtocolError(
            _("the meter at {address} answers and has no data to tell").format(address=self._address)
        )


@dataclass(frozen=True, slots=True)
class Probed:
    """What is at an address: nothing, one meter with what it says (None where that cannot be read), or several."""

    kind: ReplyKind
    telegram: MbusTelegram | None = None
    link: int | None = None


class MbusProbe(MbusSession):
    """Looks whether somebody is at an address: `Told` carries a Probed, then `Finished`.

    Who is silent is asked `knocks` times more, who is there up to `repeats` times more for what it says.
    """

    def __init__(
        self,
        address: MbusAddress,
        *,
        baud: int = 2400,
        slack_s: float = SLACK_S,
        knocks: int = 1,
        repeats: int = 1,
    ) -> None:
        self._address = address
        self._knocks = knocks
        self._tries = repeats
        super().__init__(baud=baud, slack_s=slack_s)

    def _steps(self) -> Steps:
        self._events.append(Told((yield from self._look())))
        return None

    def _look(self) -> Generator[_Ask, Reply, Probed]:
        address = self._address
        # a selection that does not fit deselects: between two of them no link need be reset
        request = short_frame(SND_NKE, address.link)
        if address.pattern:
            request = long_frame(SND_UD | FRAME_COUNT, SELECTED, SELECT, address.pattern)
        reply = yield _Ask(request, self._knocks)
        if reply.kind is ReplyKind.NOTHING:
            return Probed(ReplyKind.NOTHING)
        reply = yield _Ask(short_frame(REQ_UD2 | FRAME_COUNT, address.link), self._tries)
        if reply.frame is None:
            kind = ReplyKind.COLLISION if reply.kind is ReplyKind.COLLISION else ReplyKind.DATA
            return Probed(kind)
        try:
            return Probed(ReplyKind.DATA, telegram_of(reply.frame), reply.frame.address)
        except RemoteProtocolError:
            return Probed(ReplyKind.DATA, None, reply.frame.address)
