"""A message as its publisher gave it, checked. Pure.

Source of the limits: Publish in botocore's ``sns`` model; the texts are recorded answers unless marked.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from lambent.model.outgoing import Attribute
from lambent.services.sns import faults
from lambent.services.sns.message_attributes import parse_attributes, size_bytes
from lambent.services.sns.topic import Topic

_MAX_SUBJECT_CHARS = 100
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_ID = re.compile(r"[\x21-\x7e]{1,128}")


@dataclass(frozen=True, slots=True)
class Publication:
    """One message. ``by_protocol`` holds those of ``MessageStructure`` json besides the default."""

    message_id: str
    message: str
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    by_protocol: Mapping[str, str] = field(default_factory=dict)
    subject: str | None = None
    group_id: str | None = None
    deduplication_id: str | None = None
    trace_header: str | None = None
    size_bytes: int = field(default=0, compare=False)

    def text_for(self, protocol: str) -> str:
        """What subscribers of that protocol get."""
        return self.by_protocol.get(protocol, self.message)

    @property
    def deduplication(self) -> str:
        """The deduplication id, or what stands for it: the SHA-256 of the message without attributes."""
        return self.deduplication_id or hashlib.sha256(self.message.encode()).hexdigest()


def parse_publication(
    topic: Topic, message_id: str, given: Mapping[str, Any], trace_header: str | None
) -> Publication:
    """The publication in the members of Publish, or of an entry of PublishBatch.

    Raises ``InvalidParameter`` or ``ParameterValueInvalid``. The size is not checked.
    """
    text = given["Message"]
    subject = given.get("Subject")
    if subject is not None:
        check_subject(subject)
    if not text:
        raise faults.invalid("Empty message")
    attributes = parse_attributes(given.get("MessageAttributes") or {})
    group_id, deduplication_id = given.get("MessageGroupId"), given.get("MessageDeduplicationId")
    check_grouping(topic, group_id, deduplication_id)
    message, by_protocol = _by_structure(given.get("MessageStructure"), text)
    return Publication(
        message_id,
        message,
        attributes,
        by_protocol,
        subject,
        group_id,
        deduplication_id,
        trace_header,
        len(text.encode()) + size_bytes(attributes),
    )


def check_subject(subject: str) -> None:
    """Raises ``InvalidParameter`` for one that is empty, too long, or more than a line of text."""
    if not subject or len(subject) > _MAX_SUBJECT_CHARS or _CONTROL.search(subject):
        raise faults.invalid("Subject")


def check_size(topic: Topic, size: int) -> None:
    """Raises ``InvalidParameter`` for a message larger than its topic takes."""
    if size > topic.max_message_bytes:
        raise faults.invalid("Message too long")


def check_grouping(topic: Topic, group_id: str | None, deduplication_id: str | None) -> None:
    """Raises ``InvalidParameter`` where a FIFO topic misses an id, or a standard one has one too many."""
    if topic.fifo and not group_id:
        raise faults.invalid("The MessageGroupId parameter is required for FIFO topics")
    if topic.fifo and not deduplication_id and not topic.content_based_deduplication:
        raise faults.invalid(
            "The topic should either have ContentBasedDeduplication enabled or"
            " MessageDeduplicationId provided explicitly"
        )
    if not topic.fifo and deduplication_id is not None:
        raise faults.invalid(
            "MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter"
            " that is not valid for this topic type"
        )
    for name, value in (("MessageGroupId", group_id), ("MessageDeduplicationId", deduplication_id)):
        if value is not None and not _ID.fullmatch(value):
            # Best known: the alphabet is documented, the text is not.
            raise faults.invalid(
                f"{name} Reason: {name} can only include alphanumeric and punctuation characters."
                " 1 to 128 in length"
            )


def _by_structure(structure: str | None, text: str) -> tuple[str, Mapping[str, str]]:
    if structure is None:
        return text, MappingProxyType({})
    if structure != "json":
        raise faults.invalid("MessageStructure")  # best known
    try:
        document = json.loads(text, object_pairs_hook=_without_duplicates)
        found = {key: value for key, value in document.items() if isinstance(value, str)}
        "".join(found.values()).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError, AttributeError):
        raise faults.invalid("Message Structure - JSON message body failed to parse") from None
    default = found.pop("default", None)
    if default is None:
        raise faults.invalid("Message Structure - No default entry in JSON message body")
    return default, found


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("AWS: duplicate keys are not allowed")
    return found
