"""FIFO queues: order within groups, exactly once, attempts, handles that expire."""

import hashlib
from typing import Any

import pytest

from lambent.testing.loop import on_loop
from lambent.testing.sqs import FakeSqs


async def fifo(sqs: FakeSqs, **attributes: str) -> str:
    """A FIFO queue that knows duplicates by their content."""
    return await sqs.queue("q.fifo", **{"ContentBasedDeduplication": "true"} | attributes)


@on_loop
async def test_a_group_is_in_order_and_does_not_hold_others_up(sqs: FakeSqs) -> None:
    """While a group's message is in flight the others' messages are received."""
    url = await fifo(sqs)
    for body, group in (("a1", "a"), ("a2", "a"), ("b1", "b")):
        await sqs.send(url, body, MessageGroupId=group)
    (first,) = await sqs.receive(url)
    assert first["Body"] == "a1"
    assert await sqs.bodies(url) == ["b1"]
    await sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    assert await sqs.bodies(url) == ["a2"]


@on_loop
async def test_what_is_sent_again_within_five_minutes_is_stored_once(sqs: FakeSqs) -> None:
    """By id or by content; the sender is told the first one's id and number, even when it is gone."""
    url = await fifo(sqs)
    one = await sqs.send(url, "x", MessageGroupId="g")
    (message,) = await sqs.receive(url)
    await sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    again = await sqs.send(url, "x", MessageGroupId="h")
    by_id = await sqs.send(
        url,
        "other",
        MessageGroupId="g",
        MessageDeduplicationId=hashlib.sha256(b"x").hexdigest(),
    )
    for duplicate in (again, by_id):
        assert duplicate["MessageId"] == one["MessageId"]
        assert duplicate["SequenceNumber"] == one["SequenceNumber"]
    assert await sqs.bodies(url) == []
    sqs.clock.advance(5 * 60)
    await sqs.send(url, "x", MessageGroupId="g")
    assert await sqs.bodies(url) == ["x"]


@on_loop
async def test_deduplication_by_group_keeps_groups_apart(sqs: FakeSqs) -> None:
    """High throughput mode: the same id in another group is another message."""
    url = await fifo(
        sqs, DeduplicationScope="messageGroup", FifoThroughputLimit="perMessageGroupId"
    )
    for group in ("g", "h", "g"):
        await sqs.send(url, "x", MessageGroupId=group)
    assert await sqs.bodies(url) == ["x", "x"]


@on_loop
async def test_a_fifo_message_tells_its_group_and_number(sqs: FakeSqs) -> None:
    """With 20 digits, rising; and the id by which duplicates are known."""
    url = await sqs.queue("q.fifo")
    ids = {"MessageGroupId": "g", "MessageDeduplicationId": "d"}
    sent = await sqs.send(url, "x", **ids)
    later = await sqs.send(url, "y", MessageGroupId="g", MessageDeduplicationId="e")
    assert len(sent["SequenceNumber"]) == 20
    assert sent["SequenceNumber"] < later["SequenceNumber"]
    (message,) = await sqs.receive(url, AttributeNames=["All"])
    told = {name: message["Attributes"][name] for name in (*ids, "SequenceNumber")}
    assert told == {**ids, "SequenceNumber": sent["SequenceNumber"]}


@pytest.mark.parametrize(
    ("parameters", "code", "text"),
    [
        ({}, "MissingParameter", "MessageGroupId"),
        ({"MessageGroupId": "g"}, "InvalidParameterValue", "ContentBasedDeduplication"),
        ({"MessageGroupId": "a b"}, "InvalidParameterValue", "1 to 128 in length"),
        ({"MessageGroupId": ""}, "InvalidParameterValue", "1 to 128 in length"),
        (
            {"MessageGroupId": "g", "MessageDeduplicationId": "d" * 129},
            "InvalidParameterValue",
            "1 to 128 in length",
        ),
        (
            {"MessageGroupId": "g", "MessageDeduplicationId": "d", "DelaySeconds": 2},
            "InvalidParameterValue",
            "Value 2 for parameter DelaySeconds is invalid. Reason: The request include parameter",
        ),
    ],
)
def test_what_a_fifo_queue_must_and_must_not_be_told(
    sqs: FakeSqs, parameters: dict[str, Any], code: str, text: str
) -> None:
    """A group, a way to know duplicates; no delay of the message's own."""

    @on_loop
    async def run() -> None:
        url = await sqs.queue("q.fifo")
        error = await sqs.refused(
            "SendMessage", {"QueueUrl": url, "MessageBody": "x", **parameters}
        )
        assert error.code == code
        assert text in error.message

    run()


@on_loop
async def test_a_standard_queue_takes_no_deduplication(sqs: FakeSqs) -> None:
    """It would promise what it does not keep."""
    url = await sqs.queue()
    sent = {"QueueUrl": url, "MessageBody": "x", "MessageDeduplicationId": "d"}
    error = await sqs.refused("SendMessage", sent)
    assert error.code == "InvalidParameterValue"
    assert "not valid for this queue type" in error.message
    received = {"QueueUrl": url, "ReceiveRequestAttemptId": "d"}
    assert (await sqs.refused("ReceiveMessage", received)).code == "InvalidParameterValue"


@on_loop
async def test_an_expired_handle_is_refused(sqs: FakeSqs) -> None:
    """Whoever comes too late has no say in the order any more."""
    url = await fifo(sqs, VisibilityTimeout="1")
    await sqs.send(url, "x", MessageGroupId="g")
    (message,) = await sqs.receive(url)
    sqs.clock.advance(1)
    handle = message["ReceiptHandle"]
    held = {"QueueUrl": url, "ReceiptHandle": handle}
    for operation, more in (
        ("DeleteMessage", {}),
        ("ChangeMessageVisibility", {"VisibilityTimeout": 5}),
    ):
        error = await sqs.refused(operation, held | more)
        assert error.code == "InvalidParameterValue"
        assert error.message == (
            f"Value {handle} for parameter ReceiptHandle is invalid. "
            "Reason: The receipt handle has expired."
        )
    assert await sqs.bodies(url) == ["x"]


@on_loop
async def test_an_attempt_made_again_gives_the_same_messages(sqs: FakeSqs) -> None:
    """With the same handles, and invisible anew; not once one of them was deleted."""
    url = await fifo(sqs, VisibilityTimeout="10")
    for body in ("1", "2"):
        await sqs.send(url, body, MessageGroupId="g")
    first = await sqs.receive(url, MaxNumberOfMessages=10, ReceiveRequestAttemptId="try")
    sqs.clock.advance(8)
    again = await sqs.receive(url, MaxNumberOfMessages=10, ReceiveRequestAttemptId="try")
    assert [m["MessageId"] for m in again] == [m["MessageId"] for m in first]
    sqs.clock.advance(8)
    assert await sqs.bodies(url) == []
    await sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=again[0]["ReceiptHandle"])
    assert await sqs.receive(url, ReceiveRequestAttemptId="try") == []


@on_loop
async def test_a_restart_forgets_no_duplicate(sqs: FakeSqs) -> None:
    """Deduplication is the store's, not the process's."""
    url = await fifo(sqs)
    await sqs.send(url, "x", MessageGroupId="g")
    await sqs.restart()
    await sqs.send(url, "x", MessageGroupId="g")
    assert await sqs.bodies(url) == ["x"]
