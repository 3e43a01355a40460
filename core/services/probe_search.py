"""Finds out what a probe speaks: first it only listens, then it signs on once; it never tries a password.

A frame is recognised by its checks, and the session that recognised it goes on with it, so that the first telegram
is not lost. What was found is remembered for the port and tried first the next time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import ConfigError
from core.home import write_private
from core.language import _
from core.protocol.data_sets import Telegram
from core.protocol.mode_c import ReadoutSession
from core.protocol.push import PushSession
from core.protocol.session import Told
from core.services.meter_line import conversation
from core.services.meter_sources import PUSH_LINES, SIGN_ON_LINE
from core.transport.line import LineSettings, Port

LISTEN_S = 12.0
"""How long one speed is listened to."""
BURST_GAP_S = 0.15
NOISY_BURSTS = 2
NOISY_OCTETS = 2500
"""Bursts, or octets without a pause, after which a speed without a frame is taken for a wrong one."""

_MODE_D = re.compile(rb"/[A-Za-z]{3}[^\r\n]{1,60}\r\n\r\n")


@dataclass(frozen=True, slots=True)
class Found:
    """What a probe speaks: `push` with the session that heard it, or `iec62056-21` with its first telegram."""

    protocol: str
    line: LineSettings
    push: PushSession | None = None
    telegram: Telegram | None = None
    baud: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """End of a search: what was found, or in `text` what was heard instead."""

    found: Found | None
    text: str = ""


async def search(
    port: Port,
    new_push: Callable[[], PushSession],
    tell: Callable[[str, LineSettings], None],
    *,
    remembered: tuple[str, LineSettings] | None = None,
    lines: Sequence[LineSettings] = PUSH_LINES,
    is_signing_on: bool = True,
    address: str = "",
    listen_s: float = LISTEN_S,
) -> Outcome:
    """Listen at each of `lines`, then sign on; `tell` gets what is being tried, in words.

    Where the port has no speed of its own (a TCP line) it is listened to once. Raises TransportError.
    """
    order = list(lines) if port.has_speed else list(lines[:1])
    signed_on: Outcome | None = None
    if remembered is not None:
        protocol, line = remembered
        if protocol == "push":
            order = [line, *(other for other in order if other != line)] if port.has_speed else order
        elif is_signing_on:
            signed_on = await _sign_on(port, tell, address)
            if signed_on.found is not None:
                return signed_on
    heard: list[str] = []
    for line in order:
        outcome = await _listen(port, new_push(), tell, line, listen_s)
        if outcome.found is not None:
            return outcome
        heard.append(outcome.text)
    if is_signing_on and signed_on is None:
        signed_on = await _sign_on(port, tell, address)
        if signed_on.found is not None:
            return signed_on
    if signed_on is not None:
        heard.append(signed_on.text)
    return Outcome(None, "; ".join(text for text in heard if text))


async def _listen(
    port: Port, session: PushSession, tell: Callable[[str, LineSettings], None], line: LineSettings, listen_s: float
) -> Outcome:
    loop = asyncio.get_running_loop()
    where = str(line) if port.has_speed else port.url
    tell(_("listening at {line} for a meter that sends by itself…").format(line=where), line)
    port.set_line(line)
    heard = bytearray()
    count = bursts = 0
    end_s = loop.time() + listen_s
    last_s = -1.0
    while (now_s := loop.time()) < end_s:
        data = await port.read(min(end_s - now_s, BURST_GAP_S))
        now_s = loop.time()
        if not data:
            session.receive_data(b"", now_s)
            if port.has_speed and bursts >= NOISY_BURSTS and now_s - last_s > BURST_GAP_S:
                break
            continue
        bursts += now_s - last_s > BURST_GAP_S
        last_s = now_s
        count += len(data)
        heard = (heard + data)[-512:]
        session.receive_data(data, now_s)
        if port.has_speed and count > NOISY_OCTETS and not session.frames:
            break
        if session.frames > session.other_frames:
            tell(_("found: a meter that pushes HDLC frames at {line}").format(line=where), line)
            return Outcome(Found("push", line, push=session))
        if _MODE_D.search(heard):
            return Outcome(
                None,
                _(
                    "at {line} a meter sends IEC 62056-21 mode D by itself, which this version reads from files only"
                ).format(line=where),
            )
    if not count:
        return Outcome(None, _("silence at {line}").format(line=where))
    return Outcome(None, _("{count} octets at {line}, and no frame among them").format(count=count, line=where))


async def _sign_on(port: Port, tell: Callable[[str, LineSettings], None], address: str) -> Outcome:
    tell(_("signing on with /?! at {line}…").format(line=SIGN_ON_LINE), SIGN_ON_LINE)
    session = ReadoutSession(address, attempts=2)
    reason = ""
    async with contextlib.aclosing(conversation(session, port)) as events:
        async for event in events:
            if isinstance(event, Told) and isinstance(event.telegram, Telegram):
                identification = event.telegram.identification
                tell(
                    _("found: {meter} answers the sign-on").format(
                        meter=identification.text if identification else _("a meter")
                    ),
                    SIGN_ON_LINE,
                )
                return Outcome(Found("iec62056-21", SIGN_ON_LINE, telegram=event.telegram, baud=session.baud))
            reason = str(getattr(event, "error", None) or reason)
    return Outcome(None, reason)


class RememberedLines:
    """What was found on each port, in a file of the home; a file that cannot be read or written costs only time."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def line_of(self, url: str) -> tuple[str, LineSettings] | None:
        """Protocol and line found there before."""
        entry = self._read().get(url)
        if not isinstance(entry, dict):
            return None
        protocol, baud = entry.get("protocol"), entry.get("baud")
        bits, parity = entry.get("data_bits"), entry.get("parity")
        if (
            protocol in ("push", "iec62056-21")
            and isinstance(baud, int)
            and 50 <= baud <= 4_000_000
            and isinstance(bits, int)
            and bits in (7, 8)
            and parity in ("N", "E", "O")
        ):
            return protocol, LineSettings(baud, bits, parity)
        return None

    def remember(self, url: str, protocol: str, line: LineSettings) -> None:
        """Keep what was found."""
        if self._path is None or self.line_of(url) == (protocol, line):
            return
        entries = self._read()
        entries.pop(url, None)
        entries[url] = {
            "protocol": protocol,
            "baud": line.baud,
            "data_bits": line.data_bits,
            "parity": line.parity,
        }
        kept = dict(list(entries.items())[-64:])
        with contextlib.suppress(OSError, ConfigError):
            write_private(self._path, (json.dumps(kept, indent=1) + "\n").encode())

    def _read(self) -> dict[str, object]:
        if self._path is None:
            return {}
        try:
            content = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}
