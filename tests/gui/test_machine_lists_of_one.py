"""Tree of processes, services, users and ports of one machine: as told by agents that mean well, and by others."""

from __future__ import annotations

import time

import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from core.machine_records import Port, PortList, ProcessUse, Service, ServiceList, Session, SessionList, Temperature
from core.records import Cpu, Level, Process, ProcessTable, Status
from gui.models import machine_words
from gui.models.machine_acts import why_not
from gui.models.machine_lists import PortModel, ServiceModel, SessionModel
from gui.models.machine_recent import MOST_MACHINES, MachineRecent
from gui.models.processes import MOST, NAME, PID, ProcessModel
from gui.widgets.machine_more import MoreCard
from gui.widgets.machine_tabs import MachineTabs
from gui.widgets.moment_strip import MomentStrip

NASTY = "<b>x</b>\n\x1b[2J\u202e" + "A" * 5_000


def process(pid: int, parent: int = 0, name: str = "p", **more: object) -> Process:
    fields: dict[str, object] = {"user": "root", "cpu_percent": 0.0, "memory_bytes": 0, "status": "sleeping"}
    fields |= {"started_s": 1000.0 + pid, "command_line": name}
    return Process(**{"pid": pid, "parent_pid": parent, "name": name, **fields, **more})  # type: ignore[arg-type]  # fields of a test


def table(*processes: Process) -> ProcessTable:
    return ProcessTable(machine="m", time_s=time.time(), processes=processes)


def pids(model: ProcessModel) -> list[int]:
    return [model.process(row).pid for row in range(model.rowCount())]


def tree(*processes: Process) -> ProcessModel:
    model = ProcessModel()
    model.set_tree(True)
    model.sort(PID)
    model.apply(table(*processes))
    return model


def test_what_is_folded_stays_folded_over_refreshes_and_a_filter_looks_inside():
    family = (process(1), process(2, 1), process(3, 2, "needle"), process(4, 1))
    model = tree(*family)
    assert pids(model) == [1, 2, 3, 4]
    model.set_folded(1, True)
    assert pids(model) == [1, 2, 4]
    model.apply(table(*family, process(5, 2)))
    assert pids(model) == [1, 2, 4]
    assert model.index(1, NAME).data().strip().startswith("▸")
    model.set_filter("needle")
    assert pids(model) == [1, 2, 3]
    model.set_filter("")
    assert pids(model) == [1, 2, 4]
    model.unfold_to(family[2])
    assert pids(model) == [1, 2, 3, 5, 4]


def test_a_tree_sorts_brothers_and_keeps_them_below_their_parent():
    model = tree(process(1), process(2, 1, cpu_percent=1.0), process(3, 1, cpu_percent=9.0), process(4, 2))
    model.sort(3, Qt.DescendingOrder)
    assert pids(model) == [1, 3, 2, 4]


def test_parents_that_are_missing_themselves_or_each_other_hang_nothing():
    ring = [process(pid, parent=pid % 2_000 + 1) for pid in range(1, 2_001)]
    chain = [process(pid, parent=pid - 1) for pid in range(10_001, 12_001)]
    own = process(50_000, parent=50_000)
    began_s = time.monotonic()
    model = tree(*ring, *chain, own)
    assert sorted(pids(model)) == sorted([*range(1, 2_001), *range(10_001, 12_001), 50_000])
    assert len(model.index(model.rowCount() - 1, NAME).data()) < 200
    model.set_filter("p")
    assert time.monotonic() - began_s < 5.0


def test_two_processes_of_one_pid_stand_below_the_same_parent_each_once():
    model = tree(process(1), process(7, 1, started_s=5.0), process(7, 1, started_s=9.0), process(8, 7))
    assert pids(model) == [1, 7, 7, 8]
    assert model.find(7).started_s == 9.0
    assert model.find(7, 5.5).started_s == 5.0
    assert model.find(7, 100.0) is None


def test_five_thousand_processes_are_refreshed_as_a_tree_within_the_blink_of_an_eye():
    many = [process(pid, parent=max(1, pid // 3), cpu_percent=float(pid % 50)) for pid in range(1, 5_001)]
    model = tree(*many)
    model.sort(3, Qt.DescendingOrder)
    began_s = time.process_time()
    model.apply(table(*many))
    assert time.process_time() - began_s < 0.6


def test_of_more_processes_than_anybody_reads_the_busiest_are_shown_and_all_are_counted():
    one = process(1)
    model = ProcessModel()
    many = [process(pid, cpu_percent=float(pid)) for pid in range(1, MOST + 101)]
    model.apply(table(*many))
    assert (model.rowCount(), model.count) == (MOST, MOST + 100)
    assert min(pids(model)) == 101
    model.apply(table(one))
    assert model.rowCount() == 1


@pytest.mark.parametrize("started_s", [-5.0, 1e300, 4e9, float("nan")])
def test_a_process_of_no_calendar_is_shown_without_a_time(started_s):
    model = tree(process(1, started_s=started_s, cpu_percent=float("nan"), memory_bytes=-1, name=NASTY))
    for column in range(model.columnCount()):
        for role in (Qt.DisplayRole, Qt.ToolTipRole):
            words = model.index(0, column).data(role)
            assert words is None or ("\x1b" not in words and "\u202e" not in words)
    model.sort(5)


def service(name: str, state: str = "running", **more: object) -> Service:
    fields = {"description": "", "start_mode": "automatic"} | more
    return Service(name=name, state=state, **fields)  # type: ignore[arg-type]  # fields of a test


def test_failed_services_come_first_in_shape_colour_and_words():
    model = ServiceModel()
    model.apply([service("a"), service("b", "failed"), service("c", "stopped"), service("d", "no such state")])
    assert [model.record(row).name for row in range(4)] == ["b", "a", "c", "d"]
    assert model.index(0, 0).data() == "■ failed"
    assert model.index(0, 0).data(Qt.ForegroundRole) is not None
    assert model.index(3, 0).data() == "○ not known"


def test_a_port_says_from_where_it_can_be_reached():
    model = PortModel()
    every = ".".join(["0"] * 4)
    for address, words in (("127.0.0.1", "itself"), (every, "every"), ("::", "every"), ("10.0.0.5", "this address")):
        model.apply([Port(protocol="tcp", address=address, port=22)])
        assert words in model.index(0, 3).data()
    assert model.index(0, 5).data() == "not known to the agent"


def test_hostile_lists_are_letters_and_no_more():
    sessions, ports, services = SessionModel(), PortModel(), ServiceModel()
    sessions.apply([Session(user=NASTY, terminal=NASTY, host=NASTY, since_s=1e300)] * 3)
    ports.apply([Port(protocol=NASTY, address=NASTY, port=-1, pid=-7, process=NASTY)])
    services.apply([service(NASTY, NASTY, description=NASTY, start_mode=NASTY, pid=-1)])
    for model in (sessions, ports, services):
        assert model.rowCount() == 1
        for column in range(model.columnCount()):
            model.sort(column, Qt.DescendingOrder)
            assert not set("\x1b\u202e\n") & set(model.index(0, column).data())
            assert "<b>" not in model.index(0, column).data(Qt.ToolTipRole)
        model.set_filter("aaa")
        assert model.rowCount() == 1


@pytest.fixture
def tabs(qtbot: QtBot) -> MachineTabs:
    made = MachineTabs()
    qtbot.addWidget(made)
    made.resize(900, 300)
    made.show()
    return made


def test_a_tab_is_asked_for_when_it_is_looked_at_and_services_again_and_again(tabs: MachineTabs, qtbot: QtBot):
    asked: list[str] = []
    tabs.asked.connect(asked.append)
    tabs.show_kind("services")
    assert asked == ["services"]
    assert tabs._timer.isActive()
    assert tabs._timer.interval() == 15_000
    tabs.show_kind("ports")
    assert asked == ["services", "ports"]
    assert not tabs._timer.isActive()
    tabs.apply(PortList(machine="m", time_s=time.time(), ports=()))
    assert "No port is open" in tabs.ports.sentence()
    tabs.show_kind("services")
    tabs.show_kind("ports")
    assert asked == ["services", "ports", "services", "ports"]
    qtbot.mouseClick(tabs.ports.refresh_button, Qt.LeftButton)
    assert asked[4:] == ["ports"]
    tabs.hide()
    assert not tabs._timer.isActive()


def test_a_problem_is_told_in_place_of_the_rows_or_above_them(tabs: MachineTabs):
    tabs.show_kind("services")
    now_s = time.time()
    tabs.apply(ServiceList(machine="m", time_s=now_s, services=(), problem="systemd does not answer"))
    assert tabs.services.sentence() == "systemd does not answer"
    tabs.apply(ServiceList(machine="m", time_s=now_s, services=(service("a"),), manager="systemd", problem="cut"))
    assert tabs.services._note.text() == "cut"
    assert tabs.bar.tabText(1) == "Services  1"
    tabs.apply_failed("services", "the agent is older\nthan this")
    assert tabs.services.sentence() == ""
    assert tabs.services._note.text() == "Not renewed: the agent is older than this"
    tabs.apply_failed("sessions", "the agent is older")
    assert tabs.sessions.sentence() == "the agent is older"
    tabs.apply(ServiceList(machine="m", time_s=now_s, services=()))
    assert "no service manager" in tabs.services.sentence()


def test_while_the_machine_is_away_what_is_known_stays_grey_and_nothing_is_asked(tabs: MachineTabs):
    tabs.processes.apply(table(process(1)))
    asked: list[str] = []
    tabs.asked.connect(asked.append)
    tabs.set_away("Last known, of 09:12: the machine is away.", "not known")
    tabs.show_kind("sessions")
    assert asked == []
    assert not tabs.processes.view.isEnabled()
    assert "09:12" in tabs.processes._note.text()
    assert tabs.sessions.sentence() == "not known"
    tabs.set_away("", "not known")
    assert tabs.processes.view.isEnabled()
    assert "asked" in tabs.sessions.sentence()


def test_tab_tree_filter_and_columns_are_found_again(tabs: MachineTabs, qtbot: QtBot):
    tabs.processes.tree_button.setChecked(True)
    tabs.processes.filter_field.setText("ssh")
    tabs.services.view.horizontalHeader().resizeSection(1, 321)
    tabs.show_kind("services")
    other = MachineTabs()
    qtbot.addWidget(other)
    other.restore_layout(tabs.layout_state())
    assert (other.kind, other.processes.model.is_tree) == ("services", True)
    assert other.processes.filter_field.text() == "ssh"
    assert other.services.view.horizontalHeader().sectionSize(1) == 321
    other.restore_layout(tabs.layout_state()[:20])
    assert other.kind == "services"


def test_the_tree_folds_by_keyboard_and_by_a_click_on_its_sign(tabs: MachineTabs, qtbot: QtBot):
    panel = tabs.processes
    panel.tree_button.setChecked(True)
    panel.apply(table(process(1, name="init"), process(2, 1), process(3, 2)))
    panel.view.setCurrentIndex(panel.model.index(0, NAME))
    qtbot.keyClick(panel.view, Qt.Key_Left)
    assert pids(panel.model) == [1]
    qtbot.keyClick(panel.view, Qt.Key_Right)
    assert pids(panel.model) == [1, 2, 3]
    place = panel.view.visualRect(panel.model.index(0, NAME))
    qtbot.mouseClick(panel.view.viewport(), Qt.LeftButton, pos=place.topLeft() + place.center() / 50)
    assert pids(panel.model) == [1]
    assert tabs.bar.tabText(0) == "Processes  3"


def test_a_port_leads_to_its_process(tabs: MachineTabs):
    tabs.processes.tree_button.setChecked(True)
    tabs.processes.apply(table(process(1), process(22, 1, "sshd")))
    tabs.processes.model.set_folded(0, True)
    tabs.show_kind("ports")
    tabs.apply(PortList(machine="m", time_s=0.0, ports=(Port(protocol="tcp", address="::", port=22, pid=22),)))
    tabs.ports.view.selectRow(0)
    tabs.ports.view.opened.emit(tabs.ports.view.currentIndex())
    assert tabs.kind == "processes"
    assert [one.pid for one in tabs.processes.chosen()] == [22]


def test_rows_are_copied_as_lines_and_the_menu_says_why_something_is_grey(tabs: MachineTabs, qtbot: QtBot, qapp):
    panel = tabs.processes
    panel.set_why_not("not by you")
    panel.tree_button.setChecked(True)
    panel.apply(table(process(1, name="init"), process(2, 1, name="sh", user="=1+1\t@x")))
    panel.view.selectAll()
    next(action for action in panel.view.actions() if action.text() == "Copy").trigger()
    lines = qapp.clipboard().text().split("\n")
    assert [line.split("\t")[:2] for line in lines] == [["1", "▾ init"], ["2", "└ sh"]]
    assert lines[1].split("\t")[2] == "'=1+1 @x"
    panel.view.customContextMenuRequested.emit(panel.view.rect().center())
    menu = panel.view.findChild(QMenu)
    assert menu.toolTipsVisible()
    greyed = [action for action in menu.actions() if not action.isEnabled()]
    assert len(greyed) == 2
    assert "not by you" in greyed[0].toolTip()
    menu.close()


def test_users_who_are_not_there_are_said_not_to_be(tabs: MachineTabs):
    tabs.show_kind("sessions")
    tabs.apply(SessionList(machine="m", time_s=time.time(), sessions=()))
    assert tabs.sessions.sentence() == "Nobody is logged in."


def heat(*sensors: Temperature) -> Status:
    return Status(number=1, time_s=0.0, temperatures=sensors, cpu=Cpu(percent=1, per_core_percent=(), load_average=()))


def test_temperatures_are_coloured_by_their_own_limits_and_nonsense_is_none(qtbot: QtBot):
    card = MoreCard()
    qtbot.addWidget(card)
    card.show_kind("heat")
    hot, near = (
        Temperature(name="cpu", celsius=95, high_celsius=90),
        Temperature(name="b", celsius=85, high_celsius=90),
    )
    card.apply(heat(near, hot, Temperature(name="c", celsius=1e9), Temperature(name="d", celsius=40)), is_stale=False)
    assert [item.role for item in card.lists["heat"].items()] == ["critical", "warning", "accent"]
    assert card.numbers["heat"].accessibleName() == "95 °C"
    assert card.buttons["heat"].text() == "Heat ■"
    card.apply(heat(), is_stale=False)
    assert not card._none.isHidden()
    assert card.buttons["heat"].text() == "Heat"
    assert machine_words.heat_percent(Temperature(name="x", celsius=40, high_celsius=float("nan"))) == 40


def use(pid: int, cpu: float, name: str = "p") -> ProcessUse:
    return ProcessUse(pid=pid, name=name, user="u", cpu_percent=cpu, memory_bytes=1, started_s=5.0)


def status(loads: tuple[float, ...], *uses: ProcessUse) -> Status:
    return Status(
        number=1,
        time_s=0.0,
        cpu=Cpu(percent=1.0, per_core_percent=loads, load_average=()),
        top_processes=uses,
    )


def test_cores_and_busiest_processes_are_kept_for_the_machines_looked_at_alone():
    recent = MachineRecent()
    recent.append("m", 1.0, status((5.0,)))
    assert recent.cores("m") == ([], b"", 0)
    recent.follow("m")
    recent.append("m", 100.0, status((5.0, 250.0, float("nan"), -3.0), use(1, 10.0)))
    recent.append("m", 110.0, status((5.0, 6.0, 7.0, 8.0), use(1, 90.0), use(2, 95.0)))
    times, loads, count = recent.cores("m")
    assert (times, count, list(loads[:4])) == ([100.0, 110.0], 4, [5, 100, 255, 0])
    assert [(one.pid, one.cpu_percent) for one in recent.tops("m", 95.0, 120.0)] == [(2, 95.0), (1, 90.0)]
    assert [one.pid for one in recent.tops("m", 112.0, 125.0)] == [2, 1]
    assert recent.tops("m", 500.0, 600.0) == ()
    assert recent.tops_from("m") == 100.0
    gone = [name for number in range(MOST_MACHINES) for name in recent.follow(f"other-{number}")]
    assert gone == ["m"]


def test_a_clock_set_back_and_a_changed_number_of_cores_begin_anew():
    recent = MachineRecent()
    recent.follow("m")
    recent.append("m", 1000.0, status((1.0,), use(1, 1.0)))
    recent.append("m", 999.0, status((2.0,), use(1, 1.0)))
    assert recent.cores("m")[0] == [1000.0]
    recent.append("m", 1001.0, status((1.0, 2.0)))
    assert recent.cores("m")[0] == [1001.0]
    recent.append("m", 10.0, status((1.0, 2.0), use(3, 3.0)))
    assert recent.cores("m")[0] == [10.0]


def test_the_strip_names_processes_letter_by_letter_and_only_running_ones_are_shown(qtbot: QtBot):
    strip = MomentStrip()
    qtbot.addWidget(strip)
    strip.resize(900, 30)
    strip.show_processes("14:03", [use(1, 92.0, "a&b"), use(2, 3.0, NASTY)], {(1, 5)}, can_go_back=True)
    assert strip.texts()[:2] == ["14:03", "a&&b (1)  92 % · 1 B"]
    assert "\x1b" not in strip.texts()[2]
    assert len(strip.texts()[2]) < 60
    assert [button.isEnabled() for button in strip._buttons[:2]] == [True, False]
    with qtbot.waitSignal(strip.process_wanted) as told:
        strip._buttons[0].click()
    assert told.args[0].pid == 1
    strip.show_words("now", "nothing", can_go_back=False)
    assert strip.texts() == ["now", "nothing"]


def test_a_level_below_manage_says_how_it_is_raised():
    assert why_not(Level.MANAGE) == why_not(Level.RAW) == ""
    assert "beffroi agent pair --level manage" in why_not(Level.RUN)
    assert why_not(None)
