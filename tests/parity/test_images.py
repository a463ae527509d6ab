"""Functions of container images: what AWS answers."""

import pytest

from lambent.testing.fake_images import HOST, sha256_of
from lambent.testing.lambda_account import FUNCTION, ROLE
from lambent.testing.lambda_api import LambdaApi
from lambent.testing.parity import API, INVALID, TIME, UUID, Case, refused, seen

URI = f"{HOST}/team/app:v1"
SHA256 = sha256_of("team/app:v1")
NEXT, NEXT_SHA256 = f"{HOST}/team/app:v2", sha256_of("team/app:v2")
MAKE = {"FunctionName": "i", "Role": ROLE, "PackageType": "Image", "Code": {"ImageUri": URI}}
CONFIG = {"EntryPoint": ["/entry", "-x"], "Command": ["app.handler"], "WorkingDirectory": "/srv"}
MADE = ("CreateFunction", MAKE)
NOT_WITH_IMAGE = (
    "Please don't provide Handler or Runtime or Layer when the intended function PackageType is "
    "Image."
)
SHOWN = {
    "FunctionName": "i",
    "FunctionArn": f"{FUNCTION}i",
    "Role": ROLE,
    "CodeSize": 0,
    "Description": "",
    "Timeout": 3,
    "MemorySize": 128,
    "LastModified": TIME,
    "CodeSha256": SHA256,
    "Version": "$LATEST",
    "TracingConfig": {"Mode": "PassThrough"},
    "RevisionId": UUID,
    "PackageType": "Image",
    "Architectures": ["x86_64"],
    "EphemeralStorage": {"Size": 512},
    "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
    "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/aws/lambda/i"},
}
PENDING = {
    "State": "Pending",
    "StateReason": "The function is being created.",
    "StateReasonCode": "Creating",
}
ACTIVE = {"State": "Active", "LastUpdateStatus": "Successful"}
UPDATING = {
    "State": "Active",
    "LastUpdateStatus": "InProgress",
    "LastUpdateStatusReason": "The function is being created.",
    "LastUpdateStatusReasonCode": "Creating",
}
CASES = [
    Case("CreateFunction", "of an image", MAKE, API, {**SHOWN, **PENDING}, status=201),
    Case(
        "CreateFunction",
        "of an image, changed",
        {**MAKE, "ImageConfig": CONFIG},
        API,
        {**SHOWN, **PENDING, "ImageConfigResponse": {"ImageConfig": CONFIG}},
        status=201,
    ),
    Case(
        "GetFunction",
        "of an image",
        {"FunctionName": "i"},
        API,
        {
            "Configuration": {**SHOWN, **ACTIVE},
            "Code": {
                "RepositoryType": "ECR",
                "ImageUri": URI,
                "ResolvedImageUri": f"{HOST}/team/app@sha256:{SHA256}",
            },
        },
    ).after(MADE),
    Case(
        "GetFunctionConfiguration", "of an image", {"FunctionName": "i"}, API, {**SHOWN, **ACTIVE}
    ).after(MADE),
    Case(
        "UpdateFunctionCode",
        "with another image",
        {"FunctionName": "i", "ImageUri": NEXT},
        API,
        {**SHOWN, **UPDATING, "CodeSha256": NEXT_SHA256},
    ).after(MADE),
    Case(
        "UpdateFunctionConfiguration",
        "what is run of an image",
        {"FunctionName": "i", "ImageConfig": {"Command": ["other.handler"]}},
        API,
        {
            **SHOWN,
            **UPDATING,
            "ImageConfigResponse": {"ImageConfig": {"Command": ["other.handler"]}},
        },
    ).after(MADE),
    Case(
        "UpdateFunctionConfiguration",
        "everything of how an image is run",
        {"FunctionName": "i", "ImageConfig": CONFIG},
        API,
        {**SHOWN, **UPDATING, "ImageConfigResponse": {"ImageConfig": CONFIG}},
    ).after(MADE),
    Case(
        "UpdateFunctionConfiguration",
        "nothing is changed of an image any more",
        {"FunctionName": "i", "ImageConfig": {}},
        API,
        {**SHOWN, **UPDATING},
    ).after(("CreateFunction", {**MAKE, "ImageConfig": CONFIG})),
    *(
        refused(
            "CreateFunction",
            f"of an image with a {name}",
            {**MAKE, **setting},
            seen("pulumi/pulumi-aws#5439"),
            INVALID,
            NOT_WITH_IMAGE,
        )
        for name, setting in (
            ("handler", {"Handler": "app.handler"}),
            ("runtime", {"Runtime": "python3.12"}),
            ("layer", {"Layers": [f"{FUNCTION.replace(':function:', ':layer:')}l:1"]}),
        )
    ),
    refused(
        "UpdateFunctionConfiguration",
        "a handler of an image",
        {"FunctionName": "i", "Handler": "app.handler"},
        "best known",
        INVALID,
        NOT_WITH_IMAGE,
    ).after(MADE),
    refused(
        "CreateFunction",
        "of an image that is not there",
        {**MAKE, "Code": {"ImageUri": f"{HOST}/nothing:v1"}},
        seen("aws/aws-cdk#24648"),
        INVALID,
        f"Source image {HOST}/nothing:v1 does not exist. Provide a valid source image.",
    ),
    *(
        refused(
            "CreateFunction",
            f"of {shows}",
            {**MAKE, "Code": {"ImageUri": uri}},
            seen("hashicorp/terraform#27963, ministryofjustice/modernisation-platform#2419"),
            INVALID,
            f"Source image {uri} is not valid. Provide a valid source image.",
        )
        for shows, uri in (
            ("an image without a tag", f"{HOST}/team/app"),
            ("an image of no registry", "team/app:v1"),
            ("a way up", f"{HOST}/../app:v1"),
        )
    ),
    refused(
        "CreateFunction",
        "of an image without one",
        {**MAKE, "Code": {}},
        "best known",
        INVALID,
        "Please provide a source for function code.",
    ),
    refused(
        "CreateFunction",
        "of an image and a bucket",
        {**MAKE, "Code": {"ImageUri": URI, "S3Bucket": "bucket"}},
        "best known",
        INVALID,
        "Please do not provide other FunctionCode parameters when providing an ImageUri.",
    ),
    refused(
        "UpdateFunctionCode",
        "a zip's with an image",
        {"FunctionName": "f", "ImageUri": URI},
        seen("umihico/pythonista-chromeless#19"),
        INVALID,
        "Please don't provide ImageUri when updating a function with packageType Zip.",
    ),
    refused(
        "UpdateFunctionCode",
        "an image's with a zip",
        {"FunctionName": "i", "ZipFile": b"PK"},
        seen("appleboy/lambda-action#28"),
        INVALID,
        "Please provide ImageUri when updating a function with packageType Image.",
    ).after(MADE),
    refused(
        "UpdateFunctionConfiguration",
        "what is run, of a zip",
        {"FunctionName": "f", "ImageConfig": {"Command": ["x"]}},
        "best known",
        INVALID,
        "Please don't provide ImageConfig when the intended function PackageType is Zip.",
    ),
    refused(
        "PutFunctionCodeSigningConfig",
        "of an image",
        {"FunctionName": "i", "CodeSigningConfigArn": "<csc>"},
        seen("test suites and deployment notes, with the code"),
        INVALID,
        "Code signing is not supported for functions created with container images.",
    ).after(MADE),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(api: LambdaApi, case: Case) -> None:
    """The answer is AWS's, member by member."""
    case.check(api)
