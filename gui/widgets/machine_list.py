"""The list of machines and checks at the left of the window: filter, groups, states, and what one can do with them.

A check can be selected to be looked at; it is never among `selected_names`, so no command is sent to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from PyQt5.QtCore import QItemSelection, QPoint, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QResizeEvent
from PyQt5.QtWidgets import (
    QAction,
    QActionGroup,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QPushButton,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from core.language import N_, _, ngettext
from gui.models.machines import MachineModel
from gui.numbers import number
from gui.plain_text import one_line, plain_tip
from gui.widgets.card import GAP
from gui.widgets.labels import plain_label
from gui.widgets.machine_tree import MachineTree

REARRANGE_MS = 1000
VISIBLE_MS = 300

_FILTER_HELP = N_(
    "Words that a machine must have: its name, address, group, tag, notes, state or system.\n"
    "As in a command: @lab, tag:printer, os:linux, level:run, state:offline, address:10.1.*, filter:NAME, web-*, "
    "srv[01-40]. ! before a word takes away."
)


class MachineList(QWidget):
    """Filter box, the tree, and two buttons; the empty list says what to do."""

    selected = pyqtSignal(list)
    opened = pyqtSignal(str)
    visible_changed = pyqtSignal(object)
    add_wanted = pyqtSignal()
    command_wanted = pyqtSignal(list)
    poll_wanted = pyqtSignal(object)
    copy_address_wanted = pyqtSignal(list)
    ssh_wanted = pyqtSignal(str)
    edit_wanted = pyqtSignal(str)
    edit_many_wanted = pyqtSignal(list)
    shown_changed = pyqtSignal(int)
    """How many machines the filter lets through."""

    pair_again_wanted = pyqtSignal(str)
    remove_wanted = pyqtSignal(list)
    mute_wanted = pyqtSignal(list)
    say_wanted = pyqtSignal(str)
    check_opened = pyqtSignal(str)
    check_now_wanted = pyqtSignal(list)
    mute_checks_wanted = pyqtSignal(list)
    edit_check_wanted = pyqtSignal(str)
    remove_checks_wanted = pyqtSignal(list)

    def __init__(self, model: MachineModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._visible: frozenset[str] = frozenset()
        self.filter = QLineEdit()
        self.filter.setPlaceholderText(_("Filter machines   Ctrl+F"))
        self.filter.setAccessibleName(_("Filter machines"))
        self.filter.setToolTip(plain_tip(_(_FILTER_HELP)))
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(model.set_filter)
        self.filter.returnPressed.connect(self._focus_tree)
        self._saved = QToolButton()
        self._saved.setText("▾")
        self._saved.setStyleSheet("padding: 6px 8px;")
        self._saved.setPopupMode(QToolButton.InstantPopup)
        self._saved.setToolTip(_("Saved filters"))
        self._saved.setAccessibleName(_("Saved filters"))
        self._saved.setMenu(QMenu(self))
        self._saved.hide()
        self._order = QToolButton()
        self._order.setText("⇅")
        self._order.setStyleSheet("padding: 6px 8px;")
        self._order.setPopupMode(QToolButton.InstantPopup)
        self._order.setToolTip(_("Order of the list"))
        self._order.setAccessibleName(_("Order of the list"))
        self._order.setMenu(self._order_menu())
        self.tree = MachineTree(model)
        self.tree.opened.connect(self.opened)
        self.tree.check_opened.connect(self.check_opened)
        self.tree.menu_wanted.connect(self._open_menu)
        self.tree.selectionModel().selectionChanged.connect(self._on_selection)
        self.tree.verticalScrollBar().valueChanged.connect(self._look_soon)
        model.layoutChanged.connect(self._on_layout)
        self._empty = plain_label("", "dim", wrap=True)
        self._empty.setAlignment(Qt.AlignLeft | Qt.AlignTop)
        self._empty.setContentsMargins(10, 12, 10, 0)
        self._add = QPushButton(_("Add…"))
        self._add.clicked.connect(self.add_wanted)
        self._command = QPushButton(_("Command…"))
        self._command.clicked.connect(lambda: self.command_wanted.emit(self.selected_names()))
        self._looking = QTimer(self)
        self._looking.setSingleShot(True)
        self._looking.setInterval(VISIBLE_MS)
        self._looking.timeout.connect(self._look)
        self._arranging = QTimer(self)
        self._arranging.setInterval(REARRANGE_MS)
        self._arranging.timeout.connect(model.rearrange)
        self._arranging.start()
        self._lay_out()
        self._on_layout()

    def _lay_out(self) -> None:
        self._stack = QStackedLayout()
        self._stack.addWidget(self.tree)
        self._stack.addWidget(self._empty)
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        buttons.addWidget(self._add)
        buttons.addWidget(self._command)
        buttons.addStretch(1)
        buttons.addWidget(self._order)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 4, 8)
        layout.setSpacing(GAP)
        upper = QHBoxLayout()
        upper.setSpacing(6)
        upper.addWidget(self.filter, 1)
        upper.addWidget(self._saved)
        layout.addLayout(upper)
        layout.addLayout(self._stack, 1)
        layout.addLayout(buttons)

    def selected_names(self) -> list[str]:
        """The machines selected."""
        return self.tree.selected_names()

    def selected_checks(self) -> list[str]:
        """The checks selected."""
        return self.tree.selected_checks()

    def select_check(self, name: str) -> None:
        """Select this check alone, and bring it into view."""
        index = self._model.index_of_check(name)
        if index.isValid():
            self.tree.setCurrentIndex(index)

    def select(self, names: Sequence[str]) -> None:
        """Select these machines, and bring the first into view."""
        chosen = QItemSelection()
        indexes = [index for index in map(self._model.index_of, names) if index.isValid()]
        for index in indexes:
            chosen.select(index, index)
        if indexes:
            self.tree.setCurrentIndex(indexes[0])
        selection = self.tree.selectionModel()
        selection.select(chosen, selection.ClearAndSelect)

    def set_problems_first(self, is_problems_first: bool) -> None:
        """The order, as it was kept."""
        (self._problems_first if is_problems_first else self._by_name).setChecked(True)
        self._model.set_problems_first(is_problems_first)

    def set_grouped(self, is_grouped: bool) -> None:
        """Under the names of groups or all in one list, as it was kept."""
        self._by_group.setChecked(is_grouped)
        self._model.set_grouped(is_grouped)

    def set_saved_filters(self, saved: Mapping[str, tuple[str, ...]]) -> None:
        """The filters of the settings: each is a press away, and is written into the filter."""
        self._model.set_saved_filters(saved)
        menu = self._saved.menu()
        menu.clear()
        for name in saved:
            text = f"filter:{name}"
            action = menu.addAction(one_line(name).replace("&", "&&"))
            action.setToolTip(plain_tip(" ".join(saved[name])))
            action.triggered.connect(lambda _checked=False, text=text: self.filter.setText(text))
        self._saved.setVisible(bool(saved))

    def _order_menu(self) -> QMenu:
        menu = QMenu(self)
        group = QActionGroup(menu)
        self._problems_first = menu.addAction(_("Problems first"))
        self._by_name = menu.addAction(_("By name"))
        for action in (self._problems_first, self._by_name):
            action.setCheckable(True)
            group.addAction(action)
        self._problems_first.setChecked(True)
        group.triggered.connect(lambda action: self._model.set_problems_first(action is self._problems_first))
        menu.addSeparator()
        self._by_group = menu.addAction(_("Under their groups"))
        self._by_group.setCheckable(True)
        self._by_group.setChecked(True)
        self._by_group.triggered.connect(self._model.set_grouped)
        return menu

    def focus_filter(self) -> None:
        """Ctrl+F."""
        self.filter.setFocus(Qt.ShortcutFocusReason)
        self.filter.selectAll()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Other rows may be on screen now."""
        super().resizeEvent(event)
        self._look_soon()

    def _focus_tree(self) -> None:
        self.tree.setFocus(Qt.OtherFocusReason)
        if not self.selected_names() and self._model.groups():
            self.tree.setCurrentIndex(self._model.index(0, 0, self._model.index(0, 0)))

    def _on_selection(self) -> None:
        self.selected.emit(self.selected_names())

    def _on_layout(self) -> None:
        has_machines = next(iter(self._model.rows()), None) is not None
        has_any = has_machines or next(iter(self._model.checks()), None) is not None
        shows_some = bool(self._model.groups())
        self._stack.setCurrentIndex(0 if shows_some else 1)
        self._empty.setText(
            _("No machine matches the filter.")
            if has_any
            else _(
                "No machine yet. Add… pairs this console with the agent of another machine; Machines > Add check… "
                "watches a page, a port or a host without an agent."
            )
        )
        self._command.setEnabled(has_machines)
        self.shown_changed.emit(self._model.shown_count)
        self._look_soon()

    def _look_soon(self) -> None:
        self._looking.start()

    def _look(self) -> None:
        visible = self.tree.visible_names() if self.tree.isVisible() else frozenset()
        if visible != self._visible:
            self._visible = visible
            self.visible_changed.emit(visible)

    def _open_menu(self, place: QPoint) -> None:
        names = self.selected_names()
        checks = self.selected_checks()
        if names:
            self.menu_for(names).exec_(place)
        elif checks:
            self.menu_for_checks(checks).exec_(place)

    def menu_for(self, names: Sequence[str]) -> QMenu:
        """What one can do with these machines."""
        chosen, first, is_one = list(names), names[0], len(names) == 1
        menu, add = self._menu()
        if not is_one:
            about = ngettext("{count} machine", "{count} machines", len(chosen)).format(count=number(len(chosen)))
            add(about, lambda: None, enabled=False)
            menu.addSeparator()
        add(_("Show"), lambda: self.opened.emit(first), enabled=is_one)
        add(_("Command…"), lambda: self.command_wanted.emit(chosen))
        add(_("Poll now") + "\tF5", lambda: self.poll_wanted.emit(chosen))
        add(_("Mute for 1 hour"), lambda: self.mute_wanted.emit(chosen))
        add(_("Say in the room…"), lambda: self.say_wanted.emit(f"machine/{first}"), enabled=is_one)
        menu.addSeparator()
        add(_("Copy address"), lambda: self.copy_address_wanted.emit(chosen))
        add(_("Open ssh"), lambda: self.ssh_wanted.emit(first), enabled=is_one)
        menu.addSeparator()
        if is_one:
            add(_("Groups, tags and notes…"), lambda: self.edit_wanted.emit(first))
        else:
            add(_("Groups and tags…"), lambda: self.edit_many_wanted.emit(chosen))
        add(_("Pair again…"), lambda: self.pair_again_wanted.emit(first), enabled=is_one)
        add(_("Remove…"), lambda: self.remove_wanted.emit(chosen))
        return menu

    def menu_for_checks(self, names: Sequence[str]) -> QMenu:
        """What one can do with these checks."""
        chosen, first, is_one = list(names), names[0], len(names) == 1
        menu, add = self._menu()
        add(_("Show"), lambda: self.check_opened.emit(first), enabled=is_one)
        add(_("Check now"), lambda: self.check_now_wanted.emit(chosen))
        add(_("Mute for 1 hour"), lambda: self.mute_checks_wanted.emit(chosen))
        menu.addSeparator()
        add(_("Edit check…"), lambda: self.edit_check_wanted.emit(first), enabled=is_one)
        add(_("Remove…"), lambda: self.remove_checks_wanted.emit(chosen))
        return menu

    def _menu(self) -> tuple[QMenu, Callable[..., QAction]]:
        """A menu that ends with its closing, and what adds an entry to it."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WA_DeleteOnClose)

        def add(text: str, slot: object, *, enabled: bool = True) -> QAction:
            action = menu.addAction(text)
            action.triggered.connect(slot)
            action.setEnabled(enabled)
            return action

        return menu, add
