"""`consoles`: which consoles the machines trust, and the key of this one.

A second operator's console comes in like this: `card -o FILE` there; here `admit FILE TARGET…`; then `site -o FILE`
here and `take FILE` there. Both files are compared by what both ends print (`core.services.console_cards`).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from core.access_records import TrustedConsole, TrustedConsoles
from core.audit import AuditLog
from core.cli.console import DONE, FAILED, Console, exit_status, reach_within_s, run_until_signalled
from core.cli.console_exchange import is_agreed, take_site, write_card, write_site
from core.cli.output import print_json, print_problem, print_table, print_text
from core.cli.targets import no_machines_text
from core.errors import BeffroiError, NotTrustedError, RefusedError, UsageError
from core.language import _, ngettext
from core.protocol.messages import plain_text
from core.protocol.trust_messages import NEVER
from core.records import Level
from core.services import console_cards, console_trust
from core.services.agent_poller import AgentPoller
from core.services.console_key import ASK, FILE_VARIABLE
from core.services.console_trust import Acting
from core.services.waiting import first_of
from core.transport.identity import fingerprint_symbols, same_fingerprint

_LEVELS = tuple(level.value for level in Level)
_SHORTENED_SYMBOLS = 8
_Work = Callable[[AgentPoller, str], Coroutine[Any, Any, Any]]


def register(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add `consoles` to the command line."""
    consoles = commands.add_parser(
        "consoles", parents=[common], help=_("which consoles the machines trust, and this console's key")
    )
    verbs = consoles.add_subparsers(metavar=_("WHAT"), required=True, parser_class=type(consoles))
    card = verbs.add_parser("card", parents=[common], help=_("this console's card, to be admitted by another operator"))
    card.add_argument("-o", "--output", metavar="FILE", help=_("write it to a file instead"))
    card.set_defaults(handler=write_card, empty_document={"name": None, "fingerprint": None, "certificate": None})
    listing = verbs.add_parser("list", parents=[common], help=_("which consoles machines trust"))
    listing.add_argument("targets", nargs="*", metavar="TARGET", help=_("which machines (default all)"))
    listing.set_defaults(handler=_list, empty_document=[])
    admit = verbs.add_parser("admit", parents=[common], help=_("have machines trust another operator's console"))
    admit.add_argument("file", metavar="FILE", help=_("the card of that console"))
    admit.add_argument("targets", nargs="+", metavar="TARGET", help=_("on which machines"))
    admit.add_argument("--level", choices=_LEVELS, default=Level.RUN.value, help=_("what it may do (default run)"))
    admit.add_argument("--expires", metavar="DATE", help=_("its last day, such as 2027-12-31"))
    admit.add_argument("--no-admit", action="store_true", help=_("it may not admit others in turn"))
    admit.add_argument("--fingerprint", metavar="F", help=_("as its operator reads it; otherwise you are asked"))
    admit.set_defaults(handler=_admit, empty_document=[])
    revoke = verbs.add_parser("revoke", parents=[common], help=_("have machines trust a console no more"))
    revoke.add_argument("fingerprint", metavar="FINGERPRINT", help=_("as listed, or its first eight symbols or more"))
    revoke.add_argument("targets", nargs="+", metavar="TARGET", help=_("on which machines"))
    revoke.set_defaults(handler=_revoke, empty_document=[])
    change = verbs.add_parser("change", parents=[common], help=_("give a console another level or another last day"))
    change.add_argument("fingerprint", metavar="FINGERPRINT", help=_("as listed, or its first eight symbols or more"))
    change.add_argument("targets", nargs="+", metavar="TARGET", help=_("on which machines"))
    change.add_argument("--level", choices=_LEVELS, help=_("what it may do from now on"))
    change.add_argument("--expires", metavar="DATE", help=_("its last day, such as 2027-12-31, or never"))
    change.set_defaults(handler=_change, empty_document=[])
    site = verbs.add_parser("site", parents=[common], help=_("the machines with their certificates, for that operator"))
    site.add_argument("-o", "--output", metavar="FILE", required=True, help=_("the file to write"))
    site.set_defaults(handler=write_site, empty_document={"file": None, "machines": None, "words": None})
    take = verbs.add_parser("take", parents=[common], help=_("take machines from a site file"))
    take.add_argument("file", metavar="FILE", help=_("what consoles site has written"))
    take.add_argument("--check", metavar="WORDS", help=_("the words that its maker reads; otherwise you are asked"))
    take.set_defaults(handler=take_site, empty_document={"words": None, "taken": [], "same": [], "refused": []})

    passphrase = verbs.add_parser(
        "passphrase",
        parents=[common],
        help=_("protect the key of this console by a passphrase, or change it"),
        description=_(
            "Asks on the terminal. A script gives the present one by the file that {variable} names, the new one by "
            "--new-file; both must be open to their user alone."
        ).format(variable=FILE_VARIABLE),
    )
    passphrase.add_argument("--remove", action="store_true", help=_("take the passphrase away"))
    passphrase.add_argument("--new-file", metavar="FILE", help=_("the new one stands on the first line of this file"))
    passphrase.add_argument(
        "--store", metavar="PLACE", default=ASK, help=_("where it is kept: ask (default), keyring:NAME, or a file")
    )
    passphrase.set_defaults(handler=_passphrase, empty_document={"protected": None, "passphrase": None})


def _passphrase(options: argparse.Namespace) -> int:
    from core.cli.console_passphrase import change

    return change(options)


def _list(options: argparse.Namespace) -> int:
    rows: list[tuple[str, TrustedConsole]] = []

    def take(name: str, found: TrustedConsoles) -> None:
        rows.extend((name, item) for item in found.consoles)

    def work(_console: Console) -> _Work:
        return lambda poller, name: console_trust.trusted_consoles(poller.link_of(name), name)

    status, names = _on_machines(options, work, take)
    order = {name: place for place, name in enumerate(names)}
    rows.sort(key=lambda row: order[row[0]])
    _print_consoles(options, rows)
    return status


def _admit(options: argparse.Namespace) -> int:
    card = console_cards.read_card_file(Path(options.file))
    level, expires = Level(options.level), _day(options.expires)
    if expires == NEVER:
        expires = None
    print_problem(f"{plain_text(card.name, 64)}: {card.fingerprint}")
    if options.fingerprint is not None:
        if not same_fingerprint(options.fingerprint, card.fingerprint):
            raise NotTrustedError(_("the card has another fingerprint than the one given: nobody was admitted"))
    elif not is_agreed(_("does its operator read the same fingerprint? [y/N] "), "--fingerprint"):
        raise RefusedError(_("nobody was admitted"))

    def work(console: Console) -> _Work:
        acting = _acting(console)
        return lambda poller, name: console_trust.admit(
            poller.link_of(name), name, acting, card, level, expires, may_admit=not options.no_admit
        )

    return _changed(options, work, _("admitted"))


def _revoke(options: argparse.Namespace) -> int:
    _check_shortened(options.fingerprint)

    def work(console: Console) -> _Work:
        acting = _acting(console)

        async def revoked(poller: AgentPoller, name: str) -> object:
            link = poller.link_of(name)
            fingerprint = await _named(poller, name, options.fingerprint)
            return await console_trust.revoke(link, name, acting, fingerprint)

        return revoked

    return _changed(options, work, _("revoked"))


def _change(options: argparse.Namespace) -> int:
    if options.level is None and options.expires is None:
        raise UsageError(_("say what is to change: --level or --expires"))
    _check_shortened(options.fingerprint)
    level, expires = Level(options.level) if options.level else None, _day(options.expires)

    def work(console: Console) -> _Work:
        acting = _acting(console)

        async def changed(poller: AgentPoller, name: str) -> object:
            link = poller.link_of(name)
            fingerprint = await _named(poller, name, options.fingerprint)
            return await console_trust.change(link, name, acting, fingerprint, level, expires)

        return changed

    return _changed(options, work, _("changed"))


def _changed(options: argparse.Namespace, work: Callable[[Console], _Work], word: str) -> int:
    """Do it on every machine meant; then tell what became of it on each."""
    done: list[tuple[str, tuple[str, ...]]] = []
    status, _names = _on_machines(options, work, lambda name, fingerprints: done.append((name, fingerprints)))
    done.sort()
    if options.json:
        print_json([{"machine": name, "fingerprints": list(fingerprints)} for name, fingerprints in done])
    else:
        for name, fingerprints in done:
            count = len(fingerprints)
            print_text(
                ngettext("{machine}: {count} console {word}", "{machine}: {count} consoles {word}", count).format(
                    machine=name, count=count, word=word
                )
            )
    return status


def _on_machines(
    options: argparse.Namespace, work: Callable[[Console], _Work], take: Callable[[str, Any], object]
) -> tuple[int, list[str]]:
    """Reach the machines meant and do the work on each; the exit status, and their names in order."""
    with Console(options) as console:
        machines = console.chosen(options.targets)
        if not machines:
            print_problem(no_machines_text())
            return DONE, []
        names = [machine.name for machine in machines]
        failures: list[bool] = []
        work_on = work(console)

        def ended(name: str, result: Any, error: BeffroiError | None) -> None:
            if error is None:
                take(name, result)
            else:
                failures.append(isinstance(error, RefusedError))
                print_problem(str(error) if str(error).startswith(f"{name} ") else f"{name}: {error}")

        async def main(signalled: asyncio.Event) -> int:
            async with console.polling(machines, lambda _record: None, 60.0, sections=()) as poller:
                await first_of(poller.settled(reach_within_s(machines)), signalled.wait())
                if not signalled.is_set():
                    work_all = console_trust.on_each(names, lambda name: work_on(poller, name), ended)
                    everything = asyncio.ensure_future(work_all)
                    await first_of(asyncio.wait([everything]), signalled.wait())
                    everything.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await everything
            return FAILED if signalled.is_set() else DONE

        stopped = run_until_signalled(main)
        return (stopped or exit_status(failures)), names


def _check_shortened(fingerprint: str) -> None:
    """Raises UsageError where a shortened fingerprint is too short to be meant."""
    if len(fingerprint_symbols(fingerprint)) < _SHORTENED_SYMBOLS:
        raise UsageError(_("write the fingerprint as listed, or its first eight symbols or more"))


async def _named(poller: AgentPoller, name: str, fingerprint: str) -> str:
    """The whole fingerprint that a shortened one means on that machine; raises UsageError."""
    symbols = fingerprint_symbols(fingerprint)
    found = await console_trust.trusted_consoles(poller.link_of(name), name)
    meant = [item for item in found.consoles if fingerprint_symbols(item.fingerprint).startswith(symbols)]
    if len(meant) != 1:
        raise UsageError(
            _(
                "{fingerprint} names no console that is trusted there, or more than one; see: beffroi consoles list"
            ).format(fingerprint=plain_text(fingerprint, 100))
        )
    return meant[0].fingerprint


def _print_consoles(options: argparse.Namespace, rows: list[tuple[str, TrustedConsole]]) -> None:
    if options.json:
        print_json(
            [
                {
                    "machine": machine,
                    "fingerprint": item.fingerprint,
                    "name": item.name or None,
                    "level": item.level.value,
                    "from": ",".join(item.networks) or None,
                    "expires": item.expires,
                    "admitted_by": item.admitted_by,
                    "online": item.is_online,
                }
                for machine, item in rows
            ]
        )
        return
    if not rows:
        return
    print_table(
        [_("machine"), _("console"), _("level"), _("from"), _("expires"), _("online"), _("fingerprint")],
        [
            [
                machine,
                item.name + (" " + _("(this one)") if item.is_own else ""),
                item.level.value,
                ",".join(item.networks) or "-",
                item.expires or "-",
                _("yes") if item.is_online else _("no"),
                item.fingerprint,
            ]
            for machine, item in rows
        ],
    )


def _acting(console: Console) -> Acting:
    log = AuditLog(console.home.console_path / "audit.log")
    return Acting(console.identity.fingerprint, console.config.operator, log)


def _day(text: str | None) -> Any:
    if text is None:
        return None
    try:
        day = console_trust.day_of(text)
    except ValueError as error:
        raise UsageError(
            _("{text} is not a day; write such as 2027-12-31").format(text=plain_text(text, 40))
        ) from error
    if isinstance(day, datetime.date) and day < datetime.datetime.now(datetime.UTC).date():
        raise UsageError(_("{day} is over already; to trust a console no more, use revoke").format(day=day))
    return day
