"""Functions: what AWS answers to creating, reading, listing, changing and deleting them."""

from typing import Any

import pytest

from lambent.testing.lambda_account import (
    BARE,
    FUNCTION,
    LAYER,
    NO_CONFIG,
    OTHER_SHA,
    OTHER_ZIP,
    QUEUE,
    ROLE,
    SHA,
    ZIP,
)
from lambent.testing.lambda_api import LambdaApi
from lambent.testing.parity import (
    API,
    CONFLICT,
    INVALID,
    MISMATCH,
    MISSING,
    MODEL,
    NOWHERE,
    RECORDED,
    REPORTED,
    STALE,
    TIME,
    UUID,
    Case,
    refused,
)

LOCATION = "http://127.0.0.1:4566/_lambent/code/58f1b5b481f595c71fc5ff482f0c0055784020b7ab1d43f751ea9df7d4be1b67"
PENDING = (
    "The operation cannot be performed at this time. The function is currently in the following "
    "state: Pending"
)
UNSIGNED = (
    "Lambda cannot deploy the function. The function or layer might be signed using a signature that "
    "the client is not configured to accept. Check the provided signature for unsigned."
)
SETTINGS: dict[str, Any] = {
    "Description": "all",
    "Timeout": 10,
    "MemorySize": 256,
    "DeadLetterConfig": {"TargetArn": QUEUE},
    "Environment": {"Variables": {"AB": "1"}},
    "Layers": [f"{LAYER}:1"],
    "EphemeralStorage": {"Size": 1024},
    "LoggingConfig": {
        "LogFormat": "JSON",
        "ApplicationLogLevel": "DEBUG",
        "SystemLogLevel": "WARN",
        "LogGroup": "/mine",
    },
}
HARMLESS: dict[str, Any] = {
    "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []},
    "KMSKeyArn": "",
    "TracingConfig": {"Mode": "PassThrough"},
    "FileSystemConfigs": [],
    "SnapStart": {"ApplyOn": "None"},
}


def configuration(name: str, **more: Any) -> dict[str, Any]:
    """The shape ``FunctionConfiguration`` of a function that stands, with the changes given."""
    shown = {
        "FunctionName": name,
        "FunctionArn": f"{FUNCTION}{name}",
        "Runtime": "python3.12",
        "Role": ROLE,
        "Handler": "app.handler",
        "CodeSize": len(ZIP),
        "Description": "",
        "Timeout": 3,
        "MemorySize": 128,
        "LastModified": TIME,
        "CodeSha256": SHA,
        "Version": "$LATEST",
        "TracingConfig": {"Mode": "PassThrough"},
        "RevisionId": UUID,
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "RuntimeVersionConfig": {
            "RuntimeVersionArn": f"arn:aws:lambda:us-east-1::runtime:{'0' * 64}"
        },
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"},
    }
    return {member: value for member, value in (shown | more).items() if value is not None}


def listed(name: str, **more: Any) -> dict[str, Any]:
    """The same in a list, where states and the runtime's version are left out."""
    absent = {"State": None, "LastUpdateStatus": None, "RuntimeVersionConfig": None}
    return configuration(name, **absent | more)


CREATING: dict[str, Any] = {
    "State": "Pending",
    "StateReason": "The function is being created.",
    "StateReasonCode": "Creating",
    "LastUpdateStatus": None,
}
UPDATING = {
    "LastUpdateStatus": "InProgress",
    "LastUpdateStatusReason": "The function is being created.",
    "LastUpdateStatusReasonCode": "Creating",
}
SHOWN_SETTINGS = SETTINGS | {"Layers": [{"Arn": f"{LAYER}:1", "CodeSize": len(ZIP)}]}
NEW = {**BARE, "FunctionName": "new"}


LATEST_F = configuration("f", Description="second")
CASES = [
    Case(
        "CreateFunction",
        "with the least",
        NEW,
        API,
        configuration("new", **CREATING),
        status=201,
    ),
    Case(
        "CreateFunction",
        "with every setting",
        {
            **NEW,
            **SETTINGS,
            **HARMLESS,
            "PackageType": "Zip",
            "Architectures": ["x86_64"],
            "Tags": {"a": "b"},
            "CodeSigningConfigArn": "<csc>",
            "ImageConfig": {},
            "Publish": True,
        },
        API,
        configuration(
            "new", Version="1", FunctionArn=f"{FUNCTION}new:1", **SHOWN_SETTINGS, **CREATING
        ),
        status=201,
    ),
    refused(
        "CreateFunction",
        "one that is there",
        {**NEW, "FunctionName": "f"},
        RECORDED,
        CONFLICT,
        "Function already exist: f",
    ),
    refused(
        "CreateFunction",
        "without a handler",
        {name: value for name, value in NEW.items() if name != "Handler"},
        RECORDED,
        INVALID,
        "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
    ),
    refused(
        "CreateFunction",
        "without code",
        {**NEW, "Code": {}},
        REPORTED,
        INVALID,
        "Please provide a source for function code.",
    ),
    refused(
        "CreateFunction",
        "with a reserved variable",
        {**NEW, "Environment": {"Variables": {"AWS_REGION": "x"}}},
        RECORDED,
        INVALID,
        "Lambda was unable to configure your environment variables because the environment variables "
        "you have provided contains reserved keys that are currently not supported for modification. "
        "Reserved keys used in this request: AWS_REGION",
    ),
    refused(
        "CreateFunction",
        "with code that is not signed",
        {**NEW, "CodeSigningConfigArn": "<enforced>"},
        REPORTED,
        "CodeVerificationFailedException",
        UNSIGNED,
    ),
    refused(
        "CreateFunction",
        "with no such code signing configuration",
        {**NEW, "CodeSigningConfigArn": NO_CONFIG},
        RECORDED,
        "CodeSigningConfigNotFoundException",
        "The code signing configuration cannot be found. Check that the provided configuration is not "
        f"deleted: {NO_CONFIG}.",
    ),
    refused(
        "CreateFunction",
        "with a layer that is not there",
        {**NEW, "Layers": [f"{LAYER}:9"]},
        RECORDED,
        INVALID,
        f"Layer version {LAYER}:9 does not exist.",
    ),
    refused(
        "CreateFunction",
        "with a name too long",
        {**NEW, "FunctionName": "n" * 65},
        RECORDED,
        INVALID,
        f"1 validation error detected: Value '{'n' * 65}' at 'functionName' failed to satisfy "
        "constraint: Member must have length less than or equal to 64",
    ),
    refused(
        "CreateFunction",
        "with no time",
        {**NEW, "Timeout": 0},
        MODEL,
        "ValidationException",
        "1 validation error detected: Value '0' at 'timeout' failed to satisfy constraint: Member must "
        "have value greater than or equal to 1",
    ),
    Case(
        "GetFunction",
        "what is there",
        {"FunctionName": "f"},
        API,
        {
            "Configuration": LATEST_F,
            "Code": {"RepositoryType": "S3", "Location": LOCATION},
            "Tags": {"team": "blue"},
            "Concurrency": {"ReservedConcurrentExecutions": 10},
        },
    ),
    Case(
        "GetFunction",
        "neither tags nor a reservation",
        {"FunctionName": f"{FUNCTION}bare"},
        API,
        {
            "Configuration": configuration("bare"),
            "Code": {"RepositoryType": "S3", "Location": LOCATION},
        },
    ),
    Case(
        "GetFunction",
        "a version through an alias",
        {"FunctionName": "f", "Qualifier": "warm"},
        RECORDED,
        {
            "Configuration": configuration(
                "f", FunctionArn=f"{FUNCTION}f:warm", Version="2", Description="second"
            ),
            "Code": {"RepositoryType": "S3", "Location": LOCATION},
            "Tags": {"team": "blue"},
        },
    ),
    Case(
        "GetFunctionConfiguration",
        "what is there",
        {"FunctionName": "f"},
        API,
        LATEST_F,
    ),
    Case(
        "GetFunctionConfiguration",
        "a version",
        {"FunctionName": "f", "Qualifier": "1"},
        RECORDED,
        configuration("f", FunctionArn=f"{FUNCTION}f:1", Version="1"),
    ),
    Case(
        "ListFunctions",
        "every function",
        {},
        API,
        {
            "Functions": [
                listed("bare"),
                listed("f", Description="second"),
                listed("pending", StateReason=None, StateReasonCode=None),
                listed("signed"),
            ]
        },
    ),
    Case(
        "ListFunctions",
        "every version",
        {"FunctionVersion": "ALL", "MasterRegion": "ALL", "MaxItems": 50, "Marker": ""},
        API,
        {
            "Functions": [
                listed("bare", FunctionArn=f"{FUNCTION}bare:$LATEST"),
                listed("f", FunctionArn=f"{FUNCTION}f:$LATEST", Description="second"),
                listed("f", FunctionArn=f"{FUNCTION}f:1", Version="1"),
                listed("f", FunctionArn=f"{FUNCTION}f:2", Version="2", Description="second"),
                listed("pending", FunctionArn=f"{FUNCTION}pending:$LATEST"),
                listed("signed", FunctionArn=f"{FUNCTION}signed:$LATEST"),
            ]
        },
    ),
    refused(
        "ListFunctions",
        "a marker that is none",
        {"Marker": "x"},
        "best known",
        INVALID,
        "Invalid Marker",
    ),
    Case(
        "UpdateFunctionCode",
        "new code",
        {"FunctionName": "bare", "ZipFile": OTHER_ZIP, "RevisionId": "<bare_revision>"},
        API,
        configuration("bare", CodeSize=len(OTHER_ZIP), CodeSha256=OTHER_SHA, **UPDATING),
    ),
    Case(
        "UpdateFunctionCode",
        "and a version of it",
        {
            "FunctionName": "bare",
            "ZipFile": OTHER_ZIP,
            "Publish": True,
            "DryRun": False,
            "Architectures": ["x86_64"],
        },
        API,
        configuration(
            "bare",
            FunctionArn=f"{FUNCTION}bare:1",
            Version="1",
            CodeSize=len(OTHER_ZIP),
            CodeSha256=OTHER_SHA,
            **CREATING,
        ),
    ),
    refused(
        "UpdateFunctionCode",
        "without code",
        {"FunctionName": "f"},
        REPORTED,
        INVALID,
        "Please provide a source for function code.",
    ),
    refused(
        "UpdateFunctionCode",
        "that is not signed",
        {"FunctionName": "signed", "ZipFile": OTHER_ZIP},
        REPORTED,
        "CodeVerificationFailedException",
        UNSIGNED,
    ),
    Case(
        "UpdateFunctionConfiguration",
        "every setting",
        {
            "FunctionName": "bare",
            "RevisionId": "<bare_revision>",
            "Role": ROLE,
            "Handler": "app.other",
            "Runtime": "python3.13",
            **SETTINGS,
            **HARMLESS,
            "ImageConfig": {},
        },
        API,
        configuration(
            "bare", Handler="app.other", Runtime="python3.13", **SHOWN_SETTINGS, **UPDATING
        ),
    ),
    refused(
        "UpdateFunctionConfiguration",
        "a level for text",
        {"FunctionName": "f", "LoggingConfig": {"SystemLogLevel": "WARN"}},
        RECORDED,
        INVALID,
        'LogLevel is not supported when LogFormat is set to "Text". Remove LogLevel from your request '
        'or change the LogFormat to "JSON" and try again.',
    ),
    refused(
        "UpdateFunctionConfiguration",
        "a layer that is not signed",
        {"FunctionName": "signed", "Layers": [f"{LAYER}:1"]},
        REPORTED,
        "CodeVerificationFailedException",
        UNSIGNED,
    ),
    *(
        refused(
            operation,
            "while it is created",
            {"FunctionName": "pending", **more},
            REPORTED,
            CONFLICT,
            PENDING,
        )
        for operation, more in (
            ("UpdateFunctionCode", {"ZipFile": ZIP}),
            ("UpdateFunctionConfiguration", {"Timeout": 4}),
            ("PublishVersion", {}),
        )
    ),
    *(
        refused(
            operation,
            "a revision that is past",
            {"FunctionName": "f", "RevisionId": "old", **more},
            RECORDED,
            "PreconditionFailedException",
            STALE,
        )
        for operation, more in (
            ("UpdateFunctionCode", {"ZipFile": ZIP}),
            ("UpdateFunctionConfiguration", {"Timeout": 4}),
            ("PublishVersion", {}),
        )
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
            ("GetFunction", {}),
            ("GetFunctionConfiguration", {}),
            ("UpdateFunctionCode", {"ZipFile": ZIP}),
            ("UpdateFunctionConfiguration", {"Timeout": 4}),
            ("DeleteFunction", {}),
            ("PublishVersion", {}),
            ("ListVersionsByFunction", {}),
        )
    ),
    *(
        refused(
            operation,
            "two qualifiers",
            {"FunctionName": "f:1", "Qualifier": "2"},
            RECORDED,
            INVALID,
            MISMATCH,
        )
        for operation in ("GetFunction", "GetFunctionConfiguration")
    ),
    Case(
        "DeleteFunction", "all of it", {"FunctionName": "f"}, API, {"StatusCode": 204}, status=204
    ),
    Case(
        "DeleteFunction",
        "a version",
        {"FunctionName": "f", "Qualifier": "2"},
        API,
        {"StatusCode": 204},
        status=204,
        before=(
            ("DeleteAlias", {"FunctionName": "f", "Name": "split"}),
            ("DeleteAlias", {"FunctionName": "f", "Name": "warm"}),
        ),
    ),
    refused(
        "DeleteFunction",
        "its latest version",
        {"FunctionName": "f", "Qualifier": "$LATEST"},
        RECORDED,
        INVALID,
        "$LATEST version cannot be deleted without deleting the function.",
    ),
    refused(
        "DeleteFunction",
        "a version with aliases",
        {"FunctionName": "f", "Qualifier": "1"},
        REPORTED,
        CONFLICT,
        "Unable to delete version because the following aliases reference it: [live, split]",
    ),
    Case(
        "PublishVersion",
        "the first",
        {
            "FunctionName": "bare",
            "CodeSha256": SHA,
            "Description": "one",
            "RevisionId": "<bare_revision>",
        },
        API,
        configuration("bare", FunctionArn=f"{FUNCTION}bare:1", Version="1", Description="one"),
        status=201,
    ),
    refused(
        "PublishVersion",
        "other code",
        {"FunctionName": "f", "CodeSha256": "x"},
        RECORDED,
        INVALID,
        f"CodeSHA256 (x) is different from current CodeSHA256 in $LATEST ({SHA}). Please try again "
        "with the CodeSHA256 in $LATEST.",
    ),
    Case(
        "ListVersionsByFunction",
        "the latest and the numbers",
        {"FunctionName": "f", "MaxItems": 9, "Marker": ""},
        API,
        {
            "Versions": [
                listed("f", FunctionArn=f"{FUNCTION}f:$LATEST", Description="second"),
                listed("f", FunctionArn=f"{FUNCTION}f:1", Version="1"),
                listed("f", FunctionArn=f"{FUNCTION}f:2", Version="2", Description="second"),
            ]
        },
    ),
    refused(
        "ListVersionsByFunction",
        "a marker that is none",
        {"FunctionName": "f", "Marker": "x"},
        "best known",
        INVALID,
        "Invalid Marker",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_aws_answers_so(case: Case, api: LambdaApi) -> None:
    """Status and output, member for member, or code and message are AWS's."""
    case.check(api)
