"""`room serve` and `room join`: the operators' chat, headless and in a terminal."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import queue
import sys
import threading
import unicodedata
from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from core.cli.output import print_json, print_problem
from core.config import database_location, load_config
from core.errors import ConfigError, UsageError
from core.home import Home
from core.language import _, ngettext
from core.protocol.chat_text import NAME_LETTERS, clean_name, clean_text, clock_stamp, is_mentioned
from core.records import StoreReport
from core.site_records import ChatKind, ChatLine, Record
from core.times import iso_time
from core.transport.address import parse_address, shown_address

DEFAULT_PORT = 17453
LAST_WORD_S = 3.0
"""How long the end of a command waits for the history, or for a server that was told bye."""

LINES_WAITING = 2_000
"""Lines of the log that wait for a terminal (or a pipe) that does not take them; what is beyond goes lost there."""


def register(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the group `room`."""
    group = commands.add_parser("room", parents=[common], help=_("open the operators' room, or talk in one"))
    actions = group.add_subparsers(metavar=_("ACTION"), required=True)
    serve = actions.add_parser("serve", parents=[common], help=_("open a room until stopped, for clients of any kind"))
    serve.add_argument(
        "--listen",
        metavar="HOST:PORT",
        help=_("where to listen (default {default})").format(default=f"127.0.0.1:{DEFAULT_PORT}"),
    )
    serve.set_defaults(handler=serve_room)
    join = actions.add_parser(
        "join",
        parents=[common],
        help=_("talk in a room"),
        description=_(
            "Lines go to all in the room. bye ends; arret ends the room, for its operator; "
            "/room NAME goes to another room, /who says who is there."
        ),
    )
    join.add_argument("address", metavar="HOST:PORT", help=_("where the room is open"))
    join.add_argument("name", metavar="NAME", help=_("your name in the room"))
    join.add_argument("--room", default="", metavar="R", help=_("which room (general)"))
    join.set_defaults(handler=join_room)


# The server.


def serve_room(options: argparse.Namespace) -> int:
    """Serve until SIGTERM, SIGINT or the operator's `arret`; what is said is kept in the history of the home."""
    from core.cli.console import run_until_signalled
    from core.services.chat_room import ChatRoom
    from core.services.chat_secret import room_secret
    from core.services.recorder import Recorder
    from core.services.waiting import first_of
    from core.store.history import History

    config, warnings = load_config(options.home)
    for warning in warnings:
        print_problem(warning)
    settings = config.room
    if options.listen is not None:
        settings = replace(settings, listen=shown_address(*parse_address(options.listen, DEFAULT_PORT)))
    secret = room_secret(options.home)
    location = database_location(config, options.home)

    async def main(signalled: asyncio.Event) -> int:
        recorder = Recorder(lambda: History.open(location), config.retention, _tell_store_error())

        def publish(record: Record) -> None:
            recorder.put(record)
            if options.json and isinstance(record, ChatLine):
                printer.put(_encoded(record))

        room = ChatRoom(
            settings,
            publish,
            operator=config.operator,
            last_lines=lambda name: recorder.query(lambda history: history.chat_lines(name)),
            secret=secret,
        )
        recording = asyncio.create_task(recorder.run())
        serving = asyncio.create_task(room.run())
        try:
            await first_of(room.ready(), asyncio.wait([serving]))
            if room.address is not None:
                print(f"listening on {room.address}", flush=True)
            await first_of(asyncio.wait([serving]), signalled.wait())
        finally:
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([serving])
            recording.cancel()
            with contextlib.suppress(asyncio.CancelledError, TimeoutError):
                await asyncio.wait_for(asyncio.shield(recording), LAST_WORD_S)
        if not serving.cancelled():
            serving.result()  # raises why it could not listen
        return 0

    with _printing(is_log_shown=not options.json) as printer:
        return run_until_signalled(main)


def _tell_store_error() -> Any:
    told: list[str | None] = [None]

    def tell(report: StoreReport) -> None:
        if report.error is not None and report.error != told[0]:
            print_problem(report.error)
        told[0] = report.error

    return tell


class _Printer(logging.Handler):
    """Writes lines to stdout in a thread of its own: a pipe that nobody reads never holds the room up."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._lines: queue.Queue[bytes | None] = queue.Queue(LINES_WAITING)
        self._thread = threading.Thread(target=self._write, name="stdout", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        self.put(record.getMessage().encode(sys.stdout.encoding or "utf-8", "replace"))

    def put(self, line: bytes) -> None:
        """Print `line` some time; it goes lost where too many wait."""
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(line)

    def end(self) -> None:
        """Return when all is printed, or after a moment."""
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(None)
            self._thread.join(1.0)

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            rest = line + b"\n"
            try:
                while rest:
                    rest = rest[os.write(1, rest) :]
            except OSError:
                return


@contextlib.contextmanager
def _printing(*, is_log_shown: bool) -> Iterator[_Printer]:
    """A printer while the block runs; it shows the log of the room too."""
    log = logging.getLogger("beffroi.room")
    printer = _Printer()
    if is_log_shown:
        log.addHandler(printer)
    try:
        yield printer
    finally:
        log.removeHandler(printer)
        printer.end()


# A client.


def join_room(options: argparse.Namespace) -> int:
    """Talk until `bye`, the end of the typed lines, or the end of the server, which is status 1."""
    from core.cli.console import run_until_signalled

    name = clean_name(options.name)
    if not name:
        raise UsageError(_("“{name}” is no name that can be shown").format(name=clean_text(options.name)[:40]))
    if name != options.name.strip():
        print_problem(
            _(
                "you are {name}: a name has {count} letters at most, and neither | nor : nor signs that are not seen"
            ).format(name=name, count=NAME_LETTERS)
        )
    return run_until_signalled(lambda signalled: _Talk(options, name, signalled).run())


class _Talk:
    """One conversation of `room join`."""

    def __init__(self, options: argparse.Namespace, name: str, signalled: asyncio.Event) -> None:
        from core.cli.chat_screen import ChatScreen, has_colours
        from core.services import chat_client

        self._options = options
        self._name = name
        self._signalled = signalled
        self._services = chat_client
        self._screen = ChatScreen(is_json=options.json)
        self._is_coloured = not options.json and has_colours()
        self._is_leaving = False
        self._has_stopped_it = False

    async def run(self) -> int:
        """Talk; the exit status."""
        from core.services.waiting import first_of

        host, port = parse_address(self._options.address, DEFAULT_PORT)
        client = await self._services.ChatClient.connect(
            host, port, self._name, self._options.room, _secret(self._options.home)
        )
        listening = asyncio.create_task(self._listen(client))
        try:
            with self._screen.open():
                await first_of(asyncio.wait([listening]), self._talk(client), self._signalled.wait())
                if not listening.done():
                    self._is_leaving = True
                    await client.bye()
                    await asyncio.wait([listening], timeout=LAST_WORD_S)
        finally:
            client.close()
            listening.cancel()
            await asyncio.wait([listening])
        if not listening.cancelled():
            listening.result()  # raises what went wrong while printing
        if self._is_leaving or (self._has_stopped_it and client.has_ended):
            return 0
        print_problem(_("the room at {address} has ended").format(address=client.address))
        return 1

    async def _talk(self, client: Any) -> None:
        """Send what is typed; returns when this client leaves."""
        has_spoken = False
        async for typed in self._screen.lines():
            line = typed.strip()
            has_spoken = has_spoken or bool(line)
            word, _space, rest = unicodedata.normalize("NFC", line).partition(" ")
            if line.casefold() == "bye":
                return
            if word.casefold() in ("arret", "arrêt") and len(rest.split()) <= 1:
                self._has_stopped_it = True
                await client.stop(rest.strip())
            elif word == "/room" and rest.strip():
                await client.move(rest.strip())
            elif line == "/who":
                self._show(ChatKind.SERVER.value, ", ".join(sorted(client.present, key=str.casefold)) or "-")
            elif line:
                await client.say(typed)
        if not has_spoken and not self._screen.is_typed:
            await asyncio.get_running_loop().create_future()  # nothing to say, as from /dev/null: listen on

    async def _listen(self, client: Any) -> None:
        from core.protocol.chat_events import Ended, Notice, Told, Welcome

        async for event in client.events():
            if isinstance(event, Told):
                self._show_line(event.line, client.name)
            elif isinstance(event, Welcome):
                self._show_welcome(event)
            elif isinstance(event, Notice):
                self._show("notice", event.text)
            elif isinstance(event, Ended):
                self._show("end", event.text)
            else:
                self._show("plain", event.text)

    def _show_welcome(self, welcome: Any) -> None:
        if self._options.json:
            self._print_document("welcome", "", author=welcome.name, room=welcome.room, time_s=welcome.time_s)
        for line in welcome.lines:
            self._show_line(line, welcome.name)
        if self._options.json:
            return
        greeting = _("Welcome back, {name}: you are in {room}") if welcome.is_back else _("{name}: you are in {room}")
        count = len(welcome.present)
        people = ngettext("{count} person is here", "{count} people are here", count).format(count=count)
        self._screen.print(
            f"{clock_stamp(welcome.time_s)} "
            + greeting.format(name=clean_text(welcome.name), room=clean_text(welcome.room))
            + f" ({people})"
        )

    def _show_line(self, line: ChatLine, own: str) -> None:
        is_own = line.author == own and line.kind is ChatKind.MESSAGE
        if self._options.json:
            print_json(_document(line, is_own=is_own))
            return
        author, text = clean_text(line.author), clean_text(line.text)
        name = self._coloured(author)
        if line.kind is ChatKind.JOINED:
            words = _("{name} has joined the room").format(name=name)
        elif line.kind is ChatKind.LEFT:
            words = _("{name} has left the room").format(name=name)
        elif is_own:
            words = _("You said: {text}").format(text=text)
        elif author:
            words = _("{name} said: {text}").format(name=name, text=self._marked(text, own))
        else:
            words = f"* {text}"
        link = "" if line.link is None or line.link in text else f" ({clean_text(line.link)})"
        self._screen.print(f"{clock_stamp(line.time_s)} {words}{link}")

    def _show(self, kind: str, text: str) -> None:
        if self._options.json:
            self._print_document(kind, text)
        else:
            self._screen.print(clean_text(text) if kind == "plain" else f"* {clean_text(text)}")

    def _print_document(
        self, kind: str, text: str, *, author: str = "", room: str = "", time_s: float | None = None
    ) -> None:
        print_json(
            {
                "id": None,
                "room": room or None,
                "author": author or None,
                "text": text,
                "time": iso_time(time_s),
                "kind": kind,
                "link": None,
                "is_own": False,
            }
        )

    def _coloured(self, name: str) -> str:
        from core.cli.chat_screen import coloured_name

        return coloured_name(name, is_coloured=self._is_coloured)

    def _marked(self, text: str, own: str) -> str:
        """A line that speaks to us stands out."""
        return f"\x1b[1m{text}\x1b[0m" if self._is_coloured and is_mentioned(text, own) else text


def _secret(home: Home) -> bytes:
    """The secret of the home; a home that has none and can keep none joins without."""
    from core.services.chat_secret import room_secret

    try:
        return room_secret(home)
    except ConfigError as error:
        print_problem(str(error))
        return b""


def _document(line: ChatLine, *, is_own: bool = False) -> dict[str, object]:
    """The JSON that other programs rely on."""
    return {
        "id": line.id,
        "room": line.room,
        "author": line.author or None,
        "text": line.text,
        "time": iso_time(line.time_s),
        "kind": line.kind.value,
        "link": line.link,
        "is_own": is_own,
    }


def _encoded(line: ChatLine) -> bytes:
    import msgspec

    return msgspec.json.encode(_document(line))
