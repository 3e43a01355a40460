"""What all tests share: no screen, English words, and a home of their own."""

from __future__ import annotations

import os
import sys

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["LANGUAGE"] = "en"

from collections.abc import Callable, Iterator
from typing import Any

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


@pytest.fixture(autouse=True, scope="session")
def _migrated_once() -> Iterator[None]:
    """The migrations make the first new database of a process; what they made is said again to the others, 10 × faster.

    A database that has a form already goes through the migrations, and so does each that a process of a test makes.
    """
    store = sys.modules.get("core.store.connection")
    if store is None:
        yield
        return
    upgrade: Callable[[Any], None] = store._upgrade
    vars(store)["_upgrade"] = _said_again(upgrade)
    yield
    vars(store)["_upgrade"] = upgrade


def _said_again(upgrade: Callable[[Any], None]) -> Callable[[Any], None]:
    made: list[tuple[str, ...]] = []

    def make(connection: Any) -> None:
        objects = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"
        if connection.exec_driver_sql(objects).first() is not None:
            upgrade(connection)
        elif made:
            for statement in made[0]:
                connection.exec_driver_sql(statement)
        else:
            upgrade(connection)
            (form,) = connection.exec_driver_sql("SELECT version_num FROM alembic_version").one()
            noted = f"INSERT INTO alembic_version VALUES ('{form}')"
            made.append((*(row[0] for row in connection.exec_driver_sql(objects)), noted))

    return make


@pytest.fixture
def home(tmp_path) -> Home:
    """An empty private home."""
    return Home(tmp_path / "home").make()
