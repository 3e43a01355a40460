"""The simulated house: believable, the same for the same seed, and always labelled."""

from __future__ import annotations

from itertools import pairwise

import pytest

from core.meter.readings import readings_of_push
from core.meter.readings_21 import readings_of_data_sets
from core.meter.virtual_e450 import DAY_S, VirtualE450
from core.meter.virtual_telegrams import identification_line, push, readout
from core.protocol.iec62056_21 import decode_telegrams
from core.protocol.push import PushSession

MIDNIGHT = 1_772_323_200.0  # 2026-03-01, UTC
DAY = [VirtualE450(1).moment(MIDNIGHT + second) for second in range(0, DAY_S, 60)]


def test_the_same_seed_gives_the_same_day_whatever_was_asked_before():
    assert VirtualE450(1).moment(MIDNIGHT + 4321) == VirtualE450(1).moment(MIDNIGHT + 4321)
    assert VirtualE450(1).moment(MIDNIGHT + 4321) != VirtualE450(2).moment(MIDNIGHT + 4321)


def test_noon_exports_and_evening_imports():
    assert min(moment.power_w for moment in DAY[11 * 60 : 14 * 60]) < -1000
    assert max(moment.power_w for moment in DAY[18 * 60 : 21 * 60]) > 2000


def test_voltages_sag_below_the_limit_and_come_back():
    volts = [min(VirtualE450(1).moment(MIDNIGHT + second).voltage_v) for second in range(20_000)]
    assert min(volts) < 207
    assert 222 < sorted(volts)[len(volts) // 2] < 236
    assert max(max(moment.voltage_v) for moment in DAY) < 240


def test_counters_only_rise_also_over_midnight():
    meter = VirtualE450(7)
    seconds = [*range(0, DAY_S, 97), *range(DAY_S - 30, DAY_S + 30)]
    moments = [meter.moment(MIDNIGHT + second) for second in sorted(seconds)]
    for counter in ("energy_import_wh", "energy_export_wh", "reactive_import_varh"):
        values = [getattr(moment, counter) for moment in moments]
        assert values == sorted(values)
    assert moments[0].energy_import_wh > 0


def test_currents_fit_to_powers():
    for moment in DAY[::30]:
        for power, var, volts, amperes in zip(
            moment.active_power_w, moment.reactive_power_var, moment.voltage_v, moment.current_a, strict=True
        ):
            assert volts * amperes == pytest.approx((power**2 + var**2) ** 0.5)
        assert 49.9 < moment.frequency_hz < 50.1
        assert 0 < moment.power_factor <= 1


def test_its_readout_holds_all_fields_and_names_itself_simulated():
    (telegram,) = decode_telegrams(identification_line(9600) + readout(VirtualE450(1), MIDNIGHT + 43_200))
    told = readings_of_data_sets(telegram)
    assert told.is_simulated
    assert told.errors == ()
    found = told.measurement
    assert found.active_power_w < 0
    for field in found.__struct_fields__:
        if not field.endswith(("_t3_wh", "_t4_wh")):
            assert getattr(found, field) is not None, field


@pytest.mark.parametrize("layout", [1, 2, 3, 4])
@pytest.mark.parametrize("key", [None, bytes(16)])
def test_its_pushes_name_themselves_simulated(layout, key):
    session = PushSession(key, key)
    session.receive_data(push(VirtualE450(1), MIDNIGHT, layout, key=key, auth_key=key), 0.0)
    told = readings_of_push(session.next_event().telegram)
    assert told.is_simulated
    assert told.name == "LGZSIM00000001"
    assert 200 < told.measurement.voltage_l3_v < 250
    assert told.measurement.active_energy_import_wh > 1e6


def test_anomalies_are_there_on_request_and_its_counters_still_only_rise():
    usual, odd = VirtualE450(1), VirtualE450(1, has_anomalies=True)

    def at(meter, hour, minute):
        return meter.moment(MIDNIGHT + hour * 3600 + minute * 60)

    night = min(at(odd, 3, minute).power_w for minute in range(60))
    assert night > 250  # the leak: the base load never falls
    assert at(odd, 23, 15).power_w < -1000 < at(usual, 23, 15).power_w
    assert at(odd, 21, 10).power_w > at(usual, 21, 10).power_w + 7000
    phases = at(odd, 9, 45).active_power_w
    assert phases[2] - max(phases[:2]) > 3000
    energies = [odd.moment(MIDNIGHT + 900 * number).energy_import_wh for number in range(200)]
    assert energies == sorted(energies)
    usual_wh = usual.moment(MIDNIGHT + DAY_S).energy_import_wh - usual.moment(MIDNIGHT).energy_import_wh
    assert energies[96] - energies[0] == pytest.approx(2 * usual_wh)


def test_a_winter_takes_more_than_a_summer_and_no_two_days_take_the_same():
    meter = VirtualE450(1)
    counted = [meter.moment(MIDNIGHT + number * DAY_S).energy_import_wh for number in range(366)]
    days = [after - before for before, after in pairwise(counted)]
    assert all(4_000 < wh < 16_000 for wh in days)
    assert len({round(wh) for wh in days}) > 300
    winter, summer = sum(days[-60:]), sum(days[120:180])
    assert winter > 1.3 * summer
    exported = [meter.moment(MIDNIGHT + number * DAY_S).energy_export_wh for number in range(366)]
    assert exported == sorted(exported)
