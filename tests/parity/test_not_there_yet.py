"""What AWS Lambda has and this platform has not: every operation of the model answers, these with 501 by name."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lambent.control.registry import OPERATIONS
from lambent.server.fidelity import fidelity
from lambent.server.invoke_route import OPERATIONS as INVOCATIONS
from lambent.testing.lambda_account import BARE, ZIP
from lambent.testing.lambda_api import LambdaApi, serialized
from lambent.testing.parity import Case, refused
from lambent.wire.catalogue import operation_names
from lambent.wire.models import operation_model

ABSENT = sorted(set(operation_names("lambda")) - set(OPERATIONS) - INVOCATIONS)
FIRST_WORDS = (
    "Lambent does not support {} yet, so it is refused rather than ignored. "
    "See docs/reference/fidelity.md."
)
PAGE = Path(__file__).parents[2] / "docs/reference/fidelity.md"
EXECUTION = "arn:aws:lambda:us-east-1:000000000000:function:f:1/durable-execution/name/id"
EXAMPLES = {
    "DurableExecutionArn": EXECUTION,
    "CheckpointToken": "eA==",
    "CallbackId": "eA==",
    "CapacityProviderName": "provider",
    "SubnetIds": "subnet-0",
    "SecurityGroupIds": "sg-0",
    "CapacityProviderOperatorRoleArn": "arn:aws:iam::000000000000:role/r",
    "ResourceArn": "arn:aws:lambda:us-east-1:000000000000:function:f",
    "FunctionName": "f",
    "Qualifier": "1",
    "Policy": "{}",
}
"""Texts of members' patterns."""
KEY = "arn:aws:kms:us-east-1:000000000000:key/k"
NEW = {**BARE, "FunctionName": "new"}
SETTINGS: Mapping[str, Any] = {
    "VpcConfig": {"SubnetIds": ["subnet-0"], "SecurityGroupIds": ["sg-0"]},
    "KMSKeyArn": KEY,
    "DurableConfig": {"ExecutionTimeout": 5, "RetentionPeriodInDays": 1, "KMSKeyArn": KEY},
    "CapacityProviderConfig": {
        "LambdaManagedInstancesCapacityProviderConfig": {
            "CapacityProviderArn": "arn:aws:lambda:us-east-1:000000000000:capacity-provider:p",
            "PerExecutionEnvironmentMaxConcurrency": 1,
            "ExecutionEnvironmentMemoryGiBPerVCpu": 2,
        }
    },
    "RuntimeConfig": {
        "RuntimeArn": "arn:aws:lambda:us-east-1:000000000000:runtime/of-our-own",
        "RuntimeAlias": "alias",
    },
    "AcceleratorConfig": {"AcceleratorMemorySize": 1},
}
"""Of functions, by member."""
S3_FILES = [
    {
        "Arn": (
            "arn:aws:s3files:us-east-1:000000000000:file-system/fs-0123456789abcdef0"
            "/access-point/fsap-0123456789abcdef0"
        ),
        "LocalMountPath": "/mnt/shared",
        "S3FilesConfig": {"DirectS3Read": "ENABLED"},
    }
]


def refusal(operation: str, parameters: Mapping[str, Any], named: str) -> Case:
    """A case that is refused by the setting's name."""
    text = FIRST_WORDS.format(named)
    where = "this platform's own refusal"
    return refused(operation, named, dict(parameters), where, "NotImplementedException", text)


CASES = [
    *(
        refusal(operation, {**least, member: value}, member)
        for member, value in SETTINGS.items()
        for operation, least in (
            ("CreateFunction", NEW),
            ("UpdateFunctionConfiguration", {"FunctionName": "f"}),
        )
    ),
    *(
        refusal(
            operation, {**least, "FileSystemConfigs": S3_FILES}, "FileSystemConfigs.S3FilesConfig"
        )
        for operation, least in (
            ("CreateFunction", NEW),
            ("UpdateFunctionConfiguration", {"FunctionName": "f"}),
        )
    ),
    *(
        refusal(operation, {**least, "PublishTo": "LATEST_PUBLISHED"}, "PublishTo")
        for operation, least in (
            ("CreateFunction", NEW),
            ("UpdateFunctionCode", {"FunctionName": "f", "ZipFile": ZIP}),
            ("PublishVersion", {"FunctionName": "f"}),
        )
    ),
    *(
        refusal(operation, parameters, named)
        for operation, parameters, named in (
            (
                "CreateFunction",
                {**NEW, "Code": {"ZipFile": ZIP, "SourceKMSKeyArn": KEY}},
                "SourceKMSKeyArn",
            ),
            (
                "UpdateFunctionCode",
                {"FunctionName": "f", "ZipFile": ZIP, "S3ObjectStorageMode": "REFERENCE"},
                "S3ObjectStorageMode REFERENCE",
            ),
            (
                "UpdateFunctionCode",
                {"FunctionName": "f", "ZipFile": ZIP, "SourceKMSKeyArn": KEY},
                "SourceKMSKeyArn",
            ),
        )
    ),
]


def small(shape: Any, name: str = "") -> Any:
    """A value with every required member."""
    if shape.type_name == "structure":
        return {each: small(shape.members[each], each) for each in shape.required_members}
    if shape.type_name == "list":
        return [small(shape.member, name)] * int(shape.metadata.get("min", 0))
    if shape.metadata.get("enum"):
        return shape.metadata["enum"][0]
    return EXAMPLES[name] if shape.type_name == "string" else 1


@pytest.mark.parametrize("operation", ABSENT)
def test_an_operation_that_is_not_there_says_so(operation: str, api: LambdaApi) -> None:
    """501 in AWS's form to a request that is valid, naming the operation."""
    shape = operation_model("lambda", operation).input_shape
    answer = api.answer(serialized(operation, small(shape)))
    error = dict(answer.headers)["x-amzn-ErrorType"].partition(":")[0]
    assert (answer.status, error) == (501, "NotImplementedException"), answer.body
    assert json.loads(answer.body)["message"] == FIRST_WORDS.format(f"lambda:{operation}")


@pytest.mark.parametrize("operation", ABSENT)
def test_the_page_has_a_line_for_it(operation: str) -> None:
    """The page for people names it among what is refused, and the document does too."""
    assert fidelity()["services"]["lambda"][operation] == "refused"
    assert f"`{operation}`" in PAGE.read_text()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_setting_that_is_not_there_says_so(case: Case, api: LambdaApi) -> None:
    """501 naming the setting; nothing is kept of the request."""
    before = api.must("GetFunctionConfiguration", {"FunctionName": "f"})
    case.check(api)
    assert api.must("GetFunctionConfiguration", {"FunctionName": "f"}) == before
    names = [one["FunctionName"] for one in api.must("ListFunctions", {})["Functions"]]
    assert "new" not in names
