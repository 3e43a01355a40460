"""A console's certificate is of the one form that we make, or it is refused."""

from __future__ import annotations

import base64
import datetime
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa, utils
from cryptography.x509.oid import NameOID

from core.transport.certificate import console_certificate
from core.transport.identity import fingerprint_of_pem
from core.transport.key_maker import make_key_and_certificate
from core.transport.p256 import is_signed_by


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


LONG = "a" * 64


def _element(tag, content):
    size = len(content)
    return bytes([tag]) + (bytes([size]) if size < 0x80 else b"\x82" + size.to_bytes(2)) + content


def _with(der, serial=None, signature=None):
    """A certificate under another serial number, or another signature."""
    outer, inner = der[4:], der[8:]  # under a long name both are longer than 255 octets
    signed, rest = inner[: int.from_bytes(outer[2:4])], outer[4 + int.from_bytes(outer[2:4]) :]
    if serial is not None:
        signed = signed[:5] + _element(0x02, serial) + signed[7 + signed[6] :]
    if signature is not None:
        rest = rest[:12] + _element(0x03, signature)
    return _element(0x30, _element(0x30, signed) + rest)


def test_a_twin_under_the_name_and_key_of_another_is_refused():
    """In a trust store it would hide the certificate of whoever has that key."""
    der = ssl.PEM_cert_to_DER_cert(make_key_and_certificate(LONG)[1].decode())
    for twin in (_with(der, b"\1"), _with(der, b"\1", b"\0\x30\6\2\1\1\2\1\1")):
        with pytest.raises(ValueError, match="not signed by its own key"):
            console_certificate(_pem(twin))
    assert console_certificate(_pem(_with(der, b"\1")), is_signature_checked=False).name == LONG


@pytest.mark.parametrize("is_signature_checked", [True, False])
@pytest.mark.parametrize("octets", [b"", b"\0", b"\0\1", b"\xff\x80", b"\1" * 21])
def test_what_openssl_would_not_load_is_refused(octets, is_signature_checked):
    der = ssl.PEM_cert_to_DER_cert(make_key_and_certificate(LONG)[1].decode())
    for made in (_with(der, serial=octets), _with(der, signature=b"\x09" + octets)):
        with pytest.raises(ValueError, match=r".+"):
            console_certificate(_pem(made), is_signature_checked=is_signature_checked)


def test_signatures_are_checked_as_the_library_does():
    for size in range(12):
        key, message = ec.generate_private_key(ec.SECP256R1()), bytes(size)
        r, s = utils.decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
        form = serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        point = key.public_key().public_bytes(*form)
        assert is_signed_by(point, message, r, s)
        off_curve = point[:-1] + bytes([point[-1] ^ 1])
        for other in ((point, b"x" + message, r, s), (point, message, s, r), (off_curve, message, r, s)):
            assert not is_signed_by(*other)
        assert not any(is_signed_by(point, message, *pair) for pair in ((0, s), (r, 0), (0, 0), (-r, s), (r, 1 << 256)))


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
