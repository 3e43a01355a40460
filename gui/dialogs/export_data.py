"""*Export data…*: which series, which time, which step, where to; progress while it is written, and Cancel."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from core.language import N_, _, ngettext
from core.records import SeriesInfo
from gui import numbers
from gui.dialogs.base import FormDialog
from gui.dialogs.history_span import SpanFields
from gui.models.history_words import title_of
from gui.plain_text import one_line
from gui.widgets.choice_box import ChoiceBox
from gui.widgets.labels import plain_label

STEPS: tuple[tuple[str, float | None], ...] = (
    (N_("as they came"), None),
    (N_("1 minute"), 60.0),
    (N_("15 minutes"), 900.0),
    (N_("1 hour"), 3_600.0),
    (N_("1 day"), 86_400.0),
)
_LIST_PX = 170
_MOST_LISTED = 2_000
_NAME_ROLE = Qt.UserRole + 1


@dataclass(frozen=True, slots=True)
class DataExport:
    """What is to be written; `step_s` None is each value as it came."""

    names: tuple[str, ...]
    start_s: float
    end_s: float
    step_s: float | None
    path: Path


class ExportDataDialog(FormDialog):
    """`export_wanted(DataExport)`; told by `apply_progress`, `apply_done` and `apply_error`."""

    export_wanted = pyqtSignal(object)

    def __init__(
        self,
        infos: Sequence[SeriesInfo],
        names: Mapping[str, str],
        chosen: Sequence[str],
        span: tuple[float, float],
        folder: Path,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(_("Export data"), _("Export"), parent)
        self.setMinimumWidth(620)
        self._folder = folder
        self._is_named_by_hand = False
        self._may_replace: Path | None = None
        self.filter = QLineEdit()
        self.filter.setPlaceholderText(_("Filter series"))
        self.filter.setAccessibleName(_("Filter series"))
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(self._on_filter)
        self.list = QListWidget()
        self.list.setAccessibleName(_("Series"))
        self.list.setFixedHeight(_LIST_PX)
        self.list.setUniformItemSizes(True)
        self.list.itemChanged.connect(lambda _item: self._on_choice())
        self._infos = {info.name: info for info in infos}
        self._titles = {info.name: title_of(info.name, names) for info in infos}
        self._checked = [name for name in chosen if name in self._infos]
        self._count = plain_label("", "dim")
        column = QVBoxLayout()
        column.setSpacing(4)
        column.addWidget(self.filter)
        column.addWidget(self.list)
        column.addWidget(self._count)
        self.add_row(_("Series"), column)
        self.span = SpanFields(*span)
        times = QHBoxLayout()
        times.addWidget(self.span.start, 1)
        times.addWidget(plain_label("–", "dim"))
        times.addWidget(self.span.end, 1)
        self.add_row(_("When"), times)
        self.add_row("", self.span.usual())
        self.step = ChoiceBox()
        for title, _step_s in STEPS:
            self.step.addItem(_(title))
        self.add_row(_("Values"), self.step)
        self.kind = ChoiceBox()
        self.kind.addItem("CSV", ".csv")
        self.kind.addItem("XLSX", ".xlsx")
        self.kind.currentIndexChanged.connect(self._propose)
        self.add_row(_("Format"), self.kind)
        self.path = QLineEdit()
        self.path.textEdited.connect(self._on_path_edited)
        self.choose_button = QPushButton(_("Choose…"))
        self.choose_button.setAutoDefault(False)
        self.choose_button.clicked.connect(self._on_choose)
        where = QHBoxLayout()
        where.addWidget(self.path, 1)
        where.addWidget(self.choose_button)
        self.path.setAccessibleName(_("File"))
        self.add_row(_("File"), where)
        self._list("")
        self._propose()
        self._on_choice()

    def names(self) -> list[str]:
        """The series that are chosen."""
        return list(self._checked)

    def on_accept(self) -> None:
        """Ask for the file."""
        start_s, end_s = self.span.span()
        text = self.path.text().strip()
        if not self._checked:
            self.say(_("Choose at least one series."), "warning")
        elif end_s <= start_s:
            self.say(_("The end is not after the beginning."), "warning")
        elif not text:
            self.say(_("Say which file is to be written."), "warning")
        else:
            path = Path(text).expanduser()
            path = path if path.is_absolute() else self._folder / path
            if path.suffix.lower() not in (".csv", ".xlsx"):
                path = path.with_name(path.name + self.kind.currentData())
            if os.path.exists(path) and path != self._may_replace:  # raises nothing, whatever was typed
                self._may_replace = path
                words = _("{name} is there already: press Export again to replace it.")
                self.say(words.format(name=one_line(path.name)), "warning")
                return
            self.say(_("writing…"), "dim")
            self.set_busy(True)
            step_s = STEPS[self.step.currentIndex()][1]
            self.export_wanted.emit(DataExport(tuple(self._checked), start_s, end_s, step_s, path))

    def apply_progress(self, rows: int) -> None:
        """So many rows are written."""
        if self.is_busy:
            words = ngettext("{count} row written…", "{count} rows written…", rows)
            self.say(words.format(count=numbers.number(rows)), "dim")

    def apply_done(self, path: Path, rows: int) -> None:
        """The file is there."""
        self.set_busy(False)
        self.accept()

    def apply_error(self, text: str) -> None:
        """It is not, for this reason."""
        self.set_busy(False)
        self.say(text, "critical")

    # Inside

    def _list(self, words: str) -> None:
        """Those that are chosen first, then what holds the words."""
        wanted = words.lower().split()
        fitting = [
            name for name, title in self._titles.items() if all(word in f"{title} {name}".lower() for word in wanted)
        ]
        chosen = [name for name in fitting if name in self._checked]
        rest = [name for name in fitting if name not in self._checked]
        blocked = self.list.blockSignals(True)
        self.list.clear()
        for name in (chosen + rest)[:_MOST_LISTED]:
            item = QListWidgetItem(self._titles[name])
            item.setData(_NAME_ROLE, name)
            item.setFlags(Qt.ItemIsEnabled | Qt.ItemIsSelectable | Qt.ItemIsUserCheckable)
            item.setCheckState(Qt.Checked if name in self._checked else Qt.Unchecked)
            self.list.addItem(item)
        self.list.blockSignals(blocked)

    def _on_filter(self, text: str) -> None:
        self._list(text)

    def _on_choice(self) -> None:
        for row in range(self.list.count()):
            item = self.list.item(row)
            name, is_checked = str(item.data(_NAME_ROLE)), item.checkState() == Qt.Checked
            if is_checked and name not in self._checked:
                self._checked.append(name)
            elif not is_checked and name in self._checked:
                self._checked.remove(name)
        count = len(self._checked)
        self._count.setText(ngettext("{count} series chosen", "{count} series chosen", count).format(count=count))
        self._propose()

    def _propose(self, *_changed: object) -> None:
        """A name for the file, until somebody has typed one."""
        suffix = self.kind.currentData()
        if self._is_named_by_hand:
            path = Path(self.path.text())
            if path.suffix.lower() in (".csv", ".xlsx"):
                self.path.setText(str(path.with_suffix(suffix)))
            return
        first = self._checked[0].split("/", 1)[1] if self._checked else "history"
        words = re.sub(r"[^\w.-]+", "-", first).strip("-.")[:60] or "history"
        more = f"_and_{len(self._checked) - 1}_more" if len(self._checked) > 1 else ""
        self.path.setText(str(self._folder / f"{words}{more}_{time.strftime('%Y-%m-%d_%H%M')}{suffix}"))

    def _on_path_edited(self) -> None:
        self._is_named_by_hand = True

    def _on_choose(self) -> None:
        pattern = _("Tables (*.csv)") if self.kind.currentIndex() == 0 else _("Spreadsheets (*.xlsx)")
        with contextlib.suppress(OSError):  # the dialog opens elsewhere then
            self._folder.mkdir(parents=True, exist_ok=True)
        chosen, _filter = QFileDialog.getSaveFileName(self, _("Export data"), self.path.text(), pattern)
        if chosen:
            self._is_named_by_hand = True
            self._may_replace = Path(chosen)  # that dialog has asked
            self.path.setText(chosen)
