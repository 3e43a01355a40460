"""How far a run is: a bar in segments, how many machines stand where, how long it took and what remains."""

from __future__ import annotations

from PyQt5.QtWidgets import QGridLayout, QWidget

from core.language import _
from gui.models.answers import Run
from gui.models.runs import run_words, time_words
from gui.widgets.labels import ElidedLabel, plain_label
from gui.widgets.segment_bar import SegmentBar


class RunProgress(QWidget):
    """Hidden until there is a run to tell of."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.bar = SegmentBar(self)
        self.words = ElidedLabel("dim", self)
        self.time = plain_label("", "dim", self)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setVerticalSpacing(0)
        layout.setColumnStretch(0, 1)
        layout.addWidget(self.bar, 0, 0, 1, 2)
        layout.addWidget(self.words, 1, 0)
        layout.addWidget(self.time, 1, 1)
        self.hide()

    def apply(self, run: Run, now_s: float, place: tuple[int, int] | None) -> None:
        """Tell of `run`, which is that line of so many where `place` says so."""
        words = run_words(run)
        if place is not None:
            words = " · ".join((_("line {place} of {count}").format(place=place[0], count=place[1]), words))
        time = time_words(run, now_s)
        self.words.set_text(words)
        self.time.setText(time)
        self.bar.apply(run.standings(), f"{words}, {time}")
