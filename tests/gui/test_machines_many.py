"""Many machines at once: groups and tags of a selection, its counts, saved filters; and the dialog that looks."""

import pytest
from dialog_parts import gather, words
from machine_records import machine, report
from PyQt5.QtCore import Qt, QTimer
from PyQt5.QtWidgets import QApplication, QLabel

from core.errors import UsageError
from core.records import MachineState
from core.site_records import SweepFind, SweepKind, SweepProgress
from gui.dialogs.add_machine import AddMachineDialog
from gui.dialogs.add_several import AddSeveralDialog
from gui.dialogs.base import ask
from gui.dialogs.edit_machine import EditMachineDialog
from gui.dialogs.edit_many import EditManyDialog
from gui.dialogs.find_agents import FindAgentsDialog
from gui.main_window import MainWindow
from gui.models.machines import MachineModel


@pytest.fixture
def window(qtbot, settings):
    opened = MainWindow(settings, MachineModel())
    qtbot.addWidget(opened)
    opened.set_machines([machine(f"m{number}", "lab" if number < 3 else "hall") for number in range(6)])
    opened.apply_reports([report(f"m{number}", MachineState.ONLINE) for number in range(6)])
    opened.show()
    qtbot.waitExposed(opened)
    return opened


def test_groups_and_tags_of_many_are_added_and_taken_away_at_once(show):
    before = [machine("a", "lab", tags=("old",)), machine("b", "lab", "hall"), machine("c", tags=("new",))]
    dialog = show(EditManyDialog(before))
    edited = gather(dialog.edited)
    assert "3" in dialog.windowTitle()
    for said in ("lab (2), hall (1)", "old (1), new (1)"):
        [label] = [one for one in dialog.findChildren(QLabel) if one.text() == said]
        assert label.width() >= label.fontMetrics().horizontalAdvance(said)
    dialog.add_groups.setText("roof")
    dialog.take_groups.setText("lab")
    dialog.add_tags.setText("new")
    dialog.take_tags.setText("old, none")
    dialog.accept_button.click()
    [(changed,)] = edited
    assert [(one.name, one.groups, one.tags) for one in changed] == [
        ("a", ("roof",), ("new",)),
        ("b", ("hall", "roof"), ("new",)),
        ("c", ("roof",), ("new",)),
    ]


def test_machines_that_are_so_already_are_left_alone(show):
    dialog = show(EditManyDialog([machine("a", "lab"), machine("b")]))
    edited = gather(dialog.edited)
    dialog.accept_button.click()
    assert "Nothing would change" in words(dialog)
    dialog.add_groups.setText("lab")
    dialog.accept_button.click()
    assert [one.name for one in edited[0][0]] == ["b"]


@pytest.mark.parametrize("tags", ["no*", "x" * 65, " ".join(f"t{number}" for number in range(40))])
def test_a_tag_that_no_command_could_say_is_refused_in_words(show, tags):
    many, one, add = show(EditManyDialog([machine("a")])), show(EditMachineDialog(machine("a"))), AddMachineDialog(())
    show(add)
    add.address.setText("h")
    add.code.setText("C")
    for dialog, field in ((many, many.add_tags), (one, one.tags), (add, add.tags)):
        field.setText(tags)
        dialog.accept_button.click()
        assert "tag" in words(dialog)
        assert dialog.isVisible()
        assert not dialog.is_busy


def test_tags_of_one_machine_are_edited_and_typed_when_it_is_added(show):
    dialog = show(EditMachineDialog(machine("a", tags=("printer",))))
    edited = gather(dialog.edited)
    assert dialog.tags.text() == "printer"
    dialog.tags.setText("printer; first-floor printer")
    dialog.accept_button.click()
    assert edited[0][0].tags == ("printer", "first-floor")
    added = show(AddMachineDialog(()))
    added.address.setText("h")
    added.code.setText("C")
    added.tags.setText("a b")
    added.accept_button.click()
    assert added.chosen_tags == ("a", "b")


def chosen(window):
    return window.status_line._chosen.text() if window.status_line._chosen.isVisible() else ""


def test_the_status_line_counts_what_is_selected_and_shown(qtbot, window):
    listed = window.machine_list
    assert chosen(window) == ""
    listed.tree.setFocus()
    qtbot.keyClick(listed.tree, Qt.Key_A, Qt.ControlModifier)
    assert len(listed.selected_names()) == 6
    assert "6 selected" in chosen(window)
    listed.filter.setText("@lab")
    assert "3 of 6 machines shown" in chosen(window)
    assert sorted(listed.selected_names()) == ["m0", "m1", "m2"]
    listed.filter.setText("")
    listed.tree.clearSelection()
    assert chosen(window) == ""


def test_a_range_by_shift_is_selected_over_groups_and_its_menu_says_how_many(qtbot, window):
    listed = window.machine_list
    listed.select(["m3"])
    listed.tree.setFocus()
    qtbot.keyClick(listed.tree, Qt.Key_End, Qt.ShiftModifier)
    names = listed.selected_names()
    assert names == ["m3", "m4", "m5", "m0", "m1", "m2"]
    titles = {action.text(): action for action in listed.menu_for(names).actions()}
    assert "6 machines" in titles
    with qtbot.waitSignal(listed.edit_many_wanted) as wanted:
        titles["Groups and tags…"].trigger()
    assert wanted.args == [names]


def test_saved_filters_are_a_press_away(window):
    listed = window.machine_list
    assert not listed._saved.isVisible()
    listed.set_saved_filters({"night": ("@lab", "!m0"), "a&b": ("m5",)})
    assert listed._saved.isVisible()
    listed._saved.menu().actions()[0].trigger()
    assert listed.filter.text() == "filter:night"
    assert sorted(window.model.shown_names()) == ["m1", "m2"]


def test_groups_put_away_stay_away_in_the_next_window(qtbot, settings, window):
    window.machine_list._by_group.trigger()
    assert len(window.model.groups()) == 1
    window.close()
    again = MainWindow(settings, MachineModel())
    qtbot.addWidget(again)
    assert not again.model.is_grouped


PROGRESS = SweepProgress(total=254, done=254, found=3, refused=1, silent=250)


def find(kind, name="lab-1", host="10.1.0.7"):
    return SweepFind(host=host, port=17450, kind=kind, text="<i>something</i>", name=name, fingerprint="SHA256:AB")


def test_a_look_for_agents_shows_what_answers_and_adds_only_by_hand(show):
    dialog = show(FindAgentsDialog(["10.1.0.0/24"]))
    looked, added = gather(dialog.look_wanted), gather(dialog.add_wanted)
    dialog.accept_button.click()
    assert looked == [("10.1.0.0/24", 17450)]
    assert dialog.is_busy
    for kind in (SweepKind.KNOWN, SweepKind.AGENT, SweepKind.OTHER):
        dialog.apply_found(find(kind, "<b>\u202eevil\n" + "x" * 200))
    dialog.apply_progress(PROGRESS)
    dialog.apply_done(PROGRESS, 4.2)
    assert "254" in words(dialog)
    assert "4.2 s" in words(dialog)
    assert not dialog.is_busy
    assert dialog.table.rowCount() == 3
    assert all("\n" not in dialog.table.item(0, column).text() for column in range(3))
    for row, can_add in ((0, False), (1, True), (2, False)):
        dialog.table.selectRow(row)
        assert dialog.add_found.isEnabled() is can_add
        dialog._on_add()
    assert [(host, port) for host, port, _name in added] == [("10.1.0.7", 17450)]
    dialog.apply_failed(UsageError("no range"))
    assert words(dialog) == "no range"


def test_a_look_that_is_cancelled_is_told_and_another_can_begin(show):
    dialog = show(FindAgentsDialog([]))
    ended = gather(dialog.cancelled)
    dialog.accept_button.click()
    dialog.cancel_button.click()
    assert len(ended) == 1
    assert dialog.isVisible()
    assert not dialog.is_busy


def test_add_machine_is_filled_in_with_what_was_found(show):
    dialog = show(AddMachineDialog({"taken"}))
    dialog.propose("10.1.0.7", 4000, "lab-1")
    assert (dialog.address.text(), dialog.port.value(), dialog.name.text()) == ("10.1.0.7", 4000, "lab-1")
    dialog.propose("10.1.0.8", 4000, "taken")
    assert dialog.name.text() == ""
    assert dialog.code.text() == ""


def test_all_of_a_list_get_the_tags_typed_beside_it(show):
    dialog = show(AddSeveralDialog())
    wanted = gather(dialog.pair_wanted)
    dialog.code.setText("A" * 26)
    dialog.apply_list([machine("a", tags=("old",)), machine("b")], [])
    dialog.tags.setText("no*")
    dialog.accept_button.click()
    assert "tag" in words(dialog)
    dialog.tags.setText("new")
    dialog.accept_button.click()
    assert [one.tags for one in wanted[0][0]] == [("old", "new"), ("new",)]


@pytest.mark.parametrize("agrees", [True, False])
def test_many_machines_are_muted_once_the_user_agrees_to_how_many(qtbot, monkeypatch, window, agrees):
    from gui.wiring import alarms

    asked, muted = [], []
    monkeypatch.setattr(alarms, "ask", lambda *words, **_how: asked.append(words[2]) or agrees)
    monkeypatch.setattr(alarms.AlarmDesk, "mute", lambda self, sources: muted.extend(sources))
    desk = alarms.AlarmDesk.__new__(alarms.AlarmDesk)
    desk._window = window
    desk._mute_machines(["m1"])
    assert (asked, muted) == ([], ["machine/m1"])
    desk._mute_machines(["m1", "m2"])
    assert "2 machines" in asked[0]
    assert muted[1:] == (["machine/m1", "machine/m2"] if agrees else [])


@pytest.mark.parametrize("is_lasting", [True, False])
def test_enter_alone_agrees_to_nothing_that_lasts(qtbot, is_lasting):
    QTimer.singleShot(100, lambda: qtbot.keyClick(QApplication.activeModalWidget(), Qt.Key_Return))
    assert ask(None, "Remove machines", "Remove 2 machines?", "Remove", is_lasting=is_lasting) is not is_lasting
