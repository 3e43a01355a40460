"""Alarms as JSON to an address of somebody else's, by POST.

One request tells one notice: `{"title", "text", "severity", "state", "alarms": [...]}`, where `text` is what chat
programs show and `alarms` are objects as `beffroi alarms list --json` prints them. No redirect is followed: a token
goes to the address in the settings and to no other. Neither the path of that address nor the token is ever logged.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence

import msgspec

from core.alarms.digest import AlarmNotice
from core.alarms.documents import alarm_document
from core.config import read_secret, secret_path
from core.config.settings import WebhookSettings
from core.errors import ConfigError, RefusedError, RemoteProtocolError, TransportError
from core.home import Home
from core.language import _
from core.protocol.messages import plain_text
from core.services.check_http import Progress, fetch
from core.services.check_names import Names
from core.services.check_target import CheckTarget, parse_target

TIMEOUT_S = 20.0
"""For one request, all of it: name, connection, handshake, answer."""

MOST_ALARMS = 500
"""Objects in one request; the title tells how many there are in all."""

MOST_ANSWER_OCTETS = 4 * 1024
"""Nobody reads more of what a webhook answers than its status."""


class WebhookSender:
    """Sends notices to one webhook; `send` raises BeffroiError where they were not all taken."""

    def __init__(
        self,
        settings: WebhookSettings,
        home: Home,
        *,
        timeout_s: float = TIMEOUT_S,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._settings = settings
        self._home = home
        self._timeout_s = timeout_s
        self._trust = trust
        self._names = Names()

    async def send(self, notices: Sequence[AlarmNotice]) -> None:
        """Post the notices, one after the other."""
        target = parse_target(self._settings.url)
        headers = [("Content-Type", "application/json")]
        if self._settings.token_file is not None:
            token = await asyncio.to_thread(read_secret, secret_path(self._home, self._settings.token_file))
            if not token.isascii() or not token.isprintable():
                raise ConfigError(_("{file} holds characters that no token has").format(file=self._settings.token_file))
            headers.append(("Authorization", f"Bearer {token}"))
            target = msgspec.structs.replace(target, authorization=None)
        for notice in notices:
            await self._post(target, headers, msgspec.json.encode(notice_document(notice)))

    async def _post(self, target: CheckTarget, headers: list[tuple[str, str]], body: bytes) -> None:
        progress = Progress()
        try:
            async with asyncio.timeout(self._timeout_s):
                page = await fetch(
                    target,
                    method="POST",
                    headers=headers,
                    body=body,
                    names=self._names,
                    trust=self._trust,
                    most_octets=MOST_ANSWER_OCTETS,
                    progress=progress,
                )
        except TimeoutError:
            if progress.status is None:
                raise TransportError(progress.words()) from None
            status, reason, location = progress.status, "", None  # it has answered; its body is nobody's matter
        else:
            status, reason, location = page.status, page.reason, page.location
        if 200 <= status < 300:
            return
        if location is not None:
            raise RemoteProtocolError(
                _("{address} answers {status} and sends elsewhere; put that other address into the settings").format(
                    address=target.address, status=status
                )
            )
        if status in (401, 403):
            raise RefusedError(
                _("{address} answers {status}: the token is missing or wrong").format(
                    address=target.address, status=status
                )
            )
        raise RemoteProtocolError(
            _("{address} answers {status} {reason}").format(
                address=target.address, status=status, reason=plain_text(reason, 100)
            )
        )


def notice_document(notice: AlarmNotice) -> dict[str, object]:
    """What one request says."""
    return {
        "title": notice.title,
        "text": f"{notice.title}\n{notice.text}",
        "severity": notice.severity.value,
        "state": "resolved" if notice.is_over else "active",
        "count": len(notice.alarms),
        "alarms": [alarm_document(alarm) for alarm in notice.alarms[:MOST_ALARMS]],
    }
