"""What stands at this moment: the last record of each machine, meter, sensor, check, listener and maintenance.

It is what a reader gets first who comes later; bounded, and pruned of what is over.
"""

from __future__ import annotations

from collections.abc import Collection

from msgspec.structs import replace

from core.records import MachineReport, MeterReadings, MeterReport, StoreReport
from core.site_records import (
    CheckResult,
    IntakeReport,
    Maintenance,
    Record,
    RoomReport,
    SensorBatch,
    SensorMeasure,
)

LIMIT = 20_000
"""Things of one kind that are remembered."""


class PresentState:
    """Remembers by `apply`; belongs to whoever guards it."""

    def __init__(self, *, limit: int = LIMIT) -> None:
        self._limit = limit
        self._machines: dict[str, MachineReport] = {}
        self._readings: dict[str, MeterReadings] = {}
        self._meters: dict[str, MeterReport] = {}
        self._measures: dict[tuple[str, str], SensorMeasure] = {}
        self._checks: dict[str, CheckResult] = {}
        self._maintenances: dict[int, Maintenance] = {}
        self._listeners: dict[type, Record] = {}

    def apply(self, record: Record) -> None:
        """Something was published."""
        if isinstance(record, MachineReport):
            self._machines[record.machine] = replace(record, late_statuses=()) if record.late_statuses else record
        elif isinstance(record, SensorBatch):
            for measure in record.measures:
                self._measures[measure.sensor, measure.quantity] = measure
            while len(self._measures) > self._limit:
                del self._measures[next(iter(self._measures))]
        elif isinstance(record, MeterReadings):
            self._readings[record.name] = record
        elif isinstance(record, MeterReport):
            self._meters[record.name] = record
        elif isinstance(record, CheckResult):
            self._checks[record.check] = record
        elif isinstance(record, Maintenance):
            self._maintenances.pop(record.id, None)
            if len(self._maintenances) < self._limit:
                self._maintenances[record.id] = record
        elif isinstance(record, IntakeReport | RoomReport | StoreReport):
            self._listeners[type(record)] = record

    def keep_only(self, machines: Collection[str], meters: Collection[str], checks: Collection[str]) -> None:
        """Forget those that are configured no more."""
        self._machines = {name: found for name, found in self._machines.items() if name in machines}
        self._readings = {name: found for name, found in self._readings.items() if name in meters}
        self._meters = {name: found for name, found in self._meters.items() if name in meters}
        self._checks = {name: found for name, found in self._checks.items() if name in checks}

    def records(self, now_s: float) -> list[Record]:
        """All of it; a machine's last status counts as new for who has not seen it."""
        return [
            *self._listeners.values(),
            *(replace(report, is_new=report.status is not None) for report in self._machines.values()),
            *self._meters.values(),
            *self._readings.values(),
            *self._checks.values(),
            *(SensorBatch(measures=(measure,)) for measure in self._measures.values()),
            *(found for found in self._maintenances.values() if found.end_s > now_s),
        ]
