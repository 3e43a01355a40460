"""A real agent in a process of its own, paired by a site code."""

from __future__ import annotations

import datetime
import subprocess
import sys
from pathlib import Path
from signal import SIGTERM

from core.protocol.pairing import new_site_code
from core.records import Level

ROOT = Path(__file__).resolve().parents[2]
SITE_CODE = new_site_code(datetime.date(2099, 1, 1), Level.RUN)


class Agent:
    """Runs from when it is made until `stop`; the same home and port when started again."""

    def __init__(self, folder: Path, port: int = 0, policy: str = "") -> None:
        self.folder = folder
        self.port = port
        self._child: subprocess.Popen[str] | None = None
        if policy:
            (folder / "agent").mkdir(mode=0o700, parents=True)
            folder.chmod(0o700)
            (folder / "agent" / "policy.toml").write_text(policy)
            (folder / "agent" / "policy.toml").chmod(0o600)
        self.start()

    def start(self) -> None:
        """Start, and return once it listens."""
        words = [sys.executable, "main.py", "--home", str(self.folder), "agent", "run"]
        words += ["--listen", f"127.0.0.1:{self.port}", "--site-code", SITE_CODE]
        self._child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert self._child.stdout is not None
        self.port = int(self._child.stdout.readline().rpartition(":")[2])

    def send(self, number: int) -> None:
        """Send a signal."""
        assert self._child is not None
        self._child.send_signal(number)

    def stop(self, number: int = SIGTERM) -> None:
        """End it by a signal, and wait."""
        if self._child is not None:
            self.send(number)
            self._child.communicate(timeout=10)
            self._child = None
