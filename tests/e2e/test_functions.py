"""Functions and their settings through boto3: what Terraform, SAM and people do all day."""

import base64
import hashlib
import sys
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

OWN_RUNTIME = f"python3.{sys.version_info.minor}"
CODE = "def handler(event, context): return event"


def test_create_get_list_update_delete(
    client: Any, deploy: Callable[..., Any], zip_of: Callable[..., bytes]
) -> None:
    """A function's whole life, each answer agreeing with the others."""
    function = deploy(
        CODE, Description="d", Timeout=5, MemorySize=256, Tags={"team": "a"}, Publish=False
    )
    got = client.get_function(FunctionName=function.name)
    configuration = got["Configuration"]
    assert configuration["State"] == "Active"
    assert configuration["LastUpdateStatus"] == "Successful"
    assert configuration["FunctionArn"] == function.arn
    assert (configuration["Timeout"], configuration["MemorySize"]) == (5, 256)
    assert got["Tags"] == {"team": "a"}
    with urllib.request.urlopen(got["Code"]["Location"], timeout=10) as download:
        content = download.read()
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    assert digest == configuration["CodeSha256"]
    assert len(content) == configuration["CodeSize"]
    pages = client.get_paginator("list_functions").paginate()
    assert function.name in {f["FunctionName"] for page in pages for f in page["Functions"]}
    updated = client.update_function_code(
        FunctionName=function.name, ZipFile=zip_of({"app.py": CODE + " or 1"})
    )
    assert updated["CodeSha256"] != digest
    assert updated["RevisionId"] != configuration["RevisionId"]
    answer = client.delete_function(FunctionName=function.name)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] in (200, 204)
    with pytest.raises(client.exceptions.ResourceNotFoundException) as gone:
        client.get_function(FunctionName=function.name)
    assert gone.value.response["Error"]["Message"] == f"Function not found: {function.arn}"


def test_a_name_is_taken_once(client: Any, deploy: Callable[..., Any]) -> None:
    """A second function of one name is 409, and the first stays as it was."""
    function = deploy(CODE)
    with pytest.raises(client.exceptions.ResourceConflictException) as refused:
        deploy("other = 1", FunctionName=function.name)
    message = refused.value.response["Error"]["Message"]
    assert message == f"Function already exist: {function.name}"
    assert function(1).payload == 1


def test_states_pass_through_waiters(
    client: Any, new_name: Callable[[], str], zip_of: Callable[..., bytes]
) -> None:
    """CreateFunction answers Pending, and the waiters see Active and Successful."""
    name, content = new_name(), zip_of({"app.py": CODE})
    created = client.create_function(
        FunctionName=name, Runtime=OWN_RUNTIME, Role="arn:aws:iam::000000000000:role/r",
        Handler="app.handler", Code={"ZipFile": content},
    )  # fmt: skip
    assert created["State"] == "Pending"
    assert created["StateReasonCode"] == "Creating"
    for waiter in ("function_active", "function_active_v2", "function_updated", "function_exists"):
        client.get_waiter(waiter).wait(FunctionName=name)
    changed = client.update_function_configuration(FunctionName=name, Timeout=4)
    assert changed["LastUpdateStatus"] == "InProgress"
    client.get_waiter("function_updated_v2").wait(FunctionName=name)
    configuration = client.get_function_configuration(FunctionName=name)
    assert "StateReason" not in configuration
    assert "LastUpdateStatusReason" not in configuration


def test_a_stand_in_interpreter_is_said(deploy: Callable[..., Any], client: Any) -> None:
    """Where another Python stands in for the one asked for, the configuration's reason says so."""
    function = deploy("def handler(event, context): return 1", Runtime="python3.14")
    configuration = client.get_function_configuration(FunctionName=function.name)
    assert configuration["Runtime"] == "python3.14"
    assert configuration["State"] == "Active"
    if OWN_RUNTIME != "python3.14":
        assert "lambent runtimes add python3.14" in configuration["StateReason"]


def test_a_stale_revision_is_refused(
    client: Any, deploy: Callable[..., Any], zip_of: Callable[..., bytes]
) -> None:
    """``RevisionId`` guards updates: a stale one is 412 and changes nothing."""
    function = deploy(CODE)
    name = function.name
    stale = client.get_function_configuration(FunctionName=name)["RevisionId"]
    client.update_function_configuration(FunctionName=name, Timeout=4, RevisionId=stale)
    for update, parameters in (
        (client.update_function_configuration, {"Timeout": 9}),
        (client.update_function_code, {"ZipFile": zip_of({"app.py": "x = 1"})}),
        (client.publish_version, {}),
    ):
        with pytest.raises(client.exceptions.PreconditionFailedException):
            update(FunctionName=name, RevisionId=stale, **parameters)
    assert client.get_function_configuration(FunctionName=name)["Timeout"] == 4
    assert function(1).payload == 1


def test_a_dry_run_of_an_update_changes_nothing(
    client: Any, deploy: Callable[..., Any], zip_of: Callable[..., bytes]
) -> None:
    """``UpdateFunctionCode`` with ``DryRun`` answers with the new digest and keeps the old code."""
    function = deploy(CODE)
    before = client.get_function_configuration(FunctionName=function.name)
    other = zip_of({"app.py": "def handler(event, context): return 'other'"})
    shown = client.update_function_code(FunctionName=function.name, ZipFile=other, DryRun=True)
    assert shown["CodeSha256"] == base64.b64encode(hashlib.sha256(other).digest()).decode()
    after = client.get_function_configuration(FunctionName=function.name)
    assert after["CodeSha256"] == before["CodeSha256"]
    assert function("same").payload == "same"


def test_versions_are_frozen_and_numbered(
    client: Any, deploy: Callable[..., Any], zip_of: Callable[..., bytes]
) -> None:
    """A version keeps its code and variables; unchanged ones are not published twice."""
    source = "import os\ndef handler(event, context): return ['one', os.environ['VAR']]"
    function = deploy(source, Environment={"Variables": {"VAR": "a"}})
    name = function.name
    assert client.publish_version(FunctionName=name)["Version"] == "1"
    assert client.publish_version(FunctionName=name)["Version"] == "1"
    client.update_function_configuration(
        FunctionName=name, Environment={"Variables": {"VAR": "b"}}, Description="new"
    )
    client.update_function_code(
        FunctionName=name, ZipFile=zip_of({"app.py": source.replace("one", "two")}), Publish=True
    )
    assert function(Qualifier="1").payload == ["one", "a"]
    assert function(Qualifier="2").payload == ["two", "b"]
    assert function().payload == ["two", "b"]
    listed = client.list_versions_by_function(FunctionName=name)["Versions"]
    assert [version["Version"] for version in listed] == ["$LATEST", "1", "2"]
    client.delete_function(FunctionName=name, Qualifier="1")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        function(Qualifier="1")
    client.update_function_configuration(FunctionName=name, Description="newer")
    assert client.publish_version(FunctionName=name)["Version"] == "3", "numbers are not reused"


def test_names_in_every_form(client: Any, deploy: Callable[..., Any]) -> None:
    """A name, a partial and a whole ARN, with and without qualifiers, mean the same function."""
    function = deploy(CODE)
    client.publish_version(FunctionName=function.name)
    for prefix in ("", "function:", "000000000000:function:", function.arn[: -len(function.name)]):
        form = prefix + function.name
        assert client.get_function_configuration(FunctionName=form)["FunctionArn"] == function.arn
        versioned = client.get_function_configuration(FunctionName=f"{form}:1")
        assert versioned["FunctionArn"] == f"{function.arn}:1"
        same = client.get_function_configuration(FunctionName=f"{form}:1", Qualifier="1")
        assert same["Version"] == "1"
        with pytest.raises(client.exceptions.InvalidParameterValueException) as refused:
            client.get_function_configuration(FunctionName=f"{form}:1", Qualifier="2")
        assert "does not match the specified qualifier" in str(refused.value)


def test_tags(client: Any, deploy: Callable[..., Any]) -> None:
    """Tags are added, shown, overwritten and taken away."""
    function = deploy(CODE, Tags={"a": "1"})
    client.tag_resource(Resource=function.arn, Tags={"a": "2", "key with é:/=": ""})
    assert client.list_tags(Resource=function.arn)["Tags"] == {"a": "2", "key with é:/=": ""}
    client.untag_resource(Resource=function.arn, TagKeys=["a", "never there"])
    assert client.list_tags(Resource=function.arn)["Tags"] == {"key with é:/=": ""}


def test_account_settings_count(client: Any, deploy: Callable[..., Any]) -> None:
    """The account's limits are AWS's defaults, and usage grows with functions."""
    before = client.get_account_settings()
    deploy(CODE)
    limit, after = before["AccountLimit"], client.get_account_settings()["AccountUsage"]
    assert (limit["ConcurrentExecutions"], limit["CodeSizeZipped"]) == (1000, 52_428_800)
    assert after["FunctionCount"] > before["AccountUsage"]["FunctionCount"]
    assert after["TotalCodeSize"] > before["AccountUsage"]["TotalCodeSize"]


def test_lists_come_in_pages(platform: Any, deploy: Callable[..., Any]) -> None:
    """Paginators see every function, version and alias exactly once, whatever the page size."""
    client = platform.client("lambda")
    function = deploy(CODE)
    for number in range(1, 6):
        client.update_function_configuration(FunctionName=function.name, Description=str(number))
        client.publish_version(FunctionName=function.name)
        client.create_alias(
            FunctionName=function.name, Name=f"alias-{number}", FunctionVersion=str(number)
        )
    for operation, member, expected in (
        ("list_versions_by_function", "Versions", 6),
        ("list_aliases", "Aliases", 5),
    ):
        pages = client.get_paginator(operation).paginate(
            FunctionName=function.name, PaginationConfig={"PageSize": 2}
        )
        assert [len(page[member]) for page in pages] == [2] * (expected // 2) + [1] * (expected % 2)
    pages = client.get_paginator("list_functions").paginate(
        FunctionVersion="ALL", PaginationConfig={"PageSize": 3}
    )
    arns = [f["FunctionArn"] for page in pages for f in page["Functions"]]
    assert len(arns) == len(set(arns))
    assert {f"{function.arn}:{n}" for n in ("$LATEST", *range(1, 6))} <= set(arns)
    client.close()


def test_the_resource_policy(client: Any, deploy: Callable[..., Any]) -> None:
    """Permissions are added by id, shown as a policy, and removed; an id is taken once."""
    function = deploy(CODE)
    statement = {
        "FunctionName": function.name, "StatementId": "s3", "Action": "lambda:InvokeFunction",
        "Principal": "s3.amazonaws.com", "SourceArn": "arn:aws:s3:::b", "SourceAccount": "1" * 12,
    }  # fmt: skip
    client.add_permission(**statement)
    with pytest.raises(client.exceptions.ResourceConflictException):
        client.add_permission(**statement)
    policy = client.get_policy(FunctionName=function.name)["Policy"]
    assert '"Service":"s3.amazonaws.com"' in policy
    assert '"AWS:SourceArn":"arn:aws:s3:::b"' in policy
    client.remove_permission(FunctionName=function.name, StatementId="s3")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_policy(FunctionName=function.name)


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"MemorySize": 64}, "ValidationException"),
        ({"MemorySize": 10_241}, "InvalidParameterValueException"),
        ({"Timeout": 0}, "ValidationException"),
        ({"Timeout": 901}, "ValidationException"),
        ({"EphemeralStorage": {"Size": 511}}, "ValidationException"),
        ({"Runtime": "cobol85"}, "InvalidParameterValueException"),
        ({"Runtime": "nodejs18.x"}, "NotImplementedException"),
        ({"Role": "not-an-arn"}, "ValidationException"),
        ({"Handler": "a b"}, "ValidationException"),
        ({"FunctionName": "no spaces here"}, "ValidationException"),
        ({"FunctionName": "n" * 65}, "InvalidParameterValueException"),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "InvalidParameterValueException"),
        ({"Environment": {"Variables": {"AA": "x" * 5000}}}, "InvalidParameterValueException"),
        ({"Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:none:1"]},
         "InvalidParameterValueException"),
        ({"VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}},
         "NotImplementedException"),
        ({"DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:q.fifo"}},
         "InvalidParameterValueException"),
        ({"SnapStart": {"ApplyOn": "PublishedVersions"}, "Runtime": "python3.11"},
         "InvalidParameterValueException"),
        ({"PackageType": "Image"}, "InvalidParameterValueException"),
        ({"Architectures": ["mips"]}, "ValidationException"),
    ],
)  # fmt: skip
def test_bad_settings_are_refused(
    deploy: Callable[..., Any], settings: dict[str, Any], code: str
) -> None:
    """A setting that is wrong, or not obeyed yet, is refused by its right error."""
    with pytest.raises(ClientError) as refused:
        deploy(CODE, **settings)
    error = refused.value.response
    assert error["Error"]["Code"] == code, error["Error"]["Message"]
    assert error["ResponseMetadata"]["HTTPStatusCode"] in (400, 404, 501)
