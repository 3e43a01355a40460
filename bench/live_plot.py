"""A live plot of 6 × 1,000,000 points: one frame of ours beside one of plain pyqtgraph, and the CPU of a live page.

Needs a display, as `python -m bench` gives one; the row says which platform has drawn.
"""

from __future__ import annotations

import sys
import time

from bench import Row

CURVES = 6
POINTS = 1_000_000
SIZE = (1_460, 700)
FRAMES = 60
LIVE_S = 6.0


def run() -> list[Row]:
    """One frame, whatever the number of points; a live page at 10 Hz."""
    return _measure()


def _measure() -> list[Row]:
    import numpy as np
    import pyqtgraph as pg
    from PyQt5.QtWidgets import QApplication

    from core.series import SeriesBook
    from gui.theme import use_theme
    from gui.widgets.time_plot import Curve, Scale, TimePlot
    from gui.widgets.time_plot_group import PlotGroup
    from gui.widgets.time_range import TimeRange

    application = QApplication.instance() or QApplication(sys.argv[:1])
    use_theme("dark")
    platform = application.platformName()
    random = np.random.default_rng(1)
    end_s = 1_700_000_000.0
    times = end_s - POINTS + np.arange(POINTS, dtype=float)
    values = random.normal(0, 1, (CURVES, POINTS)) + np.arange(CURVES)[:, np.newaxis] * 4

    def ours(points: int) -> float:
        book = SeriesBook(limit=POINTS)
        book.extend([f"meter/bench/v{index}" for index in range(CURVES)], times[-points:], values[:, -points:])
        span = TimeRange(now=lambda: end_s)
        plot = TimePlot(
            "bench", (Scale("V", 1),), tuple(Curve(f"v{index}", f"v{index}", "l1") for index in range(CURVES)), span
        )
        group = PlotGroup("meter", span)
        group.add(plot)
        group.set_book(book)
        group.show_owner("bench")
        plot.resize(*SIZE)
        plot.show()
        _settle()
        taken = []
        for frame in range(FRAMES):
            span.show_span(end_s - points + frame * points / 5_000, end_s, remember=False)
            began_s = time.perf_counter()
            group.redraw()
            plot.canvas.viewport().repaint()
            taken.append(time.perf_counter() - began_s)
        plot.close()
        return float(np.median(taken)) * 1e3

    def plain() -> float:
        plot = pg.PlotWidget()
        curves = [plot.plot(times, values[index], pen=index) for index in range(CURVES)]
        plot.resize(*SIZE)
        plot.show()
        _settle()
        taken = []
        for frame in range(5):
            began_s = time.perf_counter()
            for index, curve in enumerate(curves):
                curve.setData(times, values[index])
            plot.setXRange(end_s - POINTS + frame, end_s, padding=0)
            plot.viewport().repaint()
            taken.append(time.perf_counter() - began_s)
        plot.close()
        return float(np.median(taken)) * 1e3

    big, small, peer = ours(POINTS), ours(10_000), plain()
    rows = [
        Row(
            work="frame of a live plot, 6 × 1,000,000 points",
            ours=big,
            peer=peer,
            ratio=peer / big,
            unit="ms",
            goal="≤ 15 ms",
            reached=big <= 15,
            note=f"on {platform}; peer: pyqtgraph as it is; the same frame with 6 × 10,000 points takes {small:.1f} ms",
        )
    ]
    share = _live_share()
    rows.append(
        Row(
            work="live Energy page, 5 plots, a reading and a frame each 100 ms",
            ours=share,
            peer=None,
            ratio=None,
            unit="% core",
            goal="≤ 15 % of a core at 10 Hz",
            reached=share <= 15,
            note=f"on {platform}, all cards in view at 1,460 × 900",
        )
    )
    return rows


def _live_share() -> float:
    from PyQt5.QtCore import QEventLoop, QTimer

    from core.records import Measurement, MeterIdentity, MeterReadings
    from core.series import SeriesBook
    from gui.pages.energy import EnergyPage

    def measurement(now_s: float) -> Measurement:
        wave = now_s % 7
        return Measurement(
            active_power_w=1500 + 40 * wave,
            voltage_l1_v=230 + wave / 3,
            voltage_l2_v=231 - wave / 3,
            voltage_l3_v=229.5,
            current_l1_a=2 + wave / 9,
            current_l2_a=2.2,
            current_l3_a=2.4 - wave / 9,
            power_factor=0.96,
            frequency_hz=50.01,
            active_energy_import_wh=40_091_200,
        )

    page = EnergyPage()
    book = SeriesBook()
    page.set_live(book)
    began_s = time.time()
    for tick in range(1_200):
        book.append_measurement("bench", began_s - 120 + tick / 10, measurement(tick / 10))

    def feed() -> None:
        now_s = time.time()
        book.append_measurement("bench", now_s, measurement(now_s))
        page.apply_readings(
            MeterReadings(
                name="bench",
                protocol="push",
                meter=MeterIdentity(),
                time_s=now_s,
                readings=(),
                measurement=measurement(now_s),
                is_simulated=True,
            )
        )

    feed()
    page.build_plots()
    page.resize(1_460, 900)
    page.show()
    _settle()
    timer = QTimer()
    timer.setInterval(100)
    timer.timeout.connect(feed)
    timer.start()
    loop = QEventLoop()
    QTimer.singleShot(int(LIVE_S * 1e3), loop.quit)
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    loop.exec_()
    share = 100 * (time.process_time() - cpu_s) / (time.perf_counter() - wall_s)
    timer.stop()
    page.close()
    return share


def _settle() -> None:
    from PyQt5.QtCore import QEventLoop, QTimer

    loop = QEventLoop()
    QTimer.singleShot(500, loop.quit)
    loop.exec_()
