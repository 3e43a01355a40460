"""What `[[meter]]` may say: probes, buses, secrets, and what does not go together."""

from __future__ import annotations

import logging

import pytest

from core.config import MeterConfig, load_config
from core.errors import ConfigError
from core.services.meter_sources import MeterSource, source_of
from core.services.secrets import keyring_name, with_secrets

KEY = "000102030405060708090a0b0c0d0e0f"


def written(home, text):
    home.config_path.write_text(text)
    return home


def test_meters_of_one_bus_share_their_port(home):
    text = "".join(
        f'[[meter]]\nname = "heat {number}"\nport = "/dev/ttyUSB1"\nprotocol = "mbus"\naddress = "{number}"\n'
        for number in (1, 2, 3)
    )
    assert [meter.address for meter in load_config(written(home, text))[0].meters] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('[[meter]]\nname="a"\nport="p"\n[[meter]]\nname="b"\nport="p"\n', 6, "already used on line 3"),
        ('[[meter]]\nname="a"\nport="p"\nprotocol="mbus"\naddress="1"\n[[meter]]\nname="b"\nport="p"\n', 8, "already"),
        (
            '[[meter]]\nname="a"\nport="p"\nprotocol="mbus"\naddress="1"\n'
            '[[meter]]\nname="b"\nport="p"\nprotocol="mbus"\naddress="1"\n',
            10,
            "an address of its own",
        ),
        (
            '[[meter]]\nname="a"\nport="p"\nprotocol="mbus"\naddress="1"\nbaud=300\n'
            '[[meter]]\nname="b"\nport="p"\nprotocol="mbus"\naddress="2"\nbaud=2400\n',
            12,
            "one speed",
        ),
        (
            '[[meter]]\nname="a"\nport="p"\nusb_serial="X1"\n[[meter]]\nname="b"\nport="q"\nusb_serial="X1"\n',
            8,
            "already used on line 4",
        ),
        ('[[meter]]\nname="a"\nport="socket://h:1"\nusb_serial="X1"\n', 4, "no USB serial number"),
        ('[[meter]]\nname="a"\nport="p"\nprotocol="push"\nframing="hdlc"\n', 5, "dlms"),
        ('[[meter]]\nname="a"\nport="p"\nprotocol="dlms"\nframing="wrapper"\n', 5, "socket://HOST:PORT"),
        ('[[meter]]\nname="a"\nport="p"\nsystem_title="12"\n', 4, "sixteen hexadecimal digits"),
        ('[[meter]]\nname="a"\nport="p"\nprotocol="dlms"\naddress="house"\n', 5, "LOGICAL:PHYSICAL"),
        ('[[meter]]\nname="a"\nport="p"\nprotocol="mbus"\naddress="999"\n', 5, "M-Bus"),
    ],
)
def test_what_does_not_go_together_names_its_line(home, text, line, words):
    with pytest.raises(ConfigError, match=words) as told:
        load_config(written(home, text))
    assert f"line {line}:" in str(told.value)


def test_a_source_has_all_that_is_configured_and_shows_no_secret(home):
    for name, secret in (("p", "hidden-word"), ("k", KEY), ("a", KEY[::-1])):
        path = home.path / name
        path.write_text(f"{secret}\n")
        path.chmod(0o600)
    meter = MeterConfig(
        name="m",
        port="/dev/ttyUSB0",
        protocol="dlms",
        client=1,
        password_file="p",
        key_file="k",
        auth_key_file="a",
        usb_serial="ABC",
        address="1:17",
        framing="hdlc",
        system_title="4D4D4D0000000001",
        interval_s=3.0,
    )
    source = source_of(meter, home)
    assert source.password == b"hidden-word"
    assert (source.key, source.auth_key) == (bytes.fromhex(KEY), bytes.fromhex(KEY[::-1]))
    assert (source.client, source.address, source.interval_s, source.usb_serial) == (1, "1:17", 3.0, "ABC")
    assert source.system_title == bytes.fromhex("4D4D4D0000000001")
    shown = repr(source)
    for secret in ("hidden", repr(bytes.fromhex(KEY))[2:12], repr(bytes.fromhex(KEY[::-1]))[2:12]):
        assert secret not in shown


@pytest.mark.parametrize(
    ("field", "secret", "words"),
    [
        ("key_file", "12", "32 hexadecimal"),
        ("key_file", "not a key", "32 hexadecimal"),
        ("password_file", "x" * 65, "64"),
    ],
)
def test_a_secret_that_is_none_is_refused_without_being_shown(home, field, secret, words):
    path = home.path / "secret"
    path.write_text(secret)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=words) as told:
        source_of(MeterConfig(name="m", port="p", **{field: "secret"}), home)
    assert str(path) in str(told.value)
    assert len(secret) < 3 or secret not in str(told.value)


def test_a_secret_open_to_others_is_refused(home):
    path = home.path / "word"
    path.write_text("word")
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        source_of(MeterConfig(name="m", port="p", password_file="word"), home)


class MemoryKeyring:
    """A keyring in memory, as a backend of the package."""

    priority = 1

    def __init__(self, kept):
        self.kept = kept

    def get_password(self, service, name):
        return self.kept.get((service, name))


@pytest.fixture
def kept(monkeypatch):
    keyring = pytest.importorskip("keyring", reason="keyring is not installed")
    kept = {}
    monkeypatch.setattr(keyring, "get_password", MemoryKeyring(kept).get_password)
    return kept


def test_secrets_come_from_the_keyring_when_the_reading_begins(home, kept):
    kept[("beffroi", "cellar")] = "hidden-word"
    kept[("beffroi", "cellar key")] = KEY
    meter = MeterConfig(name="m", port="p", password_file="keyring:cellar", key_file="keyring:cellar key")
    source = source_of(meter, home)
    assert (source.password, source.key) == (None, None)
    whole = with_secrets(source)
    assert (whole.password, whole.key, whole.keyring) == (b"hidden-word", bytes.fromhex(KEY), ())


def test_what_the_keyring_does_not_know_is_said_with_what_to_try(home, kept):
    source = source_of(MeterConfig(name="m", port="p", password_file="keyring:cellar"), home)
    with pytest.raises(ConfigError, match="python -m keyring set beffroi cellar"):
        with_secrets(source)


def test_the_name_of_nothing_in_the_keyring_is_refused():
    assert keyring_name("secrets/a.key") is None
    with pytest.raises(ConfigError, match="keyring:NAME"):
        keyring_name("keyring:  ")


def test_a_source_in_a_log_tells_no_secret(caplog):
    source = MeterSource(port="p", password=b"hidden-word", key=bytes(range(16)), auth_key=bytes(range(16, 32)))
    with caplog.at_level(logging.INFO):
        logging.getLogger("beffroi.test").info("reading %r", source)
    assert "hidden" not in caplog.text
    assert "x01" not in caplog.text
