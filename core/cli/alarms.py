"""`beffroi alarms list` and `beffroi alarms acknowledge`."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.alarms.documents import alarm_document
from core.alarms.texts import title_of
from core.cli.output import local_time, print_json, print_problem, print_table, print_text
from core.cli.parser import whole_number
from core.config import Config, database_location, load_config
from core.errors import UsageError
from core.language import N_, _
from core.site_records import Alarm, AlarmState
from core.store.history import History

MOST_LISTED = 10_000
_ALL = 2**31

_STATES = {
    AlarmState.ACTIVE: N_("active"),
    AlarmState.ACKNOWLEDGED: N_("acknowledged"),
    AlarmState.RESOLVED: N_("resolved"),
    AlarmState.IGNORED: N_("ignored"),
}
_SEVERITIES = {"low": N_("low"), "medium": N_("medium"), "high": N_("high"), "critical": N_("critical")}


def register(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the group `alarms`."""
    group = commands.add_parser("alarms", parents=[common], help=_("list alarms, and say that they are seen"))
    actions = group.add_subparsers(metavar=_("ACTION"), required=True)

    listed = actions.add_parser("list", parents=[common], help=_("list the alarms that are open"))
    listed.add_argument("--all", action="store_true", help=_("also those that are resolved or ignored"))
    listed.add_argument(
        "--state",
        action="append",
        choices=[state.value for state in AlarmState],
        metavar="STATE",
        help=_("only those in this state: active, acknowledged, resolved or ignored; repeatable"),
    )
    listed.set_defaults(handler=list_alarms, empty_document=[])

    seen = actions.add_parser(
        "acknowledge",
        parents=[common],
        help=_("say that an alarm is seen, and by whom"),
        description=_("A window or a collect of this home shows it within a second."),
    )
    seen.add_argument("ids", nargs="+", type=whole_number, metavar="ID", help=_("number of the alarm, as in the list"))
    seen.add_argument("--comment", default="", metavar="TEXT", help=_("what is done about it"))
    seen.set_defaults(handler=acknowledge, empty_document=[])


def list_alarms(options: argparse.Namespace) -> int:
    """Print alarms, newest first; the open ones unless more are asked for."""
    _config, location = _settings(options)
    states: list[AlarmState] | None = [state for state in AlarmState if state.is_open]
    if options.state:
        states = [AlarmState(state) for state in options.state]
    elif options.all:
        states = None
    found: Sequence[Alarm] = ()
    if isinstance(location, Path) and not location.exists():
        print_problem(_("{path}: there is no history yet").format(path=location))
    else:
        with History.open(location, create=False) as history:
            found = history.alarms(states, limit=MOST_LISTED)
        if len(found) == MOST_LISTED:
            print_problem(_("only the newest {count} alarms are listed").format(count=MOST_LISTED))
    if options.json:
        print_json([alarm_document(alarm) for alarm in found])
    elif found:
        print_table(
            (_("No."), _("Severity"), _("State"), _("Since"), _("Source"), _("Rule"), _("Text"), _("By"), _("Comment")),
            [_row(alarm) for alarm in found],
        )
    else:
        print_text(_("no alarm is open") if states and not options.state else _("no such alarm"))
    return 0


def acknowledge(options: argparse.Namespace) -> int:
    """Acknowledge alarms in the history, where whoever watches them sees it; 1 where one of them is over."""
    config, location = _settings(options)
    ids = list(dict.fromkeys(options.ids))
    if isinstance(location, Path) and not location.exists():
        raise UsageError(_("{path}: there is no history yet").format(path=location))
    with History.open(location, create=False) as history:
        known = {alarm.id: alarm for alarm in history.alarms(limit=_ALL) if alarm.id in ids}
        unknown = [number for number in ids if number not in known]
        if unknown:
            raise UsageError(
                _("there is no alarm {number}; see: beffroi alarms list").format(
                    number=", ".join(str(number) for number in unknown)
                )
            )
        wanted = [number for number in ids if known[number].state is AlarmState.ACTIVE or options.comment]
        changed = history.change_alarms(
            wanted, AlarmState.ACKNOWLEDGED, config.operator, options.comment[:1000], time.time()
        )
    now = {alarm.id: alarm for alarm in changed}
    failed = False
    for number in ids:
        alarm = now.get(number, known[number])
        if number in now:
            if not options.json:
                print_text(_("alarm {number} is acknowledged: {text}").format(number=number, text=alarm.text))
        elif alarm.state is AlarmState.ACKNOWLEDGED:
            print_problem(
                _("alarm {number} was acknowledged already, by {operator}").format(
                    number=number, operator=alarm.operator or "–"
                )
            )
        else:
            failed = True
            print_problem(
                _("alarm {number} is {state} since {time}; there is nothing to acknowledge").format(
                    number=number, state=_(_STATES[alarm.state]), time=local_time(alarm.until_s or alarm.changed_s)
                )
            )
    if options.json:
        print_json([alarm_document(now.get(number, known[number])) for number in ids])
    return 1 if failed else 0


def _row(alarm: Alarm) -> tuple[object, ...]:
    return (
        alarm.id,
        _(_SEVERITIES[alarm.severity.value]),
        _(_STATES[alarm.state]),
        local_time(alarm.since_s),
        alarm.source,
        title_of(alarm.rule),
        alarm.text,
        alarm.operator,
        alarm.comment,
    )


def _settings(options: argparse.Namespace) -> tuple[Config, Path | str]:
    config, warnings = load_config(options.home)
    for warning in warnings:
        print_problem(warning)
    return config, database_location(config, options.home)
