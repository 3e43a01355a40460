"""Real agents on hosts of their own (network namespaces): delay, losses, a cable that is pulled and comes back.

Needs root, `ip` and TAP interfaces; skipped, visibly, elsewhere.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from msgspec import structs
from simulated_site import Site

from bench.hostile_peers import AgentProcess
from core.records import CommandState, Level, Machine, MachineState
from core.services.agent_sweep import sweep
from core.services.commands import new_request
from core.transport.identity import ensure_identity

ROOT = Path(__file__).resolve().parents[2]
PORT = 17450
INTERVAL_S = 0.3
ONLINE, LATE, OFFLINE = MachineState.ONLINE, MachineState.LATE, MachineState.OFFLINE


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


def why_not() -> str:
    """Why there are no namespaces here, "" where there are."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "network namespaces need root on Linux"
    if shutil.which("ip") is None:
        return "there is no program `ip`"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "there is no /dev/net/tun"
    name = f"bfx{os.getpid()}"
    try:
        ip("netns", "add", name)
        ip("netns", "del", name)
        ip("link", "add", name, "type", "bridge")
        ip("link", "del", name)
    except subprocess.CalledProcessError as error:
        return f"no namespace or bridge can be made here: {error.stderr.strip()}"
    return ""


class Network:
    """A bridge with the console's own address, and hosts on it, each in a namespace."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._id = os.getpid() % 30_000
        self._net = f"10.213.{self._id % 250 + 1}"
        self.bridge = f"bfb{self._id}"
        self.hosts: list[str] = []
        ip("link", "add", self.bridge, "type", "bridge")
        stack.callback(ip, "link", "del", self.bridge)
        ip("addr", "add", f"{self._net}.1/24", "dev", self.bridge)
        ip("link", "set", self.bridge, "up")

    def _namespace(self) -> tuple[str, str]:
        number = len(self.hosts) + 2
        name = f"bf{self._id}-{number}"
        ip("netns", "add", name)
        self._stack.callback(ip, "netns", "del", name)
        self.hosts.append(name)
        return name, f"{self._net}.{number}"

    def _inside(self, name: str, interface: str, address: str) -> None:
        ip("link", "set", interface, "netns", name)
        ip("-n", name, "link", "set", interface, "name", "eth0")
        ip("-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
        ip("-n", name, "link", "set", "lo", "up")
        ip("-n", name, "link", "set", "eth0", "up")

    def host(self) -> tuple[str, str, str]:
        """One more host with a good cable: its namespace, its address, and this end of its cable."""
        name, address = self._namespace()
        near, far = f"bfv{self._id}-{len(self.hosts)}"[:15], f"bfw{self._id}-{len(self.hosts)}"[:15]
        ip("link", "add", near, "type", "veth", "peer", "name", far)
        self._inside(name, far, address)
        ip("link", "set", near, "master", self.bridge)
        ip("link", "set", near, "up")
        return name, address, near

    def far_host(self, delay_s: float, loss: float) -> tuple[str, str, str]:
        """One at the end of a bad wire, both ways."""
        name, address = self._namespace()
        near, far = f"bft{self._id}-{len(self.hosts)}"[:15], f"bfu{self._id}-{len(self.hosts)}"[:15]
        wire = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("lossy_wire.py")), near, far, str(delay_s), str(loss)],
            stdout=subprocess.PIPE,
            text=True,
        )
        self._stack.callback(_end, wire)
        assert wire.stdout is not None
        assert wire.stdout.readline() == "ready\n"
        self._inside(name, far, address)
        ip("link", "set", near, "master", self.bridge)
        ip("link", "set", near, "up")
        return name, address, near


def _end(child: subprocess.Popen[str]) -> None:
    child.kill()
    child.communicate()


@contextmanager
def network() -> Iterator[Network]:
    """Nothing of it is left."""
    with ExitStack() as stack:
        yield Network(stack)


async def until_left(times: dict[MachineState, float], site: Site, name: str, began_s: float) -> None:
    """Note when the machine was first told late, and offline."""
    while OFFLINE not in times:
        state = site.reports(name)[-1].state
        times.setdefault(state, time.monotonic() - began_s)
        await asyncio.sleep(0.02)


def test_hosts_far_away_cut_off_and_back(tmp_path):
    reason = why_not()
    if reason:
        pytest.skip(reason)
    console = ensure_identity(tmp_path / "console", "console")
    with network() as net, ExitStack() as agents:
        near_host, near_address, cable = net.host()
        far_host, far_address, _wire = net.far_host(0.1, 0.025)  # 200 ms and 5 % there and back
        machines: list[Machine] = []

        def started(host: str) -> AgentProcess:
            before = ("ip", "netns", "exec", host)
            return AgentProcess(tmp_path / host, {console: Level.RUN}, listen=f"0.0.0.0:{PORT}", before=before)

        with ThreadPoolExecutor() as threads:
            both = list(threads.map(started, (near_host, far_host)))
        for name, address, agent in zip(("near", "far"), (near_address, far_address), both, strict=True):
            agents.callback(agent.stop)
            machines.append(structs.replace(agent.machine(name), host=address, port=PORT))
        site = Site(console, [])

        async def main() -> None:
            async with site.polling(*machines, interval_s=INTERVAL_S) as poller:
                began_s = time.monotonic()
                await site.until(lambda: all(ONLINE in site.states(name) for name in ("near", "far")))
                assert time.monotonic() - began_s < 8
                request = new_request(["true"], ["near", "far"], 20.0, "Ada", time.time())
                results = await poller.execute(request)
                assert [result.state for result in results] == [CommandState.OK] * 2, results
                found: list[str] = []
                met = await sweep(
                    [f"{near_address.rpartition('.')[0]}.{number}" for number in range(1, 5)],
                    PORT,
                    machines,
                    lambda find: found.append(find.machine or ""),
                    lambda _progress: None,
                )
                assert (met.total, met.done) == (4, 4)
                assert sorted(found) == ["far", "near"]
                await site.until(lambda: site.reports("near")[-1].state is ONLINE)
                times: dict[MachineState, float] = {}
                ip("link", "set", cable, "down")  # no FIN, no RST: the cable is pulled
                cut_s = time.monotonic()
                await asyncio.wait_for(until_left(times, site, "near", cut_s), 8)
                # Three and six intervals after the last status, which may have come one before the cut.
                assert 1.5 * INTERVAL_S < times[LATE] < 4.5 * INTERVAL_S, times
                assert 4.5 * INTERVAL_S < times[OFFLINE] < 8 * INTERVAL_S, times
                (away,) = await poller.execute(new_request(["true"], ["near"], 5.0, "Ada", time.time()))
                assert away.state is CommandState.OFFLINE
                ip("link", "set", cable, "up")
                back_s = time.monotonic()
                await site.until(lambda: site.reports("near")[-1].state is ONLINE)
                assert time.monotonic() - back_s < 5
                await site.until(lambda: any(report.late_statuses for report in site.reports("near")))
                missed = next(report.late_statuses for report in site.reports("near") if report.late_statuses)
                numbers = [status.number for status in missed]
                assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
                assert len(numbers) >= 3
                (again,) = await poller.execute(new_request(["true"], ["near"], 5.0, "Ada", time.time()))
                assert again.state is CommandState.OK

        asyncio.run(main())
    left = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    assert not [host for host in net.hosts if host in left]
