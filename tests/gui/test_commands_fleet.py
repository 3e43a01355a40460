"""The Commands page with many machines: targets, the window, steps, search, differences, again, menus."""

from __future__ import annotations

import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtGui import QGuiApplication, QTextCursor

from core.config.commands import CommandConfig
from core.records import (
    CommandOutput,
    CommandPlace,
    CommandProgress,
    CommandRequest,
    CommandResult,
    CommandRunSummary,
    CommandState,
    CommandStep,
    Machine,
    MachineReport,
    MachineState,
)
from gui.models.answer_lines import Line, Section, Span
from gui.models.answers import Run
from gui.pages.commands import CommandsPage
from gui.widgets.answers_card import BY_MACHINE, TABLE
from gui.widgets.answers_menu import answers_menu
from gui.widgets.answers_view import AnswersView

NAMES = (*(f"lab-{number:02}" for number in range(1, 9)), "srv-a", "srv-b")


def reports(*away: str) -> list[MachineReport]:
    return [
        MachineReport(
            machine=name,
            address="",
            state=MachineState.OFFLINE if name in away else MachineState.ONLINE,
            since_s=0.0,
        )
        for name in NAMES
    ]


class Fleet:
    """The page, and what it asked for."""

    def __init__(self, page: CommandsPage) -> None:
        self.page = page
        self.sent: list[tuple] = []
        self.cancelled: list[tuple] = []
        page.send_wanted.connect(lambda *arguments: self.sent.append(arguments))
        page.cancel_wanted.connect(lambda *arguments: self.cancelled.append(arguments))

    def start(self, run_id="r1", *, window=0, words=("uptime",), machines=NAMES) -> Run:
        self.page.apply_started(
            CommandRequest(
                id=run_id, words=words, machines=machines, timeout_s=40, operator="ana", time_s=1.7e9, window=window
            )
        )
        return self.page.answers.run

    def answer(self, name, stdout="up\n", state=CommandState.OK, run_id="r1", **more) -> None:
        result = CommandResult(machine=name, state=state, stdout=stdout, exit_status=0, **more)
        self.page.apply_progress(CommandProgress(id=run_id, result=result))

    def step(self, name, place) -> None:
        self.page.apply_step(CommandStep(id="r1", machine=name, place=place))

    def shown(self) -> str:
        self.page.answers.refresh()
        return self.page.answers.text.toPlainText()


@pytest.fixture
def fleet(qtbot) -> Fleet:
    page = CommandsPage()
    qtbot.addWidget(page)
    page.set_inventory(
        [Machine(name=name, host="10.0.0.1", groups=(name[:3],), tags=("fast",), os="Debian 12") for name in NAMES]
    )
    page.set_machines(reports("lab-02"))
    page.set_filters({"night": ("@lab", "!lab-01")})
    page.resize(1100, 700)
    page.show()
    qtbot.waitExposed(page)
    return Fleet(page)


@pytest.mark.parametrize(
    ("targets", "count"),
    [
        (("@lab", "!lab-01"), 7),
        (("lab-[01-03,05]",), 4),
        (("os:debian",), 10),
        (("tag:fast", "!@srv"), 8),
        (("state:online",), 9),
        (("filter:night",), 7),
        (("!srv-a",), 9),
    ],
)
def test_chips_speak_the_language_of_the_command_line(fleet, targets, count):
    fleet.page.set_targets(targets)
    fleet.page.set_command("id")
    assert fleet.page.controls.send_button.text() == f"Send to {count}"
    assert not fleet.page.controls.problem.isVisible()


def test_a_lost_link_is_said_until_it_is_back(fleet):
    fleet.start(machines=("srv-a", "srv-b"))
    fleet.step("srv-a", CommandPlace.LINK_LOST)
    assert "link lost, to be fetched" in fleet.shown()
    assert "1 link lost" in fleet.page.progress.words.text()
    fleet.step("srv-a", CommandPlace.RUNNING)
    assert "link lost" not in fleet.shown()


def test_folded_names_with_commas_are_typed_as_one_target(qtbot, fleet):
    entry = fleet.page.controls.chips.entry
    qtbot.keyClicks(entry, "lab-[01-03,05],srv-a ")
    assert fleet.page.targets() == ("lab-[01-03,05]", "srv-a")


def test_several_targets_pasted_become_a_chip_each(fleet):
    entry = fleet.page.controls.chips.entry
    entry.setText("@srv lab-0* !lab-01")
    entry.commit()
    assert fleet.page.targets() == ("@srv", "lab-0*", "!lab-01")


def test_a_chip_tells_whom_it_means_and_one_that_takes_away_says_so(fleet):
    fleet.page.set_targets(["@lab", "!lab-0[1-2]", "filter:night"])
    lab, less, night = fleet.page.controls.chips._chips
    assert "8 machines: lab-[01-08]" in lab.toolTip()
    assert "takes away 2 machines: lab-[01-02]" in less.toolTip()
    assert less.property("less") is True
    assert "saved as: @lab !lab-01" in night.toolTip()


def test_completion_counts_machines_and_completes_what_takes_away(qtbot, fleet):
    entry = fleet.page.controls.chips.entry
    qtbot.keyClicks(entry, "!@l")
    completer = entry.completer()
    assert completer.currentCompletion() == "!@lab"
    shown = [completer.popup().model().index(row, 0).data() for row in range(completer.completionCount())]
    assert shown == ["!@lab    8"]


def test_states_that_change_change_what_a_chip_means_and_never_the_chip(fleet):
    fleet.page.set_targets(["state:offline"])
    fleet.page.set_command("id")
    assert fleet.page.controls.send_button.text() == "Send to 1"
    fleet.page.set_machines(reports("lab-02", "lab-03", "srv-a"))
    assert fleet.page.controls.send_button.text() == "Send to 3"
    assert fleet.page.targets() == ("state:offline",)


def test_the_menu_of_filters_adds_one_and_asks_for_the_others(fleet):
    fleet.page.set_targets(["srv-a"])
    saved, managed = [], []
    fleet.page.save_filter_wanted.connect(saved.append)
    fleet.page.filters_wanted.connect(lambda: managed.append(1))
    actions = [one for one in fleet.page.controls.chips.fill_filters().actions() if not one.isSeparator()]
    assert actions[0].text() == "night    7"
    for action in actions[:3]:
        action.trigger()
    assert fleet.page.targets() == ("srv-a", "filter:night")
    assert (saved, managed) == ([["srv-a", "filter:night"]], [1])
    fleet.page.controls.chips.fill_filters().actions()[-1].trigger()
    assert fleet.page.targets() == ()


def test_the_window_goes_with_the_command_and_is_found_again(qtbot, fleet):
    fleet.page.set_targets(["all"])
    fleet.page.set_command("id")
    fleet.page.controls.set_window(5)
    fleet.page.send()
    assert fleet.sent == [(["id"], list(NAMES), 30.0, 5)]
    assert "5 at once" in fleet.page.controls.more_button.text()
    other = CommandsPage()
    qtbot.addWidget(other)
    other.restore_layout(fleet.page.layout_state())
    assert other.controls.window() == 5
    other.restore_layout(b"what an older version kept")
    assert other.controls.window() == 0


def test_every_state_is_told_live_in_words_and_in_the_bar(fleet):
    fleet.start(window=3)
    fleet.answer("lab-01")
    fleet.answer("lab-02", state=CommandState.OFFLINE, message="offline since 09:12")
    fleet.answer("lab-03", state=CommandState.FAILED)
    fleet.step("lab-04", CommandPlace.SENT)
    fleet.step("lab-05", CommandPlace.QUEUED)
    fleet.step("lab-06", CommandPlace.RUNNING)
    fleet.shown()
    words = fleet.page.progress.bar.accessibleName()
    assert words.startswith("1 ok · 1 failed · 1 running · 1 sent · 1 queued there · 4 waiting · 1 not sent")
    assert [role for role, _width in fleet.page.progress.bar.segments()] == ["ok", "critical", "accent", "dim", "line"]
    fleet.page.apply_output(CommandOutput(id="r1", machine="lab-07", fd=1, text="hello\n"))
    text = fleet.shown()
    assert "… lab-07  running" in text
    assert "… lab-05  queued there" in text
    assert "· lab-08  waiting" in text


def test_what_remains_is_told_once_there_is_something_to_go_by(fleet, monkeypatch):
    run = fleet.start(window=2)
    begun_s = run._started_s
    assert run.remains_s(begun_s + 4.0) is None
    for name in NAMES[:4]:
        fleet.answer(name)
    assert run.remains_s(begun_s + 4.0) == pytest.approx(6.0)


def test_groups_grow_while_others_run_and_what_is_selected_stays_selected(fleet):
    fleet.start()
    fleet.answer("lab-03", "alpha\n")
    fleet.answer("lab-05", "beta\n")
    assert "✓ lab-03  exit 0" in fleet.shown()
    view = fleet.page.answers.text
    view.setTextCursor(view.document().find("beta"))
    for name in ("lab-01", "lab-02", "lab-04"):
        fleet.answer(name, "beta\n")
        fleet.shown()
        assert view.textCursor().selectedText() == "beta"
    assert "✓ lab-[01-02,04-05]  4 machines, same answer" in fleet.shown()
    fleet.answer("lab-06", "gamma\n")
    assert fleet.shown().index("lab-[01-02,04-05]") < fleet.shown().index("lab-03")
    assert view.textCursor().selectedText() == "beta"


def test_differences_are_switched_to_whole_answers_and_back(qtbot, fleet):
    fleet.start()
    for name in NAMES:
        fleet.answer(name, "one\ntwo\nthree\nfour\n" if name != "srv-b" else "one\n2\nthree\nfour\n")
    assert "  - two\n  + 2" in fleet.shown()
    qtbot.mouseClick(fleet.page.answers.line.differences, Qt.LeftButton)
    assert "- two" not in fleet.shown()
    assert "show the difference" in fleet.shown()
    assert not fleet.page.layout_state().isEmpty()
    qtbot.mouseClick(fleet.page.answers.line.differences, Qt.LeftButton)
    assert "  - two\n  + 2" in fleet.shown()


@pytest.mark.parametrize("view", [0, BY_MACHINE])
def test_a_search_shows_the_lines_that_hold_it_and_whose_they_are(fleet, view):
    fleet.start()
    for name in NAMES:
        fleet.answer(name, "eth0 up\nlo up\n" if name != "srv-b" else "eth0 DOWN\nlo up\n")
    fleet.page.answers.set_view(view)
    fleet.page.answers.search.setText("down")
    fleet.page.answers._on_search_settled()
    text = fleet.shown()
    assert "eth0 DOWN" in text
    assert "srv-b" in text
    assert "lo up" not in text
    assert "lab-01" not in text
    fleet.page.answers.search.setText("<b>")
    fleet.page.answers._on_search_settled()
    assert fleet.shown().strip() == "No answer holds “<b>”."
    fleet.page.answers.search.setText("")
    fleet.page.answers._on_search_settled()
    assert "lo up" in fleet.shown()


def test_a_search_leaves_only_such_rows_in_the_table(fleet):
    fleet.start()
    for name in NAMES:
        fleet.answer(name, "up\n" if name != "srv-b" else "down\n")
    fleet.page.answers.set_view(TABLE)
    fleet.page.answers.search.setText("srv-a")
    fleet.page.answers._on_search_settled()
    model = fleet.page.answers.model
    assert [model.machine_at(model.index(row, 0)) for row in range(model.rowCount())] == ["srv-a"]


def test_the_page_finds_its_search_by_the_key_for_it(fleet):
    fleet.start()
    fleet.page.focus_filter()
    assert fleet.page.focusWidget() is fleet.page.answers.search


def test_one_machine_is_cancelled_by_the_word_beside_it(fleet):
    fleet.start()
    fleet.shown()
    view = fleet.page.answers.text
    block = view.document().find("lab-04").block()
    view.setTextCursor(QTextCursor(block))
    view.activated.emit(view.anchor_of_line(block.blockNumber()))
    assert fleet.cancelled == [("r1", ["lab-04"])]


def test_the_menu_of_a_group_copies_uses_cancels_and_runs_again(fleet):
    run = fleet.start()
    for name in ("lab-01", "lab-02"):
        fleet.answer(name, "same\n")
    fleet.shown()
    asked = []
    menu = answers_menu(
        fleet.page,
        run,
        ("lab-01", "lab-02", "lab-03"),
        cancel=lambda names: asked.append(("cancel", names)),
        use=lambda names: asked.append(("use", names)),
        again=lambda names: asked.append(("again", names)),
    )
    actions = {action.text(): action for action in menu.actions() if not action.isSeparator()}
    assert list(actions) == [
        "Copy this answer",
        "Copy the 3 names",
        "Copy the names in short",
        "Use these 3 machines as targets",
        "Run again on these 2 machines",
        "Cancel on this machine",
    ]
    copied = []
    for text in list(actions)[:3]:
        actions[text].trigger()
        copied.append(QGuiApplication.clipboard().text())
    assert copied == ["same\n", "lab-01\nlab-02\nlab-03", "lab-[01-03]"]
    for text in list(actions)[3:]:
        actions[text].trigger()
    assert asked == [("use", ["lab-01", "lab-02", "lab-03"]), ("again", ["lab-01", "lab-02"]), ("cancel", ["lab-03"])]


def test_run_again_offers_each_kind_of_end_and_sends_the_same_line_in_the_same_window(fleet):
    fleet.page.set_targets(["srv-a"])
    fleet.start(window=4, words=("ls", "a b"))
    ends = {
        "lab-01": CommandState.FAILED,
        "lab-02": CommandState.OFFLINE,
        "lab-03": CommandState.TIMEOUT,
        "lab-04": CommandState.UNKNOWN,
    }
    for name in NAMES:
        fleet.answer(name, state=ends.get(name, CommandState.OK))
    fleet.shown()
    assert fleet.page.answers.line.again.text() == "Run again on 2 ▾"
    actions = [one for one in fleet.page.answers.line.fill_again().actions() if not one.isSeparator()]
    assert [one.text() for one in actions] == [
        "On the 2 that failed",
        "On the 1 that failed",
        "On the 1 out of time",
        "On the 1 not sent",
        "On the 1 unknown",
        "On all 4 where it did not end well",
        "On all 10",
    ]
    actions[0].trigger()
    assert fleet.sent == [(["ls", "a b"], ["lab-01", "lab-03"], 40.0, 4)]
    assert fleet.page.targets() == ("srv-a",)


def test_a_run_again_between_several_lines_does_not_disturb_their_order(fleet):
    fleet.page.set_targets(["srv-a"])
    fleet.page.set_command("uname\ndf -h")
    fleet.page.send()
    fleet.start("other", words=("id",), machines=("lab-01",))
    fleet.answer("lab-01", run_id="other")
    assert len(fleet.sent) == 1
    fleet.start("r1", words=("uname",), machines=("srv-a",))
    fleet.answer("srv-a")
    assert [words for words, *_rest in fleet.sent] == [["uname"], ["df", "-h"]]


def test_a_result_that_was_unknown_and_fetched_later_says_so_in_every_view(fleet):
    fleet.start(machines=("srv-a", "srv-b"))
    fleet.answer("srv-a")
    fleet.answer("srv-b", "", CommandState.UNKNOWN, message="no answer from there")
    assert "? srv-b  unknown" in fleet.shown()
    fleet.answer("srv-b", "late\n")
    assert "fetched later" in fleet.shown()
    fleet.page.answers.set_view(BY_MACHINE)
    assert "✓ srv-b  exit 0 · fetched later" in fleet.shown()
    fleet.page.answers.set_view(TABLE)
    fleet.shown()
    assert fleet.page.answers.model.index(1, 1).data() == "✓ ok, fetched later"
    assert fleet.page.history.model.index(0, 2).data() == "2 ok"


def test_a_result_fetched_for_a_run_of_an_earlier_window_is_shown_and_the_history_asked_again(qtbot, fleet):
    old = CommandRunSummary(
        id="old", line="id", time_s=1.0, operator="bo", machines=("srv-a", "srv-b"), counts={"ok": 1, "unknown": 1}
    )
    fleet.page.apply_history([old])
    fleet.page._asking.setInterval(10)
    assert "1 ok · 1 unknown" in fleet.page.history.model.index(0, 1).data(Qt.ToolTipRole)
    fleet.page.show_saved(old, [CommandResult(machine="srv-a", state=CommandState.OK, stdout="x\n")])
    assert "? srv-b  unknown" in fleet.shown()
    with qtbot.waitSignal(fleet.page.history_wanted, timeout=2000):
        fleet.answer("srv-b", "y\n", run_id="old")
    assert "✓ srv-b" in fleet.shown()
    assert "fetched later" in fleet.shown()


def test_a_very_large_text_comes_in_pieces_and_is_whole_in_the_end(qtbot, fleet):
    fleet.start()
    view = fleet.page.answers.text
    for number, name in enumerate(NAMES):
        fleet.answer(name, "\n".join(f"{number} line {line}" for line in range(4000)))
    fleet.page.answers.refresh()
    whole = view.toPlainText()
    view.apply([])
    view.apply(fleet.page.answers._gathered.sections(fleet.page.answers.run, 1.0), budget_s=1e-9)
    assert len(view.toPlainText()) < len(whole)
    qtbot.waitUntil(lambda: not view._later.isActive(), timeout=5000)
    assert view.toPlainText() == whole


def test_favourites_are_buttons_that_send_and_those_with_machines_only_fill_in(qtbot, fleet):
    disks = CommandConfig(name="Disks", line="df -h", favourite=True, timeout_s=90)
    lab = CommandConfig(name="Lab", line="who", favourite=True, targets=("@lab", "!lab-01"))
    fleet.page.set_library([disks, lab, CommandConfig(name="Log", line="journalctl", group="Logs")])
    fleet.page.set_targets(["srv-a"])
    first, second = fleet.page.controls.buttons._favourites
    qtbot.mouseClick(first, Qt.LeftButton)
    assert fleet.sent == [(["df", "-h"], ["srv-a"], 90.0, 0)]
    qtbot.mouseClick(second, Qt.LeftButton)
    assert len(fleet.sent) == 1
    assert (fleet.page.targets(), fleet.page.line()) == (("@lab", "!lab-01"), "who")
    texts = [one.text() for one in fleet.page.controls.buttons.fill_library().actions() if not one.isSeparator()]
    assert texts == ["★ Disks", "★ Lab", "Logs", "Save this line in the library…", "Edit the library…"]
    fleet.page.set_library([])
    assert fleet.page.controls.buttons._favourites == []


def test_many_targets_stand_above_the_line_where_it_would_be_too_short(qtbot, fleet):
    bar = fleet.page.controls
    fleet.page.set_targets(["srv-a"])
    assert bar._apart.count() == 0
    fleet.page.set_targets(["a-long-name-of-a-group-*", "another-long-name-*", "os:debian", "filter:night", "!srv-b"])
    assert bar._apart.count() > 0
    fleet.page.set_targets(["srv-a"])
    assert bar._apart.count() == 0


def test_sections_that_change_their_order_come_and_go_leave_the_text_right(qtbot):
    view = AnswersView()
    qtbot.addWidget(view)
    orders = ["abcdef", "fbdxa", "", "zyx", "xyzabc", "cabzyx", "b", "abcdefxyz"]
    for order in orders:
        view.apply([Section(key, (Line((Span(f"{key} of {order}"),)), Line((Span(key),)))) for key in order])
        assert view.toPlainText().splitlines() == [text for key in order for text in (f"{key} of {order}", key)]


def test_enter_closes_the_completions_that_it_did_not_choose(qtbot, fleet):
    entry = fleet.page.controls.chips.entry
    popup = entry.completer().popup()
    qtbot.keyClicks(entry, "srv")
    assert popup.isVisible()
    qtbot.keyClick(popup, Qt.Key_Return)
    assert fleet.page.targets() == ("srv",)
    assert not popup.isVisible()


def test_what_an_earlier_window_has_left_is_shown_before_anything_else_is(fleet):
    page = fleet.page
    unknown = CommandResult(machine="srv-a", state=CommandState.UNKNOWN, message="whether it was sent is not known")
    summary = CommandRunSummary(
        id="left", time_s=1.7e9, operator="ana", line="make all", machines=("srv-a",), counts={"unknown": 1}
    )
    asked = []
    page.run_wanted.connect(asked.append)
    page.apply_history([summary])
    assert asked == [], "the history itself is not opened"
    page.apply_progress(CommandProgress(id="left", result=unknown, is_last=True))
    page.apply_history([summary])
    assert asked == ["left"]
    page.apply_run(summary, [unknown])
    assert "not known" in fleet.shown()
    fleet.answer("srv-a", "built\n", run_id="left")
    assert "built" in fleet.shown()


def test_a_machine_runs_since_its_turn_in_the_window_has_come(monkeypatch, fleet):
    monkeypatch.setattr("gui.pages.commands.monotonic_s", lambda: 100.0)
    fleet.start(window=1)
    monkeypatch.setattr("gui.pages.commands.monotonic_s", lambda: 160.0)
    fleet.step("lab-03", CommandPlace.RUNNING)
    assert fleet.page.answers.run.running_s("lab-03", 162.0) == 2.0
    assert fleet.page.answers.run.elapsed_s(162.0) == 62.0


def test_the_line_stays_where_it_is_while_targets_are_typed(qtbot, fleet):
    bar = fleet.page.controls
    fleet.page.set_targets(["@lab", "!lab-01"])
    for place in (bar.field, bar.chips.entry):
        place.setFocus()
        bar._on_chips_changed()
        qtbot.wait(1)
        assert bar._apart.count() == 0


def test_a_narrow_page_keeps_room_for_the_line(qtbot, fleet):
    bar = fleet.page.controls
    for width, is_apart in ((760, True), (1300, False)):
        fleet.page.resize(width, 600)
        bar.set_window(5)
        qtbot.wait(1)
        assert (bar._apart.count() > 0) is is_apart
        assert bar.field.width() >= 240
