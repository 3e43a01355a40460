"""`--demo`: the simulated meter has a past, a tariff and a cost, and a home that has them already keeps its own."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from PyQt5.QtCore import QObject, pyqtSignal

from core.config import load_config
from core.home import Home
from core.records import MeterIdentity, MeterReadings
from gui.wiring.demonstration import MadeUpPast, prepare
from gui.wiring.simulated_meter import SIMULATED


class FakeServices(QObject):
    history_ready = pyqtSignal()

    def __init__(self, known: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._history = SimpleNamespace(meters=lambda: list(known))
        self.works: list[object] = []

    def query(self, function, done, failed=None):
        done(function(self._history))

    def run(self, coroutine, done, failed=None):
        self.works.append(coroutine)
        coroutine.close()


def telegram(name: str = SIMULATED) -> MeterReadings:
    return MeterReadings(name=name, protocol="push", meter=MeterIdentity(), time_s=1_772_366_400.0, readings=())


@pytest.mark.parametrize(("known", "count"), [((), 1), ((SIMULATED,), 0), (("another",), 1)])
def test_only_a_history_without_the_simulated_meter_gets_a_past(qapp, known, count):
    services = FakeServices(known)
    past = MadeUpPast(services)
    services.history_ready.emit()
    past.apply_readings(telegram("a real one"))
    assert not services.works
    past.apply_readings(telegram())
    past.apply_readings(telegram())
    assert len(services.works) == count


def test_energy_has_a_price_and_one_that_was_set_stays(tmp_path):
    home = Home(tmp_path / "home").make()
    config = prepare(home, load_config(home)[0])
    tariff = config.tariff_of(SIMULATED)
    assert tariff is not None
    assert tariff.budget_per_month is not None
    text = home.config_path.read_text()
    again = prepare(home, load_config(home)[0])
    assert again.tariffs == config.tariffs
    assert home.config_path.read_text() == text
