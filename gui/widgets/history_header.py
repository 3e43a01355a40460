"""The line over the History page: ranges, the time that is shown, saved views, export."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import QSize, Qt, pyqtSignal
from PyQt5.QtGui import QResizeEvent
from PyQt5.QtWidgets import QButtonGroup, QHBoxLayout, QMenu, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from core.config.views import ViewConfig
from core.language import _
from gui.models.history_range import TITLES, HistoryRange, span_words
from gui.models.shown_span import FREE
from gui.plain_text import one_line, plain_tip

_LEAST_SPAN_PX = 96


class SpanButton(QPushButton):
    """The time that is shown; pressed, it asks for another from – to."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._words = ""
        self.setSizePolicy(QSizePolicy.Ignored, QSizePolicy.Fixed)
        self.setMinimumWidth(_LEAST_SPAN_PX)
        self.setStyleSheet("text-align: left; padding: 6px 10px;")

    def set_words(self, words: str) -> None:
        """Show this time, shortened where it must be."""
        if words != self._words:
            self._words = words
            self.setAccessibleName(_("Time shown: {span}").format(span=words))
            self.setToolTip(plain_tip(words + "\n" + _("Press to enter a time from – to")))
            self._elide()

    def words(self) -> str:
        """The whole text."""
        return self._words

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Shorten anew."""
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        room = self.width() - 24
        self.setText(self.fontMetrics().elidedText(self._words, Qt.ElideRight, room))


class HistoryHeader(QWidget):
    """Asks by signals; `set_views` tells what the menu of views lists."""

    span_wanted = pyqtSignal()
    view_wanted = pyqtSignal(object)
    save_view_wanted = pyqtSignal()
    rename_view_wanted = pyqtSignal(str)
    remove_view_wanted = pyqtSignal(str)
    picture_wanted = pyqtSignal(str)
    data_wanted = pyqtSignal()
    chooser_toggled = pyqtSignal(bool)

    def __init__(self, time_range: HistoryRange, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._range = time_range
        self._views: list[ViewConfig] = []
        self._current = ""
        self._upper, self._lower = QHBoxLayout(), QHBoxLayout()
        self._is_split = False
        layout = self._upper
        for line in (self._upper, self._lower):
            line.setSpacing(6)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(6)
        outer.addLayout(self._upper)
        outer.addLayout(self._lower)
        self.chooser_button = QPushButton(_("All series"))
        self.chooser_button.setCheckable(True)
        self.chooser_button.setChecked(True)
        self.chooser_button.setToolTip(_("Show or hide the list of all series"))
        self.chooser_button.toggled.connect(self.chooser_toggled)
        layout.addWidget(self.chooser_button)
        layout.addSpacing(6)
        self._group = QButtonGroup(self)
        self.range_buttons: dict[str, QPushButton] = {}
        for mode, title in TITLES.items():
            button = QPushButton(_(title))
            button.setCheckable(True)
            button.setStyleSheet("padding: 6px 9px;")
            button.clicked.connect(self._on_range_clicked)
            self._group.addButton(button)
            self.range_buttons[mode] = button
            layout.addWidget(button)
        self.back_button = QPushButton("↶")
        self.back_button.setStyleSheet("padding: 6px 9px;")
        self.back_button.setAccessibleName(_("Back"))
        self.back_button.setToolTip(_("Return to the time shown before (Backspace)"))
        self.back_button.clicked.connect(time_range.back)
        layout.addWidget(self.back_button)
        self.span_button = SpanButton()
        self.span_button.clicked.connect(self.span_wanted)
        layout.addWidget(self.span_button, 1)
        self.views_button = self._menu_button(_("Views"))
        self._views_menu = self.views_button.menu()
        self._views_menu.aboutToShow.connect(self._fill_views)
        layout.addWidget(self.views_button)
        self.export_button = self._menu_button(_("Export"))
        menu = self.export_button.menu()
        self.png_action = menu.addAction(_("Picture (PNG)…"), lambda: self.picture_wanted.emit("png"))
        self.svg_action = menu.addAction(_("Drawing (SVG)…"), lambda: self.picture_wanted.emit("svg"))
        self.data_action = menu.addAction(_("Data (CSV, XLSX)…"), self.data_wanted)
        layout.addWidget(self.export_button)
        time_range.changed.connect(self.show_range)
        self.show_range()

    def minimumSizeHint(self) -> QSize:
        """As narrow as the wider of the two lines."""
        hints = [button.sizeHint().width() + 6 for button in (self.chooser_button, *self.range_buttons.values())]
        return QSize(sum(hints) + self.back_button.sizeHint().width() + 6, self.sizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Where one line has no room for all, the time and the menus go into a second one."""
        super().resizeEvent(event)
        others = (self.views_button, self.export_button)
        wanted = self.minimumSizeHint().width() + sum(button.sizeHint().width() + 6 for button in others)
        is_split = self.width() < wanted + _LEAST_SPAN_PX + 60
        if is_split == self._is_split:
            return
        self._is_split = is_split
        for widget, stretch in ((self.span_button, 1), (self.views_button, 0), (self.export_button, 0)):
            (self._upper if is_split else self._lower).removeWidget(widget)
            (self._lower if is_split else self._upper).addWidget(widget, stretch)
        if is_split:
            self._upper.addStretch(1)
        else:
            for place in reversed(range(self._upper.count())):
                item = self._upper.itemAt(place)
                if item.spacerItem() is not None and place > 1:
                    self._upper.takeAt(place)

    def set_views(self, views: Sequence[ViewConfig]) -> None:
        """These are saved."""
        self._views = list(views)

    def set_current_view(self, name: str) -> None:
        """The view that is open; empty where none is."""
        self._current = name
        self.views_button.setText(_("Views") + " ▾")
        self.views_button.setToolTip(plain_tip(_("Open: {view}").format(view=name)) if name else "")

    def views_menu(self) -> QMenu:
        """The menu of views, filled."""
        self._fill_views()
        return self._views_menu

    def show_range(self) -> None:
        """Mark the range that is followed, and tell the time that is shown."""
        mode = self._range.mode
        self._group.setExclusive(False)
        for name, button in self.range_buttons.items():
            button.setChecked(name == mode)
        self._group.setExclusive(mode != FREE)
        self.back_button.setEnabled(self._range.can_go_back)
        self.span_button.set_words(span_words(*self._range.span()))

    def _on_range_clicked(self) -> None:
        for mode, button in self.range_buttons.items():
            if button is self.sender():
                self._range.follow(mode)
        self.show_range()

    def _menu_button(self, title: str) -> QPushButton:
        button = QPushButton(f"{title} ▾")
        button.setAccessibleName(title)
        button.setMenu(QMenu(button))
        return button

    def _fill_views(self) -> None:
        menu = self._views_menu
        menu.clear()
        for view in self._views:
            action = menu.addAction(one_line(view.name).replace("&", "&&"))
            action.setCheckable(True)
            action.setChecked(view.name == self._current)
            action.triggered.connect(lambda _on=False, view=view: self.view_wanted.emit(view))
        if self._views:
            menu.addSeparator()
        menu.addAction(_("Save this view…"), self.save_view_wanted)
        for title, signal in ((_("Rename"), self.rename_view_wanted), (_("Delete"), self.remove_view_wanted)):
            inner = menu.addMenu(title)
            inner.setEnabled(bool(self._views))
            for view in self._views:
                action = inner.addAction(one_line(view.name).replace("&", "&&"))
                action.triggered.connect(lambda _on=False, name=view.name, signal=signal: signal.emit(name))
