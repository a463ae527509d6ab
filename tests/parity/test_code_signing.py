"""Code signing configurations: what AWS answers, of themselves and of the functions that have them."""

import re
from typing import Any

import pytest

from lambent.testing.lambda_account import FUNCTION, NO_CONFIG, PROFILE
from lambent.testing.lambda_api import LambdaApi
from lambent.testing.parity import (
    API,
    CONFLICT,
    FUNCTIONS_ONLY,
    INVALID,
    MISSING,
    NOWHERE,
    RECORDED,
    TIME,
    Case,
    Like,
    recorded,
    refused,
    seen,
)

PUBLISHERS = {"AllowedPublishers": {"SigningProfileVersionArns": [PROFILE]}}
ENFORCE = {"CodeSigningPolicies": {"UntrustedArtifactOnDeployment": "Enforce"}}
WARN = {"CodeSigningPolicies": {"UntrustedArtifactOnDeployment": "Warn"}}
NO_LONGER = (
    "The code signing configuration cannot be found. Check that the provided configuration is not "
    f"deleted: {NO_CONFIG}."
)
NOT_FOUND = f"The Lambda code signing configuration {NO_CONFIG} can not be found."


def config(config_id: Any, arn: Any, **more: Any) -> dict[str, Any]:
    """The shape ``CodeSigningConfig``."""
    return {
        "CodeSigningConfigId": config_id,
        "CodeSigningConfigArn": arn,
        **PUBLISHERS,
        **WARN,
        "LastModified": TIME,
        **more,
    }


NEW = config(
    Like("csc-[0-9a-f]{17}"),
    Like(re.escape(NO_CONFIG).replace("0123456789abcdef0", "[0-9a-f]{17}")),
)
CSC = {"CodeSigningConfigArn": "<csc>"}
CASES = [
    Case(
        "CreateCodeSigningConfig",
        "with every setting",
        {"Description": "d", **PUBLISHERS, **ENFORCE, "Tags": {"a": "b"}},
        recorded("TestCodeSigningConfig::test_function_code_signing_config"),
        {"CodeSigningConfig": NEW | ENFORCE | {"Description": "d"}},
        status=201,
    ),
    Case(
        "CreateCodeSigningConfig",
        "with the least",
        PUBLISHERS,
        API,
        {"CodeSigningConfig": NEW},
        status=201,
    ),
    refused(
        "CreateCodeSigningConfig",
        "with a tag that is AWS's",
        {**PUBLISHERS, "Tags": {"aws:x": "y"}},
        seen("the tag helpers of aws-cloudformation's resource providers"),
        INVALID,
        "aws: prefixed tag key names are not allowed for external use.",
    ),
    Case(
        "GetCodeSigningConfig",
        "what is there",
        CSC,
        recorded("TestCodeSigningConfig::test_function_code_signing_config"),
        {"CodeSigningConfig": config("<csc_id>", "<csc>")},
    ),
    Case(
        "UpdateCodeSigningConfig",
        "every setting",
        {**CSC, "Description": "d", **PUBLISHERS, **ENFORCE},
        recorded("TestCodeSigningConfig::test_function_code_signing_config"),
        {"CodeSigningConfig": config("<csc_id>", "<csc>", Description="d", **ENFORCE)},
    ),
    Case(
        "ListCodeSigningConfigs",
        "the rest, after two were deleted",
        {"MaxItems": 50, "Marker": ""},
        recorded("TestCodeSigningConfig::test_function_code_signing_config"),
        {"CodeSigningConfigs": [config("<csc_id>", "<csc>")]},
    ).after(
        ("DeleteFunctionCodeSigningConfig", {"FunctionName": "signed"}),
        ("DeleteCodeSigningConfig", {"CodeSigningConfigArn": "<enforced>"}),
        ("DeleteCodeSigningConfig", {"CodeSigningConfigArn": "<unused>"}),
    ),
    refused(
        "ListCodeSigningConfigs",
        "a marker that is none",
        {"Marker": "x"},
        "best known",
        INVALID,
        "Invalid Marker",
    ),
    Case(
        "ListFunctionsByCodeSigningConfig",
        "those that have it",
        {**CSC, "MaxItems": 50, "Marker": ""},
        recorded("TestCodeSigningConfig::test_function_code_signing_config"),
        {"FunctionArns": [f"{FUNCTION}f"]},
    ),
    refused(
        "ListFunctionsByCodeSigningConfig",
        "a marker that is none",
        {**CSC, "Marker": "x"},
        "best known",
        INVALID,
        "Invalid Marker",
    ),
    Case(
        "DeleteCodeSigningConfig",
        "what is there",
        {"CodeSigningConfigArn": "<unused>"},
        recorded("TestCodeSigningConfig::test_function_code_signing_config"),
        status=204,
    ),
    refused(
        "DeleteCodeSigningConfig",
        "one that functions have",
        CSC,
        "best known: AWS documents the rule and the code",
        CONFLICT,
        "The code signing configuration cannot be deleted because functions use it: <csc>",
    ),
    *(
        refused(
            operation,
            "no such one",
            {"CodeSigningConfigArn": NO_CONFIG},
            recorded("TestCodeSigningConfig::test_code_signing_not_found_excs"),
            MISSING,
            NOT_FOUND,
        )
        for operation in (
            "GetCodeSigningConfig",
            "UpdateCodeSigningConfig",
            "ListFunctionsByCodeSigningConfig",
            "DeleteCodeSigningConfig",
        )
    ),
    Case(
        "PutFunctionCodeSigningConfig",
        "of a function without",
        {"FunctionName": "bare", **CSC},
        recorded("TestCodeSigningConfig::test_function_code_signing_config"),
        {"FunctionName": "bare", **CSC},
    ),
    refused(
        "PutFunctionCodeSigningConfig",
        "no such one",
        {"FunctionName": "bare", "CodeSigningConfigArn": NO_CONFIG},
        recorded("TestCodeSigningConfig::test_code_signing_not_found_excs"),
        "CodeSigningConfigNotFoundException",
        NO_LONGER,
    ),
    Case(
        "GetFunctionCodeSigningConfig",
        "what is there",
        {"FunctionName": "f"},
        recorded("TestCodeSigningConfig::test_function_code_signing_config"),
        {"FunctionName": "f", **CSC},
    ),
    Case(
        "GetFunctionCodeSigningConfig",
        "none",
        {"FunctionName": "bare"},
        recorded("TestCodeSigningConfig::test_code_signing_not_found_excs"),
    ),
    Case(
        "DeleteFunctionCodeSigningConfig",
        "what is there",
        {"FunctionName": "f"},
        recorded("TestCodeSigningConfig::test_function_code_signing_config"),
        status=204,
    ),
    *(
        refused(
            operation,
            "no such function",
            {"FunctionName": "nothing", **more},
            recorded("TestCodeSigningConfig::test_code_signing_not_found_excs"),
            MISSING,
            NOWHERE,
        )
        for operation, more in (
            ("PutFunctionCodeSigningConfig", CSC),
            ("GetFunctionCodeSigningConfig", {}),
            ("DeleteFunctionCodeSigningConfig", {}),
        )
    ),
    *(
        refused(
            operation,
            "of an alias",
            {"FunctionName": "f:live", **more},
            RECORDED,
            INVALID,
            FUNCTIONS_ONLY,
        )
        for operation, more in (
            ("PutFunctionCodeSigningConfig", CSC),
            ("GetFunctionCodeSigningConfig", {}),
            ("DeleteFunctionCodeSigningConfig", {}),
        )
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_aws_answers_so(case: Case, api: LambdaApi) -> None:
    """Status and output, member for member, or code and message are AWS's."""
    case.check(api)
