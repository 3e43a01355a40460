"""Objects of DLMS meters as readings; rows of their load profiles as rows and measurements."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import RemoteProtocolError
from core.meter.profile import ProfileMeasurements
from core.meter.profile_dlms import CaptureObject, ProfileRows, capture_objects_of, clock_octets, deviation_of
from core.meter.readings_dlms import (
    CosemObject,
    ScalerUnit,
    code_of,
    identity_of,
    is_simulated,
    objects_named,
    objects_of,
    reading_of,
    scaler_unit_of,
    usual_objects,
)
from core.meter_records import ProfileColumn, ProfileRow
from core.protocol.axdr import Enumerated
from core.records import Quality

CLOCK = CaptureObject(8, bytes((0, 0, 1, 0, 0, 255)), 2)
STATUS = CaptureObject(1, bytes((0, 0, 96, 10, 1, 255)), 2)
ENERGY = CaptureObject(3, bytes((1, 0, 1, 8, 0, 255)), 2)
EXPORT = CaptureObject(3, bytes((1, 0, 2, 8, 0, 255)), 2)
DEMAND = CaptureObject(5, bytes((1, 0, 1, 4, 0, 255)), 3)
WATT_HOURS = ScalerUnit(0, 30)
NOON_S = 1_714_564_800.0
"""2024-05-01T12:00Z"""


def register(*groups: int, class_id: int = 3) -> CosemObject:
    return CosemObject(class_id, bytes(groups))


@pytest.mark.parametrize(
    ("scaler", "unit", "raw", "value", "text"),
    [(0, 30, 12345678, 12345678, "Wh"), (-1, 35, 2301, 230.1, "V"), (-2, 33, 523, 5.23, "A"), (3, 30, 5, 5000, "Wh")],
)
def test_a_number_has_the_scaler_and_unit_of_its_register(scaler, unit, raw, value, text):
    reading = reading_of(register(1, 0, 32, 7, 0, 255), raw, scaler_unit_of((scaler, Enumerated(unit))))
    assert (reading.raw, reading.value, reading.unit, reading.scaler_source) == (raw, value, text, "meter")


def test_a_register_without_scaler_has_no_unit():
    reading = reading_of(register(1, 0, 1, 8, 0, 255), 7, scaler_unit_of(None))
    assert (reading.value, reading.unit, reading.scaler_source) == (7, None, None)


def test_a_voltage_out_of_the_ordinary_is_kept_and_flagged():
    reading = reading_of(register(1, 0, 32, 7, 0, 255), 1500, ScalerUnit(-1, 35))
    assert (reading.value, reading.quality) == (150.0, Quality.WARNING)


def test_a_clock_is_told_as_the_meter_has_it():
    octets = clock_octets(NOON_S, -120)
    assert reading_of(register(0, 0, 1, 0, 0, 255, class_id=8), octets, None).value == "2024-05-01T14:00:00+02:00"
    assert deviation_of(octets) == -120


@pytest.mark.parametrize("scaler", [(99, 30), (1,), "x", None, [0, 30], (0, "Wh")])
def test_a_scaler_that_is_none_is_none(scaler):
    assert scaler_unit_of(scaler) is None


def listed(*objects: CosemObject) -> list[tuple[int, int, bytes]]:
    return [(one.class_id, 0, one.logical_name) for one in objects]


def test_the_usual_quantities_are_those_that_a_list_names_on_any_channel():
    ours = [register(1, 1, 16, 7, 0, 255), register(1, 1, 1, 8, 0, 255, class_id=4), register(1, 1, 1, 8, 2, 255)]
    others = [
        register(1, 1, 1, 8, 0, 101),
        register(0, 0, 96, 1, 0, 255, class_id=1),
        register(1, 0, 99, 1, 0, 255, class_id=7),
    ]
    found = usual_objects(objects_of(listed(*others, *ours)))
    assert set(found) == set(ours)


def test_without_a_list_the_codes_of_the_seed_are_asked_for():
    codes = {str(one.code) for one in usual_objects(None)}
    assert {"1-0:1.8.0*255", "1-0:16.7.0*255", "1-0:14.7.0*255", "1-0:11.7.124*255", "1-0:13.7.0*255"} <= codes
    assert len(codes) < 32


def test_what_may_not_be_read_is_not_asked_for():
    def rights(mode: int) -> tuple[object, ...]:
        return ([(1, Enumerated(1), None), (2, Enumerated(mode), None)], [])

    energy = bytes((1, 0, 1, 8, 0, 255))
    for mode, is_readable in ((0, False), (1, True), (2, False), (3, True)):
        (one,) = objects_of([(3, 0, energy, rights(mode))])
        assert one.is_readable is is_readable
        assert (usual_objects([one]) == (one,)) is is_readable


@pytest.mark.parametrize("text", ["1.8.0", "1-0:1.8.0", "1-0:1.8.0*255", "1.0.1.8.0.255"])
def test_a_code_is_taken_however_it_is_written(text):
    energy = register(1, 0, 1, 8, 0, 255)
    assert objects_named(text, None) == (energy,)
    assert objects_named(text, [register(1, 0, 2, 8, 0, 255), energy]) == (energy,)


def test_codes_without_a_list_have_the_class_that_they_should_have():
    assert objects_named("0-0:42.0.0*255", None)[0].class_id == 1
    assert objects_named("0-0:1.0.0*255", None)[0].class_id == 8
    with pytest.raises(RemoteProtocolError):
        objects_named("F.F", None)
    with pytest.raises(RemoteProtocolError):
        code_of("1.2.3.4.5.999")


def test_a_meter_is_known_by_its_device_name_and_number():
    identity = identity_of(b"LGZ1030655934512", b"12345678", None)
    assert (identity.manufacturer, identity.serial_number) == ("LGZ", "12345678")
    assert identity_of(b"LGZ1030655934512", None, None).serial_number == "LGZ1030655934512"
    assert identity_of(None, None, b"ISK\0\0\0\0\1").manufacturer == "ISK"
    assert is_simulated(b"LGZSIM12", None)
    assert not is_simulated(b"LGZ12", b"LGZ\0\0\0\0\1")


ANYTHING = st.recursive(
    st.none() | st.integers() | st.binary(max_size=12) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner, inner),
    max_leaves=12,
)


@given(ANYTHING)
def test_lists_and_columns_of_any_shape_raise_nothing_else(value):
    for decode in (objects_of, capture_objects_of):
        try:
            decode(value)
        except RemoteProtocolError:
            pass
    try:
        ProfileRows([CLOCK, ENERGY], {}, 900.0, 0.0, 2e9).of_elements([value])
    except RemoteProtocolError:
        pass


def rows_of(elements, objects=(CLOCK, ENERGY), scalers=None, period_s=900.0, start_s=0.0, end_s=2e9):
    return ProfileRows(objects, scalers or {}, period_s, start_s, end_s).of_elements(elements)


def test_rows_have_times_in_utc_and_values_in_units():
    rows = rows_of([(clock_octets(NOON_S, -120), 10_000)], scalers={ENERGY.scaler: ScalerUnit(-1, 30)})
    assert rows == [ProfileRow(time="2024-05-01T14:00:00+02:00", time_s=NOON_S, values=(1000.0,))]


def test_null_data_stand_for_the_next_period_and_the_value_before():
    rows = rows_of([(clock_octets(NOON_S, 0), 7), (None, None), (None, 9), (clock_octets(NOON_S + 7200, 0), None)])
    assert [(row.time_s, row.values[0]) for row in rows] == [
        (NOON_S, 7),
        (NOON_S + 900, 7),
        (NOON_S + 1800, 9),
        (NOON_S + 7200, 9),
    ]


def test_null_data_before_anything_are_unknown():
    rows = rows_of([(None, None), (clock_octets(NOON_S, 0), 1)])
    assert [(row.time_s, row.values[0]) for row in rows] == [(None, None), (NOON_S, 1)]


def test_status_bits_are_no_column():
    rows = ProfileRows([CLOCK, STATUS, ENERGY], {}, 900.0, 0.0, 2e9)
    assert [column.obis for column in rows.columns] == ["1-0:1.8.0*255"]
    (row,) = rows.of_elements([(clock_octets(NOON_S, 0), 8, 1234)])
    assert (row.status, row.values) == (8, (1234,))


def test_rows_outside_of_what_was_asked_for_are_left_out():
    elements = [(clock_octets(NOON_S + 900 * number, 0), number) for number in range(10)]
    rows = rows_of(elements, start_s=NOON_S + 1800, end_s=NOON_S + 3600)
    assert [row.values[0] for row in rows] == [2, 3, 4]


def test_a_row_with_another_number_of_values_is_an_error():
    with pytest.raises(RemoteProtocolError, match="3 values for 2 columns"):
        rows_of([(None, 1, 2)])


@pytest.fixture
def vienna(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Vienna")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("vienna")
def test_a_clock_without_deviation_is_local_time_over_the_change_of_hours():
    change_s = datetime(2024, 10, 27, 1, 0, tzinfo=UTC).timestamp()  # 03:00 becomes 02:00
    for offset in range(-4, 5):
        moment_s = change_s + 1800.0 * offset
        octets = clock_octets(moment_s, None)
        assert octets[9:11] == b"\x80\x00"
        assert rows_of([(octets, 1)])[0].time_s == moment_s
    times = [row.time_s for row in rows_of([(clock_octets(change_s - 1800, None), 1), (None, 2), (None, 3), (None, 4)])]
    assert times == [change_s - 1800 + 900 * number for number in range(4)]


ENERGY_COLUMN = ProfileColumn(obis="1-0:1.8.0*255", unit="Wh", quantity="active_energy_import")
EXPORT_COLUMN = ProfileColumn(obis="1-0:2.8.0*255", unit="Wh", quantity="active_energy_export")


def measured(columns, rows, period_s=900.0):
    found = ProfileMeasurements(columns, period_s).of_rows(
        [ProfileRow(time=None, time_s=time_s, values=values) for time_s, values in rows]
    )
    return [measurement for _time_s, measurement in found]


def test_registers_give_the_mean_power_of_each_period():
    first, second, third = measured(
        [ENERGY_COLUMN, EXPORT_COLUMN],
        [(NOON_S, (1000, 50)), (NOON_S + 900, (1500, 50)), (NOON_S + 1800, (1500, 150))],
    )
    assert (first.active_energy_import_wh, first.active_power_w) == (1000, None)
    assert (second.active_power_w, second.active_power_import_w, second.active_power_export_w) == (2000, 2000, 0)
    assert (third.active_power_w, third.active_power_export_w) == (-400, 400)


def test_no_power_is_made_over_a_gap_or_from_a_register_that_fell():
    _first, second, third = measured(
        [ENERGY_COLUMN], [(NOON_S, (1000,)), (NOON_S + 7200, (1500,)), (NOON_S + 8100, (10,))]
    )
    assert second.active_power_w is None
    assert third.active_power_w is None


@pytest.mark.parametrize(
    ("obis", "unit", "value", "field", "wanted"),
    [
        ("1-0:1.4.0*255", "W", 800, "active_power_import_w", 800),
        ("1-0:1.5.0*255", "kW", 0.8, "active_power_import_w", 800),
        ("1-0:2.27.0*255", "W", 300, "active_power_export_w", 300),
        ("1-0:1.29.0*255", "Wh", 200, "active_power_import_w", 800),
        ("1-0:16.7.0*255", "W", -5, "active_power_w", -5),
    ],
)
def test_a_mean_power_is_the_power_of_its_period(obis, unit, value, field, wanted):
    quantity = "active_power" if obis.startswith("1-0:16") else None
    (measurement,) = measured([ProfileColumn(obis=obis, unit=unit, quantity=quantity)], [(NOON_S, (value,))])
    assert getattr(measurement, field) == pytest.approx(wanted)


def test_a_demand_register_of_a_profile_has_its_own_scaler():
    assert DEMAND.scaler is not None
    assert DEMAND.scaler.number == 4
    assert CaptureObject(4, DEMAND.logical_name, 5).scaler is None


def test_rows_without_time_or_known_column_are_no_measurement():
    text = ProfileColumn(obis="0-0:96.7.21*255")
    assert measured([text], [(NOON_S, ("x",))]) == []
    assert ProfileMeasurements([ENERGY_COLUMN], 900.0).of_rows([ProfileRow(time=None, time_s=None, values=(1,))]) == ()


def test_a_name_without_end_is_cut_and_a_list_is_no_name():
    assert identity_of(b"LGZ" + b"7" * 60_000, None, None).serial_number == "LGZ" + "7" * 61
    assert identity_of([None] * 60_000, [b"x"] * 9, None).serial_number is None
