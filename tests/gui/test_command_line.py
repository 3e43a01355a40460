"""Lines into words and targets into machines, as they are typed on the Commands page."""

from __future__ import annotations

import pytest

from core.errors import UsageError
from core.records import line_of
from gui.models.command_line import label_of, matches, resolve, words_of

SITE = {"srv-a": ("srv",), "srv-b": ("srv", "web"), "lab-1": ("lab",), "lab-2": ("lab", "web")}


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


def test_built_ins_are_called_by_their_name_and_other_lines_stay():
    assert label_of("ram") == "RAM"
    assert label_of("ls -al /srv") == "ls -al /srv"


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("all", ["srv-a", "srv-b", "lab-1", "lab-2"]),
        ("@web", ["srv-b", "lab-2"]),
        ("lab-*", ["lab-1", "lab-2"]),
        ("srv-[ab]", ["srv-a", "srv-b"]),
        ("srv-a", ["srv-a"]),
        ("srv", []),
        ("@nowhere", []),
    ],
)
def test_a_target_means_a_name_a_pattern_a_group_or_all(target, names):
    assert matches(target, SITE) == names


def test_targets_that_overlap_mean_each_machine_once_in_the_order_of_the_site():
    assert resolve(["@web", "lab-2", "srv-*"], SITE) == ("srv-a", "srv-b", "lab-2")
