"""``InvokeWithResponseStream``: the response as event stream messages, each sent as its piece comes.

Source: the operation in the service model; the framing in :mod:`lambent.wire.event_stream`.
"""

import asyncio
import base64
import json
import uuid
from urllib.parse import unquote

from lambent.http1.exchange import Exchange
from lambent.http1.flow import Outflow
from lambent.invoke.frontend import Frontend
from lambent.invoke.streaming import ResponsePipe, stream_result
from lambent.model.errors import AwsError
from lambent.model.http import HttpResponse
from lambent.model.invocation import InvocationResult
from lambent.server.callers import LookUp, account_and_region, to_request
from lambent.server.cross_account import CrossAccount
from lambent.server.invoke_route import (
    LOG_TYPES,
    RARE_HEADERS,
    client_context_of,
    qualifier_of,
    tenant_of,
    trace_of,
)
from lambent.wire import codec, event_stream
from lambent.wire.router import Target

PREFIX = b"/2021-11-15/functions/"
_SUFFIX = b"/response-streaming-invocations"
_TARGET = Target("lambda", "InvokeWithResponseStream", "rest-json")
_KINDS = (b"RequestResponse", b"DryRun")


def is_stream_invocation(exchange: Exchange) -> bool:
    """Whether this request is one of these."""
    target = exchange.target
    return (
        exchange.method == b"POST"
        and target.startswith(PREFIX)
        and target.partition(b"?")[0].rstrip(b"/").endswith(_SUFFIX)
    )


class StreamRoute:
    """Serves InvokeWithResponseStream."""

    def __init__(
        self, frontend: Frontend, look_up: LookUp, cross_account: CrossAccount | None = None
    ) -> None:
        self._frontend = frontend
        self._look_up = look_up
        self._cross_account = cross_account

    async def serve(self, exchange: Exchange) -> None:
        """Answers one request, whatever comes of it but a bug.

        A caller that leaves is left: the function goes on to its end, as on AWS.
        """
        request_id = str(uuid.uuid4())
        try:
            await self._serve(exchange, request_id)
        except AwsError as error:
            answer = _refusal(exchange, error, request_id)
            exchange.respond(answer.status, answer.headers, answer.body)

    async def _serve(self, exchange: Exchange, request_id: str) -> None:
        headers = exchange.headers
        path, _, query = exchange.target.partition(b"?")
        name = unquote(path.rstrip(b"/")[len(PREFIX) : -len(_SUFFIX)].decode("latin-1"))
        qualifier = qualifier_of(query) if query else None
        account_id, region = account_and_region(exchange, self._look_up)
        if ":" in name and self._cross_account is not None:
            place = (account_id, region)
            account_id = self._cross_account.owner_of(exchange, *place, name, qualifier)
        kind = headers.get(b"x-amz-invocation-type", b"RequestResponse")
        log_type = headers.get(b"x-amz-log-type", b"None")
        if log_type not in LOG_TYPES or kind not in _KINDS or qualifier == "":
            codec.decode(to_request(exchange), request_id)  # raises AWS's validation error
        tenant_id = None
        if not headers.keys().isdisjoint(RARE_HEADERS):
            tenant_id = tenant_of(exchange, request_id)
        if kind == b"DryRun":
            version = self._frontend.check(account_id, region, name, qualifier, tenant_id)
            head = f"x-amzn-requestid: {request_id}\r\nX-Amz-Executed-Version: {version}\r\n"
            exchange.respond_raw(204, head.encode(), b"")
            return
        function = (account_id, region, name, qualifier)
        trace_id = self._frontend.decide_trace(*function, trace_of(headers))
        pipe = ResponsePipe()
        invocation = self._frontend.invoke(
            *(*function, exchange.body),
            request_id=request_id,
            client_context=client_context_of(headers.get(b"x-amz-client-context")),
            trace_id=trace_id,
            sink=pipe,
            tenant_id=tenant_id,
        )
        running = stream_result(pipe, invocation)
        ids = (request_id, trace_id)
        await _answer(exchange, pipe, running, ids, wants_tail=log_type == b"Tail")


async def _answer(
    exchange: Exchange,
    pipe: ResponsePipe,
    running: "asyncio.Task[InvocationResult]",
    ids: tuple[str, str],
    *,
    wants_tail: bool,
) -> None:
    """Sends what comes until the invocation is over, then how it ended. Raises AwsError before anything ran."""
    outflow = Outflow(exchange, pipe.discard)
    if await pipe.wait_begun():
        outflow.begin(200, _head(ids, pipe.executed_version))
        while piece := await pipe.read():
            await outflow.write(_payload_chunk(piece))
        result = await running
    else:
        result = await running
        outflow.begin(200, _head(ids, result.executed_version))
        if result.function_error is None and result.payload:
            await outflow.write(_payload_chunk(result.payload))
    await outflow.write(_complete(result, wants_tail))
    exchange.end()


def _head(ids: tuple[str, str], version: str) -> bytes:
    request_id, trace_id = ids
    return (
        f"content-type: {event_stream.CONTENT_TYPE}\r\nx-amzn-requestid: {request_id}\r\n"
        f"X-Amz-Executed-Version: {version}\r\nX-Amzn-Trace-Id: {trace_id}\r\n"
    ).encode("latin-1")


def _payload_chunk(piece: bytes) -> bytes:
    return event_stream.encode_event("PayloadChunk", "application/octet-stream", piece)


def _complete(result: InvocationResult, wants_tail: bool) -> bytes:
    """The last message. Best known: the details of an error are its JSON document."""
    document = {}
    if result.function_error is not None:
        document["ErrorCode"] = result.function_error
        document["ErrorDetails"] = result.payload.decode(errors="replace")
    if wants_tail:
        document["LogResult"] = base64.b64encode(result.log_tail).decode()
    body = json.dumps(document, separators=(",", ":")).encode()
    return event_stream.encode_event("InvokeComplete", "application/json", body)


def _refusal(exchange: Exchange, error: AwsError, request_id: str) -> HttpResponse:
    """AWS validates a request's shape before it looks for the function: so a refusal asks the wire."""
    try:
        codec.decode(to_request(exchange), request_id)
    except AwsError as invalid:
        error = invalid
    return codec.encode_error(_TARGET, error, request_id)
