"""The life of alarms: rung, counted, acknowledged, muted, over; the engine says what its bells see, this keeps book.

An alarm that rings again within FLAP_S of its end is the same alarm, opened again, acknowledged if it was. From the
third time on its source is unsteady: the alarm stays open until there was calm for FLAP_S, and counts. So a value that
dances around its threshold rings twice, not all night.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from msgspec import structs

from core.alarms.bells import Bell, Source
from core.alarms.condition import RINGS
from core.alarms.rules import fits
from core.alarms.texts import alarm_text, flapping_text, unit_of
from core.site_records import Alarm, AlarmState, Maintenance, RuleKind

FLAP_S = 600.0
UNSTEADY_RINGS = 3
_COUNTS_TOLD = frozenset({UNSTEADY_RINGS, 10, 30, 100, 300, 1000, 3000, 10_000})

NOBODY: frozenset[str] = frozenset()


class AlarmBook:
    """All alarms that ring, or are ignored while their condition lasts; `changes` are those to be told."""

    def __init__(self, first_id: int) -> None:
        self.ringing: dict[int, Bell] = {}
        self.calming: set[Bell] = set()
        self.changes: list[Alarm] = []
        self.groups: Mapping[str, AbstractSet[str]] = {}
        self.maintenances: tuple[Maintenance, ...] = ()
        self._active_maintenances: tuple[Maintenance, ...] | None = None
        self._next_id = first_id

    def turn(self, bell: Bell, turn: int, time_s: float, unit: str | None) -> None:
        """The condition of a bell rings or is over; `unit` where the value came with one."""
        if turn == RINGS:
            self._ring(bell, time_s, unit)
        else:
            self._end(bell, time_s)

    def _ring(self, bell: Bell, time_s: float, unit: str | None) -> None:
        alarm = bell.alarm
        maintenance = self._covering(bell)
        if bell.calm_s is not None:
            bell.calm_s = None
            self.calming.discard(bell)
            bell.rings += 1
            if alarm is not None and bell.rings in _COUNTS_TOLD:
                self._change(bell, structs.replace(alarm, changed_s=time_s, text=self._counted(bell, alarm, time_s)))
            return
        if alarm is not None and bell.over_s is not None and time_s - bell.over_s <= FLAP_S:
            if alarm.state is not AlarmState.IGNORED:
                self._reopen(bell, alarm, time_s, unit, maintenance)
                return
            if not bell.is_muted or maintenance is not None:
                bell.rings, bell.over_s = bell.rings + 1, None
                self.ringing[alarm.id] = bell
                return
        bell.rings, bell.over_s, bell.is_muted = 1, None, maintenance is not None
        fresh = Alarm(
            id=self._next_id,
            source=bell.source.source,
            rule=bell.rule.name,
            severity=bell.rule.severity,
            state=AlarmState.ACTIVE,
            since_s=time_s,
            changed_s=time_s,
            text="",
            quantity=bell.quantity,
        )
        self._next_id += 1
        self._change(bell, _muted(self._measured(bell, fresh, unit), maintenance, time_s))

    def _reopen(
        self, bell: Bell, alarm: Alarm, time_s: float, unit: str | None, maintenance: Maintenance | None
    ) -> None:
        bell.rings, bell.over_s, bell.is_muted = bell.rings + 1, None, maintenance is not None
        state = AlarmState.ACKNOWLEDGED if alarm.operator else AlarmState.ACTIVE
        again = self._measured(
            bell, structs.replace(alarm, state=state, changed_s=time_s, until_s=None), unit or alarm.unit
        )
        again = structs.replace(again, text=flapping_text(again.text, bell.rings, time_s - alarm.since_s))
        self._change(bell, _muted(again, maintenance, time_s))

    def _end(self, bell: Bell, time_s: float) -> None:
        bell.over_s = time_s
        alarm = bell.alarm
        if alarm is None:
            return
        if alarm.state is AlarmState.IGNORED:
            self.ringing.pop(alarm.id, None)
        elif bell.rings >= UNSTEADY_RINGS:
            bell.calm_s = time_s
            self.calming.add(bell)
        else:
            self._resolve(bell, time_s)

    def _resolve(self, bell: Bell, time_s: float) -> None:
        bell.calm_s = None
        alarm = bell.alarm
        if alarm is None or not alarm.state.is_open:
            return
        text = self._counted(bell, alarm, time_s) if bell.rings >= UNSTEADY_RINGS else alarm.text
        over = structs.replace(
            alarm, state=AlarmState.RESOLVED, changed_s=time_s, until_s=bell.over_s or time_s, text=text
        )
        self._change(bell, over)
        self.ringing.pop(alarm.id, None)

    def drop(self, bell: Bell, now_s: float) -> None:
        """End what a bell rings, and forget it: its rule or its source is gone."""
        self.calming.discard(bell)
        bell.over_s = None
        self._resolve(bell, now_s)
        if bell.alarm is not None:
            self.ringing.pop(bell.alarm.id, None)
        bell.alarm, bell.condition.is_ringing, bell.condition.since_s = None, False, None

    def _change(self, bell: Bell, alarm: Alarm) -> None:
        bell.alarm = alarm
        self.ringing[alarm.id] = bell
        self.changes.append(alarm)

    def _measured(self, bell: Bell, alarm: Alarm, unit: str | None) -> Alarm:
        """`alarm` with what its bell sees now."""
        kind, condition = bell.rule.kind, bell.condition
        value, threshold = condition.value, condition.threshold
        if kind is RuleKind.OFFLINE:
            value = threshold = None
        unit = "s" if kind is RuleKind.SILENT else unit or unit_of(bell.quantity)
        text = alarm_text(
            bell.rule, bell.source.source, bell.source.label, bell.quantity, value, threshold, unit, bell.reason
        )
        return structs.replace(alarm, value=value, threshold=threshold, unit=unit, text=text)

    def _counted(self, bell: Bell, alarm: Alarm, time_s: float) -> str:
        text = self._measured(bell, alarm, alarm.unit).text
        return flapping_text(text, bell.rings, time_s - alarm.since_s)

    def set_aside(self, ids: Iterable[int], state: AlarmState, operator: str, comment: str, now_s: float) -> None:
        """Acknowledge or ignore those of these alarms that are open."""
        for number in dict.fromkeys(ids):
            bell = self.ringing.get(number)
            if bell is None or bell.alarm is None or not bell.alarm.state.is_open:
                continue
            changed = structs.replace(
                bell.alarm,
                state=state,
                changed_s=now_s,
                operator=operator or None,
                comment=comment or None,
                until_s=now_s if state is AlarmState.IGNORED else None,
            )
            self._change(bell, changed)
            if state is AlarmState.IGNORED:
                bell.is_muted = False
                if bell.calm_s is not None:
                    bell.calm_s = None
                    self.calming.discard(bell)
                    self.ringing.pop(number, None)

    def go_on(self, bell: Bell, alarm: Alarm, now_s: float) -> None:
        """Let an alarm of before ring on."""
        active = [one for one in self.maintenances if one.start_s <= now_s < one.end_s]
        bell.alarm, bell.rings = alarm, 1
        bell.is_muted = alarm.state is AlarmState.IGNORED and self._covering(bell, active) is not None
        bell.condition.is_ringing, bell.condition.value = True, alarm.value
        self.ringing[alarm.id] = bell

    def end_orphan(self, alarm: Alarm, now_s: float) -> None:
        """End an alarm of before that no rule rings any more."""
        if alarm.state.is_open:
            over = structs.replace(alarm, state=AlarmState.RESOLVED, changed_s=now_s, until_s=now_s)
            self.changes.append(over)

    def renew(self, source: Source) -> None:
        """A source has new bells, which have taken over the alarms of its old ones."""
        self.calming = {bell for bell in self.calming if bell.source is not source}
        for bell in source.bells.values():
            if bell.alarm is not None and bell.alarm.id in self.ringing:
                self.ringing[bell.alarm.id] = bell
            if bell.calm_s is not None:
                self.calming.add(bell)

    def take(self, alarm: Alarm) -> None:
        """Take over what another program wrote of an alarm that is open here, where that is newer."""
        bell = self.ringing.get(alarm.id)
        own = bell.alarm if bell is not None else None
        if own is None or not own.state.is_open or alarm.changed_s < own.changed_s:
            return
        if alarm.state not in (AlarmState.ACKNOWLEDGED, AlarmState.IGNORED):
            return
        if (alarm.state, alarm.operator, alarm.comment) != (own.state, own.operator, own.comment):
            self.set_aside([alarm.id], alarm.state, alarm.operator or "", alarm.comment or "", alarm.changed_s)

    def look_at_calm(self, now_s: float) -> None:
        """End what was unsteady and has been calm for long enough."""
        for bell in [bell for bell in self.calming if now_s - (bell.calm_s or 0.0) >= FLAP_S]:
            self.calming.discard(bell)
            self._resolve(bell, now_s)

    def set_maintenances(self, maintenances: Iterable[Maintenance]) -> None:
        """Take all maintenances, present and future."""
        self.maintenances = tuple(maintenances)

    def set_groups(self, groups: Mapping[str, AbstractSet[str]]) -> None:
        """Take the groups of sources, which maintenances may name."""
        self.groups = groups
        self._active_maintenances = None

    def look_at_maintenances(self, now_s: float) -> None:
        """Mute what a maintenance covers that has begun, let ring again what rings on after one."""
        active = tuple(one for one in self.maintenances if one.start_s <= now_s < one.end_s)
        if active == self._active_maintenances:
            return
        self._active_maintenances = active
        for bell in list(self.ringing.values()):
            alarm = bell.alarm
            if alarm is None:
                continue
            maintenance = self._covering(bell)
            if maintenance is not None and alarm.state.is_open:
                bell.is_muted = True
                self._change(bell, _muted(structs.replace(alarm, changed_s=now_s), maintenance, now_s))
            elif maintenance is None and bell.is_muted:
                bell.is_muted = False
                if alarm.state is AlarmState.IGNORED and bell.condition.is_ringing:
                    again = structs.replace(
                        alarm, state=AlarmState.ACTIVE, changed_s=now_s, until_s=None, operator=None, comment=None
                    )
                    self._change(bell, again)

    def _covering(self, bell: Bell, active: Iterable[Maintenance] | None = None) -> Maintenance | None:
        """The maintenance of now that a bell is in."""
        source = bell.source.source
        for one in self._active_maintenances or () if active is None else active:
            if fits(one.source, source, self.groups.get(source, NOBODY)):
                return one
        return None


def _muted(alarm: Alarm, maintenance: Maintenance | None, now_s: float) -> Alarm:
    """`alarm` as a maintenance leaves it: kept, and not rung."""
    if maintenance is None:
        return alarm
    return structs.replace(
        alarm,
        state=AlarmState.IGNORED,
        until_s=now_s,
        operator=maintenance.operator or None,
        comment=maintenance.comment or None,
    )
