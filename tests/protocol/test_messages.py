"""Messages are decoded by many threads at once, from their first on."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

from core.protocol import messages

ROOT = Path(__file__).resolve().parents[2]
FIRST_MESSAGES = """
import sys, threading
sys.setswitchinterval(1e-6)
from core.meter.presets import load_presets
from core.protocol import messages

met = threading.Barrier(4)

def work():
    met.wait()
    for _ in range(50):
        messages.decode_as(messages.StatusMessage, b'{"status": {"number": 1, "time_s": 1.0, "cpu": {"percent": 2.0,'
            b' "per_core_percent": [], "load_average": []}, "disks": [], "process_count": 1}}')
        load_presets()

threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_threads_that_meet_a_message_for_the_first_time_at_once_live_on() -> None:
    """Where the types are not known beforehand, more than half of these processes die of a segmentation fault."""
    for _ in range(4):
        ended = subprocess.run([sys.executable, "-c", FIRST_MESSAGES], cwd=ROOT, capture_output=True, timeout=60)
        assert (ended.returncode, ended.stderr) == (0, b"")


def test_every_kind_that_is_decoded_anywhere_is_known() -> None:
    for path in (ROOT / "core/protocol").glob("*_messages.py"):
        import_module(f"core.protocol.{path.stem}")  # some register theirs when they are imported
    kinds: set[str] = set()
    for path in (ROOT / "core").rglob("*.py"):
        kinds |= set(re.findall(r"decode_as\((?:messages\.)?([A-Z]\w+),", path.read_text(encoding="utf-8")))
    assert len(kinds) > 10
    assert sorted(kinds - {kind.__name__ for kind in messages._decoders}) == []
