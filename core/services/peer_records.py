"""What an agent says, made fit to be shown, stored and counted with.

An agent may lie: texts are cut and lose their control characters, numbers that no machine has become harmless.
The common case, in which nothing must be changed, costs a few comparisons.
"""

from __future__ import annotations

from msgspec import structs

from core.machine_records import Port, ProcessUse, Service, Session, Temperature
from core.protocol.messages import plain_text
from core.records import Cpu, Disk, DiskIo, Memory, Network, Process, Status, Swap, System, TopProcess

_MOST = 2**63 - 1
_MOST_ADDRESSES = 64
_MOST_DISKS = 256
_MOST_CORES = 4096
_LONGEST_COMMAND_LINE = 4096
_MOST_USES = 16
_MOST_TEMPERATURES = 128
_LATEST_S = 1e11
_LARGEST_PID = 2**32 - 1
_HIGHEST_PERCENT = 1e6
"""Of one core, for a process that uses all of them."""
_HIGHEST_RATE = 1e15
"""Octets a second."""
_HIGHEST_LOAD = 1e6
_COLDEST_CELSIUS, _HOTTEST_CELSIUS = -273.15, 2000.0
_STATES = frozenset({"running", "stopped", "failed", "starting", "stopping", "unknown"})
_START_MODES = frozenset({"automatic", "manual", "disabled", "unknown"})
_PROTOCOLS = frozenset({"tcp", "tcp6", "udp", "udp6"})


def plain_status(status: Status, previous: Status | None) -> Status:
    """`status` without what could do harm; an unchanged system is the same object as in `previous`."""
    changes: dict[str, object] = {}
    system = status.system
    if system is not None:
        if previous is not None and previous.system is not None and _is_same_host(system, previous.system):
            known = previous.system
            if known.uptime_s != system.uptime_s:
                known = structs.replace(known, uptime_s=_duration(system.uptime_s))
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
    if status.disks is not None and not (len(status.disks) <= _MOST_DISKS and all(map(_is_disk, status.disks))):
        changes["disks"] = tuple(
            Disk(mount=plain_text(disk.mount), total_bytes=_count(disk.total_bytes), used_bytes=_count(disk.used_bytes))
            for disk in status.disks[:_MOST_DISKS]
        )
    if status.top_processes is not None and not _are_uses(status.top_processes):
        changes["top_processes"] = tuple(map(_plain_use, status.top_processes[:_MOST_USES]))
    if status.temperatures is not None and not _are_temperatures(status.temperatures):
        changes["temperatures"] = tuple(
            structs.replace(one, name=plain_text(one.name), high_celsius=_celsius(one.high_celsius))
            for one in status.temperatures[:_MOST_TEMPERATURES]
            if _celsius(one.celsius) is not None
        )
    if not 0 <= status.time_s < _LATEST_S:
        changes["time_s"] = 0.0
    return structs.replace(status, **changes) if changes else status


def carried_on(status: Status, previous: Status) -> Status:
    """`status` with what an agent tells only when it has changed, from the status before on the same link."""
    processes, temperatures = status.top_processes, status.temperatures
    if processes is None:
        processes = previous.top_processes
    if temperatures is None:
        temperatures = previous.temperatures
    if processes is status.top_processes and temperatures is status.temperatures:
        return status
    return structs.replace(status, top_processes=processes, temperatures=temperatures)


def plain_service(service: Service) -> Service:
    """`service` with plain texts, and with no state, start mode or pid that none can have."""
    return Service(
        name=plain_text(service.name),
        description=plain_text(service.description),
        state=service.state if service.state in _STATES else "unknown",
        start_mode=service.start_mode if service.start_mode in _START_MODES else "unknown",
        pid=_pid(service.pid),
    )


def plain_session(session: Session) -> Session:
    """`session` with plain texts."""
    return Session(
        user=plain_text(session.user),
        terminal=plain_text(session.terminal, 64),
        host=plain_text(session.host),
        since_s=_time(session.since_s),
    )


def plain_port(port: Port) -> Port | None:
    """`port` with plain texts; None for one that there cannot be."""
    if port.protocol not in _PROTOCOLS or not 0 <= port.port <= 65535:
        return None
    return Port(
        protocol=port.protocol,
        address=plain_text(port.address, 64),
        port=port.port,
        pid=_pid(port.pid),
        process=plain_text(port.process, 64),
    )


def plain_time(time_s: float) -> float:
    """A moment that a calendar can show; 0 for another one."""
    return _time(time_s) or 0.0


def plain_process(process: Process) -> Process:
    """`process` with its texts on one line each and cut."""
    if (
        process.name.isprintable()
        and process.user.isprintable()
        and process.status.isprintable()
        and process.command_line.isprintable()
        and len(process.name) <= 256
        and len(process.user) <= 256
        and len(process.status) <= 256
        and 0 <= process.pid <= _LARGEST_PID
        and 0 <= process.parent_pid <= _LARGEST_PID
        and 0 <= process.cpu_percent <= _HIGHEST_PERCENT
        and len(process.command_line) <= _LONGEST_COMMAND_LINE
        and 0 <= process.memory_bytes <= _MOST
        and 0 <= process.started_s < _LATEST_S
    ):
        return process
    return structs.replace(
        process,
        pid=_pid(process.pid) or 0,
        parent_pid=_pid(process.parent_pid) or 0,
        cpu_percent=process.cpu_percent if 0 <= process.cpu_percent <= _HIGHEST_PERCENT else 0.0,
        name=plain_text(process.name),
        user=plain_text(process.user),
        status=plain_text(process.status),
        command_line=plain_text(process.command_line, _LONGEST_COMMAND_LINE),
        memory_bytes=_count(process.memory_bytes),
        started_s=_time(process.started_s) or 0.0,
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


def system_word(os: str) -> str:
    """How `Machine.os` calls what an agent says that it runs on: `linux`, `windows`, `darwin` or another word."""
    return plain_text(os, 32).strip().lower()


def _plain_system(system: System) -> System:
    return System(
        hostname=plain_text(system.hostname),
        os=plain_text(system.os),
        os_version=plain_text(system.os_version),
        kernel=plain_text(system.kernel),
        architecture=plain_text(system.architecture),
        ip_addresses=tuple(plain_text(address, 64) for address in system.ip_addresses[:_MOST_ADDRESSES]),
        uptime_s=_duration(system.uptime_s),
        python=plain_text(system.python),
    )


def _plain_top(top: TopProcess) -> TopProcess | None:
    if not (0 <= top.pid <= _LARGEST_PID and 0 <= top.cpu_percent <= _HIGHEST_PERCENT):
        return None
    if top.name.isprintable() and len(top.name) <= 256:
        return top
    return structs.replace(top, name=plain_text(top.name))


def _is_cpu(cpu: Cpu) -> bool:
    return (
        (cpu.percent is None or 0 <= cpu.percent <= 100.5)
        and len(cpu.per_core_percent) <= _MOST_CORES
        and all(0 <= percent <= 100.5 for percent in cpu.per_core_percent)
        and len(cpu.load_average) <= 3
        and all(0 <= load <= _HIGHEST_LOAD for load in cpu.load_average)
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
    return rate is None or 0 <= rate <= _HIGHEST_RATE


def _are_uses(uses: tuple[ProcessUse, ...]) -> bool:
    return len(uses) <= _MOST_USES and all(map(_is_use, uses))


def _is_use(use: ProcessUse) -> bool:
    return (
        0 <= use.pid <= _LARGEST_PID
        and 0 <= use.cpu_percent <= _HIGHEST_PERCENT
        and 0 <= use.memory_bytes <= _MOST
        and 0 <= use.started_s < _LATEST_S
        and len(use.name) <= 256
        and len(use.user) <= 256
        and use.name.isprintable()
        and use.user.isprintable()
    )


def _plain_use(use: ProcessUse) -> ProcessUse:
    return ProcessUse(
        pid=_pid(use.pid) or 0,
        name=plain_text(use.name),
        user=plain_text(use.user),
        cpu_percent=use.cpu_percent if 0 <= use.cpu_percent <= _HIGHEST_PERCENT else 0.0,
        memory_bytes=_count(use.memory_bytes),
        started_s=_time(use.started_s) or 0.0,
    )


def _are_temperatures(temperatures: tuple[Temperature, ...]) -> bool:
    return len(temperatures) <= _MOST_TEMPERATURES and all(
        len(one.name) <= 256
        and one.name.isprintable()
        and _celsius(one.celsius) is not None
        and _celsius(one.high_celsius) == one.high_celsius
        for one in temperatures
    )


def _celsius(degrees: float | None) -> float | None:
    return degrees if degrees is not None and _COLDEST_CELSIUS <= degrees <= _HOTTEST_CELSIUS else None


def _pid(number: int | None) -> int | None:
    return number if number is not None and 0 <= number <= _LARGEST_PID else None


def _time(time_s: float | None) -> float | None:
    """A moment that a calendar can show, None for another one."""
    return time_s if time_s is not None and 0 <= time_s < _LATEST_S else None


def _count(number: int) -> int:
    return number if 0 <= number <= _MOST else 0


def _duration(seconds: float) -> float:
    return seconds if 0 <= seconds < _LATEST_S else 0.0
