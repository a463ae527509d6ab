"""Receipt handles: opaque to clients, and of no use for another queue.

A handle holds the queue, the message, the receive it comes from and when that was, under a keyed
digest: what was not made here is refused before the store is asked.
"""

import base64
import binascii
import hashlib
import struct
from typing import Final, NamedTuple

from lambent.services.sqs import faults

_LAYOUT: Final = struct.Struct(">BQQIQ")
_VERSION: Final = 1
_DIGEST_BYTES: Final = 13
"""POLICY: 104 bits; and 29 + 13 bytes are 56 characters without padding."""
_CHARACTERS: Final = (_LAYOUT.size + _DIGEST_BYTES) * 4 // 3
SECRET_BYTES: Final = 32


class Handle(NamedTuple):
    """What a receipt handle says."""

    queue_id: int
    sequence: int
    receives: int
    received_at_ms: int


class Receipts:
    """Makes and reads receipt handles under one ``secret`` (32 bytes)."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def format(self, handle: Handle) -> str:
        """56 characters of base64."""
        raw = _LAYOUT.pack(_VERSION, *handle)
        return base64.b64encode(raw + self._digest(raw)).decode("ascii")

    def parse(self, text: str, queue_id: int) -> Handle:
        """The inverse. Raises ``ReceiptHandleIsInvalid`` for anything not made for that queue."""
        if len(text) == _CHARACTERS and text.isascii():
            try:
                whole = base64.b64decode(text, validate=True)
            except binascii.Error:
                raise faults.bad_handle(text) from None
            raw = whole[: _LAYOUT.size]
            if whole[_LAYOUT.size :] == self._digest(raw):
                handle = Handle(*_LAYOUT.unpack(raw)[1:])
                if handle.queue_id == queue_id:
                    return handle
        raise faults.bad_handle(text[:1024])

    def _digest(self, raw: bytes) -> bytes:
        return hashlib.blake2b(raw, key=self._secret, digest_size=_DIGEST_BYTES).digest()
