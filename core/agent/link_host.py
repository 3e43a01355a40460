"""What a link of an agent and the agent that holds it know of each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from msgspec import Raw

from core.agent.consoles import AuthorizedConsole
from core.agent.pairing import Attempt
from core.protocol import messages
from core.records import Level, Process, Status

if TYPE_CHECKING:
    from core.agent.link import AgentLink


class Request(NamedTuple):
    """A request that an agent answers: the least level of the console, and what answers it.

    The handler gets the link, the number of the request and its parameters; it answers by `link.answer`, or refuses by
    `link.refuse`. What it raises ends the link: RemoteProtocolError with one line in the log.
    """

    level: Level
    handler: Callable[[AgentLink, int, Raw], None]


class LinkHost(Protocol):
    """What a link asks of the agent that holds it (`core.agent.server.AgentServer`)."""

    run_id: str
    requests: dict[str, Request]
    notifications: dict[str, Callable[[AgentLink, Raw], None]]

    def unknown_request(self, method: str) -> str:
        """Why there is no such request here."""

    def remember(self, link: AgentLink) -> None:
        """The handshake of a link holds."""

    def forget(self, link: AgentLink) -> None:
        """A link has ended."""

    def now_s(self) -> float:
        """The monotonic clock by which statuses are due."""

    def admit(self, fingerprint: str, address: str) -> tuple[AuthorizedConsole | None, str]:
        """The console of this certificate as listed now; else None and the reason."""

    def capped(self, console: AuthorizedConsole) -> AuthorizedConsole:
        """The console with the level it has here."""

    def still_trusts(self, link: AgentLink) -> bool:
        """False where the line of its console is not what it was when it came; the link has ended then."""

    def is_tired_of(self, link: AgentLink) -> bool:
        """True while nothing more of its console is looked at (`core.agent.patience`)."""

    def count_refusal(self, link: AgentLink) -> None:
        """Something that its console asked for was refused."""

    def make_room(self, link: AgentLink) -> None:
        """A console that has not said hello yet has one more link."""

    def welcome(self, link: AgentLink) -> bool:
        """False where this console has too many links already."""

    def hello(self, console: AuthorizedConsole, minor: int) -> messages.Hello:
        """What the agent says of itself."""

    def fresh_status(self) -> Status:
        """A status of this moment."""

    def status_frame(self, status: Status, sections: frozenset[str] | None, told: Status | None) -> bytes:
        """The frame of a status, for a link that was told another one before."""

    def status_after(self, number: int, sections: frozenset[str] | None) -> tuple[int, bytes] | None:
        """The oldest status kept above `number`, and its frame."""

    def process_table(self) -> tuple[float, tuple[Process, ...]]:
        """When, and all processes."""

    def reschedule(self) -> None:
        """A link has another interval."""

    def pairing_closed_reason(self) -> str | None:
        """Why nobody can pair now, None while somebody can."""

    def begin_pairing(self, begin: messages.PairBegin, address: str) -> Attempt:
        """Answer a console that wants to pair."""

    def finish_pairing(self, attempt: Attempt, proof: bytes) -> messages.PairProof:
        """Trust the console of a right proof at once."""
