"""What AWS Lambda has and this platform has not: every operation of the model answers, these with 501 by name."""

import json
from pathlib import Path
from typing import Any

import pytest

from lambent.control.registry import OPERATIONS
from lambent.server.fidelity import fidelity
from lambent.server.invoke_route import OPERATIONS as INVOCATIONS
from lambent.testing.lambda_api import LambdaApi, serialized
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


@pytest.mark.parametrize(
    ("operation", "parameters", "named"),
    [
        ("CreateFunction", {"PublishTo": "LATEST_PUBLISHED", "Publish": True}, "PublishTo"),
        ("UpdateFunctionCode", {"FunctionName": "f", "PublishTo": "LATEST_PUBLISHED"}, "PublishTo"),
        ("PublishVersion", {"FunctionName": "f", "PublishTo": "LATEST_PUBLISHED"}, "PublishTo"),
        ("CreateFunction", {"DurableConfig": {"ExecutionTimeout": 5}}, "DurableConfig"),
        (
            "UpdateFunctionConfiguration",
            {
                "FunctionName": "f",
                "CapacityProviderConfig": {
                    "LambdaManagedInstancesCapacityProviderConfig": {
                        "CapacityProviderArn": (
                            "arn:aws:lambda:us-east-1:000000000000:capacity-provider:p"
                        )
                    }
                },
            },
            "CapacityProviderConfig",
        ),
        (
            "UpdateFunctionConfiguration",
            {"FunctionName": "f", "VpcConfig": {"SubnetIds": ["subnet-0"]}},
            "VpcConfig",
        ),
        (
            "UpdateFunctionConfiguration",
            {"FunctionName": "f", "KMSKeyArn": "arn:aws:kms:us-east-1:000000000000:key/k"},
            "KMSKeyArn",
        ),
        (
            "UpdateFunctionCode",
            {"FunctionName": "f", "SourceKMSKeyArn": "arn:aws:kms:us-east-1:000000000000:key/k"},
            "SourceKMSKeyArn",
        ),
    ],
)
def test_a_setting_that_is_not_there_says_so(
    operation: str, parameters: dict[str, Any], named: str, api: LambdaApi
) -> None:
    """501 naming the setting; nothing is kept of the request."""
    if operation == "CreateFunction":
        role = "arn:aws:iam::000000000000:role/r"
        least = {"Role": role, "Code": {"ZipFile": b""}, "Runtime": "python3.12", "Handler": "a.b"}
        parameters = {"FunctionName": "new", **least, **parameters}
    before = api.must("GetFunctionConfiguration", {"FunctionName": "f"})
    reply = api.call(operation, parameters)
    assert (reply.status, reply.parsed["Error"]["Code"]) == (501, "NotImplementedException")
    assert reply.parsed["Error"]["Message"] == FIRST_WORDS.format(named)
    assert api.must("GetFunctionConfiguration", {"FunctionName": "f"}) == before
