"""What the pages ask of the past of meters: points, the last hour, energy and cost; of one, or of the site's total."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PyQt5.QtCore import QObject, QTimer

from core.meter_records import EnergyAccount, EnergyBars
from core.records import SeriesPoints
from gui.main_window import MainWindow
from gui.models.meter_shown import SITE
from gui.models.site_total import FIELDS, summed_account, summed_bars
from gui.pages.energy import EnergyPage
from gui.runtime.services import Services

if TYPE_CHECKING:
    from core.store.history import History

HOUR_S = 3600.0
_POINTS = 2000
_ACCOUNT_MS = 60_000
_NOT_WRITTEN_MS = 5_000
_PAST_MS = 1_500

log = logging.getLogger("beffroi.gui")


class MeterHistory(QObject):
    """Asks the history for the Energy page and the Overview; `parts` tells the meters of the site's total."""

    def __init__(
        self,
        services: Services,
        parts: Callable[[], tuple[str, ...]],
        is_live: Callable[[str], bool],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._services = services
        self._parts = parts
        self._is_live = is_live
        self._window: MainWindow | None = None
        self._page: EnergyPage | None = None
        self._clock = QTimer(self)
        self._clock.setInterval(_ACCOUNT_MS)
        self._clock.timeout.connect(self.count_overview)
        self._clock.start()
        services.history_ready.connect(self.show_last_hour)
        services.history_ready.connect(self.show_known)
        services.history_ready.connect(self._count_again)

    def attach(self, window: MainWindow) -> None:
        """Tell this window's Overview."""
        self._window, self._page = window, None
        window.page_changed.connect(lambda _key: self.count_overview())
        self.show_last_hour()

    def attach_page(self, page: EnergyPage) -> None:
        """Serve the Energy page."""
        self._page = page
        page.history_wanted.connect(self._on_history_wanted)
        page.account_wanted.connect(self.count)
        self.show_known()

    def _on_history_wanted(self, request_id: int, meter: str, fields: Any, start_s: float, end_s: float) -> None:
        names, parts = tuple(fields), self._parts()

        def asked(history: History) -> list[SeriesPoints]:
            if meter != SITE:
                return history.meter_points(meter, names, start_s, end_s)
            added = [name for name in names if name in FIELDS]
            points = history.total_points(parts, added, start_s, end_s, _POINTS) if parts and added else []
            return [replace(found, name=f"meter/{SITE}/{found.name.rpartition('/')[2]}") for found in points]

        def done(points: list[SeriesPoints]) -> None:
            if self._page is not None:
                self._page.apply_points(points, request_id)

        self._services.query(asked, done, self._on_no_history)

    def count_overview(self) -> None:
        """What the meter of the Overview has used and cost, while somebody looks there."""
        window = self._window
        if window is not None and window.current_page() == "overview" and window.overview.meter is not None:
            self.count(window.overview.meter, "hour")

    def count(self, meter: str, unit: str) -> None:
        """What a meter has used and cost until now, and its bars per `unit`."""
        names = self._parts() if meter == SITE else (meter,)
        if not names:
            return
        config, now_s = self._services.config, time.time()

        def asked(history: History) -> tuple[list[EnergyAccount], list[EnergyBars]]:
            from core.services.energy_account import energy_account, energy_bars

            known = set(history.meters())
            found = [name for name in names if name in known]
            return (
                [energy_account(history, name, config.tariff_of(name), now_s) for name in found],
                [energy_bars(history, name, unit, now_s, tariff=config.tariff_of(name)) for name in found],
            )

        def done(found: tuple[list[EnergyAccount], list[EnergyBars]]) -> None:
            accounts, bars = found
            if len(accounts) < len(names):  # a meter that has just begun: what it said is not written yet
                QTimer.singleShot(_NOT_WRITTEN_MS, self._count_again)
                return
            account = summed_account(accounts) if meter == SITE else accounts[0]
            if self._page is not None:
                self._page.apply_account(account)
                self._page.apply_bars(summed_bars(bars) if meter == SITE else bars[0])
            if self._window is not None:
                self._window.overview.apply_account(account)

        self._services.query(asked, done, self._on_no_history)

    def _count_again(self) -> None:
        if self._page is not None:
            self._page.count_again()
        self.count_overview()

    def show_last_hour(self, meter: str | None = None) -> None:
        """The Overview's hour and day, once for each meter of this window."""
        window, now_s = self._window, time.time()
        if window is None:
            return
        midnight_s = time.mktime((*time.localtime(now_s)[:3], 0, 0, 0, 0, 0, -1))
        parts = self._parts()

        def asked(history: History) -> tuple[list[SeriesPoints], float | None]:
            if meter == SITE:
                return history.total_points(parts, ["active_power_w"], now_s - HOUR_S, now_s, _POINTS), None
            names = [meter] if meter else history.meters()[:1]
            if not names or names[0] not in history.meters():
                return [], None
            points = history.meter_points(names[0], ["active_power_w"], now_s - HOUR_S, now_s, _POINTS)
            counted_wh, last = history.energy_since(names[0], midnight_s), history.last_measurement(names[0])
            if counted_wh is None or last is None or last[1].active_energy_import_wh is None:
                return points, None
            return points, last[1].active_energy_import_wh - counted_wh

        def done(found: tuple[list[SeriesPoints], float | None]) -> None:
            points, midnight_wh = found
            if self._window is window and window.overview.meter in (meter, None):
                window.overview.apply_points(points)
                window.overview.energy.set_midnight(midnight_wh)

        self._services.query(asked, done, self._on_no_history)
        if meter is not None and window.overview.meter == meter:
            self.count_overview()

    def show_past(self, meter: str) -> None:
        """A past of this meter is being written: show it once it is there."""

        def show() -> None:
            if self._page is not None:
                self._page.renew(meter)
            self.show_last_hour(meter)

        QTimer.singleShot(_PAST_MS, show)

    def show_known(self) -> None:
        """Meters of earlier days, with the last that they said, until they speak again."""

        def asked(history: History) -> list[tuple[str, tuple[float, Any] | None]]:
            return [(name, history.last_measurement(name)) for name in history.meters()]

        def done(found: Sequence[tuple[str, tuple[float, Any] | None]]) -> None:
            for name, last in found:
                if last is not None and not self._is_live(name) and self._page is not None:
                    self._page.apply_known(name, *last)

        self._services.query(asked, done, self._on_no_history)

    def _on_no_history(self, error: BaseException) -> None:
        log.warning("the history was not read: %s", error)
