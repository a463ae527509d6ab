"""Every request's way: the hot path, the platform's own endpoints, or an operation on a worker thread.

Lambda's control operations run one after the other on the control thread (so they need no locks).
Services that wait for messages (SQS, SNS) are coroutines on the loop; other services' operations run on
a few threads of their own. The loop's thread never waits for a disk.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any

from lambent.gateway.function_url import MARK as FUNCTION_URL
from lambent.gateway.function_url import FunctionUrls
from lambent.http1.exchange import Exchange
from lambent.model.errors import AwsError, ClientFault, PlatformFault
from lambent.model.http import HttpRequest, HttpResponse
from lambent.model.image import FoundImage
from lambent.neighbours import routing
from lambent.neighbours.forwarding import Neighbours
from lambent.server.authentication import Authentication, Key
from lambent.server.callers import LookUp, refine, to_request
from lambent.server.certificates import PATH as CERTIFICATE
from lambent.server.certificates import CertificateFile
from lambent.server.code_sources import CodeSources, may_name_code
from lambent.server.internal import Internal
from lambent.server.invoke_route import InvokeRoute, is_invocation
from lambent.server.operations import Operations
from lambent.server.stream_route import StreamRoute, is_stream_invocation
from lambent.wire import codec, router

MAX_REQUEST_BYTES = 96 * 1024 * 1024
"""POLICY: above AWS's 70,167,211 for uploads, so that the operation refuses those in its own words."""
MAX_AWAITED_BYTES = 4 * 1024 * 1024
"""POLICY: what is decoded on the loop: the largest batch AWS takes (1 MiB), escaped by a form."""
MAX_WAITING = 1_000
"""POLICY: control requests waiting for their thread; more are answered 503 at once."""
_INTERNAL = b"/_lambent/"
_log = logging.getLogger("lambent.server")


class Edge:
    """Serves the platform's port (``handle``), and the same inside environments (``handle_inside``)."""

    def __init__(
        self,
        invoke_route: InvokeRoute,
        operations: Operations,
        internal: Internal,
        look_up: LookUp,
        control_thread: ThreadPoolExecutor,
        after_control: Callable[[], None],
        function_urls: FunctionUrls | None = None,
        certificates: CertificateFile | None = None,
        stream_route: StreamRoute | None = None,
        neighbours: Neighbours | None = None,
        code_sources: CodeSources | None = None,
        authenticate: Callable[[str], Key | None] | None = None,
    ) -> None:
        self._invoke_route = invoke_route
        self._function_urls = function_urls
        self._certificates = certificates
        self._stream_route = stream_route
        self._neighbours = neighbours
        self._code_sources = code_sources
        self._operations = operations
        self._internal = internal
        self._look_up = look_up
        self._control_thread = control_thread
        self._after_control = after_control
        self._service_threads = ThreadPoolExecutor(4, "lambent-service")
        self._authentication = authenticate and Authentication(authenticate, self._service_threads)
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting = 0

    def handle(self, exchange: Exchange) -> None:
        """One request on the platform's own port."""
        if self._authentication is None:
            self._route(exchange, inside=False)
        else:
            self._authentication.admit(exchange, self._route)

    def _route(self, exchange: Exchange, *, inside: bool = False) -> None:
        if FUNCTION_URL in exchange.headers.get(b"host", b"") and self._function_urls is not None:
            self._spawn(exchange, self._function_urls.serve(exchange))
        elif exchange.too_large:
            _respond(exchange, _too_large(exchange))
        elif is_invocation(exchange):
            self._invoke(exchange)
        elif is_stream_invocation(exchange) and self._stream_route is not None:
            self._spawn(exchange, self._stream_route.serve(exchange))
        elif exchange.target.startswith(_INTERNAL):
            self._spawn(exchange, self._internal.serve(exchange))
        elif exchange.target.startswith(CERTIFICATE) and self._certificates is not None:
            self._spawn(exchange, self._certificates.serve(exchange))
        else:
            self._operate(exchange, inside)

    def handle_inside(self, exchange: Exchange) -> None:
        """One request of a function: the AWS API, and none of the platform's own endpoints."""
        if exchange.target.startswith(_INTERNAL):
            exchange.respond(
                403, [("content-type", "text/plain")], b"Not from inside a function.\n"
            )
        elif self._authentication is None:
            self._route(exchange, inside=True)
        else:
            self._authentication.admit(exchange, self._route_inside)

    def _route_inside(self, exchange: Exchange) -> None:
        self._route(exchange, inside=True)

    def _invoke(self, exchange: Exchange) -> None:
        try:
            work = self._invoke_route.serve(exchange)
        except Exception:
            _log.exception("a request failed inside the platform")
            _respond(exchange, _internal_error(None, str(uuid.uuid4())))
            return
        if work is not None:
            self._spawn(exchange, work)

    def _spawn(self, exchange: Exchange, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._done(exchange, done))
        return task

    def _done(self, exchange: Exchange, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("a request failed inside the platform", exc_info=error)
            _respond(exchange, _internal_error(None, str(uuid.uuid4())))

    def _operate(self, exchange: Exchange, inside: bool) -> None:
        request_id = str(uuid.uuid4())
        if self._waiting >= MAX_WAITING:
            busy = PlatformFault(
                "Too many requests are waiting; try again.", "ServiceException", 503
            )
            _respond(exchange, codec.encode_error(None, busy, request_id))
            return
        request = to_request(exchange)
        if router.named_service(request) in self._operations.awaited_services:
            self._await(exchange, request, request_id, inside)
            return
        neighbours, service = self._neighbours, routing.service_of(request)
        if neighbours is not None and service is not None and neighbours.serves(service):
            self._spawn(exchange, self._forward(exchange, neighbours, service, request_id))
            return
        self._waiting += 1
        # Lambda is the one REST service with dated paths; its operations share the control thread.
        is_control = exchange.target.startswith(b"/20")
        if is_control and self._code_sources is not None and may_name_code(request):
            self._spawn(exchange, self._with_object(exchange, request, request_id))
            return
        threads = self._control_thread if is_control else self._service_threads
        loop = asyncio.get_running_loop()
        threads.submit(self._serve, loop, exchange, request, request_id, is_control)

    def _await(
        self, exchange: Exchange, request: HttpRequest, request_id: str, inside: bool
    ) -> None:
        """Runs an operation as a coroutine, until the client leaves: a long poll must not outlive it."""
        if len(request.body) > MAX_AWAITED_BYTES:
            error = _too_long(MAX_AWAITED_BYTES)
            _respond(exchange, codec.encode_error(router.guess(request), error, request_id))
            return
        work = self._serve_awaited(exchange, request, request_id, inside)
        task = self._spawn(exchange, work)

        def leave() -> None:
            task.cancel()

        exchange.on_disconnect = leave

    async def _with_object(self, exchange: Exchange, request: HttpRequest, request_id: str) -> None:
        """Fetches the code that a control operation names, before it takes its turn on the thread."""
        fetched: bytes | FoundImage | AwsError | None = None
        try:
            try:
                call = codec.decode(request, request_id, router.identify(request))
            except AwsError:
                pass  # the operation's to answer
            else:
                call = replace(call, caller=refine(call.caller, self._look_up))
                if self._code_sources is not None:
                    fetched = await self._code_sources.fetch(call)
        except BaseException:
            self._waiting -= 1
            raise
        loop = asyncio.get_running_loop()
        self._control_thread.submit(self._serve, loop, exchange, request, request_id, True, fetched)

    async def _forward(
        self, exchange: Exchange, neighbours: Neighbours, service: str, request_id: str
    ) -> None:
        request = to_request(exchange)
        caller = refine(codec.caller_of(request, request_id), self._look_up)
        try:
            await neighbours.serve(exchange, request, service, caller)
        except AwsError as error:
            _respond(exchange, codec.encode_error(router.guess(request), error, request_id))

    async def _serve_awaited(
        self, exchange: Exchange, request: HttpRequest, request_id: str, inside: bool
    ) -> None:
        target = None
        try:
            target = router.identify(request)
            call = codec.decode(request, request_id, target)
            caller = replace(refine(call.caller, self._look_up), inside=inside)
            call = replace(call, caller=caller)
            result = await self._operations.find_awaited(call)(call)
            answer = codec.encode_result(target, result, request_id)
        except AwsError as error:
            answer = codec.encode_error(target or router.guess(request), error, request_id)
        except Exception:
            _log.exception("%s failed inside the platform", target)
            answer = _internal_error(target, request_id)
        _respond(exchange, answer)

    def _serve(
        self,
        loop: asyncio.AbstractEventLoop,
        exchange: Exchange,
        request: HttpRequest,
        request_id: str,
        is_control: bool,
        fetched_code: bytes | FoundImage | AwsError | None = None,
    ) -> None:
        """On a worker thread: decode, run, encode.

        What a control operation left to do (a function going from Pending to Active) is done before its
        answer leaves, so that a client that invokes at once, as many scripts do, finds it Active.
        """
        answer = self._answer(request, request_id, fetched_code)
        if is_control:
            try:
                self._after_control()
            except Exception:
                _log.exception("work left by an operation failed")
        loop.call_soon_threadsafe(self._served, exchange, answer)

    def _served(self, exchange: Exchange, answer: HttpResponse) -> None:
        self._waiting -= 1
        _respond(exchange, answer)

    def _answer(
        self,
        request: HttpRequest,
        request_id: str,
        fetched_code: bytes | FoundImage | AwsError | None,
    ) -> HttpResponse:
        target = None
        try:
            target = router.identify(request)
            call = codec.decode(request, request_id, target)
            caller = refine(call.caller, self._look_up)
            call = replace(call, caller=caller, fetched_code=fetched_code)
            result = self._operations.find(call)(call)
            return codec.encode_result(target, result, request_id)
        except AwsError as error:
            return codec.encode_error(target or router.guess(request), error, request_id)
        except Exception:
            _log.exception("%s failed inside the platform", target)
            return _internal_error(target, request_id)

    def close(self) -> None:
        """Lets running operations end, and takes no more."""
        self._service_threads.shutdown(wait=True)


def _too_large(exchange: Exchange) -> HttpResponse:
    """AWS's refusal of a body that was discarded while it came."""
    target = None
    with suppress(AwsError):
        target = router.identify(to_request(exchange))
    operation = target.operation if target is not None else "requested"
    return codec.encode_error(target, _too_long(MAX_REQUEST_BYTES, operation), str(uuid.uuid4()))


def _too_long(max_bytes: int, operation: str = "requested") -> ClientFault:
    return ClientFault(
        "RequestEntityTooLargeException",
        f"Request must be smaller than {max_bytes} bytes for the {operation} operation",
        413,
    )


def _internal_error(target: router.Target | None, request_id: str) -> HttpResponse:
    fault = PlatformFault(f"Lambent failed; its log says why (request {request_id}).")
    return codec.encode_error(target, fault, request_id)


def _respond(exchange: Exchange, answer: HttpResponse) -> None:
    exchange.respond(answer.status, answer.headers, answer.body)
