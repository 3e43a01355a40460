"""Connect probe…, and the settings of a meter that is known: the ports found or an address, and what is tried."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QGuiApplication
from PyQt5.QtWidgets import QHBoxLayout, QLineEdit, QListWidget, QListWidgetItem, QPushButton, QScrollArea, QWidget

from core.config import MeterConfig
from core.language import _
from core.records import MeterReport, MeterState
from gui.dialogs.base import FormDialog, ask
from gui.dialogs.probe_fields import PROTOCOLS, ProbeFields, WrongProbeError
from gui.plain_text import one_line
from gui.widgets.choice_box import ChoiceBox
from gui.widgets.labels import plain_label

_USB_SERIAL = Qt.UserRole + 1
_MOST_NAME = 64
_PLACED_MS = 50
_LEAST_PX, _MOST_PX = 160, 420
"""Height of the fields that few need; they scroll within it."""
_OTHERS_PX = 500
_PORT_PX, _MOST_PORTS = 24, 4


class ConnectProbeDialog(FormDialog):
    """`connect_wanted(MeterConfig, secrets, old name)`: `secrets` are what was typed of `password`, `key`, `auth_key`.

    With a `meter` it shows the settings of that one; `removed(name)` asks to forget it. Secrets that are kept are
    never shown again.
    """

    connect_wanted = pyqtSignal(object, dict, str)
    removed = pyqtSignal(str)
    key_wanted = pyqtSignal(str)
    password_wanted = pyqtSignal(str)
    ports_wanted = pyqtSignal()
    scan_wanted = pyqtSignal(str, object)
    """Port, and speed where one is chosen: search this M-Bus; `take_address` takes what was chosen."""

    def __init__(
        self,
        parent: QWidget | None = None,
        *,
        meter: MeterConfig | None = None,
        names: Sequence[str] = (),
        tariffs: Sequence[str] = (),
        presets: Sequence[str] = (),
    ) -> None:
        title = _("Connect probe") if meter is None else _("Settings of {meter}").format(meter=meter.name)
        super().__init__(title, _("Connect") if meter is None else _("Save and connect"), parent)
        self._name = ""
        self._meter = meter
        self._names = frozenset(names)
        self._usb_serial = meter.usb_serial if meter is not None else None
        if meter is None:
            words = _("Put the optical head on the meter, then choose the port that it is plugged into.")
            self.add_wide(plain_label(words, wrap=True))
        self.ports = QListWidget()
        self.ports.setObjectName("card")
        self.ports.setAccessibleName(_("Serial ports found"))
        self._size_ports(1)
        self.ports.currentItemChanged.connect(self._on_port)
        self.ports.itemActivated.connect(lambda _item: self.on_accept())
        self.add_wide(self.ports)
        self.port = QLineEdit(meter.port if meter is not None else "")
        self.port.setPlaceholderText("/dev/ttyUSB0   socket://192.0.2.7:2000")
        self.port.textEdited.connect(self._on_port_typed)
        self._again = QPushButton(_("Look again"))
        self._again.setAutoDefault(False)
        self._again.clicked.connect(self.ports_wanted)
        line = QHBoxLayout()
        line.setSpacing(6)
        line.addWidget(self.port, 1)
        line.addWidget(self._again)
        self.add_row(_("Port"), line)
        self.port.setAccessibleName(_("Port"))
        self._found_by = plain_label("", "dim", wrap=True)
        self.add_wide(self._found_by)
        self.protocol = ChoiceBox()
        for value, words in PROTOCOLS:
            self.protocol.addItem(_(words), value)
        self.protocol.setToolTip(
            _("G3-PLC is the operator's power line network: it is not readable from a PC; use a port of the meter.")
        )
        self.scan_button = QPushButton(_("Scan…"))
        self.scan_button.setToolTip(_("Find the meters on an M-Bus, and choose one"))
        self.scan_button.setAutoDefault(False)
        self.scan_button.clicked.connect(self._on_scan)
        self.scan_button.hide()
        self.protocol.currentIndexChanged.connect(lambda _row: self._show_scan())
        protocol_line = QHBoxLayout()
        protocol_line.setSpacing(6)
        protocol_line.addWidget(self.protocol, 1)
        protocol_line.addWidget(self.scan_button)
        self.add_row(_("Protocol"), protocol_line)
        self.protocol.setAccessibleName(_("Protocol"))
        self.name = QLineEdit(meter.name if meter is not None else "")
        self.name.setPlaceholderText(_("such as E450 principal; else what its port is called"))
        self.name.setMaxLength(_MOST_NAME)
        self.add_row(_("Name"), self.name)
        self.more = ProbeFields(meter, tariffs, presets)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.NoFocus)
        self._scroll.setWidget(self.more)
        self.add_wide(self._scroll)
        self.more.toggled.connect(self._on_more)
        self._on_more(False)
        self.add_wide(
            plain_label(_("G3-PLC, the operator's power line network, is not readable from a PC."), "dim", wrap=True)
        )
        self._key = self.add_button(_("Key…"), lambda: self.key_wanted.emit(self._name))
        self._key.hide()
        self._password = self.add_button(_("Password…"), lambda: self.password_wanted.emit(self._name))
        self._password.hide()
        if meter is not None:
            self.protocol.setCurrentIndex(max(0, self.protocol.findData(meter.protocol)))
            self.remove_button = self.add_button(_("Remove…"), self._on_remove)
        self._show_found_by()

    def apply_ports(self, ports: Sequence[dict[str, object]]) -> None:
        """The serial ports found."""
        self.ports.clear()
        chosen = None
        for port in ports:
            device, description = str(port.get("device", "")), str(port.get("description") or "")
            serial = str(port.get("serial_number") or "")
            parts = [device, description, _("serial number {number}").format(number=serial) if serial else ""]
            item = QListWidgetItem(one_line("   ".join(part for part in parts if part)))
            item.setData(Qt.UserRole, device)
            item.setData(_USB_SERIAL, serial or None)
            self.ports.addItem(item)
            if device == self.port.text() or (serial and serial == self._usb_serial):
                chosen = item
        self._size_ports(len(ports))
        if not ports:
            item = QListWidgetItem(_("no serial port found: plug the probe in, then look again"))
            item.setFlags(Qt.NoItemFlags)
            self.ports.addItem(item)
        elif chosen is not None:
            self.ports.setCurrentItem(chosen)
        elif not self.port.text():
            self.ports.setCurrentRow(0)

    def on_accept(self) -> None:
        """Ask for the connection."""
        port = self.port.text().strip()
        if not port:
            self.say(_("Choose a port, or type one."), "warning")
            self.port.setFocus()
            return
        name = (self.name.text().strip() or port.rpartition("/")[2] or port)[:_MOST_NAME]
        old_name = self._meter.name if self._meter is not None else ""
        if "/" in name or any(ord(sign) < 0x20 for sign in name):
            self.say(_("A name has no slash: write such as E450 principal."), "warning")
            self.name.setFocus()
            return
        if name in self._names and name not in (old_name, self._name):
            self.say(_("There is a meter called {name} already; take another name.").format(name=name), "warning")
            self.name.setFocus()
            return
        try:
            values, secrets = self.more.values(), self.more.secrets()
        except WrongProbeError as error:
            self.say(str(error), "warning")
            self._go_to(error.field)
            return
        kept = self._meter
        self._name = name
        self.set_busy(True)
        self.say(_("opening {port}…").format(port=one_line(port)))
        self.more.forget_secrets()
        self.connect_wanted.emit(
            MeterConfig(
                name=name,
                port=port,
                protocol=self.protocol.currentData(),
                usb_serial=self._usb_serial,
                password_file=kept.password_file if kept is not None else None,
                key_file=kept.key_file if kept is not None else None,
                auth_key_file=kept.auth_key_file if kept is not None else None,
                **values,
            ),
            secrets,
            old_name,
        )

    def apply_report(self, report: MeterReport) -> None:
        """What is tried, found or missing."""
        if not self._name or report.name != self._name:
            return
        self._key.setVisible(report.needs_key)
        self._password.setVisible(report.needs_password)
        if report.state is MeterState.READING:
            self.set_busy(False)
            self.accept()
        elif report.state in (MeterState.FAILED, MeterState.DISCONNECTED):
            self.set_busy(False)
            words = report.text
            if report.needs_password:
                once = _("Nothing is tried again by itself: give another password, then connect.")
                words = f"{words.rstrip('.')}. {once}"
            self.say(words, "warning" if report.needs_key or report.needs_password else "critical")
        else:
            self.say(report.text, "warning" if report.state is MeterState.SILENT else None)

    def apply_failed(self, error: BaseException) -> None:
        """It could not even be begun."""
        self.set_busy(False)
        self.say(str(error), "critical")

    def take_address(self, address: str) -> None:
        """The meter of that address on its bus."""
        self.more.address.setText(address)
        self.more.open()

    def show_tariff(self) -> None:
        """Go to the tariff of the meter."""
        self._go_to(self.more.tariff)

    def meter(self) -> str:
        """Name under which the connection was asked for."""
        return self._name

    def _go_to(self, field: QWidget) -> None:
        """To a field that few need, once all of them have their places."""
        self.more.open()
        field.setFocus(Qt.OtherFocusReason)
        placed = QTimer(self)
        placed.setSingleShot(True)
        placed.timeout.connect(lambda: self._scroll.ensureWidgetVisible(field))
        placed.start(_PLACED_MS)

    def _on_port(self, item: QListWidgetItem | None) -> None:
        device = item.data(Qt.UserRole) if item is not None else None
        if item is not None and device:
            self.port.setText(device)
            self._usb_serial = item.data(_USB_SERIAL)
            self._show_found_by()

    def _on_port_typed(self, text: str) -> None:
        """A port that is typed is meant as it stands, unless it is one of those found."""
        found = [self.ports.item(row) for row in range(self.ports.count())]
        same = [item for item in found if item is not None and item.data(Qt.UserRole) == text.strip()]
        self._usb_serial = same[0].data(_USB_SERIAL) if same else None
        self._show_found_by()

    def _size_ports(self, count: int) -> None:
        self.ports.setFixedHeight(_PORT_PX * max(1, min(count, _MOST_PORTS)) + 8)
        self._grow()

    def _show_scan(self) -> None:
        self.scan_button.setVisible(self.protocol.currentData() == "mbus")

    def _on_scan(self) -> None:
        port = self.port.text().strip()
        if port:
            self.scan_wanted.emit(port, self.more.line.currentData()[0])
        else:
            self.say(_("Choose a port, or type one."), "warning")
            self.port.setFocus()

    def _show_found_by(self) -> None:
        words = _("It is found again by its USB serial number {number}, whatever port it is plugged into.")
        self._found_by.setVisible(bool(self._usb_serial))
        self._found_by.setText(words.format(number=one_line(self._usb_serial or "")))
        self._grow()

    def _on_more(self, is_open: bool) -> None:
        """The fields scroll where the screen is low."""
        height = self.more.sizeHint().height() + 4
        room = QGuiApplication.primaryScreen().availableGeometry().height() - _OTHERS_PX
        self._scroll.setFixedHeight(min(height, max(_LEAST_PX, min(room, _MOST_PX))) if is_open else height)
        self._grow()

    def _on_remove(self) -> None:
        if self._meter is None:
            return
        words = _("{meter} is not read any more, and its settings are forgotten. Its history stays.")
        if ask(self, _("Remove the meter"), words.format(meter=one_line(self._meter.name)), _("Remove")):
            self.removed.emit(self._meter.name)
            self.reject()
