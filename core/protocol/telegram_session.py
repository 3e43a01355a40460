"""Telegrams that a meter of IEC 62056-21 sends by itself, as a session without I/O: mode D, and the P1 port.

Mode D sends at a fixed 2400 7E1, `/XXXZident CR LF CR LF`, data sets, `!`; the P1 port (DSMR, eMUCS) the same at
115200 8N1 (9600 7E1 before DSMR 4) with a CRC-16 behind the `!`. Nothing before a `/` is shown, and nothing of a
telegram whose CRC-16 does not hold. Without CRC-16 a telegram is whole when its `!` has come.
"""

from __future__ import annotations

import re
from collections import deque

from core.errors import NoiseError, RemoteProtocolError
from core.language import _, ngettext
from core.protocol.data_sets import Mode
from core.protocol.iec62056_21 import decode_telegrams
from core.protocol.parity import has_even_parity, without_parity
from core.protocol.session import NEED_DATA, Event, NeedData, Rejected, Told

GAP_S = 1.5
"""Silence inside a telegram after which it is given up."""
END_GAP_S = 0.1
"""Silence behind a `!` after which no CRC-16 comes any more."""
TELEGRAM_LIMIT = 1 << 16
"""Octets of one telegram at most; those of P1 have some two thousand."""
NOISE_TOLD_EVERY = 65_536
"""Octets outside of telegrams that are told of once."""

MODE_D_LINE = (2400, 7, "E")
P1_LINE = (115_200, 8, "N")
"""Baud, data bits, parity of the two lines on which meters send telegrams by themselves."""

_BEGINNING = re.compile(rb"/[A-Za-z]{0,3}$|/[A-Za-z]{3}[^\r\n]{1,80}\r?$")
_HEAD = re.compile(rb"/[A-Za-z]{3}[^\r\n]{1,80}\r?\n")
_END = re.compile(rb"(?:\n|\))[ \t]*!")
_NEXT = re.compile(rb"(?<=\n)/[A-Za-z]{3}[!-~]|/[A-Za-z]{3}[!-~][^\r\n()]{0,79}\r?\n\r?\n")
_LONGEST_HEAD = 86
_CLOSING = re.compile(rb"![0-9A-Fa-f]{0,4}[ \t]*\r?\n")


class TelegramSession:
    """Listens to one meter: `Told` carries a Telegram (of `core.protocol.data_sets`), `Rejected` what was dropped.

    It has the shape of PushSession and is made without arguments, one for each line that is listened to; it sends
    nothing and never finishes. A reader makes it on a port that is open at P1_LINE or MODE_D_LINE (or the user's
    `--baud`: 8N1 from 9600 upwards unless another parity is given, else 7E1), drives it with `conversation(session,
    port)` and publishes each Told by `readings_of_data_sets(event.telegram, name=…, time_s=…)`, as protocol
    `iec62056-21`. A search feeds it beside a PushSession with the same octets: `telegrams > 0` says that the line is
    that of a meter which sends telegrams; the first Told is then still to be taken with `next_event`. Parity bits that
    the port has left in are taken out here, so that a 7E1 line may be opened as 8N1.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0
        self._events: deque[Event] = deque()
        self._heard_s = 0.0
        self._noise = 0
        self.telegrams = 0
        """Telegrams that were told."""
        self.skipped = 0
        """Octets that belonged to none."""

    def receive_data(self, data: bytes, now_s: float) -> None:
        """Take octets of the line in; without any, see whether what has begun is over."""
        if self._buffer and now_s - self._heard_s >= self._patience_s():
            self._give_up()
        if not data:
            return
        self._heard_s = now_s
        self._buffer += data
        octets = bytes(self._buffer)
        if not octets.isascii() and has_even_parity(octets):
            octets = without_parity(octets)
        taken = self._walk(octets)
        if taken:
            self._searched = 0
            del self._buffer[:taken]

    def next_event(self) -> Event | NeedData:
        """The next telegram or rejection, NEED_DATA when there is none."""
        return self._events.popleft() if self._events else NEED_DATA

    def next_deadline(self) -> float | None:
        """When what has begun is given up; None while nothing has."""
        if not self._buffer:
            return None
        return self._heard_s + self._patience_s()

    def finish(self) -> None:
        """Nothing more will come."""
        self._give_up()

    def _patience_s(self) -> float:
        return END_GAP_S if b"!" in self._buffer[-8:] else GAP_S

    def _walk(self, octets: bytes) -> int:
        """Take every telegram and whatever is none; returns how many octets are done with."""
        position = 0
        while True:
            start = octets.find(b"/", position)
            if start != position:
                self._skip((len(octets) if start < 0 else start) - position)
                if start < 0:
                    return len(octets)
            size = self._telegram_at(octets, start)
            if size is None:
                return start
            position = start + size

    def _telegram_at(self, octets: bytes, start: int) -> int | None:
        """Size of what stands at a `/`, told where it is a telegram; None where more must come."""
        head = _HEAD.match(octets, start)
        if head is None:
            if len(octets) - start > _LONGEST_HEAD or not _BEGINNING.match(octets, start):
                self._skip(1)
                return 1
            return None
        following = _NEXT.search(octets, head.end())
        limit = len(octets) if following is None else following.start()
        end = _END.search(octets, max(head.end() - 1, start + self._searched), limit)
        closing = None if end is None else _CLOSING.match(octets, end.end() - 1, limit)
        if closing is not None:
            limit = closing.end()
        elif following is None:
            self._searched = max(0, limit - start - 8)
            if limit - start <= TELEGRAM_LIMIT:
                return None
            text = _("a telegram is longer than {count} octets").format(count=TELEGRAM_LIMIT)
            self._events.append(Rejected(RemoteProtocolError(text)))
            return limit - start
        self._tell(octets[start:limit])
        self._searched = 0
        return limit - start

    def _tell(self, octets: bytes) -> None:
        """Check one telegram and tell what it says."""
        self._tell_noise()
        is_told = False
        for telegram in decode_telegrams(octets):
            if telegram.error is not None:
                self._events.append(Rejected(telegram.error))
                is_told = True
            elif telegram.data_sets and telegram.mode is Mode.D:
                self.telegrams += 1
                self._events.append(Told(telegram))
                is_told = True
        if not is_told:
            self._events.append(Rejected(RemoteProtocolError(_("an identification without a telegram of mode D"))))

    def _give_up(self) -> None:
        """What has begun does not come to an end by itself."""
        octets = bytes(self._buffer)
        self._buffer.clear()
        self._searched = 0
        if not octets.isascii() and has_even_parity(octets):
            octets = without_parity(octets)
        if _HEAD.match(octets):
            self._tell(octets)
        else:
            self._skip(len(octets))
        self._tell_noise()

    def _skip(self, count: int) -> None:
        self.skipped += count
        self._noise += count
        if self._noise >= NOISE_TOLD_EVERY:
            self._tell_noise()

    def _tell_noise(self) -> None:
        if self._noise:
            text = ngettext(
                "{count} octet belongs to no telegram and was skipped",
                "{count} octets belong to no telegram and were skipped",
                self._noise,
            )
            self._events.append(Rejected(NoiseError(text.format(count=self._noise))))
            self._noise = 0
