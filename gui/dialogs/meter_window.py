"""What the windows about one meter share: a title line with words, a table that fills, buttons below; never modal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QDialog, QFileDialog, QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from core.language import _
from gui.models.table_file import write_table
from gui.widgets.labels import plain_label, set_role


class MeterWindow(QDialog):
    """A window of its own beside the main one; deletes itself when it closes. Enter does not close it."""

    closed = pyqtSignal()

    def __init__(self, title: str, meter: str, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.Window)
        self.setAttribute(Qt.WA_DeleteOnClose)
        self.setWindowTitle(_("{title} · {meter}").format(title=title, meter=meter))
        self.meter = meter
        self.resize(940, 620)
        self.outer = QVBoxLayout(self)
        self.outer.setContentsMargins(14, 12, 14, 12)
        self.outer.setSpacing(10)
        self._words = plain_label("", wrap=True, selectable=True)
        self._words.setAccessibleName(_("What happens"))
        self._progress = QProgressBar()
        self._progress.setTextVisible(False)
        self._progress.hide()
        self.buttons = QHBoxLayout()
        self.buttons.setSpacing(8)
        self.buttons.addStretch(1)

    def finish_layout(self) -> None:
        """Put words, progress and buttons below what was added to `outer`."""
        self.outer.addWidget(self._words)
        self.outer.addWidget(self._progress)
        self.outer.addLayout(self.buttons)
        close = self.add_button(_("Close"), self.close)
        close.setAutoDefault(False)

    def add_button(self, text: str, slot: Callable[..., object], *, at_left: bool = False) -> QPushButton:
        """One more button, at the right end, or at the left one."""
        button = QPushButton(text)
        button.setAutoDefault(False)
        button.clicked.connect(lambda: slot())
        if at_left:
            self.buttons.insertWidget(self._left_count(), button)
        else:
            self.buttons.addWidget(button)
        return button

    def say(self, text: str, role: str | None = None) -> None:
        """What happens, or what went wrong and what to try."""
        self._words.setText(text)
        set_role(self._words, role)

    def words(self) -> str:
        """What it says."""
        return self._words.text()

    def set_progress(self, done: int | None, of: int | None = None) -> None:
        """How far something has come; None: nothing goes on; without `of` it is not known how long it takes."""
        self._progress.setVisible(done is not None)
        if done is not None:
            self._progress.setRange(0, of or 0)
            self._progress.setValue(min(done, of) if of else 0)

    def save_rows(self, proposed: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Ask for a file, and write a table of CSV into it."""
        chosen, _filter = QFileDialog.getSaveFileName(
            self, _("Export"), str(Path.home() / proposed), _("Tables (*.csv)")
        )
        if not chosen:
            return
        path = Path(chosen)
        path = path if path.suffix else path.with_suffix(".csv")
        try:
            write_table(path, header, rows)
        except OSError as error:
            self.say(
                _("{path} cannot be written: {reason}").format(path=path, reason=error.strerror or error), "critical"
            )
            return
        self.say(_("exported to {path}").format(path=path))

    def done(self, result: int) -> None:
        """Closed, by whatever way."""
        self.closed.emit()
        super().done(result)

    def _left_count(self) -> int:
        for place in range(self.buttons.count()):
            if self.buttons.itemAt(place).spacerItem() is not None:
                return place
        return 0
