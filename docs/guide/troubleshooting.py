"""Makes the two pages of troubleshooting from `troubleshooting.toml` and the catalogue of messages.

    python docs/guide/troubleshooting.py

Each message is one that the program prints: one that is in no source any more is an error.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from babel.messages.pofile import read_po

HERE = Path(__file__).parent
CATALOGUE = HERE.parents[1] / "resources/translations/fr/LC_MESSAGES/beffroi.po"
HEADS = {
    "en": (
        "# Troubleshooting\n\n[Guide](README.md)\n\n"
        "What the program says, and what to do. Words in capitals stand for names, addresses and numbers; the log of "
        "the home (*Help › Where the files are*) has the details.\n",
        ("it says", "what to do"),
    ),
    "fr": (
        "# Dépannage\n\n[Guide](README.md)\n\n"
        "Ce que dit le programme, et que faire. Les mots en capitales tiennent lieu de noms, d’adresses et de "
        "nombres ; le journal du dossier (*Aide › Où sont les fichiers*) a les détails.\n",
        ("il dit", "que faire"),
    ),
}


def pages() -> dict[Path, str]:
    """Path and text of each page; raises LookupError for a message that the program does not know."""
    parts = tomllib.loads((HERE / "troubleshooting.toml").read_text(encoding="utf-8"))["part"]
    with CATALOGUE.open("rb") as stream:
        catalogue = read_po(stream)
    french = {message.id: message.string for message in catalogue if isinstance(message.id, str)}
    made = {}
    for code, (head, columns) in HEADS.items():
        text = head
        for part in parts:
            text += f"\n## {part[code]}\n\n| {columns[0]} | {columns[1]} |\n|---|---|\n"
            text += "".join(_row(row, code, french) for row in part["row"])
        made[HERE / code / "troubleshooting.md"] = text
    return made


def _row(row: dict[str, Any], code: str, french: dict[str, str]) -> str:
    message = row["message"]
    if message not in french:
        raise LookupError(f"no source prints: {message}")
    said = message if code == "en" else french[message]
    shown = re.sub(r"\{(\w+)[^}]*\}", lambda found: found[1].upper(), said).replace("|", "\\|")
    return f"| {shown} | {row[code]} |\n"


def main() -> int:
    """Write the pages."""
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
