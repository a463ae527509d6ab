"""Layers and their policies: what AWS answers to publishing, reading, listing and deleting."""

from typing import Any

import pytest

from lambent.testing.lambda_account import LAYER, SHA, ZIP
from lambent.testing.lambda_api import LambdaApi
from lambent.testing.parity import (
    API,
    CONFLICT,
    INVALID,
    MISSING,
    STALE,
    TIME,
    UUID,
    Case,
    Like,
    recorded,
    refused,
    seen,
)

LOCATION = Like(r"http://127\.0\.0\.1:4566/_lambent/code/[0-9a-f]{64}")
GONE = "The resource you requested does not exist."
VERSION = {"LayerName": "l", "VersionNumber": 1}
NO_VERSION = {"LayerName": "l", "VersionNumber": 9}
NO_LAYER_VERSION = f"Layer version {LAYER}:9 does not exist."
STATEMENT = {"StatementId": "s2", "Action": "lambda:GetLayerVersion", "Principal": "111122223333"}
STALE_LAYER = STALE.replace("GetFunction/GetAlias", "GetLayerPolicy")
TWO = {"LayerName": "l", "VersionNumber": 2}
FITTING = 73
"""So many long statements are just below 20 KiB."""
KINDS: dict[str, Any] = {
    "CompatibleArchitectures": ["x86_64"],
    "CompatibleRuntimes": ["python3.12"],
    "LicenseInfo": "MIT",
}


def item(number: int, description: str) -> dict[str, Any]:
    """The shape ``LayerVersionsListItem``."""
    return {
        "LayerVersionArn": f"{LAYER}:{number}",
        "Version": number,
        "Description": description,
        "CreatedDate": TIME,
    }


def shown(number: int, description: str, **more: Any) -> dict[str, Any]:
    """The shape ``GetLayerVersionResponse``."""
    content = {"Location": LOCATION, "CodeSha256": SHA, "CodeSize": len(ZIP)}
    return {"Content": content, "LayerArn": LAYER, **item(number, description), **more}


CASES = [
    Case(
        "PublishLayerVersion",
        "with every setting",
        {"LayerName": "l", "Description": "d", "Content": {"ZipFile": ZIP}, **KINDS},
        recorded("TestLambdaLayer::test_layer_lifecycle"),
        shown(3, "d", **KINDS),
        status=201,
    ),
    Case(
        "PublishLayerVersion",
        "of content in S3",
        {
            "LayerName": "l",
            "Content": {
                "S3Bucket": "code",
                "S3Key": "f.zip",
                "S3ObjectVersion": "v1",
                "S3ObjectStorageMode": "COPY",
            },
        },
        API,
        shown(3, ""),
        status=201,
    ),
    refused(
        "PublishLayerVersion",
        "without content",
        {"LayerName": "l", "Content": {}},
        "best known",
        INVALID,
        "Please provide a source for layer content.",
    ),
    Case(
        "GetLayerVersion",
        "what is there",
        VERSION,
        recorded("TestLambdaLayer::test_layer_lifecycle"),
        shown(1, "one"),
    ),
    Case(
        "GetLayerVersionByArn",
        "what is there",
        {"Arn": f"{LAYER}:2"},
        recorded("TestLambdaLayer::test_layer_lifecycle"),
        shown(2, "two"),
    ),
    refused(
        "GetLayerVersion",
        "the version zero",
        {"LayerName": "l", "VersionNumber": 0},
        recorded("TestLambdaLayer::test_layer_exceptions"),
        INVALID,
        "Layer Version Cannot be less than 1",
    ),
    refused(
        "GetLayerVersion",
        "no such version",
        NO_VERSION,
        recorded("TestLambdaLayer::test_layer_exceptions"),
        MISSING,
        GONE,
    ),
    refused(
        "GetLayerVersionByArn",
        "no such version",
        {"Arn": f"{LAYER}:9"},
        recorded("TestLambdaLayer::test_layer_exceptions"),
        MISSING,
        GONE,
    ),
    Case(
        "ListLayers",
        "each by its newest",
        {"MaxItems": 50, "Marker": ""},
        API,
        {
            "Layers": [
                {"LayerName": "l", "LayerArn": LAYER, "LatestMatchingVersion": item(2, "two")}
            ]
        },
    ),
    Case(
        "ListLayers",
        "those for an architecture and a runtime",
        {"CompatibleArchitecture": "arm64", "CompatibleRuntime": "python3.9"},
        API,
        {"Layers": []},
    ),
    refused(
        "ListLayers",
        "a marker that is none",
        {"Marker": "x"},
        "best known",
        INVALID,
        "Invalid Marker",
    ),
    Case(
        "ListLayerVersions",
        "newest first",
        {"LayerName": "l", "MaxItems": 50, "Marker": ""},
        recorded("TestLambdaLayer::test_layer_lifecycle"),
        {"LayerVersions": [item(2, "two"), item(1, "one")]},
    ),
    Case(
        "ListLayerVersions",
        "none of a layer that is not there",
        {
            "LayerName": "no",
            "CompatibleArchitecture": "arm64",
            "CompatibleRuntime": "python3.9",
        },
        recorded("TestLambdaLayer::test_layer_exceptions"),
        {"LayerVersions": []},
    ),
    refused(
        "ListLayerVersions",
        "a marker that is none",
        {"LayerName": "l", "Marker": "x"},
        "best known",
        INVALID,
        "Invalid Marker",
    ),
    Case(
        "DeleteLayerVersion",
        "what is there",
        VERSION,
        recorded("TestLambdaLayer::test_layer_exceptions"),
        status=204,
    ),
    Case(
        "DeleteLayerVersion",
        "one that is not there",
        NO_VERSION,
        recorded("TestLambdaLayer::test_layer_exceptions"),
        status=204,
    ),
    refused(
        "DeleteLayerVersion",
        "the version zero",
        {"LayerName": "l", "VersionNumber": 0},
        recorded("TestLambdaLayer::test_layer_exceptions"),
        INVALID,
        "Layer Version Cannot be less than 1",
    ),
    Case(
        "AddLayerVersionPermission",
        "for an account",
        {**VERSION, **STATEMENT, "RevisionId": "<layer_revision>"},
        API,
        {
            "Statement": '{"Sid":"s2","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},'
            f'"Action":"lambda:GetLayerVersion","Resource":"{LAYER}:1"}}',
            "RevisionId": UUID,
        },
        status=201,
    ),
    Case(
        "AddLayerVersionPermission",
        "for an organisation",
        {**VERSION, **STATEMENT, "Principal": "*", "OrganizationId": "o-abcdefghij"},
        API,
        {
            "Statement": '{"Sid":"s2","Effect":"Allow","Principal":"*",'
            f'"Action":"lambda:GetLayerVersion","Resource":"{LAYER}:1",'
            '"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-abcdefghij"}}}',
            "RevisionId": UUID,
        },
        status=201,
    ),
    refused(
        "AddLayerVersionPermission",
        "a statement id that is taken",
        {**VERSION, **STATEMENT, "StatementId": "s1"},
        recorded("TestLambdaLayer::test_layer_policy_exceptions"),
        CONFLICT,
        "The statement id (s1) provided already exists. Please provide a new statement id, or remove "
        "the existing statement.",
    ),
    refused(
        "AddLayerVersionPermission",
        "more than a policy holds",
        {**VERSION, **STATEMENT, "StatementId": "x" * 100},
        seen("aws/aws-cdk#9327, of functions' policies"),
        "PolicyLengthExceededException",
        Like(r"The final policy size \(\d+\) is bigger than the limit \(20480\)\."),
    ).after(
        *(
            ("AddLayerVersionPermission", {**VERSION, **STATEMENT, "StatementId": f"{number:0100}"})
            for number in range(FITTING)
        )
    ),
    Case(
        "GetLayerVersionPolicy",
        "what is there",
        VERSION,
        recorded("TestLambdaLayer::test_layer_policy_lifecycle"),
        {
            "Policy": '{"Version":"2012-10-17","Id":"default","Statement":[{"Sid":"s1","Effect":"Allow",'
            f'"Principal":"*","Action":"lambda:GetLayerVersion","Resource":"{LAYER}:1"}}]}}',
            "RevisionId": UUID,
        },
    ),
    refused(
        "GetLayerVersionPolicy",
        "where there is none",
        TWO,
        recorded("TestLambdaLayer::test_layer_policy_exceptions"),
        MISSING,
        "No policy is associated with the given resource.",
    ),
    Case(
        "RemoveLayerVersionPermission",
        "what is there",
        {**VERSION, "StatementId": "s1", "RevisionId": "<layer_revision>"},
        recorded("TestLambdaLayer::test_layer_policy_lifecycle"),
        status=204,
    ),
    refused(
        "RemoveLayerVersionPermission",
        "a statement that is not there",
        {**VERSION, "StatementId": "no"},
        recorded("TestLambdaLayer::test_layer_policy_exceptions"),
        MISSING,
        "Statement no is not found in resource policy.",
    ),
    *(
        refused(
            operation,
            "a revision that is past",
            {**VERSION, **more, "RevisionId": "old"},
            recorded("TestLambdaLayer::test_layer_policy_exceptions"),
            "PreconditionFailedException",
            STALE_LAYER,
        )
        for operation, more in (
            ("AddLayerVersionPermission", STATEMENT),
            ("RemoveLayerVersionPermission", {"StatementId": "s1"}),
        )
    ),
    *(
        refused(
            operation,
            "no such version",
            {**NO_VERSION, **more},
            recorded("TestLambdaLayer::test_layer_policy_exceptions"),
            MISSING,
            NO_LAYER_VERSION,
        )
        for operation, more in (
            ("AddLayerVersionPermission", STATEMENT),
            ("GetLayerVersionPolicy", {}),
            ("RemoveLayerVersionPermission", {"StatementId": "s1"}),
        )
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_aws_answers_so(case: Case, api: LambdaApi) -> None:
    """Status and output, member for member, or code and message are AWS's."""
    case.check(api)
