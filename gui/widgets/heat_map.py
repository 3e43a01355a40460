"""All machines at once: a cell each, grouped, its colour the CPU; few machines get large cells with their names."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from PyQt5.QtCore import QEvent, QPointF, QRectF, QSize, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QColor, QFontMetrics, QHelpEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PyQt5.QtWidgets import QSizePolicy, QToolTip, QWidget

from core.language import _
from gui.models.machine_row import HEAT_STEPS, NEVER_SEEN, OFFLINE, MachineRow, Shape
from gui.models.machines import GroupRow
from gui.numbers import number
from gui.plain_text import plain_tip
from gui.theme import notifier, scaled_font, theme

_SPACE = 3
_SIDES = (190, 150, 120, 96, 64, 52, 40, 28, 22, 18, 15, 12, 10, 8, 6, 4, 3)
_NAMED_FROM = 96
_NAMED_HEIGHT = 46
_TOLD = 3
"""So few machines leave room to say more of each."""
_CROSSED_FROM = 8
_REDRAW_MS = 500


class HeatMap(QWidget):
    """Cells in reading order, group after group; arrow keys walk, Enter or a click opens."""

    opened = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._groups: list[tuple[str, list[MachineRow]]] = []
        self._cells: list[tuple[QRectF, MachineRow]] = []
        self._titles: list[tuple[QRectF, str]] = []
        self._current = 0
        self._side = 0
        self._placed: tuple[object, ...] = ()
        self._title_height = self._title_width = 0
        self.setFocusPolicy(Qt.StrongFocus)
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Expanding)
        self.setAccessibleName(_("Machines by CPU"))
        self._redraw = QTimer(self)
        self._redraw.setSingleShot(True)
        self._redraw.setInterval(_REDRAW_MS)
        self._redraw.timeout.connect(self.update)
        notifier.changed.connect(self.update)

    def set_groups(self, groups: Sequence[GroupRow]) -> None:
        """Show these machines, group after group, by name."""
        name = self._cells[self._current][1].name if self._current < len(self._cells) else ""
        self._groups = [(group.title, sorted(group.machines, key=_by_name)) for group in groups]
        self._place()
        if name and not (self._current < len(self._cells) and self._cells[self._current][1].name == name):
            self._current = next((at for at, (_box, row) in enumerate(self._cells) if row.name == name), 0)
        self.update()

    def refresh(self) -> None:
        """The machines' numbers have changed: drawn again soon, twice a second at most."""
        if not self._redraw.isActive():
            self._redraw.start()

    def sizeHint(self) -> QSize:
        """A strip that grows with its card."""
        return QSize(300, 120)

    def minimumSizeHint(self) -> QSize:
        """Enough for a few cells."""
        return QSize(120, 60)

    def resizeEvent(self, _event: object) -> None:
        """Cells as large as fit."""
        self._place()

    def _place(self) -> None:
        """The largest cells that fit; groups under their titles, else beside them, else one after the other.

        With 2,000 machines the cells themselves are what costs: each form first says whether it fits, and one of them
        lays its cells out, unless the same ones lie there already.
        """
        wanted = (self.size(), self._groups)
        if wanted == self._placed:
            return
        self._placed = wanted
        self._measure_titles()
        for fits, lay_out, least in (
            (self._fits_stacked, self._stack, 10),
            (self._fits_beside, self._lay_beside, 6),
            (self._fits_flowing, self._flow, _SIDES[-1]),
        ):
            for side in _SIDES:
                if side >= least and fits(side):
                    self._side = side
                    lay_out(side)
                    return
        self._side = _SIDES[-1]
        self._flow(self._side)

    def _stacked_cells(self, side: int) -> tuple[int, float, float, int]:
        """Cells in a line, their width and height, and the height of a title, where groups are stacked."""
        width, bottom, space = self.width(), self.height(), _space(side)
        title_height = self._title_height if len(self._groups) > 1 else 0
        across = max(1, (width + space) // (side + space))
        height: float = side
        if side >= _NAMED_FROM:
            lines = sum(-(-len(rows) // across) for _title, rows in self._groups) or 1
            room = (bottom - len(self._groups) * (title_height + 4 if title_height else 0)) / lines - space
            most = max((len(rows) for _title, rows in self._groups), default=1)
            height = max(_NAMED_HEIGHT, min(room, (5 if most <= _TOLD else 2) * _NAMED_HEIGHT))
            across = min(across, most)
            side = (width + space) // across - space
            if most > 1:
                side = min(side, 3 * _SIDES[0])
        return across, side, height, title_height

    def _fits_stacked(self, side: int) -> bool:
        across, _width, height, title_height = self._stacked_cells(side)
        lines = sum(-(-len(rows) // across) for _title, rows in self._groups)
        titles = len(self._groups) * (title_height + 4) if title_height else 0
        space = _space(side)
        return lines * (height + space) + titles - space - (4 if title_height else 0) <= self.height()

    def _stack(self, side: int) -> None:
        """Each group below its title, over the whole width; wide cells share the card out among them."""
        across, width, height, title_height = self._stacked_cells(side)
        space = _space(side)
        self._cells, self._titles = [], []
        top = 0.0
        for title, rows in self._groups:
            if title_height:
                self._titles.append((QRectF(0, top, self.width(), title_height), f"{title}  {len(rows)}"))
                top += title_height
            self._cells += _grid(rows, 0, top, across, width, height, space)
            top += -(-len(rows) // across) * (height + space) + (4 if title_height else 0)

    def _beside_cells(self, side: int) -> tuple[int, int]:
        """Where cells begin beside their titles, and how many lie in a line."""
        left = min(self._title_width + 10, self.width() // 3)
        space = _space(side)
        return left, max(1, (self.width() - left + space) // (side + space))

    def _beside_height(self, rows: Sequence[MachineRow], across: int, side: int) -> float:
        space = _space(side)
        return max(-(-len(rows) // across) * (side + space) - space, self._title_height - 2)

    def _fits_beside(self, side: int) -> bool:
        if side >= _NAMED_FROM:
            return False
        _left, across = self._beside_cells(side)
        heights = (self._beside_height(rows, across, side) + 2 * _space(side) for _title, rows in self._groups)
        return sum(heights) - 2 * _space(side) <= self.height()

    def _lay_beside(self, side: int) -> None:
        """Each group at the right of its title: many small groups need less height so."""
        left, across = self._beside_cells(side)
        space = _space(side)
        self._cells, self._titles = [], []
        top = 0.0
        for title, rows in self._groups:
            self._titles.append((QRectF(0, top, left - 8, self._title_height), f"{title}  {len(rows)}"))
            self._cells += _grid(rows, left, top, across, side, side, space)
            top += self._beside_height(rows, across, side) + 2 * space

    def _fits_flowing(self, side: int) -> bool:
        space = _space(side)
        across = max(1, (self.width() + space) // (side + space))
        count = sum(len(rows) for _title, rows in self._groups)
        return -(-count // across) * (side + space) - space <= self.height()

    def _flow(self, side: int) -> None:
        """All groups one after the other, without titles: what is left when there are hundreds of them."""
        space = _space(side)
        across = max(1, (self.width() + space) // (side + space))
        rows = [row for _title, group in self._groups for row in group]
        self._titles = []
        self._cells = _grid(rows, 0, 0, across, side, side, space)

    def _measure_titles(self) -> None:
        """Once for all the sizes of cells that are tried."""
        metrics = QFontMetrics(scaled_font(0.8))
        titles = (f"{title}  {len(rows)}" for title, rows in self._groups)
        self._title_height = metrics.height() + 2
        self._title_width = max(map(metrics.horizontalAdvance, titles), default=0)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """One call for all cells of one colour."""
        painter = QPainter(self)
        colours = theme()
        painter.setFont(scaled_font(0.8))
        metrics = QFontMetrics(scaled_font(0.8))
        painter.setPen(colours.color("dim"))
        for box, title in self._titles:
            shown = metrics.elidedText(title, Qt.ElideMiddle, int(box.width()))
            painter.drawText(box, Qt.AlignLeft | Qt.AlignVCenter, shown)
        by_colour: dict[tuple[str, int], list[QRectF]] = {}
        for box, row in self._cells:
            key = row.heat
            boxes = by_colour.get(key)
            if boxes is None:
                by_colour[key] = [box]
            else:
                boxes.append(box)
        rings = by_colour.pop(NEVER_SEEN, [])
        crossed = by_colour.get(OFFLINE, [])
        painter.setPen(Qt.NoPen)
        for (role, step), boxes in by_colour.items():
            painter.setBrush(_mixed(colours.color("raised"), colours.color(role), step / HEAT_STEPS))
            painter.drawRects(boxes)
        painter.setBrush(Qt.NoBrush)
        painter.setPen(QPen(colours.color("unknown"), 1))
        for box in rings:
            painter.drawRect(box.adjusted(0.5, 0.5, -0.5, -0.5))
        self._paint_marks(painter, crossed)
        if self.hasFocus() and self._current < len(self._cells):
            painter.setPen(QPen(colours.color("text"), 2))
            painter.drawRect(self._cells[self._current][0].adjusted(1, 1, -1, -1))

    def _paint_marks(self, painter: QPainter, crossed: Sequence[QRectF]) -> None:
        """Names and numbers in large cells; a cross in small ones that are offline."""
        colours = theme()
        if self._side < _NAMED_FROM:
            painter.setPen(QPen(colours.color("ground"), 1.5))
            for box in crossed if self._side >= _CROSSED_FROM else ():
                inner = box.adjusted(box.width() / 3.4, box.height() / 3.4, -box.width() / 3.4, -box.height() / 3.4)
                painter.drawLine(inner.topLeft(), inner.bottomRight())
                painter.drawLine(inner.topRight(), inner.bottomLeft())
            return
        plain, small = scaled_font(0.95), scaled_font(0.82)
        metrics, small_metrics = QFontMetrics(plain), QFontMetrics(small)
        for box, row in self._cells:
            role, step = row.heat
            ground = _mixed(colours.color("raised"), colours.color(role), step / HEAT_STEPS)
            if row.shape is Shape.RING:
                ground = colours.color("card")
            painter.setPen(_readable_on(ground))
            inner = box.adjusted(8, 4, -8, -4)
            painter.setFont(plain)
            painter.drawText(
                inner, Qt.AlignLeft | Qt.AlignTop, metrics.elidedText(row.name, Qt.ElideRight, int(inner.width()))
            )
            painter.setFont(small)
            top = inner.top() + metrics.height() + 2
            for line in row.about():
                if top + 2 * small_metrics.lineSpacing() > inner.bottom():
                    break
                place = QRectF(inner.left(), top, inner.width(), small_metrics.height())
                shown = small_metrics.elidedText(line, Qt.ElideRight, int(inner.width()))
                painter.drawText(place, Qt.AlignLeft | Qt.AlignTop, shown)
                top += small_metrics.lineSpacing()
            words = row.reason()
            if row.cpu_percent is not None and row.shape is not Shape.SQUARE:
                words = _("CPU {cpu} %   RAM {memory} %").format(
                    cpu=number(row.cpu_percent), memory=number(row.memory_percent)
                )
            painter.drawText(
                inner, Qt.AlignLeft | Qt.AlignBottom, small_metrics.elidedText(words, Qt.ElideRight, int(inner.width()))
            )

    def event(self, event: QEvent) -> bool:
        """The tool-tip of the cell under the mouse."""
        if event.type() == QEvent.ToolTip and isinstance(event, QHelpEvent):
            at = self._at(QPointF(event.pos()))
            if at is None:
                QToolTip.hideText()
            else:
                box, row = self._cells[at]
                QToolTip.showText(event.globalPos(), plain_tip(row.details()), self, box.toRect())
            return True
        return super().event(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A click opens the machine."""
        at = self._at(QPointF(event.pos()))
        if at is not None and event.button() == Qt.LeftButton:
            self._current = at
            self.update()
            self.opened.emit(self._cells[at][1].name)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows walk over the cells as they lie, Enter opens."""
        key = event.key()
        if not self._cells:
            super().keyPressEvent(event)
        elif key in (Qt.Key_Return, Qt.Key_Enter, Qt.Key_Space):
            self.opened.emit(self._cells[self._current][1].name)
        elif key in (Qt.Key_Left, Qt.Key_Right):
            step = 1 if key == Qt.Key_Right else -1
            self._walk_to(max(0, min(len(self._cells) - 1, self._current + step)))
        elif key in (Qt.Key_Up, Qt.Key_Down):
            here = self._cells[self._current][0].center()
            below = key == Qt.Key_Down
            beyond = [
                (abs(box.center().y() - here.y()), abs(box.center().x() - here.x()), at)
                for at, (box, _row) in enumerate(self._cells)
                if (box.center().y() > here.y() + 1 if below else box.center().y() < here.y() - 1)
            ]
            if beyond:
                self._walk_to(min(beyond)[2])
        else:
            super().keyPressEvent(event)

    def _walk_to(self, at: int) -> None:
        self._current = at
        box, row = self._cells[at]
        self.setAccessibleDescription(f"{row.name}, {row.reason()}")
        QToolTip.showText(self.mapToGlobal(box.bottomRight().toPoint()), plain_tip(row.details()), self, box.toRect())
        self.update()

    def _at(self, place: QPointF) -> int | None:
        return next((at for at, (box, _row) in enumerate(self._cells) if box.contains(place)), None)


def _space(side: int) -> int:
    return _SPACE if side >= 12 else 2 if side >= 6 else 1


def _grid(
    rows: Sequence[MachineRow], left: float, top: float, across: int, side: float, height: float, space: int
) -> list[tuple[QRectF, MachineRow]]:
    """A cell for each row, in reading order from (left, top)."""
    return [
        (QRectF(left + at % across * (side + space), top + at // across * (height + space), side, height), row)
        for at, row in enumerate(rows)
    ]


_by_name = attrgetter("folded")


def _mixed(ground: QColor, colour: QColor, share: float) -> QColor:
    return QColor(
        *(round(low + (high - low) * share) for low, high in zip(ground.getRgb()[:3], colour.getRgb()[:3], strict=True))
    )


def _luminance(colour: QColor) -> float:
    """Relative luminance (WCAG 2.1)."""
    parts = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in colour.getRgbF()[:3]]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def _readable_on(ground: QColor) -> QColor:
    """The theme's text or card colour, whichever is read more easily on `ground`."""
    level = _luminance(ground) + 0.05

    def contrast(colour: QColor) -> float:
        other = _luminance(colour) + 0.05
        return max(level, other) / min(level, other)

    return max((theme().color("text"), theme().color("ground")), key=contrast)
