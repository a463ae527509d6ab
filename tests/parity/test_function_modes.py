"""Recursion and runtime management configurations: what AWS answers."""

import pytest

from lambent.testing.lambda_account import FUNCTION
from lambent.testing.lambda_api import LambdaApi
from lambent.testing.parity import (
    API,
    INVALID,
    MISMATCH,
    MISSING,
    NOWHERE,
    RECORDED,
    Case,
    refused,
    seen,
)

F = {"FunctionName": "f"}
RUNTIME_VERSION = f"arn:aws:lambda:us-east-1::runtime:{'0' * 64}"
MANUAL = "RuntimeVersionArn is required when UpdateRuntimeOn is Manual."
CASES = [
    Case(
        "PutFunctionRecursionConfig",
        "to allow it",
        {**F, "RecursiveLoop": "Allow"},
        API,
        {"RecursiveLoop": "Allow"},
    ),
    Case("GetFunctionRecursionConfig", "unless set", F, API, {"RecursiveLoop": "Terminate"}),
    Case(
        "PutRuntimeManagementConfig",
        "of a version",
        {**F, "Qualifier": "1", "UpdateRuntimeOn": "FunctionUpdate"},
        API,
        {"UpdateRuntimeOn": "FunctionUpdate", "FunctionArn": f"{FUNCTION}f:1"},
    ),
    Case(
        "PutRuntimeManagementConfig",
        "by hand, and it is kept",
        {**F, "UpdateRuntimeOn": "Manual", "RuntimeVersionArn": RUNTIME_VERSION},
        API,
        {
            "UpdateRuntimeOn": "Manual",
            "FunctionArn": f"{FUNCTION}f:$LATEST",
            "RuntimeVersionArn": RUNTIME_VERSION,
        },
    ),
    refused(
        "PutRuntimeManagementConfig",
        "by hand without a version",
        {**F, "UpdateRuntimeOn": "Manual"},
        "best known",
        INVALID,
        MANUAL,
    ),
    refused(
        "PutRuntimeManagementConfig",
        "a version although automatic",
        {
            **F,
            "UpdateRuntimeOn": "Auto",
            "RuntimeVersionArn": RUNTIME_VERSION,
        },
        "best known",
        INVALID,
        "RuntimeVersionArn is only valid when UpdateRuntimeOn is Manual.",
    ),
    Case(
        "GetRuntimeManagementConfig",
        "unless set",
        {**F, "Qualifier": "$LATEST"},
        API,
        {"UpdateRuntimeOn": "Auto", "FunctionArn": f"{FUNCTION}f:$LATEST"},
    ),
    refused(
        "GetRuntimeManagementConfig",
        "two qualifiers",
        {"FunctionName": "f:1", "Qualifier": "2"},
        seen("AWS's EventBridge Scheduler guide, of Invoke"),
        INVALID,
        MISMATCH,
    ),
    *(
        refused(
            operation,
            "no such function",
            {"FunctionName": "nothing", **more},
            RECORDED,
            MISSING,
            NOWHERE,
        )
        for operation, more in (
            ("PutFunctionRecursionConfig", {"RecursiveLoop": "Allow"}),
            ("GetFunctionRecursionConfig", {}),
            ("PutRuntimeManagementConfig", {"UpdateRuntimeOn": "Auto"}),
            ("GetRuntimeManagementConfig", {}),
        )
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_aws_answers_so(case: Case, api: LambdaApi) -> None:
    """Status and output, member for member, or code and message are AWS's."""
    case.check(api)
