"""Run the benchmarks, each in a process of its own, and print one table."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pkgutil
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import bench
from bench import Row


def main() -> int:
    """Run the named benchmarks (all by default); 0 unless one could not be run."""
    if sys.argv[1:2] == ["--one"]:
        rows = importlib.import_module(f"bench.{sys.argv[2]}").run()
        print("\n" + json.dumps([asdict(row) for row in rows]))
        return 0
    names = sys.argv[1:] or sorted(
        module.name
        for module in pkgutil.iter_modules(bench.__path__)
        if not module.name.startswith("_") and "def run(" in Path(bench.__path__[0], f"{module.name}.py").read_text()
    )
    with _display():
        return _run_all(names)


def _run_all(names: list[str]) -> int:
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(f"{os.cpu_count()} processors, load {load:.2f} at the start, Python {sys.version.split()[0]}\n")
    print(f"{'work':58} {'ours':>10} {'peer':>10} {'unit':8} {'ratio':>7}  goal")
    failed = []
    for name in names:
        began_s = time.monotonic()
        try:
            rows = _measured(name)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            failed.append(name)
            print(f"{name}: could not be run: {error}")
            continue
        for row in rows:
            print(_line(row))
        print(f"    ({name}, {time.monotonic() - began_s:.0f} s)", flush=True)
    return 1 if failed else 0


@contextlib.contextmanager
def _display() -> Iterator[None]:
    """A display for the rows that draw: the user's, else an Xvfb of our own, else none, and Qt draws in memory."""
    if os.environ.get("DISPLAY") or os.environ.get("QT_QPA_PLATFORM") == "offscreen":
        yield
        return
    xvfb = shutil.which("Xvfb")
    if xvfb is None:
        print("no display, and Xvfb is not installed: windows are drawn in memory")
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
        yield
        return
    reading, writing = os.pipe()
    words = [xvfb, "-displayfd", str(writing), "-screen", "0", "1600x1000x24", "-nolisten", "tcp"]
    with subprocess.Popen(words, pass_fds=[writing], stderr=subprocess.DEVNULL) as server:
        os.close(writing)
        with os.fdopen(reading) as stream:
            os.environ["DISPLAY"] = f":{stream.readline().strip()}"
        os.environ["QT_QPA_PLATFORM"] = "xcb"
        try:
            yield
        finally:
            server.terminate()


def _measured(name: str) -> list[Row]:
    ran = subprocess.run(
        [sys.executable, "-m", "bench", "--one", name], stdout=subprocess.PIPE, text=True, timeout=600, check=True
    )
    return [Row(**fields) for fields in json.loads(ran.stdout.splitlines()[-1])]


def _line(row: Row) -> str:
    peer = "–" if row.peer is None else f"{row.peer:.4g}"
    ratio = "–" if row.ratio is None else f"{row.ratio:.2f}"
    mark = {True: "reached", False: "NOT REACHED", None: "not judged"}[row.reached]
    text = f"{row.work:58} {row.ours:>10.4g} {peer:>10} {row.unit:8} {ratio:>7}  {row.goal}: {mark}"
    return f"{text}\n    {row.note}" if row.note else text


if __name__ == "__main__":
    sys.exit(main())
