"""What all dialogs share: a form, a line that says what happens, and the buttons."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtGui import QFontDatabase, QGuiApplication, QShowEvent
from PyQt5.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLayout,
    QLineEdit,
    QMessageBox,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from core.language import _
from gui.widgets.labels import plain_label, set_role

_FIELDS = (QLineEdit, QPlainTextEdit, QComboBox, QAbstractSpinBox)
_FRAME = 16
"""Border, padding and room for the frame of a text field, above and below together."""


class FormDialog(QDialog):
    """A form above, what happens below, then the buttons; never modal over the whole program for longer than it is.

    A dialog asks by signals and is told by `apply…`; it deletes itself when it closes.
    """

    cancelled = pyqtSignal()

    def __init__(self, title: str, accept: str | None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.setMinimumWidth(560)
        self._is_busy = False
        self._was_shown = False
        self._outer = QVBoxLayout(self)
        self._outer.setContentsMargins(18, 16, 18, 16)
        self._outer.setSpacing(12)
        self.form = QFormLayout()
        self.form.setHorizontalSpacing(14)
        self.form.setVerticalSpacing(10)
        self.form.setLabelAlignment(Qt.AlignLeft | Qt.AlignVCenter)
        self.form.setFieldGrowthPolicy(QFormLayout.ExpandingFieldsGrow)
        self._outer.addLayout(self.form)
        self._words = plain_label("", wrap=True, selectable=True)
        self._words.setAccessibleName(_("What happens"))
        self._words.hide()
        self._progress = QProgressBar()
        self._progress.setRange(0, 0)
        self._progress.setTextVisible(False)
        self._progress.hide()
        self._buttons = QHBoxLayout()
        self._buttons.addStretch(1)
        self.cancel_button = QPushButton(_("Close") if accept is None else _("Cancel"))
        self.cancel_button.setAutoDefault(False)
        self.cancel_button.clicked.connect(self._on_cancel)
        self._buttons.addWidget(self.cancel_button)
        self.accept_button: QPushButton | None = None
        if accept is not None:
            self.accept_button = QPushButton(accept)
            self.accept_button.setProperty("role", "primary")
            self.accept_button.setDefault(True)
            self.accept_button.clicked.connect(self.on_accept)
            self._buttons.addWidget(self.accept_button)
        self._outer.addWidget(self._words)
        self._outer.addWidget(self._progress)
        self._outer.addLayout(self._buttons)

    @property
    def is_busy(self) -> bool:
        """True while what was asked for goes on; Cancel then stops that and leaves the dialog open."""
        return self._is_busy

    def on_accept(self) -> None:
        """The primary button was pressed."""
        self.accept()

    def add_row(self, label: str, field: QWidget | QLayout) -> None:
        """One line of the form."""
        caption = plain_label(label, "dim")
        if isinstance(field, QLabel) and field.wordWrap():  # no form gives room to what asks for none
            field.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Preferred)
        elif isinstance(field, QComboBox) and field.isEditable():  # as wide as other fields that are typed in
            field.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)
        self.form.addRow(caption, field)
        if isinstance(field, QWidget):
            caption.setBuddy(field)
            if not field.accessibleName():
                field.setAccessibleName(label)

    def add_wide(self, item: QWidget | QLayout) -> None:
        """Something as wide as the dialog; what opens in it makes room for itself."""
        if isinstance(item, More):
            item.toggled.connect(self._grow)
        self.form.addRow(item)

    def add_button(self, text: str, slot: object) -> QPushButton:
        """One more button, at the left of Cancel."""
        button = QPushButton(text)
        button.setAutoDefault(False)
        button.clicked.connect(slot)
        self._buttons.insertWidget(self._buttons.count() - (1 if self.accept_button is None else 2), button)
        return button

    def say(self, text: str, role: str | None = None) -> None:
        """What happens, or what went wrong and what to try."""
        self._words.setText(text)
        set_role(self._words, role)
        self._words.setVisible(bool(text))
        self._grow()

    def set_busy(self, is_busy: bool) -> None:
        """Show that something goes on; the form waits meanwhile."""
        self._is_busy = is_busy
        self._progress.setVisible(is_busy)
        if self.accept_button is not None:
            self.accept_button.setEnabled(not is_busy)

    def showEvent(self, event: QShowEvent) -> None:
        """As high as its wrapped words need; the fields are reached before the buttons."""
        super().showEvent(event)
        if not self._was_shown:
            self._was_shown = True
            self._order_focus()
            self._outer.activate()
            self.resize(self.width(), self._outer.totalHeightForWidth(self.width()))
        self._grow()

    def _order_focus(self) -> None:
        """Buttons are made before the fields, but come after them; the first field to type in has the focus."""
        for place in range(self._buttons.count()):
            button = self._buttons.itemAt(place).widget()
            if button is not None:
                QWidget.setTabOrder(self.previousInFocusChain(), button)
        if self.focusWidget() is not None:
            return
        field = self.nextInFocusChain()
        while field is not self:
            if isinstance(field, _FIELDS) and field.isEnabled() and field.isVisible() and not _is_read_only(field):
                field.setFocus()
                return
            field = field.nextInFocusChain()

    def _grow(self) -> None:
        """Wrapped labels do not tell their height before they know their width."""
        if self.isVisible():
            self._outer.activate()
            self.resize(self.width(), max(self.height(), self._outer.totalHeightForWidth(self.width())))
            room, frame = QGuiApplication.primaryScreen().availableGeometry(), self.frameGeometry()
            if frame.bottom() > room.bottom() and frame.top() > room.top():  # its buttons stay on the screen
                self.move(frame.left(), max(room.top(), room.bottom() - frame.height() + 1))

    def reject(self) -> None:
        """Escape and the window's cross: whatever goes on is stopped."""
        if self._is_busy:
            self.cancelled.emit()
        super().reject()

    def _on_cancel(self) -> None:
        if self._is_busy:
            self.set_busy(False)
            self.say(_("cancelled"))
            self.cancelled.emit()
        else:
            self.reject()


class More(QWidget):
    """Fields that few need, behind a button that says *more*."""

    toggled = pyqtSignal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._button = QToolButton()
        self._button.setText(_("More ▾"))
        self._button.setProperty("role", "more")
        self._button.setCheckable(True)
        self._button.toggled.connect(self._on_toggled)
        self._inside = QWidget()
        self._inside.hide()
        self.form = QFormLayout(self._inside)
        self.form.setContentsMargins(0, 6, 0, 0)
        self.form.setHorizontalSpacing(14)
        self.form.setVerticalSpacing(10)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._button, 0, Qt.AlignLeft)
        layout.addWidget(self._inside)

    def add_row(self, label: str, field: QWidget) -> None:
        """One line."""
        self.form.addRow(plain_label(label, "dim"), field)
        field.setAccessibleName(label)

    def open(self) -> None:
        """Show the fields."""
        self._button.setChecked(True)

    def _on_toggled(self, is_open: bool) -> None:
        self._button.setText(_("More ▴") if is_open else _("More ▾"))
        self._inside.setVisible(is_open)
        self.toggled.emit(is_open)


class LinesToPaste(QWidget):
    """Lines to type elsewhere, in a fixed font, with a button that copies them."""

    def __init__(self, lines: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = QPlainTextEdit()
        self._text.setReadOnly(True)
        self._text.setLineWrapMode(QPlainTextEdit.NoWrap)
        self._text.setHorizontalScrollBarPolicy(Qt.ScrollBarAsNeeded)
        self._text.setFont(QFontDatabase.systemFont(QFontDatabase.FixedFont))
        self._text.setTabChangesFocus(True)
        self._text.setAccessibleName(_("Lines to paste"))
        self._copy = QPushButton(_("Copy"))
        self._copy.setAutoDefault(False)
        self._copy.clicked.connect(self._on_copy)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._text, 1)
        layout.addWidget(self._copy, 0, Qt.AlignTop)
        self.setSizePolicy(QSizePolicy.Preferred, QSizePolicy.Fixed)
        self.set_lines(lines)

    def set_lines(self, lines: Sequence[str]) -> None:
        """Other lines."""
        self._text.setPlainText("\n".join(lines))
        height = self._text.fontMetrics().lineSpacing() * len(lines) + 2 * round(self._text.document().documentMargin())
        self._text.setFixedHeight(height + _FRAME)

    def text(self) -> str:
        """The lines."""
        return self._text.toPlainText()

    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText(self._text.toPlainText())
        self._copy.setText(_("Copied"))


class TextDialog(FormDialog):
    """Words to read and to copy."""

    def __init__(self, title: str, rows: Sequence[tuple[str, str]], parent: QWidget | None = None) -> None:
        super().__init__(title, None, parent)
        for label, text in rows:
            if label:
                self.add_row(label, plain_label(text, selectable=True))
            else:
                self.add_wide(plain_label(text, wrap=True, selectable=True))


def _is_read_only(field: QWidget) -> bool:
    return isinstance(field, QPlainTextEdit | QLineEdit) and field.isReadOnly()


def ask(parent: QWidget | None, title: str, text: str, action: str, *, is_lasting: bool = True) -> bool:
    """True when the user agrees to `action`; Enter alone agrees to nothing that lasts. The text is shown as it is."""
    box = QMessageBox(parent)
    box.setWindowTitle(title)
    box.setTextFormat(Qt.PlainText)
    box.setText(text)
    agree = box.addButton(action, QMessageBox.AcceptRole)
    cancel = box.addButton(_("Cancel"), QMessageBox.RejectRole)
    box.setDefaultButton(cancel if is_lasting else agree)
    box.setEscapeButton(cancel)
    box.exec_()
    return box.clickedButton() is agree
