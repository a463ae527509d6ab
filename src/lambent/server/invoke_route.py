"""The hot path: ``POST /2015-03-31/functions/NAME/invocations`` without the generic decoder.

``InvokeAsync``, which AWS has deprecated, goes the way of ``InvocationType=Event``.

Whatever is out of the ordinary — an unknown name, a strange header — is decoded by the wire, which
validates it as AWS does, before it is refused.
"""

import base64
import json
import logging
import re
import time
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote

from lambent.http1.exchange import Exchange
from lambent.invoke.events import MAX_PAYLOAD_BYTES
from lambent.invoke.frontend import Frontend, Running
from lambent.invoke.tracing import new_root
from lambent.model.errors import AwsError, ClientFault, PlatformFault, not_yet
from lambent.model.http import HttpResponse
from lambent.model.invocation import InvocationResult
from lambent.server.callers import LookUp, account_and_region, to_request
from lambent.server.cross_account import CrossAccount
from lambent.server.duplicates import HEADER as DELIVERIES
from lambent.server.duplicates import deliveries_of
from lambent.server.request_ids import new_request_id
from lambent.wire import codec
from lambent.wire.router import Target

PREFIX = b"/2015-03-31/functions/"
_SUFFIX = b"/invocations"
ASYNC_PREFIX = b"/2014-11-13/functions/"
_ASYNC_SUFFIX = b"/invoke-async"
MAX_INVOKE_ASYNC_BYTES = 256 * 1024
"""AWS: "The payload limit is 256KB." Source: InvokeAsync in the service model."""
LOG_TYPES = (b"None", b"Tail")
_TARGET = Target("lambda", "Invoke", "rest-json")
_ASYNC_TARGET = Target("lambda", "InvokeAsync", "rest-json")
OPERATIONS = frozenset({"Invoke", "InvokeAsync", "InvokeWithResponseStream"})
"""Lambda's operations that are answered here, or by ``stream_route``, and not by ``Operations``."""
_log = logging.getLogger("lambent.server")
REFUSED: Mapping[str, str | None] = {
    "DurableExecutionName": None,
}
"""Invoke's settings that are refused, unless what is said here; the others are obeyed."""
RARE_HEADERS = frozenset([b"x-amz-durable-execution-name", b"x-amz-tenant-id"])
_TENANT_ID = re.compile(rb"[a-zA-Z0-9._:/=+\-@ ]{1,256}")
"""Source: the shape ``TenantId``."""
MAX_CLIENT_CONTEXT_BYTES = 3583
"""AWS: "Up to 3,583 bytes of base64-encoded data". Source: Invoke API reference."""


def is_invocation(exchange: Exchange) -> bool:
    """Whether this request takes the hot path."""
    target = exchange.target
    if exchange.method != b"POST" or not target.startswith((PREFIX, ASYNC_PREFIX)):
        return False
    if target.endswith(_SUFFIX) and b"?" not in target:
        return target.startswith(PREFIX)
    path = target.partition(b"?")[0].rstrip(b"/")
    return (target.startswith(PREFIX) and path.endswith(_SUFFIX)) or is_async(target)


def is_async(target: bytes) -> bool:
    """Whether a path is ``InvokeAsync``'s."""
    return target.startswith(ASYNC_PREFIX) and target.partition(b"?")[0].rstrip(b"/").endswith(
        _ASYNC_SUFFIX
    )


class Events(Protocol):
    """Takes asynchronous events: :class:`lambent.invoke.event_queue.EventQueue`."""

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
        max_bytes: int = ...,
        deliveries: int = ...,
        tenant_id: str | None = ...,
    ) -> str: ...


class InvokeRoute:
    """Serves Invoke and InvokeAsync."""

    def __init__(
        self,
        frontend: Frontend,
        look_up: LookUp,
        events: Events,
        cross_account: CrossAccount | None = None,
    ) -> None:
        self._frontend = frontend
        self._look_up = look_up
        self._events = events
        self._cross_account = cross_account

    def serve(self, exchange: Exchange) -> Coroutine[Any, Any, None] | None:
        """Answers one Invoke request, whatever comes of it but a bug: by a callback, or with the work returned.

        A task for each invocation that its caller waits for would cost more than its callback does.
        """
        request_id = new_request_id()
        work = None
        try:
            if exchange.target.startswith(ASYNC_PREFIX):
                work = self._invoke_async(exchange, request_id)
            else:
                work = self._invoke(exchange, request_id)
        except AwsError as error:
            _refuse(exchange, error, request_id)
        return None if work is None else _finish_work(exchange, request_id, work)

    def _invoke(self, exchange: Exchange, request_id: str) -> Coroutine[Any, Any, None] | None:
        headers = exchange.headers
        target = exchange.target
        name, qualifier = (
            _read_target(target) if len(target) <= _MAX_REMEMBERED_BYTES else _parse_target(target)
        )
        account_id, region = account_and_region(exchange, self._look_up)
        if ":" in name and self._cross_account is not None:
            place = (account_id, region)
            account_id = self._cross_account.owner_of(exchange, *place, name, qualifier)
        kind = headers.get(b"x-amz-invocation-type", b"RequestResponse")
        log_type = headers.get(b"x-amz-log-type", b"None")
        if log_type not in LOG_TYPES or qualifier == "":
            codec.decode(to_request(exchange), request_id)  # raises AWS's validation error
        tenant_id = None
        if not headers.keys().isdisjoint(RARE_HEADERS):
            tenant_id = tenant_of(exchange, request_id)
        if kind != b"RequestResponse":
            function = (account_id, region, name, qualifier)
            return self._other_kind(exchange, kind, function, request_id, tenant_id)
        context = headers.get(b"x-amz-client-context")
        running = self._frontend.start(
            account_id,
            region,
            name,
            qualifier,
            exchange.body,
            request_id=request_id,
            client_context=None if context is None else client_context_of(context),
            trace_id=trace_of(headers),
            tenant_id=tenant_id,
        )
        wants_tail = log_type == b"Tail"
        running.answer.add_done_callback(
            lambda _: _answer(exchange, running, request_id, wants_tail)
        )
        return None

    async def _other_kind(
        self,
        exchange: Exchange,
        kind: bytes,
        function: tuple[str, str, str, str | None],
        request_id: str,
        tenant_id: str | None,
    ) -> None:
        if kind == b"Event":
            await self._accept(exchange, function, MAX_PAYLOAD_BYTES, request_id, tenant_id)
            return
        if kind != b"DryRun":
            codec.decode(to_request(exchange), request_id)  # raises AWS's validation error
            raise not_yet(f"InvocationType={kind.decode('latin-1')}")
        version = self._frontend.check(*function, tenant_id)
        head = f"x-amzn-requestid: {request_id}\r\nX-Amz-Executed-Version: {version}\r\n"
        exchange.respond_raw(204, head.encode(), b"")

    async def _invoke_async(self, exchange: Exchange, request_id: str) -> None:
        path = exchange.target.partition(b"?")[0].rstrip(b"/")
        name = unquote(path[len(ASYNC_PREFIX) : -len(_ASYNC_SUFFIX)].decode("latin-1"))
        account_id, region = account_and_region(exchange, self._look_up)
        function = (account_id, region, name, None)
        await self._accept(exchange, function, MAX_INVOKE_ASYNC_BYTES, request_id)

    async def _accept(
        self,
        exchange: Exchange,
        function: tuple[str, str, str, str | None],
        max_bytes: int,
        request_id: str,
        tenant_id: str | None = None,
    ) -> None:
        """202 once the event is on disk. AWS: neither log type nor client context mean anything here."""
        deliveries = deliveries_of(exchange.headers, exchange.peer)
        trace = await self._events.accept(
            *function,
            exchange.body,
            request_id=request_id,
            trace=trace_of(exchange.headers) or new_root(time.time()),
            max_bytes=max_bytes,
            deliveries=deliveries,
            tenant_id=tenant_id,
        )
        head = (
            f"x-amzn-requestid: {request_id}\r\nx-amzn-remapped-content-length: 0\r\n"
            f"X-Amzn-Trace-Id: {trace}\r\n"
        )
        if deliveries > 1:
            head += f"{DELIVERIES.decode()}: {deliveries}\r\n"
        exchange.respond_raw(202, head.encode("latin-1"), b"")


def _answer(exchange: Exchange, running: Running, request_id: str, wants_tail: bool) -> None:
    try:
        running.end()
        result = running.answer.result()
        head = _head(result, request_id, running.trace_id or "", wants_tail)
        exchange.respond_raw(200, head, result.payload)
    except AwsError as error:
        _refuse(exchange, error, request_id)
    except Exception:
        _log.exception("an invocation failed inside the platform")
        fault = PlatformFault(f"Lambent failed; its log says why (request {request_id}).")
        answer = codec.encode_error(_TARGET, fault, request_id)
        exchange.respond(answer.status, answer.headers, answer.body)


def _parse_target(target: bytes) -> tuple[str, str | None]:
    """Function and qualifier of an Invoke request."""
    path, _, query = target.partition(b"?")
    name = unquote(path.rstrip(b"/")[len(PREFIX) : -len(_SUFFIX)].decode("latin-1"))
    return name, qualifier_of(query) if query else None


_MAX_REMEMBERED_BYTES = 256
_read_target = lru_cache(maxsize=4096)(_parse_target)


async def _finish_work(
    exchange: Exchange, request_id: str, work: Coroutine[Any, Any, None]
) -> None:
    try:
        await work
    except AwsError as error:
        _refuse(exchange, error, request_id)


def _refuse(exchange: Exchange, error: AwsError, request_id: str) -> None:
    answer = _refusal(exchange, error, request_id)
    exchange.respond(answer.status, answer.headers, answer.body)


def _refusal(exchange: Exchange, error: AwsError, request_id: str) -> HttpResponse:
    """AWS validates a request's shape before it looks for the function: so a refusal asks the wire."""
    try:
        codec.decode(to_request(exchange), request_id)
    except AwsError as invalid:
        error = invalid
    target = _ASYNC_TARGET if exchange.target.startswith(ASYNC_PREFIX) else _TARGET
    return codec.encode_error(target, error, request_id)


def _head(result: InvocationResult, request_id: str, trace_id: str, wants_tail: bool) -> bytes:
    head = (
        f"content-type: application/json\r\nx-amzn-requestid: {request_id}\r\n"
        "x-amzn-remapped-content-length: 0\r\n"
        f"X-Amz-Executed-Version: {result.executed_version}\r\nX-Amzn-Trace-Id: {trace_id}\r\n"
    )
    if result.function_error:
        head += f"X-Amz-Function-Error: {result.function_error}\r\n"
    if wants_tail:
        head += f"X-Amz-Log-Result: {base64.b64encode(result.log_tail).decode()}\r\n"
    return head.encode("latin-1")


def tenant_of(exchange: Exchange, request_id: str) -> str | None:
    """The tenant that an event is for. Raises AWS's validation error, 501 for a durable execution."""
    if b"x-amz-durable-execution-name" in exchange.headers:
        raise not_yet("DurableExecutionName")
    given = exchange.headers[b"x-amz-tenant-id"]
    if not _TENANT_ID.fullmatch(given):
        codec.decode(to_request(exchange), request_id)  # raises AWS's validation error
    return given.decode("latin-1")


def qualifier_of(query: bytes) -> str | None:
    return dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)).get("Qualifier")


def trace_of(headers: dict[bytes, bytes]) -> str:
    """The caller's trace; empty for a new one: whether it is sampled is the function's to say."""
    given = headers.get(b"x-amzn-trace-id")
    return "" if given is None else given.decode("latin-1")


def client_context_of(encoded: bytes | None) -> str | None:
    """The JSON text of the header, on one line. Raises InvalidRequestContentException."""
    if encoded is None:
        return None
    context = None
    if len(encoded) <= MAX_CLIENT_CONTEXT_BYTES:
        with suppress(ValueError, RecursionError):
            context = json.loads(base64.b64decode(encoded, validate=True))
    if not isinstance(context, dict):
        raise ClientFault(
            "InvalidRequestContentException",
            "Client context must be a valid Base64-encoded JSON object.",
            400,
            fields={"Type": "User"},
        )
    return json.dumps(context)
