"""Colours by role, one palette for each theme, and the style sheet made from them.

Widgets take colours from `theme()` by role and repaint when `notifier.changed` is emitted; none holds a value.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from string import Template

from PyQt5.QtCore import QObject, pyqtSignal
from PyQt5.QtGui import QColor, QFont, QPalette
from PyQt5.QtWidgets import QApplication


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of one theme as `#rrggbb`, by role; each text role has 4.5 : 1 or better on its grounds."""

    name: str
    ground: str
    card: str
    raised: str
    line: str
    text: str
    dim: str
    accent: str
    on_accent: str
    ok: str
    warning: str
    critical: str
    unknown: str
    power: str
    l1: str
    l2: str
    l3: str

    def color(self, role: str, alpha: int = 255) -> QColor:
        """The colour of `role`, with opacity 0 to 255; `name-3` is the fourth that names are told apart by."""
        names = NAMES[self.name]
        found = QColor(names[int(role[5:]) % len(names)] if role.startswith("name-") else getattr(self, role))
        found.setAlpha(alpha)
        return found


DARK = Theme(
    name="dark",
    ground="#14171c",
    card="#1b1f26",
    raised="#222832",
    line="#2d3440",
    text="#e6e9ee",
    dim="#98a2b2",
    accent="#5aa9e6",
    on_accent="#14171c",
    ok="#4cc38a",
    warning="#e5b53b",
    critical="#ef7a68",
    unknown="#8f9aab",
    power="#d5dbe4",
    l1="#e9985c",
    l2="#ab9df7",
    l3="#4fc1d3",
)
LIGHT = Theme(
    name="light",
    ground="#f4f5f7",
    card="#ffffff",
    raised="#f0f2f5",
    line="#d9dee5",
    text="#1c2430",
    dim="#566375",
    accent="#1b66a5",
    on_accent="#ffffff",
    ok="#17784a",
    warning="#8a5f00",
    critical="#b83226",
    unknown="#5f6b7c",
    power="#3a4656",
    l1="#b3530f",
    l2="#6450d2",
    l3="#0d7284",
)
THEMES = {"dark": DARK, "light": LIGHT}
NAMES = {
    "dark": ("#7fb0e1", "#69be2d", "#2ec28c", "#e58fba", "#b89ce8", "#2fbbca", "#e18be4", "#aeba2c"),
    "light": ("#1d69b4", "#3a7213", "#137652", "#c11f70", "#7c42e0", "#14717b", "#af1db4", "#626911"),
}
"""Colours that people in the room are told apart by, as readable as text; none of them is amber or red."""


class _Notifier(QObject):
    """Tells widgets that draw themselves that the theme has changed."""

    changed = pyqtSignal()


notifier = _Notifier()
_theme = DARK


def theme() -> Theme:
    """The theme in use."""
    return _theme


def name_color(number: int) -> QColor:
    """The colour of a name; `number` is that of `core.protocol.chat_text.colour_index`."""
    colours = NAMES[_theme.name]
    return QColor(colours[number % len(colours)])


def system_theme() -> str:
    """`dark` or `light`, as the desktop's own palette is; asked before ours is set."""
    ground = QApplication.palette().color(QPalette.Window)
    return "dark" if ground.lightness() < 128 else "light"


def use_theme(name: str) -> Theme:
    """Take a theme (`dark` or `light`) for the whole application."""
    global _theme
    _theme = THEMES[name]
    application = QApplication.instance()
    if isinstance(application, QApplication):
        application.setStyle("Fusion")
        application.setPalette(_palette(_theme))
        application.setStyleSheet(Template(_STYLE).substitute(asdict(_theme), check=_check_mark(name)))
    notifier.changed.emit()
    return _theme


def _check_mark(name: str) -> str:
    """The file of the tick in a box that is checked: Fusion draws the box itself dark on dark."""
    return (Path(__file__).parents[1] / "resources" / f"check-{name}.svg").as_posix()


def scaled_font(factor: float, *, bold: bool = False) -> QFont:
    """The application's font at `factor` times the system's size."""
    font = QFont(QApplication.font())
    font.setPointSizeF(max(6.0, QApplication.font().pointSizeF() * factor))
    font.setBold(bold)
    return font


def _palette(colours: Theme) -> QPalette:
    palette = QPalette()
    for role, value in (
        (QPalette.Window, colours.ground),
        (QPalette.WindowText, colours.text),
        (QPalette.Base, colours.card),
        (QPalette.AlternateBase, colours.raised),
        (QPalette.Text, colours.text),
        (QPalette.Button, colours.card),
        (QPalette.ButtonText, colours.text),
        (QPalette.BrightText, colours.critical),
        (QPalette.Highlight, colours.accent),
        (QPalette.HighlightedText, colours.on_accent),
        (QPalette.ToolTipBase, colours.raised),
        (QPalette.ToolTipText, colours.text),
        (QPalette.PlaceholderText, colours.dim),
        (QPalette.Link, colours.accent),
        (QPalette.Mid, colours.line),
        (QPalette.Dark, colours.line),
        (QPalette.Light, colours.raised),
    ):
        palette.setColor(role, QColor(value))
    for role in (QPalette.WindowText, QPalette.Text, QPalette.ButtonText):
        palette.setColor(QPalette.Disabled, role, QColor(colours.dim))
    return palette


_STYLE = """
QToolTip { background: $raised; color: $text; border: 1px solid $line; padding: 4px; }
QMenuBar { background: $ground; border-bottom: 1px solid $line; padding: 2px; }
QMenuBar::item { padding: 4px 10px; border-radius: 4px; }
QMenuBar::item:selected, QMenu::item:selected { background: $raised; color: $text; }
QMenu { background: $card; border: 1px solid $line; padding: 4px; }
QMenu::item { padding: 5px 26px 5px 22px; border-radius: 4px; }
QMenu::item:disabled { color: $dim; }
QMenu::separator { height: 1px; background: $line; margin: 4px 6px; }
QStatusBar { background: $ground; border-top: 1px solid $line; color: $dim; }
QStatusBar::item { border: 0; }
QFrame#card { background: $card; border: 1px solid $line; border-radius: 6px; }
QLabel#card-title, QLabel#card-context, QLabel[role="dim"] { color: $dim; }
QLabel[role="critical"] { color: $critical; }
QLabel[role="warning"] { color: $warning; }
QLabel[role="ok"] { color: $ok; }
QLineEdit, QPlainTextEdit, QSpinBox, QDoubleSpinBox, QDateTimeEdit, QComboBox {
    background: $raised; border: 1px solid $line; border-radius: 4px; padding: 5px 8px;
    selection-background-color: $accent; selection-color: $on_accent; }
QLineEdit:focus, QPlainTextEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus, QDateTimeEdit:focus,
QComboBox:focus { border: 1px solid $accent; }
QComboBox::drop-down, QDateTimeEdit::drop-down { width: 22px; border: 0; }
QFileDialog QToolButton { padding: 3px; }
QPushButton, QToolButton { background: $card; border: 1px solid $line; border-radius: 4px; padding: 6px 14px; }
QPushButton:hover, QToolButton:hover { background: $raised; }
QPushButton:focus, QToolButton:focus { border: 1px solid $accent; }
QPushButton:checked, QToolButton:checked, QPushButton[role="primary"] {
    background: $accent; color: $on_accent; border: 1px solid $accent; }
QPushButton:checked:focus, QToolButton:checked:focus, QPushButton[role="primary"]:focus {
    border: 2px solid $text; padding: 5px 13px; }
QPushButton:disabled, QToolButton:disabled { color: $dim; background: $ground; border: 1px solid $line; }
QToolButton[role="more"]:checked { background: $card; color: $text; border: 1px solid $line; padding: 6px 14px; }
QToolButton[role="more"]:checked:focus { border: 1px solid $accent; padding: 6px 14px; }
QPushButton[role="chip"] { padding: 3px 10px; border-radius: 11px; }
QPushButton[role^="switch"] { padding: 2px 6px; border: 1px solid transparent; color: $dim; }
QPushButton[role^="switch"]:checked { background: $raised; color: $text; border: 1px solid $line; }
QPushButton[role^="switch"]:focus { padding: 2px 6px; border: 1px solid $accent; }
QPushButton[role="chip"]:focus { padding: 3px 10px; border: 1px solid $accent; }
QPushButton[role="switch-warning"] { color: $warning; }
QPushButton[role="switch-critical"] { color: $critical; }
QPlainTextEdit#command { padding: 2px 5px; }
QFrame#chips { background: $card; border: 1px solid $line; border-radius: 4px; }
QFrame#chip { background: $raised; border: 1px solid $line; border-radius: 4px; }
QFrame#chip[less="true"] { background: transparent; border: 1px dashed $dim; }
QFrame#chip[lost="true"] { border: 1px solid $warning; }
QToolButton#chip-cross { background: transparent; border: 0; padding: 0; color: $dim; }
QToolButton#chip-cross:hover, QToolButton#chip-cross:focus { color: $text; background: $line; }
QListView#completions { background: $card; border: 1px solid $line; }
QToolButton#bell { background: transparent; border: 0; padding: 1px 8px; color: $dim; }
QToolButton#bell:hover, QToolButton#bell:focus { color: $text; background: $raised; }
QLineEdit#chip-entry { background: transparent; border: 0; padding: 0 4px; }
QPlainTextEdit#answers { background: transparent; border: 0; padding: 0; }
QToolButton::menu-indicator { image: none; }
QPushButton::menu-indicator { image: none; width: 0; }
QListView { background: $card; border: 1px solid $line; outline: 0; }
QTableView, QTreeView, QScrollArea, QTextBrowser, QWidget QListView {
    background: transparent; border: 0; outline: 0; }
QComboBox QAbstractItemView { background: $card; border: 1px solid $line; }
QTableView::item, QTreeView::item { padding: 2px 6px; border: 0; }
QTableView::item:selected, QTreeView::item:selected, QListView::item:selected {
    background: $raised; color: $text; }
QHeaderView { background: transparent; }
QHeaderView::section { background: transparent; color: $dim; border: 0; border-bottom: 1px solid $line;
    padding: 4px 9px; }
QCheckBox::indicator, QAbstractItemView::indicator {
    width: 13px; height: 13px; background: $raised; border: 1px solid $dim; border-radius: 3px; }
QCheckBox::indicator:hover, QCheckBox::indicator:focus, QAbstractItemView::indicator:hover {
    border: 1px solid $accent; }
QCheckBox::indicator:checked, QAbstractItemView::indicator:checked {
    background: $accent; border: 1px solid $accent; image: url("$check"); }
QCheckBox::indicator:disabled { background: $ground; border: 1px solid $line; }
QSplitter::handle { background: transparent; }
QAbstractScrollArea::corner { background: transparent; border: 0; }
QScrollBar:vertical { background: transparent; width: 12px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: 12px; margin: 0; }
QScrollBar::handle { background: $line; border-radius: 4px; min-height: 28px; min-width: 28px; margin: 2px; }
QScrollBar::handle:hover { background: $dim; }
QScrollBar::handle:disabled { background: transparent; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QProgressBar { background: $raised; border: 0; border-radius: 3px; max-height: 6px; }
QProgressBar::chunk { background: $accent; border-radius: 3px; }
QTabBar { background: transparent; }
QTabBar::tab { background: transparent; color: $dim; padding: 8px 15px; border: 0;
    border-bottom: 2px solid transparent; }
QTabBar::tab:selected { color: $text; border-bottom: 2px solid $accent; }
QTabBar::tab:hover { color: $text; }
QTabBar#card-tabs::tab { padding: 4px 8px; }
QTabBar:focus { border: 0; }
QTabBar::tab:focus { color: $accent; }
"""
