"""Finds out what a probe speaks: first it only listens, then it asks; it never tries a password or a key.

The order is that of METER facts: 9600 8N1 and 2400 8E1 are listened to, then the sign-on of IEC 62056-21 is sent, then
a DLMS link is asked for as the public client, and at last the lines of telegrams (P1, mode D) are listened to. What
comes is recognised by its checks, and the session that recognised it goes on with it, so that the first telegram is
not lost. What was found is remembered for the probe and for its port, and tried first the next time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.errors import BeffroiError, ConfigError, RemoteProtocolError, SerialPortMissingError
from core.home import write_private
from core.language import _
from core.protocol.data_sets import Telegram
from core.protocol.hdlc import HdlcReader
from core.protocol.mode_c import ReadoutSession
from core.protocol.session import Told
from core.protocol.telegram_session import MODE_D_LINE, P1_LINE
from core.services.heard_session import HeardSession
from core.services.line_tap import TappedPort
from core.services.meter_dialogues import new_dialogue
from core.services.meter_line import conversation
from core.services.meter_sources import PUSH_LINES, SIGN_ON_LINE, MeterSource
from core.transport.line import LineSettings, Port

LISTEN_S = 12.0
"""How long one speed is listened to."""
ASSOCIATE_S = 8.0
"""How long a meter is asked for a DLMS link."""
DLMS_LINE = LineSettings(9600)
TELEGRAM_LINES = (LineSettings(*P1_LINE), LineSettings(*MODE_D_LINE))
PUBLIC_CLIENT = 16
PUBLIC_CLIENT_OCTETS = bytes((PUBLIC_CLIENT << 1 | 1,))
BURST_GAP_S = 0.15
NOISY_BURSTS = 2
NOISY_OCTETS = 2500
"""Bursts, or octets without a pause, after which a speed without a frame is taken for a wrong one."""

REMEMBERED = 128

Tell = Callable[[str, LineSettings], None]


@dataclass(frozen=True, slots=True)
class Found:
    """What a probe speaks: `push` with the session that heard it, or a protocol to ask in.

    `iec62056-21` comes with its first telegram.
    """

    protocol: str
    line: LineSettings
    push: HeardSession | None = None
    telegram: Telegram | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """End of a search: what was found, or in `text` what was heard instead."""

    found: Found | None
    text: str = ""


async def search(
    port: Port,
    source: MeterSource,
    tell: Tell,
    *,
    remembered: tuple[str, LineSettings] | None = None,
    lines: Sequence[LineSettings] = PUSH_LINES,
    is_asking: bool = True,
    listen_s: float = LISTEN_S,
    clock: Callable[[], float] = time.time,
) -> Outcome:
    """Listen at each of `lines`, then ask; `tell` gets what is being tried, in words.

    Where the port has no speed of its own (a TCP line) it is listened to once. Raises TransportError.
    """

    async def sign_on() -> Outcome:
        return await _sign_on(port, tell, source.address)

    async def associate() -> Outcome:
        return await _associate(port, tell, source, clock)

    heard: list[str] = []
    order = list(lines) if port.has_speed else list(lines[:1])
    asking = {"iec62056-21": sign_on, "dlms": associate} if is_asking else {}
    if remembered is not None:
        protocol, line = remembered
        if protocol == "push":
            order = [line, *(other for other in order if other != line)] if port.has_speed else order
        elif protocol in asking:
            outcome = await asking.pop(protocol)()
            if outcome.found is not None:
                return outcome
            heard.append(outcome.text)
    for line in order:
        outcome = await listen(port, HeardSession(source.new_push()), tell, line, listen_s)
        if outcome.found is not None:
            return outcome
        heard.append(outcome.text)
    for ask in asking.values():
        outcome = await ask()
        if outcome.found is not None:
            return outcome
        heard.append(outcome.text)
    for line in TELEGRAM_LINES if is_asking and port.has_speed else ():
        outcome = await listen(port, HeardSession(source.new_push()), tell, line, listen_s)
        if outcome.found is not None:
            return outcome
        heard.append(outcome.text)
    return Outcome(None, "; ".join(text for text in heard if text))


async def listen(
    port: Port,
    session: HeardSession,
    tell: Tell,
    line: LineSettings,
    listen_s: float,
    *,
    silence_s: float | None = None,
) -> Outcome:
    """Let `session` hear what comes at `line`, for `listen_s`, or `silence_s` where nothing does at all."""
    loop = asyncio.get_running_loop()
    where = str(line) if port.has_speed else port.url
    tell(_("listening at {line} for a meter that sends by itself…").format(line=where), line)
    port.set_line(line)
    count = bursts = 0
    began_s = loop.time()
    end_s = began_s + listen_s
    last_s = -1.0
    while (now_s := loop.time()) < end_s:
        data = await port.read(min(end_s - now_s, BURST_GAP_S))
        now_s = loop.time()
        if not data:
            session.receive_data(b"", now_s)
            if silence_s is not None and not count and now_s - began_s >= silence_s:
                break
            if port.has_speed and bursts >= NOISY_BURSTS and now_s - last_s > BURST_GAP_S and not session.is_heard:
                break
        else:
            bursts += now_s - last_s > BURST_GAP_S
            last_s = now_s
            count += len(data)
            session.receive_data(data, now_s)
        if session.is_heard:
            words = (
                _("found: a meter that pushes messages at {line}")
                if session.is_pushing
                else _("found: a meter that sends telegrams at {line}")
            )
            tell(words.format(line=where), line)
            return Outcome(Found("push", line, push=session))
        if port.has_speed and count > NOISY_OCTETS and not session.frames:
            break
    if not count:
        return Outcome(None, _("silence at {line}").format(line=where))
    return Outcome(None, _("{count} octets at {line}, and no frame among them").format(count=count, line=where))


async def _sign_on(port: Port, tell: Tell, address: str) -> Outcome:
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
                return Outcome(Found("iec62056-21", SIGN_ON_LINE, telegram=event.telegram))
            reason = str(getattr(event, "error", None) or reason)
    return Outcome(None, reason)


async def _associate(port: Port, tell: Tell, source: MeterSource, clock: Callable[[], float]) -> Outcome:
    """Ask for a DLMS link as the public client: one that answers in frames is found, also where it refuses."""
    tell(_("asking for a DLMS link as the public client at {line}…").format(line=DLMS_LINE), DLMS_LINE)
    answers = _Answers()
    tapped = TappedPort(
        port, heard=answers.receive_data, tell=None, is_wanted=lambda: False, name=lambda: "", clock=clock
    )
    asked = replace(
        source,
        protocol="dlms",
        client=PUBLIC_CLIENT,
        password=None,
        key=None,
        auth_key=None,
        framing="hdlc",
        baud=None,
        parity=None,
    )
    port.set_line(DLMS_LINE)
    dialogue = new_dialogue("dlms")(asked, tapped, lambda _told: None, clock)
    try:
        async with asyncio.timeout(ASSOCIATE_S):
            await dialogue.open()
    except SerialPortMissingError:
        raise
    except (BeffroiError, TimeoutError):
        pass  # what counts is whether frames came back
    finally:
        await dialogue.close()
    if not answers.count:
        return Outcome(None, _("no answer as a DLMS meter at {line}").format(line=DLMS_LINE))
    tell(_("found: a DLMS meter answers at {line}").format(line=DLMS_LINE), DLMS_LINE)
    return Outcome(Found("dlms", DLMS_LINE))


class _Answers:
    """Counts the HDLC frames that a server sent to the public client; an echo of ours is none of them."""

    def __init__(self) -> None:
        self.count = 0
        self._reader = HdlcReader()

    def receive_data(self, data: bytes) -> None:
        self._reader.receive_data(data)
        while True:
            try:
                frame = self._reader.next_frame()
            except RemoteProtocolError:
                continue
            if frame is None:
                return
            self.count += frame.destination == PUBLIC_CLIENT_OCTETS


class RememberedLines:
    """What was found with each probe and on each port, in a file of the home.

    A file that cannot be read or written costs only time. A probe with a USB serial number is known by that on
    whatever port it is plugged in.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def line_of(self, url: str, usb_serial: str | None = None) -> tuple[str, LineSettings] | None:
        """Protocol and line found there before."""
        entries = self._read()
        entry = None if usb_serial is None else entries.get(f"usb:{usb_serial}")
        return _line_of(entry) or _line_of(entries.get(url))

    def remember(self, url: str, usb_serial: str | None, protocol: str, line: LineSettings) -> None:
        """Keep what was found."""
        if self._path is None:
            return
        entries = self._read()
        before = dict(entries)
        for key in (url, None if usb_serial is None else f"usb:{usb_serial}"):
            if key is not None and _line_of(entries.get(key)) != (protocol, line):
                entries.pop(key, None)
                entries[key] = {
                    "protocol": protocol,
                    "baud": line.baud,
                    "data_bits": line.data_bits,
                    "parity": line.parity,
                }
        if entries == before:
            return
        kept = dict(list(entries.items())[-REMEMBERED:])
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


def _line_of(entry: object) -> tuple[str, LineSettings] | None:
    """What an entry of the file means; None for one that means nothing."""
    if not isinstance(entry, dict):
        return None
    protocol, baud = entry.get("protocol"), entry.get("baud")
    bits, parity = entry.get("data_bits"), entry.get("parity")
    if (
        protocol in ("push", "iec62056-21", "dlms")
        and isinstance(baud, int)
        and 50 <= baud <= 4_000_000
        and isinstance(bits, int)
        and bits in (7, 8)
        and parity in ("N", "E", "O")
    ):
        return protocol, LineSettings(baud, bits, parity)
    return None
