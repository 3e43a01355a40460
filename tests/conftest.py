"""What all tests share: no screen, English words, and a home of their own."""

from __future__ import annotations

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["LANGUAGE"] = "en"

import pytest
from hypothesis import settings

from core.home import Home
from core.language import use_language

# the same examples in every run, however slow the machine: no test of ours is flaky
settings.register_profile("steady", deadline=None, derandomize=True, database=None)
settings.load_profile("steady")


@pytest.fixture(autouse=True)
def _english() -> None:
    use_language("en")


@pytest.fixture
def home(tmp_path) -> Home:
    """An empty private home."""
    return Home(tmp_path / "home").make()
