"""The ports on which this machine listens, and whose they are.

On Linux from `/proc/net` (proc(5); a line is local and remote address in hexadecimal, state, queues, …, inode) and the
open files of the processes that the agent may look into; elsewhere by psutil. To be called beside the agent's loop.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator

from core.machine_records import Port
from core.protocol.messages import plain_text

MOST_PORTS = 10_000
LOOK_AT_MOST_S = 3.0
"""So long the agent looks for the processes behind the ports; a machine may have a million open files."""

_LISTENING = {"tcp": b"0A", "tcp6": b"0A", "udp": b"07", "udp6": b"07"}
"""TCP_LISTEN, and TCP_CLOSE, which a bound UDP socket without a peer is in (include/net/tcp_states.h)."""

_SOCKET = "socket:["


def open_ports(is_stopped: Callable[[], bool], proc: str = "/proc") -> tuple[list[Port], str]:
    """The ports and what is missing of them, in a sentence."""
    if sys.platform != "linux":
        return _ports_by_psutil()
    found: dict[int, tuple[str, str, int]] = {}
    problems = []
    for protocol, state in _LISTENING.items():
        try:
            _read_table(f"{proc}/net/{protocol}", protocol, state, found)
        except FileNotFoundError:  # a kernel without IPv6
            continue
        except OSError as error:
            problems.append(f"{proc}/net/{protocol} cannot be read: {error.strerror}")
    if len(found) >= MOST_PORTS:
        problems.append(f"only the first {MOST_PORTS} open ports are shown")
    holders, is_whole = _holders(proc, set(found), is_stopped)
    if not is_whole:
        problems.append(f"not all processes could be looked into within {LOOK_AT_MOST_S:.0f} s")
    names: dict[int, str] = {}
    ports = []
    for inode, (protocol, address, port) in found.items():
        pid = holders.get(inode)
        if pid is not None and pid not in names:
            names[pid] = _name(f"{proc}/{pid}/comm")
        process = "" if pid is None else names[pid]
        ports.append(Port(protocol=protocol, address=address, port=port, pid=pid, process=process))
    strangers = sum(port.pid is None for port in ports)
    if strangers and is_whole:
        problems.append(
            f"of {strangers} the process is not known: it belongs to the kernel, or to a user whose processes this"
            " agent may not look into"
        )
    ports.sort(key=lambda port: (port.protocol, port.port, port.address))
    return ports, "; ".join(problems)


def _read_table(path: str, protocol: str, state: bytes, found: dict[int, tuple[str, str, int]]) -> None:
    with open(path, "rb") as stream:
        next(stream, b"")
        for line in stream:
            fields = line.split(None, 10)
            if len(fields) < 10 or fields[3] != state:
                continue
            if len(found) >= MOST_PORTS:
                return
            address, _colon, port = fields[1].decode("ascii", "replace").partition(":")
            try:
                found[int(fields[9])] = (protocol, _shown_address(address), int(port, 16))
            except ValueError:
                continue


def _shown_address(digits: str) -> str:
    """An address of /proc/net: each four octets are a number in the machine's own order."""
    words = [int(digits[place : place + 8], 16).to_bytes(4, sys.byteorder) for place in range(0, len(digits), 8)]
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return socket.inet_ntop(family, b"".join(words))


def _holders(proc: str, inodes: set[int], is_stopped: Callable[[], bool]) -> tuple[dict[int, int], bool]:
    """Which process holds each of the sockets, the oldest where several do; and whether all could be looked into."""
    holders: dict[int, int] = {}
    give_up_s = time.monotonic() + LOOK_AT_MOST_S
    for pid in sorted(int(name) for name in os.listdir(proc) if name.isdigit()):
        if is_stopped() or time.monotonic() > give_up_s:
            return holders, False
        for inode in _sockets_of(f"{proc}/{pid}/fd", give_up_s):
            if inode in inodes:
                holders.setdefault(inode, pid)
    return holders, True


def _sockets_of(folder: str, give_up_s: float) -> Iterator[int]:
    try:
        entries = os.listdir(folder)
    except OSError:
        return
    for place, entry in enumerate(entries):
        if place % 1024 == 1023 and time.monotonic() > give_up_s:
            return
        try:
            target = os.readlink(f"{folder}/{entry}")
        except OSError:
            continue
        if target.startswith(_SOCKET):
            yield int(target[len(_SOCKET) : -1])


def _name(path: str) -> str:
    try:
        with open(path, "rb") as stream:
            return plain_text(stream.read(64).decode(errors="replace").strip(), 64)
    except OSError:
        return ""


def _ports_by_psutil() -> tuple[list[Port], str]:
    import psutil  # where there is no /proc the collector has it already

    try:
        sockets = psutil.net_connections(kind="inet")
    except (psutil.Error, OSError) as error:
        return [], f"this agent may not see the open ports: {error}"
    ports = []
    for found in sockets:
        is_udp = found.type == socket.SOCK_DGRAM
        if not found.laddr or (bool(found.raddr) if is_udp else found.status != psutil.CONN_LISTEN):
            continue
        protocol = ("udp" if is_udp else "tcp") + ("6" if found.family == socket.AF_INET6 else "")
        process = ""
        if found.pid is not None:
            try:
                process = plain_text(psutil.Process(found.pid).name(), 64)
            except psutil.Error:
                pass
        ports.append(
            Port(protocol=protocol, address=found.laddr.ip, port=found.laddr.port, pid=found.pid, process=process)
        )
    ports.sort(key=lambda port: (port.protocol, port.port, port.address))
    is_cut = len(ports) > MOST_PORTS
    return ports[:MOST_PORTS], f"only the first {MOST_PORTS} open ports are shown" if is_cut else ""
