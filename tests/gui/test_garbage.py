"""Searches for garbage in the window: what lives long is gone through once, and what dies is found all the same."""

import gc
import weakref

import pytest

from gui.runtime import garbage
from gui.runtime.garbage import Garbage


class Knot:
    """Something that refers to itself."""

    def __init__(self):
        self.itself = self


@pytest.fixture
def keeper(qapp, monkeypatch):
    monkeypatch.setattr(garbage, "LONG_S", 0.0)
    made = Garbage()
    before = gc.get_threshold()
    made.start()
    yield made
    made.stop()
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
    assert made._on_search not in gc.callbacks


def test_what_survives_a_search_is_set_aside(keeper):
    gc.collect(1)
    assert gc.get_freeze_count() == 0
    gc.collect()
    assert gc.get_freeze_count() > 1000
    assert len(gc.get_objects()) < gc.get_freeze_count()


def test_what_dies_among_what_was_set_aside_is_found_in_the_end(keeper, monkeypatch):
    knot = Knot()
    seen = weakref.ref(knot)
    gc.collect()
    del knot
    gc.collect()
    assert seen() is not None
    keeper._look()
    assert seen() is not None, "not yet"
    monkeypatch.setattr(garbage, "OFTEN_S", 0.0)
    monkeypatch.setattr(garbage, "SELDOM_S", 0.0)
    keeper._look()
    assert seen() is None
    assert gc.get_freeze_count() > 1000


def test_what_dies_young_is_found_by_the_next_sweep(keeper):
    knot = Knot()
    seen = weakref.ref(knot)
    keeper._sweep()
    del knot
    for _sweep in range(garbage.OLDER_EVERY):
        keeper._sweep()
    assert seen() is None
    assert gc.get_freeze_count() == 0


def test_what_the_start_leaves_is_set_aside_without_a_search_through_it(keeper):
    found = []
    gc.callbacks.append(lambda phase, info: found.append(info["generation"]))
    try:
        keeper._look()
    finally:
        gc.callbacks.pop()
    assert gc.get_freeze_count() > 1000
    assert not found


def test_python_does_not_search_everything_by_itself(keeper):
    assert gc.get_threshold()[2] > 100_000
    for _look in range(garbage.START_LOOKS + 1):
        keeper._look()
    knot = Knot()
    seen = weakref.ref(knot)
    gc.collect(1)
    del knot
    keeper._look()
    assert seen() is None
