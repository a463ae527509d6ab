"""Who may invoke a function: its resource policies, asked."""

from typing import Any

import pytest

from lambent.control.resource_policies import ResourcePolicies
from lambent.model.errors import ClientFault
from lambent.model.function_name import FunctionName
from lambent.model.outgoing import Outgoing

OWN, OTHER = "000000000000", "111122223333"
TOPIC = "arn:aws:sns:us-east-1:000000000000:t"
FROM_TOPIC = Outgoing(b"{}", "sns.amazonaws.com", TOPIC, OWN)
F = FunctionName(OWN, "us-east-1", "f")
LIVE = FunctionName(OWN, "us-east-1", "f", "live")


@pytest.fixture
def policies(plane: Any, client: Any) -> ResourcePolicies:
    """Of a platform with one function ``f`` and its alias ``live``."""
    client.create(Publish=True)
    client("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
    return ResourcePolicies(plane.database.reader())


def _allow(client: Any, principal: str, **more: Any) -> None:
    settings = {"StatementId": "s", "Action": "lambda:InvokeFunction", "FunctionName": "f"} | more
    client("AddPermission", Principal=principal, **settings)


def _may(policies: ResourcePolicies, function: FunctionName, sender: Outgoing = FROM_TOPIC) -> bool:
    try:
        policies.authorize_sender(function, sender)
    except ClientFault as error:
        return error.code != "AccessDeniedException"
    return True


def test_a_service_needs_a_statement_and_loses_it(policies: Any, client: Any) -> None:
    """Nobody is let in before AddPermission, nor after RemovePermission: nothing old is remembered."""
    assert not _may(policies, F)
    _allow(client, "sns.amazonaws.com")
    assert _may(policies, F)
    assert not _may(policies, F, Outgoing(b"{}", "s3.amazonaws.com", "arn:aws:s3:::b", OWN))
    client("RemovePermission", FunctionName="f", StatementId="s")
    assert not _may(policies, F)


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        ({"SourceArn": TOPIC}, True),
        ({"SourceArn": "arn:aws:sns:us-east-1:000000000000:*"}, True),
        ({"SourceArn": TOPIC + "2"}, False),
        ({"SourceAccount": OWN}, True),
        ({"SourceAccount": OTHER}, False),
        ({"SourceArn": TOPIC, "SourceAccount": OTHER}, False),
        ({"PrincipalOrgID": "o-1234567890"}, False),
        ({"EventSourceToken": "t"}, False),
        ({"InvokedViaFunctionUrl": True}, False),
        ({"Action": "lambda:*"}, True),
        ({"Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"}, False),
    ],
)
def test_conditions_are_asked(
    policies: Any, client: Any, condition: dict[str, Any], allowed: bool
) -> None:
    """A statement lets in what all its conditions hold for; there is no organisation that any could be of."""
    _allow(client, "sns.amazonaws.com", **condition)
    assert _may(policies, F) is allowed


def test_a_policy_is_its_qualifiers_alone(policies: Any, client: Any) -> None:
    """What hangs on the alias says nothing of the function, nor the other way round."""
    _allow(client, "sns.amazonaws.com", Qualifier="live")
    assert (_may(policies, LIVE), _may(policies, F)) == (True, False)
    client("RemovePermission", FunctionName="f", StatementId="s", Qualifier="live")
    _allow(client, "sns.amazonaws.com")
    assert (_may(policies, LIVE), _may(policies, F)) == (False, True)


def test_roles_of_the_functions_account_need_no_statement(policies: Any, client: Any) -> None:
    """A destination is sent to by the function's role; one of another account is asked for."""
    own = Outgoing(b"{}", f"arn:aws:iam::{OWN}:role/r", "arn:f", OWN)
    foreign = Outgoing(b"{}", f"arn:aws:iam::{OTHER}:role/r", "arn:f", OTHER)
    assert (_may(policies, F, own), _may(policies, F, foreign)) == (True, False)
    _allow(client, OTHER)
    assert _may(policies, F, foreign)


@pytest.mark.parametrize(
    ("principal", "allowed"),
    [
        (OTHER, True),
        ("*", True),
        (f"arn:aws:iam::{OTHER}:role/r", True),
        (f"arn:aws:iam::{OTHER}:role/q", False),
        ("222222222222", False),
    ],
)
def test_callers_of_another_account(
    policies: Any, client: Any, principal: str, allowed: bool
) -> None:
    """The account, the role of a session and everyone are let in by name; the refusal is AWS's."""
    _allow(client, principal)
    session = f"arn:aws:sts::{OTHER}:assumed-role/r/s"
    if allowed:
        policies.authorize_account(F, OTHER, session)
        return
    with pytest.raises(ClientFault) as denied:
        policies.authorize_account(F, OTHER, session)
    assert denied.value.message == (
        f"User: {session} is not authorized to perform: lambda:InvokeFunction on resource: {F.arn} "
        "because no resource-based policy allows the lambda:InvokeFunction action"
    )
