"""What a made-up meter has used and cost, for the pictures of the documentation."""

from __future__ import annotations

import math
import random
import time

from core.meter_records import EnergyAccount, EnergyBars, EnergySpan
from gui.pages.energy import EnergyPage
from gui.pages.overview import OverviewPage

HOUR_S, DAY_S = 3600.0, 86_400.0


def tell_energy(page: EnergyPage, now_s: float) -> None:
    """Answer what the page asks about energy and cost."""

    def told(meter: str, unit: str) -> None:
        page.apply_account(_account(meter, now_s))
        page.apply_bars(_bars(meter, unit, now_s))

    page.account_wanted.connect(told)


def tell_cost(overview: OverviewPage, meter: str, now_s: float) -> None:
    """The same account on the Overview."""
    overview.apply_account(_account(meter, now_s))


def _span(start_s: float, length_s: float, import_wh: float, cost: float | None, now_s: float) -> EnergySpan:
    end_s = start_s + length_s
    return EnergySpan(start_s=start_s, end_s=end_s, import_wh=import_wh, cost=cost, is_whole=end_s <= now_s)


def _account(meter: str, now_s: float) -> EnergyAccount:
    midnight_s = _midnight(now_s)

    def span(days_back: float, length_s: float, import_wh: float, cost: float) -> EnergySpan:
        return _span(midnight_s - days_back * DAY_S, length_s, import_wh, cost, now_s)

    return EnergyAccount(
        meter=meter,
        time_s=now_s,
        tariff="Peak and off-peak",
        currency="EUR",
        today=span(0, now_s - midnight_s, 14_200.0, 2.61),
        yesterday=span(1, DAY_S, 17_400.0, 3.22),
        yesterday_so_far=span(1, DAY_S / 2, 13_600.0, 2.49),
        last_week=span(7, DAY_S, 16_900.0, 3.14),
        last_week_so_far=span(7, DAY_S / 2, 13_100.0, 2.41),
        month=span(20, 20 * DAY_S, 231_000.0, 41.0),
        last_month=span(50, 30 * DAY_S, 322_000.0, 57.2),
        forecast_wh=318_000.0,
        forecast_cost=55.0,
        budget=58.0,
        period_now="peak",
        price_per_kwh_now=0.2516,
    )


def _bars(meter: str, unit: str, now_s: float) -> EnergyBars:
    count, length_s, size_wh = {
        "hour": (24, HOUR_S, 620.0),
        "day": (30, DAY_S, 16_800.0),
        "month": (12, 30 * DAY_S, 4e5),
    }[unit]
    begin_s = (_midnight(now_s) + (now_s - _midnight(now_s)) // HOUR_S * HOUR_S) if unit == "hour" else _midnight(now_s)
    draw = random.Random(11)

    def row(scale: float) -> tuple[EnergySpan, ...]:
        spans = []
        for at in range(count - 1, -1, -1):
            start_s = begin_s - at * length_s
            hour = time.localtime(start_s).tm_hour
            shape = 0.5 + 1.6 * math.exp(-(((hour - 19) / 2.4) ** 2)) + 0.9 * math.exp(-(((hour - 8) / 1.8) ** 2))
            import_wh = scale * size_wh * (shape if unit == "hour" else 1.0) * draw.uniform(0.85, 1.15)
            part = min(1.0, (now_s - start_s) / length_s)
            spans.append(_span(start_s, length_s, import_wh * part, import_wh * part * 0.000184, now_s))
        return tuple(spans)

    return EnergyBars(
        meter=meter, unit=unit, spans=row(1.0), before=row(1.06), long_before=row(0.97) if unit == "hour" else ()
    )


def _midnight(now_s: float) -> float:
    return time.mktime((*time.localtime(now_s)[:3], 0, 0, 0, 0, 0, -1))
