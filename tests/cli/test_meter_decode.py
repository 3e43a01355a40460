from __future__ import annotations

import argparse
import io
import json

import pytest

from core.cli.meter_decode import add_decode
from core.errors import BeffroiError, ConfigError, UsageError
from core.protocol.push_encoder import PushValue, clock_octets, encode_push

KEY = bytes(range(16))
AUTH_KEY = bytes(range(0xD0, 0xE0))
VALUES = [PushValue("1-0:1.7.0*255", 1520), PushValue("1-0:32.7.0*255", 231, is_short=True)]
CIPHERED = encode_push(VALUES, 2, clock=clock_octets(1_700_000_000, 60), key=KEY, auth_key=AUTH_KEY)


@pytest.fixture
def run(home, capsys):
    """Run `decode` with words; (exit status, stdout, stderr)."""

    def decode(*words: str) -> tuple[int, str, str]:
        common = argparse.ArgumentParser(add_help=False)
        common.add_argument("--json", action="store_true")
        parser = argparse.ArgumentParser()
        add_decode(parser.add_subparsers(), common)
        options = parser.parse_args(["decode", *words])
        options.home = home
        try:
            status = options.handler(options)
        except BeffroiError as error:
            return error.exit_status, *capsys.readouterr()
        return status, *capsys.readouterr()

    return decode


@pytest.fixture
def capture(tmp_path):
    path = tmp_path / "capture.hex"
    path.write_text(CIPHERED.hex())
    return str(path)


def test_a_capture_is_shown_as_a_table(run, capture):
    status, out, err = run(capture, "--key", KEY.hex(), "--auth-key", AUTH_KEY.hex())
    assert status == 0
    assert not err
    assert "1-0:1.7.0*255" in out
    assert "active_power_import" in out
    assert "1 telegram" in out


def test_a_capture_is_printed_as_one_document(run, capture):
    status, out, _ = run(capture, "--key", KEY.hex(), "--auth-key", AUTH_KEY.hex(":"), "--json")
    assert status == 0
    document = json.loads(out)
    assert document["protocol"] == "push"
    assert document["meter"]["manufacturer"] == "LGZ"
    assert document["time"] == "2023-11-14T23:13:20+01:00"
    assert document["errors"] == []


def test_without_a_key_the_document_is_printed_and_the_status_is_3(run, capture):
    status, out, err = run(capture, "--json")
    assert status == 3
    assert json.loads(out)["readings"] == []
    assert "key is needed" in err


def test_stdin_is_read(run, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(encode_push(VALUES, 2))))
    status, out, _ = run("-")
    assert status == 0
    assert "1520" in out


def test_keys_may_come_from_a_private_file(run, capture, tmp_path):
    path = tmp_path / "keys"
    path.write_text(f"{KEY.hex()} {AUTH_KEY.hex()}\n")
    path.chmod(0o600)
    assert run(capture, "--key-file", str(path))[0] == 0
    path.chmod(0o644)
    assert run(capture, "--key-file", str(path))[0] == ConfigError.exit_status


@pytest.mark.parametrize(
    "words",
    [
        ("/nonexistent/file",),
        ("--key", "zz"),
        ("--key", "0011"),
        ("--auth-key", "00" * 15),
        ("--system-title", "00"),
        ("--preset", "nonesuch"),
    ],
)
def test_bad_words_are_bad_usage_and_no_key_is_repeated(run, capture, words):
    if words[0].startswith("--"):
        words = (capture, *words)
    status, out, err = run(*words)
    assert status == UsageError.exit_status
    assert not out
    assert not err


def test_bad_hexadecimal_is_bad_usage(run, tmp_path):
    path = tmp_path / "bad.hex"
    path.write_text("7EA0 xyz")
    assert run(str(path))[0] == 2


def test_a_preset_names_positions(run, tmp_path):
    values = [PushValue("", number, is_short=True) for number in (231, 232, 233, 101, 102, 103)]
    values += [PushValue("", number) for number in (1500, 0, 123456, 789)] + [PushValue("", "12345678")]
    path = tmp_path / "positions.bin"
    path.write_bytes(encode_push(values, 3))
    _, out, err = run(str(path), "--json")
    assert json.loads(out)["readings"][0]["obis"] is None
    assert "without codes" in err
    _, out, _ = run(str(path), "--json", "--preset", "landis-gyr")
    assert json.loads(out)["readings"][0] == {
        "obis": "1-0:32.7.0*255", "quantity": "voltage_l1", "value": 231, "raw": 231, "unit": "V", "time": None,
        "quality": "good",
    }  # fmt: skip


def test_a_broken_preset_file_of_the_home_is_a_configuration_error(run, capture, home):
    (home.path / "presets.toml").write_text("[[preset")
    assert run(capture)[0] == ConfigError.exit_status


def test_a_frame_is_explained_as_text_and_as_a_tree(run, capture):
    status, out, _err = run(capture, "--explain", "--key", KEY.hex(), "--auth-key", AUTH_KEY.hex())
    assert status == 0
    assert "authentication tag: verified" in out
    assert "1-0:1.7.0*255 (active power import)" in out
    status, out, _err = run(capture, "--explain", "--json", "--key", KEY.hex(), "--auth-key", AUTH_KEY.hex())
    document = json.loads(out)
    assert document["name"] == "HDLC"
    assert document["children"][0]["name"] == "HDLC frame"


def test_an_explanation_marks_what_is_wrong_and_the_exit_status_is_that_of_decoding(run, capture):
    status, out, _err = run(capture, "--explain")
    assert status == 3
    assert "!!" in out
    assert "key is needed" in out
