"""Long polling: woken by arrivals and by time, in order, and never left behind."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from lambent.services.sqs import service
from lambent.testing.loop import on_loop, turns
from lambent.testing.sqs import FakeSqs


def start(work: Coroutine[Any, Any, list[str]]) -> "asyncio.Task[list[str]]":
    """A receiver at work."""
    return asyncio.get_running_loop().create_task(work)


@on_loop
async def test_a_waiting_receiver_is_given_what_arrives(sqs: FakeSqs) -> None:
    """As soon as it arrives, and no timer is left."""
    url = await sqs.queue()
    waiting = start(sqs.bodies(url, WaitTimeSeconds=20))
    await turns()
    assert not waiting.done()
    await sqs.send(url)
    assert await waiting == ["hello"]
    assert sqs.clock.pending == 0


@on_loop
async def test_a_receiver_waits_as_long_as_asked_and_no_longer(sqs: FakeSqs) -> None:
    """By the request, or by the queue's ``ReceiveMessageWaitTimeSeconds``; zero is not waiting."""
    url = await sqs.queue(ReceiveMessageWaitTimeSeconds="7")
    assert await sqs.bodies(url, WaitTimeSeconds=0) == []
    by_queue, by_request = start(sqs.bodies(url)), start(sqs.bodies(url, WaitTimeSeconds=3))
    await turns()
    sqs.clock.advance(3)
    await turns()
    assert (by_queue.done(), by_request.done()) == (False, True)
    sqs.clock.advance(4)
    assert await by_queue == []
    assert sqs.service.waiting == 0
    assert sqs.clock.pending == 0


@on_loop
async def test_a_delayed_message_wakes_a_receiver_in_its_time(sqs: FakeSqs) -> None:
    """Whether it was there before the receiver or came after it."""
    url = await sqs.queue()
    await sqs.send(url, "before", DelaySeconds=5)
    waiting = start(sqs.bodies(url, WaitTimeSeconds=20))
    await turns()
    sqs.clock.advance(5)
    assert await waiting == ["before"]
    waiting = start(sqs.bodies(url, WaitTimeSeconds=20))
    await turns()
    await sqs.send(url, "after", DelaySeconds=2)
    await turns()
    sqs.clock.advance(2)
    assert await waiting == ["after"]


@on_loop
async def test_a_message_whose_receiver_failed_wakes_the_next_one(sqs: FakeSqs) -> None:
    """When its visibility timeout is over, or at once when that is set to zero."""
    url = await sqs.queue(VisibilityTimeout="4")
    await sqs.send(url)
    (message,) = await sqs.receive(url)
    waiting = start(sqs.bodies(url, WaitTimeSeconds=20))
    await turns()
    sqs.clock.advance(4)
    assert await waiting == ["hello"]
    sqs.clock.advance(4)
    (message,) = await sqs.receive(url)
    waiting = start(sqs.bodies(url, WaitTimeSeconds=20))
    await turns()
    change = {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0}
    await sqs.call("ChangeMessageVisibility", change)
    assert await waiting == ["hello"]


@on_loop
async def test_receivers_are_served_in_the_order_they_came(sqs: FakeSqs) -> None:
    """One message, one receiver: the one that has waited longest."""
    url = await sqs.queue()
    receivers = []
    for _ in range(3):
        receivers.append(start(sqs.bodies(url, MaxNumberOfMessages=1, WaitTimeSeconds=20)))
        await turns(1)
    for number, receiver in enumerate(receivers):
        await sqs.send(url, str(number))
        assert await receiver == [str(number)]


@on_loop
async def test_a_batch_serves_as_many_receivers_as_it_has_messages(sqs: FakeSqs) -> None:
    """One arrival is told for all of them; nobody waits on with a message there."""
    url = await sqs.queue()
    receivers = [
        start(sqs.bodies(url, MaxNumberOfMessages=1, WaitTimeSeconds=20)) for _ in range(5)
    ]
    await turns()
    entries = [{"Id": str(number), "MessageBody": str(number)} for number in range(4)]
    await sqs("SendMessageBatch", QueueUrl=url, Entries=entries)
    await turns(50)
    assert sum(receiver.done() for receiver in receivers) == 4
    sqs.clock.advance(20)
    assert sorted([body for r in receivers for body in await r]) == ["0", "1", "2", "3"]


@on_loop
async def test_who_waits_on_learns_of_what_comes_later(sqs: FakeSqs) -> None:
    """A receiver that goes with a message leaves the times of others to those behind it."""
    url = await sqs.queue()
    first = start(sqs.bodies(url, WaitTimeSeconds=20))
    second = start(sqs.bodies(url, WaitTimeSeconds=20))
    await turns()
    await sqs.send(url, "soon", DelaySeconds=2)
    await sqs.send(url, "later", DelaySeconds=6)
    await turns()
    sqs.clock.advance(2)
    assert await first == ["soon"]
    sqs.clock.advance(4)
    assert await second == ["later"]


@on_loop
async def test_a_client_that_hangs_up_takes_no_message_with_it(sqs: FakeSqs) -> None:
    """Its place is free, and a wake that was meant for it is passed on."""
    url = await sqs.queue()
    gone = start(sqs.bodies(url, WaitTimeSeconds=20))
    waiting = start(sqs.bodies(url, WaitTimeSeconds=20))
    await turns()
    await sqs.send(url)
    gone.cancel()
    assert await waiting == ["hello"]
    assert sqs.service.waiting == 0


@on_loop
async def test_a_deleted_queue_ends_the_waiting(sqs: FakeSqs) -> None:
    """Receivers are told that it does not exist."""
    url = await sqs.queue()
    parameters = {"QueueUrl": url, "WaitTimeSeconds": 20}
    refused = asyncio.get_running_loop().create_task(sqs.refused("ReceiveMessage", parameters))
    await turns()
    await sqs("DeleteQueue", QueueUrl=url)
    assert (await refused).code == "QueueDoesNotExist"


@on_loop
async def test_a_platform_that_stops_sends_receivers_away(sqs: FakeSqs) -> None:
    """With nothing, at once."""
    url = await sqs.queue()
    waiting = start(sqs.bodies(url, WaitTimeSeconds=20))
    await turns()
    sqs.service.stop()
    assert await waiting == []


@on_loop
async def test_the_next_of_a_group_wakes_when_the_one_before_is_deleted(sqs: FakeSqs) -> None:
    """A FIFO group is held by its message in flight, no longer."""
    url = await sqs.queue("q.fifo", ContentBasedDeduplication="true")
    await sqs.send(url, "1", MessageGroupId="g")
    (first,) = await sqs.receive(url)
    await sqs.send(url, "2", MessageGroupId="g")
    waiting = start(sqs.bodies(url, WaitTimeSeconds=20))
    await turns()
    assert not waiting.done()
    await sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    assert await waiting == ["2"]


@on_loop
async def test_the_number_of_waiting_receivers_is_bounded(sqs: FakeSqs) -> None:
    """One too many is throttled, by which SDKs try again; a short poll is not."""
    url = await sqs.queue()
    sqs.service.waiting = service.MAX_WAITING
    error = await sqs.refused("ReceiveMessage", {"QueueUrl": url, "WaitTimeSeconds": 1})
    assert (error.code, error.status) == ("RequestThrottled", 403)
    assert await sqs.bodies(url) == []
