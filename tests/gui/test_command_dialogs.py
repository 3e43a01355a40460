"""The library, saved filters, allowed commands as a form, files of answers, and the question at the end."""

from __future__ import annotations

import time

import pytest
from dialog_parts import gather, words
from PyQt5.QtCore import QSettings, Qt
from PyQt5.QtWidgets import QFileDialog

from core.access_records import AllowedCommand, AllowedCommands, AllowedParameter
from core.config import CommandConfig, FilterConfig, load_config, replace_tables
from core.records import CommandProgress, CommandRequest, CommandResult, CommandState, Event, Level, Machine, Severity
from core.services.command_recovery import UNKNOWN_KIND
from core.targets import TargetBook
from gui.dialogs.allowed_commands import AllowedCommandsDialog
from gui.dialogs.command_library import CommandLibraryDialog
from gui.dialogs.running_commands import Ending, RunningCommandsBox
from gui.dialogs.target_filters import FiltersDialog, SaveFilterDialog
from gui.main_window import MainWindow
from gui.models.allowed import argv_of_call, offers, problem_of, words_of_call
from gui.models.machines import MachineModel
from gui.pages.commands import CommandsPage
from gui.runtime.services import Services
from gui.wiring import commands as commands_desk
from gui.wiring.commands import CommandDesk

DISKS = CommandConfig(name="Disks", line="df -h", group="Space")
WHO = CommandConfig(name="Who", line="who", favourite=True, targets=("@lab",))
BOOK = TargetBook(
    machines=tuple(Machine(name=f"lab-{number}", host="", groups=("lab",)) for number in range(3)),
    filters={"night": ("@lab",), "both": ("filter:night", "!lab-1")},
)
UNIT = AllowedParameter(name="unit", type="enum", values=("cups", "nginx"))
RESTART = AllowedCommand(
    id="restart", argv=("systemctl", "restart", "{unit}"), parameters=(UNIT,), level=Level.MANAGE, description="Again"
)
TAIL = AllowedCommand(
    id="tail-log",
    argv=("tail", "-n", "{count}", "{path*}"),
    parameters=(
        AllowedParameter(name="count", type="int", minimum=1, maximum=500),
        AllowedParameter(name="path", type="path", roots=("/var/log",), is_repeated=True),
    ),
)
LS = AllowedCommand(
    id="ls",
    argv=("ls", "{flags*}", "{path?}"),
    parameters=(
        AllowedParameter(name="flags", type="flags", letters="al", is_repeated=True),
        AllowedParameter(name="path", type="path", roots=("/",), is_optional=True),
    ),
    is_default=True,
)


def told(machine: str, *commands: AllowedCommand, level: Level = Level.RUN) -> AllowedCommands:
    return AllowedCommands(machine=machine, time_s=1.0, level=level, os="linux", commands=commands)


@pytest.fixture
def shown(qtbot):
    def show(dialog):
        qtbot.addWidget(dialog)
        dialog.setAttribute(Qt.WA_DeleteOnClose, False)
        dialog.show()
        return dialog

    return show


# The library


def test_the_library_is_added_to_put_in_order_and_kept_whole(qtbot, shown):
    dialog = shown(CommandLibraryDialog([DISKS, WHO], ("srv-*",)))
    saved = gather(dialog.saved)
    dialog.add_line("uptime\nfree -m")
    assert dialog.focusWidget() is dialog.name
    dialog.on_accept()
    assert words(dialog) == "This command needs a name."
    qtbot.keyClicks(dialog.name, "Load")
    dialog._on_take_targets()
    dialog.favourite.setChecked(True)
    dialog.timeout.setValue(45)
    qtbot.mouseClick(dialog.up_button, Qt.LeftButton)
    qtbot.mouseClick(dialog.up_button, Qt.LeftButton)
    assert dialog.list.item(0).text() == "★ Load"
    dialog.list.setCurrentRow(2)
    qtbot.mouseClick(dialog.remove_button, Qt.LeftButton)
    dialog.on_accept()
    load = CommandConfig(name="Load", line="uptime\nfree -m", favourite=True, timeout_s=45.0, targets=("srv-*",))
    assert saved == [([load, DISKS],)]


@pytest.mark.parametrize(
    ("name", "line", "problem"),
    [
        ("Who", "id", "Another command is called Who already."),
        ("New", "  ", "New has no command to send."),
        ("New", "ls 'x", "never closed"),
    ],
)
def test_a_command_that_cannot_be_kept_is_said_and_stays_open(qtbot, shown, name, line, problem):
    dialog = shown(CommandLibraryDialog([WHO], ()))
    saved = gather(dialog.saved)
    dialog.add_line(line)
    qtbot.keyClicks(dialog.name, name)
    dialog.on_accept()
    assert problem in words(dialog)
    assert saved == []


# Filters


@pytest.mark.parametrize(("name", "is_taken"), [("a b", False), ("", False), ("x,y", False), ("evening", True)])
def test_a_filter_gets_a_name_that_can_be_typed(qtbot, shown, name, is_taken):
    dialog = shown(SaveFilterDialog(("@lab",), BOOK))
    chosen = gather(dialog.chosen)
    qtbot.keyClicks(dialog.name, name)
    qtbot.keyClick(dialog.name, Qt.Key_Return)
    assert chosen == ([(name,)] if is_taken else [])


def test_a_name_that_is_there_is_said_to_be_replaced(qtbot, shown):
    dialog = shown(SaveFilterDialog(("@lab",), BOOK))
    qtbot.keyClicks(dialog.name, "night")
    assert "replaced" in words(dialog)


def test_a_filter_that_another_needs_is_not_removed(qtbot, shown):
    dialog = shown(FiltersDialog(BOOK))
    removed, renamed = gather(dialog.removed), gather(dialog.renamed)
    assert [dialog.list.item(row).text() for row in range(2)] == ["night    3 machines", "both    2 machines"]
    qtbot.mouseClick(dialog.remove_button, Qt.LeftButton)
    assert "The filter both uses it" in words(dialog)
    dialog.name.setText("both")
    qtbot.mouseClick(dialog.rename_button, Qt.LeftButton)
    assert "already" in words(dialog)
    dialog.name.setText("evening")
    qtbot.mouseClick(dialog.rename_button, Qt.LeftButton)
    dialog.list.setCurrentRow(1)
    qtbot.mouseClick(dialog.remove_button, Qt.LeftButton)
    assert (removed, renamed) == ([("both",)], [("night", "evening")])


# Allowed commands


def test_commands_of_many_machines_are_offered_once_with_who_allows_them():
    other = AllowedCommand(id="ls", argv=("ls",))
    found = offers([told("a", RESTART, TAIL, LS), told("b", RESTART, LS, level=Level.MANAGE), told("c", other)])
    assert [(one.command.id, one.machines, one.too_low) for one in found] == [
        ("ls", ("c",), ()),
        ("restart", ("b",), ("a",)),
        ("tail-log", ("a",), ()),
        ("ls", ("a", "b"), ()),
    ]


def test_a_call_is_the_id_and_its_values_and_the_whole_line_where_that_begins_with_the_id():
    values = {"count": ("20",), "path": ("/var/log/a b", "/var/log/x")}
    assert words_of_call(TAIL, values) == ("tail-log", "20", "/var/log/a b", "/var/log/x")
    assert argv_of_call(TAIL, values) == ("tail", "-n", "20", "/var/log/a b", "/var/log/x")
    assert words_of_call(LS, {"flags": ("-la",)}) == ("ls", "-la")
    joined = AllowedCommand(id="n", argv=("nice", "--adjust={n}"), parameters=())
    assert argv_of_call(joined, {"n": ("5",)}) == ("nice", "--adjust=5")


@pytest.mark.parametrize(
    ("parameter", "good", "bad"),
    [
        (UNIT, "cups", "ssh"),
        (TAIL.parameters[0], "500", "501"),
        (TAIL.parameters[1], "/var/log/x", "/var/logs"),
        (TAIL.parameters[1], "/var/log", "/var/log/../x"),
        (AllowedParameter(name="h", type="host"), "web-1.example.org", "a b"),
        (AllowedParameter(name="h", type="host"), "fe80::1", "-x"),
        (AllowedParameter(name="w", type="word"), "a=b", "-x"),
        (AllowedParameter(name="p", type="pid"), "1", "0"),
        (LS.parameters[0], "-al", "-z"),
    ],
)
def test_a_value_that_the_agent_would_refuse_is_said_before_it_is_sent(parameter, good, bad):
    assert problem_of(parameter, good) == ""
    assert bad in problem_of(parameter, bad)


def test_the_form_shows_the_line_it_makes_and_sends_it_to_those_who_allow_it(qtbot, shown):
    dialog = shown(AllowedCommandsDialog(["a", "b", "c", "d"]))
    sent = gather(dialog.send_wanted)
    assert not dialog.accept_button.isEnabled()
    dialog.apply_allowed(told("a", TAIL, LS))
    dialog.apply_allowed(told("b", TAIL, LS))
    dialog.apply_allowed(told("c", LS))
    dialog.apply_not_told("d", "offline since 09:12")
    assert "3 machines say what they allow" in dialog.progress.text()
    assert "offline since 09:12" in dialog.progress.text()
    assert dialog.list.item(0).text() == "tail-log    on 2 of 4"
    dialog.list.setCurrentRow(0)
    assert dialog.accept_button.text() == "Send to 2"
    assert "1 machine does not allow it" in dialog.whom.text()
    dialog._fields[0]._number.setValue(50)
    dialog._fields[1]._line.setText("/etc/passwd")
    dialog.on_accept()
    assert "/etc/passwd is not below /var/log" in words(dialog)
    dialog._fields[1]._line.setText('/var/log/x "/var/log/a b"')
    assert dialog.line.text() == 'tail-log 50 /var/log/x "/var/log/a b"'
    assert dialog.argv.text() == 'tail -n 50 /var/log/x "/var/log/a b"'
    dialog.on_accept()
    assert sent == [(["tail-log", "50", "/var/log/x", "/var/log/a b"], ["a", "b"])]


def test_letters_are_boxes_choices_a_list_and_what_may_be_left_out_is_left_out(qtbot, shown):
    dialog = shown(AllowedCommandsDialog(["a"]))
    dialog.apply_allowed(told("a", LS))
    flags, path = dialog._fields
    for _letter, box in flags._boxes:
        box.click()
    assert dialog.line.text() == "ls -al"
    assert path.problem() == ""
    dialog.apply_allowed(told("a", LS))
    assert dialog.line.text() == "ls -al", "an answer more does not empty the form"


def test_a_level_that_is_too_low_is_said_and_nothing_can_be_sent(shown):
    dialog = shown(AllowedCommandsDialog(["a"]))
    dialog.apply_allowed(told("a", RESTART))
    assert dialog.list.item(0).text() == "restart    needs level manage"
    assert "needs level manage; this console has run on a" in dialog.whom.text()
    assert not dialog.accept_button.isEnabled()


def test_what_an_agent_calls_its_commands_stays_letters(shown):
    evil = AllowedCommand(id="<img src=x>", argv=("<b>x",), description="<b>bold</b>\nnext")
    dialog = shown(AllowedCommandsDialog(["a"]))
    dialog.apply_allowed(told("a", evil))
    assert dialog.title.text() == "<img src=x>"
    assert dialog.title.textFormat() == Qt.PlainText
    assert "<img" not in dialog.list.item(0).toolTip()


# The question at the end


def running(*machines: str) -> CommandRequest:
    return CommandRequest(id="r", words=("sleep", "99"), machines=machines, timeout_s=99, operator="ana", time_s=1.0)


def test_the_question_names_what_runs_and_offers_three_ways(qtbot):
    box = RunningCommandsBox([running("a", "b"), running("b", "c")])
    qtbot.addWidget(box)
    assert box.text() == "2 commands still run on 3 machines."
    assert "sleep 99: a, b" in box.informativeText()
    assert box.textFormat() == Qt.PlainText
    assert box.defaultButton() is box.stay_button, "Enter alone ends nothing on two hundred machines"
    assert box.escapeButton() is box.stay_button
    box.show()
    box.let_button.click()
    assert box.answer() is Ending.LET_GO_ON


# Over real settings


class Desk:
    """The page and its desk over services of a home of its own, none of them started."""

    def __init__(self, home, folder):
        self.services = Services(home, load_config(home)[0])
        self.window = MainWindow(QSettings(str(folder / "gui.ini"), QSettings.IniFormat), MachineModel())
        self.window.set_machines(Machine(name=name, host="", groups=("lab",)) for name in ("a", "b"))
        self.page = CommandsPage()
        self.window.set_page("commands", self.page)
        self.desk = CommandDesk(self.services)
        self.desk.attach(self.window, self.page)


@pytest.fixture
def desk(qtbot, home, tmp_path, monkeypatch):
    replace_tables(home, "command", [DISKS, WHO])
    made = Desk(home, tmp_path)
    # who collects is not there to be told; the settings themselves are read anew as ever
    monkeypatch.setattr(made.services, "ask", lambda _request: made.services.take_config(load_config(home)[0]))
    qtbot.addWidget(made.window)
    yield made
    made.window.may_close = None
    made.services.stop()


def test_a_command_of_a_killed_console_is_told_over_every_page_until_its_results_are_there(desk):
    text = "the console was ended while “make” of 21:04 ran"
    desk.desk.apply_event(
        Event(time_s=1.0, source="command/left", kind=UNKNOWN_KIND, severity=Severity.WARNING, text=text)
    )

    def come(machine, state):
        desk.desk.apply(CommandProgress(id="left", result=CommandResult(machine=machine, state=state), is_last=True))

    come("a", CommandState.UNKNOWN)
    come("b", CommandState.UNKNOWN)
    come("b", CommandState.OK)
    assert desk.window.notice() == text
    come("a", CommandState.FAILED)
    assert desk.window.notice() == ""


def test_commands_go_out_by_name_whichever_order_machines_have(desk):
    desk.window.set_machines(Machine(name=name, host="") for name in ("pc10", "pc2", "b", "a"))
    desk.desk.open_command(["all"], "id")
    assert desk.page.target_machines() == ("a", "b", "pc2", "pc10")


def test_the_menu_fills_in_a_command_and_its_machines_and_sends_nothing(desk):
    sent = gather(desk.page.send_wanted)
    actions = {action.text(): action for action in desk.window.fill_library().actions()}
    assert list(actions)[:2] == ["★ Who", ""]
    actions["★ Who"].trigger()
    assert (desk.page.targets(), desk.page.line(), sent) == (("@lab",), "who", [])
    assert desk.window.current_page() == "commands"


def test_a_line_is_kept_in_the_library_and_stands_in_the_menu(qtbot, desk, home):
    desk.page.set_command("uptime")
    desk.window.keep_line_wanted.emit()
    dialog = desk.window.findChild(CommandLibraryDialog)
    assert dialog.line.toPlainText() == "uptime"
    qtbot.keyClicks(dialog.name, "Since when")
    dialog.on_accept()
    assert [one.name for one in load_config(home)[0].commands] == ["Disks", "Who", "Since when"]
    assert "Since when" in [action.text() for action in desk.window.fill_library().actions()]


def test_a_filter_is_saved_used_renamed_everywhere_and_removed(desk, home):
    library = desk.desk._library
    library.save_filter("night", ["@lab", "!a"])
    library.save_filter("more", ["filter:night", "a"])
    library.save_library([WHO.__class__(name="Who", line="who", targets=("filter:night",))])
    desk.page.set_targets(["filter:night"])
    assert desk.page.target_machines() == ("b",)
    library.rename_filter("night", "evening")
    config = load_config(home)[0]
    assert config.filters == (
        FilterConfig(name="evening", targets=("@lab", "!a")),
        FilterConfig(name="more", targets=("filter:evening", "a")),
    )
    assert config.commands[0].targets == ("filter:evening",)
    assert desk.page.targets() == ("filter:night",), "chips change by their user alone"
    library.save_filter("loop", ["filter:loop"])
    assert "leads back to itself" in desk.window.notice()


def test_the_form_is_not_opened_for_nobody_and_says_who_does_not_answer(qtbot, desk):
    desk.page.allowed_wanted.emit()
    assert desk.window.findChild(AllowedCommandsDialog) is None
    desk.page.set_targets(["all"])
    desk.page.allowed_wanted.emit()
    dialog = desk.window.findChild(AllowedCommandsDialog)
    assert "2 do not: a, b (the console is still starting)" in dialog.progress.text()


def test_answers_are_saved_where_the_user_says(qtbot, desk, home, tmp_path, monkeypatch):
    desk.services.start()
    desk.page.apply_started(
        CommandRequest(id="r", words=("id",), machines=("a", "b"), timeout_s=9, operator="ana", time_s=time.time())
    )
    result = CommandResult(machine="a", state=CommandState.OK, exit_status=0, stdout="uid=0\n")
    desk.page.apply_progress(CommandProgress(id="r", result=result))
    proposed = []

    def choose(_parent, _title, path, _pattern):
        proposed.append(path)
        return str(tmp_path / "mine"), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", choose)
    for kind, suffix in (("text", ".txt"), ("sections", ".txt"), ("csv", ".csv"), ("json", ".json")):
        desk.page.save_wanted.emit(desk.page.answers.run, kind)
        path = tmp_path / f"mine{suffix}"
        qtbot.waitUntil(path.exists, timeout=5000)
        assert "uid=0" in path.read_text()
        path.unlink()
    assert proposed[0].startswith(str(home.exports_path))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_arguments: str(tmp_path / "all"))
    desk.page.save_wanted.emit(desk.page.answers.run, "folder")
    qtbot.waitUntil(lambda: list((tmp_path / "all").glob("*/a.txt")) != [], timeout=5000)


@pytest.mark.parametrize("answer", list(Ending))
def test_a_window_with_running_commands_closes_as_its_user_says(desk, monkeypatch, answer):
    asked = []
    monkeypatch.setattr(desk.services, "running_commands", lambda: [running("a")])
    monkeypatch.setattr(commands_desk, "ask_before_closing", lambda _parent, what: asked.append(what) or answer)
    closing = gather(desk.window.closing)
    desk.window.show()
    desk.window.close()
    assert len(asked) == 1
    assert (desk.window.isVisible(), len(closing)) == ((True, 0) if answer is Ending.STAY else (False, 1))
    assert desk.desk.let_commands_go_on is (answer is Ending.LET_GO_ON)


def test_a_window_where_nothing_runs_asks_nothing(desk, monkeypatch):
    monkeypatch.setattr(commands_desk, "ask_before_closing", lambda *_all: pytest.fail("asked"))
    desk.window.show()
    desk.window.close()
    assert not desk.window.isVisible()
