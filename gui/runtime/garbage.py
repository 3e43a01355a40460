"""When Python looks for garbage that only a search finds: never for long while somebody works in the window.

With 2,000 machines some 300,000 objects live as long as their links, and a search through all of them stops every
thread for a third of a second. What has survived such a search is therefore set aside (`gc.freeze`): the next one goes
through what was made since. So that what dies among those set aside is found too, they are searched again from time to
time while another program is in front, and after an hour in any case.
"""

from __future__ import annotations

import gc
import time

from PyQt5.QtCore import QObject, Qt, QTimer
from PyQt5.QtGui import QGuiApplication

THRESHOLDS = (5000, 10, 10)
"""Young objects are searched in portions of a millisecond."""

LONG_S = 0.01
LOOK_MS = 30_000
OFTEN_S, SELDOM_S = 600.0, 3600.0


class Garbage(QObject):
    """Does so from `start` to `stop`."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._before = gc.get_threshold()
        self._began_s = 0.0
        self._searched_s = 0.0
        self._looking = QTimer(self)
        self._looking.setInterval(LOOK_MS)
        self._looking.timeout.connect(self._look)

    def start(self) -> None:
        """From now on."""
        self._searched_s = time.monotonic()
        gc.set_threshold(*THRESHOLDS)
        gc.callbacks.append(self._on_search)
        self._looking.start()

    def stop(self) -> None:
        """As it was before."""
        self._looking.stop()
        if self._on_search in gc.callbacks:
            gc.callbacks.remove(self._on_search)
        gc.unfreeze()
        gc.set_threshold(*self._before)

    def search_all(self) -> None:
        """Look through everything now, also what was set aside."""
        self._searched_s = time.monotonic()
        gc.unfreeze()
        gc.collect()

    def _on_search(self, phase: str, info: dict[str, int]) -> None:
        """From whichever thread searches; the others wait."""
        if info["generation"] < 2:
            return
        if phase == "start":
            self._began_s = time.perf_counter()
        elif time.perf_counter() - self._began_s >= LONG_S:
            gc.freeze()

    def _look(self) -> None:
        waited_s = time.monotonic() - self._searched_s
        is_in_front = QGuiApplication.applicationState() == Qt.ApplicationActive
        if gc.get_freeze_count() and waited_s >= (SELDOM_S if is_in_front else OFTEN_S):
            self.search_all()
