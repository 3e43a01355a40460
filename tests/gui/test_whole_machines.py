"""The real window and real agents of other homes: paired one by one and by a site code, exported, imported, removed."""

import pytest
from PyQt5.QtCore import Qt

from core.config import load_config, save_setting
from core.home import Home
from core.records import MachineState
from core.requests import ReloadRequest
from gui.app import Window
from gui.runtime.child_program import ChildProgram

SLOW_MS = 20_000


@pytest.fixture
def window(qtbot, home):
    opened = Window(home, load_config(home)[0])
    qtbot.waitUntil(lambda: opened.console is not None and opened.console.machines.local() is not None, timeout=SLOW_MS)
    yield opened
    opened.close()
    opened.end()
    opened.main_window.deleteLater()
    opened.deleteLater()
    qtbot.wait(1)


@pytest.fixture
def start_agent(qtbot, tmp_path):
    """Start an agent of another home; its child, and the lines it has printed."""
    children = []

    def start(name, *words):
        child = ChildProgram(
            ["--home", str(Home(tmp_path / name).make().path), "agent", "run", "--listen", "127.0.0.1:0", *words]
        )
        lines = []
        child.line_read.connect(lines.append)
        child.start()
        children.append(child)
        qtbot.waitUntil(lambda: len(lines) >= (1 if "--site-code" in words else 2), timeout=SLOW_MS)
        return lines

    yield start
    for child in children:
        child.request_stop()
    for child in children:
        child.stop()


def state_of(window, name):
    row = window.main_window.model.row(name)
    return None if row is None else row.state


def test_another_machine_is_paired_in_the_dialog_and_answers_a_command(qtbot, window, start_agent):
    lines = start_agent("other")
    address, code = lines[0].removeprefix("listening on "), lines[1].removeprefix("code: ")
    dialog = window.console.machines.open_add()
    dialog.address.setText(address)
    dialog.name.setText("other")
    dialog.code.setText("00000-00000" if code != "00000-00000" else "11111-11111")
    qtbot.mouseClick(dialog.accept_button, Qt.LeftButton)
    qtbot.waitUntil(lambda: "beffroi agent pair" in dialog._words.text(), timeout=SLOW_MS)
    assert "other" not in window.console.machines.machines

    dialog.code.setText(code)
    qtbot.mouseClick(dialog.accept_button, Qt.LeftButton)
    qtbot.waitUntil(lambda: state_of(window, "other") is MachineState.ONLINE, timeout=SLOW_MS)
    assert window.main_window.machine_list.selected_names() == ["other"]

    window.main_window.show_page("commands")
    page = window.main_window.page("commands")
    page.set_targets(["all"])
    page.set_command("hostname")
    page.send()
    runs = []

    def both_ok():
        window.console.services.query(lambda history: history.command_runs(), runs.append)
        qtbot.wait(200)
        assert runs
        assert runs[-1]
        assert runs[-1][0].counts.get("ok") == 2

    qtbot.waitUntil(both_ok, timeout=SLOW_MS)


def test_a_list_that_is_full_says_so_before_anything_is_paired(qtbot, window):
    save_setting(window.console.services.home, "machines.max", 1)
    window.console.services.ask(ReloadRequest())
    dialog = window.console.machines.open_add()
    dialog.address.setText("127.0.0.1:9")
    dialog.code.setText("ABCDE-FGHJK")
    qtbot.mouseClick(dialog.accept_button, Qt.LeftButton)
    assert "at most 1 machine" in dialog._words.text()
    dialog.reject()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("127.0.0.1:9", "its agent is not"),
        ("not an address", "not an address"),
    ],
)
def test_what_cannot_be_paired_is_told_with_what_to_try(qtbot, window, address, said):
    dialog = window.console.machines.open_add()
    dialog.address.setText(address)
    dialog.code.setText("ABCDE-FGHJK")
    qtbot.mouseClick(dialog.accept_button, Qt.LeftButton)
    qtbot.waitUntil(lambda: not dialog.is_busy, timeout=SLOW_MS)
    assert said in dialog._words.text()
    dialog.reject()


def test_several_are_paired_by_a_site_code_and_the_list_goes_out_and_in_again(qtbot, window, start_agent, tmp_path):
    dialog = window.console.machines.open_add_several()
    qtbot.mouseClick(dialog._make, Qt.LeftButton)
    code = dialog.code.text()
    addresses = [start_agent(name, "--site-code", code)[0].removeprefix("listening on ") for name in ("a", "b")]
    listed = tmp_path / "site.txt"
    listed.write_text(f"one,{addresses[0]}\ntwo,{addresses[1]}\nthree,127.0.0.1:9\n")
    dialog.list_chosen.emit(str(listed))
    qtbot.waitUntil(lambda: dialog.table.rowCount() == 3, timeout=SLOW_MS)
    qtbot.mouseClick(dialog.accept_button, Qt.LeftButton)
    qtbot.waitUntil(lambda: "2 paired, 1 failed" in dialog._words.text(), timeout=SLOW_MS)
    dialog.reject()
    qtbot.waitUntil(
        lambda: all(state_of(window, name) is MachineState.ONLINE for name in ("one", "two")), timeout=SLOW_MS
    )

    desk = window.console.machines
    exported = tmp_path / "out.csv"
    desk.lists.export_to(exported)
    qtbot.waitUntil(exported.exists, timeout=SLOW_MS)
    assert exported.read_text().count("\n") >= 3
    desk.remove(["one"], is_agreed=True)
    assert state_of(window, "one") is None
    preview = desk.lists.open_import(exported)
    qtbot.waitUntil(lambda: preview.accept_button.isEnabled(), timeout=SLOW_MS)
    assert "one" not in desk.machines  # nothing is taken before Take
    preview.accept_button.click()
    qtbot.waitUntil(lambda: "one" in desk.machines, timeout=SLOW_MS)
    assert desk.machines["one"].fingerprint is None
    assert desk.machines["two"].fingerprint is not None
    qtbot.waitUntil(lambda: state_of(window, "one") is MachineState.UNPAIRED, timeout=SLOW_MS)

    equipment = desk.lists.open_equipment()
    assert {"one", "two"} <= {machine.name for machine in equipment.model.shown}
    edit = desk.open_edit("two")
    edit.reference.setText("INV-7")
    edit.price.setText("100")
    edit.accept_button.click()
    assert "100.00 before tax" in equipment.totals.text()
    assert desk.machines["two"].fingerprint is not None
    saved = []
    window.console.services.query(lambda history: history.machines(), saved.append)
    qtbot.waitUntil(lambda: bool(saved), timeout=SLOW_MS)
    assert {machine.name: machine.reference for machine in saved[0]}["two"] == "INV-7"
    equipment.reject()


def test_a_look_finds_the_agent_of_this_machine_and_one_more_and_adds_nothing(qtbot, window, start_agent):
    address = start_agent("other")[0].removeprefix("listening on ")
    desk = window.console.machines
    before = set(desk.machines)
    dialog = desk.sweeps.open()
    for port, kind in ((desk.local().port, "known"), (int(address.rpartition(":")[2]), "agent")):
        dialog.ranges.setCurrentText("127.0.0.1-2")
        dialog.port.setValue(port)
        dialog.on_accept()
        qtbot.waitUntil(lambda: not dialog.is_busy, timeout=SLOW_MS)
        assert dialog.table.rowCount() == 1
        find = dialog.table.item(0, 0).data(Qt.UserRole + 1)
        assert (find.kind.value, find.host) == (kind, "127.0.0.1")
    added = []
    open_add = desk.sweeps._open_add
    desk.sweeps._open_add = lambda over: added.append(open_add(over)) or added[-1]
    dialog.add_found.click()
    assert added[0].address.text() == "127.0.0.1"
    assert added[0].parent() is dialog
    added[0].reject()
    dialog.ranges.setCurrentText("10.0.0.0/8")
    dialog.on_accept()
    qtbot.waitUntil(lambda: not dialog.is_busy, timeout=SLOW_MS)
    assert "4096" in dialog._words.text()
    dialog.reject()
    assert set(desk.machines) == before


def test_tags_of_many_are_kept(qtbot, window):
    desk = window.console.machines
    name = desk.local().name
    dialog = desk.edits.open_edit_many([name, "nobody"])
    dialog.add_tags.setText("printer")
    dialog.accept_button.click()
    kept = []
    window.console.services.query(lambda history: history.machines(), kept.extend)
    qtbot.waitUntil(lambda: any(machine.tags == ("printer",) for machine in kept), timeout=SLOW_MS)
    window.main_window.machine_list.filter.setText("tag:printer")
    assert window.main_window.model.shown_names() == [name]
