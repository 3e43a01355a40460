"""Answers of many machines made short."""

from __future__ import annotations

import pytest

from core.gather import fold_names, gather, natural_key
from core.records import CommandResult, CommandState


def answer(machine: str, stdout: str = "", state: CommandState = CommandState.OK, **more: object) -> CommandResult:
    return CommandResult(machine=machine, state=state, exit_status=0, stdout=stdout, **more)  # type: ignore[arg-type]  # mixed fields


@pytest.mark.parametrize(
    ("names", "folded"),
    [
        (["lab-01", "lab-02", "lab-04"], "lab-[01-02,04]"),
        (["lab-04", "lab-02", "lab-01", "lab-02"], "lab-[01-02,04]"),
        (["m1"], "m1"),
        (["m9", "m10", "m11"], "m[9-11]"),
        (["lab-09", "lab-10"], "lab-[09-10]"),
        (["lab-9", "lab-09"], "lab-9, lab-09"),
        (["web", "db"], "db, web"),
        (["a1.site", "a2.site", "b1.site"], "a[1-2].site, b1.site"),
        (["r2d2", "r2d3"], "r2d[2-3]"),
        (["rack1n01", "rack1n02", "rack2n01", "rack2n02", "rack3n01"], "rack[1-2]n[01-02], rack3n01"),
        (["10.0.1.5", "10.0.2.5", "10.0.2.6"], "10.0.1.5, 10.0.2.[5-6]"),
        ([], ""),
    ],
)
def test_names_are_folded_as_people_write_them(names: list[str], folded: str) -> None:
    assert fold_names(names) == folded


def test_two_thousand_names_fold_to_one_range() -> None:
    assert fold_names(f"pc-{number:04}" for number in range(1, 2001)) == "pc-[0001-2000]"


def test_identical_answers_are_one_group_and_the_biggest_comes_first() -> None:
    results = [answer("b1", "x\n"), answer("a1", "same\n"), answer("a2", "same\n"), answer("a3", "same\n")]
    groups = gather(results)
    assert [(group.folded_names, group.stdout) for group in groups] == [("a[1-3]", "same\n"), ("b1", "x\n")]
    assert groups[0].difference == ()
    assert groups[1].difference == ("@@ -1 +1 @@", "-same", "+x")


def test_machines_that_did_not_answer_come_last_however_many_they_are() -> None:
    off = [CommandResult(machine=f"off{n}", state=CommandState.OFFLINE, message="not sent") for n in range(5)]
    groups = gather([*off, answer("a", "x")])
    assert [group.folded_names for group in groups] == ["a", "off[0-4]"]
    assert groups[1].difference == ()


def test_every_machine_is_in_exactly_one_group() -> None:
    results = [answer(f"m{n}", str(n % 7)) for n in range(100)]
    names = [name for group in gather(results) for name in group.machines]
    assert sorted(names, key=natural_key) == [f"m{n}" for n in range(100)]


def test_the_same_text_with_another_exit_status_is_another_answer() -> None:
    bad = CommandResult(machine="b", state=CommandState.FAILED, exit_status=2, stdout="x")
    assert len(gather([answer("a", "x"), bad])) == 2


def test_long_answers_that_differ_everywhere_are_shown_whole() -> None:
    results = [answer(f"m{n}", "\n".join(f"{n} {line * n}" for line in range(3000))) for n in range(20)]
    groups = gather(results)
    assert len(groups) == 20
    assert groups[1].difference[0] == "@@ -1,3000 +1,3000 @@"


def test_a_difference_shows_its_place_and_one_line_around() -> None:
    same = [answer(f"a{n}", "1\n2\n3\n4\n5\n6") for n in range(2)]
    group = gather([*same, answer("b", "1\n2\n3\nfour\n5\n6")])[1]
    assert group.difference[1:] == (" 3", "-4", "+four", " 5")


def test_nothing_gathers_to_nothing() -> None:
    assert gather([]) == []


def test_machines_that_are_away_for_one_reason_are_one_group_whatever_their_addresses() -> None:
    reasons = {
        "a1": "not sent: 10.0.0.1:17450 does not answer: switched off, no route to it, or a firewall between",
        "a2": "not sent: [fe80::2]:17450 does not answer: switched off, no route to it, or a firewall between",
        "a3": "not sent: no word from it for 18 s",
        "a4": "not sent: no word from it for 21 s",
        "a5": "not sent: nothing listens at 10.0.0.5:17450; is the agent started there, and the port right?",
    }
    off = [CommandResult(machine=name, state=CommandState.OFFLINE, message=text) for name, text in reasons.items()]
    assert [(group.folded_names, group.message) for group in gather(off)] == [
        ("a[1-2]", "not sent: … does not answer: switched off, no route to it, or a firewall between"),
        ("a[3-4]", "not sent: no word from it for … s"),
        ("a5", reasons["a5"]),
    ]
