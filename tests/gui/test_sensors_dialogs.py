"""Dialogs of sensors and the room, and their tabs of Preferences: what is wrong is said in a sentence."""

import pytest
from dialog_parts import gather, words
from PyQt5.QtCore import Qt

from core.config import Config
from core.config.settings import (
    AlarmsSettings,
    EmailSettings,
    RoomSettings,
    SensorConfig,
    SensorsSettings,
    WebhookSettings,
)
from core.site_records import AlarmSeverity
from gui.dialogs.edit_sensor import EditSensorDialog
from gui.dialogs.listen import ListenDialog
from gui.dialogs.preferences import PreferencesDialog


def test_a_sensor_is_named_with_limits_in_the_users_decimals(qtbot, show):
    dialog = show(EditSensorDialog(SensorConfig(id="capteur_1")))
    edited = gather(dialog.edited)
    qtbot.keyClicks(dialog.name, "Server room")
    qtbot.keyClicks(dialog.place, "Building A")
    qtbot.keyClicks(dialog.low, "-5")
    qtbot.keyClicks(dialog.high, "24,5")
    qtbot.keyClicks(dialog.silence, "5")
    qtbot.keyClick(dialog.name, Qt.Key_Return)
    assert edited == [
        (
            SensorConfig(
                id="capteur_1", name="Server room", place="Building A", low=-5.0, high=24.5, silent_after_s=300.0
            ),
        )
    ]


@pytest.mark.parametrize(
    ("field", "text", "told"),
    [
        ("low", "warm", "Rings below: warm is not a number"),
        ("high", "nan", "Rings above: nan is not a number"),
        ("high", "1e999", "is not a number"),
        ("silence", "-1", "between one second and a year"),
        ("silence", "999999999", "between one second and a year"),
        ("low", "30", "lower limit must be less"),
    ],
)
def test_a_limit_that_cannot_be_is_told_and_the_dialog_stays(show, field, text, told):
    dialog = show(EditSensorDialog(SensorConfig(id="a", high=24)))
    edited = gather(dialog.edited)
    getattr(dialog, field).setText(text)
    dialog.accept_button.click()
    assert told in words(dialog)
    assert edited == []
    assert dialog.isVisible()


@pytest.mark.parametrize(
    ("seconds", "text", "unit"), [(90, "90", 1), (300, "5", 60), (7200, "2", 3600), (None, "", 60)]
)
def test_a_silence_is_shown_in_its_own_unit(show, seconds, text, unit):
    dialog = show(EditSensorDialog(SensorConfig(id="a", silent_after_s=seconds)))
    assert (dialog.silence.text(), dialog.span.currentData()) == (text, unit)


def test_opening_to_the_network_says_what_it_means_on_its_button(show):
    dialog = show(ListenDialog("Where", "127.0.0.1:17452", "Everybody can send.", ()))
    chosen = gather(dialog.chosen)
    assert dialog._means.text() == "Other machines cannot reach it."
    dialog.host.setCurrentIndex(1)
    assert dialog._means.text() == "Everybody can send."
    assert dialog.accept_button.text() == "Open to the network"
    dialog.allow.setText("10.0.1.0/24; somewhere")
    dialog.accept_button.click()
    assert "somewhere is neither an address nor a network" in words(dialog)
    dialog.allow.setText("10.0.1.0/24 10.0.2.7")
    dialog.accept_button.click()
    assert chosen == [("0.0.0.0:17452", ("10.0.1.0/24", "10.0.2.7"))]


def test_an_address_of_ones_own_is_kept_in_the_choice(show):
    dialog = show(ListenDialog("Where", "192.168.1.5:9000", "Everybody can join."))
    assert dialog.address() == "192.168.1.5:9000"
    assert dialog.allow is None
    assert "Everybody" in dialog._means.text()


def preferences(show, **more):
    dialog = show(PreferencesDialog(Config(operator="ana", **more), "f"))
    return dialog, gather(dialog.changed), gather(dialog.secrets_given)


def test_preferences_of_sensors_and_room_tell_what_differs(show):
    dialog, changed, _secrets = preferences(show)
    dialog.sensors.enabled.setChecked(True)
    dialog.sensors.allow.setText("10.0.0.0/8")
    dialog.sensors.file.setText("donnees.txt")
    dialog.sensors.rate.setText("2,5")
    dialog.room.stop_word.setText("basta")
    dialog.room.post_alarms.setCurrentIndex(dialog.room.post_alarms.findData("high"))
    dialog.room.post_commands.setChecked(True)
    dialog.alarms.sound.setChecked(False)
    dialog.alarms.notify.setCurrentIndex(dialog.alarms.notify.findData("never"))
    dialog.accept_button.click()
    assert changed == [
        (
            {
                "sensors.enabled": True,
                "sensors.allow": ["10.0.0.0/8"],
                "sensors.file": "donnees.txt",
                "sensors.rate_per_s": 2.5,
                "room.stop_word": "basta",
                "room.post_alarms": "high",
                "room.post_commands": True,
                "alarms.sound": False,
                "alarms.notify": "never",
            },
        )
    ]


def test_what_is_emptied_is_taken_out_of_the_file(show):
    dialog, changed, _secrets = preferences(
        show,
        sensors=SensorsSettings(allow=("10.0.0.1",), file="donnees.txt", rate_per_s=5),
        room=RoomSettings(stop_word="basta", post_alarms=AlarmSeverity.LOW),
        alarms=AlarmsSettings(webhook=WebhookSettings(url="https://a.example/x")),
    )
    for field in (dialog.sensors.allow, dialog.sensors.file, dialog.sensors.rate, dialog.room.stop_word):
        field.clear()
    dialog.webhook.url.clear()
    dialog.room.post_alarms.setCurrentIndex(0)
    dialog.accept_button.click()
    assert changed == [
        (
            {
                "sensors.allow": None,
                "sensors.file": None,
                "sensors.rate_per_s": None,
                "room.stop_word": None,
                "room.post_alarms": "never",
                "alarms.webhook": None,
            },
        )
    ]


@pytest.mark.parametrize(
    ("tab", "field", "text", "told"),
    [
        ("sensors", "listen", "17452", "17452 is not an address to listen on"),
        ("sensors", "listen", "127.0.0.1:99999", "99999 is not a port"),
        ("sensors", "allow", "10.0.0.300", "neither an address nor a network"),
        ("sensors", "rate", "0", "between 0 and a million"),
        ("room", "listen", "", "is not an address to listen on"),
        ("email", "host", "http://smtp", "The server is a name"),
        ("webhook", "url", "chat.example.org", "begins with https://"),
    ],
)
def test_a_setting_that_cannot_be_brings_its_tab_to_the_front(show, tab, field, text, told):
    dialog, changed, _secrets = preferences(show)
    getattr(getattr(dialog, tab), field).setText(text)
    dialog.accept_button.click()
    assert told in words(dialog)
    assert dialog.tabs.currentWidget() is getattr(dialog, tab)
    assert changed == []


def test_mail_is_a_whole_table_and_its_password_goes_apart(show):
    dialog, changed, secrets = preferences(show)
    mail = dialog.email
    mail.host.setText("smtp.example.org")
    for text, told in (("", "not an address of mail"), ("ana", "not an address of mail")):
        mail.sender.setText(text)
        dialog.accept_button.click()
        assert told in words(dialog)
    mail.sender.setText("beffroi@example.org")
    dialog.accept_button.click()
    assert "at least one address" in words(dialog)
    mail.to.setText("ana@example.org, bo@example.org")
    mail.user.setText("beffroi")
    dialog.accept_button.click()
    assert "password of beffroi" in words(dialog)
    mail.password.setText("s3cret")
    dialog.accept_button.click()
    assert secrets == [({"email.password": "s3cret"},)]
    assert changed == [
        (
            {
                "alarms.email": {
                    "host": "smtp.example.org",
                    "sender": "beffroi@example.org",
                    "to": ["ana@example.org", "bo@example.org"],
                    "port": 587,
                    "security": "starttls",
                    "user": "beffroi",
                    "password_file": "secrets/email.password",
                    "severity": "high",
                }
            },
        )
    ]


def test_a_password_is_never_shown_and_stays_where_nothing_is_typed(show):
    before = EmailSettings(
        host="smtp.example.org", sender="b@example.org", to=("a@example.org",), user="b", password_file="secrets/mine"
    )
    dialog, changed, secrets = preferences(show, alarms=AlarmsSettings(email=before))
    assert dialog.email.password.text() == ""
    assert dialog.email.password.echoMode() == dialog.email.password.Password
    dialog.email.port.setValue(25)
    dialog.accept_button.click()
    assert secrets == []
    assert changed[0][0]["alarms.email"]["password_file"] == "secrets/mine"


def test_a_test_is_sent_with_what_is_written_and_answered_in_words(show):
    dialog, _changed, _secrets = preferences(show)
    wanted = gather(dialog.test_wanted)
    dialog.webhook.test_button.click()
    assert dialog.webhook.result() == "fill in the fields above first"
    dialog.webhook.url.setText("https://chat.example.org/hook")
    dialog.webhook.token.setText("abc")
    dialog.webhook.test_button.click()
    settings, secrets = wanted[0]
    assert settings == WebhookSettings(url="https://chat.example.org/hook", token_file="secrets/webhook.token")
    assert secrets == {"webhook.token": "abc"}
    assert not dialog.webhook.test_button.isEnabled()
    dialog.apply_tested(settings, "nothing listens there")
    assert dialog.webhook.result() == "nothing listens there"
    dialog.apply_tested(settings, "")
    assert "sent" in dialog.webhook.result()
    assert dialog.webhook.test_button.isEnabled()


def test_what_opens_to_the_network_is_saved_at_the_second_press(show):
    dialog, changed, _secrets = preferences(show)
    dialog.room.enabled.setChecked(True)
    dialog.room.listen.setText("0.0.0.0:17453")
    dialog.accept_button.click()
    assert "join, read and speak" in words(dialog)
    assert changed == []
    dialog.accept_button.click()
    assert changed == [({"room.enabled": True, "room.listen": "0.0.0.0:17453"},)]


def test_what_is_open_to_the_network_already_is_not_asked_again(show):
    dialog, changed, _secrets = preferences(show, room=RoomSettings(enabled=True, listen="0.0.0.0:17453"))
    dialog.room.post_commands.setChecked(True)
    dialog.accept_button.click()
    assert changed == [({"room.post_commands": True},)]
