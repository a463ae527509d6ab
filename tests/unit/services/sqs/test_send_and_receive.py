"""Sending and receiving: what is sent comes back, and is invisible meanwhile."""

import hashlib

import pytest

from lambent.model.call import Caller
from lambent.testing.loop import on_loop
from lambent.testing.sqs import FakeSqs


@on_loop
async def test_a_sent_message_is_received_with_its_digest(sqs: FakeSqs) -> None:
    """Id, body and MD5 are those the sender was told."""
    url = await sqs.queue()
    sent = await sqs.send(url, "grüß dich")
    (message,) = await sqs.receive(url)
    digest = hashlib.md5("grüß dich".encode()).hexdigest()
    assert (message["Body"], message["MessageId"]) == ("grüß dich", sent["MessageId"])
    assert message["MD5OfBody"] == sent["MD5OfMessageBody"] == digest


@on_loop
async def test_a_received_message_is_invisible_until_its_timeout(sqs: FakeSqs) -> None:
    """The queue's timeout, the request's, and a changed one are obeyed."""
    url = await sqs.queue(VisibilityTimeout="5")
    await sqs.send(url)
    assert await sqs.bodies(url) == ["hello"]
    sqs.clock.advance(4)
    assert await sqs.bodies(url) == []
    sqs.clock.advance(1)
    (message,) = await sqs.receive(url, VisibilityTimeout=60)
    sqs.clock.advance(59)
    assert await sqs.bodies(url) == []
    await sqs(
        "ChangeMessageVisibility",
        QueueUrl=url,
        ReceiptHandle=message["ReceiptHandle"],
        VisibilityTimeout=0,
    )
    assert await sqs.bodies(url) == ["hello"]


@on_loop
async def test_delays_are_the_queues_unless_the_message_has_its_own(sqs: FakeSqs) -> None:
    """``DelaySeconds`` of the queue holds for messages that bring none."""
    url = await sqs.queue(DelaySeconds="10")
    await sqs.send(url, "queue's")
    await sqs.send(url, "own", DelaySeconds=3)
    await sqs.send(url, "none", DelaySeconds=0)
    assert await sqs.bodies(url) == ["none"]
    sqs.clock.advance(3)
    assert await sqs.bodies(url) == ["own"]
    sqs.clock.advance(7)
    assert await sqs.bodies(url) == ["queue's"]


@on_loop
async def test_a_deleted_message_does_not_come_back(sqs: FakeSqs) -> None:
    """Deleting it, twice too, is the end of it."""
    url = await sqs.queue(VisibilityTimeout="1")
    await sqs.send(url)
    (message,) = await sqs.receive(url)
    for _ in range(2):
        await sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    sqs.clock.advance(2)
    assert await sqs.bodies(url) == []


@on_loop
async def test_the_handle_of_an_earlier_receive_deletes_nothing(sqs: FakeSqs) -> None:
    """A standard queue takes it without a word; the message stays the later receiver's."""
    url = await sqs.queue(VisibilityTimeout="1")
    await sqs.send(url)
    (first,) = await sqs.receive(url)
    sqs.clock.advance(1)
    assert await sqs.bodies(url) == ["hello"]
    await sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    sqs.clock.advance(1)
    assert await sqs.bodies(url) == ["hello"]


@on_loop
async def test_attributes_come_as_they_are_asked_for(sqs: FakeSqs) -> None:
    """By name, by prefix, all, or none; the digest is of those that come."""
    url = await sqs.queue(VisibilityTimeout="0")
    attributes = {
        "Hello": {"DataType": "String", "StringValue": "There"},
        "General": {"DataType": "String", "StringValue": "Kenobi"},
        "Help.Me": {"DataType": "String", "StringValue": "Me"},
    }
    sent = await sqs.send(url, "msg", MessageAttributes=attributes)
    # Recorded from AWS.
    assert sent["MD5OfMessageAttributes"] == "4c360f3fdafd970e05fae2f149d997f5"
    for names, digest in (
        (["All"], "4c360f3fdafd970e05fae2f149d997f5"),
        ([".*"], "4c360f3fdafd970e05fae2f149d997f5"),
        (["Hello", "General"], "fca026605781cb4126a1e9044df24232"),
        (["Hello", "Foo"], "a311262e065454b75da111d535b8dacd"),
        (["Hel.*"], "83fee93c1bcd8b9a5a923ffacdc636c7"),
        (["Foo"], None),
        ([], None),
    ):
        (message,) = await sqs.receive(url, MessageAttributeNames=names)
        assert message.get("MD5OfMessageAttributes") == digest
        assert ("MessageAttributes" in message) == (digest is not None)


@on_loop
async def test_binary_attributes_keep_their_bytes_and_type(sqs: FakeSqs) -> None:
    """With a suffix too; the digest is AWS's."""
    url = await sqs.queue()
    value = b"traceparent\x1e00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01"
    sent = await sqs.send(
        url, MessageAttributes={"attr1": {"DataType": "Binary", "BinaryValue": value}}
    )
    assert sent["MD5OfMessageAttributes"] == "8cbe4db156db8a94db8b801b7addb984"
    (message,) = await sqs.receive(url, MessageAttributeNames=["All"])
    assert message["MessageAttributes"]["attr1"] == {"DataType": "Binary", "BinaryValue": value}


@on_loop
async def test_system_attributes_of_a_standard_queue(sqs: FakeSqs) -> None:
    """Sender, times and count by either parameter's name; what there is not is left out."""
    url = await sqs.queue(VisibilityTimeout="1")
    start_ms = sqs.clock()
    await sqs.send(url, MessageGroupId="tenant")
    sqs.clock.advance(3)
    await sqs.receive(url)
    sqs.clock.advance(2)
    (message,) = await sqs.receive(url, MessageSystemAttributeNames=["All"])
    assert message["Attributes"] == {
        "SenderId": "000000000000",
        "SentTimestamp": str(start_ms),
        "ApproximateFirstReceiveTimestamp": str(start_ms + 3_000),
        "ApproximateReceiveCount": "2",
        "MessageGroupId": "tenant",
    }
    sqs.clock.advance(2)
    (message,) = await sqs.receive(url, AttributeNames=["SenderId", "SequenceNumber"])
    assert message["Attributes"] == {"SenderId": "000000000000"}
    error = await sqs.refused("ReceiveMessage", {"QueueUrl": url, "AttributeNames": ["Foo"]})
    assert (error.code, error.message) == ("InvalidAttributeName", "Unknown Attribute Foo.")


@on_loop
async def test_the_trace_header_is_the_messages_or_the_requests(sqs: FakeSqs) -> None:
    """``AWSTraceHeader`` given with the message wins, and only that one has a digest."""
    url = await sqs.queue()
    traced = Caller(
        "000000000000", "us-east-1", "id", endpoint="http://host:1", trace_header="Root=1-a"
    )
    system = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-b"}}
    both = {"QueueUrl": url, "MessageBody": "b", "MessageSystemAttributes": system}
    first = await sqs.call("SendMessage", {"QueueUrl": url, "MessageBody": "a"}, traced)
    second = await sqs.call("SendMessage", both, traced)
    assert "MD5OfMessageSystemAttributes" not in first
    assert len(second["MD5OfMessageSystemAttributes"]) == 32
    messages = await sqs.receive(
        url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["AWSTraceHeader"]
    )
    assert [m["Attributes"]["AWSTraceHeader"] for m in messages] == ["Root=1-a", "Root=1-b"]


@on_loop
async def test_a_role_is_told_by_its_unique_id(sqs: FakeSqs) -> None:
    """``SenderId`` of a function's role is ``AROA…:session``."""
    url = await sqs.queue()
    arn = "arn:aws:sts::000000000000:assumed-role/r/f"
    role = Caller("000000000000", "us-east-1", "id", principal_arn=arn)
    await sqs.call("SendMessage", {"QueueUrl": url, "MessageBody": "a"}, role)
    (message,) = await sqs.receive(url, AttributeNames=["SenderId"])
    sender = message["Attributes"]["SenderId"]
    assert sender.startswith("AROA")
    assert sender.endswith(":f")


@on_loop
async def test_messages_older_than_the_retention_are_not_received(sqs: FakeSqs) -> None:
    """They are deleted when somebody receives, however many they are."""
    url = await sqs.queue(MessageRetentionPeriod="60")
    for number in range(130):
        await sqs.send(url, f"old {number}")
    sqs.clock.advance(59)
    await sqs.send(url, "new")
    sqs.clock.advance(2)
    assert await sqs.bodies(url) == ["new"]
    counts = await sqs.attributes(url, "ApproximateNumberOfMessages")
    sqs.clock.advance(1)
    assert await sqs.bodies(url) == []
    assert int(counts["ApproximateNumberOfMessages"]) < 31


@on_loop
async def test_a_shorter_retention_holds_at_once(sqs: FakeSqs) -> None:
    """Messages that are older than the new retention go."""
    url = await sqs.queue()
    await sqs.send(url)
    assert await sqs.bodies(url, VisibilityTimeout=0) == ["hello"]
    sqs.clock.advance(100)
    await sqs("SetQueueAttributes", QueueUrl=url, Attributes={"MessageRetentionPeriod": "60"})
    assert await sqs.bodies(url) == []


@on_loop
async def test_nothing_is_lost_by_a_restart(sqs: FakeSqs) -> None:
    """Queues, attributes, tags and messages are there; handles given before are still good."""
    url = await sqs.queue("kept", DelaySeconds="0", VisibilityTimeout="77")
    await sqs("TagQueue", QueueUrl=url, Tags={"a": "b"})
    await sqs.send(url, "one")
    await sqs.send(url, "two")
    (message,) = await sqs.receive(url)
    await sqs.restart()
    assert (await sqs.attributes(url, "VisibilityTimeout")) == {"VisibilityTimeout": "77"}
    assert await sqs("ListQueueTags", QueueUrl=url) == {"Tags": {"a": "b"}}
    assert await sqs.bodies(url) == ["two"]
    await sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    sqs.clock.advance(77)
    assert await sqs.bodies(url) == ["two"]


@pytest.mark.parametrize("fifo", [False, True])
def test_a_full_disk_is_told_and_what_is_there_is_served(sqs: FakeSqs, fifo: bool) -> None:
    """A send is answered 507 and stores nothing; receives go on."""

    @on_loop
    async def run() -> None:
        url = await sqs.queue("q.fifo" if fifo else "q", **_content_based(fifo))
        group = {"MessageGroupId": "g"} if fifo else {}
        await sqs.send(url, "there", **group)
        sqs.store.full = True
        more = {"QueueUrl": url, "MessageBody": "more", **group}
        assert (await sqs.refused("SendMessage", more)).status == 507
        assert await sqs.bodies(url) == ["there"]

    run()


def _content_based(fifo: bool) -> dict[str, str]:
    return {"ContentBasedDeduplication": "true"} if fifo else {}
