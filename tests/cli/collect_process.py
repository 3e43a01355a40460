"""A real `beffroi collect` in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from signal import SIGTERM

from core.home import Home

ROOT = Path(__file__).resolve().parents[2]

WITHOUT_WINDOW = (
    "import sys; "
    "sys.modules.update({name: None for name in ('PyQt5', 'numpy', 'pyqtgraph', 'gui')}); "
    "from main import main; sys.exit(main())"
)
"""Starts the program where whatever a window needs cannot be imported."""


class Collect:
    """Runs from when it is made until `stop`; `lines` is what it printed until it collected."""

    def __init__(self, home: Home, *words: str, environment: dict[str, str] | None = None) -> None:
        self.child = subprocess.Popen(
            [sys.executable, "-c", WITHOUT_WINDOW, "--home", str(home.path), *words, "collect"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
        )
        self.lines: list[str] = []
        assert self.child.stdout is not None
        for line in self.child.stdout:
            self.lines.append(line.rstrip("\n"))
            if "collecting" in line:
                break

    @property
    def addresses(self) -> list[str]:
        """Where its servers listen."""
        return [line.removeprefix("listening on ") for line in self.lines if line.startswith("listening on ")]

    def stop(self, number: int = SIGTERM) -> tuple[int, str]:
        """End it by a signal, and wait: its exit status and what it said on stderr."""
        if self.child.poll() is None:
            self.child.send_signal(number)
        _out, said = self.child.communicate(timeout=15)
        return self.child.returncode, said
