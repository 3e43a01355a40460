"""Limits of the agent's own process, which every command inherits from its first instruction on."""

from __future__ import annotations

import os


def limit_agent() -> None:
    """No core dumps (an agent holds a key), files of 1 GiB, 4 GiB of data, 4,096 files and processes of its user.

    Only for a process that is an agent and nothing else.
    """
    if os.name != "posix":
        return
    import resource

    wanted = [
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 1 << 30),
        (resource.RLIMIT_DATA, 4 << 30),
        (resource.RLIMIT_NOFILE, 4096),
    ]
    if hasattr(resource, "RLIMIT_NPROC"):
        wanted.append((resource.RLIMIT_NPROC, 4096))
    for limit, value in wanted:
        _soft, hard = resource.getrlimit(limit)
        lowest = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(limit, (lowest, lowest))
        except (OSError, ValueError):
            continue
