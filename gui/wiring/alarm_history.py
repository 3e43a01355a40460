"""What the Alarms page asks of the past: the curve around an alarm, when its rule rang before, and its export."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PyQt5.QtCore import QObject
from PyQt5.QtWidgets import QFileDialog

from core.alarms.derived import SHOWN_BY
from core.alarms.texts import unit_of
from core.errors import StoreError
from core.language import _, ngettext
from core.records import SeriesPoints
from core.series import SeriesBook
from core.site_records import Alarm
from gui.main_window import MainWindow
from gui.models import alarm_words as words
from gui.pages.alarms import AlarmsPage
from gui.plain_text import one_line
from gui.runtime.services import Services

if TYPE_CHECKING:
    from core.store.history import History

RINGS = 200
CURVE_POINTS = 2_000
_USUAL_QUANTITY = {"machine": "cpu_percent", "meter": "active_power_w", "check": "latency_ms"}
"""The curve that shows a silence best, for alarms that look at no value."""

HEADER = (
    "since_utc",
    "until_utc",
    "id",
    "source",
    "rule",
    "severity",
    "state",
    "quantity",
    "value",
    "threshold",
    "unit",
    "operator",
    "comment",
    "text",
)


class AlarmHistoryDesk(QObject):
    """Answers one Alarms page at a time."""

    def __init__(self, services: Services, book: SeriesBook, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._book = book
        self._window: MainWindow | None = None
        self._page: AlarmsPage | None = None

    def attach(self, window: MainWindow, page: AlarmsPage) -> None:
        """Serve this page."""
        self._window, self._page = window, page
        page.curve_wanted.connect(self._on_curve_wanted)
        page.rings_wanted.connect(self._on_rings_wanted)
        page.export_wanted.connect(self._on_export)

    def _on_curve_wanted(self, request_id: int, alarm: Alarm, start_s: float, end_s: float) -> None:
        def read(history: History) -> tuple[str | None, SeriesPoints | None]:
            name = _series_of(history, alarm)
            try:
                return name, history.points(name, start_s, end_s, max_points=CURVE_POINTS) if name else None
            except StoreError:
                return name, None  # nothing of it is kept yet

        def done(found: tuple[str | None, SeriesPoints | None]) -> None:
            name, points = found
            if self._page is not None:
                live = self._live(name, start_s, end_s) if name else None
                self._page.apply_points(request_id, _joined(points, live))

        self._services.query(read, done, lambda _error: done((None, None)))

    def _live(self, name: str, start_s: float, end_s: float) -> SeriesPoints | None:
        """What memory holds of a series: its last minutes are not in the history yet."""
        if not self._book.has_value(name):
            return None
        columns = [array("d", column.tolist()) for column in self._book.view(name, start_s, end_s, CURVE_POINTS)]
        time_s, low, high = columns
        mean = array("d", ((least + most) / 2 for least, most in zip(low, high, strict=True)))
        unit = unit_of(name.rpartition("/")[2])
        return SeriesPoints(name=name, unit=unit, time_s=time_s, minimum=low, mean=mean, maximum=high)

    def _on_rings_wanted(self, request_id: int, alarm: Alarm) -> None:
        def read(history: History) -> list[Alarm]:
            found = history.alarms(limit=RINGS, search=alarm.source)
            return [ring for ring in found if (ring.source, ring.rule) == (alarm.source, alarm.rule)]

        def done(rings: list[Alarm]) -> None:
            if self._page is not None:
                self._page.apply_rings(request_id, rings)

        self._services.query(read, done, lambda _error: done([]))

    def _on_export(self, kind: str) -> None:
        if self._page is None or self._window is None:
            return
        proposed = str(Path.home() / f"beffroi-alarms-{date.today():%Y-%m-%d}.{kind}")
        pattern = _("Tables (*.csv)") if kind == "csv" else _("Spreadsheets (*.xlsx)")
        chosen, _filter = QFileDialog.getSaveFileName(self._window, _("Export"), proposed, pattern)
        if chosen:
            path = Path(chosen)
            self.export(path if path.suffix else path.with_suffix(f".{kind}"))

    def export(self, path: Path) -> None:
        """Write what the list shows as CSV or XLSX, by suffix."""
        if self._page is None:
            return
        rows = [_row(alarm) for alarm in self._page.model.shown()]

        async def work() -> int:
            import asyncio

            from core.services.export import write_table

            return await asyncio.to_thread(write_table, path, HEADER, rows)

        self._services.run(work(), lambda count: self._on_exported(path, count), self._on_not_exported)

    def _on_exported(self, path: Path, count: int) -> None:
        if self._window is not None:
            text = ngettext("{count} alarm exported to {path}", "{count} alarms exported to {path}", count)
            self._window.status_line.showMessage(text.format(count=count, path=one_line(str(path))), 8000)

    def _on_not_exported(self, error: BaseException) -> None:
        if self._window is not None:
            self._window.show_notice(str(error))


def _joined(past: SeriesPoints | None, live: SeriesPoints | None) -> SeriesPoints | None:
    """The history up to where memory begins, then memory."""
    if past is None or not len(past.time_s):
        return live if live is not None else past
    if live is None or not len(live.time_s):
        return past
    end = bisect_left(past.time_s, live.time_s[0])
    return SeriesPoints(
        name=past.name,
        unit=past.unit,
        time_s=past.time_s[:end] + live.time_s,
        minimum=past.minimum[:end] + live.minimum,
        mean=past.mean[:end] + live.mean,
        maximum=past.maximum[:end] + live.maximum,
    )


def _series_of(history: Any, alarm: Alarm) -> str | None:
    """Name of the series that shows an alarm best."""
    if alarm.quantity is not None:
        # of disks the fullest alone has a series, whichever an alarm is about
        quantity = alarm.quantity.partition(":")[0]
        return f"{alarm.source}/{SHOWN_BY.get(quantity, quantity)}"
    usual = _USUAL_QUANTITY.get(words.source_kind(alarm.source))
    if usual is not None:
        return f"{alarm.source}/{usual}"
    known = [one for one in history.sensors() if f"sensor/{one.sensor}" == alarm.source]
    return f"{alarm.source}/{known[0].quantity}" if known else None


def _row(alarm: Alarm) -> list[Any]:
    return [
        datetime.fromtimestamp(alarm.since_s, UTC),
        datetime.fromtimestamp(alarm.until_s, UTC) if alarm.until_s is not None else None,
        alarm.id,
        alarm.source,
        alarm.rule,
        alarm.severity.value,
        alarm.state.value,
        alarm.quantity,
        alarm.value,
        alarm.threshold,
        alarm.unit,
        alarm.operator,
        alarm.comment,
        alarm.text,
    ]
