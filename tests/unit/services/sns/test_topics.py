"""Topics: made once, shown as AWS shows them, settings obeyed or refused."""

import asyncio
import json
from typing import Any

import pytest

from lambent.model.errors import AwsError
from lambent.testing.loop import on_loop


@on_loop
async def test_creating_a_topic_twice_gives_the_same_one(open_world: Any) -> None:
    """CreateTopic with nothing new answers with the topic that is there."""
    async with open_world() as world:
        first = await world.topic(DisplayName="d")
        assert first == "arn:aws:sns:us-east-1:000000000000:t"
        assert await world.topic(DisplayName="d") == first == await world.topic()
        with pytest.raises(AwsError, match="already exists with different attributes"):
            await world.topic(DisplayName="other")
        with pytest.raises(AwsError, match="already exists with different tags"):
            await world.ask("CreateTopic", Name="t", Tags=[{"Key": "a", "Value": "b"}])


@on_loop
async def test_two_creations_at_once_make_one_topic(open_world: Any) -> None:
    """Of two at once the second sees what the first made."""
    async with open_world() as world:
        first = world.ask("CreateTopic", Name="t", Attributes={"DisplayName": "a"})
        second = world.ask("CreateTopic", Name="t", Attributes={"DisplayName": "b"})
        answers = await asyncio.gather(first, second, return_exceptions=True)
        assert [isinstance(answer, AwsError) for answer in answers] == [False, True]


@on_loop
async def test_attributes_are_shown_as_they_were_set(open_world: Any) -> None:
    """GetTopicAttributes has AWS's defaults, and then what was set."""
    async with open_world() as world:
        arn = await world.topic()
        shown = (await world.ask("GetTopicAttributes", TopicArn=arn))["Attributes"]
        assert shown["Owner"] == "000000000000"
        assert (
            json.loads(shown["EffectiveDeliveryPolicy"])["http"]["defaultHealthyRetryPolicy"][
                "numRetries"
            ]
            == 3
        )
        assert "SignatureVersion" not in shown
        policy = json.dumps({"http": {"defaultHealthyRetryPolicy": {"numRetries": 5}}})
        for name, value in {"SignatureVersion": "2", "DeliveryPolicy": policy}.items():
            await world.ask(
                "SetTopicAttributes", TopicArn=arn, AttributeName=name, AttributeValue=value
            )
        shown = (await world.ask("GetTopicAttributes", TopicArn=arn))["Attributes"]
        assert (shown["SignatureVersion"], shown["DeliveryPolicy"]) == ("2", policy)
        assert '"numRetries":5' in shown["EffectiveDeliveryPolicy"]


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("Nonsense", "x", "InvalidParameterException"),
        ("SignatureVersion", "3", "InvalidParameterException"),
        ("Policy", "{", "InvalidParameterException"),
        ("DeliveryPolicy", '{"http": {"numRetries": 1}}', "InvalidParameterException"),
        ("MaximumMessageSize", "12", "InvalidParameterException"),
        ("ContentBasedDeduplication", "true", "InvalidParameterException"),
        ("FifoTopic", "true", "InvalidParameterException"),
        ("TracingConfig", "Active", "NotImplementedException"),
        ("KmsMasterKeyId", "alias/aws/sns", "NotImplementedException"),
        ("SQSFailureFeedbackRoleArn", "arn:aws:iam::0:role/r", "NotImplementedException"),
    ],
)
@on_loop
async def test_what_cannot_be_obeyed_is_refused(
    open_world: Any, name: str, value: str, code: str
) -> None:
    """An attribute is obeyed or refused, and a refused one leaves nothing behind."""
    async with open_world() as world:
        arn = await world.topic()
        before = await world.ask("GetTopicAttributes", TopicArn=arn)
        with pytest.raises(AwsError) as error:
            await world.ask(
                "SetTopicAttributes", TopicArn=arn, AttributeName=name, AttributeValue=value
            )
        assert error.value.code == code
        assert await world.ask("GetTopicAttributes", TopicArn=arn) == before


@pytest.mark.parametrize("name", ["", "a b", "x" * 257, "t.fifo", "ä", "a:b"])
@on_loop
async def test_names_are_checked(open_world: Any, name: str) -> None:
    """A name AWS does not take makes no topic."""
    async with open_world() as world:
        with pytest.raises(AwsError, match="Invalid parameter: Topic Name"):
            await world.topic(name)


@on_loop
async def test_pages_show_every_topic_once(open_world: Any) -> None:
    """ListTopics gives 100 a page, and all of them."""
    async with open_world() as world:
        made = [await world.topic(f"t{number:03d}") for number in range(250)]
        found, token = [], None
        for size in (100, 100, 50):
            more: dict[str, str] = {"NextToken": token} if token else {}
            page = await world.ask("ListTopics", **more)
            assert len(page["Topics"]) == size
            found += [one["TopicArn"] for one in page["Topics"]]
            token = page.get("NextToken")
        assert (found, token) == (made, None)
        with pytest.raises(AwsError, match="NextToken"):
            await world.ask("ListTopics", NextToken="€")


@on_loop
async def test_a_deleted_topic_is_gone_with_its_subscriptions(open_world: Any) -> None:
    """DeleteTopic takes subscriptions and queues along; once more is no error."""
    async with open_world() as world:
        arn = await world.topic()
        await world.queue(arn)
        await world.http(arn)
        for _ in range(2):
            await world.ask("DeleteTopic", TopicArn=arn)
        assert (await world.ask("ListSubscriptions"))["Subscriptions"] == []
        assert await world.store.run(lambda tx: tx.list_queues("", None, 10)) == []
        with pytest.raises(AwsError, match="Topic does not exist"):
            await world.ask("Publish", TopicArn=arn, Message="m")


@on_loop
async def test_tags_are_kept_and_counted(open_world: Any) -> None:
    """Tags are added, replaced and removed, and there are at most 50."""
    async with open_world() as world:
        arn = await world.topic()
        tags = [{"Key": f"k{number}", "Value": "v"} for number in range(50)]
        await world.ask("TagResource", ResourceArn=arn, Tags=tags)
        with pytest.raises(AwsError) as error:
            await world.ask("TagResource", ResourceArn=arn, Tags=[{"Key": "z", "Value": ""}])
        assert error.value.code == "TagLimitExceededException"
        await world.ask("UntagResource", ResourceArn=arn, TagKeys=["k1", "never"])
        assert len((await world.ask("ListTagsForResource", ResourceArn=arn))["Tags"]) == 49
        with pytest.raises(AwsError) as error:
            await world.ask("ListTagsForResource", ResourceArn=arn + "x")
        assert error.value.code == "ResourceNotFoundException"


@on_loop
async def test_other_accounts_need_a_permission(open_world: Any) -> None:
    """AddPermission lets another account publish, RemovePermission ends that; a deny stops the owner."""
    async with open_world() as world:
        arn = await world.topic()
        other = {"account": "111122223333", "TopicArn": arn, "Message": "m"}
        with pytest.raises(AwsError) as error:
            await world.ask("Publish", **other)
        assert (error.value.code, error.value.status) == ("AuthorizationErrorException", 403)
        await world.ask(
            "AddPermission", TopicArn=arn, Label="l", AWSAccountId=["111122223333"],
            ActionName=["Publish"],
        )  # fmt: skip
        await world.ask("Publish", **other)
        with pytest.raises(AwsError, match="Statement already exists"):
            await world.ask(
                "AddPermission", TopicArn=arn, Label="l", AWSAccountId=["111122223333"],
                ActionName=["Publish"],
            )  # fmt: skip
        await world.ask("RemovePermission", TopicArn=arn, Label="l")
        with pytest.raises(AwsError):
            await world.ask("Publish", **other)
        deny = {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "SNS:Publish",
                "Resource": arn,
            },
        }
        await world.ask(
            "SetTopicAttributes", TopicArn=arn, AttributeName="Policy",
            AttributeValue=json.dumps(deny),
        )  # fmt: skip
        with pytest.raises(AwsError, match="explicit deny"):
            await world.ask("Publish", TopicArn=arn, Message="m")


@on_loop
async def test_topics_are_there_after_a_restart(open_world: Any) -> None:
    """What was kept is read again."""
    async with open_world() as world:
        arn = await world.topic(DisplayName="d")
        await world.queue(arn, FilterPolicy='{"a": ["b"]}')
        store = world.store
        shown = await world.ask("GetTopicAttributes", TopicArn=arn)
        listed = await world.ask("ListSubscriptions")
    async with open_world(store) as again:
        assert await again.ask("GetTopicAttributes", TopicArn=arn) == shown
        assert await again.ask("ListSubscriptions") == listed
