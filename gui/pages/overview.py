"""The Overview: what the site draws, what it used today, where its machines stand and which work hardest."""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Sequence

from PyQt5.QtCore import QTimer, pyqtSignal
from PyQt5.QtGui import QResizeEvent
from PyQt5.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from core.language import _
from core.meter_records import EnergyAccount
from core.records import MeterReadings, MeterReport, MeterState, SeriesPoints
from core.site_records import Alarm, AlarmSeverity
from gui import numbers
from gui.models.machine_row import MachineRow
from gui.models.machines import MachineModel
from gui.models.meter_shown import SITE
from gui.models.thresholds import CPU, MEMORY
from gui.widgets.alarms_tile import AlarmsTile
from gui.widgets.bar_list import BarItem
from gui.widgets.card import GAP
from gui.widgets.overview_tiles import EnergyTile, MachinesTile, PowerTile, TopTile
from gui.widgets.sensor_tile import SensorsTile

TOP = 5
_SHARES = ((2, (8, 4, 5)), (4, (7, 4, 5)), (12, (6, 5, 5)), (math.inf, (5, 5, 5)))
"""Shares of the height of meter, machines and lists, for so many machines at most."""
_LOW_PX = 660
_LOW_SHARES = (2, 2, 2)
_COLUMNS = 6


class OverviewPage(QWidget):
    """The grid of tiles; `refresh` is called by its own timer, twice a second at most, and only while it is shown."""

    machine_opened = pyqtSignal(str)
    add_machine_wanted = pyqtSignal()
    connect_probe_wanted = pyqtSignal()
    alarm_opened = pyqtSignal(int)

    def __init__(self, model: MachineModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._meter: str | None = None
        self.power = PowerTile()
        self.energy = EnergyTile()
        self.machines = MachinesTile(model)
        self._cpu_tile = TopTile(_("Top CPU"), _("The five busiest processors appear here."))
        self._memory_tile = TopTile(_("Top RAM"), _("The five fullest memories appear here."))
        self.top_cpu, self.top_memory = self._cpu_tile.list, self._memory_tile.list
        self.power.connect_wanted.connect(self.connect_probe_wanted)
        self.machines.add_wanted.connect(self.add_machine_wanted)
        for source in (self.machines, self.top_cpu, self.top_memory):
            source.opened.connect(self.machine_opened)
        self.alarms = AlarmsTile()
        self.alarms.opened.connect(self.alarm_opened)
        self.sensors = SensorsTile()
        self._beside = QVBoxLayout()
        self._beside.setSpacing(GAP)
        self._beside.addWidget(self.alarms, 2)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(GAP, GAP, GAP, GAP)
        self._grid.setSpacing(GAP)
        self._grid.addWidget(self.power, 0, 0, 1, 4)
        self._grid.addWidget(self.energy, 0, 4, 1, 2)
        self._grid.addWidget(self.machines, 1, 0, 1, 4)
        self._grid.addLayout(self._beside, 1, 4, 1, 2)
        for place, tile in enumerate((self._cpu_tile, self._memory_tile, self.sensors)):
            self._grid.addWidget(tile, 2, 2 * place, 1, 2)
        for column in range(_COLUMNS):
            self._grid.setColumnStretch(column, 1)
            self._grid.setColumnMinimumWidth(column, 1)
        model.layoutChanged.connect(self._share_height)
        self._share_height()
        self._timer = QTimer(self)
        self._timer.setInterval(1000)
        self._timer.timeout.connect(self.refresh)
        self._timer.start()
        self.refresh()

    def add_beside_machines(self, tile: QWidget) -> None:
        """Put a tile at the right of the machines, below those that are there."""
        self._beside.addWidget(tile, 1)

    def apply_readings(self, readings: MeterReadings) -> None:
        """A reading of a meter; the first meter that speaks is the site's, until there is a sum of several."""
        if self._meter is None or (readings.name == SITE and self._meter != SITE):
            self._meter = readings.name
            self.power.forget()
            self.energy.forget()
        if readings.name == self._meter:
            self.power.apply_readings(readings)
            self.energy.apply_readings(readings)

    def apply_report(self, report: MeterReport) -> None:
        """A meter that was let go makes room for another one."""
        if report.state is MeterState.DISCONNECTED and self._meter in (report.name, SITE):
            self._meter = None

    def apply_points(self, points: Sequence[SeriesPoints]) -> None:
        """The last hour of the site's power from the history."""
        for series in points:
            self.power.apply_points(series)

    @property
    def meter(self) -> str | None:
        """The meter whose numbers are shown."""
        return self._meter

    def apply_account(self, account: EnergyAccount) -> None:
        """What the site's meter, or the sum of its meters, has used and cost."""
        if account.meter == self._meter:
            self.energy.apply_account(account)

    def apply_alarms(self, newest: Sequence[Alarm], counts: dict[AlarmSeverity, int]) -> None:
        """The newest open alarms, and how many are open by severity."""
        self.alarms.apply(newest, counts)

    def refresh(self) -> None:
        """Bring all tiles up to now."""
        if not self.isVisible() and self._timer.remainingTime() != 0:
            return
        self.power.refresh(time.time())
        self.machines.refresh()
        self.sensors.refresh()
        self._cpu_tile.set_items([_cpu_item(row) for row in _busiest(self._model, "cpu_percent")])
        self._memory_tile.set_items([_memory_item(row) for row in _busiest(self._model, "memory_percent")])

    def _share_height(self) -> None:
        """Few machines leave more of the height to the curve; lists of five need theirs where there is little."""
        count = sum(1 for _row in self._model.rows())
        shares = next(shares for most, shares in _SHARES if count <= most)
        if count >= TOP and self.height() < _LOW_PX:
            shares = _LOW_SHARES
        for row, share in enumerate(shares):
            self._grid.setRowStretch(row, share)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Share the height out anew."""
        super().resizeEvent(event)
        self._share_height()

    def showEvent(self, event: object) -> None:
        """At once what a second would bring."""
        super().showEvent(event)
        self.refresh()


def _busiest(model: MachineModel, field: str) -> list[MachineRow]:
    rows = [row for row in model.rows() if getattr(row, field) is not None]
    return heapq.nlargest(TOP, rows, key=lambda row: getattr(row, field))


def _cpu_item(row: MachineRow) -> BarItem:
    percent = row.cpu_percent
    top = row.report.status.top_process if row.report is not None and row.report.status is not None else None
    detail = f"{numbers.number(percent)} %" + (f"  {top.name}" if top is not None else "")
    return BarItem(row.name, detail, percent, CPU.role(percent, row.name, row.machine.groups))


def _memory_item(row: MachineRow) -> BarItem:
    memory = row.report.status.memory if row.report is not None and row.report.status is not None else None
    if memory is None:
        return BarItem(row.name, numbers.NO_VALUE, None)
    total, unit = numbers.size(memory.total_bytes)
    scale = {"B": 0, "KiB": 1, "MiB": 2, "GiB": 3, "TiB": 4, "PiB": 5}[unit]
    used = numbers.number((memory.total_bytes - memory.available_bytes) / 1024**scale, 1)
    detail = _("{used} of {total} {unit}").format(used=used, total=total, unit=unit)
    return BarItem(row.name, detail, memory.percent, MEMORY.role(memory.percent, row.name, row.machine.groups))
