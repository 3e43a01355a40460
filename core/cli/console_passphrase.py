"""`consoles passphrase`: protects the key of this console, changes that, or undoes it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from core.cli.console import DONE, Console, ask_on_terminal, typed_secret
from core.cli.output import print_json, print_text
from core.config import read_secret
from core.errors import UsageError, WrongPassphraseError
from core.language import _
from core.services.console_key import ASK, change_passphrase, check_passphrase, needs_asking_text, passphrase_kept
from core.transport.identity import Passphrase


def change(options: argparse.Namespace) -> int:
    """Ask for what is needed, or read it from files, and change the protection of the key."""
    if options.remove and (options.new_file or options.store != ASK):
        raise UsageError(_("--remove takes the passphrase away; it goes with neither --new-file nor --store"))
    with Console(options) as console:
        identity = console.public_identity
        old = None
        if identity.is_protected:
            old = passphrase_kept(console.home, console.config)
            if old is None:
                typed = ask_on_terminal(0)
                if typed is None:
                    raise WrongPassphraseError(needs_asking_text(identity))
                old = Passphrase(typed)
        elif options.remove:
            raise UsageError(_("the key of this console has no passphrase"))
        new = None if options.remove else _new(options.new_file)
        changed = change_passphrase(console.home, identity, old, new, options.store)
    if options.json:
        print_json({"protected": changed.is_protected, "passphrase": options.store if new is not None else None})
    elif new is None:
        print_text(_("the key lies without a passphrase now"))
    else:
        print_text(_("the key is protected now; start a window or a collect that runs again"))
    return DONE


def _new(file: str | None) -> Passphrase:
    if file is not None:
        return check_passphrase(read_secret(Path(file)))
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(_("there is no terminal to type a passphrase on; give it by --new-file FILE"))
    new = check_passphrase(typed_secret(_("new passphrase: ")) or "")
    if typed_secret(_("once more: ")) != new.reveal():
        raise UsageError(_("the two are not the same; nothing was changed"))
    return new
