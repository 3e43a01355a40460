"""The Alarms page: one list for machines, meters, sensors and checks, and what is known of the one that is chosen."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import QByteArray, QSize, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QHideEvent, QShowEvent
from PyQt5.QtWidgets import QHBoxLayout, QMenu, QPushButton, QSplitter, QStackedLayout, QVBoxLayout, QWidget

from core.language import _
from core.records import SeriesPoints
from core.site_records import Alarm, AlarmState
from gui import numbers
from gui.models import alarm_words as words
from gui.models.alarms import AlarmModel
from gui.widgets import split_layout
from gui.widgets.alarm_detail import AlarmDetail
from gui.widgets.alarm_filter import AlarmFilter
from gui.widgets.alarm_table import AlarmTable
from gui.widgets.card import GAP, Card
from gui.widgets.empty_state import EmptyState

_TICK_MS = 5_000


class AlarmsPage(QWidget):
    """Shows an `AlarmModel`; asks for everything by signals, of alarms always with their records."""

    acknowledge_wanted = pyqtSignal(list)
    ignore_wanted = pyqtSignal(list)
    mute_wanted = pyqtSignal(list)
    maintenance_wanted = pyqtSignal(str)
    rules_wanted = pyqtSignal(object)
    go_wanted = pyqtSignal(object)
    say_wanted = pyqtSignal(str)
    curve_wanted = pyqtSignal(int, object, float, float)
    rings_wanted = pyqtSignal(int, object)
    silence_wanted = pyqtSignal(bool)
    export_wanted = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = AlarmModel(self)
        self._watched = ""
        self.filter = AlarmFilter()
        self.filter.changed.connect(self._on_choice)
        self.filter.settled.connect(self._on_words)
        self.filter.field.returnPressed.connect(self._on_entered)
        self.table = AlarmTable(self.model)
        self.table.chosen.connect(self._on_chosen)
        self.table.opened.connect(lambda index: self.go_wanted.emit(self.model.at(index.row())))
        self.detail = AlarmDetail()
        self.detail.curve_wanted.connect(self.curve_wanted)
        self.detail.rings_wanted.connect(self.rings_wanted)
        self.detail.acknowledge_wanted.connect(self.acknowledge_chosen)
        self.detail.ignore_wanted.connect(self._on_ignore)
        self.detail.mute_wanted.connect(self._on_mute)
        self.detail.go_wanted.connect(self._on_go)
        self.detail.rule_wanted.connect(self._on_rule)
        self._add_entries()
        self._lay_out()
        self.model.rowsInserted.connect(self._on_rows)
        self.model.rowsRemoved.connect(self._on_rows)
        self.model.modelReset.connect(self._on_rows)
        self.model.counted.connect(self._on_counted)
        self._clock = QTimer(self)
        self._clock.setInterval(_TICK_MS)
        self._clock.timeout.connect(self.tick)
        self._settling = QTimer(self)
        self._settling.setSingleShot(True)
        self._settling.setInterval(0)
        self._settling.timeout.connect(self._settle_choice)
        self._on_choice()
        self._on_rows()

    # What comes in

    def apply(self, alarms: Sequence[Alarm]) -> list[Alarm]:
        """Take news of alarms, any number at once; those that changed."""
        changed = self.model.apply(alarms)
        shown = {alarm.id for alarm in self.detail.alarms()}
        if any(alarm.id in shown for alarm in changed):
            self.detail.show_alarms([self.model.alarm(alarm.id) or alarm for alarm in self.detail.alarms()])
        return changed

    def apply_points(self, request_id: int, points: SeriesPoints | None) -> None:
        """Take an answer to `curve_wanted`."""
        chosen = self.detail.alarms()
        self.detail.apply_points(request_id, points, self.model.source_text(chosen[0].source) if chosen else "")

    def apply_rings(self, request_id: int, rings: Sequence[Alarm]) -> None:
        """Take an answer to `rings_wanted`."""
        self.detail.apply_rings(request_id, rings)

    def tick(self) -> None:
        """Ages and the curve move on: every few seconds while somebody looks."""
        self.model.tick()
        self.detail.follow()

    def set_watched(self, text: str) -> None:
        """What is watched, in words, for the empty list: `24 machines, 1 meter`."""
        if text != self._watched:
            self._watched = text
            self._on_rows()

    def set_silent(self, is_silent: bool) -> None:
        """Show whether the bell is silenced."""
        self.silence_button.setChecked(is_silent)
        self.silence_button.setText(_("Silenced") if is_silent else _("Silence"))

    def set_muted_count(self, count: int) -> None:
        """How many mutes and maintenances hold now, on their button."""
        title = _("Maintenance…")
        self.maintenance_button.setText(f"{title} {numbers.number(count)}" if count else title)

    def show_alarm(self, number: int) -> None:
        """Choose one alarm; the filter gives way where it hides it."""
        alarm = self.model.alarm(number)
        if alarm is None:
            return
        if self.model.row_of(number) is None:
            self.filter.reset()
            if not alarm.state.is_open:
                self.filter.show_state("all")
            self.model.set_filter("")
        self.table.choose([number])
        self.table.setFocus(Qt.OtherFocusReason)

    def focus_filter(self) -> None:
        """Ctrl+Shift+F."""
        self.filter.focus()

    # What the user does

    def acknowledge_chosen(self) -> None:
        """Ask for the active ones among the chosen to be acknowledged."""
        found = [alarm for alarm in self._chosen() if alarm.state is AlarmState.ACTIVE]
        if found:
            self.acknowledge_wanted.emit(found)

    def _on_ignore(self) -> None:
        found = [alarm for alarm in self._chosen() if alarm.state.is_open]
        if found:
            self.ignore_wanted.emit(found)

    def _on_mute(self) -> None:
        sources = list(dict.fromkeys(alarm.source for alarm in self._chosen()))
        if sources:
            self.mute_wanted.emit(sources)

    def _on_maintenance(self) -> None:
        chosen = self._chosen()
        self.maintenance_wanted.emit(chosen[0].source if chosen else "")

    def _on_go(self) -> None:
        chosen = self._chosen()
        if len(chosen) == 1:
            self.go_wanted.emit(chosen[0])

    def _on_say(self) -> None:
        chosen = self._chosen()
        if len(chosen) == 1:
            self.say_wanted.emit(f"alarm/{chosen[0].id}")

    def _on_rule(self) -> None:
        chosen = self._chosen()
        self.rules_wanted.emit(chosen[0] if len(chosen) == 1 else None)

    def _on_chosen(self, alarms: list[Alarm]) -> None:
        if alarms:
            self.detail.show_alarms(alarms)
        else:
            self._settling.start()  # the rows may be on their way out of the list

    def _settle_choice(self) -> None:
        """The pane below always says something: one that left the list, being over, stays until another is chosen."""
        if not self.isVisible() or self.table.chosen_alarms():
            return
        kept = self.detail.alarms()
        if not self.model.rowCount() or len(kept) > 1 or (kept and self.model.row_of(kept[0].id) is not None):
            self.detail.show_alarms([])
        if self.model.rowCount() and not self.detail.alarms() and not kept:
            self.table.choose([self.model.at(0).id])

    def _chosen(self) -> list[Alarm]:
        """What is done is done with these: the rows chosen, else the one that is still shown below."""
        return self.table.chosen_alarms() or list(self.detail.alarms())

    def _on_choice(self) -> None:
        self.model.set_choice(*self.filter.choice())
        self._on_rows()

    def _on_words(self, text: str) -> None:
        self.model.set_filter(text)
        self._on_rows()

    def _on_entered(self) -> None:
        """Enter in the filter goes to what it found."""
        self._on_words(self.filter.field.text())
        if self.model.rowCount():
            if not self.table.chosen_alarms():
                self.table.choose([self.model.at(0).id])
            self.table.setFocus(Qt.ShortcutFocusReason)

    def _on_rows(self) -> None:
        shown = self.model.rowCount()
        self._pane.setCurrentIndex(1 if shown else 0)
        self.detail.setVisible(bool(shown))
        self._list.set_subtitle(numbers.number(shown) if shown else "")
        if shown:
            self._settling.start()
            return
        self.detail.show_alarms([])
        if self.filter.is_narrowed:
            self._empty.set_sentence(_("No alarm matches the filter."))
            self._empty.button.setText(_("Show all open alarms"))
        elif self.filter.state == "open":
            watched = self._watched or _("nothing is watched yet")
            self._empty.set_sentence(_("Nothing rings: {watched}.").format(watched=watched))
            self._empty.button.setText(_("What rang before"))
        else:
            self._empty.set_sentence(_("No alarm is in this state."))
            self._empty.button.setText(_("Show all open alarms"))

    def _on_counted(self) -> None:
        self._list.set_context(words.count_words(self.model.counts()))

    def _on_empty_pressed(self) -> None:
        if self.filter.is_narrowed or self.filter.state != "open":
            self.filter.reset()
            self._on_words("")
        else:
            self.filter.show_state("all")

    # Life of the widget

    def layout_state(self) -> QByteArray:
        """Columns and splitter, for the next start."""
        return split_layout.layout_of(self._splitter, self.table)

    def restore_layout(self, state: QByteArray) -> None:
        """Take up what `layout_state` gave."""
        split_layout.restore(self._splitter, self.table, state)

    def showEvent(self, event: QShowEvent) -> None:
        """Ages are counted while somebody looks."""
        super().showEvent(event)
        self._settle_choice()
        self.tick()
        self._clock.start()

    def hideEvent(self, event: QHideEvent) -> None:
        """Nothing is done while nobody looks."""
        super().hideEvent(event)
        self._clock.stop()

    def minimumSizeHint(self) -> QSize:
        """A few rows, and the pane below."""
        return QSize(420, 360)

    # Making

    def _add_entries(self) -> None:
        add = self.table.add_entry
        add(_("Show the source") + "\t" + _("Enter"), self._on_go)
        add(_("Acknowledge…"), self.acknowledge_chosen, "Ctrl+K")
        add(_("Ignore…"), self._on_ignore, "Ctrl+I")
        add(_("Mute for 1 hour"), self._on_mute)
        add(_("Maintenance…"), self._on_maintenance)
        add(_("Rule…"), self._on_rule)
        add(_("Say in the room…"), self._on_say)

    def _lay_out(self) -> None:
        self.rules_button = QPushButton(_("Rules…"))
        self.rules_button.setToolTip(_("What rings, from which value, for how long"))
        self.rules_button.clicked.connect(lambda _checked: self.rules_wanted.emit(None))
        self.maintenance_button = QPushButton(_("Maintenance…"))
        self.maintenance_button.setToolTip(_("What is muted now, and what is planned"))
        self.maintenance_button.clicked.connect(lambda _checked: self._on_maintenance())
        self.silence_button = QPushButton(_("Silence"))
        self.silence_button.setCheckable(True)
        self.silence_button.setToolTip(_("No sound and no notification until this is pressed again"))
        self.silence_button.clicked.connect(self.silence_wanted)
        self.export_button = QPushButton(_("Export") + " ▾")
        self.export_button.setAccessibleName(_("Export"))
        menu = QMenu(self.export_button)
        menu.addAction(_("Table (CSV)…"), lambda: self.export_wanted.emit("csv"))
        menu.addAction(_("Spreadsheet (XLSX)…"), lambda: self.export_wanted.emit("xlsx"))
        self.export_button.setMenu(menu)
        header = QHBoxLayout()
        header.setSpacing(GAP)
        header.addWidget(self.filter.field, 1)
        for button in (self.rules_button, self.maintenance_button, self.silence_button, self.export_button):
            header.addWidget(button)
        self._list = Card(_("Alarms"))
        self._empty = EmptyState("", _("What rang before"))
        self._empty.pressed.connect(self._on_empty_pressed)
        self._pane = QStackedLayout()
        self._pane.addWidget(self._empty)
        self._pane.addWidget(self.table)
        self._list.body.addLayout(self._pane, 1)
        self._splitter = QSplitter(Qt.Vertical)
        self._splitter.setChildrenCollapsible(False)
        self._splitter.setHandleWidth(GAP)
        self._splitter.addWidget(self._list)
        self._splitter.addWidget(self.detail)
        self._splitter.setStretchFactor(0, 3)
        self._splitter.setStretchFactor(1, 2)
        self._splitter.setSizes([500, 300])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(GAP, GAP, GAP, GAP)
        layout.setSpacing(GAP)
        layout.addLayout(header)
        layout.addWidget(self.filter)
        layout.addWidget(self._splitter, 1)
