"""Lambda's invocations over an account's records, spoken to in bytes, with a node that answers each by its event.

What :class:`lambent.testing.lambda_api.LambdaApi` is for the control plane: the platform's own edge, directory and
invocation path. Lives on a loop.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from lambent.control.directory import Directory
from lambent.invoke.counting import Counting
from lambent.invoke.event_intake import read_event
from lambent.invoke.frontend import Frontend
from lambent.invoke.placement import Placement
from lambent.model.errors import ClientFault
from lambent.model.http import HttpRequest, HttpResponse
from lambent.server.edge import Edge
from lambent.server.internal import Internal
from lambent.server.invoke_route import InvokeRoute
from lambent.server.operations import Operations
from lambent.server.stream_route import StreamRoute
from lambent.store.concurrency import list_reservations
from lambent.testing.ask import ask
from lambent.testing.lambda_api import LambdaApi, Reply, filled, parsed, serialized
from lambent.testing.loop import turns, until
from lambent.testing.node import FakeEnvironment, FakeNode
from lambent.wire.event_stream import decode_messages

_STREAMED = "InvokeWithResponseStream"
MAX_BODY_BYTES = 1 << 26
_NONE: Mapping[str, str] = {}


class TakenEvents:
    """An event queue that checks an event as the real one does, and forgets it."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def accept(
        self,
        account_id: str,
        region: str,
        function_name: str,
        qualifier: str | None,
        payload: bytes,
        *,
        request_id: str,
        trace: str,
        max_bytes: int = 1024 * 1024,
        deliveries: int = 1,
        tenant_id: str | None = None,
    ) -> str:
        """Raises what the real one raises before anything is stored."""
        del deliveries
        target = self._directory.resolve(account_id, region, function_name, qualifier)
        about = {"request_id": request_id, "trace": trace, "tenant_id": tenant_id}
        read_event(target, payload, max_bytes=max_bytes, **about)  # type: ignore[arg-type]
        return trace


class InvocationApi:
    """The edge over an account. ``error``: functions fail with it (``Unhandled``), or callers are refused by it.

    Made by :func:`invocations`.
    """

    def __init__(
        self,
        api: LambdaApi,
        threads: ThreadPoolExecutor,
        concurrency: int,
        error: str | ClientFault | None,
    ) -> None:
        directory = Directory(api.plane.database, api.plane.code)
        self._node = FakeNode()
        self._ids = api.ids
        self._error = error
        self.counting = Counting(concurrency)
        for function, executions in list_reservations(api.plane.database.connection):
            place = (function.account_id, function.region, function.name)
            self.counting.reserve(*place, executions)
        frontend = Frontend(directory, self.counting, Placement(self._node, 10, 300))
        self.edge = Edge(
            InvokeRoute(frontend, lambda _: None, TakenEvents(directory)),
            Operations({}),
            Internal(dict, None, lambda _: None),
            lambda _: None,
            threads,
            lambda: None,
            stream_route=StreamRoute(frontend, lambda _: None),
        )

    async def answer(self, request: HttpRequest) -> HttpResponse:
        """What is answered to a request; an environment that is started for it answers by the event."""
        target = f"{request.path}?{request.query}" if request.query else request.path
        headers = {
            name: value.encode().decode("latin-1")  # what is no Latin-1 goes as UTF-8
            for name, value in request.headers.items()
            if name != "content-length"
        }
        asked = ask(
            self.edge.handle,
            request.method,
            target,
            request.body,
            headers,
            max_body_bytes=MAX_BODY_BYTES,
        )
        asking, before = asyncio.ensure_future(asked), len(self._node.starts)
        await until(lambda: asking.done() or len(self._node.starts) > before)
        if not asking.done():
            environment = self._node.starts[-1].make()
            if isinstance(self._error, ClientFault):
                await self._refuse(environment, self._error)
            else:
                await self._respond(environment, self._error)
        answer = await asking
        return HttpResponse(answer.status, list(answer.headers.items()), answer.body)

    async def _refuse(self, environment: FakeEnvironment, fault: ClientFault) -> None:
        environment.refusal = fault
        await turns()
        environment.end()

    async def _respond(self, environment: FakeEnvironment, error: str | None) -> None:
        environment.become_ready()
        await until(lambda: environment.state == "invoking")
        environment.respond(error)
        environment.stop()

    async def serve(
        self, operation: str, parameters: Mapping[str, Any], headers: Mapping[str, str] = _NONE
    ) -> Reply:
        """A client's call, with further headers."""
        request = serialized(operation, filled(parameters, self._ids))
        answer = await self.answer(replace(request, headers={**request.headers, **headers}))
        if operation == _STREAMED and answer.status < 300:
            return _stream_reply(answer)
        reply = parsed(operation, answer)
        found = dict(reply.parsed)
        if "Payload" in found and answer.status < 300:
            found["Payload"] = found["Payload"].read()
        return Reply(reply.status, found, reply.body)


def _stream_reply(answer: HttpResponse) -> Reply:
    """The output with its event stream as a list: type and payload of each message."""
    headers = dict(answer.headers)
    output: dict[str, Any] = {
        "StatusCode": answer.status,
        "ExecutedVersion": headers["x-amz-executed-version"],
    }
    if answer.body:
        output["ResponseStreamContentType"] = headers["content-type"]
        output["EventStream"] = [
            (one.headers[":event-type"], one.payload) for one in decode_messages(answer.body)
        ]
    return Reply(answer.status, output, answer.body)


@asynccontextmanager
async def invocations(
    api: LambdaApi, *, concurrency: int = 1000, error: str | ClientFault | None = None
) -> AsyncIterator[InvocationApi]:
    """Over an account; its threads end with it."""
    with ThreadPoolExecutor(1) as threads:
        made = InvocationApi(api, threads, concurrency, error)
        try:
            yield made
        finally:
            made.edge.close()
