"""Watches what a site publishes and rings: the rules' engine with a clock, an inbox and the history beside it.

`put` may be called from any thread and never waits. All else belongs to the loop that runs `run`. Alarms of before are
taken up from the history at the start; what another process acknowledges, ignores or mutes there is seen within a
second. Alarms ring too where the history cannot be read: then with numbers of their own.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Protocol

from core.alarms.engine import AlarmEngine
from core.alarms.rules import effective_rules
from core.config.settings import AlarmsSettings, CheckConfig, MeterConfig, SensorConfig
from core.errors import BeffroiError, UsageError
from core.language import _, ngettext
from core.records import Event, Machine, MachineReport, MeterReadings, MeterReport, Severity
from core.requests import AlarmRequest, MaintenanceRequest
from core.services.meter_past import MeterPast
from core.site_records import Alarm, AlarmState, CheckResult, Maintenance, Record, SensorBatch
from core.tariffs import TariffConfig

TAKEN = frozenset({MachineReport, MeterReadings, MeterReport, SensorBatch, CheckResult})
"""What alarms come from."""

LIMIT = 20_000
"""Records that wait at most: some ten seconds of two thousand machines; the oldest go first, and are counted."""

DRAIN_S = 0.2
TICK_S = 1.0
FOLLOW_S = 0.5
"""How often it is asked whether another process has written: a number of one page."""

SKIP_S = 3.0
"""A tick that is so late, or early, is the machine's sleep or its clock being set, not anybody's silence."""

_LOAD_TRIES = 5
_GROUPS_WAIT_S = 2.0
_REMEMBERED_S = 7 * 86_400.0
_REMEMBERED_CHANGES_S = 600.0
_LOSS_TOLD_S = 60.0
_MOST_LOADED = 10_000
_LONGEST_COMMENT = 1_000
_LONGEST_OPERATOR = 128

log = logging.getLogger("beffroi.alarms")


class Query(Protocol):
    """Asks the history in the thread that holds it (`Recorder.query`)."""

    def __call__(self, function: Callable[[Any], Any], /) -> Awaitable[Any]:
        """What `function(history)` returns."""


class AlarmWatch:
    """A sink that publishes alarms: what rings, what changes, what is over; `run` until cancelled."""

    def __init__(
        self,
        settings: AlarmsSettings,
        sensors: Sequence[SensorConfig],
        publish: Callable[[Record], None],
        query: Query,
        *,
        clock: Callable[[], float] = time.time,
        limit: int = LIMIT,
        drain_s: float = DRAIN_S,
    ) -> None:
        self.lost = 0
        self._publish = publish
        self._query = query
        self._clock = clock
        self._drain_s = drain_s
        self._inbox: deque[Record] = deque(maxlen=limit)
        self._limit = limit
        self._engine: AlarmEngine | None = None
        self._machines: tuple[Machine, ...] = ()
        self._checks: tuple[CheckConfig, ...] | None = None
        self._maintenances: dict[int, Maintenance] = {}
        self._version: int | None = None
        self._tick_s = 0.0
        self._loss_told = 0
        self._loss_told_s = 0.0
        self._is_crowd_told = False
        self._past = MeterPast(query, clock)
        self.set_settings(settings, sensors)

    def put(self, record: Record) -> None:
        """Take in what alarms come from. From any thread."""
        if type(record) in TAKEN:
            if len(self._inbox) >= self._limit:
                self.lost += 1
            self._inbox.append(record)

    @property
    def open_alarms(self) -> list[Alarm]:
        """All alarms that are open now."""
        return [] if self._engine is None else self._engine.open_alarms

    def set_settings(self, settings: AlarmsSettings, sensors: Sequence[SensorConfig]) -> None:
        """Take other rules, and other names and limits of sensors."""
        self._rules = effective_rules(settings.rules, sensors)
        self._labels = {f"sensor/{sensor.id}": sensor.name for sensor in sensors if sensor.name}
        self._expected = [f"sensor/{sensor.id}" for sensor in sensors if sensor.silent_after_s is not None]
        if self._engine is not None:
            self._engine.set_labels(self._labels)
            self._engine.set_rules(self._rules)
            self._engine.expect(self._expected, self._clock())

    def set_machines(self, machines: Sequence[Machine]) -> None:
        """Take the configured machines with their groups; what a machine rang that is no longer there is over.

        An empty list says nothing as long as there never was another: the machines are still to be read.
        """
        had_some = bool(self._machines)
        self._machines = tuple(machines)
        if self._engine is not None and (machines or had_some):
            self._engine.set_groups(self._groups())
            self._engine.keep_only("machine", {machine.name for machine in machines}, self._clock())

    def set_checks(self, checks: Sequence[CheckConfig]) -> None:
        """Take the configured checks with their groups; what a check rang that is no longer there is over."""
        self._checks = tuple(checks)
        if self._engine is not None:
            self._engine.set_groups(self._groups())
            self._engine.keep_only("check", {check.name for check in checks}, self._clock())

    def set_meters(self, meters: Sequence[tuple[MeterConfig, TariffConfig | None]]) -> None:
        """Take the meters of the settings, each with its tariff: subscribed power and budget are theirs."""
        self._past.set_meters(meters)

    async def run(self) -> None:
        """Watch until cancelled; what was put before is looked at first."""
        self._engine = await self._begin()
        beside = [
            asyncio.create_task(self._follow(), name="alarms of others"),
            asyncio.create_task(self._past.run(self._engine, self._tell), name="the past of meters"),
        ]
        try:
            self._tick_s = self._clock() + TICK_S
            self._tell(self._engine.tick(self._clock()))
            while True:
                self._turn(self._engine)
                await asyncio.sleep(self._drain_s)
        finally:
            for task in beside:
                task.cancel()
            await asyncio.wait(beside)
            self._drain(self._engine)

    async def handle(self, request: AlarmRequest | MaintenanceRequest) -> None:
        """Do what an operator asks; raises UsageError for what cannot be, StoreError where it cannot be kept."""
        engine = self._engine
        if engine is None:
            raise UsageError(_("alarms are not watched at this moment; try again"))
        if isinstance(request, AlarmRequest):
            set_aside = engine.ignore if request.is_ignored else engine.acknowledge
            comment, operator = request.comment[:_LONGEST_COMMENT], request.operator[:_LONGEST_OPERATOR]
            changed = set_aside(request.ids, operator, comment, self._clock())
            self._tell(changed)
            if request.ids and not any(alarm.id in request.ids for alarm in changed):
                raise UsageError(
                    ngettext(
                        "this alarm is not open any more", "none of these alarms is open any more", len(request.ids)
                    )
                )
        elif request.id is None:
            await self._begin_maintenance(request)
        else:
            await self._end_maintenance(request.id, request.operator)

    # The history

    async def _begin(self) -> AlarmEngine:
        """The engine as the process before left it."""
        last_id, alarms = int(self._clock()), []
        for number in range(_LOAD_TRIES):
            try:
                last_id, alarms, maintenances, self._version = await self._query(self._load)
            except BeffroiError as error:
                if number == 0:
                    log.warning("alarms of before cannot be read: %s", error)
                    self._say("alarms_unread", Severity.WARNING, _("alarms of before cannot be read: {reason}"), error)
                if number + 1 < _LOAD_TRIES:
                    await asyncio.sleep(1.0)
            else:
                self._maintenances = {one.id: one for one in maintenances}
                break
        engine = AlarmEngine(self._rules, first_id=last_id + 1, open_alarms=lasting(alarms))
        engine.set_labels(self._labels)
        if any(rule.source.startswith("@") for rule in self._rules):
            waited_s = 0.0
            while not self._machines and waited_s < _GROUPS_WAIT_S:  # a rule of a group fits nobody before
                await asyncio.sleep(0.05)
                waited_s += 0.05
        engine.set_groups(self._groups())
        engine.set_maintenances(self._maintenances.values())
        now_s = self._clock()
        engine.expect(self._expected, now_s)
        if self._machines:
            engine.keep_only("machine", {machine.name for machine in self._machines}, now_s)
        if self._checks is not None:
            engine.keep_only("check", {check.name for check in self._checks}, now_s)
        return engine

    def _load(self, history: Any) -> tuple[int, list[Alarm], list[Maintenance], int]:
        """In the history's thread."""
        now_s = self._clock()
        alarms = history.alarms(limit=_MOST_LOADED, since_s=now_s - _REMEMBERED_S)
        known = {alarm.id for alarm in alarms}
        alarms += [alarm for alarm in history.open_alarms() if alarm.id not in known]
        return history.last_alarm_id(), alarms, history.maintenances(now_s), history.data_version()

    async def _follow(self) -> None:
        """See what other processes write of alarms and maintenances."""
        while True:
            await asyncio.sleep(FOLLOW_S)
            try:
                version = await self._query(lambda history: history.data_version())
                if version == self._version:
                    continue
                alarms, maintenances = await self._query(self._written)
            except BeffroiError as error:
                log.debug("what others wrote cannot be read: %s", error)
                continue
            self._version = version
            self._take(alarms, maintenances)

    def _written(self, history: Any) -> tuple[list[Alarm], list[Maintenance]]:
        """In the history's thread: what operators may have changed there lately."""
        now_s = self._clock()
        states = (AlarmState.ACKNOWLEDGED, AlarmState.IGNORED)
        return history.alarms(states, limit=_MOST_LOADED, since_s=now_s - _REMEMBERED_CHANGES_S), history.maintenances(
            now_s
        )

    def _take(self, alarms: Iterable[Alarm], maintenances: Iterable[Maintenance]) -> None:
        engine = self._engine
        assert engine is not None, "following begins once there is an engine"
        now_s = self._clock()
        for alarm in alarms:
            self._tell(engine.take(alarm, now_s))
        before = self._maintenances
        self._maintenances = {one.id: one for one in maintenances}
        for one in self._maintenances.values():
            if before.get(one.id) != one:
                self._publish(one)
        for number in before.keys() - self._maintenances.keys():
            if before[number].end_s > now_s:  # ended before its time
                self._publish(_ended(before[number], now_s))
        engine.set_maintenances(self._maintenances.values())

    async def _begin_maintenance(self, request: MaintenanceRequest) -> None:
        if not request.source.strip() or not request.start_s < request.end_s or request.end_s <= self._clock():
            raise UsageError(_("a maintenance needs machines or other sources, and an end that is still to come"))
        wanted = Maintenance(
            id=0,
            source=request.source,
            start_s=request.start_s,
            end_s=request.end_s,
            operator=request.operator[:_LONGEST_OPERATOR],
            comment=request.comment[:_LONGEST_COMMENT],
        )
        saved: Maintenance = await self._query(lambda history: history.save_maintenance(wanted))
        self._maintenances[saved.id] = saved
        self._apply_maintenances(saved)

    async def _end_maintenance(self, number: int, operator: str) -> None:
        now_s = self._clock()
        await self._query(lambda history: history.end_maintenance(number, now_s))
        known = self._maintenances.pop(number, None)
        if known is None:
            raise UsageError(_("this maintenance has ended already"))
        log.info("maintenance %d of %s was ended by %s", number, known.source, operator)
        self._apply_maintenances(_ended(known, now_s))

    def _apply_maintenances(self, changed: Maintenance) -> None:
        self._publish(changed)
        if self._engine is not None:
            self._engine.set_maintenances(self._maintenances.values())
            self._tell(self._engine.tick(self._clock()))

    # Each turn

    def _turn(self, engine: AlarmEngine) -> None:
        now_s = self._clock()
        late_s = now_s - self._tick_s
        if late_s > SKIP_S or late_s < -SKIP_S - TICK_S:
            log.info("the clock, or this program, skipped %.1f s", late_s)
            engine.skip(late_s)
        self._drain(engine)
        if now_s >= self._tick_s or late_s < -SKIP_S - TICK_S:
            self._tick_s = now_s + TICK_S
            self._tell(engine.tick(now_s))
            self._tell_losses(engine, now_s)

    def _drain(self, engine: AlarmEngine) -> None:
        for _record in range(len(self._inbox)):
            record = self._inbox.popleft()
            try:
                changed = engine.apply(record, self._clock())
            except Exception:  # one record that no rule expects must not silence the others
                log.exception("a %s was not looked at", type(record).__name__)
                continue
            if changed:
                self._tell(changed)

    def _tell(self, alarms: Iterable[Alarm]) -> None:
        for alarm in alarms:
            self._publish(alarm)

    def _tell_losses(self, engine: AlarmEngine, now_s: float) -> None:
        if self.lost > self._loss_told and now_s - self._loss_told_s >= _LOSS_TOLD_S:
            count, self._loss_told, self._loss_told_s = self.lost - self._loss_told, self.lost, now_s
            text = ngettext(
                "{count} value came too fast and was not looked at for alarms",
                "{count} values came too fast and were not looked at for alarms",
                count,
            )
            self._say("alarms_lost", Severity.WARNING, text.format(count=count))
        if engine.unwatched and not self._is_crowd_told:
            self._is_crowd_told = True
            self._say("alarms_crowd", Severity.WARNING, _("there are too many sources; alarms watch the first ones"))

    def _say(self, kind: str, severity: Severity, text: str, reason: object = None) -> None:
        if reason is not None:
            text = text.format(reason=reason)
        self._publish(Event(time_s=self._clock(), source="alarms", kind=kind, severity=severity, text=text))

    def _groups(self) -> dict[str, frozenset[str]]:
        return {
            **{f"machine/{machine.name}": frozenset(machine.groups) for machine in self._machines if machine.groups},
            **{f"check/{check.name}": frozenset(check.groups) for check in self._checks or () if check.groups},
        }


def lasting(alarms: Iterable[Alarm]) -> list[Alarm]:
    """Of the alarms of a history those that go on: open ones, and ignored ones that nothing newer has followed."""
    newest: dict[tuple[str, str, str | None], Alarm] = {}
    found = []
    for alarm in sorted(alarms, key=lambda one: -one.id):
        key = (alarm.source, alarm.rule, alarm.quantity)
        is_newest = newest.setdefault(key, alarm) is alarm
        if alarm.state.is_open or (alarm.state is AlarmState.IGNORED and is_newest):
            found.append(alarm)
    return found


def _ended(maintenance: Maintenance, now_s: float) -> Maintenance:
    return Maintenance(
        id=maintenance.id,
        source=maintenance.source,
        start_s=min(maintenance.start_s, now_s),
        end_s=now_s,
        operator=maintenance.operator,
        comment=maintenance.comment,
    )
