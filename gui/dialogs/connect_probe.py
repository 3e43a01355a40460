"""Connect probe…: the ports found or an address, and in live words what is tried and found."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QHBoxLayout, QLineEdit, QListWidget, QListWidgetItem, QPushButton, QWidget

from core.config import MeterConfig
from core.language import N_, _
from core.records import MeterReport, MeterState
from gui.dialogs.base import FormDialog, More
from gui.plain_text import one_line
from gui.widgets.choice_box import ChoiceBox
from gui.widgets.labels import plain_label

PROTOCOLS = (
    ("auto", N_("find out by itself")),
    ("push", N_("DLMS push (the meter sends by itself)")),
    ("iec62056-21", N_("IEC 62056-21 (the meter is asked)")),
)
LINES = ((None, None), (9600, "N"), (2400, "E"), (300, "E"), (115_200, "N"))


class ConnectProbeDialog(FormDialog):
    """`connect_wanted(MeterConfig)`, `stop_wanted(name)`, `key_wanted(name)`, `ports_wanted()`."""

    connect_wanted = pyqtSignal(object)
    stop_wanted = pyqtSignal(str)
    key_wanted = pyqtSignal(str)
    ports_wanted = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(_("Connect probe"), _("Connect"), parent)
        self._name = ""
        self.add_wide(
            plain_label(
                _("Put the optical head on the meter, then choose the port that it is plugged into."), wrap=True
            )
        )
        self.ports = QListWidget()
        self.ports.setObjectName("card")
        self.ports.setAccessibleName(_("Serial ports found"))
        self.ports.setFixedHeight(110)
        self.ports.currentItemChanged.connect(self._on_port)
        self.ports.itemActivated.connect(lambda _item: self.on_accept())
        self.add_wide(self.ports)
        self.port = QLineEdit()
        self.port.setPlaceholderText("/dev/ttyUSB0   socket://192.0.2.7:2000")
        self._again = QPushButton(_("Look again"))
        self._again.setAutoDefault(False)
        self._again.clicked.connect(self.ports_wanted)
        line = QHBoxLayout()
        line.setSpacing(6)
        line.addWidget(self.port, 1)
        line.addWidget(self._again)
        self.add_row(_("Port"), line)
        self.port.setAccessibleName(_("Port"))
        self.protocol = ChoiceBox()
        for value, title in PROTOCOLS:
            self.protocol.addItem(_(title), value)
        self.add_row(_("Protocol"), self.protocol)
        more = More()
        self.name = QLineEdit()
        self.name.setPlaceholderText(_("its serial number"))
        more.add_row(_("Name"), self.name)
        self.line = ChoiceBox()
        for baud, parity in LINES:
            text = _("find out by itself") if baud is None else f"{baud} {8 if parity == 'N' else 7}{parity}1"
            if (baud, parity) == (2400, "E"):
                text = "2400 8E1"
            self.line.addItem(text, (baud, parity))
        more.add_row(_("Line"), self.line)
        self.add_wide(more)
        self._key = self.add_button(_("Key…"), lambda: self.key_wanted.emit(self._name))
        self._key.hide()

    def apply_ports(self, ports: Sequence[dict[str, object]]) -> None:
        """The serial ports found."""
        self.ports.clear()
        for port in ports:
            device, description = str(port.get("device", "")), str(port.get("description") or "")
            item = QListWidgetItem(one_line(f"{device}   {description}" if description else device))
            item.setData(Qt.UserRole, device)
            self.ports.addItem(item)
        if not ports:
            item = QListWidgetItem(_("no serial port found: plug the probe in, then look again"))
            item.setFlags(Qt.NoItemFlags)
            self.ports.addItem(item)
        elif not self.port.text():
            self.ports.setCurrentRow(0)

    def on_accept(self) -> None:
        """Ask for the connection."""
        port = self.port.text().strip()
        if not port:
            self.say(_("Choose a port, or type one."), "warning")
            self.port.setFocus()
            return
        baud, parity = self.line.currentData()
        self._name = self.name.text().strip() or port.rpartition("/")[2] or port
        self.set_busy(True)
        self.say(_("opening {port}…").format(port=port))
        self.connect_wanted.emit(
            MeterConfig(name=self._name, port=port, protocol=self.protocol.currentData(), baud=baud, parity=parity)
        )

    def apply_report(self, report: MeterReport) -> None:
        """What is tried, found or missing."""
        if not self._name or report.name != self._name:
            return
        self._key.setVisible(report.needs_key)
        if report.state is MeterState.READING:
            self.set_busy(False)
            self.accept()
        elif report.state in (MeterState.FAILED, MeterState.DISCONNECTED):
            self.set_busy(False)
            self.say(report.text, "warning" if report.needs_key else "critical")
        else:
            self.say(report.text, "warning" if report.state is MeterState.SILENT else None)

    def apply_failed(self, error: BaseException) -> None:
        """It could not even be begun."""
        self.set_busy(False)
        self.say(str(error), "critical")

    def meter(self) -> str:
        """Name under which the connection was asked for."""
        return self._name

    def _on_port(self, item: QListWidgetItem | None) -> None:
        device = item.data(Qt.UserRole) if item is not None else None
        if device:
            self.port.setText(device)
