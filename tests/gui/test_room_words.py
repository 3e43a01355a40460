"""Lines of the room as spans, and what the window knows of its rooms: whatever somebody sends, it stays harmless."""

import pytest
from site_records import NOW_S, line

from core.protocol.chat_text import PALETTE, colour_index
from core.site_records import AlarmSeverity, ChatKind
from gui.models.chat_words import MOST_LETTERS, bare, chat_row, is_for, link_words, safe
from gui.models.rooms import MOST_LINES, MOST_ROOMS, Rooms


def text_of(row):
    return bare("".join(span.text for span in row.spans))


def test_others_are_named_in_their_steady_colour_and_the_operator_is_you():
    row = chat_row(line("morning", "Bruno"), "ana")
    assert text_of(row) == "Bruno: morning"
    assert row.spans[0].color == colour_index("Bruno") < PALETTE
    assert text_of(chat_row(line("hi", "Ana"), "ana")) == "You said: hi"


def test_comings_and_goings_are_dim_and_in_the_users_language():
    for kind, words in ((ChatKind.JOINED, "Bruno has joined"), (ChatKind.LEFT, "Bruno has left")):
        row = chat_row(line("a rejoint la chatroom", kind=kind), "ana")
        assert text_of(row) == words
        assert {span.role for span in row.spans} == {"dim"}


@pytest.mark.parametrize(
    ("severity", "sign", "role"),
    [
        (AlarmSeverity.LOW, "●", "unknown"),
        (AlarmSeverity.MEDIUM, "▲", "warning"),
        (AlarmSeverity.CRITICAL, "■", "critical"),
    ],
)
def test_an_alarm_has_the_shape_of_its_severity_and_leads_to_it(severity, sign, role):
    said = line("srv-db: CPU over 90 %", "", kind=ChatKind.ALARM, link="alarm/12")
    row = chat_row(said, "ana", {"alarm/12": severity})
    assert row.spans[0].text.strip() == sign
    assert row.spans[0].role == role
    assert row.spans[-1].anchor == "alarm/12"
    assert row.spans[-1].text == "alarm 12"


def test_a_link_in_the_text_is_clickable_in_its_place():
    row = chat_row(line("look at machine/srv-db please", link="machine/srv-db"), "ana")
    assert text_of(row) == "Bruno: look at machine/srv-db please"
    assert [(span.text, span.anchor) for span in row.spans if span.anchor] == [("machine/srv-db", "machine/srv-db")]


def test_mentions_are_set_off_and_only_those_of_others_call_the_operator():
    said = line("@ana and @Chloé: look")
    row = chat_row(said, "ana")
    assert row.is_mention
    assert [(span.text, span.role) for span in row.spans if span.is_bold][1] == ("@ana", "accent")
    assert not is_for(line("@ana it is me", "ana"), "ana")
    assert not is_for(line("write to x@ana.example"), "ana")
    assert is_for(line("ana: come"), "ana")


def test_a_long_line_is_cut_and_its_rest_can_be_shown():
    said = line("A" * 65_536)
    row = chat_row(said, "ana")
    assert len(text_of(row)) < MOST_LETTERS + 100
    assert row.spans[-1].anchor == f"whole/{said.id}"
    assert "64\u2009936 letters more" in row.spans[-1].text
    assert len(text_of(chat_row(said, "ana", is_whole=True))) > 65_536


def test_right_to_left_letters_are_set_apart_and_marks_that_turn_text_are_shown():
    assert safe("שלום") == "\u2068שלום\u2069"
    assert bare(safe("שלום")) == "שלום"
    assert "\u202e" not in safe("a\u202eb")
    assert safe("plain") == "plain"
    assert "\n" not in safe("a\nb\u2028c")


def test_piled_up_accents_are_thinned():
    assert len(bare(safe("z" + "\u0301" * 500 + "y"))) == 1 + 4 + 1
    assert bare(safe("e\u0301a\u0300")) == "e\u0301a\u0300"


def test_markup_stays_letters():
    assert text_of(chat_row(line("<img src=x>", "<b>x</b>"), "ana")) == "<b>x</b>: <img src=x>"


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("machine/m1", "machine m1"),
        ("alarm/7", "alarm 7"),
        ("command/abc", "command and its answers"),
        ("time/2026-11-21T10:15:03Z", "2026-11-21 10:15:03"),
    ],
)
def test_links_say_where_they_lead(link, words):
    assert link_words(link) == words


def test_what_nobody_looks_at_is_unread_but_not_comings_nor_ones_own_lines():
    rooms = Rooms("ana")
    rooms.apply(line("one"))
    rooms.apply(line("@ana two"))
    rooms.apply(line("mine", "ana"))
    rooms.apply(line("", kind=ChatKind.JOINED))
    rooms.apply(line("over there", room="lab"))
    assert (rooms.room("general").unread, rooms.room("general").mentions) == (2, 1)
    assert rooms.unread() == 3
    rooms.set_seen(True)
    assert rooms.unread() == 1
    rooms.apply(line("seen at once"))
    assert rooms.unread() == 1
    rooms.open("LAB")
    assert rooms.current == "lab"
    assert rooms.unread() == 0


def test_a_line_comes_once_whether_said_or_read_from_the_history():
    rooms = Rooms()
    said = line("one", key="x")
    assert rooms.apply(said)
    assert not rooms.apply(said)
    assert rooms.apply_past("general", [line("zero", time_s=NOW_S - 9), said], 200) == 1
    assert [one.text for one in rooms.room("general").lines] == ["zero", "one"]
    assert not rooms.room("general").may_have_earlier


def test_floods_of_lines_and_rooms_are_bounded():
    rooms = Rooms()
    for number in range(MOST_LINES * 2):
        rooms.apply(line(str(number), time_s=NOW_S + number))
    assert len(rooms.room("general").lines) <= MOST_LINES
    assert rooms.room("general").lines[-1].text == str(MOST_LINES * 2 - 1)
    for number in range(MOST_ROOMS * 2):
        rooms.apply(line("x", room=f"r{number}"))
    assert len(rooms.names()) == MOST_ROOMS
    assert rooms.names()[0] == "general"
