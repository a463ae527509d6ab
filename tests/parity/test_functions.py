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
    STALE,
    TIME,
    UUID,
    Case,
    recorded,
    refused,
    seen,
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
    "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": [], "Ipv6AllowedForDualStack": False},
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
IN_S3 = {"S3Bucket": "code", "S3Key": "f.zip", "S3ObjectVersion": "v1"}
FILE_SYSTEMS = [
    {
        "Arn": "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0",
        "LocalMountPath": "/mnt/shared",
    }
]


LATEST_F = configuration("f", Description="second")
CASES = [
    Case(
        "CreateFunction",
        "with the least",
        NEW,
        recorded("TestLambdaFunction::test_lambda_code_location_zipfile"),
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
        configuration("new", Version="1", **SHOWN_SETTINGS, **CREATING),
        status=201,
    ),
    Case(
        "CreateFunction",
        "and publish it",
        {**NEW, "Publish": True},
        recorded("TestLambdaFunction::test_list_functions"),
        configuration("new", Version="1", **CREATING),
        status=201,
    ),
    refused(
        "CreateFunction",
        "with a layer twice",
        {**NEW, "Layers": [f"{LAYER}:1", f"{LAYER}:1"]},
        recorded("TestLambdaLayer::test_layer_function_exceptions"),
        INVALID,
        "Two different versions of the same layer are not allowed to be referenced in the same "
        f"function. {LAYER}:1 and {LAYER}:1 are versions of the same layer.",
    ),
    refused(
        "CreateFunction",
        "with more than five layers",
        {**NEW, "Layers": [f"{LAYER}{number}:1" for number in range(6)]},
        recorded("TestLambdaLayer::test_layer_function_quota_exception"),
        INVALID,
        "Cannot reference more than 5 layers.",
    ),
    refused(
        "CreateFunction",
        "with a layer of another region",
        {**NEW, "Layers": [f"{LAYER}:1".replace("us-east-1", "eu-west-1")]},
        recorded("TestLambdaLayer::test_layer_function_exceptions"),
        INVALID,
        "Layers are not in the same region as the function. Layers are expected to be in region "
        "us-east-1.",
    ),
    refused(
        "CreateFunction",
        "of a runtime that is no more",
        {**NEW, "Runtime": "python3.7"},
        recorded(
            "TestRuntimeValidation::test_create_deprecated_function_runtime_with_validation_enabled"
        ),
        INVALID,
        "The runtime parameter of python3.7 is no longer supported for creating or updating AWS "
        "Lambda functions. We recommend you use the new runtime (python3.12) while creating or "
        "updating functions.",
    ),
    refused(
        "CreateFunction",
        "with code that is no zip",
        {**NEW, "Code": {"ZipFile": b"no zip"}},
        recorded("TestLambdaFunction::test_create_lambda_exceptions"),
        INVALID,
        "Could not unzip uploaded file. Please check your file, then try to upload again.",
    ),
    refused(
        "CreateFunction",
        "for two architectures",
        {**NEW, "Architectures": ["x86_64", "arm64"]},
        recorded("TestLambdaFunction::test_create_lambda_exceptions"),
        "ValidationException",
        "1 validation error detected: Value '[x86_64, arm64]' at 'architectures' failed to satisfy "
        "constraint: Member must have length less than or equal to 1",
    ),
    refused(
        "CreateFunction",
        "for an architecture in capitals",
        {**NEW, "Architectures": ["X86_64"]},
        recorded("TestLambdaFunction::test_create_lambda_exceptions"),
        "ValidationException",
        "1 validation error detected: Value '[X86_64]' at 'architectures' failed to satisfy "
        "constraint: Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, "
        "arm64], Member must not be null]",
    ),
    *(
        refused(
            operation,
            "of another region",
            {"FunctionName": f"{FUNCTION}f".replace("us-east-1", "eu-west-1")},
            recorded("TestLambdaFunction::test_get_function_wrong_region"),
            MISSING,
            "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')",
        )
        for operation in (
            "GetFunction",
            "GetFunctionConfiguration",
            "GetFunctionUrlConfig",
            "GetFunctionCodeSigningConfig",
            "GetFunctionEventInvokeConfig",
            "GetFunctionConcurrency",
            "DeleteFunction",
        )
    ),
    *(
        refused(
            operation,
            "a version that is not there",
            {"FunctionName": "f", "Qualifier": "1221"},
            recorded("TestLambdaFunction::test_ops_on_nonexisting_version"),
            MISSING,
            f"Function not found: {FUNCTION}f:1221",
        )
        for operation in ("GetFunction", "GetFunctionConfiguration")
    ),
    Case(
        "UpdateFunctionConfiguration",
        "to JSON, with a level",
        {
            "FunctionName": "bare",
            "LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG"},
        },
        recorded("TestLoggingConfig::test_function_partial_advanced_logging_configuration_update"),
        configuration(
            "bare",
            LoggingConfig={
                "LogFormat": "JSON",
                "ApplicationLogLevel": "DEBUG",
                "SystemLogLevel": "INFO",
                "LogGroup": "/aws/lambda/bare",
            },
            **UPDATING,
        ),
    ),
    refused(
        "CreateFunction",
        "one that is there",
        {**NEW, "FunctionName": "f"},
        seen("transcripts of the AWS CLI"),
        CONFLICT,
        "Function already exist: f",
    ),
    refused(
        "CreateFunction",
        "without a handler",
        {name: value for name, value in NEW.items() if name != "Handler"},
        seen('CloudFormation events, e.g. "Resource handler returned message"'),
        INVALID,
        "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
    ),
    refused(
        "CreateFunction",
        "without code",
        {**NEW, "Code": {}},
        seen("aws/aws-sdk-php#580, with the request"),
        INVALID,
        "Please provide a source for function code.",
    ),
    refused(
        "CreateFunction",
        "with a reserved variable",
        {**NEW, "Environment": {"Variables": {"AWS_REGION": "x"}}},
        seen("aws-lambda reserved keys, many CDK and CloudFormation failures"),
        INVALID,
        "Lambda was unable to configure your environment variables because the environment variables "
        "you have provided contains reserved keys that are currently not supported for modification. "
        "Reserved keys used in this request: AWS_REGION",
    ),
    refused(
        "CreateFunction",
        "with code that is not signed",
        {**NEW, "CodeSigningConfigArn": "<enforced>"},
        seen("CloudFormation; the last words differ"),
        "CodeVerificationFailedException",
        UNSIGNED,
    ),
    refused(
        "CreateFunction",
        "with no such code signing configuration",
        {**NEW, "CodeSigningConfigArn": NO_CONFIG},
        recorded("TestCodeSigningConfig::test_code_signing_not_found_excs"),
        "CodeSigningConfigNotFoundException",
        "The code signing configuration cannot be found. Check that the provided configuration is not "
        f"deleted: {NO_CONFIG}.",
    ),
    refused(
        "CreateFunction",
        "with a layer that is not there",
        {**NEW, "Layers": [f"{LAYER}:9"]},
        recorded("TestLambdaLayer::test_layer_function_exceptions"),
        INVALID,
        f"Layer version {LAYER}:9 does not exist.",
    ),
    refused(
        "CreateFunction",
        "with a name too long",
        {**NEW, "FunctionName": "n" * 65},
        recorded("TestLambdaFunction::test_function_arns"),
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
        recorded("TestLambdaTags::test_tag_lifecycle"),
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
        recorded("TestLambdaFunction::test_function_lifecycle"),
        {
            "Configuration": configuration("bare"),
            "Code": {"RepositoryType": "S3", "Location": LOCATION},
        },
    ),
    Case(
        "GetFunction",
        "a version through an alias",
        {"FunctionName": "f", "Qualifier": "warm"},
        recorded("TestLambdaAlias::test_alias_lifecycle"),
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
        recorded("TestLambdaFunction::test_redundant_updates"),
        LATEST_F,
    ),
    Case(
        "GetFunctionConfiguration",
        "a version",
        {"FunctionName": "f", "Qualifier": "1"},
        recorded("TestLambdaVersions::test_version_lifecycle"),
        configuration("f", FunctionArn=f"{FUNCTION}f:1", Version="1"),
    ),
    Case(
        "ListFunctions",
        "every function",
        {},
        recorded("TestLambdaFunction::test_list_functions"),
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
        recorded("TestLambdaFunction::test_list_functions"),
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
        recorded("TestLambdaFunction::test_function_lifecycle"),
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
        recorded("TestLambdaVersions::test_publish_with_update"),
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
        seen("aws/aws-sdk-php#580, with the request"),
        INVALID,
        "Please provide a source for function code.",
    ),
    refused(
        "UpdateFunctionCode",
        "that is not signed",
        {"FunctionName": "signed", "ZipFile": OTHER_ZIP},
        seen("CloudFormation; the last words differ"),
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
    Case(
        "CreateFunction",
        "with tenants",
        {
            **BARE,
            "FunctionName": "new",
            "TenancyConfig": {"TenantIsolationMode": "PER_TENANT"},
        },
        API,
        configuration("new", TenancyConfig={"TenantIsolationMode": "PER_TENANT"}, **CREATING),
        status=201,
    ),
    Case(
        "UpdateFunctionConfiguration",
        "traced",
        {"FunctionName": "bare", "TracingConfig": {"Mode": "Active"}},
        API,
        configuration("bare", TracingConfig={"Mode": "Active"}, **UPDATING),
    ),
    refused(
        "UpdateFunctionConfiguration",
        "a level for text",
        {"FunctionName": "f", "LoggingConfig": {"SystemLogLevel": "WARN"}},
        seen("aws-cloudformation/cfn-lint, rule E3696"),
        INVALID,
        'LogLevel is not supported when LogFormat is set to "Text". Remove LogLevel from your request '
        'or change the LogFormat to "JSON" and try again.',
    ),
    refused(
        "UpdateFunctionConfiguration",
        "a layer that is not signed",
        {"FunctionName": "signed", "Layers": [f"{LAYER}:1"]},
        seen("CloudFormation; the last words differ"),
        "CodeVerificationFailedException",
        UNSIGNED,
    ),
    *(
        refused(
            operation,
            "while it is created",
            {"FunctionName": "pending", **more},
            seen("laravel/vapor-cli waits on this text"),
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
            recorded("TestLambdaRevisions::test_function_revisions_basic"),
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
            recorded("TestLambdaFunction::test_ops_on_nonexisting_fn"),
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
            recorded("TestLambdaFunction::test_ops_with_arn_qualifier_mismatch"),
            INVALID,
            MISMATCH,
        )
        for operation in ("GetFunction", "GetFunctionConfiguration")
    ),
    Case(
        "DeleteFunction",
        "all of it",
        {"FunctionName": "f"},
        recorded("TestLambdaFunction::test_function_lifecycle"),
        {"StatusCode": 204},
        status=204,
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
        recorded("TestLambdaFunction::test_ops_with_arn_qualifier_mismatch"),
        INVALID,
        "$LATEST version cannot be deleted without deleting the function.",
    ),
    refused(
        "DeleteFunction",
        "a version with aliases",
        {"FunctionName": "f", "Qualifier": "1"},
        seen("cloud-custodian/cloud-custodian#6739"),
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
        recorded("TestLambdaVersions::test_version_lifecycle"),
        configuration("bare", FunctionArn=f"{FUNCTION}bare:1", Version="1", Description="one"),
        status=201,
    ),
    refused(
        "PublishVersion",
        "other code",
        {"FunctionName": "f", "CodeSha256": "x"},
        recorded("TestLambdaVersions::test_publish_with_wrong_sha256"),
        INVALID,
        f"CodeSHA256 (x) is different from current CodeSHA256 in $LATEST ({SHA}). Please try again "
        "with the CodeSHA256 in $LATEST.",
    ),
    Case(
        "ListVersionsByFunction",
        "the latest and the numbers",
        {"FunctionName": "f", "MaxItems": 9, "Marker": ""},
        recorded("TestLambdaVersions::test_version_lifecycle"),
        {
            "Versions": [
                listed("f", FunctionArn=f"{FUNCTION}f:$LATEST", Description="second"),
                listed("f", FunctionArn=f"{FUNCTION}f:1", Version="1"),
                listed("f", FunctionArn=f"{FUNCTION}f:2", Version="2", Description="second"),
            ]
        },
    ),
    Case(
        "CreateFunction",
        "of code in S3",
        {**NEW, "Code": {**IN_S3, "S3ObjectStorageMode": "COPY", "SourceKMSKeyArn": ""}},
        API,
        configuration("new", **CREATING),
        status=201,
    ),
    Case(
        "UpdateFunctionCode",
        "of code in S3",
        {"FunctionName": "bare", **IN_S3, "S3ObjectStorageMode": "COPY", "SourceKMSKeyArn": ""},
        API,
        configuration("bare", **UPDATING),
    ),
    *(
        refused(
            "CreateFunction",
            f"of code that is not in S3, {code}",
            {**NEW, "Code": {**IN_S3, **changed}},
            seen("the words around S3's own, by many users"),
            INVALID,
            "Error occurred while GetObject. S3 Error Code: "
            f"{code}. S3 Error Message: The specified {what}",
        )
        for changed, code, what in (
            ({"S3Bucket": "other"}, "NoSuchBucket", "bucket does not exist"),
            ({"S3Key": "other"}, "NoSuchKey", "key does not exist."),
            ({"S3ObjectVersion": "v2"}, "NoSuchVersion", "version does not exist."),
        )
    ),
    *(
        refused(
            operation,
            "beyond the account's storage",
            parameters,
            seen("the code and the text"),
            "CodeStorageExceededException",
            "Code storage limit exceeded.",
        )
        .on(code_storage_bytes=1)
        .after(*before)
        for operation, parameters, before in (
            ("CreateFunction", NEW, ()),
            ("UpdateFunctionCode", {"FunctionName": "bare", "ZipFile": OTHER_ZIP}, ()),
            ("PublishVersion", {"FunctionName": "bare"}, ()),
            ("PublishLayerVersion", {"LayerName": "l", "Content": {"ZipFile": ZIP}}, ()),
        )
    ),
    *(
        Case(operation, "with a file system", parameters, API, output, status=status).on(
            file_system_missing=lambda _: None
        )
        for operation, parameters, output, status in (
            (
                "CreateFunction",
                {**NEW, "FileSystemConfigs": FILE_SYSTEMS},
                configuration("new", FileSystemConfigs=FILE_SYSTEMS, **CREATING),
                201,
            ),
            (
                "UpdateFunctionConfiguration",
                {"FunctionName": "bare", "FileSystemConfigs": FILE_SYSTEMS},
                configuration("bare", FileSystemConfigs=FILE_SYSTEMS, **UPDATING),
                200,
            ),
        )
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
