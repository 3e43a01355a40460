"""Takes the pictures of the documentation: the real window with made-up records, each page, both themes and languages.

Run under a display: xvfb-run -s "-screen 0 1600x1000x24" python docs/images/take.py [FOLDER]
"""

from __future__ import annotations

import math
import random
import sys
import tempfile
import time
from array import array
from collections import Counter
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from made_up_energy import tell_cost, tell_energy
from made_up_history import fill_history
from made_up_machine import UPTIME_S, core_loads, fill_machine, temperatures, uses
from made_up_site import HOT, fill_alarms, fill_checks, fill_room, fill_sensors, made_up_alarms
from msgspec.structs import replace
from PyQt5.QtCore import QSettings
from PyQt5.QtGui import QColor, QImage
from PyQt5.QtWidgets import QApplication

from core.language import _, use_language
from core.records import (
    CommandProgress,
    CommandRequest,
    CommandResult,
    CommandRunSummary,
    CommandState,
    Cpu,
    Disk,
    DiskIo,
    Level,
    Machine,
    MachineReport,
    MachineState,
    Measurement,
    Memory,
    MeterIdentity,
    MeterReadings,
    MeterReport,
    MeterState,
    Network,
    Reading,
    SeriesPoints,
    Status,
    StoreReport,
    Swap,
    System,
    TopProcess,
)
from core.series import SeriesBook
from gui.main_window import MainWindow
from gui.models.machine_recent import HEAT, MachineRecent
from gui.models.machines import MachineModel
from gui.models.meter_shown import REGISTER
from gui.pages.alarms import AlarmsPage
from gui.pages.commands import CommandsPage
from gui.pages.energy import EnergyPage
from gui.pages.history import HistoryPage
from gui.pages.machine import MachinePage
from gui.pages.room import RoomPage
from gui.pages.sensors import SensorsPage
from gui.theme import theme, use_theme

GIB = 1 << 30
METER = "E450 principal"
MORNING_WH = 40_077_000.0
SHOWN = "srv-db"
GROUPS = {
    "core": ["srv-files", "srv-web-01", "srv-web-02", SHOWN],
    "infra": ["nas", "fw-edge", "printer-hall"],
    "lab": [f"lab-{number:02}" for number in range(1, 25)],
}
PROGRAMS = ("postgres", "nginx", "python3", "blender", "smbd", "suricata")


def status(time_s: float, cpu: float, memory: float, total: int, program: str) -> Status:
    """What an agent might measure."""
    return Status(
        number=1,
        time_s=time_s,
        system=System(
            hostname="srv-db",
            os="Linux",
            os_version="Debian GNU/Linux 12 (bookworm)",
            kernel="6.1.0-26-amd64",
            architecture="x86_64",
            ip_addresses=("10.0.1.14",),
            uptime_s=UPTIME_S,
            python="3.11.2",
        ),
        cpu=Cpu(
            percent=cpu,
            per_core_percent=core_loads(cpu, time_s),
            load_average=(cpu / 11, 1.9 + cpu / 30, 2.1),
        ),
        memory=Memory(
            total_bytes=total,
            used_bytes=int(total * memory / 100),
            free_bytes=int(total * (100 - memory) / 300),
            available_bytes=int(total * (100 - memory) / 100),
            percent=memory,
        ),
        swap=Swap(total_bytes=4 * GIB, used_bytes=GIB // 4),
        disks=(
            Disk(mount="/", total_bytes=100 * GIB, used_bytes=61 * GIB),
            Disk(mount="/var", total_bytes=400 * GIB, used_bytes=332 * GIB),
            Disk(mount="/boot", total_bytes=GIB, used_bytes=GIB // 4),
        ),
        disk_io=DiskIo(
            read_bytes_per_s=2e6 + 4e5 * random.random() + 9e6 * random.random() ** 60,
            written_bytes_per_s=5e5 + 2e5 * random.random() + 6e6 * random.random() ** 60,
        ),
        network=Network(
            received_bytes_per_s=3e6 + 5e5 * random.random() + 4e6 * random.random() ** 40,
            sent_bytes_per_s=1e6 + 3e5 * random.random(),
        ),
        process_count=214,
        top_process=TopProcess(name=program, pid=20114, cpu_percent=cpu),
        temperatures=temperatures(cpu),
    )


def measurement(time_s: float, now_s: float) -> Measurement:
    """What a meter of a small site might say."""
    back_s = now_s - time_s
    power_w = 1500 + 300 * math.sin(back_s / 700) + random.uniform(-25, 25)
    power_w += 2100 if 2500 < back_s < 2820 else 0
    power_w += 900 if 1380 < back_s < 1420 else 0
    volts = [231 - power_w / 900 + random.uniform(-0.4, 0.4) + shift for shift in (0.2, -1.1, 0.9)]
    amps = [power_w / 3 / volt * factor for volt, factor in zip(volts, (0.9, 1.15, 1.0), strict=True)]
    return Measurement(
        active_power_w=power_w,
        active_power_import_w=power_w,
        reactive_power_var=power_w * 0.29,
        apparent_power_va=power_w * 1.04,
        voltage_l1_v=volts[0],
        voltage_l2_v=volts[1],
        voltage_l3_v=volts[2],
        current_l1_a=amps[0],
        current_l2_a=amps[1],
        current_l3_a=amps[2],
        power_factor=0.96,
        power_factor_l1=0.97,
        power_factor_l2=0.95,
        power_factor_l3=0.96,
        frequency_hz=50 + random.uniform(-0.02, 0.02),
        active_energy_import_wh=40_091_200 - back_s * 0.42,
        active_energy_export_wh=1_204_300.0,
    )


def fill_machines(window: MainWindow, book: SeriesBook, recent: MachineRecent, now_s: float) -> list[MachineReport]:
    """Machines, their reports, and an hour of the one that is shown."""
    window.set_machines(
        [
            Machine(name=name, host=f"10.0.1.{number}", groups=(group,), level=Level.RUN)
            for group, names in GROUPS.items()
            for number, name in enumerate(names, 10)
        ]
    )
    reports = []
    for row in list(window.model.rows()):
        state, cpu, memory = MachineState.ONLINE, min(70, random.expovariate(1 / 14)), random.uniform(12, 72)
        if row.name == SHOWN:
            cpu, memory = 93.0, 79.0
        state = {"lab-03": MachineState.OFFLINE, "lab-04": MachineState.OFFLINE, "lab-19": MachineState.LATE}.get(
            row.name, state
        )
        program = "postgres" if row.name == SHOWN else random.choice(PROGRAMS[1:])
        total = 32 if row.name == SHOWN else random.choice((8, 16, 32))
        found = status(now_s, cpu, memory, total * GIB, program)
        reports.append(
            MachineReport(
                machine=row.name,
                address=row.machine.address,
                state=MachineState.OFFLINE if row.name == "lab-05" else state,
                since_s=now_s - 1100,
                level=Level.RUN,
                status=None if row.name == "lab-05" else found,
                time_s=now_s,
                is_new=True,
                interval_s=1.0,
            )
        )
    for back_s in range(3600, 0, -2):
        cpu = 30 + 10 * math.sin(back_s / 400) + random.uniform(-6, 6) + (58 if back_s < 400 else 0)
        time_s, memory = now_s - back_s, 70 + (9 if back_s < 420 else 0)
        found = status(time_s, min(99.0, cpu), memory, 32 * GIB, "postgres")
        book.append_status(SHOWN, time_s, found)
        book.append(f"machine/{SHOWN}/{HEAT}", time_s, 38 + cpu * 0.46)
        recent.append(SHOWN, time_s, replace(found, top_processes=uses(now_s, time_s)) if back_s < 90 else found)
    window.apply_reports(reports)
    window.model.rearrange()
    return reports


def fill_meter(window: MainWindow, page: EnergyPage, book: SeriesBook, now_s: float) -> None:
    """An hour of a meter, with a gap; its register of the morning as the history would tell it."""
    midnight_s = time.mktime((*time.localtime(now_s)[:3], 0, 0, 0, 0, 0, -1))

    def tell_morning(request_id: int, meter: str, fields: object, _start_s: float, _end_s: float) -> None:
        if fields == [REGISTER]:
            column = array("d", [MORNING_WH])
            name = f"meter/{meter}/{REGISTER}"
            points = SeriesPoints(
                name=name, unit="Wh", time_s=array("d", [midnight_s]), minimum=column, mean=column, maximum=column
            )
            page.apply_points([points], request_id)

    page.history_wanted.connect(tell_morning)
    tell_energy(page, now_s)
    for back_s in range(3600, -1, -5):
        if 1860 < back_s < 1980:
            continue
        found = measurement(now_s - back_s, now_s)
        book.append_measurement(METER, now_s - back_s, found)
        readings = MeterReadings(
            name=METER,
            protocol="push",
            meter=MeterIdentity(manufacturer="Landis+Gyr", model="E450", serial_number="LGZ1030655933512"),
            time_s=now_s - back_s,
            readings=(
                Reading(obis="1-0:1.7.0*255", quantity="active_power_import", value=found.active_power_w, unit="W"),
            ),
            measurement=found,
        )
        window.apply_readings(readings)
        if back_s < 60:
            page.apply_readings(readings)
    report = MeterReport(
        name=METER,
        port="/dev/ttyUSB0",
        state=MeterState.READING,
        text="",
        time_s=now_s,
        protocol="push",
        line="9600 8N1",
        period_s=5.0,
        is_ciphered=True,
        is_authenticated=True,
    )
    window.apply_probe(report)
    page.apply_report(report)
    window.overview.energy.set_midnight(MORNING_WH)
    tell_cost(window.overview, METER, now_s)


def fill_commands(page: CommandsPage, reports: list[MachineReport], now_s: float) -> None:
    """A command whose answers differ."""
    targets = (*GROUPS["core"], *GROUPS["lab"][:6])
    page.set_inventory(
        [Machine(name=name, host="", groups=(group,)) for group, names in GROUPS.items() for name in names]
    )
    page.set_machines(reports)
    page.set_targets(["@core", "lab-0[1-6]"])
    page.set_command("python --version")
    request = CommandRequest(
        id="r", words=("python", "--version"), machines=targets, timeout_s=30, operator="ana", time_s=now_s
    )
    page.apply_started(request)
    for name in targets:
        text, state = "Python 3.11.2\n", CommandState.OK
        if name == "srv-web-01":
            text = "Python 3.9.18\n"
        if name in ("lab-03", "lab-04", "lab-05"):
            text, state = "", CommandState.OFFLINE
        is_missing = name == "srv-web-02"
        page.apply_progress(
            CommandProgress(
                id="r",
                result=CommandResult(
                    machine=name,
                    state=CommandState.FAILED if is_missing else state,
                    exit_status=127 if is_missing else 0 if text else None,
                    stdout="" if is_missing else text,
                    stderr="python: not found\n" if is_missing else "",
                    duration_s=0.031,
                    message=None if text else _("offline"),
                ),
                is_last=name == targets[-1],
            )
        )
    lines = ("python --version", "ram", "ls -al /srv", "ps", "uname -a", "df -h", "os")
    page.apply_history(
        [
            CommandRunSummary(
                id=f"r{number}" if number else "r",
                line=line,
                time_s=now_s - number * 620,
                operator="ana",
                machines=targets,
                counts={"ok": 6, "failed": 1, "offline": 3} if number == 0 else {"ok": 10},
            )
            for number, line in enumerate(lines)
        ]
    )


def settle(application: QApplication, seconds: float = 0.8) -> None:
    """Let timers and paints run."""
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        application.processEvents()
        time.sleep(0.01)


def small_image(image: QImage) -> QImage:
    """The image in the theme's colours and those it uses most, 256 together: a third of the size."""
    image = image.convertToFormat(QImage.Format_RGB32)
    pixels = image.constBits().asstring(image.sizeInBytes())
    counts = Counter(memoryview(pixels).cast("I"))
    own = [QColor(value).rgb() for value in asdict(theme()).values() if value.startswith("#")]
    colours = dict.fromkeys([*own, *(colour for colour, _count in counts.most_common(256))])
    return image.convertToFormat(QImage.Format_Indexed8, list(colours)[:256])


def take(application: QApplication, folder: Path, theme_name: str, language: str, size: tuple[int, int]) -> None:
    """All pages in one theme and one language."""
    use_language(language)
    use_theme(theme_name)
    random.seed(7)
    now_s, book, recent = time.time(), SeriesBook(), MachineRecent()
    recent.follow(SHOWN)
    with tempfile.TemporaryDirectory() as home:
        window = MainWindow(QSettings(f"{home}/gui.ini", QSettings.IniFormat), MachineModel())
        commands, machine, energy = CommandsPage(), MachinePage(), EnergyPage()
        sensors, room, alarms, history = SensorsPage(), RoomPage(), AlarmsPage(), HistoryPage()
        pages = {"commands": commands, "machine": machine, "energy": energy}
        pages |= {"sensors": sensors, "room": room, "alarms": alarms, "history": history}
        for key, page in pages.items():
            window.set_page(key, page)
        window.overview.sensors.set_model(sensors.model)
        machine.set_live(book, recent)
        energy.set_live(book)
        window.resize(*size)
        window.show()
        reports = fill_machines(window, book, recent, now_s)
        fill_checks(window, now_s)
        fill_sensors(sensors, now_s)
        fill_alarms(window, alarms, now_s)
        fill_room(room, now_s)
        fill_history(history, now_s)
        fill_meter(window, energy, book, now_s)
        fill_commands(commands, reports, now_s)
        window.apply_store(StoreReport(time_s=now_s, rows_waiting=0, rows_written=4096, rows_dropped=0))
        window.machine_list.select([SHOWN])
        machine.show_machine(SHOWN)
        machine.apply_report(next(report for report in reports if report.machine == SHOWN))
        fill_machine(machine, SHOWN, now_s)
        sensors.show_sensor(HOT)
        by_source = {alarm.source: [alarm] for alarm in reversed(made_up_alarms(now_s))}
        for page in (machine, energy):
            page.set_alarms(by_source)
            page.range.follow("hour")
        settle(application, 0.6)
        for key in ("overview", *pages):
            window.show_page(key)
            settle(application)
            name = f"{key}-{theme_name}.png" if language == "en" else f"{key}-{theme_name}-{language}.png"
            small_image(window.grab().toImage()).save(str(folder / name), "PNG", 0)
        window.close()
        window.deleteLater()
        settle(application, 0.1)


def main() -> int:
    """Take them all."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    application = QApplication(["take"])
    size = tuple(map(int, sys.argv[2].split("x"))) if len(sys.argv) > 2 else (1440, 900)
    for name in ("dark", "light"):
        for language in ("en", "fr"):
            take(application, folder, name, language, size)
    return 0


if __name__ == "__main__":
    sys.exit(main())
