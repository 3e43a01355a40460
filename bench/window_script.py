"""What a technician does in a window of 2,000 machines, by the keys and the mouse's wheel, one step after another.

Each step is an event as the desktop sends it, and it is noted how long the window took to answer it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from PyQt5.QtCore import QEvent, QObject, QPoint, QPointF, Qt, QTimer
from PyQt5.QtGui import QKeyEvent, QWheelEvent
from PyQt5.QtWidgets import QApplication, QTableView, QWidget

from core.site_records import CommandProgress
from gui.app import Window

STEP_MS = 120
COMMAND_ON = 200

Step = tuple[str, Callable[[], object]]


class Script(QObject):
    """Runs its steps again and again until `stop`; `took_ms` are the times of each kind of step.

    `used_ms` are the processor's own times in the window's thread, which a busy machine does not lengthen.
    """

    def __init__(self, window: Window) -> None:
        super().__init__(window)
        self._app = window
        self._window = window.main_window
        self.took_ms: dict[str, list[float]] = {}
        self.used_ms: dict[str, list[float]] = {}
        self.commands_s: list[float] = []
        self._sent: tuple[str, float] = ("", 0.0)
        self._steps: Iterator[Step] = iter(())
        self._round = self._list_round
        window.console.services.mailbox.delivered.connect(self._on_delivered)
        self._timer = QTimer(self)
        self._timer.setInterval(STEP_MS)
        self._timer.timeout.connect(self._on_step)

    def open_pages(self) -> float:
        """Open each page once, and tell how long the slowest took in ms: what draws curves is loaded by the first."""
        took_ms = []
        for key in ("commands", "machine", "overview"):
            start_s = time.perf_counter()
            self._window.show_page(key)
            QApplication.processEvents()
            took_ms.append((time.perf_counter() - start_s) * 1e3)
        return max(took_ms)

    def start(self, *, is_of_pages: bool) -> None:
        """Begin: with work in the list, or with pages opened and a command sent."""
        self._round = self._pages_round if is_of_pages else self._list_round
        self._steps = iter(())
        self.took_ms.clear()
        self.used_ms.clear()
        self._timer.start()

    def stop(self) -> None:
        """No more steps."""
        self._timer.stop()

    def worst(self) -> list[tuple[str, float, float]]:
        """The kinds of steps with their longest times and longest processor's times in ms, longest first."""
        found = ((name, max(times), max(self.used_ms[name])) for name, times in self.took_ms.items())
        return sorted(found, key=lambda one: -one[1])

    def _on_step(self) -> None:
        step = next(self._steps, None)
        if step is None:
            self._steps = self._round()
            step = next(self._steps)
        name, work = step
        start_s, used_s = time.perf_counter(), time.thread_time()
        work()
        self.took_ms.setdefault(name, []).append((time.perf_counter() - start_s) * 1e3)
        self.used_ms.setdefault(name, []).append((time.thread_time() - used_s) * 1e3)

    def _list_round(self) -> Iterator[Step]:
        """The list filtered letter by letter, sorted, scrolled, folded, and many of it chosen."""
        window, listed = self._window, self._window.machine_list
        tree = listed.tree
        window.show_page("overview")
        for text in ("pc-01", "@room-07", "tag:even", "online"):
            for letter in text:
                yield "filter letter", lambda letter=letter: _type(listed.filter, letter)
            for _letter in text:
                yield "filter backspace", lambda: _press(listed.filter, Qt.Key_Backspace)
        yield "order by name", lambda: listed.set_problems_first(False)
        for _turn in range(6):
            yield "scroll", lambda: _wheel(tree, -960)
        for _turn in range(3):
            yield "page down", lambda: _press(tree, Qt.Key_PageDown)
        yield "problems first", lambda: listed.set_problems_first(True)
        yield "home", lambda: _press(tree, Qt.Key_Home)
        yield "down", lambda: _press(tree, Qt.Key_Down)
        for _turn in range(4):
            yield "shift range", lambda: _press(tree, Qt.Key_PageDown, Qt.ShiftModifier)
        yield "shift to the end", lambda: _press(tree, Qt.Key_End, Qt.ShiftModifier)
        yield "select all", lambda: _press(tree, Qt.Key_A, Qt.ControlModifier)
        yield "scroll with all selected", lambda: _wheel(tree, -960)
        yield "home", lambda: _press(tree, Qt.Key_Home)
        yield "down", lambda: _press(tree, Qt.Key_Down)
        yield "close group", lambda: tree.setExpanded(tree.model().index(0, 0), False)
        yield "open group", lambda: tree.setExpanded(tree.model().index(0, 0), True)
        yield "groups away", lambda: listed.set_grouped(False)
        yield "scroll", lambda: _wheel(tree, -960)
        yield "select all", lambda: _press(tree, Qt.Key_A, Qt.ControlModifier)
        yield "groups back", lambda: listed.set_grouped(True)

    def _pages_round(self) -> Iterator[Step]:
        """Machines opened one after the other, their processes sorted, a command on 200, and its answers looked at."""
        window = self._window
        for number in (3, 700, 1999):
            yield "open machine", lambda number=number: window.show_machine(f"pc-{number:04}")
            yield "look", lambda: None
            for column in range(3):
                for order in (Qt.AscendingOrder, Qt.DescendingOrder):
                    yield "sort processes", lambda column=column, order=order: self._sort(column, order)
        yield "command", self._command
        yield "page: commands", lambda: window.show_page("commands")
        for _turn in range(4):
            yield "look", lambda: None
        yield "page: overview", lambda: window.show_page("overview")

    def _sort(self, column: int, order: Qt.SortOrder) -> None:
        page = self._window.page("machine")
        for table in page.findChildren(QTableView) if page is not None else ():
            if table.isSortingEnabled():
                table.sortByColumn(column, order)

    def _command(self) -> None:
        """One command on 200 machines, from submit to the last answer in the window's own thread."""
        names = [f"pc-{number:04}" for number in range(COMMAND_ON)]
        start_s = time.perf_counter()
        request = self._app.console.services.execute(["true"], names, 30.0)
        self._sent = (request.id, start_s)

    def _on_delivered(self, delivery: object) -> None:
        for record in delivery.others:  # type: ignore[attr-defined]  # a Delivery of the runtime
            if isinstance(record, CommandProgress) and record.is_last and record.id == self._sent[0]:
                self.commands_s.append(time.perf_counter() - self._sent[1])


def _type(widget: QWidget, letter: str) -> None:
    widget.setFocus()
    for kind in (QEvent.KeyPress, QEvent.KeyRelease):
        QApplication.sendEvent(widget, QKeyEvent(kind, 0, Qt.NoModifier, letter))


def _press(widget: QWidget, key: int, modifiers: Qt.KeyboardModifiers = Qt.NoModifier) -> None:
    widget.setFocus()
    for kind in (QEvent.KeyPress, QEvent.KeyRelease):
        QApplication.sendEvent(widget, QKeyEvent(kind, key, Qt.KeyboardModifiers(modifiers)))


def _wheel(tree: QWidget, angle: int) -> None:
    inside = tree.viewport()  # type: ignore[attr-defined]  # a tree
    place = QPointF(inside.rect().center())
    event = QWheelEvent(
        place, QPointF(inside.mapToGlobal(place.toPoint())), QPoint(), QPoint(0, angle), Qt.NoButton, Qt.NoModifier,
        Qt.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(inside, event)
