"""A message to be sent, checked: from a request's parameters to what the store keeps."""

import hashlib
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lambent.model.outgoing import Attribute
from lambent.services.sqs import faults
from lambent.services.sqs.checksums import md5_of_attributes, md5_of_body
from lambent.services.sqs.message_attributes import (
    check_text,
    read_attributes,
    read_trace_header,
    size_of,
)
from lambent.services.sqs.queue import SqsQueue
from lambent.services.sqs.stored import Stored
from lambent.store.queues.contract import NewMessage, Sent

MAX_DELAY_S: Final = 900
_ID = re.compile(r"[!-~]{1,128}")


@dataclass(frozen=True, slots=True)
class Draft:
    """A checked message; ``delay_s`` is from when it is stored. MD5s are those its sender is told."""

    body: bytes
    stored: Stored
    delay_s: int
    group_id: str | None
    deduplication_key: str | None
    md5_of_attributes: str | None
    md5_of_system_attributes: str | None
    size_bytes: int

    def message(self, now_ms: int) -> NewMessage:
        """The message under an id of its own, visible after its delay."""
        return NewMessage(
            message_id=str(uuid.uuid4()),
            body=self.body,
            attributes=self.stored.format(),
            visible_at_ms=now_ms + self.delay_s * 1000,
            group_id=self.group_id,
            deduplication_key=self.deduplication_key,
        )

    def answer(self, queue: SqsQueue, sent: Sent) -> dict[str, Any]:
        """``SendMessageResult``."""
        return {
            "MessageId": sent.message_id,
            "MD5OfMessageBody": md5_of_body(self.body),
            "MD5OfMessageAttributes": self.md5_of_attributes,
            "MD5OfMessageSystemAttributes": self.md5_of_system_attributes,
            "SequenceNumber": format_sequence(sent.sequence) if queue.fifo else None,
        }


def format_sequence(sequence: int) -> str:
    """A sequence number of 20 digits, as AWS's are."""
    return f"{sequence:020d}"


def read_draft(
    queue: SqsQueue, entry: Mapping[str, Any], sender_id: str, trace_header: str | None
) -> Draft:
    """The message of a request or of one entry of a batch.

    ``trace_header`` is the request's own, for messages that bring none. The size is not checked yet.
    Raises ``InvalidParameterValue``, ``InvalidMessageContents``, ``MissingParameter``.
    """
    text = entry["MessageBody"]
    if not text:
        raise faults.missing("MessageBody")
    check_text(text)
    given, system = entry.get("MessageAttributes"), entry.get("MessageSystemAttributes")
    attributes = read_attributes(given) if given else {}
    trace = read_trace_header(system) if system else None
    body = text.encode()
    return make_draft(
        queue,
        body,
        attributes,
        sender_id=sender_id,
        trace_header=trace or trace_header,
        group_id=entry.get("MessageGroupId"),
        deduplication_id=entry.get("MessageDeduplicationId"),
        delay_s=_read_delay(queue, entry.get("DelaySeconds")),
        md5_of_system_attributes=(
            md5_of_attributes({"AWSTraceHeader": Attribute("String", trace)}) if trace else None
        ),
    )


def check_size(queue: SqsQueue, draft: Draft) -> None:
    """Raises ``InvalidParameterValue`` for a message larger than the queue takes."""
    limit = queue.settings.max_message_bytes
    if draft.size_bytes > limit:
        raise faults.invalid(
            f"One or more parameters are invalid. Reason: Message must be shorter than {limit} bytes."
        )


def make_draft(
    queue: SqsQueue,
    body: bytes,
    attributes: Mapping[str, Attribute],
    *,
    sender_id: str,
    trace_header: str | None,
    group_id: str | None,
    deduplication_id: str | None,
    delay_s: int,
    md5_of_system_attributes: str | None = None,
) -> Draft:
    """The message with its group and deduplication, which a FIFO queue insists on."""
    _check_id("MessageGroupId", group_id)
    _check_id("MessageDeduplicationId", deduplication_id)
    key = None
    if queue.fifo:
        if group_id is None:
            raise faults.missing("MessageGroupId")
        if deduplication_id is None:
            deduplication_id = _content_id(queue, body)
        by_group = queue.settings.deduplication_by_group
        key = f"{group_id}\n{deduplication_id}" if by_group else deduplication_id
    elif deduplication_id is not None:
        raise faults.invalid_value(
            deduplication_id, "MessageDeduplicationId", faults.NOT_FOR_THIS_TYPE
        )
    stored = Stored(
        sender_id,
        attributes,
        trace_header,
        deduplication_id,
        None if queue.fifo else group_id,
    )
    return Draft(
        body,
        stored,
        delay_s,
        group_id if queue.fifo else None,
        key,
        md5_of_attributes(attributes) if attributes else None,
        md5_of_system_attributes,
        size_of(body, attributes),
    )


def _content_id(queue: SqsQueue, body: bytes) -> str:
    if not queue.settings.content_based_deduplication:
        raise faults.invalid(faults.NO_DEDUPLICATION)
    return hashlib.sha256(body).hexdigest()


def _check_id(name: str, value: str | None) -> None:
    if value is not None and not _ID.fullmatch(value):
        raise faults.invalid_value(
            value[:256],
            name,
            f"{name} can only include alphanumeric and punctuation characters. 1 to 128 in length.",
        )


def _read_delay(queue: SqsQueue, delay_s: int | None) -> int:
    if delay_s is None:
        return queue.settings.delay_s
    if not 0 <= delay_s <= MAX_DELAY_S:
        raise faults.invalid_value(
            delay_s, "DelaySeconds", f"DelaySeconds must be >= 0 and <= {MAX_DELAY_S}."
        )
    if queue.fifo and delay_s:
        raise faults.invalid_value(delay_s, "DelaySeconds", faults.NOT_FOR_THIS_TYPE)
    return delay_s if not queue.fifo else queue.settings.delay_s
