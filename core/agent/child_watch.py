"""How the agent notices that a program it has started has ended."""

from __future__ import annotations

import asyncio
import os
import sys


def watch_children_without_threads() -> None:
    """Have asyncio notice the end of a command by a pidfd, as it does by itself from Python 3.12 on.

    Before, it starts a thread for each command, whose memory the agent then keeps. To be called in the running loop.
    """
    if sys.version_info < (3, 12) and hasattr(os, "pidfd_open"):
        try:
            os.close(os.pidfd_open(os.getpid()))
        except OSError:
            return  # a kernel before 5.3, or a sandbox that denies it
        watcher = asyncio.PidfdChildWatcher()
        watcher.attach_loop(asyncio.get_running_loop())
        asyncio.set_child_watcher(watcher)
