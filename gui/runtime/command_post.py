"""What commands of a window need beside the pollers: where they are written down, and what an earlier one has left."""

from __future__ import annotations

import concurrent.futures
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from PyQt5.QtCore import QObject

from core.config import Polling
from core.home import Home
from core.site_records import Record
from gui.runtime.worker_pool import WorkerPool

if TYPE_CHECKING:
    from core.audit import AuditLog
    from core.services.command_journal import CommandJournal
    from core.services.command_recovery import Recovered
    from core.store.history import History
    from core.transport.identity import Identity

END_WITHIN_S = 2.0
"""How long a window that is closed waits for the ends of the commands that it has cancelled."""

log = logging.getLogger("beffroi.gui")


class CommandPost:
    """The audit log and the journal of a window; made once its identity is there, which is when commands may leave."""

    def __init__(self, home: Home) -> None:
        from core.audit import AuditLog
        from core.services.command_journal import CommandJournal

        self.audit: AuditLog = AuditLog(home.console_path / "audit.log")
        self.journal: CommandJournal = CommandJournal(home.console_path / "running")

    def pollers(
        self, identity: Identity, polling: Polling, publish: Callable[[Record], None], parent: QObject
    ) -> WorkerPool:
        """The threads that poll and send commands; not started yet."""
        from core.services.agent_poller import AgentPoller

        return WorkerPool(
            lambda tell: AgentPoller(
                identity, tell, polling.interval_s, polling.visible_interval_s, self.audit, journal=self.journal
            ),
            publish,
            parent,
        )

    def recover(self, history: History) -> Recovered:
        """What an earlier window or `run` has left; in the thread that holds the history."""
        from core.services.command_recovery import recover

        return recover(self.journal, self.audit, history.command_results, time.time())

    @staticmethod
    def take_over(
        found: Recovered, pool: WorkerPool, publish: Callable[[Record], None], keep: Callable[[Record], None]
    ) -> None:
        """Tell it, and have the results fetched."""
        for request in found.requests:
            keep(request)
        for record in (*found.events, *found.progress):
            publish(record)
        pool.adopt(found.owed)

    @staticmethod
    def on_not_recovered(error: BaseException) -> None:
        """What was left is told by the next window."""
        log.error("what commands of an earlier console came to is not known: %s", error)

    @staticmethod
    def end_commands(pool: WorkerPool, *, go_on: bool) -> None:
        """Cancel what runs and wait for the ends, or let it go on; the window closes."""
        if pool.running():
            concurrent.futures.wait(pool.end_commands(END_WITHIN_S, go_on=go_on), END_WITHIN_S + 1)
