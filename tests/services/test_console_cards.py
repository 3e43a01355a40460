"""Cards and site files: what they say is checked, and nothing known is overwritten by them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from core.errors import ConfigError, UsageError
from core.records import Machine
from core.services.console_cards import (
    card_of,
    card_text,
    check_words,
    read_card,
    read_site,
    same_words,
    site_plan,
    write_site,
)


def machine(name, identity=None, **more):
    pins = {"fingerprint": identity.fingerprint, "certificate_pem": identity.certificate_pem} if identity else {}
    return Machine(name=name, host="10.0.0.7", **pins, **more)


def test_a_card_is_read_by_its_certificate_and_not_by_its_words(identities):
    console, agents = identities
    text = card_text(card_of(console))
    assert read_card(text) == card_of(console)
    assert read_card(text.replace(console.fingerprint, agents[0].fingerprint)).fingerprint == console.fingerprint
    for bad in ("", text[:300], text + text, "x" * 100_000):
        with pytest.raises(UsageError):
            read_card(bad)


def test_a_site_file_holds_the_paired_machines_with_their_pins(tmp_path, identities):
    _console, agents = identities
    known = [machine("a", agents[0], groups=("lab",)), machine("b"), machine("c", agents[1], is_local=True)]
    words, count = write_site(tmp_path / "site.json", known, "Ada@desk", 0.0)
    assert count == 1
    found = read_site(tmp_path / "site.json")
    assert (found.words, found.by, [item.name for item in found.machines]) == (words, "Ada@desk", ["a"])
    assert found.machines[0].fingerprint == agents[0].fingerprint
    assert found.machines[0].groups == ("lab",)
    plan = site_plan(found, [], 10)
    assert [item.name for item in plan.machines] == ["a"]


def test_one_changed_octet_shows_in_the_words(tmp_path, identities):
    _console, agents = identities
    words, _count = write_site(tmp_path / "site.json", [machine("a", agents[0])], "Ada", 0.0)
    content = (tmp_path / "site.json").read_bytes()
    assert same_words(words, words.lower().replace("-", " "))
    assert not same_words("", "")
    assert not same_words(check_words(content.replace(b"10.0.0.7", b"10.0.0.8")), words)


def test_a_pin_is_never_replaced_by_a_file(tmp_path, identities):
    _console, agents = identities
    write_site(tmp_path / "site.json", [machine("a", agents[0]), machine("b", agents[1])], "Ada", 0.0)
    found = read_site(tmp_path / "site.json")
    known = [machine("a", agents[2]), machine("b", agents[1])]
    plan = site_plan(found, known, 10)
    assert (plan.machines, plan.same, [name for name, _why in plan.refused]) == ((), ("b",), ["a"])
    filled = site_plan(found, [replace(machine("a"), notes="mine")], 10)
    assert [(item.name, item.notes) for item in filled.machines] == [("a", "mine"), ("b", "")]
    assert [name for name, _why in site_plan(found, [], 1).refused] == ["b"]


def test_bad_entries_are_refused_one_by_one(tmp_path, identities):
    _console, agents = identities
    path = tmp_path / "site.json"
    write_site(path, [machine("a", agents[0]), machine("b", agents[1]), machine("c", agents[2])], "Ada\x1b[2J", 0.0)
    text = path.read_text()
    path.write_text(text.replace('"a"', '"@a"').replace(agents[1].fingerprint, agents[0].fingerprint))
    found = read_site(path)
    assert "\x1b" not in found.by
    assert [item.name for item in found.machines] == ["c"]
    assert [name for name, _why in found.refused] == ["@a", "b"]
    with pytest.raises(ConfigError):
        read_site(tmp_path)
