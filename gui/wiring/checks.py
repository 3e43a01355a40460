"""The desk of checks: adds, changes, tries, mutes and removes them, and shows what they find.

A target with user and password stays in the settings: what the window shows of it is without them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from PyQt5.QtCore import QObject

from core.config import remove_table, save_table
from core.config.settings import CheckConfig
from core.errors import BeffroiError, StoreError
from core.language import _, ngettext
from core.records import SeriesPoints
from core.requests import CheckRequest, MaintenanceRequest, ReloadRequest
from core.services.check_target import shown_target
from core.site_records import Alarm, CheckResult
from gui.dialogs.base import ask
from gui.dialogs.edit_check import EditCheckDialog
from gui.main_window import MainWindow
from gui.models.check_row import CheckRow
from gui.plain_text import one_line
from gui.runtime.services import Services

if TYPE_CHECKING:
    from core.store.history import History
    from gui.dialogs.check_detail import CheckDetailDialog

_Past = tuple[SeriesPoints | None, list[CheckResult], list[Alarm]]
"""Latency, results and alarms of a check in some time."""

MUTE_S = 3600.0
MOST_RESULTS = 5000
_LONGEST_NAME = 64

log = logging.getLogger("beffroi.gui")


class CheckDesk(QObject):
    """Serves the checks of one window at a time; what they found outlives it."""

    def __init__(self, services: Services, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._window: MainWindow | None = None
        self._results: dict[str, CheckResult] = {}
        self._detail: CheckDetailDialog | None = None
        services.history_ready.connect(self._ask_last)

    def attach(self, window: MainWindow) -> None:
        """Serve this window."""
        self._window, self._detail = window, None
        listed, tile = window.machine_list, window.overview.machines
        window.add_check_wanted.connect(self.open_add)
        window.poll_wanted.connect(self._on_poll)
        listed.check_opened.connect(self.open_detail)
        listed.check_now_wanted.connect(self.check_now)
        listed.mute_checks_wanted.connect(self.mute)
        listed.edit_check_wanted.connect(self.open_edit)
        listed.remove_checks_wanted.connect(self.remove)
        tile.check_opened.connect(self.open_detail)
        tile.add_check_wanted.connect(self.open_add)
        self.apply_config()

    def apply_config(self) -> None:
        """The settings may have changed."""
        if self._window is None:
            return
        checks = self._services.config.checks
        self._window.model.set_checks(_shown(check) for check in checks)
        names = {check.name for check in checks}
        self._results = {name: result for name, result in self._results.items() if name in names}
        self._window.model.apply_checks(self._results.values())
        if self._detail is not None and self._detail.name not in names:
            self._detail.close()

    def apply(self, results: Sequence[CheckResult]) -> None:
        """What checks have found."""
        for result in results:
            known = self._results.get(result.check)
            if known is None or known.time_s <= result.time_s:
                self._results[result.check] = result
        if self._window is None:
            return
        self._window.model.apply_checks(results)
        if self._detail is not None and any(result.check == self._detail.name for result in results):
            row = self._row(self._detail.name)
            if row is not None:
                self._detail.apply_row(row)

    # What the window asks for

    def check_now(self, names: Sequence[str]) -> None:
        """Run these checks now."""
        self._services.ask(CheckRequest(names=tuple(names), operator=self._services.config.operator))
        self._say(ngettext("{count} check asked for", "{count} checks asked for", len(names)), len(names))

    def mute(self, names: Sequence[str]) -> None:
        """No alarm of these checks for an hour."""
        now_s = time.time()
        for name in names:
            self._services.ask(
                MaintenanceRequest(
                    source=f"check/{name}",
                    start_s=now_s,
                    end_s=now_s + MUTE_S,
                    operator=self._services.config.operator,
                )
            )
        self._say(ngettext("{count} check muted for 1 hour", "{count} checks muted for 1 hour", len(names)), len(names))

    def remove(self, names: Sequence[str], *, is_agreed: bool = False) -> None:
        """Check these no more, once the user agrees; their history stays."""
        known = [name for name in names if self._config(name) is not None]
        question = ngettext(
            "Remove the check {first}? Its history is kept.",
            "Remove {count} checks? Their history is kept.",
            len(known),
        ).format(first=one_line(known[0]) if known else "", count=len(known))
        if not known or not (is_agreed or ask(self._window, _("Remove checks"), question, _("Remove"))):
            return
        try:
            for name in known:
                remove_table(self._services.home, "check", name)
                self._services.note(f"check/{name}", "removed", _("the check {name} was removed").format(name=name))
        except BeffroiError as error:
            self._tell(str(error))
        self._reload()

    def open_add(self) -> EditCheckDialog:
        """Add check…"""
        dialog = EditCheckDialog(None, self._names(), self._groups(), self._window)
        self._serve(dialog, None)
        return dialog

    def open_edit(self, name: str) -> EditCheckDialog | None:
        """Edit check…"""
        check = self._config(name)
        if check is None:
            return None
        dialog = EditCheckDialog(_shown(check), self._names() - {name}, self._groups(), self._window)
        self._serve(dialog, check)
        return dialog

    def open_detail(self, name: str) -> CheckDetailDialog | None:
        """One check closely; the window that shows another one is taken for it."""
        from gui.dialogs.check_detail import CheckDetailDialog  # it needs numpy and pyqtgraph

        row = self._row(name)
        if row is None:
            return None
        if self._detail is not None:
            self._detail.close()
        dialog = CheckDetailDialog(row, self._window)
        dialog.history_wanted.connect(self._on_history_wanted)
        dialog.check_now_wanted.connect(self.check_now)
        dialog.edit_wanted.connect(self.open_edit)
        dialog.finished.connect(lambda _result: self._on_detail_closed(dialog))
        self._detail = dialog
        dialog.show()
        return dialog

    # Adding and changing

    def _serve(self, dialog: EditCheckDialog, before: CheckConfig | None) -> None:
        cancels: list[Callable[[], None]] = []

        def whole(check: CheckConfig) -> CheckConfig:
            """The target that was not changed has the user and password that are not shown."""
            if before is not None and check.target == shown_target(before.target):
                check = replace(check, target=before.target)
            return check

        def on_try(check: CheckConfig) -> None:
            from core.services.checks import run_check, validated

            try:
                check = validated(whole(check))
            except BeffroiError as error:
                dialog.apply_refused(str(error))
                return
            cancels.append(
                self._services.run(
                    run_check(check.target, timeout_s=check.timeout_s, text=check.text),
                    dialog.apply_result,
                    lambda error: dialog.apply_refused(str(error)),
                )
            )

        def on_save(check: CheckConfig) -> None:
            try:
                self._save(whole(check), before)
            except BeffroiError as error:
                dialog.apply_refused(str(error))
                return
            dialog.apply_saved()

        dialog.try_wanted.connect(on_try)
        dialog.save_wanted.connect(on_save)
        dialog.cancelled.connect(lambda: [cancel() for cancel in cancels])
        dialog.open()

    def _save(self, check: CheckConfig, before: CheckConfig | None) -> None:
        """Keep a check and run it; raises ConfigError, UsageError."""
        from core.services.checks import validated

        check = validated(check)
        if not check.name:
            check = replace(check, name=self._free_name(shown_target(check.target)))
        save_table(self._services.home, "check", check)
        if before is not None and before.name != check.name:
            remove_table(self._services.home, "check", before.name)
        is_open = before is not None and self._detail is not None and self._detail.name == before.name
        self._reload()  # one that is new or changed is run at once
        if before is not None and before.name != check.name:
            self._rename(before.name, check.name, is_open=is_open)
        if self._window is not None:
            self._window.machine_list.select_check(check.name)

    def _rename(self, old: str, new: str, *, is_open: bool) -> None:
        """The history of a check goes with it."""

        def read(history: History) -> list[CheckResult]:
            history.rename_check(old, new)
            return history.last_checks()

        def done(results: list[CheckResult]) -> None:
            self._on_last(results)
            if is_open:
                self.open_detail(new)

        self._services.query(read, done, self._on_no_history)

    def _free_name(self, target: str) -> str:
        """`example.org` for `https://example.org/`, with a number behind where it is taken."""
        plain = target.partition("://")[2] or target
        wanted = plain.split("?")[0].strip("/").replace("/", " ")[: _LONGEST_NAME - 4] or _("check")
        name, number = wanted, 2
        while name in self._names():
            name, number = f"{wanted}-{number}", number + 1
        return name

    def _reload(self) -> None:
        self._services.ask(ReloadRequest(operator=self._services.config.operator))
        self.apply_config()

    # What is asked of the history

    def _ask_last(self) -> None:
        self._services.query(lambda history: history.last_checks(), self._on_last, self._on_no_history)

    def _on_last(self, results: Sequence[CheckResult]) -> None:
        names = self._names()
        self.apply([result for result in results if result.check in names])

    def _on_history_wanted(self, name: str, start_s: float, end_s: float) -> None:
        def read(history: History) -> _Past:
            results = history.check_results(name, start_s, end_s, MOST_RESULTS)
            found = history.alarms(search=f"check/{name}", since_s=start_s)
            alarms = [alarm for alarm in found if alarm.source == f"check/{name}"]
            try:
                return history.points(f"check/{name}/latency_ms", start_s, end_s), results, alarms
            except StoreError:  # it never answered, so there is no such series
                return None, results, alarms

        def done(found: _Past) -> None:
            if self._detail is not None and self._detail.name == name:
                self._detail.apply_history(*found)

        self._services.query(read, done, self._on_no_history)

    def _on_no_history(self, error: BaseException) -> None:
        log.warning("the history of checks was not read: %s", error)

    # Small things

    def _on_poll(self, names: Any) -> None:
        """F5: the checks selected, or all with all machines."""
        chosen = self._window.machine_list.selected_checks() if self._window is not None else []
        if chosen:
            self.check_now(chosen)
        elif names is None and self._services.config.checks:
            self._services.ask(CheckRequest(operator=self._services.config.operator))

    def _on_detail_closed(self, dialog: CheckDetailDialog) -> None:
        if self._detail is dialog:
            self._detail = None

    def _config(self, name: str) -> CheckConfig | None:
        return next((check for check in self._services.config.checks if check.name == name), None)

    def _row(self, name: str) -> CheckRow | None:
        return self._window.model.check(name) if self._window is not None else None

    def _names(self) -> frozenset[str]:
        return frozenset(check.name for check in self._services.config.checks)

    def _groups(self) -> set[str]:
        groups = {group for check in self._services.config.checks for group in check.groups}
        if self._window is not None:
            groups |= {group for row in self._window.model.rows() for group in row.machine.groups}
        return groups

    def _say(self, sentence: str, count: int) -> None:
        if self._window is not None:
            self._window.status_line.showMessage(sentence.format(count=count), 4000)

    def _tell(self, text: str) -> None:
        if self._window is not None:
            self._window.show_notice(text)


def _shown(check: CheckConfig) -> CheckConfig:
    return replace(check, target=shown_target(check.target))
