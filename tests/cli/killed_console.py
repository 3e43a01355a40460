"""A console that sends one command and is killed at a given step of it; run as a program of its own.

killed_console.py STEP FOLDER MACHINE_JSON WORD
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from core.audit import AuditLog
from core.records import Machine
from core.services.agent_poller import AgentPoller
from core.services.command_journal import CommandJournal
from core.services.commands import new_request
from core.services.fan_out import FanOut
from core.services.machine_commands import MachineCommands
from core.transport.identity import ensure_identity

STEPS = ("begun", "written", "sent", "accepted", "output", "ended", "audited", "acknowledged")


def kill() -> None:
    """End at once, as a power cut of this process alone."""
    os.kill(os.getpid(), signal.SIGKILL)


def dies_after(owner: Any, name: str) -> None:
    """Have the process killed once this method has returned."""
    method: Callable[..., Any] = getattr(owner, name)

    def deadly(*arguments: Any, **more: Any) -> None:
        method(*arguments, **more)
        kill()

    setattr(owner, name, deadly)


def dies_at(owner: Any, name: str) -> None:
    """Have the process killed when this method is called."""
    setattr(owner, name, lambda *_arguments, **_more: kill())


def arm(step: str) -> None:
    """Have the process killed at this step."""
    if step == "begun":
        dies_after(CommandJournal, "begin")
    elif step == "written":
        dies_at(FanOut, "_begin")
    elif step == "sent":
        dies_after(MachineCommands, "start")
    elif step == "accepted":
        dies_after(MachineCommands, "_on_start_answered")
    elif step == "output":
        dies_after(MachineCommands, "on_output")
    elif step == "ended":
        dies_at(MachineCommands, "on_exec_exit")
    elif step == "audited":
        dies_at(FanOut, "_acknowledge")
    elif step == "acknowledged":
        dies_after(FanOut, "_acknowledge")


async def main(folder: Path, machine: Machine, word: str) -> None:
    """Send it, and never come to an end."""
    console = ensure_identity(folder.parent / "identity", "Ada")
    journal = CommandJournal(folder / "running")
    poller = AgentPoller(console, lambda record: None, 5.0, 5.0, AuditLog(folder / "audit.log"), journal=journal)
    poller.set_machines([machine])
    task = asyncio.create_task(poller.run())
    await poller.settled(10)
    await poller.execute(new_request([word], [machine.name], 20, "Ada", time.time()))
    await task


if __name__ == "__main__":
    arm(sys.argv[1])
    asyncio.run(main(Path(sys.argv[2]), msgspec.json.decode(sys.argv[3], type=Machine), sys.argv[4]))
