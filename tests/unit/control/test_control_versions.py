"""Updates of $LATEST and the versions published from it."""

import base64
import hashlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambent.control.reset import reset
from lambent.model.errors import ClientFault

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
STALE = (
    "The Revision Id provided does not match the latest Revision Id. "
    "Call the GetFunction/GetAlias API to retrieve the latest Revision Id"
)


def _version_names(client: Any) -> list[str]:
    listed = client("ListVersionsByFunction", FunctionName="f")["Versions"]
    return [version["Version"] for version in listed]


def _update_code(client: Any, text: str, **more: Any) -> dict[str, Any]:
    content = client.zip_of({"app.py": text})
    output: dict[str, Any] = client("UpdateFunctionCode", FunctionName="f", ZipFile=content, **more)
    return output


def test_update_code_is_in_progress_then_successful(client: Any) -> None:
    """New code is answered InProgress, with AWS's reason, and is taken over right after."""
    client.create()
    output = _update_code(client, "x = 2")
    states = {member: output[member] for member in output if "Stat" in member}
    assert states == {
        "State": "Active",
        "LastUpdateStatus": "InProgress",
        "LastUpdateStatusReason": "The function is being created.",
        "LastUpdateStatusReasonCode": "Creating",
    }
    sha256 = hashlib.sha256(client.zip_of({"app.py": "x = 2"})).digest()
    after = client("GetFunctionConfiguration", FunctionName="f")
    assert after["CodeSha256"] == base64.b64encode(sha256).decode()
    assert (after["LastUpdateStatus"], after["State"]) == ("Successful", "Active")
    assert "LastUpdateStatusReason" not in after


def test_update_code_dry_run_changes_nothing(client: Any) -> None:
    """DryRun tells the digest of the new code, and leaves the function as it was."""
    client.create()
    before = client("GetFunctionConfiguration", FunctionName="f")
    output = _update_code(client, "x = 3", DryRun=True)
    assert output["CodeSha256"] != before["CodeSha256"]
    assert client("GetFunctionConfiguration", FunctionName="f") == before


def test_update_code_with_publish_answers_the_version(client: Any) -> None:
    """Publish=True makes a version of the new code, and answers it with its qualified ARN."""
    client.create()
    output = _update_code(client, "x = 4", Publish=True)
    assert (output["Version"], output["FunctionArn"]) == ("1", f"{ARN}:1")
    assert (output["State"], output["StateReasonCode"]) == ("Pending", "Creating")
    after = client("GetFunctionConfiguration", FunctionName="f", Qualifier="1")
    assert after["State"] == "Active"


def test_update_configuration_changes_only_what_is_given(client: Any, clock: Any) -> None:
    """The other settings stay, and LastModified moves on."""
    client.create(Timeout=7, Environment={"Variables": {"A": "1"}})
    before = client("GetFunctionConfiguration", FunctionName="f")
    clock.advance(seconds=1.5)
    client("UpdateFunctionConfiguration", FunctionName="f", MemorySize=512, Description="new")
    after = client("GetFunctionConfiguration", FunctionName="f")
    changed = {member for member in after if after[member] != before.get(member)}
    assert changed == {"MemorySize", "Description", "LastModified", "RevisionId"}
    assert after["LastModified"] == "2026-01-31T12:00:01.500+0000"


def test_update_configuration_takes_settings_away(client: Any) -> None:
    """An empty Environment empties it, and its member is left out again."""
    client.create(Environment={"Variables": {"A": "1"}})
    client("UpdateFunctionConfiguration", FunctionName="f", Environment={})
    assert "Environment" not in client("GetFunctionConfiguration", FunctionName="f")


@pytest.mark.parametrize(
    "member",
    [
        {"VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}},
        {"KMSKeyArn": "arn:aws:kms:us-east-1:000000000000:key/k"},
        {"Runtime": "dotnet8"},
    ],
)
def test_update_configuration_refuses_what_is_not_supported(
    client: Any, member: dict[str, Any]
) -> None:
    """An update is as strict as a creation, and a refused one changes nothing."""
    client.create()
    before = client("GetFunctionConfiguration", FunctionName="f")
    with pytest.raises(ClientFault) as refused:
        client("UpdateFunctionConfiguration", FunctionName="f", **member)
    assert refused.value.status == 501
    assert client("GetFunctionConfiguration", FunctionName="f") == before


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("UpdateFunctionCode", {"ZipFile": b"x"}),
        ("UpdateFunctionConfiguration", {"Timeout": 5}),
        ("PublishVersion", {}),
    ],
)
def test_changes_check_name_and_revision(client: Any, operation: str, more: dict[str, Any]) -> None:
    """A function that is not there, a stale revision and a version's name are each refused."""
    with pytest.raises(ClientFault, match=f"Function not found: {ARN}$"):
        client(operation, FunctionName="f", **more)
    client.create(Publish=True)
    with pytest.raises(ClientFault) as stale:
        client(operation, FunctionName="f", RevisionId="old", **more)
    assert (stale.value.code, stale.value.message) == ("PreconditionFailedException", STALE)
    with pytest.raises(ClientFault, match="This operation is permitted on Lambda functions only"):
        client(operation, FunctionName="f:1", **more)


def test_known_revision_is_accepted(client: Any) -> None:
    """The RevisionId just read lets a change through, once."""
    client.create()
    revision = client("GetFunctionConfiguration", FunctionName="f")["RevisionId"]
    client("UpdateFunctionConfiguration", FunctionName="f", Timeout=5, RevisionId=revision)
    with pytest.raises(ClientFault):
        client("UpdateFunctionConfiguration", FunctionName="f", Timeout=6, RevisionId=revision)


def test_changes_wait_for_one_another(client: Any) -> None:
    """A second change is refused while the first one is being taken over, in AWS's words."""
    client.create()
    client.drains = False
    client("UpdateFunctionConfiguration", FunctionName="f", Timeout=5)
    with pytest.raises(ClientFault) as refused:
        client("UpdateFunctionConfiguration", FunctionName="f", Timeout=6)
    assert (refused.value.code, refused.value.message) == (
        "ResourceConflictException",
        (
            "The operation cannot be performed at this time. "
            f"An update is in progress for resource: {ARN}"
        ),
    )


def test_publish_answers_an_active_copy(client: Any) -> None:
    """A version is a copy under a number and a qualified ARN, with a revision of its own."""
    client.create(Timeout=9)
    output = client("PublishVersion", FunctionName="f", Description="first")
    assert (output["Version"], output["FunctionArn"]) == ("1", f"{ARN}:1")
    assert (output["Timeout"], output["Description"]) == (9, "first")
    assert (output["State"], output["LastUpdateStatus"]) == ("Active", "Successful")
    latest = client("GetFunctionConfiguration", FunctionName="f")
    assert output["RevisionId"] != latest["RevisionId"]
    assert client("GetFunctionConfiguration", FunctionName="f", Qualifier="1") == output


def test_publish_of_the_same_answers_the_last_version(client: Any) -> None:
    """Nothing new is numbered without a change, even after an update to the same code."""
    client.create("f", {"app.py": "x = 1"})
    first = client("PublishVersion", FunctionName="f", Description="first")
    _update_code(client, "x = 1")
    again = client("PublishVersion", FunctionName="f", Description="second")
    assert (again["Version"], again["Description"]) == (first["Version"], "first")
    assert _version_names(client) == ["$LATEST", "1"]


def test_published_version_never_changes(client: Any) -> None:
    """What happens to $LATEST does not reach a version."""
    client.create("f", {"app.py": "x = 1"}, Publish=True)
    before = client("GetFunction", FunctionName="f", Qualifier="1")
    _update_code(client, "x = 2")
    client("UpdateFunctionConfiguration", FunctionName="f", Timeout=99)
    assert client("GetFunction", FunctionName="f", Qualifier="1") == before


def test_publish_checks_the_code(client: Any) -> None:
    """A CodeSha256 that is not $LATEST's is refused in AWS's words."""
    current = client.create()["CodeSha256"]
    with pytest.raises(ClientFault) as refused:
        client("PublishVersion", FunctionName="f", CodeSha256="other")
    assert refused.value.message == (
        f"CodeSHA256 (other) is different from current CodeSHA256 in $LATEST ({current}). "
        "Please try again with the CodeSHA256 in $LATEST."
    )
    assert client("PublishVersion", FunctionName="f", CodeSha256=current)["Version"] == "1"


def test_numbers_outlive_the_function(client: Any) -> None:
    """A function made anew goes on with the numbers, as AWS's does."""
    client.create(Publish=True)
    client("DeleteFunction", FunctionName="f")
    assert client.create(Publish=True)["Version"] == "2"


def test_list_versions_pages_in_numeric_order(client: Any) -> None:
    """$LATEST is first, then 1, 2, … 10, 11, whatever the page."""
    client.create()
    for number in range(11):
        client("UpdateFunctionConfiguration", FunctionName="f", Timeout=number + 10)
        client("PublishVersion", FunctionName="f")
    seen: list[str] = []
    marker = None
    while marker is not None or not seen:
        output = client("ListVersionsByFunction", FunctionName="f", MaxItems=4, Marker=marker)
        seen += [version["Version"] for version in output["Versions"]]
        marker = output.get("NextMarker")
    assert seen == ["$LATEST", *(str(number) for number in range(1, 12))]


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.sampled_from(["change", "publish", "delete last", "delete all"]), max_size=12))
def test_no_number_is_given_twice(client: Any, steps: list[str]) -> None:
    """Whatever is changed and deleted, a new version has a new, greater number."""
    reset(client.plane)
    client.create()
    given_numbers: list[int] = []
    for position, step in enumerate(steps):
        if step == "change":
            client("UpdateFunctionConfiguration", FunctionName="f", Timeout=position + 10)
        elif step == "publish":
            number = int(client("PublishVersion", FunctionName="f")["Version"])
            if number not in given_numbers:
                assert number == max(given_numbers, default=0) + 1
                given_numbers.append(number)
            else:
                assert number == given_numbers[-1]
        elif step == "delete last" and given_numbers:
            client("DeleteFunction", FunctionName="f", Qualifier=str(given_numbers[-1]))
        elif step == "delete all":
            client("DeleteFunction", FunctionName="f")
            client.create()
