"""What a console asks when somebody looks, of an agent that lies: counted, cleaned, or the link is left."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec.structs import replace
from simulated_site import Site

from bench.simulated_agents import SimulatedAgents, made_up_status
from core.errors import RemoteProtocolError, TransportError
from core.machine_records import Port, ProcessUse, Service, Session, Temperature
from core.protocol import messages
from core.protocol.detail_messages import PortPage, ServicePage, SessionPage
from core.protocol.frames import JSON_FRAME, encode_frame
from core.records import Machine
from core.services import machine_details
from core.services.agent_link import AgentLink

NOW = 1_763_000_000.0
EVIL = "a\x1b]0;x\x07" + "b" * 1000


class AnsweringTransport(asyncio.Transport):
    """Answers each request of a link with the results that were made ready for it."""

    def __init__(self, results: list[object]) -> None:
        super().__init__()
        self.results = results
        self.link: AgentLink | None = None
        self.is_aborted = False

    def write(self, data: bytes) -> None:  # type: ignore[override]  # what links write is bytes
        number = messages.decode_envelope(data[5:]).id or 0
        frames = [encode_frame(JSON_FRAME, messages.encode_result(number, result)) for result in self.results]
        assert self.link is not None
        asyncio.get_running_loop().call_soon(self.link.data_received, b"".join(frames))

    def get_write_buffer_size(self) -> int:
        return 0

    def abort(self) -> None:
        self.is_aborted = True


class Deaf:
    """Hears nothing of commands."""

    def on_exec_opened(self, exec_id: str) -> None: ...
    def on_output(self, exec_id: str, fd: int, content: bytes) -> None: ...
    def on_exec_exit(self, message: object) -> None: ...


def asked(question: Callable[[AgentLink, str], Awaitable[Any]], *results: object) -> Any:
    """The answer to a question where the agent answers so."""

    async def ask() -> Any:
        transport = AnsweringTransport(list(results))
        link = AgentLink(Machine(name="m1", host="127.0.0.1"), lambda _message: None, Deaf())
        transport.link = link
        link.connection_made(transport)
        link._reader.set_limit(1 << 18)
        try:
            return await question(link, "m1")
        finally:
            assert link.lost.done() is transport.is_aborted

    return asyncio.run(ask())


def services(*rows: Service, is_last: bool = True, **told: Any) -> ServicePage:
    return ServicePage(time_s=told.pop("time_s", NOW), services=rows, is_last=is_last, **told)


def service(name: str, **told: Any) -> Service:
    return Service(**{"name": name, "description": "", "state": "running", "start_mode": "manual"} | told)


def ports(*rows: Port, is_last: bool = True) -> PortPage:
    return PortPage(time_s=NOW, ports=rows, is_last=is_last)


def test_services_come_in_pages_by_name() -> None:
    found = asked(
        machine_details.services,
        services(service("ssh", pid=812), service("Cron"), is_last=False, manager="systemd", problem="p"),
        services(service("apt", state="failed"), manager="other", problem="q"),
    )
    assert [(one.name, one.state, one.pid) for one in found.services] == [
        ("apt", "failed", None),
        ("Cron", "running", None),
        ("ssh", "running", 812),
    ]
    assert (found.machine, found.time_s, found.manager, found.problem) == ("m1", NOW, "systemd", "p")


def test_a_service_that_lies_is_made_plain() -> None:
    lying = service(EVIL, description=EVIL, state="<b>", start_mode="=cmd()", pid=-5)
    found = asked(machine_details.services, services(lying, lying, time_s=-1.0, manager=EVIL[:200], problem=EVIL))
    (one,) = found.services
    assert one.name.isprintable()
    assert len(one.name) == len(one.description) == 256
    assert (one.state, one.start_mode, one.pid) == ("unknown", "unknown", None)
    assert found.time_s == 0.0
    assert found.manager.isprintable()
    assert len(found.problem) <= machine_details.LONGEST_PROBLEM
    assert found.problem.isprintable()


def test_sessions_that_lie_are_made_plain() -> None:
    rows = (
        Session(user=EVIL, terminal="pts/1\n", host="=1+1", since_s=1e300),
        Session(user="ann", terminal="tty1", host="", since_s=NOW),
        Session(user="bob", terminal="tty2", host="", since_s=-3.0),
    )
    found = asked(machine_details.sessions, SessionPage(time_s=NOW, sessions=rows, is_last=True))
    assert {(one.user[:3], one.terminal, one.since_s) for one in found.sessions} == {
        ("a ]", "pts/1 ", None),
        ("ann", "tty1", NOW),
        ("bob", "tty2", None),
    }


def test_ports_that_cannot_be_are_left_out() -> None:
    def port(protocol: str, number: int, pid: int | None = None) -> Port:
        return Port(protocol=protocol, address=EVIL, port=number, pid=pid, process=EVIL)

    rows = (port("tcp", 70000), port("tcp", -1), port("sctp", 1), port("udp6", 53, -1), port("tcp", 22, 2**40))
    found = asked(machine_details.ports, ports(*rows, *rows))
    assert [(one.protocol, one.port, one.pid) for one in found.ports] == [("tcp", 22, None), ("udp6", 53, None)]
    assert all(one.address.isprintable() and len(one.address) == 64 for one in found.ports)


@pytest.mark.parametrize(
    ("question", "results"),
    [
        (machine_details.services, [{"services": "all"}]),
        (machine_details.services, [{"time_s": NOW, "services": [{"name": 5}], "is_last": True}]),
        (machine_details.services, [{"time_s": NOW, "services": [], "is_last": True, "problem": "x" * 5000}]),
        (machine_details.sessions, [[]]),
        (machine_details.ports, [{"time_s": "now", "ports": [], "is_last": True}]),
        (machine_details.ports, [{"time_s": NOW, "ports": [{"protocol": "tcp"}], "is_last": True}]),
        (machine_details.services, [services(is_last=False)] * 1001),
        (machine_details.sessions, [SessionPage(time_s=NOW, sessions=(), is_last=False)] * 1001),
        (machine_details.ports, [ports(is_last=False)] * 1001),
    ],
)
def test_nonsense_and_pages_without_end_end_the_link(question: Any, results: list[object]) -> None:
    with pytest.raises(RemoteProtocolError):
        asked(question, *results)


def test_a_million_services_end_the_link(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MOST_SERVICES", "MOST_SESSIONS", "MOST_PORTS"):
        monkeypatch.setattr(machine_details, name, 500)
    with pytest.raises(RemoteProtocolError, match="more than 500 services"):
        asked(
            machine_details.services,
            *(services(*(service(f"{page}-{row}") for row in range(200)), is_last=False) for page in range(9)),
        )
    rows = [Port(protocol="tcp", address="::", port=number) for number in range(501)]
    with pytest.raises(RemoteProtocolError, match="more than 500 ports"):
        asked(machine_details.ports, ports(*rows, is_last=False))
    session = Session(user="u", terminal="t", host="", since_s=None)
    with pytest.raises(RemoteProtocolError, match="more than 500 sessions"):
        asked(machine_details.sessions, *[SessionPage(time_s=NOW, sessions=(session,) * 300, is_last=False)] * 2)


def test_an_agent_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_details, "TIMEOUT_S", 0.05)
    with pytest.raises(TransportError):
        asked(machine_details.ports, ports(is_last=False))


def use(pid: int, **told: Any) -> ProcessUse:
    known = {"pid": pid, "name": "p", "user": "u", "cpu_percent": 1.0, "memory_bytes": 1, "started_s": NOW}
    return ProcessUse(**known | told)


def test_what_is_told_only_when_it_changes_is_carried_on_until_the_link_ends(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And an agent that never tells it, as older ones do, leaves it absent."""
    told = iter([{}, {"top_processes": (use(1),), "temperatures": (Temperature(name="t", celsius=40.0),)}])

    def status(self: SimulatedAgents) -> Any:
        self.number += 1
        made = made_up_status(self.number, time.time())
        return replace(made, **next(told, {}))

    async def story(agents: SimulatedAgents) -> None:
        await site.until(lambda: len([one for one in site.reports("m1") if one.is_new]) >= 4)
        seen = [one.status for one in site.reports("m1") if one.is_new and one.status is not None]
        assert (seen[0].top_processes, seen[0].temperatures) == (None, None)
        processes, temperatures = seen[1].top_processes, seen[1].temperatures
        assert processes == (use(1),)
        assert all(one.top_processes is processes and one.temperatures is temperatures for one in seen[1:4])
        agents.drop()
        agents.run_id = "run-2"
        count = len(site.records)
        await site.until(lambda: any(getattr(one, "is_new", False) for one in site.records[count:]))
        after = next(one for one in site.reports("m1")[-20:][::-1] if one.is_new and one.status is not None)
        assert after.status is not None
        assert after.status.top_processes is None

    async def run() -> None:
        async with (
            SimulatedAgents(site.agents[0], site.console.certificate_pem) as agents,
            site.polling(site.machine("m1", agents.port)),
        ):
            await story(agents)

    monkeypatch.setattr(SimulatedAgents, "status", status)
    asyncio.run(run())
