import time
from array import array

import pytest
from machine_records import machine, report
from PyQt5.QtCore import QPointF, Qt

from core.records import (
    MachineState,
    Measurement,
    MeterIdentity,
    MeterReadings,
    MeterReport,
    MeterState,
    SeriesPoints,
)
from gui.models.machines import MachineModel
from gui.pages.overview import OverviewPage
from gui.widgets.big_number import BigNumber


@pytest.fixture
def page(qtbot):
    model = MachineModel()
    made = OverviewPage(model)
    made.model = model
    qtbot.addWidget(made)
    made.resize(1100, 800)
    made.show()
    qtbot.waitExposed(made)
    return made


def readings(power_w, *, name="E450", time_s=None, import_wh=None, simulated=False):
    return MeterReadings(
        name=name,
        protocol="push",
        meter=MeterIdentity(),
        time_s=time.time() if time_s is None else time_s,
        readings=(),
        is_simulated=simulated,
        measurement=Measurement(active_power_w=power_w, active_energy_import_wh=import_wh),
    )


def fill(page, count, groups=3):
    page.model.set_machines([machine(f"m{n:04}", f"g{n % groups:03}") for n in range(count)])
    page.model.apply([report(f"m{n:04}", cpu=(n * 7) % 100, memory=(n * 3) % 90) for n in range(count)])
    page.refresh()


def texts(widget):
    from PyQt5.QtWidgets import QLabel

    return [label.text() for label in widget.findChildren(QLabel) if label.isVisible()]


def test_every_tile_of_the_first_run_says_what_will_be_there(qtbot, page):
    shown = " ".join(texts(page))
    assert "No meter yet" in shown
    assert "No machine is watched yet" in shown
    with qtbot.waitSignal(page.connect_probe_wanted):
        qtbot.mouseClick(page.power._empty.button, Qt.LeftButton)
    with qtbot.waitSignal(page.add_machine_wanted):
        qtbot.mouseClick(page.machines._empty.button, Qt.LeftButton)


def test_power_its_peak_and_its_age(page):
    page.apply_readings(readings(3930, time_s=time.time() - 600))
    page.apply_readings(readings(1840))
    page.refresh()
    shown = texts(page.power)
    assert "1.84" in shown
    assert "kW" in shown
    assert any(text.startswith("peak 3.93 kW at ") for text in shown)
    assert any("last 15 min" in text for text in shown)
    page.power.refresh(time.time() + 1200)
    assert any(text.startswith("no reading since") for text in texts(page.power))


def test_the_curve_grows_with_what_is_known_up_to_an_hour(page):
    for seconds_ago, words in ((10, "last minute"), (200, "last 5 min"), (3000, "last hour")):
        page.power._points.clear()
        page.apply_readings(readings(100, time_s=time.time() - seconds_ago))
        page.apply_readings(readings(100))
        page.refresh()
        assert any(words in text for text in texts(page.power))


def test_a_simulated_meter_is_called_so_on_its_tiles(page):
    page.apply_readings(readings(500, simulated=True, import_wh=1000.0))
    page.refresh()
    assert any("simulated" in text for text in texts(page.power))
    assert any("simulated" in text for text in texts(page.energy))


def test_export_is_a_negative_power(page):
    page.apply_readings(readings(-1500))
    page.refresh()
    assert "\u22121.50" in texts(page.power)
    assert "export to the grid" in texts(page.power)


def test_a_name_that_says_simulated_does_not_say_it_twice(page):
    page.apply_readings(readings(500, name="simulated E450", simulated=True))
    page.refresh()
    assert not any(text.count("simulated") > 1 for text in texts(page.power))


def test_few_machines_leave_the_height_to_the_curve_and_tell_more_of_each(qtbot, page):
    fill(page, 1, groups=1)
    page.resize(1140, 830)
    page.show()
    qtbot.waitExposed(page)
    assert page.power.height() > 1.8 * page.machines.height()
    (box, row), heat_map = page.machines.heat_map._cells[0], page.machines.heat_map
    assert box.width() >= heat_map.width() - 4
    assert box.height() >= heat_map.height() * 0.9
    assert row.about()


def test_energy_counts_on_from_what_the_history_knows(page):
    page.apply_readings(readings(100, import_wh=40_000_000.0))
    assert page.energy.findChild(BigNumber).detail() == "since this window opened"
    page.energy.set_midnight(39_986_000.0)
    assert "14.0" in texts(page.energy)
    assert page.energy.findChild(BigNumber).detail() == ""
    page.apply_readings(readings(100, import_wh=40_000_200.0))
    assert "14.2" in texts(page.energy)


def test_another_meter_with_a_lower_register_begins_anew(page):
    page.apply_readings(readings(100, import_wh=40_000_000.0))
    page.apply_readings(readings(100, import_wh=500.0))
    page.apply_readings(readings(100, import_wh=1500.0))
    assert "1.00" in texts(page.energy)


def test_the_hour_before_comes_from_the_history_under_what_has_come_since(page):
    now_s = time.time()
    page.apply_readings(readings(1000, time_s=now_s))
    values = array("d", [2000.0, float("nan"), 2500.0])
    times = array("d", [now_s - 600, now_s - 300, now_s - 100])
    page.apply_points([SeriesPoints("meter/E450/active_power_w", "W", times, values, values, values)])
    page.refresh()
    assert "1.00" in texts(page.power)
    assert any(text.startswith("peak 2.50 kW") for text in texts(page.power))


def test_the_second_meter_does_not_mix_into_the_first_and_takes_over_when_it_is_gone(page):
    page.apply_readings(readings(1000))
    page.apply_readings(readings(9000, name="other"))
    assert "1.00" in texts(page.power)
    page.apply_report(MeterReport(name="E450", port="p", state=MeterState.DISCONNECTED, text="t", time_s=time.time()))
    page.apply_readings(readings(9000, name="other"))
    assert "9.00" in texts(page.power)


def test_counts_and_the_five_busiest(qtbot, page):
    fill(page, 30)
    page.model.apply([report("m0000", MachineState.OFFLINE), report("m0001", MachineState.LATE)])
    page.refresh()
    shown = texts(page.machines)
    assert "28" in shown
    assert "1 late · 1 offline" in shown
    items = page.top_cpu.items()
    assert len(items) == 5
    assert [item.percent for item in items] == sorted((item.percent for item in items), reverse=True)
    assert "postgres" in items[0].detail
    assert "of 16.0 GiB" in page.top_memory.items()[0].detail
    with qtbot.waitSignal(page.machine_opened) as opened:
        qtbot.mouseClick(page.top_cpu, Qt.LeftButton, pos=page.top_cpu._line(1).center().toPoint())
    assert opened.args == [items[1].name]


@pytest.mark.parametrize("groups", [1, 3, 20, 300])
@pytest.mark.parametrize("count", [1, 7, 60, 400, 2000])
def test_every_machine_has_a_cell_that_lies_in_the_map(qtbot, page, count, groups):
    fill(page, count, groups)
    heat_map = page.machines.heat_map
    assert len(heat_map._cells) == count
    area = heat_map.rect().adjusted(-1, -1, 1, 1)
    assert all(area.contains(box.toAlignedRect()) for box, _row in heat_map._cells)
    assert not page.grab().isNull()


def test_the_heat_map_by_keyboard_and_by_mouse(qtbot, page):
    fill(page, 60)
    heat_map = page.machines.heat_map
    heat_map.setFocus()
    for key in (Qt.Key_Right, Qt.Key_Down, Qt.Key_Right, Qt.Key_Up, Qt.Key_Left):
        qtbot.keyClick(heat_map, key)
    with qtbot.waitSignal(page.machine_opened) as opened:
        qtbot.keyClick(heat_map, Qt.Key_Return)
    assert opened.args == [heat_map._cells[1][1].name]
    box, row = heat_map._cells[42]
    with qtbot.waitSignal(page.machine_opened) as opened:
        qtbot.mouseClick(heat_map, Qt.LeftButton, pos=box.center().toPoint())
    assert opened.args == [row.name]
    assert heat_map._at(QPointF(-5, -5)) is None
