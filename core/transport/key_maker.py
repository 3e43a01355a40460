"""Makes a key and a self-signed certificate, then ends: run as a script by core.transport.identity.

`cryptography` lives in this short process alone, so that agents and consoles stay small. Nothing here is imported by
the rest of the program. Arguments: key file, certificate file, display name.

The certificate carries Subject and Authority Key Identifier: without them two self-signed certificates of one name in
a trust store break each other. Its dates (2000 to 2100) mean nothing: a pinned certificate is trusted until unpinned.
"""

from __future__ import annotations

import datetime
import os
import sys


def make_key_and_certificate(name: str) -> tuple[bytes, bytes]:
    """PEM of an ECDSA P-256 key (PKCS #8) and of its certificate, whose common name is `name`, cut at 64 characters."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64] or "beffroi")])
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


def _write(path: str, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def main(arguments: list[str]) -> int:
    """Write both files, which must not exist yet."""
    key_path, certificate_path, name = arguments
    key_pem, certificate_pem = make_key_and_certificate(name)
    _write(key_path, key_pem)
    _write(certificate_path, certificate_pem)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
