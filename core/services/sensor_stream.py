"""What one link of a sensor brings: its octets in, measures and refusals out, each to be answered by one line.

Shared by the intake in one loop and by the server with a thread for each link; it reads no socket and no clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from core.language import N_, _
from core.protocol.json_objects import Found, JsonObjects
from core.protocol.sensor_messages import EXAMPLE, Message, Refusal, messages_of
from core.services.sensor_door import plain_host
from core.site_records import IntakeReport, ListenerState, SensorMeasure
from core.transport.address import shown_address

OK = b'{"ok":true}\n'
GREETING = b'{"hello":"beffroi"}\n'

GREET_AFTER_S = 1.0
"""A client that sends nothing for so long may be waiting to be greeted."""

TEXT_PAUSE_S = 0.5
"""A line of text without a newline ends after so long without octets."""

SWALLOWED_LIMIT = 1 << 20
"""A message that is too long is followed for so many octets, then its link is closed."""

REFUSALS_LIMIT = 100
"""After so many refusals in a row the link is closed: what sends there is no sensor."""

SERIES_LIMIT = 50_000
"""Series that one server takes since its start: who sends under ever new names shall not fill the history with them."""

_STEP_S = 1e-6
"""Two messages of one link never have the same time."""

Outcome = list[SensorMeasure] | Refusal
"""What became of one message."""

_encode = msgspec.json.Encoder().encode


def refusal_line(text: str) -> bytes:
    """The answer to a message that was not taken."""
    return _encode({"ok": False, "error": text}) + b"\n"


def not_allowed(host: str) -> Refusal:
    """What a peer is told whose address is not among those allowed."""
    return Refusal(N_("{host} is not among the addresses that may send here"), is_last=True, host=host)


def too_many_links(limit: int) -> Refusal:
    """What a peer is told for whom there is no room."""
    return Refusal(N_("there are {limit} links already, no more are taken"), is_last=True, limit=limit)


class TooFastError(Refusal):
    """A message above the rate that one link may send: nothing is wrong with the message itself."""


class SensorStream:
    """One link's octets as messages; at most `rate_per_s` messages a second of it are taken.

    `series` is shared by all links of one server: sensor and quantity of each series that it has taken.
    """

    def __init__(self, host: str, port: int, series: set[tuple[str, str]], rate_per_s: float | None = None) -> None:
        self.host = plain_host(host)
        self.peer = shown_address(self.host, port)
        self.is_over = False
        self.has_sent = False
        self.is_sensor = False
        self._objects = JsonObjects()
        self._series = series
        self._rate_per_s = rate_per_s
        self._allowance = max(1.0, rate_per_s or 0.0)
        self._allowed_at_s: float | None = None
        self._time_s = 0.0
        self._refusals = 0

    @property
    def has_text(self) -> bool:
        """True while a text waits for its end: call `end_text` after a pause."""
        return self._objects.has_text

    def receive_data(self, data: bytes, time_s: float, now_s: float) -> list[Outcome]:
        """What `data` completes: measures at `time_s` (epoch) or a refusal, for each message; `now_s` is monotonic."""
        if self.is_over:
            return []
        self.has_sent = True
        outcomes = self._outcomes(self._objects.receive_data(data), time_s, now_s)
        if self._objects.swallowed > SWALLOWED_LIMIT and not self.is_over:
            self.is_over = True
            outcomes.append(
                Refusal(N_("there is no end to that message; the link is closed; send {example}"), example=EXAMPLE)
            )
        return outcomes

    def end_text(self, time_s: float, now_s: float) -> list[Outcome]:
        """The text that waits, as whole: nothing came for a while."""
        return self._outcomes(self._objects.end_text(), time_s, now_s)

    def end(self, time_s: float, now_s: float) -> list[Outcome]:
        """What the end of the stream completes."""
        outcomes = [] if self.is_over else self._outcomes(self._objects.end(), time_s, now_s)
        self.is_over = True
        return outcomes

    def _outcomes(self, parts: Iterable[Found], time_s: float, now_s: float) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for part in parts:
            try:
                for message in messages_of(part):
                    if self._rate_per_s is not None:
                        self._check_rate(self._rate_per_s, now_s)
                    outcomes.append(self._measures(message, time_s))
                self._refusals = 0
                self.is_sensor = True
            except Refusal as refusal:
                outcomes.append(refusal)
                self._refusals += not isinstance(refusal, TooFastError)
                if refusal.is_last:
                    self.is_over = True
                    break
                if self._refusals >= REFUSALS_LIMIT:
                    self.is_over = True
                    outcomes.append(
                        Refusal(N_("{count} messages in a row were refused; the link is closed"), count=REFUSALS_LIMIT)
                    )
                    break
        return outcomes

    def _measures(self, message: Message, time_s: float) -> list[SensorMeasure]:
        self._time_s = time_s = max(time_s, self._time_s + _STEP_S)
        sensor = message.sensor or self.host
        for value in message.values:
            if (sensor, value.quantity) not in self._series:
                self._add_series(sensor, value.quantity)
        return [
            SensorMeasure(
                sensor=sensor,
                quantity=quantity,
                value=value,
                time_s=time_s,
                unit=unit,
                peer=self.peer,
                is_simulated=message.is_simulated,
            )
            for quantity, value, unit in message.values
        ]

    def _add_series(self, sensor: str, quantity: str) -> None:
        if len(self._series) >= SERIES_LIMIT:
            raise Refusal(
                N_("there are {limit} series already, {sensor} begins no new one"), limit=SERIES_LIMIT, sensor=sensor
            )
        self._series.add((sensor, quantity))

    def _check_rate(self, rate_per_s: float, now_s: float) -> None:
        """Take one message off what this link may send; what it did not use in the last second is kept for it."""
        if self._allowed_at_s is not None:
            grown = self._allowance + (now_s - self._allowed_at_s) * rate_per_s
            self._allowance = min(max(1.0, rate_per_s), grown)
        self._allowed_at_s = now_s
        if self._allowance < 1.0:
            raise TooFastError(N_("more than {rate:g} messages a second; send more slowly"), rate=rate_per_s)
        self._allowance -= 1.0


@dataclass(slots=True)
class Tally:
    """What an intake has seen since its start."""

    links: int = 0
    messages: int = 0
    refused: int = 0
    last_refusal: str | None = None
    error: str | None = None

    def refuse(self, refusal: Refusal, peer: str) -> None:
        """Count a message that was not taken, and keep why."""
        self.refused += 1
        self.last_refusal = _("{peer}: {reason}").format(peer=peer, reason=refusal.text)

    def report(self, time_s: float, state: ListenerState, address: str | None) -> IntakeReport:
        """The same as a record."""
        return IntakeReport(
            time_s=time_s,
            state=state,
            address=address,
            error=self.error,
            links=self.links,
            messages=self.messages,
            refused=self.refused,
            last_refusal=self.last_refusal,
        )
