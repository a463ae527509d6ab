"""HTTP deliveries: tried as the policy says, given up for the dead-letter queue, resumed after a restart."""

import asyncio
import json
from itertools import pairwise
from typing import Any

import pytest

from lambent.services.sns import deliveries
from lambent.testing.loop import on_loop, turns, until

DEAD = "arn:aws:sqs:us-east-1:000000000000:dead"
REDRIVE = json.dumps({"deadLetterTargetArn": DEAD})


def _policy(**retry: Any) -> str:
    return json.dumps({"healthyRetryPolicy": retry})


@on_loop
async def test_failures_are_tried_again_at_the_times_of_the_policy(open_world: Any) -> None:
    """AWS's default: three times more, 20 seconds apart; then it is over."""
    async with open_world() as world:
        topic = await world.topic()
        await world.http(topic, RedrivePolicy=REDRIVE)
        world.targets.there.add(DEAD)
        world.endpoints.answers = [500, None, 429, 503]
        await world.ask("Publish", TopicArn=topic, Message="m")
        await world.settled()
        times = [request.at_ms for request in world.endpoints.requests]
        assert [later - times[0] for later in times] == [0, 20_000, 40_000, 60_000]
        (body,) = world.targets.bodies(DEAD)
        assert body == world.endpoints.requests[0].body
        assert json.loads(body)["Message"] == "m"


@pytest.mark.parametrize("status", [301, 400, 403, 404, 410])
@on_loop
async def test_other_answers_are_permanent(open_world: Any, status: int) -> None:
    """What is neither 2xx nor 5xx nor 429 is not tried again."""
    async with open_world() as world:
        topic = await world.topic()
        await world.http(topic, RedrivePolicy=REDRIVE)
        world.targets.there.add(DEAD)
        world.endpoints.answers = [status]
        await world.ask("Publish", TopicArn=topic, Message="m")
        await world.settled()
        assert len(world.endpoints.requests) == len(world.targets.got[DEAD]) == 1


@on_loop
async def test_a_subscriptions_own_policy_is_obeyed(open_world: Any) -> None:
    """Immediate, before, in and after the back-off."""
    async with open_world() as world:
        topic = await world.topic()
        policy = _policy(
            minDelayTarget=1, maxDelayTarget=4, numRetries=7, numNoDelayRetries=1,
            numMinDelayRetries=1, numMaxDelayRetries=1,
        )  # fmt: skip
        await world.http(topic, DeliveryPolicy=policy)
        world.endpoints.answers = [500] * 7
        await world.ask("Publish", TopicArn=topic, Message="m")
        await world.settled()
        times = [request.at_ms for request in world.endpoints.requests]
        delays = [later - earlier for earlier, later in pairwise(times)]
        assert delays == [0, 1000, 1000, 2000, 3000, 4000, 4000]


@on_loop
async def test_a_topic_may_forbid_policies_of_subscriptions(open_world: Any) -> None:
    """With disableSubscriptionOverrides the topic's own policy holds."""
    async with open_world() as world:
        http = {
            "defaultHealthyRetryPolicy": {"numRetries": 0},
            "disableSubscriptionOverrides": True,
        }
        topic = await world.topic(DeliveryPolicy=json.dumps({"http": http}))
        await world.http(topic, DeliveryPolicy=_policy(numRetries=2))
        world.endpoints.answers = [500]
        await world.ask("Publish", TopicArn=topic, Message="m")
        await world.settled()
        assert len(world.endpoints.requests) == 1


@on_loop
async def test_receives_per_second_are_bounded(open_world: Any) -> None:
    """With maxReceivesPerSecond 2, ten messages take at least four seconds."""
    async with open_world() as world:
        topic = await world.topic()
        throttle = json.dumps({"throttlePolicy": {"maxReceivesPerSecond": 2}})
        await world.http(topic, DeliveryPolicy=throttle)
        entries = [{"Id": f"e{n}", "Message": f"m{n}"} for n in range(10)]
        await world.ask("PublishBatch", TopicArn=topic, PublishBatchRequestEntries=entries)
        await world.settled()
        times = [request.at_ms for request in world.endpoints.requests]
        assert len(times) == 10
        assert times[-1] - times[0] == 4000


@on_loop
async def test_a_dead_endpoint_delays_nobody_else(open_world: Any) -> None:
    """While one subscription's endpoint does not answer, another's gets its messages."""
    async with open_world() as world:
        topic = await world.topic()
        await world.http(topic, "http://127.0.0.1:9/dead")
        await world.http(topic, "http://127.0.0.1:9/alive")
        never, delivered = asyncio.Event(), []

        async def post(destination: Any, headers: Any, body: bytes) -> int:
            if destination.target == "/dead":
                await never.wait()
            delivered.append(destination.target)
            return 200

        world.sns.deliveries._post = post
        for number in range(40):
            await world.ask("Publish", TopicArn=topic, Message=f"m{number}")
        async with asyncio.timeout(5):
            while len(delivered) < 40:  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0)
        assert set(delivered) == {"/alive"}


@on_loop
async def test_deliveries_go_on_after_a_restart(open_world: Any) -> None:
    """What was on its way when the platform ended is delivered by the next one, the attempt uncounted."""
    async with open_world() as world:
        topic = await world.topic()
        await world.http(topic, DeliveryPolicy=_policy(numRetries=0))
        begun, never = asyncio.Event(), asyncio.Event()

        async def post(destination: Any, headers: Any, body: bytes) -> int:
            begun.set()
            await never.wait()
            return 200

        world.sns.deliveries._post = post
        await world.ask("Publish", TopicArn=topic, Message="m")
        await begun.wait()
        store = world.store
    async with open_world(store) as again:
        await again.settled()
        (request,) = again.endpoints.requests
        assert json.loads(request.body)["Message"] == "m"


@on_loop
async def test_raw_messages_come_as_they_are(open_world: Any) -> None:
    """The body is the message, the header says so, and the content type is the policy's."""
    async with open_world() as world:
        topic = await world.topic()
        policy = json.dumps({"requestPolicy": {"headerContentType": "application/json"}})
        await world.http(topic, RawMessageDelivery="true", DeliveryPolicy=policy)
        await world.ask("Publish", TopicArn=topic, Message='{"a": 1}')
        await world.settled()
        (request,) = world.endpoints.requests
        assert request.body == b'{"a": 1}'
        assert request.headers["x-amz-sns-rawdelivery"] == "true"
        assert request.headers["Content-Type"] == "application/json"


@on_loop
async def test_an_ended_subscription_is_delivered_no_more(open_world: Any) -> None:
    """Unsubscribe takes what waits along, and the delivery under way."""
    async with open_world() as world:
        topic = await world.topic()
        arn = await world.http(topic, DeliveryPolicy=_policy(numRetries=1, minDelayTarget=20))
        begun, never = asyncio.Event(), asyncio.Event()

        async def post(destination: Any, headers: Any, body: bytes) -> int:
            begun.set()
            await never.wait()
            return 200

        world.sns.deliveries._post = post
        await world.ask("Publish", TopicArn=topic, Message="m")
        await begun.wait()
        await world.ask("Unsubscribe", SubscriptionArn=arn)
        await world.settled()
        assert await world.store.run(lambda tx: tx.list_queues("sns-http:", None, 10)) == []


@on_loop
async def test_an_endpoint_that_takes_nothing_is_asked_one_at_a_time(open_world: Any) -> None:
    """After a batch of failures one message goes first; once it is taken the others go together."""
    async with open_world() as world:
        topic = await world.topic()
        await world.http(topic)
        at_once: list[int] = []
        under_way = 0

        async def post(destination: Any, headers: Any, body: bytes) -> int:
            nonlocal under_way
            under_way += 1
            at_once.append(under_way)
            await turns()
            under_way -= 1
            return 503 if len(at_once) <= 10 else 200

        world.sns.deliveries._post = post
        entries = [{"Id": f"e{n}", "Message": f"m{n}"} for n in range(10)]
        await world.ask("PublishBatch", TopicArn=topic, PublishBatchRequestEntries=entries)
        await world.settled()
        assert at_once == [*range(1, 11), 1, *range(1, 10)]


@on_loop
async def test_a_store_that_fails_ends_no_deliveries(
    open_world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be settled is tried again a little later: a message in hand is not forgotten."""
    monkeypatch.setattr(deliveries, "_TROUBLE_S", 0.01)
    async with open_world() as world:
        topic = await world.topic()
        await world.http(topic)
        run, failures = world.store.run, 2

        async def failing(work: Any) -> Any:
            nonlocal failures
            if failures and "receive" in work.__qualname__:
                failures -= 1
                raise OSError("the disk is gone")
            return await run(work)

        world.sns.deliveries._store.run = failing
        await world.ask("Publish", TopicArn=topic, Message="m")
        await until(lambda: bool(world.endpoints.requests))
        assert failures == 0
