"""The Room page, driven by records, keys and clicks."""

import time

import pytest
from dialog_parts import gather
from PyQt5.QtCore import QPoint, Qt
from PyQt5.QtGui import QGuiApplication, QTextCursor
from site_records import NOW_S, line, room

from core.site_records import AlarmSeverity, ChatKind, ListenerState
from gui.pages.room import PAST_LINES, RoomPage, moment_of


@pytest.fixture
def page(qtbot):
    made = RoomPage("ana")
    qtbot.addWidget(made)
    made.resize(900, 600)
    made.show()
    qtbot.waitExposed(made)
    return made


@pytest.fixture
def open_page(page):
    page.apply_report(room(present={"general": ("ana", "Bruno", "Chloé")}))
    page.flush()
    return page


def say(page, *lines):
    for one in lines:
        page.apply_line(one)
    page.flush()


def shown(page):
    return [text for text in page.view.text().splitlines() if text.startswith("[")]


def test_a_closed_room_has_one_button_that_asks_to_open_it(qtbot, page):
    wanted = gather(page.open_wanted)
    assert page.start.isVisible()
    qtbot.mouseClick(page.start_button, Qt.LeftButton)
    assert wanted == [()]
    page.set_starting()
    assert "opening" in page.start.state()
    page.apply_report(room(ListenerState.FAILED, address=None, error="port 17453 is in use"))
    assert "in use" in page.start.state()


def test_an_open_room_says_who_is_there_and_how_others_join(open_page):
    text = open_page.header.line.text()
    assert "listening on 127.0.0.1:17453" in text
    assert "3 present" in text
    assert open_page.side.people_texts() == ["ana", "Bruno", "Chloé"]
    open_page.apply_report(room(present={"general": ("ana",)}))
    open_page.flush()
    assert open_page.input.how_line.text() == "beffroi room join 127.0.0.1:17453 NAME"
    assert open_page.input.how_line.isVisible()


def test_who_was_dropped_since_it_did_not_read_is_counted(open_page):
    open_page.apply_report(room(present={"general": ("ana",)}, dropped=2))
    assert "1 present · 2 dropped, they did not read" in open_page.header.line.text()


def test_earlier_lines_are_offered_only_until_the_history_has_no_more(open_page):
    first = line("morning")
    say(open_page, first)
    assert open_page.earlier_button.isVisible()
    open_page.apply_past("general", [first])
    assert not open_page.earlier_button.isVisible()


def test_lines_come_with_their_time_name_and_day(open_page):
    say(open_page, line("morning", time_s=NOW_S), line("hello", "ana", time_s=NOW_S + 60))
    stamps = [time.strftime("[%H:%M]", time.localtime(at)) for at in (NOW_S, NOW_S + 60)]
    assert shown(open_page) == [f"{stamps[0]}  Bruno: morning", f"{stamps[1]}  You said: hello"]
    assert len(open_page.view.text().splitlines()) == 3


def test_enter_says_the_line_where_one_is_and_clears_the_field(qtbot, open_page):
    said = gather(open_page.say_wanted)
    qtbot.keyClicks(open_page.input.field, "good morning")
    qtbot.keyClick(open_page.input.field, Qt.Key_Return)
    assert said == [("general", "good morning", "")]
    open_page.apply_said()
    assert open_page.input.field.text() == ""
    qtbot.keyClick(open_page.input.field, Qt.Key_Up)
    assert open_page.input.field.text() == "good morning"


def test_an_empty_line_is_not_said(qtbot, open_page):
    said = gather(open_page.say_wanted)
    qtbot.keyClicks(open_page.input.field, "   ")
    qtbot.mouseClick(open_page.input.say_button, Qt.LeftButton)
    assert said == []


def test_a_line_that_was_not_taken_comes_back_with_the_reason(qtbot, open_page):
    open_page.begin_line("machine/m1")
    qtbot.keyClicks(open_page.input.field, "lost?")
    qtbot.keyClick(open_page.input.field, Qt.Key_Return)
    open_page.apply_said()
    assert open_page.input.link() == ""
    open_page.apply_said("the room is not open here")
    assert open_page.input.field.text() == "lost?"
    assert open_page.input.link() == "machine/m1"
    assert "not open" in open_page.input.words()


def test_tab_completes_a_name_and_tries_the_next_one(qtbot, open_page):
    open_page.apply_report(room(present={"general": ("ana", "Charles", "Chloé")}))
    open_page.flush()
    field = open_page.input.field
    qtbot.keyClicks(field, "hello ch")
    qtbot.keyClick(field, Qt.Key_Tab)
    assert field.text() == "hello @Charles "
    qtbot.keyClick(field, Qt.Key_Tab)
    assert field.text() == "hello @Chloé "
    qtbot.keyClicks(field, "x")
    qtbot.keyClick(field, Qt.Key_Tab)
    assert field.text() == "hello @Chloé x"
    assert not field.hasFocus()


def test_a_link_that_is_clicked_is_followed(qtbot, open_page):
    opened = gather(open_page.link_opened)
    say(open_page, line("machine/srv-db is slow", link="machine/srv-db"))
    view = open_page.view
    cursor = view.textCursor()
    cursor.setPosition(view.toPlainText().index("machine/srv") + 3)
    place = view.cursorRect(cursor).center()
    assert view.anchorAt(place) == "machine/srv-db"
    qtbot.mouseClick(view.viewport(), Qt.LeftButton, pos=place)
    view.setTextCursor(cursor)
    qtbot.keyClick(view, Qt.Key_Return)
    assert opened == [("machine/srv-db",), ("machine/srv-db",)]


def test_a_line_for_a_machine_carries_its_link_and_can_do_without(qtbot, open_page):
    said = gather(open_page.say_wanted)
    open_page.begin_line("machine/m1", "is it you?")
    assert open_page.input._chip.isVisible()
    qtbot.keyClick(open_page.input.field, Qt.Key_Return)
    open_page.apply_said()
    open_page.begin_line("alarm/3")
    open_page.input.set_link("")
    qtbot.keyClicks(open_page.input.field, "no link")
    qtbot.keyClick(open_page.input.field, Qt.Key_Return)
    assert said == [("general", "is it you?", "machine/m1"), ("general", "no link", "")]


def test_unread_lines_are_counted_while_nobody_looks(qtbot, open_page):
    counts = gather(open_page.unread_changed)
    open_page.hide()
    say(open_page, line("one"), line("@ana two", room="lab"))
    assert counts[-1] == (2,)
    assert open_page.side.room_texts() == ["general 1", "lab @ 1"]
    open_page.show()
    assert counts[-1] == (1,)
    open_page.open_room("lab")
    assert counts[-1] == (0,)
    assert "@ana two" in open_page.view.text()


def test_a_room_that_is_opened_is_entered(open_page):
    entered = gather(open_page.room_entered)
    open_page.open_room("Lab 2")
    assert entered == [(open_page.rooms.current,)]


def test_another_room_is_opened_by_a_click_and_asks_for_its_past(qtbot, open_page):
    say(open_page, line("here"), line("there", room="lab"))
    asked = gather(open_page.past_wanted)
    item = next(
        open_page.side.rooms.item(row)
        for row in range(open_page.side.rooms.count())
        if open_page.side.rooms.item(row).text() == "lab"
    )
    box = open_page.side.rooms.visualItemRect(item)
    qtbot.mouseClick(open_page.side.rooms.viewport(), Qt.LeftButton, pos=box.center())
    assert asked == [("lab", 0.0)]
    assert "there" in open_page.view.text()
    assert "here" not in open_page.view.text().replace("there", "")


def test_the_past_comes_before_and_earlier_lines_can_be_asked_for(qtbot, open_page):
    asked = gather(open_page.past_wanted)
    open_page.load()
    assert asked == [("general", 0.0)]
    past = [line(f"old {number}", time_s=NOW_S - 1000 + number) for number in range(PAST_LINES)]
    say(open_page, line("new"))
    open_page.apply_past("general", past)
    assert "old 0" in open_page.view.text()
    assert open_page.view.text().index("old 0") < open_page.view.text().index("new")
    qtbot.mouseClick(open_page.earlier_button, Qt.LeftButton)
    assert asked[-1] == ("general", NOW_S - 1000)
    open_page.apply_past("general", [line("the first", time_s=NOW_S - 5000)])
    assert not open_page.earlier_button.isVisible()


def test_search_shows_what_was_found_and_escape_goes_back(qtbot, open_page):
    asked = gather(open_page.search_wanted)
    say(open_page, line("present"))
    open_page.focus_filter()
    qtbot.keyClicks(open_page.header.search, "pump")
    qtbot.keyClick(open_page.header.search, Qt.Key_Return)
    assert asked == [("pump",)]
    open_page.apply_found("pump", [line("the pump is loud", room="lab", time_s=NOW_S - 86_400)])
    assert "the pump is loud" in open_page.view.text()
    assert "present" not in open_page.view.text()
    say(open_page, line("meanwhile"))
    assert "meanwhile" not in open_page.view.text()
    qtbot.keyClick(open_page.header.search, Qt.Key_Escape)
    assert "meanwhile" in open_page.view.text()
    open_page.apply_found("pump", [])
    assert "present" in open_page.view.text()


def test_who_reads_further_up_is_not_moved_but_told(qtbot, open_page):
    say(open_page, *(line(f"line {number}", time_s=NOW_S + number) for number in range(200)))
    bar = open_page.view.verticalScrollBar()
    assert bar.value() == bar.maximum()
    bar.setValue(0)
    say(open_page, line("news", time_s=NOW_S + 999))
    assert bar.value() == 0
    assert open_page.view._below.text() == "1 new line ▾"
    qtbot.mouseClick(open_page.view._below, Qt.LeftButton)
    assert bar.value() == bar.maximum()
    assert not open_page.view._below.isVisible()


def test_markup_bidi_and_floods_are_shown_as_letters_in_bounds(open_page):
    say(
        open_page,
        line("<img src=x onerror=alert(1)>", "<b>evil</b>"),
        line("a\u202egnp.exe", "שלום"),
        line("A" * 65_536, "flood"),
    )
    text = open_page.view.toPlainText()
    assert "<b>evil</b>: <img src=x onerror=alert(1)>" in open_page.view.text()
    assert "\u202e" not in text
    assert len(text) < 3000
    began_s = time.perf_counter()
    open_page.view.activated.emit(next(link for link in open_page.view.anchors() if link.startswith("whole/")))
    assert len(open_page.view.toPlainText()) > 65_000
    say(open_page, line("and on it goes"))
    assert time.perf_counter() - began_s < 2
    assert "A" * 65_536 in open_page.view.text()


def test_what_is_copied_is_what_was_said(open_page):
    say(open_page, line("טקסט and text", "שלום"))
    open_page.view.moveCursor(QTextCursor.Start)
    open_page.view.selectAll()
    open_page.view.copy()
    copied = QGuiApplication.clipboard().text()
    assert "שלום: טקסט and text" in copied
    assert "\u2068" not in copied
    assert not QGuiApplication.clipboard().mimeData().hasHtml()


def test_an_alarm_takes_its_shape_from_what_is_known_of_it(open_page):
    open_page.note_severity(12, AlarmSeverity.CRITICAL)
    say(open_page, line("offline", "", kind=ChatKind.ALARM, link="alarm/12"))
    assert "■ offline" in open_page.view.text()


def test_a_thousand_lines_at_once_are_drawn_in_one_go(open_page):
    began_s = time.perf_counter()
    say(open_page, *(line(f"line {number}", f"client{number % 50}", time_s=NOW_S + number) for number in range(1000)))
    assert time.perf_counter() - began_s < 1.5
    assert len(shown(open_page)) == 1000


def test_a_room_that_closes_keeps_what_was_said_and_takes_no_more(open_page):
    say(open_page, line("last words"))
    open_page.apply_report(room(ListenerState.STOPPED, address=None))
    assert "last words" in open_page.view.text()
    assert not open_page.input.field.isEnabled()
    assert open_page.header.open_button.isVisible()


def test_a_person_that_is_double_clicked_is_spoken_to(qtbot, open_page):
    item = open_page.side.people.item(1)
    box = open_page.side.people.visualItemRect(item)
    qtbot.mouseClick(open_page.side.people.viewport(), Qt.LeftButton, pos=box.center())
    qtbot.mouseDClick(open_page.side.people.viewport(), Qt.LeftButton, pos=box.center() + QPoint(1, 0))
    assert open_page.input.field.text() == "@Bruno "


def test_five_hundred_people_are_listed_and_the_rest_counted(open_page):
    open_page.apply_report(room(present={"general": tuple(f"p{number:04}" for number in range(600))}))
    open_page.flush()
    texts = open_page.side.people_texts()
    assert len(texts) == 501
    assert texts[-1] == "and 100 more"


def test_times_of_links_are_read_with_and_without_a_zone():
    assert moment_of("time/2026-11-21T10:15:03Z") == moment_of("time/2026-11-21T11:15:03+01:00") == 1795256103.0
    assert moment_of("time/yesterday") is None
