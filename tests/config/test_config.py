"""What the settings promise: defaults, errors with file, line and key, comments kept, secrets private."""

from __future__ import annotations

from importlib import resources

import pytest

from core.config import (
    MeterConfig,
    database_location,
    line_of,
    load_config,
    read_secret,
    remove_meter,
    save_meter,
    save_secret,
    save_setting,
    secret_path,
)
from core.errors import ConfigError
from core.home import Home
from core.language import use_language
from core.records import Level


def written(home: Home, text: str) -> Home:
    home.config_path.write_text(text, encoding="utf-8")
    return home


def test_without_a_file_there_are_defaults(home: Home):
    config, warnings = load_config(home)
    assert (config.polling.interval_s, config.polling.visible_interval_s) == (5, 1)
    assert (config.retention.raw_days, config.retention.minute_days, config.retention.quarter_days) == (30, 90, 1100)
    assert config.agent.max_level is Level.RUN
    assert config.agent.listen == "0.0.0.0:17450"
    assert config.operator
    assert config.meters == ()
    assert warnings == []
    assert database_location(config, home) == home.database_path


def test_every_key_is_read(home: Home):
    config, warnings = load_config(
        written(
            home,
            """
            operator = "Alice"
            language = "fr"
            theme = "dark"
            database = "kept/else.db"
            polling = {interval_s = 2, visible_interval_s = 0.5}
            [retention]
            raw_days = 3
            [agent]
            listen = "[::1]:0"
            max_level = "view"
            [[meter]]
            name = "main"
            port = "/dev/ttyUSB0"
            protocol = "push"
            baud = 2400
            parity = "E"
            client = 16
            password_file = "p"
            key_file = "k"
            auth_key_file = "a"
            preset = "wiener-netze"
            """,
        )
    )
    assert warnings == []
    assert (config.operator, config.language, config.theme) == ("Alice", "fr", "dark")
    assert config.polling.visible_interval_s == 0.5
    assert config.agent.max_level is Level.VIEW
    assert config.meter("main") == MeterConfig(
        name="main",
        port="/dev/ttyUSB0",
        protocol="push",
        baud=2400,
        parity="E",
        client=16,
        password_file="p",
        key_file="k",
        auth_key_file="a",
        preset="wiener-netze",
    )
    assert config.meter("other") is None
    assert database_location(config, home) == home.path / "kept" / "else.db"


def test_the_example_is_the_defaults(home: Home):
    example = (resources.files("resources") / "config.example.toml").read_text(encoding="utf-8")
    assert load_config(written(home, example)) == load_config(Home(home.path / "none"))


@pytest.mark.parametrize(
    ("text", "line", "key", "expected"),
    [
        ('[polling]\n# every\ninterval_s = "x"\n', 3, "polling.interval_s", "a number of seconds"),
        ("[polling]\ninterval_s = 0\n", 2, "polling.interval_s", "from 0.2"),
        ("[polling]\ninterval_s = nan\n", 2, "polling.interval_s", "not nan"),
        ("[polling]\nvisible_interval_s = true\n", 2, "polling.visible_interval_s", "not true"),
        ("\npolling = 3\n", 2, "polling", "[polling]"),
        ('theme = "blue"\n', 1, "theme", '"light"'),
        ("operator = 3\n", 1, "operator", "in quotes"),
        ("[retention]\nraw_days = 1.5\n", 2, "retention.raw_days", "whole number"),
        ('[agent]\nlisten = "here"\n', 2, "agent.listen", "0.0.0.0:17450"),
        ('[agent]\nlisten = "a:70000"\n', 2, "agent.listen", "70000"),
        ('[agent]\nmax_level = "root"\n', 2, "agent.max_level", '"manage"'),
        ('[meter]\nname = "a"\n', 1, "meter", "[[meter]]"),
        ('[[meter]]\nname = "a"\nport = "p"\n[[meter]]\nname = "b"\nport = "q"\nbaud = "9"\n', 7, "meter.baud", "2400"),
        ('[[meter]]\nname = "a"\nport = "p"\nprotocol = "morse"\n', 4, "meter.protocol", '"push"'),
        ('# one\n[[meter]]\nname = "a"\n', 2, "meter.port", "missing"),
        ('[[meter]]\nname = "a"\nport = "p"\n[[meter]]\nname = "a"\nport = "q"\n', 5, "meter.name", "line 2"),
        ("operator = \n", 1, "", "operator ="),
        ("a = 1\n[polling\ninterval_s = 3\n", 2, "", "[polling"),
        ('operator = "never closed\n', 1, "", "never closed"),
        ("x = 1\nx = 2\n", 2, "", "x = 2"),
    ],
)
def test_what_is_wrong_names_file_line_and_key(home: Home, text: str, line: int, key: str, expected: str):
    with pytest.raises(ConfigError) as caught:
        load_config(written(home, text))
    message = str(caught.value)
    assert f"{home.config_path}, line {line}: {key}" in message
    assert expected in message
    assert caught.value.exit_status == 2


def test_text_that_is_not_utf8_names_its_line(home: Home):
    home.config_path.write_bytes(b'theme = "dark"\noperator = "Andr\xe9"\n')
    with pytest.raises(ConfigError, match="line 2: not UTF-8"):
        load_config(home)


def test_unknown_keys_are_warnings_with_their_line(home: Home):
    text = 'colour = 1\n[polling]\ninterval = 2\n[alarms]\nx = 1\n[[meter]]\nname = "a"\nport = "p"\ntarif = 1\n'
    config, warnings = load_config(written(home, text))
    assert config.meters[0].name == "a"
    assert [warning.removeprefix(f"{home.config_path}, ") for warning in warnings] == [
        "line 1: colour is not used by this version",
        "line 3: polling.interval is not used by this version",
        "line 5: alarms.x is not used by this version",
        "line 9: meter.tarif is not used by this version",
    ]


def test_lines_inside_a_long_text_are_no_keys():
    assert line_of('a = """\nb = 1\n"""\nb = 2\n', ("b",)) == 4


def test_saving_a_setting_keeps_comments(home: Home):
    written(home, '# mine\noperator = "A" # me\n\n[polling]\n# slow\ninterval_s = 9 # s\n')
    save_setting(home, "polling.interval_s", 2)
    save_setting(home, "retention.raw_days", 7)
    save_setting(home, "theme", "dark")
    text = home.config_path.read_text()
    assert "# mine" in text
    assert "# me" in text
    assert "interval_s = 2 # s" in text
    config, warnings = load_config(home)
    assert (config.polling.interval_s, config.retention.raw_days, config.theme) == (2, 7, "dark")
    assert warnings == []
    save_setting(home, "theme", None)
    assert load_config(home)[0].theme == "system"


def test_a_wrong_value_is_refused_and_the_file_stays(home: Home):
    written(home, "[polling]\ninterval_s = 9\n")
    with pytest.raises(ConfigError, match=r"polling\.interval_s"):
        save_setting(home, "polling.interval_s", -1)
    assert home.config_path.read_text() == "[polling]\ninterval_s = 9\n"


def test_a_broken_file_is_not_written_over(home: Home):
    written(home, "[polling\n")
    with pytest.raises(ConfigError):
        save_setting(home, "theme", "dark")
    assert home.config_path.read_text() == "[polling\n"


def test_a_meter_is_added_changed_and_removed(home: Home):
    written(home, '# the cellar\n[[meter]]\nname = "a" # ours\nport = "p"\n')
    save_meter(home, MeterConfig(name="b", port="q", baud=2400))
    save_meter(home, MeterConfig(name="a", port="r", key_file="secrets/a.key"))
    config, _warnings = load_config(home)
    assert [(meter.name, meter.port, meter.baud) for meter in config.meters] == [("a", "r", None), ("b", "q", 2400)]
    assert "# the cellar" in home.config_path.read_text()
    assert "# ours" in home.config_path.read_text()
    remove_meter(home, "a")
    assert [meter.name for meter in load_config(home)[0].meters] == ["b"]


def test_the_last_meter_goes_and_another_comes(home: Home) -> None:
    save_meter(home, MeterConfig(name="a", port="p"))
    remove_meter(home, "a")
    remove_meter(home, "a")
    save_meter(home, MeterConfig(name="b", port="p", baud=300))
    save_meter(home, MeterConfig(name="b", port="q"))
    assert load_config(home)[0].meters == (MeterConfig(name="b", port="q"),)


def test_a_list_written_in_one_line_is_changed_too(home: Home) -> None:
    written(home, 'meter = [{name = "a", port = "p"}]\n')
    save_meter(home, MeterConfig(name="b", port="q", parity="E"))
    save_meter(home, MeterConfig(name="a", port="r", baud=300))
    assert [(meter.name, meter.port) for meter in load_config(home)[0].meters] == [("a", "r"), ("b", "q")]


def test_the_ends_of_lines_stay(home: Home) -> None:
    home.config_path.write_bytes(b'# mine\r\noperator = "A"\r\n')
    save_setting(home, "operator", "B")
    assert home.config_path.read_bytes() == b'# mine\r\noperator = "B"\r\n'


def test_the_name_of_a_secret_leads_nowhere_else(home: Home) -> None:
    name = save_secret(home, "../../dev/tty.key", "00")
    assert secret_path(home, name).parent == home.path / "secrets"


def test_a_secret_is_kept_private_and_read_back(home: Home):
    name = save_secret(home, "main.key", "00 11 22")
    path = secret_path(home, name)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_secret(path) == "00 11 22"
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_secret(path)


def test_a_missing_or_empty_secret_is_said(home: Home):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_secret(home.path / "none")
    empty = home.path / "empty"
    empty.touch(mode=0o600)
    with pytest.raises(ConfigError, match="empty"):
        read_secret(empty)


def test_the_words_are_the_users(home: Home):
    use_language("fr")
    with pytest.raises(ConfigError) as caught:
        load_config(written(home, "[polling]\ninterval_s = 0\n"))
    assert "polling.interval_s" in str(caught.value)
