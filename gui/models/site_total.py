"""The sum of a site's meters: of what they say now, and of what they have used and cost.

Absent is never zero: there is a sum only while each meter of it is read; one that is silent leaves a gap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec.structs import replace

from core.meter_records import EnergyAccount, EnergyBars, EnergySpan
from core.records import Measurement, MeterIdentity, MeterReadings, MeterReport
from gui.models.meter_shown import SITE

FIELDS = (
    "active_power_w",
    "active_power_l1_w",
    "active_power_l2_w",
    "active_power_l3_w",
    "reactive_power_var",
    "active_energy_import_wh",
    "active_energy_export_wh",
)
"""What of several meters can be added up."""
_FRESH_S = 15.0
_FRESH_PERIODS = 3.0


class SiteTotal:
    """Adds up the meters that count; made for one window."""

    def __init__(self) -> None:
        self._counted: tuple[str, ...] = ()
        self._last: dict[str, tuple[float, Measurement]] = {}
        self._periods: dict[str, float] = {}
        self._simulated: set[str] = set()
        self._time_s = 0.0

    @property
    def parts(self) -> tuple[str, ...]:
        """The meters that are added up: those that count and have told a power; empty while there are less than two."""
        parts = tuple(name for name in self._counted if name in self._last)
        return parts if len(parts) > 1 else ()

    def set_counted(self, names: Sequence[str]) -> None:
        """These meters count."""
        self._counted = tuple(names)
        for name in [name for name in self._last if name not in self._counted]:
            del self._last[name]

    def take_report(self, report: MeterReport) -> None:
        """How often a meter speaks."""
        if report.period_s is not None:
            self._periods[report.name] = report.period_s

    def take(self, readings: MeterReadings, now_s: float) -> MeterReadings | None:
        """The sum after one more telegram; None where there is none, since a meter is missing or old."""
        measured = readings.measurement
        if readings.name not in self._counted or measured is None or measured.active_power_w is None:
            return None
        before = self._last.get(readings.name)
        if before is not None and readings.name not in self._periods and now_s > before[0]:
            self._periods[readings.name] = now_s - before[0]
        self._last[readings.name] = (now_s, measured)
        if readings.is_simulated:
            self._simulated.add(readings.name)
        parts = self.parts
        if not parts or any(now_s - self._last[name][0] > self._fresh_s(name) for name in parts):
            return None
        if now_s <= self._time_s:
            return None
        self._time_s = now_s
        values: dict[str, float] = {}
        for field in FIELDS:
            found = [getattr(self._last[name][1], field) for name in parts]
            if None not in found:
                values[field] = sum(found)
        return MeterReadings(
            name=SITE,
            protocol="",
            meter=MeterIdentity(),
            time_s=now_s,
            readings=(),
            is_simulated=any(name in self._simulated for name in parts),
            measurement=Measurement(**values),
        )

    def _fresh_s(self, name: str) -> float:
        return max(_FRESH_S, _FRESH_PERIODS * self._periods.get(name, 0.0))


def summed_account(accounts: Sequence[EnergyAccount]) -> EnergyAccount:
    """The accounts of several meters as one; a cost only where all have one, in one currency."""
    first = accounts[0]
    currencies = {account.currency for account in accounts}
    has_cost = len(currencies) == 1 and all(account.tariff is not None for account in accounts)
    tariffs = {account.tariff for account in accounts}
    spans = {
        name: summed_span([getattr(account, name) for account in accounts], has_cost=has_cost)
        for name in (
            "today",
            "yesterday",
            "yesterday_so_far",
            "last_week",
            "last_week_so_far",
            "month",
            "last_month",
        )
    }
    return EnergyAccount(
        meter=SITE,
        time_s=first.time_s,
        tariff=", ".join(sorted(str(name) for name in tariffs)) if has_cost else None,
        currency=first.currency if has_cost else None,
        forecast_wh=_sum(account.forecast_wh for account in accounts),
        forecast_cost=_sum(account.forecast_cost for account in accounts) if has_cost else None,
        budget=first.budget if has_cost and len({account.budget for account in accounts}) == 1 else None,
        **spans,
    )


def summed_bars(bars: Sequence[EnergyBars]) -> EnergyBars:
    """The bars of several meters as one."""
    first = bars[0]

    def added(choose: Callable[[EnergyBars], tuple[EnergySpan | None, ...]]) -> tuple[EnergySpan | None, ...]:
        rows = [choose(other) for other in bars]
        return tuple(
            None if any(span is None for span in spans) else summed_span([span for span in spans if span is not None])
            for spans in zip(*rows, strict=False)
        )

    spans = tuple(span for span in added(lambda other: other.spans) if span is not None)
    return replace(
        first,
        meter=SITE,
        spans=spans,
        before=added(lambda other: other.before),
        long_before=added(lambda other: other.long_before),
    )


def summed_span(spans: Sequence[EnergySpan], *, has_cost: bool = True) -> EnergySpan:
    """Spans of the same time as one; what one of them does not know is not known."""
    costs: dict[str, float] = {}
    for span in spans if has_cost else ():
        for name, cost in span.cost_by_period.items():
            costs[name] = costs.get(name, 0.0) + cost
    exports = [span.export_wh for span in spans if span.export_wh is not None]
    return EnergySpan(
        start_s=spans[0].start_s,
        end_s=spans[0].end_s,
        import_wh=_sum(span.import_wh for span in spans),
        export_wh=sum(exports) if exports else None,
        cost=_sum(span.cost for span in spans) if has_cost else None,
        cost_by_period=costs,
        is_whole=all(span.is_whole for span in spans),
        standing_cost=_sum(span.standing_cost for span in spans) if has_cost else None,
        export_credit=_sum(span.export_credit for span in spans) if has_cost else None,
    )


def _sum(values: Iterable[float | None]) -> float | None:
    found = list(values)
    known = [value for value in found if value is not None]
    return sum(known) if len(known) == len(found) else None
