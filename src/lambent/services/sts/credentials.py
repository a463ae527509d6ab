"""Temporary credentials for execution roles: minted at a cold start, remembered in memory.

1. A minted key is found by :meth:`CredentialMint.lookup` until it is revoked or pushed out.
2. Memory is bounded: beyond ``capacity`` the oldest key goes.
3. Keys do not outlive the process: neither do the environments that hold them.
4. Beside them are the operator's long-lived keys, which are never pushed out.
"""

import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

CAPACITY: Final = 20_000
"""POLICY: many times the environments that one machine holds at once."""
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"  # base32, as AWS's key ids
_SESSION_NAME_CHARS: Final = 64
"""AWS: the shape ``roleSessionNameType`` of botocore's ``sts`` model."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key with whom it stands for: ``arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION``."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    principal_arn: str
    account_id: str
    role_arn: str


class CredentialMint:
    """Makes and remembers temporary credentials. Any thread may call it."""

    def __init__(self, capacity: int = CAPACITY, lasting: Iterable[Credentials] = ()) -> None:
        self._capacity = capacity
        self._known: dict[str, Credentials] = {}
        self._lasting = {key.access_key_id: key for key in lasting}
        self._lock = threading.Lock()

    def mint(self, account_id: str, role_arn: str, session_name: str) -> Credentials:
        """New credentials for a session of the role. About 10 µs."""
        role = role_arn.rpartition("/")[2]
        session = session_name[:_SESSION_NAME_CHARS]
        credentials = Credentials(
            access_key_id="ASIA" + _letters(16),
            secret_access_key=secrets.token_urlsafe(30),
            session_token=secrets.token_urlsafe(96),
            principal_arn=f"arn:aws:sts::{account_id}:assumed-role/{role}/{session}",
            account_id=account_id,
            role_arn=role_arn,
        )
        with self._lock:
            if len(self._known) >= self._capacity:
                del self._known[next(iter(self._known))]
            self._known[credentials.access_key_id] = credentials
        return credentials

    def lookup(self, access_key_id: str) -> Credentials | None:
        """Whose key it is, or None for one never known, revoked or pushed out."""
        return self._known.get(access_key_id) or self._lasting.get(access_key_id)

    def revoke(self, access_key_id: str) -> None:
        """Forget the key; one that is not known is no error."""
        with self._lock:
            self._known.pop(access_key_id, None)


def _letters(count: int) -> str:
    return "".join([_ALPHABET[byte & 31] for byte in secrets.token_bytes(count)])
