"""The desk that looks for agents in a range of addresses, and opens Add machine where one was found."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from PyQt5.QtCore import QObject, QTimer, pyqtSignal
from PyQt5.QtWidgets import QWidget

from core.records import Machine
from core.site_records import SweepFind, SweepProgress
from gui.dialogs.add_machine import AddMachineDialog
from gui.dialogs.find_agents import FindAgentsDialog
from gui.main_window import MainWindow
from gui.runtime.services import Services

SHOWN_MS = 150


class SweepDesk(QObject):
    """Serves Look for agents…, one dialog at a time; how far it is comes often and is shown some times a second."""

    _told = pyqtSignal(object, object)

    def __init__(
        self,
        services: Services,
        machines: Callable[[], Mapping[str, Machine]],
        open_add: Callable[[QWidget], AddMachineDialog],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._services = services
        self._machines = machines
        self._open_add = open_add
        self._window: MainWindow | None = None
        self._dialog: FindAgentsDialog | None = None
        self._cancel: Callable[[], None] | None = None
        self._look: object = None
        self._latest: SweepProgress | None = None
        self._began_s = 0.0
        self._told.connect(self._on_told)
        self._showing = QTimer(self)
        self._showing.setInterval(SHOWN_MS)
        self._showing.timeout.connect(self._show)

    def attach(self, window: MainWindow) -> None:
        """Serve this window."""
        self._window = window
        window.find_agents_wanted.connect(self.open)

    def open(self) -> FindAgentsDialog:
        """Look for agents…"""
        from core.services.address_range import own_networks

        if self._dialog is None:
            dialog = self._dialog = FindAgentsDialog(own_networks(), self._window)
            dialog.look_wanted.connect(self._begin)
            dialog.cancelled.connect(self._end)
            dialog.finished.connect(self._on_closed)
            dialog.add_wanted.connect(lambda host, port, name: self._open_add(dialog).propose(host, port, name))
            dialog.open()
        return self._dialog

    def _begin(self, ranges: str, port: int) -> None:
        look = self._look = object()
        known = list(self._machines().values())
        self._began_s, self._latest = time.monotonic(), None

        async def work() -> SweepProgress:
            from core.services.address_range import addresses_of
            from core.services.agent_sweep import sweep

            def tell(news: SweepFind | SweepProgress) -> None:
                self._told.emit(look, news)

            return await sweep(addresses_of(ranges), port, known, tell, tell)

        self._showing.start()
        self._cancel = self._services.run(
            work(), lambda progress: self._on_done(look, progress), lambda error: self._on_failed(look, error)
        )

    def _end(self) -> None:
        """No further address is asked, and nothing that is still under way is shown."""
        self._look = None
        self._showing.stop()
        if self._cancel is not None:
            self._cancel()
            self._cancel = None

    def _on_closed(self) -> None:
        self._end()
        self._dialog = None

    def _on_told(self, look: object, news: SweepFind | SweepProgress) -> None:
        if look is not self._look or self._dialog is None:
            return
        if isinstance(news, SweepFind):
            self._dialog.apply_found(news)
        else:
            self._latest = news

    def _show(self) -> None:
        if self._latest is not None and self._dialog is not None:
            self._dialog.apply_progress(self._latest)

    def _on_done(self, look: object, progress: SweepProgress) -> None:
        if look is self._look and self._dialog is not None:
            self._showing.stop()
            self._dialog.apply_done(progress, time.monotonic() - self._began_s)

    def _on_failed(self, look: object, error: BaseException) -> None:
        if look is self._look and self._dialog is not None:
            self._showing.stop()
            self._dialog.apply_failed(error)
