"""The program as a child of a test."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PROGRAM = [sys.executable, str(Path(__file__).parents[2] / "main.py")]


@contextlib.contextmanager
def program(home: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The program with that home, and the first line that it said."""
    child = subprocess.Popen(
        [*PROGRAM, "--home", str(home), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert child.stdout is not None
    try:
        yield child, child.stdout.readline().rstrip()
    finally:
        if child.poll() is None:
            child.terminate()
        child.wait(10)
        child.stdout.close()
