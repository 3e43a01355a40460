"""The desks of sensors, room and preferences on real services: buttons, sockets, files; no child program."""

import socket
import stat
import threading
import time
from datetime import UTC, datetime

import pytest
from PyQt5.QtCore import QSettings, Qt
from site_records import batch, measure

from core.config import load_config, save_setting
from core.config.settings import SensorConfig, WebhookSettings
from core.site_records import ChatLine, IntakeReport, RoomReport, SensorBatch
from gui.main_window import MainWindow
from gui.models.machines import MachineModel
from gui.pages.room import RoomPage
from gui.pages.sensors import SensorsPage
from gui.runtime.services import Services
from gui.wiring.preferences import PreferencesDesk
from gui.wiring.room import RoomDesk
from gui.wiring.sensors import SIMULATED_COUNT, SensorDesk

SLOW_MS = 15_000


class Bench:
    """A window with its desks, as the console joins them, over services of a home of its own."""

    def __init__(self, home, settings_path):
        for key in ("sensors.listen", "room.listen"):
            save_setting(home, key, "127.0.0.1:0")
        self.home = home
        self.services = Services(home, load_config(home)[0])
        self.window = MainWindow(QSettings(str(settings_path), QSettings.IniFormat), MachineModel())
        self.sensors, self.room = SensorDesk(self.services), RoomDesk(self.services)
        self.preferences = PreferencesDesk(self.services)
        self.sensors_page, self.room_page = SensorsPage(self.sensors.model), RoomPage(rooms=self.room.rooms)
        self.window.set_page("sensors", self.sensors_page)
        self.window.set_page("room", self.room_page)
        self.sensors.attach(self.window, self.sensors_page)
        self.room.attach(self.window, self.room_page)
        self.preferences.attach(self.window)
        self.services.mailbox.delivered.connect(self._on_delivered)
        self.services.crashed.connect(self.window.show_notice)

    def _on_delivered(self, delivery):
        for record in delivery.others:
            if isinstance(record, SensorBatch | IntakeReport):
                self.sensors.apply(record)
            elif isinstance(record, ChatLine | RoomReport):
                self.room.apply(record)


@pytest.fixture
def bench(qtbot, home, tmp_path):
    made = Bench(home, tmp_path / "gui.ini")
    qtbot.addWidget(made.window)
    made.window.show()
    with qtbot.waitSignal(made.services.beside_changed, timeout=SLOW_MS):
        made.services.start()
    yield made
    made.sensors.stop()
    made.window.close()
    made.services.stop()


def address(text):
    host, _colon, port = text.rpartition(":")
    return host, int(port)


def test_open_intake_edit_a_sensor_close_it_again(qtbot, bench):
    page, window = bench.sensors_page, bench.window
    window.show_page("sensors")
    qtbot.mouseClick(page.open_button, Qt.LeftButton)
    qtbot.waitUntil(lambda: page.header.is_open, timeout=SLOW_MS)
    assert load_config(bench.home)[0].sensors.enabled
    with socket.create_connection(address(bench.sensors._report.address), timeout=5) as sensor:
        sensor.sendall(b'{"capteur_id": "capteur_1", "temperature": 23.5}')
        assert b'"ok":true' in sensor.recv(100)
    key = ("capteur_1", "temperature_c")
    qtbot.waitUntil(lambda: bench.sensors.model.row(key) is not None, timeout=SLOW_MS)
    assert page.tiles.isVisible()
    window.overview.sensors.refresh()
    assert [item.name for item in window.overview.sensors.list.items()] == ["capteur_1"]

    dialog = bench.sensors.open_edit("capteur_1")
    dialog.name.setText("Server room")
    dialog.high.setText("20")
    dialog.accept_button.click()
    assert load_config(bench.home)[0].sensor_list == (SensorConfig(id="capteur_1", name="Server room", high=20.0),)
    assert bench.sensors.model.row(key).title() == "Server room"
    assert bench.sensors.model.row(key).limits() == (None, 20.0)

    page.build_curves()
    got = []
    page.curves.range.follow("day")
    bench.services.query(lambda history: history.sensor_points("capteur_1", "temperature_c", 0, 9e9), got.append)
    qtbot.waitUntil(lambda: bool(got), timeout=SLOW_MS)
    assert list(got[0].mean) == [23.5]

    page.forget_wanted.emit("capteur_1")
    assert load_config(bench.home)[0].sensor_list == ()
    page.stop_wanted.emit()
    qtbot.waitUntil(lambda: not page.header.is_open, timeout=SLOW_MS)
    assert not load_config(bench.home)[0].sensors.enabled
    assert window.notice() == ""


def test_simulated_sensors_are_a_child_that_opens_the_intake_and_ends_with_the_desk(qtbot, bench):
    bench.window.show_page("sensors")
    qtbot.mouseClick(bench.sensors_page.simulate_button, Qt.LeftButton)
    qtbot.waitUntil(lambda: bench.sensors.model.rowCount() == SIMULATED_COUNT, timeout=SLOW_MS)
    assert "simulated" in bench.sensors_page.header.line.text()
    simulator = bench.sensors._simulator
    assert simulator.is_running
    bench.sensors.stop()
    assert not simulator.is_running


def test_the_room_opens_a_plain_client_joins_and_both_are_heard(qtbot, bench):
    page, window = bench.room_page, bench.window
    window.show_page("room")
    qtbot.mouseClick(page.start_button, Qt.LeftButton)
    qtbot.waitUntil(lambda: page.is_open, timeout=SLOW_MS)
    operator = bench.services.config.operator
    with socket.create_connection(address(bench.room._report.address), timeout=5) as client:
        client.sendall("Hello|Zoé".encode())
        qtbot.waitUntil(lambda: "Zoé" in page.side.people_texts(), timeout=SLOW_MS)
        client.sendall(f"@{operator} are you there?".encode())
        qtbot.waitUntil(lambda: "are you there?" in page.view.text(), timeout=SLOW_MS)
        qtbot.keyClicks(page.input.field, "yes, I am")
        qtbot.keyClick(page.input.field, Qt.Key_Return)
        qtbot.waitUntil(lambda: "You said: yes, I am" in page.view.text(), timeout=SLOW_MS)
        client.settimeout(5)
        heard = b""
        while b"a dit : yes, I am" not in heard:
            heard += client.recv(4096)
        window.show_page("overview")
        client.sendall(b"unseen")
        qtbot.waitUntil(lambda: window.tabs.tabText(5) == "Room  1", timeout=SLOW_MS)
    window.show_page("room")
    assert window.tabs.tabText(5) == "Room"

    again = RoomPage(rooms=bench.room.rooms)
    qtbot.addWidget(again)
    bench.room.attach(window, again)
    assert "You said: yes, I am" in again.view.text()
    again.header.search.setText("unseen")

    def search():
        qtbot.keyClick(again.header.search, Qt.Key_Return)
        qtbot.wait(100)
        assert "unseen" in again.view.text()
        assert "yes, I am" not in again.view.text()

    qtbot.waitUntil(search, timeout=SLOW_MS)


def test_say_in_the_room_brings_the_page_with_the_machine(bench):
    bench.window.say_wanted.emit("machine/srv-db")
    assert bench.window.current_page() == "room"
    assert bench.room_page.input.link() == "machine/srv-db"


def test_links_lead_to_pages_and_unknown_machines_are_told(bench):
    bench.room.follow("alarm/12")
    assert bench.window.current_page() == "alarms"
    bench.room.follow("command/r1")
    assert bench.window.current_page() == "commands"
    bench.room.follow("machine/nobody")
    assert bench.window.current_page() == "commands"
    assert "nobody" in bench.window.status_line.currentMessage()
    bench.room.follow("time/never")
    bench.room.follow("nonsense")
    assert bench.window.current_page() == "commands"


def test_a_time_leads_to_curves_that_show_it(bench):
    at_s = time.time() - 86_400
    link = f"time/{datetime.fromtimestamp(at_s, UTC).isoformat(timespec='seconds')}"
    bench.room.follow(link)
    assert bench.window.current_page() == "machine"
    bench.sensors_page.apply_batch(batch(measure(time_s=time.time())))
    bench.room.follow(link)
    assert bench.window.current_page() == "sensors"
    start_s, end_s = bench.sensors_page.curves.range.span()
    assert start_s < at_s < end_s
    assert bench.sensors_page.curves.range.cursor_s == int(at_s)


def test_the_operator_is_present_in_a_room_that_is_opened(qtbot, bench):
    bench.room.open_room()
    qtbot.waitUntil(lambda: bench.room_page.is_open, timeout=SLOW_MS)
    bench.room_page.open_room("lab")
    qtbot.waitUntil(lambda: bench.room.rooms.people("lab") != (), timeout=SLOW_MS)
    assert bench.room.rooms.people("general") == bench.room.rooms.people("lab")
    bench.preferences.changed.connect(bench.room.apply_config)
    bench.preferences.save({"operator": "Ana"})
    qtbot.waitUntil(lambda: bench.room.rooms.people("lab") == ("Ana",), timeout=SLOW_MS)
    assert bench.room.rooms.people("general") == ("Ana",)


def test_a_room_that_is_not_open_says_so_and_gives_the_line_back(qtbot, bench):
    bench.room_page.input.field.setText("anybody?")
    bench.room_page.input.field.setEnabled(True)
    bench.room_page.input.field.say()
    qtbot.waitUntil(lambda: bench.room_page.input.field.text() == "anybody?", timeout=SLOW_MS)
    assert "not open" in bench.room_page.input._words.accessibleName()


def test_a_password_is_kept_in_a_private_file_and_a_test_is_sent(qtbot, bench):
    told = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            peer, _address = listener.accept()
            with peer:
                peer.settimeout(5)
                told.append(peer.recv(65_536))
                peer.sendall(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        dialog = bench.preferences.open()
        dialog.webhook.url.setText(f"http://127.0.0.1:{listener.getsockname()[1]}/hook")
        dialog.webhook.token.setText("t0ken")
        dialog.webhook.test_button.click()
        qtbot.waitUntil(lambda: "sent" in dialog.webhook.result(), timeout=SLOW_MS)
        thread.join()
    assert b"Bearer t0ken" in told[0]
    path = bench.home.path / "secrets" / "webhook.token"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    mail = dialog.email
    for field, text in ((mail.host, "smtp.example.org"), (mail.sender, "b@example.org"), (mail.to, "a@example.org")):
        field.setText(text)
    dialog.alarms.notify.setCurrentIndex(dialog.alarms.notify.findData("never"))
    dialog.accept_button.click()
    assert bench.window.notice() == ""
    assert load_config(bench.home)[0].alarms.email.to == ("a@example.org",)
    assert load_config(bench.home)[0].alarms.notify is None
    webhook = load_config(bench.home)[0].alarms.webhook
    assert isinstance(webhook, WebhookSettings)
    assert webhook.token_file == "secrets/webhook.token"
    assert "t0ken" not in bench.home.config_path.read_text()
