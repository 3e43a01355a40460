"""What the settings of sensors, room, checks and alarms promise: every key read, errors told, changes kept tidy."""

from __future__ import annotations

import tomllib
from importlib import resources

import msgspec
import pytest

from core.config import (
    AlarmsSettings,
    CheckConfig,
    Config,
    EmailSettings,
    MeterConfig,
    RoomSettings,
    SensorConfig,
    SensorsSettings,
    WebhookSettings,
    load_config,
    remove_table,
    save_setting,
    save_table,
    save_tables,
)
from core.config.expected import EXPECTED
from core.errors import ConfigError
from core.home import Home
from core.site_records import AlarmRule, AlarmSeverity, RuleKind

ALL = """
[machines]
max = 50
[sensors]
enabled = true
listen = "0.0.0.0:17452"
allow = ["192.168.1.0/24", "::1"]
file = "donnees.txt"
links = 5
rate_per_s = 2.5
[room]
enabled = true
listen = "[::]:17453"
stop_word = "curfew"
post_alarms = "high"
post_commands = true
[alarms]
sound = false
notify = "never"
[alarms.email]
host = "mail"
port = 25
security = "none"
sender = "a@b"
to = ["c@d"]
user = "u"
password_file = "p"
severity = "low"
[alarms.webhook]
url = "https://h/"
token_file = "t"
severity = "critical"
[[alarms.rule]]
name = "cellar"
kind = "outside"
source = "sensor/cellar"
quantity = "temperature_c"
high = 30
low = 5.5
hysteresis = 1
duration_s = 60
severity = "low"
is_enabled = true
[[sensor]]
id = "capteur_1"
name = "Cellar"
place = "A"
unit = "°C"
low = 5
high = 30
silent_after_s = 300
[[check]]
name = "web"
target = "https://example.org/"
interval_s = 30
timeout_s = 5
text = "Hi"
groups = ["servers"]
"""

RULE = AlarmRule(name="cellar", kind=RuleKind.ABOVE, source="sensor/a", high=30.0)


def written(home: Home, text: str) -> Home:
    home.config_path.write_text(text, encoding="utf-8")
    return home


def test_every_key_is_read(home: Home) -> None:
    config, warnings = load_config(written(home, ALL))
    assert warnings == []
    assert config.machines.max == 50
    assert config.sensors == SensorsSettings(
        enabled=True,
        listen="0.0.0.0:17452",
        allow=("192.168.1.0/24", "::1"),
        file="donnees.txt",
        links=5,
        rate_per_s=2.5,
    )
    assert config.room == RoomSettings(
        enabled=True, listen="[::]:17453", stop_word="curfew", post_alarms=AlarmSeverity.HIGH, post_commands=True
    )
    email = EmailSettings(
        host="mail",
        port=25,
        security="none",
        sender="a@b",
        to=("c@d",),
        user="u",
        password_file="p",
        severity=AlarmSeverity.LOW,
    )
    webhook = WebhookSettings(url="https://h/", token_file="t", severity=AlarmSeverity.CRITICAL)
    rule = AlarmRule(
        name="cellar",
        kind=RuleKind.OUTSIDE,
        source="sensor/cellar",
        quantity="temperature_c",
        high=30,
        low=5.5,
        hysteresis=1,
        duration_s=60,
        severity=AlarmSeverity.LOW,
    )
    assert config.alarms == AlarmsSettings(sound=False, notify=None, rules=(rule,), email=email, webhook=webhook)
    assert config.sensor_list == (
        SensorConfig(id="capteur_1", name="Cellar", place="A", unit="°C", low=5, high=30, silent_after_s=300),
    )
    assert config.checks == (
        CheckConfig(
            name="web", target="https://example.org/", interval_s=30, timeout_s=5, text="Hi", groups=("servers",)
        ),
    )


def _keys(value: object, above: str = "") -> set[str]:
    if isinstance(value, list):
        return {above}.union(*(_keys(one, above) for one in value))
    if isinstance(value, dict):
        inner = [_keys(one, f"{above}.{key}".strip(".")) for key, one in value.items()]
        return {above, *set().union(*inner)}
    return {above}


def test_every_key_of_the_records_has_words_and_stands_in_the_example() -> None:
    def names(struct: type, above: str = "") -> set[str]:
        found = set()
        for field in msgspec.structs.fields(struct):
            name = f"{above}.{field.encode_name}".strip(".")
            inner = [
                one
                for one in (field.type, *getattr(field.type, "__args__", ()))
                if isinstance(one, type) and issubclass(one, msgspec.Struct)
            ]
            found |= names(inner[0], name) if inner else {name}
        return found

    assert names(Config) <= set(EXPECTED)
    example = (resources.files("resources") / "config.example.toml").read_text(encoding="utf-8")
    lines = [line.removeprefix("# ") for line in example.split("\n")]
    kept = [line for line in lines if "=" in line.split("#")[0] or line.startswith("[")]
    assert _keys(tomllib.loads("\n".join(kept))) >= names(Config)


@pytest.mark.parametrize(
    ("text", "line", "key", "expected"),
    [
        ('[sensors]\nlisten = "a:70000"\n', 2, "sensors.listen", "17452"),
        ('[room]\nlisten = "a:99999"\n', 2, "room.listen", "17453"),
        ('[room]\nenabled = "yes"\n', 2, "room.enabled", "true or false"),
        ('[sensors]\nallow = ["10.0.0.0/8", "here"]\n', 2, "sensors.allow", 'not "here"'),
        ("[sensors]\nallow = [3]\n", 2, "sensors.allow", "list of addresses"),
        ("[sensors]\nlinks = 0\n", 2, "sensors.links", "100000"),
        ("[machines]\nmax = 0\n", 2, "machines.max", "whole number"),
        ("[sensor]\nid = 'a'\n", 1, "sensor", "[[sensor]]"),
        ("[[sensor]]\nid = 'a'\n[[sensor]]\nid = 'b'\nhigh = 'hot'\n", 5, "sensor.high", "a number"),
        ("[[sensor]]\nid = 'a'\n[[sensor]]\nid = 'a'\n", 4, "sensor.id", "line 2"),
        ("[[sensor]]\nid = 'a'\nlow = nan\n", 3, "sensor.low", "not nan"),
        ("[[sensor]]\nid = 'a'\nlow = 3\nhigh = 2\n", 3, "sensor.low", "not below"),
        ("[[sensor]]\nname = 'a'\n", 1, "sensor.id", "missing"),
        ("[[check]]\nname = 'a'\ntarget = 'x'\n[[check]]\nname = 'a'\ntarget = 'y'\n", 5, "check.name", "line 2"),
        ("[[check]]\nname = 'a'\ntarget = 'ftp://x'\n", 3, "check.target", "a URL such as"),
        ("[[check]]\nname = 'a'\ntarget = 'two words'\n", 3, "check.target", "a URL such as"),
        ("[[check]]\nname = 'a/b'\ntarget = 'x'\n", 2, "check.name", "without a slash"),
        ("[[check]]\nname = 'a'\ntarget = 'x'\ninterval_s = 0\n", 4, "check.interval_s", "86400"),
        ("alarms = 3\n", 1, "alarms", "[alarms]"),
        ("[alarms]\nemail = 3\n", 2, "alarms.email", "[alarms.email]"),
        ("[alarms]\nnotify = 'always'\n", 2, "alarms.notify", '"never"'),
        ("[alarms.email]\nhost = 'h'\nsender = 'a@b'\nto = []\n", 4, "alarms.email.to", "list of mail addresses"),
        ("[alarms.email]\nhost = 'h'\n", 1, "alarms.email.sender", "missing"),
        ("[alarms.webhook]\nurl = 'ftp://x'\n", 2, "alarms.webhook.url", "https://"),
        ("[room]\nstop_word = '  '\n", 2, "room.stop_word", "a word"),
        ("[alarms.rule]\nname = 'a'\n", 1, "alarms.rule", "[[alarms.rule]]"),
        ("[[alarms.rule]]\nname='a'\nkind='loud'\nsource='*'\n", 3, "alarms.rule.kind", '"above"'),
        ("[[alarms.rule]]\nname='a'\nkind='above'\nsource='*'\n", 3, "alarms.rule.kind", "needs high"),
        ("[[alarms.rule]]\nname='a'\nkind='below'\nsource='*'\n", 3, "alarms.rule.kind", "needs low"),
        ("[[alarms.rule]]\nname='a'\nkind='rate'\nsource='*'\n", 3, "alarms.rule.kind", "high, low or both"),
        ("[[alarms.rule]]\nname='a'\nkind='silent'\nsource='*'\n", 3, "alarms.rule.kind", "duration_s"),
        ("[[alarms.rule]]\nname='a'\nkind='outside'\nsource='*'\nhigh=1\nlow=2\n", 3, "alarms.rule.kind", "below"),
        ("[[alarms.rule]]\nname='a'\nkind='above'\nsource='*'\nhigh=inf\n", 5, "alarms.rule.high", "a number"),
        ("[[alarms.rule]]\nname='a'\nkind='above'\nsource=''\nhigh=1\n", 4, "alarms.rule.source", "machine/*"),
        (
            "[[alarms.rule]]\nname='a'\nkind='above'\nsource='*'\nhigh=1\nhysteresis=-1\n",
            6,
            "alarms.rule.hysteresis",
            "from 0 on",
        ),
        (
            "[[alarms.rule]]\nname='a'\nkind='offline'\nsource='*'\n"
            "[[alarms.rule]]\nname='a'\nkind='offline'\nsource='*'\n",
            6,
            "alarms.rule.name",
            "already there",
        ),
    ],
)
def test_what_is_wrong_names_file_line_and_key(home: Home, text: str, line: int, key: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(written(home, text))
    message = str(caught.value)
    assert f"{home.config_path}, line {line}: {key}" in message
    assert expected in message


@pytest.mark.parametrize(
    "text",
    [
        "[alarms.webhook]\nurl = 'ftp://zelda:ses/me@42@host/hook'\n",
        "[[check]]\nname = 'a'\ntarget = 'ftp://zelda:ses/me@42@host/'\n",
        "[[check]]\nname = 'a'\ntarget = 'https://zelda:ses/me@42@host/\n",
        "[[check]]\nname = 'a'\ntarget = ['https://zelda:ses/me@42@host/']\n",
    ],
)
def test_no_message_holds_the_password_of_an_address(home: Home, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(written(home, text))
    assert "host" in str(caught.value)
    assert not any(word in str(caught.value) for word in ("zelda", "ses/", "42"))


def test_a_rule_that_is_off_needs_no_threshold(home: Home) -> None:
    config, _warnings = load_config(
        written(home, "[[alarms.rule]]\nname='a'\nkind='above'\nsource='*'\nis_enabled=false\n")
    )
    assert config.alarms.rules[0].high is None


def test_unknown_keys_are_warnings_at_every_depth(home: Home) -> None:
    text = (
        "[sensors]\na = 1\n[alarms.email]\nhost='h'\nsender='a@b'\nto=['c@d']\nb = 1\n[alarms.pager]\nc = 1\n"
        "[[alarms.rule]]\nname='a'\nkind='offline'\nsource='*'\nd = 1\n[[check]]\nname='a'\ntarget='x'\ne = {f = 1}\n"
    )
    _config, warnings = load_config(written(home, text))
    assert [warning.removeprefix(f"{home.config_path}, ") for warning in warnings] == [
        "line 2: sensors.a is not used by this version",
        "line 7: alarms.email.b is not used by this version",
        "line 8: alarms.pager is not used by this version",
        "line 14: alarms.rule.d is not used by this version",
        "line 18: check.e is not used by this version",
    ]


def test_tables_are_added_changed_and_removed_with_comments_kept(home: Home) -> None:
    written(
        home, "# top\n[alarms]\nsound = true # loud\n[room]\nenabled = true\n[[sensor]]\nid = 'a' # ours\nhigh = 9\n"
    )
    save_table(home, "sensor", SensorConfig(id="b", place="Roof", high=40))
    save_table(home, "sensor", SensorConfig(id="a", name="Attic"))
    save_table(home, "check", CheckConfig(name="web", target="http://h/", groups=("g",)))
    save_table(home, "alarms.rule", RULE)
    save_tables(
        home,
        "alarms.rule",
        [msgspec.structs.replace(RULE, high=35.0), msgspec.structs.replace(RULE, source="sensor/b")],
    )
    config, warnings = load_config(home)
    assert warnings == []
    assert config.sensor_list == (SensorConfig(id="a", name="Attic"), SensorConfig(id="b", place="Roof", high=40))
    assert config.checks == (CheckConfig(name="web", target="http://h/", groups=("g",)),)
    assert [(rule.source, rule.high) for rule in config.alarms.rules] == [("sensor/a", 35), ("sensor/b", 30)]
    text = home.config_path.read_text()
    assert all(comment in text for comment in ("# top", "# loud", "# ours"))
    assert "interval_s" not in text  # as without the key
    remove_table(home, "alarms.rule", ("cellar", "sensor/a"))
    remove_table(home, "alarms.rule", ("cellar", "sensor/z"))
    remove_table(home, "sensor", "a")
    remove_table(home, "check", "web")
    remove_table(home, "check", "web")
    config, _warnings = load_config(home)
    assert [rule.source for rule in config.alarms.rules] == ["sensor/b"]
    assert [sensor.id for sensor in config.sensor_list] == ["b"]
    assert config.checks == ()
    assert config.room.enabled
    remove_table(home, "alarms.rule", ("cellar", "sensor/b"))
    assert load_config(home)[0].alarms == AlarmsSettings()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[alarms]\n",
        "alarms = {sound = true}\n",
        "alarms.sound = true\n[room]\nenabled = true\n",
        "[alarms.webhook]\nurl = 'http://h/'\n[room]\nenabled = true\n",
        "[alarms]\n[room]\nenabled = true\n[[alarms.rule]]\nname = 'x'\nkind = 'offline'\nsource = '*'\n",
    ],
)
def test_however_the_table_is_written_a_rule_and_a_sub_table_are_added(home: Home, text: str) -> None:
    written(home, text)
    before = load_config(home)[0].alarms.rules
    save_table(home, "alarms.rule", RULE)
    save_setting(home, "alarms.email", {"host": "h", "sender": "a@b", "to": ["c@d"], "user": None})
    save_setting(home, "alarms.sound", value=False)
    alarms = load_config(home)[0].alarms
    assert alarms.rules == (*before, RULE)
    assert alarms.email == EmailSettings(host="h", sender="a@b", to=("c@d",))
    assert alarms.sound is False


def test_a_sub_table_is_changed_whole_and_taken_out(home: Home) -> None:
    written(
        home, "[alarms.email]\nhost = 'old' # ours\nsender = 'a@b'\nto = ['c@d']\nuser = 'u'\nport = 25\nnewer = 1\n"
    )
    save_setting(home, "alarms.email", {"host": "new", "sender": "a@b", "to": ("e@f", "g@h"), "user": None})
    text = home.config_path.read_text()
    assert "# ours" in text
    assert "newer = 1" in text
    assert load_config(home)[0].alarms.email == EmailSettings(host="new", sender="a@b", to=("e@f", "g@h"))
    save_setting(home, "alarms.email", None)
    assert load_config(home)[0].alarms == AlarmsSettings()
    save_setting(home, "alarms.webhook", None)


def test_lists_and_the_word_never_are_saved(home: Home) -> None:
    save_setting(home, "sensors.allow", ["10.0.0.0/8"])
    save_setting(home, "alarms.notify", "never")
    config, _warnings = load_config(home)
    assert config.sensors.allow == ("10.0.0.0/8",)
    assert config.alarms.notify is None
    with pytest.raises(ConfigError, match=r"sensors\.allow"):
        save_setting(home, "sensors.allow", ["nowhere"])
    save_setting(home, "alarms.notify", None)
    assert load_config(home)[0].alarms.notify is AlarmSeverity.MEDIUM


def test_of_several_tables_all_or_none_are_saved(home: Home) -> None:
    written(home, "# mine\n")
    with pytest.raises(ConfigError, match=r"sensor\.low"):
        save_tables(home, "sensor", [SensorConfig(id="a"), SensorConfig(id="b", low=3, high=2)])
    assert home.config_path.read_text() == "# mine\n"


def test_a_meter_is_saved_as_any_table(home: Home) -> None:
    save_table(home, "meter", MeterConfig(name="a", port="p"))
    assert load_config(home)[0].meters == (MeterConfig(name="a", port="p"),)
    remove_table(home, "meter", "a")
    assert load_config(home)[0].meters == ()
