"""Creating, getting, listing and deleting functions."""

import base64
import hashlib
import re
from typing import Any

import pytest

from lambent.model.errors import ClientFault

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def test_create_answers_exactly_awss_members(client: Any) -> None:
    """A created function is answered Pending, with AWS's defaults and no member AWS leaves out."""
    code = {"app.py": "x = 1"}
    output = client.create("f", code)
    content = client.zip_of(code)
    assert UUID.fullmatch(output.pop("RevisionId"))
    assert output == {
        "FunctionName": "f",
        "FunctionArn": ARN,
        "Runtime": "python3.12",
        "Role": "arn:aws:iam::000000000000:role/r",
        "Handler": "app.handler",
        "CodeSize": len(content),
        "Description": "",
        "Timeout": 3,
        "MemorySize": 128,
        "LastModified": "2026-01-31T12:00:00.000+0000",
        "CodeSha256": base64.b64encode(hashlib.sha256(content).digest()).decode(),
        "Version": "$LATEST",
        "TracingConfig": {"Mode": "PassThrough"},
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/aws/lambda/f"},
        "State": "Pending",
        "StateReason": "The function is being created.",
        "StateReasonCode": "Creating",
    }


def test_environment_given_without_variables_is_shown(client: Any) -> None:
    """AWS shows an empty Environment exactly when empty Variables were given."""
    assert client.create(Environment={"Variables": {}})["Environment"] == {"Variables": {}}
    output = client("UpdateFunctionConfiguration", FunctionName="f", Environment={})
    assert "Environment" not in output


def test_created_function_becomes_active(client: Any) -> None:
    """After its work is done a function is Active and its update Successful, without reasons."""
    client.create()
    output = client("GetFunctionConfiguration", FunctionName="f")
    states = {member: output[member] for member in output if "Stat" in member}
    assert states == {"State": "Active", "LastUpdateStatus": "Successful"}


def test_create_keeps_every_setting(client: Any) -> None:
    """What is set at creation is what is answered later."""
    given = {
        "Description": "d",
        "Timeout": 900,
        "MemorySize": 10240,
        "Environment": {"Variables": {"A": "1"}},
        "EphemeralStorage": {"Size": 10240},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/mine"},
        "Architectures": ["x86_64"],
    }
    client.create(**given)
    output = client("GetFunctionConfiguration", FunctionName="f")
    assert {member: output[member] for member in given} == given


def test_create_with_publish_answers_version_1(client: Any) -> None:
    """Publish=True makes and answers version 1 beside $LATEST."""
    assert client.create(Publish=True)["Version"] == "1"
    versions = client("ListVersionsByFunction", FunctionName="f")["Versions"]
    assert [version["Version"] for version in versions] == ["$LATEST", "1"]


def test_create_refuses_a_second_function_of_a_name(client: Any) -> None:
    """A name is taken once, by AWS's message."""
    client.create()
    with pytest.raises(ClientFault) as refused:
        client.create()
    assert (refused.value.code, refused.value.status) == ("ResourceConflictException", 409)
    assert refused.value.message == "Function already exist: f"


def test_create_refuses_a_qualified_name(client: Any) -> None:
    """A new function cannot be named by one of its versions."""
    with pytest.raises(ClientFault) as refused:
        client.create("f:1")
    assert refused.value.code == "ValidationException"


def test_get_function_answers_code_and_tags(client: Any) -> None:
    """GetFunction tells where the zip is, under the caller's endpoint, and the tags if any."""
    client.create("f", {"a.py": "1"}, Tags={"k": "v"})
    client.create("bare")
    sha256 = hashlib.sha256(client.zip_of({"a.py": "1"})).hexdigest()
    output = client("GetFunction", FunctionName="f")
    location = f"http://127.0.0.1:4566/_lambent/code/{sha256}"
    assert output["Code"] == {"RepositoryType": "S3", "Location": location}
    assert output["Tags"] == {"k": "v"}
    assert "Tags" not in client("GetFunction", FunctionName="bare")


@pytest.mark.parametrize(
    ("name", "qualifier", "arn"),
    [
        ("nope", None, "arn:aws:lambda:us-east-1:000000000000:function:nope"),
        ("nope", "1", "arn:aws:lambda:us-east-1:000000000000:function:nope:1"),
        ("f", "7", f"{ARN}:7"),
        ("f:live", None, f"{ARN}:live"),
    ],
)
def test_get_function_not_found(client: Any, name: str, qualifier: str | None, arn: str) -> None:
    """What is not there is named by its ARN, with the qualifier that was asked for."""
    client.create()
    with pytest.raises(ClientFault) as missing:
        client("GetFunction", FunctionName=name, Qualifier=qualifier)
    assert (missing.value.code, missing.value.status) == ("ResourceNotFoundException", 404)
    assert missing.value.message == f"Function not found: {arn}"


def test_get_qualified_shows_the_qualifier_in_the_arn(client: Any) -> None:
    """The ARN in an answer carries the qualifier of the question."""
    client.create(Publish=True)
    assert client("GetFunction", FunctionName="f")["Configuration"]["FunctionArn"] == ARN
    output = client("GetFunctionConfiguration", FunctionName=f"{ARN}:1")
    assert (output["FunctionArn"], output["Version"]) == (f"{ARN}:1", "1")


def test_list_functions_pages_by_opaque_markers(client: Any) -> None:
    """Following NextMarker gives every function once, whatever the size of a page."""
    for name in "dbaec":
        client.create(name)
    seen: list[str] = []
    marker = None
    while True:
        output = client("ListFunctions", MaxItems=2, Marker=marker)
        seen += [function["FunctionName"] for function in output["Functions"]]
        marker = output.get("NextMarker")
        if marker is None:
            break
    assert seen == list("abcde")


def test_list_functions_all_versions(client: Any) -> None:
    """FunctionVersion=ALL lists $LATEST and the published versions, with qualified ARNs."""
    client.create(Publish=True)
    first = client("ListFunctions", FunctionVersion="ALL", MaxItems=1)
    second = client("ListFunctions", FunctionVersion="ALL", Marker=first["NextMarker"])
    listed = [*first["Functions"], *second["Functions"]]
    assert [function["FunctionArn"] for function in listed] == [f"{ARN}:$LATEST", f"{ARN}:1"]


def test_lists_leave_out_states(client: Any) -> None:
    """A list has no State, as AWS's has none."""
    client.create()
    (listed,) = client("ListFunctions")["Functions"]
    assert not [member for member in listed if "Stat" in member]


def test_list_functions_is_by_account_and_region(client: Any) -> None:
    """A caller sees the functions of its own account and region only."""
    client.create()
    client.region = "eu-west-1"
    assert client("ListFunctions")["Functions"] == []


@pytest.mark.parametrize("marker", ["%%%", "WzFd", "eyJhIjoxfQ==", "nonsense"])
def test_foreign_marker_is_refused(client: Any, marker: str) -> None:
    """A marker we did not give is refused, not guessed at."""
    with pytest.raises(ClientFault, match="Invalid Marker"):
        client("ListFunctions", Marker=marker)


def test_delete_function_takes_all_with_it(client: Any, changed: list[str]) -> None:
    """A deleted function is gone with its versions and tags, and the invocation path is told."""
    client.create(Publish=True, Tags={"k": "v"})
    changed.clear()
    assert client.result("DeleteFunction", FunctionName="f").status == 204
    assert changed == [ARN]
    with pytest.raises(ClientFault, match=f"Function not found: {ARN}"):
        client("GetFunction", FunctionName="f")
    client.create()
    assert "Tags" not in client("GetFunction", FunctionName="f")


def test_delete_not_found(client: Any) -> None:
    """Deleting what is not there is AWS's 404."""
    with pytest.raises(ClientFault) as missing:
        client("DeleteFunction", FunctionName="f")
    assert missing.value.message == f"Function not found: {ARN}"


@pytest.mark.parametrize(
    ("qualifier", "message"),
    [
        ("$LATEST", "$LATEST version cannot be deleted without deleting the function."),
        ("live", "Deletion of aliases is not currently supported."),
    ],
)
def test_delete_refuses_what_is_no_number(client: Any, qualifier: str, message: str) -> None:
    """Only numbered versions can be deleted alone."""
    client.create()
    with pytest.raises(ClientFault) as refused:
        client("DeleteFunction", FunctionName="f", Qualifier=qualifier)
    assert (refused.value.code, refused.value.message) == (
        "InvalidParameterValueException",
        message,
    )


def test_delete_of_a_version_leaves_the_rest(client: Any) -> None:
    """One version goes alone, and a version that is not there goes as quietly."""
    client.create(Publish=True)
    for qualifier in ("1", "9"):
        client("DeleteFunction", FunctionName="f", Qualifier=qualifier)
    versions = client("ListVersionsByFunction", FunctionName="f")["Versions"]
    assert [version["Version"] for version in versions] == ["$LATEST"]


def test_another_region_and_account_are_out_of_reach(client: Any) -> None:
    """An ARN of another region is 404, of another account 403."""
    with pytest.raises(ClientFault) as region:
        client("GetFunction", FunctionName=ARN.replace("us-east-1", "eu-west-1"))
    assert region.value.message == (
        "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"
    )
    with pytest.raises(ClientFault) as account:
        client("GetFunction", FunctionName=ARN.replace("000000000000", "111111111111"))
    assert (account.value.code, account.value.status) == ("AccessDeniedException", 403)


def test_master_region_is_of_replicas(client: Any) -> None:
    """ALL lists everything, a region the replicas from there: none; both need FunctionVersion."""
    client.create(Publish=True)
    every = client("ListFunctions", FunctionVersion="ALL")
    assert client("ListFunctions", FunctionVersion="ALL", MasterRegion="ALL") == every
    edge = client("ListFunctions", FunctionVersion="ALL", MasterRegion="us-east-1")
    assert edge == {"Functions": []}
    with pytest.raises(ClientFault) as refused:
        client("ListFunctions", MasterRegion="ALL")
    assert refused.value.code == "InvalidParameterValueException"
