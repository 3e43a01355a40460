"""The frozen records of a site: sensors, checks, alarms and the room; and `Record`, all that a hub publishes.

Apart from `core.records`, so that an agent, which knows none of them, stays small. The same rules hold: times are
seconds since the Unix epoch, UTC (`_s`); None means absent or unknown; field names are those of the JSON.
"""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from core.access_records import AllowedCommands, TrustedConsoles
from core.machine_records import MinuteProcesses, PortList, ServiceList, SessionList
from core.meter_records import MeterRecord
from core.records import (
    CommandOutput,
    CommandProgress,
    CommandRequest,
    CommandStep,
    Event,
    MachineReport,
    MeterReadings,
    MeterReport,
    ProcessTable,
    StoreReport,
)


class SweepKind(Enum):
    """What answers at an address where an agent may be."""

    KNOWN = "known"
    AGENT = "agent"
    OTHER = "other"


class SweepFind(Struct, frozen=True, kw_only=True):
    """An address of a sweep where something listens. Nothing of it is trusted: pairing alone shows who is there.

    `name` and `fingerprint` are of the certificate that an agent has shown; `machine` is the machine of this console
    that has this certificate or, else, this address; `text` says in a sentence what it is.
    """

    host: str
    port: int
    kind: SweepKind
    text: str
    name: str = ""
    fingerprint: str | None = None
    is_pairing_open: bool | None = None
    machine: str | None = None


class SweepProgress(Struct, frozen=True, kw_only=True):
    """How far a sweep is: `refused` addresses answered that nothing listens, `silent` ones did not answer at all."""

    total: int
    done: int
    found: int
    refused: int
    silent: int


class SensorMeasure(Struct, frozen=True, kw_only=True):
    """One value of one sensor, received by the host at `time_s`; `quantity` such as `temperature_c` names its series.

    `unit` is as the standard writes it, None where neither the sensor nor the settings say it. `peer` is `IP:PORT`.
    `is_simulated` where the sensor itself says that nothing was measured.
    """

    sensor: str
    quantity: str
    value: float
    time_s: float
    unit: str | None = None
    peer: str | None = None
    is_simulated: bool = False


class SensorBatch(Struct, frozen=True, kw_only=True):
    """Measures that were written together: published once they are on the disk, so whoever sees them may rely on it."""

    measures: tuple[SensorMeasure, ...]


class SensorSummary(Struct, frozen=True, kw_only=True):
    """The last value of one series of a sensor, whether a simulator sent it, and how many are kept."""

    sensor: str
    quantity: str
    value: float
    unit: str | None
    time_s: float
    count: int
    is_simulated: bool = False


class ListenerState(Enum):
    """Where a server of ours stands."""

    LISTENING = "listening"
    FAILED = "failed"
    STOPPED = "stopped"


class IntakeReport(Struct, frozen=True, kw_only=True):
    """State of the sensor intake, every second while something changes; the counts are since its start.

    `refused` are messages that were not taken, `last_refusal` the last one in words with its text and peer.
    """

    time_s: float
    state: ListenerState
    address: str | None = None
    error: str | None = None
    links: int = 0
    messages: int = 0
    refused: int = 0
    last_refusal: str | None = None


class ChatKind(Enum):
    """What a line of the room is."""

    MESSAGE = "message"
    JOINED = "joined"
    LEFT = "left"
    SERVER = "server"
    ALARM = "alarm"
    COMMAND = "command"


class ChatLine(Struct, frozen=True, kw_only=True):
    """One line of a room. `author` is empty for the server's own; `text` is without the name, plain, as relayed.

    `link` leads somewhere in the window: `machine/NAME`, `alarm/ID`, `command/RUN_ID` or `time/ISO 8601`.
    """

    id: str
    room: str
    author: str
    text: str
    time_s: float
    kind: ChatKind = ChatKind.MESSAGE
    link: str | None = None


class RoomReport(Struct, frozen=True, kw_only=True):
    """State of the room's server, and who is in which room, at every change."""

    time_s: float
    state: ListenerState
    address: str | None = None
    error: str | None = None
    present: dict[str, tuple[str, ...]] = {}
    dropped: int = 0


class CheckState(Enum):
    """How a check ended."""

    OK = "ok"
    FAILED = "failed"
    TIMEOUT = "timeout"


class CheckResult(Struct, frozen=True, kw_only=True):
    """One check of reachability. `status` is that of HTTP; `certificate_days` is negative after the end.

    `check` is the name in the settings, the target itself where it has none.
    """

    check: str
    target: str
    state: CheckState
    time_s: float
    status: int | None = None
    latency_ms: float | None = None
    certificate_days: float | None = None
    error: str | None = None


class AlarmSeverity(Enum):
    """How much an alarm matters, from least to most."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for `low` to 3 for `critical`."""
        return list(AlarmSeverity).index(self)


class AlarmState(Enum):
    """The life of an alarm."""

    ACTIVE = "active"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    IGNORED = "ignored"

    @property
    def is_open(self) -> bool:
        """True while the condition lasts and nobody has put it aside."""
        return self in (AlarmState.ACTIVE, AlarmState.ACKNOWLEDGED)


class Alarm(Struct, frozen=True, kw_only=True):
    """One alarm as it stands now; published at every change of it, `changed_s`.

    `source` is `machine/NAME`, `meter/NAME`, `sensor/ID` or `check/NAME`; `rule` the name of the rule that rang;
    `quantity` is the last part of the series it looked at, such as `voltage_l1_v` or `disk_percent:/home`, None for
    silence and absence; `value` and `threshold` are in `unit`; `until_s` is when it was resolved or ignored. `text` is
    for the user.
    An acknowledged alarm goes on until it is resolved; an ignored one does not ring again until its condition is over.
    """

    id: int
    source: str
    rule: str
    severity: AlarmSeverity
    state: AlarmState
    since_s: float
    changed_s: float
    text: str
    quantity: str | None = None
    value: float | None = None
    threshold: float | None = None
    unit: str | None = None
    until_s: float | None = None
    operator: str | None = None
    comment: str | None = None


class Maintenance(Struct, frozen=True, kw_only=True):
    """A time in which alarms of some sources do not ring: a mute of an hour, or a planned work.

    `source` is as in Alarm, with `*` and `?` as in file names; `@GROUP` means the machines of a group. They are still
    evaluated and kept, as ignored with the comment.
    """

    id: int
    source: str
    start_s: float
    end_s: float
    operator: str
    comment: str = ""


class RuleKind(Enum):
    """What a rule looks at.

    `above`, `below` and `outside` compare a value; `rate` its change a minute with `high` (a rise) or `low` (a fall);
    `silent` rings when nothing came for `duration_s`, `offline` when a machine is not online or a check fails for so
    long.
    """

    ABOVE = "above"
    BELOW = "below"
    OUTSIDE = "outside"
    RATE = "rate"
    SILENT = "silent"
    OFFLINE = "offline"


class AlarmRule(Struct, frozen=True, kw_only=True):
    """When an alarm rings. Of the rules of one `name` that fit a source the most specific `source` holds.

    `source` is `machine/NAME`, `meter/NAME`, `sensor/ID` or `check/NAME`, with `*` and `?` as in file names, or
    `@GROUP` for the machines and checks of a group; `quantity` is the last part of a series' name, such as
    `cpu_percent` or `voltage_l1_v`, with `*` too. The condition must last `duration_s`; it is over once the value is
    `hysteresis` (in the unit of the value) inside the threshold.
    """

    name: str
    kind: RuleKind
    source: str
    quantity: str = "*"
    high: float | None = None
    low: float | None = None
    hysteresis: float = 0.0
    duration_s: float = 0.0
    severity: AlarmSeverity = AlarmSeverity.MEDIUM
    is_enabled: bool = True


class FeedReport(Struct, frozen=True, kw_only=True):
    """Who collects for this home: this window itself, or a `collect` beside it that it listens to."""

    time_s: float
    is_beside: bool
    error: str | None = None


Record = (
    MachineReport
    | ProcessTable
    | CommandRequest
    | CommandOutput
    | CommandProgress
    | CommandStep
    | MeterReadings
    | MeterReport
    | Event
    | StoreReport
    | SensorBatch
    | IntakeReport
    | ChatLine
    | RoomReport
    | CheckResult
    | Alarm
    | Maintenance
    | FeedReport
    | ServiceList
    | SessionList
    | PortList
    | MinuteProcesses
    | AllowedCommands
    | TrustedConsoles
    | MeterRecord
)
"""What a hub publishes."""
