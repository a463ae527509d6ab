"""Aliases: what AWS answers to creating, reading, listing, changing and deleting them."""

from typing import Any

import pytest

from lambent.testing.lambda_account import FUNCTION
from lambent.testing.lambda_api import LambdaApi
from lambent.testing.parity import (
    API,
    CONFLICT,
    INVALID,
    MISSING,
    MODEL,
    NOWHERE,
    RECORDED,
    STALE,
    UUID,
    Case,
    refused,
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
        API,
        alias("new", "1", "d", **ROUTED),
        status=201,
    ),
    refused(
        "CreateAlias",
        "one that is there",
        {**F, "Name": "live", "FunctionVersion": "1"},
        RECORDED,
        CONFLICT,
        f"Alias already exists: {FUNCTION}f:live",
    ),
    refused(
        "CreateAlias",
        "of a version that is not there",
        {**F, "Name": "new", "FunctionVersion": "9"},
        RECORDED,
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
        RECORDED,
        INVALID,
        "Invalid function version 2. Function version 2 is already included in routing configuration.",
    ),
    refused(
        "CreateAlias",
        "with a number for a name",
        {**F, "Name": "12", "FunctionVersion": "1"},
        MODEL,
        "ValidationException",
        "1 validation error detected: Value '12' at 'name' failed to satisfy constraint: Member must "
        "satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)",
    ),
    Case("GetAlias", "what is there", {**F, "Name": "live"}, API, alias("live", "1")),
    Case("GetAlias", "with weights", {**F, "Name": "split"}, API, alias("split", "1", **ROUTED)),
    refused(
        "GetAlias",
        "one that is not there",
        {**F, "Name": "no"},
        RECORDED,
        MISSING,
        f"Cannot find alias arn: {FUNCTION}f:no",
    ),
    Case(
        "ListAliases",
        "every alias",
        {**F, "MaxItems": 50, "Marker": ""},
        API,
        {"Aliases": [alias("live", "1"), alias("split", "1", **ROUTED), alias("warm", "2")]},
    ),
    Case(
        "ListAliases",
        "those of a version",
        {**F, "FunctionVersion": "2"},
        API,
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
        API,
        alias("warm", "1", "d", **ROUTED),
    ),
    refused(
        "UpdateAlias",
        "one that is not there",
        {**F, "Name": "no"},
        RECORDED,
        MISSING,
        f"Alias not found: {FUNCTION}f:no",
    ),
    refused(
        "UpdateAlias",
        "a revision that is past",
        {**F, "Name": "live", "RevisionId": "old"},
        RECORDED,
        "PreconditionFailedException",
        STALE,
    ),
    refused(
        "UpdateAlias",
        "two more versions",
        {**F, "Name": "live", "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.1, "2": 0.2}}},
        RECORDED,
        INVALID,
        "Number of items in AdditionalVersionWeights cannot be greater than 1",
    ),
    refused(
        "UpdateAlias",
        "a provisioned one to a provisioned version",
        {**F, "Name": "warm", "FunctionVersion": "1"},
        RECORDED,
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
    Case("DeleteAlias", "what is there", {**F, "Name": "live"}, API, status=204),
    Case("DeleteAlias", "one that is not there", {**F, "Name": "no"}, RECORDED, status=204),
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
