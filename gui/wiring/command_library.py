"""The desk of the site's commands and of saved filters: they live in `config.toml` and stand in menus and chips."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace
from PyQt5.QtCore import QObject

from core.config import CommandConfig, Config, FilterConfig, load_config, remove_table, replace_tables, save_table
from core.config.commands import FILTER
from core.errors import BeffroiError
from core.requests import ReloadRequest
from gui.dialogs.command_library import CommandLibraryDialog
from gui.dialogs.target_filters import FiltersDialog, SaveFilterDialog
from gui.main_window import MainWindow
from gui.pages.commands import CommandsPage
from gui.runtime.services import Services


class CommandLibraryDesk(QObject):
    """Serves the Commands page and the menu of commands."""

    def __init__(self, services: Services, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._window: MainWindow | None = None
        self._page: CommandsPage | None = None

    def attach(self, window: MainWindow, page: CommandsPage) -> None:
        """Serve this window and its page."""
        self._window, self._page = window, page
        page.library_wanted.connect(self.open_library)
        page.keep_wanted.connect(self.keep_line)
        page.save_filter_wanted.connect(self.open_save_filter)
        page.filters_wanted.connect(self.open_filters)
        window.library_wanted.connect(self.open_library)
        window.keep_line_wanted.connect(self.keep_line)
        window.site_command_wanted.connect(self.fill_in)
        self.apply_config()

    def apply_config(self) -> None:
        """Commands and filters may have come or gone."""
        config = self._services.config
        if self._window is not None:
            self._window.set_library(config.commands)
        if self._page is not None:
            self._page.set_library(config.commands)
            self._page.set_filters({one.name: one.targets for one in config.filters})

    def fill_in(self, command: CommandConfig) -> None:
        """A command chosen in the menu: to the Commands page, ready to be sent."""
        if self._window is not None and self._page is not None:
            self._page.fill_command(command)
            self._window.show_page("commands")
            self._page.focus_command()

    # The library

    def open_library(self) -> CommandLibraryDialog:
        """Edit the library…"""
        targets = () if self._page is None else self._page.targets()
        dialog = CommandLibraryDialog(self._services.config.commands, targets, self._window)
        dialog.saved.connect(self.save_library)
        dialog.open()
        return dialog

    def keep_line(self) -> CommandLibraryDialog:
        """Save this line in the library…"""
        dialog = self.open_library()
        dialog.add_line("" if self._page is None else self._page.line())
        return dialog

    def save_library(self, commands: Sequence[CommandConfig]) -> None:
        """Keep these commands, in this order."""
        self._change(lambda: replace_tables(self._services.home, "command", commands))

    # Filters

    def open_save_filter(self, targets: Sequence[str]) -> SaveFilterDialog | None:
        """Save these targets as a filter…"""
        if self._page is None:
            return None
        dialog = SaveFilterDialog(targets, self._page.book(), self._window)
        dialog.chosen.connect(lambda name: self.save_filter(name, targets))
        dialog.open()
        return dialog

    def save_filter(self, name: str, targets: Sequence[str]) -> None:
        """Keep targets under a name."""
        self._change(lambda: save_table(self._services.home, "filter", FilterConfig(name=name, targets=tuple(targets))))

    def open_filters(self) -> FiltersDialog | None:
        """Rename or remove filters…"""
        page = self._page
        if page is None:
            return None
        dialog = FiltersDialog(page.book(), self._window)

        def renamed(old: str, new: str) -> None:
            self.rename_filter(old, new)
            dialog.set_book(page.book())

        def removed(name: str) -> None:
            self._change(lambda: remove_table(self._services.home, "filter", name))
            dialog.set_book(page.book())

        dialog.renamed.connect(renamed)
        dialog.removed.connect(removed)
        dialog.open()
        return dialog

    def rename_filter(self, old: str, new: str) -> None:
        """Give a filter another name, also where other filters and commands of the library name it."""
        config = self._services.config

        def renamed(targets: Sequence[str]) -> tuple[str, ...]:
            names = {FILTER + old: FILTER + new, f"!{FILTER}{old}": f"!{FILTER}{new}"}
            return tuple(names.get(target, target) for target in targets)

        def change() -> None:
            filters = [
                replace(one, name=new if one.name == old else one.name, targets=renamed(one.targets))
                for one in config.filters
            ]
            commands = [replace(one, targets=renamed(one.targets)) for one in config.commands]
            replace_tables(self._services.home, "filter", filters)
            if tuple(commands) != config.commands:
                replace_tables(self._services.home, "command", commands)

        self._change(change)

    def _change(self, change: Callable[[], None]) -> None:
        """Write settings, and work by them."""
        try:
            change()
            config: Config = load_config(self._services.home)[0]
            self._services.ask(ReloadRequest(operator=config.operator))
        except (BeffroiError, OSError) as error:
            if self._window is not None:
                self._window.show_notice(str(error))
            return
        self.apply_config()
