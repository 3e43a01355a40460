"""Machines as equipment: what a price and a VAT rate may be, and what a list of them adds up to. Decimal, never float.

The rule: a price with tax of 0 or less is no price. Sums are rounded to cents once for each VAT rate, half up, as on
an invoice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal

from msgspec import Struct

from core.errors import UsageError
from core.language import _
from core.records import Machine

LONGEST_REFERENCE = 64
CENT = Decimal("0.01")
_LARGEST = Decimal(10) ** 12
_ORNAMENTS = re.compile(r"[\s'\u2019€$£%]|EUR|CHF|USD|GBP", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(\d{1,18}(\.\d{0,6})?|\.\d{1,6})")


class RateTotal(Struct, frozen=True, kw_only=True):
    """What the machines of one VAT rate add up to; `rate_percent` None: no rate is known."""

    rate_percent: Decimal | None
    count: int
    before_tax: Decimal
    tax: Decimal
    with_tax: Decimal


class Totals(Struct, frozen=True, kw_only=True):
    """What a list adds up to; `count` machines have a price, `by_rate` is from the lowest rate to the highest."""

    count: int
    before_tax: Decimal
    tax: Decimal
    with_tax: Decimal
    by_rate: tuple[RateTotal, ...]


def checked_reference(text: str) -> str:
    """A reference as it can be kept; raises UsageError with the reason."""
    text = text.strip()
    if len(text) > LONGEST_REFERENCE or not text.isprintable():
        raise UsageError(
            _("the reference {text!r} has more than {count} characters, or some that cannot be shown").format(
                text=text[:LONGEST_REFERENCE], count=LONGEST_REFERENCE
            )
        )
    return text


def checked_price(price: str, rate: str) -> tuple[str | None, str | None]:
    """Price before tax and VAT rate as decimal text, None where a text is empty; raises UsageError with the reason.

    Taken as people write them: `1 249,90 €`, `1249.9`, `20 %`. Without a rate the price with tax is the price.
    """
    before_tax = _decimal(price, _("a price such as 1249.90"))
    percent = _decimal(rate, _("a VAT rate such as 20 or 5.5"))
    if percent is not None and not 0 <= percent <= 100:
        raise UsageError(_("{text} is no VAT rate; it goes from 0 to 100 percent").format(text=rate.strip()))
    if before_tax is not None:
        with_tax = taxed(before_tax, percent)
        if with_tax <= 0:
            raise UsageError(_("the price with tax is {price}; it must be more than 0").format(price=with_tax))
        if before_tax >= _LARGEST:
            raise UsageError(_("{text} is no price that can be kept").format(text=price.strip()))
    return (
        None if before_tax is None else format(before_tax, "f"),
        None if percent is None else format(percent, "f"),
    )


def _decimal(text: str, expected: str) -> Decimal | None:
    plain = _ORNAMENTS.sub("", text)
    if not plain:
        if text.strip():
            raise UsageError(_("{text!r} is not {expected}").format(text=text.strip()[:40], expected=expected))
        return None
    comma, point = plain.rfind(","), plain.rfind(".")
    if comma >= 0 and point >= 0:  # the last one of the two is that of the decimals
        plain = plain.replace(",", "") if point > comma else plain.replace(".", "").replace(",", ".")
    elif plain.count(",") == 1:
        plain = plain.replace(",", ".")
    if not plain.isascii() or not _NUMBER.fullmatch(plain):
        raise UsageError(_("{text!r} is not {expected}").format(text=text.strip()[:40], expected=expected))
    return Decimal(plain.rstrip(".") if plain.endswith(".") else plain)


def taxed(before_tax: Decimal, percent: Decimal | None) -> Decimal:
    """The price with tax, to the cent."""
    return (before_tax * (1 + (percent or Decimal(0)) / 100)).quantize(CENT, ROUND_HALF_UP)


def price_with_tax(machine: Machine) -> Decimal | None:
    """What a machine costs with tax; None where no price is known."""
    if machine.price_before_tax is None:
        return None
    return taxed(Decimal(machine.price_before_tax), _rate(machine))


def _rate(machine: Machine) -> Decimal | None:
    return None if machine.vat_rate_percent is None else Decimal(machine.vat_rate_percent)


def totals(machines: Iterable[Machine]) -> Totals:
    """What all machines with a price add up to, and those of each VAT rate."""
    sums: dict[Decimal | None, tuple[int, Decimal]] = {}
    for machine in machines:
        if machine.price_before_tax is not None:
            rate = _rate(machine)
            count, so_far = sums.get(rate, (0, Decimal(0)))
            sums[rate] = (count + 1, so_far + Decimal(machine.price_before_tax))
    by_rate = []
    for rate, (count, exact) in sorted(sums.items(), key=lambda entry: -1 if entry[0] is None else entry[0]):
        before_tax = exact.quantize(CENT, ROUND_HALF_UP)
        tax = (exact * (rate or Decimal(0)) / 100).quantize(CENT, ROUND_HALF_UP)
        by_rate.append(
            RateTotal(rate_percent=rate, count=count, before_tax=before_tax, tax=tax, with_tax=before_tax + tax)
        )
    return Totals(
        count=sum(one.count for one in by_rate),
        before_tax=sum((one.before_tax for one in by_rate), Decimal("0.00")),
        tax=sum((one.tax for one in by_rate), Decimal("0.00")),
        with_tax=sum((one.with_tax for one in by_rate), Decimal("0.00")),
        by_rate=tuple(by_rate),
    )


def sort_key(machine: Machine, by: str) -> tuple[object, ...]:
    """What a machine is sorted by: `name`, `address`, `reference` or `price`; what is unknown comes last."""
    name = tuple(int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", machine.name.casefold()))
    match by:
        case "address":
            parts = machine.host.split(".")
            is_ipv4 = len(parts) == 4 and all(part.isdecimal() for part in parts)
            host = tuple(map(int, parts)) if is_ipv4 else (machine.host.casefold(),)
            return (not is_ipv4, host, machine.port)
        case "reference":
            return (not machine.reference, machine.reference.casefold(), name)
        case "price":
            price = price_with_tax(machine)
            return (price is None, price or Decimal(0), name)
    return name
