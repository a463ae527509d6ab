"""Lists, tags, permissions, and who may do what."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambent.model.call import Caller
from lambent.testing.loop import on_loop
from lambent.testing.sqs import FakeSqs, queue_arn

STRANGER = Caller("111111111111", "us-east-1", "id", endpoint="http://host:1")
ELSEWHERE = Caller("000000000000", "eu-west-1", "id", endpoint="http://host:1")


def policy(effect: str, action: str = "sqs:*", principal: Any = "*", **more: Any) -> str:
    """A policy of one statement."""
    statement = {
        "Effect": effect,
        "Principal": principal,
        "Action": action,
        "Resource": queue_arn("q"),
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement | more]})


@on_loop
async def test_queues_are_listed_by_name_in_pages(sqs: FakeSqs) -> None:
    """By prefix; the account's and region's own; a token only for those who ask for pages."""
    urls = [await sqs.queue(name) for name in ("b2", "a", "b1", "b3")]
    await sqs.call("CreateQueue", {"QueueName": "b4"}, STRANGER)
    await sqs.call("CreateQueue", {"QueueName": "b5"}, ELSEWHERE)
    assert (await sqs("ListQueues"))["QueueUrls"] == sorted(urls)
    first = await sqs("ListQueues", QueueNamePrefix="b", MaxResults=2)
    assert [url.rpartition("/")[2] for url in first["QueueUrls"]] == ["b1", "b2"]
    token = first["NextToken"]
    rest = await sqs("ListQueues", QueueNamePrefix="b", MaxResults=2, NextToken=token)
    assert [url.rpartition("/")[2] for url in rest["QueueUrls"]] == ["b3"]
    assert "NextToken" not in rest
    assert await sqs("ListQueues", QueueNamePrefix="x") == {}
    for bad in ({"MaxResults": 0}, {"MaxResults": 1001}, {"NextToken": "é"}, {"NextToken": "_"}):
        assert (await sqs.refused("ListQueues", bad)).code == "InvalidParameterValue"


@settings(deadline=None)
@given(
    names=st.sets(st.text("ab-_1", min_size=1, max_size=4), max_size=12),
    prefix=st.text("ab", max_size=2),
    size=st.integers(1, 5),
)
def test_pages_are_the_whole_in_order(names: set[str], prefix: str, size: int) -> None:
    """However long a page is, each queue is on one page, and a token leads on as long as there is more."""

    @on_loop
    async def run() -> None:
        sqs = FakeSqs()
        for name in names:
            await sqs.queue(name)
        found: list[str] = []
        asked: dict[str, Any] = {"QueueNamePrefix": prefix, "MaxResults": size}
        while True:
            page = await sqs("ListQueues", **asked)
            found += page.get("QueueUrls", [])
            if "NextToken" not in page:
                break
            assert len(page["QueueUrls"]) == size
            asked["NextToken"] = page["NextToken"]
        wanted = sorted(name for name in names if name.startswith(prefix))
        assert [url.rpartition("/")[2] for url in found] == wanted

    run()


@on_loop
async def test_tags_are_added_replaced_and_removed(sqs: FakeSqs) -> None:
    """At most fifty; a queue may be created with some."""
    answer = await sqs("CreateQueue", QueueName="q", tags={"a": "1"})
    url = answer["QueueUrl"]
    await sqs("TagQueue", QueueUrl=url, Tags={"a": "2", "b": ""})
    await sqs("UntagQueue", QueueUrl=url, TagKeys=["c"])
    assert await sqs("ListQueueTags", QueueUrl=url) == {"Tags": {"a": "2", "b": ""}}
    await sqs("UntagQueue", QueueUrl=url, TagKeys=["a", "b"])
    assert await sqs("ListQueueTags", QueueUrl=url) == {}
    for bad in ({"aws:x": "1"}, {"": "1"}, {"x" * 129: "1"}, {"x": "y" * 257}, {"x": "\0"},
                {str(n): "1" for n in range(51)}):  # fmt: skip
        error = await sqs.refused("TagQueue", {"QueueUrl": url, "Tags": bad})
        assert error.code == "InvalidParameterValue"


@on_loop
async def test_permissions_come_and_go_by_label(sqs: FakeSqs) -> None:
    """As statements of the policy, written as AWS writes them."""
    url = await sqs.queue()
    grant = {"QueueUrl": url, "Label": "l", "AWSAccountIds": ["111111111111"]}
    await sqs("AddPermission", **grant, Actions=["ReceiveMessage"])
    shown = json.loads((await sqs.attributes(url, "Policy"))["Policy"])
    assert shown == {
        "Version": "2008-10-17",
        "Id": f"{queue_arn('q')}/SQSDefaultPolicy",
        "Statement": [
            {
                "Sid": "l",
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
                "Action": "SQS:ReceiveMessage",
                "Resource": queue_arn("q"),
            }
        ],
    }
    assert await sqs.call("ReceiveMessage", {"QueueUrl": url}, STRANGER) == {}
    again = grant | {"Actions": ["SendMessage"]}
    error = await sqs.refused("AddPermission", again)
    assert error.message == "Value l for parameter Label is invalid. Reason: Already exists."
    await sqs("RemovePermission", QueueUrl=url, Label="l")
    assert await sqs.attributes(url, "Policy") == {}
    error = await sqs.refused("RemovePermission", {"QueueUrl": url, "Label": "l"})
    assert error.message == "Value l for parameter Label is invalid. Reason: can't find label."


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        ({"Actions": ["CreateQueue"]}, "InvalidParameterValue", "Only the queue owner"),
        ({"Actions": ["Nothing"]}, "InvalidParameterValue", "Please refer to the appropriate WSDL"),
        ({"Actions": []}, "MissingParameter", "Actions"),
        ({"Actions": ["SendMessage"] * 8}, "OverLimit", "8 Actions were found, maximum allowed is 7."),
        ({"AWSAccountIds": ["x"]}, "InvalidParameterValue", "Unable to verify."),
        ({"AWSAccountIds": []}, "MissingParameter", "AWSAccountIds"),
        ({"Label": "a b"}, "InvalidParameterValue", "Label"),
    ],
)  # fmt: skip
def test_permissions_that_cannot_be(
    sqs: FakeSqs, changes: dict[str, Any], code: str, text: str
) -> None:
    """The queue's policy stays as it was."""

    @on_loop
    async def run() -> None:
        url = await sqs.queue()
        good = {"QueueUrl": url, "Label": "l", "AWSAccountIds": ["111111111111"],
                "Actions": ["*"]}  # fmt: skip
        error = await sqs.refused("AddPermission", good | changes)
        assert error.code == code
        assert text in error.message
        assert await sqs.attributes(url, "Policy") == {}

    run()


@on_loop
async def test_another_account_needs_to_be_allowed(sqs: FakeSqs) -> None:
    """And is refused what no policy can allow; of the queue's URL it learns nothing."""
    url = await sqs.queue()
    send = {"QueueUrl": url, "MessageBody": "x"}
    named = {"QueueName": "q", "QueueOwnerAWSAccountId": "000000000000"}
    error = await sqs.refused("SendMessage", send, STRANGER)
    assert (error.code, error.status) == ("AccessDenied", 403)
    assert (await sqs.refused("GetQueueUrl", named, STRANGER)).code == "QueueDoesNotExist"
    await sqs("SetQueueAttributes", QueueUrl=url, Attributes={"Policy": policy("Allow")})
    await sqs.call("SendMessage", send, STRANGER)
    entries = {"QueueUrl": url, "Entries": [{"Id": "a", "MessageBody": "x"}]}
    await sqs.call("SendMessageBatch", entries, STRANGER)
    assert await sqs.call("GetQueueUrl", named, STRANGER) == {"QueueUrl": url}
    error = await sqs.refused("DeleteQueue", {"QueueUrl": url}, STRANGER)
    assert error.code == "AccessDenied"


@on_loop
async def test_the_owner_is_refused_by_a_deny_only(sqs: FakeSqs) -> None:
    """A policy that allows others says nothing of it."""
    url = await sqs.queue(Policy=policy("Allow", principal={"AWS": "111111111111"}))
    await sqs.send(url)
    denied = {"Policy": policy("Deny", "sqs:SendMessage")}
    await sqs("SetQueueAttributes", QueueUrl=url, Attributes=denied)
    error = await sqs.refused("SendMessage", {"QueueUrl": url, "MessageBody": "x"})
    assert error.code == "AccessDenied"
    assert error.message.startswith(
        "User: arn:aws:iam::000000000000:root is not authorized to perform: sqs:sendmessage "
        f"on resource: {queue_arn('q')} with an explicit deny"
    )
    assert await sqs.bodies(url) == ["hello"]


@on_loop
async def test_a_queue_is_one_regions(sqs: FakeSqs) -> None:
    """The same URL in another region is another queue."""
    url = await sqs.queue()
    sent = {"QueueUrl": url, "MessageBody": "x"}
    assert (await sqs.refused("SendMessage", sent, ELSEWHERE)).code == "QueueDoesNotExist"
    assert await sqs("GetQueueUrl", QueueName="q") == {"QueueUrl": url}
    assert (await sqs.refused("GetQueueUrl", {"QueueName": "r"})).code == "QueueDoesNotExist"
