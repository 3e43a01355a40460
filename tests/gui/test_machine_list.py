import pytest
from machine_records import machine, report
from PyQt5.QtCore import QPoint, Qt

from core.records import MachineState
from gui.models.machines import MachineModel
from gui.widgets.machine_list import MachineList


@pytest.fixture
def listed(qtbot):
    model = MachineModel()
    widget = MachineList(model)
    widget.model = model
    qtbot.addWidget(widget)
    widget.resize(260, 600)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


def fill(listed, count=6):
    listed.model.set_machines([machine(f"m{n}", "lab" if n % 2 else "srv") for n in range(count)])
    listed.model.apply([report(f"m{n}") for n in range(count)])


def place(listed, name):
    return listed.tree.visualRect(listed.model.index_of(name)).center()


def test_the_empty_list_says_what_to_do_and_the_button_does_it(qtbot, listed):
    assert "No machine yet" in listed._empty.text()
    with qtbot.waitSignal(listed.add_wanted):
        qtbot.mouseClick(listed._add, Qt.LeftButton)


def test_groups_are_open_and_machines_can_be_selected_by_clicks(qtbot, listed):
    fill(listed)
    qtbot.mouseClick(listed.tree.viewport(), Qt.LeftButton, pos=place(listed, "m1"))
    assert listed.selected_names() == ["m1"]
    qtbot.mouseClick(listed.tree.viewport(), Qt.LeftButton, Qt.ControlModifier, pos=place(listed, "m4"))
    assert listed.selected_names() == ["m1", "m4"]
    with qtbot.waitSignal(listed.command_wanted) as wanted:
        qtbot.mouseClick(listed._command, Qt.LeftButton)
    assert wanted.args == [["m1", "m4"]]


def test_a_group_closes_by_a_click_and_stays_closed_when_the_order_changes(qtbot, listed):
    fill(listed)
    lab = listed.model.index(0, 0)
    qtbot.mouseClick(listed.tree.viewport(), Qt.LeftButton, pos=listed.tree.visualRect(lab).center())
    assert not listed.tree.isExpanded(listed.model.index(0, 0))
    listed.model.apply([report("m1", MachineState.OFFLINE)])
    listed.model.rearrange()
    assert not listed.tree.isExpanded(listed.model.index(0, 0))
    assert listed.tree.isExpanded(listed.model.index(1, 0))


def test_everything_is_reached_by_keyboard(qtbot, listed):
    fill(listed)
    listed.focus_filter()
    qtbot.keyClicks(listed.filter, "m3")
    assert [group.name for group in listed.model.groups()] == ["lab"]
    qtbot.keyClick(listed.filter, Qt.Key_Return)
    assert listed.selected_names() == ["m3"]
    with qtbot.waitSignal(listed.opened) as opened:
        qtbot.keyClick(listed.tree, Qt.Key_Return)
    assert opened.args == ["m3"]


def test_a_filter_that_finds_nothing_says_so(qtbot, listed):
    fill(listed)
    listed.filter.setText("zzz")
    assert listed._empty.isVisible()
    assert "matches the filter" in listed._empty.text()


def test_only_what_is_on_screen_is_asked_for_often(qtbot, listed):
    with qtbot.waitSignal(listed.visible_changed, timeout=2000) as told:
        fill(listed, 200)
    assert 3 < len(told.args[0]) < 30


def test_the_selection_survives_a_change_of_order(qtbot, listed):
    fill(listed)
    listed.select(["m5", "m3"])
    listed.model.apply([report("m5", MachineState.OFFLINE)])
    listed.model.rearrange()
    assert sorted(listed.selected_names()) == ["m3", "m5"]


def test_the_menu_of_one_machine_and_of_several(qtbot, listed):
    fill(listed)
    menu = listed.menu_for(["m1"])
    titles = {action.text(): action for action in menu.actions() if action.text()}
    assert all(action.isEnabled() for action in titles.values())
    with qtbot.waitSignal(listed.edit_wanted) as wanted:
        titles["Groups, tags and notes…"].trigger()
    assert wanted.args == ["m1"]
    several = {action.text(): action for action in listed.menu_for(["m1", "m2"]).actions() if action.text()}
    assert not several["Open ssh"].isEnabled()
    with qtbot.waitSignal(listed.remove_wanted) as wanted:
        several["Remove…"].trigger()
    assert wanted.args == [["m1", "m2"]]


def test_names_longer_than_the_list_and_hostile_ones_are_drawn(qtbot, listed):
    listed.model.set_machines([machine("x" * 300, "g" * 200), machine("<img src=x>", "g"), machine("\u202eevil")])
    listed.model.apply([report("x" * 300, MachineState.NOT_TRUSTED, error="<b>no</b>")])
    assert not listed.grab().isNull()
    assert listed.tree.indexAt(QPoint(20, 20)).isValid()
