"""Resource policies of functions, versions and aliases."""

import json
from typing import Any

import pytest

from lambent.model.errors import ClientFault

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
S3 = {"Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}


def _add(client: Any, statement_id: str = "s", **more: Any) -> dict[str, Any]:
    output = client("AddPermission", FunctionName="f", StatementId=statement_id, **(S3 | more))
    statement: dict[str, Any] = json.loads(output["Statement"])
    return statement


def test_add_answers_the_statement_and_get_the_policy(client: Any) -> None:
    """A permission becomes a statement, with conditions for its source, in a policy named default."""
    client.create()
    statement = _add(client, SourceArn="arn:aws:s3:::bucket", SourceAccount="000000000000")
    assert statement == {
        "Sid": "s",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": ARN,
        "Condition": {
            "StringEquals": {"AWS:SourceAccount": "000000000000"},
            "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::bucket"},
        },
    }
    policy = json.loads(client("GetPolicy", FunctionName="f")["Policy"])
    assert policy == {"Version": "2012-10-17", "Id": "default", "Statement": [statement]}


@pytest.mark.parametrize(
    ("principal", "written"),
    [
        ("*", "*"),
        ("123456789012", {"AWS": "arn:aws:iam::123456789012:root"}),
        ("arn:aws:iam::123456789012:role/r", {"AWS": "arn:aws:iam::123456789012:role/r"}),
        ("events.amazonaws.com", {"Service": "events.amazonaws.com"}),
        ("alexa-appkit.amazon.com", {"Service": "alexa-appkit.amazon.com"}),
    ],
)
def test_principals(client: Any, principal: str, written: Any) -> None:
    """Accounts, roles, services and everyone are written as IAM writes them."""
    client.create()
    assert _add(client, Principal=principal)["Principal"] == written


@pytest.mark.parametrize(
    ("member", "condition"),
    [
        ({"EventSourceToken": "t"}, {"StringEquals": {"lambda:EventSourceToken": "t"}}),
        ({"PrincipalOrgID": "o-1"}, {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}),
        (
            {"FunctionUrlAuthType": "NONE", "Action": "lambda:InvokeFunctionUrl"},
            {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}},
        ),
        ({"InvokedViaFunctionUrl": True}, {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}),
    ],
)
def test_conditions(client: Any, member: dict[str, Any], condition: dict[str, Any]) -> None:
    """Each optional member becomes its condition."""
    client.create()
    assert _add(client, **member)["Condition"] == condition


def test_policies_hang_on_their_qualifier(client: Any) -> None:
    """Function, version and alias have policies of their own, with the same statement id in each."""
    client.create(Publish=True)
    client("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
    for qualifier, arn in ((None, ARN), ("1", f"{ARN}:1"), ("live", f"{ARN}:live")):
        assert _add(client, Qualifier=qualifier)["Resource"] == arn
    client("RemovePermission", FunctionName="f", StatementId="s", Qualifier="live")
    with pytest.raises(ClientFault, match="The resource you requested does not exist"):
        client("GetPolicy", FunctionName="f", Qualifier="live")
    assert "Policy" in client("GetPolicy", FunctionName="f", Qualifier="1")


def test_revision_is_the_functions_and_changes_with_the_policy(client: Any) -> None:
    """A policy's RevisionId is the function's, is checked when given, and is new after a change."""
    client.create()
    revision = client("GetFunctionConfiguration", FunctionName="f")["RevisionId"]
    with pytest.raises(ClientFault) as stale:
        _add(client, RevisionId="old")
    assert stale.value.code == "PreconditionFailedException"
    _add(client, RevisionId=revision)
    after = client("GetPolicy", FunctionName="f")["RevisionId"]
    assert after == client("GetFunctionConfiguration", FunctionName="f")["RevisionId"] != revision
    with pytest.raises(ClientFault):
        client("RemovePermission", FunctionName="f", StatementId="s", RevisionId=revision)


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (
            {"Qualifier": "$LATEST"},
            "InvalidParameterValueException",
            "We currently do not support adding policies for $LATEST.",
        ),
        (
            {"Qualifier": "nope"},
            "ResourceNotFoundException",
            f"Cannot find alias arn: {ARN}:nope",
        ),
        ({"Qualifier": "7"}, "ResourceNotFoundException", f"Function not found: {ARN}:7"),
        (
            {"Principal": "someone"},
            "InvalidParameterValueException",
            "The provided principal was invalid. Please check the principal and try again.",
        ),
        (
            {"FunctionUrlAuthType": "NONE"},
            "InvalidParameterValueException",
            "FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action",
        ),
        (
            {"statement_id": "there"},
            "ResourceConflictException",
            (
                "The statement id (there) provided already exists. Please provide a new statement id, "
                "or remove the existing statement."
            ),
        ),
        (
            {"FunctionName": "g"},
            "ResourceNotFoundException",
            "Function not found: arn:aws:lambda:us-east-1:000000000000:function:g",
        ),
    ],
)
def test_add_refuses_with_awss_words(
    client: Any, more: dict[str, Any], code: str, message: str
) -> None:
    """A permission that cannot be is refused with AWS's code and message."""
    client.create()
    _add(client, "there")
    parameters = {"FunctionName": "f", "StatementId": more.pop("statement_id", "s")} | S3 | more
    with pytest.raises(ClientFault) as refused:
        client("AddPermission", **parameters)
    assert (refused.value.code, refused.value.message) == (code, message)


def test_policy_has_a_limit_of_20_kib(client: Any) -> None:
    """The statement that would make the policy too long is refused, with both sizes."""
    client.create()
    arn = "arn:aws:s3:::" + "b" * 9000
    _add(client, "one", SourceArn=arn)
    _add(client, "two", SourceArn=arn)
    with pytest.raises(ClientFault) as refused:
        _add(client, "three", SourceArn=arn)
    assert refused.value.code == "PolicyLengthExceededException"
    assert refused.value.message.endswith("is bigger than the limit (20480).")


def test_remove_refuses_what_is_not_there(client: Any) -> None:
    """No function, no policy and no statement have each their message."""
    for create, expected in (
        (False, f"No policy found for: {ARN}"),
        (True, "No policy is associated with the given resource."),
    ):
        if create:
            client.create()
        with pytest.raises(ClientFault) as missing:
            client("RemovePermission", FunctionName="f", StatementId="s")
        assert (missing.value.status, missing.value.message) == (404, expected)
    _add(client, "other")
    with pytest.raises(ClientFault, match=r"Statement s is not found in resource policy\."):
        client("RemovePermission", FunctionName="f", StatementId="s")


def test_policies_go_with_their_function_and_no_other(client: Any) -> None:
    """Deleting f takes the policies of f and its versions, and leaves those of f2."""
    client.create(Publish=True)
    client.create("f2")
    _add(client)
    _add(client, Qualifier="1")
    client("AddPermission", FunctionName="f2", StatementId="s", **S3)
    client("DeleteFunction", FunctionName="f")
    client.create()
    with pytest.raises(ClientFault, match="The resource you requested does not exist"):
        client("GetPolicy", FunctionName="f")
    assert "Policy" in client("GetPolicy", FunctionName="f2")
