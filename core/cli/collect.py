"""`beffroi collect`: polls, reads, receives, stores and rings without a window, until SIGTERM or SIGINT.

Lines that other programs read are never translated: `listening on HOST:PORT` for each server that the settings switch
on, the intake of sensors before the room, then `collecting`. With --json one object a line. All else is on stderr.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import platform
import signal
import sys
import time

from core.cli.console import run_until_signalled
from core.cli.output import print_json, print_problem, print_text
from core.cli.service_manager import ServiceManager
from core.config import Config, database_location, load_config
from core.errors import BeffroiError, StoreLockedError, TransportError
from core.home import Home, Lock
from core.language import _, ngettext
from core.records import MachineReport, MachineState, StoreReport
from core.services.collector import Collector
from core.services.console_key import open_identity
from core.site_records import IntakeReport, ListenerState, Record, RoomReport
from core.store.history import History
from core.times import iso_time

STATUS_S = 5.0

_SERVICES: dict[type, str] = {IntakeReport: "sensors", RoomReport: "room"}


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the command `collect`."""
    collect = commands.add_parser(
        "collect",
        parents=[common],
        help=_("poll, read, receive, store and ring without a window, until stopped"),
        description=_(
            "Poll the machines, read the meters, receive sensors, keep the room, run the checks and ring the alarms of "
            "this home, without a window. A window that is opened on the same home shows what is collected. "
            "SIGHUP reads the settings again."
        ),
    )
    collect.set_defaults(handler=run_collect)


def run_collect(options: argparse.Namespace) -> int:
    """Collect until SIGTERM or SIGINT; 0 then, and all is written."""
    home: Home = options.home
    config, warnings = load_config(home)
    for warning in warnings:
        print_problem(warning)
    lock = Lock(home.path / "collect.lock")
    if not lock.take():
        raise TransportError(
            _("beffroi collect runs already on {home} (process {pid}); stop that one, or choose another --home").format(
                home=home.path, pid=_pid_in(lock)
            )
        )
    try:
        _note_pid(lock)
        _check_history(config, home)
        identity = open_identity(home, config, f"{config.operator}@{platform.node() or 'console'}")
        news = _News(options.json)
        collector = Collector(home, config, identity, news)
        return run_until_signalled(lambda stopped: _run(collector, news, stopped))
    finally:
        lock.release()


async def _run(collector: Collector, news: _News, stopped: asyncio.Event) -> int:
    manager = ServiceManager()
    tending: list[asyncio.Task[None]] = []
    dropped_before = 0
    reloading = _on_hangup(collector, manager)

    def on_waiting() -> None:
        print_problem(_("a window collects for this home; it hands over now"))

    def on_ready() -> None:
        news.begin(collector)
        manager.ready()
        tending.append(asyncio.ensure_future(_tend(manager, news, collector)))

    async def tell_stopping() -> None:
        nonlocal dropped_before
        await stopped.wait()
        dropped_before = news.dropped
        manager.stopping()
        manager.status("stopping: what is left is being written")

    tending.append(asyncio.ensure_future(tell_stopping()))
    try:
        await collector.run(stopped, on_waiting, on_ready)
    finally:
        for task in (*tending, *reloading):
            task.cancel()
        await asyncio.gather(*tending, *reloading, return_exceptions=True)
    news.end()
    return 0 if stopped.is_set() and news.dropped == dropped_before else 1


async def _tend(manager: ServiceManager, news: _News, collector: Collector) -> None:
    """Tell the service manager that we are alive, and how it stands."""
    period_s = min(STATUS_S, manager.watchdog_s or STATUS_S)
    while True:
        if manager.watchdog_s is not None:
            manager.alive()
        manager.status(news.status(collector))
        await asyncio.sleep(period_s)


def _on_hangup(collector: Collector, manager: ServiceManager) -> set[asyncio.Task[None]]:
    """Read the settings again at SIGHUP; the tasks that do."""
    tasks: set[asyncio.Task[None]] = set()

    async def reload() -> None:
        manager.reloading()
        try:
            await collector.reload()
            print_problem(_("the settings were read again"))
        except BeffroiError as error:
            print_problem(_("the settings stay as they were: {reason}").format(reason=error))
        manager.ready()

    def on_signal() -> None:
        task = asyncio.ensure_future(reload())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError, AttributeError):  # Windows; not our thread
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, on_signal)
    return tasks


class _News:
    """What is printed of what is learned, and the counts for the service manager; a Sink of the collector's loop."""

    def __init__(self, is_json: bool) -> None:
        self._is_json = is_json
        self._has_begun = False
        self._addresses: dict[str, str] = {}
        self._problems: dict[str, str] = {}
        self._online: set[str] = set()
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Records that could not be written."""
        return self._dropped

    def put(self, record: Record) -> None:
        """Something was learned; from any thread."""
        if isinstance(record, MachineReport):
            change = self._online.add if record.state is MachineState.ONLINE else self._online.discard
            change(record.machine)
        elif isinstance(record, IntakeReport | RoomReport):
            self._take_listener(_SERVICES[type(record)], record)
        elif isinstance(record, StoreReport):
            self._dropped = record.rows_dropped
            self._complain("database", record.error)

    def begin(self, collector: Collector) -> None:
        """All was started: say where we listen, then that we collect."""
        self._has_begun = True
        for service in _SERVICES.values():
            if service in self._addresses:
                self._tell_listening(service)
        self._print("collecting", None, None, "collecting")
        print_problem(self._words(collector))

    def end(self) -> None:
        """All was written."""
        if self._is_json:
            self._print("stopped", None, None, "stopped")

    def status(self, collector: Collector) -> str:
        """One line for the service manager; not translated."""
        parts = [f"{len(self._online)} of {collector.machines} machines online"]
        parts += [f"{service} on {address}" for service, address in self._addresses.items()]
        parts += [f"{name}: {problem}" for name, problem in self._problems.items()]
        if collector.feed.readers:
            parts.append("a window is open")
        return "; ".join(parts).replace("\n", " ")

    def _words(self, collector: Collector) -> str:
        config = collector.site.config
        machines, meters, checks = collector.machines, len(config.meters), len(config.checks)
        return _("collecting: {machines}, {meters}, {checks}").format(
            machines=ngettext("{count} machine", "{count} machines", machines).format(count=machines),
            meters=ngettext("{count} meter", "{count} meters", meters).format(count=meters),
            checks=ngettext("{count} check", "{count} checks", checks).format(count=checks),
        )

    def _take_listener(self, service: str, report: IntakeReport | RoomReport) -> None:
        self._complain(service, report.error)  # that of one that listens: what it takes in cannot be kept
        if report.state is not ListenerState.LISTENING or report.address is None:
            self._addresses.pop(service, None)
        elif self._addresses.get(service) != report.address:
            self._addresses[service] = report.address
            if self._has_begun:
                self._tell_listening(service)

    def _tell_listening(self, service: str) -> None:
        address = self._addresses[service]
        self._print("listening", service, address, f"listening on {address}")

    def _complain(self, name: str, problem: str | None) -> None:
        """Say what is wrong, once, also where several suffer from it."""
        if problem is None:
            self._problems.pop(name, None)
        elif self._problems.get(name) != problem:
            is_known = problem in self._problems.values()
            self._problems[name] = problem
            if not is_known:
                print_problem(problem)

    def _print(self, event: str, service: str | None, address: str | None, line: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # whoever waited for it has read enough
            if self._is_json:
                print_json({"time": iso_time(time.time()), "event": event, "service": service, "address": address})
            else:
                print_text(line)
                sys.stdout.flush()


def _check_history(config: Config, home: Home) -> None:
    """Raise StoreError for a database that nobody can mend by waiting: damaged, or of a newer version."""
    with contextlib.suppress(StoreLockedError):
        History.open(database_location(config, home)).close()


def _note_pid(lock: Lock) -> None:
    with contextlib.suppress(OSError):  # Windows lets nobody write into a locked file
        lock.path.write_text(f"{os.getpid()}\n")


def _pid_in(lock: Lock) -> str:
    try:
        return lock.path.read_text()[:20].strip() or "?"
    except (OSError, ValueError):
        return "?"
