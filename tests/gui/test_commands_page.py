"""The Commands page as its user meets it: clicks and keys in, records in, signals and words out."""

from __future__ import annotations

import pytest
from PyQt5.QtCore import QPoint, Qt
from PyQt5.QtGui import QGuiApplication, QTextCursor
from PyQt5.QtWidgets import QLabel, QPushButton

from core.records import (
    CommandOutput,
    CommandProgress,
    CommandRequest,
    CommandResult,
    CommandRunSummary,
    CommandState,
    Machine,
    MachineReport,
    MachineState,
)
from gui.pages.commands import CommandsPage
from gui.theme import use_theme
from gui.widgets.answers_card import BY_MACHINE, TABLE

NAMES = ("srv-a", "srv-b", "lab-1", "lab-2")
GROUPS = {"srv-a": ("srv",), "srv-b": ("srv",), "lab-1": ("lab",), "lab-2": ("lab",)}


def reports(*names: str, away: tuple[str, ...] = ()) -> list[MachineReport]:
    return [
        MachineReport(
            machine=name,
            address="127.0.0.1:1",
            state=MachineState.OFFLINE if name in away else MachineState.ONLINE,
            since_s=0.0,
        )
        for name in names
    ]


@pytest.fixture
def page(qtbot) -> CommandsPage:
    made = CommandsPage()
    qtbot.addWidget(made)
    made.set_inventory([Machine(name=name, host="", groups=groups) for name, groups in GROUPS.items()])
    made.set_machines(reports(*NAMES))
    made.resize(1100, 700)
    made.show()
    qtbot.waitExposed(made)
    return made


class Site:
    """Answers the page as the services would: each command gets a request, and results on demand."""

    def __init__(self, page: CommandsPage) -> None:
        self.page = page
        self.sent: list[tuple[list[str], list[str], float]] = []
        self.windows: list[int] = []
        self.cancelled: list[str] = []
        page.send_wanted.connect(self.on_send)
        page.cancel_wanted.connect(lambda run_id, _names: self.cancelled.append(run_id))

    def on_send(self, words: list[str], names: list[str], timeout_s: float, window: int) -> None:
        self.sent.append((words, names, timeout_s))
        self.windows.append(window)
        number = len(self.sent)
        self.page.apply_started(
            CommandRequest(
                id=f"r{number}", words=tuple(words), machines=tuple(names), timeout_s=timeout_s, operator="anne",
                time_s=1_700_000_000.0 + number, window=window,
            )
        )  # fmt: skip

    def answer(self, name: str, stdout: str = "", state: CommandState = CommandState.OK, **more) -> None:
        result = CommandResult(machine=name, state=state, stdout=stdout, exit_status=0, **more)
        self.page.apply_progress(CommandProgress(id=f"r{len(self.sent)}", result=result))

    def answer_all(self, stdout: str = "done\n") -> None:
        for name in self.sent[-1][1]:
            self.answer(name, stdout)


@pytest.fixture
def site(page) -> Site:
    return Site(page)


def shown(page: CommandsPage) -> str:
    page.answers.refresh()
    return page.answers.text.toPlainText()


def button(page: CommandsPage, text: str) -> QPushButton:
    return next(found for found in page.findChildren(QPushButton) if found.text() == text)


def test_a_target_and_a_line_typed_then_enter_send_to_whom_the_chips_say(qtbot, page, site):
    qtbot.keyClicks(page.controls.chips.entry, "@lab")
    qtbot.keyClick(page.controls.chips.entry, Qt.Key_Return)
    qtbot.keyClicks(page.controls.chips.entry, "srv-a ")
    qtbot.keyClicks(page.controls.field, 'ls -al "/srv/a b"')
    assert page.controls.send_button.text() == "Send to 3"
    qtbot.keyClick(page.controls.field, Qt.Key_Return)
    assert site.sent == [(["ls", "-al", "/srv/a b"], ["lab-1", "lab-2", "srv-a"], 30.0)]


def test_the_button_sends_too_and_takes_a_half_typed_target_and_the_time_out(qtbot, page, site):
    page.set_command("uptime")
    qtbot.keyClicks(page.controls.chips.entry, "lab-2")
    qtbot.mouseClick(page.controls.more_button, Qt.LeftButton)
    assert page.controls.timeout_box.isVisible()
    page.controls.timeout_box.setValue(90)
    qtbot.mouseClick(page.controls.send_button, Qt.LeftButton)
    assert site.sent == [(["uptime"], ["lab-2"], 90.0)]


def test_a_built_in_fills_the_line_and_sends(qtbot, page, site):
    page.set_targets(["all"])
    qtbot.mouseClick(button(page, "RAM"), Qt.LeftButton)
    assert page.controls.field.toPlainText() == "ram"
    assert site.sent[0][:2] == (["ram"], list(NAMES))


def test_a_directory_of_the_menu_is_listed(qtbot, page, site):
    page.set_targets(["srv-a"])
    menu = button(page, "List a directory ▾").menu()
    next(action for action in menu.actions() if action.text() == "/etc").trigger()
    assert site.sent[0][0] == ["ls", "-al", "/etc"]
    menu.actions()[-1].trigger()
    assert page.controls.field.toPlainText() == "ls -al "
    assert len(site.sent) == 1


def test_without_a_target_nothing_is_sent_and_the_page_says_what_to_do(qtbot, page, site):
    qtbot.mouseClick(button(page, "CPU"), Qt.LeftButton)
    assert site.sent == []
    assert page.controls.problem.isVisible()
    assert "Choose the machines first" in page.controls.problem.text()


def test_a_target_that_matches_nothing_and_a_quote_left_open_are_said(qtbot, page, site):
    page.set_targets(["nowhere", "srv-a"])
    assert "“nowhere”" in page.controls.problem.text()
    page.set_command("ls 'x")
    page.send()
    assert "never closed" in page.controls.problem.text()
    assert site.sent == []


def test_chips_go_by_their_cross_and_by_backspace_and_by_nothing_else(qtbot, page):
    page.set_targets(["@lab", "srv-a", "srv-b"])
    page.set_machines(reports("srv-a"))
    page.set_machines(reports(*NAMES, away=("lab-1",)))
    assert page.controls.chips.targets() == ("@lab", "srv-a", "srv-b")
    qtbot.keyClick(page.controls.chips.entry, Qt.Key_Backspace)
    assert page.controls.chips.targets() == ("@lab", "srv-a")
    qtbot.mouseClick(page.controls.chips._chips[0].cross, Qt.LeftButton)
    assert page.controls.chips.targets() == ("srv-a",)
    assert page.controls.send_button.text() == "Send to 1"


def test_many_names_share_one_chip_that_names_them_all(page):
    page.set_machines(reports(*(f"lab-{number:02d}" for number in range(1, 41))))
    page.set_targets([f"lab-{number:02d}" for number in range(1, 41)])
    assert len(page.controls.chips._chips) == 1
    assert page.controls.chips._chips[0].text == "lab-[01-40]"
    assert page.controls.send_button.text() == "Send to 40"


def test_a_completion_becomes_a_chip(qtbot, page):
    qtbot.keyClicks(page.controls.chips.entry, "@s")
    completer = page.controls.chips.entry.completer()
    assert completer.currentCompletion() == "@srv"
    completer.activated[str].emit("@srv")
    qtbot.waitUntil(lambda: page.controls.chips.targets() == ("@srv",), timeout=2000)
    assert page.controls.chips.entry.text() == ""


def test_the_tool_tip_of_the_button_says_who_and_who_cannot_be_reached(page):
    page.set_machines(reports(*NAMES, away=("lab-1",)))
    page.set_targets(["all"])
    tip = page.controls.send_button.toolTip()
    assert "lab-[1-2], srv-a, srv-b" in tip
    assert "1 cannot be reached now: lab-1" in tip


def test_a_single_machine_is_chosen_at_the_start_and_later_ones_change_nothing(qtbot):
    page = CommandsPage()
    qtbot.addWidget(page)
    page.set_machines(reports("here"))
    assert page.controls.chips.targets() == ("here",)
    page.set_machines(reports("here", "there"))
    assert page.controls.chips.targets() == ("here",)


def test_several_lines_go_one_after_the_other_by_ctrl_enter(qtbot, page, site):
    page.set_targets(["@srv"])
    qtbot.keyClicks(page.controls.field, "uname -a")
    qtbot.keyClick(page.controls.field, Qt.Key_Return, Qt.ShiftModifier)
    qtbot.keyClicks(page.controls.field, "df -h")
    qtbot.keyClick(page.controls.field, Qt.Key_Return)
    assert site.sent == []
    qtbot.keyClick(page.controls.field, Qt.Key_Return, Qt.ControlModifier)
    assert [words for words, _names, _timeout in site.sent] == [["uname", "-a"]]
    assert page.controls.several_box.isChecked()
    site.answer("srv-a", "Linux\n")
    assert len(site.sent) == 1
    site.answer("srv-b", "Linux\n")
    assert [words for words, _names, _timeout in site.sent] == [["uname", "-a"], ["df", "-h"]]
    assert "line 2 of 2" in page.progress.words.text()
    site.answer_all()
    assert len(site.sent) == 2


def test_lines_not_yet_sent_are_not_sent_after_cancel(qtbot, page, site):
    page.set_targets(["srv-a"])
    page.set_command("uname\ndf -h")
    qtbot.mouseClick(page.controls.send_button, Qt.LeftButton)
    qtbot.mouseClick(page.controls.cancel_button, Qt.LeftButton)
    assert site.cancelled == ["r1"]
    site.answer("srv-a", state=CommandState.CANCELLED)
    assert len(site.sent) == 1


def test_pasting_several_lines_opens_the_field_for_several(qtbot, page):
    QGuiApplication.clipboard().setText("uname -a\r\ndf -h\n")
    page.controls.field.paste()
    assert page.controls.field.lines() == ["uname -a", "df -h"]
    assert page.controls.field.is_several


def test_up_recalls_earlier_lines_as_in_a_terminal(qtbot, page, site):
    page.set_targets(["srv-a"])
    for line in ("uname", "uptime"):
        page.set_command(line)
        page.send()
        site.answer_all()
    qtbot.keyClick(page.controls.field, Qt.Key_Up)
    qtbot.keyClick(page.controls.field, Qt.Key_Up)
    assert page.controls.field.toPlainText() == "uname"
    qtbot.keyClick(page.controls.field, Qt.Key_Down)
    assert page.controls.field.toPlainText() == "uptime"


def test_cancel_is_there_only_while_something_runs(qtbot, page, site):
    assert not page.controls.cancel_button.isEnabled()
    page.set_targets(["srv-a"])
    page.set_command("uptime")
    page.send()
    assert page.controls.cancel_button.isEnabled()
    site.answer_all()
    assert not page.controls.cancel_button.isEnabled()


def test_answers_come_live_then_gathered_with_every_target_in_words_and_in_the_bar(page, site):
    page.set_targets(["all"])
    page.set_command("python --version")
    page.send()
    page.apply_output(CommandOutput(id="r1", machine="srv-a", fd=1, text="Python "))
    assert "… srv-a  running" in shown(page)
    assert "  Python " in shown(page)
    for name in ("srv-a", "srv-b"):
        site.answer(name, "Python 3.11.2\n", duration_s=0.031)
    site.answer("lab-1", "Python 3.9.18\n", duration_s=0.029)
    site.answer("lab-2", state=CommandState.OFFLINE, message="not sent: offline since 09:12")
    text = shown(page)
    assert "✓ srv-a, srv-b  2 machines, same answer" in text
    assert "  - Python 3.11.2\n  + Python 3.9.18" in text
    assert "– lab-2  not sent: offline since 09:12" in text
    assert page.progress.words.text().startswith("3 ok · 1 not sent")
    assert [role for role, _width in page.progress.bar.segments()] == ["ok", "line"]


def test_the_three_views_show_the_same_run(qtbot, page, site):
    page.set_targets(["@srv"])
    page.set_command("hostname")
    page.send()
    site.answer("srv-a", "a\n")
    site.answer("srv-b", "b\n")
    qtbot.mouseClick(button(page, "By machine"), Qt.LeftButton)
    assert page.answers.view() == BY_MACHINE
    assert shown(page).split("\n")[:3] == ["✓ srv-a  exit 0", "  a", ""]
    qtbot.mouseClick(button(page, "Table"), Qt.LeftButton)
    assert page.answers.view() == TABLE
    assert page.answers.table.isVisible()
    page.answers.table.setCurrentIndex(page.answers.model.index(1, 0))
    qtbot.keyClick(page.answers.table, Qt.Key_Return)
    assert page.answers.view() == BY_MACHINE
    assert page.answers.text.textCursor().block().text() == "✓ srv-b  exit 0"


def test_a_fold_opens_by_click_and_by_enter(qtbot, page, site):
    page.set_targets(["srv-a"])
    page.set_command("ls")
    page.send()
    site.answer("srv-a", "\n".join(f"line {number}" for number in range(60)))
    assert "show all 60 lines" in shown(page)
    view = page.answers.text
    cursor = view.document().find("show all")
    cursor.clearSelection()
    view.setTextCursor(cursor)
    view.ensureCursorVisible()
    qtbot.mouseClick(view.viewport(), Qt.LeftButton, pos=view.cursorRect(cursor).center() - QPoint(8, 0))
    assert "line 59" in shown(page)
    view.setTextCursor(QTextCursor(view.document().find("show fewer").block()))
    qtbot.keyClick(view, Qt.Key_Return)
    assert "line 59" not in shown(page)


def test_the_line_of_a_refusal_is_copied_by_its_anchor(qtbot, page, site):
    page.set_targets(["srv-a"])
    page.set_command("reboot")
    page.send()
    line = 'reboot = { argv = ["reboot"] }'
    site.answer("srv-a", state=CommandState.NOT_ALLOWED, message=f"not allowed there: none; add: {line}")
    shown(page)
    view = page.answers.text
    view.setTextCursor(QTextCursor(view.document().find("Copy the line for policy.toml").block()))
    qtbot.keyClick(view, Qt.Key_Return)
    assert QGuiApplication.clipboard().text() == line


def test_selected_output_is_copied_as_the_machine_wrote_it(page, site):
    page.set_targets(["srv-a"])
    page.set_command("ls")
    page.send()
    site.answer("srv-a", "one\n  two\n")
    shown(page)
    page.answers.text.selectAll()
    page.answers.text.copy()
    assert QGuiApplication.clipboard().text().splitlines()[:3] == ["✓ srv-a  exit 0", "one", "  two"]


def test_html_from_a_machine_stays_letters_everywhere(page, site):
    evil = "<b>bold</b><img src=x>"
    page.set_machines(reports(*NAMES, evil))
    page.set_targets([evil])
    page.set_command("echo")
    page.send()
    site.answer(evil, f"{evil}\n", message=evil)
    assert f"  {evil}" in shown(page)
    for label in page.findChildren(QLabel):
        assert label.textFormat() == Qt.PlainText
    for widget in (*page.findChildren(QPushButton), *page.controls.chips._chips):
        assert "<img" not in widget.toolTip()
    assert "<img" not in page.history.model.index(0, 1).data(Qt.ToolTipRole)


def test_what_is_selected_and_read_stays_while_other_answers_come(page, site):
    page.set_targets(["all"])
    page.set_command("ls")
    page.send()
    site.answer("lab-1", "alpha\n")
    shown(page)
    view = page.answers.text
    view.setTextCursor(view.document().find("alpha"))
    site.answer("srv-b", "beta\n")
    site.answer("srv-a", "gamma\n")
    assert "gamma" in shown(page)
    assert view.textCursor().selectedText() == "alpha"


def test_two_hundred_answers_cost_few_refreshes(qtbot, page, site):
    names = [f"m{number:03d}" for number in range(200)]
    page.set_machines(reports(*names))
    page.set_targets(names)
    page.set_command("ls")
    page.send()
    refreshes = []
    page.answers.refreshed.connect(lambda: refreshes.append(1))
    for name in names[:-1]:
        page.apply_output(CommandOutput(id="r1", machine=name, fd=1, text="x\n"))
        site.answer(name, "\n".join(f"{name} line {line}" for line in range(50)))
    assert len(refreshes) == 0
    site.answer(names[-1], "the last\n")
    assert len(refreshes) == 1
    assert page.progress.words.text().startswith("200 ok")
    assert page.answers.text.blockCount() < 5000


def test_the_history_lists_finds_shows_and_takes_again_without_sending(qtbot, page, site):
    saved = CommandRunSummary(
        id="old",
        line="ls -al /srv",
        time_s=1_600_000_000.0,
        operator="bo",
        machines=("srv-a", "gone"),
        counts={"ok": 2},
    )
    page.apply_history([saved])
    searched, wanted = [], []
    page.history_wanted.connect(searched.append)
    page.run_wanted.connect(wanted.append)
    table = page.history.table
    where = table.visualRect(page.history.model.index(0, 1)).center()
    qtbot.mouseClick(table.viewport(), Qt.LeftButton, pos=where)
    assert wanted == ["old"]
    result = CommandResult(machine="srv-a", state=CommandState.OK, exit_status=0, stdout="from the past\n")
    page.apply_run(saved, [result])
    assert "from the past" in shown(page)
    assert "? gone  unknown" in shown(page)
    qtbot.mouseDClick(table.viewport(), Qt.LeftButton, pos=where)
    assert page.controls.field.toPlainText() == "ls -al /srv"
    assert page.controls.chips.targets() == ("srv-a", "gone")
    assert site.sent == []
    qtbot.keyClicks(page.history.search, "srv")
    qtbot.waitUntil(lambda: searched == ["srv"], timeout=2000)


def test_a_run_is_in_the_history_from_its_first_moment_and_asked_for_when_saved(qtbot, page, site):
    page._asking.setInterval(10)
    page.set_targets(["@srv"])
    page.set_command("uptime")
    page.send()
    assert page.history.model.index(0, 2).data() == "0 of 2…"
    with qtbot.waitSignal(page.history_wanted, timeout=2000):
        site.answer_all()
    assert page.history.model.index(0, 2).data() == "2 ok"
    page.apply_history([])
    assert page.history.model.rowCount() == 1
    assert page.history.chosen().id == "r1"


def test_an_answer_asked_for_and_overtaken_by_another_choice_is_not_shown(page, site):
    old = CommandRunSummary(id="old", line="id", time_s=1.0, operator="bo", machines=("srv-a",), counts={"ok": 1})
    page.apply_history([old])
    page.history.table.selectRow(0)
    page.set_targets(["srv-a"])
    page.set_command("uptime")
    page.send()
    page.apply_run(old, [CommandResult(machine="srv-a", state=CommandState.OK, stdout="late\n")])
    assert "late" not in shown(page)


def test_a_machine_that_never_answers_ends_as_unknown(page, site, monkeypatch):
    page.set_targets(["@srv"])
    page.set_command("uptime")
    page.send()
    site.answer("srv-a", "up\n")
    page._on_patience()
    assert page.controls.cancel_button.isEnabled()
    from gui.pages import commands

    monkeypatch.setattr(commands, "monotonic_s", lambda: 1e12)
    page._on_patience()
    assert "? srv-b  unknown" in shown(page)
    assert not page.controls.cancel_button.isEnabled()


def test_without_machines_there_is_one_sentence_and_one_button(qtbot):
    page = CommandsPage()
    qtbot.addWidget(page)
    page.show()
    assert not page.controls.send_button.isVisible()
    with qtbot.waitSignal(page.add_machine_wanted, timeout=1000):
        qtbot.mouseClick(button(page, "Add a machine…"), Qt.LeftButton)
    page.set_machines(reports("here"))
    assert page.controls.send_button.isVisible()
    assert not button(page, "Add a machine…").isVisible()


def test_before_the_first_command_an_example_fills_the_line(qtbot, page, site):
    qtbot.mouseClick(button(page, "ls -al /etc"), Qt.LeftButton)
    assert page.controls.field.toPlainText() == "ls -al /etc"
    assert site.sent == []


def test_answers_take_the_colours_of_a_new_theme_and_keep_their_text(page, site):
    page.set_targets(["srv-a"])
    page.set_command("ls")
    page.send()
    site.answer_all("done\n")
    before = shown(page)
    try:
        use_theme("light")
        assert page.answers.text.toPlainText() == before
        assert (
            page.answers.text.document().begin().begin().fragment().charFormat().foreground().color().name()
            == "#17784a"
        )
    finally:
        use_theme("dark")


def test_every_control_has_a_name_for_those_who_cannot_see(page):
    for widget in (
        page.controls.field,
        page.controls.chips.entry,
        page.history.search,
        page.history.table,
        page.answers.text,
    ):
        assert widget.accessibleName()


def test_the_splitter_follows_the_width_until_its_user_moves_it_and_is_found_again(qtbot, page):
    page.resize(760, 600)
    narrow = page._splitter.sizes()[1]
    page.resize(1400, 600)
    assert page._splitter.sizes()[1] > narrow
    assert page.layout_state().isEmpty()
    page._splitter.moveSplitter(600, 1)
    kept = page._splitter.sizes()
    other = CommandsPage()
    qtbot.addWidget(other)
    other.resize(1400, 600)
    other.restore_layout(page.layout_state())
    other.show()
    assert other._splitter.sizes() == kept


def test_what_cannot_be_sent_is_said_and_the_lines_after_it_stay(page, site):
    page.set_targets(["@srv"])
    page.set_command("uname\ndf -h")
    page.send()
    page.apply_not_sent("the command is too long")
    assert page.controls.problem.text() == "Not sent: the command is too long."
    site.answer_all()
    assert len(site.sent) == 1


def test_old_runs_leave_the_window_and_come_back_from_the_history(page, site):
    page.set_targets(["srv-a"])
    page.set_command("uptime")
    for _number in range(30):
        page.send()
        site.answer_all()
    wanted = []
    page.run_wanted.connect(wanted.append)
    page.history.table.selectRow(29)
    assert wanted == ["r1"]
    page.history.table.selectRow(1)
    assert wanted == ["r1"]
    assert page.answers.run.request.id == "r29"
