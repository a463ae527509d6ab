"""Function URLs served: ``<url-id>.lambda-url.<anything>`` in the Host header → event → function → answer.

Never waits for a disk but at the first request after a change. Source:
https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

import json
import random
import re
import time
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Protocol

from lambent.gateway import cors, payloads
from lambent.gateway.streamed_url import (
    FunctionFailedError,
    StreamedAnswer,
    open_answer,
    send_answer,
)
from lambent.gateway.url_authorization import Key, LookUp, authenticate, authorize, identity_of
from lambent.http1.exchange import Exchange
from lambent.invoke.streaming import ResponsePipe, stream_result
from lambent.model.errors import AwsError, ClientFault
from lambent.model.function_url import RESPONSE_STREAM, FunctionUrl
from lambent.model.http import HttpRequest, HttpResponse
from lambent.model.invocation import InvocationResult, ResponseSink
from lambent.policy import Policy

MARK = b".lambda-url."
"""What the Host header of every function URL has in it: all that other requests are asked."""
MAX_EVENT_BYTES = 6 * 1024 * 1024
"""AWS: 6 MB for the event, which is the request. Source: "Lambda quotas"."""
_HOST = re.compile(rb"([a-z0-9]{32})\.lambda-url\.[^:]+(:\d+)?")
_BAD_GATEWAY = b"Internal Server Error"
_NOT_FOUND = b'{"Message":null}'


class Frontend(Protocol):
    """What invokes functions."""

    def invoke(
        self,
        account_id: str,
        region: str,
        function_name: str,
        qualifier: str | None,
        payload: bytes,
        *,
        request_id: str | None = None,
        client_context: str | None = None,
        trace_id: str | None = None,
        sink: ResponseSink | None = None,
    ) -> Coroutine[Any, Any, InvocationResult]: ...


class Directory(Protocol):
    """What knows the URLs."""

    def find(self, url_id: str) -> tuple[FunctionUrl, Policy] | None: ...


class FunctionUrls:
    """Serves them. ``user_id(account, arn)`` is the unique id of a principal; ``clock`` is aware."""

    def __init__(
        self,
        directory: Directory,
        frontend: Frontend,
        look_up: LookUp,
        user_id: Callable[[str, str], str],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._directory = directory
        self._frontend = frontend
        self._look_up = look_up
        self._user_id = user_id
        self._clock = clock

    async def serve(self, exchange: Exchange) -> None:
        """Answers one request."""
        request_id = str(uuid.uuid4())
        request = to_request(exchange)
        trace_id = request.headers.get("x-amzn-trace-id") or _new_trace_id()
        try:
            answer = await self._answer(exchange, request, request_id, trace_id)
        except AwsError as error:
            answer = refusal(error)
        own = (("x-amzn-requestid", request_id), ("x-amzn-trace-id", trace_id))
        if isinstance(answer, StreamedAnswer):
            await send_answer(exchange, answer, own)
        else:
            exchange.respond(answer.status, [*answer.headers, *own], answer.body)

    async def _answer(
        self, exchange: Exchange, request: HttpRequest, request_id: str, trace_id: str
    ) -> HttpResponse | StreamedAnswer:
        host = _HOST.fullmatch(exchange.headers[b"host"].lower())
        found = self._directory.find(host[1].decode()) if host else None
        if found is None:
            return HttpResponse(404, [("content-type", "application/json")], _NOT_FOUND)
        url, policy = found
        origin = request.headers.get("origin")
        if url.cors is not None and cors.is_preflight(request.method, request.headers):
            return HttpResponse(200, cors.preflight_headers(url.cors, origin or ""), b"")
        try:
            answer = await self._invoke(exchange, request, url, policy, (request_id, trace_id))
        except AwsError as error:
            answer = refusal(error)
        head = answer.response if isinstance(answer, StreamedAnswer) else answer
        head = replace(head, headers=cors.with_cors(url.cors, origin, head.headers))
        return replace(answer, response=head) if isinstance(answer, StreamedAnswer) else head

    async def _invoke(
        self,
        exchange: Exchange,
        request: HttpRequest,
        url: FunctionUrl,
        policy: Policy,
        ids: tuple[str, str],
    ) -> HttpResponse | StreamedAnswer:
        request_id, trace_id = ids
        if exchange.too_large:
            raise _too_large()
        now = self._clock()
        signed = url.auth_type == "AWS_IAM"
        key = authenticate(request, url, self._look_up, now) if signed else None
        authorize(url, policy, key)
        event = payloads.encode_event(
            _forwarded(request, exchange.peer, trace_id),
            self._origin(request, url, key, request_id, exchange.peer, now),
        )
        if len(event) > MAX_EVENT_BYTES:
            raise _too_large()
        pipe = ResponsePipe() if url.invoke_mode == RESPONSE_STREAM else None
        invocation = self._frontend.invoke(
            url.account_id,
            url.region,
            url.function_name,
            url.alias,
            event,
            request_id=request_id,
            trace_id=trace_id,
            sink=pipe,
        )
        try:
            if pipe is not None:
                return await open_answer(pipe, stream_result(pipe, invocation))
            result = await invocation
            if result.function_error is not None:
                return bad_gateway()
            return payloads.decode_result(result.payload)
        except (FunctionFailedError, payloads.MalformedResponseError):
            return bad_gateway()

    def _origin(
        self,
        request: HttpRequest,
        url: FunctionUrl,
        key: Key | None,
        request_id: str,
        peer: str,
        now: datetime,
    ) -> payloads.Origin:
        authorizer = None
        if key is not None:
            authorizer = identity_of(key, self._user_id(key.account_id, key.principal_arn))
        return payloads.Origin(
            request_id,
            # AWS: nobody's account where nobody was authenticated.
            "anonymous" if key is None else key.account_id,
            url.url_id,
            request.headers["host"].partition(":")[0].lower(),
            peer,
            now,
            authorizer=authorizer,
        )


def to_request(exchange: Exchange) -> HttpRequest:
    """The exchange as a value."""
    path, _, query = exchange.target.decode("latin-1").partition("?")
    headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in exchange.headers.items()}
    return HttpRequest(exchange.method.decode("latin-1"), path, query, headers, exchange.body)


def refusal(error: AwsError) -> HttpResponse:
    """What a caller sees of an error. The 429 is as Invoke has it; other failures are 502."""
    name = ("x-amzn-errortype", error.code)
    kind = ("content-type", "application/json")
    if error.status == 429:
        body = {**error.fields, "message": error.message}
    elif error.status == 404:
        return HttpResponse(404, [kind, name], _NOT_FOUND)
    elif error.status in (400, 403, 413) and error.code not in _OF_THE_FUNCTION:
        body = {"Message": error.message}
    else:
        return bad_gateway()
    return HttpResponse(error.status, [kind, name], json.dumps(body).encode())


_OF_THE_FUNCTION = frozenset({"InvalidRequestContentException"})
"""Faults of an event that the caller has not made."""


def _too_large() -> ClientFault:
    """Source: an answer of an AWS function URL to 10 MB, as its caller quotes it."""
    return ClientFault(
        "RequestEntityTooLargeException",
        f"Request must be smaller than {MAX_EVENT_BYTES} bytes for the InvokeFunction operation",
        413,
    )


def bad_gateway() -> HttpResponse:
    """502: the function failed, or its answer is none."""
    return HttpResponse(502, [("content-type", "application/json")], _BAD_GATEWAY)


def _forwarded(request: HttpRequest, peer: str, trace_id: str) -> HttpRequest:
    """The request with the headers AWS adds; what a client claims of its way is overwritten."""
    port = request.headers["host"].partition(":")[2] or "80"
    own = {
        "x-amzn-trace-id": trace_id,
        "x-forwarded-for": peer,
        "x-forwarded-port": port,
        "x-forwarded-proto": "http",
    }
    return replace(request, headers={**request.headers, **own})


def _new_trace_id() -> str:
    root = random.getrandbits(96)
    return f"Root=1-{int(time.time()):08x}-{root:024x}"
