"""Words, texts and limits of commands, without any machine."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UsageError
from core.protocol.messages import ExecExit
from core.records import CommandResult, CommandState
from core.services.commands import CREDIT_STEP, MOST_OCTETS, Execution, Output, new_request, split_prefix


@pytest.mark.parametrize(
    ("words", "shell", "rest"),
    [
        (["ls", "-al"], None, ("ls", "-al")),
        (["Linux:ls", "-al"], "linux", ("ls", "-al")),
        (["linux:ls -al '/a b'"], "linux", ("ls", "-al", "/a b")),
        (["LINUX:", "ls"], "linux", ("ls",)),
        (["DOS:dir C:\\Users"], "dos", ("dir", "C:\\Users")),
        (['Powershell:Get-Process -Name "a b"'], "powershell", ("Get-Process", "-Name", "a b")),
        (["ls -al"], None, ("ls -al",)),
        (["Solaris:ls"], None, ("Solaris:ls",)),
        (["Linux:ls", "a b", ""], "linux", ("ls", "a b", "")),
    ],
)
def test_a_prefix_says_which_machines_are_meant(words: list[str], shell: str | None, rest: tuple[str, ...]) -> None:
    assert split_prefix(words) == (shell, rest)


@pytest.mark.parametrize(
    "words", [[], [""], ["  "], ["Linux:"], ["Linux:  "], ["Linux:ls 'x"], ["x" * 4097], ["a\0b"], ["a"] * 300]
)
def test_words_that_cannot_be_run_are_bad_usage(words: list[str]) -> None:
    with pytest.raises(UsageError):
        new_request(words, ["m1"], 30, "Ada", 0.0)


@pytest.mark.parametrize("timeout_s", [0, -1, 601, float("nan"), float("inf")])
def test_a_time_that_means_nothing_is_bad_usage(timeout_s: float) -> None:
    with pytest.raises(UsageError):
        new_request(["ls"], ["m1"], timeout_s, "Ada", 0.0)


def test_every_request_has_an_id_of_its_own_and_each_machine_once() -> None:
    one, other = (new_request(["ls"], ["b", "a", "b"], 30, "Ada", 0.0) for _number in range(2))
    assert one.id != other.id
    assert one.machines == ("b", "a")


@given(content=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200), max_size=6))
def test_a_text_is_the_same_however_it_is_cut(content: bytes, cuts: list[int]) -> None:
    whole, cut = Output(), Output()
    whole.take(content, is_end=True)
    places = [0, *sorted(place for place in cuts if place <= len(content)), len(content)]
    shown = "".join(cut.take(content[start:end]) for start, end in itertools.pairwise(places))
    shown += cut.take(b"", is_end=True)
    assert cut.text == whole.text == shown
    assert all(letter.isprintable() or letter in "\n\t" or ord(letter) > 127 for letter in shown)


def test_output_that_comes_again_is_not_shown_twice() -> None:
    output = Output()
    assert output.take(b"first") == "first"
    output.restart()
    assert output.take(b"fir") == ""
    assert output.take(b"st second") == " second"
    assert output.text == "first second"


def executed(shown: list[str], results: list[CommandResult]) -> Execution:
    request = new_request(["ls"], ["m1"], 30, "Ada", time.time())
    return Execution(
        request, "m1", lambda execution, fd, text: shown.append(text), lambda execution, result: results.append(result)
    )


def ended(execution: Execution) -> ExecExit:
    return ExecExit(exec_id=execution.request.id, state="ok", exit_status=0, dropped_bytes=7, duration_s=0.1)


def test_a_flood_is_cut_counted_and_still_credited() -> None:
    shown: list[str] = []
    results: list[CommandResult] = []
    execution = executed(shown, results)
    sent = MOST_OCTETS + 5 * CREDIT_STEP
    credit = sum(execution.take(1, b"x" * 1024) for _piece in range(sent // 1024))
    execution.end(ended(execution))
    assert credit == sent
    assert len(results[0].stdout) == MOST_OCTETS == sum(map(len, shown))
    assert results[0].truncated_bytes == sent - MOST_OCTETS + 7


def test_unknown_never_replaces_what_is_known() -> None:
    results: list[CommandResult] = []
    execution = executed([], results)
    execution.end(ended(execution))
    execution.give_up("lost")
    assert [result.state for result in results] == [CommandState.OK]
    execution = executed([], results)
    execution.give_up("lost")
    execution.end(ended(execution))
    assert [result.state for result in results[1:]] == [CommandState.UNKNOWN, CommandState.OK]
