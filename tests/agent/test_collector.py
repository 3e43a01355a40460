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
from core.agent.platform_collector import new_collector
from core.agent.statuses import KEPT_OCTETS, Statuses
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
        assert message.status == status
    assert statuses._octets < 20 * 400


def test_a_cut_status_holds_the_sections_asked_for():
    statuses = Statuses(_Counting())
    status = statuses.fresh(0.0, 100.0)
    frame = statuses.frame(status, frozenset({"process_count"}))
    envelope = messages.decode_envelope(frame[5:])
    cut = messages.decode_as(messages.StatusMessage, envelope.params).status
    assert cut.process_count == 1
    assert cut.disks is None
