"""What a console asks of a machine when somebody looks: its services, who is logged in, its open ports.

Called in the loop of the link. What comes is untrusted: counted, cleaned, cut; more than any machine has ends the link.
Each raises BeffroiError where the agent does not give it, such as one that is older than these requests.
"""

from __future__ import annotations

from msgspec import Raw

from core.errors import RemoteProtocolError
from core.machine_records import Port, PortList, Service, ServiceList, Session, SessionList
from core.protocol import messages
from core.protocol.detail_messages import DetailQuery, PortPage, ServicePage, SessionPage
from core.protocol.messages import plain_text
from core.services.agent_link import AgentLink
from core.services.peer_records import plain_port, plain_service, plain_session, plain_time

TIMEOUT_S = 20.0
"""An agent gives its service manager ten seconds."""

MOST_SERVICES, MOST_SESSIONS, MOST_PORTS = 20_000, 20_000, 100_000
MOST_PAGES = 1_000
LONGEST_PROBLEM = 512


class _Head:
    """What stands on the pages of one answer beside their rows: as the first one says it."""

    def __init__(self) -> None:
        self.time_s = 0.0
        self.manager = ""
        self.problem = ""
        self._pages = 0

    def take(self, time_s: float, problem: str, manager: str = "") -> None:
        """One more page; raises RemoteProtocolError where there is no end of them."""
        if self._pages == 0:
            self.time_s, self.manager = plain_time(time_s), plain_text(manager, 64)
            self.problem = plain_text(problem, LONGEST_PROBLEM)
        self._pages += 1
        if self._pages > MOST_PAGES:
            raise RemoteProtocolError(f"an answer of more than {MOST_PAGES} pages")


def _check(count: int, most: int, kind: str) -> None:
    if count > most:
        raise RemoteProtocolError(f"a machine of more than {most} {kind}")


async def services(link: AgentLink, machine: str) -> ServiceList:
    """The services of the machine behind `link`, each name once, by name."""
    found: dict[str, Service] = {}
    head = _Head()

    def take(result: Raw) -> bool:
        page = messages.decode_as(ServicePage, result)
        for service in map(plain_service, page.services):
            found.setdefault(service.name, service)
        _check(len(found), MOST_SERVICES, "services")
        head.take(page.time_s, page.problem, page.manager)
        return page.is_last

    await link.ask("services", DetailQuery(), take, TIMEOUT_S)
    return ServiceList(
        machine=machine,
        time_s=head.time_s,
        services=tuple(sorted(found.values(), key=lambda service: service.name.casefold())),
        manager=head.manager,
        problem=head.problem,
    )


async def sessions(link: AgentLink, machine: str) -> SessionList:
    """Who is logged in on the machine behind `link`, longest first."""
    found: list[Session] = []
    head = _Head()

    def take(result: Raw) -> bool:
        page = messages.decode_as(SessionPage, result)
        found.extend(map(plain_session, page.sessions))
        _check(len(found), MOST_SESSIONS, "sessions")
        head.take(page.time_s, page.problem)
        return page.is_last

    await link.ask("sessions", DetailQuery(), take, TIMEOUT_S)
    return SessionList(
        machine=machine,
        time_s=head.time_s,
        sessions=tuple(sorted(found, key=lambda session: (session.since_s or 0.0, session.terminal))),
        problem=head.problem,
    )


async def ports(link: AgentLink, machine: str) -> PortList:
    """The open ports of the machine behind `link`, by protocol and number."""
    found: set[Port] = set()
    head = _Head()

    def take(result: Raw) -> bool:
        page = messages.decode_as(PortPage, result)
        found.update(port for port in map(plain_port, page.ports) if port is not None)
        _check(len(found), MOST_PORTS, "ports")
        head.take(page.time_s, page.problem)
        return page.is_last

    await link.ask("ports", DetailQuery(), take, TIMEOUT_S)
    return PortList(
        machine=machine,
        time_s=head.time_s,
        ports=tuple(sorted(found, key=lambda port: (port.protocol, port.port, port.address, port.pid or 0))),
        problem=head.problem,
    )
