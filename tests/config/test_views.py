"""Saved views in the settings."""

import pytest

from core.config import load_config, remove_table, save_setting, save_table
from core.config.views import ViewAxis, ViewConfig, moment_text
from core.errors import ConfigError

WEEK = ViewConfig(name="Week", series=("meter/a/active_power_w",), range="week")
NIGHT = ViewConfig(
    name="Night of « x »",
    series=("machine/m1/cpu_percent", "sensor/c 1/temperature_c"),
    start=moment_text(1_795_000_000.25),
    end=moment_text(1_795_003_600.0),
    hidden=("machine/m1/cpu_percent",),
    axes=(ViewAxis(unit="°C", low=-5.5, high=30),),
)


def test_views_are_written_read_and_removed_and_the_rest_stays(home):
    home.config_path.write_text('# mine\noperator = "ana"  # me\n[[sensor]]\nid = "c 1"\n', encoding="utf-8")
    for view in (WEEK, NIGHT):
        save_table(home, "view", view)
    assert load_config(home)[0].views == (WEEK, NIGHT)
    assert load_config(home)[1] == []
    save_setting(home, "theme", "dark")
    save_table(home, "view", ViewConfig(name="Week", series=("sensor/b/x",), range="year"))
    assert [view.range for view in load_config(home)[0].views] == ["year", "day"]
    assert load_config(home)[0].views[1].span_s() == (1_795_000_000.25, 1_795_003_600.0)
    remove_table(home, "view", "Week")
    remove_table(home, "view", "Night of « x »")
    text = home.config_path.read_text(encoding="utf-8")
    assert load_config(home)[0].views == ()
    assert "# mine" in text
    assert "# me" in text


@pytest.mark.parametrize(
    ("lines", "line", "told"),
    [
        ('name = ""', 2, "view.name"),
        ('name = "a"\nrange = "decade"', 3, '"month"'),
        ('name = "a"\nstart = "yesterday"\nend = "2026-01-01T00:00:00Z"', 3, "UTC"),
        ('name = "a"\nstart = "2026-13-01T00:00:00Z"\nend = "2026-01-01T00:00:00Z"', 3, "UTC"),
        ('name = "a"\nstart = "2026-01-01T00:00:00Z"', 2, "both"),
        ('name = "a"\nstart = "2026-01-02T00:00:00Z"\nend = "2026-01-01T00:00:00Z"', 3, "not before"),
        ('name = "a"\n[[view.axes]]\nunit = "V"\nlow = 3\nhigh = 3', 5, "low is not below high"),
        ('name = "a"\n[[view]]\nname = "a"', 4, "already used"),
    ],
)
def test_what_is_wrong_in_a_view_is_named_with_its_line(home, lines, line, told):
    home.config_path.write_text(f"[[view]]\n{lines}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load_config(home)
    assert f"line {line}" in str(refused.value)
    assert told in str(refused.value)
