"""A line on which a meter may push messages or send telegrams: both are listened for until one of them has come.

Each of the two takes what belongs to the other for noise; so noise is only told where, some seconds later, none of
them has made sense of it.
"""

from __future__ import annotations

from collections import deque

from core.errors import NoiseError
from core.protocol.push import PushSession
from core.protocol.session import NEED_DATA, Event, NeedData, Rejected, Told
from core.protocol.telegram_session import TelegramSession

UNDECIDED_S = 6.0
"""A telegram of 1,200 octets takes so long at 2400 baud."""


class HeardSession:
    """A PushSession and a TelegramSession side by side; `is_heard` once one of them has recognised its own."""

    def __init__(self, push: PushSession) -> None:
        self._push = push
        self._telegrams = TelegramSession()
        self._chosen: PushSession | TelegramSession | None = None
        self._events: deque[Event] = deque()
        self._noise: Rejected | None = None
        self._noise_due_s = 0.0
        self._now_s = 0.0

    @property
    def is_heard(self) -> bool:
        """True when a frame, or a whole telegram, has passed its checks."""
        return self._chosen is not None or self._push.frames > self._push.other_frames or self._telegrams.telegrams > 0

    @property
    def is_pushing(self) -> bool:
        """True for messages, False for telegrams; only while `is_heard`."""
        return self._chosen is self._push or (self._chosen is None and self._telegrams.telegrams == 0)

    @property
    def frames(self) -> int:
        """Frames and telegrams whose checks have passed, of any kind."""
        return self._push.frames + self._telegrams.telegrams

    def receive_data(self, data: bytes, now_s: float) -> None:
        """Take octets of the line in, or the time alone."""
        self._now_s = now_s
        for session in (self._push, self._telegrams) if self._chosen is None else (self._chosen,):
            session.receive_data(data, now_s)
        self._sort()

    def next_event(self) -> Event | NeedData:
        """The next telegram or rejection, NEED_DATA when there is none."""
        self._sort()
        return self._events.popleft() if self._events else NEED_DATA

    def next_deadline(self) -> float | None:
        """When to look at the time again."""
        sessions = (self._push, self._telegrams) if self._chosen is None else (self._chosen,)
        deadlines = [deadline_s for session in sessions if (deadline_s := session.next_deadline()) is not None]
        if self._noise is not None:
            deadlines.append(self._noise_due_s)
        return min(deadlines, default=None)

    def _sort(self) -> None:
        """Take over what the two have to say; the first that tells something is the one."""
        for session in (self._push, self._telegrams) if self._chosen is None else (self._chosen,):
            while (event := session.next_event()) is not NEED_DATA:
                self._take(session, event)
            if self._chosen is session:
                break
        if self._noise is not None and self._now_s >= self._noise_due_s:
            self._events.append(self._noise)
            self._noise = None

    def _take(self, session: PushSession | TelegramSession, event: Event) -> None:
        if isinstance(event, Told):
            self._chosen, self._noise = session, None
        elif self._chosen is None and isinstance(event, Rejected) and self._is_noise(session, event):
            if session is self._push and self._noise is None:
                self._noise, self._noise_due_s = event, self._now_s + UNDECIDED_S
            return
        self._events.append(event)

    def _is_noise(self, session: PushSession | TelegramSession, event: Rejected) -> bool:
        """True for what only says that the octets were meant for the other."""
        return isinstance(event.error, NoiseError) or (session is self._telegrams and self._push.frames > 0)
