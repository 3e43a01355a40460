"""Cost and kWh on the Energy page: what is known is said once, in the user's digits; what is not known is no zero."""

from __future__ import annotations

import time

import pytest
from PyQt5.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from core.meter_records import EnergyAccount, EnergyBars, EnergySpan
from core.records import Measurement, MeterIdentity, MeterReadings, MeterReport, MeterState
from gui.models.energy_words import account_tip, is_over_budget, month_words, slot_words
from gui.models.meter_shown import SITE
from gui.models.site_total import SiteTotal, summed_account, summed_bars
from gui.pages.energy import EnergyPage
from gui.widgets.overview_tiles import EnergyTile

DAY_S = 86_400.0
MIDNIGHT_S = time.mktime((2026, 11, 21, 0, 0, 0, 0, 0, -1))


def _span(import_wh: float | None = 1000.0, cost: float | None = None, at: int = 0, **more: object) -> EnergySpan:
    start_s = MIDNIGHT_S + at * 3600
    return EnergySpan(**{"start_s": start_s, "end_s": start_s + 3600, "import_wh": import_wh, "cost": cost, **more})


def _account(meter: str = "E450", **more: object) -> EnergyAccount:
    fields: dict[str, object] = {
        "meter": meter,
        "time_s": time.time(),
        "tariff": "house",
        "currency": "EUR",
        "today": _span(14_200.0, 2.61, cost_by_period={"night": 0.6, "day": 2.01}),
        "yesterday": _span(17_000.0, 3.1),
        "yesterday_so_far": _span(9_000.0, 1.7),
        "last_week": _span(16_000.0, 2.9),
        "last_week_so_far": _span(8_000.0, 1.5),
        "month": _span(300_000.0, 41.2),
        "last_month": _span(310_000.0, 52.0),
        "forecast_cost": 55.3,
        "budget": 58.0,
        "price_per_kwh_now": 0.2016,
        "period_now": "day",
    }
    return EnergyAccount(**{**fields, **more})


def _bars(meter: str = "E450", unit: str = "hour", values: tuple[float | None, ...] = (500.0, 1420.0)) -> EnergyBars:
    spans = tuple(_span(value, None if value is None else value / 5000, at) for at, value in enumerate(values))
    return EnergyBars(
        meter=meter,
        unit=unit,
        spans=spans,
        before=tuple(_span(1100.0, at=at) for at in range(len(values))),
        long_before=tuple(_span(1600.0, at=at) for at in range(len(values))),
    )


def _readings(name: str, power_w: float | None, **more: object) -> MeterReadings:
    measured = Measurement(active_power_w=power_w, active_energy_import_wh=40_091_200.0, **more)
    return MeterReadings(
        name=name, protocol="push", meter=MeterIdentity(), time_s=time.time(), readings=(), measurement=measured
    )


@pytest.fixture
def page(qtbot: QtBot) -> EnergyPage:
    page = EnergyPage()
    qtbot.addWidget(page)
    page.resize(1500, 900)
    page.show()
    qtbot.waitExposed(page)
    page.apply_readings(_readings("E450", 1840.0, power_factor=0.96, power_factor_l1=0.97, power_factor_l2=0.95))
    return page


def test_the_month_is_said_as_far_as_it_is_known():
    assert month_words(_account()).replace("\u00a0", " ") == "month: 41 of 58 €, forecast 55"
    assert month_words(_account(budget=None, forecast_cost=None)).replace("\u00a0", " ") == "month: 41 €"
    assert month_words(_account(month=_span(300_000.0))) == ""
    assert not is_over_budget(_account())
    assert is_over_budget(_account(forecast_cost=61.0))


def test_the_tip_of_the_cost_tells_each_period_and_the_price_now():
    tip = account_tip(_account())
    assert "now: 0.2016 €/kWh day" in tip
    assert "today, night: 0.60 €" in tip
    assert "yesterday: 3.10 €" in tip


def test_the_cost_of_today_is_a_card(page: EnergyPage):
    page.apply_account(_account())
    card = page.numbers.cost
    assert card.isVisible()
    assert card.big.accessibleName() == "2.61 €"
    assert card.big.detail().replace("\u00a0", " ") == "month: 41 of 58 €, forecast 55"
    assert page.numbers.cards["energy"].big.detail() == "+14.2 today"
    assert page.numbers.cards["power_factor"].big.detail() == "L1 0.97 L2 0.95"


def test_a_month_that_will_cost_too_much_is_amber(page: EnergyPage):
    page.apply_account(_account(forecast_cost=61.0))
    assert page.numbers.cost.big.detail_label.property("role") == "warning"
    page.apply_account(_account())
    assert page.numbers.cost.big.detail_label.property("role") == "dim"


def test_without_a_tariff_one_button_asks_for_one(page: EnergyPage, qtbot: QtBot):
    page.apply_account(_account(tariff=None, currency=None, budget=None, forecast_cost=None))
    card = page.numbers.cost
    assert card.button.isVisible()
    assert not card.big.isVisible()
    with qtbot.waitSignal(page.tariff_wanted) as told:
        qtbot.mouseClick(card.button, Qt.LeftButton)
    assert told.args == ["E450"]


def test_a_meter_of_heat_is_not_asked_for_a_tariff(page: EnergyPage):
    page.apply_readings(
        MeterReadings(
            name="Heat",
            protocol="mbus",
            meter=MeterIdentity(),
            time_s=time.time(),
            readings=(),
            measurement=Measurement(active_power_w=10.0),
        )
    )
    page.show_meter("Heat")
    page.apply_account(_account("Heat", tariff=None, today=_span(None)))
    assert not page.numbers.cost.isVisible()


def test_the_account_of_another_meter_changes_nothing(page: EnergyPage):
    page.apply_account(_account("Garage"))
    assert not page.numbers.cost.isVisible()


def test_what_was_counted_is_asked_once_a_minute_and_again_for_another_unit(page: EnergyPage, qtbot: QtBot):
    asked = []
    page.account_wanted.connect(lambda *arguments: asked.append(arguments))
    page.count_again()
    assert asked == [("E450", "hour")]
    page._on_tick()
    assert asked == [("E450", "hour")]
    qtbot.mouseClick(page.curves.bars.buttons["day"], Qt.LeftButton)
    assert asked[-1] == ("E450", "day")
    page.count_again("E450")
    assert asked[-1] == ("E450", "day")
    assert len(asked) == 3


def test_a_bar_says_its_energy_what_was_before_and_its_cost():
    words = slot_words(_bars(), 1, "EUR")
    assert words.startswith("Sat 21 Nov, 01:00–02:00: 1.42 kWh (yesterday 1.10, last week 1.60)")
    assert "0.28 €" in words
    assert "not known" in slot_words(_bars(values=(None,)), 0)


def test_bars_are_told_at_the_mouse_and_by_the_arrow_keys(page: EnergyPage, qtbot: QtBot):
    page.apply_bars(_bars())
    card = page.curves.bars
    assert card.chart.isVisibleTo(page)
    card.chart.setFocus(Qt.TabFocusReason)
    qtbot.keyClick(card.chart, Qt.Key_Home)
    assert "0.50 kWh" in card.words()
    qtbot.keyClick(card.chart, Qt.Key_Right)
    assert "1.42 kWh" in card.words()
    assert "1.42 kWh" in card.chart.accessibleDescription()
    card.chart.clearFocus()
    assert card.words() == ""
    area = card.chart._area()
    qtbot.mouseMove(card.chart, QPoint(int(area.left() + area.width() * 0.2), int(area.center().y())))
    qtbot.waitUntil(lambda: "0.50 kWh" in card.words(), timeout=2000)


def test_a_meter_without_energy_shows_a_sentence_in_place_of_bars(page: EnergyPage):
    page.apply_bars(_bars(values=(None, None)))
    assert not page.curves.bars.chart.isVisibleTo(page)


def test_huge_and_tiny_energies_have_an_axis(page: EnergyPage):
    for values in ((0.0, 0.0), (0.4, None), (2e9, 1.0)):
        page.apply_bars(_bars(values=values))
        low, high, step, _digits = page.curves.bars.chart._scale(150.0, 14.0)
        assert low <= 0 < high
        assert (high - low) / step < 15
        page.curves.bars.chart.grab()


def test_the_site_is_the_sum_while_each_of_its_meters_is_read():
    total = SiteTotal()
    total.set_counted(["E450", "Garage"])
    now_s = time.time()
    assert total.take(_readings("E450", 1800.0), now_s) is None
    found = total.take(_readings("Garage", -300.0), now_s + 1)
    assert found is not None
    assert found.name == SITE
    assert found.measurement is not None
    assert found.measurement.active_power_w == 1500.0
    assert total.parts == ("E450", "Garage")


def test_a_silent_meter_leaves_the_sum_open_and_is_no_zero():
    total = SiteTotal()
    total.set_counted(["E450", "Garage"])
    now_s = time.time()
    total.take(_readings("E450", 1800.0), now_s)
    total.take(_readings("Garage", 300.0), now_s + 1)
    assert total.take(_readings("E450", 1800.0), now_s + 60) is None
    total.take_report(
        MeterReport(name="Garage", port="p", state=MeterState.READING, text="", time_s=now_s, period_s=60.0)
    )
    assert total.take(_readings("E450", 1800.0), now_s + 61) is not None


def test_a_meter_that_does_not_count_or_tells_no_power_is_left_out():
    total = SiteTotal()
    total.set_counted(["E450", "Garage"])
    total.take(_readings("E450", 1800.0), 1.0)
    assert total.take(_readings("E450 demo", 500.0), 2.0) is None
    assert total.take(_readings("Garage", None), 3.0) is None
    assert total.parts == ()
    total.take(_readings("Garage", 100.0), 4.0)
    total.set_counted(["E450"])
    assert total.parts == ()


def test_accounts_of_several_meters_add_up_where_they_can():
    both = summed_account([_account(), _account("Garage", today=_span(800.0, 0.2))])
    assert both.meter == SITE
    assert both.today.import_wh == 15_000.0
    assert both.today.cost == pytest.approx(2.81)
    mixed = summed_account([_account(), _account("Garage", currency="CHF")])
    assert mixed.tariff is None
    assert mixed.today.cost is None
    assert mixed.today.import_wh == 28_400.0
    assert summed_account([_account(), _account("Garage", today=_span(None))]).today.import_wh is None


def test_bars_of_several_meters_add_up_slot_by_slot():
    both = summed_bars([_bars(), _bars("Garage", values=(100.0, None))])
    assert [span.import_wh for span in both.spans] == [600.0, None]
    assert both.before[0] is not None
    assert both.before[0].import_wh == 2200.0


def test_the_total_stands_last_among_the_meters_and_says_what_it_is(page: EnergyPage):
    page.apply_readings(_readings(SITE, 2140.0), ("E450", "Garage"))
    page.apply_readings(_readings("Garage", 300.0))
    box = page.header.meter_box
    assert [box.itemData(row) for row in range(box.count())] == ["E450", "Garage", SITE]
    page.show_meter(SITE)
    assert "sum of E450, Garage" in page.header.description()
    assert page.numbers.cards["power"].big.accessibleName() == "2.14 kW"
    assert not page.header.registers_button.isEnabled()


def test_the_states_of_the_meters_are_in_the_selector(page: EnergyPage):
    page.apply_readings(_readings("Garage", 300.0))
    page.apply_report(MeterReport(name="Garage", port="p", state=MeterState.SILENT, text="x", time_s=time.time()))
    texts = [page.header.meter_box.itemText(row) for row in range(page.header.meter_box.count())]
    assert texts == ["E450 · not connected", "Garage · silent"]


def test_a_wrong_password_is_asked_for_in_the_banner(page: EnergyPage, qtbot: QtBot):
    report = MeterReport(
        name="E450", port="p", state=MeterState.FAILED, text="refused", time_s=time.time(), needs_password=True
    )
    page.apply_report(report)
    with qtbot.waitSignal(page.password_wanted) as told:
        qtbot.mouseClick(page.banner.button, Qt.LeftButton)
    assert told.args == ["E450"]


def test_connecting_again_is_by_the_name_of_the_meter(page: EnergyPage, qtbot: QtBot):
    page.apply_report(MeterReport(name="E450", port="p", state=MeterState.FAILED, text="gone", time_s=time.time()))
    with qtbot.waitSignal(page.again_wanted) as told:
        qtbot.mouseClick(page.banner.button, Qt.LeftButton)
    assert told.args == ["E450"]


def test_the_tile_of_the_overview_says_the_cost(qtbot: QtBot):
    tile = EnergyTile()
    qtbot.addWidget(tile)
    tile.show()
    tile.apply_readings(_readings("E450", 1840.0))
    tile.apply_account(_account())
    assert tile._number.accessibleName() == "14.2 kWh"
    assert "2.61 € today" in tile._cost.text()
    assert "forecast 55" in tile._cost.text()
    tile.apply_account(_account(tariff=None, today=_span(14_200.0)))
    assert not tile._cost.isVisible()
