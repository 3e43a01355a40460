"""Where `room join` prints and reads: a terminal whose typed line is never broken by what comes, or pipes.

The terminal is put into a state in which keys come one by one, and put back at the end. prompt_toolkit would do this
too; a line editor of 150 lines is less than a dependency that every headless machine would carry.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
import shutil
import sys
import threading
from collections.abc import AsyncIterator, Iterator

from core.cli.line_editor import LineEditor
from core.cli.output import print_text
from core.protocol.chat_text import colour_index

PROMPT = "> "
_COLOURS = (36, 33, 35, 32, 94, 95, 92, 96)
"""Of the eight of `colour_index`, as a terminal knows them; red is for what is wrong."""

_CHUNK = 4096
_CHUNKS_AHEAD = 4
_PIPE_LINE_LETTERS = 1_000_000


def has_colours() -> bool:
    """True where stdout is a terminal that shows colours, and nobody has set NO_COLOR."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def coloured_name(name: str, *, is_coloured: bool) -> str:
    """`name` in its own colour."""
    return f"\x1b[1;{_COLOURS[colour_index(name)]}m{name}\x1b[0m" if is_coloured else name


class ChatScreen:
    """Prints lines and gives the typed ones; `is_typed` where somebody sits at a terminal."""

    def __init__(self, *, is_json: bool) -> None:
        self.is_typed = not is_json and _is_terminal(sys.stdin) and sys.stdout.isatty() and os.name == "posix"
        self._editor = LineEditor()

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """Keys come one by one while the block runs."""
        if not self.is_typed:
            yield
            return
        import termios
        import tty

        handle = sys.stdin.fileno()
        before = termios.tcgetattr(handle)
        try:
            tty.setcbreak(handle, termios.TCSADRAIN)
            self._draw()
            yield
        finally:
            sys.stdout.write("\r\x1b[K")
            sys.stdout.flush()
            termios.tcsetattr(handle, termios.TCSADRAIN, before)

    def print(self, text: str) -> None:
        """Show `text` above the line that is typed; it holds no control characters but our own colours."""
        if self.is_typed:
            sys.stdout.write("\r\x1b[K")
        print_text(text)
        if self.is_typed:
            self._draw()
        else:
            sys.stdout.flush()

    def _draw(self) -> None:
        columns = max(8, shutil.get_terminal_size().columns - len(PROMPT))
        text, column = self._editor.view(columns)
        encoding = sys.stdout.encoding or "utf-8"
        shown = text.encode(encoding, "replace").decode(encoding, "replace")
        sys.stdout.write(f"\r\x1b[K{PROMPT}{shown}\r\x1b[{len(PROMPT) + column}C")
        sys.stdout.flush()

    async def lines(self) -> AsyncIterator[str]:
        """The lines that somebody types or a pipe gives, until their end."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        rest = ""
        async for data in _stdin_bytes():
            if self.is_typed:
                for line in self._editor.feed(data):
                    yield line
                if self._editor.has_ended:
                    return
                self._draw()
                continue
            *whole, rest = (rest + decoder.decode(data)).split("\n")
            if len(rest) > _PIPE_LINE_LETTERS:
                whole, rest = [*whole, rest], ""
            for line in whole:
                yield line.rstrip("\r")
        if rest:
            yield rest


def _is_terminal(stream: object) -> bool:
    return bool(stream is not None and stream.isatty())  # type: ignore[attr-defined]  # None where stdin is closed


async def _stdin_bytes() -> AsyncIterator[bytes]:
    """What stdin gives; read in a thread, since files, pipes and consoles of all systems can be read so."""
    loop = asyncio.get_running_loop()
    chunks: asyncio.Queue[bytes] = asyncio.Queue()
    room = threading.Semaphore(_CHUNKS_AHEAD)

    def read() -> None:
        while True:
            room.acquire()
            try:
                data = os.read(0, _CHUNK)
            except OSError:
                data = b""
            try:
                loop.call_soon_threadsafe(chunks.put_nowait, data)
            except RuntimeError:  # the loop has ended
                return
            if not data:
                return

    threading.Thread(target=read, name="stdin", daemon=True).start()
    while data := await chunks.get():
        room.release()
        yield data
