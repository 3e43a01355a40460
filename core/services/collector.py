"""All that one home collects, in one asyncio loop and without a window: what `beffroi collect` runs.

Machines are polled, the meters of the settings read, and a Site does the rest; a Recorder writes all of it, and a
LiveFeed shows it to a window of the same home. Machines that others add, by the command line or a window, are noticed
in the database within a second.

At the end those that learn stop first, then the recorder writes what is left, the minute in progress too; the lock on
the home is let go after that, so that a window that takes over finds everything on the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import psutil

from core.audit import AuditLog
from core.config import Config, database_location
from core.errors import BeffroiError
from core.home import Home, Lock
from core.records import CommandProgress, CommandRequest, Machine
from core.requests import ReloadRequest, Request
from core.services.agent_poller import AgentPoller
from core.services.hub import Hub, Sink
from core.services.live_feed import LiveFeed
from core.services.recorder import Recorder
from core.services.site import Site
from core.services.site_meters import SiteMeters
from core.services.waiting import first_of
from core.site_records import Alarm
from core.store.history import History
from core.transport.identity import Identity

LOOK_S = 0.5
"""Between two looks whether another program has changed the database."""

TURN_S = 0.05
TAKE_OVER_S = 10.0
"""A window that collects has so long to step back; then both collect, which loses nothing."""

log = logging.getLogger("beffroi.collect")


class Collector:
    """Collects for `home` from `run` on; `sink` hears all that is learned. The Door of its own feed."""

    def __init__(self, home: Home, config: Config, identity: Identity, sink: Sink) -> None:
        location = database_location(config, home)
        self._home = home
        self._config = config
        self._hub = Hub(sink)
        self.recorder = Recorder(lambda: History.open(location), config.retention, self._hub.publish)
        self._hub.add(self.recorder)
        self.feed = LiveFeed(home, self)
        self._hub.add(self.feed)
        polling = config.polling
        self.poller = AgentPoller(
            identity,
            self._hub.publish,
            polling.interval_s,
            polling.visible_interval_s,
            AuditLog(home.console_path / "audit.log"),
        )
        self.meters = SiteMeters(home, self._hub.publish, self.recorder.query)
        self.site = Site(
            home,
            config,
            self._hub,
            self.recorder.query,
            self._hub.publish,
            meters=self.meters,
            on_reload=self._on_reload,
        )
        self._machines: list[Machine] = []
        self._polled: list[Machine] | None = None
        self._looked = asyncio.Event()
        self._collecting = Lock(home.path / "collecting.lock")

    @property
    def machines(self) -> int:
        """Machines that are polled."""
        return len(self._polled or ())

    async def run(self, stopped: asyncio.Event, on_waiting: Callable[[], None], on_ready: Callable[[], None]) -> None:
        """Collect until `stopped` is set; all is written when this returns.

        `on_waiting` is called while a window has to step back first, `on_ready` once all has been started.
        """
        recording, feeding, offered = asyncio.Event(), asyncio.Event(), asyncio.Event()
        async with _kept(self.feed.run(offered), feeding):
            try:
                await first_of(offered.wait(), feeding.wait(), stopped.wait())
                await self._take_turn(stopped, on_waiting)
                async with _kept(self.recorder.run(), recording):
                    await self._collect(stopped, recording, feeding, on_ready)
            finally:
                self._collecting.release()

    async def _collect(
        self, stopped: asyncio.Event, recording: asyncio.Event, feeding: asyncio.Event, on_ready: Callable[[], None]
    ) -> None:
        polling, sensing = asyncio.Event(), asyncio.Event()
        try:
            async with _kept(self.poller.run(), polling), _kept(self.site.run(), sensing):
                looking = asyncio.ensure_future(self._follow_machines())
                try:
                    await self.meters.set_meters(self._config.meters)
                    await first_of(_all(self.site.ready(), self._looked.wait()), stopped.wait())
                    on_ready()
                    await first_of(*(event.wait() for event in (stopped, polling, sensing, recording, feeding)))
                finally:
                    looking.cancel()
                    await asyncio.wait([looking])
        finally:
            await self.meters.stop()

    # What a window asks by the feed

    async def handle(self, request: Request) -> None:
        """Do what is asked; raises BeffroiError."""
        await self.site.handle(request)

    async def reload(self) -> None:
        """Read the settings and the machines again; raises ConfigError."""
        await self.handle(ReloadRequest(operator=self._config.operator))

    def open_alarms(self) -> list[Alarm]:
        """All alarms that are open now."""
        return self.site.open_alarms

    def enter(self, operator: str) -> None:
        """A window has come."""
        self.site.enter(operator)

    def leave(self, operator: str) -> None:
        """A window has gone."""
        self.site.leave(operator)
        if not self.feed.readers:
            self.meters.unwatch()

    def set_visible(self, names: frozenset[str]) -> None:
        """These machines are on screen somewhere."""
        self.poller.set_visible(names)

    def poll_now(self, names: Sequence[str] | None) -> None:
        """Poll these machines at once, or all."""
        self.poller.poll_now(names)

    def told(self, record: CommandRequest | CommandProgress) -> None:
        """A window has sent a command, or heard how one ended: it has written that itself, the room may post it."""
        self.site.put(record)

    # Machines and settings

    async def _take_turn(self, stopped: asyncio.Event, on_waiting: Callable[[], None]) -> None:
        """Return when nobody else collects for this home; a window that does sees our feed and steps back."""
        loop = asyncio.get_running_loop()
        give_up_s, is_told = loop.time() + TAKE_OVER_S, False
        while not self._collecting.take() and not stopped.is_set():
            if not is_told:
                is_told = True
                on_waiting()
            if loop.time() > give_up_s:
                log.warning("a window of this home has not stepped back in %.0f s", TAKE_OVER_S)
                return
            await asyncio.sleep(TURN_S)

    async def _follow_machines(self) -> None:
        """Read the list of machines at first, and again whenever another program has written."""
        version: int | None = None
        while True:
            try:
                before, version = version, await self.recorder.query(lambda history: history.data_version())
                if version != before:
                    self._machines = await self.recorder.query(lambda history: history.machines())
                self._hand_over()
            except BeffroiError as error:  # locked for a moment, or worse: the recorder says it
                log.info("the machines cannot be read: %s", error)
                version = None
            except Exception:
                log.exception("the machines cannot be read")
            self._looked.set()
            await asyncio.sleep(LOOK_S)

    def _hand_over(self) -> None:
        """Poll them; this machine's own agent only while it runs, since it ends with the window that started it."""
        polled = [one for one in self._machines if not one.is_local or _is_agent_running(self._home)]
        if polled == self._polled:
            return
        self._polled = polled
        self.poller.set_machines(polled)
        self.site.set_machines(polled)
        self._forget_others()

    def _forget_others(self) -> None:
        config = self._config
        self.feed.keep_only(
            [machine.name for machine in self._polled or ()],
            [meter.name for meter in config.meters],
            [check.name for check in config.checks],
        )

    async def _on_reload(self, config: Config) -> None:
        self._config = config
        self.poller.set_intervals(config.polling.interval_s, config.polling.visible_interval_s)
        await self.meters.set_meters(config.meters)
        self._machines = await self.recorder.query(lambda history: history.machines())
        self._hand_over()
        self._forget_others()


@contextlib.asynccontextmanager
async def _kept(work: Coroutine[Any, Any, None], ended: asyncio.Event) -> Any:
    """Run `work` while the block does; `ended` is set when it ends by itself, and its error raised at the end."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(lambda _task: ended.set())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
    if not task.cancelled():
        task.result()


async def _all(*waits: Coroutine[Any, Any, object]) -> None:
    await asyncio.gather(*waits)


def _is_agent_running(home: Home) -> bool:
    """True while the agent of this home says that it listens."""
    try:
        pid = json.loads((home.agent_path / "listening").read_bytes())["pid"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return isinstance(pid, int) and psutil.pid_exists(pid)
