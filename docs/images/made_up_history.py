"""A made-up day for the picture of the History page: a power peak, the machine behind it, and the heat that follows."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Sequence

from core.language import language
from core.records import HistoryMark, Mover, SeriesInfo, SeriesPoints
from gui.pages.history import HistoryPage

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
METER = "meter/E450 principal"
POWER, VOLTAGE = f"{METER}/active_power_w", f"{METER}/voltage_l1_v"
CPU, HEAT = "machine/srv-db/cpu_percent", "sensor/capteur_1/temperature_c"
UNITS = {POWER: "W", VOLTAGE: "V", CPU: "%", HEAT: "°C"}
MACHINES = ("fw-edge", "nas", "printer-hall", "srv-db", "srv-files", "srv-web-01", "srv-web-02")
PEAK_BEGINS_S, PEAK_ENDS_S = 5.2 * HOUR_S, 4.3 * HOUR_S
GAP_S = (9.6 * HOUR_S, 8.9 * HOUR_S)


MOVED = (
    Mover(series=CPU, unit="%", before=31.0, during=97.0, score=21.0),
    Mover(series="machine/srv-db/memory_percent", unit="%", before=70.2, during=79.1, score=4.0),
    Mover(series="machine/srv-files/cpu_percent", unit="%", before=6.0, during=14.5, score=2.2),
)


def value(name: str, back_s: float, now_s: float) -> float:
    """A curve with a day in it; the peak is `PEAK_BEGINS_S` before now."""
    day = math.sin((now_s - back_s) % DAY_S / DAY_S * 2 * math.pi - 2.0)
    is_peak = PEAK_ENDS_S < back_s < PEAK_BEGINS_S
    if name == POWER:
        kettle = 1300 if int(back_s / 240) % 31 == 0 else 0
        pump = 700 if int(back_s / 1500) % 4 == 0 else 0
        return 1500 + 350 * day + kettle + pump + (2300 if is_peak else 0) + random.uniform(-40, 40)
    if name == VOLTAGE:
        return 231.5 - 1.2 * day - (2.4 if is_peak else 0) + random.uniform(-0.4, 0.4)
    if name == CPU:
        return min(99.0, 24 + 9 * day + (66 if is_peak else 0) + random.uniform(-4, 4))
    warmed = max(0.0, min(PEAK_BEGINS_S - back_s, 3 * HOUR_S)) / HOUR_S
    cooled = max(0.0, PEAK_ENDS_S - back_s) / HOUR_S
    return 22.4 + 0.8 * day + 2.6 * (1 - math.exp(-2 * warmed)) * math.exp(-0.5 * cooled) + random.uniform(-0.05, 0.05)


def points(names: Sequence[str], start_s: float, end_s: float, most: int, now_s: float) -> list[SeriesPoints]:
    """As the history would tell them, a gap in what the meter says."""
    found = []
    for name in names:
        times, low, mean, high = (array("d") for _column in range(4))
        step_s = max(5.0, (min(end_s, now_s) - start_s) / min(most, 900))
        spread = {POWER: 120.0, VOLTAGE: 0.9, CPU: 7.0, HEAT: 0.06}[name] if step_s > 30 else 0.0
        at_s = start_s
        while at_s <= min(end_s, now_s):
            if GAP_S[1] < now_s - at_s < GAP_S[0] and name in (POWER, VOLTAGE):
                if mean and not math.isnan(mean[-1]):
                    times.append(at_s)
                    for column in (low, mean, high):
                        column.append(math.nan)
            else:
                middle = value(name, now_s - at_s, now_s)
                times.append(at_s)
                low.append(max(0.0, middle - spread * random.uniform(0.4, 1)))
                mean.append(middle)
                high.append(min(middle + spread * random.uniform(0.4, 1), 99.5 if name == CPU else math.inf))
            at_s += step_s
        found.append(SeriesPoints(name, UNITS[name], times, low, mean, high))
    return found


def marks(now_s: float) -> list[HistoryMark]:
    """What happened in that day."""
    english, french = ("CPU of srv-db above 90 % for 5 min (92 %)", "Processeur de srv-db au-dessus de 90 % (92 %)")
    said = (
        ("srv-db runs the export of the month, I look", "thanks"),
        ("srv-db fait l’export du mois, je regarde", "merci"),
    )
    is_french = language() == "fr"
    begun_s = now_s - PEAK_BEGINS_S
    first, second = said[is_french]
    return [
        HistoryMark(
            kind="alarm",
            time_s=begun_s + 310,
            until_s=now_s - PEAK_ENDS_S,
            source="machine/srv-db",
            text=french if is_french else english,
            severity="high",
        ),
        HistoryMark(kind="command", time_s=begun_s + 1500, until_s=None, source="ana", text="ps (srv-db)"),
        HistoryMark(kind="chat", time_s=begun_s + 2300, until_s=None, source="karim", text=first),
        HistoryMark(kind="chat", time_s=begun_s + 4000, until_s=None, source="ana", text=second),
        HistoryMark(
            kind="event",
            time_s=now_s - 17 * HOUR_S,
            until_s=None,
            source="machine/lab-03",
            text="lab-03",
            severity="warning",
        ),
    ]


def fill_history(page: HistoryPage, now_s: float) -> None:
    """Three series of one day, the cursors around the peak."""
    infos = [
        SeriesInfo(name=name, unit=unit, first_s=now_s - 200 * DAY_S, last_s=now_s, count=9)
        for name, unit in UNITS.items()
    ]
    infos += [
        SeriesInfo(name=f"{METER}/{field}", unit=unit, first_s=now_s - 200 * DAY_S, last_s=now_s, count=9)
        for field, unit in (
            ("active_energy_import_wh", "Wh"),
            ("voltage_l2_v", "V"),
            ("voltage_l3_v", "V"),
            ("frequency_hz", "Hz"),
        )
    ]
    infos += [
        SeriesInfo(name=f"machine/{name}/{field}", unit="%", first_s=now_s - 90 * DAY_S, last_s=now_s, count=9)
        for name in MACHINES
        for field in ("cpu_percent", "memory_percent")
        if f"machine/{name}/{field}" not in UNITS
    ]

    def tell(number: int, names: Sequence[str], start_s: float, end_s: float, most: int) -> None:
        page.apply_points(number, points(names, start_s, end_s, most, now_s))

    def tell_whole(number: int, names: Sequence[str], start_s: float, end_s: float, most: int) -> None:
        page.apply_overview(number, points(names, start_s, end_s, most, now_s))

    page.points_wanted.connect(tell)
    page.overview_wanted.connect(tell_whole)
    page.marks_wanted.connect(lambda number, _start_s, _end_s: page.apply_marks(number, marks(now_s)))
    page.moved_wanted.connect(lambda number, *_span: page.apply_moved(number, MOVED))
    page.apply_series(infos, {"sensor/capteur_1": "Salle serveurs" if language() == "fr" else "Server room"})
    page.draw([POWER, CPU, HEAT])
    page.range.set_cursor("A", now_s - PEAK_BEGINS_S)
    page.range.set_cursor("B", now_s - PEAK_ENDS_S)
