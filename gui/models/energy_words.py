"""Words for energy and what it costs: `month: 41 of 58 €, forecast 55`, and what one bar of kWh says."""

from __future__ import annotations

import time

from PyQt5.QtCore import QDate, QLocale

from core.language import N_, _, language
from core.meter_records import EnergyAccount, EnergyBars, EnergySpan
from gui import numbers

UNITS = ("hour", "day", "month")
UNIT_TITLES = {"hour": N_("Hours"), "day": N_("Days"), "month": N_("Months")}
_NO_BREAK = "\u00a0"
_SIGNS = {"EUR": "€", "USD": "$", "GBP": "£"}
_BEFORE = {"hour": N_("yesterday"), "day": N_("last week"), "month": N_("last year")}
_LONG_BEFORE = {"hour": N_("last week")}


def currency_sign(currency: str | None) -> str:
    """`€` for EUR, the code itself where it has no sign that everybody knows."""
    return _SIGNS.get(currency or "", currency or "")


def money(amount: float | None, currency: str | None) -> tuple[str, str]:
    """(number, unit) of a cost: cents below a hundred, none above ten thousand."""
    digits = 2 if amount is None or abs(amount) < 10_000 else 0
    return numbers.number(amount, digits), currency_sign(currency)


def month_words(account: EnergyAccount) -> str:
    """`month: 41 of 58 €, forecast 55`, as far as each is known; empty where nothing is."""
    if account.month.cost is None:
        return ""
    spent, sign = numbers.number(account.month.cost), currency_sign(account.currency)
    if account.budget is not None:
        budget = f"{numbers.number(account.budget)}{_NO_BREAK}{sign}"
        words = _("month: {spent} of {budget}").format(spent=spent, budget=budget)
    else:
        words = _("month: {spent}").format(spent=f"{spent}{_NO_BREAK}{sign}")
    if account.forecast_cost is not None:
        words = _("{month}, forecast {forecast}").format(month=words, forecast=numbers.number(account.forecast_cost))
    return words


def is_over_budget(account: EnergyAccount) -> bool:
    """True where the month is on its way to cost more than it shall."""
    highest = max((cost for cost in (account.month.cost, account.forecast_cost) if cost is not None), default=None)
    return account.budget is not None and highest is not None and highest > account.budget


def account_tip(account: EnergyAccount) -> str:
    """All that is known of the cost, line by line: what each period of the tariff cost, and what it costs now."""
    lines = []
    if account.tariff:
        lines.append(_("Tariff: {name}").format(name=account.tariff))
    if account.price_per_kwh_now is not None:
        price = f"{numbers.number(account.price_per_kwh_now, 4)} {currency_sign(account.currency)}/kWh"
        period = account.period_now or ""
        lines.append(_("now: {price} {period}").format(price=price, period=period).strip())
    for name, cost in account.today.cost_by_period.items():
        lines.append(_("today, {period}: {cost}").format(period=name, cost=_amount(cost, account.currency)))
    for title, span in (
        (N_("yesterday: {cost}"), account.yesterday),
        (N_("same day last week: {cost}"), account.last_week),
        (N_("this month: {cost}"), account.month),
        (N_("last month: {cost}"), account.last_month),
    ):
        if span.cost is not None:
            lines.append(_(title).format(cost=_amount(span.cost, account.currency)) + _missing(span))
    if account.forecast_cost is not None:
        cost = _amount(account.forecast_cost, account.currency)
        lines.append(_("forecast of the month: {cost}").format(cost=cost))
    return "\n".join(lines)


def today_words(account: EnergyAccount) -> str:
    """`+14.2 today`; empty where it is not known."""
    if account.today.import_wh is None:
        return ""
    return _("+{energy} today").format(energy=numbers.number(account.today.import_wh / 1000, 1))


def beside_words(unit: str) -> tuple[str, str]:
    """What the bars beside are: (`yesterday`, `last week`) of hours, (`last week`, nothing) of days."""
    return _(_BEFORE[unit]), _(_LONG_BEFORE[unit]) if unit in _LONG_BEFORE else ""


def span_title(span: EnergySpan, unit: str) -> str:
    """`Sat 21 Nov, 14–15 h`, `Sat 21 Nov` or `November 2026`."""
    local = time.localtime(span.start_s)
    day = QDate(local.tm_year, local.tm_mon, local.tm_mday)
    if unit == "month":
        return QLocale(language()).toString(day, "MMMM yyyy")
    words = QLocale(language()).toString(day, "ddd d MMM")
    if unit == "day":
        return words
    return f"{words}, {time.strftime('%H:%M', local)}–{time.strftime('%H:%M', time.localtime(span.end_s))}"


def slot_label(span: EnergySpan, unit: str) -> str:
    """The few letters below a bar: `14`, `21`, `Nov`."""
    local = time.localtime(span.start_s)
    if unit == "hour":
        return str(local.tm_hour)
    if unit == "day":
        return str(local.tm_mday)
    return QLocale(language()).toString(QDate(local.tm_year, local.tm_mon, local.tm_mday), "MMM")


def slot_words(bars: EnergyBars, at: int, currency: str | None = None) -> str:
    """What one bar says: `Sat 21 Nov, 14:00–15:00: 1.42 kWh (yesterday 1.10, last week 1.61)`."""
    span = bars.spans[at]
    words = f"{span_title(span, bars.unit)}: {_kwh(span)}"
    beside = [
        f"{title} {_kwh(other, with_unit=False)}"
        for title, others in zip(beside_words(bars.unit), (bars.before, bars.long_before), strict=True)
        if at < len(others) and (other := others[at]) is not None and other.import_wh is not None
    ]
    if beside:
        words += f" ({', '.join(beside)})"
    if span.export_wh:
        words += " · " + _("exported {energy} kWh").format(energy=numbers.number(span.export_wh / 1000, 2))
    if span.cost is not None:
        words += " · " + _amount(span.cost, currency)
    return words + _missing(span)


def _kwh(span: EnergySpan, *, with_unit: bool = True) -> str:
    if span.import_wh is None:
        return _("not known")
    text = numbers.number(span.import_wh / 1000, 2 if span.import_wh < 100_000 else 1)
    return f"{text} kWh" if with_unit else text


def _amount(cost: float, currency: str | None) -> str:
    return " ".join(money(cost, currency)).strip()


def _missing(span: EnergySpan) -> str:
    is_over = span.end_s <= time.time()
    return " · " + _("a part is missing") if is_over and not span.is_whole and span.import_wh is not None else ""
