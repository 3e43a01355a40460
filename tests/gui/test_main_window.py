import time

import pytest
from machine_records import machine, report
from PyQt5.QtCore import Qt
from PyQt5.QtGui import QGuiApplication
from PyQt5.QtWidgets import QAction, QApplication
from site_records import batch, measure

from core.language import LANGUAGES, use_language
from core.records import MachineState, MeterReport, MeterState, StoreReport
from gui.main_window import PAGES, MainWindow
from gui.models.machines import MachineModel
from gui.pages.commands import CommandsPage
from gui.pages.machine import MachinePage
from gui.widgets.empty_state import EmptyState


@pytest.fixture
def open_window(qtbot, settings):
    def opened():
        window = MainWindow(settings, MachineModel())
        qtbot.addWidget(window)
        window.show()
        qtbot.waitExposed(window)
        window.activateWindow()
        qtbot.waitUntil(window.isActiveWindow, timeout=3000)
        return window

    return opened


def action(window, text):
    return next(found for found in window.findChildren(QAction) if found.text().replace("&", "") == text)


def test_it_says_when_it_was_painted_once(qtbot, settings):
    window = MainWindow(settings, MachineModel())
    qtbot.addWidget(window)
    painted = []
    window.painted.connect(lambda: painted.append(1))
    with qtbot.waitSignal(window.painted, timeout=3000):
        window.show()
    window.repaint()
    qtbot.wait(30)
    assert painted == [1]


def test_pages_are_reached_by_tab_menu_and_key(qtbot, open_window):
    window = open_window()
    for number, (key, title) in enumerate(PAGES, start=1):
        action(window, title) if title != "Machine" else None
        shortcut = next(
            found for found in window.findChildren(QAction) if found.shortcut().toString() == f"Ctrl+{number}"
        )
        shortcut.trigger()
        assert window.current_page() == key


def test_layout_page_and_order_are_found_again(qtbot, open_window):
    window = open_window()
    window.resize(800, 580)
    window.show_page("energy")
    window.machine_list.set_problems_first(False)
    window.close()
    again = open_window()
    assert again.current_page() == "energy"
    assert (again.width(), again.height()) == (800, 580)
    assert not again.model.is_problems_first


def test_a_page_takes_the_place_that_was_kept_for_it(open_window):
    window = open_window()
    window.show_page("energy")
    page = EmptyState("real")
    window.set_page("energy", page)
    assert window.tabs.currentWidget() is page
    assert window.page("energy") is page
    assert [window.tabs.tabText(at) for at in range(4)] == ["Overview", "Machine", "Commands", "Energy"]


def test_a_click_in_the_list_tells_which_machine_is_shown(qtbot, open_window):
    window = open_window()
    window.set_machines([machine("a"), machine("b")])
    with qtbot.waitSignal(window.machine_shown) as shown:
        window.machine_list.select(["b"])
    assert shown.args == ["b"]
    window.show_machine("a")
    assert window.current_page() == "machine"


def test_entries_that_need_a_machine_or_a_probe_wait_for_one(open_window):
    window = open_window()
    assert not action(window, "Remove…").isEnabled()
    assert not action(window, "Read now").isEnabled()
    window.set_machines([machine("a"), machine("b")])
    window.machine_list.select(["a", "b"])
    assert action(window, "Remove…").isEnabled()
    assert not action(window, "Pair again…").isEnabled()
    window.set_probe_connected(True)
    assert action(window, "Read now").isEnabled()


def test_a_command_of_the_menu_is_for_the_machines_selected(qtbot, open_window):
    window = open_window()
    window.set_machines([machine("a"), machine("b")])
    window.machine_list.select(["b"])
    with qtbot.waitSignal(window.command_wanted) as wanted:
        action(window, "Python version").trigger()
    assert wanted.args == [["b"], "python --version"]


def test_f5_asks_the_selected_machines_or_all(qtbot, open_window):
    window = open_window()
    window.set_machines([machine("a"), machine("b")])
    with qtbot.waitSignal(window.poll_wanted) as wanted:
        qtbot.keyClick(window, Qt.Key_F5)
    assert wanted.args == [None]
    window.machine_list.select(["a"])
    with qtbot.waitSignal(window.poll_wanted) as wanted:
        qtbot.keyClick(window, Qt.Key_F5)
    assert wanted.args == [["a"]]


def test_the_status_line_tells_links_probe_database_and_losses(qtbot, open_window):
    window = open_window()
    window.set_machines([machine(name) for name in "abc"])
    window.apply_reports([report("a"), report("b", MachineState.OFFLINE), report("c", MachineState.LATE)])
    window._count()
    line = window.status_line
    assert line._links.text() == "1 link   1 late   1 offline"
    window.apply_probe(MeterReport(name="E450", port="p", state=MeterState.READING, text="t", time_s=1))
    assert line._probe.text() == "probe E450: reading"
    wrong = MeterReport(name="hall", port="p", state=MeterState.FAILED, text="t", time_s=1, needs_password=True)
    window.apply_probe(wrong)
    assert line._probe.text() == "probe E450: reading   probe hall: needs its password"
    window.apply_probe(
        MeterReport(name="hall", port="p", state=MeterState.DISCONNECTED, text="t", time_s=1, is_ended=True)
    )
    assert line._probe.text() == "probe E450: reading"
    window.apply_store(StoreReport(time_s=time.time() - 3, rows_waiting=0, rows_written=5, rows_dropped=0))
    assert line._database.text() == "database: written 3 s ago"
    line.apply_measures(batch(measure(time_s=time.time() - 1)))
    line._tell_age()
    assert line._database.text() == "database: written 1 s ago"
    assert "6 rows" in line._database.toolTip()
    window.apply_store(
        StoreReport(time_s=time.time(), rows_waiting=9, rows_written=5, rows_dropped=0, error="the disk is full")
    )
    assert line._database.text() == "database: the disk is full"
    line.apply_lost(2)
    assert line._dropped.text() == "2 records dropped"
    line.apply_lost(0)
    assert line._dropped.text() == ""


def test_a_notice_stays_until_it_is_closed_or_over(open_window):
    window = open_window()
    assert window.notice() == ""
    window.show_notice("the <b>disk</b> is full")
    assert window.notice() == "the <b>disk</b> is full"
    window.withdraw_notice("what was told before")
    assert window.notice() == "the <b>disk</b> is full"
    window.withdraw_notice("the <b>disk</b> is full")
    assert window.notice() == ""


def test_nothing_of_later_issues_is_shown(open_window):
    titles = " ".join(found.text().lower() for found in open_window().findChildren(QAction))
    for word in ("wake",):
        assert word not in titles


@pytest.mark.parametrize("size", [(1024, 700), (1440, 900), (3840, 2160)])
def test_it_fits_its_sizes(open_window, size):
    window = open_window()
    window.set_machines([machine(f"a-rather-long-name-of-a-machine-{n}", "g") for n in range(40)])
    window.resize(*size)
    assert (window.width(), window.height()) == size
    assert not window.grab().isNull()


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_tabs_fit_the_smallest_window_with_their_counts(open_window, language):
    use_language(language)
    window = open_window()
    window.resize(1024, 700)
    window.set_count("room", 12)
    window.set_count("alarms", 104)
    bar = window.tabs.tabBar()
    QApplication.processEvents()
    assert bar.tabRect(bar.count() - 1).right() < bar.width() <= window.tabs.width()
    assert bar.tabRect(0).left() == 0


def test_the_selection_is_found_again_once_the_machines_are_there(qtbot, open_window):
    window = open_window()
    window.set_machines([machine("a"), machine("b")])
    window.machine_list.select(["b"])
    window.close()
    again = open_window()
    again.set_machines([])
    again.set_machines([machine("a"), machine("b")])
    assert again.machine_list.selected_names() == ["b"]


def test_columns_and_splitter_of_the_machine_page_are_found_again(qtbot, open_window):
    window = open_window()
    page = MachinePage()
    window.set_page("machine", page)
    page.processes.view.horizontalHeader().resizeSection(1, 217)
    window.close()
    again, other = open_window(), MachinePage()
    again.set_page("machine", other)
    assert other.processes.view.horizontalHeader().sectionSize(1) == 217


def test_the_command_line_has_the_focus_when_its_page_comes_to_the_front(qtbot, open_window):
    window, page = open_window(), CommandsPage()
    window.set_page("commands", page)
    window.machine_list.focus_filter()
    window.show_page("commands")
    page.focus_command()
    assert page.controls.field.hasFocus()
    window.show_page("overview")
    window.tabs.setFocus()
    window.show_page("commands")
    assert page.focusWidget() is page.controls.field


def test_a_window_is_never_larger_than_the_screen_it_opens_on(qtbot, settings):
    room = QGuiApplication.primaryScreen().availableSize()
    for _start in range(2):  # the second one was larger when it was closed
        window = MainWindow(settings, MachineModel())
        qtbot.addWidget(window)
        assert window.size().boundedTo(room.expandedTo(window.minimumSize())) == window.size()
        assert window.y() + window.height() <= max(room.height(), window.minimumHeight())
        window.resize(room * 2)
        window.move(30, 30)
        window.keep_layout()
