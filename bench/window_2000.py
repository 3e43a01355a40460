"""The real window with 2,000 simulated TLS agents, all at 5 s and those on screen at 1 s: how late its timers fire.

A click, a key and a repaint wait as long as a timer does. The window runs in a child process; its agents in another.
It is left alone first; then `bench.window_script` types, filters, scrolls, selects and sends in it without a pause.
The peer is the same window without any machine, in the same run.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import structs

from bench import Row
from bench.poll_2000 import COUNT, machines_at, simulated_agents
from core.home import Home
from core.records import Machine
from core.transport.identity import ensure_identity

if TYPE_CHECKING:
    from core.services.news import Delivery
    from gui.app import Window

QUIET_S = 10.0
SCRIPT_S = 20.0
SETTLE_S = 25.0
TICK_MS = 10
LATE_MS, MOST_MS, SHARE = 16, 50, 0.40


def run() -> list[Row]:
    """The window left alone, then while it is worked in; 200 answers within; memory."""
    if not os.environ.get("DISPLAY") and os.environ.get("QT_QPA_PLATFORM") != "offscreen":
        goal = "<= 16"
        return [
            Row("window with 2,000 machines", float("nan"), None, None, "ms", goal, None, "no display: use xvfb-run")
        ]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(16384, hard), hard))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = Home(folder / "home").make()
        console, agent = ensure_identity(home.console_path, "bench"), ensure_identity(folder / "agent", "simulated")
        with simulated_agents(folder / "agent", console) as port:
            ours = _measured(home, machines_at(port, agent, COUNT), SETTLE_S)
        idle = _measured(Home(folder / "idle").make(), [], 5.0)
    work = f"window with {COUNT} machines"
    quiet = ours["quiet"]
    note = f"{ours['online']} online, {quiet['statuses']:.0f} statuses/s; peer: the same window without machines"
    answer_s = ours["command_s"]
    return [
        *_rows(f"{work}, left alone", quiet, idle["quiet"], note),
        *_rows(f"{work}, its list filtered, sorted, scrolled, selected", ours["list"], None, ours["list_steps"]),
        *_rows(f"{work}, machines opened and 200 answers gathered", ours["pages"], None, ours["pages_steps"]),
        Row(
            "200 machines of 2,000, worked in: from submit to gathered",
            answer_s,
            None,
            None,
            "s",
            "<= 0.3",
            answer_s <= 0.3,
            f"median of {ours['commands']} runs, slowest {ours['slowest_s']:.2f} s; agents simulated",
        ),
        Row(
            f"{work}: a page opened for the first time",
            ours["first_ms"],
            None,
            None,
            "ms",
            "none",
            None,
            "curves are loaded then; before the script, and not among its times",
        ),
        Row(f"{work}: memory", ours["memory"] / 2**20, idle["memory"] / 2**20, None, "MiB", "none", None),
    ]


def _rows(work: str, ours: dict[str, float], peer: dict[str, float] | None, note: str) -> list[Row]:
    """Lateness and processor of one part."""
    rows = []
    for name, key, unit, goal in (
        ("GUI timer p99", "p99_ms", "ms", LATE_MS),
        ("GUI timer max", "max_ms", "ms", MOST_MS),
        ("processor, links and all", "share_percent", "% of a core", SHARE * 100),
    ):
        value, beside = ours[key], None if peer is None else peer[key]
        ratio = None if beside is None else beside / value
        rows.append(Row(f"{work}: {name}", value, beside, ratio, unit, f"<= {goal:g}", value <= goal, note))
        note = ""
    return rows


def _measured(home: Home, machines: list[Machine], settle_s: float) -> dict[str, Any]:
    from core.store.history import History

    with History.open(home.database_path) as history:
        for number, machine in enumerate(machines):
            history.save_machine(
                structs.replace(
                    machine,
                    groups=(f"room-{number % 20:02}",),
                    tags=("even",) if number % 2 == 0 else ("odd", "spare"),
                )
            )
    words = [sys.executable, "-m", "bench.window_2000", str(home.path), str(settle_s)]
    ran = subprocess.run(words, stdout=subprocess.PIPE, text=True, timeout=150, check=True)
    return json.loads(ran.stdout.splitlines()[-1])


class _Meter:
    """A timer of the window's own thread that notes how late it is, and what the process used meanwhile."""

    def __init__(self, window: Window) -> None:
        from PyQt5.QtCore import Qt, QTimer

        self._late_ms: list[float] = []
        self._due_s = self._began_s = self._cpu_s = 0.0
        self._statuses = 0
        self._timer = QTimer(window)
        self._timer.setTimerType(Qt.PreciseTimer)
        self._timer.timeout.connect(self._on_tick)
        window.console.services.mailbox.delivered.connect(self._count)

    def begin(self) -> None:
        """Measure from now on."""
        self._late_ms, self._statuses = [], 0
        self._began_s, self._cpu_s = time.perf_counter(), time.process_time()
        self._due_s = self._began_s + TICK_MS / 1e3
        self._timer.start(TICK_MS)

    def end(self) -> dict[str, float]:
        """What was measured since."""
        self._timer.stop()
        elapsed_s = time.perf_counter() - self._began_s
        late = sorted(self._late_ms)
        return {
            "p99_ms": max(0.01, late[int(len(late) * 0.99)]),
            "max_ms": late[-1],
            "share_percent": (time.process_time() - self._cpu_s) / elapsed_s * 100,
            "statuses": self._statuses / elapsed_s,
        }

    def _on_tick(self) -> None:
        now_s = time.perf_counter()
        self._late_ms.append((now_s - self._due_s) * 1e3)
        self._due_s = now_s + TICK_MS / 1e3

    def _count(self, delivery: Delivery) -> None:
        self._statuses += len(delivery.reports)


def _child(home: Home, settle_s: float) -> None:
    """The window itself: left alone, then worked in."""
    from PyQt5.QtCore import QTimer

    from bench.poll_2000 import resident_bytes
    from bench.window_script import Script
    from gui import app

    found: dict[str, Any] = {}

    def on_painted(window: app.Window) -> None:
        def begin() -> None:
            meter = _Meter(window)
            meter.begin()
            QTimer.singleShot(round(QUIET_S * 1000), lambda: end_quiet(meter))

        def end_quiet(meter: _Meter) -> None:
            found["quiet"] = meter.end()
            if settle_s < SETTLE_S:
                end()
                return
            script = Script(window)
            found["first_ms"] = script.open_pages()
            QTimer.singleShot(2000, lambda: begin_script(meter, script, "list"))

        def begin_script(meter: _Meter, script: Script, part: str) -> None:
            script.start(is_of_pages=part == "pages")
            meter.begin()
            QTimer.singleShot(round(SCRIPT_S * 1000), lambda: end_script(meter, script, part))

        def end_script(meter: _Meter, script: Script, part: str) -> None:
            script.stop()
            found[part] = meter.end()
            worst = script.worst()
            longest = ", ".join(f"{name} {took_ms:.0f}" for name, took_ms, _used_ms in worst[:6])
            most = sorted(worst, key=lambda one: -one[2])[:6]
            used = ", ".join(f"{name} {used_ms:.0f}" for name, _took_ms, used_ms in most)
            steps = sum(map(len, script.took_ms.values()))
            found[f"{part}_steps"] = f"{steps} steps; longest, ms: {longest}; of the processor: {used}"
            if part == "list":
                begin_script(meter, script, "pages")
                return
            times = sorted(script.commands_s) or [float("nan")]
            found.update(command_s=times[len(times) // 2], slowest_s=times[-1], commands=len(script.commands_s))
            end()

        def end() -> None:
            found.update(online=window.main_window.model.counts().online, memory=resident_bytes())
            if len(sys.argv) > 3:
                window.main_window.grab().save(sys.argv[3])
            print(json.dumps(found), flush=True)
            window.close()

        QTimer.singleShot(round(settle_s * 1000), begin)

    app.run(home, on_painted=on_painted)


if __name__ == "__main__":
    _child(Home(Path(sys.argv[1])).make(), float(sys.argv[2]))
