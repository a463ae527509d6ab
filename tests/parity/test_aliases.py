"""Aliases: what AWS answers to creating, reading, listing, changing and deleting them."""

from typing import Any

import pytest

from lambent.testing.lambda_account import FUNCTION
from lambent.testing.lambda_api import LambdaApi
from lambent.testing.parity import (
    CONFLICT,
    INVALID,
    MISSING,
    NOWHERE,
    RECORDED,
    STALE,
    UUID,
    Case,
    recorded,
    refused,
    seen,
)

F = {"FunctionName": "f"}


def alias(name: str, version: str, description: str = "", **more: Any) -> dict[str, Any]:
    """The shape ``AliasConfiguration``."""
    return {
        "AliasArn": f"{FUNCTION}f:{name}",
        "Name": name,
        "FunctionVersion": version,
        "Description": description,
        "RevisionId": UUID,
        **more,
    }


ROUTED: dict[str, Any] = {"RoutingConfig": {"AdditionalVersionWeights": {"2": 0.25}}}
CASES = [
    Case(
        "CreateAlias",
        "with every setting",
        {**F, "Name": "new", "FunctionVersion": "1", "Description": "d", **ROUTED},
        recorded("TestLambdaAlias::test_alias_lifecycle"),
        alias("new", "1", "d", **ROUTED),
        status=201,
    ),
    refused(
        "CreateAlias",
        "one that is there",
        {**F, "Name": "live", "FunctionVersion": "1"},
        recorded("TestLambdaAlias::test_notfound_and_invalid_routingconfigs"),
        CONFLICT,
        f"Alias already exists: {FUNCTION}f:live",
    ),
    refused(
        "CreateAlias",
        "of a version that is not there",
        {**F, "Name": "new", "FunctionVersion": "9"},
        recorded("TestLambdaAlias::test_notfound_and_invalid_routingconfigs"),
        MISSING,
        f"Function not found: {FUNCTION}f:9",
    ),
    refused(
        "CreateAlias",
        "to the same version twice",
        {
            **F,
            "Name": "new",
            "FunctionVersion": "2",
            **ROUTED,
        },
        recorded("TestLambdaAlias::test_notfound_and_invalid_routingconfigs"),
        INVALID,
        "Invalid function version 2. Function version 2 is already included in routing configuration.",
    ),
    refused(
        "CreateAlias",
        "of the latest version and another",
        {**F, "Name": "new", "FunctionVersion": "$LATEST", **ROUTED},
        recorded("TestLambdaAlias::test_notfound_and_invalid_routingconfigs"),
        INVALID,
        "$LATEST is not supported for an alias pointing to more than 1 version",
    ).without_type(),
    refused(
        "CreateAlias",
        "with more than all the traffic",
        {
            **F,
            "Name": "new",
            "FunctionVersion": "1",
            "RoutingConfig": {"AdditionalVersionWeights": {"2": 2.0}},
        },
        recorded("TestLambdaAlias::test_notfound_and_invalid_routingconfigs"),
        "ValidationException",
        "1 validation error detected: Value '{2=2.0}' at 'routingConfig.additionalVersionWeights' "
        "failed to satisfy constraint: Map value must satisfy constraint: [Member must have value "
        "less than or equal to 1.0, Member must have value greater than or equal to 0.0, Member "
        "must not be null]",
    ),
    refused(
        "CreateAlias",
        "with weight on the latest version",
        {
            **F,
            "Name": "new",
            "FunctionVersion": "1",
            "RoutingConfig": {"AdditionalVersionWeights": {"$LATEST": 0.5}},
        },
        recorded("TestLambdaAlias::test_notfound_and_invalid_routingconfigs"),
        "ValidationException",
        "1 validation error detected: Value '{$LATEST=0.5}' at "
        "'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map keys must "
        "satisfy constraint: [Member must have length less than or equal to 1024, Member must have "
        "length greater than or equal to 1, Member must satisfy regular expression pattern: [0-9]+, "
        "Member must not be null]",
    ),
    refused(
        "CreateAlias",
        "with a number for a name",
        {**F, "Name": "12", "FunctionVersion": "1"},
        recorded("TestLambdaAlias::test_alias_naming"),
        "ValidationException",
        "1 validation error detected: Value '12' at 'name' failed to satisfy constraint: Member must "
        "satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)",
    ),
    Case(
        "GetAlias",
        "what is there",
        {**F, "Name": "live"},
        recorded("TestLambdaAlias::test_alias_lifecycle"),
        alias("live", "1"),
    ),
    Case(
        "GetAlias",
        "with weights",
        {**F, "Name": "split"},
        recorded("TestLambdaAlias::test_alias_lifecycle"),
        alias("split", "1", **ROUTED),
    ),
    refused(
        "GetAlias",
        "one that is not there",
        {**F, "Name": "no"},
        recorded("TestLambdaAlias::test_notfound_and_invalid_routingconfigs"),
        MISSING,
        f"Cannot find alias arn: {FUNCTION}f:no",
    ),
    Case(
        "ListAliases",
        "every alias",
        {**F, "MaxItems": 50, "Marker": ""},
        recorded("TestLambdaAlias::test_alias_lifecycle"),
        {"Aliases": [alias("live", "1"), alias("split", "1", **ROUTED), alias("warm", "2")]},
    ),
    Case(
        "ListAliases",
        "those of a version",
        {**F, "FunctionVersion": "2"},
        recorded("TestLambdaAlias::test_alias_lifecycle"),
        {"Aliases": [alias("split", "1", **ROUTED), alias("warm", "2")]},
    ),
    refused(
        "ListAliases",
        "a marker that is none",
        {**F, "Marker": "x"},
        "best known",
        INVALID,
        "Invalid Marker",
    ),
    Case(
        "UpdateAlias",
        "every setting",
        {
            **F,
            "Name": "warm",
            "FunctionVersion": "1",
            "Description": "d",
            "RevisionId": "<warm_revision>",
            **ROUTED,
        },
        recorded("TestLambdaAlias::test_alias_lifecycle"),
        alias("warm", "1", "d", **ROUTED),
    ),
    refused(
        "UpdateAlias",
        "one that is not there",
        {**F, "Name": "no"},
        seen("localstack/localstack#11878, found by asking AWS"),
        MISSING,
        f"Alias not found: {FUNCTION}f:no",
    ),
    refused(
        "UpdateAlias",
        "a revision that is past",
        {**F, "Name": "live", "RevisionId": "old"},
        recorded("TestLambdaRevisions::test_function_revisions_version_and_alias"),
        "PreconditionFailedException",
        STALE,
    ),
    refused(
        "UpdateAlias",
        "two more versions",
        {**F, "Name": "live", "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.1, "2": 0.2}}},
        recorded("TestLambdaAlias::test_notfound_and_invalid_routingconfigs"),
        INVALID,
        "Number of items in AdditionalVersionWeights cannot be greater than 1",
    ),
    refused(
        "UpdateAlias",
        "a provisioned one to a provisioned version",
        {**F, "Name": "warm", "FunctionVersion": "1"},
        seen("notes on deployments, for the configuration of an alias"),
        CONFLICT,
        "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned "
        "version",
    ).after(
        ("DeleteProvisionedConcurrencyConfig", {**F, "Qualifier": "warm"}),
        (
            "PutProvisionedConcurrencyConfig",
            {**F, "Qualifier": "1", "ProvisionedConcurrentExecutions": 1},
        ),
        (
            "PutProvisionedConcurrencyConfig",
            {**F, "Qualifier": "warm", "ProvisionedConcurrentExecutions": 1},
        ),
    ),
    Case(
        "DeleteAlias",
        "what is there",
        {**F, "Name": "live"},
        recorded("TestLambdaAlias::test_alias_lifecycle"),
        status=204,
    ),
    Case(
        "DeleteAlias",
        "one that is not there",
        {**F, "Name": "no"},
        seen("localstack/localstack#11878, found by asking AWS"),
        status=204,
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
            ("GetAlias", {"Name": "live"}),
            ("ListAliases", {}),
            ("UpdateAlias", {"Name": "live"}),
            ("DeleteAlias", {"Name": "live"}),
        )
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_aws_answers_so(case: Case, api: LambdaApi) -> None:
    """Status and output, member for member, or code and message are AWS's."""
    case.check(api)
