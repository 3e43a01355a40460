"""The site's own commands as a menu: favourites on top, then a submenu for each group."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PyQt5.QtWidgets import QAction, QMenu

from core.config.commands import CommandConfig
from core.language import _
from gui.plain_text import one_line, plain_tip

STAR = "★"


def fill_library_menu(
    menu: QMenu,
    commands: Sequence[CommandConfig],
    chosen: Callable[[CommandConfig], object],
    keep: Callable[[], object],
    edit: Callable[[], object],
) -> None:
    """Fill `menu` anew; `keep` is for the line that stands there now, `edit` opens the library."""
    for action in menu.actions():
        menu.removeAction(action)
        if action.menu() is not None:
            action.menu().deleteLater()
    menu.setToolTipsVisible(True)
    favourites = [command for command in commands if command.favourite]
    for command in favourites:
        _add(menu, command, f"{STAR} {command.name}", chosen)
    others = [command for command in commands if not command.favourite]
    if favourites and others:
        menu.addSeparator()
    submenus: dict[str, QMenu] = {}
    for command in others:
        if not command.group:
            _add(menu, command, command.name, chosen)
            continue
        if command.group not in submenus:
            submenus[command.group] = menu.addMenu(_shown(command.group))
            submenus[command.group].setToolTipsVisible(True)
        _add(submenus[command.group], command, command.name, chosen)
    if not commands:
        nothing = menu.addAction(_("none yet: a line that is saved stands here"))
        nothing.setEnabled(False)
    menu.addSeparator()
    menu.addAction(_("Save this line in the library…")).triggered.connect(lambda _checked=False: keep())
    menu.addAction(_("Edit the library…")).triggered.connect(lambda _checked=False: edit())


def command_words(command: CommandConfig) -> str:
    """What a command is for, its line, and for whom."""
    lines = [command.description, command.line]
    if command.targets:
        lines.append(_("for {targets}").format(targets=" ".join(command.targets)))
    return "\n".join(line for line in lines if line)[:1200]


def _add(menu: QMenu, command: CommandConfig, text: str, chosen: Callable[[CommandConfig], object]) -> None:
    action: QAction = menu.addAction(_shown(text))
    action.setToolTip(plain_tip(command_words(command)))
    action.triggered.connect(lambda _checked=False: chosen(command))


def _shown(text: str) -> str:
    return one_line(text).replace("&", "&&")
