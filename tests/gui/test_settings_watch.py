"""Settings that somebody else writes while the window is open."""

from types import SimpleNamespace

import pytest

from core.config import load_config, save_setting
from core.requests import ReloadRequest
from gui.wiring.settings_watch import SettingsWatch


@pytest.fixture
def told(qapp, home):
    home.make()
    save_setting(home, "operator", "ana")
    asked, taken, words = [], [], []
    services = SimpleNamespace(config=load_config(home)[0], is_beside=False, ask=asked.append, take_config=taken.append)
    watch = SettingsWatch(home, services)
    watch.changed.connect(lambda: words.append("changed"))
    watch.refused.connect(words.append)
    watch.mended.connect(lambda text: words.append(f"mended {text}"))
    return SimpleNamespace(home=home, services=services, watch=watch, asked=asked, taken=taken, words=words)


def test_a_window_that_collects_works_by_what_was_written(told):
    told.watch.look()
    assert told.words == []
    save_setting(told.home, "alarms.sound", False)
    told.watch.look()
    told.watch.look()
    assert (told.words, told.asked) == (["changed"], [ReloadRequest(operator="ana")])


def test_a_window_beside_shows_it_and_leaves_the_other_alone(told):
    told.services.is_beside = True
    save_setting(told.home, "alarms.sound", False)
    told.watch.look()
    assert (told.words, told.asked) == (["changed"], [])
    assert [config.alarms.sound for config in told.taken] == [False]


def test_what_this_window_wrote_itself_is_no_news(told):
    save_setting(told.home, "alarms.sound", False)
    told.services.config = load_config(told.home)[0]
    told.watch.look()
    assert (told.words, told.asked) == ([], [])


def test_a_file_that_cannot_be_read_is_said_until_it_is_mended(told):
    whole = told.home.config_path.read_text(encoding="utf-8")
    told.home.config_path.write_text("operator = \n", encoding="utf-8")
    told.watch.look()
    (refusal,) = told.words
    assert "config.toml" in refusal
    told.home.config_path.write_text(whole + "\n", encoding="utf-8")
    told.watch.look()
    assert told.words == [refusal, f"mended {refusal}"]
    assert told.asked == []
