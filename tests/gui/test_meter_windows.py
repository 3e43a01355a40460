"""Registers, load profile, line, tariffs, settings: windows that fill as answers come, and say why where none come."""

from __future__ import annotations

import csv
import time

import pytest
from dialog_parts import gather, words
from PyQt5.QtCore import QDateTime, Qt
from PyQt5.QtGui import QGuiApplication
from PyQt5.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from core.config import Config, MeterConfig
from core.meter_records import (
    ExplainedField,
    LineOctets,
    ProfileColumn,
    ProfilePart,
    ProfileRow,
    RegisterList,
    RegisterValue,
)
from core.records import Measurement, MeterIdentity, MeterReadings, MeterReport, MeterState, Reading
from core.tariffs import TariffConfig, TariffPeriod
from gui.dialogs.connect_probe import ConnectProbeDialog
from gui.dialogs.load_profile import LoadProfileWindow
from gui.dialogs.meter_line import LineWindow
from gui.dialogs.meter_password import PasswordDialog
from gui.dialogs.preferences import PreferencesDialog
from gui.dialogs.registers import RegistersWindow
from gui.dialogs.tariff import HOURS, NAME, PRICE, TariffDialog
from gui.models.line_rows import dump

NOW_S = time.time()
ME = MeterIdentity(manufacturer="LGZ", model="E450")


def _register(code: str, value: float | str | None = 1.0, error: str | None = None, **more: object) -> RegisterValue:
    reading = (
        None if error else Reading(obis=code, quantity=None, value=value, unit="Wh", raw=10, scaler_source="meter")
    )
    return RegisterValue(code=code, reading=reading, error=error, class_id=3, attribute=2, **more)


def _list(registers: list[RegisterValue], **more: object) -> RegisterList:
    fields = {"name": "E450", "meter": ME, "time_s": NOW_S, "is_first": False, "is_last": False, **more}
    return RegisterList(registers=tuple(registers), **fields)


def _part(count: int, start: int = 0, **more: object) -> ProfilePart:
    rows = tuple(
        ProfileRow(time="2026-11-20T00:00:00", time_s=NOW_S + 900 * at, values=(1000 + 7 * at,), status=None)
        for at in range(start, start + count)
    )
    return ProfilePart(
        name="E450",
        meter=ME,
        obis="1-0:99.1.0*255",
        period_s=900.0,
        columns=(ProfileColumn(obis="1-0:1.8.0*255", unit="Wh", quantity="active_energy_import"),),
        rows=rows,
        measurements=tuple((row.time_s or 0.0, Measurement(active_energy_import_wh=row.values[0])) for row in rows),
        **more,
    )


def _octets(octets: bytes, at_s: float = 0.0, is_sent: bool = False) -> LineOctets:
    return LineOctets(name="E450", time_s=NOW_S + at_s, is_sent=is_sent, octets=octets, line="9600 8N1")


@pytest.fixture
def save_to(monkeypatch: pytest.MonkeyPatch, tmp_path):
    path = tmp_path / "file.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_words: (str(path), ""))
    return path


# Registers


def test_registers_come_in_parts_with_how_far_it_is(show):
    window = show(RegistersWindow("E450"))
    wanted = gather(window.wanted)
    window.ask()
    assert wanted == [("E450",)]
    assert window.stop_button.isEnabled()
    window.apply(_list([_register(f"1-0:{at}.8.0*255") for at in range(50)], is_first=True, expected=112))
    assert window.words() == "reading: 50 of 112"
    window.apply(_list([_register("1-0:99.8.0*255", error="access denied")], is_last=True, expected=112))
    assert window.words().startswith("51 registers, read at ")
    assert "1 could not be read" in window.words()
    assert not window.stop_button.isEnabled()
    assert window.model.rowCount() == 51


def test_the_list_of_another_meter_does_not_come_in(show):
    window = show(RegistersWindow("E450"))
    window.apply(_list([_register("1.8.0")], name="Garage", is_first=True, is_last=True))
    assert window.model.rowCount() == 0


def test_registers_are_filtered_and_copied_as_they_are_shown(show, qtbot: QtBot):
    window = show(RegistersWindow("E450"))
    window.apply(
        _list(
            [_register("1.8.0", 40_091_200, about="energy <b>import</b>"), _register("32.7.0", 231.4)],
            is_first=True,
            is_last=True,
        )
    )
    window.filter_field.setText("IMPORT")
    qtbot.waitUntil(lambda: window.model.rowCount() == 1, timeout=2000)
    qtbot.mouseClick(window.copy_button, Qt.LeftButton)
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines[0].startswith("OBIS\tMeaning\tValue")
    assert lines[1].startswith("1.8.0\tenergy <b>import</b>\t40\u2009091\u2009200\tWh\tmeter")


def test_registers_are_exported_with_what_could_not_be_read_and_no_formula(show, qtbot: QtBot, save_to):
    window = show(RegistersWindow("E450"))
    window.apply(
        _list(
            [_register("1.8.0", "=1+1"), _register("2.8.0", error="access denied")],
            is_first=True,
            is_last=True,
            is_simulated=True,
        )
    )
    qtbot.mouseClick(window.export_button, Qt.LeftButton)
    rows = list(csv.DictReader(save_to.read_text(encoding="utf-8").splitlines()))
    assert rows[0]["value"] == "'=1+1"
    assert rows[1]["error"] == "access denied"
    assert {row["source"] for row in rows} == {"simulated"}


def test_stop_ends_the_reading_and_keeps_what_came(show, qtbot: QtBot):
    window = show(RegistersWindow("E450"))
    stopped = gather(window.stop_wanted)
    window.ask()
    window.apply(_list([_register("1.8.0")], is_first=True))
    qtbot.mouseClick(window.stop_button, Qt.LeftButton)
    assert stopped == [("E450",)]
    assert window.words() == "stopped"
    assert window.again_button.isEnabled()
    assert window.model.rowCount() == 1


def test_a_meter_that_only_sends_shows_what_it_sent_last_and_why(show):
    window = show(RegistersWindow("E450"))
    readings = MeterReadings(
        name="E450",
        protocol="push",
        meter=ME,
        time_s=NOW_S,
        readings=(Reading(obis="1.8.0", quantity="active_energy_import", value=1),),
    )
    window.show_last(readings, "it sends by itself")
    assert window.last.isVisible()
    assert window.words() == "it sends by itself"
    assert window.last.model.rowCount() == 1
    assert not window.again_button.isVisible()
    window.apply_readings(readings)
    assert window.last.model.rowCount() == 1


# Load profile


def test_the_last_seven_days_are_asked_for_unless_told_otherwise(show, qtbot: QtBot):
    window = show(LoadProfileWindow("E450"))
    wanted = gather(window.wanted)
    qtbot.mouseClick(window.read_button, Qt.LeftButton)
    meter, start_s, end_s, obis = wanted[0]
    assert (meter, obis) == ("E450", None)
    assert 7.9 * 86_400 < end_s - start_s < 8.1 * 86_400
    assert start_s < time.time() < end_s


def test_an_end_before_its_beginning_is_not_asked(show, qtbot: QtBot):
    window = show(LoadProfileWindow("E450"))
    wanted = gather(window.wanted)
    window.end.setDateTime(QDateTime(window.begin.date().addDays(-1), window.begin.time()))
    qtbot.mouseClick(window.read_button, Qt.LeftButton)
    assert wanted == []
    assert "later" in window.words()


def test_rows_come_in_parts_and_fill_the_gaps_of_the_history(show):
    window = show(LoadProfileWindow("E450"))
    window.apply(_part(17, is_last=False))
    assert window.words() == "reading: 17 rows"
    window.apply(_part(3, 17, is_first=False))
    assert window.words() == "20 rows · one every 15 min"
    window.apply_kept(12)
    assert "fills the gaps of the history: 12 rows are kept there" in window.words()
    model = window.model
    assert model.index(1, 2).data() == "1\u2009007"
    assert model.headerData(2, Qt.Horizontal) == "Active energy, import (Wh)"
    assert window.curve.isVisible()
    assert window.curve.peak()[1] == 7.0


def test_nothing_kept_twice_is_said(show):
    window = show(LoadProfileWindow("E450"))
    window.apply(_part(2))
    window.apply_kept(0)
    assert "nothing was kept twice" in window.words()


def test_a_profile_that_ends_early_says_why_and_keeps_its_rows(show, qtbot: QtBot, save_to):
    window = show(LoadProfileWindow("E450"))
    window.apply(_part(2, error="the meter stopped within a block"))
    assert "the meter stopped" in window.words()
    qtbot.mouseClick(window.export_button, Qt.LeftButton)
    rows = list(csv.reader(save_to.read_text(encoding="utf-8").splitlines()))
    assert rows[0] == ["time_utc", "meter_time", "status", "Active energy, import (Wh)"]
    assert rows[2][3] == "1007"


def test_a_meter_without_rows_says_so(show):
    window = show(LoadProfileWindow("E450"))
    window.apply(_part(0))
    assert window.words() == "The meter has no rows in this time."


def test_what_cannot_be_asked_has_no_button(show):
    window = show(LoadProfileWindow("E450"))
    window.set_unaskable("it sends by itself")
    assert not window.read_button.isEnabled()


# Line


def test_octets_that_come_together_are_one_row(show):
    window = show(LineWindow("E450"))
    window.apply(_octets(b"\x7e\xa0"))
    window.apply(_octets(b"\x8c\x7e", 0.05))
    window.apply(_octets(b"\x06", 0.06, is_sent=True))
    window.apply(_octets(b"/LGZ", 2.0))
    model = window.model
    assert [model.index(row, 3).data() for row in range(3)] == ["7E A0 8C 7E", "06", "2F 4C 47 5A"]
    assert [model.index(row, 1).data() for row in range(3)] == ["received", "sent", "received"]
    assert model.index(2, 4).data() == "/LGZ"
    assert "password" in window.words()


def test_a_paused_line_waits_and_goes_on_with_all_of_it(show, qtbot: QtBot):
    window = show(LineWindow("E450"))
    window.apply(_octets(b"\x01"))
    qtbot.mouseClick(window.pause_button, Qt.LeftButton)
    window.apply(_octets(b"\x02", 5))
    assert window.model.rowCount() == 1
    assert window.words() == "paused; 1 piece waits"
    qtbot.mouseClick(window.pause_button, Qt.LeftButton)
    assert window.model.rowCount() == 2
    qtbot.mouseClick(window.clear_button, Qt.LeftButton)
    assert window.model.rowCount() == 0


def test_a_chosen_row_is_explained_field_by_field(show, qtbot: QtBot):
    window = show(LineWindow("E450"))
    wanted = gather(window.explain_wanted)
    window.apply(_octets(b"\x7e\xa0"))
    window.apply(_octets(b"\x8c\x7e", 5))
    window.view.selectAll()
    qtbot.waitUntil(lambda: bool(wanted), timeout=2000)
    assert [part.octets for part in wanted[0][0]] == [b"\x7e\xa0\x8c\x7e"]
    length = ExplainedField(offset=1, octets=b"\xa0", name="<b>length</b>", value="12", error="it is 13")
    frame = ExplainedField(offset=0, octets=b"\x7e\xa0", name="frame", value="HDLC", children=(length,))
    window.apply_explained(ExplainedField(offset=0, octets=b"", name="all", children=(frame,)))
    top = window.tree.topLevelItem(0)
    assert (top.text(0), top.text(1), top.text(2)) == ("frame", "HDLC", "0000  7E A0")
    assert top.child(0).text(0) == "<b>length</b>"
    assert top.child(0).text(1) == "12 it is 13"
    window.apply_not_explained("not a frame")
    assert window.tree.topLevelItem(0).text(1) == "not a frame"


def test_a_line_that_never_ends_stays_bounded(show):
    window = show(LineWindow("E450"))
    for at in range(5200):
        window.model.append(_octets(b"\x00", at))
    assert window.model.rowCount() <= 5000
    assert window.model.forgotten + window.model.rowCount() == 5200


def test_the_octets_are_saved_as_they_came(show, qtbot: QtBot, monkeypatch, tmp_path):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_words: (str(tmp_path / "a"), ""))
    window = show(LineWindow("E450"))
    saved = gather(window.save_wanted)
    parts = [_octets(b"\x01"), _octets(b"\x02", 0.01)]
    for part in parts:
        window.apply(part)
    qtbot.mouseClick(window.save_button, Qt.LeftButton)
    assert saved == [(tmp_path / "a.rec", parts)]


def test_a_dump_has_sixteen_octets_a_line():
    assert dump(b"/LGZ" * 5).splitlines() == [
        "0000  2F 4C 47 5A 2F 4C 47 5A 2F 4C 47 5A 2F 4C 47 5A  /LGZ/LGZ/LGZ/LGZ",
        "0010  2F 4C 47 5A                                      /LGZ",
    ]


# Settings of a meter


KNOWN = MeterConfig(
    name="Garage",
    port="/dev/ttyUSB1",
    protocol="dlms",
    client=1,
    password_file="secrets/Garage.password",
    usb_serial="A1B2",
    interval_s=5.0,
    subscribed_power_w=9000.0,
    tariff="house",
    total=False,
)


def test_the_settings_of_a_meter_come_back_as_they_were(show):
    dialog = show(ConnectProbeDialog(meter=KNOWN, names=["Garage"], tariffs=["house"], presets=[]))
    wanted = gather(dialog.connect_wanted)
    dialog.accept_button.click()
    assert wanted == [(KNOWN, {}, "Garage")]


def test_a_secret_that_is_kept_is_never_shown(show):
    dialog = show(ConnectProbeDialog(meter=KNOWN))
    assert dialog.more.password.text() == ""
    assert "kept" in dialog.more.password.placeholderText()
    assert dialog.more.password.echoMode() == dialog.more.password.Password


def test_secrets_that_are_typed_are_handed_over_once_and_leave_the_screen(show):
    dialog = show(ConnectProbeDialog())
    wanted = gather(dialog.connect_wanted)
    dialog.port.setText("/dev/ttyUSB0")
    dialog.more.password.setText("12345678")
    dialog.more.key.setText("00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F")
    dialog.accept_button.click()
    assert wanted[0][1] == {"password": "12345678", "key": "000102030405060708090A0B0C0D0E0F"}
    assert dialog.more.password.text() == ""


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("client", "x", "not a number"),
        ("client", "70000", "from 0 to 16383"),
        ("client", "1.5", "whole number"),
        ("key", "0011", "32 hexadecimal digits"),
        ("system_title", "4C475A", "16 hexadecimal digits"),
        ("interval", "0", "from 0.2"),
        ("subscribed", "-3", "from 0.001"),
    ],
)
def test_a_field_that_cannot_be_is_said_and_nothing_is_tried(show, field: str, text: str, said: str):
    dialog = show(ConnectProbeDialog())
    wanted = gather(dialog.connect_wanted)
    dialog.port.setText("/dev/ttyUSB0")
    getattr(dialog.more, field).setText(text)
    dialog.accept_button.click()
    assert wanted == []
    assert said in words(dialog)


@pytest.mark.parametrize("name", ["a/b", "Garage"])
def test_a_name_that_cannot_be_or_is_taken_is_said(show, name: str):
    dialog = show(ConnectProbeDialog(names=["Garage"]))
    wanted = gather(dialog.connect_wanted)
    dialog.port.setText("/dev/ttyUSB0")
    dialog.name.setText(name)
    dialog.accept_button.click()
    assert wanted == []
    assert "name" in words(dialog)


def test_a_probe_is_known_by_its_usb_serial_number(show):
    dialog = show(ConnectProbeDialog())
    wanted = gather(dialog.connect_wanted)
    dialog.apply_ports([{"device": "/dev/ttyUSB0", "description": "CP2102", "serial_number": "0001"}])
    assert "serial number 0001" in dialog.ports.item(0).text()
    dialog.accept_button.click()
    assert wanted[0][0].usb_serial == "0001"
    dialog.set_busy(False)
    dialog.port.setText("socket://192.0.2.7:2000")
    dialog.port.textEdited.emit("socket://192.0.2.7:2000")
    dialog.accept_button.click()
    assert wanted[1][0].usb_serial is None


def test_a_known_meter_is_found_on_whatever_port_its_probe_is(show):
    dialog = show(ConnectProbeDialog(meter=KNOWN))
    dialog.apply_ports(
        [{"device": "/dev/ttyUSB0", "serial_number": "zz"}, {"device": "/dev/ttyUSB7", "serial_number": "A1B2"}]
    )
    assert dialog.port.text() == "/dev/ttyUSB7"


def test_a_wrong_password_asks_for_another_and_tries_nothing(show, qtbot: QtBot):
    dialog = show(ConnectProbeDialog(meter=KNOWN))
    dialog.accept_button.click()
    dialog.apply_report(
        MeterReport(
            name="Garage",
            port="/dev/ttyUSB1",
            state=MeterState.FAILED,
            text="the meter refuses the password",
            time_s=NOW_S,
            needs_password=True,
        )
    )
    assert "Nothing is tried again by itself" in words(dialog)
    with qtbot.waitSignal(dialog.password_wanted) as told:
        qtbot.mouseClick(dialog._password, Qt.LeftButton)
    assert told.args == ["Garage"]


def test_a_password_is_given_once(show, qtbot: QtBot):
    dialog = show(PasswordDialog("Garage", "the meter refuses the password"))
    given = gather(dialog.password_given)
    assert words(dialog) == "the meter refuses the password"
    dialog.accept_button.click()
    assert given == []
    qtbot.keyClicks(dialog.password, "secret")
    dialog.accept_button.click()
    assert given == [("Garage", "secret")]
    assert dialog.password.text() == ""


def test_the_operators_network_is_said_to_be_unreadable(show):
    dialog = show(ConnectProbeDialog())
    assert "not readable from a PC" in dialog.protocol.toolTip()


# Tariffs


TARIFF = TariffConfig(
    name="house",
    periods=(
        TariffPeriod(name="night", price_per_kwh="0.1550", hours=("22:00-06:00",), holidays="also"),
        TariffPeriod(name="day", price_per_kwh="0.2068"),
    ),
    tax_percent="20",
    budget_per_month="58",
)


def test_a_tariff_comes_back_as_it_was(show):
    dialog = show(TariffDialog(TARIFF, ["house"]))
    saved = gather(dialog.saved)
    dialog.accept_button.click()
    assert saved == [(TARIFF, "house")]


def test_a_new_tariff_needs_a_name_and_a_price(show):
    dialog = show(TariffDialog(None, ["house"]))
    saved = gather(dialog.saved)
    dialog.accept_button.click()
    assert "name" in words(dialog)
    dialog.name.setText("garage")
    dialog.accept_button.click()
    assert saved == []
    dialog.periods.item(0, PRICE).setText("0,25")
    dialog.accept_button.click()
    assert saved[0][0].periods[0].price_per_kwh == "0,25"


def test_hours_that_no_period_covers_are_said(show):
    dialog = show(TariffDialog(None))
    saved = gather(dialog.saved)
    dialog.name.setText("garage")
    dialog.periods.item(0, PRICE).setText("0.25")
    dialog.periods.item(0, HOURS).setText("06:00-22:00")
    dialog.accept_button.click()
    assert saved == []
    assert "no period has a price for 00:00 to 06:00" in words(dialog)


def test_hours_that_are_none_are_said_with_their_place(show):
    dialog = show(TariffDialog(TARIFF))
    dialog.periods.item(0, HOURS).setText("late")
    dialog.accept_button.click()
    assert words(dialog) == (
        "Period 1 Hours: late is not understood; write it such as 06:00-22:00; several with commas; empty: all day"
    )


def test_the_upper_period_can_be_another_one(show, qtbot: QtBot):
    dialog = show(TariffDialog(TARIFF))
    saved = gather(dialog.saved)
    dialog.periods.setCurrentCell(1, NAME)
    qtbot.mouseClick(dialog._up, Qt.LeftButton)
    qtbot.mouseClick(dialog._add, Qt.LeftButton)
    qtbot.mouseClick(dialog._remove, Qt.LeftButton)
    assert [dialog.periods.item(row, NAME).text() for row in range(2)] == ["day", "night"]
    dialog.accept_button.click()
    assert saved == []
    assert "never holds" in words(dialog)


def test_tariffs_are_kept_at_once_from_preferences(show):
    dialog = show(PreferencesDialog(Config(operator="ana", tariffs=(TARIFF,)), "config.toml"))
    saved, removed = gather(dialog.tariff_saved), gather(dialog.tariff_removed)
    dialog.show_tab(dialog.tariffs)
    editor = dialog.tariffs.edit()
    editor.name.setText("home")
    editor.accept_button.click()
    assert saved[0][0].name == "home"
    assert saved[0][1] == "house"
    assert dialog.tariffs.list.count() == 1
    dialog.tariffs.remove_button.click()
    assert removed == [("home",)]
    assert not dialog.tariffs.edit_button.isEnabled()
