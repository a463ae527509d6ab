"""One execution environment: a sandbox, its Runtime API, its log, and the invocation it works on.

Contract:
1. One event at a time. ``invoke`` is legal in READY only and resolves exactly once, whatever happens.
2. Between ``/next`` and the next event the sandbox is frozen.
3. After a timeout, an exit or a failed initialisation the environment is stopped, never reused. Initialisation is
   then run again in another one (:meth:`Environment.start_again`), which goes on with the same log.
4. ``stop`` is final; ``on_gone`` is called once, after the sandbox gave everything back.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

from lambent.http1.bounds import MAX_HEAD_BYTES, Bounds
from lambent.http1.exchange import Exchange
from lambent.http1.server import HttpServer
from lambent.model.invocation import EnvironmentSpec, Invocation, InvocationResult
from lambent.node import outcomes
from lambent.node.capture import Capture
from lambent.node.environment_log import Ending, EnvironmentLog, Phase, error_only
from lambent.node.lifecycle import Event, InvalidStateTransitionError, State, move
from lambent.node.outcomes import MAX_RESPONSE_BYTES, Failure
from lambent.node.runtime_api import endpoints
from lambent.node.sandbox.contract import ExitStatus, Sandbox
from lambent.node.streamed_response import (
    MAX_STREAMED_BYTES,
    StreamedResponse,
    error_in_trailers,
    is_streaming,
)
from lambent.observe import report

INIT_DEADLINE_S = 10.0
"""AWS: the Init phase is limited to 10 seconds. Source: "Lambda execution environment lifecycle"."""
_LAST_WORDS_S = 0.5
"""POLICY: a runtime that told its initialisation's error, or broke a response off, has this long to end by
itself."""
_MIB = 1024 * 1024
_API_HEAD_BYTES = _MIB + MAX_HEAD_BYTES
"""The runtime client sends an exception's X-Ray cause, up to 1 MiB, in a header."""
_API_HELD_BYTES = 2 * MAX_RESPONSE_BYTES
_API_CONNECTIONS = 128
_API_REQUEST_S = 1_000.0
"""POLICY: past every timeout (900 s), which bounds a response that is long in coming."""
_INSIDE_HELD_BYTES = 72 * _MIB
"""POLICY: the largest request, a function's code, once at a time."""
_INSIDE_CONNECTIONS = 1024
"""AWS: as many file descriptors as a function may have. Source: "Lambda quotas"."""
_PLATFORM_ERRORS = ("Runtime.", "Sandbox.", "Function.")


class Watcher(Protocol):
    """Who is told how an environment fares: the pool it belongs to."""

    def on_ready(self, environment: "Environment") -> None: ...
    def on_responded(self, environment: "Environment") -> None: ...
    def on_leaving(self, environment: "Environment") -> None: ...
    def on_gone(self, environment: "Environment") -> None: ...


class Environment:
    """See the module. Made by :class:`lambent.node.agent.Node`; lives on the loop's thread only."""

    def __init__(
        self,
        spec: EnvironmentSpec,
        sandbox: Sandbox,
        log: EnvironmentLog,
        watcher: Watcher,
        born_s: float,
        on_close: Callable[[], None],
        *,
        phase: Phase = "init",
        again: "Callable[[Watcher], Awaitable[Environment]] | None" = None,
    ) -> None:
        self.spec = spec
        self._on_close = on_close
        self._again = again
        self._phase: Phase = phase
        self._is_retry = phase == "invoke"
        self._is_initialised = False
        self.state = State.INIT
        self.request_id: bytes | None = None
        self.past_request_id: bytes | None = None
        self.idle_since_s = born_s
        self._sandbox = sandbox
        self._log = log
        self._watcher = watcher
        self._born_s = born_s
        self._init_ms: float | None = None
        self._invocation: Invocation | None = None
        self._answer: asyncio.Future[InvocationResult] | None = None
        self._started_s = 0.0
        self._waiting: Exchange | None = None
        self._stream: StreamedResponse | None = None
        self._failure: Failure | None = None
        self._init_failure: Callable[[str], Failure] | None = None
        self._edge: HttpServer | None = None
        self._inside: asyncio.Server | None = None
        self._gone = False
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._capture = Capture(sandbox.stdout_fd, sandbox.telemetry_fd, log.write, log.levels)
        self._api = HttpServer(
            self._serve, MAX_RESPONSE_BYTES, discard_oversize=True, streams=self._takes_pieces
        )
        limit_s = INIT_DEADLINE_S
        if self._is_retry:
            limit_s = spec.timeout_s - (time.monotonic() - born_s)
            # AWS: the burst is the Init phase's; the second time took nine times as long in a recording.
            sandbox.limit_cpu()
        self._deadline = loop.call_later(limit_s, self._on_deadline)
        sandbox.exited.add_done_callback(self._on_exit)

    async def open(self, edge: HttpServer) -> None:
        """Serves the Runtime API, and the platform's endpoint inside, from now on."""
        self._edge = edge
        api = Bounds(
            max_head_bytes=_API_HEAD_BYTES,
            max_held_bytes=_API_HELD_BYTES,
            max_connections=_API_CONNECTIONS,
            request_deadline_s=_API_REQUEST_S,
        )
        await self._api.listen(self._sandbox.runtime_api, bounds=api)
        if self._sandbox.endpoint is not None:
            bounds = Bounds(max_held_bytes=_INSIDE_HELD_BYTES, max_connections=_INSIDE_CONNECTIONS)
            self._inside = await edge.listen(self._sandbox.endpoint, bounds=bounds)
        if self._gone:
            self._close()

    # The invocation

    def invoke(self, invocation: Invocation) -> "asyncio.Future[InvocationResult]":
        """Hands over one event. Raises InvalidStateTransitionError unless READY."""
        self.state = move(self.state, Event.DISPATCH)
        waiting, self._waiting = self._waiting, None
        assert waiting is not None  # noqa: S101 - READY means /next is waiting
        self._answer = self._loop.create_future()
        self._invocation = invocation
        self.request_id = invocation.request_id.encode()
        self._started_s = time.monotonic()
        left_s: float = self.spec.timeout_s
        if self._is_retry:
            # AWS: what both initialisations wrote is in this invocation's tail, the second one's time in its own.
            self._is_retry = False
            left_s -= self._started_s - self._born_s
            self._started_s = self._born_s
        else:
            self._log.forget_tail()
        self._capture.begin()
        now_ms = time.time_ns() // 1_000_000
        self._log.start(now_ms, invocation.request_id)
        self._deadline = self._loop.call_later(left_s, self._on_deadline)
        head = endpoints.event_head(invocation, now_ms + int(left_s * 1000))
        waiting.respond_raw(200, head, invocation.payload)
        self._sandbox.thaw()
        return self._answer

    def _finish(
        self, payload: bytes, function_error: str | None, status: str | None, error_type: str | None
    ) -> None:
        """Writes END and REPORT, and answers the caller."""
        duration_ms = (time.monotonic() - self._started_s) * 1000
        if self.state is not State.RESPONDED:
            # One that answered has its timeout still: else it could run on for ever, never asking again.
            self._deadline.cancel()
        invocation, answer = self._invocation, self._answer
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.abandon()
        self._invocation = self._answer = None
        self.past_request_id, self.request_id = self.request_id, None
        if invocation is None or answer is None:
            return
        self._capture.drain()
        init_ms, self._init_ms = self._init_ms, None
        ending = Ending(
            invocation.request_id,
            duration_ms=duration_ms,
            max_memory_mib=-(-self._sandbox.memory_peak_bytes() // _MIB),
            init_ms=init_ms,
            status=status,
            error_type=error_type,
            function_error=function_error,
            produced_bytes=_produced_bytes(payload, function_error, stream),
            failure=self._failure,
        )
        self._log.end(time.time_ns() // 1_000_000, ending)
        if not answer.done():
            version = self.spec.version
            answer.set_result(InvocationResult(payload, version, function_error, self._log.tail()))

    # The Runtime API, called by lambent.node.runtime_api.endpoints

    def _serve(self, exchange: Exchange) -> None:
        endpoints.handle(self, exchange)

    def on_next(self, exchange: Exchange) -> None:
        """The runtime wants an event: freeze it until there is one."""
        self.state = move(self.state, Event.NEXT)
        self._deadline.cancel()
        is_first = not self._is_initialised
        if is_first:
            self._on_initialised()
        self._waiting = exchange
        exchange.on_disconnect = self._on_hang_up
        self.idle_since_s = time.monotonic()
        self._watcher.on_ready(self)
        if self.state is State.READY:
            self._capture.drain()
            self._sandbox.freeze()
        if is_first and self._phase == "init":
            # Last: the event is on its way already.
            self._sandbox.limit_cpu()

    def _on_initialised(self) -> None:
        self._is_initialised = True
        init_ms = (time.monotonic() - self._born_s) * 1000
        self._log.init_done(time.time_ns() // 1_000_000, init_ms, self._phase)
        if self._phase == "init" and self.spec.initialization_type == "on-demand":
            # AWS: a second initialisation is part of Duration, one ahead of time of no invocation.
            # Source: recorded REPORT lines.
            self._init_ms = init_ms

    def on_response(self, exchange: Exchange) -> None:
        """The function's result: whole, or its head where its body is to be handed on as it comes."""
        if exchange.streamed:
            self._begin_stream(exchange)
            return
        self._refuse_second_answer(Event.RESPONSE)
        self.state = move(self.state, Event.RESPONSE)
        if exchange.too_large:
            self._refuse_oversized(exchange, outcomes.response_too_large())
        else:
            self._respond(exchange)

    def _respond(self, exchange: Exchange) -> None:
        """The function's result is whole; a runtime that streams may add that it failed on the way."""
        error = error_in_trailers(exchange.headers) if is_streaming(exchange.headers) else None
        if error is None:
            self._finish(exchange.body, None, None, None)
        else:
            self._finish_failed(*error)
        endpoints.accept(exchange)
        self._watcher.on_responded(self)

    def _refuse_oversized(self, exchange: Exchange, failure: Failure) -> None:
        self._finish(failure.payload(), "Unhandled", failure.status, failure.error_type)
        endpoints.refuse(exchange, 413, "RequestEntityTooLarge", failure.message)
        self._watcher.on_responded(self)

    # A response in pieces: the environment is INVOKING until the last one

    def _takes_pieces(self, headers: dict[bytes, bytes]) -> bool:
        """Only where the caller does: for any other a runtime that streams is read to the end, within 6 MB."""
        invocation = self._invocation
        return invocation is not None and invocation.sink is not None and is_streaming(headers)

    def _begin_stream(self, exchange: Exchange) -> None:
        self._refuse_second_answer(Event.RESPONSE)
        invocation = self._invocation
        if invocation is None or invocation.sink is None:
            raise InvalidStateTransitionError(self.state, Event.RESPONSE)
        self._stream = StreamedResponse(
            exchange,
            invocation.sink,
            self.spec.version,
            on_end=self._end_stream,
            on_oversized=self._end_oversized_stream,
            on_broken=partial(self._break_stream, invocation.request_id),
        )

    def _refuse_second_answer(self, event: Event) -> None:
        """What was sent cannot be taken back; of a stream that broke off the error may still be told."""
        if self._stream is not None and not (event is Event.ERROR and self._stream.broken):
            raise InvalidStateTransitionError(self.state, event)

    def _end_stream(self, exchange: Exchange) -> None:
        self.state = move(self.state, Event.RESPONSE)
        self._respond(exchange)

    def _end_oversized_stream(self, exchange: Exchange) -> None:
        self.state = move(self.state, Event.RESPONSE)
        self._refuse_oversized(exchange, outcomes.response_too_large(MAX_STREAMED_BYTES))

    def _break_stream(self, request_id: str) -> None:
        """The runtime left in the middle: if it is ending, how it ended says more."""
        self._loop.call_later(_LAST_WORDS_S, self._give_up_stream, request_id)

    def _give_up_stream(self, request_id: str) -> None:
        if self._invocation is not None and self._invocation.request_id == request_id:
            self._failure = failure = outcomes.truncated(request_id)
            self._finish(failure.payload(), "Unhandled", failure.status, failure.error_type)
            self.stop()

    def on_error(self, exchange: Exchange, error_type: str) -> None:
        """The function raised, or its result could not be written as JSON."""
        self._refuse_second_answer(Event.ERROR)
        self.state = move(self.state, Event.ERROR)
        self._finish_failed(error_type, _error_payload(exchange, error_type))
        endpoints.accept(exchange)
        self._watcher.on_responded(self)

    def _finish_failed(self, error_type: str, payload: bytes) -> None:
        # AWS: REPORT carries a status when the platform ended the invocation, not when the handler raised.
        platform_error = error_type if error_type.startswith(_PLATFORM_ERRORS) else None
        status = "error" if platform_error else None
        self._finish(payload, "Unhandled", status, platform_error)

    def on_init_error(self, exchange: Exchange, error_type: str) -> None:
        """Initialisation failed: the handler cannot be loaded."""
        self.state = move(self.state, Event.INIT_ERROR)
        failure = Failure(error_type, "", body=_error_payload(exchange, error_type))
        self._init_failure = lambda _: failure
        self._deadline.cancel()
        self._deadline = self._loop.call_later(_LAST_WORDS_S, self._on_deadline)
        endpoints.accept(exchange)

    # Ends

    def _on_hang_up(self) -> None:
        """The runtime left while it waited for an event: no other may come before it is gone."""
        if self.state is State.READY:
            self.stop()
            self._watcher.on_leaving(self)

    def _on_deadline(self) -> None:
        """The timeout of the invocation, or of the initialisation."""
        invocation = self._invocation
        now_ms = time.time_ns() // 1_000_000
        if invocation is not None:
            self._failure = self._timed_out(now_ms, invocation.request_id)
            self._finish(self._failure.payload(), "Unhandled", "timeout", None)
        elif self.state is State.INIT and self._phase == "invoke":
            self._init_failure = partial(self._timed_out, now_ms)
        elif self.state is State.INIT:
            self._init_failure = partial(outcomes.init_timed_out, deadline_s=INIT_DEADLINE_S)
        self.stop()

    def _timed_out(self, now_ms: int, request_id: str) -> Failure:
        timeout_s = float(self.spec.timeout_s)
        message = report.timed_out_message(request_id, timeout_s, now_ms)
        return outcomes.timed_out(message, report.timed_out(request_id, timeout_s, now_ms).decode())

    def _on_exit(self, exited: "asyncio.Future[ExitStatus]") -> None:
        """The runtime process is gone, for whatever reason."""
        how = exited.result()
        self._deadline.cancel()
        self._capture.finish()
        describe_failure = partial(
            outcomes.exited,
            how=how.describe(),
            clean=not how.signal and not how.code,
            out_of_memory=self._sandbox.oom_killed(),
        )
        if how.not_started:
            describe_failure = partial(outcomes.not_started, reason=how.not_started)
        if self._invocation is not None:
            self._failure = failure = describe_failure(self._invocation.request_id)
            self._finish(failure.payload(), "Unhandled", failure.status, failure.error_type)
        elif self.state is State.INIT:
            self._init_failure = describe_failure
        if self._init_failure is not None:
            init_ms = (time.monotonic() - self._born_s) * 1000
            now_ms = time.time_ns() // 1_000_000
            self._log.init_failed(now_ms, init_ms, self._init_failure(""), self._phase)
        self._capture.close()
        self.state = State.STOPPED
        self._gone = True
        self._on_close()
        self._close()
        self._watcher.on_gone(self)

    def _close(self) -> None:
        self._api.close()
        if self._inside is not None and self._edge is not None:
            self._edge.stop_listening(self._inside)
            self._inside = None

    def stop(self) -> None:
        """Ends it; ``on_gone`` follows when everything is given back."""
        if self.state is not State.STOPPED:
            self.state = State.STOPPED
            self._deadline.cancel()
            self._sandbox.kill()

    async def start_again(self, watcher: Watcher) -> "Environment":
        """Initialisation failed: the environment in which it is run once more, inside the invocation.

        Raises SandboxError when the host could not make it. AWS does it in the same sandbox, emptied.
        """
        assert self._again is not None  # noqa: S101 - given by the node
        return await self._again(watcher)

    def refuse_invocation(self, invocation: Invocation) -> InvocationResult:
        """Answers an invocation whose environment failed to initialise, with its log lines."""
        describe = self._init_failure or partial(
            outcomes.exited, how="exit status 1", clean=False, out_of_memory=False
        )
        failure = describe(invocation.request_id)
        now_ms = time.time_ns() // 1_000_000
        self._log.start(now_ms, invocation.request_id)
        ending = Ending(
            invocation.request_id,
            duration_ms=(time.monotonic() - self._born_s) * 1000,
            max_memory_mib=-(-self._sandbox.memory_peak_bytes() // _MIB),
            init_ms=None,
            status=failure.status,
            error_type=error_only(failure),
            function_error="Unhandled",
            produced_bytes=0,
            failure=failure,
        )
        self._log.end(now_ms, ending)
        return InvocationResult(failure.payload(), self.spec.version, "Unhandled", self._log.tail())


def _error_payload(exchange: Exchange, error_type: str) -> bytes:
    """What the runtime posted; of what is too large its type is left. AWS: 413 is for results only."""
    if exchange.too_large:
        return Failure(error_type, outcomes.response_too_large().message).payload()
    return exchange.body


def _produced_bytes(
    payload: bytes, function_error: str | None, stream: StreamedResponse | None
) -> int:
    """What of the function's own it has answered."""
    if stream is not None:
        return stream.size_bytes
    return 0 if function_error else len(payload)


__all__ = ["Environment", "InvalidStateTransitionError", "Watcher"]
