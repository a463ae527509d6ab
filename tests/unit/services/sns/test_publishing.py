"""Publishing: everybody who should get a message gets it, in one transaction, and nobody else."""

import json
from typing import Any

import pytest

from lambent.model.errors import AwsError
from lambent.model.outgoing import Attribute, Outgoing
from lambent.services.sns.outlet import SnsOutlet
from lambent.testing.loop import on_loop

ACCOUNT = "000000000000"
ENDPOINT = "http://127.0.0.1:4566"
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"


def _with(name: str, data_type: str, text: str | None = "v") -> dict[str, Any]:
    """A message with one attribute."""
    given = {"DataType": data_type} | ({} if text is None else {"StringValue": text})
    return {"Message": "m", "MessageAttributes": {name: given}}


@on_loop
async def test_a_message_reaches_every_subscription(open_world: Any) -> None:
    """Queues get the envelope or the raw message, functions the event; a refused one disturbs nobody."""
    async with open_world() as world:
        topic = await world.topic()
        enveloped = await world.queue(topic, "enveloped")
        raw = await world.queue(topic, "raw", RawMessageDelivery="true")
        gone = await world.queue(topic, "gone")
        world.targets.there -= {gone}
        world.targets.there |= {FUNCTION}
        await world.ask("Subscribe", TopicArn=topic, Protocol="lambda", Endpoint=FUNCTION)
        attributes = {"kind": {"DataType": "String", "StringValue": "new"}}
        answer = await world.ask(
            "Publish", TopicArn=topic, Message="hello", Subject="s", MessageAttributes=attributes,
            trace_header="Root=1-2-3",
        )  # fmt: skip
        envelope = json.loads(world.targets.bodies(enveloped)[0])
        assert envelope["MessageId"] == answer["MessageId"]
        assert envelope["MessageAttributes"] == {"kind": {"Type": "String", "Value": "new"}}
        assert envelope["UnsubscribeURL"].startswith(f"{ENDPOINT}/?Action=Unsubscribe&")
        (sent,) = world.targets.got[raw]
        assert (sent.body, sent.attributes) == (b"hello", {"kind": Attribute("String", "new")})
        assert (sent.principal, sent.source_arn) == ("sns.amazonaws.com", topic)
        assert sent.trace_header == "Root=1-2-3"
        record = json.loads(world.targets.bodies(FUNCTION)[0])["Records"][0]
        assert (record["Sns"]["Message"], record["Sns"]["Subject"]) == ("hello", "s")


@on_loop
async def test_filters_choose(open_world: Any) -> None:
    """A policy on attributes or on the body lets through what it names, and nothing else."""
    async with open_world() as world:
        topic = await world.topic()
        by_attribute = await world.queue(topic, "a", FilterPolicy='{"n": [{"numeric": [">", 3]}]}')
        by_body = await world.queue(
            topic, "b", FilterPolicy='{"state": ["on"]}', FilterPolicyScope="MessageBody"
        )
        for number, body in (("5", "{}"), ("1", '{"state": "on"}'), ("4", "no JSON")):
            attributes = {"n": {"DataType": "Number", "StringValue": number}}
            await world.ask("Publish", TopicArn=topic, Message=body, MessageAttributes=attributes)
        seen = {
            arn: [json.loads(body)["Message"] for body in world.targets.bodies(arn)]
            for arn in (by_attribute, by_body)
        }
        assert seen == {by_attribute: ["{}", "no JSON"], by_body: ['{"state": "on"}']}


@on_loop
async def test_a_refused_message_goes_to_the_dead_letter_queue(open_world: Any) -> None:
    """What a queue or function refuses is in the subscription's dead-letter queue, as it would have come."""
    async with open_world() as world:
        topic = await world.topic()
        dead = f"arn:aws:sqs:us-east-1:{ACCOUNT}:dead"
        redrive = json.dumps({"deadLetterTargetArn": dead})
        queue = await world.queue(topic, RedrivePolicy=redrive, RawMessageDelivery="true")
        world.targets.there = {dead}
        attributes = {"a": {"DataType": "String", "StringValue": "v"}}
        await world.ask("Publish", TopicArn=topic, Message="m", MessageAttributes=attributes)
        assert queue not in world.targets.got
        (sent,) = world.targets.got[dead]
        assert (sent.body, dict(sent.attributes)) == (b"m", {"a": Attribute("String", "v")})


@on_loop
async def test_too_many_attributes_for_a_raw_message_are_a_client_error(
    open_world: Any,
) -> None:
    """More than ten attributes do not fit a raw message to SQS; in an envelope they do."""
    async with open_world() as world:
        topic = await world.topic()
        raw = await world.queue(topic, "raw", RawMessageDelivery="true")
        enveloped = await world.queue(topic, "enveloped")
        attributes = {f"a{n}": {"DataType": "String", "StringValue": "v"} for n in range(11)}
        await world.ask("Publish", TopicArn=topic, Message="m", MessageAttributes=attributes)
        assert raw not in world.targets.got
        assert len(world.targets.got[enveloped]) == 1


@on_loop
async def test_a_message_for_each_protocol(open_world: Any) -> None:
    """MessageStructure json: each protocol its own text, the others the default."""
    async with open_world() as world:
        topic = await world.topic()
        queue = await world.queue(topic, RawMessageDelivery="true")
        message = json.dumps({"default": "all", "sqs": "queues", "email": 3})
        await world.ask("Publish", TopicArn=topic, Message=message, MessageStructure="json")
        assert world.targets.bodies(queue) == [b"queues"]
        for broken in (
            "{",
            "[]",
            '{"sqs": "x"}',
            '{"default": "a", "default": "b"}',
            '{"default": "\\ud800"}',
        ):
            with pytest.raises(AwsError, match="Message Structure"):
                await world.ask("Publish", TopicArn=topic, Message=broken, MessageStructure="json")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"Message": ""}, "Invalid parameter: Empty message"),
        ({"Message": "m", "Subject": ""}, "Invalid parameter: Subject"),
        ({"Message": "m", "Subject": "a\nb"}, "Invalid parameter: Subject"),
        ({"Message": "m", "Subject": "x" * 101}, "Invalid parameter: Subject"),
        ({"Message": "x" * 262_145}, "Invalid parameter: Message too long"),
        ({"Message": "m", "MessageDeduplicationId": "d"}, "not valid for this topic type"),
        (_with(".a", "String"), "starting with"),
        (_with("a..b", "String"), "successive"),
        (_with("a", "Text"), "type prefixes"),
        (_with("a", "Binary"), "must use field"),
        (_with("a", "String", None), "non-empty"),
    ],
)  # fmt: skip
@on_loop
async def test_bad_messages_are_refused(
    open_world: Any, given: dict[str, object], text: str
) -> None:
    """What AWS does not take reaches nobody, and its error says why."""
    async with open_world() as world:
        topic = await world.topic()
        queue = await world.queue(topic)
        with pytest.raises(AwsError, match=text):
            await world.ask("Publish", TopicArn=topic, **given)
        assert queue not in world.targets.got


@on_loop
async def test_a_batch_is_published_in_order(open_world: Any) -> None:
    """Each entry is answered by its Id; a bad batch publishes nothing."""
    async with open_world() as world:
        topic = await world.topic()
        queue = await world.queue(topic, RawMessageDelivery="true")
        entries = [{"Id": f"e{n}", "Message": f"m{n}"} for n in range(10)]
        answer = await world.ask("PublishBatch", TopicArn=topic, PublishBatchRequestEntries=entries)
        assert [one["Id"] for one in answer["Successful"]] == [f"e{n}" for n in range(10)]
        assert world.targets.bodies(queue) == [f"m{n}".encode() for n in range(10)]
        for bad, code in (
            ([], "EmptyBatchRequestException"),
            ([*entries, {"Id": "x", "Message": "m"}], "TooManyEntriesInBatchRequestException"),
            ([entries[0], entries[0]], "BatchEntryIdsNotDistinctException"),
            ([{"Id": "a b", "Message": "m"}], "InvalidBatchEntryIdException"),
            ([{"Id": "x" * 81, "Message": "m"}], "InvalidBatchEntryIdException"),
            ([{"Id": n, "Message": "x" * 131_073} for n in "ab"], "BatchRequestTooLongException"),
        ):  # fmt: skip
            with pytest.raises(AwsError) as error:
                await world.ask("PublishBatch", TopicArn=topic, PublishBatchRequestEntries=bad)
            assert error.value.code == code
        assert len(world.targets.got[queue]) == 10


@on_loop
async def test_a_fifo_topic_numbers_and_drops_duplicates(open_world: Any) -> None:
    """Within five minutes a deduplication id is delivered once; its ids are the first one's."""
    async with open_world() as world:
        topic = await world.topic("t.fifo", FifoTopic="true")
        queue = await world.queue(topic, "q.fifo")
        same = {
            "TopicArn": topic,
            "Message": "m",
            "MessageGroupId": "g",
            "MessageDeduplicationId": "d",
        }
        first = await world.ask("Publish", **same)
        assert await world.ask("Publish", **same) == first
        assert len(first["SequenceNumber"]) == 20
        world.clock.ms += 5 * 60 * 1000
        later = await world.ask("Publish", **same)
        assert later["SequenceNumber"] > first["SequenceNumber"]
        sent = world.targets.got[queue]
        assert [(one.group_id, one.deduplication_id) for one in sent] == [("g", "d")] * 2
        envelope = json.loads(sent[0].body)
        assert envelope["SequenceNumber"] == first["SequenceNumber"]
        assert "Signature" not in envelope


@on_loop
async def test_a_fifo_topic_can_know_messages_by_their_content(open_world: Any) -> None:
    """ContentBasedDeduplication stands in for the id, per topic or per group."""
    async with open_world() as world:
        for scope, count in (("Topic", 1), ("MessageGroup", 2)):
            topic = await world.topic(
                f"{scope}.fifo", FifoTopic="true", ContentBasedDeduplication="true",
                FifoThroughputScope=scope,
            )  # fmt: skip
            queue = await world.queue(topic, f"{scope}-q.fifo")
            for group in ("a", "b", "a"):
                await world.ask("Publish", TopicArn=topic, Message="m", MessageGroupId=group)
            assert len(world.targets.got[queue]) == count
        with pytest.raises(AwsError, match="MessageGroupId parameter is required"):
            await world.ask("Publish", TopicArn=topic, Message="m")


@on_loop
async def test_a_full_disk_publishes_nothing(open_world: Any) -> None:
    """Without room the caller is told, and nobody got anything."""
    async with open_world() as world:
        topic = await world.topic("t.fifo", FifoTopic="true", ContentBasedDeduplication="true")
        world.store.full = True
        with pytest.raises(AwsError) as error:
            await world.ask("Publish", TopicArn=topic, Message="m", MessageGroupId="g")
        assert (error.value.code, error.value.status) == ("InternalErrorException", 507)


@on_loop
async def test_a_topic_is_an_outlet(open_world: Any) -> None:
    """A dead letter of a function is published in the transaction it is given; a stranger's is refused."""
    async with open_world() as world:
        topic = await world.topic()
        queue = await world.queue(topic)
        outlet = SnsOutlet(world.sns)
        own = Outgoing(
            b"event", f"arn:aws:iam::{ACCOUNT}:role/r", FUNCTION, ACCOUNT,
            {"ErrorCode": Attribute("Number", "200")},
        )  # fmt: skip
        await world.store.run(lambda tx: outlet.put(tx, topic, own, world.clock()))
        envelope = json.loads(world.targets.bodies(queue)[0])
        assert envelope["Message"] == "event"
        assert envelope["MessageAttributes"]["ErrorCode"] == {"Type": "Number", "Value": "200"}
        stranger = Outgoing(b"event", "s3.amazonaws.com", "arn:aws:s3:::b", "111122223333")
        for target, sent in ((topic, stranger), (topic + "x", own)):
            with pytest.raises(AwsError):
                await world.store.run(
                    lambda tx, target=target, sent=sent: outlet.put(tx, target, sent, 0)
                )
