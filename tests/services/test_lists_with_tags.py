"""Tags in lists of machines: read where a list has them, written only where a machine has one."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.records import Machine
from core.services.list_import import planned
from core.services.list_writing import write_list
from core.services.machine_lists import parse_list, parse_listing, read_list

PLAIN = Machine(name="web-1", host="10.1.0.1", groups=("lab",))
TAGGED = Machine(name="web-2", host="10.1.0.2", tags=("printer", "first.floor"))


@pytest.mark.parametrize("suffix", [".csv", ".json", ".xlsx"])
def test_export_then_import_gives_the_same_tags(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"list{suffix}"
    write_list(path, [PLAIN, TAGGED])
    machines, errors = read_list(path)
    assert not errors
    assert machines == [PLAIN, TAGGED]


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_a_list_without_any_tag_is_written_as_ever(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"list{suffix}"
    write_list(path, [PLAIN])
    assert b"tags" not in path.read_bytes()


@pytest.mark.parametrize("text", ["a;b", "a, b", "a b", "a|b"])
def test_tags_stand_with_any_sign_between_them(text: str) -> None:
    [machine], errors = parse_list(f'name\taddress\ttags\nx\t10.0.0.1\t"{text}"\n', ".csv")
    assert not errors
    assert machine.tags == ("a", "b")


def test_a_bad_tag_is_named_with_its_line_and_the_others_are_taken() -> None:
    machines, errors = parse_list("name,address,tags\nx,10.0.0.1,ok\ny,10.0.0.2,no*\n", ".csv")
    assert [machine.name for machine in machines] == ["x"]
    assert [error.line for error in errors] == [3]
    assert "no*" in errors[0].reason


def test_a_list_without_tags_leaves_those_that_are_there() -> None:
    listing = parse_listing("name,address,groups\nweb-2,10.1.0.2,hall\n", ".csv")
    [machine] = planned(listing, [TAGGED], 10).machines
    assert (machine.groups, machine.tags) == (("hall",), TAGGED.tags)
