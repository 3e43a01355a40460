"""The log of a home, bounded; a small one of our own, since `logging.handlers` costs an agent more than a megabyte."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

LARGEST_OCTETS = 1 << 20

LINES_AT_ONCE = 500
LINES_PER_S = 20.0
"""What one logger may write: a peer that makes us log shall not push out of the file what others have told there."""


class BoundedLogHandler(logging.FileHandler):
    """Appends to a file; once it is full it becomes `<name>.1`, in place of the one before.

    A disk that is full or read-only costs the record, and nothing else: the work that it tells of goes on. Of a logger
    that writes too fast, records below ERROR are left out and counted.
    """

    def __init__(self, path: str | Path, *, encoding: str, delay: bool = False, errors: str | None = None) -> None:
        super().__init__(path, encoding=encoding, delay=delay, errors=errors)
        self._budgets: dict[str, _Budget] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record, beginning a new file where this one is full."""
        budget = self._budgets.setdefault(record.name, _Budget())
        if record.levelno < logging.ERROR and not budget.allows(record.created):
            return
        try:
            if budget.left_out:
                count, budget.left_out = budget.left_out, 0
                told = (record.name, record.levelno, "", 0, "%d lines were left out", (count,), None)
                self._emit(logging.LogRecord(*told))
            self._emit(record)
        except OSError:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 -- a name of logging
        """Keep still about a file that cannot be written: a traceback on the user's terminal helps nobody."""
        if not isinstance(sys.exception(), OSError):
            super().handleError(record)

    def _emit(self, record: logging.LogRecord) -> None:
        if self.stream is not None and self.stream.tell() >= LARGEST_OCTETS:
            self.stream.close()
            self.stream = self._open()
            if self.stream.tell() >= LARGEST_OCTETS:
                # Still the full one: no other process of this home has put it aside in the meantime.
                self.stream.close()
                try:
                    os.replace(self.baseFilename, self.baseFilename + ".1")
                except OSError:
                    pass  # Windows, while another process holds it: it grows until that one ends
                self.stream = self._open()
        super().emit(record)


class _Budget:
    """What a logger may still write, and the lines that it was not let write."""

    def __init__(self) -> None:
        self.left_out = 0
        self._left = float(LINES_AT_ONCE)
        self._seen_s = 0.0

    def allows(self, now_s: float) -> bool:
        """True where a line may be written, which is counted."""
        self._left = min(LINES_AT_ONCE, self._left + max(0.0, now_s - self._seen_s) * LINES_PER_S)
        self._seen_s = now_s
        if self._left < 1.0:
            self.left_out += 1
            return False
        self._left -= 1.0
        return True
