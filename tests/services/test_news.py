"""What waits for a slow reader: the latest of each state, all else in order, never more than the limit."""

from __future__ import annotations

from core.records import Event, Severity
from core.services.news import FEW_MEASURES, SENSORS_S, News
from core.site_records import Alarm, AlarmSeverity, AlarmState, SensorBatch, SensorMeasure


class Clock:
    """Seconds that pass when told."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def batch(count: int, value: float, first: int = 0) -> SensorBatch:
    return SensorBatch(
        measures=tuple(
            SensorMeasure(sensor=f"s{first + number}", quantity="temperature_c", value=value, time_s=value)
            for number in range(count)
        )
    )


def alarm(number: int, state: AlarmState) -> Alarm:
    return Alarm(
        id=number,
        source="machine/m",
        rule="r",
        severity=AlarmSeverity.LOW,
        state=state,
        since_s=0,
        changed_s=0,
        text="",
    )


def event(number: int) -> Event:
    return Event(time_s=number, source="s", kind="k", severity=Severity.INFO, text="t")


def test_a_flood_of_measures_is_the_last_value_of_each_series_twice_a_second() -> None:
    clock, woken = Clock(), []
    news = News(lambda: woken.append(1), clock=clock)
    handed_over = []
    for step in range(200):  # 20,000 measures a second for 10 s, asked every 50 ms
        clock.now_s = step * 0.05
        news.put(batch(1000, float(step)))
        delivery, wait_s = news.take()
        handed_over += [len(record.measures) for record in delivery.others]
        assert wait_s is None or 0 < wait_s <= SENSORS_S
    assert handed_over
    assert set(handed_over) == {1000}
    assert len(handed_over) <= 10 / SENSORS_S + 1
    clock.now_s += SENSORS_S
    delivery, wait_s = news.take()
    assert {measure.value for record in delivery.others for measure in record.measures} <= {199.0}
    assert news.take() == (delivery.__class__((), ()), None)
    assert news.lost == 0


def test_few_measures_are_handed_over_at_once() -> None:
    news = News(lambda: None, clock=Clock())
    for value in (1.0, 2.0):
        news.put(batch(FEW_MEASURES, value))
        (delivery, wait_s) = news.take()
        assert [measure.value for measure in delivery.others[0].measures] == [value] * FEW_MEASURES
        assert wait_s is None


def test_series_beyond_the_limit_are_counted() -> None:
    news = News(lambda: None, limit=10)
    news.put(batch(25, 1.0))
    assert len(news.take()[0].others[0].measures) == 10
    assert news.lost == 15


def test_of_an_alarm_only_its_latest_state_waits() -> None:
    news = News(lambda: None)
    for state in (AlarmState.ACTIVE, AlarmState.ACKNOWLEDGED, AlarmState.RESOLVED):
        news.put(alarm(1, state))
    news.put(alarm(2, AlarmState.ACTIVE))
    found = [(record.id, record.state) for record in news.take()[0].others]
    assert found == [(1, AlarmState.RESOLVED), (2, AlarmState.ACTIVE)]


def test_a_reader_is_woken_once_until_it_has_taken() -> None:
    woken: list[int] = []
    news = News(lambda: woken.append(1))
    for number in range(5):
        news.put(event(number))
    assert woken == [1]
    assert [record.time_s for record in news.take()[0].others] == [0, 1, 2, 3, 4]
    news.put(event(5))
    assert woken == [1, 1]


def test_closed_news_hold_nothing() -> None:
    news = News(lambda: None)
    news.put(event(1))
    news.close()
    news.put(event(2))
    assert not news.take()[0]
