"""The text file beside the database: one line a measure, such as `2026-11-21T10:15:03.120Z;capteur_1;23.5`.

A quantity that is not the usual temperature stands in a fourth field. A `;` in an identifier becomes a comma, and one
that a spreadsheet would calculate has an apostrophe in front. The file is appended to a batch at a time and
handed to the system at once, so that a `kill -9` takes nothing back; the database is what survives a power cut.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from core.errors import StoreError
from core.language import _
from core.services.formulas import escaped
from core.site_records import SensorMeasure

_USUAL = "temperature_c"


class SensorFile:
    """Appends measures to a file, opened with the first one; made for its user alone (0600)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream: IO[bytes] | None = None
        self._second = -1
        self._second_text = ""

    def append(self, measures: Sequence[SensorMeasure]) -> None:
        """One line for each of `measures`. Raises StoreError where the file cannot be written."""
        lines = "".join(map(self._line, measures)).encode("utf-8", "replace")
        try:
            if self._stream is None:
                self._stream = _opened(self.path)
            rest = memoryview(lines)
            while rest:
                rest = rest[self._stream.write(rest) :]
        except OSError as error:
            self.close()
            raise StoreError(
                _("{path} cannot be written: {reason}").format(path=self.path, reason=error.strerror or error)
            ) from error

    def close(self) -> None:
        """Close the file; it is opened again with the next measure."""
        if self._stream is not None:
            stream, self._stream = self._stream, None
            stream.close()

    def _line(self, measure: SensorMeasure) -> str:
        milliseconds = int(measure.time_s * 1000 + 0.5)
        second, rest = divmod(milliseconds, 1000)
        if second != self._second:
            self._second, self._second_text = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        sensor = escaped(measure.sensor.replace(";", ","))
        more = "" if measure.quantity == _USUAL else f";{measure.quantity}"
        return f"{self._second_text}.{rest:03d}Z;{sensor};{measure.value}{more}\n"


def _opened(path: Path) -> IO[bytes]:
    """The file, made where it is missing. A pipe or a device is refused: nobody may be there to read, and all waits."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NONBLOCK", 0), 0o600)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, _("it is no ordinary file"))
    return os.fdopen(handle, "ab", buffering=0)
