"""What is posted in the room, and in how few words."""

from __future__ import annotations

from core.config.settings import RoomSettings
from core.records import CommandProgress, CommandRequest, CommandResult, CommandState
from core.services.chat_posts import ChatPosts
from core.site_records import Alarm, AlarmSeverity, AlarmState, ChatKind


def alarm(number, severity=AlarmSeverity.HIGH, state=AlarmState.ACTIVE):
    return Alarm(
        id=number,
        source=f"machine/m{number}",
        rule="offline",
        severity=severity,
        state=state,
        since_s=1.0,
        changed_s=1.0,
        text=f"m{number} is offline",
    )


class Posts:
    def __init__(self, **settings):
        self.now_s = 0.0
        self.told = []
        self.posts = ChatPosts(
            RoomSettings(**settings), lambda *words: self.told.append(words), monotonic=lambda: self.now_s
        )

    def after(self, seconds):
        self.now_s += seconds
        self.posts.post_due()
        told, self.told = self.told, []
        return told


def test_two_thousand_alarms_at_once_are_one_line():
    posts = Posts(post_alarms=AlarmSeverity.MEDIUM)
    for number in range(2000):
        posts.posts.put(alarm(number))
    assert posts.after(0.1) == []
    ((text, kind, link),) = posts.after(10)
    assert "2000" in text
    assert (kind, link) == (ChatKind.ALARM, "alarm/0")


def test_only_alarms_from_the_severity_on_and_only_once():
    posts = Posts(post_alarms=AlarmSeverity.HIGH)
    posts.posts.put(alarm(1, AlarmSeverity.MEDIUM))
    posts.posts.put(alarm(2))
    posts.posts.put(alarm(2))
    assert posts.after(10) == [("m2 is offline", ChatKind.ALARM, "alarm/2")]
    posts.posts.put(alarm(2))
    posts.posts.put(alarm(2, state=AlarmState.RESOLVED))
    assert [words[2] for words in posts.after(10)] == ["alarm/2"]


def test_nothing_is_posted_that_was_not_wished():
    posts = Posts()
    posts.posts.put(alarm(1))
    posts.posts.put(request())
    posts.posts.put(progress("m1", is_last=True))
    assert posts.after(10) == []


def request(*machines):
    return CommandRequest(id="r1", words=("df", "-h"), machines=machines, timeout_s=1.0, operator="Olga", time_s=1.0)


def progress(machine, state=CommandState.OK, *, is_last=False):
    return CommandProgress(id="r1", result=CommandResult(machine=machine, state=state), is_last=is_last)


def test_a_finished_command_is_posted_with_how_it_ended():
    posts = Posts(post_commands=True)
    posts.posts.put(request("m1", "m2"))
    posts.posts.put(progress("m1"))
    assert posts.after(1) == []
    posts.posts.put(progress("m2", is_last=True))
    assert posts.after(1) == [("Olga: “df -h” has ended well on 2 machines", ChatKind.COMMAND, "command/r1")]


def test_a_command_that_failed_names_the_first_machines():
    posts = Posts(post_commands=True)
    names = [f"m{number}" for number in range(10)]
    posts.posts.put(request(*names))
    for name in names:
        posts.posts.put(progress(name, CommandState.OFFLINE, is_last=name == "m9"))
    ((text, _kind, _link),) = posts.after(1)
    assert text == "Olga: “df -h” has ended on 10 machines, not well on 10: m0, m1, m2, m3, …"


def test_what_is_fetched_later_is_posted_once_all_of_it_is_known():
    posts = Posts(post_commands=True)
    posts.posts.put(request("m1", "m2"))
    posts.posts.put(progress("m1", CommandState.UNKNOWN))
    posts.posts.put(progress("m2", CommandState.UNKNOWN, is_last=True))
    ((text, _kind, _link),) = posts.after(1)
    assert text.endswith("not well on 2: m1, m2; on 2 of them it is not known yet")
    posts.posts.put(progress("m2"))
    assert posts.after(1) == []
    posts.posts.put(progress("m1"))
    ((text, kind, link),) = posts.after(1)
    assert text == "Olga: “df -h” has ended well on 2 machines (fetched later)"
    assert (kind, link) == (ChatKind.COMMAND, "command/r1")


def test_a_result_that_was_lost_and_came_before_the_end_counts_once():
    posts = Posts(post_commands=True)
    posts.posts.put(request("m1", "m2"))
    posts.posts.put(progress("m1", CommandState.UNKNOWN))
    posts.posts.put(progress("m1"))
    posts.posts.put(progress("m2", is_last=True))
    assert [words[0] for words in posts.after(1)] == ["Olga: “df -h” has ended well on 2 machines"]
