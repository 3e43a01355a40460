from __future__ import annotations

import pytest
from msgspec.structs import replace

from core.meter.measurement import measurement_of
from core.meter.registers import RegisterWatch
from core.records import MeterIdentity, MeterReadings, Quality, Reading

NAMES = {
    "1-0:1.8.0*255": "active_energy_import",
    "1-0:1.8.1*255": "active_energy_import_t1",
    "1-0:1.8.2*255": "active_energy_import_t2",
    "1-0:1.7.0*255": "active_power_import",
}


def telegram(unit: str = "Wh", **values: float) -> MeterReadings:
    codes = {name[1:].replace("_", "."): value for name, value in values.items()}
    readings = [
        Reading(obis=f"1-0:{code}*255", quantity=NAMES[f"1-0:{code}*255"], value=value, raw=value, unit=unit)
        for code, value in codes.items()
    ]
    return MeterReadings(
        name="m", protocol="push", meter=MeterIdentity(), time_s=0.0, readings=tuple(readings),
        measurement=measurement_of(readings),
    )  # fmt: skip


def test_registers_that_rise_or_rest_are_left_as_they_are():
    watch = RegisterWatch()
    for value in (100, 100, 101, 5_000_000):
        one = telegram(c1_8_0=value, c1_7_0=1000 - value)
        assert watch.checked(one) is one


def test_a_register_that_falls_is_kept_flagged_and_told_once():
    watch = RegisterWatch()
    watch.checked(telegram(c1_8_0=12_345))
    fallen = watch.checked(telegram(c1_8_0=12_000))
    assert fallen.readings[0].value == 12_000
    assert fallen.readings[0].quality is Quality.WARNING
    assert fallen.measurement.quality is Quality.WARNING
    assert fallen.errors == ("1-0:1.8.0*255 has fallen from 12345 to 12000; energy registers only rise",)
    assert not watch.checked(telegram(c1_8_0=12_001)).errors


@pytest.mark.parametrize(("last", "value"), [(99_999, 3), (4_294_967_000, 12), (999_999_990, 5)])
def test_a_register_that_has_come_round_is_told_as_that(last, value):
    watch = RegisterWatch()
    watch.checked(telegram(c1_8_0=last))
    assert "has come round" in watch.checked(telegram(c1_8_0=value)).errors[0]


def test_a_register_that_rises_faster_than_a_meter_counts_is_flagged_and_kept():
    watch = RegisterWatch()
    watch.checked(replace(telegram(c1_8_0=12_345_000), time_s=1000.0))
    assert not watch.checked(replace(telegram(c1_8_0=12_346_000), time_s=1001.0)).errors
    wild = watch.checked(replace(telegram(c1_8_0=900_012_346_000), time_s=1002.0))
    assert "900012346000 in 1 s; no meter counts so fast" in wild.errors[0]
    assert wild.readings[0].quality is Quality.WARNING
    assert wild.readings[0].value == 900_012_346_000
    after = RegisterWatch()
    after.checked(replace(telegram(unit="kWh", c1_8_0=1000), time_s=0.0))
    assert not after.checked(replace(telegram(unit="kWh", c1_8_0=90_000), time_s=86_400.0)).errors


def test_tariffs_may_be_less_than_their_total_but_never_more():
    assert not RegisterWatch().checked(telegram(c1_8_0=100, c1_8_1=60, c1_8_2=40)).errors
    assert not RegisterWatch().checked(telegram(c1_8_0=100, c1_8_1=60)).errors
    assert not RegisterWatch().checked(telegram(c1_8_0=100, c1_8_1=60, c1_8_2=42)).errors
    assert not RegisterWatch().checked(telegram(unit="kWh", c1_8_0=100.1, c1_8_1=60.1, c1_8_2=40.1)).errors
    more = RegisterWatch().checked(telegram(c1_8_0=100, c1_8_1=60, c1_8_2=50))
    assert more.errors == ("the tariffs of 1-0:1.8.0*255 add up to 110, more than its 100",)
    assert [reading.quality for reading in more.readings] == [Quality.WARNING, Quality.GOOD, Quality.GOOD]


def test_what_is_kept_is_bounded():
    watch = RegisterWatch()
    for number in range(2000):
        readings = (Reading(obis=f"1-{number}:1.8.0*255", quantity="active_energy_import", value=1, raw=1),)
        watch.checked(MeterReadings(name="m", protocol="push", meter=MeterIdentity(), time_s=None, readings=readings))
    assert len(watch._last) <= 256
