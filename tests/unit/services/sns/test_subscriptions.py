"""Subscriptions: confirmed by who owns the endpoint, ended by who may."""

import json
from typing import Any

import pytest

from lambent.model.errors import AwsError
from lambent.services.sns.service import SWEEP_S
from lambent.testing.loop import on_loop

ACCOUNT = "000000000000"
URL = "http://127.0.0.1:9/in"


@on_loop
async def test_an_http_endpoint_confirms_by_its_token(open_world: Any) -> None:
    """It is sent the token, gets nothing until the token came back, and messages afterwards."""
    async with open_world() as world:
        topic = await world.topic()
        answer = await world.ask("Subscribe", TopicArn=topic, Protocol="http", Endpoint=URL)
        assert answer == {"SubscriptionArn": "pending confirmation"}
        await world.ask("Publish", TopicArn=topic, Message="too early")
        await world.settled()
        (request,) = world.endpoints.requests
        message = json.loads(request.body)
        assert (
            request.headers["x-amz-sns-message-type"]
            == message["Type"]
            == "SubscriptionConfirmation"
        )
        assert message["SubscribeURL"].endswith(f"TopicArn={topic}&Token={message['Token']}")
        listed = (await world.ask("ListSubscriptions"))["Subscriptions"]
        assert [one["SubscriptionArn"] for one in listed] == ["PendingConfirmation"]
        confirm = {"TopicArn": topic, "Token": message["Token"], "signed": False}
        confirmed = await world.ask("ConfirmSubscription", **confirm)
        assert await world.ask("ConfirmSubscription", **confirm) == confirmed
        await world.ask("Publish", TopicArn=topic, Message="now")
        await world.settled()
        request = world.endpoints.requests[-1]
        assert json.loads(request.body)["Message"] == "now"
        assert request.headers["x-amz-sns-subscription-arn"] == confirmed["SubscriptionArn"]


@on_loop
async def test_subscribing_again_names_the_same_subscription(open_world: Any) -> None:
    """An endpoint is subscribed once; other attributes are refused, a pending one is asked again."""
    async with open_world() as world:
        topic = await world.topic()
        await world.queue(topic, RawMessageDelivery="true")
        first = await world.ask("ListSubscriptions")
        await world.queue(topic)
        assert await world.ask("ListSubscriptions") == first
        with pytest.raises(AwsError, match="Subscription already exists with different attributes"):
            await world.queue(topic, RawMessageDelivery="false")
        for _ in range(2):
            await world.ask("Subscribe", TopicArn=topic, Protocol="http", Endpoint=URL)
            await world.settled()
        assert len({json.loads(one.body)["Token"] for one in world.endpoints.requests}) == 1
        assert len(world.endpoints.requests) == 2


@pytest.mark.parametrize("token", ["", "nonsense"])
@on_loop
async def test_a_wrong_token_confirms_nothing(open_world: Any, token: str) -> None:
    """Only the token that was sent confirms, and only for its topic."""
    async with open_world() as world:
        topic, other = await world.topic(), await world.topic("other")
        await world.ask("Subscribe", TopicArn=topic, Protocol="http", Endpoint=URL)
        with pytest.raises(AwsError, match="Invalid parameter: Token"):
            await world.ask("ConfirmSubscription", TopicArn=topic, Token=token)
        (subscription,) = world.sns.directory.subscriptions.values()
        with pytest.raises(AwsError, match="Invalid parameter: Token"):
            await world.ask("ConfirmSubscription", TopicArn=other, Token=subscription.token)


@on_loop
async def test_a_token_ends_after_two_days(open_world: Any) -> None:
    """Nobody confirms later than that, and what nobody confirmed goes."""
    async with open_world() as world:
        topic = await world.topic()
        await world.ask("Subscribe", TopicArn=topic, Protocol="http", Endpoint=URL)
        await world.settled()
        token = json.loads(world.endpoints.requests[0].body)["Token"]
        world.clock.ms += 2 * 24 * 3600 * 1000
        with pytest.raises(AwsError, match="Invalid parameter: Token"):
            await world.ask("ConfirmSubscription", TopicArn=topic, Token=token)
        assert SWEEP_S < 3600
        await world.sns.sweep()
        assert (await world.ask("ListSubscriptions"))["Subscriptions"] == []


@on_loop
async def test_the_link_in_a_message_ends_the_subscription_for_two_days(open_world: Any) -> None:
    """An unsigned Unsubscribe is told to the endpoint, which can take it back."""
    async with open_world() as world:
        topic = await world.topic()
        arn = await world.http(topic)
        await world.ask("Unsubscribe", SubscriptionArn=arn, signed=False)
        await world.settled()
        message = json.loads(world.endpoints.requests[-1].body)
        assert message["Type"] == "UnsubscribeConfirmation"
        assert (await world.ask("ListSubscriptions"))["Subscriptions"] == []
        await world.ask("Publish", TopicArn=topic, Message="meanwhile")
        restored = await world.ask(
            "ConfirmSubscription", TopicArn=topic, Token=message["Token"], signed=False
        )
        assert restored == {"SubscriptionArn": arn}
        await world.ask("Publish", TopicArn=topic, Message="again")
        await world.settled()
        assert json.loads(world.endpoints.requests[-1].body)["Message"] == "again"


@on_loop
async def test_an_authenticated_subscription_is_ended_by_its_owner_only(open_world: Any) -> None:
    """What its owner made or confirmed so, no link and no other account ends."""
    async with open_world() as world:
        topic = await world.topic()
        await world.queue(topic)
        (listed,) = (await world.ask("ListSubscriptions"))["Subscriptions"]
        ended = {"SubscriptionArn": listed["SubscriptionArn"]}
        for other in ({"signed": False}, {"account": "111122223333"}):
            with pytest.raises(AwsError) as error:
                await world.ask("Unsubscribe", **ended, **other)
            assert error.value.code == "AuthorizationErrorException"
        for _ in range(2):
            await world.ask("Unsubscribe", **ended)
        assert (await world.ask("ListSubscriptions"))["Subscriptions"] == []


@pytest.mark.parametrize(
    ("protocol", "endpoint", "code", "text"),
    [
        ("carrier-pigeon", "x", "InvalidParameterException", "does not support this protocol string"),
        ("email", "a@b", "NotImplementedException", "subscriptions by email"),
        ("sqs", "http://q", "InvalidParameterException", "SQS endpoint ARN"),
        ("sqs", "arn:aws:sqs:us-east-1:000000000000:q.fifo", "InvalidParameterException", "FIFO SQS Queues"),
        ("lambda", "f", "InvalidParameterException", "Lambda endpoint ARN"),
        ("lambda", "arn:aws:lambda:eu-west-1:111122223333:function:f", "AuthorizationErrorException", "owner"),
        ("http", "https://h/", "InvalidParameterException", "must match the specified protocol"),
        ("http", "http://h:4566/_lambent/reset", "InvalidParameterException", "platform's own endpoints"),
    ],
)  # fmt: skip
@on_loop
async def test_endpoints_are_checked(
    open_world: Any, protocol: str, endpoint: str, code: str, text: str
) -> None:
    """What cannot be delivered to is not subscribed."""
    async with open_world() as world:
        topic = await world.topic()
        with pytest.raises(AwsError, match=text) as error:
            await world.ask("Subscribe", TopicArn=topic, Protocol=protocol, Endpoint=endpoint)
        assert error.value.code == code


@on_loop
async def test_fifo_topics_take_queues_only(open_world: Any) -> None:
    """Standard queues too, but nothing that is not SQS."""
    async with open_world() as world:
        topic = await world.topic("t.fifo", FifoTopic="true")
        await world.queue(topic, "standard")
        with pytest.raises(AwsError, match="Invalid protocol type: http"):
            await world.ask("Subscribe", TopicArn=topic, Protocol="http", Endpoint=URL)


@on_loop
async def test_attributes_are_set_and_shown(open_world: Any) -> None:
    """One at a time, checked with those beside it, and taken out by an empty value."""
    async with open_world() as world:
        topic = await world.topic()
        arn = await world.http(topic)

        async def put(name: str, value: str) -> None:
            await world.ask(
                "SetSubscriptionAttributes", SubscriptionArn=arn, AttributeName=name,
                AttributeValue=value,
            )  # fmt: skip

        async def shown() -> Any:
            answer = await world.ask("GetSubscriptionAttributes", SubscriptionArn=arn)
            return answer["Attributes"]

        assert "FilterPolicy" not in await shown()
        await put("FilterPolicy", '{"a": ["b"]}')
        assert (await shown())["FilterPolicyScope"] == "MessageAttributes"
        await put("FilterPolicyScope", "MessageBody")
        await put("FilterPolicy", '{"a": {"b": ["c"]}}')
        with pytest.raises(AwsError, match="does not support nested filter policy"):
            await put("FilterPolicyScope", "MessageAttributes")
        await put("FilterPolicy", "")
        assert "FilterPolicy" not in await shown()
        content = '{"requestPolicy": {"headerContentType": "application/xml"}}'
        with pytest.raises(AwsError, match="needs raw message delivery"):
            await put("DeliveryPolicy", content)
        await put("RawMessageDelivery", "True")
        await put("DeliveryPolicy", content)
        assert "application/xml" in (await shown())["EffectiveDeliveryPolicy"]
        with pytest.raises(AwsError, match="needs raw message delivery"):
            await put("RawMessageDelivery", "false")


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("Nonsense", "x", "Attributes Reason: AttributeName"),
        ("FilterPolicy", "{", "FilterPolicy: failed to parse JSON"),
        ("FilterPolicyScope", "Body", "Please use either MessageBody or MessageAttributes"),
        ("RawMessageDelivery", "maybe", "Must be true or false."),
        ("RedrivePolicy", "{}", "deadLetterTargetArn is an invalid arn"),
        ("RedrivePolicy", "x", "failed to parse JSON."),
        ("RedrivePolicy", '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:111122223333:d"}', "same account"),
        ("DeliveryPolicy", "{}", "http and https protocols only"),
        ("ReplayPolicy", "{}", "ReplayPolicy of a subscription"),
    ],
)  # fmt: skip
@on_loop
async def test_bad_attributes_subscribe_nothing(
    open_world: Any, name: str, value: str, text: str
) -> None:
    """A subscription with an attribute that cannot be obeyed is not made."""
    async with open_world() as world:
        topic = await world.topic()
        with pytest.raises(AwsError, match=text):
            await world.queue(topic, **{name: value})
        assert (await world.ask("ListSubscriptions"))["Subscriptions"] == []


@on_loop
async def test_a_queue_of_another_account_is_asked(open_world: Any) -> None:
    """Its confirmation comes into the queue itself; until then it gets nothing else."""
    async with open_world() as world:
        topic = await world.topic()
        queue = "arn:aws:sqs:us-east-1:111122223333:q"
        world.targets.there.add(queue)
        await world.ask("Subscribe", TopicArn=topic, Protocol="sqs", Endpoint=queue)
        await world.ask("Publish", TopicArn=topic, Message="m")
        (body,) = world.targets.bodies(queue)
        assert json.loads(body)["Type"] == "SubscriptionConfirmation"


@on_loop
async def test_passwords_are_not_shown(open_world: Any) -> None:
    """The password in an endpoint's URL is used, and shown to nobody."""
    async with open_world() as world:
        topic = await world.topic()
        arn = await world.http(topic, "http://user:secret@127.0.0.1:9/in")
        listed = await world.ask("ListSubscriptionsByTopic", TopicArn=topic)
        shown = await world.ask("GetSubscriptionAttributes", SubscriptionArn=arn)
        assert "secret" not in json.dumps([listed, shown])
        await world.ask("Publish", TopicArn=topic, Message="m")
        await world.settled()
        assert world.endpoints.requests[-1].destination.user_info == "user:secret"


@on_loop
async def test_what_a_function_subscribes_reaches_public_addresses_only(open_world: Any) -> None:
    """Its subscription says so, to every delivery and after a restart; a person's does not."""
    async with open_world() as world:
        topic = await world.topic()
        for inside, url in ((True, f"{URL}/a"), (False, f"{URL}/b")):
            await world.ask(
                "Subscribe", TopicArn=topic, Protocol="http", Endpoint=url, inside=inside
            )
        await world.settled()
        asked = {
            one.destination.target: one.destination.public_only for one in world.endpoints.requests
        }
        assert asked == {"/in/a": True, "/in/b": False}
        store = world.store
    async with open_world(store) as again:
        kept = {
            one.endpoint: one.from_function for one in again.sns.directory.subscriptions.values()
        }
        assert kept == {f"{URL}/a": True, f"{URL}/b": False}
