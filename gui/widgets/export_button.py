"""The *Export* button of a page with curves: as a picture, as a table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QFileDialog, QMenu, QMessageBox, QPushButton, QWidget

from core.language import _


class ExportButton(QPushButton):
    """Asks for a file, then lets the page write it; a file that cannot be written is told, nothing is lost.

    `write(kind, path)` is given `png` or `csv` and may raise OSError; `name_of(suffix)` proposes a file name.
    """

    written = pyqtSignal(str)

    def __init__(
        self,
        write: Callable[[str, Path], None],
        name_of: Callable[[str], str],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(_("Export") + " ▾", parent)
        self.setAccessibleName(_("Export"))
        self.folder = Path.home()
        self._write = write
        self._name_of = name_of
        menu = QMenu(self)
        self.png_action = menu.addAction(_("Picture (PNG)…"), self._on_png_wanted)
        self.csv_action = menu.addAction(_("Table (CSV)…"), self._on_csv_wanted)
        self.setMenu(menu)
        self.setStyleSheet("QPushButton::menu-indicator { image: none; width: 0; }")

    def _on_png_wanted(self) -> None:
        self._ask("png", _("Pictures (*.png)"))

    def _on_csv_wanted(self) -> None:
        self._ask("csv", _("Tables (*.csv)"))

    def _ask(self, kind: str, pattern: str) -> None:
        proposed = str(self.folder / self._name_of(f".{kind}"))
        chosen, _filter = QFileDialog.getSaveFileName(self, _("Export"), proposed, pattern)
        if not chosen:
            return
        path = Path(chosen)
        if not path.suffix:
            path = path.with_suffix(f".{kind}")
        try:
            self._write(kind, path)
        except OSError as error:
            message = _("{path} cannot be written: {reason}").format(path=path, reason=error.strerror or error)
            box = QMessageBox(QMessageBox.Warning, _("Export"), message, QMessageBox.Ok, self)
            box.setTextFormat(Qt.PlainText)
            box.exec_()
            return
        self.folder = path.parent
        self.written.emit(str(path))
