"""Identities made once for all tests of the agent: three consoles and three agents, all of one name."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from agent_site import Agent

from core.transport.identity import ensure_identity


@pytest.fixture(scope="session")
def who(tmp_path_factory):
    folder = tmp_path_factory.mktemp("who")
    names = ("agent1", "agent2", "agent3", "console1", "console2", "console3")
    return SimpleNamespace(**{name: ensure_identity(folder / name, "lab") for name in names})


@pytest.fixture
def agent(tmp_path, who):
    """An agent that trusts console1 at level run."""
    made = Agent(tmp_path / "agent", who.agent1)
    made.trust(who.console1)
    return made
