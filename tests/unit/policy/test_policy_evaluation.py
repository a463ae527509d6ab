"""Decisions on whole policies: Lambda's, SQS's and an identity's."""

import json
from typing import Any

import pytest

from lambent.control.statements import build_statement, policy_text
from lambent.policy import ANONYMOUS, Effect, Principal, Request, evaluate, parse_policy

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"
TOPIC = "arn:aws:sns:us-east-1:123456789012:t"
INVOKE = "lambda:InvokeFunction"
SNS = Principal.service("sns.amazonaws.com")


def allowed(statement: dict[str, Any], request: Request) -> bool:
    """Whether a policy of one statement allows."""
    return evaluate(
        [parse_policy({"Version": "2012-10-17", "Statement": statement})], request
    ).allowed


def granted(principal: str, **parameters: Any) -> dict[str, Any]:
    """The statement AddPermission stores."""
    given = {"StatementId": "s-1_a", "Action": INVOKE, "Principal": principal, **parameters}
    return build_statement(given, FUNCTION)


def test_what_add_permission_stores_is_a_policy() -> None:
    """The document of GetPolicy parses, with every condition AddPermission can write."""
    statement = granted(
        "sns.amazonaws.com",
        SourceArn=TOPIC,
        SourceAccount="123456789012",
        PrincipalOrgID="o-1",
        EventSourceToken="t",
        FunctionUrlAuthType="NONE",
        InvokedViaFunctionUrl=True,
    )
    policy = parse_policy(policy_text([statement]))
    context: dict[str, str | bool] = {
        "aws:SourceArn": TOPIC,
        "aws:SourceAccount": "123456789012",
        "aws:PrincipalOrgID": "o-1",
        "lambda:EventSourceToken": "t",
        "lambda:FunctionUrlAuthType": "NONE",
        "lambda:InvokedViaFunctionUrl": True,
    }
    assert evaluate([policy], Request(SNS, INVOKE, FUNCTION, context)).allowed
    for key in context:
        less = {k: v for k, v in context.items() if k != key}
        assert not evaluate([policy], Request(SNS, INVOKE, FUNCTION, less)).allowed


def test_a_service_may_do_what_it_was_granted_and_no_more() -> None:
    """Another service, action, function or topic is refused by default."""
    statement = granted("sns.amazonaws.com", SourceArn="arn:aws:sns:us-east-1:123456789012:*")
    context = {"aws:sourcearn": TOPIC}
    assert allowed(statement, Request(SNS, INVOKE, FUNCTION, context))
    assert allowed(statement, Request(SNS, "LAMBDA:invokefunction", FUNCTION, context))
    assert not allowed(
        statement, Request(Principal.service("s3.amazonaws.com"), INVOKE, FUNCTION, context)
    )
    assert not allowed(statement, Request(SNS, "lambda:GetFunction", FUNCTION, context))
    assert not allowed(statement, Request(SNS, INVOKE, f"{FUNCTION}:live", context))
    assert not allowed(statement, Request(SNS, INVOKE, FUNCTION, {"aws:sourcearn": TOPIC.upper()}))


ROLE = "arn:aws:iam::123456789012:role/service/worker"
SESSION = "arn:aws:sts::123456789012:assumed-role/worker/session"
USER = "arn:aws:iam::123456789012:user/ann"


@pytest.mark.parametrize(
    ("meant", "principal", "included"),
    [
        ("*", ANONYMOUS, True),
        ({"AWS": "*"}, ANONYMOUS, True),
        ({"AWS": "*"}, SNS, True),
        ({"AWS": "123456789012"}, Principal.aws(USER), True),
        ({"AWS": "123456789012"}, Principal.aws("arn:aws:iam::210987654321:user/ann"), False),
        ({"AWS": "arn:aws:iam::123456789012:root"}, Principal.aws(SESSION), True),
        ({"AWS": ["arn:aws:iam::123456789012:root"]}, Principal.account("123456789012"), True),
        ({"AWS": "arn:aws:iam::123456789012:root"}, Principal.account("210987654321"), False),
        (
            {"AWS": "arn:aws:iam::123456789012:root"},
            Principal.aws(SESSION.replace("1234", "9999")),
            False,
        ),
        ({"AWS": "arn:aws:iam::123456789012:root"}, ANONYMOUS, False),
        ({"AWS": "arn:aws:iam::123456789012:root"}, SNS, False),
        ({"AWS": "123456789012"}, ANONYMOUS, False),
        ({"AWS": "123456789012"}, SNS, False),
        ({"AWS": ROLE}, Principal.aws(ROLE), True),
        ({"AWS": ROLE}, Principal.aws(SESSION), True),
        ({"AWS": ROLE}, Principal.aws(SESSION.replace("worker", "other")), False),
        ({"AWS": ROLE}, Principal.aws(SESSION.replace("1234", "9999")), False),
        ({"AWS": SESSION}, Principal.aws(SESSION), True),
        ({"AWS": SESSION}, Principal.aws(f"{SESSION}2"), False),
        ({"AWS": USER}, Principal.account("123456789012"), False),
        ({"Service": ["s3.amazonaws.com", "sns.amazonaws.com"]}, SNS, True),
        ({"Service": "s3.amazonaws.com"}, SNS, False),
        ({"Federated": "cognito-identity.amazonaws.com"}, SNS, False),
        ({"CanonicalUser": "79a5"}, Principal("CanonicalUser", "79a5"), True),
    ],
)
def test_principals(meant: Any, principal: Principal, included: bool) -> None:
    """Accounts include their principals, roles their sessions, everyone everyone; NotPrincipal is the rest."""
    rest = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    request = Request(principal, INVOKE, FUNCTION)
    assert allowed({"Principal": meant, **rest}, request) is included
    assert allowed({"NotPrincipal": meant, **rest}, request) is not included


def test_deny_wins_wherever_it_stands() -> None:
    """A deny decides, whichever policy holds it; the decision names its statement."""
    allow = parse_policy({"Version": "2012-10-17", "Statement": granted("*")})
    deny = parse_policy(
        {
            "Statement": [
                {**granted("*"), "Sid": "no", "Effect": "Deny", "Action": ["lambda:*Function"]}
            ]
        }
    )
    request = Request(SNS, INVOKE, FUNCTION)
    for policies in ([allow, deny], [deny, allow]):
        decision = evaluate(policies, request)
        assert decision.explicitly_denied
        assert not decision.allowed
        assert decision.statement is not None
        assert decision.statement.sid == "no"
    nothing = evaluate([], request)
    assert not nothing.allowed
    assert not nothing.explicitly_denied


@pytest.mark.parametrize(
    ("pattern", "arn", "covered"),
    [
        ("*", FUNCTION, True),
        (FUNCTION, FUNCTION, True),
        (f"{FUNCTION}:*", FUNCTION, False),
        (f"{FUNCTION}*", f"{FUNCTION}:live", True),
        ("arn:aws:lambda:*:123456789012:function:?", FUNCTION, True),
        ("arn:aws:lambda:us-east-?:*:function:f", FUNCTION, True),
        (
            "arn:aws:sns:*:111111111111:t",
            "arn:aws:sns:us-east-1:222222222222:x:111111111111:t",
            False,
        ),
        ("arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket/a/b", True),
    ],
)
def test_resources(pattern: str, arn: str, covered: bool) -> None:
    """Wildcards reach over slashes, and over colons in the last segment only; NotResource is the rest."""
    rest = {"Effect": "Allow", "Action": "*", "Principal": "*"}
    assert allowed({"Resource": [pattern], **rest}, Request(SNS, INVOKE, arn)) is covered
    assert allowed({"NotResource": [pattern], **rest}, Request(SNS, INVOKE, arn)) is not covered


def test_not_action_is_every_other_action() -> None:
    """NotAction allows what it does not name."""
    statement = {"Effect": "Allow", "NotAction": "lambda:Get*", "Resource": "*", "Principal": "*"}
    assert allowed(statement, Request(SNS, INVOKE, FUNCTION))
    assert not allowed(statement, Request(SNS, "lambda:GetFunction", FUNCTION))


def test_the_policy_of_an_identity_has_no_principal() -> None:
    """An identity's policy applies to whoever it hangs on, variables taken from the request."""
    statement = {
        "Effect": "Allow",
        "Action": "s3:*",
        "Resource": "arn:aws:s3:::b/${aws:PrincipalAccount}/*",
    }
    policy = parse_policy(
        json.dumps({"Version": "2012-10-17", "Statement": statement}), identity=True
    )
    mine = Request(Principal.aws(USER), "s3:GetObject", "arn:aws:s3:::b/123456789012/x")
    other = Request(Principal.aws(USER), "s3:GetObject", "arn:aws:s3:::b/210987654321/x")
    assert evaluate([policy], mine).allowed
    assert not evaluate([policy], other).allowed
    assert not evaluate([policy], Request(ANONYMOUS, "s3:GetObject", "arn:aws:s3:::b//x")).allowed
    assert policy.statements[0].effect is Effect.ALLOW


def test_a_request_cannot_name_a_variable() -> None:
    """An ARN that spells a variable is not what the variable stands for, nor is one that spells a wildcard."""
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": "arn:aws:s3:::${k}",
    }
    for name, covered in (("${k}", False), ("a", False), ("*", True)):
        request = Request(ANONYMOUS, "s3:GetObject", f"arn:aws:s3:::{name}", {"k": "*"})
        assert allowed(statement, request) is covered
