"""Ending, killing, restarting from the Machine page: who may, asked twice, sent as one command each, answered there."""

from __future__ import annotations

import time

import pytest
from msgspec.structs import replace
from PyQt5.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from core.errors import TransportError
from core.machine_records import MinuteProcesses, ProcessUse, Service, ServiceList, Temperature
from core.records import (
    CommandProgress,
    CommandRequest,
    CommandResult,
    CommandState,
    Cpu,
    Disk,
    Level,
    MachineReport,
    MachineState,
    Memory,
    Process,
    ProcessTable,
    Status,
    Swap,
    System,
)
from core.series import SeriesBook
from gui.dialogs.machine_act import ActDialog
from gui.models import machine_acts
from gui.models.machine_acts import Act, ActKind
from gui.models.machine_recent import MachineRecent
from gui.pages.machine import MachinePage
from gui.wiring.machine_acts import MachineActs

NASTY = "<b>&x</b>\n\x1b[2J" + "n" * 900


def process(pid: int, parent: int = 0, name: str = "python3", **more: object) -> Process:
    fields: dict[str, object] = {"user": "ana", "cpu_percent": 1.0, "memory_bytes": 5, "status": "running"}
    fields |= {"started_s": 1_700_000_000.25, "command_line": ""}
    return Process(**{"pid": pid, "parent_pid": parent, "name": name, **fields, **more})  # type: ignore[arg-type]  # fields of a test


def report(level: Level = Level.MANAGE, state: MachineState = MachineState.ONLINE, **more: object) -> MachineReport:
    fields = {"machine": "m", "address": "m:17450", "state": state, "since_s": time.time(), "level": level, **more}
    return MachineReport(**fields)  # type: ignore[arg-type]  # fields of a test


@pytest.fixture
def page(qtbot: QtBot) -> MachinePage:
    page = MachinePage()
    qtbot.addWidget(page)
    page.resize(1000, 760)
    page.set_live(SeriesBook(), MachineRecent())
    page.show_machine("m")
    page.show()
    page.apply_report(report())
    page.apply_processes(
        ProcessTable(machine="m", time_s=time.time(), processes=(process(1), process(2, 1), process(3, 1)))
    )
    return page


def acts_of(page: MachinePage) -> list[Act]:
    acts: list[Act] = []
    page.act_wanted.connect(acts.append)
    return acts


def choose(page: MachinePage, *wanted: int) -> None:
    page.processes.view.clearSelection()
    for row in range(page.processes.model.rowCount()):
        if page.processes.model.process(row).pid in wanted:
            page.processes.view.selectionModel().select(
                page.processes.model.index(row, 0),
                page.processes.view.selectionModel().Select | page.processes.view.selectionModel().Rows,
            )


def test_delete_wants_the_processes_chosen_ended_and_names_the_children_that_stay(page, qtbot):
    acts = acts_of(page)
    choose(page, 1, 2)
    page.activateWindow()
    page.processes.view.setFocus()
    qtbot.waitUntil(page.processes.view.hasFocus)
    qtbot.keyClick(page.processes.view, Qt.Key_Delete)
    qtbot.keyClick(page.processes.view, Qt.Key_Delete, Qt.ShiftModifier)
    assert [act.kind for act in acts] == [ActKind.END, ActKind.KILL]
    assert sorted(one.pid for one in acts[0].processes) == [1, 2]
    assert [one.pid for one in acts[0].children] == [3]
    assert sorted(acts[0].lines()) == [
        ("process-end", "1", "1700000000.25"),
        ("process-end", "2", "1700000000.25"),
    ]


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (report(Level.RUN), "beffroi agent pair --level manage"),
        (report(Level.VIEW), "may watch"),
        (report(Level.RAW, MachineState.OFFLINE), "away"),
    ],
)
def test_who_may_not_is_told_why_and_nothing_is_asked(page, qtbot, told, reason):
    acts = acts_of(page)
    choose(page, 1)
    page.apply_report(told)
    qtbot.keyClick(page.processes.view, Qt.Key_Delete)
    assert acts == []
    assert not page.processes.end_button.isEnabled()
    assert reason in page.processes.end_button.toolTip()
    assert reason in page.tabs.services.restart_button.toolTip()


def test_nothing_chosen_is_nothing_to_end(page):
    assert not page.processes.end_action.isEnabled()
    assert "Choose a process" in page.processes.end_action.toolTip()


def test_a_service_is_restarted_by_its_name(page):
    acts = acts_of(page)
    page.tabs.show_kind("services")
    one = Service(name="cron.service", description="", state="running", start_mode="automatic", pid=7)
    page.apply_details(ServiceList(machine="m", time_s=1.0, services=(one,), manager="systemd"))
    assert not page.tabs.services.restart_button.isEnabled()
    page.tabs.services.view.selectRow(0)
    page.tabs.services.restart_button.click()
    assert [act.lines() for act in acts] == [[("service-restart", "cron.service")]]


def opened(qtbot: QtBot, act: Act) -> tuple[ActDialog, list[Act]]:
    dialog, confirmed = ActDialog(act), []
    qtbot.addWidget(dialog)
    dialog.setAttribute(Qt.WA_DeleteOnClose, False)
    dialog.confirmed.connect(confirmed.append)
    dialog.show()
    return dialog, confirmed


def test_enter_never_confirms_and_the_second_question_wants_its_box(qtbot: QtBot):
    dialog, confirmed = opened(qtbot, Act(ActKind.KILL, "m", (process(4242),), (process(5, 4242),)))
    assert "python3 (pid 4242) of ana, since " in dialog.question.text()
    assert not dialog.warning.isVisible()
    qtbot.keyClick(dialog, Qt.Key_Return)
    assert not dialog.isVisible()
    assert confirmed == []
    dialog, confirmed = opened(qtbot, dialog.act)
    qtbot.mouseClick(dialog.accept_button, Qt.LeftButton)
    assert dialog.warning.isVisible()
    assert "KILL" in dialog.warning.text()
    assert "(pid 5)" in dialog.warning.text()
    qtbot.mouseClick(dialog.accept_button, Qt.LeftButton)
    assert confirmed == []
    dialog.box.setChecked(True)
    qtbot.keyClick(dialog, Qt.Key_Return)
    assert confirmed == []
    dialog, confirmed = opened(qtbot, dialog.act)
    qtbot.mouseClick(dialog.accept_button, Qt.LeftButton)
    dialog.box.setChecked(True)
    qtbot.mouseClick(dialog.accept_button, Qt.LeftButton)
    assert confirmed == [dialog.act]


def test_questions_name_each_process_letter_by_letter_and_stay_readable(qtbot: QtBot):
    many = tuple(process(pid, name=NASTY) for pid in range(1, 41))
    text = machine_acts.question(Act(ActKind.END, "m", many))
    assert "\x1b" not in text
    assert "and 28 more" in text
    assert len(text) < 3_000
    dialog, _confirmed = opened(qtbot, Act(ActKind.END, "m", many[:1]))
    assert "&&x" in dialog.box.text()
    hostile = Service(name=NASTY, description=NASTY, state=NASTY, start_mode="x")
    assert "\x1b" not in machine_acts.question(Act(ActKind.RESTART, "m", service=hostile))


def test_an_answer_without_end_is_cut():
    results = [CommandResult(machine="m", state=CommandState.FAILED, stderr=NASTY * 500)] * 60
    text, role = machine_acts.answer_words(results)
    assert role == "critical"
    assert len(text) < 5_000
    assert text.endswith("and 48 more")
    assert "\x1b" not in text


class Sent:
    """Stands for the services: keeps what it was asked to send."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, ...]] = []
        self.is_broken = False

    def execute(self, words, machines, timeout_s):
        if self.is_broken:
            raise TransportError("nothing can be sent")
        self.lines.append((*words, *machines))
        return CommandRequest(
            id=f"r{len(self.lines)}",
            words=tuple(words),
            machines=tuple(machines),
            timeout_s=timeout_s,
            operator="ana",
            time_s=1.0,
        )


def progress(run_id: str, state: CommandState, **more: str) -> CommandProgress:
    return CommandProgress(id=run_id, result=CommandResult(machine="m", state=state, **more), is_last=True)  # type: ignore[arg-type]  # texts of a test


def test_each_process_is_a_command_of_its_own_and_all_answers_stand_at_the_place(page):
    sent = Sent()
    desk = MachineActs(sent)  # type: ignore[arg-type]  # it executes, and that is all that is asked of it
    desk._page = page
    asked: list[str] = []
    page.processes_wanted.connect(asked.append)
    desk._send(Act(ActKind.END, "m", (process(1), process(2))))
    assert [line[:2] for line in sent.lines] == [("process-end", "1"), ("process-end", "2")]
    assert "2 answers" in page.tabs._said.text()
    begun = CommandRequest(id="r1", words=("x",), machines=("m",), timeout_s=1, operator="ana", time_s=1.0)
    assert desk.apply(begun)
    assert not desk.apply(replace(begun, id="of somebody else"))
    desk.apply(progress("r1", CommandState.OK, stdout="ended 1 python3\n"))
    desk.apply(progress("of somebody else", CommandState.OK, stdout="no\n"))
    assert asked == []
    desk.apply(progress("r2", CommandState.NOT_ALLOWED, message="process-end needs level manage"))
    assert page.tabs._said.text() == "✕ process-end needs level manage · ✓ ended 1 python3"
    assert asked == ["m"]
    sent.is_broken = True
    desk._send(Act(ActKind.END, "m", (process(1),)))
    assert page.tabs._said.text() == "✕ nothing can be sent"
    desk.deleteLater()


def use(name: str, pid: int, cpu: float) -> ProcessUse:
    return ProcessUse(pid=pid, name=name, user="u", cpu_percent=cpu, memory_bytes=1 << 30, started_s=1_700_000_000.25)


def measured(*uses: ProcessUse) -> Status:
    return Status(
        number=1,
        time_s=1.0,
        cpu=Cpu(percent=90.0, per_core_percent=(80.0, 100.0), load_average=(1.0,)),
        memory=Memory(total_bytes=8 << 30, used_bytes=1 << 30, free_bytes=1, available_bytes=1, percent=10.0),
        top_processes=uses,
    )


def test_the_busiest_of_now_come_from_memory_and_one_that_runs_is_found_in_the_table(page):
    page.moment.recent.follow("m")
    page.moment.recent.append("m", time.time() - 2, measured(use("python3", 3, 92.0), use("gone", 99, 5.0)))
    page.moment.renew()
    assert page.moment_strip.texts() == ["Busiest now", "python3 (3)  92 % · 1.0 GiB", "gone (99)  5 % · 1.0 GiB"]
    page.tabs.show_kind("ports")
    page.moment_strip._buttons[0].click()
    assert page.tabs.kind == "processes"
    assert [one.pid for one in page.processes.chosen()] == [3]
    page.apply_report(report(state=MachineState.OFFLINE))
    assert "away" in page.moment_strip.texts()[1]


def test_a_busy_process_is_looked_for_while_its_table_is_not_looked_at(page, qtbot):
    page.tabs.show_kind("ports")
    page.moment.recent.follow("m")
    page.moment.recent.append("m", time.time() - 2, measured(use("python3", 3, 92.0), use("gone", 99, 5.0)))
    page.moment.renew()
    strip, processes = page.moment_strip, page.processes
    assert [button.isEnabled() for button in strip._buttons[:2]] == [True, True]  # nobody knows which ones run
    for button, shown, said in ((0, [3], ""), (1, [3], "Process 99 does not run any more.")):
        page.tabs.show_kind("ports")
        strip._buttons[button].click()
        page.apply_processes(ProcessTable(machine="m", time_s=time.time(), processes=(process(3, 1),)))
        assert page.tabs.kind == "processes"
        assert [one.pid for one in processes.chosen()] == shown
        assert page.tabs._said.text() == said
    assert [button.isEnabled() for button in strip._buttons[:2]] == [True, False]


def test_a_moment_of_the_past_is_asked_of_the_history_and_stays_when_it_was_clicked(page, qtbot):
    page.build_plots()
    page.range.follow("day")
    at_s = time.time() - 7_200
    with qtbot.waitSignal(page.moment_wanted, timeout=3_000) as told:
        page.range.set_cursor(at_s)
    request_id, machine, start_s, end_s = told.args
    assert machine == "m"
    assert start_s <= at_s < end_s
    assert end_s - start_s >= 60
    minutes = [
        MinuteProcesses(machine="m", minute_s=start_s + 60 * place, processes=(use("x", place, 10.0 * place),))
        for place in (1, 3, 2)
    ]
    page.apply_moment(minutes, request_id - 1)
    assert page.moment_strip.texts()[1] == "…"
    page.apply_moment(minutes, request_id)
    assert page.moment_strip.texts()[0].startswith("busiest minute")
    assert page.moment_strip.texts()[1].startswith("x (3)  30 %")
    page.plot("cpu").canvas.moment_chosen.emit(at_s)
    page.range.set_cursor(None)
    assert page.moment_strip.back_button.isVisible()
    assert page.group._moment
    page.plot("cpu").canvas.back_wanted.emit()
    assert page.moment_strip.texts()[0] == "Busiest now"
    assert page.group._moment == ()


def test_a_click_on_a_curve_chooses_its_moment_enter_too_and_a_drag_does_not(page, qtbot):
    page.build_plots()
    canvas = page.plot("cpu").canvas
    qtbot.waitUntil(canvas.isVisible)
    page.group.redraw()
    chosen: list[float] = []
    page.curves.moment_chosen.connect(chosen.append)
    at = QPoint(canvas.width() // 2, canvas.height() // 2)
    qtbot.mouseClick(canvas.viewport(), Qt.LeftButton, pos=at)
    assert chosen == [pytest.approx(canvas.time_at(at.x()))]
    page.range.set_cursor(time.time() - 60)
    qtbot.keyClick(canvas, Qt.Key_Return)
    assert chosen[1:] == [pytest.approx(time.time() - 60, abs=5)]
    qtbot.mousePress(canvas.viewport(), Qt.LeftButton, pos=at)
    qtbot.mouseRelease(canvas.viewport(), Qt.LeftButton, pos=at + QPoint(40, 0))
    assert len(chosen) == 2


def test_a_time_without_processes_says_so(page, qtbot):
    page.range.follow("hour")
    with qtbot.waitSignal(page.moment_wanted, timeout=3_000) as told:
        page.moment.choose(time.time() - 1_800)
    page.apply_moment([], told.args[0])
    assert "no processes are known" in page.moment_strip.texts()[1]


def test_every_core_is_a_row_of_the_strip_however_many_there_are(page, qtbot):
    page.build_plots()
    qtbot.waitUntil(page.plot("cpu").isVisible)
    now_s = time.time()
    page.moment.recent.follow("m")
    for second in range(100, 0, -1):
        loads = tuple(100.0 if core == 63 else 0.0 for core in range(64))
        status = Status(number=1, time_s=1.0, cpu=Cpu(percent=2.0, per_core_percent=loads, load_average=()))
        page.moment.recent.append("m", now_s - second, status)
    strip = page.curves.strip
    strip.redraw(now_s - 120, now_s)
    assert strip.isVisibleTo(page)
    image = strip.image(120, 32)
    assert (image.width(), image.height()) == (120, 32)
    assert image.pixelIndex(60, 31) == 100
    assert image.pixelIndex(60, 0) == 0
    assert image.pixelIndex(5, 31) == 255
    assert strip.loads_at(now_s - 50)[63] == 100
    page.show_machine("other")
    strip.redraw(now_s - 120, now_s)
    assert not strip.isVisibleTo(page)


def test_an_agent_that_lies_freezes_nothing_and_is_shown_as_far_as_it_can_be(page, qtbot):
    page.build_plots()
    qtbot.waitUntil(page.plot("cpu").isVisible)
    none, huge = float("nan"), 2**62
    page.moment.recent.follow("m")
    for turn, time_s in enumerate((time.time(), time.time() - 1e6, time.time() + 1e6)):
        lie = Status(
            number=-turn,
            time_s=-1e18,
            system=System(
                hostname=NASTY,
                os=NASTY,
                os_version=NASTY,
                kernel="",
                architecture=NASTY,
                ip_addresses=(NASTY,) * 64,
                uptime_s=-1e12,
                python=NASTY,
            ),
            cpu=Cpu(percent=none, per_core_percent=(none, -5.0, 1e300) * 300, load_average=(none, -1.0, 1e300)),
            memory=Memory(total_bytes=turn, used_bytes=huge, free_bytes=-1, available_bytes=-huge, percent=none),
            swap=Swap(total_bytes=-1, used_bytes=huge),
            disks=tuple(Disk(mount=NASTY, total_bytes=number, used_bytes=-huge) for number in range(256)),
            process_count=-4,
            top_processes=(use(NASTY, -1, none), use("", 0, -1e300)) * 5,
            temperatures=tuple(Temperature(name=NASTY, celsius=none, high_celsius=none) for _each in range(64)),
        )
        page.moment.recent.append("m", time_s, lie)
        page.apply_report(report(status=lie, time_s=time_s, error=NASTY))
        for kind in ("heat", "count", "fill"):
            page.curves.more.show_kind(kind)
            page.grab()
    page.apply_moment([MinuteProcesses(machine="m", minute_s=-1e300, processes=(use(NASTY, 1, none),))], 0)


def test_the_axis_of_ram_ends_at_what_the_machine_has(page, qtbot):
    page.build_plots()
    qtbot.waitUntil(page.plot("memory").isVisible)
    page.apply_report(report(status=measured(), time_s=time.time()))
    page.group.redraw()
    assert page.plot("memory").canvas._frame.high == 8.0
