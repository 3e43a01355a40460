"""A check to add or to change, with a button that tries it at once."""

from __future__ import annotations

from collections.abc import Collection

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QAbstractSpinBox, QCompleter, QDoubleSpinBox, QLineEdit, QWidget

from core.config.settings import CheckConfig
from core.language import _
from core.site_records import CheckResult, CheckState
from gui.dialogs.base import FormDialog, More
from gui.models.check_row import days_words, latency_words, state_words
from gui.plain_text import one_line
from gui.widgets.labels import plain_label

_SAMPLES = "https://intranet.example.org/   192.0.2.7:22   printer.local"


class EditCheckDialog(FormDialog):
    """`save_wanted(CheckConfig)` and `try_wanted(CheckConfig)`; who answers calls `apply_…`.

    A name that is left empty is made of the target by who saves. `taken` are the names of the other checks.
    """

    save_wanted = pyqtSignal(object)
    try_wanted = pyqtSignal(object)

    def __init__(
        self,
        check: CheckConfig | None = None,
        taken: Collection[str] = (),
        groups: Collection[str] = (),
        parent: QWidget | None = None,
    ) -> None:
        title = _("Add a check") if check is None else _("Check {name}").format(name=one_line(check.name))
        super().__init__(title, _("Add") if check is None else _("Save"), parent)
        self._taken = frozenset(taken)
        known = check or CheckConfig(name="", target="")
        self.target = QLineEdit(known.target)
        self.target.setMaxLength(2048)
        self.target.setPlaceholderText(_SAMPLES)
        self.add_row(_("Target"), self.target)
        self.add_wide(
            plain_label(
                _("A page (https://… or http://…) is fetched, HOST:PORT is connected to, and HOST alone is pinged."),
                "dim",
                wrap=True,
            )
        )
        self.name = QLineEdit(known.name)
        self.name.setMaxLength(64)
        self.name.setPlaceholderText(_("as the target"))
        self.add_row(_("Name"), self.name)
        self.text = QLineEdit(known.text or "")
        self.text.setMaxLength(1024)
        self.text.setPlaceholderText(_("any; of pages alone"))
        self.add_row(_("Text in the page"), self.text)
        self.groups = QLineEdit(", ".join(known.groups))
        self.groups.setPlaceholderText(_("separated by commas; it is listed under the first one"))
        if groups:
            self.groups.setCompleter(QCompleter(sorted(groups), self.groups))
        self.add_row(_("Groups"), self.groups)
        more = More()
        self.interval = _seconds(known.interval_s, 1.0, 86_400.0)
        more.add_row(_("Every"), self.interval)
        self.timeout = _seconds(known.timeout_s, 0.1, 300.0)
        more.add_row(_("Time-out"), self.timeout)
        self.add_wide(more)
        if check is not None:
            more.open()
        self.try_button = self.add_button(_("Try it"), self._on_try)

    def check(self) -> CheckConfig:
        """What the fields say."""
        groups = [word.strip()[:64] for word in self.groups.text().split(",") if word.strip()]
        return CheckConfig(
            name=self.name.text().strip(),
            target=self.target.text().strip(),
            interval_s=round(self.interval.value(), 1),
            timeout_s=round(self.timeout.value(), 1),
            text=self.text.text() or None,
            groups=tuple(dict.fromkeys(groups)),
        )

    def on_accept(self) -> None:
        """Ask for what is written to be kept; it closes by `apply_saved`."""
        if self._is_complete():
            self.save_wanted.emit(self.check())

    def apply_saved(self) -> None:
        """It is kept."""
        self.set_busy(False)
        self.accept()

    def apply_refused(self, reason: str) -> None:
        """It cannot be so, and why."""
        self.set_busy(False)
        self.try_button.setEnabled(True)
        self.say(reason, "critical")

    def apply_result(self, result: CheckResult) -> None:
        """What came of trying."""
        if not self.is_busy:
            return  # cancelled meanwhile
        self.set_busy(False)
        self.try_button.setEnabled(True)
        parts = [state_words(result.state)]
        if result.status is not None:
            parts.append(_("status {status}").format(status=result.status))
        if result.latency_ms is not None:
            parts.append(latency_words(result.latency_ms))
        if result.certificate_days is not None:
            parts.append(days_words(result.certificate_days))
        words = " · ".join(parts)
        self.say(f"{words}\n{result.error}" if result.error else words, _RESULT_ROLES[result.state])

    def _on_try(self) -> None:
        if self._is_complete():
            self.say("")
            self.set_busy(True)
            self.try_button.setEnabled(False)
            self.try_wanted.emit(self.check())

    def set_busy(self, is_busy: bool) -> None:
        """While it is tried, Cancel stops that."""
        super().set_busy(is_busy)
        if not is_busy:
            self.try_button.setEnabled(True)

    def _is_complete(self) -> bool:
        name = self.name.text().strip()
        if not self.target.text().strip():
            self.say(_("A check needs a target: a URL, HOST:PORT or HOST."), "critical")
            self.target.setFocus()
        elif "/" in name or not name.isprintable():
            self.say(_("A name has no slash and no characters that cannot be shown."), "critical")
            self.name.setFocus()
        elif name in self._taken:
            self.say(_("There is a check called {name} already; choose another name.").format(name=name), "critical")
            self.name.setFocus()
        else:
            return True
        return False


_RESULT_ROLES = {CheckState.OK: "ok", CheckState.FAILED: "critical", CheckState.TIMEOUT: "critical"}


def _seconds(value: float, least: float, most: float) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setRange(least, most)
    box.setDecimals(0 if least >= 1 else 1)
    box.setValue(value)
    box.setSuffix(" s")
    box.setButtonSymbols(QAbstractSpinBox.NoButtons)
    return box
