"""The key that signs what SNS delivers, made once per data directory, and its self-signed certificate.

Everything here blocks (a signature takes about a millisecond, the first one loads a library and may
make a key), so it runs on threads. ``cryptography`` is imported when the first message is signed: an
idle server does not hold it.
"""

import base64
import hashlib
import os
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from lambent.services.sns.envelope import Signature

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_FILE = "signing.pem"
_KEY_BITS = 2048
_VALID_FOR = timedelta(days=20 * 365)
"""POLICY: the key is as old as the data directory, and nobody renews it."""
PATH_START = "/SimpleNotificationService-"
PATH_END = ".pem"


@dataclass(frozen=True, slots=True)
class _Identity:
    key: "RSAPrivateKey"
    certificate_pem: bytes
    name: str
    """32 hexadecimal characters, as in the names of AWS's certificates."""


class Signer:
    """Signs with the key in ``directory``; ``endpoint`` is where the certificate is served. Thread-safe."""

    def __init__(self, directory: Path, endpoint: str) -> None:
        self._directory = directory
        self._endpoint = endpoint
        self._lock = threading.Lock()
        self._identity: _Identity | None = None

    def sign(self, text: bytes, version: str) -> Signature:
        """Version 1 is SHA1withRSA, 2 is SHA256withRSA, both with PKCS #1 v1.5 padding."""
        from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - see the module
        from cryptography.hazmat.primitives.asymmetric import padding  # noqa: PLC0415

        identity = self._load()
        digest = hashes.SHA256() if version == "2" else hashes.SHA1()  # noqa: S303 - AWS's version 1
        signature = identity.key.sign(text, padding.PKCS1v15(), digest)
        url = f"{self._endpoint}{PATH_START}{identity.name}{PATH_END}"
        return Signature(version, base64.b64encode(signature).decode(), url)

    def certificate(self, path: str) -> bytes | None:
        """The certificate served at ``path``; None for any other path."""
        if not path.startswith(PATH_START) or not path.endswith(PATH_END):
            return None
        identity = self._load()
        asked = path[len(PATH_START) : -len(PATH_END)]
        return identity.certificate_pem if asked == identity.name else None

    def _load(self) -> _Identity:
        with self._lock:
            if self._identity is None:
                path = self._directory / _FILE
                if not path.exists():
                    _write(path, _make())
                self._identity = _read(path.read_bytes())
            return self._identity


def _make() -> bytes:
    """A new key and its certificate, PEM, in one file: a crash leaves both or neither."""
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415
    from cryptography.x509.oid import NameOID  # noqa: PLC0415

    key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.lambent")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _VALID_FOR)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)


def _read(pem: bytes) -> _Identity:
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415

    key = serialization.load_pem_private_key(pem, password=None)
    certificate = x509.load_pem_x509_certificate(pem)
    if not isinstance(key, RSAPrivateKey) or key.public_key() != certificate.public_key():
        raise ValueError(f"{_FILE} does not hold an RSA key and its certificate")
    shown = certificate.public_bytes(serialization.Encoding.PEM)
    return _Identity(key, shown, hashlib.sha256(shown).hexdigest()[:32])


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, and readable by nobody else at any moment."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = path.with_suffix(".new")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
