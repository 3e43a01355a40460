"""What an agent measures, by /proc and by psutil: both must tell the same of this machine."""

from __future__ import annotations

import contextlib
import gc
import os
import subprocess
import sys
import time

import msgspec
import psutil
import pytest

from core.agent.addresses import interface_addresses
from core.agent.collector import Use, busiest_first
from core.agent.platform_collector import new_collector
from core.agent.statuses import KEPT_OCTETS, Statuses
from core.agent.temperatures import TemperatureFiles
from core.machine_records import ProcessUse, Temperature
from core.protocol import messages
from core.records import Status

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="compares /proc with psutil")


@pytest.fixture(params=["linux", "darwin"])
def collector(request):
    """The collector of Linux, then the one of every other system."""
    return new_collector(100.0, request.param)


def test_a_status_tells_of_this_machine(collector):
    status = collector.status(7, 1e9, 101.0)
    memory = psutil.virtual_memory()
    assert (status.number, status.time_s) == (7, 1e9)
    assert status.system.hostname == os.uname().nodename
    assert status.system.os == "Linux"
    assert abs(status.system.uptime_s - (time.time() - psutil.boot_time())) < 5
    assert len(status.cpu.per_core_percent) == psutil.cpu_count()
    assert all(0 <= percent <= 100 for percent in status.cpu.per_core_percent)
    assert len(status.cpu.load_average) == 3
    assert status.memory.total_bytes == memory.total
    assert abs(status.memory.available_bytes - memory.available) < memory.total * 0.05
    assert status.memory.used_bytes == status.memory.total_bytes - status.memory.available_bytes
    assert status.swap.total_bytes == psutil.swap_memory().total
    assert abs(status.process_count - len(psutil.pids())) < 50
    for disk in status.disks:
        assert 0 <= disk.used_bytes <= disk.total_bytes


def test_rates_are_since_the_previous_status(collector, tmp_path):
    collector.status(1, 1e9, 101.0)
    with (tmp_path / "written").open("wb") as stream:
        stream.write(bytes(4 << 20))
        stream.flush()
        os.fsync(stream.fileno())
    status = collector.status(2, 1e9 + 1, 102.0)
    assert status.disk_io.written_bytes_per_s >= 0
    assert status.network.received_bytes_per_s >= 0
    assert msgspec.json.decode(msgspec.json.encode(status), type=Status) == status


def test_the_process_table_tells_of_a_child_and_forgets_it(collector):
    child = subprocess.Popen([sys.executable, "-c", "import time\nwhile True: time.sleep(9)"])
    try:
        deadline_s = time.monotonic() + 5
        while True:
            found = {process.pid: process for process in collector.processes(101.0)}
            row = found.get(child.pid)
            if row and "time.sleep(9)" in row.command_line and row.memory_bytes > 1 << 20:
                break
            assert time.monotonic() < deadline_s
        assert row.parent_pid == os.getpid()
        assert row.user == psutil.Process(child.pid).username()
        assert abs(row.started_s - psutil.Process(child.pid).create_time()) < 2
        assert "\n" not in row.command_line
    finally:
        child.kill()
        child.wait()
    assert child.pid not in {process.pid for process in collector.processes(102.0)}


def test_the_busiest_process_is_found_at_most_every_ten_seconds(collector):
    child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        collector.processes(101.0)
        collector.status(1, 0, 111.0)
        time.sleep(0.5)
        first = collector.status(2, 0, 121.5).top_process
        assert first is not None
        assert first.cpu_percent > 0
        assert collector.status(3, 0, 122.0).top_process is first
    finally:
        child.kill()
        child.wait()


def test_five_of_most_cpu_and_five_of_most_memory_are_the_busiest():
    busy = [Use(float(pid), 10, pid, b"") for pid in range(8)]
    large = [Use(0.0, 1000 + pid, 100 + pid, b"") for pid in range(8)]
    both = Use(99.0, 9999, 7777, b"")
    found = busiest_first([*large, *busy, both])
    assert [use.pid for use in found] == [7777, 7, 6, 5, 4, 107, 106, 105, 104]
    assert busiest_first([Use(0.0, 0, 1, b"")]) == []


def test_the_processes_of_most_cpu_and_most_memory_are_told_with_when_they_began(collector, monkeypatch):
    """One that begins after the pass before, and lives on, has used all that it did since then."""
    spin = [sys.executable, "-c", "while True: pass"]
    hold = [sys.executable, "-c", "held = bytearray(200 << 20); import time; time.sleep(9)"]
    monkeypatch.setattr("core.agent.collector.MOST_CPU", 10_000)  # others may be as busy just now
    before_s = time.monotonic()
    collector.processes(before_s)
    children = [subprocess.Popen(spin), subprocess.Popen(hold)]
    try:
        deadline_s = time.monotonic() + 5
        while psutil.Process(children[1].pid).memory_info().rss < 200 << 20:
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
        time.sleep(max(0.0, before_s + 0.7 - time.monotonic()))
        now_s = time.monotonic()
        status = collector.status(1, 0, now_s + 20.0)
        found = {use.pid: use for use in status.top_processes}
        assert len(found) == len(status.top_processes)
        for child in children:
            process = psutil.Process(child.pid)
            assert (found[child.pid].name, found[child.pid].user) == (process.name(), process.username())
            assert abs(found[child.pid].started_s - process.create_time()) < 2
        assert found[children[1].pid].memory_bytes >= 200 << 20
        shares = [use.cpu_percent for use in status.top_processes]
        assert shares == sorted(shares, reverse=True)
        assert status.top_process.pid == status.top_processes[0].pid
        table = {process.pid: process.started_s for process in collector.processes(now_s + 31.0)}
        assert all(table[pid] == use.started_s for pid, use in found.items() if pid in table)
    finally:
        for child in children:
            child.kill()
            child.wait()


def test_a_clock_that_is_set_moves_the_times_at_which_processes_began(monkeypatch):
    collector = new_collector(100.0, "linux")

    def first_s():
        return min(process.started_s for process in collector.processes(101.0))

    began_s, real = first_s(), time.time
    monkeypatch.setattr(time, "time", lambda: real() + 0.2)
    assert first_s() == began_s
    monkeypatch.setattr(time, "time", lambda: real() + 3600)
    assert abs(first_s() - began_s - 3600) < 0.1


def test_what_is_refreshed_seldom_is_sent_to_a_link_when_it_is_new():
    class Refreshing:
        """A collector whose list and temperatures change every third status."""

        def __init__(self):
            self.uses, self.temperatures = (), ()

        def status(self, number, time_s, now_s):
            if number % 3 == 1:
                self.uses = (use(number),)
                self.temperatures = (Temperature(name="t", celsius=40.0 + number),)
            return Status(number=number, time_s=time_s, top_processes=self.uses, temperatures=self.temperatures)

    def use(number):
        return ProcessUse(pid=number, name="p", user="u", cpu_percent=1.0, memory_bytes=1, started_s=1.0)

    def told_of(frame):
        envelope = messages.decode_envelope(frame[5:])
        return messages.decode_as(messages.StatusMessage, envelope.params).status

    statuses = Statuses(Refreshing())
    seen, seldom, told, seldom_told = [], [], None, None
    for number in range(1, 10):
        status = statuses.fresh(float(number), 100.0 + number)
        seen.append(told_of(statuses.frame(status, None, told)))
        told = status
        if number in (3, 6, 9):
            seldom.append(told_of(statuses.frame(status, None, seldom_told)))
            seldom_told = status
    assert [one.number for one in seen if one.top_processes is not None] == [1, 4, 7]
    assert [one.number for one in seen if one.temperatures is not None] == [1, 4, 7]
    assert [one.top_processes[0].pid for one in seldom] == [1, 4, 7]
    cut = told_of(statuses.frame(told, frozenset({"temperatures"})))
    assert (cut.top_processes, cut.temperatures) == (None, told.temperatures)


def test_temperatures_are_read_with_labels_and_limits(tmp_path):
    chip = tmp_path / "hwmon" / "hwmon10"
    other = tmp_path / "hwmon" / "hwmon2"
    for folder, files in (
        (chip, {"name": "coretemp", "temp1_input": "54000", "temp1_label": "Package id 0", "temp1_max": "80000"}),
        (chip, {"temp2_input": "51500", "temp2_label": "Core\x1b 0", "temp2_crit": "100000", "temp2_max": "0"}),
        (chip, {"temp10_input": "-999000", "temp3_input": "x", "temp4_input": "", "fan1_input": "900"}),
        (other, {"name": "nvme", "temp1_input": "31850", "temp1_max": "65261850"}),
    ):
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text + "\n")
    files = TemperatureFiles(str(tmp_path))
    found = files.read(1.0)
    assert [(one.name, one.celsius, one.high_celsius) for one in found] == [
        ("nvme", 31.9, None),
        ("coretemp Package id 0", 54.0, 80.0),
        ("coretemp Core  0", 51.5, 100.0),
    ]
    assert files.read(2.0) is found
    (other / "temp1_input").unlink()
    assert len(files.read(3.0)) == 2


def test_thermal_zones_answer_where_no_driver_does_and_two_of_a_name_are_told_apart(tmp_path):
    for number in range(2):
        zone = tmp_path / "thermal" / f"thermal_zone{number}"
        zone.mkdir(parents=True)
        for name, text in (("type", "acpitz"), ("temp", "27800"), ("trip_point_0_type", "critical")):
            (zone / name).write_text(text)
        (zone / "trip_point_0_temp").write_text("105000")
    found = TemperatureFiles(str(tmp_path)).read(1.0)
    assert [(one.name, one.celsius, one.high_celsius) for one in found] == [
        ("acpitz", 27.8, 105.0),
        ("acpitz 2", 27.8, 105.0),
    ]
    assert TemperatureFiles(str(tmp_path / "none")).read(1.0) == ()


def test_a_sensor_that_keeps_the_agent_waiting_is_not_asked_again(tmp_path, monkeypatch):
    zone = tmp_path / "thermal" / "thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "temp").write_text("27800")
    monkeypatch.setattr("core.agent.temperatures.SLOWEST_S", -1.0)
    files = TemperatureFiles(str(tmp_path))
    assert len(files.read(1.0)) == 1
    assert files.read(2.0) == ()


def open_proc_files():
    """How many files of /proc this process holds open; what other tests hold elsewhere does not count."""
    count = 0
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the handle of the listing itself
            count += os.readlink(f"/proc/self/fd/{number}").startswith("/proc")
    return count


def test_the_number_of_open_files_is_bounded_and_they_are_let_go(monkeypatch):
    monkeypatch.setattr("core.agent.proc_files._MOST_HANDLES", 3)
    gc.collect()
    before = open_proc_files()
    collector = new_collector(100.0, "linux")
    rows = collector.processes(101.0)
    collector.processes(102.0)
    assert len(rows) > 3
    assert before < open_proc_files() <= before + 6 + 3
    del collector
    assert open_proc_files() == before


def test_a_name_that_is_a_trap_is_read_and_made_plain(tmp_path, monkeypatch):
    """A name with spaces, parentheses and control characters: proc(5) puts it in parentheses, as it is."""
    program = tmp_path / "a) S 1 (\x1b\n"
    program.symlink_to(sys.executable)
    child = subprocess.Popen([str(program), "-c", "import time; time.sleep(9)"])
    try:
        collector = new_collector(100.0, "linux")
        deadline_s = time.monotonic() + 5
        while True:
            rows = [row for row in collector.processes(101.0) if row.pid == child.pid]
            if rows and "(" in rows[0].name:
                break
            assert time.monotonic() < deadline_s
        assert rows[0].name == "a) S 1 (  "
        assert rows[0].parent_pid == os.getpid()
        assert "\x1b" not in rows[0].command_line
    finally:
        child.kill()
        child.wait()


def test_addresses_are_those_that_psutil_finds():
    expected = {
        address.address
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family.name in ("AF_INET", "AF_INET6")
        and not address.address.startswith(("127.", "fe80:"))
        and address.address != "::1"
    }
    assert {address for _name, address in interface_addresses()} == expected


class _Counting:
    """A collector whose statuses are long."""

    def status(self, number, time_s, now_s):
        return Status(number=number, time_s=time_s, disks=(), process_count=number)


def test_statuses_are_numbered_shared_and_kept_within_limits(monkeypatch):
    statuses = Statuses(_Counting())
    first = statuses.fresh(0.0, 100.0)
    assert statuses.fresh(0.1, 100.1) is first
    assert statuses.fresh(0.3, 100.3).number == 2
    monkeypatch.setattr("core.agent.statuses.KEPT_OCTETS", 20_000)
    for number in range(3_000):
        statuses.fresh(float(number), 101.0 + number * 0.2)
    assert statuses._octets <= 20_000 < KEPT_OCTETS
    assert len(statuses._kept) < 3_000
    assert statuses.next_after(statuses.last_number, None) is None
    oldest = statuses.last_number + 1 - len(statuses._kept)
    assert statuses.next_after(0, None)[0] == oldest > 1
    assert statuses.next_after(oldest, None)[0] == oldest + 1
    statuses.fresh(0.0, 1e6)
    assert len(statuses._kept) == 1


def test_kept_statuses_come_back_as_they_were_measured():
    collector = new_collector(100.0, "linux")
    statuses = Statuses(collector)
    measured = [statuses.fresh(1e9 + number, 101.0 + number) for number in range(20)]
    for status in measured:
        number, frame = statuses.next_after(status.number - 1, None)
        message = messages.decode_as(messages.StatusMessage, messages.decode_envelope(frame[5:]).params)
        assert number == status.number
        assert message.is_missed
        assert message.status == msgspec.structs.replace(status, top_processes=None, temperatures=None)
    assert statuses._octets < 20 * 400


def test_a_cut_status_holds_the_sections_asked_for():
    statuses = Statuses(_Counting())
    status = statuses.fresh(0.0, 100.0)
    frame = statuses.frame(status, frozenset({"process_count"}))
    envelope = messages.decode_envelope(frame[5:])
    cut = messages.decode_as(messages.StatusMessage, envelope.params).status
    assert cut.process_count == 1
    assert cut.disks is None
