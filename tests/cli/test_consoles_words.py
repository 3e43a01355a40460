"""`consoles …` with a real agent: a second operator comes in by a card, a site file and two fingerprints."""

from __future__ import annotations

import json

import pytest
from real_agent import SITE_CODE, Agent

from core.cli.app import main


@pytest.fixture(scope="module")
def agent(tmp_path_factory):
    made = Agent(tmp_path_factory.mktemp("agent") / "home")
    yield made
    made.stop()


@pytest.fixture(scope="module")
def ada(tmp_path_factory, agent):
    """A home whose console is paired with the agent, as m1."""
    home = tmp_path_factory.mktemp("ada") / "home"
    address = f"127.0.0.1:{agent.port}"
    assert main(["--home", str(home), "machines", "add", "m1", address, "--code", SITE_CODE, "--group", "lab"]) == 0
    return home


@pytest.fixture
def say(capfd):
    def run(home, *words, status=0):
        capfd.readouterr()
        assert main(["--home", str(home), "--json", *map(str, words)]) == status
        found = capfd.readouterr()
        return json.loads(found.out) if found.out else None, found.err

    return run


def test_a_second_operator_is_let_in_works_and_is_let_go(tmp_path, ada, say):
    bob = tmp_path / "bob"
    card, _err = say(bob, "consoles", "card", "-o", tmp_path / "bob.card")
    assert "PRIVATE" not in (tmp_path / "bob.card").read_text()
    say(ada, "consoles", "admit", tmp_path / "bob.card", "m1", "--fingerprint", "SHA256:" + "A" * 52, status=3)
    admit = ("consoles", "admit", tmp_path / "bob.card", "@lab", "--expires", "2090-12-31")
    assert "--fingerprint" in say(ada, *admit, status=2)[1]  # nobody is there to compare it
    admitted, err = say(ada, *admit, "--fingerprint", card["fingerprint"])
    assert admitted == [{"machine": "m1", "fingerprints": [card["fingerprint"]]}]
    assert card["fingerprint"] in err

    site, _err = say(ada, "consoles", "site", "-o", tmp_path / "site.json")
    assert site["machines"] == 1
    say(bob, "consoles", "take", tmp_path / "site.json", "--check", "AAAA-AAAA-AAAA-AAAA-AAAA-AAAA", status=3)
    taken, err = say(
        bob, "consoles", "take", tmp_path / "site.json", "--check", site["words"].lower().replace("-", " ")
    )
    assert taken == {"words": site["words"], "taken": ["m1"], "same": [], "refused": []}
    assert site["words"] in err
    assert "--check" in say(bob, "consoles", "take", tmp_path / "site.json", status=2)[1]
    taken, err = say(bob, "consoles", "take", tmp_path / "site.json", "--check", site["words"])
    assert (taken["taken"], taken["same"]) == ([], ["m1"])
    assert "1 machine was known here already" in err

    ran, _err = say(bob, "run", "m1", "--", "true")
    assert ran["results"][0]["state"] == "ok"
    listed, _err = say(bob, "consoles", "list")
    mine = next(row for row in listed if row["fingerprint"] == card["fingerprint"])
    assert {key: mine[key] for key in ("machine", "level", "from", "expires", "online")} == {
        "machine": "m1", "level": "run", "from": None, "expires": "2090-12-31", "online": True,
    }  # fmt: skip
    assert mine["admitted_by"] == next(row["fingerprint"] for row in listed if row is not mine)

    say(ada, "consoles", "change", card["fingerprint"][:20], "m1", "--level", "view")
    refused, _err = say(bob, "run", "m1", "--", "true", status=3)
    assert refused["results"][0]["state"] == "not_allowed"
    say(ada, "consoles", "revoke", card["fingerprint"], "all")
    _ran, _err = say(bob, "run", "m1", "--", "true", status=3)
    assert [row["fingerprint"] for row in say(ada, "consoles", "list", "m1")[0]] == [mine["admitted_by"]]

    log, _err = say(ada, "audit", "show")
    ours = [entry for entry in log if entry["event"] == "consoles"]
    assert [entry["decision"] for entry in ours] == ["send", "done"] * 3
    assert {entry["machine"] for entry in ours} == {"m1"}


def test_what_the_agent_forbids_is_refused_with_3_and_written_down(tmp_path, ada, agent, say):
    card, _err = say(tmp_path / "eve", "consoles", "card", "-o", tmp_path / "eve.card")
    read = ("--fingerprint", card["fingerprint"])
    admitted, err = say(ada, "consoles", "admit", tmp_path / "eve.card", "m1", "--level", "raw", *read, status=3)
    assert admitted == []
    assert "above" in err
    _nothing, err = say(ada, "consoles", "revoke", "ABCDEFGH", "m1", status=1)
    assert "names no console" in err
    log, _err = say(agent.folder, "audit", "show")
    assert log[-1]["decision"] == "refused"
    assert log[-1]["argv"][0] == "consoles.admit"


@pytest.mark.parametrize(
    ("content", "words", "status"),
    [
        (None, ("admit", "FILE", "m1"), 2),
        ("hello", ("admit", "FILE", "m1"), 2),
        ("{}", ("take", "FILE"), 2),
        ("[" * 100_000, ("take", "FILE"), 2),
    ],
)
def test_a_file_of_no_use_is_told_of_with_2(tmp_path, ada, capfd, content, words, status):
    path = tmp_path / "file"
    if content is not None:
        path.write_text(content)
    assert main(["--home", str(ada), "consoles", *(str(path) if word == "FILE" else word for word in words)]) == status
    found = capfd.readouterr()
    assert "Traceback" not in found.err
    assert len(found.err) < 1000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("revoke", "", "all"), "first eight symbols"),
        (("revoke", "SHA256:ABCD", "all"), "first eight symbols"),
        (("change", "ABC", "all", "--level", "view"), "first eight symbols"),
        (("change", "ABCDEFGH", "all", "--expires", "2001-01-01"), "over already"),
        (("list", "state:asleep"), "states are"),
    ],
)
def test_what_cannot_be_meant_is_said_before_a_machine_is_asked(ada, say, words, said):
    nothing, err = say(ada, "consoles", *words, status=2)
    assert nothing is None
    assert said in err
    assert "m1:" not in err


def test_a_console_without_machines_has_an_empty_list_and_nothing_to_write(tmp_path, say):
    listed, err = say(tmp_path / "new", "consoles", "list")
    assert listed == []
    assert "machines add" in err
    _nothing, err = say(tmp_path / "new", "consoles", "site", "-o", tmp_path / "site.json", status=2)
    assert "nothing to write" in err
    assert not (tmp_path / "site.json").exists()


def test_the_administrator_changes_a_line_by_hand(ada, agent, say):
    listed, _err = say(agent.folder, "agent", "consoles")
    own = listed[0]["fingerprint"]
    changed, _err = say(agent.folder, "agent", "consoles", "change", own[:20], "--expires", "2095-01-01")
    assert changed[0]["expires"] == "2095-01-01"
    changed, _err = say(agent.folder, "agent", "consoles", "change", own, "--expires", "never", "--level", "run")
    assert (changed[0]["expires"], changed[0]["level"]) == (None, "run")
    assert main(["--home", str(agent.folder), "agent", "consoles", "change", own]) == 2
    assert main(["--home", str(agent.folder), "agent", "consoles", "change", own, "--expires", "2001-01-01"]) == 2
