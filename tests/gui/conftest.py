import sys
from pathlib import Path

import pytest
from PyQt5.QtCore import QSettings

from gui.theme import use_theme

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def _dark(qapp):
    use_theme("dark")


@pytest.fixture
def settings(tmp_path):
    return QSettings(str(tmp_path / "gui.ini"), QSettings.IniFormat)
