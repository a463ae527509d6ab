"""Event invoke configs: what AWS answers to putting, reading, changing and deleting them."""

from typing import Any

import pytest

from lambent.testing.lambda_account import FUNCTION, QUEUE
from lambent.testing.lambda_api import NOW, LambdaApi
from lambent.testing.parity import (
    INVALID,
    MISMATCH,
    MISSING,
    MODEL,
    Case,
    recorded,
    refused,
)

F = {"FunctionName": "f"}
FUNCTION_GONE = "The function doesn't exist."
NOT_CONFIGURED = f"The function {FUNCTION}bare:$LATEST doesn't have an EventInvokeConfig"
DESTINATIONS = {
    "DestinationConfig": {
        "OnSuccess": {"Destination": f"{FUNCTION}bare"},
        "OnFailure": {"Destination": QUEUE},
    }
}
SETTINGS = {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60, **DESTINATIONS}


def config(qualifier: str, **more: Any) -> dict[str, Any]:
    """The shape ``FunctionEventInvokeConfig``: its destinations are there even if empty."""
    return {
        "LastModified": NOW,
        "FunctionArn": f"{FUNCTION}f:{qualifier}",
        "DestinationConfig": {"OnSuccess": {}, "OnFailure": {}},
        **more,
    }


CASES = [
    Case(
        "PutFunctionEventInvokeConfig",
        "every setting, of an alias",
        {**F, "Qualifier": "live", **SETTINGS},
        recorded("TestLambdaEventInvokeConfig::test_lambda_eventinvokeconfig_exceptions"),
        config("live", **SETTINGS),
    ),
    Case(
        "PutFunctionEventInvokeConfig",
        "in place of what was",
        {**F, "MaximumEventAgeInSeconds": 90},
        recorded("TestLambdaEventInvokeConfig::test_lambda_eventinvokeconfig_exceptions"),
        config("$LATEST", MaximumEventAgeInSeconds=90),
    ),
    Case(
        "UpdateFunctionEventInvokeConfig",
        "what is given",
        {**F, "Qualifier": "$LATEST", "MaximumEventAgeInSeconds": 90, **DESTINATIONS},
        recorded("TestLambdaEventInvokeConfig::test_lambda_eventinvokeconfig_exceptions"),
        config("$LATEST", MaximumRetryAttempts=1, MaximumEventAgeInSeconds=90, **DESTINATIONS),
    ),
    Case(
        "UpdateFunctionEventInvokeConfig",
        "retries alone",
        {**F, "MaximumRetryAttempts": 2},
        recorded("TestLambdaEventInvokeConfig::test_lambda_eventinvokeconfig_exceptions"),
        config("$LATEST", MaximumRetryAttempts=2),
    ),
    Case(
        "GetFunctionEventInvokeConfig",
        "what is there",
        {**F, "Qualifier": "$LATEST"},
        recorded("TestLambdaEventInvokeConfig::test_lambda_eventinvokeconfig_exceptions"),
        config("$LATEST", MaximumRetryAttempts=1),
    ),
    Case(
        "ListFunctionEventInvokeConfigs",
        "every one",
        {**F, "MaxItems": 50, "Marker": ""},
        recorded("TestLambdaEventInvokeConfig::test_lambda_eventinvokeconfig_exceptions"),
        {"FunctionEventInvokeConfigs": [config("$LATEST", MaximumRetryAttempts=1)]},
    ),
    Case(
        "DeleteFunctionEventInvokeConfig",
        "what is there",
        F,
        recorded("TestLambdaEventInvokeConfig::test_lambda_eventinvokeconfig_exceptions"),
        status=204,
    ),
    refused(
        "ListFunctionEventInvokeConfigs",
        "a marker that is none",
        {**F, "Marker": "x"},
        "best known",
        INVALID,
        "Invalid Marker",
    ),
    refused(
        "ListFunctionEventInvokeConfigs",
        "no such function",
        {"FunctionName": "nothing"},
        recorded("TestLambdaEventInvokeConfig::test_lambda_eventinvokeconfig_exceptions"),
        MISSING,
        FUNCTION_GONE,
    ),
    *(
        refused(
            operation,
            "no setting",
            F,
            recorded("TestLambdaEventInvokeConfig::test_lambda_eventinvokeconfig_exceptions"),
            INVALID,
            "You must specify at least one of error handling or destination setting.",
        )
        for operation in ("PutFunctionEventInvokeConfig", "UpdateFunctionEventInvokeConfig")
    ),
    *(
        refused(
            operation,
            "no such function",
            {"FunctionName": "nothing", "MaximumRetryAttempts": 1},
            recorded("TestLambdaEventInvokeConfig::test_lambda_eventinvokeconfig_exceptions"),
            MISSING,
            FUNCTION_GONE,
        )
        for operation in ("PutFunctionEventInvokeConfig", "UpdateFunctionEventInvokeConfig")
    ),
    *(
        refused(
            operation,
            "where there is none",
            {"FunctionName": "bare", **more},
            recorded("TestLambdaEventInvokeConfig::test_lambda_eventinvokeconfig_exceptions"),
            MISSING,
            NOT_CONFIGURED,
        )
        for operation, more in (
            ("UpdateFunctionEventInvokeConfig", {"MaximumRetryAttempts": 1}),
            ("GetFunctionEventInvokeConfig", {}),
            ("DeleteFunctionEventInvokeConfig", {}),
        )
    ),
    *(
        refused(
            operation,
            "two qualifiers",
            {"FunctionName": "f:1", "Qualifier": "2"},
            recorded("TestLambdaEventInvokeConfig::test_lambda_eventinvokeconfig_exceptions"),
            INVALID,
            MISMATCH,
        )
        for operation in ("GetFunctionEventInvokeConfig", "DeleteFunctionEventInvokeConfig")
    ),
    refused(
        "PutFunctionEventInvokeConfig",
        "itself as a destination",
        {**F, "DestinationConfig": {"OnFailure": {"Destination": f"{FUNCTION}f"}}},
        recorded("TestLambdaEventInvokeConfig::test_lambda_eventinvokeconfig_exceptions"),
        INVALID,
        "You can't specify the function as a destination for itself.",
    ),
    refused(
        "PutFunctionEventInvokeConfig",
        "too many retries",
        {**F, "MaximumRetryAttempts": 3},
        MODEL,
        "ValidationException",
        "1 validation error detected: Value '3' at 'maximumRetryAttempts' failed to satisfy "
        "constraint: Member must have value less than or equal to 2",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_aws_answers_so(case: Case, api: LambdaApi) -> None:
    """Status and output, member for member, or code and message are AWS's."""
    case.check(api)
