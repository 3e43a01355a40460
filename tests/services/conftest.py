"""Identities made once for all tests of services."""

from __future__ import annotations

import pytest
from simulated_site import Site

from core.transport.identity import Identity, ensure_identity


@pytest.fixture(scope="session")
def identities(tmp_path_factory: pytest.TempPathFactory) -> tuple[Identity, list[Identity]]:
    """A console and three agents of one name."""
    folder = tmp_path_factory.mktemp("identities")
    agents = [ensure_identity(folder / f"agent{number}", "lab") for number in range(3)]
    return ensure_identity(folder / "console", "lab"), agents


@pytest.fixture
def site(identities: tuple[Identity, list[Identity]]) -> Site:
    """A site with nothing published yet."""
    return Site(*identities)
