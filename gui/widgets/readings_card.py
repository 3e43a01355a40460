"""The card of all readings of a meter's last telegram, and of what could not be understood in it."""

from __future__ import annotations

from PyQt5.QtWidgets import QAbstractItemView, QWidget

from core.language import _, ngettext
from core.records import MeterReadings
from gui.models.readings import ReadingsModel
from gui.widgets.card import Card
from gui.widgets.labels import plain_label
from gui.widgets.process_table import align_header
from gui.widgets.row_table import RowTable


class ReadingsCard(Card):
    """Unknown codes are listed as they came; errors are below, in words."""

    def __init__(self, parent: QWidget | None = None) -> None:
        title = _("All readings of the last telegram")
        super().__init__(title, parent)
        self.model = ReadingsModel(self)
        self.view = RowTable(self.model, title)
        self.view.setVerticalScrollMode(QAbstractItemView.ScrollPerPixel)
        self.view.horizontalHeader().setStretchLastSection(True)
        align_header(self.view)
        self._errors = plain_label("", "critical", wrap=True, selectable=True)
        self._errors.hide()
        self._has_sized_columns = False
        self.body.addWidget(self.view, 1)
        self.body.addWidget(self._errors)

    def apply(self, readings: MeterReadings | None) -> None:
        """Show one more telegram; None: the meter has sent none."""
        values = readings.readings if readings is not None else ()
        errors = readings.errors if readings is not None else ()
        self.model.apply(values)
        self._errors.setVisible(bool(errors))
        self._errors.setText("\n".join(errors))
        count = len(values)
        self.set_subtitle(ngettext("{count} value", "{count} values", count).format(count=count))
        if count and not self._has_sized_columns:
            self.view.resizeColumnsToContents()
            self._has_sized_columns = True
