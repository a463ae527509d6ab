"""Recursion, runtime management and code signing, as boto3 and the functions see them."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

HANDLER = "def handler(event, context): return 1"
PROFILE = "arn:aws:signer:us-east-1:000000000000:/signing-profiles/p/abc1234567"


def test_recursion_config(deploy: Any) -> None:
    """Terminate by default; Allow once it is put."""
    function = deploy(HANDLER)
    call = {"FunctionName": function.name}
    assert function.client.get_function_recursion_config(**call)["RecursiveLoop"] == "Terminate"
    put = function.client.put_function_recursion_config(**call, RecursiveLoop="Allow")
    assert put["RecursiveLoop"] == "Allow"
    assert function.client.get_function_recursion_config(**call)["RecursiveLoop"] == "Allow"
    assert function().payload == 1


def test_runtime_management(deploy: Any, logs: Any) -> None:
    """What the configuration shows is what INIT_START names, and what Manual takes."""
    function = deploy(HANDLER)
    call = {"FunctionName": function.name}
    client = function.client
    config = client.get_function_configuration(**call)["RuntimeVersionConfig"]
    arn = config["RuntimeVersionArn"]
    assert f"Runtime Version ARN: {arn}" in _first_line(function, logs)
    put = client.put_runtime_management_config(
        **call, UpdateRuntimeOn="Manual", RuntimeVersionArn=arn
    )
    assert put["RuntimeVersionArn"] == arn
    assert client.get_runtime_management_config(**call)["UpdateRuntimeOn"] == "Manual"
    assert function().payload == 1
    with pytest.raises(client.exceptions.InvalidParameterValueException):
        client.put_runtime_management_config(
            **call, UpdateRuntimeOn="Manual", RuntimeVersionArn=arn[:-1] + "x"
        )


def _first_line(function: Any, logs: Any) -> str:
    function()
    group = f"/aws/lambda/{function.name}"
    (stream,) = logs.describe_log_streams(logGroupName=group)["logStreams"]
    events = logs.get_log_events(
        logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True
    )["events"]
    line: str = events[0]["message"]
    return line


def test_code_signing(client: Any, deploy: Any, zip_of: Any) -> None:
    """Under Warn new code is taken, under Enforce refused, and what runs goes on running."""
    made = client.create_code_signing_config(
        AllowedPublishers={"SigningProfileVersionArns": [PROFILE]}, Tags={"a": "1"}
    )["CodeSigningConfig"]
    arn = made["CodeSigningConfigArn"]
    assert client.list_tags(Resource=arn)["Tags"] == {"a": "1"}
    function = deploy(HANDLER, CodeSigningConfigArn=arn)
    call = {"FunctionName": function.name}
    assert client.get_function_code_signing_config(**call)["CodeSigningConfigArn"] == arn
    listed = client.list_functions_by_code_signing_config(CodeSigningConfigArn=arn)
    assert listed["FunctionArns"] == [function.arn]
    policies = {"UntrustedArtifactOnDeployment": "Enforce"}
    client.update_code_signing_config(CodeSigningConfigArn=arn, CodeSigningPolicies=policies)
    code = zip_of({"app.py": HANDLER.replace("1", "2")})
    with pytest.raises(client.exceptions.CodeVerificationFailedException):
        client.update_function_code(**call, ZipFile=code)
    assert function().payload == 1
    with pytest.raises(client.exceptions.ResourceConflictException):
        client.delete_code_signing_config(CodeSigningConfigArn=arn)
    client.delete_function_code_signing_config(**call)
    client.update_function_code(**call, ZipFile=code)
    client.get_waiter("function_updated_v2").wait(**call)
    assert function().payload == 2
    client.delete_code_signing_config(CodeSigningConfigArn=arn)
    with pytest.raises(ClientError, match="can not be found"):
        client.get_code_signing_config(CodeSigningConfigArn=arn)
