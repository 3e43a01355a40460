"""In every language each entry of a menu has a key of its own."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from PyQt5.QtWidgets import QMenu

from core.language import LANGUAGES, use_language
from gui.main_window import MainWindow
from gui.models.machines import MachineModel


def keys(texts: list[str]) -> Counter[str]:
    return Counter(found[1].lower() for text in texts if (found := re.search(r"(?<!&)&(\w)", text)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_entries_of_a_menu_share_a_key(qtbot, qapp, settings, language):
    use_language(language)
    window = MainWindow(settings, MachineModel(qapp))
    qtbot.addWidget(window)
    bar = window.menuBar()
    menus = {"the menu bar": [action.text() for action in bar.actions()]}
    menus |= {menu.title(): [action.text() for action in menu.actions()] for menu in bar.findChildren(QMenu)}
    shared = [f"{title}: {key}" for title, texts in menus.items() for key, count in keys(texts).items() if count > 1]
    assert len(menus) > 5
    assert not shared
