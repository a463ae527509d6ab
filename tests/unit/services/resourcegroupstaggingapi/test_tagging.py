"""Which resources are found by their tags, and how what is found is paged."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.call import Call, Caller
from lambent.model.errors import AwsError, PlatformFault, not_found
from lambent.services.resourcegroupstaggingapi.registry import OPERATIONS
from lambent.services.resourcegroupstaggingapi.selection import has_type, page, type_of
from lambent.services.resourcegroupstaggingapi.service import Tagging
from lambent.testing.loop import on_loop

OWN = "000000000000"
F = f"arn:aws:lambda:us-east-1:{OWN}:function:f"
G = f"arn:aws:lambda:us-east-1:{OWN}:function:g"
QUEUE = f"arn:aws:sqs:us-east-1:{OWN}:q"


class FakeTags:
    """A service with tags in a dictionary."""

    def __init__(self, types: Sequence[str], **tagged: Mapping[str, str]) -> None:
        self.types = types
        self.tagged: dict[str, dict[str, str]] = {}
        self.error: AwsError | None = None

    async def list_tagged(self, account_id: str, region: str) -> Mapping[str, Mapping[str, str]]:
        return {a: t for a, t in self.tagged.items() if f":{region}:{account_id}:" in a and t}

    async def tag(self, caller: Caller, arn: str, tags: Mapping[str, str]) -> None:
        if self.error is not None:
            raise self.error
        self.tagged.setdefault(arn, {}).update(tags)

    async def untag(self, caller: Caller, arn: str, keys: Sequence[str]) -> None:
        for key in keys:
            self.tagged[arn].pop(key, None)


@pytest.fixture
def tagging() -> Tagging:
    """Functions and queues, three of them tagged."""
    functions, queues = FakeTags(["lambda:function"]), FakeTags(["sqs:queue"])
    functions.tagged = {F: {"team": "a", "stage": "prod"}, G: {"team": "b", "empty": ""}}
    queues.tagged = {QUEUE: {"team": "a"}}
    return Tagging({"lambda": functions, "sqs": queues})


async def _ask(tagging: Tagging, operation: str, **parameters: Any) -> Any:
    caller = Caller(OWN, "us-east-1", "r")
    call = Call("resourcegroupstaggingapi", operation, parameters, caller)
    return (await OPERATIONS[operation](tagging, call)).output


@pytest.mark.parametrize(
    ("parameters", "arns"),
    [
        ({}, [F, G, QUEUE]),
        ({"TagFilters": [{"Key": "team", "Values": ["a"]}]}, [F, QUEUE]),
        ({"TagFilters": [{"Key": "team", "Values": ["a", "b"]}]}, [F, G, QUEUE]),
        ({"TagFilters": [{"Key": "stage"}]}, [F]),
        ({"TagFilters": [{"Key": "team", "Values": ["a"]}, {"Key": "stage"}]}, [F]),
        ({"TagFilters": [{"Key": "empty", "Values": [""]}]}, [G]),
        ({"ResourceTypeFilters": ["lambda"]}, [F, G]),
        ({"ResourceTypeFilters": ["sqs:queue", "lambda:function"]}, [F, G, QUEUE]),
        ({"ResourceTypeFilters": ["sqs"], "TagFilters": [{"Key": "stage"}]}, []),
        ({"ResourceARNList": [G]}, [G]),
    ],
)
@on_loop
async def test_filters(tagging: Any, parameters: dict[str, Any], arns: list[str]) -> None:
    """All filters hold, any value of one does; types are a service's or one resource's."""
    answer = await _ask(tagging, "GetResources", **parameters)
    assert [one["ResourceARN"] for one in answer["ResourceTagMappingList"]] == arns
    assert answer["PaginationToken"] == ""


@on_loop
async def test_keys_and_values(tagging: Any) -> None:
    """Every key in use, every value of one, the empty one too."""
    assert (await _ask(tagging, "GetTagKeys"))["TagKeys"] == ["empty", "stage", "team"]
    assert (await _ask(tagging, "GetTagValues", Key="team"))["TagValues"] == ["a", "b"]
    assert (await _ask(tagging, "GetTagValues", Key="empty"))["TagValues"] == [""]


@on_loop
async def test_each_resource_is_tagged_on_its_own(tagging: Any) -> None:
    """What cannot be is named with the reason, the others are done."""
    bucket, other = "arn:aws:s3:::b", f"arn:aws:sqs:eu-west-1:{OWN}:q"
    tagging.services["sqs"].error = not_found("no such queue")
    arns = [F, bucket, other, QUEUE, "nonsense"]
    failed = await _ask(tagging, "TagResources", ResourceARNList=arns, Tags={"x": "1"})
    assert failed["FailedResourcesMap"].keys() == {bucket, other, QUEUE, "nonsense"}
    assert failed["FailedResourcesMap"][QUEUE] == {
        "StatusCode": 404,
        "ErrorCode": "InvalidParameterException",
        "ErrorMessage": "no such queue",
    }
    assert tagging.services["lambda"].tagged[F]["x"] == "1"
    tagging.services["sqs"].error = PlatformFault("full")
    failed = await _ask(tagging, "TagResources", ResourceARNList=[QUEUE], Tags={"x": "1"})
    assert failed["FailedResourcesMap"][QUEUE]["ErrorCode"] == "InternalServiceException"
    assert await _ask(tagging, "UntagResources", ResourceARNList=[F], TagKeys=["x"]) == {
        "FailedResourcesMap": {}
    }
    assert "x" not in tagging.services["lambda"].tagged[F]


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"PaginationToken": "ä"}, "InvalidParameterException"),
        ({"ResourcesPerPage": 101}, "InvalidParameterException"),
        ({"TagsPerPage": 150}, "InvalidParameterException"),
        ({"TagFilters": [{"Values": ["a"]}]}, "InvalidParameterException"),
        ({"ResourceARNList": [F], "TagFilters": [{"Key": "a"}]}, "InvalidParameterException"),
        ({"ResourceTypeFilters": ["ec2:instance"]}, "NotImplementedException"),
        ({"IncludeComplianceDetails": True}, "NotImplementedException"),
    ],
)
@on_loop
async def test_refusals(tagging: Any, parameters: dict[str, Any], code: str) -> None:
    """What makes no sense, or is not there, is refused."""
    with pytest.raises(AwsError) as refused:
        await _ask(tagging, "GetResources", **parameters)
    assert refused.value.code == code


@given(st.sets(st.text(min_size=1, max_size=5)), st.integers(1, 5), st.integers(1, 3))
def test_pages_are_the_whole(names: set[str], size: int, cost: int) -> None:
    """However small, they hold everything once, in order, and end."""
    whole = sorted(names)
    seen: list[str] = []
    token: str | None = None
    while token != "":
        taken, token = page(whole, str, token, size, lambda _: cost, 2)
        assert len(taken) <= size
        seen += taken
        assert taken or not whole
    assert seen == whole


@pytest.mark.parametrize(
    ("arn", "kind"),
    [
        (F, "lambda:function"),
        ("arn:aws:lambda:r:a:event-source-mapping:1", "lambda:event-source-mapping"),
        (QUEUE, "sqs:queue"),
        ("arn:aws:sns:r:a:t", "sns:topic"),
        ("arn:aws:logs:r:a:log-group:/aws/lambda/f", "logs:log-group"),
    ],
)
def test_types(arn: str, kind: str) -> None:
    """A resource's type is in its ARN, or its service's only one."""
    assert type_of(arn) == kind
    assert has_type(arn, [kind])
    assert has_type(arn, [])
    assert not has_type(arn, ["ec2"])
