"""Publish and PublishBatch: accepted when every subscription's message is on disk."""

import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.model.call import Call, Result
from lambent.model.errors import ClientFault, not_yet
from lambent.services.sns import faults
from lambent.services.sns.lookup import find_topic
from lambent.services.sns.publication import check_size, parse_publication
from lambent.services.sns.service import SnsService
from lambent.services.sns.topic import Topic

MAX_ENTRIES = 10
_ENTRY_ID = re.compile(r"[A-Za-z0-9_-]+")
_MAX_ID_CHARS = 80


async def publish(sns: SnsService, call: Call) -> Result:
    """Send a message to the subscriptions whose filters it passes."""
    parameters = call.parameters
    topic = find_topic(sns, call, "Publish", arn=_target(parameters))
    publication = parse_publication(topic, str(uuid.uuid4()), parameters, call.caller.trace_header)
    check_size(topic, publication.size_bytes)
    ((message_id, sequence),) = await sns.publish(topic, [publication])
    return Result({"MessageId": message_id, "SequenceNumber": sequence})


async def publish_batch(sns: SnsService, call: Call) -> Result:
    """Send up to ten messages, in order, all or none: a store that takes one takes the others.

    AWS: an entry that is not well-formed fails the whole batch.
    """
    entries: Sequence[Mapping[str, Any]] = call.parameters["PublishBatchRequestEntries"]
    _check_entries(entries)
    topic = find_topic(sns, call, "Publish")
    trace_header = call.caller.trace_header
    publications = [
        parse_publication(topic, str(uuid.uuid4()), entry, trace_header) for entry in entries
    ]
    _check_length(topic, sum(one.size_bytes for one in publications))
    published = await sns.publish(topic, publications)
    successful = [
        {"Id": entry["Id"], "MessageId": message_id, "SequenceNumber": sequence}
        for entry, (message_id, sequence) in zip(entries, published, strict=True)
    ]
    return Result({"Successful": successful, "Failed": []})


def _target(parameters: Mapping[str, Any]) -> str:
    if parameters.get("PhoneNumber") is not None:
        raise not_yet("PhoneNumber (SMS)")
    arn = parameters.get("TopicArn") or parameters.get("TargetArn")
    if not arn:
        raise faults.invalid("TopicArn or TargetArn Reason: no value for required parameter")
    if ":endpoint/" in arn:
        raise not_yet("TargetArn of a mobile endpoint")
    return str(arn)


def _check_entries(entries: Sequence[Mapping[str, Any]]) -> None:
    if not entries:
        raise ClientFault(
            "EmptyBatchRequestException", "The batch request doesn't contain any entries."
        )
    if len(entries) > MAX_ENTRIES:
        raise ClientFault(
            "TooManyEntriesInBatchRequestException",
            "The batch request contains more entries than permissible.",
        )
    ids = [entry["Id"] for entry in entries]
    if len(set(ids)) != len(ids):
        raise ClientFault(
            "BatchEntryIdsNotDistinctException",
            "Two or more batch entries in the request have the same Id.",
        )
    for entry_id in ids:
        if len(entry_id) > _MAX_ID_CHARS:
            reason = "is too long"
        elif not _ENTRY_ID.fullmatch(entry_id):
            reason = "contains an impermissible character"
        else:
            continue
        raise ClientFault(
            "InvalidBatchEntryIdException",
            f"The Id of a batch entry in the batch request {reason}: {entry_id}",
        )


def _check_length(topic: Topic, total_bytes: int) -> None:
    if total_bytes > topic.max_message_bytes:
        raise ClientFault(
            "BatchRequestTooLongException",
            "The length of all the messages put together is more than the limit.",
        )
