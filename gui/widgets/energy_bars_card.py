"""The card of kWh per hour, day and month."""

from __future__ import annotations

from collections.abc import Mapping

from PyQt5.QtCore import QSize, Qt, pyqtSignal
from PyQt5.QtGui import QPainter, QPaintEvent
from PyQt5.QtWidgets import QButtonGroup, QHBoxLayout, QPushButton, QSizePolicy, QStackedLayout, QWidget

from core.language import _
from core.meter_records import EnergyBars
from gui.models.energy_words import UNIT_TITLES, UNITS, beside_words
from gui.theme import notifier, theme
from gui.widgets.card import Card
from gui.widgets.empty_state import EmptyState
from gui.widgets.energy_bars import EnergyBarChart, bars_name
from gui.widgets.labels import ElidedLabel, plain_label


class EnergyBarsCard(Card):
    """Choose hours, days or months; `unit_wanted` asks for what is not known yet."""

    unit_wanted = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(_("Energy"), parent)
        self.set_subtitle("kWh")
        self._known: dict[str, EnergyBars] = {}
        self._currency: str | None = None
        self._unit = UNITS[0]
        self._is_heard = True
        self._words = ElidedLabel("dim")
        self._words.setAlignment(Qt.AlignRight | Qt.AlignVCenter)
        self._legend = _Legend()
        self._group = QButtonGroup(self)
        self.buttons: dict[str, QPushButton] = {}
        line = QHBoxLayout()
        line.setSpacing(6)
        for unit in UNITS:
            button = QPushButton(_(UNIT_TITLES[unit]))
            button.setCheckable(True)
            button.setProperty("role", "chip")
            button.setAccessibleName(_("Energy: {unit}").format(unit=_(UNIT_TITLES[unit])))
            button.clicked.connect(self._on_clicked)
            self._group.addButton(button)
            self.buttons[unit] = button
            line.addWidget(button)
        self.buttons[self._unit].setChecked(True)
        line.addWidget(self._words, 1)
        line.addWidget(self._legend)
        self.chart = EnergyBarChart(bars_name())
        self.chart.told.connect(self._words.set_text)
        self._empty = EmptyState(_("The history has no energy of this meter yet."))
        self._stack = QStackedLayout()
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self.chart)
        self.body.addLayout(line)
        self.body.addLayout(self._stack, 1)
        self.setMinimumHeight(172)
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Expanding)

    @property
    def unit(self) -> str:
        """`hour`, `day` or `month`: what is shown."""
        return self._unit

    def words(self) -> str:
        """What the bar under the mouse, or reached by the keys, says."""
        return self._words.accessibleName()

    def apply(self, bars: Mapping[str, EnergyBars], currency: str | None, *, is_heard: bool = True) -> None:
        """Bars of one meter by their unit, as far as they are known, of one that was heard at least once."""
        self._known = dict(bars)
        self._is_heard = is_heard
        self._currency = currency
        self._show()

    def set_simulated(self, is_simulated: bool) -> None:
        """Say that nothing here was measured."""
        self.set_subtitle("kWh   " + _("simulated") if is_simulated else "kWh")

    def _show(self) -> None:
        bars = self._known.get(self._unit)
        self.chart.apply(bars, self._currency)
        self._stack.setCurrentIndex(1 if self.chart.has_values else 0)
        self._empty.set_sentence(
            _("The history has no energy of this meter yet.")
            if not self._is_heard
            else _("counting…")
            if bars is None
            else _("The history has no energy of this meter in this time.")
        )
        names = beside_words(self._unit)
        beside = [bars.before, bars.long_before] if bars is not None else []
        shown = [
            name
            for name, others in zip(names, beside, strict=False)
            if name and any(other is not None and other.import_wh is not None for other in others)
        ]
        has_export = bars is not None and any(span.export_wh for span in bars.spans)
        self._legend.set_names((*names, _("export")), [*shown, _("export")] if has_export else shown)

    def _on_clicked(self) -> None:
        self._unit = next(unit for unit, button in self.buttons.items() if button.isChecked())
        self._show()
        self.unit_wanted.emit(self._unit)


class _Legend(QWidget):
    """What the bars beside are, each name after a square of its shade."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        line = QHBoxLayout(self)
        line.setContentsMargins(6, 0, 0, 0)
        line.setSpacing(5)
        self._squares = [_Square("unknown", 150), _Square("unknown", 80), _Square("power", 255)]
        self._labels = [plain_label("", "dim") for _square in self._squares]
        for square, label in zip(self._squares, self._labels, strict=True):
            line.addWidget(square)
            line.addWidget(label)

    def set_names(self, names: tuple[str, str, str], shown: list[str]) -> None:
        """Those of `names` that are `shown`."""
        for name, square, label in zip(names, self._squares, self._labels, strict=True):
            label.setText(name)
            for widget in (square, label):
                widget.setVisible(name in shown)


class _Square(QWidget):
    def __init__(self, role: str, alpha: int) -> None:
        super().__init__()
        self._role = role
        self._alpha = alpha
        self.setFixedSize(QSize(9, 9))
        notifier.changed.connect(self.update)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme().color(self._role, self._alpha))
