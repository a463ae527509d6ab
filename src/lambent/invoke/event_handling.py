"""One asynchronous event, from its queue to its end: invoked, and then deleted, postponed or sent on.

Contract:
1. An event ends exactly once: with the transaction that deletes it, and puts what is sent on where it belongs.
2. An event whose function fails is attempted as often as configured; one that finds no room, or meets a fault
   of the platform, until it is too old.
3. What cannot be sent on is counted and logged, and the event is gone, as on AWS.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Protocol

from lambent.invoke.destinations import Ending, error_message
from lambent.invoke.event_sendings import Event, sendings_of
from lambent.invoke.event_settling import Settlement
from lambent.invoke.events import Function, decode_attributes
from lambent.invoke.ports import Directory
from lambent.invoke.retry import Failure, GiveUp, RetryPolicy, decide
from lambent.model.errors import AwsError, PlatformFault
from lambent.model.event_invoke import EventInvokeConfig
from lambent.model.invocation import InvocationResult, Target
from lambent.observe.metrics import Metrics
from lambent.store.queues.contract import Message, QueueStore
from lambent.store.queues.outlet import Outlet

_log = logging.getLogger("lambent.events")


class Outcome(Enum):
    """What an event says of its function."""

    PROCESSED = auto()
    THROTTLED = auto()
    NOT_TRIED = auto()
    FUNCTION_GONE = auto()


class Invoker(Protocol):
    """The frontend."""

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
        tenant_id: str | None = None,
    ) -> InvocationResult: ...


class Capacity(Protocol):
    """Who counts concurrent executions."""

    def room(self, account_id: str, region: str, function_name: str) -> tuple[int, int | None]:
        """Executions of a function that could start now, and its reservation."""
        ...


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What came of trying: ``failure`` is None when the function succeeded."""

    failure: Failure | None
    result: InvocationResult | None = None
    status: int = 200
    message: str = ""


class EventHandler:
    """Handles events, any number at a time. Lives on the loop's thread.

    ``store_pause_s``: how long it waits before it asks a store again that could not settle an event.
    """

    def __init__(
        self,
        store: QueueStore,
        invoker: Invoker,
        directory: Directory,
        capacity: Capacity,
        outlet: Outlet,
        metrics: Metrics,
        now_ms: Callable[[], int],
        *,
        time_scale: int = 1,
        store_pause_s: float = 1.0,
    ) -> None:
        self._settlement = Settlement(store, outlet, metrics, now_ms, store_pause_s)
        self._invoker = invoker
        self._directory = directory
        self._capacity = capacity
        self._metrics = metrics
        self._now_ms = now_ms
        self._time_scale = time_scale

    async def handle(self, function: Function, queue_id: int, message: Message) -> Outcome:
        """Sees a received event to its end, or to its next attempt."""
        event = Event(function, queue_id, message, decode_attributes(message.attributes))
        if event.attributes.due_at_ms > self._now_ms():
            await self._settlement.postpone(event, event.attributes)
            return Outcome.NOT_TRIED
        target, attempt = self._look_up(event)
        if target is None and attempt is None:
            return Outcome.FUNCTION_GONE
        config = target.event_invoke_config if target else EventInvokeConfig()
        policy = RetryPolicy(config.retries, config.age_s * 1000, self._time_scale)
        if attempt is None:
            attempt = await self._try(event, policy)
        await self._conclude(event, target, policy, attempt)
        if attempt.failure in {Failure.THROTTLED, Failure.PLATFORM_FAULT}:
            return Outcome.THROTTLED
        return Outcome.PROCESSED if attempt.result is not None else Outcome.NOT_TRIED

    def _look_up(self, event: Event) -> tuple[Target | None, _Attempt | None]:
        """Whose config holds, and what there is to say when the event cannot be tried.

        POLICY: an event of a version or alias that is no more goes where ``$LATEST``'s failed events go.
        Neither twice None: the function itself is gone.
        """
        try:
            return self._directory.resolve(*event.function, event.attributes.qualifier), None
        except AwsError as error:
            attempt = _failed(error)
        if attempt.status != 404:
            return None, attempt
        try:
            latest = self._directory.resolve(*event.function, None)
        except AwsError as error:
            return None, None if error.status == 404 else _failed(error)
        return latest, replace(attempt, failure=Failure.GONE)

    async def _try(self, event: Event, policy: RetryPolicy) -> _Attempt:
        """Invokes the function, unless the event is too old or the function stopped."""
        message, attributes = event.message, event.attributes
        now_ms = self._now_ms()
        if policy.is_expired(message.sent_at_ms, now_ms):
            return _Attempt(Failure.EXPIRED, status=429, message="The event is too old.")
        if self._capacity.room(*event.function)[1] == 0:
            return _Attempt(Failure.STOPPED, status=429, message="Rate Exceeded.")
        counts = self._metrics.of(*event.function)
        counts.async_event_age.observe((now_ms - message.sent_at_ms) / 1000)
        try:
            result = await self._invoker.invoke(
                *event.function,
                attributes.qualifier,
                message.body,
                request_id=message.message_id,
                trace_id=attributes.trace or None,
                tenant_id=attributes.tenant_id,
            )
        except AwsError as error:
            return _failed(error)
        except Exception:
            _log.exception("event %s failed inside the platform", message.message_id)
            return _failed(PlatformFault("Lambent failed; its log says why."))
        if result.function_error is None:
            return _Attempt(None, result)
        return _Attempt(Failure.FUNCTION_ERROR, result, message=error_message(result.payload))

    async def _conclude(
        self, event: Event, target: Target | None, policy: RetryPolicy, attempt: _Attempt
    ) -> None:
        failure, attributes = attempt.failure, event.attributes
        asked = attempt.result is not None
        attributes = attributes.after(
            attempts=attributes.attempts + asked,
            waits=attributes.waits + (failure in {Failure.THROTTLED, Failure.PLATFORM_FAULT}),
        )
        condition = "Success"
        if failure is not None:
            verdict = decide(
                failure,
                policy,
                attempts=attributes.attempts,
                waits=attributes.waits,
                accepted_at_ms=event.message.sent_at_ms,
                now_ms=self._now_ms(),
            )
            if not isinstance(verdict, GiveUp):
                await self._settlement.postpone(
                    event, attributes.after(due_at_ms=verdict.visible_at_ms)
                )
                return
            condition = verdict.condition
            self._metrics.of(*event.function).async_events_dropped += 1
        ending = Ending(
            condition, attributes.attempts, attempt.result, attempt.status, attempt.message
        )
        sendings = sendings_of(event, target, ending, self._now_ms()) if target else []
        await self._settlement.end(event, sendings)


def _failed(error: AwsError) -> _Attempt:
    """What an error of the invocation path means to an event."""
    failure = Failure.PLATFORM_FAULT
    if error.status == 429:
        failure = Failure.THROTTLED
    elif error.code == "RecursiveInvocationException":
        failure = Failure.RECURSION
    return _Attempt(failure, status=error.status, message=error.message)
