"""MD5 digests by which clients check what they sent and received.

Source: "Calculating the MD5 message digest for message attributes" of SQS's developer guide.
"""

import hashlib
import struct
from collections.abc import Mapping

from lambent.model.outgoing import Attribute

_length = struct.Struct(">I").pack


def md5_of_body(body: bytes) -> str:
    """The digest of a message's body."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def md5_of_attributes(attributes: Mapping[str, Attribute]) -> str:
    """The digest of attributes: name, type and value of each, by name, with lengths before them."""
    digest = hashlib.md5(usedforsecurity=False)
    for name in sorted(attributes):
        attribute = attributes[name]
        for text in (name, attribute.data_type):
            raw = text.encode()
            digest.update(_length(len(raw)) + raw)
        value = attribute.value
        binary = isinstance(value, bytes)
        raw = value if isinstance(value, bytes) else value.encode()
        digest.update((b"\x02" if binary else b"\x01") + _length(len(raw)) + raw)
    return digest.hexdigest()
