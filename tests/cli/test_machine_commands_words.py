"""`machines commands`: what may be run on a machine, asked of a real agent."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from real_agent import SITE_CODE, Agent

from core.cli.app import main

POLICY = """
defaults = false
[commands]
kept = { argv = ["/bin/true"], level = "manage" }
[commands.nap]
argv = ["sleep", "{seconds}"]
description = "do nothing"
parameters = { seconds = { type = "int", min = 1, max = 9 } }
"""


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("commands")
    agent = Agent(folder / "agent", policy=POLICY)
    home = folder / "console"
    home.mkdir(mode=0o700)
    listed = folder / "machines.csv"
    listed.write_text(f"name,host,port\nm1,127.0.0.1,{agent.port}\n")
    assert main(["--home", str(home), "machines", "import", str(listed), "--site-code", SITE_CODE]) == 0
    yield home, agent
    agent.stop()


def test_what_may_be_run_is_listed_as_far_as_the_level_goes(console, capsys):
    home, _agent = console
    assert main(["--home", str(home), "machines", "commands", "m1"]) == 0
    said = capsys.readouterr().out
    assert "sleep {seconds}" in said
    assert "do nothing" in said
    assert "kept" not in said
    assert main(["--home", str(home), "--json", "machines", "commands", "m1"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told == {
        "id": "nap", "argv": ["sleep", "{seconds}"], "level": "run", "timeout_s": 600.0, "description": "do nothing",
        "default": False, "pinned": False,
        "parameters": [{"name": "seconds", "type": "int", "values": [], "minimum": 1, "maximum": 9, "roots": [],
                        "letters": None, "optional": False, "repeated": False}],
    }  # fmt: skip


def test_a_policy_that_others_can_write_while_the_agent_runs_is_told_and_ends_with_3(console, capsys):
    home, agent = console
    path = Path(agent.folder) / "agent" / "policy.toml"
    os.chmod(path, 0o666)
    try:
        assert main(["--home", str(home), "--json", "machines", "commands", "m1"]) == 3
        told = capsys.readouterr()
        assert json.loads(told.out) == []
        assert "can be written by other users of this machine" in told.err
        assert main(["--home", str(home), "run", "m1", "--", "nap", "1"]) == 3
        assert "only built-ins are answered until it is mended" in capsys.readouterr().err
    finally:
        os.chmod(path, 0o600)
    assert main(["--home", str(home), "run", "m1", "--", "nap", "1"]) == 0
