"""Names in the room tell people apart, and a crowd that wants one name is no burden."""

from __future__ import annotations

import time

from core.protocol.chat_text import NAME_LETTERS
from core.services.chat_names import Names


def test_the_second_of_a_name_is_counted_and_one_that_was_given_back_is_free() -> None:
    names = Names()
    assert [names.take("Ann", f"link {number}") for number in range(3)] == ["Ann", "Ann-2", "Ann-3"]
    names.release("Ann-2")
    assert names.take("ANN", "link 4") == "ANN-2"
    assert names.take("Ann", "link 0") == "Ann"


def test_a_crowd_that_wants_one_name_costs_no_more_than_any_other() -> None:
    names = Names()
    began_s = time.process_time()
    taken = [names.take("x" * NAME_LETTERS, f"link {number}") for number in range(5_000)]
    assert time.process_time() - began_s < 5
    assert len(set(taken)) == 5_000
    assert max(map(len, taken)) <= NAME_LETTERS
