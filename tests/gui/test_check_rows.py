"""Checks in the machine list and in the Overview."""

import time

import pytest
from machine_records import machine, report
from PyQt5.QtCore import QPoint, Qt
from PyQt5.QtWidgets import QToolButton

from core.config.settings import CheckConfig
from core.records import MachineState
from core.site_records import CheckResult, CheckState
from gui.models.check_row import CheckRow, days_words, latency_words
from gui.models.machine_row import Shape
from gui.models.machines import ROW_ROLE, MachineModel
from gui.widgets.check_strip import FEWER, MOST, CheckStrip
from gui.widgets.machine_list import MachineList
from gui.widgets.overview_tiles import MachinesTile


def config(name, target="https://example.org/", *groups, **fields):
    return CheckConfig(name=name, target=target, groups=groups, **fields)


def result(name, state=CheckState.OK, **fields):
    fields = {"latency_ms": 23.4 if state is CheckState.OK else None, "time_s": time.time(), **fields}
    return CheckResult(check=name, target="https://example.org/", state=state, **fields)


def failed(name, error="nothing listens at example.org:443"):
    return result(name, CheckState.FAILED, error=error)


@pytest.fixture
def listed(qtbot):
    model = MachineModel()
    widget = MachineList(model)
    widget.model = model
    qtbot.addWidget(widget)
    widget.resize(280, 600)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


def fill(listed):
    listed.model.set_machines([machine("web-1", "web"), machine("nas")])
    listed.model.apply([report("web-1"), report("nas")])
    listed.model.set_checks(
        [config("shop", "https://shop.example/", "web"), config("wiki"), config("ping", "192.0.2.1")]
    )
    listed.model.apply_checks([result("shop"), failed("wiki")])


def titles(model):
    return [(group.title, [row.name for row in group.rows]) for group in model.groups()]


def test_checks_stand_in_their_groups_and_the_others_under_checks_at_the_end(listed):
    fill(listed)
    listed.model.set_problems_first(False)
    assert titles(listed.model) == [
        ("web", ["shop", "web-1"]),
        ("no group", ["nas"]),
        ("checks", ["ping", "wiki"]),
    ]


def test_a_site_without_groups_has_machines_and_checks(listed):
    listed.model.set_machines([machine("nas")])
    listed.model.set_checks([config("wiki")])
    assert [title for title, _rows in titles(listed.model)] == ["machines", "checks"]


def test_problems_come_first_among_machines_and_checks_alike(listed):
    listed.model.set_machines([machine("a", "g"), machine("b", "g")])
    listed.model.set_checks([config("c", "x.example", "g"), config("d", "y.example", "g")])
    listed.model.apply([report("a"), report("b", MachineState.OFFLINE)])
    listed.model.apply_checks([result("c"), failed("d")])
    listed.model.rearrange()
    assert {row.name for row in listed.model.groups()[0].rows[:2]} == {"b", "d"}
    listed.model.set_problems_first(False)
    assert [row.name for row in listed.model.groups()[0].rows] == ["a", "b", "c", "d"]


def test_a_check_and_a_machine_may_share_a_name(listed):
    listed.model.set_machines([machine("nas")])
    listed.model.set_checks([config("nas", "nas.example:445")])
    listed.model.apply([report("nas")])
    listed.model.apply_checks([failed("nas")])
    assert listed.model.row("nas").state is MachineState.ONLINE
    assert listed.model.check("nas").is_problem
    assert listed.model.index_of("nas") != listed.model.index_of_check("nas")


def test_a_check_is_never_a_target_of_a_command(qtbot, listed):
    fill(listed)
    listed.tree.selectAll()
    assert sorted(listed.selected_names()) == ["nas", "web-1"]
    assert sorted(listed.selected_checks()) == ["ping", "shop", "wiki"]
    listed.select_check("wiki")
    assert listed.selected_names() == []
    assert listed.selected_checks() == ["wiki"]
    assert "wiki" not in listed.tree.visible_names()


def test_selection_follows_a_check_when_the_order_changes(listed):
    fill(listed)
    listed.select_check("ping")
    listed.model.apply_checks([failed("ping"), result("wiki")])
    listed.model.rearrange()
    assert listed.selected_checks() == ["ping"]


def test_enter_opens_a_check_and_its_menu_is_its_own(qtbot, listed):
    fill(listed)
    listed.select_check("wiki")
    with qtbot.waitSignal(listed.check_opened) as opened:
        qtbot.keyClick(listed.tree, Qt.Key_Return)
    assert opened.args == ["wiki"]
    menu = listed.menu_for_checks(["wiki"])
    by_text = {action.text(): action for action in menu.actions() if action.text()}
    assert list(by_text) == ["Show", "Check now", "Mute for 1 hour", "Edit check…", "Remove…"]
    for text, signal, value in (
        ("Check now", listed.check_now_wanted, ["wiki"]),
        ("Mute for 1 hour", listed.mute_checks_wanted, ["wiki"]),
        ("Edit check…", listed.edit_check_wanted, "wiki"),
        ("Remove…", listed.remove_checks_wanted, ["wiki"]),
    ):
        with qtbot.waitSignal(signal) as wanted:
            by_text[text].trigger()
        assert wanted.args == [value]
    several = listed.menu_for_checks(["wiki", "shop"])
    assert [action.text() for action in several.actions() if action.text() and not action.isEnabled()] == [
        "Show",
        "Edit check…",
    ]


def test_the_filter_finds_checks_by_name_target_group_and_what_happened(listed):
    fill(listed)
    for words, found in (
        ("wiki", {"wiki"}), ("shop.example", {"shop"}), ("@web", {"web-1", "shop"}), ("listens", {"wiki"}),
        ("failed", {"wiki"}), ("no such", set()),
    ):  # fmt: skip
        listed.model.set_filter(words)
        assert {row.name for group in listed.model.groups() for row in group.rows} == found, words
    assert "matches" in listed._empty.text()


def test_a_list_with_checks_alone_is_not_called_empty(listed):
    assert "Add check…" in listed._empty.text()
    listed.model.set_checks([config("wiki")])
    assert listed._stack.currentIndex() == 0
    assert not listed._command.isEnabled(), "there is no machine to command"


def test_a_check_says_its_state_in_shape_and_words():
    row = CheckRow(config("wiki", interval_s=60.0))
    assert (row.shape, row.reason()) == (Shape.RING, "waiting for its first result")
    row.apply(result("wiki", certificate_days=90.0, status=200))
    assert (row.shape, row.role, row.reason(), row.latency()) == (Shape.CIRCLE, "ok", "https://example.org/", "23 ms")
    row.apply(result("wiki", certificate_days=3.5))
    assert (row.shape, row.reason()) == (Shape.TRIANGLE, "certificate ends in 3 days")
    row.apply(failed("wiki", "the certificate\nof\u202e x has expired"))
    assert (row.shape, row.latency()) == (Shape.SQUARE, "")
    assert "\n" not in row.reason()
    assert row.since_s is not None
    row.apply(result("wiki", time_s=time.time() - 1000))
    assert row.is_problem, "an older result changes nothing"


def test_a_check_that_nobody_runs_any_more_is_not_called_well():
    row = CheckRow(config("wiki", interval_s=60.0))
    row.apply(result("wiki", time_s=time.time() - 600))
    assert row.shape is Shape.RING
    assert row.reason().startswith("no result since")


def test_words_of_latency_and_certificates():
    assert [latency_words(ms) for ms in (0.42, 9.9, 23.4, 1800.0)] == ["0.4 ms", "9.9 ms", "23 ms", "1.8 s"]
    assert days_words(-0.2) == "certificate ended 1 day ago"
    assert days_words(-12.0) == "certificate ended 12 days ago"
    assert days_words(1.9) == "certificate ends in 1 day"


def test_names_and_reasons_are_shown_as_they_are(listed):
    listed.model.set_checks([config("<b>x</b>")])
    listed.model.apply_checks([failed("<b>x</b>", "<img src=x>")])
    tip = listed.model.index_of_check("<b>x</b>").data(Qt.ToolTipRole)
    assert "<img" not in tip
    assert isinstance(listed.model.index_of_check("<b>x</b>").data(ROW_ROLE), CheckRow)


def test_rows_are_painted_in_both_themes(qtbot, listed):
    from gui.theme import use_theme

    fill(listed)
    for theme in ("light", "dark"):
        use_theme(theme)
        assert not listed.grab().isNull()


# The Overview


@pytest.fixture
def strip(qtbot):
    model = MachineModel()
    widget = CheckStrip(model)
    widget.model = model
    qtbot.addWidget(widget)
    widget.resize(700, 900)
    widget.show()
    return widget


def test_without_checks_the_overview_says_what_to_do(qtbot, strip):
    assert "No check yet" in strip.words()
    with qtbot.waitSignal(strip.add_wanted):
        qtbot.mouseClick(strip._add, Qt.LeftButton)


def test_the_overview_counts_checks_and_names_the_worst_first(qtbot, strip):
    strip.model.set_checks([config(f"c{n:02}") for n in range(40)])
    strip.model.apply_checks([result(f"c{n:02}") for n in range(30)])
    strip.model.apply_checks([failed("c29")])
    strip.refresh()
    assert strip.words() == "40 checks · 29 ok · 1 failed · 10 without a result"
    assert strip.names()[0] == "c29"
    assert len(strip.names()) == MOST
    assert strip._more.text() == f"and {40 - MOST} more"
    assert not strip._add.isVisible()
    button = next(one for one in strip.findChildren(QToolButton) if one.property("check") == "c29")
    with qtbot.waitSignal(strip.opened) as opened:
        qtbot.mouseClick(button, Qt.LeftButton)
    assert opened.args == ["c29"]
    strip.resize(700, 500)
    strip.refresh()
    assert len(strip.names()) == FEWER
    strip.model.set_checks([])
    strip.refresh()
    assert strip.names() == []


def test_groups_of_checks_alone_leave_no_gap_among_the_machines(qtbot):
    model = MachineModel()
    tile = MachinesTile(model)
    qtbot.addWidget(tile)
    model.set_machines([machine("nas", "lab")])
    model.set_checks([config("wiki"), config("shop", "a.example", "web")])
    tile.refresh()
    assert [title for title, _rows in tile.heat_map._groups] == ["lab"]


def test_a_click_on_a_check_selects_it(qtbot, listed):
    fill(listed)
    place = listed.tree.visualRect(listed.model.index_of_check("wiki")).center()
    qtbot.mouseClick(listed.tree.viewport(), Qt.LeftButton, pos=QPoint(place))
    assert listed.selected_checks() == ["wiki"]
