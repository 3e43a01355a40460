"""Groups, tags, notes and equipment of a machine."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace
from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QHBoxLayout, QLineEdit, QPlainTextEdit, QWidget

from core.equipment import checked_price, checked_reference, taxed
from core.errors import UsageError
from core.language import _
from core.machine_tags import tags_of
from core.records import Machine
from gui.dialogs.base import FormDialog
from gui.models.equipment import money
from gui.widgets.labels import plain_label


def how_chosen() -> str:
    """What groups and tags are good for."""
    return _("Commands and the filter of the list choose a group as @lab and a tag as tag:printer.")


class EditMachineDialog(FormDialog):
    """`edited(machine)` with what was changed; the first group is the one that the machine is listed under."""

    edited = pyqtSignal(object)

    def __init__(self, machine: Machine, parent: QWidget | None = None) -> None:
        super().__init__(_("Groups, tags, notes and equipment of {name}").format(name=machine.name), _("Save"), parent)
        self._machine = machine
        self.groups = QLineEdit(", ".join(machine.groups))
        self.groups.setPlaceholderText(_("separated by commas; it is listed under the first one"))
        self.add_row(_("Groups"), self.groups)
        self.tags = QLineEdit(", ".join(machine.tags))
        self.tags.setPlaceholderText(_("words such as printer or first-floor"))
        self.add_row(_("Tags"), self.tags)
        self.add_wide(plain_label(how_chosen(), "dim", wrap=True))
        self.notes = QPlainTextEdit(machine.notes)
        self.notes.setTabChangesFocus(True)
        self.notes.setMinimumHeight(120)
        self.add_row(_("Notes"), self.notes)
        self.reference = QLineEdit(machine.reference)
        self.reference.setPlaceholderText(_("as in the inventory"))
        self.add_row(_("Reference"), self.reference)
        self.price = QLineEdit(machine.price_before_tax or "")
        self.price.setPlaceholderText("1249.90")
        self.price.setAccessibleName(_("Price before tax"))
        self.rate = QLineEdit(machine.vat_rate_percent or "")
        self.rate.setPlaceholderText("20")
        self.rate.setAccessibleName(_("VAT rate in percent"))
        self.rate.setMaximumWidth(90)
        self.with_tax = plain_label("", "dim")
        line = QHBoxLayout()
        line.setSpacing(8)
        line.addWidget(self.price, 1)
        line.addWidget(plain_label(_("VAT %"), "dim"))
        line.addWidget(self.rate)
        line.addWidget(self.with_tax, 1)
        self.add_row(_("Price before tax"), line)
        self.price.textChanged.connect(self._on_price)
        self.rate.textChanged.connect(self._on_price)
        self._on_price()

    def on_accept(self) -> None:
        """Tell what is written, once it can be kept."""
        groups = [word.strip() for word in self.groups.text().split(",") if word.strip()]
        try:
            tags = tags_of(self.tags.text())
            reference = checked_reference(self.reference.text())
            price, rate = checked_price(self.price.text(), self.rate.text())
        except UsageError as error:
            self.say(str(error), "warning")
            return
        self.edited.emit(
            replace(
                self._machine,
                groups=tuple(dict.fromkeys(groups)),
                notes=self.notes.toPlainText().strip(),
                reference=reference,
                price_before_tax=price,
                vat_rate_percent=rate,
                tags=tags,
            )
        )
        self.accept()

    def _on_price(self) -> None:
        """The price with tax, as long as there is one."""
        text = ""
        try:
            price, rate = checked_price(self.price.text(), self.rate.text())
        except UsageError:
            pass
        else:
            if price is not None:
                amount = taxed(Decimal(price), None if rate is None else Decimal(rate))
                text = _("{price} with tax").format(price=money(amount))
        self.with_tax.setText(text)
