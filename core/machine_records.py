"""What an agent says of its machine beyond the status: asked for when somebody looks.

Frozen, like `core.records`, and as small as an agent needs them. Times are seconds since the Unix epoch, UTC (`_s`);
None means absent or unknown. `problem` says in a sentence of the agent why a list is empty or not whole, "" where it
is whole.
"""

from __future__ import annotations

from msgspec import Struct


class Temperature(Struct, frozen=True, kw_only=True, gc=False):
    """One sensor inside the machine; `high_celsius` is the limit that its driver names."""

    name: str
    celsius: float
    high_celsius: float | None = None


class ProcessUse(Struct, frozen=True, kw_only=True, gc=False):
    """One of the processes that used most; `cpu_percent` of one core, `started_s` tells two of one pid apart."""

    pid: int
    name: str
    user: str
    cpu_percent: float
    memory_bytes: int
    started_s: float


class MinuteProcesses(Struct, frozen=True, kw_only=True, gc=False):
    """The processes that used most CPU or memory within the minute that began at `minute_s`, busiest first.

    The highest share of the minute stands for each; the console's history keeps one of these with each minute.
    """

    machine: str
    minute_s: float
    processes: tuple[ProcessUse, ...]


class Service(Struct, frozen=True, kw_only=True, gc=False):
    """A service of the machine's service manager.

    `state` is `running`, `stopped`, `failed`, `starting`, `stopping` or `unknown`; `start_mode` is `automatic`,
    `manual`, `disabled` or `unknown`.
    """

    name: str
    description: str
    state: str
    start_mode: str
    pid: int | None = None


class Session(Struct, frozen=True, kw_only=True, gc=False):
    """Somebody who is logged in; `host` is where from, "" on the machine itself."""

    user: str
    terminal: str
    host: str
    since_s: float | None


class Port(Struct, frozen=True, kw_only=True, gc=False):
    """An open port: `protocol` is `tcp`, `tcp6`, `udp` or `udp6`; `pid` is None where the agent may not know it."""

    protocol: str
    address: str
    port: int
    pid: int | None = None
    process: str = ""


class ServiceList(Struct, frozen=True, kw_only=True, gc=False):
    """The services of a machine; `manager` is such as `systemd`, "" where there is none that is known."""

    machine: str
    time_s: float
    services: tuple[Service, ...]
    manager: str = ""
    problem: str = ""


class SessionList(Struct, frozen=True, kw_only=True, gc=False):
    """Who is logged in on a machine."""

    machine: str
    time_s: float
    sessions: tuple[Session, ...]
    problem: str = ""


class PortList(Struct, frozen=True, kw_only=True, gc=False):
    """The ports on which a machine listens."""

    machine: str
    time_s: float
    ports: tuple[Port, ...]
    problem: str = ""
