"""A desk of an agent: what answers some of the requests of consoles, beyond status and processes.

An agent is the desks that were opened in it (`core.agent.desks`): what has no desk is not reachable, and where it is
imported by its desk alone, as commands are, it is not even in the program.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Raw

from core.agent.link_host import Request
from core.records import Level

if TYPE_CHECKING:
    from core.agent.link import AgentLink


class Business(NamedTuple):
    """What goes on for a console: the level that it needs, and the addresses from which it was begun."""

    level: Level
    addresses: frozenset[str]


class Desk:
    """Requests and notifications under their methods, and the capabilities that `hello` names for them.

    All of it happens in the agent's loop; nothing here may wait for a disk or a program that can hang.
    """

    capabilities: tuple[str, ...] = ()

    def requests(self) -> dict[str, Request]:
        """What it answers."""
        return {}

    def notifications(self) -> dict[str, Callable[[AgentLink, Raw], None]]:
        """What it is told without an answer, by consoles after their hello, whatever their level."""
        return {}

    def detach(self, link: AgentLink) -> None:
        """A link has ended."""

    def busy_for(self) -> Mapping[str, Business]:
        """Consoles for which something goes on, linked or not, and the rights that each needs for it."""
        return {}

    def distrust(self, fingerprint: str) -> None:
        """A console is trusted no more, or less than before."""

    def look_around(self, now_s: float) -> None:
        """Twice a second: notice what has changed, forget what is old; `now_s` by the monotonic clock."""

    async def stop(self) -> None:
        """The agent stops: leave nothing behind."""
