"""Lines into words, as they are typed on the Commands page."""

from __future__ import annotations

import pytest

from core.errors import UsageError
from core.records import line_of
from gui.models.command_line import command_words, label_of, typed_line, words_of


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ls -al  /etc", ("ls", "-al", "/etc")),
        ("ls 'a b' \"c d\"", ("ls", "a b", "c d")),
        ("dir C:\\Users\\anne", ("dir", "C:\\Users\\anne")),
        ('dir "C:\\Program Files"', ("dir", "C:\\Program Files")),
        ("echo it's'fine", ("echo", "itsfine")),
        ("echo ''", ("echo", "")),
        ("Linux:ls -al", ("Linux:ls", "-al")),
        ("   ", ()),
        ("echo $(id); reboot", ("echo", "$(id);", "reboot")),
    ],
)
def test_quotes_keep_words_together_and_nothing_else_is_special(line, words):
    assert words_of(line) == words


def test_a_quote_never_closed_is_refused_in_words():
    with pytest.raises(UsageError, match="never closed"):
        words_of('ls "a b')


@pytest.mark.parametrize("words", [("ls", "a b"), ("echo", ""), ("echo", 'say "x"'), ("dir", "C:\\a b"), ("id",)])
def test_a_line_made_of_words_gives_the_words_back(words):
    assert words_of(line_of(words)) == words


def test_after_a_prefix_a_line_stays_as_it_is_typed_and_is_found_again_so():
    assert command_words("Linux:ps ax | grep 'a b'") == ("Linux:ps ax | grep 'a b'",)
    assert typed_line(line_of(command_words('Powershell:dir "C:\\a b"'))) == 'Powershell:dir "C:\\a b"'
    assert command_words("echo 'a b'") == ("echo", "a b")
    assert typed_line("echo 'a b'") == "echo 'a b'"


def test_built_ins_are_called_by_their_name_and_other_lines_stay():
    assert label_of("ram") == "RAM"
    assert label_of("ls -al /srv") == "ls -al /srv"
