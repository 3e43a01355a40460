"""Makes a key and a self-signed certificate, then ends: run as a script by core.transport.identity.

`cryptography` lives in this short process alone, so that agents and consoles stay small. Nothing here is imported by
the rest of the program. Arguments: key file, certificate file, display name; or `protect`, key file, new key file,
and on stdin a JSON object `{"old": …, "new": …}` of passphrases, null for none: a secret is on no command line and in
no environment, and a key never lies on a disk in clear on its way from one passphrase to another.

The certificate carries Subject and Authority Key Identifier: without them two self-signed certificates of one name in
a trust store break each other. Its dates (2000 to 2100) mean nothing: a pinned certificate is trusted until unpinned.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import sys

SCRYPT_N, SCRYPT_R, SCRYPT_P = 1 << 14, 8, 5
"""Of a passphrase: 16 MiB and some 0.2 s. OpenSSL takes no more than 32 MiB for the key of a TLS context."""

_NAME_OCTETS = 64
"""The limit of X.520 counts characters, `cryptography` counts octets."""

WRONG_PASSPHRASE = 3
"""Exit status where the old passphrase does not open the key."""


def make_key_and_certificate(name: str) -> tuple[bytes, bytes]:
    """PEM of an ECDSA P-256 key (PKCS #8) and of its certificate, whose common name is `name`, cut at 64 octets."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    cut = name.encode(errors="replace")[:_NAME_OCTETS].decode(errors="ignore")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, cut or "beffroi")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return key_pem, certificate.public_bytes(serialization.Encoding.PEM)


def encrypted_key(pkcs8: bytes, passphrase: bytes) -> bytes:
    """PEM of a private key (PKCS #8, DER) under a passphrase: PBES2 with scrypt and AES-256-CBC (RFC 8018, RFC 7914).

    `cryptography` itself would derive the key by 2,048 rounds of PBKDF2, which a graphics card tries in no time.
    """
    import base64

    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.padding import PKCS7

    salt, vector = os.urandom(16), os.urandom(16)
    key = hashlib.scrypt(passphrase, salt=salt, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P, maxmem=1 << 26, dklen=32)
    padder = PKCS7(128).padder()
    cipher = Cipher(algorithms.AES256(key), modes.CBC(vector)).encryptor()
    ciphered = cipher.update(padder.update(pkcs8) + padder.finalize()) + cipher.finalize()
    numbers = b"".join(_der(0x02, _unsigned(number)) for number in (SCRYPT_N, SCRYPT_R, SCRYPT_P))
    derivation = _der(0x30, _der(0x06, _SCRYPT) + _der(0x30, _der(0x04, salt) + numbers))
    scheme = _der(0x30, _der(0x06, _AES_256_CBC) + _der(0x04, vector))
    algorithm = _der(0x30, _der(0x06, _PBES2) + _der(0x30, derivation + scheme))
    text = base64.encodebytes(_der(0x30, algorithm + _der(0x04, ciphered)))
    return b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + text + b"-----END ENCRYPTED PRIVATE KEY-----\n"


_PBES2 = bytes.fromhex("2a864886f70d01050d")
_SCRYPT = bytes.fromhex("2b06010401da47040b")
_AES_256_CBC = bytes.fromhex("60864801650304012a")


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = bytes([size]) if size < 0x80 else bytes([0x81, size]) if size < 0x100 else b"\x82" + size.to_bytes(2)
    return bytes([tag]) + length + content


def _unsigned(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1)


def protect(key_path: str, new_path: str, old: str | None, new: str | None) -> int:
    """Write the key of `key_path` under another passphrase, or none, to `new_path`; WRONG_PASSPHRASE, else 0."""
    from cryptography.hazmat.primitives import serialization

    with open(key_path, "rb") as stream:
        content = stream.read()
    try:
        key = serialization.load_pem_private_key(content, None if old is None else old.encode())
    except (ValueError, TypeError):
        return WRONG_PASSPHRASE
    plain, form = serialization.NoEncryption(), serialization.PrivateFormat.PKCS8
    if new is None:
        _write(new_path, key.private_bytes(serialization.Encoding.PEM, form, plain))
    else:
        _write(new_path, encrypted_key(key.private_bytes(serialization.Encoding.DER, form, plain), new.encode()))
    return 0


def _write(path: str, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def main(arguments: list[str]) -> int:
    """Write the files, which must not exist yet."""
    if arguments[0] == "protect":
        passphrases = json.load(sys.stdin.buffer)  # in UTF-8, whatever the locale says
        return protect(arguments[1], arguments[2], passphrases["old"], passphrases["new"])
    key_path, certificate_path, name = arguments
    key_pem, certificate_pem = make_key_and_certificate(name)
    _write(key_path, key_pem)
    _write(certificate_path, certificate_pem)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
