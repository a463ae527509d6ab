"""Function URLs: what AWS answers to creating, reading, listing, changing and deleting them."""

from typing import Any

import pytest

from lambent.testing.lambda_account import FUNCTION
from lambent.testing.lambda_api import LambdaApi
from lambent.testing.parity import (
    API,
    CONFLICT,
    INVALID,
    MISMATCH,
    MISSING,
    Case,
    Like,
    recorded,
    refused,
)

F = {"FunctionName": "f"}
GONE = "The resource you requested does not exist."
URL = Like(r"http://[a-z0-9]{32}\.lambda-url\.us-east-1\.localhost:4566/")
STAMP = "2026-01-31T12:00:00.000000Z"
CORS = {
    "Cors": {
        "AllowCredentials": True,
        "AllowHeaders": ["a"],
        "AllowMethods": ["GET"],
        "AllowOrigins": ["https://example.org"],
        "ExposeHeaders": ["b"],
        "MaxAge": 60,
    }
}


def url(name: str, **more: Any) -> dict[str, Any]:
    """The shape ``FunctionUrlConfig``, as far as it is there from the beginning."""
    shown = {
        "FunctionUrl": URL,
        "FunctionArn": f"{FUNCTION}{name}",
        "AuthType": "NONE",
        "CreationTime": STAMP,
        "InvokeMode": "BUFFERED",
    }
    return {member: value for member, value in (shown | more).items() if value is not None}


CASES = [
    Case(
        "CreateFunctionUrlConfig",
        "with every setting, of an alias",
        {
            **F,
            "Qualifier": "live",
            "AuthType": "AWS_IAM",
            "InvokeMode": "BUFFERED",
            **CORS,
        },
        API,
        url("f:live", AuthType="AWS_IAM", **CORS),
        status=201,
    ),
    Case(
        "CreateFunctionUrlConfig",
        "with the least",
        {"FunctionName": "bare", "AuthType": "NONE"},
        recorded("TestLambdaUrl::test_url_config_lifecycle"),
        url("bare", InvokeMode=None),
        status=201,
    ),
    refused(
        "CreateFunctionUrlConfig",
        "a second one",
        {**F, "AuthType": "NONE"},
        recorded("TestLambdaUrl::test_url_config_lifecycle"),
        CONFLICT,
        f"Failed to create function url config for [functionArn = {FUNCTION}f]. Error message:  "
        "FunctionUrlConfig exists for this Lambda function",
    ),
    refused(
        "CreateFunctionUrlConfig",
        "no such function",
        {"FunctionName": "nothing", "AuthType": "NONE"},
        recorded("TestLambdaUrl::test_url_config_exceptions"),
        MISSING,
        "Function does not exist",
    ),
    Case(
        "GetFunctionUrlConfig",
        "what is there",
        F,
        recorded("TestLambdaUrl::test_url_config_lifecycle"),
        url("f", LastModifiedTime=STAMP),
    ),
    Case(
        "UpdateFunctionUrlConfig",
        "every setting",
        {**F, "AuthType": "AWS_IAM", "InvokeMode": "BUFFERED", **CORS},
        API,
        url("f", AuthType="AWS_IAM", LastModifiedTime=STAMP, **CORS),
    ),
    Case(
        "UpdateFunctionUrlConfig",
        "its authorisation alone",
        {**F, "AuthType": "AWS_IAM"},
        recorded("TestLambdaUrl::test_url_config_lifecycle"),
        url("f", AuthType="AWS_IAM", InvokeMode=None, LastModifiedTime=STAMP),
    ),
    Case(
        "ListFunctionUrlConfigs",
        "every one",
        {**F, "MaxItems": 50, "Marker": ""},
        recorded("TestLambdaUrl::test_url_config_list_paging"),
        {"FunctionUrlConfigs": [url("f", LastModifiedTime=STAMP)]},
    ),
    refused(
        "ListFunctionUrlConfigs",
        "a marker that is none",
        {**F, "Marker": "x"},
        "best known",
        INVALID,
        "Invalid Marker",
    ),
    refused(
        "ListFunctionUrlConfigs",
        "no such function",
        {"FunctionName": "nothing"},
        recorded("TestLambdaUrl::test_url_config_list_paging"),
        MISSING,
        "Function does not exist",
    ),
    Case(
        "DeleteFunctionUrlConfig",
        "what is there",
        F,
        recorded("TestLambdaUrl::test_url_config_lifecycle"),
        status=204,
    ),
    *(
        refused(
            operation,
            "where there is none",
            {**F, "Qualifier": "live"},
            recorded("TestLambdaUrl::test_url_config_exceptions"),
            MISSING,
            GONE,
        )
        for operation in (
            "GetFunctionUrlConfig",
            "UpdateFunctionUrlConfig",
            "DeleteFunctionUrlConfig",
        )
    ),
    *(
        refused(
            operation,
            "two qualifiers",
            {"FunctionName": "f:live", "Qualifier": "warm", **more},
            recorded("TestLambdaUrl::test_url_config_exceptions"),
            INVALID,
            MISMATCH,
        )
        for operation, more in (
            ("CreateFunctionUrlConfig", {"AuthType": "NONE"}),
            ("GetFunctionUrlConfig", {}),
            ("UpdateFunctionUrlConfig", {}),
            ("DeleteFunctionUrlConfig", {}),
        )
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_aws_answers_so(case: Case, api: LambdaApi) -> None:
    """Status and output, member for member, or code and message are AWS's."""
    case.check(api)
