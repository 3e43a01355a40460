"""When Python looks for garbage that only a search finds: never for long while somebody works in the window.

With 2,000 machines some 300,000 objects live as long as their links, and a search through all of them stops every
thread for a third of a second. What came with the start, and what has survived a search that took long, is therefore
set aside (`gc.freeze`): each half minute only what was made since is gone through. So that what dies among those set
aside is found too, they are searched again from time to time while another program is in front, and after an hour in
any case.

Python looks through young objects when there are many more than before. Where new statuses take the place of old ones
there never are, until those of a whole round of 2,000 machines lie there: 10 ms and more. So they are looked through a
few times a second, and each time there are few.
"""

from __future__ import annotations

import gc
import time

from PyQt5.QtCore import QObject, Qt, QTimer
from PyQt5.QtGui import QGuiApplication

THRESHOLDS = (5000, 10, 1_000_000)
"""For bursts between two sweeps; never through everything in the middle of somebody's work."""

SWEEP_MS = 200
OLDER_EVERY = 5
"""So many sweeps of the youngest objects make one of those that have survived some."""

START_LOOKS = 2
"""At the first looks what came with the start is set aside: it lives as long as the window."""

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
        self._looks = 0
        self._sweeps = 0
        self._sweeping = QTimer(self)
        self._sweeping.setInterval(SWEEP_MS)
        self._sweeping.timeout.connect(self._sweep)

    def start(self) -> None:
        """From now on."""
        self._searched_s = time.monotonic()
        gc.set_threshold(*THRESHOLDS)
        gc.callbacks.append(self._on_search)
        self._looking.start()
        self._sweeping.start()

    def stop(self) -> None:
        """As it was before."""
        self._looking.stop()
        self._sweeping.stop()
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

    def _sweep(self) -> None:
        self._sweeps += 1
        gc.collect(0 if self._sweeps % OLDER_EVERY else 1)

    def _look(self) -> None:
        self._looks += 1
        waited_s = time.monotonic() - self._searched_s
        is_in_front = QGuiApplication.applicationState() == Qt.ApplicationActive
        if waited_s >= (SELDOM_S if is_in_front else OFTEN_S):
            self.search_all()
        elif self._looks <= START_LOOKS:
            gc.freeze()
        else:
            gc.collect()
