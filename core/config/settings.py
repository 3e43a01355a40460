"""The settings as records."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from core.config.commands import CommandConfig, FilterConfig
from core.config.views import ViewConfig
from core.records import Level
from core.site_records import AlarmRule, AlarmSeverity
from core.tariffs import TariffConfig

Seconds = Annotated[float, Meta(ge=0.2, le=3600)]
Days = Annotated[int, Meta(ge=1, le=36500)]
Text = Annotated[str, Meta(max_length=1024)]
ListenAddress = Annotated[str, Meta(pattern=r"^(\[[^\]]+\]|[^:\s]+):[0-9]{1,5}$")]


class Polling(Struct, frozen=True, kw_only=True):
    """How often an agent sends its status: to a machine in the background, to one that is shown."""

    interval_s: Seconds = 5.0
    visible_interval_s: Seconds = 1.0


class Retention(Struct, frozen=True, kw_only=True):
    """Days that rows are kept.

    `raw_days` holds for values of meters, sensors and checks as they came, `minute_days` for minutes, `quarter_days`
    for quarters of an hour, commands, events, alarms that are over and lines of the room, `hour_days` and `day_days`
    for hours and days.
    """

    raw_days: Days = 30
    minute_days: Days = 90
    quarter_days: Days = 1100
    hour_days: Days = 3660
    day_days: Days = 3660


class AgentSettings(Struct, frozen=True, kw_only=True):
    """The agent of this home: where it listens, the most that it lets a console do, whether consoles admit others."""

    listen: ListenAddress = "0.0.0.0:17450"
    max_level: Level = Level.RUN
    admit: bool = True


class ConsoleSettings(Struct, frozen=True, kw_only=True):
    """The console's own key: `passphrase` is `ask`, `keyring:NAME` or a file relative to the home, None for no such."""

    passphrase: Annotated[str, Meta(min_length=1, max_length=1024)] | None = None


class MachinesSettings(Struct, frozen=True, kw_only=True):
    """The list of machines: `max` is the most that it takes."""

    max: Annotated[int, Meta(ge=1, le=100_000)] = 2000


class MeterConfig(Struct, frozen=True, kw_only=True):
    """One `[[meter]]`; None leaves the choice to the reader. Files are relative to the home, `keyring:NAME` is none.

    `usb_serial` finds the probe again on whatever port it is plugged in; `address` is that of the meter on its line (a
    server address in DLMS, a primary or secondary address in M-Bus); `total` counts it in the site's total.
    """

    name: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^/\x00-\x1f]+$")]
    port: Annotated[str, Meta(min_length=1, max_length=1024)]
    protocol: Literal["auto", "push", "iec62056-21", "dlms", "mbus"] = "auto"
    baud: Annotated[int, Meta(ge=50, le=4_000_000)] | None = None
    parity: Literal["N", "E", "O"] | None = None
    client: Annotated[int, Meta(ge=0, le=16383)] | None = None
    password_file: Text | None = None
    key_file: Text | None = None
    auth_key_file: Text | None = None
    preset: Text | None = None
    usb_serial: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    address: Annotated[str, Meta(max_length=64)] = ""
    framing: Literal["hdlc", "wrapper"] | None = None
    system_title: Annotated[str, Meta(pattern=r"^[0-9A-Fa-f]{16}$")] | None = None
    interval_s: Annotated[float, Meta(ge=0.2, le=86_400)] | None = None
    total: bool = True
    tariff: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    subscribed_power_w: Annotated[float, Meta(gt=0, le=100_000_000)] | None = None


class SensorsSettings(Struct, frozen=True, kw_only=True):
    """The intake of sensors. `allow` are addresses and networks, nobody is shut out where it is empty.

    `file` is a text file beside the database, one line a measure; `rate_per_s` the messages a second that one link may
    send, None for no limit.
    """

    enabled: bool = False
    listen: ListenAddress = "127.0.0.1:17452"
    allow: Annotated[tuple[Text, ...], Meta(max_length=1000)] = ()
    file: Text | None = None
    links: Annotated[int, Meta(ge=1, le=100_000)] = 10_000
    rate_per_s: Annotated[float, Meta(gt=0, le=1_000_000)] | None = None


class SensorConfig(Struct, frozen=True, kw_only=True):
    """One `[[sensor]]`: what people call the sensor of that `id`, where it is, its unit and when it rings."""

    id: Annotated[str, Meta(min_length=1, max_length=64)]
    name: Annotated[str, Meta(max_length=64)] = ""
    place: Annotated[str, Meta(max_length=64)] = ""
    unit: Annotated[str, Meta(max_length=16)] | None = None
    low: float | None = None
    high: float | None = None
    silent_after_s: Annotated[float, Meta(ge=1, le=31_536_000)] | None = None


class RoomSettings(Struct, frozen=True, kw_only=True):
    """The room: `stop_word` lets who says it end the server; `post_alarms` from that severity, `post_commands` ends.

    `post_alarms` None is `"never"` in the file.
    """

    enabled: bool = False
    listen: ListenAddress = "127.0.0.1:17453"
    stop_word: Annotated[str, Meta(pattern=r"\S", max_length=64)] | None = None
    post_alarms: AlarmSeverity | None = None
    post_commands: bool = False


class CheckConfig(Struct, frozen=True, kw_only=True):
    """One `[[check]]`: `target` is a URL, `HOST:PORT` (TCP) or `HOST` (ping)."""

    name: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^/\x00-\x1f]+$")]
    target: Annotated[str, Meta(min_length=1, max_length=2048)]
    interval_s: Annotated[float, Meta(ge=1, le=86_400)] = 60.0
    timeout_s: Annotated[float, Meta(ge=0.1, le=300)] = 10.0
    text: Annotated[str, Meta(min_length=1, max_length=1024)] | None = None
    groups: tuple[Annotated[str, Meta(min_length=1, max_length=64)], ...] = ()


class EmailSettings(Struct, frozen=True, kw_only=True):
    """Mail of alarms from `severity` on."""

    host: Annotated[str, Meta(min_length=1, max_length=253)]
    sender: Annotated[str, Meta(min_length=3, max_length=320)]
    to: Annotated[tuple[Annotated[str, Meta(min_length=3, max_length=320)], ...], Meta(min_length=1, max_length=50)]
    port: Annotated[int, Meta(ge=1, le=65535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: Annotated[str, Meta(max_length=320)] | None = None
    password_file: Text | None = None
    severity: AlarmSeverity = AlarmSeverity.HIGH


class WebhookSettings(Struct, frozen=True, kw_only=True):
    """JSON of alarms from `severity` on, by POST; the token goes as `Authorization: Bearer`."""

    url: Annotated[str, Meta(pattern=r"^https?://", max_length=2048)]
    token_file: Text | None = None
    severity: AlarmSeverity = AlarmSeverity.MEDIUM


class AlarmsSettings(Struct, frozen=True, kw_only=True, rename={"rules": "rule"}):
    """What rings, and how: `rules` are changes of and additions to the rules that are there from the first day.

    `notify` is the least severity of a desktop notification; None is `"never"` in the file.
    """

    sound: bool = True
    notify: AlarmSeverity | None = AlarmSeverity.MEDIUM
    rules: tuple[AlarmRule, ...] = ()
    email: EmailSettings | None = None
    webhook: WebhookSettings | None = None


_TABLES = {
    "meters": "meter",
    "tariffs": "tariff",
    "sensor_list": "sensor",
    "checks": "check",
    "views": "view",
    "commands": "command",
    "filters": "filter",
}


class Config(Struct, frozen=True, kw_only=True, rename=_TABLES):
    """All settings; `database` None is `beffroi.db` in the home, else a path or a URL such as `sqlite:///FILE`."""

    operator: Annotated[str, Meta(min_length=1, max_length=128)] = ""
    language: Literal["system", "en", "fr"] = "system"
    theme: Literal["system", "light", "dark"] = "system"
    database: Annotated[str, Meta(min_length=1, max_length=1024)] | None = None
    polling: Polling = Polling()
    retention: Retention = Retention()
    agent: AgentSettings = AgentSettings()
    console: ConsoleSettings = ConsoleSettings()
    machines: MachinesSettings = MachinesSettings()
    sensors: SensorsSettings = SensorsSettings()
    room: RoomSettings = RoomSettings()
    alarms: AlarmsSettings = AlarmsSettings()
    meters: tuple[MeterConfig, ...] = ()
    tariffs: tuple[TariffConfig, ...] = ()
    sensor_list: tuple[SensorConfig, ...] = ()
    checks: tuple[CheckConfig, ...] = ()
    views: tuple[ViewConfig, ...] = ()
    commands: tuple[CommandConfig, ...] = ()
    filters: tuple[FilterConfig, ...] = ()

    def meter(self, name: str) -> MeterConfig | None:
        """The meter of that name."""
        return next((meter for meter in self.meters if meter.name == name), None)

    def tariff_of(self, meter: str) -> TariffConfig | None:
        """The tariff of the meter of that name: the one that it names, else the only one there is."""
        known = self.meter(meter)
        wanted = None if known is None else known.tariff
        if wanted is None:
            return self.tariffs[0] if len(self.tariffs) == 1 else None
        return next((tariff for tariff in self.tariffs if tariff.name == wanted), None)
