"""The desks of an agent: all that it answers beyond status and processes is opened here, before it listens.

A view-only agent gets no desk of commands, and thereby none of the modules that can start a program: `command_desk`,
`executor`, `execution`, `output`, `program`, `policy` and `builtins` are imported by that desk and nowhere else.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core.agent.child_watch import watch_children_without_threads
from core.agent.console_desk import ConsoleDesk
from core.agent.detail_desk import DetailDesk
from core.agent.server import AgentServer

if TYPE_CHECKING:
    from core.agent.policy import Policy


def open_desks(server: AgentServer, policy: Policy | Path | None, *, may_admit: bool = True) -> None:
    """Open all desks of `server`.

    `policy` is what may be run here, or the file that says so; it is not looked at by a view-only agent. With
    `may_admit` a console that may run commands may let another one in. To be called in the running loop. Raises
    ConfigError where that file means nothing or can be written by others.
    """
    watch_children_without_threads()
    server.open_desk(ConsoleDesk(server, may_admit=may_admit))
    server.open_desk(DetailDesk(may_start_programs=not server.is_view_only))
    if not server.is_view_only:
        from core.agent.command_desk import CommandDesk

        assert policy is not None
        server.open_desk(CommandDesk(server.audit, server.collector, server.fresh_status, policy))
