"""Measures a machine by psutil, where there is no `/proc` to read; it must answer as the Linux collector does."""

from __future__ import annotations

import platform
import socket
import sys
import time

import psutil

from core.agent.collector import LONGEST_COMMAND_LINE, SHORTEST_RATE_S, TOP_PROCESS_PERIOD_S, Use, busiest_first
from core.machine_records import ProcessUse, Temperature
from core.protocol.messages import plain_text
from core.records import Cpu, Disk, DiskIo, Memory, Network, Process, Status, Swap, System, TopProcess

_SLOW_PERIOD_S = 60.0
_ATTRIBUTES = ("ppid", "name", "username", "cpu_times", "memory_info", "status", "create_time", "cmdline")


class PsutilCollector:
    """See core.agent.collector.Collector."""

    def __init__(self, now_s: float) -> None:
        psutil.cpu_percent(None)
        psutil.cpu_percent(None, percpu=True)
        self._counters_before = (now_s, *self._counters())
        self._used_before: dict[tuple[int, float], float] = {}
        self._used_s = now_s
        self._top: TopProcess | None = None
        self._uses: tuple[ProcessUse, ...] | None = None
        self._temperatures: tuple[Temperature, ...] | None = None
        self._top_s = now_s - TOP_PROCESS_PERIOD_S
        self._slow_s = -_SLOW_PERIOD_S
        self._read_slow(now_s)

    def status(self, number: int, time_s: float, now_s: float) -> Status:
        """See Collector."""
        if now_s - self._slow_s >= _SLOW_PERIOD_S:
            self._read_slow(now_s)
        if now_s - self._top_s >= TOP_PROCESS_PERIOD_S:
            self._refresh_top(now_s)
        memory, swap = psutil.virtual_memory(), psutil.swap_memory()
        disk_io, network = self._rates(now_s)
        return Status(
            number=number,
            time_s=time_s,
            system=self.system(),
            cpu=Cpu(
                percent=psutil.cpu_percent(None),
                per_core_percent=tuple(psutil.cpu_percent(None, percpu=True)),
                load_average=tuple(round(value, 2) for value in psutil.getloadavg()),
            ),
            memory=Memory(
                total_bytes=memory.total,
                used_bytes=memory.total - memory.available,
                free_bytes=memory.free,
                available_bytes=memory.available,
                percent=round((memory.total - memory.available) / memory.total * 100, 1),
            ),
            swap=Swap(total_bytes=swap.total, used_bytes=swap.used),
            disks=self._disks_now(),
            disk_io=disk_io,
            network=network,
            process_count=len(psutil.pids()),
            top_process=self._top,
            top_processes=self._uses,
            temperatures=self._temperatures,
        )

    def system(self) -> System:
        """See Collector."""
        return System(
            hostname=self._name.node,
            os=self._name.system,
            os_version=plain_text(f"{self._name.system} {self._name.release}"),
            kernel=self._name.version,
            architecture=self._name.machine,
            ip_addresses=tuple(dict.fromkeys(address for _name, address in self._interfaces)),
            uptime_s=round(max(0.0, time.time() - psutil.boot_time()), 1),
            python=sys.version.split()[0],
        )

    def interfaces(self) -> tuple[tuple[str, str], ...]:
        """See Collector."""
        found = [
            (address.family != socket.AF_INET, name, address.address)
            for name, addresses in psutil.net_if_addrs().items()
            for address in addresses
            if address.family in (socket.AF_INET, socket.AF_INET6)
            and not address.address.startswith(("127.", "fe80:", "::1"))
        ]
        return tuple((name, address) for _is_v6, name, address in sorted(found))

    def processes(self, now_s: float) -> tuple[Process, ...]:
        """See Collector."""
        used_now: dict[tuple[int, float], float] = {}
        table = []
        for process in psutil.process_iter(_ATTRIBUTES):
            info = process.info
            started_s = info["create_time"] or 0.0
            times, memory = info["cpu_times"], info["memory_info"]
            used_s = times.user + times.system if times else 0.0
            used_now[process.pid, started_s] = used_s
            line = " ".join(info["cmdline"] or ())
            name = plain_text(info["name"] or "")
            table.append(
                Process(
                    pid=process.pid,
                    parent_pid=info["ppid"] or 0,
                    name=name,
                    user=plain_text(info["username"] or ""),
                    cpu_percent=self._percent(process.pid, started_s, used_s, now_s),
                    memory_bytes=memory.rss if memory else 0,
                    status=info["status"] or "unknown",
                    started_s=round(started_s, 2),
                    command_line=plain_text(line, LONGEST_COMMAND_LINE) or f"[{name}]",
                )
            )
        if now_s - self._used_s >= SHORTEST_RATE_S:
            self._used_before, self._used_s = used_now, now_s
        return tuple(table)

    def _percent(self, pid: int, started_s: float, used_s: float, now_s: float) -> float:
        earlier_s = self._used_before.get((pid, started_s))
        elapsed_s = now_s - self._used_s
        if earlier_s is not None and elapsed_s >= SHORTEST_RATE_S:
            return round(max(0.0, used_s - earlier_s) / elapsed_s * 100, 1)
        return round(used_s / max(time.time() - started_s, 1.0) * 100, 1)

    def _refresh_top(self, now_s: float) -> None:
        table = {process.pid: process for process in self.processes(now_s)}
        uses = [
            Use(process.cpu_percent, process.memory_bytes, process.pid, b"")
            for process in table.values()
            if process.pid
        ]
        self._uses = tuple(
            ProcessUse(
                pid=process.pid,
                name=process.name,
                user=process.user,
                cpu_percent=process.cpu_percent,
                memory_bytes=process.memory_bytes,
                started_s=process.started_s,
            )
            for process in (table[use.pid] for use in busiest_first(uses))
        )
        best = self._uses[0] if self._uses and self._uses[0].cpu_percent > 0 else None
        self._top = None if best is None else TopProcess(name=best.name, pid=best.pid, cpu_percent=best.cpu_percent)
        self._top_s = now_s
        temperatures = _temperatures()
        if temperatures != self._temperatures:  # the same object where nothing has changed, as on Linux
            self._temperatures = temperatures

    def _read_slow(self, now_s: float) -> None:
        self._slow_s = now_s
        self._name = platform.uname()
        self._interfaces = self.interfaces()
        self._mounts = tuple(dict.fromkeys(part.mountpoint for part in psutil.disk_partitions(all=False)))[:64]

    def _disks_now(self) -> tuple[Disk, ...]:
        disks = []
        for mount in self._mounts:
            try:
                usage = psutil.disk_usage(mount)
            except OSError:
                continue
            disks.append(Disk(mount=plain_text(mount), total_bytes=usage.total, used_bytes=usage.used))
        return tuple(disks)

    def _counters(self) -> tuple[int, int, int, int]:
        disks = psutil.disk_io_counters()
        cards = psutil.net_io_counters(pernic=True)
        kept = [card for name, card in cards.items() if not name.startswith(("lo", "Loopback"))]
        return (
            disks.read_bytes if disks else 0,
            disks.write_bytes if disks else 0,
            sum(card.bytes_recv for card in kept),
            sum(card.bytes_sent for card in kept),
        )

    def _rates(self, now_s: float) -> tuple[DiskIo, Network]:
        before_s, *before = self._counters_before
        now = self._counters()
        elapsed_s = max(now_s - before_s, 1e-3)
        self._counters_before = (now_s, *now)
        read, written, received, sent = (
            round(max(0.0, (value - earlier) / elapsed_s), 1) for value, earlier in zip(now, before, strict=True)
        )
        return (
            DiskIo(read_bytes_per_s=read, written_bytes_per_s=written),
            Network(received_bytes_per_s=received, sent_bytes_per_s=sent),
        )


def _temperatures() -> tuple[Temperature, ...] | None:
    """What psutil finds, on the systems where it has any; None elsewhere."""
    read = getattr(psutil, "sensors_temperatures", None)
    if read is None:
        return None
    try:
        found = read()
    except (OSError, ValueError):
        return ()
    return tuple(
        Temperature(
            name=plain_text(f"{chip} {sensor.label or (number if number > 1 else '')}".strip(), 64),
            celsius=round(sensor.current, 1),
            high_celsius=sensor.high or sensor.critical or None,
        )
        for chip, sensors in found.items()
        for number, sensor in enumerate(sensors, 1)
        if sensor.current is not None and -100 <= sensor.current <= 200
    )[:64]
