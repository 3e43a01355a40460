"""What machines are worth: prices as people write them, the rule of the price, sums right to the cent."""

from __future__ import annotations

from decimal import Decimal

import pytest

from core.equipment import checked_price, checked_reference, price_with_tax, sort_key, totals
from core.errors import UsageError
from core.records import Machine


def machine(name: str = "a", price: str | None = None, rate: str | None = None, **more: object) -> Machine:
    return Machine(**{"name": name, "host": "h", "price_before_tax": price, "vat_rate_percent": rate, **more})


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("1249.90", "1249.90"),
        ("1 249,90 €", "1249.90"),
        ("1\u202f249,90\u00a0€", "1249.90"),
        ("1,249.90", "1249.90"),
        ("1.249,90 EUR", "1249.90"),
        ("1,234,567.5", "1234567.5"),
        ("$5", "5"),
        (".5", "0.5"),
        ("7.", "7"),
        ("", None),
        ("  ", None),
    ],
)
def test_prices_are_taken_as_people_write_them(text: str, kept: str | None) -> None:
    assert checked_price(text, "")[0] == kept


@pytest.mark.parametrize(("text", "kept"), [("20", "20"), ("5,5 %", "5.5"), ("0", "0"), ("100%", "100"), ("", None)])
def test_rates_are_taken_as_people_write_them(text: str, kept: str | None) -> None:
    assert checked_price("", text)[1] == kept


@pytest.mark.parametrize(
    ("price", "rate", "reason"),
    [
        ("0", "20", "the price with tax is 0.00; it must be more than 0"),
        ("-10", "20", "the price with tax is -12.00"),
        ("0.001", "", "the price with tax is 0.00"),
        ("cheap", "", "not a price such as"),
        ("1e3", "", "not a price such as"),
        ("nan", "", "not a price such as"),
        ("1.2.3", "", "not a price such as"),
        ("١٢", "", "not a price such as"),
        ("€", "", "not a price such as"),
        ("9" * 30, "", "not a price such as"),
        ("9" * 15, "", "no price that can be kept"),
        ("10", "-5", "from 0 to 100"),
        ("10", "101", "from 0 to 100"),
        ("", "a lot", "not a VAT rate such as"),
    ],
)
def test_what_is_no_price_is_refused_with_the_reason(price: str, rate: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        checked_price(price, rate)


@pytest.mark.parametrize("text", ["x" * 65, "a\x1b[2Jb"])
def test_a_reference_that_cannot_be_shown_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="reference"):
        checked_reference(text)


def test_the_price_with_tax_is_rounded_half_up() -> None:
    assert price_with_tax(machine(price="0.125", rate="0")) == Decimal("0.13")
    assert price_with_tax(machine(price="99.99", rate="5.5")) == Decimal("105.49")
    assert price_with_tax(machine(price="10")) == Decimal("10.00")
    assert price_with_tax(machine(rate="20")) is None


def test_sums_are_right_where_floats_are_not() -> None:
    found = totals([machine(price="0.1", rate="20") for _number in range(1000)] + [machine()])
    assert (found.count, found.before_tax, found.tax, found.with_tax) == (
        1000,
        Decimal("100.00"),
        Decimal("20.00"),
        Decimal("120.00"),
    )


def test_sums_are_told_by_rate() -> None:
    found = totals([machine(price="100", rate="20"), machine(price="50", rate="5.5"), machine(price="7"),
                    machine(price="100", rate="20.0")])  # fmt: skip
    assert [(one.rate_percent, one.count, one.before_tax, one.tax, one.with_tax) for one in found.by_rate] == [
        (None, 1, Decimal(7), Decimal(0), Decimal(7)),
        (Decimal("5.5"), 1, Decimal(50), Decimal("2.75"), Decimal("52.75")),
        (Decimal(20), 2, Decimal(200), Decimal(40), Decimal(240)),
    ]
    assert found.with_tax == found.before_tax + found.tax == Decimal("299.75")
    assert totals([]).by_rate == ()


def test_machines_are_sorted_as_people_count() -> None:
    machines = [
        machine("lab-10", host="10.0.0.9", reference="B"),
        machine("lab-2", host="10.0.0.10", price="5"),
        machine("Lab-1", host="web.example.org", reference="a", price="7"),
    ]

    def names(by: str) -> list[str]:
        return [one.name for one in sorted(machines, key=lambda one: sort_key(one, by))]

    assert names("name") == ["Lab-1", "lab-2", "lab-10"]
    assert names("address") == ["lab-10", "lab-2", "Lab-1"]
    assert names("reference") == ["Lab-1", "lab-10", "lab-2"]
    assert names("price") == ["lab-2", "Lab-1", "lab-10"]


def test_names_of_letters_and_of_digits_can_be_sorted_together() -> None:
    assert sorted([machine("1a"), machine("a1"), machine("a"), machine("²3")], key=lambda one: sort_key(one, "name"))
