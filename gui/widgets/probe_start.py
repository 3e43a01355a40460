"""What the Energy page shows before any meter is read: where a probe may be, what is tried, what is missing."""

from __future__ import annotations

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from core.language import _
from core.records import MeterReport, MeterState
from gui.theme import scaled_font
from gui.widgets.card import GAP, Card
from gui.widgets.labels import plain_label, set_role

_WIDTH_PX = 620


class ProbeStart(QWidget):
    """Serial ports with a *Connect* button each, the words of the search, and the simulated meter to try."""

    connect_wanted = pyqtSignal(str)
    simulate_wanted = pyqtSignal()
    ports_wanted = pyqtSignal()
    key_wanted = pyqtSignal(str)
    password_wanted = pyqtSignal(str)
    stop_wanted = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._report: MeterReport | None = None
        card = Card(_("Electricity meter"))
        card.setMaximumWidth(_WIDTH_PX)
        headline = plain_label(_("No meter is connected yet"))
        headline.setFont(scaled_font(1.4, bold=True))
        sentence = plain_label(
            _("Put the optical probe on the meter, plug it in and connect it: protocol and speed are found by trying."),
            "dim",
            wrap=True,
        )
        card.body.addWidget(headline)
        card.body.addWidget(sentence)
        self._state = plain_label(wrap=True)
        self._busy = QProgressBar()
        self._busy.setRange(0, 0)
        self._busy.setTextVisible(False)
        self.key_button = QPushButton(_("Enter the key…"))
        self.key_button.setProperty("role", "primary")
        self.key_button.clicked.connect(self._on_key_clicked)
        self.stop_button = QPushButton(_("Stop"))
        self.stop_button.clicked.connect(self._on_stop_clicked)
        state_line = QHBoxLayout()
        state_line.addWidget(self._state, 1)
        state_line.addWidget(self.key_button)
        state_line.addWidget(self.stop_button)
        card.body.addSpacing(GAP)
        card.body.addLayout(state_line)
        card.body.addWidget(self._busy)
        card.body.addSpacing(GAP)
        self._ports_title = plain_label("", "dim")
        card.body.addWidget(self._ports_title)
        self._ports = QVBoxLayout()
        self._ports.setSpacing(6)
        card.body.addLayout(self._ports)
        card.body.addSpacing(GAP)
        self.look_button = QPushButton(_("Look again"))
        self.look_button.clicked.connect(self.ports_wanted)
        self.simulate_button = QPushButton(_("Try the simulated E450"))
        self.simulate_button.setProperty("role", "primary")
        self.simulate_button.clicked.connect(self.simulate_wanted)
        buttons = QHBoxLayout()
        buttons.addWidget(self.look_button)
        buttons.addStretch(1)
        buttons.addWidget(self.simulate_button)
        card.body.addLayout(buttons)
        line = QHBoxLayout()
        line.addStretch(1)
        line.addWidget(card, 6)
        line.addStretch(1)
        layout = QVBoxLayout(self)
        layout.addStretch(1)
        layout.addLayout(line)
        layout.addStretch(2)
        self.port_buttons: list[QPushButton] = []
        self.apply_ports([])
        self.apply_report(None)

    def apply_ports(self, ports: list[dict[str, str]]) -> None:
        """List these serial ports: keys `device` and `description`."""
        while self._ports.count():
            row = self._ports.takeAt(0).widget()
            if row is not None:
                row.setParent(None)
                row.deleteLater()
        self.port_buttons = []
        for port in ports:
            row = QWidget()
            line = QHBoxLayout(row)
            line.setContentsMargins(0, 0, 0, 0)
            line.addWidget(plain_label(port["device"]))
            description = port.get("description") or ""
            line.addWidget(plain_label(description if description != "n/a" else "", "dim", wrap=True), 1)
            button = QPushButton(_("Connect"))
            button.setAccessibleName(_("Connect {device}").format(device=port["device"]))
            button.setProperty("device", port["device"])
            button.clicked.connect(self._on_connect_clicked)
            line.addWidget(button, 0, Qt.AlignRight)
            self.port_buttons.append(button)
            self._ports.addWidget(row)
            row.show()
        self._ports_title.setText(
            _("Serial ports of this machine")
            if ports
            else _("No serial port is found on this machine: plug the probe in, then look again.")
        )

    def apply_report(self, report: MeterReport | None) -> None:
        """Say what is tried, found or missing; None: nothing is going on."""
        self._report = report
        is_busy = report is not None and report.state in (MeterState.SEARCHING, MeterState.READING)
        waits_for_key = report is not None and (report.needs_key or report.needs_password)
        is_told = report is not None and (is_busy or report.state is not MeterState.DISCONNECTED)
        self._state.setVisible(is_told)
        self._state.setText(f"{report.port}: {report.text}" if report is not None and report.port else "")
        if report is not None and not report.port:
            self._state.setText(report.text)
        is_bad = report is not None and (report.state is MeterState.FAILED or waits_for_key)
        set_role(self._state, "warning" if is_bad else None)
        self._busy.setVisible(is_busy and not waits_for_key)
        self.key_button.setVisible(waits_for_key)
        self.key_button.setText(
            _("Enter the password…") if report is not None and report.needs_password else _("Enter the key…")
        )
        set_role(self.simulate_button, None if waits_for_key or is_busy else "primary")
        self.stop_button.setVisible(is_busy)
        for button in self.port_buttons:
            button.setEnabled(not (is_busy and report is not None and report.port == button.property("device")))

    def state_text(self) -> str:
        """The words shown."""
        return self._state.text()

    def _on_connect_clicked(self) -> None:
        sender = self.sender()
        if sender is not None:
            self.connect_wanted.emit(sender.property("device"))

    def _on_key_clicked(self) -> None:
        if self._report is not None:
            wanted = self.password_wanted if self._report.needs_password else self.key_wanted
            wanted.emit(self._report.name)

    def _on_stop_clicked(self) -> None:
        if self._report is not None:
            self.stop_wanted.emit(self._report.name)
