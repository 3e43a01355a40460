"""The tile of the Overview that says what rings: how many by severity, and the newest."""

from __future__ import annotations

import time
from collections.abc import Sequence

from PyQt5.QtCore import QEvent, QRectF, QSize, Qt, pyqtSignal
from PyQt5.QtGui import QFontMetrics, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PyQt5.QtWidgets import QHBoxLayout, QSizePolicy, QStackedLayout, QVBoxLayout, QWidget

from core.language import _, ngettext
from core.site_records import Alarm, AlarmSeverity, AlarmState
from gui import numbers
from gui.models import alarm_words as words
from gui.plain_text import one_line
from gui.theme import notifier, scaled_font, theme
from gui.widgets.big_number import BigNumber
from gui.widgets.card import Card
from gui.widgets.empty_state import EmptyState
from gui.widgets.labels import ElidedLabel
from gui.widgets.state_shape import paint_shape

SHOWN = 5
_MOST_LINES = 3


class AlarmLines(QWidget):
    """As many alarms as fit, two lines each, more where a long text has room for it.

    A click, or Enter on the focused one, opens it.
    """

    opened = pyqtSignal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._alarms: list[Alarm] = []
        self._current = 0
        self._hovered = -1
        self.setFocusPolicy(Qt.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Expanding)
        self.setAccessibleName(_("The newest alarms"))
        notifier.changed.connect(self.update)

    def set_alarms(self, alarms: Sequence[Alarm]) -> None:
        """Show these, in this order."""
        if list(alarms) != self._alarms:
            self._alarms = list(alarms)
            self._current = min(self._current, max(0, len(alarms) - 1))
            self.setAccessibleDescription("; ".join(f"{alarm.text} {_about(alarm)}" for alarm in alarms))
        self.update()

    def alarms(self) -> Sequence[Alarm]:
        """Those shown."""
        return self._alarms

    def sizeHint(self) -> QSize:
        """Room for three."""
        return QSize(180, round(3 * self._height()))

    def minimumSizeHint(self) -> QSize:
        """Room for one."""
        return QSize(140, round(self._height()))

    def _height(self, title_lines: int = 1) -> float:
        return title_lines * QFontMetrics(scaled_font(1.0)).height() + QFontMetrics(scaled_font(0.9)).height() + 7

    def _title_lines(self) -> int:
        """As many as the longest text needs, three at most, where all alarms have room like that."""
        metrics = QFontMetrics(scaled_font(1.0, bold=True))
        needed = max((len(_wrapped(alarm.text, metrics, self.width() - 28)) for alarm in self._alarms), default=1)
        room = int((self.height() + 2) / max(1, len(self._alarms)) - self._height(0)) // max(1, metrics.height())
        return max(1, min(needed, room, _MOST_LINES))

    def _line(self, at: int) -> QRectF:
        height = self._height(self._title_lines())
        return QRectF(0, at * height, self.width(), height)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Shape, text, and below it severity, state and age."""
        painter = QPainter(self)
        colours = theme()
        font, small = scaled_font(1.0, bold=True), scaled_font(0.9)
        title_lines = self._title_lines()
        for at, alarm in enumerate(self._alarms):
            area = self._line(at)
            if area.bottom() > self.height() + 2:
                break
            if at == self._hovered or (self.hasFocus() and at == self._current):
                painter.fillRect(area, colours.color("raised"))
            if self.hasFocus() and at == self._current:
                painter.setPen(colours.color("accent"))
                painter.drawRect(area.adjusted(0.5, 0.5, -1, -1))
            paint_shape(painter, QRectF(4, area.top() + 6, 10, 10), *words.shape_of(alarm))
            inner = area.adjusted(24, 2, -4, -3)
            font.setBold(alarm.state is AlarmState.ACTIVE)
            painter.setFont(font)
            painter.setPen(colours.color("text"))
            text = "\n".join(_wrapped(alarm.text, QFontMetrics(font), int(inner.width()), title_lines))
            painter.drawText(inner, int(Qt.AlignLeft | Qt.AlignTop), text)
            painter.setFont(small)
            painter.setPen(colours.color("dim"))
            below = QFontMetrics(small).elidedText(_about(alarm), Qt.ElideRight, int(inner.width()))
            painter.drawText(inner, int(Qt.AlignLeft | Qt.AlignBottom), below)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """The line under the mouse is raised."""
        self._hovered = self._at(event)
        self.setCursor(Qt.PointingHandCursor if self._hovered >= 0 else Qt.ArrowCursor)
        self.update()

    def leaveEvent(self, _event: QEvent) -> None:
        """No line is under the mouse."""
        self._hovered = -1
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A click opens."""
        at = self._at(event)
        if at >= 0:
            self._current = at
            self.opened.emit(self._alarms[at].id)
        else:
            event.ignore()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Up, down and Enter."""
        if event.key() in (Qt.Key_Up, Qt.Key_Down) and self._alarms:
            step = 1 if event.key() == Qt.Key_Down else -1
            self._current = max(0, min(len(self._alarms) - 1, self._current + step))
            self.update()
        elif event.key() in (Qt.Key_Return, Qt.Key_Enter) and self._alarms:
            self.opened.emit(self._alarms[self._current].id)
        else:
            super().keyPressEvent(event)

    def _at(self, event: QMouseEvent) -> int:
        return next((at for at in range(len(self._alarms)) if self._line(at).contains(event.localPos())), -1)


def _wrapped(text: str, metrics: QFontMetrics, width: int, most: int = _MOST_LINES) -> list[str]:
    """`text` in `most` lines or fewer, broken between words, the last one shortened where it must be."""
    lines = [""]
    parts = one_line(text).split(" ")
    for at, part in enumerate(parts):
        longer = f"{lines[-1]} {part}".lstrip()
        if not lines[-1] or metrics.horizontalAdvance(longer) <= width:
            lines[-1] = longer
        elif len(lines) < most:
            lines.append(part)
        else:
            lines[-1] = " ".join([lines[-1], *parts[at:]])
            break
    return [metrics.elidedText(line, Qt.ElideRight, width) for line in lines]


class AlarmsTile(Card):
    """How many alarms are open, by severity, and the newest five; `opened` with the number of one, 0 for all."""

    opened = pyqtSignal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(_("Open alarms"), parent)
        self._number = BigNumber()
        self.lines = AlarmLines()
        self.lines.opened.connect(self.opened)
        self._empty = EmptyState(_("Nothing rings."), _("What rang before"))
        self._empty.pressed.connect(lambda: self.opened.emit(0))
        shown = QWidget()
        layout = QVBoxLayout(shown)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        self._severities = ElidedLabel("dim")
        self._severities.setAlignment(Qt.AlignRight | Qt.AlignBottom)
        self._severities.setContentsMargins(0, 0, 0, 4)
        head = QHBoxLayout()
        head.addWidget(self._number)
        head.addWidget(self._severities, 1)
        layout.addLayout(head)
        layout.addWidget(self.lines, 1)
        self._stack = QStackedLayout()
        self._stack.addWidget(self._empty)
        self._stack.addWidget(shown)
        self.body.addLayout(self._stack, 1)

    def apply(self, newest: Sequence[Alarm], counts: dict[AlarmSeverity, int]) -> None:
        """Show the newest open alarms, and how many there are by severity."""
        count = sum(counts.values())
        self._stack.setCurrentIndex(1 if count else 0)
        self._number.set_number(numbers.number(count), ngettext("alarm", "alarms", count))
        self._severities.set_text(words.count_words(counts))
        self.lines.set_alarms(newest[:SHOWN])

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A click beside the lines opens the page."""
        super().mousePressEvent(event)
        if event.button() == Qt.LeftButton:
            self.opened.emit(0)


def _about(alarm: Alarm) -> str:
    """`high · since 09:12 · 4 min · acknowledged by ana`."""
    parts = [
        words.severity_words(alarm.severity),
        _("since {time}").format(time=numbers.clock(alarm.since_s)),
        numbers.duration(max(1.0, words.lasted_s(alarm, time.time()))),
    ]
    if alarm.state is AlarmState.ACKNOWLEDGED and alarm.operator:
        parts.append(_("acknowledged by {operator}").format(operator=one_line(alarm.operator)))
    return " · ".join(parts)
