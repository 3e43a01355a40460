"""The past of a simulated meter goes on into what it says now."""

from __future__ import annotations

import pytest

from core.meter.readings import readings_of_push
from core.meter.virtual_e450 import VirtualE450
from core.meter.virtual_telegrams import push
from core.protocol.push import PushSession
from core.services.simulated_past import PERIODS, simulated_past
from core.store.history import History

NOW = 1_772_366_400.0 + 0.4  # 2026-03-01 12:00 UTC
SHORT = ((120, 1), (7_200, 60), (3 * 86_400, 900))


def test_it_comes_newest_first_each_moment_once_and_marked_simulated():
    batches = list(simulated_past("E450", NOW, periods=SHORT))
    assert all([one.time_s for one in batch] == sorted(one.time_s for one in batch) for batch in batches)
    assert [batch[-1].time_s for batch in batches] == sorted((batch[-1].time_s for batch in batches), reverse=True)
    times = sorted(one.time_s for batch in batches for one in batch)
    assert len(times) == len(set(times))
    assert times[-1] < NOW
    assert times[0] <= NOW - 3 * 86_400 + 900
    assert all(one.is_simulated for batch in batches for one in batch)


def test_it_says_what_the_simulated_meter_sends():
    past = next(simulated_past("E450", NOW, periods=SHORT))[-1]
    session = PushSession()
    session.receive_data(push(VirtualE450(1), past.time_s, 2), 0.0)
    sent = readings_of_push(session.next_event().telegram).measurement
    for field in sent.__struct_fields__:
        if field != "quality":
            assert getattr(past.measurement, field) == pytest.approx(getattr(sent, field), abs=1.01), field


def test_a_history_filled_with_it_has_curves_without_a_gap_and_counts_each_hour(tmp_path):
    with History.open(tmp_path / "past.db") as history:
        for batch in simulated_past("E450", NOW, periods=PERIODS[:4]):
            history.write(batch)
        while history.fold_step(NOW):
            pass
        for hours in (0.03, 1, 24, 7 * 24, 35 * 24):
            (points,) = history.meter_points("E450", ["active_power_w"], NOW - hours * 3600, NOW)
            assert not any(value != value for value in points.mean), hours
        counted = history.energy("E450", [NOW - hour * 3600 for hour in range(48, -1, -1)])
        assert all(wh is not None and wh >= 0 for wh in counted)
        assert sum(counted) > 10_000


def test_it_reaches_back_a_year_with_few_readings():
    assert max(back_s for back_s, _period_s in PERIODS) > 366 * 86_400
    assert sum(1 for _back_s, period_s in PERIODS if period_s > 3600) == 0  # counters further apart are not known
