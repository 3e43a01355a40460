"""A moment of what `make fuzz` does for minutes: each decoder and session with some altered messages."""

from __future__ import annotations

from random import Random

import fuzz
import fuzz_samples
import pytest

CASES = 60


@pytest.fixture(scope="module")
def made():
    return fuzz_samples.Samples(4)


@pytest.mark.parametrize("name", list(fuzz.TARGETS))
def test_altered_messages_meet_named_errors_only(name, made):
    for number in range(CASES):
        case = f"{name}:{number}"
        octets = made.altered(Random(case))
        problem = fuzz.run_case(name, octets, case)
        assert problem is None, octets.hex()


def test_what_is_not_allowed_is_found(monkeypatch):
    monkeypatch.setitem(fuzz.TARGETS, "push", lambda _octets, _random: 1 / 0)
    assert "ZeroDivisionError" in fuzz.run_case("push", b"", "1")
    count, failures = fuzz.run(0.2, 1, ["push"])
    assert count
    assert failures
