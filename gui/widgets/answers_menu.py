"""The menu of one group or machine among the answers: copy it, use it, stop it, run it again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PyQt5.QtGui import QGuiApplication
from PyQt5.QtWidgets import QMenu, QWidget

from core.gather import fold_names
from core.language import _, ngettext
from gui.models.answer_text import plain_answer
from gui.models.answers import WORDS, Run
from gui.numbers import number


def copy_text(text: str) -> None:
    """Put `text` into the clipboard."""
    clipboard = QGuiApplication.clipboard()
    if clipboard is not None:
        clipboard.setText(text)


def answers_menu(
    parent: QWidget,
    run: Run,
    names: Sequence[str],
    *,
    cancel: Callable[[list[str]], object],
    use: Callable[[list[str]], object],
    again: Callable[[list[str]], object],
) -> QMenu:
    """What can be done with the machines `names` of `run`."""
    menu = QMenu(parent)
    chosen = list(names)
    running = [name for name in chosen if name not in run.results]
    ended = [name for name in chosen if name in run.results]
    count = number(len(chosen))
    if ended:
        same = len({run.results[name].stdout for name in ended}) == 1
        menu.addAction(_("Copy this answer") if same else _("Copy these answers"), lambda: _copy_answers(run, ended))
    text = ngettext("Copy the name", "Copy the {count} names", len(chosen)).format(count=count)
    menu.addAction(text, lambda: copy_text("\n".join(chosen)))
    if len(chosen) > 1:
        menu.addAction(_("Copy the names in short"), lambda: copy_text(fold_names(chosen)))
    menu.addSeparator()
    text = ngettext("Use this machine as target", "Use these {count} machines as targets", len(chosen))
    menu.addAction(text.format(count=count), lambda: use(chosen))
    if ended:
        text = ngettext("Run again on this machine", "Run again on these {count} machines", len(ended))
        menu.addAction(text.format(count=number(len(ended))), lambda: again(ended))
    if running:
        menu.addSeparator()
        text = ngettext("Cancel on this machine", "Cancel on these {count} machines", len(running))
        menu.addAction(text.format(count=number(len(running))), lambda: cancel(running))
    return menu


def _copy_answers(run: Run, names: Sequence[str]) -> None:
    """What the machines printed; of several different answers each under a line with its machines."""
    results = [run.results[name] for name in names]
    first = results[0]
    if all((one.stdout, one.stderr) == (first.stdout, first.stderr) for one in results):
        text = first.stdout + first.stderr
        copy_text(text or first.message or "")
        return
    copy_text("".join(plain_answer(one.machine, _(WORDS[one.state]), one) for one in results))
