"""Tags of functions."""

from typing import Any

import pytest

from lambent.model.errors import ClientFault

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"


def test_tags_are_added_changed_and_removed(client: Any) -> None:
    """Tags add up, a key takes its last value, and removing an unknown key is no error."""
    client.create(Tags={"a": "1"})
    assert client.result("TagResource", Resource=ARN, Tags={"a": "2", "b": "3"}).status == 204
    assert client("ListTags", Resource=ARN) == {"Tags": {"a": "2", "b": "3"}}
    client("UntagResource", Resource=ARN, TagKeys=["a", "unknown"])
    assert client("ListTags", Resource=ARN) == {"Tags": {"b": "3"}}
    assert client("GetFunction", FunctionName="f")["Tags"] == {"b": "3"}


@pytest.mark.parametrize(
    ("resource", "tags", "status", "message"),
    [
        (ARN, {}, 400, "An error occurred and the request cannot be processed."),
        (
            f"{ARN}:1",
            {"k": "v"},
            400,
            (
                "Tags on function aliases and versions are not supported. "
                "Please specify a function ARN."
            ),
        ),
        (f"{ARN}2", {"k": "v"}, 404, f"Function not found: {ARN}2"),
        (
            ARN,
            {f"k{number}": "" for number in range(50)},
            400,
            "Number of tags exceeds resource tag limit.",
        ),
        (
            ARN,
            {"aws:k": "v"},
            400,
            "aws: prefixed tag key names are not allowed for external use.",
        ),
    ],
)
def test_tag_refuses_with_awss_words(
    client: Any, resource: str, tags: dict[str, str], status: int, message: str
) -> None:
    """Tags that cannot be are refused, and none of them is kept."""
    client.create(Tags={"first": ""})
    with pytest.raises(ClientFault) as refused:
        client("TagResource", Resource=resource, Tags=tags)
    assert (refused.value.status, refused.value.message) == (status, message)
    assert client("ListTags", Resource=ARN) == {"Tags": {"first": ""}}


def test_kinds_of_resources_we_have_not_are_not_found(client: Any) -> None:
    """A code signing configuration is 404: there is none here."""
    arn = "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-1"
    with pytest.raises(ClientFault) as missing:
        client("ListTags", Resource=arn)
    assert missing.value.status == 404
