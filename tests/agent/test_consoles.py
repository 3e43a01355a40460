"""`authorized_consoles`: what a line means, and that a doubtful one trusts nobody."""

from __future__ import annotations

import datetime
import os

import pytest
from msgspec.structs import replace

from core.agent.consoles import AuthorizedConsole, Consoles, parse_line
from core.errors import ConfigError
from core.home import make_private_folder
from core.records import Level

ONE = "SHA256:" + "-".join(["ABCD"] * 13)
OTHER = "SHA256:" + "-".join(["EFGA"] * 13)


@pytest.fixture
def folder(tmp_path):
    return make_private_folder(tmp_path / "agent")


def _write(folder, text, mode=0o600):
    path = folder / "authorized_consoles"
    path.write_text(text)
    path.chmod(mode)
    made = Consoles(folder)
    made.refresh()
    return made


def test_a_line_says_who_from_where_and_until_when():
    console = parse_line(f"{ONE} level=run from=10.1.0.0/16,2001:db8::1 expires=2027-12-31  # the desk")
    assert console == AuthorizedConsole(
        fingerprint=ONE,
        level=Level.RUN,
        networks=("10.1.0.0/16", "2001:db8::1"),
        expires=datetime.date(2027, 12, 31),
        name="the desk",
    )
    assert parse_line(console.line()) == console
    assert parse_line("") is None
    assert parse_line("  # only words") is None
    assert parse_line(ONE).level is Level.VIEW


@pytest.mark.parametrize(
    "line",
    [
        "SHA256:ABCD",
        "nonsense level=run",
        f"{ONE} level=root",
        f"{ONE} level=",
        f"{ONE} level",
        f"{ONE} shell=yes",
        f"{ONE} from=10.1.0.0/99",
        f"{ONE} from=everywhere",
        f"{ONE} expires=tomorrow",
        f"{ONE} expires=2027-13-31",
        f"{ONE} level=view level=raw",
        f"{ONE} from=fe80::1%eth0",
    ],
)
def test_a_doubtful_line_trusts_nobody_and_the_others_stay(folder, line):
    consoles = _write(folder, f"{line}\n{OTHER} level=view\n")
    assert [item.fingerprint for item in consoles.listed()] == [OTHER]


def test_addresses_and_dates_are_checked():
    console = parse_line(f"{ONE} from=10.1.0.0/16,2001:db8::/32 expires=2027-12-31")
    end_s = datetime.datetime(2028, 1, 1, tzinfo=datetime.UTC).timestamp()
    assert console.refusal("10.1.2.3", end_s - 1) is None
    assert console.refusal("::ffff:10.1.2.3", end_s - 1) is None
    assert console.refusal("2001:db8::7%eth0", end_s - 1) is None
    assert console.refusal("10.2.0.1", end_s - 1) == "address"
    assert console.refusal("nonsense", end_s - 1) == "address"
    assert console.refusal("10.1.2.3", end_s) == "expired"


def test_a_file_open_to_others_trusts_nobody(folder):
    assert _write(folder, f"{ONE} level=run\n", 0o644).listed() == ()


def test_a_file_that_becomes_open_to_others_trusts_nobody_from_then_on(folder):
    consoles = _write(folder, f"{ONE} level=run\n")
    consoles.path.chmod(0o644)
    assert consoles.refresh() is True
    assert consoles.find(ONE) is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes of POSIX")
@pytest.mark.parametrize("in_its_place", ["pipe", "folder", "huge", "device"])
def test_what_is_no_list_of_consoles_trusts_nobody_and_is_not_waited_for(folder, in_its_place):
    consoles = _write(folder, f"{ONE} level=run\n")
    consoles.path.unlink()
    if in_its_place == "pipe":
        os.mkfifo(consoles.path, 0o600)
    elif in_its_place == "folder":
        consoles.path.mkdir(mode=0o700)
    elif in_its_place == "device":
        consoles.path.symlink_to("/dev/zero")
    else:
        consoles.path.write_text(f"{ONE} level=run\n" + "#\n" * (1 << 19))
        consoles.path.chmod(0o600)
    assert consoles.refresh() is True
    assert consoles.find(ONE) is None


@pytest.mark.parametrize("line", [f"{ONE}#no space", f"{ONE} level=run\n{OTHER} level=run\n{ONE} level=raw"])
def test_whatever_was_written_by_hand_is_revoked_whole(folder, line):
    consoles = _write(folder, f"{line}\n")
    assert consoles.revoke(ONE) is not None
    assert ONE not in consoles.path.read_text()


def test_a_change_never_undoes_another_one(folder):
    consoles = _write(folder, f"{ONE} level=run  # one\n")
    known = consoles.line_of(ONE)
    consoles.path.write_text(f"{ONE} level=view from=10.0.0.0/8  # one\n")
    assert not consoles.change(known, known)
    assert "level=view" in consoles.path.read_text()
    consoles.refresh()
    now = consoles.line_of(ONE)
    assert consoles.change(replace(now, networks=()), now)
    assert consoles.path.read_text() == f"{ONE} level=view  # one\n"


def test_a_line_that_would_say_another_thing_is_not_written(folder):
    consoles = _write(folder, f"{OTHER} level=run\n")
    for networks in (("10.0.0.0/8 level=raw #",), (f"10.0.0.0/8\n{ONE}",), ("fe80::1%x admit=yes",)):
        with pytest.raises(ConfigError):
            consoles.add(AuthorizedConsole(fingerprint=ONE, networks=networks), "-----BEGIN CERTIFICATE-----\n")
    assert consoles.path.read_text() == f"{OTHER} level=run\n"


def test_only_a_changed_file_is_read_again(folder):
    consoles = _write(folder, f"{ONE} level=run\n")
    assert consoles.refresh() is False
    (folder / "authorized_consoles").unlink()
    assert consoles.refresh() is True
    assert consoles.listed() == ()


def test_pairing_again_changes_the_line_and_keeps_the_others(folder, who):
    consoles = _write(folder, f"# by hand\n{ONE} level=run  # one\n")
    for level in (Level.VIEW, Level.RUN):
        entry = AuthorizedConsole(fingerprint=who.console1.fingerprint, level=level, name="desk")
        consoles.add(entry, who.console1.certificate_pem)
    lines = consoles.path.read_text().splitlines()
    assert lines == ["# by hand", f"{ONE} level=run  # one", f"{who.console1.fingerprint} level=run  # desk"]
    consoles.refresh()
    assert consoles.certificates() == [who.console1.certificate_pem]


def test_another_consoles_certificate_under_a_name_is_left_out(folder, who):
    consoles = Consoles(folder)
    consoles.add(AuthorizedConsole(fingerprint=who.console1.fingerprint), who.console2.certificate_pem)
    consoles.refresh()
    assert consoles.certificates() == []


def test_a_shortened_fingerprint_revokes_only_where_it_names_one(folder):
    consoles = _write(folder, f"{ONE} level=run\n{ONE[:-1]}Q level=run\n{OTHER} level=run\n")
    assert consoles.revoke("SHA256:EFGA") is None
    assert consoles.revoke(ONE[:20]) is None
    assert consoles.revoke("efga efga").fingerprint == OTHER
    consoles.refresh()
    assert len(consoles.listed()) == 2
