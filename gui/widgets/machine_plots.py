"""The plots of the Machine page; imported after the first paint."""

from __future__ import annotations

from core.language import _
from gui.models.machine_recent import HEAT
from gui.widgets.time_plot import Curve, Scale, TimePlot
from gui.widgets.time_range import TimeRange

_PERCENT = (Scale("%"),)
_MEMORY = (Scale("GiB", 1, 2.0**30),)
_RATE = (Scale("kB/s", 0, 1e3), Scale("MB/s", 1, 1e6, 1e6))
_COUNT = (Scale(""),)
_HEAT = (Scale("°C", 0),)

_LEAST_RATE = (0.0, 10e3)
"""A few octets now and then shall not look like a load."""


def machine_plots(time_range: TimeRange) -> dict[str, TimePlot]:
    """CPU, RAM, network and disks by name, in their order on the page."""
    return {
        "cpu": TimePlot(
            _("CPU"),
            _PERCENT,
            (Curve("cpu_percent", "", "accent", is_filled=True),),
            time_range,
            at_least=(0.0, 100.0),
        ),
        "memory": TimePlot(
            _("RAM"),
            _MEMORY,
            (
                Curve("memory_used_bytes", _("used"), "accent", is_filled=True),
                Curve("swap_used_bytes", _("swap"), "power"),
            ),
            time_range,
        ),
        "network": TimePlot(
            _("Network"),
            _RATE,
            (
                Curve("network_received_bytes_per_s", _("received"), "accent", is_filled=True),
                Curve("network_sent_bytes_per_s", _("sent"), "power"),
            ),
            time_range,
            at_least=_LEAST_RATE,
        ),
        "disks": TimePlot(
            _("Disks"),
            _RATE,
            (
                Curve("disk_read_bytes_per_s", _("read"), "accent", is_filled=True),
                Curve("disk_written_bytes_per_s", _("written"), "power"),
            ),
            time_range,
            at_least=_LEAST_RATE,
        ),
    }


def further_plots(time_range: TimeRange) -> dict[str, TimePlot]:
    """What one card shows in turn: the fullest disk, the hottest sensor, how many processes there are."""
    return {
        "fill": TimePlot(
            _("Fullest disk"),
            _PERCENT,
            (Curve("disk_percent", "", "accent", is_filled=True),),
            time_range,
            at_least=(0.0, 100.0),
        ),
        "heat": TimePlot(
            _("Hottest sensor"), _HEAT, (Curve(HEAT, "", "accent", is_filled=True),), time_range, floor=None
        ),
        "count": TimePlot(
            _("Processes"), _COUNT, (Curve("process_count", "", "accent", is_filled=True),), time_range, floor=None
        ),
    }
