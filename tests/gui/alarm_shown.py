"""Alarms for the tests of the window."""

import time
from array import array

from core.records import SeriesPoints
from core.site_records import Alarm, AlarmSeverity, AlarmState


def alarm(number, source="machine/web-01", severity=AlarmSeverity.MEDIUM, state=AlarmState.ACTIVE, **fields):
    now_s = time.time()
    fields.setdefault("since_s", now_s - 60 * number)
    fields.setdefault("changed_s", now_s)
    fields.setdefault("text", f"CPU of {source.partition('/')[2]} above 90 % (96 %)")
    fields.setdefault("quantity", "cpu_percent")
    fields.setdefault("value", 96.0)
    fields.setdefault("threshold", 90.0)
    fields.setdefault("unit", "%")
    fields.setdefault("rule", "cpu high")
    return Alarm(id=number, source=source, severity=severity, state=state, **fields)


def points(name, start_s, values, *, step_s=60.0, unit="%"):
    """Points a step apart."""
    times = array("d", (start_s + step_s * at for at in range(len(values))))
    column = array("d", values)
    return SeriesPoints(name=name, unit=unit, time_s=times, minimum=column, mean=column, maximum=column)
