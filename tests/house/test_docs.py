"""The documents name what is there: files, and every dependency with its reason."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_files_and_links_are_there(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = [ROOT / path for path in re.findall(r"`((?:core|gui|bench|tests|docs|resources)/[\w./-]+)`", text)]
    linked = [
        document.parent / target.partition("#")[0]
        for target in re.findall(r"\]\(([^)\s]+)\)", text)
        if "://" not in target and not target.startswith("#")
    ]
    assert [str(path) for path in (*named, *linked) if not path.exists()] == []


def test_every_document_is_reached_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        document = waiting.pop()
        if document in reached:
            continue
        reached.add(document)
        for target in re.findall(r"\]\(([^)\s#]+\.md)", document.read_text(encoding="utf-8")):
            if "://" not in target:
                waiting.append((document.parent / target).resolve())
    assert [str(path) for path in DOCUMENTS if path not in reached] == []


def test_every_dependency_has_its_reason() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = [setup["options"]["install_requires"], *setup["options.extras_require"].values()]
    wanted = {
        re.split(r"[\s<>=!\[]", line.strip())[0].lower() for line in "\n".join(lines).splitlines() if line.strip()
    }
    reasons = (ROOT / "docs/decisions/README.md").read_text(encoding="utf-8")
    table = " ".join(line.split("|")[1] for line in reasons.splitlines() if line.startswith("|")).lower()
    assert sorted(name for name in wanted - {"beffroi"} if not re.search(rf"\b{re.escape(name)}\b", table)) == []
