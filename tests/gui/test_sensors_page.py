"""The Sensors page, driven by records and clicks."""

import time

import pytest
from alarm_shown import alarm
from dialog_parts import gather
from PyQt5.QtCore import Qt
from PyQt5.QtGui import QGuiApplication
from site_records import batch, intake, measure, points

from core.config.settings import SensorConfig
from core.site_records import ListenerState
from gui.models.sensors import SensorOrder
from gui.pages.sensors import SensorsPage
from gui.widgets.sensor_curves import MOST_CURVES
from gui.widgets.sensor_tile import SensorsTile


@pytest.fixture
def page(qtbot):
    made = SensorsPage()
    qtbot.addWidget(made)
    made.resize(900, 700)
    made.show()
    qtbot.waitExposed(made)
    return made


def hour_of(sensor, value=20.0, **more):
    now_s = time.time()
    return [measure(sensor, value + back / 3600, now_s - back, **more) for back in range(3600, -1, -60)]


def fill(page, count=3):
    page.apply_report(intake(time_s=time.time()))
    page.apply_batch(batch(*(one for number in range(count) for one in hour_of(f"capteur_{number + 1}"))))
    page.tick()


def click(qtbot, page, place, modifier=Qt.NoModifier):
    box = page.tiles.visualRect(page.model.index(place))
    qtbot.mouseClick(page.tiles.viewport(), Qt.LeftButton, modifier, box.center())


def test_nothing_yet_says_what_to_do_and_the_button_asks_for_it(qtbot, page):
    opened, simulated = gather(page.open_wanted), gather(page.simulate_wanted)
    qtbot.mouseClick(page.open_button, Qt.LeftButton)
    qtbot.mouseClick(page.simulate_button, Qt.LeftButton)
    assert len(opened) == 1
    assert simulated == [(True,)]
    page.set_starting()
    assert "opening" in page.start.state()
    assert not page.open_button.isEnabled()


def test_an_open_intake_without_sensors_shows_the_line_to_try(page):
    page.apply_report(intake(address="127.0.0.1:5000"))
    assert "listens on 127.0.0.1:5000" in page.start.state()
    assert page.start.line.text() == "beffroi sensors simulate --count 5 --to 127.0.0.1:5000"
    assert not page.open_button.isVisible()


def test_a_port_that_is_taken_is_told_and_can_be_changed(qtbot, page):
    wanted = gather(page.listen_wanted)
    page.apply_report(intake(ListenerState.FAILED, address=None, error="127.0.0.1:17452 is in use"))
    assert "in use" in page.start.state()
    qtbot.mouseClick(page.where_button, Qt.LeftButton)
    assert wanted == [()]


def test_the_first_value_brings_tiles_and_the_first_curve(qtbot, page):
    fill(page)
    assert page.tiles.isVisible()
    assert page.model.rowCount() == 3
    qtbot.waitUntil(lambda: page.curves is not None)
    assert page.curves.isVisible()
    assert page.curves.keys() == [("capteur_1", "temperature_c")]


def test_a_click_draws_a_curve_and_ctrl_adds_one(qtbot, page):
    fill(page)
    page.build_curves()
    asked = gather(page.history_wanted)
    click(qtbot, page, 1)
    assert page.curves.keys() == [("capteur_2", "temperature_c")]
    click(qtbot, page, 2, Qt.ControlModifier)
    assert sorted(page.curves.keys()) == [("capteur_2", "temperature_c"), ("capteur_3", "temperature_c")]
    qtbot.waitUntil(lambda: len(asked) >= 2)
    request_id, sensor, quantity, start_s, end_s = asked[-1]
    assert quantity == "temperature_c"
    assert start_s < end_s
    name = f"sensor/{sensor}/{quantity}"
    page.apply_points(points(name, [(start_s + at, 20.0) for at in range(0, 3000, 60)]), request_id)
    page.curves.redraw()
    assert page.curves.plot((sensor, quantity)).legend_entries()


def test_live_points_go_on_where_the_tile_is(qtbot, page):
    fill(page)
    page.build_curves()
    key = ("capteur_1", "temperature_c")
    page.apply_batch(batch(measure("capteur_1", 77.0, time.time())))
    qtbot.waitUntil(lambda: [entry.value for entry in page.curves.plot(key).legend_entries()] == ["77.0"])


def test_of_many_chosen_the_first_are_drawn_and_it_is_said(qtbot, page):
    fill(page, MOST_CURVES + 2)
    page.build_curves()
    page.tiles.select([row.key for row in page.model.shown()])
    assert len(page.curves.keys()) == MOST_CURVES
    assert page.curves._words.accessibleName() == "6 of 8 chosen are drawn"


def test_closed_curves_stay_closed_until_a_tile_is_clicked(qtbot, page):
    fill(page)
    page.build_curves()
    qtbot.mouseClick(page.curves.close_button, Qt.LeftButton)
    assert not page.curves.isVisible()
    page.apply_batch(batch(measure("another", 1.0, time.time())))
    page.tick()
    assert not page.curves.isVisible()
    click(qtbot, page, 0)
    assert page.curves.isVisible()


def test_double_click_and_enter_ask_for_the_dialog(qtbot, page):
    fill(page)
    wanted = gather(page.edit_wanted)
    click(qtbot, page, 1)
    qtbot.keyClick(page.tiles, Qt.Key_Return)
    assert wanted == [("capteur_2",)]


def test_the_menu_copies_the_id_and_forgets_only_what_is_set(page):
    fill(page, 2)
    menu = page.menu_for([("capteur_1", "temperature_c")])
    names = {action.text(): action for action in menu.actions() if action.text()}
    assert not names["Forget name, place and limits"].isEnabled()
    names["Copy id"].trigger()
    assert QGuiApplication.clipboard().text() == "capteur_1"
    page.set_configs([SensorConfig(id="capteur_1", name="Hall")])
    menu = page.menu_for([("capteur_1", "temperature_c")])
    names = {action.text(): action for action in menu.actions() if action.text()}
    wanted = gather(page.forget_wanted)
    names["Forget name, place and limits"].trigger()
    assert wanted == [("capteur_1",)]


def test_limits_that_change_are_drawn_at_once(page):
    fill(page, 1)
    page.build_curves()
    page.set_configs([SensorConfig(id="capteur_1", name="Hall", high=30)])
    assert page.curves.plot(("capteur_1", "temperature_c")).accessibleName() == "Hall · temperature"


def test_the_filter_hides_and_says_when_nothing_matches(qtbot, page):
    fill(page)
    page.focus_filter()
    qtbot.keyClicks(page.header.filter, "capteur_3")
    assert page.model.rowCount() == 1
    qtbot.keyClicks(page.header.filter, "x")
    assert not page.tiles.isVisible()
    assert page._nothing.isVisible()
    page.header.filter.clear()
    assert page.tiles.isVisible()


def test_the_header_says_links_rate_and_what_was_refused(page):
    fill(page)
    now_s = time.time()
    page.apply_report(intake(time_s=now_s, links=5, messages=100))
    page.apply_report(intake(time_s=now_s + 2, links=5, messages=180, refused=1, last_refusal="10.0.0.9: <b>NaN</b>"))
    text = page.header.line.text()
    assert "listening on 127.0.0.1:17452" in text
    assert "5 links" in text
    assert "messages/s" in text
    assert "this machine only" in text
    button = page.header.refused_button
    assert button.text() == "1 refused ▾"
    assert "&lt;b&gt;NaN" in button.toolTip()
    button.menu().aboutToShow.emit()
    assert any("<b>NaN</b>" in action.text() for action in button.menu().actions())


def test_an_intake_open_to_the_network_says_so(page):
    fill(page)
    page.apply_report(intake(address="0.0.0.0:17452", time_s=time.time()))
    assert "open to the network" in page.header.line.text()


def test_the_menu_of_the_intake_starts_and_stops_the_simulator(page):
    fill(page)
    wanted, menu = gather(page.simulate_wanted), page.header.intake_button.menu()
    for is_simulating, text in ((False, "Try simulated sensors"), (True, "Stop the simulated sensors")):
        page.set_simulating(is_simulating)
        menu.aboutToShow.emit()
        next(action for action in menu.actions() if action.text() == text).trigger()
    assert wanted == [(True,), (False,)]


def test_tiles_on_screen_ask_for_their_past_once(qtbot, page):
    wanted = gather(page.past_wanted)
    fill(page)
    qtbot.waitUntil(lambda: bool(wanted))
    assert ("capteur_1", "temperature_c") in wanted[0][0]
    now_s = time.time()
    page.apply_past("capteur_1", "temperature_c", points("x", [(now_s - 7000, 1.0)]))
    assert page.model.row(("capteur_1", "temperature_c")).has_past


def test_a_thousand_sensors_are_drawn_and_sorted_quickly(page):
    now_s = time.time()
    page.apply_batch(batch(*(measure(f"s{n}", n % 30, now_s - back) for n in range(1000) for back in (120, 60, 0))))
    page.tick()
    began_s = time.perf_counter()
    for _turn in range(5):
        page.apply_batch(batch(*(measure(f"s{n}", n % 30, time.time()) for n in range(1000))))
        page.tick()
        page.tiles.viewport().repaint()
    assert (time.perf_counter() - began_s) / 5 < 0.25
    assert len(page.tiles.findChildren(type(page))) == 0


def test_the_export_has_a_column_for_each_curve(page, tmp_path):
    fill(page, 2)
    page.build_curves()
    page.tiles.select([row.key for row in page.model.shown()])
    page.curves.range.follow("hour")
    page.apply_batch(batch(measure("capteur_1", 20.5, time.time()), measure("capteur_2", 21.5, time.time())))
    path = tmp_path / "out.csv"
    page.curves.write_export("csv", path)
    header, *rows = path.read_text().splitlines()
    assert header == "time_utc,sensor/capteur_1/temperature_c,sensor/capteur_2/temperature_c"
    assert any(row.endswith(",21.5") for row in rows)
    picture = tmp_path / "out.png"
    page.curves.write_export("png", picture)
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_the_order_is_kept_for_the_next_start(page, qtbot):
    page.header.order.setCurrentIndex(page.header.order.findData(SensorOrder.PLACE))
    page.header.order.activated.emit(page.header.order.currentIndex())
    again = SensorsPage()
    qtbot.addWidget(again)
    again.restore_layout(page.layout_state())
    assert again.model.order is SensorOrder.PLACE


def test_show_sensor_draws_all_that_it_sends(page):
    fill(page)
    page.apply_batch(batch(*hour_of("capteur_2", 50, quantity="humidity_percent", unit="%")))
    page.build_curves()
    page.header.filter.setText("capteur_1")
    page.show_sensor("capteur_2")
    assert sorted(page.curves.keys()) == [("capteur_2", "humidity_percent"), ("capteur_2", "temperature_c")]


def test_the_overview_tile_lists_problems_first_and_opens_them(qtbot, page):
    tile = SensorsTile()
    qtbot.addWidget(tile)
    tile.resize(300, 200)
    tile.show()
    tile.set_model(page.model)
    assert tile._stack.currentIndex() == 0
    fill(page)
    page.set_configs([SensorConfig(id="capteur_3", name="Cold room", high=5)])
    tile.refresh()
    assert tile.list.items()[0].name == "Cold room"
    assert "above 5 °C" in tile.list.items()[0].detail
    assert tile._context.text() == "2 of 3 well"
    opened = gather(tile.opened)
    tile.list.opened.emit("Cold room")
    assert opened == [("capteur_3",)]


def test_the_overview_tile_counts_two_before_ten(qtbot, page):
    tile = SensorsTile()
    qtbot.addWidget(tile)
    page.apply_batch(batch(*(measure(f"capteur_{number}", 20.0, time.time()) for number in (10, 1, 2, 21, 3))))
    tile.set_model(page.model)
    assert [item.name for item in tile.list.items()] == [f"capteur_{number}" for number in (1, 2, 3, 10, 21)]


def test_a_simulated_sensor_says_so_on_its_tile_its_curve_and_the_overview(qtbot, page):
    tile = SensorsTile()
    qtbot.addWidget(tile)
    page.apply_batch(batch(*hour_of("capteur_1", is_simulated=True)))
    page.build_curves()
    page.tick()
    page.tiles.select([("capteur_1", "temperature_c")])
    plot = page.curves.plot(("capteur_1", "temperature_c"))
    tile.set_model(page.model)
    assert page.model.row(("capteur_1", "temperature_c")).subtitle() == "temperature · simulated"
    assert plot.is_simulated
    assert tile._context.text() == "simulated · 1 of 1 well"
    page.apply_batch(batch(*hour_of("capteur_2")))
    tile.refresh()
    assert [item.name for item in tile.list.items()] == ["capteur_1 · simulated", "capteur_2"]
    page.apply_batch(batch(measure("capteur_1", 20.0, time.time() + 1)))
    assert not plot.is_simulated
    assert page.model.row(("capteur_1", "temperature_c")).subtitle() == "temperature"


def test_an_export_marks_the_simulated_columns(page, tmp_path):
    page.apply_batch(batch(*hour_of("capteur_1", is_simulated=True), *hour_of("capteur_2")))
    page.build_curves()
    page.tick()
    page.tiles.select([row.key for row in page.model.shown()])
    later_s = time.time() + 0.5
    page.apply_batch(batch(measure("capteur_1", 20.5, later_s, is_simulated=True), measure("capteur_2", 1, later_s)))
    page.curves.write_export("csv", tmp_path / "out.csv")
    header = (tmp_path / "out.csv").read_text().splitlines()[0]
    assert header == "time_utc,sensor/capteur_1/temperature_c (simulated),sensor/capteur_2/temperature_c"
    assert page.curves._export_name(".csv").endswith("_simulated.csv")


def test_alarms_are_marked_on_the_curve_of_their_quantity(qtbot, page):
    fill(page, 1)
    page.apply_batch(batch(*hour_of("capteur_1", 50, quantity="humidity_percent", unit="%")))
    rang = alarm(
        1, source="sensor/capteur_1", quantity="temperature_c", value=20.5, unit="°C", since_s=time.time() - 60
    )
    page.set_alarms({rang.source: [rang]})
    page.build_curves()
    page.tick()
    page.tiles.select([row.key for row in page.model.shown()])
    page.curves.range.follow("hour")
    temperature, humidity = (page.curves.plot(("capteur_1", name)) for name in ("temperature_c", "humidity_percent"))
    qtbot.waitUntil(lambda: temperature.isVisible() and humidity.isVisible())
    page.curves.redraw()
    assert [mark.text for mark in temperature.canvas._frame.marks] == ["CPU high 20.5 °C"]
    assert humidity.canvas._frame.marks == []
    page.set_alarms({})
    page.curves.redraw()
    assert temperature.canvas._frame.marks == []


def test_a_database_that_does_not_take_measures_is_told_while_the_intake_listens(page):
    fill(page)
    page.apply_report(intake(time_s=time.time(), error="the database is locked"))
    assert page.header.line.text() == "listening on 127.0.0.1:17452 · the database is locked"
    page.apply_report(intake(time_s=time.time()))
    assert "locked" not in page.header.line.text()


def test_the_bar_beside_few_tiles_is_not_drawn(qtbot, page):
    fill(page, 2)
    qtbot.waitUntil(lambda: not page.tiles.verticalScrollBar().isEnabled())
    fill(page, 60)
    qtbot.waitUntil(lambda: page.tiles.verticalScrollBar().isEnabled())
