"""The working half of an execution environment: its Init phase, and one event after the other.

What ends it, and what extensions have to do with that, is the other half: :mod:`lambent.node.environment`.
"""

import asyncio
import math
import time
from abc import ABC, abstractmethod

from lambent.http1.exchange import Exchange
from lambent.model.invocation import (
    EnvironmentSpec,
    Invocation,
    InvocationResult,
    InvocationTrace,
)
from lambent.node import endings
from lambent.node.capture import Capture
from lambent.node.deadline import Deadline
from lambent.node.environment_extensions import EnvironmentExtensions
from lambent.node.environment_log import Ending, EnvironmentLog, Phase
from lambent.node.freezer import Freezer
from lambent.node.insights import Insights
from lambent.node.lifecycle import Event, InvalidStateTransitionError, State, move
from lambent.node.outcomes import Failure
from lambent.node.responses import Responses
from lambent.node.runtime_api import endpoints
from lambent.node.sandbox.contract import Sandbox
from lambent.observe.report import Restore

_SOON_S = 0.002
"""POLICY: a tenth of the period that CPU is shared out by."""
INIT_DEADLINE_S = 10.0
"""AWS: the Init phase is limited to 10 seconds. Source: "Lambda execution environment lifecycle"."""


class EnvironmentInvocations(ABC):
    """See the module. Lives on the loop's thread only."""

    def __init__(
        self,
        spec: EnvironmentSpec,
        sandbox: Sandbox,
        log: EnvironmentLog,
        born_s: float,
        phase: Phase,
        freezer: Freezer,
    ) -> None:
        self.spec = spec
        self._freezer = freezer
        self._is_frozen = False
        self._phase: Phase = phase
        self._is_retry = phase == "invoke"
        self._is_initialised = False
        self.state = State.RESTORE if phase == "restore" else State.INIT
        self.request_id: bytes | None = None
        self.past_request_id: bytes | None = None
        self.response_target = b""
        self.idle_since_s = born_s
        self._sandbox = sandbox
        self._log = log
        self._born_s = born_s
        self._init_ms: float | None = None
        self._restore: Restore | None = None
        self._woken_s = time.monotonic()
        self._init_ended_s = 0.0
        self._trace: InvocationTrace | None = None
        self._invocation: Invocation | None = None
        self._answer: asyncio.Future[InvocationResult] | None = None
        self._started_s = 0.0
        self._waiting: Exchange | None = None
        self._responses = Responses(self)
        self.on_response = self._responses.on_response
        self.on_error = self._responses.on_error
        self._failure: Failure | None = None
        self._unreported: Ending | None = None
        self._extensions: EnvironmentExtensions | None = None
        self.insights: Insights | None = None
        self._loop = asyncio.get_running_loop()
        self._capture = Capture(
            sandbox.stdout_fd, sandbox.telemetry_fd, log.write, log.levels, sandbox.extension_fd
        )
        self._deadline = Deadline(self._on_deadline)
        if self._is_retry:
            self._deadline.set(born_s + spec.timeout_s)
            # AWS: the burst is the Init phase's; the second time took nine times as long in a recording.
            sandbox.limit_cpu()
        else:
            self._deadline.set(time.monotonic() + INIT_DEADLINE_S)

    # The other half

    @abstractmethod
    def _tell_ready(self) -> None:
        """It waits for an event."""

    @abstractmethod
    def tell_responded(self) -> None:
        """It is free in a moment."""

    @abstractmethod
    def _on_deadline(self) -> None:
        """The timeout of the invocation, or of the initialisation."""

    @abstractmethod
    def _on_hang_up(self) -> None:
        """The runtime left while it waited for an event."""

    @abstractmethod
    def give_up(self, request_id: str, failure: Failure) -> None:
        """The response to this invocation, if it works on that still, will never be whole."""

    # The invocation

    def invoke(self, invocation: Invocation) -> "asyncio.Future[InvocationResult]":
        """Hands over one event. Raises InvalidStateTransitionError unless READY."""
        self.state = move(self.state, Event.DISPATCH)
        waiting, self._waiting = self._waiting, None
        assert waiting is not None  # noqa: S101 - READY means /next is waiting
        self._answer = self._loop.create_future()
        self._invocation = invocation
        self.request_id = request_id = invocation.request_id.encode()
        self.response_target = endpoints.response_target(request_id)
        self._started_s = time.monotonic()
        left_s: float = self.spec.timeout_s
        if not self._is_frozen:
            self._capture.drain()  # what it wrote before is no part of this invocation
        if self._is_retry:
            # AWS: what both initialisations wrote is in this invocation's tail, the second one's time in its own.
            self._is_retry = False
            left_s -= self._started_s - self._born_s
            self._started_s = self._born_s
        else:
            self._log.forget_tail()
        self._capture.begin()
        now_ms = time.time_ns() // 1_000_000
        trace = self._trace = invocation.trace
        self._log.start(now_ms, invocation.request_id, trace)
        if self.insights is not None:
            self.insights.begin(invocation.trace_id)
        if trace is not None:
            trace.begun(self._init_span())
        self._deadline.set(self._started_s + self.spec.timeout_s)
        deadline_ms = now_ms + int(left_s * 1000)
        if self._extensions is not None:
            self._extensions.invoke(invocation, deadline_ms)
        head = endpoints.event_head(invocation, deadline_ms)
        waiting.respond_raw(200, head, invocation.payload)
        if self._is_frozen:
            self._is_frozen = False
            self._sandbox.thaw()
        return self._answer

    def _init_span(self) -> tuple[float, float] | None:
        """When the Init phase was, in Unix seconds, before the first event."""
        if self._init_ms is None:
            return None
        return self._init_ended_s - self._init_ms / 1000, self._init_ended_s

    def _settle_trace(self) -> None:
        trace, self._trace = self._trace, None
        if trace is not None:
            trace.settled()

    def _write_end(self, ending: Ending) -> None:
        now_ms = time.time_ns() // 1_000_000
        extensions = self._extensions
        is_over = extensions is None or not extensions.hears_invocations
        if is_over or self.state is not State.RESPONDED:
            self._log.end(now_ms, ending)
        else:
            self._log.runtime_done(now_ms, ending)
            self._unreported = ending
        if self.insights is not None:
            self.insights.end(now_ms, ending)

    def _report(self, failure: Failure | None = None) -> None:
        """The extensions are done with an invocation too, or never will be."""
        ending, self._unreported = self._unreported, None
        if ending is not None:
            self._capture.drain()
            endings.report_ending(self._log, self._sandbox, ending, self._started_s, failure)

    # The Runtime API, called by lambent.node.runtime_api.endpoints

    def on_next(self, exchange: Exchange) -> None:
        """The runtime wants an event: it is frozen until there is one, unless that comes at once."""
        extensions = self._extensions
        if extensions is not None:
            if not self._is_initialised:
                extensions.close_registration()
            if not extensions.is_settled:
                self.state = move(self.state, Event.RUNTIME_NEXT)
                self._hold(exchange)
                return
        self.state = move(self.state, Event.NEXT)
        self._waiting = exchange
        exchange.on_disconnect = self._on_hang_up
        self._settle()

    def on_restore_next(self, exchange: Exchange) -> None:
        """A runtime asks to be restored: that it is, where it is at all. Raises InvalidStateTransitionError."""
        if self.state is not State.RESTORE:
            raise InvalidStateTransitionError(self.state, Event.NEXT)
        exchange.respond_raw(200, b"", b"")

    def _hold(self, exchange: Exchange) -> None:
        self._waiting = exchange
        exchange.on_disconnect = self._on_hang_up

    def _settle(self) -> None:
        """Everybody waits for the next event."""
        self._deadline.lift()
        is_first = not self._is_initialised
        if is_first:
            self._on_initialised()
        if self._unreported is not None:
            self._report()
        if self._trace is not None:
            self._settle_trace()
        self.idle_since_s = time.monotonic()
        self._tell_ready()
        if self.state is State.READY:
            self._freezer.watch(self)
        if is_first and self._phase != "invoke":
            # Not now: the event is on its way already, and may be answered before that is done.
            self._loop.call_later(_SOON_S, self._sandbox.limit_cpu)

    def freeze_if_idle(self) -> None:
        """Called by the freezer: it waits for an event still, or works on one, or is gone."""
        if self.state is State.READY:
            self._is_frozen = True
            if self._extensions is not None:
                self._extensions.freeze()
            self._sandbox.freeze()
            self._capture.drain()

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
            self._init_ended_s = time.time()
        elif self._phase == "restore":
            # AWS: billed is what loading the runtime and the hooks take, not bringing the snapshot.
            billed_ms = math.ceil((time.monotonic() - self._woken_s) * 1000)
            self._restore = Restore(init_ms, billed_ms)

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
            self._deadline.lift()
        invocation, answer = self._invocation, self._answer
        streamed_bytes = self._responses.end_stream()
        self._invocation = self._answer = None
        self.past_request_id, self.request_id = self.request_id, None
        self.response_target = b""
        if invocation is None or answer is None:
            return
        self._capture.drain()
        init_ms, self._init_ms = self._init_ms, None
        restore, self._restore = self._restore, None
        if self._trace is not None:
            self._trace.answered(fault=function_error is not None)
        produced_bytes = 0 if function_error else len(payload)
        if streamed_bytes is not None:
            produced_bytes = streamed_bytes
        max_memory_mib = endings.max_memory_mib(self._sandbox)
        ending = Ending(  # by position: half the time
            invocation.request_id, duration_ms, max_memory_mib, init_ms, status, error_type,
            function_error, produced_bytes, self._failure, self._trace, restore,
        )  # fmt: skip
        self._write_end(ending)
        if not answer.done():
            version = self.spec.version
            answer.set_result(InvocationResult(payload, version, function_error, self._log.tail()))
