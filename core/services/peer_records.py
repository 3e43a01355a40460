"""What an agent says, made fit to be shown, stored and counted with.

An agent may lie: texts are cut and lose their control characters, numbers that no machine has become harmless.
The common case, in which nothing must be changed, costs a few comparisons.
"""

from __future__ import annotations

import math

from msgspec import structs

from core.protocol.messages import plain_text
from core.records import Cpu, Disk, DiskIo, Memory, Network, Process, Status, Swap, System, TopProcess

_MOST = 2**63 - 1
_MOST_ADDRESSES = 64
_MOST_DISKS = 256
_MOST_CORES = 4096
_LONGEST_COMMAND_LINE = 4096


def plain_status(status: Status, previous: Status | None) -> Status:
    """`status` without what could do harm; an unchanged system is the same object as in `previous`."""
    changes: dict[str, object] = {}
    system = status.system
    if system is not None:
        if previous is not None and previous.system is not None and _is_same_host(system, previous.system):
            known = previous.system
            if known.uptime_s != system.uptime_s:
                known = structs.replace(known, uptime_s=_real(system.uptime_s))
            changes["system"] = known
        else:
            changes["system"] = _plain_system(system)
    if status.cpu is not None and not _is_cpu(status.cpu):
        changes["cpu"] = None
    if status.memory is not None and not _is_memory(status.memory):
        changes["memory"] = None
    if status.swap is not None and not _is_swap(status.swap):
        changes["swap"] = None
    if status.disk_io is not None and not _is_disk_io(status.disk_io):
        changes["disk_io"] = None
    if status.network is not None and not _is_network(status.network):
        changes["network"] = None
    if status.process_count is not None and not 0 <= status.process_count <= _MOST:
        changes["process_count"] = None
    if status.top_process is not None:
        top = _plain_top(status.top_process)
        if top is not status.top_process:
            changes["top_process"] = top
    if status.disks is not None and not all(map(_is_disk, status.disks)):
        changes["disks"] = tuple(
            Disk(mount=plain_text(disk.mount), total_bytes=_count(disk.total_bytes), used_bytes=_count(disk.used_bytes))
            for disk in status.disks[:_MOST_DISKS]
        )
    if not math.isfinite(status.time_s):
        changes["time_s"] = 0.0
    return structs.replace(status, **changes) if changes else status


def plain_process(process: Process) -> Process:
    """`process` with its texts on one line each and cut."""
    if (
        process.name.isprintable()
        and process.user.isprintable()
        and process.status.isprintable()
        and process.command_line.isprintable()
        and len(process.name) <= 256
        and len(process.command_line) <= _LONGEST_COMMAND_LINE
        and 0 <= process.memory_bytes <= _MOST
        and math.isfinite(process.started_s)
    ):
        return process
    return structs.replace(
        process,
        name=plain_text(process.name),
        user=plain_text(process.user),
        status=plain_text(process.status),
        command_line=plain_text(process.command_line, _LONGEST_COMMAND_LINE),
        memory_bytes=_count(process.memory_bytes),
        started_s=_real(process.started_s),
    )


def _is_same_host(one: System, other: System) -> bool:
    return (
        one.hostname == other.hostname
        and one.ip_addresses == other.ip_addresses
        and one.kernel == other.kernel
        and one.os == other.os
        and one.os_version == other.os_version
        and one.architecture == other.architecture
        and one.python == other.python
    )


def _plain_system(system: System) -> System:
    return System(
        hostname=plain_text(system.hostname),
        os=plain_text(system.os),
        os_version=plain_text(system.os_version),
        kernel=plain_text(system.kernel),
        architecture=plain_text(system.architecture),
        ip_addresses=tuple(plain_text(address, 64) for address in system.ip_addresses[:_MOST_ADDRESSES]),
        uptime_s=_real(system.uptime_s),
        python=plain_text(system.python),
    )


def _plain_top(top: TopProcess) -> TopProcess | None:
    if not (0 <= top.pid <= _MOST and math.isfinite(top.cpu_percent)):
        return None
    if top.name.isprintable() and len(top.name) <= 256:
        return top
    return structs.replace(top, name=plain_text(top.name))


def _is_cpu(cpu: Cpu) -> bool:
    return (
        (cpu.percent is None or 0 <= cpu.percent <= 100.5)
        and len(cpu.per_core_percent) <= _MOST_CORES
        and len(cpu.load_average) <= 3
    )


def _is_memory(memory: Memory) -> bool:
    return (
        0 <= memory.total_bytes <= _MOST
        and 0 <= memory.used_bytes <= _MOST
        and 0 <= memory.free_bytes <= _MOST
        and 0 <= memory.available_bytes <= _MOST
        and 0 <= memory.percent <= 100.5
    )


def _is_swap(swap: Swap) -> bool:
    return 0 <= swap.total_bytes <= _MOST and 0 <= swap.used_bytes <= _MOST


def _is_disk(disk: Disk) -> bool:
    return (
        0 <= disk.total_bytes <= _MOST
        and 0 <= disk.used_bytes <= _MOST
        and disk.mount.isprintable()
        and len(disk.mount) <= 256
    )


def _is_disk_io(io: DiskIo) -> bool:
    return _is_rate(io.read_bytes_per_s) and _is_rate(io.written_bytes_per_s)


def _is_network(network: Network) -> bool:
    return _is_rate(network.received_bytes_per_s) and _is_rate(network.sent_bytes_per_s)


def _is_rate(rate: float | None) -> bool:
    return rate is None or 0 <= rate < math.inf


def _count(number: int) -> int:
    return number if 0 <= number <= _MOST else 0


def _real(number: float) -> float:
    return number if math.isfinite(number) else 0.0
