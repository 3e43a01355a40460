"""Words, ranges, the tree and the numbers behind the History page, without a page."""

import math

import numpy as np
import pytest
from history_made_up import CPU, HEAT, NOW_S, POWER, REGISTER, VOLTAGE, info, marks, points
from PyQt5.QtCore import QModelIndex, Qt

from core.language import use_language
from gui.models.history_chosen import ChosenModel
from gui.models.history_marks import MarkModel, mark_role, mark_words
from gui.models.history_range import HistoryRange, length_words, span_words
from gui.models.history_tree import NAME_ROLE, SeriesTree
from gui.models.history_words import energy_text, owner_text, quantity_text, shown_of, split_series, value_text
from gui.widgets.history_data import Columns, HistoryData, silent_together
from gui.widgets.history_peak import peak_at


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (POWER, "Active power"),
        (VOLTAGE, "Voltage L1"),
        (REGISTER, "Energy import"),
        ("meter/E450/active_energy_import_t2_wh", "Energy import T2"),
        ("meter/heat/flow_temperature_c", "Flow temperature"),
        ("meter/E450/1-0:131.7.0*255", "Reactive power 131.7.0"),
        ("meter/E450/1-0:1.6.1*255", "Active power 1.6.1"),
        ("meter/E450/0-0:96.1.9*255", "0-0:96.1.9"),
        ("meter/E450/C.1.0", "C.1.0"),
        (CPU, "CPU"),
        ("machine/m/network_sent_bytes_per_s", "Network, sent"),
        (HEAT, "Temperature"),
        ("check/shop/latency_ms", "Latency"),
        ("sensor/a\nb/<b>", "<b>"),
    ],
)
def test_each_series_has_a_name_for_people(name, words):
    assert quantity_text(name) == words


def test_the_owner_of_a_series_may_have_a_slash_in_its_name():
    assert split_series("sensor/a/b/temperature_c") == ("sensor", "a/b", "temperature_c")
    assert owner_text(HEAT, {"sensor/c1": "Server room"}) == "Server room"
    assert owner_text(CPU, {}) == "srv-db"


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        ("W", 940.0, "940 W"),
        ("W", 14_300.0, "14.30 kW"),
        ("Wh", 40_091_200.0, "40\u2009091.2 kWh"),
        ("B", 3 * 2.0**30, "3.00 GiB"),
        ("B/s", 7_200_000.0, "7.20 MB/s"),
        ("°C", -3.25, "\u22123.3 °C"),
        (None, 0.96, "0.96 "),
        ("%", math.nan, "– %"),
    ],
)
def test_values_stand_in_a_sensible_unit(unit, value, text):
    shown = shown_of(unit, 0.0 if math.isnan(value) else abs(value))
    assert f"{value_text(value, shown)} {shown.unit}" == text


def test_energies_and_lengths_are_told_with_sensible_digits():
    assert energy_text(1_234.0) == "1.234 kWh"
    assert energy_text(-128_400.0) == "\u2212128.4 kWh"
    assert energy_text(None) == "–"
    assert [length_words(s) for s in (12.5, 125, 7_500, 3 * 86_400 + 4 * 3_600)] == [
        "12.5 s",
        "2 min 05 s",
        "2 h 05 min",
        "3 d 4 h",
    ]


def test_a_span_over_midnight_tells_both_days():
    midnight = 1_795_046_400.0 - 3_600
    assert span_words(midnight, midnight + 60).count(":") == 4
    assert span_words(0.0, 400 * 86_400.0) == "1970-01-01 – 1971-02-05"


def test_a_range_follows_zooms_moves_and_goes_back():
    time_range = HistoryRange(now=lambda: NOW_S)
    time_range.follow("week")
    assert time_range.span() == (NOW_S - 7 * 86_400, NOW_S)
    for _step in range(5):
        time_range.zoom(0.5, NOW_S)
    assert time_range.span()[1] == NOW_S
    time_range.move(-600)
    time_range.back()
    assert time_range.mode == "week"
    time_range.back()
    assert time_range.mode == "day"
    time_range.show_span(NOW_S, NOW_S - 10)
    assert time_range.span() == (NOW_S - 10, NOW_S)
    time_range.follow("nonsense")
    assert time_range.mode == "free"
    time_range.zoom(1e-9, NOW_S - 5)
    assert time_range.span()[1] - time_range.span()[0] == 1.0


def test_the_tree_lists_by_kind_and_owner_and_finds_by_all_words(qtbot):
    tree = SeriesTree()
    tree.set_series([info(CPU), info(HEAT), info(POWER), info(VOLTAGE)], {"sensor/c1": "Server room"})
    assert [tree.index(row, 0).data() for row in range(tree.rowCount())] == [
        "METERS   1",
        "MACHINES   1",
        "SENSORS   1",
    ]
    owner = tree.index(0, 0, tree.index(2, 0))
    assert (owner.data(), owner.parent()) == ("Server room", tree.index(2, 0))
    series = tree.index(0, 0, owner)
    assert (series.data(NAME_ROLE), series.parent(), tree.rowCount(series)) == (HEAT, owner, 0)
    assert tree.index(0, 1, owner).data() == "°C"
    tree.set_filter("room temp")
    assert tree.count_shown() == 1
    tree.set_filter("meters volt")
    assert tree.count_shown() == 1
    tree.set_filter("nothing like that")
    assert tree.rowCount() == 0
    assert not tree.index(0, 0).isValid()
    tree.set_filter("")
    assert tree.count_shown() == 4
    assert tree.parent(QModelIndex()) == QModelIndex()


def test_a_list_read_anew_leaves_the_tree_as_it_stands(qtbot):
    tree = SeriesTree()
    tree.set_series([info(CPU), info(HEAT, last_s=NOW_S - 86_400)], {})
    tree.set_filter("temp")
    owner = tree.index(0, 0, tree.index(0, 0))
    with qtbot.assertNotEmitted(tree.modelReset):
        tree.set_series([info(CPU), info(HEAT, last_s=NOW_S)], {})
    assert tree.info(HEAT).last_s == NOW_S
    assert tree.index(0, 0, owner).data(NAME_ROLE) == HEAT
    tree.set_filter("")
    assert tree.count_shown() == 2
    with qtbot.waitSignal(tree.modelReset):
        tree.set_series([info(CPU)], {})


def test_the_tree_holds_together_as_qt_wants_it(qtmodeltester):
    tree = SeriesTree()
    tree.set_series([info(f"machine/m{number}/{name}", "%") for number in range(9) for name in ("a", "b")], {})
    qtmodeltester.check(tree)
    tree.set_filter("m3")
    qtmodeltester.check(tree)


def test_lists_hold_together_as_qt_wants_them(qtmodeltester):
    chosen = ChosenModel()
    chosen.add([(POWER, "W"), (HEAT, "°C")])
    qtmodeltester.check(chosen)
    listed = MarkModel()
    listed.apply(marks())
    qtmodeltester.check(listed)


def test_marks_tell_in_plain_words(qtbot):
    listed = MarkModel()
    listed.apply(marks())
    assert [mark_role(mark) for mark in listed.shown()] == ["critical", "accent", "ok"]
    assert "<b>I go</b>" in mark_words(listed.at(2))
    assert "&lt;b&gt;" in listed.index(2, 3).data(Qt.ToolTipRole)


def test_the_area_under_a_power_leaves_gaps_out():
    data = HistoryData()
    data.apply([points(POWER, [(0, 1000), (1800, 1000), (2400, None), (3000, 1000), (3600, 1000)])])
    assert data.area(POWER, 0, 3600) == pytest.approx(1000 * 2400 / 3600)
    assert data.area(POWER, 600, 1200) == pytest.approx(1000 / 6)
    assert data.area("meter/none/active_power_w", 0, 10) is None


def test_a_register_that_falls_begins_anew():
    data = HistoryData()
    data.apply([points(REGISTER, [(0, 100), (10, 150), (20, 20), (30, 60)])])
    assert data.rise(REGISTER, 0, 30) == pytest.approx(50 + 40)
    assert data.rise(REGISTER, 5, 10) == pytest.approx(25)
    assert data.rise(REGISTER, 0, 9_999) is None


def test_a_value_is_the_nearest_one_and_none_in_a_gap():
    data = HistoryData()
    data.apply([points(HEAT, [(0, 1), (10, 2), (500, None), (1000, 3), (1010, 4)])])
    assert [data.value_at(HEAT, at) for at in (4, 6, 1004)] == [1, 2, 3]
    assert data.value_at(HEAT, 500) is None
    assert data.value_at(HEAT, 99_999) is None
    assert data.newest(HEAT) == 4
    assert data.gaps(HEAT, 0, 1010, 1010) == [(10.0, 1000.0)]


def test_a_silence_until_now_is_a_gap_and_what_was_not_asked_is_none():
    data = HistoryData()
    data.apply([points(HEAT, [(at, 1.0) for at in range(0, 600, 10)])])
    assert data.gaps(HEAT, 0, 2_000, 2_000) == [(590.0, 2_000)]
    assert data.gaps(HEAT, 0, 400, 2_000) == []


def test_silences_are_common_where_all_are_silent():
    assert silent_together([[(0, 10), (20, 30)], [(5, 25)]]) == [(5, 10), (20, 25)]
    assert silent_together([[(0, 10)], []]) == []
    assert silent_together([]) == []


def test_figures_are_of_the_span():
    data = HistoryData()
    data.apply([points(CPU, [(at, float(at % 50)) for at in range(0, 1000, 10)], spread=2.0)])
    least, mean, greatest = data.figures(CPU, 0, 990)
    assert (least, greatest) == (-2.0, 42.0)
    assert mean == pytest.approx(np.mean([at % 50 for at in range(0, 1000, 10)]))


def test_words_follow_the_language(qtbot):
    use_language("fr")
    assert quantity_text(POWER) != "Active power"
    use_language("en")


def test_a_click_into_the_middle_of_a_peak_finds_when_it_began():
    times = np.arange(0.0, 7_200.0, 10.0)
    values = 500 + 40 * np.sin(times / 90) + np.where((times >= 4_000) & (times < 4_600), 2_500.0, 0.0)
    values[100] = np.nan
    columns = Columns(times, values, values, values)
    found = [peak_at(columns, at_s) for at_s in (4_000, 4_300, 4_590)]
    assert [peak.begin_s for peak in found] == [4_000.0] * 3
    assert peak_at(columns, 4_800) is None
    assert peak_at(columns, 1_000) is None
    assert peak_at(Columns(*(column[:5] for column in columns)), 20) is None
    dip = Columns(times, -values, -values, -values)
    assert peak_at(dip, 4_300).begin_s == 4_000.0


def test_a_level_that_rose_before_all_that_is_known_is_no_peak():
    times = np.arange(0.0, 1_000.0, 10.0)
    values = np.where(times < 200, 900.0, 100.0)
    assert peak_at(Columns(times, values, values, values), 50.0) is None


def test_values_beyond_all_measure_are_gaps():
    data = HistoryData()
    data.apply([points(POWER, [(0.0, 1.0), (1.0, math.inf), (2.0, -1e308), (3.0, 4.0)])])
    assert data.figures(POWER, 0.0, 3.0) == (1.0, 2.5, 4.0)
    assert data.newest(POWER) == 4.0
