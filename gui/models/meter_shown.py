"""What the window knows of one meter, and its words for people."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from core.language import N_, _
from core.meter_records import EnergyAccount, EnergyBars
from core.records import Measurement, MeterReadings, MeterReport, MeterState, Reading, SeriesPoints
from gui import numbers
from gui.models.energy_words import today_words

REGISTER = "active_energy_import_wh"
"""The register that the energy of today is counted from."""

SITE = "/site"
"""Owner of the site's total among the series; no meter can be called so."""

_PROTOCOLS = {"push": "DLMS push", "iec62056-21": "IEC 62056-21", "dlms": "DLMS", "mbus": "M-Bus"}
_STATES = {
    MeterState.SEARCHING: N_("searching"),
    MeterState.READING: N_("reading"),
    MeterState.SILENT: N_("silent"),
    MeterState.DISCONNECTED: N_("disconnected"),
    MeterState.FAILED: N_("failed"),
}
_MAKERS = {"LGZ": "Landis+Gyr"}
_STALE_AFTER_PERIODS = 3
_STALE_AFTER_S = 15.0
_FIRST_READING_S = 900.0
_VALUES = tuple(name for name in Measurement.__struct_fields__ if name != "quality")


@dataclass(slots=True)
class MeterShown:
    """One meter: its last telegram, its state, its newest values, the register of this morning, what it has cost.

    The site's total is one too: `parts` are the meters that it is the sum of.
    """

    name: str
    readings: MeterReadings | None = None
    report: MeterReport | None = None
    measurement: Measurement = field(default_factory=Measurement)
    time_s: float | None = None
    day: str = ""
    day_from: tuple[float, float] | None = None
    account: EnergyAccount | None = None
    bars: dict[str, EnergyBars] = field(default_factory=dict)
    parts: tuple[str, ...] = ()

    @property
    def is_total(self) -> bool:
        """True for the sum of the site's meters."""
        return self.name == SITE

    @property
    def title(self) -> str:
        """What it is called on screen."""
        return _("Site total") if self.is_total else self.name

    @property
    def choice(self) -> str:
        """Its line where one of several meters is chosen: name and state."""
        if self.is_total:
            return self.title
        state = _(_STATES[self.report.state]) if self.report is not None else _("not connected")
        if self.report is not None and (self.report.needs_password or self.report.needs_key):
            state = _("needs its password") if self.report.needs_password else _("needs its key")
        return f"{self.name} · {state}"

    @property
    def currency(self) -> str | None:
        """Currency of its cost."""
        return self.account.currency if self.account is not None else None

    @property
    def is_simulated(self) -> bool:
        """True where nothing of it was measured."""
        return any(record is not None and record.is_simulated for record in (self.readings, self.report))

    @property
    def has_values(self) -> bool:
        """True once there is something to show of it."""
        return self.time_s is not None or self.readings is not None

    @property
    def is_other(self) -> bool:
        """True for a meter of heat, water or gas: what it says has names of its own and no curve here."""
        is_heard = self.readings is not None and bool(self.readings.readings)
        return is_heard and all(getattr(self.measurement, name) is None for name in _VALUES)

    @property
    def others(self) -> list[Reading]:
        """Its numbers, where it is such a meter."""
        if not self.is_other or self.readings is None:
            return []
        return [one for one in self.readings.readings if isinstance(one.value, int | float)]

    def take_readings(self, readings: MeterReadings, now_s: float) -> None:
        """Take one more telegram; what it does not say stays as earlier ones said it."""
        self.readings = readings
        news = readings.measurement
        if news is not None:
            values = {
                name: getattr(self.measurement, name) if value is None else value
                for name in Measurement.__struct_fields__
                if (value := getattr(news, name)) is not None or getattr(self.measurement, name) is not None
            }
            self.measurement = Measurement(**values)
        if news is not None or self.is_other:
            self.time_s = readings.time_s if readings.time_s is not None else now_s

    def take_known(self, time_s: float, measurement: Measurement) -> None:
        """Take the last values that the history has, unless there are newer ones."""
        if self.time_s is None or self.time_s < time_s:
            self.measurement, self.time_s = measurement, time_s

    def begin_day(self) -> tuple[float, float] | None:
        """On the first register of a day, the span (start_s, end_s) whose registers the history should tell."""
        register_wh = self.measurement.active_energy_import_wh
        if register_wh is None or self.time_s is None:
            return None
        day = time.strftime("%Y-%m-%d", time.localtime(self.time_s))
        if day == self.day:
            return None
        self.day, self.day_from = day, (self.time_s, register_wh)
        return _midnight(self.time_s), self.time_s

    def take_registers(self, points: list[SeriesPoints]) -> None:
        """Take the registers of this day: the first one is where today is counted from."""
        for series in points:
            if not series.name.endswith(f"/{REGISTER}"):
                continue
            known = [pair for pair in zip(series.time_s, series.minimum, strict=True) if pair[1] == pair[1]]
            if known and (self.day_from is None or known[0][0] <= self.day_from[0]):
                self.day_from = known[0]

    def today_words(self) -> str:
        """`+14.2 today`, or since when where the first reading of the day came late; empty where it is not known."""
        if self.account is not None and (words := today_words(self.account)):
            return words
        register_wh = self.measurement.active_energy_import_wh
        if self.day_from is None or register_wh is None or self.time_s is None:
            return ""
        since_s, first_wh = self.day_from
        used = numbers.number((register_wh - first_wh) / 1000, 1)
        if since_s - _midnight(self.time_s) < _FIRST_READING_S:
            return _("+{energy} today").format(energy=used)
        return _("+{energy} since {time}").format(energy=used, time=numbers.clock(since_s))

    def stale_words(self, now_s: float) -> str:
        """Since when the values are old; empty while they are fresh."""
        if self.time_s is None:
            return ""
        period_s = self.report.period_s if self.report is not None else None
        limit_s = _STALE_AFTER_PERIODS * period_s if period_s else _STALE_AFTER_S
        if now_s - self.time_s <= limit_s:
            return ""
        return _("since {time}").format(time=numbers.clock(self.time_s, with_seconds=True))

    def waits_words(self) -> str:
        """What a total that has stood still waits for; empty while it goes on."""
        if not self.is_total or not self.stale_words(time.time()):
            return ""
        return _("The total waits until each of its meters is read: one that is silent would look like less power.")

    def silence_words(self) -> str:
        """Why nothing comes, where it is known; empty otherwise."""
        if self.is_total:
            return ""
        if self.report is None:
            return _("not connected")
        return _("disconnected") if self.report.state is MeterState.DISCONNECTED else ""

    def description(self, now_s: float) -> str:
        """Who, over what, how protected, how old: `Landis+Gyr E450 · 9600 8N1 · DLMS push (ciphered) · 3 s ago`."""
        age = numbers.age(now_s - self.time_s) if self.time_s is not None else ""
        if self.is_total:
            return " · ".join(part for part in (_("sum of {meters}").format(meters=", ".join(self.parts)), age) if part)
        identity = self.readings.meter if self.readings is not None else None
        maker = ""
        if identity is not None:
            manufacturer = _MAKERS.get(identity.manufacturer or "", identity.manufacturer)
            maker = " ".join(part for part in (manufacturer, identity.model) if part)
        name = self.name if identity is None or not identity.model else ""
        report, readings = self.report, self.readings
        protocol = report.protocol if report is not None else None
        if protocol is None and readings is not None:
            protocol = readings.protocol
        transport = _PROTOCOLS.get(protocol or "", protocol or "")
        if transport and report is not None and report.is_ciphered:
            protections = [_("ciphered"), _("authenticated") if report.is_authenticated else _("not authenticated")]
            transport = f"{transport} ({', '.join(protections)})"
        line = report.line if report is not None else ""
        return " · ".join(part for part in (name, maker, line, transport, age) if part)

    def is_older_name_in(self, report: MeterReport) -> bool:
        """True where this is only what the probe of `report` was called before it was known which meter it reads."""
        return (
            self.name != report.name
            and not self.has_values
            and self.report is not None
            and self.report.port == report.port
        )


def _midnight(time_s: float) -> float:
    local = time.localtime(time_s)
    return time.mktime((local.tm_year, local.tm_mon, local.tm_mday, 0, 0, 0, 0, 0, -1))
