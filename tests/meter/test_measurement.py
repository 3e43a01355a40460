from __future__ import annotations

import pytest

from core.meter.measurement import measurement_of
from core.meter.quality import quality_of, worse
from core.records import Quality, Reading


def reading(obis, quantity, value, unit, quality=Quality.GOOD) -> Reading:
    return Reading(obis=obis, quantity=quantity, value=value, unit=unit, quality=quality)


def test_units_become_the_fixed_ones():
    moment = measurement_of(
        [
            reading("1.8.0", "active_energy_import", 1234.5, "kWh"),
            reading("1.8.1", "active_energy_import_t1", 1000, "Wh"),
            reading("16.7.0", "active_power", -1.5, "kW"),
            reading("32.7.0", "voltage_l1", 230.1, "V"),
            reading("31.7.0", "current_l1", 523, "mA"),
            reading("13.7.0", "power_factor", 0.98, None),
            reading("14.7.0", "frequency", 50.01, "Hz"),
            reading("12.7.124", "thd_voltage", 2.5, "%"),
        ]
    )
    assert moment.active_energy_import_wh == 1_234_500
    assert moment.active_energy_import_t1_wh == 1000
    assert moment.active_power_w == -1500
    assert moment.voltage_l1_v == 230.1
    assert moment.current_l1_a == pytest.approx(0.523)
    assert moment.power_factor == 0.98
    assert moment.frequency_hz == 50.01
    assert moment.thd_voltage_percent == 2.5


def test_the_total_power_is_import_less_export_where_the_meter_gives_no_signed_one():
    pair = [
        reading("1.7.0", "active_power_import", 0, "W"),
        reading("2.7.0", "active_power_export", 740, "W"),
    ]
    assert measurement_of(pair).active_power_w == -740
    assert measurement_of([*pair, reading("16.7.0", "active_power", -739, "W")]).active_power_w == -739
    assert measurement_of(pair[:1]).active_power_w == 0
    assert measurement_of([reading("2.7.0", "active_power_export", 0, "W")]).active_power_w is None


def test_phases_and_reactive_power_are_differences_too():
    moment = measurement_of(
        [
            reading("1-0:21.7.0*255", "active_power_import_l1", 0, "W"),
            reading("1-0:22.7.0*255", "active_power_export_l1", 300, "W"),
            reading("1-0:3.7.0*255", "reactive_power", 10, "var"),
            reading("1-0:4.7.0*255", None, 622, "var"),
        ]
    )
    assert moment.active_power_l1_w == -300
    assert moment.reactive_power_var == -612
    net = measurement_of([reading("131.7.0", "reactive_power", 5, "var"), reading("3.7.0", "reactive_power", 9, "var")])
    assert net.reactive_power_var == 5


def test_what_is_absent_is_never_zero_and_an_unknown_unit_is_no_curve():
    moment = measurement_of([reading("1.7.0", "active_power_import", 5, "W")])
    assert moment.voltage_l1_v is None
    assert measurement_of([reading("1.8.0", "active_energy_import", 5, None)]) is None
    assert measurement_of([reading("1.8.0", "active_energy_import", "text", "Wh")]) is None
    assert measurement_of([]) is None


def test_the_quality_is_the_worst_of_what_it_holds():
    readings = [
        reading("1.7.0", "active_power_import", 5, "W"),
        reading("32.7.0", "voltage_l1", 0, "V", Quality.ERROR),
        reading("52.7.0", "voltage_l2", 0, "V", Quality.WARNING),
    ]
    assert measurement_of(readings).quality is Quality.ERROR
    assert measurement_of(readings[:1]).quality is Quality.GOOD
    assert measurement_of([reading("2.7.0", "active_power_export", 5, "W")]).quality is Quality.WARNING


@pytest.mark.parametrize(
    ("quantity", "value", "quality"),
    [
        ("voltage_l1", 230.0, Quality.GOOD),
        ("voltage_l1", 180.0, Quality.GOOD),
        ("voltage_l1", 179.9, Quality.WARNING),
        ("voltage_l2", 260.1, Quality.WARNING),
        ("voltage_l3", -1.0, Quality.ERROR),
        ("frequency", 50.0, Quality.GOOD),
        ("frequency", 49.4, Quality.WARNING),
        ("frequency", 500.0, Quality.ERROR),
        ("active_power", -1.0, Quality.WARNING),
        ("active_power_l1", -1.0, Quality.WARNING),
        ("reactive_power", -1.0, Quality.GOOD),
        ("active_energy_import", -1.0, Quality.ERROR),
        ("active_power", float("nan"), Quality.ERROR),
        ("power_factor", -0.98, Quality.GOOD),
        ("power_factor_l1", 1.2, Quality.ERROR),
        ("thd_voltage", 9.0, Quality.WARNING),
        ("thd_current", 40.0, Quality.GOOD),
        ("thd_current", -1.0, Quality.ERROR),
        ("current_l1", -1.0, Quality.WARNING),
        ("apparent_power", -1.0, Quality.ERROR),
        (None, -1.0, Quality.GOOD),
        ("voltage_l1", "text", Quality.GOOD),
    ],
)
def test_what_is_out_of_the_ordinary_is_flagged(quantity, value, quality):
    assert quality_of(quantity, value) is quality


def test_the_worse_flag_wins():
    assert worse(Quality.GOOD, Quality.WARNING) is Quality.WARNING
    assert worse(Quality.ERROR, Quality.WARNING) is Quality.ERROR
