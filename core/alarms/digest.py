"""Alarms for people who are not looking: few words for many, so that two thousand lost machines are one notice."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from core.alarms.texts import name_of, title_of
from core.language import _, ngettext
from core.site_records import Alarm, AlarmSeverity, AlarmState

FEW = 3
"""So many alarms are told one by one; more are told by their rule."""

MOST_NOTICES = 4
"""More than so many rules at once are one notice."""

_NAMES_SHOWN = 5
_LINES_SHOWN = 20

QUIET_S, LONGEST_S = 1.0, 5.0
"""A burst is collected until so long nothing more came, and no longer than that."""

OVER_QUIET_S, OVER_LONGEST_S = 5.0, 60.0
"""The same for a burst in which all is over: machines come back in a minute, not at one stroke."""

_MOST_WAITING = 10_000


class AlarmNotice(Struct, frozen=True, kw_only=True):
    """What is told at once: `title` one line, `text` some lines; the greatest severity of its alarms.

    `is_over` where all of them are resolved.
    """

    title: str
    text: str
    severity: AlarmSeverity
    alarms: tuple[Alarm, ...]
    is_over: bool = False


def digest(alarms: Sequence[Alarm]) -> list[AlarmNotice]:
    """Notices of these alarms, the last state of each, worst first; those that are over after those that ring.

    Acknowledged and ignored ones are not told: somebody knows of them.
    """
    last = {alarm.id: alarm for alarm in alarms}
    ringing = [alarm for alarm in last.values() if alarm.state is AlarmState.ACTIVE]
    over = [alarm for alarm in last.values() if alarm.state is AlarmState.RESOLVED]
    return [*_notices(ringing, is_over=False), *_notices(over, is_over=True)]


def _notices(alarms: Sequence[Alarm], *, is_over: bool) -> list[AlarmNotice]:
    worst_first = sorted(alarms, key=lambda alarm: (-alarm.severity.rank, alarm.id))
    if len(worst_first) <= FEW:
        return [_notice((alarm,), is_over) for alarm in worst_first]
    by_rule: dict[str, list[Alarm]] = {}
    for alarm in worst_first:
        by_rule.setdefault(alarm.rule, []).append(alarm)
    if len(by_rule) > MOST_NOTICES:
        return [_notice(tuple(worst_first), is_over)]
    return [_notice(tuple(found), is_over) for found in by_rule.values()]


def _notice(alarms: tuple[Alarm, ...], is_over: bool) -> AlarmNotice:
    first = alarms[0]
    if len(alarms) == 1:
        title = _("Over: {text}").format(text=first.text) if is_over else first.text
        text = _by_name(alarms)
    else:
        rules = {alarm.rule for alarm in alarms}
        if len(rules) == 1:
            title = (
                _("Over: {count} × {rule}").format(count=len(alarms), rule=title_of(first.rule))
                if is_over
                else _("{count} × {rule}").format(count=len(alarms), rule=title_of(first.rule))
            )
            text = _by_name(alarms)
        else:
            title = (
                ngettext("{count} alarm is over", "{count} alarms are over", len(alarms))
                if is_over
                else ngettext("{count} alarm rings", "{count} alarms ring", len(alarms))
            ).format(count=len(alarms))
            text = _by_rule(alarms)
    return AlarmNotice(title=title, text=text, severity=first.severity, alarms=alarms, is_over=is_over)


def _by_name(alarms: Sequence[Alarm]) -> str:
    """Whose alarms they are, the first by name."""
    names = list(dict.fromkeys(name_of(alarm.source) for alarm in alarms))
    shown = ", ".join(names[:_NAMES_SHOWN])
    rest = len(names) - _NAMES_SHOWN
    if rest <= 0:
        return shown
    return ngettext("{names} and {count} more", "{names} and {count} more", rest).format(names=shown, count=rest)


def _by_rule(alarms: Sequence[Alarm]) -> str:
    counts: dict[str, int] = {}
    for alarm in alarms:
        counts[alarm.rule] = counts.get(alarm.rule, 0) + 1
    lines = [_("{count} × {rule}").format(count=count, rule=title_of(rule)) for rule, count in counts.items()]
    return "\n".join(lines[:_LINES_SHOWN])


class Digester:
    """Collects the alarms of a burst, those that begin to ring or are over, and gives their notices.

    Where all of them are over nobody is in a hurry: two thousand machines that come back one by one are told at once.
    An alarm that only changes (counted once more, acknowledged) is not told again. `now_s` is of any clock.
    """

    def __init__(
        self,
        severity: AlarmSeverity = AlarmSeverity.LOW,
        *,
        quiet_s: float = QUIET_S,
        longest_s: float = LONGEST_S,
    ) -> None:
        self.lost = 0
        self._severity = severity
        self._quiet_s, self._longest_s = quiet_s, longest_s
        self._waiting: dict[int, Alarm] = {}
        self._ringing: set[int] = set()
        self._first_s = self._last_s = 0.0
        self._is_urgent = False

    def __len__(self) -> int:
        return len(self._waiting)

    def set_severity(self, severity: AlarmSeverity) -> None:
        """Tell alarms from this severity on."""
        self._severity = severity

    def put(self, alarm: Alarm, now_s: float) -> bool:
        """Take an alarm in; False where it is not one to be told."""
        if alarm.severity.rank < self._severity.rank:
            return False
        if alarm.state is AlarmState.ACTIVE:
            if alarm.id in self._ringing:
                return False
            self._ringing.add(alarm.id)
        elif alarm.state is AlarmState.RESOLVED:
            self._ringing.discard(alarm.id)
        else:  # somebody knows of it, maybe before it was told
            if alarm.state is AlarmState.ACKNOWLEDGED:
                self._ringing.add(alarm.id)
            else:
                self._ringing.discard(alarm.id)
            self._waiting.pop(alarm.id, None)
            return False
        if alarm.id not in self._waiting and len(self._waiting) >= _MOST_WAITING:
            self.lost += 1
            return False
        rings = alarm.state is AlarmState.ACTIVE
        if not self._waiting or (rings and not self._is_urgent):
            self._first_s, self._is_urgent = now_s, rings
        self._last_s = now_s
        self._waiting[alarm.id] = alarm
        return True

    @property
    def due_s(self) -> float | None:
        """When the next notices are due; None while nothing waits."""
        if not self._waiting:
            return None
        if self._is_urgent:
            return min(self._last_s + self._quiet_s, self._first_s + self._longest_s)
        return min(
            self._last_s + max(self._quiet_s, OVER_QUIET_S), self._first_s + max(self._longest_s, OVER_LONGEST_S)
        )

    def take(self, now_s: float) -> list[AlarmNotice]:
        """The notices that are due now, mostly none."""
        due_s = self.due_s
        return [] if due_s is None or now_s < due_s else self.take_all()

    def take_all(self) -> list[AlarmNotice]:
        """The notices of all that waits, due or not."""
        waiting, self._waiting = list(self._waiting.values()), {}
        return digest(waiting)
