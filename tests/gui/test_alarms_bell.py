"""The bell of the desktop: what it tells, how often, and that it can be silenced."""

import time
from types import SimpleNamespace

import pytest
from alarm_shown import alarm
from msgspec.structs import replace
from PyQt5.QtCore import QObject

from core.config.settings import AlarmsSettings
from core.site_records import AlarmSeverity, AlarmState
from gui.wiring import bell as bell_module
from gui.wiring.bell import SOUND, Bell, Sound


class CountingSound(QObject):
    """Counts what would be heard."""

    def __init__(self):
        super().__init__()
        self.played = self.stopped = 0

    def play(self):
        self.played += 1

    def stop(self):
        self.stopped += 1


@pytest.fixture
def sound(qapp):
    return CountingSound()


@pytest.fixture
def told():
    return []


@pytest.fixture
def bell(qapp, sound, told):
    made = Bell(AlarmsSettings(), sound=sound)
    made.told.connect(told.append)
    yield made
    made.stop()


def later(monkeypatch, seconds):
    """The bell's clock stands `seconds` from now."""
    at_s = time.monotonic() + seconds
    monkeypatch.setattr(bell_module, "time", SimpleNamespace(monotonic=lambda: at_s))


def test_an_alarm_is_told_and_heard_once(bell, sound, told, qtbot):
    bell.put([alarm(1)])
    qtbot.waitUntil(lambda: bool(told))
    assert told[0].title == "CPU of web-01 above 90 % (96 %)"
    assert sound.played == 1
    bell.put([replace(alarm(1), value=97.0, changed_s=time.time())])
    assert not bell._timer.isActive()


def test_two_thousand_lost_at_once_are_one_notice_and_one_stroke(bell, sound, told, qtbot):
    bell.put(
        alarm(number, source=f"machine/m{number}", rule="machine offline", text=f"m{number} is offline")
        for number in range(1, 2001)
    )
    qtbot.waitUntil(lambda: bool(told))
    assert len(told) == 1
    assert "2000" in told[0].title
    assert sound.played == 1


def test_what_flaps_is_no_storm(bell, sound, told, monkeypatch):
    for turn in range(20):
        later(monkeypatch, 12.0 * turn)
        bell.put([alarm(100 + turn)])
        later(monkeypatch, 12.0 * turn + 6)
        bell._turn()
        bell.put([alarm(100 + turn, state=AlarmState.RESOLVED, changed_s=time.time() + 1)])
        bell._turn()
    ringing = [notice for notice in told if not notice.is_over]
    assert len(ringing) == 1
    assert len(told) <= 2
    assert sound.played == 1


def test_two_bursts_within_seconds_are_heard_once(bell, sound, monkeypatch):
    for turn in range(2):
        later(monkeypatch, 4.0 * turn)
        bell.put([alarm(turn + 1, source=f"machine/m{turn}")])
        later(monkeypatch, 4.0 * turn + 2)
        bell._turn()
    assert sound.played == 1


def test_what_is_below_the_wanted_severity_is_neither_told_nor_heard(bell, sound, told, monkeypatch):
    bell.set_settings(AlarmsSettings(notify=AlarmSeverity.HIGH))
    bell.put([alarm(1, severity=AlarmSeverity.MEDIUM)])
    later(monkeypatch, 10)
    bell._turn()
    assert told == []
    assert sound.played == 0


def test_settings_without_notifications_or_without_sound_are_obeyed(bell, sound, told, monkeypatch):
    bell.set_settings(AlarmsSettings(notify=None, sound=True))
    bell.put([alarm(1)])
    later(monkeypatch, 10)
    bell._turn()
    assert (told, sound.played) == ([], 1)
    bell.set_settings(AlarmsSettings(sound=False))
    bell.put([alarm(2, source="machine/other")])
    later(monkeypatch, 100)
    bell._turn()
    assert (len(told), sound.played) == (1, 1)


def test_silenced_it_says_nothing_and_stops_what_sounds(bell, sound, told, monkeypatch):
    bell.set_silent(True)
    assert sound.stopped == 1
    bell.put([alarm(1, severity=AlarmSeverity.CRITICAL)])
    later(monkeypatch, 10)
    bell._turn()
    assert (told, sound.played) == ([], 0)


def test_alarms_of_before_the_start_are_known(bell, told, monkeypatch):
    bell.know([alarm(1)])
    bell.put([alarm(1)])
    later(monkeypatch, 10)
    bell._turn()
    assert told == []


def test_what_somebody_acknowledged_meanwhile_is_not_told(bell, told, monkeypatch):
    bell.put([alarm(1)])
    bell.put([alarm(1, state=AlarmState.ACKNOWLEDGED)])
    later(monkeypatch, 10)
    bell._turn()
    assert told == []


def test_the_sound_is_a_short_file_of_our_own():
    import wave

    with wave.open(str(SOUND)) as file:
        assert 0.3 < file.getnframes() / file.getframerate() < 2.0


def test_a_desktop_without_any_player_beeps(qapp, monkeypatch):
    beeps = []
    monkeypatch.setattr(bell_module.QStandardPaths, "findExecutable", lambda _name: "")
    monkeypatch.setattr(bell_module.QApplication, "beep", lambda: beeps.append(1))
    Sound().play()
    assert beeps == [1]


def test_a_player_that_fails_is_not_asked_again(qapp, qtbot, monkeypatch):
    beeps = []
    monkeypatch.setattr(bell_module.QStandardPaths, "findExecutable", lambda name: "/nonexistent/" + name)
    monkeypatch.setattr(bell_module.QApplication, "beep", lambda: beeps.append(1))
    sound = Sound()
    sound.play()
    qtbot.waitUntil(lambda: beeps == [1])
    sound.play()
    assert beeps == [1, 1]


def test_the_tray_says_how_many_are_open_and_its_menu_acts(bell, monkeypatch):
    monkeypatch.setattr(bell_module.QSystemTrayIcon, "isSystemTrayAvailable", lambda: True)
    bell.attach_tray()
    bell.attach_tray()
    entries = {action.text(): action for action in bell._menu.actions() if action.text()}
    assert list(entries) == ["Open Beffroi", "Acknowledge all…", "Silence", "Quit"]
    assert not entries["Acknowledge all…"].isEnabled()
    heard = []
    bell.opened.connect(heard.append)
    bell.acknowledge_all_wanted.connect(lambda: heard.append("all"))
    bell.silenced.connect(heard.append)
    bell.quit_wanted.connect(lambda: heard.append("quit"))
    bell.set_counts({AlarmSeverity.HIGH: 3}, 2)
    assert entries["Open Beffroi"].text() == "Open Beffroi · 3 open alarms"
    for action in entries.values():
        action.trigger()
    assert heard == [0, "all", True, "quit"]
    assert bell.is_silent


def test_hostile_names_are_no_markup_in_a_notification(bell, monkeypatch):
    monkeypatch.setattr(bell_module.QSystemTrayIcon, "isSystemTrayAvailable", lambda: True)
    monkeypatch.setattr(bell_module.QSystemTrayIcon, "supportsMessages", lambda: True)
    shown = []
    bell.attach_tray()
    monkeypatch.setattr(bell.tray, "showMessage", lambda *args: shown.append(args))
    bell.put([alarm(1, source="machine/<b>x</b>\x1b", text="<a href='x'>y</a> " + "z" * 10_000)])
    later(monkeypatch, 10)
    bell._turn()
    title, text, _icon, _ms = shown[0]
    assert not set("<>\x1b") & set(title + text)
    assert len(title) <= 400


def test_a_click_on_a_notification_opens_its_alarm(bell, monkeypatch):
    opened = []
    bell.opened.connect(opened.append)
    monkeypatch.setattr(bell_module.QSystemTrayIcon, "isSystemTrayAvailable", lambda: True)
    bell.attach_tray()
    bell.put([alarm(41)])
    later(monkeypatch, 10)
    bell._turn()
    bell.tray.messageClicked.emit()
    assert opened == [41]
