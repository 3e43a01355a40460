"""Lists of machines from and to files."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from core.errors import ConfigError, UsageError
from core.records import Level, Machine
from core.services.list_import import LineState, planned
from core.services.list_writing import write_list
from core.services.machine_lists import Listing, parse_list, read_list


def places(text: str | bytes, suffix: str = "") -> list[tuple[str, str, int]]:
    machines, errors = parse_list(text, suffix)
    assert errors == []
    return [(machine.name, machine.host, machine.port) for machine in machines]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("10.0.0.1;8080", [("10.0.0.1", "10.0.0.1", 8080)]),
        ("lab-01,10.0.0.1:8080", [("lab-01", "10.0.0.1", 8080)]),
        ("10.0.0.1,8080", [("10.0.0.1", "10.0.0.1", 8080)]),
        ("10.0.0.1:8080", [("10.0.0.1", "10.0.0.1", 8080)]),
        ("10.0.0.1", [("10.0.0.1", "10.0.0.1", 17450)]),
        ("10.0.0.1 8080 10.0.0.2 8081", [("10.0.0.1", "10.0.0.1", 8080), ("10.0.0.2", "10.0.0.2", 8081)]),
        ("10.0.0.1\t8080", [("10.0.0.1", "10.0.0.1", 8080)]),
        ("lab-01;web.example.org:1", [("lab-01", "web.example.org", 1)]),
        ("Poste été , 10.0.0.1 : 8080 ", [("Poste été", "10.0.0.1", 8080)]),
        ("[fe80::1]:8080", [("fe80::1", "fe80::1", 8080)]),
        ("fe80::1", [("fe80::1", "fe80::1", 17450)]),
        ("  10.0.0.1;8080;  \r", [("10.0.0.1", "10.0.0.1", 8080)]),
        ("10.0.0.1:1 10.0.0.1:2", [("10.0.0.1", "10.0.0.1", 1), ("10.0.0.1:2", "10.0.0.1", 2)]),
    ],
)
def test_each_simple_form_is_taken(line: str, expected: list[tuple[str, str, int]]) -> None:
    assert places(line) == expected


def test_the_forms_may_be_mixed_with_comments_and_empty_lines() -> None:
    text = "# room 12\n10.0.0.1;1\n\nlab,10.0.0.2:2\r\n10.0.0.3\n"
    assert [place[1] for place in places(text)] == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_with_headers_in_any_order(separator: str) -> None:
    text = separator.join(["Port", "Adresse", "Nom", "prix"]) + "\n" + separator.join(["99", "10.0.0.1", "a", "12"])
    assert places(text, ".csv") == [("a", "10.0.0.1", 99)]


def test_groups_and_notes_are_read() -> None:
    machines, errors = parse_list('name,address,groups,notes\na,10.0.0.1,"lab; first","says ""hi"", twice"\n', ".csv")
    assert errors == []
    assert machines == [Machine(name="a", host="10.0.0.1", groups=("lab", "first"), notes='says "hi", twice')]


@pytest.mark.parametrize(
    "content",
    [
        "name;address\nété;10.0.0.1\n".encode("cp1252"),
        "name;address\nété;10.0.0.1\n".encode("utf-8-sig"),
        "name;address\nété;10.0.0.1\n".encode("utf-16"),
        "\ufeffname;address\nété;10.0.0.1\n",
    ],
)
def test_bytes_of_spreadsheets_are_read_whatever_their_encoding(content: bytes | str) -> None:
    assert places(content, ".csv") == [("été", "10.0.0.1", 17450)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("10.0.0.300", "is not an address"),
        ("10.0.0.1:99999", "is not a port"),
        ("10.0.0.1;0", "is not a port"),
        ("bad host name", "neither an address"),
        ("-oProxy;22", "is not an address"),
        ("[::1", "is not an address"),
        ("all,10.0.0.1:1", "means all machines"),
        ("@x,10.0.0.1:1", "may not have '@'"),
        ("!x,10.0.0.1:1", "may not have '!'"),
        ("a/b,10.0.0.1:1", "may not have '/'"),
        ("x\x1b[2J,10.0.0.1:1", "cannot be shown"),
        ("n" * 65 + ",10.0.0.1:1", "1 to 64 characters"),
    ],
)
def test_a_bad_line_is_named_and_the_others_are_taken(line: str, reason: str) -> None:
    machines, errors = parse_list(f"10.0.0.7\n{line}\n10.0.0.8\n")
    assert [machine.host for machine in machines] == ["10.0.0.7", "10.0.0.8"]
    assert [error.line for error in errors] == [2]
    assert reason in errors[0].reason


def test_duplicates_are_named_with_the_line_of_the_first() -> None:
    machines, errors = parse_list("a,10.0.0.1:1\nb,10.0.0.1:1\na,10.0.0.2:1\n")
    assert [machine.name for machine in machines] == ["a"]
    assert [(error.line, error.reason) for error in errors] == [
        (2, "10.0.0.1:1 is already on line 1"),
        (3, "the name a is already on line 1"),
    ]


def test_json_takes_objects_texts_and_what_machines_list_prints() -> None:
    text = '[{"name": "a", "address": "10.0.0.1:5", "groups": ["x", "y"], "state": null}, "b,10.0.0.2:6", 7]'
    machines, errors = parse_list(text, ".json")
    assert machines == [
        Machine(name="a", host="10.0.0.1", port=5, groups=("x", "y")),
        Machine(name="b", host="10.0.0.2", port=6),
    ]
    assert [(error.line, error.text) for error in errors] == [(3, "7")]


def test_json_that_breaks_off_gives_what_comes_before_and_says_where() -> None:
    machines, errors = parse_list('[\n{"address": "10.0.0.1"},\n{"addr', ".json")
    assert [machine.host for machine in machines] == ["10.0.0.1"]
    assert [error.line for error in errors] == [3]
    machines, errors = parse_list('{"machines": ["10.0.0.1"]} ', ".json")
    assert (len(machines), errors) == (1, [])
    for text in ("[] x", '["10.0.0.1" "10.0.0.2"]', '["10.0.0.1",]'):
        assert "not JSON" in parse_list(text, ".json")[1][-1].reason


@pytest.mark.parametrize("content", [b"{", b"[[", b"17", b"[" * 100000, b"\xff\xfe\x00"])
def test_what_is_no_json_list_is_one_error(content: bytes) -> None:
    machines, errors = parse_list(content, ".json")
    assert machines == []
    assert len(errors) == 1


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=300), suffix=st.sampled_from(["", ".csv", ".json", ".xlsx", ".txt"]))
def test_garbage_never_raises(content: bytes, suffix: str) -> None:
    parse_list(content, suffix)


texts = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=12)
notes = st.builds(
    lambda first, rest: (first + rest).strip(), st.sampled_from(["", "=1+1", "+", "-x", "@a", "'", "'="]), texts
)


@settings(max_examples=40, deadline=None)
@given(suffix=st.sampled_from([".csv", ".json", ".xlsx"]), said=st.lists(notes, max_size=5))
def test_export_then_import_gives_the_same_list(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, said: list[str]
) -> None:
    machines = [
        Machine(name=f"=m {number}", host=f"10.0.0.{number}", port=1000 + number, groups=("été", "b c"), notes=text)
        for number, text in enumerate(said)
    ]
    path = tmp_path_factory.mktemp("lists") / f"list{suffix}"
    write_list(path, machines)
    assert read_list(path) == (machines, [])


def test_an_exported_cell_is_never_a_formula(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    write_list(path, [Machine(name="=cmd|'/c calc'!A0".replace("/", ""), host="10.0.0.1", notes="@SUM(1)")])
    assert path.read_text(encoding="utf-8").splitlines()[1] == "'=cmd|'c calc'!A0,10.0.0.1,17450,,'@SUM(1),,,"


def test_a_file_that_cannot_be_read_or_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.csv cannot be read"):
        read_list(tmp_path / "missing.csv")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_list(tmp_path / "no" / "list.csv", [])
    with pytest.raises(UsageError, match=r"\.xlsx"):
        write_list(tmp_path / "list.doc", [])
    assert list(tmp_path.iterdir()) == []


def plan(known: list[Machine], listed: list[Machine], most: int = 2000) -> list[tuple[LineState, Machine | None, str]]:
    lines = list(range(1, len(listed) + 1))
    return [(line.state, line.machine, line.reason) for line in planned(Listing(listed, lines, []), known, most).lines]


def test_a_known_machine_keeps_its_certificate_and_its_address() -> None:
    known = [Machine(name="a", host="10.0.0.1", fingerprint="SHA256:X", level=Level.RUN, notes="kept")]
    listed = [
        Machine(name="a", host="10.0.0.1", groups=("lab",)),
        Machine(name="b", host="10.0.0.1"),
        Machine(name="c", host="10.0.0.3"),
    ]
    assert plan(known, listed) == [
        (
            LineState.CHANGED,
            Machine(name="a", host="10.0.0.1", fingerprint="SHA256:X", level=Level.RUN, notes="kept", groups=("lab",)),
            "",
        ),
        (LineState.REFUSED, listed[1], "10.0.0.1:17450 is already known as a"),
        (LineState.NEW, listed[2], ""),
    ]
    ((state, _machine, reason),) = plan(known, [Machine(name="a", host="10.0.0.9")])
    assert state is LineState.REFUSED
    assert "already known at 10.0.0.1:17450" in reason


def test_a_list_of_equipment_is_read_as_people_write_it() -> None:
    content = "Nom;Adresse;Référence;Prix HT (€);TVA\nété;10.0.0.1;INV-7;1 249,90 €;20 %\nb;10.0.0.2;;;\n".encode(
        "cp1252"
    )
    machines, errors = parse_list(content, ".csv")
    assert errors == []
    assert machines == [
        Machine(name="été", host="10.0.0.1", reference="INV-7", price_before_tax="1249.90", vat_rate_percent="20"),
        Machine(name="b", host="10.0.0.2"),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a\t10.0.0.1\tR\t0\t20", "the price with tax is 0.00; it must be more than 0"),
        ("a\t10.0.0.1\tR\t-5\t20", "the price with tax is -6.00"),
        ("a\t10.0.0.1\tR\tfree\t20", "'free' is not a price"),
        ("a\t10.0.0.1\tR\t5\t200", "no VAT rate"),
        ("a\t10.0.0.1\t" + "R" * 65 + "\t5\t20", "the reference"),
        ("a\t=A1+B1\tR\t5\t20", "is not an address"),
    ],
)
def test_a_bad_price_refuses_its_line_with_the_reason(line: str, reason: str) -> None:
    machines, errors = parse_list(f"name\taddress\treference\tprice\tvat\n{line}\nb\t10.0.0.2\t\t\t\n", ".csv")
    assert [machine.name for machine in machines] == ["b"]
    assert [error.line for error in errors] == [2]
    assert reason in errors[0].reason


equipment = st.builds(
    Machine,
    name=st.uuids().map(lambda one: f"=m {one.hex[:8]}"),
    host=st.just("x"),
    groups=st.lists(st.sampled_from(["été", "b c", "=d"]), unique=True, max_size=2).map(tuple),
    notes=notes,
    reference=st.sampled_from(["", "INV-7", "=1", "'x", "été"]),
    price_before_tax=st.sampled_from([None, "1249.90", "0.5", "12"]),
    vat_rate_percent=st.sampled_from([None, "20", "5.5", "0"]),
)


@settings(max_examples=30, deadline=None)
@given(
    suffix=st.sampled_from([".csv", ".json", ".xlsx"]),
    listed=st.lists(equipment, max_size=5, unique_by=lambda one: one.name),
)
def test_equipment_goes_out_and_in_the_same(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, listed: list[Machine]
) -> None:
    machines = [structs.replace(machine, host=f"10.0.0.{number}") for number, machine in enumerate(listed)]
    path = tmp_path_factory.mktemp("lists") / f"list{suffix}"
    write_list(path, machines)
    assert read_list(path) == (machines, [])


def test_a_hundred_thousand_lines_take_seconds() -> None:
    text = "\n".join(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255};80" for number in range(100_000))
    begun_s = time.perf_counter()
    machines, errors = parse_list(text)
    found = planned(Listing(machines, list(range(100_000)), errors), [], 2000)
    assert time.perf_counter() - begun_s < 20
    assert (len(machines), errors) == (100_000, [])
    assert (found.count(LineState.NEW), found.count(LineState.REFUSED)) == (2000, 98_000)


def test_the_list_takes_no_more_than_its_maximum_and_names_it() -> None:
    known = [Machine(name="a", host="10.0.0.1")]
    listed = [
        Machine(name="b", host="10.0.0.2"),
        Machine(name="c", host="10.0.0.3"),
        structs.replace(known[0], notes="n"),
    ]
    states = plan(known, listed, most=2)
    assert [state for state, _machine, _reason in states] == [LineState.NEW, LineState.REFUSED, LineState.CHANGED]
    assert "at most 2 machines; raise max under [machines]" in states[1][2]


def test_an_empty_field_of_a_list_leaves_what_is_there() -> None:
    known = [Machine(name="a", host="10.0.0.1", reference="R", price_before_tax="5", vat_rate_percent="20", notes="n")]
    assert plan(known, [Machine(name="a", host="10.0.0.1")]) == [(LineState.SAME, known[0], "")]
    ((state, machine, _reason),) = plan(known, [Machine(name="a", host="10.0.0.1", price_before_tax="6")])
    assert state is LineState.CHANGED
    assert machine == structs.replace(known[0], price_before_tax="6")


def test_what_all_machines_are_worth_afterwards_is_told() -> None:
    known = [Machine(name="a", host="10.0.0.1", price_before_tax="5")]
    listing = Listing([Machine(name="b", host="10.0.0.2", price_before_tax="6")], [1], [])
    assert planned(listing, known, 2000).totals.with_tax == 11
