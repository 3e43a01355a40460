"""Everything of a site beside its machines and meters, over one hub: sensors, room, checks, alarms and their outputs.

Each part runs when the settings ask for it, and is supervised by itself: one that fails, such as a listener whose
port is taken, is said (by its own report, or an event) and tried again, and the others never notice. The parts are
imported when they start, so that whoever makes a Site starts fast.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from msgspec.structs import replace

from core.config import Config, load_config
from core.errors import UsageError
from core.home import Home
from core.language import _
from core.records import Event, Machine, Severity
from core.requests import (
    AlarmRequest,
    CheckRequest,
    EnterRequest,
    LineWatchRequest,
    MaintenanceRequest,
    MeterCancelRequest,
    MeterReadRequest,
    ProfileRequest,
    RegistersRequest,
    ReloadRequest,
    Request,
    SayRequest,
)
from core.services.hub import Hub
from core.services.site_part import SitePart
from core.services.site_presence import Presence
from core.site_records import Alarm, IntakeReport, ListenerState, Record, RoomReport

if TYPE_CHECKING:
    from core.services.alarm_outputs import AlarmOutputs
    from core.services.alarm_watch import AlarmWatch
    from core.services.chat_room import ChatRoom
    from core.services.checks import CheckRunner
    from core.services.sensor_intake import SensorIntake


class Query(Protocol):
    """Asks the history in the thread that holds it (`Recorder.query`)."""

    def __call__(self, function: Callable[[Any], Any], /) -> Awaitable[Any]:
        """What `function(history)` returns."""


MeterRequest = MeterReadRequest | RegistersRequest | ProfileRequest | MeterCancelRequest | LineWatchRequest


class Meters(Protocol):
    """Who reads the meters of a site; each raises UsageError for one that is not read there, from any thread."""

    def names(self) -> list[str]:
        """The meters that are read."""

    def read_now(self, name: str, /) -> None:
        """Read it at once, where it is one that is asked."""

    def read_registers(self, name: str, /) -> None:
        """Have all its registers read; they come as RegisterList."""

    def read_profile(self, name: str, start_s: float, end_s: float, obis: str | None, /) -> None:
        """Have its load profile read; it comes as ProfilePart."""

    def cancel_asks(self, name: str, /) -> None:
        """End what its registers and load profile were asked for."""

    def watch_line(self, name: str, is_wanted: bool, /) -> None:
        """Have the octets of its line published as LineOctets, or no more."""


def ask_meter(meters: Meters, request: MeterRequest) -> None:
    """Have a meter asked; raises UsageError for one that is not read there, or for what cannot be asked."""
    name = request.meter
    if isinstance(request, MeterReadRequest):
        meters.read_now(name)
    elif isinstance(request, RegistersRequest):
        meters.read_registers(name)
    elif isinstance(request, LineWatchRequest):
        meters.watch_line(name, request.is_wanted)
    elif isinstance(request, MeterCancelRequest):
        meters.cancel_asks(name)
    elif request.start_s >= request.end_s:
        raise UsageError(_("the load profile is asked for from a time to a later one"))
    else:
        meters.read_profile(name, request.start_s, request.end_s, request.obis)


class Site:
    """The parts of one site, in the loop that runs `run`; a Sink, whose `put` may be called from any thread.

    `meters` are asked for what somebody wants of a meter; `on_reload` is told of new settings, so that whoever polls
    machines and reads meters follows them too. What is learned is published to `publish`; `hub` is where the alarms
    hear what others learn.
    """

    def __init__(
        self,
        home: Home,
        config: Config,
        hub: Hub,
        query: Query,
        publish: Callable[[Record], None],
        *,
        meters: Meters | None = None,
        on_reload: Callable[[Config], Awaitable[None]] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._home = home
        self._config = config
        self._hub = hub
        self._query = query
        self._publish_on = publish
        self._meters = meters
        self._on_reload = on_reload
        self._clock = clock
        self._machines: list[Machine] = []
        self._presence = Presence(self._open_room)
        self._parts: dict[str, SitePart] = {}
        self._failures: dict[type, str | None] = {}
        self._changing = asyncio.Lock()
        self._is_running = False
        self._applied = asyncio.Event()

    @property
    def config(self) -> Config:
        """The settings in force."""
        return self._config

    @property
    def open_alarms(self) -> list[Alarm]:
        """All alarms that are open now."""
        watch: AlarmWatch | None = self._made("alarms")
        return [] if watch is None else watch.open_alarms

    def addresses(self) -> list[str]:
        """Where the listeners that are up listen."""
        return [part.made.address for part in self._listeners() if part.made is not None and part.made.address]

    async def ready(self, timeout_s: float = 2.0) -> None:
        """Return once each listener that the settings ask for is up, or cannot be, or the time is over."""
        await self._applied.wait()
        waits = [asyncio.ensure_future(part.settled()) for part in self._listeners()]
        if waits:
            _done, pending = await asyncio.wait(waits, timeout=timeout_s)
            for wait in pending:
                wait.cancel()

    async def run(self) -> None:
        """Run the parts until cancelled; all have ended when this returns."""
        self._hub.add(self)
        self._is_running = True
        try:
            await self._apply()
            self._applied.set()
            await asyncio.get_running_loop().create_future()
        finally:
            self._is_running = False
            self._hub.remove(self)
            # what receives ends first, so that what it still told is evaluated
            for name in ("intake", "room", "checks", "posts", "alarms", "outputs"):
                await self._stop(name)

    def put(self, record: Record) -> None:
        """Something was learned: to the alarms, their outputs and the room."""
        for part in list(self._parts.values()):
            if part.is_sink and part.made is not None:
                part.made.put(record)

    def set_machines(self, machines: Sequence[Machine]) -> None:
        """The machines whose groups and absence the alarms look at."""
        self._machines = list(machines)
        watch: AlarmWatch | None = self._made("alarms")
        if watch is not None:
            watch.set_machines(self._machines)

    async def set_config(self, config: Config) -> None:
        """Take other settings: what they do not concern goes on as it was."""
        self._config = config
        if self._is_running:
            await self._apply()

    def enter(self, operator: str) -> None:
        """An operator has opened a window, and is present in the room."""
        self._presence.open_window(operator)

    def leave(self, operator: str) -> None:
        """An operator has closed a window."""
        self._presence.close_window(operator)

    async def handle(self, request: Request) -> None:
        """Do what is asked; raises BeffroiError where it cannot be done."""
        if isinstance(request, SayRequest):
            room = self._open_room()
            if room is None:
                raise UsageError(_("the room is not open here; switch it on in Preferences"))
            room.say(request.operator, request.room, request.text, request.link)
        elif isinstance(request, EnterRequest):
            if self._presence.has_window(request.operator):
                self._presence.enter(request.operator, request.room)
        elif isinstance(request, AlarmRequest | MaintenanceRequest):
            watch: AlarmWatch = self._needed("alarms", _("alarms are not watched at this moment; try again"))
            await watch.handle(request)
        elif isinstance(request, CheckRequest):
            checks: CheckRunner = self._needed("checks", _("there are no checks yet; add one first"))
            await checks.check_now(request.names)
        elif isinstance(request, MeterRequest):
            if self._meters is None:
                raise UsageError(_("{meter} is not read here").format(meter=request.meter))
            ask_meter(self._meters, request)
        elif isinstance(request, ReloadRequest):
            config, _warnings = await asyncio.to_thread(load_config, self._home)
            await self.set_config(config)
            if self._on_reload is not None:
                await self._on_reload(config)

    # Parts

    async def _apply(self) -> None:
        """Start, change and stop parts until they are those of the settings."""
        config = self._config
        async with self._changing:
            outputs = (config.alarms.email, config.alarms.webhook)
            posts = (config.room.post_alarms, config.room.post_commands) if config.room.enabled else (None, False)
            await self._keep("alarms", self._new_alarms, "always")
            await self._keep("outputs", self._new_outputs, outputs if any(outputs) else None)
            await self._keep("room", self._new_room, (config.room, config.operator) if config.room.enabled else None)
            await self._keep("posts", self._new_posts, (config.room, *posts) if any(posts) else None)
            await self._keep("intake", self._new_intake, config.sensors if config.sensors.enabled else None)
            await self._keep("checks", self._new_checks, "some" if config.checks else None)
            watch, checks = self._made("alarms"), self._made("checks")
            if watch is not None:
                watch.set_settings(config.alarms, config.sensor_list)
                watch.set_checks(config.checks)
                watch.set_meters([(meter, config.tariff_of(meter.name)) for meter in config.meters])
            if checks is not None:
                checks.set_checks(config.checks)

    async def _keep(self, name: str, make: Callable[[], Any], settings: object) -> None:
        """Let the part `name` run with `settings`, or not at all where they are None."""
        part = self._parts.get(name)
        if part is not None and part.settings == settings:
            return
        await self._stop(name)
        if settings is not None:
            part = self._parts[name] = SitePart(name, make, settings, self._tell)
            part.start()

    async def _stop(self, name: str) -> None:
        part = self._parts.pop(name, None)
        if part is not None:
            await part.stop()

    def _listeners(self) -> list[SitePart]:
        return [self._parts[name] for name in ("intake", "room") if name in self._parts]

    def _open_room(self) -> ChatRoom | None:
        """The room's server while it listens."""
        room: ChatRoom | None = self._made("room")
        return None if room is None or room.address is None else room

    def _made(self, name: str) -> Any:
        part = self._parts.get(name)
        return None if part is None else part.made

    def _needed(self, name: str, words: str) -> Any:
        made = self._made(name)
        if made is None:
            raise UsageError(words)
        return made

    def _new_alarms(self) -> AlarmWatch:
        from core.services.alarm_watch import AlarmWatch

        watch = AlarmWatch(self._config.alarms, self._config.sensor_list, self._publish, self._query)
        watch.set_machines(self._machines)
        watch.set_checks(self._config.checks)
        watch.set_meters([(meter, self._config.tariff_of(meter.name)) for meter in self._config.meters])
        return watch

    def _new_outputs(self) -> AlarmOutputs:
        from core.services.alarm_outputs import AlarmOutputs

        return AlarmOutputs(self._config.alarms, self._home, self._publish)

    def _new_intake(self) -> SensorIntake:
        from core.services.sensor_intake import SensorIntake

        settings = self._config.sensors
        if settings.file is not None:
            settings = replace(settings, file=str(self._home.path / settings.file))
        return SensorIntake(
            settings,
            lambda measures: self._query(lambda history: history.write_measures(measures)),
            self._publish,
            clock=self._clock,
        )

    def _new_room(self) -> ChatRoom:
        from core.services.chat_room import ChatRoom
        from core.services.chat_secret import room_secret

        return ChatRoom(
            self._config.room,
            self._publish,
            operator=self._config.operator,
            last_lines=lambda name: self._query(lambda history: history.chat_lines(name)),
            clock=self._clock,
            secret=room_secret(self._home),
        )

    def _new_posts(self) -> Any:
        from core.services.chat_posts import ChatPosts

        def post(*words: Any, **more: Any) -> None:
            room = self._open_room()
            if room is not None:
                room.post(*words, **more)

        return ChatPosts(self._config.room, post)

    def _new_checks(self) -> CheckRunner:
        from core.services.checks import CheckRunner

        runner = CheckRunner(self._publish, clock=self._clock)
        runner.set_checks(self._config.checks)
        return runner

    # News

    def _publish(self, record: Record) -> None:
        """A listener that fails again for the same reason has said so already."""
        if isinstance(record, IntakeReport | RoomReport):
            failure = record.error if record.state is ListenerState.FAILED else None
            if failure is not None and self._failures.get(type(record)) == failure:
                return
            self._failures[type(record)] = failure
        self._publish_on(record)
        if isinstance(record, RoomReport):
            self._presence.follow()

    def _tell(self, name: str, text: str) -> None:
        self._publish_on(
            Event(time_s=self._clock(), source=f"site/{name}", kind="part_failed", severity=Severity.ERROR, text=text)
        )
