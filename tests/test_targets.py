"""Promises of the language of targets."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UsageError
from core.folded_names import MOST_NAMES
from core.gather import fold_names
from core.records import Level, Machine, MachineState
from core.targets import TargetBook, choose, lost, missing, needs_states, problem, resolve, words

MACHINES = (
    Machine(name="web-1", host="10.1.0.1", groups=("web", "prod"), tags=("edge",), os="Debian GNU/Linux 12"),
    Machine(name="web-2", host="10.1.0.2", groups=("web",), level=Level.RUN, os="Ubuntu Linux 24.04"),
    Machine(name="web-10", host="10.1.0.10", groups=("web",), tags=("edge", "old"), level=Level.VIEW, os="Windows 11"),
    Machine(name="db", host="db.example", port=4000, groups=("data",), level=Level.MANAGE),
    Machine(name="srv01", host="10.2.0.1"),
    Machine(name="srv02", host="10.2.0.2"),
    Machine(name="srv42", host="10.2.0.42"),
    Machine(name="Lab", host="::1"),
)
NAMES = tuple(machine.name for machine in MACHINES)
BOOK = TargetBook(
    MACHINES,
    {
        "night": ("@web", "!tag:old"),
        "servers": ("srv[01-99]", "filter:night"),
        "one": ("filter:two",),
        "two": ("web-1", "filter:one"),
        "empty": (),
    },
    {"web-1": MachineState.ONLINE, "db": MachineState.OFFLINE, "Lab": MachineState.NOT_TRUSTED},
)


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("all", NAMES),
        ("db", ("db",)),
        ("DB", ("db",)),
        ("lab", ("Lab",)),
        ("web-*", ("web-1", "web-2", "web-10")),
        ("WEB-?", ("web-1", "web-2")),
        ("web-[12]", ("web-1", "web-2")),
        ("web-[10]", ("web-10",)),
        ("web-[3,4]", ()),
        ("web-[1,2]", ("web-1", "web-2")),
        ("web-[2-10]", ("web-2", "web-10")),
        ("[dw]*", ("web-1", "web-2", "web-10", "db")),
        ("srv[01-42]", ("srv01", "srv02", "srv42")),
        ("srv[1-42]", ("srv42",)),
        ("srv[00-42/2]", ("srv02", "srv42")),
        ("s*[01-02]", ("srv01", "srv02")),
        ("db,web-1", ("db", "web-1")),
        ("web-[1,10], db", ("web-1", "web-10", "db")),
        ("@web", ("web-1", "web-2", "web-10")),
        ("@pro*", ("web-1",)),
        ("@nobody", ()),
        ("tag:EDGE", ("web-1", "web-10")),
        ("tag:o*", ("web-10",)),
        ("os:linux", ("web-1", "web-2")),
        ("os:win", ("web-10",)),
        ("os:inux", ()),
        ("os:ubuntu linux", ("web-2",)),
        ("os:*24*", ("web-2",)),
        ("level:run", ("web-2",)),
        ("state:offline", ("db",)),
        ("state:not trusted", ("Lab",)),
        ("address:10.1.*", ("web-1", "web-2", "web-10")),
        ("address:10.2.0.0/27", ("srv01", "srv02")),
        ("address:db.example:4000", ("db",)),
        ("address:::1", ("Lab",)),
        ("filter:night", ("web-1", "web-2")),
        ("filter:servers", ("srv01", "srv02", "srv42", "web-1", "web-2")),
        ("filter:empty", ()),
    ],
)
def test_a_target_means(target: str, names: tuple[str, ...]) -> None:
    assert resolve([target], BOOK) == names
    assert lost([target], BOOK) == (() if names else (target,))


def test_what_is_taken_away_is_so_wherever_it_stands_and_alone_is_taken_from_all() -> None:
    assert resolve(["all", "!web-*"], BOOK) == resolve(["!web-*", "all"], BOOK) == resolve(["!web-*"], BOOK)
    assert resolve(["!web-*"], BOOK) == ("db", "srv01", "srv02", "srv42", "Lab")
    assert resolve(["@web", "!filter:night"], BOOK) == ("web-10",)
    assert resolve(["@web", "!web-1,web-2"], BOOK) == ("web-10",)
    assert resolve([], BOOK) == ()


def test_each_machine_comes_once_in_the_order_it_is_named() -> None:
    assert resolve(["srv02", "web-2", "all", "@web"], BOOK)[:3] == ("srv02", "web-2", "web-1")
    assert len(resolve(["srv02", "web-2", "all", "@web"], BOOK)) == len(NAMES)


def test_several_brackets_are_every_combination() -> None:
    book = TargetBook(tuple(Machine(name=f"rack{r}n{n:02}", host="h") for r in (1, 2, 3) for n in range(1, 17)))
    assert len(resolve(["rack[1-2]n[01-16]"], book)) == 32
    assert resolve(["rack[2]n[03,16]"], book) == ("rack2n03", "rack2n16")


def test_a_name_comes_before_what_it_looks_like() -> None:
    strange = ("os:x", "!a", "b,c", "@d", "e*", "f[1-2]")
    book = TargetBook((*(Machine(name=name, host="h") for name in strange), Machine(name="a", host="h", os="x")))
    for name in strange:
        assert resolve([name], book) == (name,)


def test_what_brackets_may_spell_is_bounded_and_said_quickly() -> None:
    began_s = time.perf_counter()
    for target in ("srv[0-999999999999]", "a[1-9999]b[1-9999]c[1-9999]", f"srv[0-{MOST_NAMES}]", "x*[1-9999]"):
        assert "more than" in problem(target, BOOK)
        assert resolve([target], BOOK) == ()
    assert "backwards" in problem("srv[9-1]", BOOK)
    assert "list of numbers" in problem("srv[1--2]", BOOK)
    assert "too long" in problem("a" * 5000, BOOK)
    assert time.perf_counter() - began_s < 2.0


def test_a_mistyped_target_is_told_with_what_is_near() -> None:
    with pytest.raises(UsageError, match=r"'wbe-\*'; near: web-1, web-2, web-10"):
        choose(["all", "wbe-*"], BOOK)
    assert "near: tag:edge" in problem("tag:egde", BOOK)
    assert "known are: web-1, web-2" in problem("zzzzzz", BOOK)
    for kind in ("@", "tag:"):
        known = problem(f"{kind}zzzzzz", BOOK).partition("known are: ")[2].split(", ")
        assert known == [word for word in words(BOOK) if word.startswith(kind)]
    assert problem("web-1", BOOK) == ""
    assert "levels are view, run" in problem("level:rum", BOOK)
    assert "states are online" in problem("state:gone", BOOK)
    assert "what db, srv01, srv02, srv42, Lab run is not known" in problem("os:plan9", BOOK)
    assert "where web-2, web-10, srv01, srv02, srv42 stand is not known yet" in problem("state:late", BOOK)
    known = TargetBook(MACHINES, {}, dict.fromkeys(NAMES, MachineState.ONLINE))
    assert problem("state:late", known) == "no machine is late now"
    assert "saved are: night" in problem("filter:nacht", BOOK)
    assert "no network" in problem("address:10.1/x", BOOK)
    with pytest.raises(UsageError, match="no machine is left"):
        choose(["@web", "!web-*"], BOOK)


def test_filters_that_name_each_other_are_told_and_do_not_hang() -> None:
    assert "one → two → one" in problem("filter:one", BOOK)
    assert lost(["filter:two"], BOOK) == ("filter:two",)
    assert resolve(["filter:one", "db"], BOOK) == ("db",)


def test_names_that_brackets_spell_and_nobody_has_are_told() -> None:
    assert missing(["srv[01-03,42]", "web-[1-2]", "!srv[70-80]", "s*[01-99]"], BOOK) == ("srv03",)


def test_states_are_asked_for_only_where_a_target_needs_them() -> None:
    book = TargetBook(MACHINES, {"here": ("state:online",), "loop": ("filter:loop",)})
    assert needs_states(["!state:offline"], book)
    assert needs_states(["db,filter:here"], book)
    assert not needs_states(["filter:loop", "@web", "os:linux"], book)


def test_every_word_offered_means_something() -> None:
    offered = words(BOOK)
    assert {"all", "db", "@web", "tag:edge", "filter:night", "os:windows 11", "level:run", "state:offline"} <= {
        *offered
    }
    assert set(lost(offered, BOOK)) == {"filter:one", "filter:two", "filter:empty"}


def test_two_thousand_machines_are_looked_through_quickly() -> None:
    many = tuple(Machine(name=f"lab-{n:04}", host=f"10.0.{n // 250}.{n % 250}", groups=("lab",)) for n in range(2000))
    book = TargetBook(many)
    began_s = time.perf_counter()
    assert len(resolve(["lab-[0000-1999]", "@lab", "!address:10.0.1.*", "lab-*"], book)) == 1750
    assert time.perf_counter() - began_s < 1.0


@given(st.sets(st.from_regex(r"[a-z]{1,2}(-?[0-9]{1,3}[a-z]?){0,3}", fullmatch=True), max_size=40))
def test_what_is_folded_is_read_back_as_the_same_machines(names: set[str]) -> None:
    book = TargetBook(tuple(Machine(name=name, host="h") for name in sorted(names)))
    folded = fold_names(names)
    assert set(resolve([folded] if folded else [], book)) == names
    assert missing([folded], book) == ()
