"""Queues as targets of topics and functions; what is swept while nobody looks."""

import asyncio
import json

import pytest

from lambent.model.errors import AwsError
from lambent.model.outgoing import Attribute, Outgoing
from lambent.services.sqs.outlet import SqsOutlet
from lambent.services.sqs.upkeep import sweep
from lambent.testing.loop import on_loop, turns
from lambent.testing.sqs import FakeSqs, queue_arn

TOPIC = "arn:aws:sns:us-east-1:000000000000:t"
FROM_TOPIC = Outgoing(b"news", "sns.amazonaws.com", TOPIC, "000000000000")
ROLE = "arn:aws:sts::000000000000:assumed-role/r/f"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"
ALLOW = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue_arn("q"),
            "Condition": {"ArnEquals": {"aws:SourceArn": TOPIC}},
        },
    }
)


async def put(sqs: FakeSqs, outgoing: Outgoing, name: str = "q") -> None:
    """Sends it to the queue as a part of the platform does."""
    outlet = SqsOutlet(sqs.service)
    await sqs.store.run(lambda tx: outlet.put(tx, queue_arn(name), outgoing, sqs.clock()))


@on_loop
async def test_a_topic_needs_the_queues_permission(sqs: FakeSqs) -> None:
    """The policy is asked with the topic's ARN; what was refused is not there."""
    url = await sqs.queue()
    with pytest.raises(AwsError) as raised:
        await put(sqs, FROM_TOPIC)
    assert raised.value.code == "AccessDenied"
    await sqs("SetQueueAttributes", QueueUrl=url, Attributes={"Policy": ALLOW})
    await put(sqs, FROM_TOPIC)
    other = Outgoing(b"news", "sns.amazonaws.com", f"{TOPIC}2", "000000000000")
    with pytest.raises(AwsError):
        await put(sqs, other)
    (message,) = await sqs.receive(url, AttributeNames=["SenderId"])
    assert message["Body"] == "news"
    assert message["Attributes"]["SenderId"].startswith("AIDA")


@on_loop
async def test_a_role_of_the_account_needs_none(sqs: FakeSqs) -> None:
    """Dead letters come with their attributes and the trace they are part of."""
    url = await sqs.queue()
    attributes = {"ErrorCode": Attribute("Number", "200")}
    letter = Outgoing(
        b"{}", ROLE, FUNCTION, "000000000000", attributes, trace_header="Root=1-2-3;Lineage=x"
    )
    await put(sqs, letter)
    (message,) = await sqs.receive(
        url, AttributeNames=["AWSTraceHeader"], MessageAttributeNames=["All"]
    )
    assert message["Attributes"] == {"AWSTraceHeader": "Root=1-2-3;Lineage=x"}
    assert message["MessageAttributes"]["ErrorCode"]["StringValue"] == "200"


@on_loop
async def test_groups_reach_fifo_queues(sqs: FakeSqs) -> None:
    """With the deduplication of whoever sends; a FIFO queue without a group refuses."""
    url = await sqs.queue("q.fifo")
    letter = Outgoing(b"x", ROLE, FUNCTION, "000000000000", group_id="g", deduplication_id="d")
    for _ in range(2):
        await put(sqs, letter, "q.fifo")
    assert await sqs.bodies(url) == ["x"]
    with pytest.raises(AwsError) as raised:
        await put(sqs, Outgoing(b"x", ROLE, FUNCTION, "000000000000"), "q.fifo")
    assert raised.value.code == "MissingParameter"


@pytest.mark.parametrize("body", [b"", b"\xff", b"\0", b"x" * 1025])
def test_what_a_queue_cannot_hold_is_refused(sqs: FakeSqs, body: bytes) -> None:
    """As SendMessage refuses it; and there has to be a queue."""

    @on_loop
    async def run() -> None:
        await sqs.queue(MaximumMessageSize="1024")
        letter = Outgoing(body, ROLE, FUNCTION, "000000000000")
        for name in ("q", "gone"):
            with pytest.raises(AwsError) as raised:
                await put(sqs, letter, name)
            assert raised.value.status == 400

    run()


@on_loop
async def test_a_delayed_letter_wakes_a_receiver_in_its_time(sqs: FakeSqs) -> None:
    """Though it was sent from elsewhere."""
    url = await sqs.queue(DelaySeconds="3")
    waiting = asyncio.get_running_loop().create_task(sqs.bodies(url, WaitTimeSeconds=20))
    await turns()
    await put(sqs, Outgoing(b"x", ROLE, FUNCTION, "000000000000"))
    await turns()
    sqs.clock.advance(3)
    assert await waiting == ["x"]


@on_loop
async def test_the_sweep_deletes_what_is_too_old(sqs: FakeSqs) -> None:
    """In every queue, all of it, and nothing else."""
    url = await sqs.queue(MessageRetentionPeriod="60")
    kept = await sqs.queue("kept")
    for number in range(450):
        await sqs.send(url, str(number))
    await sqs.send(kept)
    sqs.clock.advance(30)
    await sqs.send(url, "young")
    sqs.clock.advance(31)
    await sweep(sqs.service)
    for one in (url, kept):
        assert await sqs.attributes(one, "ApproximateNumberOfMessages") == {
            "ApproximateNumberOfMessages": "1"
        }
