"""Reads, checks and exports the audit logs of this home for their window, in a thread that nobody waits for."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from PyQt5.QtCore import QObject

from core import audit
from core.audit import AuditEntry, AuditFilter, Verdict
from core.audit_entries import all_entries
from core.audit_head import head_path
from core.language import _
from gui.dialogs.audit_log import MOST_SHOWN, AuditLogWindow
from gui.main_window import MainWindow
from gui.models.audit_rows import EXPORT_HEADER, export_row
from gui.runtime.services import Services


class AuditDesk(QObject):
    """One window at a time; what was asked for before something else is forgotten."""

    def __init__(self, services: Services, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._window: MainWindow | None = None
        self._dialog: AuditLogWindow | None = None
        self._asked = 0

    def attach(self, window: MainWindow) -> None:
        """Serve this window."""
        self._window = window
        window.audit_log_wanted.connect(self.open)

    def open(self) -> AuditLogWindow:
        """Show the logs, or bring their window to the front."""
        if self._dialog is None:
            dialog = self._dialog = AuditLogWindow(self._window)
            dialog.wanted.connect(self._on_wanted)
            dialog.verify_wanted.connect(self._on_verify)
            dialog.export_wanted.connect(self._on_export)
            dialog.destroyed.connect(self._on_destroyed)
            dialog.show()
            dialog.ask()
        self._dialog.raise_()
        self._dialog.activateWindow()
        return self._dialog

    def _on_destroyed(self) -> None:
        self._dialog = None
        self._asked += 1

    def _on_wanted(self, wanted: AuditFilter, log: str) -> None:
        self._asked += 1
        asked = self._asked

        def done(entries: list[AuditEntry]) -> None:
            if asked == self._asked and self._dialog is not None:
                is_whole = len(entries) <= MOST_SHOWN
                self._dialog.apply(entries[-MOST_SHOWN:][::-1], is_whole)

        self._services.run(asyncio.to_thread(_newest, self._logs(log), wanted), done, self._on_failed)

    def _on_verify(self) -> None:
        def done(verdicts: list[tuple[str, Verdict]]) -> None:
            if self._dialog is not None:
                self._dialog.apply_verdicts(verdicts)

        self._services.run(asyncio.to_thread(_verdicts, self._logs("")), done, self._on_failed)

    def _on_export(self, path: Path, wanted: AuditFilter, log: str) -> None:
        def done(count: int) -> None:
            if self._dialog is not None:
                self._dialog.apply_exported(path, count)

        self._services.run(asyncio.to_thread(_export, path, self._logs(log), wanted), done, self._on_failed)

    def _on_failed(self, error: BaseException) -> None:
        if self._dialog is not None:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            self._dialog.apply_failed(_("the audit log cannot be read: {reason}").format(reason=reason))

    def _logs(self, log: str) -> list[tuple[str, Path]]:
        home = self._services.home
        known = (("agent", home.agent_path / "audit.log"), ("console", home.console_path / "audit.log"))
        return [(name, path) for name, path in known if log in ("", name)]


def _newest(logs: list[tuple[str, Path]], wanted: AuditFilter) -> list[AuditEntry]:
    """One more than is shown, where there are more."""
    found = [audit.entries(path, wanted, MOST_SHOWN + 1, log=name) for name, path in logs]
    return list(deque(heapq.merge(*found, key=lambda entry: entry.time), MOST_SHOWN + 1))


def _verdicts(logs: list[tuple[str, Path]]) -> list[tuple[str, Verdict]]:
    return [(name, audit.verify(path)) for name, path in logs if path.exists() or head_path(path).exists()]


def _export(path: Path, logs: list[tuple[str, Path]], wanted: AuditFilter) -> int:
    from core.services.export import write_table

    entries: Iterator[AuditEntry] = heapq.merge(
        *(all_entries(log_path, wanted, log=name) for name, log_path in logs), key=lambda entry: entry.time
    )
    return write_table(path, EXPORT_HEADER, (export_row(entry) for entry in entries))
