"""What `beffroi alarms` promises on the command line."""

from __future__ import annotations

import json
import time

import pytest
from alarm_records import T0, alarm

from core.cli.app import main
from core.home import Home
from core.site_records import AlarmState
from core.store.history import History


@pytest.fixture
def home(tmp_path, monkeypatch) -> Home:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    made = Home(tmp_path / "home").make()
    made.config_path.write_text('operator = "Anna"\n')
    with History.open(made.database_path) as history:
        history.write(
            [
                alarm(1),
                alarm(2, state=AlarmState.RESOLVED, until_s=T0 + 60, since_s=T0 + 1),
                alarm(3, state=AlarmState.ACKNOWLEDGED, operator="Bob", since_s=T0 + 2),
                alarm(4, since_s=T0 + 3, value=96.5, threshold=90.0, unit="%", text="CPU\x1b[2J of m4"),
            ]
        )
    return made


def words(home: Home, *typed: str) -> int:
    return main(["alarms", *typed, "--home", str(home.path)])


def found(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    documents = json.loads(capsys.readouterr().out)
    assert isinstance(documents, list)
    return documents


def test_the_open_ones_are_listed_newest_first_with_every_key(home, capsys):
    assert words(home, "list", "--json") == 0
    documents = found(capsys)
    assert [one["id"] for one in documents] == [4, 3, 1]
    assert list(documents[0]) == [
        "id", "source", "rule", "severity", "state", "value", "threshold", "since", "until", "operator", "comment",
        "text",
    ]  # fmt: skip
    assert (documents[0]["value"], documents[0]["threshold"], documents[0]["until"]) == (96.5, 90.0, None)
    assert str(documents[0]["since"]).endswith("Z")


@pytest.mark.parametrize(
    ("typed", "ids"),
    [
        (["--all"], [4, 3, 2, 1]),
        (["--state", "resolved"], [2]),
        (["--state", "active", "--state", "resolved"], [4, 2, 1]),
        (["--state", "ignored"], []),
    ],
)
def test_more_or_fewer_can_be_asked_for(home, capsys, typed, ids):
    assert words(home, "list", "--json", *typed) == 0
    assert [one["id"] for one in found(capsys)] == ids


def test_people_get_a_table_without_control_characters(home, capsys):
    assert words(home, "list") == 0
    told = capsys.readouterr().out
    assert "Machine offline" in told
    assert "\x1b" not in told


def test_no_history_yet_is_an_empty_list_and_makes_no_file(tmp_path, capsys):
    fresh = Home(tmp_path / "fresh").make()
    assert words(fresh, "list", "--json") == 0
    assert found(capsys) == []
    assert not fresh.database_path.exists()
    assert words(fresh, "acknowledge", "1") == 2


def test_an_alarm_is_acknowledged_with_nothing_running(home, capsys):
    assert words(home, "acknowledge", "1", "--comment", "on my way", "--json") == 0
    (document,) = found(capsys)
    assert (document["id"], document["state"], document["operator"], document["comment"]) == (
        1,
        "acknowledged",
        "Anna",
        "on my way",
    )
    with History.open(home.database_path) as history:
        kept = history.alarms((AlarmState.ACKNOWLEDGED,))[-1]
    assert (kept.id, kept.operator) == (1, "Anna")
    assert abs(kept.changed_s - time.time()) < 60


def test_several_are_acknowledged_at_once_and_said(home, capsys):
    assert words(home, "acknowledge", "1", "4") == 0
    assert capsys.readouterr().out.count("is acknowledged: ") == 2


def test_a_number_that_is_none_changes_nothing_and_ends_with_2(home, capsys):
    assert words(home, "acknowledge", "1", "99") == 2
    told = capsys.readouterr()
    assert "there is no alarm 99; see: beffroi alarms list" in told.err
    with History.open(home.database_path) as history:
        assert history.alarms((AlarmState.ACTIVE,))[-1].id == 1


@pytest.mark.parametrize("typed", ["x", "-1.5"])
def test_what_is_no_number_ends_with_2(home, capsys, typed):
    with pytest.raises(SystemExit) as ended:
        words(home, "acknowledge", typed)
    assert ended.value.code == 2


def test_one_that_is_over_cannot_be_acknowledged_and_is_said(home, capsys):
    assert words(home, "acknowledge", "2") == 1
    assert "alarm 2 is resolved since " in capsys.readouterr().err


def test_one_that_is_acknowledged_already_is_said_and_stays(home, capsys):
    assert words(home, "acknowledge", "3", "--json") == 0
    told = capsys.readouterr()
    assert json.loads(told.out)[0]["operator"] == "Bob"
    assert "was acknowledged already, by Bob" in told.err
