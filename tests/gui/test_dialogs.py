import pytest
from dialog_parts import gather, words
from machine_records import machine
from PyQt5.QtCore import Qt
from PyQt5.QtGui import QGuiApplication

from core.config import Config, MeterConfig
from core.errors import (
    HostUnknownError,
    NoRouteError,
    NotAnAgentError,
    NothingListensError,
    NotTrustedError,
    WrongCodeError,
)
from core.records import MeterReport, MeterState
from gui.dialogs.add_machine import AddMachineDialog
from gui.dialogs.add_several import AddSeveralDialog
from gui.dialogs.base import TextDialog
from gui.dialogs.connect_probe import ConnectProbeDialog
from gui.dialogs.edit_machine import EditMachineDialog
from gui.dialogs.meter_key import KeyDialog
from gui.dialogs.preferences import PreferencesDialog


def test_adding_a_machine_by_keyboard(qtbot, show):
    dialog = show(AddMachineDialog({"taken"}))
    wanted = gather(dialog.pair_wanted)
    qtbot.keyClicks(dialog.address, "lab-1")
    qtbot.keyClicks(dialog.code, "ABCDE-FGHJK")
    qtbot.keyClicks(dialog.name, "lab one")
    qtbot.keyClick(dialog.name, Qt.Key_Return)
    assert wanted == [("lab one", "lab-1", 17450, "ABCDE-FGHJK", [])]
    assert dialog.is_busy
    dialog.apply_paired()
    assert not dialog.isVisible()


def test_the_lines_for_the_other_machine_are_copied(qtbot, show):
    dialog = show(AddMachineDialog(()))
    qtbot.mouseClick(dialog.lines._copy, Qt.LeftButton)
    copied = QGuiApplication.clipboard().text()
    assert len(copied.splitlines()) == 2
    assert copied.splitlines()[1].endswith("beffroi agent run --pair")


@pytest.mark.parametrize(
    ("address", "code", "name", "said"),
    [("", "C", "n", "Type the address"), ("h", "", "n", "Type the code"), ("h", "C", "taken", "already")],
)
def test_a_field_left_out_is_asked_for_and_nothing_is_sent(show, address, code, name, said):
    dialog = show(AddMachineDialog({"taken"}))
    wanted = gather(dialog.pair_wanted)
    dialog.address.setText(address)
    dialog.code.setText(code)
    dialog.name.setText(name)
    dialog.accept_button.click()
    assert said in words(dialog)
    assert wanted == []


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (HostUnknownError("no address"), "spelling"),
        (NoRouteError("no answer"), "firewall"),
        (NothingListensError("refused"), "its agent is not"),
        (NotAnAgentError("garbage"), "Another program answers on port 17450"),
        (WrongCodeError("wrong"), "beffroi agent pair"),
        (NotTrustedError("other"), "new code"),
    ],
)
def test_each_failure_of_pairing_is_told_apart_with_what_to_try(show, error, said):
    dialog = show(AddMachineDialog(()))
    dialog.address.setText("h")
    dialog.code.setText("C")
    dialog.accept_button.click()
    dialog.apply_failed(error)
    assert words(dialog).startswith(str(error))
    assert said in words(dialog)
    assert dialog.accept_button.isEnabled()


def test_cancel_stops_the_pairing_and_leaves_the_form(qtbot, show):
    dialog = show(AddMachineDialog(()))
    dialog.address.setText("h")
    dialog.code.setText("C")
    dialog.accept_button.click()
    with qtbot.waitSignal(dialog.cancelled):
        qtbot.mouseClick(dialog.cancel_button, Qt.LeftButton)
    assert dialog.isVisible()
    assert not dialog.is_busy
    qtbot.mouseClick(dialog.cancel_button, Qt.LeftButton)
    assert not dialog.isVisible()


def test_pairing_again_keeps_the_name(show):
    dialog = show(AddMachineDialog(("a",), machine("a", "lab", host="h1", port=99)))
    wanted = gather(dialog.pair_wanted)
    dialog.code.setText("C")
    dialog.accept_button.click()
    assert wanted == [("a", "h1", 99, "C", ["lab"])]


def test_many_machines_each_with_its_row(show):
    dialog = show(AddSeveralDialog())
    wanted = gather(dialog.pair_wanted)
    machines = [machine("a", host="h1"), machine("b", "lab", host="h2")]
    dialog.apply_list(machines, ["line 3: no address: ,,"])
    assert "line 3" in words(dialog)
    dialog.accept_button.click()
    assert "site code" in words(dialog)
    dialog.apply_code("AAAAA-BBBBB")
    assert "AAAAA-BBBBB" in dialog.lines.text()
    dialog.accept_button.click()
    assert wanted == [(machines, "AAAAA-BBBBB")]
    dialog.apply_progress("a", None)
    dialog.apply_progress("b", "nothing listens")
    assert dialog.table.item(0, 3).text() == "✓ paired"
    assert dialog.table.item(1, 3).text() == "✕ nothing listens"
    dialog.apply_done()
    assert "1 paired, 1 failed" in words(dialog)
    dialog.accept_button.click()
    assert [found.name for found in wanted[1][0]] == ["b"]


def test_when_all_are_paired_the_dialog_closes(show):
    dialog = show(AddSeveralDialog())
    dialog.apply_list([machine("a")], [])
    dialog.apply_code("X")
    dialog.accept_button.click()
    dialog.apply_progress("a", None)
    dialog.apply_done()
    assert not dialog.isVisible()


def test_groups_and_notes(show):
    dialog = show(EditMachineDialog(machine("a", "lab", notes="old")))
    edited = gather(dialog.edited)
    dialog.groups.setText("srv, lab, srv")
    dialog.notes.setPlainText("new")
    dialog.accept_button.click()
    assert edited == [(machine("a", "srv", "lab", notes="new"),)]


def probe_report(state, text, **fields):
    return MeterReport(name="ttyUSB0", port="/dev/ttyUSB0", state=state, text=text, time_s=1.0, **fields)


def test_a_probe_is_chosen_and_followed_in_words(qtbot, show):
    dialog = show(ConnectProbeDialog())
    wanted = gather(dialog.connect_wanted)
    dialog.apply_ports([])
    assert "no serial port found" in dialog.ports.item(0).text()
    dialog.apply_ports([{"device": "/dev/ttyUSB0", "description": "CP2102"}])
    assert dialog.port.text() == "/dev/ttyUSB0"
    dialog.accept_button.click()
    assert wanted == [(MeterConfig(name="ttyUSB0", port="/dev/ttyUSB0"), {}, "")]
    dialog.apply_report(probe_report(MeterState.SEARCHING, "listening at 9600 8N1"))
    assert words(dialog) == "listening at 9600 8N1"
    dialog.apply_report(probe_report(MeterState.FAILED, "the key is missing", needs_key=True))
    assert dialog._key.isVisible()
    with qtbot.waitSignal(dialog.key_wanted):
        qtbot.mouseClick(dialog._key, Qt.LeftButton)
    dialog.apply_report(probe_report(MeterState.READING, "reading"))
    assert not dialog.isVisible()


def test_a_port_that_cannot_be_opened_is_told_and_can_be_tried_again(show):
    dialog = show(ConnectProbeDialog())
    dialog.port.setText("/dev/ttyUSB0")
    dialog.accept_button.click()
    dialog.apply_report(probe_report(MeterState.FAILED, "no permission: sudo adduser you dialout"))
    assert "dialout" in words(dialog)
    assert dialog.accept_button.isEnabled()


def test_a_key_is_checked_before_it_is_taken(show):
    dialog = show(KeyDialog("E450"))
    given = gather(dialog.key_given)
    dialog.key.setText("00 11 22")
    dialog.accept_button.click()
    assert "6 signs" in words(dialog)
    assert given == []
    dialog.key.setText("00112233445566778899aabbccddeeff")
    dialog.accept_button.click()
    assert given == [("E450", "00112233445566778899aabbccddeeff", "")]


def test_preferences_tell_only_what_differs(show):
    config = Config(operator="ana", meters=(MeterConfig(name="m", port="/dev/x"),))
    dialog = show(PreferencesDialog(config, "/home/x/config.toml"))
    changed, removed = gather(dialog.changed), gather(dialog.meter_removed)
    dialog.collecting.interval.setValue(10)
    dialog.collecting.machines_max.setValue(500)
    theme, collecting = dialog.general.theme, dialog.collecting
    theme.setCurrentIndex(theme.findData("light"))
    collecting.meters.setCurrentRow(0)
    collecting.remove.click()
    dialog.accept_button.click()
    assert changed == [({"polling.interval_s": 10.0, "machines.max": 500, "theme": "light"},)]
    assert removed == [("m",)]


def test_an_operator_without_a_name_is_asked_for_one(show):
    dialog = show(PreferencesDialog(Config(operator="ana"), "f"))
    changed = gather(dialog.changed)
    dialog.general.operator.clear()
    dialog.accept_button.click()
    assert changed == []
    assert "Type a name" in words(dialog)


def test_every_field_of_every_dialog_has_an_accessible_name(show):
    from PyQt5.QtWidgets import QComboBox, QLineEdit, QPlainTextEdit, QSpinBox

    for dialog in (
        AddMachineDialog(()),
        AddSeveralDialog(),
        EditMachineDialog(machine("a")),
        ConnectProbeDialog(),
        KeyDialog("E450"),
        PreferencesDialog(Config(operator="a"), "f"),
    ):
        show(dialog)
        for kind in (QLineEdit, QComboBox, QPlainTextEdit, QSpinBox):
            for field in dialog.findChildren(kind):
                if field.objectName() != "qt_spinbox_lineedit":
                    assert field.accessibleName(), (type(dialog).__name__, kind.__name__)


def test_typing_begins_in_the_first_field_and_tab_reaches_the_buttons_last(qtbot, show):
    dialog = show(AddMachineDialog(()))
    assert dialog.focusWidget() is dialog.address
    for _key in range(3):
        qtbot.keyClick(dialog.focusWidget(), Qt.Key_Tab)
        assert dialog.focusWidget() not in (dialog.cancel_button, dialog.accept_button)
    assert dialog.previousInFocusChain() is dialog.accept_button


def test_a_dialog_of_two_lines_is_no_higher_than_they_need(qtbot, show):
    dialog = show(TextDialog("About", [("", "one line"), ("", "another line")]))
    assert dialog.height() < 10 * dialog.fontMetrics().lineSpacing()
