import sys
from pathlib import Path

import pytest
from PyQt5.QtCore import QEvent, QSettings, Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QWidget

from gui.theme import use_theme

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def _dark(qapp):
    use_theme("dark")
    yield
    # No event loop runs between tests: without this every closed window stays, and each theme restyles them all.
    qapp.sendPostedEvents(None, QEvent.DeferredDelete)


@pytest.fixture(autouse=True)
def _open_hand(qapp):
    """No test begins with a button held: the second press of a double click of QTest stays, and moves become drags."""
    yield
    for button in (Qt.LeftButton, Qt.RightButton, Qt.MiddleButton):
        if qapp.mouseButtons() & button:
            QTest.mouseRelease(QWidget(), button)


@pytest.fixture(autouse=True)
def _held(qtbot, monkeypatch):
    """Widgets live until their test is torn down.

    qtbot keeps weak references, and lets Qt paint once more when a test function has ended: a window that only that
    function held could be collected while it is painted.
    """
    held = []
    add = qtbot.addWidget

    def add_and_hold(widget, **more):
        held.append(widget)
        add(widget, **more)

    monkeypatch.setattr(qtbot, "addWidget", add_and_hold)
    yield
    held.clear()


@pytest.fixture
def settings(tmp_path):
    return QSettings(str(tmp_path / "gui.ini"), QSettings.IniFormat)


@pytest.fixture
def show(qtbot):
    """Show a dialog as the window does, and keep it until the end of the test."""

    def shown(dialog):
        dialog.setAttribute(Qt.WA_DeleteOnClose, False)
        qtbot.addWidget(dialog)
        dialog.show()
        qtbot.waitExposed(dialog)
        return dialog

    return shown
