"""Dead letters: when they move, what they keep, and the tasks that take them back."""

import asyncio
import json
from typing import Any

import pytest

from lambent.services.sqs.move_tasks import resume_tasks
from lambent.testing.loop import on_loop, turns
from lambent.testing.sqs import CALLER, FakeSqs, queue_arn


def redrive(name: str = "dead", times: int = 1) -> dict[str, str]:
    """The attribute that names the dead-letter queue."""
    policy = {"deadLetterTargetArn": queue_arn(name), "maxReceiveCount": times}
    return {"RedrivePolicy": json.dumps(policy)}


async def pair(sqs: FakeSqs, suffix: str = "", times: int = 1, **more: str) -> tuple[str, str]:
    """A queue and its dead-letter queue; nothing received is invisible."""
    dead = await sqs.queue(f"dead{suffix}", VisibilityTimeout="0")
    url = await sqs.queue(
        f"q{suffix}", VisibilityTimeout="0", **redrive(f"dead{suffix}", times), **more
    )
    return url, dead


@on_loop
async def test_a_message_received_too_often_is_a_dead_letter(sqs: FakeSqs) -> None:
    """After as many receives as allowed it is in the other queue, its id and sender kept."""
    url, dead = await pair(sqs, times=2)
    sent = await sqs.send(url, MessageAttributes={"a": {"DataType": "Number", "StringValue": "1"}})
    sent_ms = sqs.clock()
    assert [await sqs.bodies(url) for _ in range(3)] == [["hello"], ["hello"], []]
    sqs.clock.advance(5)
    (message,) = await sqs.receive(
        dead, MessageSystemAttributeNames=["All"], MessageAttributeNames=["All"]
    )
    assert message["MessageId"] == sent["MessageId"]
    assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert message["Attributes"] == {
        "SenderId": "000000000000",
        "SentTimestamp": str(sent_ms),
        "ApproximateReceiveCount": "3",
        "ApproximateFirstReceiveTimestamp": str(sqs.clock()),
        "DeadLetterQueueSourceArn": queue_arn("q"),
    }


@on_loop
async def test_what_is_behind_dead_letters_is_received_at_once(sqs: FakeSqs) -> None:
    """One receive moves them and gives what it was asked for."""
    url, dead = await pair(sqs)
    for number in range(3):
        await sqs.send(url, f"dead {number}")
    assert len(await sqs.bodies(url)) == 3
    await sqs.send(url, "alive")
    assert await sqs.bodies(url, MaxNumberOfMessages=1) == ["alive"]
    assert len(await sqs.bodies(dead)) == 3


@on_loop
async def test_a_fifo_queues_dead_letters_keep_their_group(sqs: FakeSqs) -> None:
    """Those behind it come up in order."""
    url, dead = await pair(sqs, ".fifo", ContentBasedDeduplication="true")
    await sqs.send(url, "1", MessageGroupId="g")
    assert await sqs.bodies(url) == ["1"]
    await sqs.send(url, "2", MessageGroupId="g")
    assert await sqs.bodies(url) == ["2"]
    (message,) = await sqs.receive(dead, AttributeNames=["MessageGroupId"])
    assert (message["Body"], message["Attributes"]) == ("1", {"MessageGroupId": "g"})


@on_loop
async def test_without_its_dead_letter_queue_a_message_stays(sqs: FakeSqs) -> None:
    """A deleted queue takes nothing; nothing is lost."""
    url, dead = await pair(sqs)
    await sqs.send(url)
    await sqs("DeleteQueue", QueueUrl=dead)
    assert [await sqs.bodies(url) for _ in range(3)] == [["hello"]] * 3


@on_loop
async def test_a_waiting_receiver_is_given_dead_letters(sqs: FakeSqs) -> None:
    """They arrive like any message."""
    url, dead = await pair(sqs)
    await sqs.send(url)
    await sqs.receive(url)
    waiting = asyncio.get_running_loop().create_task(sqs.bodies(dead, WaitTimeSeconds=20))
    await turns()
    assert await sqs.bodies(url) == []
    assert await waiting == ["hello"]


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ({"deadLetterTargetArn": "dummy", "maxReceiveCount": 42}, "Invalid value for dead"),
        ({"deadLetterTargetArn": queue_arn("gone"), "maxReceiveCount": 4}, "does not exist"),
        ({"deadLetterTargetArn": queue_arn("q"), "maxReceiveCount": 4}, "the same as the source"),
        ({"deadLetterTargetArn": queue_arn("f.fifo"), "maxReceiveCount": 4}, "same type"),
        ({"deadLetterTargetArn": queue_arn("no"), "maxReceiveCount": 4}, "permission"),
        (
            {"deadLetterTargetArn": queue_arn("dead").replace("us-", "eu-"), "maxReceiveCount": 4},
            "same account and region",
        ),
        ({"deadLetterTargetArn": queue_arn("dead"), "maxReceiveCount": 0}, "from 1 to 1000"),
        ({"deadLetterTargetArn": queue_arn("dead"), "maxReceiveCount": 1001}, "from 1 to 1000"),
        ({"deadLetterTargetArn": queue_arn("dead"), "maxReceiveCount": True}, "from 1 to 1000"),
        ({"deadLetterTargetArn": queue_arn("dead"), "maxReceiveCount": "x"}, "from 1 to 1000"),
        ({"deadLetterTargetArn": queue_arn("dead")}, "mandatory attribute: maxReceiveCount"),
        ({"deadLetterTargetArn": queue_arn("dead"), "maxReceiveCount": 4, "x": 1}, "Only"),
    ],
)
def test_a_redrive_policy_that_cannot_be_kept(
    sqs: FakeSqs, policy: dict[str, Any], reason: str
) -> None:
    """Is refused with its own text repeated, as AWS does."""

    @on_loop
    async def run() -> None:
        url = await sqs.queue()
        await sqs.queue("dead")
        await sqs.queue("f.fifo")
        await sqs.queue("no", RedriveAllowPolicy='{"redrivePermission": "denyAll"}')
        text = json.dumps(policy)
        error = await sqs.refused(
            "SetQueueAttributes", {"QueueUrl": url, "Attributes": {"RedrivePolicy": text}}
        )
        assert error.code == "InvalidParameterValue"
        start = f"Value {text} for parameter RedrivePolicy is invalid. Reason: "
        assert error.message.startswith(start)
        assert reason in error.message

    run()


@on_loop
async def test_an_allow_policy_names_who_may(sqs: FakeSqs) -> None:
    """By queue, all, or none."""
    allow = {"redrivePermission": "byQueue", "sourceQueueArns": [queue_arn("friend")]}
    await sqs.queue("dead", RedriveAllowPolicy=json.dumps(allow))
    await sqs.queue("friend", **redrive())
    error = await sqs.refused("CreateQueue", {"QueueName": "stranger", "Attributes": redrive()})
    assert "permission" in error.message


@on_loop
async def test_the_sources_of_a_dead_letter_queue_are_listed(sqs: FakeSqs) -> None:
    """By name, in pages."""
    dead = await sqs.queue("dead")
    urls = [await sqs.queue(name, **redrive()) for name in ("a", "b", "c")]
    await sqs.queue("other")
    first = await sqs("ListDeadLetterSourceQueues", QueueUrl=dead, MaxResults=2)
    assert first["queueUrls"] == urls[:2]
    rest = await sqs(
        "ListDeadLetterSourceQueues", QueueUrl=dead, MaxResults=2, NextToken=first["NextToken"]
    )
    assert rest == {"queueUrls": urls[2:]}


async def with_dead_letters(sqs: FakeSqs, count: int) -> tuple[str, str]:
    """A queue of which so many messages are dead letters."""
    url, dead = await pair(sqs)
    for number in range(count):
        await sqs.send(url, str(number))
    for _ in range(count):
        await sqs.bodies(url)
    return url, dead


async def task_of(sqs: FakeSqs) -> dict[str, Any]:
    """The latest move task."""
    answer = await sqs("ListMessageMoveTasks", SourceArn=queue_arn("dead"))
    task: dict[str, Any] = {k: v for k, v in answer["Results"][0].items() if v is not None}
    return task


@on_loop
async def test_dead_letters_are_moved_back_as_new_messages(sqs: FakeSqs) -> None:
    """To where they came from, with new ids; the task tells how many."""
    url, dead = await with_dead_letters(sqs, 3)
    started_ms = sqs.clock()
    await sqs("StartMessageMoveTask", SourceArn=queue_arn("dead"))
    await turns(20)
    messages = await sqs.receive(url, MaxNumberOfMessages=10, AttributeNames=["All"])
    assert sorted(m["Body"] for m in messages) == ["0", "1", "2"]
    assert {m["Attributes"]["ApproximateReceiveCount"] for m in messages} == {"1"}
    assert all("DeadLetterQueueSourceArn" not in m["Attributes"] for m in messages)
    assert await sqs.bodies(dead) == []
    assert await task_of(sqs) == {
        "Status": "COMPLETED",
        "SourceArn": queue_arn("dead"),
        "ApproximateNumberOfMessagesMoved": 3,
        "ApproximateNumberOfMessagesToMove": 3,
        "StartedTimestamp": started_ms,
    }


@on_loop
async def test_a_task_keeps_to_its_rate_and_can_be_cancelled(sqs: FakeSqs) -> None:
    """One a second; what has not been moved when it is cancelled stays."""
    _, dead = await with_dead_letters(sqs, 5)
    other = await sqs.queue("other")
    arns = {"SourceArn": queue_arn("dead"), "DestinationArn": queue_arn("other")}
    started = await sqs("StartMessageMoveTask", **arns, MaxNumberOfMessagesPerSecond=1)
    await turns()
    sqs.clock.advance(1)
    await turns(20)
    running = await task_of(sqs)
    assert (running["Status"], running["TaskHandle"]) == ("RUNNING", started["TaskHandle"])
    assert running["ApproximateNumberOfMessagesMoved"] == 2
    error = await sqs.refused("StartMessageMoveTask", arns)
    assert error.message.startswith("There is already a task running.")
    cancelled = await sqs("CancelMessageMoveTask", TaskHandle=started["TaskHandle"])
    assert cancelled == {"ApproximateNumberOfMessagesMoved": 2}
    sqs.clock.advance(1)
    await turns()
    assert (await task_of(sqs))["Status"] == "CANCELLED"
    assert len(await sqs.bodies(other)) == 2
    assert len(await sqs.bodies(dead)) == 3


@on_loop
async def test_a_task_goes_on_after_a_restart(sqs: FakeSqs) -> None:
    """From where it was."""
    url, _ = await with_dead_letters(sqs, 3)
    await sqs("StartMessageMoveTask", SourceArn=queue_arn("dead"), MaxNumberOfMessagesPerSecond=1)
    await turns()
    await sqs.restart()
    await turns()
    await resume_tasks(sqs.service)
    for _ in range(4):
        await turns()
        sqs.clock.advance(1)
    assert (await task_of(sqs))["Status"] == "COMPLETED"
    assert len(await sqs.bodies(url)) == 3


@on_loop
async def test_a_task_outlasts_a_full_disk(sqs: FakeSqs) -> None:
    """It tries again, and ends when there is room."""
    url, _ = await with_dead_letters(sqs, 2)
    await sqs("StartMessageMoveTask", SourceArn=queue_arn("dead"))
    sqs.store.full = True
    await turns()
    sqs.store.full = False
    assert (await task_of(sqs))["Status"] == "RUNNING"
    sqs.clock.advance(5)
    await turns()
    assert (await task_of(sqs))["Status"] == "COMPLETED"
    assert len(await sqs.bodies(url)) == 2


@on_loop
async def test_a_task_fails_when_its_destination_is_gone(sqs: FakeSqs) -> None:
    """The reason is AWS's; the messages are still there."""
    url, dead = await with_dead_letters(sqs, 2)
    await sqs("DeleteQueue", QueueUrl=url)
    await sqs.queue("q2", **redrive())
    await sqs("StartMessageMoveTask", SourceArn=queue_arn("dead"))
    await turns()
    task = await task_of(sqs)
    assert task["Status"] == "FAILED"
    assert task["FailureReason"] == "AWS.SimpleQueueService.NonExistentQueue"
    assert len(await sqs.bodies(dead)) == 2


@on_loop
async def test_a_message_that_is_nobodys_dead_letter_has_no_way_back(sqs: FakeSqs) -> None:
    """What was sent to the dead-letter queue itself stays there."""
    _, dead = await pair(sqs)
    await sqs.send(dead, "sent here")
    await sqs("StartMessageMoveTask", SourceArn=queue_arn("dead"))
    await turns()
    assert (await task_of(sqs))["FailureReason"] == "CouldNotDetermineMessageSource"
    assert await sqs.bodies(dead) == ["sent here"]


@pytest.mark.parametrize(
    ("operation", "parameters", "code", "status", "text"),
    [
        ("StartMessageMoveTask", {"SourceArn": queue_arn("q")}, "InvalidParameterValue", 400,
         "Source queue must be configured as a Dead Letter Queue."),
        ("StartMessageMoveTask", {"SourceArn": queue_arn("gone")}, "ResourceNotFoundException", 404,
         "The resource that you specified for the SourceArn parameter doesn't exist."),
        ("StartMessageMoveTask", {"SourceArn": "x"}, "InvalidParameterValue", 400,
         "You must use this format to specify the SourceArn"),
        ("StartMessageMoveTask",
         {"SourceArn": queue_arn("dead"), "DestinationArn": queue_arn("gone")},
         "ResourceNotFoundException", 404,
         "The resource that you specified for the DestinationArn parameter doesn't exist."),
        ("StartMessageMoveTask",
         {"SourceArn": queue_arn("dead"), "MaxNumberOfMessagesPerSecond": 501},
         "InvalidParameterValue", 400, "Must be between 1 and 500"),
        ("ListMessageMoveTasks", {"SourceArn": queue_arn("gone")}, "ResourceNotFoundException", 404,
         "SourceArn parameter"),
        ("ListMessageMoveTasks", {"SourceArn": queue_arn("dead"), "MaxResults": 11},
         "InvalidParameterValue", 400, "between 1 and 10"),
        ("CancelMessageMoveTask", {"TaskHandle": "foobared"}, "InvalidParameterValue", 400,
         "Value for parameter TaskHandle is invalid."),
        ("CancelMessageMoveTask", {"TaskHandle": "é"}, "InvalidParameterValue", 400,
         "Value for parameter TaskHandle is invalid."),
    ],
)  # fmt: skip
def test_tasks_that_cannot_be(
    sqs: FakeSqs, operation: str, parameters: dict[str, Any], code: str, status: int, text: str
) -> None:
    """Refused as AWS does."""

    @on_loop
    async def run() -> None:
        await pair(sqs)
        error = await sqs.refused(operation, parameters, CALLER)
        assert (error.code, error.status) == (code, status)
        assert text in error.message

    run()
