"""What keys do to the line that is typed in the room."""

from __future__ import annotations

import pytest

from core.cli.line_editor import LineEditor


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (b"hello\r", "hello"),
        ("ça va €\n".encode(), "ça va €"),
        (b"ac\x1b[Db\r", "abc"),
        (b"bc\x01a\x05d\r", "abcd"),
        (b"abc\x7f\x7fx\r", "ax"),
        (b"abc\x1b[D\x1b[D\x1b[3~\r", "ac"),
        (b"one two \x17three\r", "one three"),
        (b"gone\x15kept\r", "kept"),
        (b"ab\x01\x0bx\r", "x"),
        (b"a\x1b[200~b\x1b[Zc\x00\x07\r", "abc"),
        (b"\x7f\x1b[Da\x04\r", "a"),
        (b"a\tb\r", "a b"),
    ],
)
def test_keys_make_lines(keys, line):
    assert LineEditor().feed(keys) == [line]
    editor = LineEditor()
    assert [done for octet in keys for done in editor.feed(bytes([octet]))] == [line]


def test_earlier_lines_are_recalled():
    editor = LineEditor()
    assert editor.feed(b"one\rtwo\r\x1b[A\x1b[A\r\x1b[A\x1b[B\r") == ["one", "two", "one", ""]


def test_ctrl_d_on_an_empty_line_ends():
    editor = LineEditor()
    editor.feed(b"\x04")
    assert editor.has_ended


def test_a_long_line_is_shown_around_its_cursor():
    editor = LineEditor()
    editor.feed(b"0123456789" * 10)
    assert editor.view(10) == ("123456789", 9)
    editor.feed(b"\x01")
    assert editor.view(10) == ("012345678", 0)
    wide = LineEditor()
    wide.feed("日本語".encode())
    assert wide.view(20) == ("日本語", 6)
    assert wide.view(5) == ("本語", 4)
