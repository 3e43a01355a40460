"""Resident memory: the window with 100 machines and a day of curves, and an agent that serves a console.

The window runs in a child process, as `--demo` does: its own agent, a simulated meter; and 100 simulated agents over
TLS. Its history holds a day of the meter at one row a second and a day of minutes of every machine; the curves in
memory are as full as after a day. Energy and Machine are opened on their 24 h before it is measured.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from bench import Row
from bench.agent_status import ROUNDS, agent_process, ask_agent
from bench.poll_2000 import machines_at, resident_bytes, simulated_agents
from bench.simulated_agents import made_up_status
from core.home import Home
from core.records import Measurement, MeterIdentity, MeterReadings
from core.series import MEASUREMENT_FIELDS, STATUS_FIELDS
from core.services.pairing import pair
from core.store.history import History
from core.store.minutes import MachineMinute
from core.transport.identity import ensure_identity

MACHINES = 100
DAY_S = 86_400
METER = "E450 demo"
SETTLE_MS = 12_000
SHOWN_MS = 4_000
GOAL_CONSOLE, GOAL_AGENT = 250, 28


def run() -> list[Row]:
    rows = [_agent_row()]
    work = f"memory: window, {MACHINES} machines, a day of curves"
    if not os.environ.get("DISPLAY") and os.environ.get("QT_QPA_PLATFORM") != "offscreen":
        return [
            *rows,
            Row(work, float("nan"), None, None, "MiB", f"≤ {GOAL_CONSOLE}", None, "no display: run by xvfb-run"),
        ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = Home(folder / "home").make()
        console, agents = ensure_identity(home.console_path, "bench"), ensure_identity(folder / "agent", "simulated")
        with simulated_agents(folder / "agent", console) as port:
            with History.open(home.database_path) as history:
                history.save_machines(machines_at(port, agents, MACHINES))
                fill(history, time.time())
            words = [sys.executable, "-m", "bench.memory", str(home.path)]
            ran = subprocess.run(words, stdout=subprocess.PIPE, text=True, timeout=180, check=True)
    found = json.loads(ran.stdout.splitlines()[-1])
    at_the_end = found["Machine, 24 h"]
    note = f"{found.pop('online')} online; " + ", ".join(f"{step} {mib:.0f}" for step, mib in found.items())
    return [*rows, Row(work, at_the_end, None, None, "MiB RSS", f"≤ {GOAL_CONSOLE}", at_the_end <= GOAL_CONSOLE, note)]


def _agent_row() -> Row:
    with tempfile.TemporaryDirectory() as name, agent_process(Path(name)) as (pid, port, code):
        identity = ensure_identity(Path(name) / "console", "bench")
        paired = asyncio.run(pair("127.0.0.1", port, code, identity, "bench"))
        asyncio.run(ask_agent(port, identity, paired.certificate_pem, pid, with_processes=True))
        resident = psutil.Process(pid).memory_info().rss / 2**20
    note = f"paired, {ROUNDS} statuses and process tables served; {len(psutil.pids())} processes"
    return Row("memory: agent", resident, None, None, "MiB RSS", f"≤ {GOAL_AGENT}", resident <= GOAL_AGENT, note)


def fill(history: History, now_s: float) -> None:
    """A day of the meter, and of all machines."""
    begin_s = math.floor(now_s) - DAY_S
    for start in range(0, DAY_S, 5_000):
        history.write(
            [
                MeterReadings(
                    name=METER,
                    protocol="push",
                    meter=MeterIdentity(manufacturer="LGZ"),
                    time_s=float(begin_s + second),
                    readings=(),
                    measurement=Measurement(
                        **{
                            field: 230 + 5 * math.sin(second / 600 + place)
                            for place, field in enumerate(MEASUREMENT_FIELDS)
                        }
                    ),
                    is_simulated=True,
                )
                for second in range(start, min(start + 5_000, DAY_S))
            ]
        )
    figures = (1.0, 2.0, 3.0) * len(STATUS_FIELDS)
    for number in range(MACHINES):
        history.write(
            [
                MachineMinute(machine=f"pc-{number:04}", minute_s=minute_s, samples=60, figures=figures)
                for minute_s in range(begin_s // 60 * 60, begin_s + DAY_S - 60, 60)
            ]
        )


def _child(home: Home) -> None:
    """The window itself."""
    from PyQt5.QtCore import QTimer

    from gui import app

    found: dict[str, float] = {}

    def note(step: str) -> None:
        found[step] = resident_bytes() / 2**20

    def on_painted(window: app.Window) -> None:
        note("first paint")

        def fill_book() -> None:
            note("all online")
            found["online"] = window.main_window.model.counts().online
            book, now_s = window.console.book, time.time()
            book.forget(f"meter/{METER}")
            times = now_s - DAY_S + np.arange(DAY_S, dtype=np.float64)
            values = 230 + 5 * np.sin(times / 600 + np.arange(len(MEASUREMENT_FIELDS))[:, None])
            book.extend([f"meter/{METER}/{field}" for field in MEASUREMENT_FIELDS], times, values)
            status = made_up_status(1, now_s)
            for number in range(MACHINES):
                name = f"pc-{number:04}"
                book.forget(f"machine/{name}")
                for age_s in range(3_600, 0, -1):
                    book.append_status(name, now_s - age_s, status, period_s=1.0)
            del times, values
            note("curves as after a day")
            show("energy")
            QTimer.singleShot(SHOWN_MS, show_machine)

        def show(page: str) -> None:
            window.main_window.show_page(page)
            window.main_window.page(page).range.follow("day")

        def show_machine() -> None:
            note("Energy, 24 h")
            window.console.details.show_machine("pc-0007")
            show("machine")
            QTimer.singleShot(SHOWN_MS, end)

        def end() -> None:
            note("Machine, 24 h")
            if len(sys.argv) > 2:
                window.main_window.grab().save(sys.argv[2])
            print(json.dumps(found), flush=True)
            window.close()

        QTimer.singleShot(SETTLE_MS, fill_book)

    app.run(home, demo=True, on_painted=on_painted)


if __name__ == "__main__":
    _child(Home(Path(sys.argv[1])).make())
