"""The small curve of the Overview: gap aware, cheap, honest about its peak."""

from __future__ import annotations

import math

import pytest
from PyQt5.QtGui import QColor
from pytestqt.qtbot import QtBot

from gui.theme import theme
from gui.widgets.sparkline import Sparkline


@pytest.fixture
def sparkline(qtbot: QtBot):
    widget = Sparkline()
    qtbot.addWidget(widget)
    widget.resize(200, 60)
    return widget


def _columns_with_curve(widget: Sparkline) -> set[int]:
    image = widget.grab().toImage()
    wanted = QColor(theme().power).rgb()
    return {x for x in range(image.width()) for y in range(image.height()) if image.pixel(x, y) == wanted}


def test_the_curve_spans_its_time_and_stays_open_at_a_gap(sparkline: Sparkline):
    times = [t for t in range(100) if not 40 <= t < 60]
    sparkline.set_points(times, [100.0 + t for t in times])
    sparkline.set_span(0, 99)
    drawn = _columns_with_curve(sparkline)
    assert min(drawn) < 5
    assert max(drawn) > 194
    assert not drawn & set(range(84, 118))


def test_a_nan_is_a_gap_too(sparkline: Sparkline):
    values = [math.nan if 40 <= t < 60 else 100.0 for t in range(100)]
    sparkline.set_points(range(100), values)
    assert not _columns_with_curve(sparkline) & set(range(84, 116))


def test_the_peak_is_the_highest_known_value(sparkline: Sparkline):
    assert sparkline.peak() is None
    sparkline.set_points([1, 2, 3], [5.0, math.nan, 4.0])
    assert sparkline.peak() == (1.0, 5.0)


def test_nothing_to_show_and_a_single_point_are_drawn_without_complaint(sparkline: Sparkline):
    sparkline.grab()
    sparkline.set_points([1], [2.0])
    sparkline.grab()
    sparkline.set_points(range(20_000), [float(-t) for t in range(20_000)])
    assert len(_columns_with_curve(sparkline)) > 190


def test_a_stale_curve_is_grey(sparkline: Sparkline):
    sparkline.set_points(range(10), [1.0] * 10)
    sparkline.set_stale(True)
    assert not _columns_with_curve(sparkline)
