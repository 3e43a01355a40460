"""What is typed into the filter of the machine list, letter by letter."""

from __future__ import annotations

import pytest
from machine_records import report

from core.records import Level, Machine, MachineState
from gui.models.machines import MachineModel

SAVED = {"night": ("@lab", "!db-1")}


@pytest.fixture
def model(qtbot) -> MachineModel:
    made = MachineModel()
    made.set_saved_filters(SAVED)
    made.set_machines(
        [
            Machine(name="web-1", host="10.1.0.1", groups=("lab",), tags=("printer",), os="Debian GNU/Linux"),
            Machine(name="web-2", host="10.1.0.2", groups=("hall",), os="Windows 11", level=Level.RUN),
            Machine(name="db-1", host="10.2.0.1", groups=("lab",), notes="printer of the first floor"),
        ]
    )
    made.apply([report("web-1", MachineState.ONLINE), report("web-2", MachineState.OFFLINE, seen=False)])
    return made


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("web", ["web-1", "web-2"]),
        ("web-*", ["web-1", "web-2"]),
        ("web-[1-9]", ["web-1", "web-2"]),
        ("!web-*", ["db-1"]),
        ("!web", ["db-1"]),
        ("@lab", ["db-1", "web-1"]),
        ("@la", ["db-1", "web-1"]),
        ("@lab !db-1", ["web-1"]),
        ("tag:printer", ["web-1"]),
        ("tag:pr", ["web-1"]),
        ("printer", ["db-1", "web-1"]),
        ("os:linux", ["web-1"]),
        ("os:win", ["web-2"]),
        ("level:run", ["web-2"]),
        ("state:offline", ["web-2"]),
        ("address:10.1.", ["web-1", "web-2"]),
        ("address:10.1.0.0/16", ["web-1", "web-2"]),
        ("address:10.2.*", ["db-1"]),
        ("filter:night", ["web-1"]),
        ("filter:none", []),
        ("!", ["db-1", "web-1", "web-2"]),
        ("web os:", ["web-1", "web-2"]),
        ("[", []),
    ],
)
def test_the_filter_takes_words_of_the_command_line_and_plain_ones(model, text, names):
    model.set_filter(text)
    assert sorted(model.shown_names()) == names


def test_a_filter_typed_letter_by_letter_never_fails(model):
    for text in ("!tag:printer", "filter:night", "address:10.1.0.0/16", "srv[01-40,x", "*" * 2000, "! " * 500):
        for length in range(0, len(text) + 1, 1 + len(text) // 40):
            model.set_filter(text[:length])


def test_a_machine_that_changes_is_searched_by_what_it_is_now(model):
    model.set_filter("state:offline")
    assert model.shown_names() == ["web-2"]
    model.apply([report("web-2", MachineState.ONLINE), report("web-1", MachineState.OFFLINE)])
    model.rearrange()
    assert model.shown_names() == ["web-1"]


def test_groups_can_be_put_away_and_come_back(model):
    assert [group.title for group in model.groups()] == ["hall", "lab"]
    model.set_grouped(False)
    assert [group.title for group in model.groups()] == ["machines"]
    assert model.shown_count == 3
    model.set_grouped(True)
    assert [group.title for group in model.groups()] == ["hall", "lab"]
