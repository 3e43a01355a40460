"""The desk of details: services, sessions and open ports, told when a console asks for them.

Each is found out beside the loop (in a thread of its own, or by a program), one of a kind at a time: consoles that ask
meanwhile, or within a second, get the same answer. An agent that stops leaves neither thread nor program behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from msgspec import Raw
from msgspec.json import Encoder

from core.agent.desk import Desk
from core.agent.link_host import Request
from core.protocol import messages
from core.records import Level

if TYPE_CHECKING:
    from core.agent.link import AgentLink

T = TypeVar("T")

SHARED_S = 1.0
"""An answer is given again for so long."""

MOST_WAITING = 64
PAGE_OCTETS = 24 * 1024
STOP_S = 3.0

log = logging.getLogger("beffroi.agent")
_encoder = Encoder()


class _Inquiry:
    """One kind of question: who waits for it, and its last answer in pages."""

    def __init__(self, find: Callable[[], Awaitable[list[Raw]]]) -> None:
        self.find = find
        self.waiting: list[tuple[AgentLink, int]] = []
        self.task: asyncio.Task[None] | None = None
        self.pages: list[Raw] = []
        self.answered_s = 0.0


class DetailDesk(Desk):
    """Answers `services`, `sessions` and `ports`; owned by the agent's loop."""

    capabilities = ("details",)

    def __init__(self, *, may_start_programs: bool) -> None:
        self._may_start_programs = may_start_programs
        self._is_stopped = threading.Event()
        self._inquiries = {
            "services": _Inquiry(self._services),
            "sessions": _Inquiry(self._sessions),
            "ports": _Inquiry(self._ports),
        }

    def requests(self) -> dict[str, Request]:
        """See Desk."""
        return {method: Request(Level.VIEW, self._handler(method)) for method in self._inquiries}

    def detach(self, link: AgentLink) -> None:
        """Nobody waits at the other end any more."""
        for inquiry in self._inquiries.values():
            inquiry.waiting = [item for item in inquiry.waiting if item[0] is not link]

    def look_around(self, now_s: float) -> None:
        """Let go of answers that nobody gets any more."""
        for inquiry in self._inquiries.values():
            if inquiry.pages and now_s - inquiry.answered_s >= SHARED_S:
                inquiry.pages = []

    async def stop(self) -> None:
        """End what is being found out."""
        self._is_stopped.set()
        tasks = [inquiry.task for inquiry in self._inquiries.values() if inquiry.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_S)

    def _handler(self, method: str) -> Callable[[AgentLink, int, Raw], None]:
        def on_request(link: AgentLink, number: int, _params: Raw) -> None:
            self._on_request(self._inquiries[method], link, number)

        return on_request

    def _on_request(self, inquiry: _Inquiry, link: AgentLink, number: int) -> None:
        if inquiry.pages and time.monotonic() - inquiry.answered_s < SHARED_S:
            _give(link, number, inquiry.pages)
        elif len(inquiry.waiting) >= MOST_WAITING:
            link.refuse(number, messages.BUSY, "too many consoles ask for this at once")
        else:
            inquiry.waiting.append((link, number))
            if inquiry.task is None:
                inquiry.task = asyncio.get_running_loop().create_task(self._answer(inquiry))

    async def _answer(self, inquiry: _Inquiry) -> None:
        """Find it out, and tell all who wait."""
        try:
            inquiry.pages = await inquiry.find()
            inquiry.answered_s = time.monotonic()
            waiting, inquiry.waiting = inquiry.waiting, []
            for link, number in waiting:
                _give(link, number, inquiry.pages)
        except Exception:
            log.exception("a console's question could not be answered")
            waiting, inquiry.waiting = inquiry.waiting, []
            for link, number in waiting:
                link.refuse(number, messages.BUSY, "the agent could not find it out; its log has the details")
        finally:
            inquiry.task = None

    async def _services(self) -> list[Raw]:
        from core.agent.service_manager import services  # an agent that nobody asks is smaller without it

        found, manager, problem = await services(self._in_thread, may_start_programs=self._may_start_programs)
        return _pages("services", found, manager=manager, problem=problem)

    async def _sessions(self) -> list[Raw]:
        from core.agent.login_sessions import login_sessions  # as above

        found, problem = await self._in_thread(login_sessions)
        return _pages("sessions", found, problem=problem)

    async def _ports(self) -> list[Raw]:
        from core.agent.open_ports import open_ports  # as above

        found, problem = await self._in_thread(lambda: open_ports(self._is_stopped.is_set))
        return _pages("ports", found, problem=problem)

    async def _in_thread(self, find: Callable[[], T]) -> T:
        """What `find` returns or raises, in a thread that ends with it; cancelled, it is still waited for."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[T] = loop.create_future()

        def tell(result: T | None, error: BaseException | None) -> None:
            if error is not None:
                ended.set_exception(error)
            else:
                ended.set_result(result)  # type: ignore[arg-type]  # None only where T has it

        def run() -> None:
            try:
                found, error = find(), None
            except Exception as raised:
                found, error = None, raised
            with contextlib.suppress(RuntimeError):  # the agent has ended without waiting any longer
                loop.call_soon_threadsafe(tell, found, error)

        thread = threading.Thread(target=run, name="details", daemon=True)
        thread.start()
        try:
            return await asyncio.shield(ended)
        except asyncio.CancelledError:
            await asyncio.wait([ended], timeout=STOP_S)
            if ended.done():
                ended.exception()  # nobody else asks for it
            raise
        finally:
            if ended.done():
                thread.join()


def _give(link: AgentLink, number: int, pages: Sequence[Raw]) -> None:
    for page in pages:
        link.answer(number, page)


def _pages(kind: str, rows: Sequence[object], **told: str) -> list[Raw]:
    """The answers, each of at most 24 KiB of rows: small ones are copied a few times on their way."""
    time_s = time.time()
    pages: list[list[Raw]] = [[]]
    octets = 0
    for row in rows:
        encoded = _encoder.encode(row)
        if octets + len(encoded) > PAGE_OCTETS and pages[-1]:
            pages.append([])
            octets = 0
        pages[-1].append(Raw(encoded))
        octets += len(encoded) + 1
    return [
        Raw(_encoder.encode({"time_s": time_s, kind: page, **told, "is_last": place == len(pages) - 1}))
        for place, page in enumerate(pages)
    ]
