"""What to say when alarms are acknowledged or ignored."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QLineEdit, QWidget

from core.language import _, ngettext
from core.site_records import Alarm
from gui import numbers
from gui.dialogs.base import FormDialog
from gui.models.alarm_words import count_words
from gui.plain_text import one_line
from gui.widgets.labels import plain_label

_LONGEST = 1000


class AlarmCommentDialog(FormDialog):
    """`said(comment)` when the user agrees; the comment may be empty."""

    said = pyqtSignal(str)

    def __init__(self, alarms: Sequence[Alarm], *, is_ignored: bool, parent: QWidget | None = None) -> None:
        super().__init__(
            _("Ignore alarms") if is_ignored else _("Acknowledge alarms"),
            _("Ignore") if is_ignored else _("Acknowledge"),
            parent,
        )
        counts = {alarm.severity: 0 for alarm in alarms}
        for alarm in alarms:
            counts[alarm.severity] += 1
        what = (
            one_line(alarms[0].text)
            if len(alarms) == 1
            else ngettext("{count} alarm: {severities}", "{count} alarms: {severities}", len(alarms)).format(
                count=numbers.number(len(alarms)), severities=count_words(counts)
            )
        )
        self.add_wide(plain_label(what, wrap=True))
        self.add_wide(
            plain_label(
                ngettext(
                    "It does not ring again until its condition is over, and is kept with your name.",
                    "They do not ring again until their condition is over, and are kept with your name.",
                    len(alarms),
                )
                if is_ignored
                else ngettext(
                    "It stays open until its condition is over, and is kept with your name.",
                    "They stay open until their condition is over, and are kept with your name.",
                    len(alarms),
                ),
                "dim",
                wrap=True,
            )
        )
        self.comment = QLineEdit()
        self.comment.setMaxLength(_LONGEST)
        self.comment.setPlaceholderText(_("what you found, what you do about it"))
        self.add_row(_("Comment"), self.comment)

    def on_accept(self) -> None:
        """Tell the comment."""
        self.said.emit(self.comment.text().strip())
        self.accept()
