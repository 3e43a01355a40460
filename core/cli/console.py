"""What commands that act as a console share: home, settings, identity, history, and a poller for a moment."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import platform
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from core.audit import AuditLog
from core.cli.output import print_problem
from core.cli.targets import choose
from core.config import database_location, load_config
from core.errors import StoreError
from core.home import Home
from core.language import _
from core.records import Machine, MachineState
from core.services.agent_poller import AgentPoller
from core.services.command_journal import CommandJournal, SentRun
from core.services.command_recovery import recover
from core.services.console_key import open_identity
from core.site_records import Record
from core.store.history import History
from core.store.minutes import MachineSystem
from core.targets import TargetBook, needs_states, unknown_systems
from core.transport.identity import Identity, ensure_identity

REFUSED, FAILED, DONE = 3, 1, 0

_REACH_WITHIN_S = 8.0
_REACH_EACH_S = 0.01


class Console:
    """The console of a home, open for one command."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.home: Home = options.home
        self.config, warnings = load_config(self.home)
        for warning in warnings:
            print_problem(warning)
        self.history = self._opened()
        self.audit = AuditLog(self.home.console_path / "audit.log")
        self.journal = CommandJournal(self.home.console_path / "running")
        self._identity: Identity | None = None
        self._problem = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.history.close()
        self.journal.close()

    def _opened(self) -> History:
        return History.open(database_location(self.config, self.home))

    @property
    def filters(self) -> dict[str, tuple[str, ...]]:
        """The saved filters of the settings, by their names."""
        return {saved.name: saved.targets for saved in self.config.filters}

    @property
    def identity(self) -> Identity:
        """Key and certificate of the console, made when first needed; who sits here is asked for a passphrase."""
        if self._identity is None:
            self._identity = open_identity(self.home, self.config, self.name, ask_on_terminal)
        return self._identity

    @property
    def name(self) -> str:
        """How this console is called by others."""
        return f"{self.config.operator}@{platform.node() or 'console'}"

    @property
    def public_identity(self) -> Identity:
        """Name and certificate of the console, for what needs no key."""
        return self._identity or ensure_identity(self.home.console_path, self.name)

    def recover_commands(self) -> tuple[SentRun, ...]:
        """Tell what commands of a console that was killed came to; what is to be fetched of them."""
        try:
            found = recover(self.journal, self.audit, self.history.command_results, now_s(), self.history.write)
        except StoreError as error:  # all of it is left for the next one
            self._complain(error)
            return ()
        for event in found.events:
            print_problem(event.text)
        return found.owed

    def chosen(self, targets: Sequence[str]) -> list[Machine]:
        """The machines that the targets of a command line mean; they are tried first where targets ask how they stand.

        So are those of which it is not known what they run, where targets ask for that.

        Raises UsageError as `core.cli.targets.choose`.
        """
        known = self.history.machines()
        book = TargetBook(tuple(known), self.filters)
        states: dict[str, MachineState] = {}
        if known and needs_states(targets, book):
            states = asyncio.run(self._states(known))
            known = self.history.machines()  # with what runs there, which they have said by now
        elif unknown := unknown_systems(targets, book):
            asyncio.run(self._states([machine for machine in known if machine.name in unknown]))
            known = self.history.machines()
        return choose(known, targets, self.filters, states)

    async def _states(self, machines: Sequence[Machine]) -> dict[str, MachineState]:
        """Where machines stand now: each is tried once."""
        async with self.polling(machines, lambda record: None, 5.0, sections=()) as poller:
            await poller.settled(reach_within_s(machines))
            return {report.machine: report.state for report in poller.reports()}

    def record(self, records: Sequence[Record | MachineSystem]) -> bool:
        """Write what was learned into the history; False, and said once, where it cannot be written."""
        try:
            if self.history.refusal is not None:  # there may be room by now
                again, before = self._opened(), self.history
                self.history = again
                before.close()
            self.history.write(records)
        except StoreError as error:
            self._complain(error)
            return False
        self._problem = ""
        return True

    def _complain(self, error: StoreError) -> None:
        """Say what is wrong with the history, once."""
        if str(error) != self._problem:
            self._problem = str(error)
            print_problem(self._problem)

    @contextlib.asynccontextmanager
    async def polling(
        self,
        machines: Sequence[Machine],
        publish: Callable[[Record], None],
        interval_s: float,
        sections: Sequence[str] | None = None,
    ) -> AsyncIterator[AgentPoller]:
        """A poller that runs while the block does; what machines were found to run is noted at its end."""
        poller = AgentPoller(
            self.identity, publish, interval_s, interval_s, self.audit, sections=sections, journal=self.journal
        )
        poller.set_machines(machines)
        task = asyncio.create_task(poller.run())
        try:
            yield poller
        finally:
            self._note_systems(machines, poller.systems())
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _note_systems(self, machines: Sequence[Machine], systems: Mapping[str, str]) -> None:
        """What was not known yet, or is another now."""
        known = {machine.name: machine.os for machine in machines}
        news = [MachineSystem(machine=name, os=word) for name, word in systems.items() if word != known.get(name)]
        if news:
            self.record(news)


def run_until_signalled(main: Callable[[asyncio.Event], Coroutine[Any, Any, int]]) -> int:
    """Run `main(signalled)` in a loop of its own; SIGINT and SIGTERM set the event instead of ending the process."""

    async def guarded() -> int:
        loop, signalled = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                loop.add_signal_handler(number, signalled.set)
            except NotImplementedError:  # Windows
                signal.signal(number, lambda *_frame: loop.call_soon_threadsafe(signalled.set))
            except (RuntimeError, ValueError):  # not the main thread: signals are not ours
                break
        return await main(signalled)

    return asyncio.run(guarded())


def reach_within_s(machines: Sequence[Machine]) -> float:
    """How long to wait at most until each machine was reached or not; handshakes of many take their turns."""
    return _REACH_WITHIN_S + _REACH_EACH_S * len(machines)


def exit_status(failures: Iterable[bool]) -> int:
    """Exit status of a command on many machines; each failure says whether it is a refusal."""
    found = list(failures)
    if not found:
        return DONE
    return REFUSED if all(found) else FAILED


def ask_on_terminal(wrong: int) -> str | None:
    """The passphrase of the console's key as typed on a terminal, None without one."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    if wrong:
        print_problem(_("that passphrase does not open the key"))
    return typed_secret(_("passphrase of this console's key: "))


def typed_secret(prompt: str) -> str | None:
    """What is typed on the terminal and not shown, None at its end; Ctrl+C ends the program even within a loop."""
    import getpass

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return getpass.getpass(prompt, sys.stderr)
    except EOFError:
        return None
    finally:
        signal.signal(signal.SIGINT, before)


def now_s() -> float:
    """Epoch seconds."""
    return time.time()
