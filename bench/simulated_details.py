"""What simulated agents tell when they are asked: services, sessions, ports, policy, consoles. All of it is made up."""

from __future__ import annotations

import time

from core.access_records import AllowedCommand, TrustedConsole
from core.machine_records import Port, ProcessUse, Service, Session, Temperature
from core.protocol.detail_messages import PortPage, ServicePage, SessionPage
from core.protocol.policy_messages import PolicyPage
from core.protocol.trust_messages import ConsolePage
from core.records import Level

_MIB = 1 << 20


def made_up_page(method: str, fingerprint: str) -> object:
    """The only page of the answer to a request; None for one that these agents do not know."""
    now_s = time.time()
    if method == "services":
        services = tuple(
            Service(
                name=name, description=f"the {name} of this machine", state="running", start_mode="automatic", pid=pid
            )
            for pid, name in enumerate(("cron.service", "ssh.service", "postgresql.service"), 500)
        )
        return ServicePage(time_s=now_s, services=services, is_last=True, manager="systemd")
    if method == "sessions":
        session = Session(user="ana", terminal="pts/0", host="10.0.0.7", since_s=now_s - 3600)
        return SessionPage(time_s=now_s, sessions=(session,), is_last=True)
    if method == "ports":
        ports = (
            Port(protocol="tcp", address="0.0.0.0", port=22, pid=501, process="sshd"),
            Port(protocol="tcp6", address="::", port=5432, pid=502, process="postgres"),
        )
        return PortPage(time_s=now_s, ports=ports, is_last=True)
    if method == "policy":
        commands = (AllowedCommand(id="true", argv=("true",), is_default=True),)
        return PolicyPage(commands=commands, os="linux", level=Level.RUN, time_s=now_s, is_last=True)
    if method == "consoles.list":
        console = TrustedConsole(fingerprint=fingerprint, name="bench", level=Level.RUN, is_own=True, is_online=True)
        return ConsolePage(time_s=now_s, consoles=(console,), may_admit=False, is_last=True)
    return None


def made_up_uses(number: int) -> tuple[ProcessUse, ...]:
    """Ten processes that used most, a little different each time."""
    return tuple(
        ProcessUse(
            pid=4242 + place,
            name=name,
            user="root" if place % 2 else "postgres",
            cpu_percent=(number * 7 + place * 3) % 40 / 2,
            memory_bytes=(90 - 8 * place) * _MIB,
            started_s=1.7e9 + place,
        )
        for place, name in enumerate(
            (
                "postgres",
                "nginx",
                "python3",
                "sshd",
                "cron",
                "rsyslogd",
                "dockerd",
                "containerd",
                "node",
                "redis-server",
            )
        )
    )


def made_up_temperatures(number: int) -> tuple[Temperature, ...]:
    """Three sensors."""
    names = ("coretemp Package id 0", "coretemp Core 0", "nvme Composite")
    return tuple(
        Temperature(name=name, celsius=40.0 + (number + place) % 15, high_celsius=90.0)
        for place, name in enumerate(names)
    )
