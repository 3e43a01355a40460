"""An alarm as other programs read it: the JSON of the command line and of the webhook, the rows of an export."""

from __future__ import annotations

from core.site_records import Alarm
from core.times import iso_time


def alarm_document(alarm: Alarm) -> dict[str, object]:
    """The object of one alarm; every key is there, None where it is not known; times are UTC in ISO 8601."""
    return {
        "id": alarm.id,
        "source": alarm.source,
        "rule": alarm.rule,
        "severity": alarm.severity.value,
        "state": alarm.state.value,
        "value": alarm.value,
        "threshold": alarm.threshold,
        "since": iso_time(alarm.since_s),
        "until": iso_time(alarm.until_s),
        "operator": alarm.operator,
        "comment": alarm.comment,
        "text": alarm.text,
    }
