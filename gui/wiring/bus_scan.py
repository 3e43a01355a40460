"""Searches an M-Bus for the dialog that connects a probe."""

from __future__ import annotations

from collections.abc import Callable

from PyQt5.QtCore import QObject, Qt, pyqtSignal
from PyQt5.QtWidgets import QWidget

from gui.dialogs.bus_scan import BusScanDialog
from gui.runtime.services import Services


class BusScanDesk(QObject):
    """One search at a time; its port is free again when the search ends."""

    _progressed = pyqtSignal(int, object, str)
    _found = pyqtSignal(str, str)

    def __init__(self, services: Services, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._dialog: BusScanDialog | None = None
        self._cancel: Callable[[], None] | None = None
        # Told in the thread that searches, shown in this one.
        self._progressed.connect(self._on_progressed, Qt.QueuedConnection)
        self._found.connect(self._on_found, Qt.QueuedConnection)

    def open(self, port: str, baud: int | None, chosen: Callable[[str], object], parent: QWidget) -> BusScanDialog:
        """Show the search of a bus; `chosen` is given the address that was chosen."""
        dialog = BusScanDialog(port, parent)
        self._dialog = dialog
        dialog.wanted.connect(lambda is_secondary: self._search(port, baud, is_secondary=is_secondary))
        dialog.cancelled.connect(self._stop)
        dialog.chosen.connect(chosen)
        dialog.finished.connect(self._on_closed)
        dialog.open()
        return dialog

    def _search(self, port: str, baud: int | None, *, is_secondary: bool) -> None:
        async def search() -> None:
            from core.services.dialogue_mbus import BAUD
            from core.services.meter_scan import BusScan
            from core.transport.line import LineSettings
            from core.transport.serial_port import open_port

            line = LineSettings(baud or BAUD, 8, "E")
            opened = await open_port(port, line)
            try:
                scan = BusScan(opened, line, self._progressed.emit)
                async for meter in scan.secondary() if is_secondary else scan.primary():
                    address = meter.secondary_address or ("" if meter.address is None else str(meter.address))
                    about = [meter.manufacturer, meter.medium, meter.problem]
                    if address:
                        self._found.emit(address, " · ".join(part for part in about if part))
            finally:
                opened.close()

        self._stop()
        self._cancel = self._services.run(search(), lambda _none: self._on_done(), self._on_failed)

    def _stop(self) -> None:
        cancel, self._cancel = self._cancel, None
        if cancel is not None:
            cancel()

    def _on_progressed(self, looked: int, count: object, address: str) -> None:
        if self._dialog is not None:
            self._dialog.apply_progress(looked, count if isinstance(count, int) else None, address)

    def _on_found(self, address: str, words: str) -> None:
        if self._dialog is not None:
            self._dialog.apply_found(address, words)

    def _on_done(self) -> None:
        if self._dialog is not None:
            self._dialog.apply_done()

    def _on_failed(self, error: BaseException) -> None:
        if self._dialog is not None:
            self._dialog.apply_failed(error)

    def _on_closed(self, _result: int) -> None:
        self._stop()
        self._dialog = None
