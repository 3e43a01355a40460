"""`machines sweep` and tags, with a real agent in another process."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from real_agent import SITE_CODE, Agent

from core.cli.app import main
from core.home import Home
from core.store.history import History


def test_a_sweep_finds_the_agent_says_whether_it_is_known_and_adds_nothing(
    tmp_path: Path, home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    agent = Agent(tmp_path / "agent")

    def typed(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(["--home", str(home.path), "machines", *words])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    try:
        look = ("sweep", "127.0.0.1-3", "--port", str(agent.port))
        status, out, err = typed(*look, "--json")
        [found] = json.loads(out)
        assert status == 0
        assert found["address"] == f"127.0.0.1:{agent.port}"
        assert found["state"] == "agent"
        assert found["name"] == socket.gethostname()
        assert found["pairing_open"] is True
        assert found["machine"] is None
        assert "3 addresses" in err
        status, out, _err = typed("list", "--json")
        assert json.loads(out) == []

        words = ("m1", f"127.0.0.1:{agent.port}", "--code", SITE_CODE, "--tag", "printer", "--tag", "first.floor")
        assert typed("add", *words)[0] == 0
        with History.open(home.database_path) as history:
            [machine] = history.machines()
        assert machine.tags == ("printer", "first.floor")
        status, out, _err = typed(*look, "--json")
        [found] = json.loads(out)
        assert (found["state"], found["machine"]) == ("known", "m1")
        assert found["fingerprint"] == machine.fingerprint
        assert "known here as m1" in typed(*look)[1]
    finally:
        agent.stop()


@pytest.mark.parametrize("words", [("10.0.0.0/8",), ("web-1",), (), ("10.1.0.1", "--port", "0")])
def test_a_range_that_cannot_be_looked_through_is_bad_usage(
    words: tuple[str, ...], home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--home", str(home.path), "machines", "sweep", *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("tag", ["", "two words", "a,b", "x" * 65, "web-*", "!no"])
def test_what_no_target_could_say_is_no_tag(tag: str, home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--home", str(home.path), "machines", "add", "m1", "127.0.0.1:9", "--code", "AAAAA-AAAAA", "--tag", tag]
    assert main(words) == 2
    assert "tag" in capsys.readouterr().err
