"""`beffroi agent run|pair|consoles`: the agent of this machine, and whom it trusts.

Lines that other programs read are never translated: `listening on HOST:PORT`, then `code: XXXXX-XXXXX`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from types import FrameType

import msgspec
from msgspec.structs import replace

from core.agent.consoles import Consoles
from core.agent.desks import open_desks
from core.agent.limits import limit_agent
from core.agent.pairing import PairingDesk, Window, load_window, open_window, site_window, window_path
from core.agent.platform_collector import new_collector
from core.agent.server import AgentServer
from core.audit import AuditLog
from core.cli.output import print_json, print_text
from core.cli.parser import number
from core.errors import BeffroiError, RefusedError, TransportError, UsageError, WrongCodeError
from core.home import Home, Lock, make_private_folder, write_private
from core.language import _
from core.protocol.messages import plain_text
from core.protocol.pairing import new_code, shown_code
from core.protocol.trust_messages import NEVER
from core.records import Level
from core.transport.address import parse_address, shown_address
from core.transport.identity import ensure_identity

DEFAULT_LISTEN = "0.0.0.0:17450"
DEFAULT_PORT = 17450
DEFAULT_MINUTES = 10.0
_LOOK_PERIOD_S = 0.2


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the group `agent`."""
    agent = commands.add_parser("agent", parents=[common], help=_("run the agent of this machine, pair consoles"))
    verbs = agent.add_subparsers(metavar=_("VERB"), required=True, parser_class=type(agent))
    run = verbs.add_parser("run", parents=[common], help=_("answer paired consoles until stopped"))
    run.add_argument(
        "--listen", metavar="HOST:PORT", help=_("where to listen (default {default})").format(default=DEFAULT_LISTEN)
    )
    pairing = run.add_mutually_exclusive_group()
    pairing.add_argument("--pair", action="store_true", help=_("open pairing for ten minutes and print the code"))
    pairing.add_argument(
        "--site-code", metavar="CODE", help=_("keep pairing open for this site code until its last day")
    )
    run.add_argument(
        "--view-only", action="store_true", help=_("show this machine and run nothing: no console may send commands")
    )
    run.set_defaults(handler=run_agent)
    pair = verbs.add_parser("pair", parents=[common], help=_("let one more console pair, print the code, wait"))
    pair.add_argument(
        "--level",
        choices=tuple(level.value for level in Level),
        default="run",
        help=_("what that console may do (default run)"),
    )
    pair.add_argument(
        "--minutes", type=_minutes, metavar="N", default=DEFAULT_MINUTES, help=_("how long the code holds (default 10)")
    )
    pair.set_defaults(handler=pair_console, empty_document={"code": None, "level": None, "expires": None})
    consoles = verbs.add_parser(
        "consoles", parents=[common], help=_("list, change or revoke the consoles trusted here")
    )
    actions = consoles.add_subparsers(metavar=_("VERB"), parser_class=type(agent))
    consoles.set_defaults(handler=list_consoles, empty_document=[])
    listing = actions.add_parser("list", parents=[common], help=_("list the consoles trusted here"))
    listing.set_defaults(handler=list_consoles, empty_document=[])
    revoke = actions.add_parser("revoke", parents=[common], help=_("trust a console no more, from now on"))
    revoke.add_argument("fingerprint", metavar="FINGERPRINT", help=_("as listed, or its first eight symbols or more"))
    revoke.set_defaults(handler=revoke_console, empty_document=[])
    change = actions.add_parser("change", parents=[common], help=_("give a console another level or another last day"))
    change.add_argument("fingerprint", metavar="FINGERPRINT", help=_("as listed, or its first eight symbols or more"))
    change.add_argument("--level", choices=tuple(level.value for level in Level), help=_("what it may do from now on"))
    change.add_argument("--expires", metavar="DATE", help=_("its last day, such as 2027-12-31, or never"))
    change.set_defaults(handler=change_console, empty_document=[])


def run_agent(options: argparse.Namespace) -> int:
    """Run the agent until SIGTERM or SIGINT; 0 then, also where it had not listened yet."""
    try:
        with _interrupted_by_sigterm():
            return _run_agent(options)
    except KeyboardInterrupt:
        return 0


def _run_agent(options: argparse.Namespace) -> int:
    home: Home = options.home
    folder = make_private_folder(home.agent_path)
    listen, max_level, may_admit = _configured(home)
    if options.view_only:
        max_level = Level.VIEW
    host, port = parse_address(options.listen or listen, DEFAULT_PORT)
    lock = Lock(folder / "lock")
    if not lock.take():
        raise TransportError(_("an agent of {home} runs already").format(home=home.path))
    limit_agent()
    identity = ensure_identity(folder, socket.gethostname())
    consoles = Consoles(folder)
    consoles.read()
    desk = PairingDesk(folder, identity, consoles, max_level)
    if options.site_code is not None:
        desk.site = _site_window(options.site_code)
    wants_code = options.pair or (not consoles.listed() and options.site_code is None and not _is_pairing_open(folder))
    audit = AuditLog(folder / "audit.log")

    async def serve() -> None:
        stopped = _stop_signal()
        collector = new_collector(time.monotonic())
        server = AgentServer(
            folder, identity, desk, consoles, collector, audit, max_level, is_view_only=options.view_only
        )
        open_desks(server, folder / "policy.toml", may_admit=may_admit)
        if not options.view_only:
            from core.agent.leftovers import LEFTOVERS

            LEFTOVERS.watch(folder / "running")
        address = shown_address(*await server.listen(host, port))
        announcement = folder / "listening"
        try:
            write_private(announcement, msgspec.json.encode({"address": address, "pid": os.getpid()}))
            print(f"listening on {address}", flush=True)
            if wants_code:
                code = new_code()
                level, end_s = min(Level.RUN, max_level, key=_rank), time.time() + DEFAULT_MINUTES * 60
                open_window(folder, code, level, end_s, is_automatic=True)
                print(f"code: {shown_code(code)}", flush=True)
            await _serve_until(stopped, server)
        finally:
            announcement.unlink(missing_ok=True)

    try:
        asyncio.run(serve())
    finally:
        lock.release()
    return 0


def pair_console(options: argparse.Namespace) -> int:
    """Open pairing, print the code, wait: 0 once a console has paired, 1 at the end of the time."""
    home: Home = options.home
    folder = make_private_folder(home.agent_path)
    level, (_listen, max_level, _admit) = Level(options.level), _configured(home)
    if level.rank > max_level.rank:
        raise RefusedError(
            _("level {level} is above max_level of this agent ({max_level}), see [agent] in {path}").format(
                level=level.value, max_level=max_level.value, path=home.config_path
            )
        )
    code = new_code()
    with _interrupted_by_sigterm():
        window = open_window(folder, code, level, time.time() + options.minutes * 60)
        try:
            if options.json:
                expires = datetime.fromtimestamp(window.end_s, UTC).isoformat(timespec="seconds")
                document = {"code": shown_code(code), "level": level.value, "expires": expires.replace("+00:00", "Z")}
                print_json(document)
                options.empty_document = None
            else:
                print(f"code: {shown_code(code)}", flush=True)
            if not _is_running(folder):
                _tell(_("no agent runs on this home yet; start one: beffroi agent run"))
            return _wait_for_console(folder, window.salt, window.end_s)
        finally:
            found = load_window(folder)
            if found is not None and found.salt == window.salt:
                window_path(folder).unlink(missing_ok=True)


def list_consoles(options: argparse.Namespace) -> int:
    """Print the consoles trusted here."""
    consoles = Consoles(options.home.agent_path)
    consoles.read()
    rows = [
        {
            "fingerprint": console.fingerprint,
            "name": console.name or None,
            "level": console.level.value,
            "from": ",".join(console.networks) or None,
            "expires": console.expires.isoformat() if console.expires else None,
        }
        for console in consoles.listed()
    ]
    if options.json:
        print_json(rows)
    elif not rows:
        _tell(_("no console is trusted here; let one pair: beffroi agent pair"))
    else:
        for row in rows:
            extra = "".join(f" {key}={row[key]}" for key in ("from", "expires") if row[key])
            print_text(f"{row['fingerprint']}  level={row['level']}{extra}  {row['name'] or ''}".rstrip())
    return 0


def revoke_console(options: argparse.Namespace) -> int:
    """Trust a console no more; a running agent drops it within a second."""
    consoles = Consoles(options.home.agent_path)
    found = consoles.named(options.fingerprint)
    if found is None:
        raise _no_such_console(options.fingerprint)
    AuditLog(options.home.agent_path / "audit.log").append(
        [{"event": "revocation", "console": found.fingerprint, "operator": _user_name()}]
    )
    consoles.revoke(found.fingerprint)
    if options.json:
        return list_consoles(options)
    _tell(_("revoked"))
    return 0


def change_console(options: argparse.Namespace) -> int:
    """Give a console another level or last day; a running agent works by it within a second."""
    consoles = Consoles(options.home.agent_path)
    found = consoles.named(options.fingerprint)
    if found is None:
        raise _no_such_console(options.fingerprint)
    if options.level is None and options.expires is None:
        raise UsageError(_("say what is to change: --level or --expires"))
    known = found
    if options.level is not None:
        found = replace(found, level=Level(options.level))
    if options.expires is not None:
        found = replace(found, expires=None if options.expires == NEVER else _day(options.expires))
    words = ["consoles.change", found.fingerprint, f"level={found.level.value}", f"expires={found.expires or 'never'}"]
    AuditLog(options.home.agent_path / "audit.log").append(
        [{"event": "consoles", "operator": _user_name(), "argv": words, "decision": "allowed", "rule": "administrator"}]
    )
    if not consoles.change(found, known):
        raise BeffroiError(_("somebody else has just changed its line; look again, then repeat it"))
    if options.json:
        return list_consoles(options)
    _tell(_("changed"))
    return 0


def _no_such_console(fingerprint: str) -> BeffroiError:
    return BeffroiError(
        _("{fingerprint} names no console that is trusted here, or more than one; see: beffroi agent consoles").format(
            fingerprint=plain_text(fingerprint, 100)
        )
    )


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            _("{text} is not a day; write such as 2027-12-31").format(text=plain_text(text, 40))
        ) from error
    if day < datetime.now(UTC).date():
        raise UsageError(_("{day} is over already; to trust a console no more, use revoke").format(day=day))
    return day


def _stop_signal() -> asyncio.Event:
    """Set once a signal says stop; to be asked for before anything is left to be cleaned up."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for which in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(which, stopped.set)
        except NotImplementedError:
            continue  # Windows: Ctrl+C comes as KeyboardInterrupt
    return stopped


async def _serve_until(stopped: asyncio.Event, server: AgentServer) -> None:
    """Serve until `stopped` is set."""
    task, stop = asyncio.ensure_future(server.serve()), asyncio.ensure_future(stopped.wait())
    try:
        await asyncio.wait([task, stop], return_when=asyncio.FIRST_COMPLETED)
    finally:
        task.cancel()
        stop.cancel()
        await asyncio.wait([task, stop])
    if not task.cancelled():
        task.result()


def _configured(home: Home) -> tuple[str, Level, bool]:
    """Where to listen, the highest level, and whether consoles may admit others; read only where there is a file."""
    if not home.config_path.exists():
        return DEFAULT_LISTEN, Level.RUN, True
    from core.config import load_config  # an agent without a config.toml stays smaller

    config, warnings = load_config(home)
    for warning in warnings:
        _tell(warning)
    return config.agent.listen or DEFAULT_LISTEN, Level(config.agent.max_level), config.agent.admit


def _site_window(code: str) -> Window:
    try:
        window = site_window(code)
    except ValueError as error:
        raise UsageError(_("this is not a site code; the console makes one: beffroi machines site-code")) from error
    if window.closed_reason(time.time()) is not None:
        day = datetime.fromtimestamp(window.end_s - 1, UTC).date()
        raise WrongCodeError(_("this site code has ended on {day}; ask the console for a new one").format(day=day))
    return window


def _wait_for_console(folder: Path, salt: bytes, end_s: float) -> int:
    while time.time() < end_s:
        window = load_window(folder)
        if window is None or window.salt != salt:
            _tell(_("pairing was opened anew, or closed, by another command"))
            return 1
        if window.ending == "used":
            _tell(_("paired with {name}").format(name=window.console or _("a console without a name")))
            return 0
        if window.ending == "tries":
            _tell(_("pairing is closed: the code was typed wrong too often; open it again for a new code"))
            return 1
        time.sleep(_LOOK_PERIOD_S)
    _tell(_("no console has paired in time"))
    return 1


def _is_pairing_open(folder: Path) -> bool:
    """True while a window opened by `agent pair` waits."""
    window = load_window(folder)
    return window is not None and not window.is_automatic and window.closed_reason(time.time()) is None


def _is_running(folder: Path) -> bool:
    lock = Lock(folder / "lock")
    if lock.take():
        lock.release()
        return False
    return True


@contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """SIGTERM ends what runs inside as Ctrl+C does, so that it cleans up."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _minutes(text: str) -> float:
    minutes = number(text)
    if not 0 < minutes <= 24 * 60:
        raise argparse.ArgumentTypeError(_("above 0 and at most 1440 minutes"))
    return minutes


def _rank(level: Level) -> int:
    return level.rank


def _user_name() -> str:
    import getpass

    try:
        return plain_text(getpass.getuser())
    except (KeyError, OSError):
        return ""


def _tell(message: str) -> None:
    print(f"beffroi: {message}", file=sys.stderr, flush=True)
