"""A key under a passphrase: who does not know it is nobody, and it stands in no file, message or list of processes."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
import ssl
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from core.cli.app import main
from core.config import load_config, save_setting
from core.errors import ConfigError, UsageError, WrongPassphraseError
from core.home import Home
from core.services import console_key
from core.services.console_key import change_passphrase, check_passphrase, open_identity
from core.transport import identity as identity_module
from core.transport import key_maker
from core.transport.identity import Passphrase, ensure_identity, protect_key, unlocked
from core.transport.tls import console_context

ROOT = Path(__file__).resolve().parents[2]
SECRET, OTHER = "correct horse battery", "staple in the drawer"


LITTLE_WORK = f"""import sys
sys.path.insert(0, {str(ROOT)!r})
from core.transport import key_maker
key_maker.SCRYPT_N = 16
sys.exit(key_maker.main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def protected(tmp_path_factory):
    """A console whose key was protected once, so that it is guessed in no time: the tests have to open it often."""
    folder = tmp_path_factory.mktemp("console") / "console"
    made = ensure_identity(folder, "lab")
    before = made.key_path.read_bytes()
    key = serialization.load_pem_private_key(before, None)
    form = serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(key_maker, "SCRYPT_N", 16)
        made.key_path.write_bytes(key_maker.encrypted_key(key.private_bytes(*form), SECRET.encode()))
    return unlocked(made, Passphrase(SECRET)), before


@pytest.fixture
def little_work(tmp_path, monkeypatch):
    """The maker of keys at work, but for how long guessing takes."""
    script = tmp_path / "key_maker.py"
    script.write_text(LITTLE_WORK)
    monkeypatch.setattr(identity_module, "_KEY_MAKER", script)


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "home").make()


@pytest.fixture
def locked_home(home, protected):
    """A home whose console is the protected one."""
    shutil.copytree(protected[0].key_path.parent, home.console_path)
    return home


def secret_file(path, text):
    path.write_text(text + "\n")
    path.chmod(0o600)
    return str(path)


def test_a_protected_key_is_of_use_with_its_passphrase_alone(protected):
    identity, _before = protected
    console_context(identity, [])
    bare = ensure_identity(identity.key_path.parent, "lab")
    assert bare.is_protected
    for wrong in (None, Passphrase(OTHER), Passphrase("")):
        with pytest.raises(WrongPassphraseError):
            unlocked(bare, wrong)
    with pytest.raises(WrongPassphraseError):
        console_context(bare, [])
    with pytest.raises(WrongPassphraseError):
        protect_key(bare, Passphrase(OTHER), None)
    assert unlocked(bare, Passphrase(SECRET)).is_protected


def test_the_key_is_the_same_and_its_file_slow_to_guess(tmp_path):
    made = ensure_identity(tmp_path / "console", "lab")
    before = made.key_path.read_bytes()
    identity = protect_key(made, None, Passphrase(SECRET))
    content = identity.key_path.read_bytes()
    assert content.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert identity.key_path.stat().st_mode & 0o777 == 0o600
    found = serialization.load_pem_private_key(content, SECRET.encode())
    plain = serialization.load_pem_private_key(before, None)
    assert found.private_numbers() == plain.private_numbers()
    der = ssl.PEM_cert_to_DER_cert(content.decode().replace("ENCRYPTED PRIVATE KEY", "CERTIFICATE"))
    assert bytes.fromhex("2b06010401da47040b") in der  # scrypt, RFC 7914
    assert bytes.fromhex("02024000") in der  # n = 16384
    assert [path.name for path in identity.key_path.parent.iterdir() if path.name.startswith(".key")] == []


def test_a_passphrase_shows_nowhere(protected, caplog):
    identity, _before = protected
    with caplog.at_level(logging.DEBUG):
        console_context(identity, [])
        with pytest.raises(WrongPassphraseError) as told:
            unlocked(identity, Passphrase(OTHER))
    shown = repr(identity) + str(identity) + repr(told.value) + str(told.value) + caplog.text
    assert SECRET not in shown
    assert OTHER not in shown


def test_the_words_of_the_maker_of_keys_hold_no_passphrase(locked_home, little_work, monkeypatch):
    identity = ensure_identity(locked_home.console_path, "lab")
    seen = []
    real = __import__("subprocess").run

    def watched(words, **options):
        seen.append(repr(words) + repr(options.get("env")))
        return real(words, **options)

    monkeypatch.setattr("core.transport.identity.subprocess.run", watched)
    protect_key(identity, Passphrase(SECRET), Passphrase(SECRET))
    assert len(seen) == 1
    assert SECRET not in seen[0]


def test_the_command_line_sets_changes_uses_and_removes_it(home, little_work, tmp_path, capfd, monkeypatch):
    words = ["--home", str(home.path), "--json", "consoles", "passphrase"]
    one, two = secret_file(tmp_path / "one", SECRET), secret_file(tmp_path / "two", OTHER)
    assert main([*words, "--new-file", one]) == 0
    assert json.loads(capfd.readouterr().out) == {"protected": True, "passphrase": "ask"}
    assert load_config(home)[0].console.passphrase == "ask"

    assert main([*words, "--new-file", two]) == 3  # nobody says the present one
    monkeypatch.setenv(console_key.FILE_VARIABLE, two)
    assert main([*words, "--new-file", two]) == 3
    monkeypatch.setenv(console_key.FILE_VARIABLE, one)
    assert main([*words, "--new-file", two, "--store", "passphrase"]) == 0
    monkeypatch.delenv(console_key.FILE_VARIABLE)
    assert (home.path / "passphrase").stat().st_mode & 0o777 == 0o600
    assert open_identity(home, load_config(home)[0], "lab").is_protected

    assert main([*words, "--remove"]) == 0
    assert not ensure_identity(home.console_path, "lab").is_protected
    assert load_config(home)[0].console.passphrase is None
    found = capfd.readouterr()
    assert SECRET not in found.out + found.err
    assert OTHER not in found.out + found.err


def test_a_person_is_asked_three_times(locked_home):
    home, config = locked_home, load_config(locked_home)[0]
    asked = []

    def right_at_last(wrong):
        asked.append(wrong)
        return SECRET if wrong == 2 else OTHER

    open_identity(home, config, "lab", right_at_last)
    assert asked == [0, 1, 2]
    with pytest.raises(WrongPassphraseError, match="nobody to be asked"):
        open_identity(home, config, "lab", lambda _wrong: None)
    with pytest.raises(WrongPassphraseError, match=r"keyring:NAME"):
        open_identity(home, config, "lab")


def test_the_keyring_keeps_it(home, little_work, monkeypatch):
    kept = {}
    keyring = pytest.importorskip("keyring")
    monkeypatch.setattr(keyring, "set_password", lambda service, name, secret: kept.update({(service, name): secret}))
    monkeypatch.setattr(keyring, "get_password", lambda service, name: kept.get((service, name)))
    made = ensure_identity(home.console_path, "lab")
    change_passphrase(home, made, None, Passphrase(SECRET), "keyring:console")
    assert kept == {("beffroi", "console"): SECRET}
    assert SECRET not in home.config_path.read_text()
    assert open_identity(home, load_config(home)[0], "lab").is_protected
    kept.clear()
    with pytest.raises(ConfigError, match="keyring knows no"):
        open_identity(home, load_config(home)[0], "lab")


class _Killed(BaseException):
    """In its place the process would be gone."""


@pytest.mark.parametrize("step", ["made", "kept", "replaced"])
def test_a_kill_at_any_step_of_a_change_locks_nobody_out(locked_home, little_work, monkeypatch, step):
    """The passphrase is in a file, and changed in that very file: who is killed in between has told it to nobody."""
    home = locked_home
    save_setting(home, "console.passphrase", "secret")
    secret_file(home.path / "secret", SECRET)

    def killed(*_arguments):
        raise _Killed

    replace = os.replace
    with monkeypatch.context() as dying:
        dying.setattr(Path, "unlink", lambda path, missing_ok=False: None)  # nothing is cleaned up
        if step == "made":
            dying.setattr(console_key, "_keep", killed)
        elif step == "kept":
            dying.setattr(
                identity_module.os, "replace", lambda a, b: killed() if Path(b).name == "key.pem" else replace(a, b)
            )
        else:
            dying.setattr(console_key, "save_setting", killed)
        bare = ensure_identity(home.console_path, "lab")
        with pytest.raises(_Killed):
            change_passphrase(home, bare, Passphrase(SECRET), Passphrase(OTHER), "secret")
    wanted = SECRET if step == "made" else OTHER
    assert (home.path / "secret").read_text().strip() == wanted
    assert open_identity(home, load_config(home)[0], "lab").is_protected
    assert serialization.load_pem_private_key((home.console_path / "key.pem").read_bytes(), wanted.encode())
    assert (home.console_path / "key.pem").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", [".key.pem.next", ".key.pem.4242"])
def test_a_key_in_clear_that_a_kill_has_left_is_removed_by_the_next_command(locked_home, protected, name):
    left = locked_home.console_path / name
    left.write_bytes(protected[1])
    ensure_identity(locked_home.console_path, "lab")
    assert not left.exists()


@pytest.mark.skipif(os.name != "posix", reason="core dumps of POSIX")
def test_no_core_dump_holds_a_passphrase():
    words = "import sys, resource; sys.path.insert(0, '.'); from core.transport.identity import Identity, unlocked\n"
    words += "from pathlib import Path\nresource.setrlimit(resource.RLIMIT_CORE, (1 << 20,) * 2)\n"
    words += "try: unlocked(Identity('', '', Path('no'), Path('no'), ''), None)\nexcept OSError: pass\n"
    words += "print(resource.getrlimit(resource.RLIMIT_CORE)[0])"
    said = subprocess.run([sys.executable, "-c", words], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout == "0\n"


@pytest.mark.parametrize("text", ["", "short", " " + SECRET, "x" * 300, "with\nline ends"])
def test_what_is_no_passphrase_is_refused(text):
    with pytest.raises(UsageError, match="a passphrase has"):
        check_passphrase(text)


def test_a_short_one_changes_nothing(locked_home, tmp_path, capfd, monkeypatch):
    before = (locked_home.console_path / "key.pem").read_bytes()
    monkeypatch.setenv(console_key.FILE_VARIABLE, secret_file(tmp_path / "old", SECRET))
    short = secret_file(tmp_path / "new", "short")
    assert main(["--home", str(locked_home.path), "consoles", "passphrase", "--new-file", short]) == 2
    assert (locked_home.console_path / "key.pem").read_bytes() == before


def test_collect_cannot_ask_and_says_what_to_do(locked_home, capfd):
    assert main(["--home", str(locked_home.path), "collect"]) == 3
    assert "keyring:NAME" in capfd.readouterr().err


@pytest.mark.parametrize(("typed", "status"), [(SECRET + "\n", 0), ("\x04", 3), ("\x03", 1)])
def test_the_terminal_is_asked_shows_nothing_and_can_be_left(locked_home, typed, status):
    words = [sys.executable, "main.py", "--home", str(locked_home.path), "consoles", "passphrase", "--remove"]
    manager, worker = os.openpty()
    child = subprocess.Popen(
        words, stdin=worker, stderr=worker, stdout=subprocess.PIPE, cwd=ROOT, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(worker, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    try:
        shown = b""
        while b"key: " not in shown:
            shown += os.read(manager, 4096)
        os.write(manager, typed.encode())
        child.communicate(timeout=20)
    finally:
        child.kill()
        os.close(worker)
        os.close(manager)
    assert child.returncode == status
    assert SECRET.encode() not in shown
    assert ensure_identity(locked_home.console_path, "lab").is_protected is (status != 0)
