"""Reserved and provisioned concurrency, and the account's limits: what AWS answers."""

import pytest

from lambent.testing.lambda_account import FUNCTION, ZIP
from lambent.testing.lambda_api import LambdaApi
from lambent.testing.parity import (
    API,
    CONFLICT,
    FUNCTIONS_ONLY,
    INVALID,
    MISSING,
    NOWHERE,
    TIME,
    Case,
    recorded,
    refused,
    seen,
)

F = {"FunctionName": "f"}
RESERVED = {"ReservedConcurrentExecutions": 5}
PROVISIONED = {"Qualifier": "1", "ProvisionedConcurrentExecutions": 2}
LEFT = "UnreservedConcurrentExecution below its minimum value of [100]."
NOT_PUBLISHED = "The function resource provided must be an alias or a published version."
SHOWN = {
    "RequestedProvisionedConcurrentExecutions": 3,
    "AvailableProvisionedConcurrentExecutions": 0,
    "AllocatedProvisionedConcurrentExecutions": 0,
    "Status": "IN_PROGRESS",
    "LastModified": TIME,
}
CASES = [
    Case(
        "PutFunctionConcurrency",
        "a reservation",
        {**F, **RESERVED},
        recorded("TestLambdaReservedConcurrency::test_function_concurrency"),
        RESERVED,
    ),
    refused(
        "PutFunctionConcurrency",
        "more than there is to give",
        {**F, "ReservedConcurrentExecutions": 901},
        recorded("TestLambdaReservedConcurrency::test_function_concurrency_limits"),
        INVALID,
        f"Specified ReservedConcurrentExecutions for function decreases account's {LEFT}",
    ),
    refused(
        "PutFunctionConcurrency",
        "less than is provisioned",
        {**F, "ReservedConcurrentExecutions": 2},
        "best known",
        INVALID,
        "ReservedConcurrentExecutions 2 should not be lower than function's total provisioned "
        "concurrency [3].",
    ),
    refused(
        "PutFunctionConcurrency",
        "no such function",
        {"FunctionName": "nothing", **RESERVED},
        recorded("TestLambdaReservedConcurrency::test_function_concurrency_exceptions"),
        MISSING,
        f"{NOWHERE}:$LATEST",
    ),
    Case(
        "GetFunctionConcurrency",
        "what is reserved",
        F,
        recorded("TestLambdaReservedConcurrency::test_function_concurrency"),
        {"ReservedConcurrentExecutions": 10},
    ),
    Case(
        "GetFunctionConcurrency",
        "nothing reserved",
        {"FunctionName": "bare"},
        recorded("TestLambdaReservedConcurrency::test_function_concurrency"),
    ),
    Case(
        "DeleteFunctionConcurrency",
        "what is there",
        F,
        recorded("TestLambdaReservedConcurrency::test_function_concurrency"),
        status=204,
    ),
    Case(
        "PutProvisionedConcurrencyConfig",
        "a version",
        {**F, **PROVISIONED},
        recorded("TestLambdaProvisionedConcurrency::test_lambda_provisioned_lifecycle"),
        SHOWN | {"RequestedProvisionedConcurrentExecutions": 2},
        status=202,
    ),
    refused(
        "PutProvisionedConcurrencyConfig",
        "the latest version",
        {**F, **PROVISIONED, "Qualifier": "$LATEST"},
        recorded("TestLambdaProvisionedConcurrency::test_provisioned_concurrency_exceptions"),
        INVALID,
        "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
    ),
    refused(
        "PutProvisionedConcurrencyConfig",
        "more than is reserved",
        {**F, **PROVISIONED, "ProvisionedConcurrentExecutions": 8},
        seen("deployment guides"),
        INVALID,
        "Requested Provisioned Concurrency should not be greater than the "
        "reservedConcurrentExecution for function",
    ),
    refused(
        "PutProvisionedConcurrencyConfig",
        "a version that an alias provisions",
        {**F, **PROVISIONED, "Qualifier": "2"},
        recorded("TestLambdaProvisionedConcurrency::test_lambda_provisioned_lifecycle"),
        CONFLICT,
        "Version is pointed by a Provisioned Concurrency alias",
    ),
    *(
        refused(
            "PutProvisionedConcurrencyConfig",
            shows,
            {"FunctionName": "bare", "Qualifier": "1", "ProvisionedConcurrentExecutions": wanted},
            recorded("TestLambdaProvisionedConcurrency::test_provisioned_concurrency_limits"),
            INVALID,
            f"Specified ConcurrentExecutions for function {text}",
        )
        .after(("PublishVersion", {"FunctionName": "bare"}))
        .without_type()
        for shows, wanted, text in (
            (
                "more than the account has",
                991,
                "is greater than account's unreserved concurrency [990].",
            ),
            ("more than others may spare", 891, f"decreases account's {LEFT}"),
        )
    ),
    Case(
        "GetProvisionedConcurrencyConfig", "what is there", {**F, "Qualifier": "warm"}, API, SHOWN
    ),
    refused(
        "GetProvisionedConcurrencyConfig",
        "where there is none",
        {**F, "Qualifier": "1"},
        recorded("TestLambdaProvisionedConcurrency::test_provisioned_concurrency_exceptions"),
        "ProvisionedConcurrencyConfigNotFoundException",
        "No Provisioned Concurrency Config found for this function",
    ),
    Case(
        "ListProvisionedConcurrencyConfigs",
        "every one",
        {**F, "MaxItems": 50, "Marker": ""},
        API,
        {"ProvisionedConcurrencyConfigs": [{"FunctionArn": f"{FUNCTION}f:warm", **SHOWN}]},
    ),
    refused(
        "ListProvisionedConcurrencyConfigs",
        "a marker that is none",
        {**F, "Marker": "x"},
        "best known",
        INVALID,
        "Invalid Marker",
    ),
    Case(
        "DeleteProvisionedConcurrencyConfig",
        "what is there",
        {**F, "Qualifier": "warm"},
        recorded("TestLambdaProvisionedConcurrency::test_lambda_provisioned_lifecycle"),
        status=204,
    ),
    *(
        refused(
            operation,
            "the latest version",
            {**F, "Qualifier": "$LATEST"},
            recorded("TestLambdaProvisionedConcurrency::test_provisioned_concurrency_exceptions"),
            INVALID,
            NOT_PUBLISHED,
        )
        for operation in ("GetProvisionedConcurrencyConfig", "DeleteProvisionedConcurrencyConfig")
    ),
    *(
        refused(
            operation,
            "no such version",
            {**F, **more, "Qualifier": "9"},
            recorded("TestLambdaProvisionedConcurrency::test_provisioned_concurrency_exceptions"),
            MISSING,
            f"Function not found: {FUNCTION}f:9",
        )
        for operation, more in (
            ("PutProvisionedConcurrencyConfig", {"ProvisionedConcurrentExecutions": 1}),
            ("GetProvisionedConcurrencyConfig", {}),
            ("DeleteProvisionedConcurrencyConfig", {}),
        )
    ),
    *(
        refused(
            operation,
            "of a version",
            {"FunctionName": "f:1"},
            recorded("TestLambdaReservedConcurrency::test_function_concurrency_exceptions"),
            INVALID,
            FUNCTIONS_ONLY,
        )
        for operation in ("GetFunctionConcurrency", "DeleteFunctionConcurrency")
    ),
    *(
        refused(
            operation,
            "no such function",
            {"FunctionName": "nothing"},
            recorded("TestLambdaFunction::test_ops_on_nonexisting_fn"),
            MISSING,
            NOWHERE,
        )
        for operation in (
            "GetFunctionConcurrency",
            "DeleteFunctionConcurrency",
            "ListProvisionedConcurrencyConfigs",
        )
    ),
    Case(
        "GetAccountSettings",
        "limits and use",
        {},
        recorded("TestLambdaAccountSettings::test_account_settings"),
        {
            "AccountLimit": {
                "TotalCodeSize": 80530636800,
                "CodeSizeUnzipped": 262144000,
                "CodeSizeZipped": 52428800,
                "ConcurrentExecutions": 1000,
                "UnreservedConcurrentExecutions": 990,
            },
            "AccountUsage": {"TotalCodeSize": 8 * len(ZIP), "FunctionCount": 4},
        },
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_aws_answers_so(case: Case, api: LambdaApi) -> None:
    """Status and output, member for member, or code and message are AWS's."""
    case.check(api)
