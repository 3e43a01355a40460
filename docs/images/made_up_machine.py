"""A made-up machine for the pictures of the documentation: what it measures, what runs on it, who made it busy."""

from __future__ import annotations

import math
import random

from core.machine_records import (
    MinuteProcesses,
    Port,
    PortList,
    ProcessUse,
    Service,
    ServiceList,
    Session,
    SessionList,
    Temperature,
)
from core.records import Process, ProcessTable
from gui.pages.machine import MachinePage

GIB = 1 << 30
UPTIME_S = 41.5 * 86400
CORES = 8
PROCESSES = (
    ("systemd", "root", 0.0, 0.01, "/sbin/init", UPTIME_S, None),
    ("systemd-journald", "root", 0.0, 0.05, "/lib/systemd/systemd-journald", UPTIME_S, "systemd"),
    ("systemd-udevd", "root", 0.0, 0.008, "/lib/systemd/systemd-udevd", UPTIME_S, "systemd"),
    (
        "postgres",
        "postgres",
        1.1,
        0.9,
        "/usr/lib/postgresql/15/bin/postgres -D /var/lib/postgresql",
        UPTIME_S,
        "systemd",
    ),
    ("postgres", "postgres", 571.2, 8.1, "postgres: autovacuum worker orders", 420, "postgres"),
    ("postgres", "postgres", 9.8, 3.2, "postgres: checkpointer", UPTIME_S, "postgres"),
    ("postgres", "postgres", 4.1, 1.6, "postgres: background writer", UPTIME_S, "postgres"),
    ("postgres", "postgres", 1.7, 1.4, "postgres: shop orders 10.0.1.11(51422) SELECT", 5_300, "postgres"),
    ("postgres", "postgres", 0.9, 1.1, "postgres: shop orders 10.0.1.12(40118) idle", 5_100, "postgres"),
    ("beffroi", "beffroi", 0.4, 0.02, "beffroi agent run", UPTIME_S, "systemd"),
    ("node_exporter", "prom", 0.2, 0.02, "/usr/bin/prometheus-node-exporter", UPTIME_S, "systemd"),
    ("sshd", "root", 0.0, 0.01, "sshd: /usr/sbin/sshd -D", UPTIME_S, "systemd"),
    ("sshd", "root", 0.0, 0.01, "sshd: ana [priv]", 1_900, "sshd"),
    ("bash", "ana", 0.0, 0.005, "-bash", 1_890, "sshd"),
    ("cron", "root", 0.0, 0.003, "/usr/sbin/cron -f", UPTIME_S, "systemd"),
    ("rsyslogd", "root", 0.0, 0.006, "/usr/sbin/rsyslogd -n", UPTIME_S, "systemd"),
    ("chronyd", "_chrony", 0.0, 0.004, "/usr/sbin/chronyd -F 1", UPTIME_S, "systemd"),
    ("dbus-daemon", "messagebus", 0.0, 0.005, "/usr/bin/dbus-daemon --system --nofork", UPTIME_S, "systemd"),
    ("agetty", "root", 0.0, 0.002, "/sbin/agetty -o -p -- tty1", UPTIME_S, "systemd"),
)
SERVICES = (
    ("postgresql@15-main.service", "PostgreSQL Cluster 15-main", "running", "automatic", "postgres"),
    ("ssh.service", "OpenBSD Secure Shell server", "running", "automatic", "sshd"),
    ("cron.service", "Regular background program processing daemon", "running", "automatic", "cron"),
    ("chrony.service", "chrony, an NTP client/server", "running", "automatic", "chronyd"),
    ("beffroi-agent.service", "Beffroi agent", "running", "automatic", "beffroi"),
    ("backup-nightly.service", "Nightly backup to nas", "failed", "manual", None),
    ("rsyslog.service", "System Logging Service", "running", "automatic", "rsyslogd"),
    ("apt-daily.service", "Daily apt download activities", "stopped", "manual", None),
)


def pid_of(place: int) -> int:
    """The pid of a process by its place."""
    return 1 if place == 0 else 640 + 97 * place


def parent_of(place: int) -> int:
    """The pid of its parent."""
    name = PROCESSES[place][6]
    return 0 if name is None else pid_of(next(at for at, one in enumerate(PROCESSES) if one[0] == name))


def uses(now_s: float, at_s: float) -> tuple[ProcessUse, ...]:
    """The busiest processes at a time: the busy one has run for seven minutes."""
    return tuple(
        ProcessUse(
            pid=pid_of(place),
            name=name,
            user=user,
            cpu_percent=cpu * random.uniform(0.8, 1.1),
            memory_bytes=int(memory * GIB),
            started_s=now_s - ago_s,
        )
        for place, (name, user, cpu, memory, _line, ago_s, _parent) in enumerate(PROCESSES)
        if memory > 0.5 and now_s - ago_s <= at_s
    )


def core_loads(cpu: float, time_s: float) -> tuple[float, ...]:
    """Eight cores of which some do more."""
    shares = [1.05 - 0.05 * core + 0.35 * math.sin(time_s / (90 + 40 * core) + core) for core in range(CORES)]
    return tuple(min(100.0, max(0.0, cpu * share + random.uniform(-3, 3))) for share in shares)


def temperatures(cpu: float) -> tuple[Temperature, ...]:
    """A processor that warms with its load, and disks that do not."""
    return (
        Temperature(name="CPU package", celsius=38 + cpu * 0.46, high_celsius=90.0),
        Temperature(name="NVMe 0", celsius=41.8, high_celsius=82.0),
        Temperature(name="NVMe 1", celsius=39.8, high_celsius=82.0),
        Temperature(name="Board", celsius=33.5),
    )


def fill_machine(page: MachinePage, machine: str, now_s: float) -> None:
    """Processes, services, users, ports, and the processes of each minute."""
    rows = [
        Process(
            pid=pid_of(place),
            parent_pid=parent_of(place),
            name=name,
            user=user,
            cpu_percent=cpu,
            memory_bytes=int(memory * GIB),
            status="sleeping",
            started_s=now_s - ago_s,
            command_line=line,
        )
        for place, (name, user, cpu, memory, line, ago_s, _parent) in enumerate(PROCESSES)
    ]
    rows += [
        Process(
            pid=9000 + number,
            parent_pid=2,
            name=f"kworker/{number % 4}:{number}",
            user="root",
            cpu_percent=0.0,
            memory_bytes=0,
            status="idle",
            started_s=now_s - UPTIME_S,
            command_line="",
        )
        for number in range(195)
    ]
    page.apply_processes(ProcessTable(machine=machine, time_s=now_s, processes=tuple(rows)))
    pids = {one[0]: pid_of(place) for place, one in reversed(list(enumerate(PROCESSES)))}
    services = tuple(
        Service(name=name, description=words, state=state, start_mode=mode, pid=pids.get(program or ""))
        for name, words, state, mode, program in SERVICES
    )
    page.apply_details(ServiceList(machine=machine, time_s=now_s, services=services, manager="systemd"))
    sessions = (
        Session(user="ana", terminal="pts/0", host="10.0.1.50", since_s=now_s - 1_890),
        Session(user="root", terminal="tty1", host="", since_s=now_s - UPTIME_S),
    )
    page.apply_details(SessionList(machine=machine, time_s=now_s, sessions=sessions))
    every = ".".join(["0"] * 4)
    ports = (
        Port(protocol="tcp", address=every, port=22, pid=pids["sshd"], process="sshd"),
        Port(protocol="tcp", address=every, port=17450, pid=pids["beffroi"], process="beffroi"),
        Port(protocol="tcp", address="127.0.0.1", port=5432, pid=pids["postgres"], process="postgres"),
        Port(protocol="udp", address="127.0.0.1", port=323, pid=pids["chronyd"], process="chronyd"),
        Port(protocol="tcp6", address="::", port=9100),
    )
    page.apply_details(PortList(machine=machine, time_s=now_s, ports=ports))

    def tell_moment(request_id: int, name: str, start_s: float, end_s: float) -> None:
        minute_s = start_s // 60 * 60
        found = MinuteProcesses(machine=name, minute_s=minute_s, processes=uses(now_s, end_s))
        page.apply_moment([found], request_id)

    page.moment_wanted.connect(tell_moment)
