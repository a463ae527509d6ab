"""A received message as its receiver sees it: of its attributes, those that were asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lambent.model.outgoing import Attribute
from lambent.services.sqs import faults
from lambent.services.sqs.bodies import format_sequence
from lambent.services.sqs.checksums import md5_of_attributes, md5_of_body
from lambent.services.sqs.message_attributes import show_attribute
from lambent.services.sqs.queue import SqsQueue
from lambent.services.sqs.receipts import Handle, Receipts
from lambent.services.sqs.stored import Stored, parse_stored
from lambent.store.queues.contract import Message

_SYSTEM = frozenset(
    {
        "All",
        "SenderId",
        "SentTimestamp",
        "ApproximateReceiveCount",
        "ApproximateFirstReceiveTimestamp",
        "SequenceNumber",
        "MessageDeduplicationId",
        "MessageGroupId",
        "AWSTraceHeader",
        "DeadLetterQueueSourceArn",
    }
)
_MAX_NAMES = 256
"""POLICY: names of attributes in one request; a message has ten attributes."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which attributes a receiver wants: ``system`` by name; message attributes by name or prefix."""

    system: frozenset[str]
    names: frozenset[str]
    prefixes: tuple[str, ...]
    all_attributes: bool

    def picks(self, name: str) -> bool:
        """Whether a message attribute is wanted."""
        return self.all_attributes or name in self.names or name.startswith(self.prefixes)


_NOTHING = Wanted(frozenset(), frozenset(), (), False)


def read_wanted(parameters: Mapping[str, Any]) -> Wanted:
    """``MessageSystemAttributeNames`` or, by its old name, ``AttributeNames``; ``MessageAttributeNames``.

    Raises ``InvalidAttributeName`` for a system attribute there is none of.
    """
    system: Sequence[str] = (
        *parameters.get("MessageSystemAttributeNames", ()),
        *parameters.get("AttributeNames", ()),
    )
    names: Sequence[str] = parameters.get("MessageAttributeNames", ())
    if not system and not names:
        return _NOTHING
    if len(system) + len(names) > _MAX_NAMES:
        raise faults.invalid(f"More than {_MAX_NAMES} attribute names.")
    for name in system:
        if name not in _SYSTEM:
            raise faults.unknown_attribute(name[:256])
    return Wanted(
        _SYSTEM if "All" in system else frozenset(system),
        frozenset(names),
        tuple(name[:-2] for name in names if name.endswith(".*") and name != ".*"),
        "All" in names or ".*" in names,
    )


def show_message(
    receipts: Receipts, queue: SqsQueue, message: Message, wanted: Wanted, now_ms: int
) -> dict[str, Any]:
    """The model's ``Message``."""
    handle = Handle(queue.queue_id, message.sequence, message.receives, now_ms)
    shown: dict[str, Any] = {
        "MessageId": message.message_id,
        "ReceiptHandle": receipts.format(handle),
        "MD5OfBody": md5_of_body(message.body),
        "Body": message.body.decode(),
    }
    if wanted is _NOTHING:
        return shown
    stored = parse_stored(message.attributes)
    if wanted.system:
        system = _system_attributes(queue, message, stored)
        picked = {name: value for name, value in system.items() if value and name in wanted.system}
        shown["Attributes"] = picked or None
    chosen: dict[str, Attribute] = {
        name: value for name, value in stored.attributes.items() if wanted.picks(name)
    }
    if chosen:
        shown["MD5OfMessageAttributes"] = md5_of_attributes(chosen)
        shown["MessageAttributes"] = {name: show_attribute(value) for name, value in chosen.items()}
    return shown


def _system_attributes(queue: SqsQueue, message: Message, stored: Stored) -> dict[str, str | None]:
    return {
        "SenderId": stored.sender_id,
        "SentTimestamp": str(message.sent_at_ms),
        # AWS: receives are counted over all queues the message was in.
        "ApproximateReceiveCount": str(stored.receives_before + message.receives),
        "ApproximateFirstReceiveTimestamp": str(message.first_received_at_ms),
        "SequenceNumber": format_sequence(message.sequence) if queue.fifo else None,
        "MessageDeduplicationId": stored.deduplication_id,
        "MessageGroupId": message.group_id or stored.group_id,
        "AWSTraceHeader": stored.trace_header,
        "DeadLetterQueueSourceArn": stored.source_arn,
    }
