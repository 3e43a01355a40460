"""No label of a page or of the window guesses whether its text is HTML."""

from __future__ import annotations

import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QLabel

from gui.models.machines import MachineModel
from gui.pages.commands import CommandsPage
from gui.pages.energy import EnergyPage
from gui.pages.history import HistoryPage
from gui.pages.machine import MachinePage
from gui.pages.overview import OverviewPage
from gui.pages.room import RoomPage
from gui.pages.sensors import SensorsPage
from gui.plain_text import one_line, plain_tip, printable
from gui.widgets.labels import ElidedLabel, plain_label, set_role

PAGES = {
    "overview": lambda: OverviewPage(MachineModel()),
    "machine": MachinePage,
    "commands": CommandsPage,
    "energy": EnergyPage,
    "sensors": SensorsPage,
    "room": RoomPage,
    "history": HistoryPage,
}


@pytest.mark.parametrize("name", PAGES)
def test_every_label_of_a_page_shows_plain_text(qtbot, name):
    page = PAGES[name]()
    qtbot.addWidget(page)
    page.show()
    qtbot.waitExposed(page)
    labels = page.findChildren(QLabel)
    assert labels
    assert [label.text() for label in labels if label.textFormat() != Qt.PlainText] == []


def test_a_plain_label_draws_what_it_is_given_now_and_later(qtbot):
    label = plain_label("<b>a</b>", "dim")
    qtbot.addWidget(label)
    assert label.textFormat() == Qt.PlainText
    set_role(label, "critical")
    assert label.property("role") == "critical"


def test_an_elided_label_keeps_the_whole_text_in_its_tip_and_for_those_who_listen(qtbot):
    label = ElidedLabel("dim")
    qtbot.addWidget(label)
    label.resize(60, 20)
    label.show()
    label.set_text("<i>a very long name of a machine</i>")
    assert label.text().endswith("…")
    assert "&lt;i&gt;a very long name" in label.toolTip()
    assert label.accessibleName() == "<i>a very long name of a machine</i>"
    label.resize(900, 20)
    assert label.text() == "<i>a very long name of a machine</i>"
    assert label.toolTip() == ""


def test_a_tip_is_escaped_and_an_empty_one_stays_empty():
    assert "<img" not in plain_tip("<img src=x>")
    assert "&lt;img src=x&gt;" in plain_tip("<img src=x>")
    assert plain_tip("") == ""


def test_signs_that_steer_are_replaced_tabs_and_line_ends_stay():
    assert printable("a\tb\nc\rd\x1b[0m\x00\u202e\u2028e") == "a\tb\ncd\ufffd[0m\ufffd\ufffd e"
    assert one_line("a\nb\r\nc") == "a b c"
