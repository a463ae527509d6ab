"""Invoke through boto3: payloads both ways, invocation types, what the context shows."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

ECHO = "def handler(event, context): return event"
CONTEXT = """
    import os

    def handler(event, context):
        return {
            "aws_request_id": context.aws_request_id,
            "function_name": context.function_name,
            "function_version": context.function_version,
            "invoked_function_arn": context.invoked_function_arn,
            "memory_limit_in_mb": context.memory_limit_in_mb,
            "log_group_name": context.log_group_name,
            "log_stream_name": context.log_stream_name,
            "remaining_ms": context.get_remaining_time_in_millis(),
            "identity": [context.identity.cognito_identity_id],
            "client_context": context.client_context and {
                "custom": context.client_context.custom,
                "env": context.client_context.env,
                "app_title": context.client_context.client.app_title,
            },
            "trace": os.environ.get("_X_AMZN_TRACE_ID"),
            "tenant": context.tenant_id,
        }
"""


@pytest.mark.parametrize(
    "event", [None, True, 0, -1.5, "é😀\u0000", [], {}, {"a": [1, {"b": None}]}, "x" * 100_000]
)
def test_an_event_comes_back_as_it_went(deploy: Callable[..., Any], event: Any) -> None:
    """Every JSON value reaches the handler and returns unchanged, as JSON."""
    answer = deploy(ECHO)(event)
    assert answer.payload == event
    assert answer.error is None
    assert answer.headers["content-type"] == "application/json"


def test_no_payload_is_an_empty_object(deploy: Callable[..., Any]) -> None:
    """An invocation without a payload gives the handler ``{}``."""
    assert deploy(ECHO)(payload=b"").payload == {}


def test_context_shows_the_invocation(deploy: Callable[..., Any]) -> None:
    """Every field of the context is filled in, and the request id is the response's."""
    function = deploy(CONTEXT, MemorySize=192, Timeout=7)
    shown = function().payload
    again = function()
    assert again.payload["aws_request_id"] == again.request_id != shown["aws_request_id"]
    assert shown["function_name"] == function.name
    assert shown["function_version"] == "$LATEST" == again.version
    assert shown["invoked_function_arn"] == function.arn
    assert shown["memory_limit_in_mb"] == "192"
    assert shown["log_group_name"] == f"/aws/lambda/{function.name}"
    assert "[$LATEST]" in shown["log_stream_name"]
    assert 6000 < shown["remaining_ms"] <= 7000
    assert shown["identity"] == [None]
    assert shown["client_context"] is None
    assert shown["tenant"] is None
    assert shown["trace"].startswith("Root=1-")


def test_client_context_arrives(deploy: Callable[..., Any]) -> None:
    """``ClientContext`` is there in the context, non-ASCII text included."""
    given = {"custom": {"k": "é"}, "env": {"locale": "de"}, "client": {"app_title": "t"}}
    encoded = base64.b64encode(json.dumps(given).encode()).decode()
    shown = deploy(CONTEXT)(ClientContext=encoded).payload["client_context"]
    assert shown == {"custom": {"k": "é"}, "env": {"locale": "de"}, "app_title": "t"}


def test_invoked_arn_carries_the_qualifier_used(deploy: Callable[..., Any]) -> None:
    """The invoked ARN ends in the version or alias the caller named, however it was named."""
    function = deploy(CONTEXT)
    client, name = function.client, function.name
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    partial = f"000000000000:function:{name}"
    forms: list[tuple[dict[str, str], str, str]] = [
        ({"FunctionName": name}, function.arn, "$LATEST"),
        ({"FunctionName": f"{name}:$LATEST"}, f"{function.arn}:$LATEST", "$LATEST"),
        ({"FunctionName": name, "Qualifier": "1"}, f"{function.arn}:1", "1"),
        ({"FunctionName": partial, "Qualifier": "live"}, f"{function.arn}:live", "1"),
        ({"FunctionName": f"{partial}:live"}, f"{function.arn}:live", "1"),
        ({"FunctionName": f"{function.arn}:live"}, f"{function.arn}:live", "1"),
    ]
    for parameters, arn, version in forms:
        answer = function(**parameters)
        assert answer.payload["invoked_function_arn"] == arn
        assert (answer.payload["function_version"], answer.version) == (version, version)


def test_dry_run_runs_nothing(deploy: Callable[..., Any], logs: Any) -> None:
    """``DryRun`` answers 204 and the function does not run; an unknown one is not found."""
    function = deploy(ECHO)
    answer = function.client.invoke(FunctionName=function.name, InvocationType="DryRun")
    assert (answer["StatusCode"], answer["Payload"].read()) == (204, b"")
    groups = logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{function.name}")
    assert groups["logGroups"] == []
    with pytest.raises(function.client.exceptions.ResourceNotFoundException):
        function.client.invoke(FunctionName=f"{function.name}-not", InvocationType="DryRun")


def test_an_unknown_function_or_qualifier_is_not_found(deploy: Callable[..., Any]) -> None:
    """404 names the ARN that was asked for."""
    function = deploy(ECHO)
    for name, qualifier in (
        (f"{function.name}-x", None),
        (function.name, "7"),
        (function.name, "q"),
    ):
        more = {"Qualifier": qualifier} if qualifier else {}
        with pytest.raises(function.client.exceptions.ResourceNotFoundException) as refused:
            function.client.invoke(FunctionName=name, **more)
        tail = f":{qualifier}" if qualifier else ""
        assert refused.value.response["Error"]["Message"] == (
            f"Function not found: arn:aws:lambda:us-east-1:000000000000:function:{name}{tail}"
        )


def test_six_megabytes_go_and_come_back(deploy: Callable[..., Any]) -> None:
    """The largest event is 6 MiB, the largest result 6 MiB and a hundred bytes."""
    function = deploy(ECHO, MemorySize=512, Timeout=20)
    text = "x" * (6 * 1024 * 1024 - 2)
    assert function(text).payload == text


def test_more_than_six_megabytes_are_refused(deploy: Callable[..., Any]) -> None:
    """A larger event is 413 ``RequestEntityTooLargeException``, and nothing runs."""
    function = deploy(ECHO)
    with pytest.raises(ClientError) as refused:
        function("x" * 7 * 1024 * 1024)
    error = refused.value.response
    assert error["Error"]["Code"] == "RequestEntityTooLargeException"
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert "smaller than 6291456 bytes for the InvokeFunction" in error["Error"]["Message"]


def test_too_large_a_result_is_the_functions_error(deploy: Callable[..., Any]) -> None:
    """A result over the limit is ``Function.ResponseSizeTooLarge``, and the next one is fine."""
    function = deploy("def handler(event, context): return 'x' * event", MemorySize=512, Timeout=20)
    answer = function(7 * 1024 * 1024)
    assert answer.error == "Unhandled"
    assert answer.payload["errorType"] == "Function.ResponseSizeTooLarge"
    assert "exceeded maximum allowed payload size (6291556 bytes)" in answer.payload["errorMessage"]
    assert function(3).payload == "xxx"


@pytest.mark.parametrize("body", [b"{", b'{"a": 1', b"nope", b"'a'", b"{}{}", b"\xff\xfe", b"NaN"])
def test_what_is_no_json_is_refused(deploy: Callable[..., Any], body: bytes) -> None:
    """A payload that is not JSON is 400 ``InvalidRequestContentException`` and nothing runs."""
    function = deploy(ECHO)
    with pytest.raises(ClientError) as refused:
        function(payload=body)
    error = refused.value.response["Error"]
    assert error["Code"] == "InvalidRequestContentException"
    assert error["Message"].startswith("Could not parse request body into json")


def test_log_tail_is_of_this_invocation_and_at_most_four_kilobytes(
    deploy: Callable[..., Any],
) -> None:
    """``LogType=Tail`` gives the end of this invocation's own log, REPORT line included."""
    function = deploy("def handler(event, context): print(event * 100)")
    assert "marker-a" in function("marker-a ").log
    tail = function("marker-b ").log
    assert "marker-a" not in tail
    assert tail.splitlines()[-1].startswith("REPORT RequestId:")
    long = deploy("def handler(event, context):\n  for n in range(9000): print('line', n)")().log
    assert len(long.encode()) == 4096
    assert "line 8999" in long
    answer = function.client.invoke(FunctionName=function.name, Payload=b'"x"')
    assert "LogResult" not in answer


def test_remaining_time_runs_down(deploy: Callable[..., Any]) -> None:
    """The deadline in the context is the function's timeout from now, on the wall clock."""
    function = deploy(
        "def handler(event, context): return context._epoch_deadline_time_in_ms", Timeout=30
    )
    before_ms = time.time() * 1000
    deadline_ms = function().payload
    assert before_ms + 29_900 < deadline_ms < time.time() * 1000 + 30_000
