"""The bell of this desktop: tray icon, notifications and sound, none of them more often than a person can bear.

The sound is played by a program of the desktop, not by QtMultimedia: that one needs libpulse-mainloop-glib, which no
bare Debian has, and 10 MiB.
"""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from PyQt5.QtCore import QObject, QProcess, QStandardPaths, QTimer, pyqtSignal
from PyQt5.QtWidgets import QApplication, QMenu, QSystemTrayIcon

from core.alarms.digest import AlarmNotice, Digester
from core.config.settings import AlarmsSettings
from core.language import _
from core.site_records import Alarm, AlarmSeverity, AlarmState
from gui.models import alarm_words as words
from gui.plain_text import one_line, printable
from gui.theme import notifier
from gui.widgets.bell_icon import bell_icon

SOUND = Path(__file__).parents[2] / "resources" / "bell.wav"
PLAYERS = (("pw-play", ()), ("paplay", ()), ("aplay", ("-q",)), ("afplay", ()))
"""Programs that play a file, as desktops have them: PipeWire, PulseAudio, ALSA, macOS."""

BETWEEN_SOUNDS_S = 10.0
SAME_AGAIN_S = 300.0
"""The same rule of the same source is told so seldom, however often it rings: what flaps is no storm."""

MOST_NOTICES = 3
NOTICE_MS = 10_000
_TURN_MS = 250
_MOST_REMEMBERED = 5_000
_LONGEST_TEXT = 400

log = logging.getLogger("beffroi.gui")


class Sound(QObject):
    """Plays the bell; where no program can, the desktop's own beep."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._process: QProcess | None = None
        self._player = next(
            ((found, list(more)) for name, more in PLAYERS if (found := QStandardPaths.findExecutable(name))), None
        )

    def play(self) -> None:
        """Ring once; nothing while it still rings."""
        if sys.platform == "win32":
            import winsound

            winsound.PlaySound(str(SOUND), winsound.SND_FILENAME | winsound.SND_ASYNC | winsound.SND_NODEFAULT)
            return
        if self._player is None:
            QApplication.beep()
            return
        if self._process is not None and self._process.state() != QProcess.NotRunning:
            return
        program, more = self._player
        self._process = QProcess(self)
        self._process.setStandardOutputFile(QProcess.nullDevice())
        self._process.setStandardErrorFile(QProcess.nullDevice())
        self._process.finished.connect(self._on_finished)
        self._process.errorOccurred.connect(self._on_error)
        self._process.start(program, [*more, str(SOUND)])

    def stop(self) -> None:
        """Be quiet at once."""
        if self._process is not None:
            process, self._process = self._process, None
            process.blockSignals(True)
            process.kill()
            process.waitForFinished(500)

    def _on_finished(self, status: int, _how: object = None) -> None:
        if status != 0:
            self._on_error()

    def _on_error(self, _error: object = None) -> None:
        """A program that cannot reach the loudspeaker is not asked again."""
        if self._player is not None:
            log.info("%s cannot play the bell", self._player[0])
            self._player = None
            QApplication.beep()


class Bell(QObject):
    """Takes alarms in as they change, and tells a person of those that begin to ring."""

    opened = pyqtSignal(int)
    acknowledge_all_wanted = pyqtSignal()
    silenced = pyqtSignal(bool)
    quit_wanted = pyqtSignal()
    told = pyqtSignal(object)

    def __init__(self, settings: AlarmsSettings, parent: QObject | None = None, *, sound: Sound | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        self._sound = sound or Sound(self)
        self._digester = Digester()
        self._is_silent = False
        self._told_at_s: dict[tuple[str, str, str | None], float] = {}
        self._told: set[int] = set()
        self._rang_at_s = -math.inf
        self._counts: dict[AlarmSeverity, int] = {}
        self._active = 0
        self._last_alarm = 0
        self.tray: QSystemTrayIcon | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(_TURN_MS)
        self._timer.timeout.connect(self._turn)
        notifier.changed.connect(self._show_icon)

    @property
    def is_silent(self) -> bool:
        """True while the bell is silenced by the user."""
        return self._is_silent

    def attach_tray(self) -> None:
        """Show the icon in the tray, where the desktop has one; again after a change of language."""
        if not QSystemTrayIcon.isSystemTrayAvailable():
            return
        self.detach_tray()
        self.tray = QSystemTrayIcon(self)
        self._menu = QMenu()
        self._open = self._menu.addAction(_("Open Beffroi"), lambda: self.opened.emit(0))
        self._acknowledge = self._menu.addAction(_("Acknowledge all…"), self.acknowledge_all_wanted.emit)
        self._silence = self._menu.addAction(_("Silence"))
        self._silence.setCheckable(True)
        self._silence.setChecked(self._is_silent)
        self._silence.triggered.connect(self.set_silent)
        self._menu.addSeparator()
        self._menu.addAction(_("Quit"), self.quit_wanted.emit)
        self.tray.setContextMenu(self._menu)
        self.tray.activated.connect(self._on_activated)
        self.tray.messageClicked.connect(lambda: self.opened.emit(self._last_alarm))
        self._show_icon()
        self.tray.show()

    def detach_tray(self) -> None:
        """Take the icon away."""
        if self.tray is not None:
            self.tray.hide()
            self.tray.deleteLater()
            self.tray = None

    def set_settings(self, settings: AlarmsSettings) -> None:
        """Sound and notifications as the settings say."""
        self._settings = settings

    def set_silent(self, is_silent: bool) -> None:
        """No sound and no notification from now on, or again."""
        if is_silent == self._is_silent:
            return
        self._is_silent = is_silent
        if is_silent:
            self._sound.stop()
        if self.tray is not None:
            self._silence.setChecked(is_silent)
        self._show_icon()
        self.silenced.emit(is_silent)

    def set_counts(self, counts: dict[AlarmSeverity, int], active: int) -> None:
        """How many are open by severity, and how many of them nobody has acknowledged."""
        self._counts, self._active = dict(counts), active
        self._show_icon()

    def know(self, alarms: Iterable[Alarm]) -> None:
        """These are known already: they are not told."""
        now_s = time.monotonic()
        for alarm in alarms:
            self._digester.put(alarm, now_s)
            self._told.add(alarm.id)
        self._digester.take_all()

    def put(self, alarms: Iterable[Alarm]) -> None:
        """Alarms that changed; the notices of a burst follow when it is over."""
        now_s = time.monotonic()
        for alarm in alarms:
            key = (alarm.source, alarm.rule, alarm.quantity)
            is_told_lately = now_s - self._told_at_s.get(key, -math.inf) < SAME_AGAIN_S
            if alarm.state is AlarmState.ACTIVE and is_told_lately and alarm.severity is not AlarmSeverity.CRITICAL:
                continue
            if alarm.state is AlarmState.RESOLVED and alarm.id not in self._told:
                continue  # nobody was told that it rang
            if self._digester.put(alarm, now_s) and alarm.state is AlarmState.ACTIVE:
                self._told.add(alarm.id)
                self._remember(key, now_s)
            elif not alarm.state.is_open:
                self._told.discard(alarm.id)
        if len(self._digester) and not self._timer.isActive():
            self._timer.start()

    def stop(self) -> None:
        """Nothing is told any more."""
        self._timer.stop()
        self._sound.stop()
        self.detach_tray()

    def _remember(self, key: tuple[str, str, str | None], now_s: float) -> None:
        if len(self._told_at_s) >= _MOST_REMEMBERED:
            self._told_at_s = {one: at for one, at in self._told_at_s.items() if now_s - at < SAME_AGAIN_S}
        if len(self._told_at_s) < _MOST_REMEMBERED:
            self._told_at_s[key] = now_s

    def _turn(self) -> None:
        notices = self._digester.take(time.monotonic())
        if not len(self._digester):
            self._timer.stop()
        if notices:
            self._tell(notices)

    def _tell(self, notices: list[AlarmNotice]) -> None:
        if self._is_silent:
            return
        least = self._settings.notify or AlarmSeverity.MEDIUM
        wanted = [notice for notice in notices if notice.severity.rank >= least.rank]
        if self._settings.notify is not None:
            for notice in wanted[:MOST_NOTICES]:
                self._show_notice(notice)
        is_ringing = any(not notice.is_over for notice in wanted)
        now_s = time.monotonic()
        if is_ringing and self._settings.sound and now_s - self._rang_at_s >= BETWEEN_SOUNDS_S:
            self._rang_at_s = now_s
            self._sound.play()

    def _show_notice(self, notice: AlarmNotice) -> None:
        self.told.emit(notice)
        self._last_alarm = notice.alarms[0].id if len(notice.alarms) == 1 else 0
        if self.tray is not None and QSystemTrayIcon.supportsMessages():
            icon = QSystemTrayIcon.Information if notice.is_over else QSystemTrayIcon.Warning
            if notice.severity is AlarmSeverity.CRITICAL and not notice.is_over:
                icon = QSystemTrayIcon.Critical
            title, text = (_plain(part)[:_LONGEST_TEXT] for part in (one_line(notice.title), notice.text))
            self.tray.showMessage(title, text, icon, NOTICE_MS)

    def _show_icon(self) -> None:
        if self.tray is None:
            return
        worst = words.worst(list(self._counts))
        role = "ok" if worst is None else words.severity_role(worst)
        self.tray.setIcon(bell_icon(role, is_silent=self._is_silent, is_ringing=self._active > 0))
        count = sum(self._counts.values())
        # trays differ in what they take for markup: their words are fixed, the count stands in the menu
        self.tray.setToolTip(_("Beffroi: alarms are open") if count else _("Beffroi: nothing rings"))
        opening = _("Open Beffroi")
        self._open.setText(f"{opening} · {words.open_words(count)}" if count else opening)
        self._acknowledge.setEnabled(self._active > 0)

    def _on_activated(self, reason: int) -> None:
        if reason in (QSystemTrayIcon.Trigger, QSystemTrayIcon.DoubleClick):
            self.opened.emit(0)


def _plain(text: str) -> str:
    """`text` without what a desktop would take for markup: many show `<b>` and links in a notification."""
    return printable(text).translate({ord("<"): "‹", ord(">"): "›", ord("&"): "+"})
