"""A small history that answers a History page: curves made up from their names, answers held back where wanted."""

import math
from array import array

from core.records import HistoryMark, Mover, SeriesInfo, SeriesPoints

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
NOW_S = 1_795_000_000.0
POWER = "meter/E450/active_power_w"
REGISTER = "meter/E450/active_energy_import_wh"
VOLTAGE = "meter/E450/voltage_l1_v"
CPU = "machine/srv-db/cpu_percent"
HEAT = "sensor/c1/temperature_c"
UNITS = {POWER: "W", REGISTER: "Wh", VOLTAGE: "V", CPU: "%", HEAT: "°C", "meter/E450/frequency_hz": "Hz"}


def info(name, unit=None, first_s=NOW_S - 400 * DAY_S, last_s=NOW_S):
    return SeriesInfo(name=name, unit=unit or UNITS.get(name), first_s=first_s, last_s=last_s, count=1000)


def points(name, pairs, *, spread=0.0, filled=()):
    """Points of a series from (time, value); None is a gap."""
    times = array("d", [at for at, _value in pairs])
    mean = array("d", [math.nan if value is None else value for _at, value in pairs])
    low = array("d", [value - spread for value in mean])
    high = array("d", [value + spread for value in mean])
    return SeriesPoints(name, UNITS.get(name), times, low, mean, high, filled)


def marks():
    return [
        HistoryMark(
            kind="alarm",
            time_s=NOW_S - 6 * HOUR_S,
            until_s=NOW_S - 5 * HOUR_S,
            source="machine/srv-db",
            text="CPU of srv-db above 90 %",
            severity="high",
        ),
        HistoryMark(kind="command", time_s=NOW_S - 4 * HOUR_S, until_s=None, source="ana", text="python --version"),
        HistoryMark(kind="chat", time_s=NOW_S - 2 * HOUR_S, until_s=None, source="karim", text="<b>I go</b>"),
    ]


class MadeUpHistory:
    """Answers at once, or with `hold` when `release` is called."""

    def __init__(self, page, infos=None, *, simulated=()):
        self.page = page
        self.hold = False
        self.asked = []
        self.moments = []
        self.value = {POWER: 2000.0, REGISTER: 40_000_000.0, VOLTAGE: 231.0, CPU: 35.0, HEAT: 22.0}
        self.filled = ()
        self.gap = None
        self.is_empty = False
        self._simulated = simulated
        self._waiting = []
        page.points_wanted.connect(self._on_points)
        page.overview_wanted.connect(lambda number, names, *span: page.apply_overview(number, self._made(names, *span)))
        page.marks_wanted.connect(lambda number, _start, _end: page.apply_marks(number, marks()))
        page.moved_wanted.connect(self._on_moved)
        page.apply_series(infos if infos is not None else [info(name) for name in UNITS], {"sensor/c1": "Server room"})

    def release(self):
        for answer in self._waiting:
            answer()
        self._waiting = []

    def _on_points(self, number, names, start_s, end_s, most):
        self.asked.append((number, tuple(names), start_s, end_s, most))

        def answer():
            simulated = [name for name in names if name in self._simulated]
            self.page.apply_points(number, self._made(names, start_s, end_s, most), simulated)

        if self.hold:
            self._waiting.append(answer)
        else:
            answer()

    def _on_moved(self, number, at_s, before_s, after_s):
        self.moments.append((at_s, before_s, after_s))
        self.page.apply_moved(
            number,
            [
                Mover(series="machine/nas/cpu_percent", unit="%", before=10.0, during=61.0, score=9.0),
                Mover(series=CPU, unit="%", before=30.0, during=93.0, score=12.0),
            ],
        )

    def _made(self, names, start_s, end_s, most):
        end_s = min(end_s, NOW_S)
        step_s = max(1.0, (end_s - start_s) / min(most, 300))
        found = []
        for name in names:
            pairs = []
            at_s = start_s
            while at_s <= end_s and not self.is_empty:
                rise = (at_s - NOW_S) if name == REGISTER else 0.0
                is_silent = self.gap is not None and self.gap[0] < at_s < self.gap[1]
                pairs.append((at_s, None if is_silent else self.value.get(name, 1.0) + rise))
                at_s += step_s
            is_cut = step_s > 30
            found.append(points(name, _one_nan(pairs), spread=1.0 if is_cut else 0.0, filled=self.filled))
        return found


def _one_nan(pairs):
    """A gap is one NaN between two points."""
    return [pair for at, pair in enumerate(pairs) if pair[1] is not None or (at and pairs[at - 1][1] is not None)]
