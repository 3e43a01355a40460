"""The status bar's words: links, probes, database, and what had to be dropped."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable

from PyQt5.QtCore import Qt, QTimer, pyqtSignal
from PyQt5.QtWidgets import QStatusBar, QToolButton, QWidget

from core.language import _, ngettext
from core.records import MeterReport, MeterState, StoreReport
from core.site_records import AlarmSeverity, FeedReport, SensorBatch
from gui.models import alarm_words
from gui.models.machine_counts import Counts
from gui.numbers import age, number
from gui.plain_text import one_line, plain_tip
from gui.theme import notifier
from gui.widgets.bell_icon import bell_icon
from gui.widgets.labels import plain_label, set_role

_MOST_PROBES = 2
"""More than so many are counted by their state."""


class StatusLine(QStatusBar):
    """Permanent words at the left, short messages over them; the bell at the right."""

    bell_pressed = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store: StoreReport | None = None
        self._measured = (0, 0.0)
        self._store_error: str | None = None
        self._probes: dict[str, MeterReport] = {}
        self._links = plain_label("", "dim")
        self._chosen = plain_label("", "dim")
        self._chosen.hide()
        self._probe = plain_label("", "dim")
        self._database = plain_label("", "dim")
        self._dropped = plain_label("", "warning")
        self._collecting = plain_label("", "dim")
        for label in (self._collecting, self._links, self._chosen, self._probe, self._database, self._dropped):
            label.setContentsMargins(6, 0, 14, 0)
            self.addWidget(label)
        self.bell = QToolButton()
        self.bell.setObjectName("bell")
        self.bell.setAutoRaise(True)
        self.bell.setToolButtonStyle(Qt.ToolButtonTextBesideIcon)
        self.bell.clicked.connect(lambda _checked: self.bell_pressed.emit())
        self.addPermanentWidget(self.bell)
        self._alarms: tuple[dict[AlarmSeverity, int], int, bool] = ({}, 0, False)
        self._show_bell()
        notifier.changed.connect(self._show_bell)
        self._timer = QTimer(self)
        self._timer.setInterval(1000)
        self._timer.timeout.connect(self._tell_age)
        self._timer.start()

    def apply_counts(self, counts: Counts) -> None:
        """Links to machines."""
        words = [ngettext("{count} link", "{count} links", counts.online).format(count=number(counts.online))]
        if counts.late:
            words.append(ngettext("{count} late", "{count} late", counts.late).format(count=number(counts.late)))
        if counts.offline:
            words.append(
                ngettext("{count} offline", "{count} offline", counts.offline).format(count=number(counts.offline))
            )
        if counts.never_seen:
            words.append(
                ngettext("{count} never seen", "{count} never seen", counts.never_seen).format(
                    count=number(counts.never_seen)
                )
            )
        self._links.setText("   ".join(words))

    def apply_chosen(self, selected: int, shown: int, total: int) -> None:
        """How many machines of the list are selected, where several are, and how many a filter lets through."""
        words = []
        if shown < total:
            words.append(_("{shown} of {total} machines shown").format(shown=number(shown), total=number(total)))
        if selected > 1:
            words.append(ngettext("{count} selected", "{count} selected", selected).format(count=number(selected)))
        self._chosen.setText("   ".join(words))
        self._chosen.setVisible(bool(words))

    def apply_probe(self, report: MeterReport) -> None:
        """A probe's state; one that nobody reads any more, by somebody's will, is none."""
        if report.is_ended:
            self._probes.pop(report.name, None)
        else:
            self._probes[report.name] = report
        self._tell_probes(self._probes.values())

    def forget_probe(self, name: str) -> None:
        """A probe was let go."""
        self._probes.pop(name, None)
        self._tell_probes(self._probes.values())

    def apply_store(self, report: StoreReport) -> None:
        """The database's state."""
        self._store = report
        self._store_error = report.error
        self._tell_age()

    def apply_feed(self, report: FeedReport) -> None:
        """Who collects for this home; nothing is said while this window does."""
        if report.error is not None:
            words = one_line(report.error)
        else:
            words = _("collected by the service on this home") if report.is_beside else ""
        self._collecting.setText(words)
        self._collecting.setToolTip(
            plain_tip(_("Another program, “beffroi collect”, polls, reads and rings; this window shows it."))
            if report.is_beside
            else ""
        )
        set_role(self._collecting, "warning" if report.error is not None else "dim")

    def apply_measures(self, batch: SensorBatch) -> None:
        """Measures of sensors, which are on the disk before they are told, and not by the recorder's batches."""
        if batch.measures:
            self._measured = (self._measured[0] + len(batch.measures), batch.measures[-1].time_s)

    def apply_lost(self, count: int) -> None:
        """Records that did not fit; nothing is said while there are none."""
        self._dropped.setText(
            ngettext("{count} record dropped", "{count} records dropped", count).format(count=number(count))
            if count
            else ""
        )

    def apply_alarms(self, counts: dict[AlarmSeverity, int], active: int, *, is_silent: bool) -> None:
        """What rings: open alarms by severity, and how many of them nobody has acknowledged."""
        if (counts, active, is_silent) != self._alarms:
            self._alarms = (dict(counts), active, is_silent)
            self._show_bell()

    def _show_bell(self) -> None:
        counts, active, is_silent = self._alarms
        count = sum(counts.values())
        worst = alarm_words.worst(list(counts))
        role = "dim" if worst is None else alarm_words.severity_role(worst)
        self.bell.setIcon(bell_icon(role, is_silent=is_silent, is_ringing=active > 0))
        words = alarm_words.open_words(count) if count else _("nothing rings")
        self.bell.setText(words)
        self.bell.setAccessibleName(words)
        lines = [alarm_words.count_words(counts)] if count else []
        if is_silent:
            lines.append(_("silenced"))
        lines.append(_("Open the alarms"))
        self.bell.setToolTip(plain_tip("\n".join(lines)))

    def _tell_probes(self, reports: Iterable[MeterReport]) -> None:
        words, tips, worst = [], [], "dim"
        states: Counter[str] = Counter()
        for report in reports:
            state = _probe_words(report)
            if report.is_simulated:
                state = _("{state}, simulated").format(state=state)
            words.append(_("probe {name}: {state}").format(name=one_line(report.name), state=state))
            states[_probe_words(report)] += 1
            tips.append(f"{report.name}: {report.text}")
            if report.state in (MeterState.FAILED, MeterState.SILENT, MeterState.DISCONNECTED):
                worst = "warning"
        if len(words) > _MOST_PROBES:
            counts = ", ".join(f"{count} {state}" for state, count in states.most_common())
            words = [_("{count} probes: {states}").format(count=len(words), states=counts)]
        self._probe.setText("   ".join(words))
        self._probe.setToolTip(plain_tip("\n".join(tips)))
        set_role(self._probe, worst)

    def _tell_age(self) -> None:
        if self._store is None:
            return
        if self._store_error:
            self._database.setText(_("database: {error}").format(error=one_line(self._store_error)))
            self._database.setToolTip(
                plain_tip(
                    ngettext(
                        "{count} row waits in memory", "{count} rows wait in memory", self._store.rows_waiting
                    ).format(count=number(self._store.rows_waiting))
                )
            )
            set_role(self._database, "critical")
            return
        set_role(self._database, "dim")
        written = age(time.time() - max(self._store.time_s, self._measured[1]))
        self._database.setText(_("database: written {age}").format(age=written))
        rows = self._store.rows_written + self._measured[0]
        self._database.setToolTip(
            plain_tip(
                ngettext("{count} row since the start", "{count} rows since the start", rows).format(count=number(rows))
            )
        )


def _probe_words(report: MeterReport) -> str:
    if report.needs_password:
        return _("needs its password")
    if report.needs_key:
        return _("needs its key")
    return {
        MeterState.SEARCHING: _("searching"),
        MeterState.READING: _("reading"),
        MeterState.SILENT: _("silent"),
        MeterState.DISCONNECTED: _("unplugged"),
        MeterState.FAILED: _("failed"),
    }[report.state]
