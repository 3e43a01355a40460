"""Carries alarms away: mail by SMTP, and JSON to a webhook.

Each way collects the alarms of a burst, sends them as one, and tries again a few times. A way that fails is said once,
by an event, and once more when it works again; nothing here ever waits for a server that hangs. `put` may be called
from any thread; all else belongs to the loop that runs `run`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from core.alarms.digest import AlarmNotice, Digester, digest
from core.config.settings import AlarmsSettings
from core.errors import BeffroiError
from core.home import Home
from core.language import N_, _, ngettext
from core.records import Event, Severity
from core.site_records import Alarm, AlarmSeverity, Record

LIMIT = 20_000
"""Alarms that wait to be looked at, and alarms of one way that wait to be sent, at most."""

TURN_S = 0.2
LAST_TRY_S = 3.0
"""What still waits at the end is tried for so long."""

RETRY_PAUSES_S = (5.0, 30.0, 120.0, 300.0)
"""Pauses after a failure; when they are over the alarms are given up, and counted."""

MAIL_QUIET_S, MAIL_LONGEST_S, MAIL_PAUSE_S = 3.0, 20.0, 30.0
"""A mail waits for the end of its burst, and follows the one before at some distance."""

HOOK_QUIET_S, HOOK_LONGEST_S, HOOK_PAUSE_S = 1.0, 5.0, 1.0

log = logging.getLogger("beffroi.alarm_outputs")

Send = Callable[[Sequence[AlarmNotice]], Coroutine[Any, Any, None]]
Tell = Callable[[str, Severity, str], None]


class Way:
    """One way out: what waits for it, and how it fares."""

    def __init__(
        self,
        name: str,
        send: Send,
        tell: Tell,
        severity: AlarmSeverity,
        *,
        quiet_s: float,
        longest_s: float,
        pause_s: float,
        retry_pauses_s: Sequence[float] = RETRY_PAUSES_S,
    ) -> None:
        self.name = name
        self.sent = 0
        self.lost = 0
        self._send = send
        self._tell = tell
        self._digester = Digester(severity, quiet_s=quiet_s, longest_s=longest_s)
        self._pause_s = pause_s
        self._retry_pauses_s = retry_pauses_s
        self._waiting: dict[int, Alarm] = {}
        self._failures = 0
        self._is_failing = False
        self._sending: asyncio.Future[None] | None = None

    def put(self, alarm: Alarm) -> None:
        """Take an alarm in that is to be told here; any other is passed over."""
        self._digester.put(alarm, time.monotonic())

    async def run(self) -> None:
        """Send until cancelled; then for a moment what waits, or is on its way."""
        try:
            while True:
                await self._turn()
        except asyncio.CancelledError:
            with contextlib.suppress(BeffroiError, TimeoutError):
                async with asyncio.timeout(LAST_TRY_S):
                    await self._end()
            raise
        finally:
            if self._sending is not None:
                self._sending.cancel()
                await asyncio.gather(self._sending, return_exceptions=True)

    async def _turn(self) -> None:
        self._collect()
        if not self._waiting:
            await asyncio.sleep(TURN_S)
            return
        try:
            count = await self._deliver()
        except BeffroiError as error:
            await self._on_failure(str(error))
        else:
            self._on_success(count)
            await asyncio.sleep(self._pause_s)

    async def _deliver(self) -> int:
        """Send all that waits; how many alarms it was. Cancelling it leaves the message on its way."""
        told = dict(self._waiting)
        sending = self._sending = asyncio.ensure_future(self._send(digest(list(told.values()))))
        await asyncio.shield(sending)
        self._sending = None
        return len(told)

    async def _end(self) -> None:
        if self._sending is not None:
            await asyncio.shield(self._sending)
            self._waiting.clear()
        self._collect(is_all=True)
        if self._waiting and not self._is_failing:
            await self._send(digest(list(self._waiting.values())))

    def _collect(self, *, is_all: bool = False) -> None:
        """Move what is due to what waits; an alarm that waits already is told as it stands now."""
        notices = self._digester.take_all() if is_all else self._digester.take(time.monotonic())
        for notice in notices:
            for alarm in notice.alarms:
                self._waiting.pop(alarm.id, None)
                self._waiting[alarm.id] = alarm
        self.lost += self._digester.lost
        self._digester.lost = 0
        while len(self._waiting) > LIMIT:
            del self._waiting[next(iter(self._waiting))]
            self.lost += 1

    async def _on_failure(self, reason: str) -> None:
        log.warning("%s: %s", self.name, reason)
        if not self._is_failing:
            self._is_failing = True
            text = _("alarms are not sent by {way}: {reason}").format(way=_(self.name), reason=reason)
            self._tell("alarms_not_sent", Severity.ERROR, text)
        if self._failures >= len(self._retry_pauses_s):
            self.lost += len(self._waiting)
            log.warning("%s: %d alarms are given up", self.name, len(self._waiting))
            self._waiting.clear()
            self._failures = 0
            return
        pause_s = self._retry_pauses_s[self._failures]
        self._failures += 1
        await asyncio.sleep(pause_s)

    def _on_success(self, count: int) -> None:
        self.sent += count
        self._waiting.clear()
        self._failures = 0
        if not self._is_failing:
            return
        self._is_failing = False
        lost, self.lost = self.lost, 0
        text = _("alarms are sent again by {way}").format(way=_(self.name))
        if lost:
            text += "; " + ngettext("{count} was not sent", "{count} were not sent", lost).format(count=lost)
        self._tell("alarms_sent_again", Severity.INFO, text)


class AlarmOutputs:
    """A sink of alarms that sends them by the ways that the settings name; `run` until cancelled."""

    def __init__(
        self,
        settings: AlarmsSettings,
        home: Home,
        publish: Callable[[Record], None],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.lost = 0
        self._publish = publish
        self._clock = clock
        self._inbox: deque[Alarm] = deque(maxlen=LIMIT)
        self.ways: list[Way] = []
        if settings.email is not None:
            from core.services.alarm_mail import MailSender  # smtplib and email: for who sends mail

            self.ways.append(
                Way(
                    N_("e-mail"),
                    MailSender(settings.email, home).send,
                    self._tell,
                    settings.email.severity,
                    quiet_s=MAIL_QUIET_S,
                    longest_s=MAIL_LONGEST_S,
                    pause_s=MAIL_PAUSE_S,
                )
            )
        if settings.webhook is not None:
            from core.services.alarm_webhook import WebhookSender  # h11 likewise

            self.ways.append(
                Way(
                    N_("webhook"),
                    WebhookSender(settings.webhook, home).send,
                    self._tell,
                    settings.webhook.severity,
                    quiet_s=HOOK_QUIET_S,
                    longest_s=HOOK_LONGEST_S,
                    pause_s=HOOK_PAUSE_S,
                )
            )

    def put(self, record: Record) -> None:
        """Take alarms in. From any thread; of too many the oldest go first, and are counted."""
        if isinstance(record, Alarm):
            if len(self._inbox) >= LIMIT:
                self.lost += 1
            self._inbox.append(record)

    async def run(self) -> None:
        """Send until cancelled."""
        tasks = [asyncio.create_task(way.run(), name=f"alarms by {way.name}") for way in self.ways]
        try:
            while True:
                self._hand_over()
                for task in tasks:
                    if task.done():
                        task.result()
                await asyncio.sleep(TURN_S)
        finally:
            self._hand_over()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _hand_over(self) -> None:
        while self._inbox:
            alarm = self._inbox.popleft()
            for way in self.ways:
                way.put(alarm)

    def _tell(self, kind: str, severity: Severity, text: str) -> None:
        self._publish(Event(time_s=self._clock(), source="alarms", kind=kind, severity=severity, text=text))
