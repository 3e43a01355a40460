"""What the processes behind a spike cost: lists of 2,000 machines every 10 s, and the rows that an hour leaves.

The floor is what the minutes of the same machines take on the disk. Every fifth machine is restless: its processes
leap by up to 25 % of a core from list to list; those of the others wander by 1.5 %.
"""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path

from bench import Row
from core.machine_records import ProcessUse
from core.store.columns import MACHINE_FIELDS
from core.store.history import History
from core.store.minutes import MachineMinute
from core.store.processes import ProcessBook

MACHINES, MINUTES, LISTS = 2_000, 60, 6
PROCESSES = 14
BEGIN_S = 1_763_000_040
DAY_MINUTES = 1_440
NAMES = ("systemd", "python3", "postgres: writer", "nginx: worker", "chrome", "gnome-shell", "dockerd", "sshd", "java")


class _Machine:
    """A machine whose processes go up and down."""

    def __init__(self, number: int, chance: random.Random) -> None:
        self.name = f"pc-{number:04}"
        self._leap = 25.0 if number % 5 == 0 else 1.5
        self._chance = chance
        self._processes = [
            (100 + 37 * place, chance.choice(NAMES), chance.random() * 3, chance.randrange(20, 900) << 20)
            for place in range(PROCESSES)
        ]

    def told(self) -> tuple[ProcessUse, ...]:
        """What a status tells: five of most CPU and five of most memory."""
        chance = self._chance
        uses = [
            ProcessUse(
                pid=pid,
                name=name,
                user="www-data",
                cpu_percent=round(share + chance.random() * self._leap * (chance.random() < 0.3), 1),
                memory_bytes=size + chance.randrange(1 << 20),
                started_s=BEGIN_S - 5000.25,
            )
            for pid, name, share, size in self._processes
        ]
        busy = sorted(uses, key=lambda use: -use.cpu_percent)[:5]
        large = sorted(uses, key=lambda use: -use.memory_bytes)[:5]
        return (*busy, *(use for use in large if use not in busy))


def run() -> list[Row]:
    """Rows for processor time and for room on the disk."""
    chance = random.Random(1)
    machines = [_Machine(number, chance) for number in range(MACHINES)]
    book, rows, spent_s = ProcessBook(), 0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "processes.db"
        with History.open(path) as history:
            for minute in range(MINUTES):
                for turn in range(LISTS):
                    lists = [(machine.name, machine.told()) for machine in machines]
                    begin_s = time.process_time()
                    for name, uses in lists:
                        book.add(name, uses, BEGIN_S + 60 * minute + 10 * turn)
                    spent_s += time.process_time() - begin_s
                begin_s = time.process_time()
                found = book.take(BEGIN_S + 60 * (minute + 1))
                history.write(found)
                spent_s += time.process_time() - begin_s
                rows += len(found)
        size = path.stat().st_size
        minute_size = _minute_size(Path(folder) / "minutes.db")
    a_day = rows / MACHINES / MINUTES * DAY_MINUTES
    ours, floor = a_day * size / rows, DAY_MINUTES * minute_size
    note = f"{a_day:.0f} rows a machine and day of {size / rows:.0f} B; peer: its minutes"
    return [
        Row(
            f"processes of minutes: {MACHINES} machines, gathered and written",
            spent_s / MINUTES / 60 * 100,
            None,
            None,
            "% core",
            "none",
            None,
            f"{spent_s / MINUTES * 1e3:.0f} ms a minute",
        ),
        Row(
            "processes of minutes: a machine and day",
            ours / 1e3,
            floor / 1e3,
            floor / ours,
            "KB",
            ">= 3x",
            floor >= 3 * ours,
            note,
        ),
    ]


def _minute_size(path: Path) -> float:
    """Octets that one minute of a machine takes."""
    chance = random.Random(2)
    count = 0
    with History.open(path) as history:
        for minute in range(20):
            rows = [
                MachineMinute(
                    machine=f"pc-{number:04}",
                    minute_s=BEGIN_S + 60 * minute,
                    samples=12,
                    figures=tuple(chance.random() * 1e6 for _ in range(3 * len(MACHINE_FIELDS))),
                )
                for number in range(500)
            ]
            count += len(rows)
            history.write(rows)
    return path.stat().st_size / count


if __name__ == "__main__":
    for row in run():
        print(row)
