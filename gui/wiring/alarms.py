"""The desk of alarms: feeds the Alarms page, the Overview, the marks on curves and the bell; carries out what is asked.

What operators ask goes to whoever collects (`Services.ask`) and comes back as records. Alarms outlive a window: the
next one, in another language, begins with what the last one knew.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from PyQt5.QtCore import QObject, QTimer

from core.language import _, ngettext
from core.requests import AlarmRequest, MaintenanceRequest
from core.series import SeriesBook
from core.site_records import Alarm, AlarmState, Maintenance
from gui import numbers
from gui.dialogs.alarm_comment import AlarmCommentDialog
from gui.dialogs.base import ask
from gui.dialogs.maintenance import MaintenanceDialog
from gui.main_window import MainWindow
from gui.models import alarm_words as words
from gui.pages.alarms import AlarmsPage
from gui.plain_text import one_line
from gui.runtime.services import Services
from gui.wiring.alarm_history import AlarmHistoryDesk
from gui.wiring.alarm_rules import RuleDesk
from gui.wiring.bell import Bell

if TYPE_CHECKING:
    from core.store.history import History

MUTE_S = 3600.0
LOADED = 1_000
"""Alarms of before that the list begins with; all open ones come beside them."""

_TICK_MS = 5_000
_MARKED_S = 8 * 86_400.0
_OLD_S = 5.0
_AROUND_S = 900.0
log = logging.getLogger("beffroi.gui")


class AlarmDesk(QObject):
    """Serves the alarms of one window at a time, and the bell of the desktop."""

    def __init__(
        self, services: Services, book: SeriesBook, parent: QObject | None = None, *, bell: Bell | None = None
    ) -> None:
        super().__init__(parent)
        self._services = services
        self._window: MainWindow | None = None
        self._page: AlarmsPage | None = None
        self._known: dict[int, Alarm] = {}
        self._by_source: dict[str, list[Alarm]] = {}
        self._maintenances: dict[int, Maintenance] = {}
        self._dialog: MaintenanceDialog | None = None
        self._began_s = time.time()
        self.bell = bell or Bell(services.config.alarms, self)
        self.rules = RuleDesk(services, self.sources, self)
        self.history = AlarmHistoryDesk(services, book, self)
        self.bell.silenced.connect(self._on_silenced)
        self.bell.opened.connect(self._on_bell_opened)
        self.bell.acknowledge_all_wanted.connect(self._on_acknowledge_all)
        self.bell.quit_wanted.connect(self._on_quit)
        self._clock = QTimer(self)
        self._clock.setInterval(_TICK_MS)
        self._clock.timeout.connect(self._tick)
        self._clock.start()
        services.history_ready.connect(self._ask_history)

    def attach(self, window: MainWindow, page: AlarmsPage) -> None:
        """Serve this window and its page."""
        self._window, self._page, self._dialog = window, page, None
        page.acknowledge_wanted.connect(self.open_acknowledge)
        page.ignore_wanted.connect(self.open_ignore)
        page.mute_wanted.connect(self.mute)
        page.maintenance_wanted.connect(self.open_maintenance)
        page.go_wanted.connect(self.go_to)
        page.silence_wanted.connect(self.bell.set_silent)
        page.model.counted.connect(self._show_counts)
        window.mute_wanted.connect(self._mute_machines)
        window.overview.alarm_opened.connect(self.open_alarm)
        window.status_line.bell_pressed.connect(lambda: self.open_alarm(0))
        self.rules.attach(window, page)
        self.history.attach(window, page)
        self.bell.attach_tray()
        page.set_silent(self.bell.is_silent)
        page.apply(list(self._known.values()))
        self.apply_config()
        self._show_counts()
        self._show_marks()
        self._tick()
        self._ask_history()

    def apply(self, alarms: Sequence[Alarm]) -> None:
        """News of alarms, all of one delivery at once."""
        if not alarms:
            return
        self._take(alarms)
        self._show_counts()
        self.bell.put(alarm for alarm in alarms if alarm.changed_s >= self._began_s - _OLD_S)

    def apply_maintenance(self, record: Maintenance) -> None:
        """A mute or a planned work has begun, changed or ended."""
        self._maintenances[record.id] = record
        self._show_maintenances()

    def apply_config(self) -> None:
        """The settings may have changed: rules, names of sensors, sound."""
        config = self._services.config
        self.bell.set_settings(config.alarms)
        self.rules.apply_config()
        if self._page is not None:
            self._page.model.set_names({f"sensor/{one.id}": one.name for one in config.sensor_list if one.name})
        if self._window is not None:
            self._window.model.rearrange()

    def stop(self) -> None:
        """No tray icon, no sound any more."""
        self._clock.stop()
        self.bell.stop()

    # What the user does

    def open_alarm(self, number: int) -> None:
        """Bring the page to the front; with a number, that alarm."""
        if self._window is None or self._page is None:
            return
        self._window.show_page("alarms")
        if number:
            self._page.show_alarm(number)

    def open_acknowledge(self, alarms: Sequence[Alarm]) -> AlarmCommentDialog:
        """Ask for a comment, then acknowledge."""
        return self._open_comment(alarms, is_ignored=False)

    def open_ignore(self, alarms: Sequence[Alarm]) -> AlarmCommentDialog:
        """Ask for a comment, then ignore."""
        return self._open_comment(alarms, is_ignored=True)

    def _mute_machines(self, names: Sequence[str]) -> None:
        """One at once; many once the user agrees, who may not see all of them."""
        question = ngettext(
            "Mute {count} machine for 1 hour? Nothing that happens to it rings meanwhile.",
            "Mute {count} machines for 1 hour? Nothing that happens to them rings meanwhile.",
            len(names),
        ).format(count=len(names))
        if len(names) == 1 or ask(self._window, _("Mute machines"), question, _("Mute"), is_lasting=False):
            self.mute([f"machine/{name}" for name in names])

    def mute(self, sources: Sequence[str]) -> None:
        """No alarm of these sources rings for an hour."""
        now_s = time.time()
        for source in sources:
            self._begin(source, now_s, now_s + MUTE_S, _("muted for 1 hour"))
        if self._window is not None and sources:
            shown = ", ".join(words.source_name(source) for source in sources[:3])
            if len(sources) > 3:
                shown = ngettext("{count} source", "{count} sources", len(sources)).format(count=len(sources))
            until = numbers.clock(now_s + MUTE_S)
            self._window.status_line.showMessage(_("{names} muted until {time}").format(names=shown, time=until), 6000)

    def open_maintenance(self, source: str = "") -> MaintenanceDialog:
        """What is muted and planned; one more."""
        dialog = MaintenanceDialog(self.sources(), source, self._window)
        dialog.added.connect(self._begin)
        dialog.ended.connect(self._end)
        dialog.finished.connect(self._on_dialog_closed)
        self._dialog = dialog
        self._show_maintenances()
        dialog.open()
        self._ask_maintenances()
        return dialog

    def go_to(self, alarm: Alarm) -> None:
        """Open the page of a source, at the time the alarm rang."""
        window = self._window
        if window is None:
            return
        kind, name = words.source_kind(alarm.source), alarm.source.partition("/")[2]
        if kind == "machine" and window.model.row(name) is not None:
            window.show_machine(name)
            self._show_time("machine", alarm)
        elif kind == "meter":
            window.show_page("energy")
            page = window.page("energy")
            if page is not None:
                page.show_meter(name)
                self._show_time("energy", alarm)
        elif kind == "sensor":
            window.show_page("sensors")
            page = window.page("sensors")
            if page is not None:
                page.show_sensor(name)
                self._show_time("sensors", alarm)
        elif kind == "check":
            window.machine_list.check_opened.emit(name)
        else:
            window.status_line.showMessage(_("{name} is no longer watched").format(name=one_line(name)), 6000)

    def sources(self) -> list[str]:
        """What a rule or a maintenance can be for: all, groups, machines, meters, sensors and checks."""
        config = self._services.config
        found = ["machine/*", "meter/*", "sensor/*", "check/*"]
        if self._window is not None:
            rows = list(self._window.model.rows())
            groups = {group for row in rows for group in row.machine.groups}
            groups |= {group for check in config.checks for group in check.groups}
            found += sorted(f"@{group}" for group in groups)
            found += [f"machine/{row.name}" for row in rows]
        found += [f"meter/{meter.name}" for meter in config.meters]
        found += [f"sensor/{sensor.id}" for sensor in config.sensor_list]
        found += [f"check/{check.name}" for check in config.checks]
        found += sorted({alarm.source for alarm in self._known.values()} - set(found))
        return found

    def _open_comment(self, alarms: Sequence[Alarm], *, is_ignored: bool) -> AlarmCommentDialog:
        dialog = AlarmCommentDialog(alarms, is_ignored=is_ignored, parent=self._window)
        ids = tuple(alarm.id for alarm in alarms)

        def said(comment: str) -> None:
            operator = self._services.config.operator
            self._services.ask(
                AlarmRequest(ids=ids, operator=operator, comment=comment, is_ignored=is_ignored), self._on_refused
            )

        dialog.said.connect(said)
        dialog.open()
        return dialog

    def _begin(self, source: str, start_s: float, end_s: float, comment: str) -> None:
        request = MaintenanceRequest(
            source=source, start_s=start_s, end_s=end_s, operator=self._services.config.operator, comment=comment
        )
        self._services.ask(request, self._on_refused)

    def _end(self, number: int) -> None:
        one = self._maintenances.get(number)
        now_s = time.time()
        request = MaintenanceRequest(
            source=one.source if one is not None else "",
            start_s=now_s,
            end_s=now_s,
            operator=self._services.config.operator,
            id=number,
        )
        self._services.ask(request, self._on_refused)

    def _on_acknowledge_all(self) -> None:
        active = [alarm for alarm in self._known.values() if alarm.state is AlarmState.ACTIVE]
        if active:
            self._raise()
            self.open_acknowledge(active)

    def _on_bell_opened(self, number: int) -> None:
        self._raise()
        self.open_alarm(number)

    def _on_quit(self) -> None:
        if self._window is not None:
            self._window.close()

    def _raise(self) -> None:
        if self._window is not None:
            self._window.showNormal() if self._window.isMinimized() else self._window.show()
            self._window.raise_()
            self._window.activateWindow()

    def _on_silenced(self, is_silent: bool) -> None:
        if self._page is not None:
            self._page.set_silent(is_silent)
        self._show_counts()

    def _on_refused(self, error: BaseException) -> None:
        dialog = self._dialog
        if dialog is not None and dialog.isVisible():
            dialog.say(str(error), "critical")
        elif self._window is not None:
            self._window.show_notice(str(error))

    def _on_dialog_closed(self) -> None:
        self._dialog = None

    # What is known

    def _take(self, alarms: Iterable[Alarm]) -> None:
        changed = []
        for alarm in alarms:
            known = self._known.get(alarm.id)
            if known is None or alarm.changed_s >= known.changed_s:
                self._known[alarm.id] = alarm
                changed.append(alarm)
        if self._page is not None:
            self._page.apply(changed)
        self._sort_by_source()
        self._show_marks()

    def _sort_by_source(self) -> None:
        """Alarms of the last days by their source, and nothing older but what is open."""
        since_s = time.time() - _MARKED_S
        known = [alarm for alarm in self._known.values() if alarm.state.is_open or alarm.changed_s >= since_s]
        if self._page is not None and len(known) < len(self._known):
            self._known = {alarm.id: alarm for alarm in known}
        self._by_source = {}
        for alarm in known:
            self._by_source.setdefault(alarm.source, []).append(alarm)

    def _show_marks(self) -> None:
        if self._window is None:
            return
        for key in ("machine", "energy", "sensors"):
            page = self._window.page(key)
            if page is not None:
                page.set_alarms(self._by_source)

    def _show_counts(self) -> None:
        if self._window is None or self._page is None:
            return
        model = self._page.model
        newest, counts = model.open_alarms(), model.counts()
        active = sum(1 for alarm in newest if alarm.state is AlarmState.ACTIVE)
        self._window.set_count("alarms", len(newest))
        self._window.overview.apply_alarms(newest, counts)
        self._window.status_line.apply_alarms(counts, active, is_silent=self.bell.is_silent)
        self.bell.set_counts(counts, active)

    def _tick(self) -> None:
        if self._window is None or self._page is None:
            return
        self._show_counts()
        self._page.set_watched(self._watched_words())
        now_s = time.time()
        self._page.set_muted_count(sum(1 for one in self._maintenances.values() if one.start_s <= now_s < one.end_s))

    def _watched_words(self) -> str:
        """`24 machines, 1 meter and 6 checks are watched`."""
        config = self._services.config
        machines = self._window.model.counts().total if self._window is not None else 0
        parts = []
        for count, text in (
            (machines, ngettext("{count} machine", "{count} machines", machines)),
            (len(config.meters), ngettext("{count} meter", "{count} meters", len(config.meters))),
            (len(config.sensor_list), ngettext("{count} sensor", "{count} sensors", len(config.sensor_list))),
            (len(config.checks), ngettext("{count} check", "{count} checks", len(config.checks))),
        ):
            if count:
                parts.append(text.format(count=numbers.number(count)))
        return _("watching {what}").format(what=", ".join(parts)) if parts else ""

    def _show_time(self, key: str, alarm: Alarm) -> None:
        """Curves of the page around the time of an alarm that is not of this moment."""
        page = self._window.page(key) if self._window is not None else None
        now_s = time.time()
        if page is not None and now_s - alarm.since_s > 120:
            end_s = min(now_s, (alarm.until_s or now_s) + _AROUND_S / 3)
            page.range.show_span(alarm.since_s - _AROUND_S, min(end_s, alarm.since_s + 8 * _AROUND_S))

    # The history

    def _ask_history(self) -> None:
        def read(history: History) -> tuple[list[Alarm], list[Alarm]]:
            return history.alarms(limit=LOADED), history.open_alarms()

        self._services.query(read, self._on_history, self._on_no_history)
        self._ask_maintenances()

    def _on_history(self, found: tuple[list[Alarm], list[Alarm]]) -> None:
        last, still_open = found
        self.bell.know(still_open)
        self._take([*last, *still_open])
        self._show_counts()

    def _on_no_history(self, error: BaseException) -> None:
        log.warning("alarms of before were not read: %s", error)

    def _ask_maintenances(self) -> None:
        now_s = time.time()
        self._services.query(lambda history: history.maintenances(now_s), self._on_maintenances, self._on_no_history)

    def _on_maintenances(self, found: Sequence[Maintenance]) -> None:
        for one in found:
            self._maintenances[one.id] = one
        self._show_maintenances()

    def _show_maintenances(self) -> None:
        now_s = time.time()
        self._maintenances = {key: one for key, one in self._maintenances.items() if one.end_s > now_s}
        if self._dialog is not None:
            self._dialog.apply_maintenances(list(self._maintenances.values()))
        self._tick()
