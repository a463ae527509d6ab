"""Invoke: what AWS answers, over the platform's own edge, directory and invocation path, and a fake node."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any, cast

import pytest

from lambent.model.errors import ClientFault
from lambent.model.function import FunctionVersion
from lambent.node.outcomes import RESTORE_FAILED, restore_timed_out
from lambent.testing.invocation_api import invocations
from lambent.testing.lambda_account import BARE as NEW
from lambent.testing.lambda_account import FUNCTION
from lambent.testing.lambda_api import LambdaApi, serialized
from lambent.testing.loop import on_loop
from lambent.testing.parity import (
    API,
    CONFLICT,
    INVALID,
    MISMATCH,
    MISSING,
    MODEL,
    NOWHERE,
    RECORDED,
    UUID,
    Case,
    Like,
    recorded,
    refused,
    seen,
)

PENDING = (
    "The operation cannot be performed at this time. The function is currently in the following "
    "state: Pending"
)
F = {"FunctionName": "f"}
BARE = {"FunctionName": "bare"}
CONTEXT = base64.b64encode(b'{"custom": {}}').decode()
TENANTS = (
    "CreateFunction",
    {**NEW, "FunctionName": "tenants", "TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}},
)
STOPPED = ("PutFunctionConcurrency", {**BARE, "ReservedConcurrentExecutions": 0})
ACCESS_POINT = (
    "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0"
)
MOUNTED = (
    "UpdateFunctionConfiguration",
    {**BARE, "FileSystemConfigs": [{"Arn": ACCESS_POINT, "LocalMountPath": "/mnt/shared"}]},
)
PINNED = (
    "PutRuntimeManagementConfig",
    {
        **BARE,
        "UpdateRuntimeOn": "Manual",
        "RuntimeVersionArn": f"arn:aws:lambda:us-east-1::runtime:{'0' * 64}",
    },
)
CHAIN = (
    "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0;"
    f"Lineage=40:{sha256(f'{FUNCTION}bare'.encode()).hexdigest()[:8]}:15"
)
"""The trace of an invocation that came back to ``bare`` fifteen times."""
RESTORING = {
    "SnapStartException": RESTORE_FAILED,
    "SnapStartTimeoutException": cast("ClientFault", restore_timed_out("").fault),
}
"""What the node says when an environment could not be restored."""


class Unfinished:
    """Snapshots that are being made, for ever."""

    def missing(self, runtime: str) -> str | None:
        """This host has all it takes."""
        return None

    def prepare(self, version: FunctionVersion, done: Callable[[Any], None]) -> None:
        """It begins."""


SNAPPED = (
    (
        "UpdateFunctionConfiguration",
        {**BARE, "SnapStart": {"ApplyOn": "PublishedVersions"}},
    ),
    ("PublishVersion", BARE),
)
EVENTS = {"Invoke": "Payload", "InvokeAsync": "InvokeArgs", "InvokeWithResponseStream": "Payload"}
CASES = [
    *(
        refused(
            operation,
            "whose file system is gone",
            {**BARE, event: b"{}"},
            seen("pahud/cdk-efs-assets#98; the reason is this platform's"),
            "EFSMountFailureException",
            f"The function couldn't mount the Amazon EFS file system {ACCESS_POINT} with local path "
            "/mnt/shared: no directory stands for it here: "
            f"lambent up --file-system {ACCESS_POINT}=/host/directory.",
        )
        .on(file_system_missing=lambda _: None)
        .after(MOUNTED)
        for operation, event in EVENTS.items()
    ),
    *(
        refused(
            operation,
            "whose runtime version is gone",
            {**BARE, event: b"{}"},
            "best known: the code is the model's, the text this platform's",
            "InvalidRuntimeException",
            Like("The runtime version .+ is no longer on this host. .+"),
        ).after(PINNED)
        for operation, event in EVENTS.items()
    ),
    *(
        replace(
            refused(
                operation,
                "that invokes itself",
                {**BARE, "Payload": b"{}"},
                "best known: the model's words",
                "RecursiveInvocationException",
                "Lambda has detected your function being invoked in a recursive loop with other "
                "Amazon Web Services resources and stopped your function's invocation.",
            ),
            headers={"X-Amzn-Trace-Id": CHAIN},
        )
        for operation in ("Invoke", "InvokeWithResponseStream")
    ),
    *(
        refused(
            operation,
            "before its snapshot is there",
            {"FunctionName": "bare:1", event: b"{}"},
            seen("AWS's page on troubleshooting SnapStart"),
            "SnapStartNotReadyException",
            "Lambda is initializing your function. It will be ready to invoke once your function "
            "state becomes ACTIVE.",
        )
        .on(snapshots=Unfinished())
        .after(*SNAPPED)
        for operation, event in EVENTS.items()
    ),
    *(
        refused(
            operation,
            f"that cannot be restored, {code}",
            {**BARE, "Payload": b"{}"},
            "best known: the model's words",
            code,
            fault.message,
        )
        for operation in ("Invoke", "InvokeWithResponseStream")
        for code, fault in RESTORING.items()
    ),
    refused(
        "Invoke",
        "as a durable execution",
        {**BARE, "DurableExecutionName": "d"},
        "there are no durable executions here",
        "NotImplementedException",
        "Lambent does not support DurableExecutionName yet, so it is refused rather than ignored. "
        "See docs/reference/fidelity.md.",
    ),
    Case(
        "Invoke",
        "and wait",
        {**BARE, "Payload": b'{"a": 1}', "InvocationType": "RequestResponse"},
        API,
        {"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": b'{"a": 1}'},
    ),
    Case(
        "Invoke",
        "with the log's tail",
        {**F, "Payload": b"1", "Qualifier": "live", "LogType": "Tail", "ClientContext": CONTEXT},
        API,
        {"StatusCode": 200, "ExecutedVersion": "1", "Payload": b"1", "LogResult": ""},
    ),
    Case(
        "Invoke",
        "as a dry run",
        {**F, "InvocationType": "DryRun", "Qualifier": "2"},
        API,
        {"StatusCode": 204, "ExecutedVersion": "2", "Payload": b""},
        status=204,
    ),
    Case(
        "Invoke",
        "and go",
        {**F, "InvocationType": "Event", "Payload": b"{}"},
        API,
        {"StatusCode": 202, "Payload": b""},
        status=202,
    ),
    refused(
        "Invoke",
        "no such function",
        {"FunctionName": "nothing"},
        recorded("TestLambdaFunction::test_ops_on_nonexisting_fn"),
        MISSING,
        NOWHERE,
    ),
    refused(
        "Invoke",
        "no such alias",
        {**F, "Qualifier": "no"},
        RECORDED,
        MISSING,
        f"Function not found: {FUNCTION}f:no",
    ),
    refused(
        "Invoke",
        "two qualifiers",
        {"FunctionName": "f:1", "Qualifier": "2"},
        seen("AWS's EventBridge Scheduler guide"),
        INVALID,
        MISMATCH,
    ),
    refused(
        "Invoke",
        "while it is created",
        {"FunctionName": "pending"},
        seen("laravel/vapor-cli waits on this text"),
        CONFLICT,
        PENDING,
    ),
    refused(
        "Invoke",
        "with a context that is none",
        {**BARE, "ClientContext": "!"},
        seen("programs that look for it, of several SDKs"),
        "InvalidRequestContentException",
        "Client context must be a valid Base64-encoded JSON object.",
    ),
    refused(
        "Invoke",
        "of a type there is not",
        {**BARE, "InvocationType": "Never"},
        MODEL,
        "ValidationException",
        "1 validation error detected: Value 'Never' at 'invocationType' failed to satisfy "
        "constraint: Member must satisfy enum value set: [Event, RequestResponse, DryRun]",
    ),
    refused(
        "Invoke",
        "of no tenant",
        {**BARE, "TenantId": "blue"},
        "best known: after AWS's text for a missing tenant",
        INVALID,
        "The invoked function is not enabled with tenancy configuration. "
        "Remove the tenant ID from your request and try again.",
    ),
    refused(
        "Invoke",
        "too much",
        {**BARE, "Payload": b" " * (6 * 1024 * 1024 + 1)},
        seen("the code in X-Amzn-Errortype, and the text, by clients of AWS"),
        "RequestEntityTooLargeException",
        "Request must be smaller than 6291456 bytes for the InvokeFunction operation",
    ),
    refused(
        "Invoke",
        "without its tenant",
        {"FunctionName": "tenants"},
        seen("AWS's own announcement of tenant isolation shows the text"),
        INVALID,
        "The invoked function is enabled with tenancy configuration. "
        "Add a valid tenant ID in your request and try again.",
    ).after(TENANTS),
    Case(
        "Invoke",
        "of a tenant",
        {"FunctionName": "tenants", "TenantId": "blue", "Payload": b"1"},
        API,
        {"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": b"1"},
    ).after(TENANTS),
    refused(
        "Invoke",
        "what is not JSON",
        {**BARE, "Payload": b"{"},
        seen("transcripts of the AWS CLI; what the parser says next differs"),
        "InvalidRequestContentException",
        Like(r"Could not parse request body into json: Could not parse payload into json: .+"),
    ),
    refused(
        "Invoke",
        "when it may not run",
        {**BARE, "Payload": b"1"},
        seen("the guides of remotion, and logs of the Go SDK with the Reason"),
        "TooManyRequestsException",
        "Rate Exceeded.",
    ).after(STOPPED),
    Case(
        "InvokeWithResponseStream",
        "and wait",
        {
            **F,
            "Payload": b"[1]",
            "Qualifier": "live",
            "LogType": "None",
            "ClientContext": CONTEXT,
            "InvocationType": "RequestResponse",
        },
        API,
        {
            "StatusCode": 200,
            "ExecutedVersion": "1",
            "ResponseStreamContentType": "application/vnd.amazon.eventstream",
            "EventStream": [("PayloadChunk", b"[1]"), ("InvokeComplete", b"{}")],
        },
    ),
    Case(
        "InvokeWithResponseStream",
        "of a tenant",
        {"FunctionName": "tenants", "TenantId": "blue", "Payload": b"1"},
        API,
        {
            "StatusCode": 200,
            "ExecutedVersion": "$LATEST",
            "ResponseStreamContentType": "application/vnd.amazon.eventstream",
            "EventStream": [("PayloadChunk", b"1"), ("InvokeComplete", b"{}")],
        },
    ).after(TENANTS),
    Case(
        "InvokeWithResponseStream",
        "as a dry run",
        {**F, "InvocationType": "DryRun"},
        API,
        {"StatusCode": 204, "ExecutedVersion": "$LATEST"},
        status=204,
    ),
    *(
        refused("InvokeWithResponseStream", shows, parameters, source, code, text)
        for shows, parameters, source, code, text in (
            (
                "no such function",
                {"FunctionName": "nothing"},
                recorded("TestLambdaFunction::test_ops_on_nonexisting_fn"),
                MISSING,
                NOWHERE,
            ),
            (
                "two qualifiers",
                {"FunctionName": "f:1", "Qualifier": "2"},
                seen("AWS's EventBridge Scheduler guide, of Invoke"),
                INVALID,
                MISMATCH,
            ),
            (
                "while it is created",
                {"FunctionName": "pending"},
                seen("laravel/vapor-cli waits on this text"),
                CONFLICT,
                PENDING,
            ),
            (
                "what is not JSON",
                {**BARE, "Payload": b"{"},
                seen("transcripts of the AWS CLI; what the parser says next differs"),
                "InvalidRequestContentException",
                Like(
                    r"Could not parse request body into json: Could not parse payload into json: .+"
                ),
            ),
        )
    ),
    refused(
        "InvokeWithResponseStream",
        "when it may not run",
        {**BARE, "Payload": b"1"},
        seen("the guides of remotion, and logs of the Go SDK with the Reason"),
        "TooManyRequestsException",
        "Rate Exceeded.",
    ).after(STOPPED),
    refused(
        "InvokeAsync",
        "what is not JSON",
        {**F, "InvokeArgs": b"{"},
        seen("transcripts of the AWS CLI; what the parser says next differs"),
        "InvalidRequestContentException",
        Like(r"Could not parse request body into json: Could not parse payload into json: .+"),
    ),
    refused(
        "InvokeAsync",
        "while it is created",
        {"FunctionName": "pending", "InvokeArgs": b"{}"},
        seen("laravel/vapor-cli waits on this text"),
        CONFLICT,
        PENDING,
    ),
    Case(
        "InvokeAsync",
        "and go",
        {**F, "InvokeArgs": b"{}"},
        API,
        {"Status": 202},
        status=202,
    ),
    refused(
        "InvokeAsync",
        "no such function",
        {"FunctionName": "nothing", "InvokeArgs": b"{}"},
        RECORDED,
        MISSING,
        NOWHERE,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
@on_loop
async def test_aws_answers_so(case: Case, api: LambdaApi) -> None:
    """Status, headers and payload, or code and message are AWS's."""
    configured = case.configured(api)
    for operation, parameters in case.before:
        configured.must(operation, parameters)
    fault = RESTORING.get(case.error[0]) if case.error is not None else None
    async with invocations(api, error=fault) as place:
        reply = await place.serve(case.operation, case.parameters, case.headers)
    case.check_reply(reply, api.ids)


HEADERS = {
    "content-length",
    "content-type",
    "x-amz-executed-version",
    "x-amzn-remapped-content-length",
    "x-amzn-requestid",
    "x-amzn-trace-id",
}
"""Source: the answers of AWS that boto3's users print (``HTTPHeaders``), beside ``date`` and ``connection``."""
ACCEPTED = {
    "content-length",
    "x-amzn-remapped-content-length",
    "x-amzn-requestid",
    "x-amzn-trace-id",
}


@pytest.mark.parametrize(
    ("operation", "more", "error", "expected"),
    [
        ("Invoke", {}, None, HEADERS),
        ("Invoke", {"LogType": "Tail"}, None, HEADERS | {"x-amz-log-result"}),
        ("Invoke", {}, "Unhandled", HEADERS | {"x-amz-function-error"}),
        ("Invoke", {"InvocationType": "Event"}, None, ACCEPTED),
        ("InvokeAsync", {"InvokeArgs": b"{}"}, None, ACCEPTED),
        (
            "Invoke",
            {"InvocationType": "DryRun"},
            None,
            {"x-amz-executed-version", "x-amzn-requestid"},
        ),
        (
            "InvokeWithResponseStream",
            {},
            None,
            {
                "content-type",
                "transfer-encoding",
                "x-amz-executed-version",
                "x-amzn-requestid",
                "x-amzn-trace-id",
            },
        ),
        (
            "InvokeWithResponseStream",
            {"InvocationType": "DryRun"},
            None,
            {"x-amz-executed-version", "x-amzn-requestid"},
        ),
    ],
)
@on_loop
async def test_the_headers_are_those_of_aws(
    operation: str, more: dict[str, Any], error: str | None, expected: set[str], api: LambdaApi
) -> None:
    """All of AWS's headers and no other; the request id is a UUID, the trace whole, a body's type JSON."""
    async with invocations(api, error=error) as place:
        answer = await place.answer(serialized(operation, {**BARE, **more}))
    found = dict(answer.headers)
    assert set(found) - {"date", "connection"} == expected
    assert found["x-amzn-requestid"] == UUID
    assert found.get("x-amz-executed-version", "$LATEST") == "$LATEST"
    assert Like(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}(;Parent=[0-9a-f]{16};Sampled=0)?") == found.get(
        "x-amzn-trace-id", "Root=1-00000000-000000000000000000000000"
    )
    assert found.get("x-amz-function-error") == error
    if operation == "Invoke" and answer.body:
        assert found["content-type"] == "application/json"


@pytest.mark.parametrize("operation", ["Invoke", "InvokeAsync", "InvokeWithResponseStream"])
@on_loop
async def test_a_refusal_has_the_headers_of_an_error(operation: str, api: LambdaApi) -> None:
    """The code in X-Amzn-ErrorType, JSON, and a request id."""
    async with invocations(api) as place:
        event = {"InvokeArgs": b"{}"} if operation == "InvokeAsync" else {"Payload": b"{}"}
        request = serialized(operation, {"FunctionName": "nothing", **event})
        answer = await place.answer(request)
    found = dict(answer.headers)
    assert (answer.status, found["x-amzn-errortype"]) == (404, MISSING)
    assert found["content-type"] == "application/json"
    assert found["x-amzn-requestid"] == UUID
    assert json.loads(answer.body)["Type"] == "User"
