"""Where a server of ours stands: a shape and words on one line."""

from __future__ import annotations

from PyQt5.QtCore import QRectF, QSize
from PyQt5.QtGui import QPainter, QPaintEvent
from PyQt5.QtWidgets import QHBoxLayout, QWidget

from core.language import _
from core.site_records import ListenerState
from gui.models.machine_row import Shape
from gui.plain_text import one_line
from gui.theme import notifier
from gui.widgets.labels import ElidedLabel, set_role
from gui.widgets.state_shape import paint_shape

_SHAPES = {
    ListenerState.LISTENING: (Shape.CIRCLE, "ok"),
    ListenerState.FAILED: (Shape.SQUARE, "critical"),
    ListenerState.STOPPED: (Shape.RING, "unknown"),
}
_LOOPBACK = ("127.", "localhost:", "[::1]:")


class StateShape(QWidget):
    """One shape in its colour."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shape, self._role = _SHAPES[ListenerState.STOPPED]
        self.setFixedSize(QSize(12, 12))
        notifier.changed.connect(self.update)

    def set_shape(self, shape: Shape, role: str) -> None:
        """Draw this one."""
        if (shape, role) != (self._shape, self._role):
            self._shape, self._role = shape, role
            self.update()

    def paintEvent(self, _event: QPaintEvent | None) -> None:
        """Draw it."""
        paint_shape(QPainter(self), QRectF(self.rect()).adjusted(1, 1, -1, -1), self._shape, self._role)


class ListenerLine(QWidget):
    """`● listening on 127.0.0.1:17452 · 12 links`, the end of it left out where there is no room."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shape = StateShape()
        self._words = ElidedLabel("dim")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(2, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self._shape)
        layout.addWidget(self._words, 1)
        self.apply(ListenerState.STOPPED)

    def apply(
        self, state: ListenerState, address: str | None = None, error: str | None = None, detail: str = ""
    ) -> None:
        """Show this state; `detail` comes after the address, or `error` where it listens and something is wrong."""
        is_open = state is ListenerState.LISTENING
        self._shape.set_shape(*((Shape.TRIANGLE, "warning") if is_open and error else _SHAPES[state]))
        if is_open and error:
            words = " · ".join([_("listening on {address}").format(address=one_line(address or "")), one_line(error)])
        elif is_open:
            where = one_line(address or "")
            parts = [_("listening on {address}").format(address=where), detail]
            parts.append(_("this machine only") if is_loopback(where) else _("open to the network"))
            words = " · ".join(part for part in parts if part)
        elif state is ListenerState.FAILED:
            words = one_line(error or "") or _("does not listen")
        else:
            words = _("not open")
        role = "warning" if is_open and error else "critical" if state is ListenerState.FAILED else "dim"
        set_role(self._words, role)
        self._words.set_text(words)

    def text(self) -> str:
        """The words, whole."""
        return self._words.accessibleName()


def is_loopback(address: str) -> bool:
    """True where `HOST:PORT` is reached from this machine alone."""
    return address.casefold().startswith(_LOOPBACK)
