"""The user's guide: the same pages in both languages, with their pictures, and messages that the program prints."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

GUIDE = Path(__file__).resolve().parents[2] / "docs/guide"
PAGES = sorted(path.name for path in (GUIDE / "en").glob("*.md"))


def shape(path: Path) -> list[str]:
    """What two pages in different languages share: levels of headings, code blocks, pictures, rows of tables."""
    kinds = []
    for line in path.read_text(encoding="utf-8").splitlines():
        found = re.match(r"(#+) |(!\[)|(\|)|(\d+\.|-) |( {4,})\S", line)
        if found:
            kinds.append(next(group for group in found.groups() if group).strip() or "code")
    return kinds


def test_both_languages_have_the_same_pages() -> None:
    assert sorted(path.name for path in (GUIDE / "fr").glob("*.md")) == PAGES


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_the_same_in_both_languages(page: str) -> None:
    assert shape(GUIDE / "en" / page) == shape(GUIDE / "fr" / page)


@pytest.mark.parametrize("page", PAGES)
def test_a_french_page_shows_french_pictures(page: str) -> None:
    for code in ("en", "fr"):
        shown = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (GUIDE / code / page).read_text(encoding="utf-8"))
        assert all(name.removesuffix(".png").endswith("-fr") == (code == "fr") for name in shown)


def test_the_troubleshooting_tables_are_made_of_messages_that_the_program_prints() -> None:
    for path, text in runpy.run_path(str(GUIDE / "troubleshooting.py"))["pages"]().items():
        assert path.read_text(encoding="utf-8") == text, "run: python docs/guide/troubleshooting.py"
