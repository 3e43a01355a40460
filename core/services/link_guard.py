"""What an agent may send on one link: what it was asked for, as much as it was given credit for, and little beside.

An agent that is taken over could send for ever: the console would read, decode and answer it, and serve nobody else as
well. Here it is counted; what is too much or never asked for is a RemoteProtocolError, which ends the link with words.
"""

from __future__ import annotations

from core.errors import RemoteProtocolError
from core.language import _
from core.protocol.messages import CREDIT

BURST_OCTETS = 32 << 20
"""Octets that may come at once: a long table, or the statuses of an hour that nobody heard."""
RATE_OCTETS = 2 << 20
"""Octets a second for ever."""
_FRAME_OCTETS = 256
"""What a frame costs beside its octets: to decode a small one costs as much as to copy this."""
MOST_ANSWER_OCTETS = 32 << 20
"""Octets of all answers to one request."""
MOST_OUTPUT_OCTETS = 4 << 20
"""Octets of output of one command, each time that it is opened; an honest agent sends a quarter of it."""
MOST_UNSENT_OCTETS = 1 << 20
"""Octets that wait for an agent which does not read."""
MOST_UNANSWERED = 1024
"""Requests that wait for an answer."""


class _Asked:
    """A command that was asked for on this link."""

    __slots__ = ("given", "openings", "room", "stream")

    def __init__(self) -> None:
        self.openings = 0
        self.room = self.given = 0
        self.stream: int | None = None


class LinkGuard:
    """Counts what comes on one link; `now_s` is monotonic."""

    __slots__ = ("_commands", "_filled_s", "_room", "_streams")

    def __init__(self) -> None:
        self._room = float(BURST_OCTETS)
        self._filled_s: float | None = None
        self._commands: dict[str, _Asked] = {}
        self._streams: dict[int, str] = {}

    def on_frame(self, octets: int, now_s: float) -> None:
        """A frame has come that is not output of a command."""
        if self._filled_s is not None:
            self._room = min(float(BURST_OCTETS), self._room + (now_s - self._filled_s) * RATE_OCTETS)
        self._filled_s = now_s
        self._room -= octets + _FRAME_OCTETS
        if self._room < 0:
            raise RemoteProtocolError(_("its agent sends more than anybody asked for"))

    def on_asked(self, exec_id: str) -> None:
        """A command is asked for: it may be opened once (more)."""
        self._commands.setdefault(exec_id, _Asked()).openings += 1

    def on_refused(self, exec_id: str) -> None:
        """It was not accepted: what was opened before goes on."""
        asked = self._commands.get(exec_id)
        if asked is not None:
            asked.openings -= 1
            if asked.openings <= 0 and asked.stream is None:
                del self._commands[exec_id]

    def on_opened(self, exec_id: str, stream: int) -> None:
        """The agent says that output of a command comes on this stream."""
        asked = self._commands.get(exec_id)
        if asked is None or asked.openings <= 0:
            raise RemoteProtocolError(_("its agent opens a command that it was not asked to run"))
        if self._streams.get(stream, exec_id) != exec_id:
            raise RemoteProtocolError(_("its agent opens two commands on one stream"))
        if asked.stream is not None:
            self._streams.pop(asked.stream, None)
        asked.openings -= 1
        asked.room = asked.given = CREDIT
        asked.stream = stream
        self._streams[stream] = exec_id

    def on_credit(self, exec_id: str, octets: int) -> None:
        """The agent may send so many octets more, as long as the command has not sent all that any may.

        Credit is given as fast as output is read: that alone does not stop one that never waits for it.
        """
        asked = self._commands.get(exec_id)
        if asked is not None and asked.given < MOST_OUTPUT_OCTETS:
            asked.room += octets
            asked.given += octets

    def on_output(self, stream: int, octets: int, now_s: float) -> str | None:
        """Output has come: the command it belongs to; None for a stream that no command has (any more)."""
        exec_id = self._streams.get(stream)
        if exec_id is None:
            self.on_frame(octets, now_s)
            return None
        if octets == 0:
            self.on_frame(octets, now_s)
        asked = self._commands[exec_id]
        asked.room -= octets
        if asked.room < 0:
            raise RemoteProtocolError(_("its agent sends more output than it was given credit for"))
        return exec_id

    def on_exit(self, exec_id: str) -> None:
        """The agent says that a command has ended, which it has opened or could have."""
        asked = self._commands.get(exec_id)
        if asked is None:
            raise RemoteProtocolError(_("its agent ends a command that it was not asked to run"))
        if asked.stream is None:
            asked.openings -= 1
        else:
            self._streams.pop(asked.stream, None)
            asked.stream = None
        if asked.openings <= 0:
            del self._commands[exec_id]
