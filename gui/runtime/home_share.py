"""Who collects for the home: this window, or a `collect` beside it that is shown as it works; and the change of turns.

A lock on the home, `collecting.lock`, is held by the one that collects. A window that has it looks for the feed of a
`collect`: once there is one, the window stops its own services, and lets the lock go when all that they had learned is
on its way to the disk. When the feed ends, however that came, the window takes the lock and collects again.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import platform
import time
from collections.abc import Awaitable, Callable, Sequence

from PyQt5.QtCore import QObject, pyqtSignal

from core.config import Config
from core.errors import BeffroiError, TransportError
from core.home import Home, Lock
from core.language import _
from core.records import CommandProgress, CommandRequest, Machine
from core.requests import ReloadRequest, Request
from core.services.feed_reader import Feed, open_feed
from core.services.hub import Hub
from core.services.site import MeterRequest, Meters, Query, Site, ask_meter
from core.site_records import FeedReport, Record
from gui.runtime.loop_thread import LoopThread

LOOK_S = 0.25
"""Between two looks for the feed of a `collect`, and for the lock on the home."""

HELD_S = 3.0
"""A home that is held for so long by one that offers no feed is said to be; one that ends needs some seconds too."""

LET_GO_S = 3.0
"""Ports and pollers of this window are given so long to be let go."""

SETTLE_S = 0.6
"""After that the recorder has begun another batch (`core.services.recorder.BATCH_S`)."""

log = logging.getLogger("beffroi.gui")


class HomeShare(QObject):
    """A thread that runs a Site while this window collects, and reads the feed while another does.

    `began`: this window collects from now on. `stepped_back`: it does not; `let_go` must be called once its ports are
    free. What the feed says goes to `show`, which may be called from any thread.
    """

    began = pyqtSignal()
    stepped_back = pyqtSignal()
    crashed = pyqtSignal(str)

    def __init__(
        self,
        home: Home,
        hub: Hub,
        show: Callable[[Record], None],
        meters: Meters,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._home = home
        self._hub = hub
        self._show = show
        self._meters = meters
        self._thread = LoopThread("site", self)
        self._thread.crashed.connect(self.crashed)
        self._lock = Lock(home.path / "collecting.lock")
        self._site: Site | None = None
        self._feed: Feed | None = None
        self._config = Config()
        self._machines: list[Machine] = []
        self._visible: frozenset[str] = frozenset()
        self._is_let_go = asyncio.Event()
        self._told: tuple[bool, str | None] | None = None
        self._refusal: str | None = None
        self._reload: ReloadRequest | None = None
        self._entered = ""
        self.lost = 0
        """Records of the feed that this window was too slow for."""

    def start(self, config: Config, query: Query, rows_waiting: Callable[[], int]) -> None:
        """Take turns from now on."""
        self._config = config
        self._thread.start()
        self._thread.spawn(self._take_turns(query, rows_waiting))

    def request_stop(self) -> None:
        """End, without waiting; the lock on the home stays."""
        self._thread.request_stop()

    def stop(self) -> None:
        """End and wait; the lock on the home stays until `release`."""
        self._thread.stop()

    def release(self) -> None:
        """Let another collect; after all has been written."""
        self._lock.release()

    def let_go(self) -> None:
        """The ports and pollers of this window are free."""
        self._thread.call(self._is_let_go.set)

    def set_config(self, config: Config) -> None:
        """Settings for the next turn; those of this one are changed by a ReloadRequest."""
        self._config = config
        self._thread.call(self._rename, config.operator)

    def _rename(self, operator: str) -> None:
        """Whoever sits here has another name from now on."""
        if self._site is not None and operator != self._entered:
            self._site.leave(self._entered)
            self._entered = operator
            self._site.enter(operator)

    def set_machines(self, machines: Sequence[Machine]) -> None:
        """The machines of this home."""

        def take() -> None:
            self._machines = list(machines)
            if self._site is not None:
                self._site.set_machines(machines)

        self._thread.call(take)

    def set_visible(self, names: frozenset[str]) -> None:
        """The machines on screen."""

        def take() -> None:
            self._visible = names
            if self._feed is not None:
                self._feed.show(sorted(names))

        self._thread.call(take)

    def poll_now(self, names: Sequence[str] | None) -> None:
        """Have the one beside poll these machines at once."""
        self._thread.call(lambda: self._feed is not None and self._feed.poll_now(names))

    def tell(self, record: CommandRequest | CommandProgress) -> None:
        """Tell the one beside what this window has done."""
        self._thread.call(lambda: self._feed is not None and self._feed.tell(record))

    def ask(self, request: Request) -> concurrent.futures.Future[None]:
        """Have a request carried out by who collects."""
        return self._thread.submit(self._carry_out(request))

    # In the thread

    async def _carry_out(self, request: Request) -> None:
        if isinstance(request, MeterRequest) and request.meter in self._meters.names():
            ask_meter(self._meters, request)  # read by this window, also beside one that collects
        elif self._feed is not None:
            await self._feed.ask(request)
        elif self._site is not None:
            await self._site.handle(request)
        elif isinstance(request, ReloadRequest):
            self._reload = request  # who begins next reads the settings, unless it has just done so
        else:
            raise TransportError(_("the services are just starting, nothing was done; try again in a moment"))

    async def _take_turns(self, query: Query, rows_waiting: Callable[[], int]) -> None:
        loop = asyncio.get_running_loop()
        held_since_s = loop.time()
        while True:
            feed = await self._look()
            if feed is not None:
                await self._listen(feed)
                held_since_s = loop.time()
            elif self._refusal is not None:
                self.stepped_back.emit()
                self._tell(self._refusal)
                await asyncio.sleep(HELD_S)
            elif self._lock.take():
                await self._collect(query, rows_waiting)
                self._lock.release()
                held_since_s = loop.time()
            else:
                if loop.time() - held_since_s > HELD_S:
                    self.stepped_back.emit()
                    self._tell(_("the service that collects for this home does not answer; start it again"))
                await asyncio.sleep(LOOK_S)

    async def _look(self) -> Feed | None:
        """The feed of a `collect`, if there is one that takes us; `_refusal` says why one does not."""
        self._refusal = None
        try:
            return await open_feed(self._home, self._config.operator)
        except BeffroiError as error:
            self._refusal = str(error)
            return None

    async def _collect(self, query: Query, rows_waiting: Callable[[], int]) -> None:
        """Run the site until a `collect` is there, and give its turn to it."""
        site = Site(self._home, self._config, self._hub, query, self._hub.publish, meters=self._meters)
        site.set_machines(self._machines)
        self._entered = self._config.operator
        site.enter(self._entered)
        self._site, self._reload = site, None
        running = asyncio.ensure_future(site.run())
        self._tell(None)
        self.began.emit()
        try:
            await _first(running, self._wait_for_feed())
        finally:
            self._site = None
            site.leave(self._entered)
            running.cancel()
            await asyncio.wait([running])
        self._is_let_go.clear()
        self.stepped_back.emit()
        try:
            async with asyncio.timeout(LET_GO_S):
                await self._is_let_go.wait()
        except TimeoutError:
            log.warning("a port or a poller was not let go in %.0f s", LET_GO_S)
        await asyncio.sleep(SETTLE_S)
        for _turn in range(10):
            if rows_waiting() == 0:
                break
            await asyncio.sleep(SETTLE_S / 6)

    async def _wait_for_feed(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            feed = await self._look()
            if feed is not None:
                feed.close()
            if feed is not None or self._refusal is not None:
                return

    async def _listen(self, feed: Feed) -> None:
        """Show what the feed tells until it ends."""
        self._feed = feed
        asking = asyncio.ensure_future(self._ask_again(feed))
        self.stepped_back.emit()
        self._tell(None, is_beside=True)
        feed.show(sorted(self._visible))
        try:
            while True:
                self._show(await feed.next_record())
                self.lost = feed.lost
        except BeffroiError as error:
            log.warning("%s", error)
        finally:
            self._feed = None
            feed.close()
            asking.cancel()
            await asyncio.wait([asking])

    async def _ask_again(self, feed: Feed) -> None:
        """Have the one beside read the settings that were changed while nobody was there to be told."""
        reload, self._reload = self._reload, None
        if reload is not None:
            try:
                await feed.ask(reload)
            except BeffroiError as error:
                log.warning("the settings were not read again: %s", error)

    def _tell(self, error: str | None, *, is_beside: bool = False) -> None:
        if self._told != (is_beside, error):
            self._told = (is_beside, error)
            self._show(FeedReport(time_s=time.time(), is_beside=is_beside, error=error))


async def _first(*waits: Awaitable[object]) -> None:
    """Return when one of `waits` has ended, raising what it raised."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()


def console_name(config: Config) -> str:
    """How this console is called by those it pairs with."""
    return f"{config.operator}@{platform.node() or 'console'}"
