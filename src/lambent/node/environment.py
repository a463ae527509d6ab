"""One execution environment: a sandbox, its Runtime API, its log, and the invocation it works on.

Contract:
1. One event at a time. ``invoke`` is legal in READY only and resolves exactly once, whatever happens.
2. Between ``/next`` and the next event the sandbox is frozen.
3. After a timeout, an exit or a failed initialisation the environment is stopped, never reused. Initialisation is
   then run again in another one (:meth:`Environment.start_again`), which goes on with the same log.
4. ``stop`` is final; ``on_gone`` is called once, after the sandbox gave everything back. With extensions the
   Shutdown phase comes first, which takes two seconds at most.
5. With extensions it is ready when they are too, and an invocation's REPORT waits for them; its caller does not.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

from lambent.http1.exchange import Exchange
from lambent.http1.server import HttpServer
from lambent.model.invocation import EnvironmentSpec, Invocation, InvocationResult
from lambent.node import endings, outcomes
from lambent.node.capture import Capture
from lambent.node.doors import Doors
from lambent.node.endings import Describe, describe_exit, describe_timeout
from lambent.node.environment_extensions import EnvironmentExtensions
from lambent.node.environment_log import Ending, EnvironmentLog, Phase, error_only
from lambent.node.extensions_api.shutdown import Reason
from lambent.node.lifecycle import Event, InvalidStateTransitionError, State, move
from lambent.node.outcomes import Failure
from lambent.node.responses import LAST_WORDS_S, Responses, error_payload
from lambent.node.runtime_api import endpoints
from lambent.node.sandbox.contract import ExitStatus, Sandbox
from lambent.node.telemetry_api.log import TelemetryLog

INIT_DEADLINE_S = 10.0
"""AWS: the Init phase is limited to 10 seconds. Source: "Lambda execution environment lifecycle"."""


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
        extensions: tuple[str, ...] = (),
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
        self._responses = Responses(self)
        self.on_response = self._responses.on_response
        self.on_error = self._responses.on_error
        self._failure: Failure | None = None
        self._init_failure: Describe | None = None
        self._runtime_is_gone = False
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._capture = Capture(
            sandbox.stdout_fd, sandbox.telemetry_fd, log.write, log.levels, sandbox.extension_fd
        )
        self._unreported: Ending | None = None
        self._extensions: EnvironmentExtensions | None = None
        if extensions:
            self._extensions = EnvironmentExtensions(spec, sandbox, log, self, extensions)
        self._doors = Doors(sandbox, self._serve, self._responses.takes_pieces)
        limit_s = INIT_DEADLINE_S
        if self._is_retry:
            limit_s = spec.timeout_s - (time.monotonic() - born_s)
            # AWS: the burst is the Init phase's; the second time took nine times as long in a recording.
            sandbox.limit_cpu()
        self._deadline = loop.call_later(limit_s, self._on_deadline)
        sandbox.exited.add_done_callback(self._on_exit)

    async def open(self, edge: HttpServer) -> None:
        """Serves the Runtime API, and the platform's endpoint inside, from now on."""
        await self._doors.open(edge)

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
        deadline_ms = now_ms + int(left_s * 1000)
        if self._extensions is not None:
            self._extensions.invoke(invocation, deadline_ms)
        head = endpoints.event_head(invocation, deadline_ms)
        waiting.respond_raw(200, head, invocation.payload)
        self._sandbox.thaw()
        return self._answer

    def _write_end(self, ending: Ending) -> None:
        now_ms = time.time_ns() // 1_000_000
        extensions = self._extensions
        is_over = extensions is None or not extensions.hears_invocations
        if is_over or self.state is not State.RESPONDED:
            self._log.end(now_ms, ending)
        else:
            self._log.runtime_done(now_ms, ending)
            self._unreported = ending

    def _report(self, failure: Failure | None = None) -> None:
        """The extensions are done with an invocation too, or never will be."""
        ending, self._unreported = self._unreported, None
        if ending is not None:
            self._capture.drain()
            endings.report_ending(self._log, self._sandbox, ending, self._started_s, failure)

    # The Runtime API, called by lambent.node.runtime_api.endpoints

    def _serve(self, exchange: Exchange) -> None:
        endpoints.handle(self, exchange)

    def on_next(self, exchange: Exchange) -> None:
        """The runtime wants an event: freeze it until there is one."""
        extensions = self._extensions
        if extensions is not None:
            if not self._is_initialised:
                extensions.close_registration()
            if not extensions.is_settled:
                self.state = move(self.state, Event.RUNTIME_NEXT)
                self._hold(exchange)
                return
        self.state = move(self.state, Event.NEXT)
        self._hold(exchange)
        self._settle()

    def _hold(self, exchange: Exchange) -> None:
        self._waiting = exchange
        exchange.on_disconnect = self._on_hang_up

    def _settle(self) -> None:
        """Everybody waits for the next event."""
        self._deadline.cancel()
        is_first = not self._is_initialised
        if is_first:
            self._on_initialised()
        if self._unreported is not None:
            self._report()
        self.idle_since_s = time.monotonic()
        self._watcher.on_ready(self)
        if self.state is State.READY:
            self._capture.drain()
            if self._extensions is not None:
                self._extensions.freeze()
            self._sandbox.freeze()
        if is_first and self._phase == "init":
            # Last: the event is on its way already.
            self._sandbox.limit_cpu()

    def _on_initialised(self) -> None:
        self._is_initialised = True
        init_ms = (time.monotonic() - self._born_s) * 1000
        if self._extensions is not None:
            self._extensions.initialised()
        self._log.init_done(time.time_ns() // 1_000_000, init_ms, self._phase)
        if self._phase == "init" and self.spec.initialization_type == "on-demand":
            # AWS: a second initialisation is part of Duration, one ahead of time of no invocation.
            # Source: recorded REPORT lines.
            self._init_ms = init_ms

    # What lambent.node.responses does with it

    @property
    def invocation(self) -> Invocation | None:
        """The event it works on."""
        return self._invocation

    def answered(self, event: Event) -> None:
        """The runtime has answered. Raises InvalidStateTransitionError where there was nothing to answer."""
        self.state = move(self.state, event)

    def finish(
        self, payload: bytes, function_error: str | None, status: str | None, error_type: str | None
    ) -> None:
        """Writes END and REPORT, unless extensions are at it still, and answers the caller."""
        duration_ms = (time.monotonic() - self._started_s) * 1000
        if self.state is not State.RESPONDED:
            # One that answered has its timeout still: else it could run on for ever, never asking again.
            self._deadline.cancel()
        invocation, answer = self._invocation, self._answer
        streamed_bytes = self._responses.end_stream()
        self._invocation = self._answer = None
        self.past_request_id, self.request_id = self.request_id, None
        if invocation is None or answer is None:
            return
        self._capture.drain()
        init_ms, self._init_ms = self._init_ms, None
        produced_bytes = 0 if function_error else len(payload)
        ending = Ending(
            invocation.request_id,
            duration_ms=duration_ms,
            max_memory_mib=endings.max_memory_mib(self._sandbox),
            init_ms=init_ms,
            status=status,
            error_type=error_type,
            function_error=function_error,
            produced_bytes=produced_bytes if streamed_bytes is None else streamed_bytes,
            failure=self._failure,
        )
        self._write_end(ending)
        if not answer.done():
            version = self.spec.version
            answer.set_result(InvocationResult(payload, version, function_error, self._log.tail()))

    def tell_responded(self) -> None:
        """It is free in a moment."""
        self._watcher.on_responded(self)

    def give_up(self, request_id: str, failure: Failure) -> None:
        """The response to this invocation, if it works on that still, will never be whole."""
        if self._invocation is not None and self._invocation.request_id == request_id:
            self._fail(lambda _: failure)
            self.stop("failure")

    def on_init_error(self, exchange: Exchange, error_type: str) -> None:
        """Initialisation failed: the handler cannot be loaded."""
        self.state = move(self.state, Event.INIT_ERROR)
        failure = Failure(error_type, "", body=error_payload(exchange, error_type))
        self._init_failure = lambda _: failure
        self._deadline.cancel()
        self._deadline = self._loop.call_later(LAST_WORDS_S, self._on_deadline)
        endpoints.accept(exchange)

    # Extensions, called by lambent.node.environment_extensions

    def on_other(self, exchange: Exchange) -> bool:
        """The Extensions and Telemetry API; internal extensions show themselves here first."""
        extensions = self._extensions
        if extensions is None:
            extensions = EnvironmentExtensions(self.spec, self._sandbox, self._log, self)
            if self.state is State.INIT:
                self._extensions = extensions
            else:
                extensions.close_registration()
        return extensions.serve(exchange, self._log)

    def tell_telemetry(self, log: TelemetryLog) -> None:
        """There are extensions: whatever the log shows, they may want to hear."""
        self._log = log
        self._capture.sink = log.write
        self._capture.extension_sink = log.write_extension

    def on_extensions_settled(self) -> None:
        """No extension keeps the environment from being frozen any longer."""
        if self.state in (State.EXTENSIONS_INIT, State.EXTENSIONS_BUSY):
            self.state = move(self.state, Event.NEXT)
            self._settle()
            if self._waiting is not None and self._waiting.gone:
                self._on_hang_up()

    def on_extension_failed(self, describe: Describe) -> None:
        """AWS: an environment with an extension that failed is of no use any more."""
        self._fail(describe)
        self._leave("failure")

    def on_runtime_exit(self, how: ExitStatus) -> None:
        """The runtime ended before its extensions."""
        self._fail(self._describe_exit(how))
        self._runtime_is_gone = True
        self._leave("failure")

    def _leave(self, reason: Reason) -> None:
        was_ready = self.state is State.READY
        self.stop(reason)
        if was_ready:
            self._watcher.on_leaving(self)

    # Ends

    def _on_hang_up(self) -> None:
        """The runtime left while it waited for an event: no other may come before it is gone."""
        if self.state is State.READY:
            self._leave("failure")

    def _on_deadline(self) -> None:
        """The timeout of the invocation, or of the initialisation."""
        now_ms = time.time_ns() // 1_000_000
        reason: Reason = "failure" if self.state is State.FAILED else "timeout"
        describe = describe_timeout(self.spec.timeout_s, now_ms)
        if not self._is_initialised and self._phase == "init":
            describe = partial(outcomes.init_timed_out, deadline_s=INIT_DEADLINE_S)
        if self.state is not State.FAILED:
            self._fail(describe)
        self.stop(reason)

    def _fail(self, describe: Describe) -> None:
        """Whoever waits for this environment hears why it ends: an invocation, its REPORT, or the Init phase."""
        if self._invocation is not None:
            self._capture.drain()
            self._failure = failure = describe(self._invocation.request_id)
            self.finish(failure.payload(), "Unhandled", failure.status, error_only(failure))
        elif self._unreported is not None:
            self._report(describe(self._unreported.request_id))
        elif not self._is_initialised and self._init_failure is None:
            self._init_failure = describe

    def _on_exit(self, exited: "asyncio.Future[ExitStatus]") -> None:
        """The sandbox is gone, because the runtime process is or because it was killed."""
        how = exited.result()
        self._deadline.cancel()
        self._capture.finish()
        if self._invocation is not None or self.state not in (State.SHUTDOWN, State.STOPPED):
            self._fail(self._describe_exit(how))
        self._report()
        if self._init_failure is not None:
            self._log_init_failure(self._init_failure(""))
        self._capture.close()
        self.state = State.STOPPED
        self._on_close()
        self._close()
        self._watcher.on_gone(self)

    def _log_init_failure(self, failure: Failure) -> None:
        if self._extensions is not None:
            self._extensions.initialised()
        init_ms = (time.monotonic() - self._born_s) * 1000
        self._log.init_failed(time.time_ns() // 1_000_000, init_ms, failure, self._phase)

    def _describe_exit(self, how: ExitStatus) -> Describe:
        return describe_exit(
            how, out_of_memory=self._sandbox.oom_killed(), file_system=self.spec.file_system
        )

    def _close(self) -> None:
        if self._extensions is not None:
            self._extensions.close()
        self._doors.close()

    def stop(self, reason: Reason = "spindown") -> None:
        """Ends it, after the Shutdown phase where there is one; ``on_gone`` follows when all is given back."""
        if self.state in (State.SHUTDOWN, State.STOPPED):
            return
        self._deadline.cancel()
        extensions, is_alive = self._extensions, not self._runtime_is_gone
        if extensions is None or not extensions.is_any:
            self.kill()
            return
        self.state = move(self.state, Event.SHUT_DOWN)
        self._sandbox.thaw()
        extensions.shut_down(reason, runtime_is_alive=is_alive)

    def kill(self) -> None:
        """Ends it at once."""
        self.state = move(self.state, Event.STOP)
        self._sandbox.kill()

    async def start_again(self, watcher: Watcher) -> "Environment":
        """Initialisation failed: the environment in which it is run once more, inside the invocation.

        Raises SandboxError when the host could not make it. AWS does it in the same sandbox, emptied.
        """
        assert self._again is not None  # noqa: S101 - given by the node
        return await self._again(watcher)

    def refuse_invocation(self, invocation: Invocation) -> InvocationResult:
        """Answers an invocation whose environment failed to initialise, with its log lines.

        Raises ClientFault where AWS refuses the request itself.
        """
        return endings.refuse_invocation(
            self._log, self._sandbox, self.spec, invocation, self._init_failure, self._born_s
        )


__all__ = ["Environment", "InvalidStateTransitionError", "Watcher"]
