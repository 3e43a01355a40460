"""What the answers of a run look like as text: gathered, by machine, in the table, on the clipboard."""

from __future__ import annotations

import pytest
from PyQt5.QtCore import QPersistentModelIndex, Qt

from core.records import CommandRequest, CommandResult, CommandRunSummary, CommandState
from gui.models.answer_lines import Shown, policy_line
from gui.models.answer_text import ByMachine, Gathered, plain_answers
from gui.models.answers import HELD, Run, counted
from gui.models.answers_table import AnswersTable
from gui.models.command_history import CommandHistoryModel, outcome

REFUSAL = (
    "not allowed there: no command of the policy is reboot; its administrator can allow it in policy.toml with: "
    'reboot = { argv = ["reboot"] }'
)


def run_on(*names: str, words=("python", "--version")) -> Run:
    request = CommandRequest(id="r", words=words, machines=names, timeout_s=30, operator="anne", time_s=1.0)
    return Run(request, 0.0)


def answer(machine: str, stdout: str = "", state: CommandState = CommandState.OK, **more) -> CommandResult:
    more.setdefault("exit_status", 0 if state is CommandState.OK else None)
    return CommandResult(machine=machine, state=state, stdout=stdout, **more)


def texts(sections) -> list[str]:
    return ["".join(span.text for span in line.spans) for section in sections for line in section.lines if line.spans]


def gathered(run: Run, now_s: float = 0.4, unfolded: frozenset[str] = frozenset()):
    shown = Gathered()
    shown.update(run)
    return shown.sections(run, now_s, Shown(unfolded))


def test_gathered_shows_every_target_once_the_same_answers_folded_the_other_as_a_difference():
    run = run_on("lab-01", "lab-02", "lab-03", "lab-04", "srv", "db")
    for name in ("lab-01", "lab-02", "lab-04"):
        run.add_result(answer(name, "Python 3.11.2\n", duration_s=0.031), 1.0)
    run.add_result(answer("srv", "Python 3.9.18\n", duration_s=0.029), 1.0)
    run.add_result(answer("lab-03", state=CommandState.OFFLINE, message="not sent: offline since 09:12"), 1.0)
    assert texts(gathered(run)) == [
        "✓ lab-[01-02,04]  3 machines, same answer · exit 0 · 31 ms",
        "  Python 3.11.2",
        "✓ srv  differs from the 3 · exit 0 · 29 ms",
        "  - Python 3.11.2",
        "  + Python 3.9.18",
        "… db  running, 0.4 s  cancel",
        "– lab-03  not sent: offline since 09:12",
    ]


def test_a_long_answer_is_folded_and_opens_on_its_own_anchor():
    run = run_on("srv")
    run.add_result(answer("srv", "\n".join(f"line {number}" for number in range(1200))), 1.0)
    shown = Gathered()
    shown.update(run)
    folded = shown.sections(run, 0.4)
    fold = folded[0].lines[-2].spans[-1]
    assert fold.text == "show all 1\u2009200 lines"
    assert len(folded[0].lines) < 50
    opened = shown.sections(run, 0.4, Shown(frozenset({fold.anchor.removeprefix("fold ")})))
    assert texts(opened)[1200] == "  line 1199"
    assert texts(opened)[-1] == "  show fewer lines"


def test_two_hundred_different_answers_stay_within_a_bounded_text():
    run = run_on(*(f"m{number}" for number in range(200)))
    for number in range(200):
        run.add_result(answer(f"m{number}", "\n".join(f"{number} {line}" for line in range(50))), 1.0)
    assert len(texts(gathered(run))) < 5000
    assert len(texts(ByMachine().sections(run, 1.0))) < 5000


def test_a_refusal_shows_its_rule_and_the_line_to_add_with_something_to_copy():
    run = run_on("srv", words=("reboot",))
    run.add_result(answer("srv", state=CommandState.NOT_ALLOWED, message=REFUSAL), 1.0)
    section = gathered(run)[0]
    assert texts([section])[2:] == ['  reboot = { argv = ["reboot"] }', "  Copy the line for policy.toml"]
    assert section.lines[3].spans[-1].anchor == 'copy reboot = { argv = ["reboot"] }'
    assert policy_line("no line here") == ""


def test_what_was_left_out_is_said():
    run = run_on("srv")
    run.add_result(answer("srv", "some\n", truncated_bytes=700_000), 1.0)
    assert "684 KiB of the answer left out" in texts(gathered(run))[-1]


def test_output_and_error_output_are_told_apart_and_silence_is_said():
    run = run_on("a", "b")
    run.add_result(answer("a", "out\n", stderr="err\n"), 1.0)
    run.add_result(answer("b"), 1.0)
    assert texts(ByMachine().sections(run, 1.0)) == [
        "✓ a  exit 0", "  out", "  on its error output:", "  err", "✓ b  exit 0", "  prints nothing",
    ]  # fmt: skip


def test_signs_that_steer_a_screen_are_shown_as_replaced_and_a_line_stays_one_line():
    run = run_on("srv")
    run.add_result(answer("srv", "a\x1b[31mb\u2028c\u202ed\n"), 1.0)
    assert texts(gathered(run))[1] == "  a\ufffd[31mb c\ufffdd"


def test_live_output_is_shown_while_it_runs_and_only_its_end_is_kept():
    run = run_on("srv")
    run.add_output("srv", "x" * 100_000 + "\nnearly\n")
    run.add_output("elsewhere", "nobody asked")
    assert texts(gathered(run))[-1] == "  nearly"
    assert list(run.tails) == ["srv"]
    assert len(run.tails["srv"]) < 10_000


def test_many_machines_that_run_share_a_line_that_names_them_all():
    run = run_on(*(f"m{number:03d}" for number in range(200)))
    assert texts(gathered(run, now_s=12.0)) == ["… m[000-199]  200 machines running, 12 s"]


def test_very_many_names_are_cut_and_all_shown_on_demand():
    names = [f"{'abcdefghij'[number % 10] * 9}{chr(97 + number // 10)}" for number in range(100)]
    run = run_on(*names)
    for name in names:
        run.add_result(answer(name, "same\n"), 1.0)
    sections = gathered(run)
    header, more = texts(sections)[:2]
    assert len(header) < 500
    assert more == "  show all names"
    shown = Gathered()
    shown.update(run)
    key = f"names {shown.gathering.groups()[0].key}"
    opened = texts(shown.sections(run, 1.0, Shown(frozenset({key}))))[0]
    assert all(name in opened for name in names)


def test_a_result_fetched_later_replaces_unknown_and_nothing_else_is_replaced():
    run = run_on("a", "b")
    run.add_result(answer("a", state=CommandState.UNKNOWN), 1.0)
    run.add_result(answer("b", "first"), 1.0)
    run.add_result(answer("a", "fetched"), 5.0)
    run.add_result(answer("b", "second"), 5.0)
    run.add_result(answer("c", "stranger"), 5.0)
    assert {name: result.stdout for name, result in run.results.items()} == {"a": "fetched", "b": "first"}
    assert run.elapsed_s(9.0) == 1.0


def test_a_run_told_of_all_at_once_took_at_least_what_its_slowest_machine_took():
    run = run_on("a", "b")
    run.add_result(answer("a", duration_s=0.2), 0.001)
    run.add_result(answer("b", duration_s=0.7), 0.001)
    assert run.elapsed_s(9.0) == 0.7


def test_a_run_without_news_is_stuck_and_any_news_unsticks_it():
    run = run_on("a", "b")
    assert not run.is_stuck(0.0, 60)
    assert not run.is_stuck(59.0, 60)
    run.add_output("a", "alive")
    assert not run.is_stuck(61.0, 60)
    assert run.is_stuck(122.0, 60)
    run.give_up("no answer came", 122.0)
    assert not run.is_running
    assert run.counts()[CommandState.UNKNOWN] == 2


def test_the_answers_of_one_run_never_hold_more_than_their_share_of_memory():
    run = run_on("a", "b")
    run.add_result(answer("a", "x" * HELD), 1.0)
    run.add_result(answer("b", "y" * 1_000_000, truncated_bytes=5), 1.0)
    assert len(run.results["b"].stdout) == 16_384
    assert run.results["b"].truncated_bytes == 5 + 1_000_000 - 16_384


def test_copied_answers_hold_all_lines_whatever_is_folded():
    run = run_on("a", "b", "c")
    for name in ("a", "b"):
        run.add_result(answer(name, "\n".join(f"line {number}" for number in range(500)) + "\n"), 1.0)
    run.add_result(answer("c", state=CommandState.OFFLINE, message="not sent: offline since 09:12"), 1.0)
    lines = plain_answers(run).splitlines()
    assert lines[0] == "# a, b: exit 0"
    assert lines[500] == "line 499"
    assert lines[501] == "# c: not sent: offline since 09:12"


def test_a_saved_run_tells_of_machines_whose_answer_was_never_kept():
    summary = CommandRunSummary(id="r", line="id", time_s=1.0, operator="anne", machines=("a", "b"), counts={"ok": 1})
    run = Run.saved(summary, ["id"], [answer("a", "uid=0\n", duration_s=0.2)])
    assert not run.is_running
    assert run.elapsed_s(99.0) == 0.2
    assert run.results["b"].state is CommandState.UNKNOWN


@pytest.mark.parametrize("state", list(CommandState))
def test_every_state_has_its_words(state):
    assert counted(state, 3).startswith("3 ")


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"ok": 120}, ("120 ok", "text")),
        ({"ok": 6, "failed": 1, "offline": 3}, ("6 of 10", "warning")),
        ({"not_allowed": 1}, ("not allowed", "critical")),
        ({"not_allowed": 6, "offline": 4}, ("not allowed", "critical")),
        ({"cancelled": 2}, ("cancelled", "dim")),
        ({"ok": 3, "running": 7}, ("3 of 10…", "accent")),
    ],
)
def test_the_history_says_how_a_run_ended(counts, words):
    names = tuple(f"m{number}" for number in range(sum(counts.values())))
    summary = CommandRunSummary(id="r", line="id", time_s=1.0, operator="anne", machines=names, counts=counts)
    assert outcome(summary) == words


def test_the_table_lists_each_machine_and_sorts_by_any_column(qtbot, qtmodeltester):
    run = run_on("b", "a", "c")
    run.add_result(answer("b", "two\n", duration_s=0.2), 1.0)
    run.add_result(answer("a", state=CommandState.FAILED, exit_status=127, stderr="no such\n", duration_s=0.1), 1.0)
    table = AnswersTable()
    table.apply(run)
    qtmodeltester.check(table)
    rows = [[table.index(row, column).data() for column in range(5)] for row in range(3)]
    assert rows == [
        ["b", "✓ ok", "0", "0.2 s", "two"],
        ["a", "✕ failed", "127", "0.1 s", "no such"],
        ["c", "… running", "–", "–", ""],
    ]
    table.sort(0)
    assert [table.index(row, 0).data() for row in range(3)] == ["a", "b", "c"]
    run.add_result(answer("c", "three\n", duration_s=0.3), 1.0)
    table.apply(run)
    assert table.index(2, 4).data() == "three"
    table.sort(3, Qt.DescendingOrder)
    assert [table.index(row, 0).data() for row in range(3)] == ["c", "b", "a"]


def test_the_history_shows_this_windows_runs_before_they_are_saved_and_only_once(qtbot, qtmodeltester):
    model = CommandHistoryModel()
    run = run_on("a")
    model.apply_live(run.summary())
    run.add_result(answer("a"), 1.0)
    old = CommandRunSummary(id="old", line="ram", time_s=0.5, operator="bo", machines=("b",), counts={"ok": 1})
    model.apply_saved([old])
    model.apply_live(run.summary())
    model.apply_saved([run.summary(), old])
    qtmodeltester.check(model)
    assert [(model.index(row, 1).data(), model.index(row, 2).data()) for row in range(model.rowCount())] == [
        ("python --version", "1 ok"),
        ("RAM", "1 ok"),
    ]
    model.set_search("nothing like it")
    model.apply_saved([])
    assert model.rowCount() == 0


def test_a_run_more_is_put_on_top_and_the_rows_below_stay(qtbot, qtmodeltester):
    model = CommandHistoryModel()
    old = [
        CommandRunSummary(id=f"o{n}", line="ram", time_s=9.0 - n, operator="bo", machines=("b",), counts={"ok": 1})
        for n in range(3)
    ]
    model.apply_saved(old)
    kept = QPersistentModelIndex(model.index(1, 1))
    newer = CommandRunSummary(id="n", line="os", time_s=99.0, operator="bo", machines=("b",), counts={"ok": 1})
    model.apply_saved([newer, *old])
    qtmodeltester.check(model)
    assert kept.row() == 2
    assert model.summary_at(model.index(0, 0)).id == "n"
    model.apply_saved([newer])
    assert not kept.isValid()
