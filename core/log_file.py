"""The log of a home, bounded; a small one of our own, since `logging.handlers` costs an agent more than a megabyte."""

from __future__ import annotations

import logging
import os
import sys

LARGEST_OCTETS = 1 << 20


class BoundedLogHandler(logging.FileHandler):
    """Appends to a file; once it is full it becomes `<name>.1`, in place of the one before.

    A disk that is full or read-only costs the record, and nothing else: the work that it tells of goes on.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record, beginning a new file where this one is full."""
        try:
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
