"""A chat client as the exercise's text has it: a socket, a thread that reads with recv(1024), sends without an end."""

from __future__ import annotations

import socket
import threading
import time


class PlainChatClient:
    """Connects, reads in a thread, and keeps each piece that a `recv` gave, with its time."""

    def __init__(self, address: str, hello: str | None = None) -> None:
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=5)
        self.name = "{}:{}".format(*self.socket.getsockname()[:2])
        self.pieces: list[tuple[float, bytes]] = []
        self.has_ended = False
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if hello is not None:
            self.send(hello)

    def _read(self) -> None:
        self.socket.settimeout(None)
        while True:
            try:
                piece = self.socket.recv(1024)
            except OSError:
                piece = b""
            with self._news:
                if piece:
                    self.pieces.append((time.monotonic(), piece))
                else:
                    self.has_ended = True
                self._news.notify_all()
            if not piece:
                self.socket.close()
                return

    @property
    def text(self) -> str:
        """All that came."""
        return b"".join(piece for _time_s, piece in self.pieces).decode()

    @property
    def lines(self) -> list[str]:
        """The whole lines that came."""
        return self.text.split("\n")[:-1]

    def send(self, text: str | bytes) -> None:
        """One bare send."""
        self.socket.sendall(text if isinstance(text, bytes) else text.encode())

    def wait_for(self, line: str, count: int = 1, timeout_s: float = 5.0) -> None:
        """Return once `line` has come `count` times."""
        with self._news:
            if not self._news.wait_for(lambda: self.lines.count(line) >= count, timeout_s):
                raise AssertionError(f"{line!r} did not come; there are {self.lines!r}")

    def wait_for_end(self, timeout_s: float = 5.0) -> None:
        """Return once the server has closed."""
        with self._news:
            assert self._news.wait_for(lambda: self.has_ended, timeout_s), "the server did not close"

    def close(self) -> None:
        """Leave as a program does that just ends."""
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the server has closed before
        self._reader.join(5)

    def kill(self) -> None:
        """Leave as a program does that is killed with unread data: by a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        self.socket.shutdown(socket.SHUT_RD)  # wakes the reader, which closes: by a reset
        self._reader.join(5)
