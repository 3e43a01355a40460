"""The real window and its own agent: a second console is admitted and revoked, and the key is protected."""

import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QApplication

from core import audit
from core.config import load_config
from core.errors import WrongPassphraseError
from core.records import MachineState
from core.services.console_cards import card_of, card_text
from core.transport.identity import ensure_identity, unlocked
from gui.app import Window
from gui.dialogs.passphrase import PassphraseDialog

SLOW_MS = 20_000
SECRET = "correct horse battery"


@pytest.fixture
def open_window(qtbot, home):
    opened = []

    def start():
        window = Window(home, load_config(home)[0])
        opened.append(window)
        qtbot.waitUntil(lambda: window.console is not None, timeout=SLOW_MS)
        return window

    def close(window):
        opened.remove(window)
        window.close()
        window.end()
        window.main_window.deleteLater()
        window.deleteLater()
        qtbot.wait(1)

    yield start, close
    for window in list(opened):
        close(window)


def own(window):
    machine = window.console.machines.local()
    row = window.main_window.model.row(machine.name) if machine is not None else None
    return machine.name if row is not None and row.state is MachineState.ONLINE else None


def test_a_second_console_comes_and_goes_and_the_key_is_asked_for(qtbot, tmp_path, home, open_window, monkeypatch):
    start, close = open_window
    window = start()
    qtbot.waitUntil(lambda: own(window) is not None, timeout=SLOW_MS)
    bob = ensure_identity(tmp_path / "bob", "bob")
    desk = window.console.trust
    dialog = desk.open_consoles()
    qtbot.waitUntil(lambda: dialog.model.rowCount() == 1, timeout=SLOW_MS)
    assert dialog.fingerprint.text().replace(" ", "").startswith("SHA256:")
    admitting = desk.open_admit()
    admitting.text.setPlainText("not a card")
    assert "not the card" in admitting._words.text()
    admitting.text.setPlainText(card_text(card_of(bob)))
    assert admitting.who.text() == "bob"
    admitting.is_compared.setChecked(True)
    qtbot.mouseClick(admitting.accept_button, Qt.LeftButton)
    qtbot.waitUntil(lambda: dialog.model.rowCount() == 2, timeout=SLOW_MS)
    admitting.reject()
    row = next(dialog.model.row(place) for place in range(2) if dialog.model.row(place).name == "bob")
    asked = []
    monkeypatch.setattr(desk, "_agrees", lambda *words: asked.append(words) or True)
    desk.revoke(row)
    qtbot.waitUntil(lambda: dialog.model.rowCount() == 1 and dialog.asked.text().startswith("1 "), timeout=SLOW_MS)
    assert len(asked) == 1
    decisions = [
        entry["decision"] for entry in audit.read(home.agent_path / "audit.log") if entry["event"] == "consoles"
    ]
    assert decisions == ["allowed", "allowed"]

    protecting = desk.key.open_protect()
    protecting.new.setText(SECRET)
    protecting.again.setText(SECRET)
    qtbot.mouseClick(protecting.accept_button, Qt.LeftButton)
    qtbot.waitUntil(lambda: dialog.protect_button.text().startswith("Change"), timeout=SLOW_MS)
    dialog.reject()
    with pytest.raises(WrongPassphraseError):
        unlocked(ensure_identity(home.console_path, "x"), None)
    close(window)

    window = start()
    shown = []

    def is_asked():
        shown[:] = [item for item in QApplication.topLevelWidgets() if isinstance(item, PassphraseDialog)]
        return bool(shown) and shown[0].isVisible()

    qtbot.waitUntil(is_asked, timeout=SLOW_MS)
    assert window.console.services.pool is None
    for text in ("wrong", SECRET):
        qtbot.waitUntil(lambda: not shown[0].is_busy, timeout=SLOW_MS)
        shown[0].field.setText(text)
        qtbot.mouseClick(shown[0].accept_button, Qt.LeftButton)
    qtbot.waitUntil(lambda: own(window) is not None, timeout=SLOW_MS)
    assert SECRET not in home.config_path.read_text() + home.log_path.read_text()
