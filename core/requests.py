"""What an operator asks of the services of a site, from the window, or through the feed of a `collect` beside it.

Frozen, like records, but on their way in: `core.services.site` carries them out in its own thread, and what comes of
them is published as records. Whoever asks is named in `operator`.
"""

from __future__ import annotations

from msgspec import Struct


class SayRequest(Struct, frozen=True, kw_only=True, tag="say"):
    """Say a line in a room, as `operator`."""

    room: str
    text: str
    operator: str
    link: str | None = None


class EnterRequest(Struct, frozen=True, kw_only=True, tag="enter"):
    """Be present in a room as `operator`, for as long as a window of theirs is open."""

    room: str
    operator: str


class AlarmRequest(Struct, frozen=True, kw_only=True, tag="alarm"):
    """Acknowledge alarms, or ignore them until their condition is over (`is_ignored`)."""

    ids: tuple[int, ...]
    operator: str
    comment: str = ""
    is_ignored: bool = False


class MaintenanceRequest(Struct, frozen=True, kw_only=True, tag="maintenance"):
    """Begin a maintenance (a mute of an hour is one), or end the one of that `id` (then the rest is not looked at)."""

    source: str
    start_s: float
    end_s: float
    operator: str
    comment: str = ""
    id: int | None = None


class CheckRequest(Struct, frozen=True, kw_only=True, tag="check"):
    """Run these checks now; all of them where none is named."""

    names: tuple[str, ...] = ()
    operator: str = ""


class ReloadRequest(Struct, frozen=True, kw_only=True, tag="reload"):
    """The settings or the list of machines have changed: read them again, restart what they concern."""

    operator: str = ""


class MeterReadRequest(Struct, frozen=True, kw_only=True, tag="meter_read"):
    """Read a meter now."""

    meter: str
    operator: str = ""


class RegistersRequest(Struct, frozen=True, kw_only=True, tag="registers"):
    """Read all registers that a meter lists; what comes is published as `RegisterList`."""

    meter: str
    operator: str = ""


class ProfileRequest(Struct, frozen=True, kw_only=True, tag="profile"):
    """Read the load profile of a meter from `start_s` to before `end_s`; published as `ProfilePart`, kept in gaps.

    `obis` None is the meter's first load profile (1-0:99.1.0).
    """

    meter: str
    start_s: float
    end_s: float
    obis: str | None = None
    operator: str = ""


class MeterCancelRequest(Struct, frozen=True, kw_only=True, tag="meter_cancel"):
    """End the reading of registers or of a load profile that somebody asked of a meter; its usual readings go on."""

    meter: str
    operator: str = ""


class LineWatchRequest(Struct, frozen=True, kw_only=True, tag="line_watch"):
    """Publish the octets of a meter's line as `LineOctets` from now on, or stop that (`is_wanted` False)."""

    meter: str
    is_wanted: bool = True
    operator: str = ""


Request = (
    SayRequest
    | EnterRequest
    | AlarmRequest
    | MaintenanceRequest
    | CheckRequest
    | ReloadRequest
    | MeterReadRequest
    | RegistersRequest
    | ProfileRequest
    | MeterCancelRequest
    | LineWatchRequest
)
"""What a site can be asked."""
