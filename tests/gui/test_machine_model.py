import time

import pytest
from machine_records import machine, report
from PyQt5.QtCore import QPersistentModelIndex, Qt

from core.records import MachineState
from gui.models.machine_row import MachineRow, Shape
from gui.models.machines import ROW_ROLE, GroupRow, MachineModel
from gui.models.thresholds import CPU


@pytest.fixture
def model(qtmodeltester):
    made = MachineModel()
    qtmodeltester.check(made)
    return made


def shown(model):
    found = []
    for number in range(model.rowCount()):
        group = model.index(number, 0)
        rows = [model.index(row, 0, group).data() for row in range(model.rowCount(group))]
        found.append((group.data(ROW_ROLE).name, rows))
    return found


def test_machines_are_listed_under_their_first_group_and_those_without_last(model):
    model.set_machines([machine("b", "lab"), machine("a", "lab", "all"), machine("z"), machine("s", "srv")])
    assert shown(model) == [("lab", ["a", "b"]), ("srv", ["s"]), ("", ["z"])]


def test_problems_come_first_then_names(model):
    model.set_machines([machine(name, "g") for name in "abcd"])
    model.apply([report("a"), report("b", MachineState.LATE), report("c"), report("d", MachineState.OFFLINE)])
    model.rearrange()
    assert shown(model) == [("g", ["d", "b", "a", "c"])]
    model.set_problems_first(False)
    assert shown(model) == [("g", ["a", "b", "c", "d"])]


def test_a_delivery_is_one_change_for_a_group_whatever_its_size(model):
    model.set_machines([machine(f"m{n:03}", "g") for n in range(300)])
    changes = []
    model.dataChanged.connect(lambda first, last, roles: changes.append((first.row(), last.row())))
    model.apply([report(f"m{n:03}") for n in range(10, 290)])
    assert changes == [(10, 289)]


def test_a_few_rows_far_from_each_other_are_told_one_by_one(model):
    model.set_machines([machine(f"m{n:03}", "g") for n in range(300)])
    changes = []
    model.dataChanged.connect(lambda first, last, roles: changes.append((first.row(), last.row())))
    model.apply([report("m003"), report("m290"), report("m003")])
    assert sorted(changes) == [(3, 3), (290, 290)]


def test_the_selection_follows_its_machine_when_the_order_changes(model):
    model.set_machines([machine(name, "g") for name in "abc"])
    kept = QPersistentModelIndex(model.index_of("b"))
    model.apply([report("a"), report("b"), report("c", MachineState.OFFLINE)])
    model.rearrange()
    assert (kept.row(), kept.data()) == (2, "b")
    model.set_filter("c")
    assert not kept.isValid()


def test_the_filter_finds_name_address_group_state_and_system(model):
    model.set_machines([machine("web", "srv"), machine("db", "srv", host="10.0.0.9"), machine("old", "lab")])
    model.apply([report("web"), report("db"), report("old", MachineState.OFFLINE)])
    for words, names in (
        ("WEB", ["web"]),
        ("10.0.0.9", ["db"]),
        ("@lab", ["old"]),
        ("offline", ["old"]),
        ("debian srv", ["db", "web"]),
        ("nothing", []),
    ):
        model.set_filter(words)
        assert sorted(name for _group, rows in shown(model) for name in rows) == names


def test_reports_of_machines_that_are_gone_are_let_go(model):
    model.set_machines([machine("a")])
    model.apply([report("b")])
    assert [row.name for row in model.rows()] == ["a"]


def test_what_is_known_of_a_machine_stays_when_its_notes_change(model):
    model.set_machines([machine("a")])
    model.apply([report("a", cpu=33)])
    model.set_machines([machine("a", "new", notes="n")])
    assert model.row("a").cpu_percent == 33
    assert model.row("a").group == "new"


@pytest.mark.parametrize(
    ("state", "seen", "shape", "words"),
    [
        (MachineState.ONLINE, True, Shape.CIRCLE, "online"),
        (MachineState.LATE, True, Shape.TRIANGLE, "late since"),
        (MachineState.OFFLINE, True, Shape.SQUARE, "offline since"),
        (MachineState.OFFLINE, False, Shape.RING, "never seen"),
        (MachineState.UNPAIRED, False, Shape.RING, "not paired"),
        (MachineState.NOT_TRUSTED, True, Shape.SQUARE, "not trusted"),
    ],
)
def test_a_state_is_a_shape_and_words(state, seen, shape, words):
    row = MachineRow(machine("a"))
    row.apply(report("a", state, seen=seen))
    assert row.shape is shape
    assert row.reason().startswith(words)


def test_numbers_of_an_offline_machine_are_not_shown_as_if_they_were_true():
    row = MachineRow(machine("a"))
    row.apply(report("a", MachineState.OFFLINE))
    assert row.cpu_percent is None
    assert row.memory_percent is None


def test_a_machine_is_busy_only_after_the_time_that_its_alarm_takes():
    row = MachineRow(machine("a"))
    row.apply(report("a", cpu=97))
    assert row.shape is Shape.CIRCLE
    row.cpu_high_since_s = time.time() - CPU.after_s + 30
    row.apply(report("a", cpu=97))
    assert row.shape is Shape.CIRCLE
    row.cpu_high_since_s = time.time() - CPU.after_s - 60
    row.apply(report("a", cpu=97))
    assert row.shape is Shape.TRIANGLE
    assert row.reason() == "CPU high, 6 min"
    row.apply(report("a", cpu=20))
    assert row.reason() == "online"


def test_a_tool_tip_shows_a_hostile_name_as_it_is(model):
    model.set_machines([machine("<b>x</b>")])
    tip = model.index_of("<b>x</b>").data(Qt.ToolTipRole)
    assert "<b>" not in tip
    assert "&lt;b&gt;" in tip


def test_groups_say_how_many_they_hold(model):
    model.set_machines([machine("a", "lab"), machine("b", "lab")])
    group = model.index(0, 0)
    assert isinstance(group.data(ROW_ROLE), GroupRow)
    assert group.data() == "lab 2"
    assert not model.flags(group) & Qt.ItemIsSelectable


def test_two_thousand_machines_are_arranged_and_told_quickly():
    model = MachineModel()
    model.set_machines([machine(f"m{n}", f"g{n % 20}") for n in range(2000)])
    reports = [report(f"m{n}") for n in range(2000)]
    start = time.perf_counter()
    model.apply(reports)
    model.rearrange()
    assert time.perf_counter() - start < 0.5
