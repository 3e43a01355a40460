"""Files of the History page: pictures, exported data, and the views in the settings."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt5.QtCore import QObject, Qt, pyqtSignal
from PyQt5.QtWidgets import QFileDialog

from core.config import remove_table, save_table
from core.errors import BeffroiError
from core.language import _, ngettext
from core.records import SeriesInfo
from core.requests import ReloadRequest
from gui import numbers
from gui.dialogs.export_data import DataExport, ExportDataDialog
from gui.dialogs.history_span import ViewNameDialog
from gui.main_window import MainWindow
from gui.pages.history import HistoryPage
from gui.plain_text import one_line
from gui.runtime.services import Services
from gui.wiring.history_beside import read_beside

if TYPE_CHECKING:
    from core.config.views import ViewConfig
    from core.store.history import History

_DAY_S = 86_400.0
_TOLD_EVERY_S = 0.2

log = logging.getLogger("beffroi.gui")


class _CancelledError(Exception):
    """Nobody waits for the file any more."""


class HistoryFilesDesk(QObject):
    """Writes what the page shows, or what *Export data…* asks for, and keeps its views."""

    _progressed = pyqtSignal(object, int)

    def __init__(
        self,
        services: Services,
        names: Callable[[], Mapping[str, str]],
        infos: Callable[[], Sequence[SeriesInfo]],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._services = services
        self._names, self._infos = names, infos
        self._window: MainWindow | None = None
        self._page: HistoryPage | None = None
        self._folder = services.home.exports_path
        self._progressed.connect(self._on_progress, Qt.QueuedConnection)

    def attach(self, window: MainWindow, page: HistoryPage) -> None:
        """Serve this window and its page."""
        self._window, self._page = window, page
        page.picture_wanted.connect(self.ask_picture)
        page.data_wanted.connect(self.open_export)
        page.save_view_wanted.connect(self.open_save_view)
        page.rename_view_wanted.connect(self.open_rename_view)
        page.remove_view_wanted.connect(self.remove_view)
        window.export_data_wanted.connect(self.open_export)
        self.apply_config()

    def apply_config(self) -> None:
        """Views may have come or gone."""
        if self._page is not None:
            self._page.set_views(self._services.config.views)

    # Pictures

    def ask_picture(self, kind: str) -> None:
        """Ask for a file, and write the picture."""
        if self._page is None or self._window is None:
            return
        name = self._page.view_name or "history"
        words = "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in name).strip("-.") or "history"
        proposed = self._proposed(f"{words}_{time.strftime('%Y-%m-%d_%H%M')}.{kind}")
        pattern = _("Pictures (*.png)") if kind == "png" else _("Drawings (*.svg)")
        chosen, _filter = QFileDialog.getSaveFileName(self._window, _("Export"), str(proposed), pattern)
        if chosen:
            path = Path(chosen)
            self.write_picture(path if path.suffix else path.with_suffix(f".{kind}"), kind)

    def write_picture(self, path: Path, kind: str) -> None:
        """Write it, and tell."""
        if self._page is None:
            return
        try:
            self._page.write_picture(path, kind)
        except OSError as error:
            reason = error.strerror or str(error)
            self._notice(_("{path} cannot be written: {reason}").format(path=path, reason=reason))
        else:
            self._folder = path.parent
            self._told(_("exported to {path}").format(path=one_line(str(path))))

    # Data

    def open_export(self) -> ExportDataDialog:
        """Export data…"""
        chosen = self._page.chosen.names() if self._page is not None else []
        now_s = time.time()
        span = self._page.range.span() if self._page is not None and chosen else (now_s - _DAY_S, now_s)
        dialog = ExportDataDialog(self._infos(), self._names(), chosen, span, self._folder, self._window)
        dialog.export_wanted.connect(lambda wanted: self._export(dialog, wanted))
        dialog.open()
        return dialog

    def _export(self, dialog: ExportDataDialog, wanted: DataExport) -> None:
        """Write beside those who record: they go on meanwhile."""
        stop = threading.Event()
        dialog.cancelled.connect(stop.set)
        told_s = 0.0

        def watch(rows: int) -> None:
            nonlocal told_s
            if stop.is_set():
                raise _CancelledError
            if time.monotonic() - told_s > _TOLD_EVERY_S:
                told_s = time.monotonic()
                self._progressed.emit(dialog, rows)

        def write(history: History) -> int:
            from core.services.export import write_series

            wanted.path.parent.mkdir(parents=True, exist_ok=True)
            return write_series(
                history, wanted.names, wanted.start_s, wanted.end_s, wanted.step_s, wanted.path, watch=watch
            )

        self._services.run(
            read_beside(self._services, write),
            lambda rows: self._on_written(dialog, wanted.path, rows),
            lambda error: self._on_not_written(dialog, error),
        )

    def _on_progress(self, dialog: ExportDataDialog, rows: int) -> None:
        if _is_open(dialog):
            dialog.apply_progress(rows)

    def _on_written(self, dialog: ExportDataDialog, path: Path, rows: int) -> None:
        self._folder = path.parent
        text = ngettext("{count} row exported to {path}", "{count} rows exported to {path}", rows)
        self._told(text.format(count=numbers.number(rows), path=one_line(str(path))))
        if _is_open(dialog):
            dialog.apply_done(path, rows)

    def _on_not_written(self, dialog: ExportDataDialog, error: BaseException) -> None:
        if isinstance(error, _CancelledError):
            return  # the dialog has said so
        if isinstance(error, OSError):
            text = _("the folder cannot be made: {reason}").format(reason=error.strerror or error)
        else:
            text = str(error)
        if _is_open(dialog):
            dialog.apply_error(one_line(text))
        else:
            self._notice(text)

    # Views

    def open_save_view(self) -> ViewNameDialog | None:
        """Save this view…"""
        page = self._page
        if page is None:
            return None
        taken = [view.name for view in self._services.config.views]
        dialog = ViewNameDialog(_("Save this view"), page.view_name, taken, may_replace=True, parent=self._window)
        dialog.chosen.connect(self.save_view)
        dialog.open()
        return dialog

    def save_view(self, name: str) -> None:
        """Keep what the page shows under a name."""
        page = self._page
        if page is not None and self._change(lambda: save_table(self._services.home, "view", page.view(name))):
            page.set_view_name(name)

    def open_rename_view(self, name: str) -> ViewNameDialog:
        """Rename."""
        taken = [view.name for view in self._services.config.views if view.name != name]
        dialog = ViewNameDialog(_("Rename the view"), name, taken, may_replace=False, parent=self._window)
        dialog.chosen.connect(lambda new: self.rename_view(name, new))
        dialog.open()
        return dialog

    def rename_view(self, old: str, new: str) -> None:
        """Give a view another name."""
        from msgspec.structs import replace

        view: ViewConfig | None = next((view for view in self._services.config.views if view.name == old), None)
        if view is None or old == new:
            return

        def change() -> None:
            save_table(self._services.home, "view", replace(view, name=new))
            remove_table(self._services.home, "view", old)

        page = self._page
        was_open = page is not None and page.view_name == old
        if self._change(change) and page is not None and was_open:
            page.set_view_name(new)

    def remove_view(self, name: str) -> None:
        """Delete a view; what is drawn stays."""
        self._change(lambda: remove_table(self._services.home, "view", name))

    # Inside

    def _change(self, change: Callable[[], None]) -> bool:
        try:
            change()
            self._services.ask(ReloadRequest(operator=self._services.config.operator))
        except (BeffroiError, OSError) as error:
            self._notice(str(error))
            return False
        self.apply_config()
        return True

    def _proposed(self, name: str) -> Path:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            log.info("%s cannot be made: %s", self._folder, error)
        return self._folder / name

    def _told(self, text: str) -> None:
        if self._window is not None:
            self._window.status_line.showMessage(text, 8000)

    def _notice(self, text: str) -> None:
        if self._window is not None:
            self._window.show_notice(text)


def _is_open(dialog: ExportDataDialog) -> bool:
    """False once Qt has taken the dialog away."""
    try:
        return dialog.isVisible()
    except RuntimeError:
        return False
