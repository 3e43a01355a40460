"""What the watch learns of the history: a peak rings minutes after a start, a month above its budget is told."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from alarm_records import meter_readings
from msgspec.structs import replace

from core.alarms.rules import default_of
from core.config.settings import AlarmsSettings, MeterConfig
from core.errors import StoreError
from core.records import Measurement, MeterIdentity, MeterReadings
from core.services import meter_past
from core.services.alarm_watch import AlarmWatch
from core.site_records import Alarm
from core.store.history import History
from core.tariffs import TariffConfig, TariffPeriod

NOW = time.time()
HOUSE = TariffConfig(
    name="house", periods=(TariffPeriod(name="flat", price_per_kwh="0.5"),), budget_per_month=100, currency="CHF"
)
MAIN = MeterConfig(name="main", port="/dev/ttyUSB0", subscribed_power_w=5000.0)

SOON = replace(default_of("consumption peak"), duration_s=20.0)


class Site:
    """A history of ten days at 1 kW, and a watch over it."""

    def __init__(self, path, *, failures: int = 0) -> None:
        self.told: list[Alarm] = []
        self.now_s = NOW
        self.failures = failures
        self._thread = ThreadPoolExecutor(1)
        self.history = self._thread.submit(History.open, path).result()
        self._thread.submit(self._fill).result()
        self.watch = AlarmWatch(
            AlarmsSettings(rules=(SOON,)), (), self._publish, self.query, clock=lambda: self.now_s, drain_s=0.002
        )

    def _fill(self) -> None:
        times = [NOW - 600.0 * number for number in range(40 * 144, 0, -1)]
        self.history.write(
            [
                MeterReadings(
                    name="main", protocol="push", meter=MeterIdentity(), time_s=time_s, readings=(),
                    measurement=Measurement(active_power_w=1000.0, active_energy_import_wh=1e7 + (time_s - NOW) / 3.6),
                )
                for time_s in times
            ]
        )  # fmt: skip

    def query(self, function):
        def work():
            if self.failures:
                self.failures -= 1
                raise StoreError("the disk is gone")
            return function(self.history)

        return asyncio.wrap_future(self._thread.submit(work))

    def _publish(self, record) -> None:
        if isinstance(record, Alarm):
            self.told.append(record)

    def close(self) -> None:
        self._thread.submit(self.history.close).result()
        self._thread.shutdown()


@pytest.fixture
def fast(monkeypatch):
    monkeypatch.setattr(meter_past, "LOOK_S", 0.01)


async def watched(site: Site, rule: str) -> Alarm:
    """The first alarm of a rule while the meter says 4 kW each minute of a fast clock."""
    running = asyncio.create_task(site.watch.run())
    try:
        async with asyncio.timeout(20):
            while True:
                site.watch.put(meter_readings(site.now_s, active_power_w=4000.0))
                await asyncio.sleep(0.02)
                found = [alarm for alarm in site.told if alarm.rule == rule]
                if found:
                    return found[0]
                site.now_s += 2.0
    finally:
        running.cancel()
        await asyncio.wait([running])


def test_a_peak_rings_soon_after_a_start_since_the_history_says_what_is_usual(tmp_path, fast):
    site = Site(tmp_path / "h.db")
    try:
        alarm = asyncio.run(watched(site, "consumption peak"))
        assert alarm.value == 4.0
        assert "1 kW is usual" in alarm.text
    finally:
        site.close()


def test_a_month_above_its_budget_is_told_once_with_both_amounts(tmp_path, fast):
    site = Site(tmp_path / "h.db", failures=1)
    site.watch.set_meters([(MAIN, HOUSE)])
    try:
        alarm = asyncio.run(watched(site, "budget"))
        assert alarm.value is not None
        assert alarm.value == pytest.approx(360, rel=0.1)
        assert (alarm.threshold, alarm.unit, alarm.source) == (100.0, "%", "meter/main")
        assert "of 100 CHF" in alarm.text
        assert len([one for one in site.told if one.rule == "budget"]) == 1
    finally:
        site.close()


def test_the_subscribed_power_of_the_settings_is_looked_at(tmp_path, fast):
    site = Site(tmp_path / "h.db")
    site.watch.set_meters([(MeterConfig(name="main", port="x", subscribed_power_w=3000.0), None)])
    try:
        alarm = asyncio.run(watched(site, "subscribed power"))
        assert alarm.value == pytest.approx(133.3, abs=0.1)
    finally:
        site.close()
