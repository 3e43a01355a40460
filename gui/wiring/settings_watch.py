"""Notices that somebody else has written the settings: an editor, another program, a window beside a `collect`."""

from __future__ import annotations

import os

from PyQt5.QtCore import QObject, QTimer, pyqtSignal

from core.config import load_config
from core.errors import BeffroiError
from core.home import Home
from core.requests import ReloadRequest
from gui.runtime.services import Services

LOOK_MS = 2_000


class SettingsWatch(QObject):
    """`changed` once other settings hold, `refused(words)` for a file that cannot be read, `mended(words)` after that.

    A window that collects works by the new settings at once; a `collect` beside is told by who changed them (SIGHUP),
    and the window shows what the file says.
    """

    changed = pyqtSignal()
    refused = pyqtSignal(str)
    mended = pyqtSignal(str)

    def __init__(self, home: Home, services: Services, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._home = home
        self._services = services
        self._seen = self._stamp()
        self._complaint = ""
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self.look)

    def start(self) -> None:
        """Look from now on."""
        self._timer.start()

    def stop(self) -> None:
        """Look no more."""
        self._timer.stop()

    def look(self) -> None:
        """Take the settings in where the file is another one and says something else."""
        stamp = self._stamp()
        if stamp is None or stamp == self._seen:
            return
        self._seen = stamp
        try:
            config = load_config(self._home)[0]
        except BeffroiError as error:
            self._complaint = str(error)
            self.refused.emit(self._complaint)
            return
        if self._complaint:
            self.mended.emit(self._complaint)
            self._complaint = ""
        if config == self._services.config:
            return  # written by this window
        if self._services.is_beside:
            self._services.take_config(config)
        else:
            self._services.ask(ReloadRequest(operator=config.operator))
        self.changed.emit()

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self._home.config_path)
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
