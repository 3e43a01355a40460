"""Our sensor server in a process of its own, as a user starts it: `main.py sensors serve`."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from signal import SIGTERM

ROOT = Path(__file__).resolve().parents[2]


class SensorServer:
    """Started on a free port at once; `stop` ends it as a service manager does."""

    def __init__(self, home: Path, *words: str) -> None:
        self.home = home
        line = [sys.executable, "main.py", "--home", str(home), "sensors", "serve", "--listen", "127.0.0.1:0", *words]
        self._child = subprocess.Popen(
            line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
        )
        assert self._child.stdout is not None
        self.first_line = self._child.stdout.readline()
        self.port = int(self.first_line.rpartition(":")[2])

    @property
    def pid(self) -> int:
        return self._child.pid

    def kill(self) -> None:
        """`kill -9`."""
        self._child.kill()
        self._child.communicate(timeout=10)

    def stop(self) -> tuple[int, str, str]:
        """Exit status, what else came on stdout, stderr."""
        if self._child.poll() is None:
            self._child.send_signal(SIGTERM)
        out, err = self._child.communicate(timeout=20)
        return self._child.returncode, out, err

    def measures(self) -> list[tuple[str, float]]:
        """Identifier and value of each measure, oldest first, by the view that other programs read."""
        return measures_of(self.home)


def measures_of(home: Path) -> list[tuple[str, float]]:
    connection = sqlite3.connect(home / "beffroi.db")
    try:
        return connection.execute("SELECT identifiant, temperature FROM mesures ORDER BY timestamp").fetchall()
    finally:
        connection.close()


def run(home: Path, *words: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of one command."""
    line = [sys.executable, "main.py", "--home", str(home), *words]
    ran = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", timeout=60, check=False)
    return ran.returncode, ran.stdout, ran.stderr


def listed(home: Path) -> list[dict[str, object]]:
    """What `sensors list --json` prints."""
    status, out, err = run(home, "sensors", "list", "--json")
    assert status == 0, err
    found: list[dict[str, object]] = json.loads(out)
    return found
