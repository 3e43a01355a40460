"""Posts in the room: alarms from a severity on, and commands that have ended on all their machines.

A burst is posted together (`core.alarms.digest`): two thousand machines lost at once are one line.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

from core.alarms.digest import Digester
from core.config.settings import RoomSettings
from core.language import _, ngettext
from core.records import CommandProgress, CommandRequest, CommandState
from core.site_records import Alarm, ChatKind, Record

LOOK_S = 0.25
"""So often it is looked whether something is due."""

RUNS_AT_ONCE = 1_000
POSTS_AT_ONCE = 20
"""Commands that wait to be posted; of more the oldest are left out."""

TEXT_LETTERS = 500
_FAILURES = 4

Post = Callable[[str, ChatKind, str | None], None]
"""`ChatRoom.post`."""


class ChatPosts:
    """A sink of a hub; `post` is called in the loop that runs `run`, as `post(text, kind, link)`."""

    def __init__(self, settings: RoomSettings, post: Post, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._post = post
        self._monotonic = monotonic
        self._door = threading.Lock()
        self._alarms = None if settings.post_alarms is None else Digester(settings.post_alarms)
        self._told_lost = 0
        self._runs: OrderedDict[str, _Run] = OrderedDict()
        self._owed: OrderedDict[str, _Run] = OrderedDict()
        self._finished: deque[_Run] = deque(maxlen=POSTS_AT_ONCE)

    def put(self, record: Record) -> None:
        """Take in what is posted later; from any thread, never waits."""
        if isinstance(record, Alarm):
            with self._door:
                if self._alarms is not None:
                    self._alarms.put(record, self._monotonic())
        elif self._settings.post_commands and isinstance(record, CommandRequest):
            with self._door:
                self._runs[record.id] = _Run(record)
                if len(self._runs) > RUNS_AT_ONCE:
                    self._runs.popitem(last=False)
        elif isinstance(record, CommandProgress):
            with self._door:
                self._take_result(record)

    def _take_result(self, progress: CommandProgress) -> None:
        """The end of a run is due; and once more when all that was unknown then has been fetched."""
        run = self._runs.get(progress.id)
        if run is not None:
            run.add(progress)
            if progress.is_last:
                self._finished.append(self._runs.pop(progress.id))
                if run.unknown():
                    self._owed[progress.id] = run
                    if len(self._owed) > POSTS_AT_ONCE:
                        self._owed.popitem(last=False)
            return
        owed = self._owed.get(progress.id)
        if owed is not None and progress.result.state is not CommandState.UNKNOWN:
            owed = self._owed[progress.id] = owed.copy()  # the one before may still wait to be posted
            owed.add(progress)
            if not owed.unknown():
                self._finished.append(self._owed.pop(progress.id))

    async def run(self) -> None:
        """Post until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.post_due()

    def post_due(self) -> None:
        """Post what is due now."""
        lost = 0
        with self._door:
            notices = [] if self._alarms is None else self._alarms.take(self._monotonic())
            if self._alarms is not None:
                lost, self._told_lost = self._alarms.lost - self._told_lost, self._alarms.lost
            finished = list(self._finished)
            self._finished.clear()
        for notice in notices:
            text = notice.title if len(notice.alarms) == 1 else _in_a_line(notice.title, notice.text)
            self._post(text[:TEXT_LETTERS], ChatKind.ALARM, f"alarm/{notice.alarms[0].id}")
        if lost:
            text = ngettext("{count} more alarm, see the list", "{count} more alarms, see the list", lost)
            self._post(text.format(count=lost), ChatKind.ALARM, None)
        for run in finished:
            self._post(run.words(), ChatKind.COMMAND, f"command/{run.request.id}")


class _Run:
    """A command and how it has ended so far."""

    def __init__(self, request: CommandRequest) -> None:
        self.request = request
        self._states: dict[str, CommandState] = {}
        self._is_later = False

    def copy(self) -> _Run:
        """The same run, whose results are fetched later."""
        made = _Run(self.request)
        made._states, made._is_later = dict(self._states), True
        return made

    def add(self, progress: CommandProgress) -> None:
        self._states[progress.result.machine] = progress.result.state

    def unknown(self) -> int:
        """On how many machines it is not known how it ended."""
        return sum(state is CommandState.UNKNOWN for state in self._states.values())

    def words(self) -> str:
        words = self._ended_words()
        unknown = self.unknown()
        if unknown:
            text = ngettext(
                "{words}; on {count} of them it is not known yet",
                "{words}; on {count} of them it is not known yet",
                unknown,
            )
            return text.format(words=words, count=unknown)
        return _("{words} (fetched later)").format(words=words) if self._is_later else words

    def _ended_words(self) -> str:
        request = self.request
        bad = [name for name, state in self._states.items() if state is not CommandState.OK]
        total = len(self._states)
        machines = ngettext("{count} machine", "{count} machines", total).format(count=total)
        line = (request.words[0] if len(request.words) == 1 else request.line)[:TEXT_LETTERS]
        if not bad:
            text = _("{operator}: “{line}” has ended well on {machines}")
            return text.format(operator=request.operator, line=line, machines=machines)
        names = ", ".join(bad[:_FAILURES]) + (", …" if len(bad) > _FAILURES else "")
        text = _("{operator}: “{line}” has ended on {machines}, not well on {failed}: {names}")
        return text.format(operator=request.operator, line=line, machines=machines, failed=len(bad), names=names)


def _in_a_line(title: str, text: str) -> str:
    """Title and text of a notice; only one of them where they say the same."""
    text = " ".join(text.split())
    words = title if text in title else text if title in text else f"{title}: {text}"
    return words if len(words) <= TEXT_LETTERS else words[: TEXT_LETTERS - 1] + "…"
