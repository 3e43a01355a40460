"""The dialogs of lists: nothing is taken before Take, a long list stops nothing, sums follow what is shown."""

import time
from decimal import Decimal

from dialog_parts import gather
from machine_records import machine
from PyQt5.QtCore import Qt

from core.equipment import totals
from core.records import Machine
from gui.dialogs.edit_machine import EditMachineDialog
from gui.dialogs.equipment import EquipmentDialog
from gui.dialogs.import_machines import ImportDialog
from gui.models.import_lines import CHANGED, NEW, REFUSED, SAME, ImportLinesModel, ImportRow


def shown(model):
    return [
        [model.index(row, column).data() for column in range(model.columnCount())] for row in range(model.rowCount())
    ]


ROWS = [
    ImportRow(line=2, state=NEW, name="a", address="10.0.0.1:80", groups="lab", with_tax=Decimal("1200.50")),
    ImportRow(line=3, state=CHANGED, name="b", address="10.0.0.2:80", reference="R"),
    ImportRow(line=4, state=SAME, name="c", address="10.0.0.3:80"),
    ImportRow(line=5, state=REFUSED, text="10.0.0.300;<b>", reason="'10.0.0.300' is not an address"),
]


def test_the_preview_says_what_each_line_would_do(show):
    dialog = show(ImportDialog("list.csv"))
    wanted = gather(dialog.take_wanted)
    assert dialog.is_busy
    assert not dialog.accept_button.isEnabled()
    dialog.apply_plan(ROWS, totals([Machine(name="a", host="h", price_before_tax="10", vat_rate_percent="20")]))
    assert dialog.counts.text() == "1 new, 1 changed, 1 as they were, 1 refused"
    assert dialog.totals.text().endswith("10.00 before tax + 2.00 tax = 12.00 with tax")
    assert shown(dialog.model)[0][1:7] == ["+ new", "a", "10.0.0.1:80", "lab", "", "1\u2009200.50"]
    assert shown(dialog.model)[3][2] == "10.0.0.300;<b>"
    dialog.refused_only.click()
    assert [row[0] for row in shown(dialog.model)] == ["5"]
    assert shown(dialog.model)[0][7] == "'10.0.0.300' is not an address"
    assert wanted == []
    assert dialog.accept_button.text() == "Take 2 machines"
    dialog.accept_button.click()
    assert len(wanted) == 1
    assert dialog.is_busy
    dialog.apply_taken()
    assert not dialog.isVisible()


def test_the_reason_of_a_refused_line_is_read_in_full_and_empty_columns_make_room(show):
    dialog = show(ImportDialog("list.csv"))
    dialog.apply_plan(ROWS[2:], totals([]))
    assert dialog.reason.isVisible()
    assert dialog.reason.text() == "line 5: '10.0.0.300' is not an address"
    assert [dialog.table.isColumnHidden(column) for column in range(3, 7)] == [False, True, True, True]
    dialog.table.selectRow(0)
    assert not dialog.reason.isVisible()


def test_a_list_that_gives_nothing_cannot_be_taken(show):
    dialog = show(ImportDialog("list.csv"))
    dialog.apply_plan(ROWS[2:], totals([]))
    assert not dialog.accept_button.isEnabled()
    assert dialog.accept_button.text() == "Nothing to take"
    assert not dialog.totals.isVisible()


def test_cancel_while_a_list_is_read_stops_the_reading(show):
    dialog = show(ImportDialog("list.csv"))
    cancelled = gather(dialog.cancelled)
    dialog.cancel_button.click()
    assert len(cancelled) == 1
    dialog.cancel_button.click()
    assert not dialog.isVisible()


def test_a_list_that_cannot_be_read_is_said(show):
    dialog = show(ImportDialog("list.csv"))
    dialog.apply_failed(RuntimeError("list.csv cannot be read"))
    assert dialog._words.text() == "list.csv cannot be read"
    assert not dialog.accept_button.isEnabled()


def test_a_hundred_thousand_lines_are_shown_at_once(show):
    rows = [ImportRow(line=number, state=NEW, name=f"m{number}", address="10.0.0.1:80") for number in range(100_000)]
    dialog = show(ImportDialog("list.csv"))
    begun_s = time.perf_counter()
    dialog.apply_plan(rows, totals([]))
    dialog.table.scrollToBottom()
    dialog.repaint()
    assert time.perf_counter() - begun_s < 2
    assert dialog.model.rowCount() == 100_000


def test_every_line_of_the_model_has_a_tip_without_markup():
    model = ImportLinesModel()
    model.set_rows(ROWS)
    tip = model.index(3, 0).data(Qt.ToolTipRole)
    assert "<b>" not in tip


EQUIPMENT = [
    machine("lab-10", host="h1", reference="B", price_before_tax="100", vat_rate_percent="20"),
    machine("lab-2", host="h2", reference="A", price_before_tax="1000", vat_rate_percent="5.5"),
    machine("web", host="h3", notes="no price"),
]


def column(dialog, number):
    return [row[number] for row in shown(dialog.model)]


def test_equipment_is_sorted_by_each_column_and_what_is_unknown_comes_last(show):
    dialog = show(EquipmentDialog())
    dialog.apply_machines(EQUIPMENT)
    assert column(dialog, 0) == ["lab-2", "lab-10", "web"]
    for number, expected in ((2, ["B", "A", ""]), (5, ["1\u2009055.00", "120.00", ""]), (6, ["no price", "", ""])):
        dialog.table.sortByColumn(number, Qt.DescendingOrder)
        assert column(dialog, number) == expected
    dialog.table.sortByColumn(3, Qt.AscendingOrder)
    assert column(dialog, 3) == ["100.00", "1\u2009000.00", ""]


def test_sums_are_those_of_what_is_shown(qtbot, show):
    dialog = show(EquipmentDialog())
    dialog.apply_machines([])
    assert "No machine" in dialog.totals.text()
    dialog.apply_machines(EQUIPMENT)
    assert (
        dialog.totals.text().splitlines()[0].endswith("1\u2009100.00 before tax + 75.00 tax = 1\u2009175.00 with tax")
    )
    assert len(dialog.totals.text().splitlines()) == 3
    qtbot.keyClicks(dialog.filter, "lab-10")
    assert column(dialog, 0) == ["lab-10"]
    assert dialog.totals.text() == "1 with a price:  100.00 before tax + 20.00 tax = 120.00 with tax"
    dialog.filter.setText("no price")
    assert "import a list" in dialog.totals.text()


def test_equipment_is_removed_by_name_and_by_reference(qtbot, show):
    dialog = show(EquipmentDialog())
    removed, edited = gather(dialog.remove_wanted), gather(dialog.edit_wanted)
    dialog.apply_machines(EQUIPMENT)
    assert not dialog.remove_button.isEnabled()
    dialog.filter.setText("B")
    dialog.filter.setText("lab-2")
    dialog.table.selectRow(0)
    dialog.remove_button.click()
    dialog.filter.setText("")
    dialog.table.selectAll()
    assert not dialog.edit_button.isEnabled()
    (remove,) = dialog.table.actions()
    assert remove.shortcut().toString() == "Del"
    remove.trigger()
    assert removed == [(["lab-2"],), (["lab-2", "lab-10", "web"],)]
    dialog.table.selectRow(1)
    dialog.edit_button.click()
    qtbot.keyClick(dialog.table, Qt.Key_Return)
    assert edited == [("lab-10",), ("lab-10",)]


def test_what_is_chosen_stays_chosen_when_machines_change(show):
    dialog = show(EquipmentDialog())
    dialog.apply_machines(EQUIPMENT)
    dialog.table.selectRow(1)
    dialog.apply_machines([machine("aa", host="h"), *EQUIPMENT])
    assert dialog.selected_names() == ["lab-10"]


def test_a_price_is_edited_and_one_that_is_none_is_refused(qtbot, show):
    dialog = show(EditMachineDialog(EQUIPMENT[0]))
    edited = gather(dialog.edited)
    assert dialog.with_tax.text() == "120.00 with tax"
    dialog.price.setText("-3")
    assert dialog.with_tax.text() == ""
    dialog.accept_button.click()
    assert "must be more than 0" in dialog._words.text()
    assert edited == []
    dialog.price.setText("1 249,90 €")
    dialog.reference.setText(" INV-7 ")
    dialog.accept_button.click()
    ((changed,),) = edited
    assert (changed.price_before_tax, changed.vat_rate_percent, changed.reference) == ("1249.90", "20", "INV-7")
