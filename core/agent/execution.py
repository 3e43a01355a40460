"""One command on its way: who asked, what it has written, and the link that hears of it.

It outlives its link. Output goes out as far as the console's credit reaches; the command itself is never held up by a
slow console, since all that is not sent yet is kept within the limits of KeptOutput.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from core.agent.output import KeptOutput
from core.protocol.frames import JSON_FRAME, encode_frame, encode_output
from core.protocol.messages import CREDIT, ExecExit, ExecOpened, encode_notification
from core.records import Level

_LARGEST_FRAME = 16 * 1024


class OutputLink(Protocol):
    """What an execution needs of a link."""

    def send(self, frame: bytes) -> None:
        """Send a frame; it is dropped where the link has ended."""

    def next_stream(self) -> int:
        """A number for frames of output that this link has not used yet."""


class Execution:
    """A command that waits, runs, or has ended; owned by the agent's loop."""

    def __init__(
        self, owner: str, exec_id: str, timeout_s: float, asked_s: float, level: Level = Level.RUN, address: str = ""
    ) -> None:
        self.owner = owner
        self.address = address
        self.level = level
        self.exec_id = exec_id
        self.timeout_s = timeout_s
        self.asked_s = asked_s
        self.output = KeptOutput()
        self.exit: ExecExit | None = None
        self.task: asyncio.Task[None] | None = None
        self.is_cancelled = False
        self.is_distrusted = False
        """Who asked for it is trusted no more: it gets no time to end by itself."""
        self.is_open = False
        self._link: OutputLink | None = None
        self._stream = 0
        self._credit = 0
        self._cursor = (0, 0)
        self._has_told_exit = False

    def open(self) -> None:
        """The command starts: from now on its output may go out."""
        self.is_open = True
        if self._link is not None:
            self.attach(self._link)

    def attach(self, link: OutputLink) -> None:
        """Send all of it, from the first octet, over `link` and no other."""
        self._link = link
        if not self.is_open:
            return
        self._stream = link.next_stream()
        self._credit = CREDIT
        self._cursor = (0, 0)
        self._has_told_exit = False
        opened = ExecOpened(exec_id=self.exec_id, stream=self._stream)
        link.send(encode_frame(JSON_FRAME, encode_notification("exec.opened", opened)))
        self.pump()

    def detach(self, link: OutputLink) -> None:
        """The link has ended; the command goes on."""
        if self._link is link:
            self._link = None

    def add_credit(self, octets: int) -> None:
        """The console has room for more; it never holds more than twice the opening credit."""
        self._credit = min(self._credit + octets, 2 * CREDIT)
        self.pump()

    def put(self, fd: int, data: bytes) -> None:
        """The command has written `data`."""
        self.output.put(fd, data)
        self.pump()

    def finish(self, ended: ExecExit) -> None:
        """The command has ended, and nothing more will come."""
        self.output.end()
        self.exit = ended
        self.pump()

    def pump(self) -> None:
        """Send what the credit allows, and the exit after the last octet."""
        link = self._link
        if link is None or not self.is_open:
            return
        while self._credit > 0:
            found = self.output.piece(*self._cursor, min(self._credit, _LARGEST_FRAME))
            if found is None:
                break
            fd, data, *cursor = found
            self._cursor = (cursor[0], cursor[1])
            self._credit -= len(data)
            link.send(encode_output(self._stream, fd, data))
        is_all_sent = self.output.piece(*self._cursor, 1) is None
        if self.exit is not None and is_all_sent and not self._has_told_exit:
            self._has_told_exit = True
            link.send(encode_frame(JSON_FRAME, encode_notification("exec.exit", self.exit)))
