"""Resource policies of functions: what AWS answers to adding, reading and removing statements."""

import pytest

from lambent.testing.lambda_account import FUNCTION
from lambent.testing.lambda_api import LambdaApi
from lambent.testing.parity import (
    API,
    CONFLICT,
    INVALID,
    MISMATCH,
    MISSING,
    NOWHERE,
    STALE,
    UUID,
    Case,
    Like,
    recorded,
    refused,
    seen,
)

F = {"FunctionName": "f"}
STATEMENT = {
    "StatementId": "s2",
    "Action": "lambda:InvokeFunction",
    "Principal": "sns.amazonaws.com",
}
TEXT = (
    '{"Sid":"s1","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},'
    f'"Action":"lambda:InvokeFunction","Resource":"{FUNCTION}f"}}'
)
BUCKET = "arn:aws:s3:::" + "b" * 137
FITTING = 44
"""So many long statements are just below 20 KiB."""
CASES = [
    Case(
        "AddPermission",
        "with conditions",
        {
            **F,
            **STATEMENT,
            "SourceArn": "arn:aws:sns:us-east-1:000000000000:t",
            "SourceAccount": "000000000000",
            "EventSourceToken": "token",
            "PrincipalOrgID": "o-abcdefghij",
            "RevisionId": "<f_revision>",
        },
        API,
        {
            "Statement": '{"Sid":"s2","Effect":"Allow","Principal":{"Service":"sns.amazonaws.com"},'
            f'"Action":"lambda:InvokeFunction","Resource":"{FUNCTION}f","Condition":{{"StringEquals":'
            '{"aws:PrincipalOrgID":"o-abcdefghij","AWS:SourceAccount":"000000000000",'
            '"lambda:EventSourceToken":"token"},'
            '"ArnLike":{"AWS:SourceArn":"arn:aws:sns:us-east-1:000000000000:t"}}}'
        },
        status=201,
    ),
    Case(
        "AddPermission",
        "for an alias and by its URL",
        {
            **F,
            **STATEMENT,
            "Action": "lambda:InvokeFunctionUrl",
            "Principal": "*",
            "FunctionUrlAuthType": "NONE",
            "InvokedViaFunctionUrl": True,
            "Qualifier": "live",
        },
        API,
        {
            "Statement": '{"Sid":"s2","Effect":"Allow","Principal":"*",'
            f'"Action":"lambda:InvokeFunctionUrl","Resource":"{FUNCTION}f:live","Condition":'
            '{"StringEquals":{"lambda:FunctionUrlAuthType":"NONE"},'
            '"Bool":{"lambda:InvokedViaFunctionUrl":"true"}}}'
        },
        status=201,
    ),
    refused(
        "AddPermission",
        "a statement id that is taken",
        {**F, **STATEMENT, "StatementId": "s1"},
        recorded("TestLambdaPermissions::test_permission_exceptions"),
        CONFLICT,
        "The statement id (s1) provided already exists. Please provide a new statement id, or remove "
        "the existing statement.",
    ),
    refused(
        "AddPermission",
        "for the latest version",
        {**F, **STATEMENT, "Qualifier": "$LATEST"},
        recorded("TestLambdaPermissions::test_permission_exceptions"),
        INVALID,
        "We currently do not support adding policies for $LATEST.",
    ),
    refused(
        "AddPermission",
        "nobody",
        {**F, **STATEMENT, "Principal": "nobody"},
        recorded("TestLambdaPermissions::test_permission_exceptions"),
        INVALID,
        "The provided principal was invalid. Please check the principal and try again.",
    ),
    refused(
        "AddPermission",
        "to a version that is not there",
        {**F, **STATEMENT, "Qualifier": "9"},
        recorded("TestLambdaPermissions::test_permission_exceptions"),
        MISSING,
        f"Function not found: {FUNCTION}f:9",
    ),
    refused(
        "AddPermission",
        "to an alias that is not there",
        {**F, **STATEMENT, "Qualifier": "no"},
        recorded("TestLambdaPermissions::test_permission_exceptions"),
        MISSING,
        f"Cannot find alias arn: {FUNCTION}f:no",
    ),
    refused(
        "AddPermission",
        "to what could be no alias",
        {**F, **STATEMENT, "Qualifier": "valid-with-$"},
        recorded("TestLambdaPermissions::test_permission_exceptions"),
        MISSING,
        f"Function not found: {FUNCTION}f:valid-with-$",
    ),
    refused(
        "GetPolicy",
        "of a version that is not there",
        {**F, "Qualifier": "9"},
        recorded("TestLambdaPermissions::test_permission_exceptions"),
        MISSING,
        "The resource you requested does not exist.",
    ),
    refused(
        "AddPermission",
        "more than a policy holds",
        {**F, **STATEMENT, "StatementId": "x" * 93, "SourceArn": BUCKET},
        seen("aws/aws-cdk#9327"),
        "PolicyLengthExceededException",
        Like(r"The final policy size \(\d+\) is bigger than the limit \(20480\)\."),
    ).after(
        *(
            (
                "AddPermission",
                {
                    **F,
                    **STATEMENT,
                    "StatementId": f"{number:03}" + "x" * 90,
                    "SourceArn": BUCKET,
                },
            )
            for number in range(FITTING)
        )
    ),
    Case(
        "GetPolicy",
        "what is there",
        F,
        recorded("TestLambdaPermissions::test_add_lambda_permission_aws"),
        {
            "Policy": f'{{"Version":"2012-10-17","Id":"default","Statement":[{TEXT}]}}',
            "RevisionId": UUID,
        },
    ),
    refused(
        "GetPolicy",
        "where there is none",
        {**F, "Qualifier": "live"},
        recorded("TestLambdaPermissions::test_remove_multi_permissions"),
        MISSING,
        "The resource you requested does not exist.",
    ),
    refused(
        "GetPolicy",
        "two qualifiers",
        {"FunctionName": "f:1", "Qualifier": "2"},
        recorded("TestLambdaPermissions::test_permission_exceptions"),
        INVALID,
        MISMATCH,
    ),
    Case(
        "RemovePermission",
        "what is there",
        {**F, "StatementId": "s1", "RevisionId": "<f_revision>"},
        recorded("TestLambdaPermissions::test_remove_multi_permissions"),
        status=204,
    ),
    refused(
        "RemovePermission",
        "a statement that is not there",
        {**F, "StatementId": "no"},
        recorded("TestLambdaPermissions::test_remove_multi_permissions"),
        MISSING,
        "Statement no is not found in resource policy.",
    ),
    refused(
        "RemovePermission",
        "where there is no policy",
        {**F, "StatementId": "s1", "Qualifier": "live"},
        recorded("TestLambdaPermissions::test_permission_exceptions"),
        MISSING,
        "No policy is associated with the given resource.",
    ),
    refused(
        "RemovePermission",
        "no such function",
        {"FunctionName": "nothing", "StatementId": "s1"},
        recorded("TestLambdaPermissions::test_permission_exceptions"),
        MISSING,
        f"No policy found for: {FUNCTION}nothing",
    ),
    refused(
        "RemovePermission",
        "two qualifiers",
        {"FunctionName": "f:1", "Qualifier": "2", "StatementId": "s1"},
        recorded("TestLambdaPermissions::test_permission_exceptions"),
        INVALID,
        MISMATCH,
    ),
    *(
        refused(
            operation,
            "a revision that is past",
            {**F, **more, "RevisionId": "old"},
            recorded("TestLambdaPermissions::test_lambda_permission_revisions"),
            "PreconditionFailedException",
            STALE,
        )
        for operation, more in (
            ("AddPermission", STATEMENT),
            ("RemovePermission", {"StatementId": "s1"}),
        )
    ),
    *(
        refused(
            operation,
            "no such function",
            {"FunctionName": "nothing", **more},
            recorded("TestLambdaPermissions::test_permission_exceptions"),
            MISSING,
            NOWHERE,
        )
        for operation, more in (("AddPermission", STATEMENT), ("GetPolicy", {}))
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_aws_answers_so(case: Case, api: LambdaApi) -> None:
    """Status and output, member for member, or code and message are AWS's."""
    case.check(api)
