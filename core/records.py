"""The frozen records that cross from one thread, layer or process to another.

Times are seconds since the Unix epoch, UTC, as float (`_s`); only `core.cli` and files turn them into ISO 8601.
Field names and their order are those of the JSON that other programs rely on; None means absent or unknown.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from msgspec import Struct

from core.machine_records import ProcessUse, Temperature


class Level(Enum):
    """What a console may do on an agent, from least to most."""

    VIEW = "view"
    RUN = "run"
    MANAGE = "manage"
    RAW = "raw"

    @property
    def rank(self) -> int:
        """0 for `view` to 3 for `raw`."""
        return list(Level).index(self)


class MachineState(Enum):
    """Where a machine stands, as its console sees it."""

    ONLINE = "online"
    LATE = "late"
    OFFLINE = "offline"
    UNPAIRED = "unpaired"
    NOT_TRUSTED = "not_trusted"


class Machine(Struct, frozen=True, kw_only=True, gc=False):
    """A machine as configured: where its agent is, which certificate it must show, what it is as equipment.

    `price_before_tax` and `vat_rate_percent` are decimal numbers as text, such as `1249.90` and `20`. `tags` are words
    by which commands and filters choose (`tag:printer`); `os` is the system its agent last told, "" before the first.
    """

    name: str
    host: str
    port: int = 17450
    groups: tuple[str, ...] = ()
    notes: str = ""
    fingerprint: str | None = None
    certificate_pem: str | None = None
    level: Level | None = None
    is_local: bool = False
    reference: str = ""
    price_before_tax: str | None = None
    vat_rate_percent: str | None = None
    tags: tuple[str, ...] = ()
    os: str = ""

    @property
    def address(self) -> str:
        """`HOST:PORT`, an IPv6 host in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class System(Struct, frozen=True, kw_only=True, gc=False):
    """Who a machine says it is."""

    hostname: str
    os: str
    os_version: str
    kernel: str
    architecture: str
    ip_addresses: tuple[str, ...]
    uptime_s: float
    python: str


class Cpu(Struct, frozen=True, kw_only=True, gc=False):
    """Load since the previous status: percent of all cores, 0 to 100."""

    percent: float | None
    per_core_percent: tuple[float, ...]
    load_average: tuple[float, ...]


class Memory(Struct, frozen=True, kw_only=True, gc=False):
    """RAM in bytes; `percent` is 100 * (total - available) / total."""

    total_bytes: int
    used_bytes: int
    free_bytes: int
    available_bytes: int
    percent: float


class Swap(Struct, frozen=True, kw_only=True, gc=False):
    """Swap in bytes."""

    total_bytes: int
    used_bytes: int


class Disk(Struct, frozen=True, kw_only=True, gc=False):
    """One mounted file system in bytes."""

    mount: str
    total_bytes: int
    used_bytes: int


class DiskIo(Struct, frozen=True, kw_only=True, gc=False):
    """Bytes per second over all disks since the previous status; None on the first one."""

    read_bytes_per_s: float | None
    written_bytes_per_s: float | None


class Network(Struct, frozen=True, kw_only=True, gc=False):
    """Bytes per second over all interfaces but loopback since the previous status; None on the first one."""

    received_bytes_per_s: float | None
    sent_bytes_per_s: float | None


class TopProcess(Struct, frozen=True, kw_only=True, gc=False):
    """The process that used most CPU; refreshed every 10 s at most."""

    name: str
    pid: int
    cpu_percent: float


class Status(Struct, frozen=True, kw_only=True, gc=False):
    """What an agent measured at one moment, `time_s` by its own clock; a section not subscribed to is None.

    `top_processes` are those of most CPU and most memory, ten at most, refreshed every 10 s at most; `temperatures`
    every 10 s too.
    """

    number: int
    time_s: float
    system: System | None = None
    cpu: Cpu | None = None
    memory: Memory | None = None
    swap: Swap | None = None
    disks: tuple[Disk, ...] | None = None
    disk_io: DiskIo | None = None
    network: Network | None = None
    process_count: int | None = None
    top_process: TopProcess | None = None
    top_processes: tuple[ProcessUse, ...] | None = None
    temperatures: tuple[Temperature, ...] | None = None

    @property
    def fullest_disk_percent(self) -> float | None:
        """How full the fullest disk is; None where no disk is known."""
        shares = [100.0 * disk.used_bytes / disk.total_bytes for disk in self.disks or () if disk.total_bytes > 0]
        return max(shares, default=None)


class MachineReport(Struct, frozen=True, kw_only=True, gc=False):
    """What the console knows of a machine now; published at every status and every change of state.

    `time_s` is when the console received `status`; `since_s` when `state` began; `error` says why, for the user.
    `is_new` tells that `status` came with this report (else it is the last one known).
    `late_statuses` are those measured while the link was down, oldest first, for the history; like `status` they
    tell the time by the clock of their machine.
    """

    machine: str
    address: str
    state: MachineState
    since_s: float
    error: str | None = None
    level: Level | None = None
    status: Status | None = None
    time_s: float | None = None
    is_new: bool = False
    interval_s: float | None = None
    late_statuses: tuple[Status, ...] = ()


class Process(Struct, frozen=True, kw_only=True, gc=False):
    """One line of a process table; `started_s` is epoch seconds, `cpu_percent` of one core."""

    pid: int
    parent_pid: int
    name: str
    user: str
    cpu_percent: float
    memory_bytes: int
    status: str
    started_s: float
    command_line: str


class ProcessTable(Struct, frozen=True, kw_only=True, gc=False):
    """All processes of a machine in one pass."""

    machine: str
    time_s: float
    processes: tuple[Process, ...]


class CommandState(Enum):
    """How a command ended on one machine, or where it stands."""

    RUNNING = "running"
    OK = "ok"
    FAILED = "failed"
    TIMEOUT = "timeout"
    NOT_ALLOWED = "not_allowed"
    OFFLINE = "offline"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


def line_of(words: Sequence[str]) -> str:
    """`words` as one line; a word with spaces or quotes in it, or an empty one, stands in quotes."""
    return " ".join(_quoted(word) for word in words)


def _quoted(word: str) -> str:
    if word and not any(sign.isspace() or sign in "\"'" for sign in word):
        return word
    return f'"{word}"' if '"' not in word else f"'{word}'"


class CommandRequest(Struct, frozen=True, kw_only=True):
    """A command for one or many machines: `words` as typed, a prefix such as `Linux:` still in place.

    `window` is how many machines run it at once, the next one when one has ended; 0 is all of them.
    """

    id: str
    words: tuple[str, ...]
    machines: tuple[str, ...]
    timeout_s: float
    operator: str
    time_s: float
    window: int = 0

    @property
    def line(self) -> str:
        """The words as one line, for people and for the history; quotes say where a word has spaces in it."""
        return line_of(self.words)


class CommandOutput(Struct, frozen=True, kw_only=True, gc=False):
    """A piece of output as it comes; `fd` 1 is stdout, 2 is stderr; invalid UTF-8 is already U+FFFD."""

    id: str
    machine: str
    fd: int
    text: str


class CommandPlace(Enum):
    """Where a command stands on a machine that has no result yet.

    WAITING for its turn in the window, SENT and not yet accepted, QUEUED by the agent behind others, RUNNING there;
    LINK_LOST while nothing is heard of it, until the link is back.
    """

    WAITING = "waiting"
    SENT = "sent"
    QUEUED = "queued"
    RUNNING = "running"
    LINK_LOST = "link_lost"


class CommandStep(Struct, frozen=True, kw_only=True, gc=False):
    """The run `id` has come to `place` on a machine; published by who sends it, and never kept."""

    id: str
    machine: str
    place: CommandPlace


class CommandResult(Struct, frozen=True, kw_only=True, gc=False):
    """How a command ended on one machine."""

    machine: str
    state: CommandState
    exit_status: int | None = None
    stdout: str = ""
    stderr: str = ""
    duration_s: float | None = None
    truncated_bytes: int = 0
    message: str | None = None


class CommandProgress(Struct, frozen=True, kw_only=True, gc=False):
    """One more result of the run `id`; `is_last` with the last one."""

    id: str
    result: CommandResult
    is_last: bool = False


class Quality(Enum):
    """What a value is worth: kept in every case, never dropped."""

    GOOD = "good"
    WARNING = "warning"
    ERROR = "error"


class MeterIdentity(Struct, frozen=True, kw_only=True):
    """Who the meter says it is; None where it does not say."""

    manufacturer: str | None = None
    model: str | None = None
    serial_number: str | None = None


class Reading(Struct, frozen=True, kw_only=True):
    """One value of a meter. `time` is the meter's own clock as it gives it (ISO 8601 where it can be), or None.

    `raw` is the number before the scaler; `scaler_source` is `meter`, `preset`, `user` or None where none applies.
    `label` names a value that has no code, in lower case with its unit, such as `volume_m3` or `flow_temperature_c`.
    """

    obis: str | None
    quantity: str | None
    value: float | int | str | None
    raw: float | int | str | None = None
    unit: str | None = None
    time: str | None = None
    quality: Quality = Quality.GOOD
    scaler_source: str | None = None
    label: str | None = None


class Measurement(Struct, frozen=True, kw_only=True):
    """One moment of a meter in fixed units, a column each in the history and a curve each in the window.

    None where the meter did not say: absent is never zero. `active_power_w` is the signed total, import positive.
    `quality` is the worst of the values it holds. Made by `core.meter.measurement`.
    """

    active_power_w: float | None = None
    active_power_import_w: float | None = None
    active_power_export_w: float | None = None
    active_power_l1_w: float | None = None
    active_power_l2_w: float | None = None
    active_power_l3_w: float | None = None
    reactive_power_var: float | None = None
    apparent_power_va: float | None = None
    voltage_l1_v: float | None = None
    voltage_l2_v: float | None = None
    voltage_l3_v: float | None = None
    current_l1_a: float | None = None
    current_l2_a: float | None = None
    current_l3_a: float | None = None
    power_factor: float | None = None
    frequency_hz: float | None = None
    thd_voltage_percent: float | None = None
    thd_current_percent: float | None = None
    active_energy_import_wh: float | None = None
    active_energy_export_wh: float | None = None
    reactive_energy_import_varh: float | None = None
    reactive_energy_export_varh: float | None = None
    active_energy_import_t1_wh: float | None = None
    active_energy_import_t2_wh: float | None = None
    active_energy_import_t3_wh: float | None = None
    active_energy_import_t4_wh: float | None = None
    power_factor_l1: float | None = None
    power_factor_l2: float | None = None
    power_factor_l3: float | None = None
    quality: Quality = Quality.GOOD


class MeterReadings(Struct, frozen=True, kw_only=True):
    """All that one telegram (or one readout) says, received by the host at `time_s`.

    `name` is the meter's name in the console: as configured, else its serial number, else its port.
    `is_simulated` marks everything made from it.
    """

    name: str
    protocol: str
    meter: MeterIdentity
    time_s: float | None
    readings: tuple[Reading, ...]
    errors: tuple[str, ...] = ()
    is_simulated: bool = False
    measurement: Measurement | None = None


class MeterState(Enum):
    """Where the reading of a meter stands."""

    SEARCHING = "searching"
    READING = "reading"
    SILENT = "silent"
    DISCONNECTED = "disconnected"
    FAILED = "failed"


class MeterReport(Struct, frozen=True, kw_only=True):
    """State of a probe in words: `text` says what is tried, found or missing, in the user's language.

    `line` is such as `9600 8N1`; `period_s` the measured time between telegrams; `needs_key` asks for the key dialog,
    `needs_password` for the password (none is ever tried again by itself);
    `is_problem` tells that `text` is about octets that were not taken, whatever the state; `is_trying` that an attempt
    failed and the next one follows by itself; `is_ended` that nobody reads the meter any more, by somebody's will.
    """

    name: str
    port: str
    state: MeterState
    text: str
    time_s: float
    protocol: str | None = None
    line: str | None = None
    period_s: float | None = None
    is_ciphered: bool | None = None
    is_authenticated: bool | None = None
    needs_key: bool = False
    is_simulated: bool = False
    is_problem: bool = False
    is_trying: bool = False
    is_ended: bool = False
    needs_password: bool = False


class Severity(Enum):
    """How much an event matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Event(Struct, frozen=True, kw_only=True):
    """Something that happened and is kept: a state change, a pairing, a probe found, a loss; `text` for the user."""

    time_s: float
    source: str
    kind: str
    severity: Severity
    text: str
    operator: str | None = None


class StoreReport(Struct, frozen=True, kw_only=True):
    """State of the database, for the status bar; `error` None while all is written."""

    time_s: float
    rows_waiting: int
    rows_written: int
    rows_dropped: int
    error: str | None = None


class SeriesInfo(Struct, frozen=True, kw_only=True):
    """A series kept in the history; `first_s` and `last_s` are epoch seconds."""

    name: str
    unit: str | None
    first_s: float
    last_s: float
    count: int


class CommandRunSummary(Struct, frozen=True, kw_only=True):
    """One line of the history of commands; the counts are of machines by how the command ended there."""

    id: str
    line: str
    time_s: float
    operator: str
    machines: tuple[str, ...]
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class SeriesPoints:
    """Points of one series, oldest first; all arrays are `array("d")` of shape (n,).

    Raw samples have the same array as minimum, mean and maximum. A gap is a NaN between two points. `filled` are the
    spans whose points were not read as they came but fetched later from the meter's own load profile.
    """

    name: str
    unit: str | None
    time_s: array[float]
    minimum: array[float]
    mean: array[float]
    maximum: array[float]
    filled: tuple[tuple[float, float], ...] = ()


class Mover(Struct, frozen=True, kw_only=True):
    """A series that changed around a moment: its mean before and during; `score` in its own usual spread."""

    series: str
    unit: str | None
    before: float
    during: float
    score: float


class HistoryMark(Struct, frozen=True, kw_only=True):
    """Something that happened, to be marked on a curve; `kind` is `alarm`, `command`, `chat` or `event`.

    `until_s` None where it has no length or still lasts; `source` is a machine, a sensor, a meter, an operator;
    `severity` the word of the alarm's or the event's severity, None where there is none.
    """

    kind: str
    time_s: float
    until_s: float | None
    source: str
    text: str
    severity: str | None = None
