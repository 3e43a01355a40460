"""Says when alarms ring and when they are over: records in, alarms out; no clock, no thread, no store.

Every time is that of the host which received a record, never that of a machine or meter: their clocks may be wrong.
What becomes of an alarm once its condition rang is in `core.alarms.book`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from core.alarms.bells import DISK, Bell, Source
from core.alarms.book import AlarmBook
from core.alarms.condition import GAP_PERIODS, NOTHING, RINGS
from core.alarms.derived import DerivedQuantities
from core.alarms.sources import Sources
from core.records import (
    MachineReport,
    MachineState,
    Measurement,
    MeterReadings,
    MeterReport,
    Quality,
    SeriesPoints,
    Status,
)
from core.site_records import (
    Alarm,
    AlarmRule,
    AlarmState,
    CheckResult,
    CheckState,
    Maintenance,
    Record,
    SensorBatch,
)

FIRST_CONTACT_S = 60.0
"""A machine that was not reached since the program began gets so long: two thousand handshakes take their time."""

LEAVE_S = 5.0
"""A meter that nobody reads any more is let go after so long: when all of us stop, its alarms go on with the next."""


class AlarmEngine:
    """The rules over all sources of a site.

    `first_id` is the number of the next alarm. `open_alarms` are those of before, open or ignored: they go on without
    ringing again, and are over once their condition is, or where no rule rings them any more. All methods belong to
    one thread.
    """

    def __init__(self, rules: Sequence[AlarmRule], *, first_id: int, open_alarms: Iterable[Alarm] = ()) -> None:
        self._loaded = list(open_alarms)
        self._book = AlarmBook(first_id)
        self._sources = Sources(rules, self._book)
        self._meter_on_port: dict[str, str] = {}
        self._leaving: dict[str, float] = {}
        self._subscribed_w: Mapping[str, float] = {}
        self._unlearned: set[str] = set()
        self._kinds: dict[type, Callable[..., None]] = {
            MachineReport: self._machine,
            MeterReadings: self._meter,
            MeterReport: self._meter_report,
            SensorBatch: self._sensor_batch,
            CheckResult: self._check,
        }

    @property
    def unwatched(self) -> int:
        """Records of sources that there are too many of."""
        return self._sources.unwatched

    @property
    def open_alarms(self) -> list[Alarm]:
        """All alarms that are open now, by number."""
        found = [bell.alarm for bell in self._book.ringing.values() if bell.alarm is not None]
        return sorted((alarm for alarm in (*found, *self._loaded) if alarm.state.is_open), key=lambda alarm: alarm.id)

    def apply(self, record: Record, now_s: float) -> list[Alarm]:
        """Take what a service published; the alarms that change by it, mostly none."""
        taken = self._kinds.get(type(record))
        if taken is not None:
            self._begin(now_s)
            taken(record, now_s)
        return self._taken_changes() if self._book.changes else []

    def tick(self, now_s: float) -> list[Alarm]:
        """Look at what time alone changes, some once a second; the alarms that change by it."""
        self._begin(now_s)
        self._book.look_at_maintenances(now_s)
        for source in self._sources.silent.values():
            self._look_at_silence(source, now_s)
        for bell, first_s in list(self._sources.down.items()):
            if bell.source.was_up or now_s - first_s >= FIRST_CONTACT_S or bell.condition.duration_s > FIRST_CONTACT_S:
                self._step(bell, now_s, 1.0)
        for name in [name for name, left_s in self._leaving.items() if now_s - left_s >= LEAVE_S]:
            del self._leaving[name]
            left = self._sources.by_name.get(name)
            if left is not None:
                self._leave(left)
        self._book.look_at_calm(now_s)
        return self._taken_changes()

    def acknowledge(self, ids: Iterable[int], operator: str, comment: str, now_s: float) -> list[Alarm]:
        """Somebody has seen these alarms; those that were open and change by it."""
        self._begin(now_s)
        self._book.set_aside(ids, AlarmState.ACKNOWLEDGED, operator, comment, now_s)
        return self._taken_changes()

    def ignore(self, ids: Iterable[int], operator: str, comment: str, now_s: float) -> list[Alarm]:
        """These alarms do not matter until their condition is over; those that were open and change by it."""
        self._begin(now_s)
        self._book.set_aside(ids, AlarmState.IGNORED, operator, comment, now_s)
        return self._taken_changes()

    def take(self, alarm: Alarm, now_s: float) -> list[Alarm]:
        """What another program wrote of an alarm that is open here: acknowledged or ignored; what changes by it."""
        self._begin(now_s)
        self._book.take(alarm)
        return self._taken_changes()

    def set_rules(self, rules: Sequence[AlarmRule]) -> None:
        """Take other rules; what a changed rule rings goes on by its new values, what no rule rings is over."""
        self._sources.set_rules(rules)

    def set_groups(self, groups: Mapping[str, AbstractSet[str]]) -> None:
        """Take the groups of machines and checks, by source such as `machine/web-01`."""
        self._sources.set_groups(groups)

    def set_labels(self, labels: Mapping[str, str]) -> None:
        """Take what people call some sources, as sensors in the settings; the others go by their name."""
        self._sources.set_labels(labels)

    def set_maintenances(self, maintenances: Iterable[Maintenance]) -> None:
        """Take all maintenances, present and future; they are looked at with the next tick."""
        self._book.set_maintenances(maintenances)

    def expect(self, sources: Iterable[str], now_s: float) -> None:
        """Count the silence of these sources from now on, though nothing came of them yet."""
        for name in sources:
            source = self._sources.of(name)
            if source is not None and source.heard_s is None:
                source.heard_s = now_s

    def keep_only(self, kind: str, names: Collection[str], now_s: float) -> None:
        """Forget all sources of `kind`, such as `machine`, but these; what they rang is over with the next tick."""
        self._begin(now_s)
        self._sources.keep_only(kind, names)

    def skip(self, seconds: float) -> None:
        """The clock was set by so long, or this program did not run: nobody was silent or in a state meanwhile."""
        self._sources.shift(seconds)
        learned = (name for name, source in self._sources.by_name.items() if source.derived is not None)
        self._unlearned.update(name.partition("/")[2] for name in learned)

    # What is usual for meters

    def set_subscribed_powers(self, watts: Mapping[str, float]) -> None:
        """Take the subscribed power of meters, by name."""
        self._subscribed_w = dict(watts)
        for name, source in self._sources.by_name.items():
            if source.derived is not None:
                source.derived.subscribed_power_w = self._subscribed_w.get(name.partition("/")[2])

    def taken_unlearned(self) -> set[str]:
        """Meters that were heard for the first time since this was asked: of their past nothing is known."""
        found, self._unlearned = self._unlearned, set()
        return found

    def is_measured(self, meter: str) -> bool:
        """True once a measurement of that meter came."""
        source = self._sources.by_name.get(f"meter/{meter}")
        return source is not None and source.derived is not None

    def learn(self, meter: str, points: SeriesPoints) -> None:
        """Take the active power of a meter in the past, by which it is known what is usual."""
        source = self._sources.of(f"meter/{meter}")
        if source is not None and source.derived is not None:
            source.derived.learn(points)

    def feed(
        self, source_name: str, quantity: str, value: float, now_s: float, reason: str | None = None
    ) -> list[Alarm]:
        """Take a value that somebody computed of a source; the alarms that change by it."""
        self._begin(now_s)
        source = self._sources.of(source_name)
        for bell in () if source is None else source.bells_of(quantity):
            bell.reason = reason
            self._step(bell, now_s, value)
        return self._taken_changes()

    # What records say

    def _machine(self, report: MachineReport, now_s: float) -> None:
        source = self._sources.machine(report.machine)
        if source is None:
            return
        is_up = report.state is MachineState.ONLINE
        if is_up is not source.is_up or not is_up:
            if report.state is MachineState.UNPAIRED:  # it is not there yet, so it cannot leave
                self._set_up(source, None, None, now_s)
            else:
                self._set_up(source, is_up, report.error, now_s)
        status = report.status
        if report.is_new and status is not None:
            time_s = now_s if report.time_s is None or report.time_s > now_s else report.time_s
            self._hear(source, time_s)
            self._read(source, status, time_s)
            if source.has_disks and status.disks is not None:
                self._read_disks(source, status, time_s)

    def _read_disks(self, source: Source, status: Status, time_s: float) -> None:
        disks = status.disks or ()
        by_mount = source.by_mount
        for disk in disks:
            if disk.total_bytes > 0:
                bells = by_mount.get(disk.mount)
                if bells is None:
                    bells = by_mount[disk.mount] = source.bells_of(f"{DISK}:{disk.mount}")
                percent = 100.0 * disk.used_bytes / disk.total_bytes
                for bell in bells:
                    turn = bell.condition.step(time_s, percent)
                    if turn != NOTHING:
                        self._book.turn(bell, turn, time_s, None)
        if len(by_mount) > len(disks) or len(disks) != source.disk_count:
            source.disk_count = len(disks)
            there = {f"{DISK}:{disk.mount}" for disk in disks}
            for quantity in source.mounts():
                if quantity not in there:
                    for bell in source.forget_quantity(quantity):
                        self._book.drop(bell, time_s)
            source.by_mount = {}

    def _meter(self, record: MeterReadings, now_s: float) -> None:
        source = self._sources.of(f"meter/{record.name}")
        if source is None:
            return
        time_s = now_s if record.time_s is None or record.time_s > now_s else record.time_s
        source.is_expected = True
        self._leaving.pop(source.source, None)
        self._hear(source, time_s)
        if record.is_simulated and not source.is_simulated:
            source.set_simulated()
        measurement = record.measurement
        if measurement is None:
            return
        if measurement.quality is not Quality.ERROR:
            self._read(source, measurement, time_s)
            self._derive(source, record.name, measurement, time_s)
            return
        wrong = {one.quantity for one in record.readings if one.quality is Quality.ERROR and one.quantity}
        if wrong:
            self._read(source, measurement, time_s, lambda field: any(field.startswith(name) for name in wrong))

    def _derive(self, source: Source, name: str, measurement: Measurement, time_s: float) -> None:
        """Hand what follows from a measurement to the bells of its meter."""
        derived = source.derived
        if derived is None:
            derived = source.derived = DerivedQuantities(self._subscribed_w.get(name))
            self._unlearned.add(name)
        before, found = derived.last, derived.take(time_s, measurement)
        for quantity in before.keys() - found.keys():  # a load that is gone: what comes with the next one begins anew
            for bell in source.bells_of(quantity):
                bell.condition.interrupt()
        for quantity, value in found.items():
            for bell in source.bells_of(quantity):
                turn = bell.condition.step(time_s, value)
                if turn != NOTHING:
                    if turn == RINGS:
                        bell.reason = derived.reason(quantity)
                    self._book.turn(bell, turn, time_s, None)

    def _meter_report(self, report: MeterReport, now_s: float) -> None:
        name = f"meter/{report.name}"
        before = self._meter_on_port.get(report.port)
        if before is not None and before != name and (other := self._sources.by_name.get(before)) is not None:
            self._leave(other)  # it has said its name: it is the same meter
        self._meter_on_port[report.port] = name
        source = self._sources.of(name)
        if source is None:
            return
        source.period_s = report.period_s
        if report.is_simulated and not source.is_simulated:
            source.set_simulated()
        if report.is_ended:
            self._meter_on_port.pop(report.port, None)
            self._leaving.setdefault(name, now_s)
            source.is_expected = False
            return
        self._leaving.pop(name, None)
        if source.heard_s is None or not source.is_expected:
            source.is_expected, source.heard_s = True, now_s

    def _sensor_batch(self, batch: SensorBatch, now_s: float) -> None:
        for measure in batch.measures:
            source = self._sources.sensor(measure.sensor)
            if source is None:
                continue
            time_s = min(measure.time_s, now_s)
            self._hear(source, time_s)
            if source.pace.is_gap(time_s):
                source.interrupt()
            for bell in source.bells_of(measure.quantity):
                self._step(bell, time_s, measure.value, measure.unit)

    def _check(self, result: CheckResult, now_s: float) -> None:
        source = self._sources.of(f"check/{result.check}")
        if source is None:
            return
        time_s = min(result.time_s, now_s)
        self._hear(source, time_s)
        source.was_up = True  # a check needs no time to find its target
        self._set_up(source, result.state is CheckState.OK, result.error, time_s)
        self._read(source, result, time_s)

    def _read(
        self, source: Source, record: object, time_s: float, is_wrong: Callable[[str], bool] | None = None
    ) -> None:
        """Hand the values of a record to the bells of its source."""
        if source.pace.is_gap(time_s):
            source.interrupt()
        for reader in source.readers:
            value = reader.read(record)
            if value is not None and (is_wrong is None or not is_wrong(reader.quantity)):
                for bell in reader.bells:
                    turn = bell.condition.step(time_s, value)
                    if turn != NOTHING:
                        self._book.turn(bell, turn, time_s, None)

    def _hear(self, source: Source, time_s: float) -> None:
        source.heard_s = time_s
        for bell in source.silent:
            if bell.condition.is_ringing:
                self._step(bell, time_s, 0.0)

    def _set_up(self, source: Source, is_up: bool | None, reason: str | None, now_s: float) -> None:
        source.is_up = is_up
        source.was_up |= is_up is True
        for bell in source.offline:
            if is_up is False:
                bell.reason = reason or bell.reason
                if bell not in self._sources.down:
                    self._sources.down[bell] = now_s
                    bell.condition.since_s = now_s if bell.condition.since_s is None else bell.condition.since_s
            else:
                self._sources.down.pop(bell, None)
                self._step(bell, now_s, 0.0)
                bell.reason = None

    def _look_at_silence(self, source: Source, now_s: float) -> None:
        if source.heard_s is None or not source.is_expected:
            return
        silent_s = now_s - source.heard_s
        for bell in source.silent:
            if silent_s > max(bell.rule.duration_s, GAP_PERIODS * (source.period_s or 0.0)):
                self._step(bell, now_s, silent_s)

    def _leave(self, source: Source) -> None:
        """A source that is no longer there by somebody's will: its alarms are over."""
        source.is_expected, source.heard_s = False, None
        self._sources.drop_bells(source)

    def _step(self, bell: Bell, time_s: float, value: float, unit: str | None = None) -> None:
        turn = bell.condition.step(time_s, value)
        if turn != NOTHING:
            self._book.turn(bell, turn, time_s, unit)

    def _begin(self, now_s: float) -> None:
        """Before anything else: let the alarms of before ring on where their rules still hold."""
        self._sources.now_s = now_s
        if not self._loaded:
            return
        loaded, self._loaded = self._loaded, []
        for alarm in loaded:
            source = self._sources.of(alarm.source)
            bell = source.bell_for(alarm) if source is not None else None
            if bell is None or bell.alarm is not None:
                self._book.end_orphan(alarm, now_s)
            else:
                self._book.go_on(bell, alarm, now_s)

    def _taken_changes(self) -> list[Alarm]:
        changes, self._book.changes = self._book.changes, []
        return changes
