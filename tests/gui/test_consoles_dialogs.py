"""Machines › Consoles…: one list over all machines, and nothing done before it was said what it does."""

import datetime

import pytest
from dialog_parts import gather, words
from PyQt5.QtCore import Qt

from core.access_records import TrustedConsole, TrustedConsoles
from core.records import Level
from core.transport.identity import fingerprint_of
from gui.dialogs.console_admit import AdmitDialog, ChangeDialog
from gui.dialogs.consoles import ConsolesDialog
from gui.dialogs.passphrase import PassphraseDialog, ProtectKeyDialog
from gui.models.consoles import EXPIRED, FINE, SOON, admitted_with, console_rows, left_without, revoke_words

ADA, BOB, EVE, OLD = (fingerprint_of(bytes([number])) for number in range(4))
TODAY = datetime.date(2026, 11, 21)


def console(fingerprint, name, level=Level.RUN, **more):
    return TrustedConsole(fingerprint=fingerprint, name=name, level=level, **more)


@pytest.fixture
def lists():
    """Two machines; on both Ada admitted Bob, who admitted Eve on the first."""
    ada = console(ADA, "ada", is_own=True, may_change=True, is_online=True)
    bob = console(BOB, "bob", admitted_by=ADA, may_change=True, expires="2026-12-01")
    eve = console(EVE, "eve", Level.VIEW, admitted_by=BOB, may_change=True)
    old = console(OLD, "", expires="2026-01-01")
    return {
        "m1": TrustedConsoles(machine="m1", time_s=0.0, consoles=(ada, bob, eve, old)),
        "m2": TrustedConsoles(machine="m2", time_s=0.0, consoles=(ada, bob)),
    }


def test_a_console_is_one_row_over_all_machines(lists):
    rows = {row.fingerprint: row for row in console_rows(lists, TODAY)}
    assert [row.name for row in rows.values()] == ["ada", "a console without a name", "bob", "eve"]
    assert (rows[ADA].is_own, rows[ADA].online, rows[ADA].machines) == (True, 2, ("m1", "m2"))
    assert [rows[found].state for found in (ADA, BOB, OLD)] == [FINE, SOON, EXPIRED]
    assert rows[BOB].admitted_by == "ada"
    assert rows[OLD].changeable == ()


def test_what_goes_with_a_console_and_who_is_left(lists):
    assert admitted_with(lists, BOB) == {"m1": {BOB, EVE}, "m2": {BOB}}
    assert left_without(lists, BOB, TODAY) == []
    assert left_without(lists, ADA, TODAY) == ["m1", "m2"]  # the old one has expired, the others go with it
    row = next(row for row in console_rows(lists, TODAY) if row.fingerprint == ADA)
    said = revoke_words(lists, row, TODAY)
    assert "2 consoles that it admitted" in said
    assert "Nobody could send commands any more to m[1-2]" in said
    assert "you sit at" in said


def test_what_may_not_be_changed_cannot_be_asked_for(show, qtbot, lists):
    dialog = show(ConsolesDialog(["all"]))
    changed, revoked = gather(dialog.change_wanted), gather(dialog.revoke_wanted)
    dialog.apply_rows(console_rows(lists, TODAY), 2, 3, "m3 does not answer")
    assert words(dialog) == "m3 does not answer"
    assert dialog.asked.text() == "2 of 3 machines"
    dialog.table.selectRow(1)
    assert not dialog.change_button.isEnabled()
    assert not dialog.revoke_button.isEnabled()
    dialog.table.selectRow(2)
    qtbot.mouseClick(dialog.revoke_button, Qt.LeftButton)
    assert changed == []
    assert [row.fingerprint for (row,) in revoked] == [BOB]
    dialog.apply_rows(console_rows(lists, TODAY), 2, 2, "")
    assert dialog.chosen().fingerprint == BOB


def test_a_console_is_admitted_once_its_fingerprint_was_compared(show, qtbot):
    dialog = show(AdmitDialog(["all", "@lab"], Level.RUN, TODAY))
    wanted = gather(dialog.admit_wanted)
    assert [dialog.rights.level.itemData(row) for row in range(dialog.rights.level.count())] == [Level.VIEW, Level.RUN]
    assert not dialog.accept_button.isEnabled()
    dialog.apply_card("bob\x1b[2J<b>", BOB)
    assert not dialog.accept_button.isEnabled()
    dialog.is_compared.setChecked(True)
    dialog.rights.has_end.setChecked(True)
    qtbot.mouseClick(dialog.accept_button, Qt.LeftButton)
    assert wanted == [(Level.RUN, datetime.date(2027, 11, 21), "all")]
    dialog.apply_card("eve", EVE)
    assert not dialog.is_compared.isChecked()  # another card, another comparison
    dialog.begin(["m1", "m2"])
    dialog.apply_ended("m1", None)
    dialog.apply_ended("m2", "m2 does not allow it\n<b>")
    assert not dialog.is_busy
    assert "1 done, 1 failed" in words(dialog)


def test_only_what_was_changed_is_asked_for(show, qtbot, lists):
    row = next(row for row in console_rows(lists, TODAY) if row.fingerprint == BOB)
    dialog = show(ChangeDialog(row, Level.MANAGE, TODAY))
    wanted = gather(dialog.change_wanted)
    dialog.rights.has_end.setChecked(False)
    qtbot.mouseClick(dialog.accept_button, Qt.LeftButton)
    dialog.rights.has_end.setChecked(True)
    dialog.rights.level.setCurrentIndex(0)
    qtbot.mouseClick(dialog.accept_button, Qt.LeftButton)
    assert wanted == [(None, "never"), (Level.VIEW, None)]


def test_three_wrong_passphrases_are_enough(show, qtbot):
    dialog = show(PassphraseDialog("/somewhere/key.pem"))
    typed, rejected = gather(dialog.typed), gather(dialog.rejected)
    for number in range(3):
        dialog.field.setText(f"wrong {number}")
        qtbot.mouseClick(dialog.accept_button, Qt.LeftButton)
        assert dialog.field.text() == ""
        dialog.apply_wrong("no")
    assert [text for (text,) in typed] == ["wrong 0", "wrong 1", "wrong 2"]
    assert len(rejected) == 1


def test_a_new_passphrase_is_typed_twice(show, qtbot):
    dialog = show(ProtectKeyDialog(is_protected=True))
    wanted = gather(dialog.wanted)
    dialog.old.setText("the old one")
    dialog.new.setText("correct horse")
    qtbot.mouseClick(dialog.accept_button, Qt.LeftButton)
    assert words(dialog) == "The two are not the same."
    dialog.again.setText("correct horse")
    qtbot.mouseClick(dialog.accept_button, Qt.LeftButton)
    dialog.apply_failed("no")
    dialog.place.setCurrentIndex(2)
    qtbot.mouseClick(dialog.accept_button, Qt.LeftButton)
    assert wanted == [("the old one", "correct horse", "ask"), ("the old one", None, "remove")]


def test_who_is_not_waited_for_is_said(show, qtbot):
    dialog = show(AdmitDialog(["all"], Level.RUN, TODAY))
    cancelled = gather(dialog.cancelled)
    dialog.begin(["m1", "m2"])
    dialog.apply_ended("m1", None)
    qtbot.mouseClick(dialog.cancel_button, Qt.LeftButton)
    assert len(cancelled) == 1
    assert [dialog.results.item(row, 1).text() for row in range(2)] == ["✓ done", "– not waited for"]
