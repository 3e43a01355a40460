"""What is handed to other programs is whole: the file of the Windows service is XML that says what the page says."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]


def test_the_file_of_the_windows_service_is_whole() -> None:
    root = ElementTree.parse(ROOT / "resources/beffroi-agent.xml").getroot()
    said = {element.tag: (element.text or "").strip() for element in root}
    assert said["id"] == "beffroi-agent"
    assert said["executable"].endswith("beffroi.exe")
    assert said["arguments"] == '--home "C:\\ProgramData\\Beffroi" agent run'
    assert "serviceaccount" not in said  # its virtual account is given by sc.exe, and no password is in a file
