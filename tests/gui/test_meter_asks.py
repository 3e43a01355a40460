"""The desk that asks meters: what is asked goes to who reads them, and what they answer comes into its window."""

from __future__ import annotations

import time
from array import array
from types import SimpleNamespace

import pytest
from dialog_parts import gather, words
from PyQt5.QtCore import QObject, Qt
from PyQt5.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from core.config import Config
from core.errors import UsageError
from core.meter_records import LineOctets, ProfileColumn, ProfilePart, ProfileRow, RegisterList, RegisterValue
from core.records import Measurement, MeterIdentity, MeterReadings, MeterReport, MeterState, SeriesPoints
from core.requests import LineWatchRequest, MeterCancelRequest, ProfileRequest, RegistersRequest
from gui.dialogs.bus_scan import BusScanDialog
from gui.wiring.meter_asks import MeterAsks
from gui.wiring.meter_history import MeterHistory

ME = MeterIdentity()
NOW_S = time.time()


class FakeServices(QObject):
    """Keeps what is asked; answers queries at once from `history`."""

    def __init__(self) -> None:
        super().__init__()
        self.config = Config(operator="ana")
        self.asked: list[object] = []
        self.failed: list[object] = []
        self.beside: set[str] = set()
        self.history: object = None
        self.answers = SimpleNamespace(connect=lambda slot: None)
        self.history_ready = SimpleNamespace(connect=lambda slot: None)

    def ask(self, request: object, failed: object = None) -> None:
        self.asked.append(request)
        self.failed.append(failed)

    def is_read_beside(self, name: str) -> bool:
        return name in self.beside

    def query(self, function, done, failed=None) -> None:
        done(function(self.history))


@pytest.fixture
def services() -> FakeServices:
    return FakeServices()


@pytest.fixture
def renewed() -> list[str]:
    return []


@pytest.fixture
def asks(qtbot: QtBot, services: FakeServices, renewed: list[str]) -> MeterAsks:
    desk = MeterAsks(services, lambda: "E450", renewed.append)
    yield desk
    for windows in (desk._registers, desk._profiles, desk._lines):
        for window in list(windows.values()):
            window.close()


def _report(protocol: str) -> MeterReport:
    return MeterReport(name="E450", port="p", state=MeterState.READING, text="", time_s=NOW_S, protocol=protocol)


def _readings() -> MeterReadings:
    return MeterReadings(name="E450", protocol="push", meter=ME, time_s=NOW_S, readings=())


def _profile(count: int = 3) -> ProfilePart:
    rows = tuple(ProfileRow(time=None, time_s=NOW_S + 900 * at, values=(at,)) for at in range(count))
    return ProfilePart(
        name="E450",
        meter=ME,
        obis="1-0:99.1.0*255",
        period_s=900.0,
        columns=(ProfileColumn(obis="1-0:1.8.0*255"),),
        rows=rows,
        measurements=tuple((NOW_S + 900 * at, Measurement(active_energy_import_wh=at)) for at in range(count)),
    )


def test_the_registers_of_a_meter_that_is_asked_are_asked_for(asks: MeterAsks, services: FakeServices):
    asks.apply_report(_report("dlms"))
    window = asks.open_registers("E450")
    assert services.asked == [RegistersRequest(meter="E450", operator="ana")]
    register = RegisterValue(code="1.8.0")
    asks.apply(RegisterList(name="E450", meter=ME, time_s=NOW_S, registers=(register,), is_first=True, is_last=True))
    assert window.model.rowCount() == 1
    assert asks.open_registers("E450") is window


def test_what_cannot_be_asked_is_said_in_the_window(asks: MeterAsks, services: FakeServices):
    asks.apply_report(_report("dlms"))
    window = asks.open_registers("E450")
    services.failed[0](UsageError("E450 is not read by this window"))
    assert window.words() == "E450 is not read by this window"


def test_a_meter_that_sends_by_itself_is_not_asked(asks: MeterAsks, services: FakeServices):
    asks.apply_report(_report("push"))
    asks.apply_readings(_readings())
    window = asks.open_registers("E450")
    assert "sends by itself" in window.words()
    profile = asks.open_profile("E450")
    assert not profile.read_button.isEnabled()
    assert services.asked == []


def test_a_list_that_a_meter_refuses_shows_what_it_sent_last(asks: MeterAsks):
    asks.apply_report(_report("iec62056-21"))
    asks.apply_readings(_readings())
    window = asks.open_registers("E450")
    asks.apply(
        RegisterList(
            name="E450", meter=ME, time_s=NOW_S, registers=(), is_first=True, is_last=True, error="it is listened to"
        )
    )
    assert window.last.isVisible()
    assert window.words() == "it is listened to"


def test_stop_cancels_what_was_asked_whoever_reads_the_meter(asks: MeterAsks, services: FakeServices, qtbot: QtBot):
    asks.apply_report(_report("dlms"))
    window = asks.open_registers("E450")
    qtbot.mouseClick(window.stop_button, Qt.LeftButton)
    assert services.asked[-1] == MeterCancelRequest(meter="E450", operator="ana")
    assert window.words() == "stopped"


def test_a_load_profile_is_asked_for_and_what_it_filled_is_told(
    asks: MeterAsks, services: FakeServices, renewed: list[str], qtbot: QtBot
):
    asks.apply_report(_report("dlms"))
    window = asks.open_profile("E450")
    qtbot.mouseClick(window.read_button, Qt.LeftButton)
    request = services.asked[0]
    assert isinstance(request, ProfileRequest)
    assert request.end_s > request.start_s

    class History:
        def meter_points(self, meter, fields, start_s, end_s):
            column = array("d", [1.0])
            filled = ((NOW_S - 1, NOW_S + 901),)
            return [SeriesPoints("meter/E450/x", "Wh", column, column, column, column, filled)]

    services.history = History()
    asks.apply(_profile())
    qtbot.waitUntil(lambda: "2 rows are kept there" in window.words(), timeout=4000)
    assert renewed == ["E450"]


def test_a_line_is_watched_while_its_window_is_open(asks: MeterAsks, services: FakeServices):
    window = asks.open_line("E450")
    assert services.asked == [LineWatchRequest(meter="E450", is_wanted=True, operator="ana")]
    asks.apply(LineOctets(name="E450", time_s=NOW_S, is_sent=False, octets=b"\x7e"))
    assert window.model.rowCount() == 1
    window.close()
    assert services.asked[-1] == LineWatchRequest(meter="E450", is_wanted=False, operator="ana")


def test_the_total_of_the_site_comes_from_the_sum_in_the_history(services: FakeServices, qtbot: QtBot):
    asked = []

    class History:
        def total_points(self, meters, fields, start_s, end_s, max_points):
            asked.append((meters, tuple(fields)))
            column = array("d", [1.0])
            return [SeriesPoints("total/active_power_w", "W", column, column, column, column)]

    class Page(QWidget):
        def apply_points(self, points, request_id):
            asked.append((points[0].name, request_id))

    desk = MeterHistory(services, lambda: ("E450", "Garage"), lambda name: False)
    services.history = History()
    desk._page = Page()
    qtbot.addWidget(desk._page)
    desk._on_history_wanted(7, "/site", ["active_power_w", "voltage_l1_v"], 0.0, 10.0)
    assert asked == [(("E450", "Garage"), ("active_power_w",)), ("meter//site/active_power_w", 7)]


def test_a_bus_is_searched_and_a_meter_of_it_chosen(show, qtbot: QtBot):
    dialog = show(BusScanDialog("/dev/ttyUSB0"))
    wanted, chosen = gather(dialog.wanted), gather(dialog.chosen)
    assert not dialog.take_button.isEnabled()
    dialog.accept_button.click()
    assert wanted == [(False,)]
    dialog.apply_progress(3, 250, "4")
    assert words(dialog) == "3/250: looking at 4"
    dialog.apply_found("12345678.LUG.02.04", "LUG · heat")
    dialog.apply_done()
    assert "1 meter found" in words(dialog)
    qtbot.mouseClick(dialog.take_button, Qt.LeftButton)
    assert chosen == [("12345678.LUG.02.04",)]


def test_a_search_that_finds_nothing_says_what_to_look_at(show):
    dialog = show(BusScanDialog("/dev/ttyUSB0"))
    dialog.accept_button.click()
    dialog.apply_done()
    assert "No meter answered" in words(dialog)
    dialog.apply_failed(UsageError("the port is busy"))
    assert words(dialog) == "the port is busy"
