"""The desk of meters: settings and secrets are kept where only their user reads them, nothing is tried by itself."""

from __future__ import annotations

import stat
import time

import pytest
from msgspec.structs import replace
from PyQt5.QtCore import QObject, pyqtSignal
from pytestqt.qtbot import QtBot

from core.config import Config, MeterConfig, load_config, save_meter, save_table
from core.home import Home
from core.records import Measurement, MeterIdentity, MeterReadings, MeterReport, MeterState
from core.requests import MeterReadRequest, ReloadRequest
from core.series import SeriesBook
from core.tariffs import TariffConfig, TariffPeriod
from gui.models.meter_shown import SITE
from gui.pages.energy import EnergyPage
from gui.wiring.meters import MeterDesk
from gui.wiring.preferences import PreferencesDesk
from gui.wiring.simulated_meter import SIMULATED

GARAGE = MeterConfig(name="Garage", port="/dev/ttyUSB1", protocol="dlms", client=1)
HOUSE = MeterConfig(name="House", port="/dev/ttyUSB0")


class FakeMeters(QObject):
    """Names of what is read."""

    failed = pyqtSignal(str, str)


class FakeServices(QObject):
    """Keeps what is connected and asked."""

    history_ready = pyqtSignal()

    def __init__(self, home: Home) -> None:
        super().__init__()
        self.home = home
        self.meters = FakeMeters()
        self.is_beside = False
        self.connected: list[MeterConfig] = []
        self.asked: list[object] = []
        self.config = Config(operator="ana")

    def connect_meter(self, meter: MeterConfig) -> None:
        self.connected.append(meter)

    def disconnect_meter(self, name: str) -> None:
        self.connected = [meter for meter in self.connected if meter.name != name]

    def ask(self, request: object, failed: object = None) -> None:
        self.asked.append(request)
        if isinstance(request, ReloadRequest):
            self.config = load_config(self.home)[0]

    def is_read_beside(self, _name: str) -> bool:
        return False

    def query(self, function, done, failed=None) -> None:
        """No history."""

    def serial_ports(self, done) -> None:
        done([])


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path / "home").make()


@pytest.fixture
def services(home: Home) -> FakeServices:
    return FakeServices(home)


@pytest.fixture
def desk(qtbot: QtBot, home: Home, services: FakeServices) -> MeterDesk:
    desk = MeterDesk(home, services, SeriesBook())
    page = EnergyPage()
    qtbot.addWidget(page)
    desk.attach_page(page)
    yield desk
    desk.request_stop()


def _report(name: str, state: MeterState, **more: object) -> MeterReport:
    return MeterReport(name=name, port="p", state=state, text="words", time_s=time.time(), **more)


def _readings(name: str, power_w: float) -> MeterReadings:
    return MeterReadings(
        name=name,
        protocol="dlms",
        meter=MeterIdentity(),
        time_s=time.time(),
        readings=(),
        measurement=Measurement(active_power_w=power_w),
    )


def test_a_password_is_kept_for_its_user_alone_and_the_meter_is_read_with_it(
    desk: MeterDesk, services: FakeServices, home: Home
):
    save_meter(home, GARAGE)
    services.config = load_config(home)[0]
    dialog = desk.open_password("Garage")
    dialog.password_given.emit("Garage", "12345678")
    kept = services.config.meter("Garage")
    assert kept is not None
    path = home.path / kept.password_file
    assert path.read_text().strip() == "12345678"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert services.connected == [kept]
    assert "12345678" not in home.config_path.read_text()
    dialog.close()


def test_a_meter_that_is_called_something_else_keeps_its_secrets_and_leaves_no_second_one(
    desk: MeterDesk, services: FakeServices, home: Home
):
    desk._on_connect_wanted(GARAGE, {"password": "12345678"}, "")
    garage = services.config.meter("Garage")
    assert garage is not None
    renamed = MeterConfig(name="Workshop", port=garage.port, password_file=garage.password_file)
    desk._on_connect_wanted(renamed, {}, "Garage")
    assert [meter.name for meter in services.config.meters] == ["Workshop"]
    assert services.config.meters[0].password_file == garage.password_file
    assert [meter.name for meter in services.connected] == ["Workshop"]


def test_connecting_again_uses_the_settings_of_the_meter(desk: MeterDesk, services: FakeServices, home: Home):
    save_meter(home, GARAGE)
    services.config = load_config(home)[0]
    desk.connect_again("Garage")
    assert services.connected == [GARAGE]


def test_a_probe_that_is_connected_from_the_page_is_remembered_by_its_serial_number(
    desk: MeterDesk, services: FakeServices
):
    desk._on_ports([{"device": "/dev/ttyUSB0", "serial_number": "0001"}])
    desk._page.connect_wanted.emit("/dev/ttyUSB0")
    assert services.config.meters == (MeterConfig(name="ttyUSB0", port="/dev/ttyUSB0", usb_serial="0001"),)


def test_a_meter_that_is_removed_is_read_no_more(desk: MeterDesk, services: FakeServices):
    desk.connect_meter(GARAGE, keep=True)
    desk.remove_meter("Garage")
    assert services.config.meters == ()
    assert services.connected == []


def test_read_now_asks_a_meter_that_is_read_and_connects_one_that_failed(desk: MeterDesk, services: FakeServices):
    desk.connect_meter(GARAGE)
    desk.apply_report(_report("Garage", MeterState.READING, protocol="dlms"))
    desk.read_now("Garage")
    assert services.asked == [MeterReadRequest(meter="Garage", operator="ana")]
    desk.apply_report(_report("Garage", MeterState.FAILED))
    desk.read_now("Garage")
    assert services.connected == [GARAGE, GARAGE]


def test_a_meter_that_pushes_is_not_asked(desk: MeterDesk, services: FakeServices):
    desk.connect_meter(HOUSE)
    desk.apply_report(_report("House", MeterState.READING, protocol="push"))
    desk.read_now("House")
    assert services.asked == []


def test_two_meters_make_a_site_total_and_the_simulated_one_does_not_count(desk: MeterDesk):
    for meter in (HOUSE, GARAGE, MeterConfig(name=SIMULATED, port="p", total=False)):
        desk.connect_meter(meter)
    for name, power_w in (("House", 1000.0), (SIMULATED, 9000.0), ("Garage", 250.0)):
        desk.apply_readings(_readings(name, power_w))
    assert desk.total.parts == ("House", "Garage")
    assert desk._book.last(f"meter/{SITE}/active_power_w")[1] == 1250.0
    desk._page.show_meter(SITE)
    assert desk._page.numbers.cards["power"].big.accessibleName() == "1.25 kW"


def test_only_meters_that_are_known_have_settings(desk: MeterDesk):
    assert desk.open_settings("nobody") is None
    desk.connect_meter(MeterConfig(name=SIMULATED, port="p", total=False))
    assert desk.open_settings(SIMULATED) is None


BASE = TariffConfig(name="Base", periods=(TariffPeriod(name="all", price_per_kwh="0.25"),))


def test_a_second_tariff_takes_no_cost_away_and_a_renamed_one_is_followed(
    qtbot: QtBot, desk: MeterDesk, services: FakeServices, home: Home
):
    save_meter(home, GARAGE)
    save_table(home, "tariff", BASE)
    services.config = load_config(home)[0]
    preferences = PreferencesDesk(services)
    preferences._on_tariff_saved(replace(BASE, name="Night"), "")
    assert services.config.tariff_of("Garage").name == "Base"
    preferences._on_tariff_saved(replace(BASE, name="Day"), "Base")
    assert services.config.tariff_of("Garage").name == "Day"
    assert [tariff.name for tariff in services.config.tariffs] == ["Night", "Day"]


def test_where_there_are_tariffs_the_button_chooses_one_in_the_settings_of_the_meter(
    desk: MeterDesk, services: FakeServices, home: Home
):
    wanted: list[str] = []
    desk.tariff_wanted.connect(wanted.append)
    desk._page.tariff_wanted.emit("Garage")
    assert wanted == ["Garage"]
    save_meter(home, GARAGE)
    for name in ("Base", "Night"):
        save_table(home, "tariff", replace(BASE, name=name))
    services.config = load_config(home)[0]
    desk._page.tariff_wanted.emit("Garage")
    assert wanted == ["Garage"]
    dialog = desk._dialog
    assert dialog is not None
    assert dialog.more.tariff.isVisible()
    dialog.reject()
