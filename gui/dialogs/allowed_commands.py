"""*Allowed commands…*: what the chosen machines allow, as a form; the line that it makes is shown before it is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtGui import QFontDatabase
from PyQt5.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from core.access_records import AllowedCommands
from core.gather import fold_names
from core.language import _, ngettext
from core.records import line_of
from gui.dialogs.base import FormDialog
from gui.models.allowed import Offer, argv_of_call, offers, words_of_call
from gui.models.target_words import shortened
from gui.numbers import number
from gui.plain_text import one_line, plain_tip
from gui.widgets.labels import plain_label
from gui.widgets.parameter_field import ParameterField

_LIST_PX = 300
_HEIGHT_PX = 380


class AllowedCommandsDialog(FormDialog):
    """`send_wanted(words, machines)`; told by `apply_allowed` and `apply_not_told`."""

    send_wanted = pyqtSignal(list, list)

    def __init__(self, machines: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(_("Allowed commands"), _("Send"), parent)
        self.setMinimumWidth(860)
        self._machines = tuple(machines)
        self._told: dict[str, AllowedCommands] = {}
        self._untold: dict[str, str] = {}
        self._offers: list[Offer] = []
        self._fields: list[ParameterField] = []
        self._shown_key: tuple[object, ...] | None = None
        self.search = QLineEdit()
        self.search.setPlaceholderText(_("Find a command"))
        self.search.setAccessibleName(_("Find a command"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._fill_list)
        self.list = QListWidget()
        self.list.setFixedWidth(_LIST_PX)
        self.list.setSpacing(2)
        self.list.setMinimumHeight(_HEIGHT_PX)
        self.list.setAccessibleName(_("Allowed commands"))
        self.list.currentRowChanged.connect(self._on_row)
        self.progress = plain_label("", "dim", wrap=True)
        self.title = plain_label("", wrap=True)
        self.about = plain_label("", "dim", wrap=True)
        self.whom = plain_label("", "dim", wrap=True)
        self.line = self._preview()
        self.argv = self._preview()
        self._build()
        self._tell_progress()
        self._on_row(-1)

    def apply_allowed(self, told: AllowedCommands) -> None:
        """What a machine allows."""
        if told.machine in self._machines:
            self._told[told.machine] = told
            self._take()

    def apply_not_told(self, machine: str, reason: str) -> None:
        """A machine does not say what it allows."""
        self._untold[machine] = reason
        self._take()

    def offer(self) -> Offer | None:
        """The command that is chosen."""
        item = self.list.currentItem()
        return None if item is None else item.data(Qt.UserRole)

    def on_accept(self) -> None:
        """Send it to those of the machines that allow it."""
        offer = self.offer()
        if offer is None:
            return
        for field in self._fields:
            problem = field.problem()
            if problem:
                self.say(one_line(problem), "warning")
                field.setFocus()
                return
        self.send_wanted.emit(list(words_of_call(offer.command, self._values())), list(offer.machines))
        self.accept()

    def _build(self) -> None:
        left = QVBoxLayout()
        left.setSpacing(6)
        left.addWidget(self.search)
        left.addWidget(self.list, 1)
        left.addWidget(self.progress)
        inner = QWidget()
        self._form = QFormLayout(inner)
        self._form.setContentsMargins(0, 0, 6, 0)
        self._form.setHorizontalSpacing(14)
        self._form.setVerticalSpacing(8)
        self._form.setFieldGrowthPolicy(QFormLayout.ExpandingFieldsGrow)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setWidget(inner)
        inner.setAutoFillBackground(False)
        scroll.viewport().setAutoFillBackground(False)
        right = QVBoxLayout()
        right.setSpacing(8)
        for widget in (self.title, self.about, self.whom):
            right.addWidget(widget)
        right.addWidget(scroll, 1)
        previews = QFormLayout()
        previews.setHorizontalSpacing(14)
        previews.setVerticalSpacing(6)
        for label, field in ((_("Sent as"), self.line), (_("Runs there"), self.argv)):
            field.setAccessibleName(label)
            previews.addRow(plain_label(label, "dim"), field)
        right.addLayout(previews)
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addLayout(left)
        row.addLayout(right, 1)
        self.add_wide(row)

    def _preview(self) -> QLineEdit:
        field = QLineEdit()
        field.setReadOnly(True)
        field.setFont(QFontDatabase.systemFont(QFontDatabase.FixedFont))
        return field

    def _take(self) -> None:
        self._tell_progress()
        self._offers = offers(self._told.values())
        self._fill_list()

    def _tell_progress(self) -> None:
        total, told = len(self._machines), len(self._told) + len(self._untold)
        if told < total:
            text = _("{done} of {total} machines have answered…").format(done=number(told), total=number(total))
        else:
            text = ngettext(
                "{count} machine says what it allows", "{count} machines say what they allow", len(self._told)
            )
            text = text.format(count=number(len(self._told)))
        if self._untold:
            _name, reason = next(iter(self._untold.items()))
            words = ngettext(
                "{count} does not: {names} ({reason})", "{count} do not: {names} ({reason})", len(self._untold)
            )
            names = shortened(fold_names(self._untold))
            text += " · " + words.format(count=number(len(self._untold)), names=names, reason=reason)
            self.progress.setToolTip(plain_tip("\n".join(f"{one}: {why}" for one, why in self._untold.items())[:4000]))
        self.progress.setText(one_line(text))

    def _fill_list(self) -> None:
        """The commands that are searched for; the one chosen stays chosen."""
        wanted = self.search.text().strip().lower()
        self.list.blockSignals(True)
        self.list.clear()
        row = -1
        for offer in self._offers:
            command = offer.command
            if wanted and wanted not in f"{command.id} {' '.join(command.argv)} {command.description}".lower():
                continue
            item = QListWidgetItem(self._words_of(offer))
            item.setData(Qt.UserRole, offer)
            item.setToolTip(plain_tip("\n".join(text for text in (command.description, line_of(command.argv)) if text)))
            if not offer.machines:
                item.setForeground(self.palette().placeholderText())
            self.list.addItem(item)
            if _key(offer) == self._shown_key:
                row = self.list.count() - 1
        self.list.setCurrentRow(row if row >= 0 else 0 if self.list.count() else -1)
        self.list.blockSignals(False)
        self._on_row(self.list.currentRow())

    def _words_of(self, offer: Offer) -> str:
        name = one_line(offer.command.id)
        if not offer.machines:
            return _("{name}    needs level {level}").format(name=name, level=offer.command.level.value)
        if len(offer.machines) == len(self._machines):
            return name
        words = _("{name}    on {count} of {total}")
        return words.format(name=name, count=number(len(offer.machines)), total=number(len(self._machines)))

    def _on_row(self, _row: int) -> None:
        offer = self.offer()
        if offer is None:
            self._show(None)
        elif _key(offer) != self._shown_key:
            self._show(offer)
        self._tell_whom(offer)
        self._refresh()

    def _show(self, offer: Offer | None) -> None:
        """The form of another command."""
        self._shown_key = None if offer is None else _key(offer)
        while self._form.rowCount():
            self._form.removeRow(0)
        self._fields = []
        for widget in (self.title, self.about, self.line, self.argv):
            widget.setText("")
        if offer is None:
            return
        command = offer.command
        self.title.setText(one_line(command.id))
        about = [one_line(command.description)] if command.description else []
        if command.is_pinned:
            about.append(_("a script that is pinned by its content"))
        about.append(
            _("level {level}, {seconds:g} s at most").format(level=command.level.value, seconds=command.timeout_s)
        )
        self.about.setText(" · ".join(about))
        for parameter in command.parameters:
            field = ParameterField(parameter)
            field.changed.connect(self._refresh)
            name = one_line(parameter.name).replace("_", " ")
            label = _("{name} (optional)").format(name=name) if parameter.is_optional or parameter.is_repeated else name
            self._form.addRow(plain_label(label, "dim"), field)
            self._fields.append(field)
        if not command.parameters:
            self._form.addRow(plain_label(_("It takes nothing more."), "dim"))

    def _tell_whom(self, offer: Offer | None) -> None:
        if offer is None:
            text = "" if self._offers else _("Nothing is known yet of what these machines allow.")
            self.whom.setText(text)
            return
        parts = []
        missing = len(self._told) - len(offer.machines) - len(offer.too_low)
        if offer.too_low:
            level = self._told[offer.too_low[0]].level.value
            words = _("needs level {needed}; this console has {level} on {names}").format(
                needed=offer.command.level.value, level=level, names=shortened(fold_names(offer.too_low))
            )
            parts.append(words)
        if offer.machines and missing:
            text = ngettext("{count} machine does not allow it", "{count} machines do not allow it", missing)
            parts.append(text.format(count=number(missing)))
        self.whom.setText(one_line(" · ".join(parts)))

    def _values(self) -> Mapping[str, Sequence[str]]:
        return {field.parameter.name: field.values() for field in self._fields}

    def _values_to_show(self) -> Mapping[str, Sequence[str]]:
        """The same, with `<name>` where something is still missing."""
        return {
            field.parameter.name: field.values() or ((f"<{field.parameter.name}>",) if field.is_missing() else ())
            for field in self._fields
        }

    def _refresh(self) -> None:
        """The preview and the button, as the form is filled in now."""
        offer = self.offer()
        self.say("")
        button = self.accept_button
        if button is None:
            return
        count = 0 if offer is None else len(offer.machines)
        button.setText(_("Send to {count}").format(count=number(count)) if count else _("Send"))
        button.setEnabled(count > 0)
        if offer is not None:
            button.setToolTip(plain_tip(shortened(fold_names(offer.machines)) if count else ""))
            values = self._values_to_show()
            self.line.setText(one_line(line_of(words_of_call(offer.command, values))))
            self.argv.setText(one_line(line_of(argv_of_call(offer.command, values))))


def _key(offer: Offer) -> tuple[object, ...]:
    """What stays the same while more machines answer."""
    command = offer.command
    return command.id, command.argv, command.parameters, command.level
