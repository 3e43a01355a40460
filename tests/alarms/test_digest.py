"""Few words for many alarms."""

from __future__ import annotations

from alarm_records import alarm

from core.alarms.digest import OVER_QUIET_S, Digester, digest
from core.site_records import AlarmSeverity, AlarmState

LOST = [alarm(number) for number in range(1, 2001)]


def over(number: int):
    return alarm(number, state=AlarmState.RESOLVED)


def test_two_thousand_machines_lost_at_once_are_one_notice():
    (notice,) = digest(LOST)
    assert notice.title == "2000 × Machine offline"
    assert notice.text == "m1, m2, m3, m4, m5 and 1995 more"
    assert (notice.severity, len(notice.alarms)) == (AlarmSeverity.HIGH, 2000)


def test_a_few_are_told_one_by_one_worst_first():
    few = [alarm(1), alarm(2, severity=AlarmSeverity.CRITICAL)]
    assert [(one.title, one.text) for one in digest(few)] == [
        ("m2 has been offline for 30 s", "m2"),
        ("m1 has been offline for 30 s", "m1"),
    ]


def test_many_of_a_few_rules_are_a_notice_a_rule_and_of_many_rules_one():
    few = [alarm(number, rule=("cpu high", "disk full")[number % 2]) for number in range(10)]
    assert sorted(one.title for one in digest(few)) == ["5 × CPU high", "5 × Disk full"]
    many = [alarm(number, rule=f"rule {number % 9}") for number in range(18)]
    (notice,) = digest(many)
    assert notice.title == "18 alarms ring"
    assert "2 × rule 3" in notice.text.splitlines()


def test_what_is_over_is_told_after_what_rings_and_the_last_state_counts():
    told = digest([alarm(1), alarm(2), over(1)])
    assert [(one.title, one.is_over) for one in told] == [
        ("m2 has been offline for 30 s", False),
        ("Over: m1 has been offline for 30 s", True),
    ]


def test_acknowledged_and_ignored_alarms_are_not_told():
    assert digest([alarm(1, state=AlarmState.ACKNOWLEDGED), alarm(2, state=AlarmState.IGNORED)]) == []


def test_a_burst_is_collected_until_it_is_quiet_and_no_longer_than_its_time():
    digester = Digester(quiet_s=1.0, longest_s=5.0)
    for number, one in enumerate(LOST):
        digester.put(one, number * 0.001)
        assert digester.take(number * 0.001) == []
    assert digester.take(2.9) == []
    assert [len(notice.alarms) for notice in digester.take(3.0)] == [2000]
    assert digester.due_s is None


def test_a_burst_without_an_end_is_told_all_the_same():
    digester = Digester(quiet_s=1.0, longest_s=5.0)
    told = []
    for tenth in range(110):
        digester.put(alarm(tenth), tenth / 10)
        told += digester.take(tenth / 10)
    assert [len(notice.alarms) for notice in told] == [51, 51]


def test_machines_that_come_back_one_by_one_are_told_at_once():
    digester = Digester()
    notices = []
    for number in range(600):
        digester.put(over(number), number / 20)
        notices += digester.take(number / 20)
    assert notices == []
    (notice,) = digester.take(30.0 + OVER_QUIET_S)
    assert notice.title == "Over: 600 × Machine offline"


def test_what_rings_while_others_come_back_waits_no_longer_for_that():
    digester = Digester(quiet_s=1.0, longest_s=5.0)
    digester.put(over(1), 0.0)
    digester.put(alarm(2), 20.0)
    digester.put(over(3), 20.5)
    assert digester.take(21.4) == []
    assert {one.alarms[0].id for one in digester.take(21.5)} == {1, 2, 3}
    digester.put(over(4), 30.0)
    assert digester.take(32.0) == []


def test_an_alarm_that_only_changes_is_not_told_again():
    digester = Digester()
    assert digester.put(alarm(1), 0.0)
    assert digester.take(1.0)
    assert not digester.put(alarm(1, text="m1 is offline; rang 10 times in 1 min"), 2.0)
    assert not digester.put(alarm(1, state=AlarmState.ACKNOWLEDGED), 3.0)
    assert digester.put(over(1), 4.0)
    assert digester.put(alarm(1), 5.0)


def test_what_somebody_acknowledged_at_once_is_not_told():
    digester = Digester()
    digester.put(alarm(1), 0.0)
    digester.put(alarm(1, state=AlarmState.ACKNOWLEDGED), 0.5)
    assert digester.take(10.0) == []


def test_what_a_maintenance_had_muted_is_told_when_it_rings_after_it():
    digester = Digester()
    assert not digester.put(alarm(1, state=AlarmState.IGNORED), 0.0)
    assert digester.put(alarm(1), 1.0)


def test_alarms_below_the_severity_are_not_told():
    digester = Digester(AlarmSeverity.CRITICAL)
    assert not digester.put(alarm(1), 0.0)


def test_what_waits_is_bounded():
    digester = Digester()
    for number in range(30_000):
        digester.put(alarm(number), 0.0)
    assert (len(digester), digester.lost) == (10_000, 20_000)
