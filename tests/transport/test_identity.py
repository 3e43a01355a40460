"""Keys, certificates and fingerprints, and what TLS makes of them."""

from __future__ import annotations

import os
import socket
import ssl
import stat
import subprocess
import sys
import threading

import pytest

from core.errors import ConfigError, UsageError
from core.home import Lock
from core.transport import address as address_module
from core.transport import tls
from core.transport.identity import (
    ensure_identity,
    fingerprint_octets,
    fingerprint_of,
    fingerprint_of_pem,
    same_fingerprint,
)


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    return ensure_identity(tmp_path_factory.mktemp("one") / "id", "lab")


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return ensure_identity(tmp_path_factory.mktemp("other") / "id", "lab")


def test_an_identity_is_private_and_what_the_house_says_it_is(one):
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    assert stat.S_IMODE(one.key_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(one.key_path.parent.stat().st_mode) == 0o700
    certificate = x509.load_pem_x509_certificate(one.certificate_pem.encode())
    assert isinstance(certificate.public_key().curve, ec.SECP256R1)
    assert certificate.subject.rfc4514_string() == "CN=lab"
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    own = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier == own
    assert certificate.not_valid_before_utc.year == 2000
    assert certificate.not_valid_after_utc.year == 2100
    assert fingerprint_of_pem(one.certificate_pem) == one.fingerprint


@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
def test_a_long_name_in_any_script_is_cut_between_two_letters():
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    from core.transport.key_maker import make_key_and_certificate

    _key, pem = make_key_and_certificate("é" * 63 + "x")
    names = x509.load_pem_x509_certificate(pem).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert [name.value for name in names] == ["é" * 32]


def test_a_key_that_finds_no_room_is_said_without_our_own_words(tmp_path):
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(ConfigError) as caught:
            ensure_identity(tmp_path / "id", "lab")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(caught.value) == f"no key could be made in {tmp_path / 'id'}: File too large"
    assert ensure_identity(tmp_path / "id", "lab").name == "lab"


def test_a_lock_that_cannot_be_made_is_said_with_its_file(tmp_path):
    with pytest.raises(ConfigError, match=f"{tmp_path / 'none' / 'lock'} cannot be written"):
        Lock(tmp_path / "none" / "lock").take()


def test_fingerprints_are_the_same_however_they_are_written(one, other):
    text = one.fingerprint
    assert text.startswith("SHA256:")
    assert len(fingerprint_octets(text)) == 32
    for written in (text.lower(), text.replace("-", ""), text.replace("-", " "), text.removeprefix("SHA256:")):
        assert same_fingerprint(text, written)
    assert not same_fingerprint(text, other.fingerprint)
    assert fingerprint_of(b"abc").startswith("SHA256:XJ4B-NP4P-AHH6")


def test_a_key_open_to_others_is_refused_with_the_command_that_mends_it(tmp_path):
    made = ensure_identity(tmp_path / "id", "lab")
    made.key_path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        ensure_identity(tmp_path / "id", "lab")


def test_half_an_identity_is_never_made_whole_silently(tmp_path):
    made = ensure_identity(tmp_path / "id", "lab")
    made.certificate_path.unlink()
    with pytest.raises(ConfigError, match="missing beside"):
        ensure_identity(tmp_path / "id", "lab")
    assert made.key_path.exists()


def test_a_broken_certificate_is_named(tmp_path):
    made = ensure_identity(tmp_path / "id", "lab")
    made.certificate_path.write_text("nonsense")
    with pytest.raises(ConfigError, match="not a certificate"):
        ensure_identity(tmp_path / "id", "lab")


def test_two_processes_at_once_make_one_identity(tmp_path):
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(ensure_identity(tmp_path / "id", "lab").fingerprint))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert sorted(os.listdir(tmp_path / "id")) == [".identity.lock", "certificate.pem", "key.pem"]


def test_cryptography_is_never_imported_by_who_asks_for_an_identity(tmp_path):
    code = (
        "import sys; from pathlib import Path; from core.transport.identity import ensure_identity; "
        f"ensure_identity(Path({str(tmp_path / 'id')!r}), 'lab'); print('cryptography' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "False\n"


def _handshake(server_context, client_context):
    """Fingerprints that each end sees, after a first octet each way."""
    one, other = socket.socketpair()
    seen = []

    def serve():
        try:
            with server_context.wrap_socket(one, server_side=True) as link:
                seen.append(tls.peer_fingerprint(link))
                link.sendall(b"x")
                link.recv(1)
        except OSError as error:
            seen.append(error)
            one.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client_context.wrap_socket(other, server_hostname=None) as link:
            link.settimeout(5)
            assert link.version() == "TLSv1.3"
            assert link.recv(1) == b"x"
            shown = tls.peer_fingerprint(link)
            link.sendall(b"y")
    finally:
        thread.join(5)
        other.close()
        one.close()
    return shown, seen[0]


def test_pinned_ends_see_each_others_fingerprints(one, other):
    server, client = tls.agent_context(one, [other.certificate_pem]), tls.console_context(other, [one.certificate_pem])
    assert _handshake(server, client) == (one.fingerprint, other.fingerprint)


def test_a_pin_can_be_added_while_the_context_is_in_use(one, other):
    server, client = tls.agent_context(one, []), tls.console_context(other, [one.certificate_pem])
    with pytest.raises(ssl.SSLError):
        _handshake(server, client)
    tls.trust(server, other.certificate_pem)
    assert _handshake(server, client)[1] == other.fingerprint


def test_an_agent_that_is_not_pinned_fails_the_handshake_even_under_the_same_name(one, other):
    client = tls.console_context(other, [other.certificate_pem])
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(tls.agent_context(one, [other.certificate_pem]), client)


def test_without_a_certificate_an_agent_is_reached_but_sees_nobody(one):
    assert _handshake(tls.agent_context(one, []), tls.pairing_context()) == (one.fingerprint, None)


def test_older_tls_is_refused(one):
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        _handshake(tls.agent_context(one, []), client)


def test_what_is_no_certificate_cannot_be_pinned(one):
    context = tls.agent_context(one, [])
    for junk in ("", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        with pytest.raises(ValueError, match=r"ertificate"):
            tls.trust(context, junk)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lab", ("lab", 17450)),
        ("lab:1", ("lab", 1)),
        ("[::1]:2", ("::1", 2)),
        ("::1", ("::1", 17450)),
        ("0.0.0.0:0", ("0.0.0.0", 0)),
    ],
)
def test_addresses_are_read_as_people_write_them(text, expected):
    assert address_module.parse_address(text, 17450) == expected


@pytest.mark.parametrize("text", ["", ":1", "lab:x", "lab:70000", "[::1]2", "a b", "lab:²"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(UsageError):
        address_module.parse_address(text, 17450)


def test_an_ipv6_host_is_shown_in_brackets():
    assert address_module.shown_address("::1", 1) == "[::1]:1"
    assert address_module.shown_address("lab", 1) == "lab:1"
