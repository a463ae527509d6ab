"""The one way an event reaches a function: resolve, check, count, assign, and the result comes back."""

import asyncio
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from lambent.invoke import lineage
from lambent.invoke.counting import Counting
from lambent.invoke.placement import Placement
from lambent.invoke.ports import Directory
from lambent.invoke.provisioned import Provisioned
from lambent.invoke.routing import choose_version
from lambent.invoke.tenancy import check_tenant, spec_for
from lambent.invoke.tracing import Trace, Tracing
from lambent.model.errors import ClientFault
from lambent.model.invocation import Invocation, InvocationResult, ResponseSink
from lambent.observe.metrics import FunctionMetrics, Metrics

MAX_SYNC_PAYLOAD_BYTES = 6 * 1024 * 1024
"""AWS: 6 MB for request and response of a synchronous call. Source: "Lambda quotas"."""
_check_json = msgspec.json.Decoder(msgspec.Raw).decode


@dataclass(slots=True)
class Running:
    """An invocation that takes a place of its function's concurrency until :meth:`end`."""

    answer: "asyncio.Future[InvocationResult]"
    _counting: Counting
    _counts: FunctionMetrics
    _function: tuple[str, str, str]
    _has_own: bool
    trace_id: str | None = None
    """The trace as the caller is told it: without the lineage."""
    _trace: Trace | None = None

    def end(self) -> None:
        """Gives the place back, and counts what came of it."""
        self._counting.release(*self._function, provisioned=self._has_own)
        answer = self.answer
        if self._trace is not None:
            self._trace.concluded(answer)
        if answer.done() and not answer.cancelled() and answer.exception() is None:
            self._counts.invocations += 1
            if answer.result().function_error is not None:
                self._counts.errors += 1


class Frontend:
    """Invokes functions. ``draw`` decides weighted aliases; tests give their own."""

    def __init__(
        self,
        directory: Directory,
        counting: Counting,
        placement: Placement,
        draw: Callable[[], float] = random.random,
        provisioned: Provisioned | None = None,
        metrics: Metrics | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self._tracing = tracing or Tracing()
        self._directory = directory
        self._provisioned = provisioned or Provisioned(placement)
        self._counting = counting
        self._placement = placement
        self._draw = draw
        self._metrics = metrics or Metrics()

    def check(
        self,
        account_id: str,
        region: str,
        function_name: str,
        qualifier: str | None,
        tenant_id: str | None = None,
    ) -> str:
        """``DryRun``: the version that would run. Raises what an invocation would raise."""
        target = self._directory.resolve(account_id, region, function_name, qualifier)
        check_tenant(target.primary, tenant_id)
        return target.primary.version

    def decide_trace(
        self, account_id: str, region: str, name: str, qualifier: str | None, header: str
    ) -> str:
        """The trace header with a decision whether it is sampled, for who answers with it before the end."""
        target = self._directory.resolve(account_id, region, name, qualifier)
        return self._tracing.decide(target.primary, header)

    def room(self, account_id: str, region: str, function_name: str, qualifier: str | None) -> int:
        """Invocations that could start now. Raises what an invocation would raise, but for throttles."""
        target = self._directory.resolve(account_id, region, function_name, qualifier)
        name = target.primary.function_name
        room, _ = self._counting.room(account_id, region, name)
        if room == 0 and self._provisioned.spec_for(target.invoked_arn, target.primary) is not None:
            return 1
        return room

    async def invoke(
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
        tenant_id: str | None = None,
    ) -> InvocationResult:
        """Runs the function on ``payload`` (JSON bytes, passed through untouched) and waits.

        What a runtime streams goes to ``sink`` as it comes, if there is one; the result has no payload then.

        A ``trace_id`` is given its lineage on the way. Raises ClientFault (nothing ran; also for a function that
        keeps invoking itself) or PlatformFault; a failing function is a result.
        """
        running = self.start(
            account_id,
            region,
            function_name,
            qualifier,
            payload,
            request_id=request_id,
            client_context=client_context,
            trace_id=trace_id,
            sink=sink,
            tenant_id=tenant_id,
        )
        try:
            return await running.answer
        finally:
            running.end()

    def start(
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
        tenant_id: str | None = None,
    ) -> "Running":
        """The same without waiting, for callbacks: whoever starts it calls :meth:`Running.end` once, always.

        Raises what :meth:`invoke` raises where nothing ran; what comes later is the answer's exception.
        """
        target = self._directory.resolve(account_id, region, function_name, qualifier)
        payload = check_payload(payload)
        name = target.primary.function_name
        counts = self._metrics.of(account_id, region, name)
        spec = choose_version(target, self._draw()) if target.secondary else target.primary
        if tenant_id is not None or spec.is_per_tenant:
            spec = spec_for(spec, tenant_id)
        request_id = request_id or str(uuid.uuid4())
        arn = target.invoked_arn
        told_trace_id, trace = self._tracing.begin(spec, trace_id, arn, request_id)
        trace_id = told_trace_id
        if trace_id is not None:
            trace_id, passes = lineage.extend(trace_id, account_id, region, name)
            if passes >= lineage.MAX_PASSES and target.recursive_loop == "Terminate":
                counts.recursive_invocations_dropped += 1
                raise lineage.stopped()
        provisioned = self._provisioned.spec_for(arn, spec)
        invocation = Invocation(
            request_id,
            provisioned or spec,
            arn,
            payload,
            client_context,
            None,
            trace_id,
            sink,
            trace,
        )
        has_own = provisioned is not None
        try:
            self._counting.acquire(account_id, region, name, provisioned=has_own)
        except ClientFault:
            counts.throttles += 1
            if trace is not None:
                trace.ended(429, fault=False)
            raise
        function = (account_id, region, name)
        try:
            answer = self._placement.invoke(invocation)
        except BaseException:
            self._counting.release(*function, provisioned=has_own)
            raise
        return Running(answer, self._counting, counts, function, has_own, told_trace_id, trace)


def check_payload(payload: bytes) -> bytes:
    """The event as the function gets it. Raises AWS's errors for too much, and for what is no JSON.

    Only the syntax is walked, nothing is built: 6 MB cost milliseconds, not the 100 of a decoder.
    """
    if not payload:
        return b"{}"
    if len(payload) > MAX_SYNC_PAYLOAD_BYTES:
        # AWS: the model calls it RequestTooLargeException; what its users quote has this code.
        raise ClientFault(
            "RequestEntityTooLargeException",
            f"Request must be smaller than {MAX_SYNC_PAYLOAD_BYTES} bytes for the InvokeFunction operation",
            413,
        )
    try:
        _check_json(payload)
        if not payload.isascii():
            payload.decode()  # what is only walked is not looked at byte by byte
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ClientFault(
            "InvalidRequestContentException",
            f"Could not parse request body into json: Could not parse payload into json: {error}",
            400,
            fields={"Type": "User"},
        ) from error
    return payload


def too_large_event(size_bytes: int, max_bytes: int) -> ClientFault:
    """413 for an asynchronous event. Source: code and text as users of AWS quote them, with 1 MiB too.

    AWS: the model calls it RequestTooLargeException.
    """
    return ClientFault(
        "RequestEntityTooLargeException",
        f"{size_bytes} byte payload is too large for the Event invocation type (limit {max_bytes} bytes)",
        413,
    )
