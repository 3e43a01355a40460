"""Commands of the site and saved filters in `config.toml`."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.config import CommandConfig, FilterConfig, load_config, replace_tables, save_table
from core.errors import ConfigError
from core.home import Home

DISKS = CommandConfig(name="Disks", line="df -h", group="Space", favourite=True, targets=("@lab", "!db-*"))
WHO = CommandConfig(name="Who", line="whoami\nid", timeout_s=5)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home").make()


def test_what_is_saved_is_read_again(home: Home) -> None:
    save_table(home, "command", DISKS)
    save_table(home, "command", WHO)
    save_table(home, "filter", FilterConfig(name="lab", targets=("@lab", "filter:night")))
    config, warnings = load_config(home)
    assert (config.commands, warnings) == ((DISKS, WHO), [])
    assert config.filters == (FilterConfig(name="lab", targets=("@lab", "filter:night")),)


def test_another_order_keeps_comments_and_all_else(home: Home) -> None:
    home.config_path.write_text(
        'operator = "anne"\n\n[[command]]\nname = "A"\nline = "a" # mine\n\n[[command]]\nname = "B"\nline = "b"\n'
        "\n[room]\nenabled = true\n"
    )
    a, b = load_config(home)[0].commands
    replace_tables(home, "command", [DISKS, b, a])
    config, warnings = load_config(home)
    assert ([one.name for one in config.commands], warnings) == (["Disks", "B", "A"], [])
    assert "# mine" in home.config_path.read_text()
    assert (config.operator, config.room.enabled) == ("anne", True)
    replace_tables(home, "command", [])
    config = load_config(home)[0]
    assert (config.commands, config.room.enabled) == ((), True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[filter]]\nname = "a b"\ntargets = ["x"]\n', "without spaces"),
        ('[[filter]]\nname = "a"\ntargets = []\n', "a list of targets"),
        ('[[filter]]\nname = "a"\ntargets = ["!filter:a"]\n', "leads back to itself"),
        (
            '[[filter]]\nname = "a"\ntargets = ["x"]\n[[filter]]\nname = "a"\ntargets = ["y"]\n',
            "already used on line 2",
        ),
        ('[[command]]\nname = "a"\nline = " "\n', "a command in quotes"),
        ('[[command]]\nname = "a"\nline = "b"\ntimeout_s = 0\n', "from 1 to 600"),
    ],
)
def test_what_is_wrong_is_named(home: Home, text: str, words: str) -> None:
    home.config_path.write_text(text)
    with pytest.raises(ConfigError, match=words):
        load_config(home)


def test_two_filters_that_mean_each_other_are_named_and_one_that_is_gone_is_none(home: Home) -> None:
    home.config_path.write_text('[[filter]]\nname = "a"\ntargets = ["filter:b"]\n')
    assert load_config(home)[0].filters
    home.config_path.write_text(
        '[[filter]]\nname = "a"\ntargets = ["filter:b"]\n[[filter]]\nname = "b"\ntargets = ["filter:a"]\n'
    )
    with pytest.raises(ConfigError, match="the filter a leads back to itself"):
        load_config(home)
