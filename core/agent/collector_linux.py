"""Measures a Linux machine from `/proc` alone: no psutil, no program started, no file system that may hang.

Sources: proc(5) for every file; percentages of CPU leave iowait out, as top(1) does; "used" memory is total minus
available, as free(1) of procps-ng 4 prints it.
"""

from __future__ import annotations

import os
import pwd
import sys
import time
from collections.abc import Iterator

from core.agent.addresses import interface_addresses
from core.agent.collector import LONGEST_COMMAND_LINE, SHORTEST_RATE_S, TOP_PROCESS_PERIOD_S, Use, busiest_first
from core.agent.proc_files import ProcFile, StatFiles, mounts, os_version
from core.agent.temperatures import TemperatureFiles
from core.machine_records import ProcessUse, Temperature
from core.protocol.messages import plain_text
from core.records import Cpu, Disk, DiskIo, Memory, Network, Process, Status, Swap, System, TopProcess

_PAGE_OCTETS = os.sysconf("SC_PAGE_SIZE")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_SECTOR_OCTETS = 512
_SLOW_PERIOD_S = 60.0
_DETAILS_PERIOD_S = 30.0
_CLOCK_STEP_S = 0.5
_STATES = {
    b"R": "running",
    b"S": "sleeping",
    b"D": "waiting for disk",
    b"T": "stopped",
    b"t": "traced",
    b"Z": "zombie",
    b"I": "idle",
    b"X": "dead",
}


class _Details:
    """What of a process seldom changes, and is read again after a while or when its name changes (exec)."""

    __slots__ = ("command_line", "name", "read_s", "shown_name", "started", "user")

    def __init__(self, started: bytes, name: bytes, user: str, command_line: str, read_s: float) -> None:
        self.started = started
        self.name = name
        self.shown_name = plain_text(name.decode(errors="replace"))
        self.user = user
        self.command_line = command_line
        self.read_s = read_s


class LinuxCollector:
    """See core.agent.collector.Collector."""

    def __init__(self, now_s: float) -> None:
        self._stat, self._memory = ProcFile("/proc/stat"), ProcFile("/proc/meminfo")
        self._load, self._disks = ProcFile("/proc/loadavg"), ProcFile("/proc/diskstats")
        self._net = ProcFile("/proc/net/dev")
        self._proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._stats = StatFiles(self._proc)
        self._slow_s = -_SLOW_PERIOD_S
        self._read_slow(now_s)
        self._celsius: tuple[Temperature, ...] | None = None
        self._cpu_before = self._cpu_times()
        self._counters_before = (now_s, *self._counters())
        self._users: dict[int, str] = {}
        self._details: dict[int, _Details] = {}
        self._ticks_before: dict[int, tuple[bytes, int]] = {}
        self._ticks_s = now_s
        self._temperatures = TemperatureFiles()
        self._boot_s = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        self._top: TopProcess | None = None
        self._uses: tuple[ProcessUse, ...] | None = None
        self._top_users: dict[int, tuple[bytes, str]] = {}
        self._top_s = now_s - TOP_PROCESS_PERIOD_S
        self._ticks_before = {pid: (fields[19], int(fields[11]) + int(fields[12])) for pid, _n, fields in self._pass()}

    def __del__(self) -> None:
        self._stats.close()
        os.close(self._proc)

    def status(self, number: int, time_s: float, now_s: float) -> Status:
        """See Collector."""
        if now_s - self._slow_s >= _SLOW_PERIOD_S:
            self._read_slow(now_s)
        if now_s - self._top_s >= TOP_PROCESS_PERIOD_S and now_s - self._ticks_s >= SHORTEST_RATE_S:
            self._refresh_top(now_s)
            self._celsius = self._temperatures.read(now_s)
        memory, swap = self._memory_now()
        disk_io, network = self._rates(now_s)
        return Status(
            number=number,
            time_s=time_s,
            system=self.system(),
            cpu=self._cpu_now(),
            memory=memory,
            swap=swap,
            disks=self._disks_now(),
            disk_io=disk_io,
            network=network,
            process_count=sum(name[0].isdigit() for name in os.listdir(self._proc)),
            top_process=self._top,
            top_processes=self._uses,
            temperatures=self._celsius,
        )

    def system(self) -> System:
        """See Collector."""
        return System(
            hostname=self._uname.nodename,
            os="Linux",
            os_version=self._os_version,
            kernel=self._uname.release,
            architecture=self._uname.machine,
            ip_addresses=tuple(dict.fromkeys(address for _name, address in self._interfaces)),
            uptime_s=round(time.clock_gettime(time.CLOCK_BOOTTIME), 1),
            python=sys.version.split()[0],
        )

    def interfaces(self) -> tuple[tuple[str, str], ...]:
        """See Collector."""
        return interface_addresses()

    def processes(self, now_s: float) -> tuple[Process, ...]:
        """See Collector."""
        uptime_s = time.clock_gettime(time.CLOCK_BOOTTIME)
        boot_s = self._boot_time_s()
        elapsed_s = now_s - self._ticks_s
        before = self._ticks_before
        ticks: dict[int, tuple[bytes, int]] = {}
        table = []
        for pid, name, fields in self._pass():
            details = self._details_of(pid, name, fields[19], now_s)
            used = int(fields[11]) + int(fields[12])
            ticks[pid] = (fields[19], used)
            table.append(
                Process(
                    pid=pid,
                    parent_pid=int(fields[1]),
                    name=details.shown_name,
                    user=details.user,
                    cpu_percent=_percent(fields[19], used, before.get(pid), elapsed_s, uptime_s),
                    memory_bytes=int(fields[21]) * _PAGE_OCTETS,
                    status=_STATES.get(fields[0], "unknown"),
                    started_s=_started_s(boot_s, fields[19]),
                    command_line=details.command_line,
                )
            )
        self._details = {pid: details for pid, details in self._details.items() if pid in ticks}
        self._keep_ticks(ticks, now_s)
        return tuple(table)

    def _pass(self) -> Iterator[tuple[int, bytes, list[bytes]]]:
        """Pid, name, and the fields of `stat` from the third (state) on, of all processes that live to be read."""
        for entry, stat in self._stats.read_all():
            # The name stands in parentheses and may hold spaces and parentheses itself.
            opened, closed = stat.find(b"("), stat.rfind(b")")
            fields = stat[closed + 2 :].split(None, 22)
            if opened > 0 and len(fields) >= 22:
                yield int(entry), stat[opened + 1 : closed], fields

    def _keep_ticks(self, ticks: dict[int, tuple[bytes, int]], now_s: float) -> None:
        if now_s - self._ticks_s >= SHORTEST_RATE_S:
            self._ticks_before, self._ticks_s = ticks, now_s

    def _refresh_top(self, now_s: float) -> None:
        """Which processes used most since the pass before; one that began after it has used all it did since then."""
        share = 100 / _TICKS_PER_S / (now_s - self._ticks_s)
        before = self._ticks_before
        ticks: dict[int, tuple[bytes, int]] = {}
        uses = []
        for pid, name, fields in self._pass():
            started, used = fields[19], int(fields[11]) + int(fields[12])
            ticks[pid] = (started, used)
            earlier = before.get(pid)
            if earlier is not None and earlier[0] == started:
                used = max(0, used - earlier[1])
            uses.append(Use(round(used * share, 1), int(fields[21]) * _PAGE_OCTETS, pid, name))
        boot_s = self._boot_time_s()
        top, users = [], {}
        for use in busiest_first(uses):
            started = ticks[use.pid][0]
            known = self._top_users.get(use.pid)
            if known is None or known[0] != started:
                known = (started, self._user_of(use.pid))
            users[use.pid] = known
            top.append(
                ProcessUse(
                    pid=use.pid,
                    name=plain_text(use.name.decode(errors="replace")),
                    user=known[1],
                    cpu_percent=use.cpu_percent,
                    memory_bytes=use.memory_bytes,
                    started_s=_started_s(boot_s, started),
                )
            )
        self._uses, self._top_users = tuple(top), users
        best = top[0] if top and top[0].cpu_percent > 0 else None
        self._top = None if best is None else TopProcess(name=best.name, pid=best.pid, cpu_percent=best.cpu_percent)
        self._top_s = now_s
        self._keep_ticks(ticks, now_s)

    def _boot_time_s(self) -> float:
        """When the machine started; the same from pass to pass, until the clock is set."""
        boot_s = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        if abs(boot_s - self._boot_s) > _CLOCK_STEP_S:
            self._boot_s = boot_s
        return self._boot_s

    def _details_of(self, pid: int, name: bytes, started: bytes, now_s: float) -> _Details:
        known = self._details.get(pid)
        if (
            known is not None
            and known.started == started
            and known.name == name
            and now_s - known.read_s < _DETAILS_PERIOD_S
        ):
            return known
        words = self._read_of(pid, "cmdline", LONGEST_COMMAND_LINE)
        line = plain_text(words.rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace"), LONGEST_COMMAND_LINE)
        if not line:
            line = f"[{plain_text(name.decode(errors='replace'))}]"
        # Reading again is spread over time, else every process would fall due in the same pass.
        read_s = now_s - (pid % 16) / 16 * _DETAILS_PERIOD_S if known is None else now_s
        details = self._details[pid] = _Details(started, name, self._user_of(pid), line, read_s)
        return details

    def _user_of(self, pid: int) -> str:
        status = self._read_of(pid, "status", 4096)
        start = status.find(b"\nUid:\t")
        if start < 0:
            return ""
        uid = int(status[start + 6 :].split(None, 2)[1])
        user = self._users.get(uid)
        if user is None:
            try:
                user = pwd.getpwuid(uid).pw_name
            except KeyError:
                user = str(uid)
            self._users[uid] = user
        return user

    def _read_of(self, pid: int, file: str, limit: int) -> bytes:
        try:
            handle = os.open(f"{pid}/{file}", os.O_RDONLY, dir_fd=self._proc)
        except OSError:
            return b""
        try:
            return os.read(handle, limit)
        except OSError:
            return b""
        finally:
            os.close(handle)

    def _read_slow(self, now_s: float) -> None:
        """What changes by a person's hand: names, addresses, mounts, disks."""
        self._slow_s = now_s
        self._uname = os.uname()
        self._os_version = os_version()
        self._interfaces = interface_addresses()
        self._mounts = mounts()
        try:
            blocks = os.listdir("/sys/block")
        except OSError:
            blocks = []
        # Layers over a disk (device mapper, RAID, loop) would count its traffic twice.
        self._blocks = {name.encode() for name in blocks if not name.startswith(("loop", "ram", "zram", "dm-", "md"))}

    def _cpu_times(self) -> list[tuple[int, int]]:
        """Busy and total ticks: of all cores first, then of each."""
        times = []
        for line in self._stat.read().split(b"\n"):
            if not line.startswith(b"cpu"):
                break
            user, nice, system, idle, iowait, irq, softirq, steal = map(int, line.split()[1:9])
            busy = user + nice + system + irq + softirq + steal
            times.append((busy, busy + idle + iowait))
        return times

    def _cpu_now(self) -> Cpu:
        before, now = self._cpu_before, self._cpu_times()
        if len(before) != len(now):
            before = now
        percents = []
        for (busy_before, total_before), (busy, total) in zip(before, now, strict=True):
            elapsed = total - total_before
            percents.append(
                round(min(100.0, max(0.0, (busy - busy_before) / elapsed * 100)), 1) if elapsed > 0 else 0.0
            )
        is_measured = bool(now) and now[0][1] > before[0][1]
        if is_measured:
            self._cpu_before = now
        load = self._load.read().split()[:3]
        return Cpu(
            percent=percents[0] if is_measured else None,
            per_core_percent=tuple(percents[1:]),
            load_average=tuple(float(value) for value in load),
        )

    def _memory_now(self) -> tuple[Memory, Swap]:
        kilobytes = {}
        for line in self._memory.read().split(b"\n"):
            name, _colon, value = line.partition(b":")
            if name in (b"MemTotal", b"MemFree", b"MemAvailable", b"SwapTotal", b"SwapFree"):
                kilobytes[name] = int(value.split()[0])
        total = kilobytes.get(b"MemTotal", 0) * 1024
        free = kilobytes.get(b"MemFree", 0) * 1024
        available = kilobytes.get(b"MemAvailable", free // 1024) * 1024
        swap_total = kilobytes.get(b"SwapTotal", 0) * 1024
        memory = Memory(
            total_bytes=total,
            used_bytes=total - available,
            free_bytes=free,
            available_bytes=available,
            percent=round((total - available) / total * 100, 1) if total else 0.0,
        )
        return memory, Swap(total_bytes=swap_total, used_bytes=swap_total - kilobytes.get(b"SwapFree", 0) * 1024)

    def _disks_now(self) -> tuple[Disk, ...]:
        disks = []
        for mount in self._mounts:
            try:
                found = os.statvfs(mount)
            except OSError:
                continue
            if found.f_blocks:
                used = (found.f_blocks - found.f_bfree) * found.f_frsize
                shown = plain_text(mount.decode(errors="replace"))
                disks.append(Disk(mount=shown, total_bytes=found.f_blocks * found.f_frsize, used_bytes=used))
        return tuple(disks)

    def _counters(self) -> tuple[int, int, int, int]:
        """Octets read, written, received, sent since the machine started."""
        read = written = received = sent = 0
        for line in self._disks.read().split(b"\n"):
            fields = line.split()
            if len(fields) > 9 and fields[2] in self._blocks:
                read += int(fields[5]) * _SECTOR_OCTETS
                written += int(fields[9]) * _SECTOR_OCTETS
        for line in self._net.read().split(b"\n")[2:]:
            name, colon, values = line.partition(b":")
            if colon and name.strip() != b"lo":
                fields = values.split()
                received += int(fields[0])
                sent += int(fields[8])
        return read, written, received, sent

    def _rates(self, now_s: float) -> tuple[DiskIo, Network]:
        before_s, *before = self._counters_before
        now = self._counters()
        elapsed_s = now_s - before_s
        if elapsed_s <= 0:
            return (
                DiskIo(read_bytes_per_s=None, written_bytes_per_s=None),
                Network(received_bytes_per_s=None, sent_bytes_per_s=None),
            )
        self._counters_before = (now_s, *now)
        read, written, received, sent = (
            round(max(0.0, (value - earlier) / elapsed_s), 1) for value, earlier in zip(now, before, strict=True)
        )
        return (
            DiskIo(read_bytes_per_s=read, written_bytes_per_s=written),
            Network(received_bytes_per_s=received, sent_bytes_per_s=sent),
        )


def _started_s(boot_s: float, started: bytes) -> float:
    """When a process began: two of one pid differ in it, and it stays the same from pass to pass."""
    return round(boot_s + int(started) / _TICKS_PER_S, 2)


def _percent(started: bytes, used: int, earlier: tuple[bytes, int] | None, elapsed_s: float, uptime_s: float) -> float:
    """CPU of a process since the earlier pass that saw it, else over its life."""
    if earlier is not None and earlier[0] == started and elapsed_s >= SHORTEST_RATE_S:
        return round(max(0, used - earlier[1]) / _TICKS_PER_S / elapsed_s * 100, 1)
    life_s = uptime_s - int(started) / _TICKS_PER_S
    return round(used / _TICKS_PER_S / max(life_s, 1.0) * 100, 1)
