"""`consoles card|site|take`: the files by which another operator's console comes in (`core.services.console_cards`)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from core.cli.console import DONE, FAILED, Console, now_s
from core.cli.output import print_json, print_problem, print_text
from core.errors import ConfigError, NotTrustedError, RefusedError, UsageError
from core.language import _, ngettext
from core.records import Event, Machine, Severity
from core.services import console_cards


def write_card(options: argparse.Namespace) -> int:
    """`consoles card`."""
    with Console(options) as console:
        card = console_cards.card_of(console.public_identity)
    text = console_cards.card_text(card)
    if options.output:
        path = Path(options.output)
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ConfigError(
                _("{path} cannot be written: {reason}").format(path=path, reason=error.strerror)
            ) from error
    if options.json:
        print_json({"name": card.name, "fingerprint": card.fingerprint, "certificate": card.certificate_pem})
    elif options.output:
        print_text(card.fingerprint)
        print_problem(_("read this fingerprint to whoever admits this console"))
    else:
        print_text(text.rstrip())
    return DONE


def write_site(options: argparse.Namespace) -> int:
    """`consoles site`."""
    path = Path(options.output)
    with Console(options) as console:
        machines = console.history.machines()
        if not any(machine.fingerprint for machine in machines):
            raise UsageError(_("no machine is paired with this console yet: there is nothing to write"))
        words, count = console_cards.write_site(path, machines, console.name, now_s())
    if options.json:
        print_json({"file": str(path), "machines": count, "words": words})
    else:
        print_text(words)
        print_problem(
            ngettext(
                "{count} machine written to {path}; read these words to whoever takes it",
                "{count} machines written to {path}; read these words to whoever takes it",
                count,
            ).format(count=count, path=path)
        )
    return DONE


def take_site(options: argparse.Namespace) -> int:
    """`consoles take`."""
    path = Path(options.file)
    found = console_cards.read_site(path)
    print_problem(_("from {name}, check words {words}").format(name=found.by or "?", words=found.words))
    if options.check is not None:
        if not console_cards.same_words(options.check, found.words):
            raise NotTrustedError(_("{path} has other check words: nothing was taken").format(path=path))
    elif not is_agreed(_("does its maker read the same words? [y/N] "), "--check"):
        raise RefusedError(_("nothing was taken"))
    with Console(options) as console:
        plan = console_cards.site_plan(found, console.history.machines(), console.config.machines.max)
        console.history.save_machines(plan.machines)
        console.record([_taken_event(console, machine) for machine in plan.machines])
    if options.json:
        print_json(
            {
                "words": found.words,
                "taken": [machine.name for machine in plan.machines],
                "same": list(plan.same),
                "refused": [{"machine": name, "error": reason} for name, reason in plan.refused],
            }
        )
    for name, reason in plan.refused:
        print_problem(f"{name}: {reason}")
    count = len(plan.machines)
    say = print_problem if options.json else print_text
    say(ngettext("{count} machine taken", "{count} machines taken", count).format(count=count))
    if plan.same:
        count = len(plan.same)
        words = ngettext("{count} machine was known here already", "{count} machines were known here already", count)
        print_problem(words.format(count=count))
    return FAILED if plan.refused else DONE


def is_agreed(question: str, option: str) -> bool:
    """The answer of whoever sits at the terminal; raises UsageError without one, where nobody compares."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            _("there is no terminal to ask on; give what was read to you by {option}").format(option=option)
        )
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().casefold() in ("y", "yes", "o", "oui")


def _taken_event(console: Console, machine: Machine) -> Event:
    return Event(
        time_s=now_s(),
        source=f"machine/{machine.name}",
        kind="paired",
        severity=Severity.INFO,
        text=_("{name} came with a site file ({fingerprint})").format(
            name=machine.name, fingerprint=machine.fingerprint
        ),
        operator=console.config.operator,
    )
