"""Opens the window: painted first, then everything else is built behind it (`gui.wiring.console`)."""

from __future__ import annotations

import ctypes
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

from PyQt5.QtCore import QLibraryInfo, QLocale, QObject, QSettings, QSocketNotifier, Qt, QTimer, QTranslator
from PyQt5.QtWidgets import QApplication, QMessageBox

from core.config import Config, load_config
from core.home import Home, Lock
from core.language import _, language, use_language
from gui.main_window import MainWindow
from gui.models.machines import MachineModel
from gui.runtime.garbage import Garbage
from gui.theme import system_theme, use_theme

if TYPE_CHECKING:
    from gui.wiring.console import Console

SWITCH_S = 0.001
"""How long another thread may keep the interpreter while the GUI waits for it (Python's own choice is 5 ms)."""

GL_CHOICE = "QT_XCB_GL_INTEGRATION"

log = logging.getLogger("beffroi.gui")


def run(
    home: Home,
    *,
    demo: bool = False,
    is_home_given: bool = True,
    on_painted: Callable[[Window], None] | None = None,
) -> int:
    """Show the window of `home` until it is closed; the exit status.

    A demonstration without a home of its own gets a temporary one, removed at the end. Raises ConfigError.
    """
    complaint = display_complaint()
    if complaint:
        print(f"beffroi: {complaint}", file=sys.stderr)
        return 1
    folder = Path(tempfile.mkdtemp(prefix="beffroi-demo-")) if demo and not is_home_given else None
    try:
        return _run_in(home if folder is None else Home(folder / "home").make(), demo, on_painted)
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _run_in(home: Home, demo: bool, on_painted: Callable[[Window], None] | None) -> int:
    sys.setswitchinterval(SWITCH_S)
    config, warnings = load_config(home)
    if config.language != "system":
        use_language(config.language)
    give_back = _leave_out_opengl()

    def painted(window: Window) -> None:
        give_back()
        if on_painted is not None:
            on_painted(window)

    QApplication.setAttribute(Qt.AA_EnableHighDpiScaling)
    QApplication.setAttribute(Qt.AA_UseHighDpiPixmaps)
    application = QApplication.instance() or QApplication(["beffroi"])
    application.setApplicationName("Beffroi")
    application.setDesktopFileName("beffroi")
    application.setQuitOnLastWindowClosed(False)
    lock = Lock(home.path / "window.lock")
    if not lock.take():
        _say(
            _("Beffroi is open already on {path}; close that window, or choose another --home.").format(path=home.path)
        )
        return 1
    garbage = Garbage()
    try:
        garbage.start()
        window = Window(home, config, is_demo=demo, on_painted=painted)
        for warning in warnings:
            log.warning("%s", warning)
        return window.exec()
    finally:
        garbage.stop()
        lock.release()
        give_back()


def _leave_out_opengl() -> Callable[[], None]:
    """Keep Qt's X11 platform from loading OpenGL, which nothing here draws with: 50 MiB less, painted 30 ms sooner.

    It is asked once, with the first window. What is returned, called after that, gives the environment back as it was
    to the programs that are started from here.
    """
    if GL_CHOICE in os.environ:
        return lambda: None
    os.environ[GL_CHOICE] = "none"

    def give_back() -> None:
        os.environ.pop(GL_CHOICE, None)

    return give_back


class Window(QObject):
    """The application: one MainWindow at a time, and the Console behind it."""

    def __init__(
        self,
        home: Home,
        config: Config,
        *,
        is_demo: bool = False,
        on_painted: Callable[[Window], None] | None = None,
    ) -> None:
        super().__init__()
        self._home = home
        self._config = config
        self._is_demo = is_demo
        self._on_painted = on_painted
        self._settings = QSettings(str(home.path / "gui.ini"), QSettings.IniFormat)
        self._model = MachineModel(self)
        self._system_theme = system_theme()
        self._is_running = False
        self._is_ended = False
        self.console: Console | None = None
        use_theme(self._theme_named(config.theme))
        load_qt_words()
        self.main_window = self._open_window()

    def exec(self) -> int:
        """Run until the window is closed; everything is stopped and written when this returns."""
        before = sys.excepthook
        sys.excepthook = self._on_exception
        stop_listening = _quit_on_signals(self.close)
        try:
            self._is_running = True
            return int(QApplication.exec_())
        finally:
            self._is_running = False
            stop_listening()
            self.end()
            sys.excepthook = before

    def close(self) -> None:
        """Close as if the user had, but ask nothing: nobody may be there to answer."""
        self.main_window.may_close = None
        self.main_window.close()

    def end(self) -> None:
        """Stop all services, once."""
        self._is_ended = True
        if self.console is not None:
            console, self.console = self.console, None
            self.main_window.hide()
            console.stop()

    # What happens

    def _on_closing(self) -> None:
        if self._is_running:
            QApplication.quit()

    def _open_window(self) -> MainWindow:
        window = MainWindow(self._settings, self._model)
        window.painted.connect(self._on_first_paint)
        window.closing.connect(self._on_closing)
        window.show()
        return window

    def _on_first_paint(self) -> None:
        if self._on_painted is not None:
            self._on_painted(self)
        QTimer.singleShot(0, self._build)

    def _build(self) -> None:
        """What is slow to import comes now, when the window is there."""
        if self._is_ended:
            return
        from gui.wiring.console import Console

        if self._is_demo:
            from gui.wiring.demonstration import prepare

            self._config = prepare(self._home, self._config)
        self.console = Console(self._home, self._config, is_demo=self._is_demo, parent=self)
        self.console.theme_wanted.connect(self._on_theme)
        self.console.language_wanted.connect(self._on_language)
        self.console.attach(self.main_window)
        self.console.start()

    def _on_theme(self, name: str) -> None:
        use_theme(self._theme_named(name))

    def _on_language(self, code: str) -> None:
        """Another window in the other language takes the place of this one; services go on."""
        use_language(None if code == "system" else code)
        load_qt_words()
        old = self.main_window
        old.closing.disconnect()
        old.may_close = None
        old.keep_layout()
        before, model = self._model, MachineModel(self)
        model.set_machines(row.machine for row in before.rows())
        model.apply(row.report for row in before.rows() if row.report is not None)
        self._model = model
        self.main_window = MainWindow(self._settings, model)
        self.main_window.closing.connect(self._on_closing)
        if self.console is not None:
            self.console.attach(self.main_window)
        self.main_window.show()
        self.main_window.activateWindow()
        old.close()
        old.deleteLater()
        before.deleteLater()

    def _theme_named(self, name: str) -> str:
        return self._system_theme if name == "system" else name

    def _on_exception(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """A slot has raised: log it, say so, go on."""
        if issubclass(kind, KeyboardInterrupt):
            self.close()
            return
        log.error("a slot failed", exc_info=(kind, error, trace))
        self.main_window.show_notice(
            _("Something went wrong that should not: {error}. Its details are in {path}.").format(
                error=f"{kind.__name__}: {error}", path=self._home.log_path
            )
        )


def load_qt_words() -> None:
    """Qt's own dialogs in the language of ours."""
    QLocale.setDefault(QLocale(language()))
    application = QApplication.instance()
    for before in application.findChildren(QTranslator):
        QApplication.removeTranslator(before)
        before.deleteLater()
    if language() != "en":
        translator = QTranslator(application)
        if translator.load(f"qtbase_{language()}", QLibraryInfo.location(QLibraryInfo.TranslationsPath)):
            QApplication.installTranslator(translator)


def display_complaint() -> str:
    """Why no window can be shown, and what works without one; empty when it can. Asked before Qt, which would abort."""
    if not sys.platform.startswith("linux"):
        return ""
    platform = os.environ.get("QT_QPA_PLATFORM", "")
    if (platform and not platform.startswith("xcb")) or (os.environ.get("WAYLAND_DISPLAY") and not platform):
        return ""
    display = os.environ.get("DISPLAY", "")
    if display and _can_connect(display):
        return ""
    reason = _("the display {name} cannot be opened").format(name=display) if display else _("there is no display")
    return _(
        "{reason}, so no window can be shown. These work without one: collect, status, processes, run, machines, "
        "meter read, meter watch, sensors, room, check, alarms, history, agent run (see beffroi --help)."
    ).format(reason=reason)


def _can_connect(display: str) -> bool:
    """True when an X server takes us at `display` (libxcb, xcb_connect and xcb_connection_has_error).

    The connection stays open: a server that resets itself when its last client leaves would refuse Qt just after.
    """
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return True  # no library to ask with: Qt brings its own words
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connection_has_error.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(display.encode(), None)
    return bool(xcb.xcb_connection_has_error(connection) == 0)


def _say(text: str) -> None:
    """One sentence on stderr, and in a box where someone can see it."""
    print(f"beffroi: {text}", file=sys.stderr)
    if QApplication.platformName() not in ("offscreen", "minimal"):
        load_qt_words()
        box = QMessageBox(QMessageBox.Information, "Beffroi", "", QMessageBox.Close)
        box.setTextFormat(Qt.PlainText)
        box.setText(text)
        QTimer.singleShot(30_000, box.close)
        box.exec_()


def _quit_on_signals(close: Callable[[], None]) -> Callable[[], None]:
    """Call `close` in the GUI thread at SIGINT and SIGTERM; what is returned gives the signals back."""
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    notifier = QSocketNotifier(reader.fileno(), QSocketNotifier.Read)
    asked: list[int] = []

    def on_signal(number: int, _frame: FrameType | None) -> None:
        asked.append(number)

    def on_readable() -> None:
        try:
            reader.recv(64)
        except BlockingIOError:
            return
        QTimer.singleShot(0, close)

    notifier.activated.connect(on_readable)
    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    before_fd = signal.set_wakeup_fd(writer.fileno())

    def stop() -> None:
        signal.set_wakeup_fd(before_fd)
        for number, handler in before.items():
            signal.signal(number, handler)
        notifier.setEnabled(False)
        reader.close()
        writer.close()

    return stop
