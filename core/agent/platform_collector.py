"""Who measures on this platform."""

from __future__ import annotations

import sys

from core.agent.collector import Collector


def new_collector(now_s: float, platform: str = sys.platform) -> Collector:
    """The collector for this machine: `/proc` alone on Linux, psutil elsewhere."""
    if platform == "linux":
        from core.agent.collector_linux import LinuxCollector

        return LinuxCollector(now_s)
    from core.agent.collector_psutil import PsutilCollector

    return PsutilCollector(now_s)
