"""The Energy page: ports first, then numbers and curves; absent is never zero, old is said, simulated is marked."""

from __future__ import annotations

import time
from array import array

import pytest
from msgspec.structs import replace
from PyQt5.QtCore import Qt, QTimer
from PyQt5.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from core.records import (
    Measurement,
    MeterIdentity,
    MeterReadings,
    MeterReport,
    MeterState,
    Reading,
    SeriesPoints,
)
from core.series import SeriesBook
from gui.models.readings import quantity_words, value_text
from gui.pages.energy import EnergyPage

FULL = Measurement(
    active_power_w=1840.0,
    voltage_l1_v=231.4,
    voltage_l2_v=230.9,
    voltage_l3_v=229.0,
    current_l1_a=2.75,
    power_factor=0.96,
    frequency_hz=50.01,
    active_energy_import_wh=40_091_200.0,
)


@pytest.fixture
def page(qtbot: QtBot) -> EnergyPage:
    page = EnergyPage()
    qtbot.addWidget(page)
    page.resize(1100, 800)
    page.show()
    qtbot.waitExposed(page)
    return page


def _readings(name: str = "E450", measurement: Measurement | None = FULL, **more: object) -> MeterReadings:
    fields: dict[str, object] = {
        "protocol": "push",
        "meter": MeterIdentity(manufacturer="LGZ", model="E450"),
        "time_s": time.time(),
        "readings": (),
    }
    return MeterReadings(name=name, measurement=measurement, **{**fields, **more})


def _report(state: MeterState, name: str = "E450", text: str = "words", **more: object) -> MeterReport:
    return MeterReport(
        **{"name": name, "port": "/dev/ttyUSB0", "state": state, "text": text, "time_s": time.time(), **more}
    )


def _shown_text(page: EnergyPage) -> str:
    return "\n".join(label.text() for label in page.findChildren(QLabel) if label.isVisible())


def _big(page: EnergyPage, card: str) -> str:
    return page.numbers.cards[card].big.accessibleName()


def test_an_empty_page_lists_the_ports_and_connects_the_one_pressed(page: EnergyPage, qtbot: QtBot):
    page.apply_ports(
        [{"device": "/dev/ttyS0", "description": "n/a"}, {"device": "/dev/ttyUSB0", "description": "CP2104"}]
    )
    text = _shown_text(page)
    assert "/dev/ttyUSB0" in text
    assert "CP2104" in text
    assert "n/a" not in text
    with qtbot.waitSignal(page.connect_wanted) as told:
        qtbot.mouseClick(page.start.port_buttons[1], Qt.LeftButton)
    assert told.args == ["/dev/ttyUSB0"]


def test_without_ports_it_says_what_to_do_and_offers_the_simulated_meter(page: EnergyPage, qtbot: QtBot):
    page.apply_ports([])
    assert "No serial port is found" in _shown_text(page)
    with qtbot.waitSignal(page.simulate_wanted):
        qtbot.mouseClick(page.start.simulate_button, Qt.LeftButton)
    with qtbot.waitSignal(page.ports_wanted):
        qtbot.mouseClick(page.start.look_button, Qt.LeftButton)


def test_the_ports_are_asked_for_when_the_empty_page_is_shown(qtbot: QtBot):
    page = EnergyPage()
    qtbot.addWidget(page)
    with qtbot.waitSignal(page.ports_wanted):
        page.show()


def test_the_search_is_told_in_its_words_and_can_be_stopped(page: EnergyPage, qtbot: QtBot):
    page.apply_report(_report(MeterState.SEARCHING, "ttyUSB0", "9600 8N1: nothing yet; next 2400 8E1"))
    assert "/dev/ttyUSB0: 9600 8N1: nothing yet; next 2400 8E1" in _shown_text(page)
    with qtbot.waitSignal(page.disconnect_wanted) as told:
        qtbot.mouseClick(page.start.stop_button, Qt.LeftButton)
    assert told.args == ["ttyUSB0"]


def test_a_meter_that_ciphers_asks_for_its_key(page: EnergyPage, qtbot: QtBot):
    page.apply_report(_report(MeterState.READING, text="the key is missing", needs_key=True))
    assert page.start.key_button.isVisible()
    with qtbot.waitSignal(page.key_wanted) as told:
        qtbot.mouseClick(page.start.key_button, Qt.LeftButton)
    assert told.args == ["E450"]


def test_a_wrong_key_is_asked_for_again_beside_the_last_numbers(page: EnergyPage, qtbot: QtBot):
    page.apply_readings(_readings())
    page.apply_report(_report(MeterState.FAILED, text="the key does not fit", needs_key=True))
    assert "the key does not fit" in _shown_text(page)
    with qtbot.waitSignal(page.key_wanted):
        qtbot.mouseClick(page.banner.button, Qt.LeftButton)


def test_a_reading_fills_the_numbers_with_sensible_digits(page: EnergyPage):
    page.apply_readings(_readings())
    assert _big(page, "power") == "1.84 kW"
    assert _big(page, "energy") == "40\u2009091.2 kWh"
    assert _big(page, "frequency") == "50.01 Hz"
    assert [label.text() for label in page.numbers.voltage.numbers] == ["231.4", "230.9", "229.0"]
    assert "import" in _shown_text(page)


def test_export_at_noon_is_negative_and_called_export(page: EnergyPage):
    page.apply_readings(_readings(measurement=Measurement(active_power_w=-3020.0)))
    assert _big(page, "power") == "−3.02 kW"
    assert "export" in _shown_text(page)


def test_what_the_meter_does_not_give_has_no_card_and_no_zero(page: EnergyPage):
    page.apply_readings(_readings(measurement=Measurement(voltage_l1_v=230.0)))
    shown = {name for name, card in page.numbers.cards.items() if card.isVisible()}
    assert shown == {"power", "voltage"}
    assert _big(page, "power") == "– W"
    assert [label.isVisible() for label in page.numbers.voltage.numbers] == [True, False, False]


def test_values_that_come_in_turns_complete_each_other(page: EnergyPage):
    page.apply_readings(_readings(measurement=Measurement(active_power_w=500.0)))
    page.apply_readings(_readings(measurement=Measurement(active_energy_import_wh=1000.0)))
    assert _big(page, "power") == "500 W"
    assert _big(page, "energy") == "1.0 kWh"


def test_the_line_of_the_meter_says_who_how_and_when(page: EnergyPage):
    page.apply_report(
        _report(MeterState.READING, protocol="push", line="9600 8N1", is_ciphered=True, is_authenticated=False)
    )
    page.apply_readings(_readings())
    words = page.header.description()
    assert words == "Landis+Gyr E450 · 9600 8N1 · DLMS push (ciphered, not authenticated) · 0 s ago"


def test_old_numbers_are_greyed_and_say_since_when(page: EnergyPage):
    page.apply_report(_report(MeterState.SILENT, text="no telegram since 2 min", period_s=5.0))
    page.apply_readings(_readings(time_s=time.time() - 120))
    card = page.numbers.cards["power"]
    assert card.big._number.property("role") == "dim"
    assert time.strftime("since %H:%M", time.localtime(time.time() - 120)) in _shown_text(page)
    assert "no telegram since 2 min" in _shown_text(page)
    page.apply_readings(_readings())
    assert card.big._number.property("role") is None


def test_a_simulated_meter_is_marked_on_every_card_and_plot(page: EnergyPage, qtbot: QtBot):
    book = SeriesBook()
    page.set_live(book)
    for second in range(60, 0, -5):
        book.append_measurement("E450", time.time() - second, FULL)
    page.apply_readings(_readings(is_simulated=True))
    page.build_plots()
    qtbot.waitUntil(lambda: page.plot("frequency").isVisible(), timeout=3000)
    for card in (*page.numbers.cards.values(), *page.curves.plots.values()):
        if card.isVisible():
            words = [word for label in card.findChildren(QLabel) if label.isVisible() for word in label.text().split()]
            assert "simulated" in words
    assert "simulated" in page._export_name(".csv")


@pytest.mark.parametrize(("height", "is_beside"), [(815, True), (950, False)])
def test_all_cards_fit_a_low_page_and_phases_share_one_axis_on_a_high_one(page: EnergyPage, qtbot, height, is_beside):
    book = SeriesBook()
    page.set_live(book)
    full = replace(FULL, reactive_power_var=90.0)
    for second in range(60, 0, -5):
        book.append_measurement("E450", time.time() - second, full)
    page.apply_readings(_readings(measurement=full))
    page.resize(1140, height)
    page.build_plots()
    qtbot.waitUntil(lambda: page.plot("frequency").isVisible(), timeout=3000)
    qtbot.waitUntil(lambda: (page.plot("voltage").y() == page.plot("current").y()) is is_beside, timeout=3000)
    qtbot.waitUntil(lambda: page._content.minimumSizeHint().height() <= page._scroll.viewport().height(), timeout=3000)


def test_a_meter_of_heat_has_cards_and_a_table_of_its_values(page: EnergyPage):
    heat = tuple(
        Reading(obis=obis, quantity=None, value=value, unit=unit, label=label)
        for obis, value, unit, label in (
            ("0-0:1.0.0*255", "2026-11-21T18:10:00", None, None),
            ("6-0:1.0.0*255", 114_764_000, "Wh", None),
            ("6-0:10.0.0*255", 55.2, "°C", None),
            (None, 832.96, "m³", "volume_m3_storage_1"),
        )
    )
    page.build_plots()
    page.apply_readings(_readings(measurement=None, readings=heat))
    shown = [card for card in page.numbers.others if card.isVisible()]
    assert [card.accessibleName() for card in shown] == ["Energy", "Flow temperature", "Volume m3 storage 1"]
    assert shown[0].accessibleDescription().replace("\u2009", "") == "114764.0 kWh"
    assert page.curves.readings.isVisible()
    assert not page.curves.bars.isVisible()
    assert not page.plot("power").isVisible()
    page.apply_readings(_readings("E450"))
    page.apply_readings(_readings("other"))
    page.show_meter("other")
    assert page.curves.bars.isVisible()
    assert not page.curves.readings.isVisible()


def test_only_plots_with_data_are_shown(page: EnergyPage, qtbot: QtBot):
    book = SeriesBook()
    page.set_live(book)
    for second in range(60, 0, -5):
        book.append_measurement("E450", time.time() - second, Measurement(active_power_w=5.0, voltage_l1_v=230.0))
    page.apply_readings(_readings(measurement=Measurement(active_power_w=5.0, voltage_l1_v=230.0)))
    page.build_plots()
    qtbot.waitUntil(lambda: page.plot("voltage").isVisible(), timeout=3000)
    qtbot.wait(250)
    assert {name for name, plot in page.curves.plots.items() if plot.isVisible()} == {"power", "voltage"}


def test_curves_are_built_by_the_first_paint_not_before(qtbot: QtBot):
    page = EnergyPage()
    qtbot.addWidget(page)
    page.apply_readings(_readings())
    assert page.group is None
    page.show()
    qtbot.waitUntil(lambda: page.group is not None, timeout=3000)


def test_the_range_buttons_change_what_the_curves_ask_for(page: EnergyPage, qtbot: QtBot):
    page.apply_readings(_readings())
    page.build_plots()
    asked = []
    page.history_wanted.connect(lambda *arguments: asked.append(arguments))
    qtbot.mouseClick(page.range_bar.buttons["day"], Qt.LeftButton)
    qtbot.waitUntil(lambda: bool(asked), timeout=3000)
    _request_id, meter, fields, start_s, end_s = asked[-1]
    assert meter == "E450"
    assert "active_power_w" in fields
    assert end_s - start_s == pytest.approx(86_400, abs=5)


def test_energy_today_is_counted_from_the_first_register_of_the_day(page: EnergyPage):
    asked = []
    page.history_wanted.connect(lambda *arguments: asked.append(arguments))
    page.apply_readings(_readings())
    request_id, meter, fields, midnight_s, _end_s = asked[0]
    assert (meter, fields) == ("E450", ["active_energy_import_wh"])
    assert time.localtime(midnight_s)[3:6] == (0, 0, 0)
    values = array("d", [40_077_000.0, 40_080_000.0])
    points = SeriesPoints(
        "meter/E450/active_energy_import_wh",
        "Wh",
        array("d", [midnight_s + 5, midnight_s + 65]),
        values,
        values,
        values,
    )
    page.apply_points([points], request_id)
    assert "+14.2 today" in _shown_text(page)


def test_a_meter_kept_in_the_history_is_shown_while_it_is_not_connected(page: EnergyPage):
    page.apply_known("E450", time.time() - 4000, FULL)
    assert _big(page, "power") == "1.84 kW"
    assert "Not connected" in _shown_text(page)
    assert not page.header.read_button.isEnabled()


def test_two_meters_can_be_chosen_from(page: EnergyPage, qtbot: QtBot):
    page.apply_readings(_readings())
    assert not page.header.meter_box.isVisible()
    page.apply_readings(_readings("Garage", Measurement(active_power_w=70.0)))
    assert page.header.meter_box.isVisible()
    assert page.current_meter == "E450"
    page.header.meter_box.setCurrentIndex(1)
    page.header.meter_box.activated.emit(1)
    assert _big(page, "power") == "70 W"


def test_a_probe_that_learns_its_meters_name_is_listed_once(page: EnergyPage):
    page.apply_report(_report(MeterState.SEARCHING, "/dev/ttyUSB0"))
    page.apply_report(_report(MeterState.READING, "37123"))
    page.apply_readings(_readings("37123"))
    assert [page.header.meter_box.itemData(row) for row in range(page.header.meter_box.count())] == ["37123"]


def test_read_now_asks_the_meter_shown(page: EnergyPage, qtbot: QtBot):
    page.apply_report(_report(MeterState.READING))
    page.apply_readings(_readings())
    with qtbot.waitSignal(page.read_wanted) as told:
        qtbot.mouseClick(page.header.read_button, Qt.LeftButton)
    assert told.args == ["E450"]


def test_the_registers_of_the_meter_shown_are_asked_for(page: EnergyPage, qtbot: QtBot):
    page.apply_readings(_readings())
    with qtbot.waitSignal(page.registers_wanted) as told:
        qtbot.mouseClick(page.header.registers_button, Qt.LeftButton)
    assert told.args == ["E450"]


def test_exports_are_written_where_they_are_wanted(page: EnergyPage, tmp_path):
    book = SeriesBook()
    page.set_live(book)
    book.append_measurement("E450", time.time() - 5, FULL)
    page.apply_readings(_readings())
    page.write_export("csv", tmp_path / "a.csv")
    page.write_export("png", tmp_path / "a.png")
    assert (tmp_path / "a.csv").read_text().startswith("time_utc,active_power_w (W),voltage_l1_v (V)")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(OSError, match="No such file"):
        page.write_export("png", tmp_path / "none" / "a.png")


def test_nothing_runs_while_the_page_is_hidden(page: EnergyPage):
    page.apply_readings(_readings())
    page.build_plots()
    page.hide()
    assert [timer for timer in page.findChildren(QTimer) if timer.isActive()] == []


@pytest.mark.parametrize("width", [760, 1100, 2200])
def test_nothing_is_wider_than_the_page(page: EnergyPage, qtbot: QtBot, width: int):
    page.resize(width, 600)
    page.apply_readings(_readings(is_simulated=True))
    page.build_plots()
    qtbot.wait(50)
    shown = [card for card in page.numbers.cards.values() if card.isVisible()]
    assert all(card.geometry().right() <= card.parentWidget().width() for card in shown)
    assert all(card.width() >= card.minimumSizeHint().width() for card in shown)
    assert page.export_button.mapTo(page, page.export_button.rect().topRight()).x() < width


def test_quantities_and_values_are_words_and_numbers_for_people():
    assert quantity_words("active_energy_import_t2") == "Active energy, import T2"
    assert quantity_words("voltage_l3") == "Voltage L3"
    assert quantity_words(None) == "–"
    assert value_text(40091234) == "40\u2009091\u2009234"
    assert value_text(0.1 + 0.2) == "0.3"
    assert value_text("LGZ") == "LGZ"


def test_the_numbers_stand_in_one_line_and_what_has_no_room_is_told_by_its_plot(page: EnergyPage, qtbot: QtBot):
    def shown() -> list[str]:
        return [name for name, card in page.numbers.cards.items() if card.isVisible()]

    def lines() -> int:
        return len({page.numbers.cards[name].y() for name in shown()})

    page.apply_readings(_readings())
    page.resize(1000, 830)
    qtbot.waitUntil(lambda: lines() == 1, timeout=3000)
    assert shown()[:2] == ["power", "energy"]
    assert "current" not in shown()
    page.resize(2800, 830)
    qtbot.waitUntil(lambda: "current" in shown(), timeout=3000)
    assert lines() == 1
