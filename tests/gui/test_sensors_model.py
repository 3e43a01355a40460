"""Rows and list of sensors: values, trends, states, order; bounded whatever comes."""

import pytest
from site_records import NOW_S, measure

from core.config.settings import SensorConfig
from core.site_records import SensorSummary
from gui.models.machine_row import Shape
from gui.models.sensor_row import KEPT_S, MOST_POINTS, SensorRow
from gui.models.sensor_words import limit_text, quantity_words, unit_of_quantity, value_text
from gui.models.sensors import MOST_SERIES, SensorModel, SensorOrder


@pytest.fixture
def model(qtbot):
    return SensorModel(now=lambda: NOW_S)


def fed(row, pairs):
    for time_s, value in pairs:
        row.apply(measure(value=value, time_s=time_s))
    return row


def slope(per_hour, every_s=10, length_s=1800):
    return [(NOW_S - back, 20 - per_hour * back / 3600) for back in range(length_s, -1, -every_s)]


def test_a_quantity_says_its_unit_and_its_name():
    assert unit_of_quantity("temperature_c") == "°C"
    assert unit_of_quantity("humidity_percent") == "%"
    assert unit_of_quantity("vent") == ""
    assert quantity_words("temperature_c") == "temperature"
    assert quantity_words("soil_moisture") == "soil moisture"
    assert quantity_words("co2_ppm") == "CO₂"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (23.456, "°C", "23.5"),
        (5.0, "°C", "5.0"),
        (-3.24, "°C", "\u22123.2"),
        (1013.27, "hPa", "1\u2009013.3"),
        (3.3, "V", "3.30"),
        (0.0421, "A", "0.042"),
        (123456.7, "lx", "123\u2009457"),
        (1e300, "°C", "1.00e+300"),
        (-1e300, "", "\u22121.00e+300"),
        (0.0, "V", "0.00"),
        (None, "V", "–"),
    ],
)
def test_values_have_sensible_digits(value, unit, text):
    assert value_text(value, unit) == text


def test_a_limit_is_as_short_as_it_was_written():
    assert limit_text(24.0, "°C") == "24 °C"
    assert limit_text(24.5, "°C") == "24.5 °C"
    assert limit_text(24.0, "") == "24"


@pytest.mark.parametrize(("per_hour", "words"), [(1.2, "↗ +1.2 °C/h"), (-3, "↘ \u22123.0 °C/h"), (0.01, "→ steady")])
def test_the_trend_is_the_slope_of_the_last_half_hour(per_hour, words):
    assert fed(SensorRow("a", "temperature_c"), slope(per_hour)).trend_words(NOW_S) == words


def test_an_old_rise_is_no_trend_of_today():
    row = fed(SensorRow("a", "temperature_c"), [(NOW_S - 3500, 0.0), *slope(0.0)])
    assert row.trend_words(NOW_S) == "→ steady"


def test_too_little_is_no_trend():
    assert fed(SensorRow("a", "temperature_c"), slope(9, length_s=60)).trend_words(NOW_S) == ""
    assert SensorRow("a", "temperature_c").trend_words(NOW_S) == ""


def test_limits_are_a_triangle_in_words():
    row = fed(SensorRow("a", "temperature_c"), [(NOW_S, 30.0)])
    assert row.state(NOW_S) == (Shape.CIRCLE, "ok", "")
    row.set_config(SensorConfig(id="a", high=24))
    assert row.state(NOW_S) == (Shape.TRIANGLE, "warning", "above 24 °C")
    row.set_config(SensorConfig(id="a", low=35))
    assert row.state(NOW_S)[2] == "below 35 °C"
    row.set_config(SensorConfig(id="a", low=20, high=30))
    assert row.state(NOW_S)[1] == "ok"


def test_limits_of_a_temperature_do_not_ring_for_the_humidity_beside_it():
    row = SensorRow("a", "humidity_percent")
    row.apply(measure(quantity="humidity_percent", value=60, unit="%"))
    row.set_config(SensorConfig(id="a", high=24))
    assert row.limits() == (None, None)
    assert row.state(NOW_S)[1] == "ok"
    row.set_config(SensorConfig(id="a", high=50, unit="%"))
    assert row.state(NOW_S)[2] == "above 50 %"


def test_silence_rings_only_where_it_was_set_else_it_is_quiet():
    row = fed(SensorRow("a", "temperature_c"), [(NOW_S - 500, 20.0), (NOW_S - 490, 20.0)])
    shape, role, words = row.state(NOW_S)
    assert (shape, role) == (Shape.RING, "unknown")
    assert words.startswith("quiet since")
    assert row.is_quiet(NOW_S)
    row.set_config(SensorConfig(id="a", silent_after_s=300))
    shape, role, words = row.state(NOW_S)
    assert (shape, role) == (Shape.TRIANGLE, "warning")
    assert words.startswith("silent since")
    row.set_config(SensorConfig(id="a", silent_after_s=3600))
    assert row.state(NOW_S)[1] == "ok"
    assert not row.is_quiet(NOW_S)


def test_a_slow_sensor_is_not_quiet_between_two_of_its_values():
    row = fed(SensorRow("a", "temperature_c"), [(NOW_S - 1200, 20.0), (NOW_S - 900, 20.0), (NOW_S - 600, 20.0)])
    assert not row.is_quiet(NOW_S)


def test_points_are_bounded_and_the_newest_is_kept():
    row = SensorRow("a", "temperature_c")
    for number in range(20_000):
        row.apply(measure(value=number, time_s=NOW_S + number))
    assert len(row.times) <= MOST_POINTS
    assert row.times[-1] == NOW_S + 19_999
    assert row.values[-1] == 19_999
    assert row.times[0] >= NOW_S + 19_999 - 2 * KEPT_S
    assert list(row.times) == sorted(row.times)


def test_a_measure_from_before_does_not_turn_the_value_back():
    row = fed(SensorRow("a", "temperature_c"), [(NOW_S, 20.0), (NOW_S - 60, 5.0)])
    assert (row.value, row.time_s, row.count) == (20.0, NOW_S, 2)


def test_the_past_goes_before_what_has_come_since():
    row = fed(SensorRow("a", "temperature_c"), [(NOW_S, 20.0)])
    row.apply_past([NOW_S - 20, NOW_S - 10, NOW_S], [1.0, float("nan"), 3.0])
    assert list(zip(row.times, row.values, strict=True)) == [(NOW_S - 20, 1.0), (NOW_S, 20.0)]


def test_problems_come_first_then_names_as_people_count(model):
    model.apply([measure(f"capteur_{number}", 20) for number in (10, 2, 1)] + [measure("hot", 99)])
    model.set_configs([SensorConfig(id="hot", high=50)])
    assert [row.sensor for row in model.shown()] == ["hot", "capteur_1", "capteur_2", "capteur_10"]
    model.set_order(SensorOrder.NAME)
    assert [row.sensor for row in model.shown()][-1] == "hot"
    assert model.problems(NOW_S) == 1


def test_by_place_those_without_one_come_last(model):
    model.apply([measure("a"), measure("b"), measure("c")])
    model.set_configs([SensorConfig(id="a", place="roof"), SensorConfig(id="c", place="cellar")])
    model.set_order(SensorOrder.PLACE)
    assert [row.sensor for row in model.shown()] == ["c", "a", "b"]


def test_the_filter_looks_at_name_id_place_and_quantity(model):
    model.apply([measure("a"), measure("b", quantity="humidity_percent", unit="%")])
    model.set_configs([SensorConfig(id="a", name="Server room", place="Building A")])
    for text, found in (("server", ["a"]), ("building", ["a"]), ("humid", ["b"]), ("room humid", []), ("", ["a", "b"])):
        model.set_filter(text)
        assert sorted(row.sensor for row in model.shown()) == found, text


def test_the_selection_follows_its_sensor_through_another_order(model):
    from PyQt5.QtCore import QPersistentModelIndex

    model.apply([measure("a"), measure("b")])
    model.rearrange()
    held = QPersistentModelIndex(model.index_of(("a", "temperature_c")))
    model.set_configs([SensorConfig(id="b", high=1)])
    assert [row.sensor for row in model.shown()] == ["b", "a"]
    assert held.row() == 1
    model.set_filter("b")
    assert not held.isValid()


def test_who_is_configured_and_never_spoke_has_a_tile_until_it_does(model):
    model.set_configs([SensorConfig(id="late", name="Attic")])
    assert [row.state(NOW_S)[2] for row in model.shown()] == ["never heard"]
    model.apply([measure("late")])
    model.rearrange()
    assert [row.key for row in model.shown()] == [("late", "temperature_c")]
    assert model.shown()[0].title() == "Attic"
    model.set_configs([])
    model.set_configs([SensorConfig(id="gone")])
    model.set_configs([])
    assert [row.key for row in model.shown()] == [("late", "temperature_c")]


def test_a_sensor_of_several_quantities_says_which_is_which(model):
    model.apply([measure("a"), measure("a", quantity="humidity_percent", unit="%")])
    model.set_configs([SensorConfig(id="a", place="roof")])
    assert sorted(row.subtitle() for row in model.shown()) == ["roof · humidity", "roof · temperature"]


def test_summaries_of_the_history_do_not_take_back_what_is_newer(model):
    model.apply([measure("a", 5, NOW_S)])
    model.apply_summaries(
        [
            SensorSummary(sensor="a", quantity="temperature_c", value=1, unit="°C", time_s=NOW_S - 10, count=77),
            SensorSummary(sensor="old", quantity="temperature_c", value=2, unit="°C", time_s=NOW_S - 9999, count=3),
        ]
    )
    assert model.row(("a", "temperature_c")).value == 5
    assert model.row(("a", "temperature_c")).count == 77
    assert model.row(("old", "temperature_c")).value == 2


def test_endless_new_names_do_not_fill_the_window(model):
    model.apply(measure(f"s{number}") for number in range(MOST_SERIES + 50))
    assert len(list(model.rows())) == MOST_SERIES
    assert model.not_shown == 50


def test_hostile_names_are_one_harmless_line(model):
    model.apply([measure("<b>a\u202eb\nc\x1b[0m" + "x" * 1000)])
    model.rearrange()
    row = model.shown()[0]
    assert "\n" not in row.title()
    assert "\u202e" not in row.title()
    assert len(row.title()) <= 64
    assert "&lt;b&gt;" in model.data(model.index(0), 3)
