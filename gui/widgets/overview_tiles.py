"""The tiles of the Overview: site power, energy of the day, all machines, the hardest working ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from PyQt5.QtCore import QTimer, pyqtSignal
from PyQt5.QtGui import QShowEvent
from PyQt5.QtWidgets import QGridLayout, QStackedLayout, QVBoxLayout, QWidget

from core.language import N_, _, ngettext
from core.meter_records import EnergyAccount
from core.records import MeterReadings, SeriesPoints
from gui import numbers
from gui.models.energy_words import account_tip, is_over_budget, money, month_words
from gui.models.machines import MachineModel
from gui.models.meter_shown import SITE
from gui.plain_text import plain_tip
from gui.widgets.bar_list import BarItem, BarList
from gui.widgets.big_number import BigNumber
from gui.widgets.card import Card
from gui.widgets.check_strip import CheckStrip
from gui.widgets.empty_state import EmptyState
from gui.widgets.heat_map import HeatMap
from gui.widgets.labels import plain_label, set_role
from gui.widgets.sparkline import Sparkline

SPAN_S = 3600.0
_SPANS = (
    (60.0, N_("last minute, kW")),
    (300.0, N_("last 5 min, kW")),
    (900.0, N_("last 15 min, kW")),
    (SPAN_S, N_("last hour, kW")),
)
"""What is shown while less than an hour is known, so that a new meter moves at once."""
_STALE_S = 15.0
_KEPT = 7200
PAUSE_MS = 400
"""Between two arrangements of the map of machines."""


class PowerTile(Card):
    """Site power now, and its last hour."""

    connect_wanted = pyqtSignal()
    simulate_wanted = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(_("Site power"), parent)
        self._points: deque[tuple[float, float]] = deque(maxlen=_KEPT)
        self._seen_s = 0.0
        self._period_s = 1.0
        self._source = ""
        self._number = BigNumber()
        self._curve = Sparkline()
        self._from = plain_label("", "dim")
        self._to = plain_label("", "dim")
        self._empty = EmptyState(
            _("No meter yet: the power of the site appears here, with its last hour."), _("Connect probe…")
        )
        self._empty.pressed.connect(self.connect_wanted)
        shown = QWidget()
        layout = QGridLayout(shown)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setVerticalSpacing(4)
        layout.addWidget(self._number, 0, 0, 1, 3)
        layout.addWidget(self._curve, 1, 0, 1, 3)
        layout.addWidget(self._from, 2, 0)
        layout.addWidget(self._to, 2, 2)
        layout.setColumnStretch(1, 1)
        layout.setRowStretch(1, 1)
        self._stack = QStackedLayout()
        self._stack.addWidget(self._empty)
        self._stack.addWidget(shown)
        self.body.addLayout(self._stack, 1)

    def forget(self) -> None:
        """Another meter is the site's from now on."""
        self._points.clear()

    def apply_readings(self, readings: MeterReadings) -> None:
        """One more measurement of the site's meter."""
        measured = readings.measurement
        if measured is None or measured.active_power_w is None or readings.time_s is None:
            return
        if self._points:
            self._period_s = max(0.5, min(300.0, readings.time_s - self._points[-1][0]))
        self._points.append((readings.time_s, measured.active_power_w))
        self._seen_s = readings.time_s
        self._source = _("Site total") if readings.name == SITE else readings.name
        if readings.is_simulated and _("simulated") not in readings.name.casefold():
            self._source += " · " + _("simulated")
        self._number.set_number(*numbers.power(measured.active_power_w))
        self._stack.setCurrentIndex(1)

    def apply_points(self, points: SeriesPoints) -> None:
        """The last hour as it is kept in the history: it goes before what has come since."""
        first_s = self._points[0][0] if self._points else float("inf")
        older = [(at, value) for at, value in zip(points.time_s, points.mean, strict=True) if at < first_s]
        self._points = deque([*older, *self._points], maxlen=_KEPT)
        if self._points and self._stack.currentIndex() == 0:
            known = [(at, value) for at, value in self._points if value == value]
            if known:
                self._seen_s, last_w = known[-1]
                self._number.set_number(*numbers.power(last_w))
                self._stack.setCurrentIndex(1)

    def refresh(self, now_s: float) -> None:
        """Draw the hour up to now; say how old the number is."""
        if self._stack.currentIndex() == 0:
            return
        while self._points and self._points[0][0] < now_s - SPAN_S:
            self._points.popleft()
        times = [at for at, _value in self._points]
        known_s = now_s - times[0] if times else 0.0
        span_s, span_words = next(found for found in _SPANS if known_s <= found[0] or found[0] == SPAN_S)
        self._curve.set_span(now_s - span_s, now_s)
        self._curve.set_points(times, [value for _at, value in self._points])
        is_stale = now_s - self._seen_s > max(_STALE_S, 3 * self._period_s)
        self._number.set_stale(is_stale)
        self._curve.set_stale(is_stale)
        context = _(span_words)
        if self._source:
            context = f"{self._source} · {context}"
        self.set_context(context)
        with_seconds = span_s < 900
        self._from.setText(numbers.clock(now_s - span_s, with_seconds=with_seconds))
        self._to.setText(numbers.clock(now_s, with_seconds=with_seconds))
        peak = self._curve.peak()
        if is_stale:
            self._number.set_detail(_("no reading since {time}").format(time=numbers.clock(self._seen_s)))
        elif self._points and self._points[-1][1] < 0:
            self._number.set_detail(_("export to the grid"))
        elif peak is not None:
            value, unit = numbers.power(peak[1])
            self._number.set_detail(
                _("peak {value} {unit} at {time}").format(value=value, unit=unit, time=numbers.clock(peak[0]))
            )


class EnergyTile(Card):
    """Energy since midnight, and what the meter says beside."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(_("Energy today"), parent)
        self._base_wh: float | None = None
        self._is_whole_day = False
        self._register_wh: float | None = None
        self._account: EnergyAccount | None = None
        self._cost = plain_label("", "dim", wrap=True)
        self._cost.hide()
        self._number = BigNumber()
        self._lines = BarList(_("Energy"), can_open=False)
        self._empty = EmptyState(_("The energy of the day appears here once a meter is read."))
        shown = QWidget()
        layout = QVBoxLayout(shown)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._number)
        layout.addWidget(self._cost)
        layout.addWidget(self._lines, 1)
        self._stack = QStackedLayout()
        self._stack.addWidget(self._empty)
        self._stack.addWidget(shown)
        self.body.addLayout(self._stack, 1)

    def forget(self) -> None:
        """Another meter is the site's from now on."""
        self._base_wh, self._register_wh, self._account, self._is_whole_day = None, None, None, False
        self._cost.hide()

    def apply_account(self, account: EnergyAccount) -> None:
        """What the day has cost, and the month."""
        self._account = account
        has_cost = account.today.cost is not None
        self._cost.setVisible(has_cost)
        if has_cost:
            today = _("{cost} today").format(cost=" ".join(money(account.today.cost, account.currency)))
            self._cost.setText(" · ".join(words for words in (today, month_words(account)) if words))
            set_role(self._cost, "warning" if is_over_budget(account) else "dim")
            self._cost.setToolTip(plain_tip(account_tip(account)))
        self._show_energy()

    def set_midnight(self, register_wh: float | None) -> None:
        """What the meter's register stood at when the day began, as the history knows it."""
        if register_wh is not None:
            self._base_wh, self._is_whole_day = register_wh, True
            self._show_energy()

    def apply_readings(self, readings: MeterReadings) -> None:
        """Count on from the register of the meter."""
        measured = readings.measurement
        if measured is None:
            return
        register_wh = measured.active_energy_import_wh
        lines = []
        if register_wh is not None:
            if self._base_wh is None or register_wh < self._base_wh:
                self._base_wh, self._is_whole_day = register_wh, False
            self._register_wh = register_wh
            self._show_energy()
            lines.append(BarItem(_("Import register"), " ".join(numbers.energy(register_wh)), None))
        if measured.active_energy_export_wh is not None:
            exported = " ".join(numbers.energy(measured.active_energy_export_wh))
            lines.append(BarItem(_("Export register"), exported, None))
        volts = [measured.voltage_l1_v, measured.voltage_l2_v, measured.voltage_l3_v]
        if any(value is not None for value in volts):
            text = "   ".join(numbers.number(value, 1) for value in volts if value is not None)
            short = "   ".join(numbers.number(value, 0) for value in volts if value is not None)
            lines.append(BarItem(_("Voltage"), f"{text} V", None, short=f"{short} V"))
        amperes = [measured.current_l1_a, measured.current_l2_a, measured.current_l3_a]
        if any(value is not None for value in amperes):
            text = "   ".join(numbers.number(value, 2) for value in amperes if value is not None)
            lines.append(BarItem(_("Current"), f"{text} A", None))
        if measured.power_factor is not None:
            lines.append(BarItem(_("Power factor"), numbers.number(measured.power_factor, 2), None))
        if measured.frequency_hz is not None:
            lines.append(BarItem(_("Frequency"), f"{numbers.number(measured.frequency_hz, 2)} Hz", None))
        for title, value, unit in (
            (_("Reactive power"), measured.reactive_power_var, "var"),
            (_("Apparent power"), measured.apparent_power_va, "VA"),
        ):
            if value is not None:
                text, scaled_unit = numbers.power(value)
                lines.append(BarItem(title, f"{text} {scaled_unit.replace('W', unit)}", None))
        if lines:
            self._lines.set_items(lines)
            title = _("Site total") if readings.name == SITE else readings.name
            self.set_context(_("simulated") if readings.is_simulated else title)
            self._stack.setCurrentIndex(1)

    def _show_energy(self) -> None:
        account = self._account
        if account is not None and account.today.import_wh is not None:
            today_wh = account.today.import_wh
            self._number.set_number(numbers.number(today_wh / 1000, 2 if today_wh < 10_000 else 1), "kWh")
            self._number.set_detail("")
            return
        if self._register_wh is None or self._base_wh is None:
            return
        today_wh = self._register_wh - self._base_wh
        self._number.set_number(numbers.number(today_wh / 1000, 2 if today_wh < 10_000 else 1), "kWh")
        self._number.set_detail("" if self._is_whole_day else _("since this window opened"))


class MachinesTile(Card):
    """How many machines stand where, and each of them as a cell; below them the checks."""

    opened = pyqtSignal(str)
    add_wanted = pyqtSignal()
    check_opened = pyqtSignal(str)
    add_check_wanted = pyqtSignal()

    def __init__(self, model: MachineModel, parent: QWidget | None = None) -> None:
        super().__init__(_("Machines"), parent)
        self._model = model
        self._number = BigNumber()
        self.heat_map = HeatMap()
        self.heat_map.opened.connect(self.opened)
        self._empty = EmptyState(_("No machine is watched yet."), _("Add machine…"))
        self._empty.pressed.connect(self.add_wanted)
        shown = QWidget()
        layout = QVBoxLayout(shown)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self._number)
        layout.addWidget(self.heat_map, 1)
        self._stack = QStackedLayout()
        self._stack.addWidget(self._empty)
        self._stack.addWidget(shown)
        self.body.addLayout(self._stack, 1)
        self.checks = CheckStrip(model)
        self.checks.opened.connect(self.check_opened)
        self.checks.add_wanted.connect(self.add_check_wanted)
        self.body.addWidget(self.checks)
        self._pausing = QTimer(self)
        self._pausing.setSingleShot(True)
        self._pausing.setInterval(PAUSE_MS)
        self._pausing.timeout.connect(self._on_paused)
        self._is_behind = False
        model.layoutChanged.connect(self._on_layout)
        self._arrange()

    def showEvent(self, event: QShowEvent | None) -> None:
        """What has changed while another page was in front."""
        super().showEvent(event)
        if self._is_behind:
            self._arrange()

    def _on_layout(self) -> None:
        """Arranged at once, then with pauses: a filter that is typed changes the list with each letter."""
        if self._pausing.isActive() or not self.isVisible():
            self._is_behind = True
        else:
            self._arrange()
            self._pausing.start()

    def _on_paused(self) -> None:
        if self._is_behind and self.isVisible():
            self._arrange()

    def _arrange(self) -> None:
        self._is_behind = False
        self.heat_map.set_groups([group for group in self._model.groups() if group.machines])
        self._stack.setCurrentIndex(1 if next(iter(self._model.rows()), None) is not None else 0)

    def refresh(self) -> None:
        """Count again, and draw the cells."""
        if self._is_behind and not self._pausing.isActive():
            self._arrange()
        counts = self._model.counts()
        self._number.set_number(numbers.number(counts.online), _("online"))
        self._number.set_detail(count_words(counts.late, counts.offline, counts.never_seen))
        self.set_context(
            ""
            if counts.total == 0
            else ngettext("{count} machine, colour = CPU", "{count} machines, colour = CPU", counts.total).format(
                count=numbers.number(counts.total)
            )
        )
        self.heat_map.refresh()
        self.checks.refresh()


class TopTile(Card):
    """The machines that work hardest by one measure."""

    def __init__(self, title: str, sentence: str, parent: QWidget | None = None) -> None:
        super().__init__(title, parent)
        self.list = BarList(title)
        self._stack = QStackedLayout()
        self._stack.addWidget(EmptyState(sentence))
        self._stack.addWidget(self.list)
        self.body.addLayout(self._stack, 1)

    def set_items(self, items: Sequence[BarItem]) -> None:
        """Show these machines."""
        self.list.set_items(items)
        self._stack.setCurrentIndex(1 if items else 0)


def count_words(late: int, offline: int, never_seen: int) -> str:
    """`1 late · 3 offline · 1 never seen`; nothing for what is not there."""
    parts = []
    if late:
        parts.append(ngettext("{count} late", "{count} late", late).format(count=numbers.number(late)))
    if offline:
        parts.append(ngettext("{count} offline", "{count} offline", offline).format(count=numbers.number(offline)))
    if never_seen:
        parts.append(
            ngettext("{count} never seen", "{count} never seen", never_seen).format(count=numbers.number(never_seen))
        )
    return " · ".join(parts)
