"""How fast lines go to a plain client, and how fast a client may speak: pure, `now_s` is any monotonic clock."""

from __future__ import annotations

from collections import deque

GAP_S = 0.03
"""Between two lines to a plain client, which would show them glued otherwise."""

LINES_APART = 32
"""So many lines wait each for its turn; what is beyond goes together, so that none waits for many seconds."""

LINES_PER_S = 30.0
LINES_AT_ONCE = 100
BYTES_PER_S = 512 * 1024
BYTES_AT_ONCE = 128 * 1024


class PacedQueue:
    """Lines that wait for their time, 30 ms after the line before them."""

    def __init__(self) -> None:
        self.size = 0
        """Bytes that wait."""
        self._lines: deque[bytes] = deque()
        self._free_s = float("-inf")

    def __bool__(self) -> bool:
        return bool(self._lines)

    def put(self, line: bytes) -> None:
        """Queue `line`, its newline included."""
        self._lines.append(line)
        self.size += len(line)

    def take(self, now_s: float) -> bytes:
        """What may be sent now; empty where nothing may."""
        if not self._lines or now_s < self._free_s:
            return b""
        self._free_s = now_s + GAP_S
        count = max(1, len(self._lines) - LINES_APART + 1)
        taken = b"".join([self._lines.popleft() for _line in range(count)])
        self.size -= len(taken)
        return taken

    def take_all(self) -> bytes:
        """All that waits: the link ends."""
        taken = b"".join(self._lines)
        self._lines.clear()
        self.size = 0
        return taken

    def next_deadline(self) -> float | None:
        """When to ask `take` again; None where nothing waits."""
        return self._free_s if self._lines else None


class Allowance:
    """What may be said: so many lines and bytes a second, a little more at once.

    By default that of one client: as many lines as plain clients can be shown. Nothing is lost: who sends faster is
    read more slowly.
    """

    def __init__(self, lines_per_s: float = LINES_PER_S, lines_at_once: float = LINES_AT_ONCE) -> None:
        self._lines_per_s = lines_per_s
        self._lines_at_once = lines_at_once
        self._lines = lines_at_once
        self._bytes: float = BYTES_AT_ONCE
        self._seen_s: float | None = None

    def wait_s(self, size: int, now_s: float, lines: float = 1) -> float:
        """0 where `lines` of `size` bytes may go now, and are counted; else the seconds before asking again."""
        passed_s = 0.0 if self._seen_s is None else max(0.0, now_s - self._seen_s)
        self._seen_s = now_s
        self._lines = min(self._lines_at_once, self._lines + passed_s * self._lines_per_s)
        self._bytes = min(BYTES_AT_ONCE, self._bytes + passed_s * BYTES_PER_S)
        wanted, needed = min(lines, self._lines_at_once), min(size, BYTES_AT_ONCE)
        if self._lines >= wanted and self._bytes >= needed:
            self._lines -= wanted
            self._bytes -= needed
            return 0.0
        return max((wanted - self._lines) / self._lines_per_s, (needed - self._bytes) / BYTES_PER_S, 0.001)
