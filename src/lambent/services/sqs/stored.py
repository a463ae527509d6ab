"""What SQS keeps with a message besides its body, as the JSON the store calls ``attributes``.

Keys are short: they are written with every message. Absent means none.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import msgspec

from lambent.model.outgoing import Attribute

_NONE: Mapping[str, Attribute] = MappingProxyType({})


def _no_attributes() -> Mapping[str, Attribute]:
    return _NONE


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class Stored:
    """A message's sender and attributes.

    ``group_id`` is a standard queue's (a FIFO queue's is the store's business); ``source_arn`` is the
    queue it is a dead letter of, ``receives_before`` how often it was received there.
    """

    sender_id: str
    attributes: Mapping[str, Attribute] = field(default_factory=_no_attributes)
    trace_header: str | None = None
    deduplication_id: str | None = None
    group_id: str | None = None
    source_arn: str | None = None
    receives_before: int = 0

    def format(self) -> str:
        """The JSON text."""
        document: dict[str, Any] = {"s": self.sender_id}
        if self.attributes:
            document["a"] = {name: _pack(value) for name, value in self.attributes.items()}
        others = {
            "t": self.trace_header,
            "d": self.deduplication_id,
            "g": self.group_id,
            "q": self.source_arn,
            "r": self.receives_before,
        }
        document.update((key, value) for key, value in others.items() if value)
        return _encode(document).decode()

    def as_dead_letter(self, source_arn: str, receives: int) -> "Stored":
        """The same in the dead-letter queue of ``source_arn``, received so often before."""
        return replace(self, source_arn=source_arn, receives_before=receives)

    def as_redriven(self) -> "Stored":
        """The same as a message that was never anywhere else."""
        return replace(self, source_arn=None, receives_before=0)


def parse_stored(text: str) -> Stored:
    """The inverse of :meth:`Stored.format`."""
    document = _decode(text)
    packed = document.get("a")
    return Stored(
        document["s"],
        {name: _unpack(*pair) for name, pair in packed.items()} if packed else _NONE,
        document.get("t"),
        document.get("d"),
        document.get("g"),
        document.get("q"),
        document.get("r", 0),
    )


def _pack(attribute: Attribute) -> list[str]:
    if isinstance(attribute.value, bytes):
        return [attribute.data_type, "", base64.b64encode(attribute.value).decode("ascii")]
    return [attribute.data_type, attribute.value]


def _unpack(data_type: str, text: str, encoded: str | None = None) -> Attribute:
    return Attribute(data_type, text if encoded is None else base64.b64decode(encoded))
