"""Invoke: what AWS answers, over the platform's own edge, directory and invocation path, and a fake node."""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import pytest

from lambent.control.directory import Directory
from lambent.invoke.counting import Counting
from lambent.invoke.frontend import Frontend
from lambent.invoke.placement import Placement
from lambent.model.http import HttpResponse
from lambent.server.edge import Edge
from lambent.server.internal import Internal
from lambent.server.invoke_route import InvokeRoute
from lambent.server.operations import Operations
from lambent.testing.ask import ask
from lambent.testing.lambda_account import FUNCTION
from lambent.testing.lambda_api import LambdaApi, Reply, filled, parsed, serialized
from lambent.testing.loop import on_loop, until
from lambent.testing.node import FakeNode
from lambent.testing.parity import (
    API,
    CONFLICT,
    INVALID,
    MISMATCH,
    MISSING,
    MODEL,
    NOWHERE,
    RECORDED,
    Case,
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
CASES = [
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
        RECORDED,
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
        "best known",
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


class Events:
    """An event queue that takes what is for a function that is there."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def accept(
        self,
        account_id: str,
        region: str,
        function_name: str,
        qualifier: str | None,
        payload: bytes,
        **more: Any,
    ) -> str:
        """Takes an event."""
        self._directory.resolve(account_id, region, function_name, qualifier)
        return str(more["trace"])


class Place:
    """The edge over an account; every environment answers with its event."""

    def __init__(self, api: LambdaApi, threads: ThreadPoolExecutor) -> None:
        directory = Directory(api.plane.database, api.plane.code)
        self._node = FakeNode()
        frontend = Frontend(directory, Counting(10), Placement(self._node, 10, 300))
        self._route = InvokeRoute(frontend, lambda _: None, Events(directory))
        self._ids = api.ids
        self._frontend = frontend
        self.edge = Edge(
            self._route,
            Operations({}),
            Internal(dict, self._reset, lambda _: None),
            lambda _: None,
            threads,
            lambda: None,
        )

    async def _reset(self) -> None:
        """Nothing is reset."""

    async def serve(self, operation: str, parameters: Mapping[str, Any]) -> Reply:
        """A client's call, answered by whoever is started for it."""
        request = serialized(operation, filled(parameters, self._ids))
        target = f"{request.path}?{request.query}" if request.query else request.path
        headers = {
            name: value for name, value in request.headers.items() if name != "content-length"
        }
        asking = asyncio.ensure_future(
            ask(self.edge.handle, request.method, target, request.body, headers)
        )
        await until(lambda: asking.done() or bool(self._node.starts))
        if not asking.done():
            environment = self._node.starts[-1].make()
            await until(lambda: environment in self._frontend._placement._alive)
            environment.become_ready()
            environment.respond()
        answer = await asking
        pairs = list(answer.headers.items())
        return parsed(operation, HttpResponse(answer.status, pairs, answer.body))


@asynccontextmanager
async def place_on(api: LambdaApi) -> AsyncIterator[Place]:
    """The edge; its threads end with the test."""
    with ThreadPoolExecutor(1) as threads:
        place = Place(api, threads)
        try:
            yield place
        finally:
            place.edge.close()


@pytest.mark.parametrize("case", CASES, ids=str)
@on_loop
async def test_aws_answers_so(case: Case, api: LambdaApi) -> None:
    """Status, headers and payload, or code and message are AWS's."""
    async with place_on(api) as place:
        reply = await place.serve(case.operation, case.parameters)
    found = dict(reply.parsed)
    if "Payload" in found:
        found["Payload"] = found["Payload"].read() if case.error is None else found["Payload"]
    case.check_reply(Reply(reply.status, found, reply.body), api.ids)
