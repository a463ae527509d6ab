"""Queue attributes: limits, defaults, what is refused, what CreateQueue compares."""

import json
from typing import Any

import pytest

from lambent.services.sqs.attributes import NUMBERS
from lambent.testing.loop import on_loop
from lambent.testing.sqs import FakeSqs, queue_arn


@on_loop
async def test_a_new_queue_has_awss_defaults(sqs: FakeSqs) -> None:
    """All attributes, of which encryption is the one that is not as on AWS."""
    url = await sqs.queue()
    shown = await sqs.attributes(url)
    seconds = str(sqs.clock() // 1000)
    assert shown == {
        "QueueArn": queue_arn("q"),
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
        "CreatedTimestamp": seconds,
        "LastModifiedTimestamp": seconds,
        "VisibilityTimeout": "30",
        "MaximumMessageSize": "1048576",
        "MessageRetentionPeriod": "345600",
        "DelaySeconds": "0",
        "ReceiveMessageWaitTimeSeconds": "0",
        "SqsManagedSseEnabled": "false",
    }


@on_loop
async def test_a_fifo_queue_has_its_own_attributes(sqs: FakeSqs) -> None:
    """They are shown of a FIFO queue only."""
    names = ["FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"]
    assert await sqs.attributes(await sqs.queue("q.fifo"), *names) == {
        "FifoQueue": "true",
        "ContentBasedDeduplication": "false",
        "DeduplicationScope": "queue",
        "FifoThroughputLimit": "perQueue",
    }
    assert await sqs.attributes(await sqs.queue(), *names) == {}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_are_held_to_their_limits(sqs: FakeSqs, name: str) -> None:
    """The least and the greatest are taken; beyond them, and no numbers, are not."""

    @on_loop
    async def run() -> None:
        url = await sqs.queue()
        least, greatest, _ = NUMBERS[name]
        for good in (least, greatest):
            await sqs("SetQueueAttributes", QueueUrl=url, Attributes={name: str(good)})
            assert await sqs.attributes(url, name) == {name: str(good)}
        for bad in (least - 1, greatest + 1, "", "x", "1.5", "٣", "9" * 5000):
            changes = {"QueueUrl": url, "Attributes": {name: str(bad)}}
            error = await sqs.refused("SetQueueAttributes", changes)
            assert error.code == "InvalidAttributeValue"
            assert error.message == f"Invalid value for the parameter {name}."

    run()


@pytest.mark.parametrize(
    ("attributes", "code", "text"),
    [
        ({"Nothing": "1"}, "InvalidAttributeName", "Unknown Attribute Nothing."),
        ({"QueueArn": "1"}, "InvalidAttributeName", "Unknown Attribute QueueArn."),
        ({"FifoQueue": "true"}, "InvalidAttributeName", "Unknown Attribute FifoQueue."),
        ({"ContentBasedDeduplication": "true"}, "InvalidAttributeName", "Unknown Attribute"),
        ({"SqsManagedSseEnabled": "yes"}, "InvalidAttributeValue", "SqsManagedSseEnabled"),
        ({"SqsManagedSseEnabled": "true"}, "NotImplementedException", "SqsManagedSseEnabled"),
        ({"KmsMasterKeyId": "alias/aws/sqs"}, "NotImplementedException", "KmsMasterKeyId"),
        ({"KmsDataKeyReusePeriodSeconds": "300"}, "NotImplementedException", "KmsDataKey"),
        ({"Policy": "{"}, "InvalidAttributeValue", "Policy"),
        ({"Policy": "x" * 9000}, "InvalidAttributeValue", "larger"),
        ({"RedrivePolicy": "[]"}, "InvalidParameterValue", "not a valid JSON map"),
        ({"RedrivePolicy": "{}"}, "InvalidParameterValue", "attribute: deadLetterTargetArn"),
        ({"RedriveAllowPolicy": "{}"}, "InvalidParameterValue", "redrivePermission"),
    ],
)
def test_what_a_standard_queue_refuses(
    sqs: FakeSqs, attributes: dict[str, str], code: str, text: str
) -> None:
    """With AWS's code; nothing is changed."""

    @on_loop
    async def run() -> None:
        url = await sqs.queue()
        before = await sqs.attributes(url)
        error = await sqs.refused("SetQueueAttributes", {"QueueUrl": url, "Attributes": attributes})
        assert error.code == code
        assert text in error.message
        assert await sqs.attributes(url) == before

    run()


@on_loop
async def test_a_queues_type_stays(sqs: FakeSqs) -> None:
    """``FifoQueue`` of a FIFO queue may be set to what it is."""
    url = await sqs.queue("q.fifo")
    await sqs("SetQueueAttributes", QueueUrl=url, Attributes={"FifoQueue": "true"})
    changes = {"QueueUrl": url, "Attributes": {"FifoQueue": "false"}}
    error = await sqs.refused("SetQueueAttributes", changes)
    assert error.code == "InvalidAttributeValue"
    assert error.message == (
        "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported."
    )


@on_loop
async def test_throughput_per_group_needs_deduplication_per_group(sqs: FakeSqs) -> None:
    """Together they are high throughput mode."""
    url = await sqs.queue("q.fifo")
    limit = {"FifoThroughputLimit": "perMessageGroupId"}
    changes = {"QueueUrl": url, "Attributes": limit}
    assert (await sqs.refused("SetQueueAttributes", changes)).code == "InvalidAttributeValue"
    both = limit | {"DeduplicationScope": "messageGroup"}
    await sqs("SetQueueAttributes", QueueUrl=url, Attributes=both)
    assert await sqs.attributes(url, *both) == both


@on_loop
async def test_an_empty_text_unsets_a_policy(sqs: FakeSqs) -> None:
    """Policies go as they came."""
    await sqs.queue("dead")
    redrive = json.dumps({"deadLetterTargetArn": queue_arn("dead"), "maxReceiveCount": "3"})
    url = await sqs.queue(RedrivePolicy=redrive)
    assert await sqs.attributes(url, "RedrivePolicy") == {"RedrivePolicy": redrive}
    await sqs("SetQueueAttributes", QueueUrl=url, Attributes={"RedrivePolicy": ""})
    assert await sqs.attributes(url, "RedrivePolicy") == {}


@pytest.mark.parametrize(
    ("name", "attributes", "text"),
    [
        ("a b", {}, "Can only include alphanumeric characters"),
        ("", {}, "1 to 80 in length"),
        ("x" * 81, {}, "1 to 80 in length"),
        ("q.fifo", {}, "Can only include alphanumeric characters"),
        ("q", {"FifoQueue": "true"}, "must end with .fifo suffix"),
        ("x" * 76 + ".fifo", {"FifoQueue": "true"}, "1 to 80 in length"),
    ],
)
def test_names_that_no_queue_can_have(
    sqs: FakeSqs, name: str, attributes: dict[str, str], text: str
) -> None:
    """They are refused by AWS's texts."""

    @on_loop
    async def run() -> None:
        error = await sqs.refused("CreateQueue", {"QueueName": name, "Attributes": attributes})
        assert error.code == "InvalidParameterValue"
        assert text in error.message

    run()


@on_loop
async def test_creating_a_queue_again_gives_the_same_one(sqs: FakeSqs) -> None:
    """With the same or fewer attributes; another value of one is refused, naming it."""
    url = await sqs.queue(DelaySeconds="5", VisibilityTimeout="30")
    await sqs.send(url, DelaySeconds=0)
    assert await sqs.queue() == await sqs.queue(DelaySeconds="05") == url
    assert await sqs.bodies(url) == ["hello"]
    again: dict[str, Any] = {"QueueName": "q", "Attributes": {"DelaySeconds": "1"}}
    error = await sqs.refused("CreateQueue", again)
    assert error.code == "QueueNameExists"
    assert error.message == (
        "A queue already exists with the same name and a different value for attribute DelaySeconds"
    )


@on_loop
async def test_counts_are_of_what_is_there(sqs: FakeSqs) -> None:
    """Visible, in flight, and delayed."""
    url = await sqs.queue()
    for delay_s in (0, 0, 0, 5):
        await sqs.send(url, DelaySeconds=delay_s)
    await sqs.receive(url)
    counts = await sqs.attributes(
        url,
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
    )
    assert list(counts.values()) == ["2", "1", "1"]
    assert (await sqs("GetQueueAttributes", QueueUrl=url)) == {}


@on_loop
async def test_a_purge_empties_the_queue_once_a_minute(sqs: FakeSqs) -> None:
    """What is in flight goes too."""
    url = await sqs.queue(VisibilityTimeout="0")
    await sqs.send(url)
    await sqs.receive(url, VisibilityTimeout=10)
    await sqs("PurgeQueue", QueueUrl=url)
    sqs.clock.advance(59)
    error = await sqs.refused("PurgeQueue", {"QueueUrl": url})
    assert (error.code, error.status) == ("PurgeQueueInProgress", 403)
    assert error.message == "Only one PurgeQueue operation on q is allowed every 60 seconds."
    sqs.clock.advance(1)
    assert await sqs.bodies(url) == []
    await sqs("PurgeQueue", QueueUrl=url)


@on_loop
async def test_a_name_is_free_a_minute_after_its_queue_was_deleted(sqs: FakeSqs) -> None:
    """Until then, a restart notwithstanding, it cannot be taken; what was in the queue is gone."""
    url = await sqs.queue()
    await sqs.send(url)
    await sqs("DeleteQueue", QueueUrl=url)
    for operation in ("SendMessage", "ReceiveMessage", "DeleteQueue", "GetQueueAttributes"):
        error = await sqs.refused(operation, {"QueueUrl": url, "MessageBody": "x"})
        assert (error.code, error.message) == (
            "QueueDoesNotExist",
            "The specified queue does not exist.",
        )
    sqs.clock.advance(59)
    await sqs.restart()
    assert (await sqs.refused("CreateQueue", {"QueueName": "q"})).code == "QueueDeletedRecently"
    sqs.clock.advance(1)
    assert await sqs.bodies(await sqs.queue()) == []
