"""This machine's own agent: a child of the window, paired by itself at the first start, found again at later ones."""

from __future__ import annotations

import json
import logging
import os
import platform
import re
import signal
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from PyQt5.QtCore import QObject, QTimer, pyqtSignal

from core.errors import ConfigError
from core.home import Home, Lock
from core.language import _
from core.records import Machine
from gui.runtime.child_program import ChildProgram
from gui.runtime.services import Services
from gui.wiring.machines import MachineDesk

PAIR_RETRY_MS = 1500
PAIR_TRIES = 3
AGAIN_MS = 15_000
"""Given up, it is tried again so often: what was wrong may be mended meanwhile, such as the rights of its folder."""

log = logging.getLogger("beffroi.gui")


class LocalAgent(QObject):
    """Starts, pairs, follows and ends the agent of this home; one that runs already is used as it is."""

    failed = pyqtSignal(str)
    mended = pyqtSignal(str)
    """What `failed` told is over."""

    def __init__(self, home: Home, services: Services, desk: MachineDesk, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._home = home
        self._services = services
        self._desk = desk
        self._child: ChildProgram | None = None
        self._pairing: ChildProgram | None = None
        self._adopted_pid = 0
        self._address: tuple[str, int] | None = None
        self._code = ""
        self._tries_left = PAIR_TRIES
        self._complaint = ""
        self._again = QTimer(self)
        self._again.setSingleShot(True)
        self._again.setInterval(AGAIN_MS)
        self._again.timeout.connect(self.start)

    @property
    def pid(self) -> int:
        """Process id of the child, 0 when there is none."""
        return self._adopted_pid if self._child is None else self._child.pid

    @property
    def _note_path(self) -> Path:
        """Where the child's process id is noted: a window that was killed leaves its agent to the next one."""
        return self._home.agent_path / "window_child"

    def start(self) -> None:
        """Find the agent of this home, or start it; called once the machines are known."""
        found = _running_at(self._home.agent_path)
        if found is not None:
            host, port, pid = found
            if pid and pid == _recorded_pid(self._note_path):
                self._adopted_pid = pid
            self._on_listening(host, port)
            if self._is_unpaired():
                self.pair_again()
            return
        words = self._words("agent", "run", "--listen", "127.0.0.1:0")
        if self._is_unpaired():
            words.append("--pair")
        self._child = ChildProgram(words, self)
        self._child.line_read.connect(self._on_line)
        self._child.fell.connect(self._on_fell)
        self._child.died.connect(self._on_died)
        self._child.start()

    def pair_again(self) -> None:
        """Have the running agent open pairing, and pair with it."""
        if self._pairing is not None:
            self._pairing.stop()
        self._pairing = ChildProgram(self._words("agent", "pair"), self, restarts=0)
        self._pairing.line_read.connect(self._on_line)
        self._pairing.start()

    def request_stop(self) -> None:
        """Ask the child to end."""
        self._again.stop()
        for child in (self._child, self._pairing):
            if child is not None:
                child.request_stop()
        if self._adopted_pid:
            pid, self._adopted_pid = self._adopted_pid, 0
            try:
                os.kill(pid, signal.SIGTERM)
            except OSError as error:
                log.warning("the agent %d was not ended: %s", pid, error)

    def stop(self) -> None:
        """End the child and wait for it."""
        self.request_stop()
        for child in (self._child, self._pairing):
            if child is not None:
                child.stop()

    def _words(self, *words: str) -> list[str]:
        return ["--home", str(self._home.path), *words]

    def _is_unpaired(self) -> bool:
        local = self._desk.local()
        return local is None or local.fingerprint is None

    def _on_line(self, line: str) -> None:
        listening = re.fullmatch(r"listening on (.+):(\d+)", line)
        if listening:
            self._on_listening(listening[1].strip("[]"), int(listening[2]))
        elif line.startswith("code: "):
            self._code = line.removeprefix("code: ").strip()
            self._tries_left = PAIR_TRIES
            self._pair()

    def _on_listening(self, host: str, port: int) -> None:
        """The port changes with each start: the pinned certificate is what stays."""
        if self._complaint:
            self.mended.emit(self._complaint)
            self._complaint = ""
        self._address = ("127.0.0.1" if host in ("0.0.0.0", "::") else host, port)  # noqa: S104 compared, not listened on
        if self._child is not None:
            self._note_path.write_text(str(self._child.pid), encoding="ascii")
        local = self._desk.local()
        if local is not None and (local.host, local.port) != self._address:
            self._desk.save(replace(local, host=self._address[0], port=self._address[1]))
        if self._child is not None and not self._is_unpaired():
            self._child.set_words(self._words("agent", "run", "--listen", "127.0.0.1:0"))

    def _pair(self) -> None:
        if self._address is None or not self._code:
            return
        self._services.pair(*self._address, self._code, self._on_paired, self._on_not_paired)

    def _on_paired(self, agent: Any) -> None:
        assert self._address is not None
        local = self._desk.local()
        name = local.name if local is not None else self._desk.free_name(platform.node().partition(".")[0], "localhost")
        self._desk.save(
            replace(
                local or Machine(name=name, host=""),
                host=self._address[0],
                port=self._address[1],
                fingerprint=agent.fingerprint,
                certificate_pem=agent.certificate_pem,
                level=agent.level,
                os=agent.os,
                is_local=True,
            )
        )
        self._services.note(f"machine/{name}", "paired", _("{name} is paired").format(name=name))
        if self._child is not None:
            self._child.set_words(self._words("agent", "run", "--listen", "127.0.0.1:0"))

    def _on_not_paired(self, error: BaseException) -> None:
        log.warning("this machine's agent is not paired: %s", error)
        self._tries_left -= 1
        if self._tries_left > 0:
            QTimer.singleShot(PAIR_RETRY_MS, self._pair)
        else:
            self.failed.emit(_("this machine's own agent could not be paired: {reason}").format(reason=error))

    def _on_fell(self, words: str) -> None:
        """Say so at its first end: it is started again, but what it says mostly needs somebody."""
        complaint = _("this machine's own agent does not stay alive: {reason}").format(
            reason=words.removeprefix("beffroi: ") or _("it gave no reason")
        )
        if complaint != self._complaint:
            self._complaint = complaint
            self.failed.emit(complaint)

    def _on_died(self, words: str) -> None:
        self._on_fell(words)
        if self._child is not None:
            self._child.deleteLater()
            self._child = None
        self._again.start()


def _running_at(folder: Path) -> tuple[str, int, int] | None:
    """Host, port and process id of the agent of that folder, None when none runs; it holds a lock while it lives."""
    lock = Lock(folder / "lock")
    try:
        if lock.take():
            lock.release()
            return None
        found = json.loads((folder / "listening").read_bytes())
        host, _colon, port = found["address"].rpartition(":")
        return host.strip("[]"), int(port), int(found.get("pid") or 0)
    except (ConfigError, OSError, ValueError, KeyError, TypeError):
        return None


def _recorded_pid(path: Path) -> int:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0
