"""services.logs groups, streams and tags."""

from collections.abc import Callable
from typing import Any

import pytest

from lambent.model.errors import AwsError

NOW_MS = 1_760_000_000_000
ARN = "arn:aws:logs:us-east-1:000000000000:log-group:g"
Ask = Callable[..., Any]


def names(output: Any) -> list[str]:
    return [group["logGroupName"] for group in output["logGroups"]]


def streams(output: Any) -> list[str]:
    return [stream["logStreamName"] for stream in output["logStreams"]]


def test_a_group_as_aws_describes_it(ask: Ask, say: Any) -> None:
    """A described group has its ARNs, times and bytes; retention only when one is set."""
    ask("CreateLogGroup", logGroupName="g")
    say("12345")
    (group,) = ask("DescribeLogGroups")["logGroups"]
    assert group == {
        "logGroupName": "g",
        "creationTime": NOW_MS,
        "arn": f"{ARN}:*",
        "logGroupArn": ARN,
        "metricFilterCount": 0,
        "storedBytes": 31,
        "logGroupClass": "STANDARD",
    }
    ask("PutRetentionPolicy", logGroupName="g", retentionInDays=7)
    assert ask("DescribeLogGroups")["logGroups"][0]["retentionInDays"] == 7
    ask("DeleteRetentionPolicy", logGroupName="g")
    assert "retentionInDays" not in ask("DescribeLogGroups")["logGroups"][0]


def test_groups_are_filtered_and_paged(ask: Ask) -> None:
    """Prefix, part of the name and identifiers narrow the list; pages hold each name once."""
    for name in ("b/two", "a/one", "a/Two", "c%"):
        ask("CreateLogGroup", logGroupName=name)
    first = ask("DescribeLogGroups", limit=3)
    rest = ask("DescribeLogGroups", limit=3, nextToken=first["nextToken"])
    assert names(first) + names(rest) == ["a/Two", "a/one", "b/two", "c%"]
    assert "nextToken" not in rest
    assert names(ask("DescribeLogGroups", logGroupNamePrefix="a/")) == ["a/Two", "a/one"]
    found = ask("DescribeLogGroups", logGroupNamePattern="two")
    assert names(found) == ["b/two"]
    assert set(found["logGroups"][0]) == {"logGroupName", "creationTime", "arn"}
    assert names(ask("DescribeLogGroups", logGroupIdentifiers=["a/one", f"{ARN[:-1]}c%"])) == [
        "a/one",
        "c%",
    ]
    with pytest.raises(AwsError, match="mutually exclusive"):
        ask("DescribeLogGroups", logGroupNamePrefix="a", logGroupNamePattern="b")
    with pytest.raises(AwsError, match="nextToken is invalid"):
        ask("DescribeLogGroups", nextToken="\u00e9")


def test_accounts_are_apart(ask: Ask, say: Any) -> None:
    """A group of one account is neither seen nor in the way in another."""
    say("x")
    assert ask("DescribeLogGroups", account="111111111111")["logGroups"] == []
    ask("CreateLogGroup", account="111111111111", logGroupName="g")
    assert ask("FilterLogEvents", account="111111111111", logGroupName="g")["events"] == []


def test_a_group_exists_once_until_deleted(ask: Ask, say: Any) -> None:
    """Creating again is refused, even when events made it; deleting takes its events along."""
    say("x")
    with pytest.raises(AwsError) as error:
        ask("CreateLogGroup", logGroupName="g")
    assert (error.value.code, error.value.message, error.value.status) == (
        "ResourceAlreadyExistsException",
        "The specified log group already exists",
        400,
    )
    ask("DeleteLogGroup", logGroupName="g")
    with pytest.raises(AwsError, match=r"The specified log group does not exist\."):
        ask("DeleteLogGroup", logGroupName="g")
    say("y")
    assert [e["message"] for e in ask("FilterLogEvents", logGroupName="g")["events"]] == ["y"]


@pytest.mark.parametrize(
    "parameters",
    [
        {"kmsKeyId": "key"},
        {"logGroupClass": "INFREQUENT_ACCESS"},
        {"deletionProtectionEnabled": True},
    ],
)
def test_what_is_not_obeyed_is_refused(ask: Ask, parameters: dict[str, Any]) -> None:
    """A setting we would not obey is refused, and no group is created."""
    with pytest.raises(AwsError) as error:
        ask("CreateLogGroup", logGroupName="g", **parameters)
    assert error.value.status == 501
    assert ask("DescribeLogGroups")["logGroups"] == []


def test_bad_values_of_groups(ask: Ask) -> None:
    """A name under aws/ and a retention AWS has not are refused."""
    with pytest.raises(AwsError, match="aws/"):
        ask("CreateLogGroup", logGroupName="aws/x")
    ask("CreateLogGroup", logGroupName="g")
    with pytest.raises(AwsError, match="enum value set") as error:
        ask("PutRetentionPolicy", logGroupName="g", retentionInDays=2)
    assert error.value.code == "InvalidParameterException"


def test_a_stream_as_aws_describes_it(ask: Ask, say: Any) -> None:
    """A stream has event times only when it has events, and never stored bytes."""
    ask("CreateLogGroup", logGroupName="g")
    ask("CreateLogStream", logGroupName="g", logStreamName="s")
    empty = {
        "logStreamName": "s",
        "creationTime": NOW_MS,
        "arn": f"{ARN}:log-stream:s",
        "storedBytes": 0,
    }
    assert ask("DescribeLogStreams", logGroupName="g")["logStreams"] == [empty]
    say("x", at=5)
    say("y", at=3)
    (stream,) = ask("DescribeLogStreams", logGroupIdentifier=f"{ARN}:*")["logStreams"]
    assert len(stream.pop("uploadSequenceToken")) == 56
    assert stream == empty | {
        "firstEventTimestamp": NOW_MS + 3,
        "lastEventTimestamp": NOW_MS + 5,
        "lastIngestionTime": NOW_MS,
    }


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("order", ["LogStreamName", "LastEventTime"])
def test_streams_are_ordered_and_paged(ask: Ask, say: Any, order: str, descending: bool) -> None:
    """Pages hold every stream once, by name or by last event, either way."""
    for at, name in ((9, "a"), (5, "b"), (5, "c"), (7, "d")):
        say("x", at=at, stream=name)
    expected = list("abcd" if order == "LogStreamName" else "bcda")
    seen: list[str] = []
    more: dict[str, Any] = {}
    while True:
        output = ask(
            "DescribeLogStreams",
            logGroupName="g",
            orderBy=order,
            descending=descending,
            limit=2,
            **more,
        )
        seen += streams(output)
        if "nextToken" not in output:
            break
        more = {"nextToken": output["nextToken"]}
    assert seen == (expected[::-1] if descending else expected)


def test_streams_by_prefix_and_their_errors(ask: Ask, say: Any) -> None:
    """A prefix narrows the list; contradicting parameters are refused."""
    for name in ("2026/01/a", "2026/02/b"):
        say("x", stream=name)
    found = ask("DescribeLogStreams", logGroupName="g", logStreamNamePrefix="2026/01")
    assert streams(found) == ["2026/01/a"]
    for wrong in (
        {"logGroupName": "g", "logStreamNamePrefix": "2", "orderBy": "LastEventTime"},
        {"logGroupName": "g", "orderBy": "LastEventTime", "nextToken": "YQ=="},
        {"logGroupName": "g", "logGroupIdentifier": "g"},
        {},
    ):
        with pytest.raises(AwsError) as error:
            ask("DescribeLogStreams", **wrong)
        assert error.value.code == "InvalidParameterException"
    with pytest.raises(AwsError) as error:
        ask("DescribeLogStreams", logGroupIdentifier=ARN.replace("0" * 12, "1" * 12))
    assert error.value.code == "ResourceNotFoundException"


def test_a_stream_exists_once_until_deleted(ask: Ask, say: Any) -> None:
    """Creating again is refused; deleting takes its events along and leaves other streams."""
    say("x")
    say("y", stream="t")
    with pytest.raises(AwsError, match="The specified log stream already exists"):
        ask("CreateLogStream", logGroupName="g", logStreamName="s")
    ask("DeleteLogStream", logGroupName="g", logStreamName="s")
    assert streams(ask("DescribeLogStreams", logGroupName="g")) == ["t"]
    assert [e["message"] for e in ask("FilterLogEvents", logGroupName="g")["events"]] == ["y"]


def test_an_explicit_stream_outlives_its_events(ask: Ask, say: Any, logs: Any, clock: Any) -> None:
    """Retention empties a created stream but keeps it, so its creator can go on writing."""
    ask("CreateLogGroup", logGroupName="g")
    ask("CreateLogStream", logGroupName="g", logStreamName="s")
    say("x")
    say("y", stream="implicit")
    ask("PutRetentionPolicy", logGroupName="g", retentionInDays=1)
    clock.ms += 2 * 24 * 3_600_000
    logs.store.expire(clock())
    assert streams(ask("DescribeLogStreams", logGroupName="g")) == ["s"]


def test_tags(ask: Ask) -> None:
    """Tags given at creation or later are listed, replaced and removed, by ARN and by name."""
    ask("CreateLogGroup", logGroupName="g", tags={"a": "1"})
    ask("TagResource", resourceArn=ARN, tags={"a": "2", "b": "3"})
    assert ask("ListTagsForResource", resourceArn=ARN) == {"tags": {"a": "2", "b": "3"}}
    ask("UntagResource", resourceArn=ARN, tagKeys=["a", "never"])
    ask("TagLogGroup", logGroupName="g", tags={"c": "4"})
    ask("UntagLogGroup", logGroupName="g", tags=["b"])
    assert ask("ListTagsLogGroup", logGroupName="g") == {"tags": {"c": "4"}}
    with pytest.raises(AwsError) as error:
        ask("TagResource", resourceArn=ARN, tags={str(number): "" for number in range(50)})
    assert error.value.code == "TooManyTagsException"
    for arn in (f"{ARN}x", "arn:aws:sqs:us-east-1:000000000000:g"):
        with pytest.raises(AwsError) as error:
            ask("ListTagsForResource", resourceArn=arn)
        assert error.value.code == "ResourceNotFoundException"
