"""A console's certificate is of the one form that we make, or it is refused."""

from __future__ import annotations

import base64
import datetime
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from core.transport.certificate import console_certificate
from core.transport.identity import fingerprint_of_pem
from core.transport.key_maker import make_key_and_certificate


def test_our_own_certificate_is_read_with_its_name():
    pem = make_key_and_certificate("Ada@desk é")[1].decode()
    found = console_certificate("some words\n" + pem + "\nmore")
    assert (found.name, found.fingerprint) == ("Ada@desk é", fingerprint_of_pem(pem))
    assert ssl.PEM_cert_to_DER_cert(found.pem) == ssl.PEM_cert_to_DER_cert(pem)


def _made(key=None, ca=False, other_name=None, subject_key=None, years=(2000, 2100), digest=None):
    key = key or ec.generate_private_key(ec.SECP256R1())
    public = subject_key.public_key() if subject_key else key.public_key()

    def name(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    builder = (
        x509.CertificateBuilder()
        .subject_name(name("a"))
        .issuer_name(name(other_name or "a"))
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(datetime.datetime(years[0], 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(years[1], 1, 1, tzinfo=datetime.UTC))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
    )
    return builder.sign(key, digest or hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


@pytest.mark.parametrize(
    "options",
    [
        {"key": rsa.generate_private_key(65537, 2048)},
        {"key": ec.generate_private_key(ec.SECP384R1())},
        {"ca": True},
        {"other_name": "b"},
        {"subject_key": ec.generate_private_key(ec.SECP256R1())},
        {"years": (2001, 2100)},
        {"digest": hashes.SHA384()},
    ],
    ids=["rsa", "p384", "authority", "issuer", "identifier of another key", "years", "digest"],
)
def test_another_certificate_is_refused(options):
    assert console_certificate(_made()).name == "a"
    with pytest.raises(ValueError, match=r".+"):
        console_certificate(_made(**options))


def test_a_cut_or_changed_certificate_never_raises_anything_but_value_error():
    der = ssl.PEM_cert_to_DER_cert(make_key_and_certificate("a")[1].decode())
    for size in range(len(der)):
        with pytest.raises(ValueError, match=r".+"):
            console_certificate(_pem(der[:size]))
    for place in range(len(der)):
        try:
            console_certificate(_pem(der[:place] + bytes([der[place] ^ 0xFF]) + der[place + 1 :]))
        except ValueError:
            continue
    with pytest.raises(ValueError, match="follows"):
        console_certificate(_pem(der + b"\0"))


@pytest.mark.parametrize("text", ["", "x" * 20_000, "-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----"])
def test_what_holds_no_certificate_says_so(text):
    with pytest.raises(ValueError, match=r".+"):
        console_certificate(text)


def test_a_private_key_in_a_card_is_refused():
    key, pem = make_key_and_certificate("a")
    with pytest.raises(ValueError, match="private key"):
        console_certificate(key.decode() + pem.decode())
    with pytest.raises(ValueError, match="2 certificates"):
        console_certificate(pem.decode() + pem.decode())


def _pem(der):
    return f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(der).decode()}\n-----END CERTIFICATE-----\n"
