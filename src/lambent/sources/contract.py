"""What event sources need, and how they meet.

Flow: a source (one file per kind: ``sqs.py``, ``kinesis.py``, ``dynamodb.py``, …) fetches records through the
AWS API; ``filter`` drops what no pattern matches; ``batch`` makes batches (pure); a worker – one for
queues, one for streams – invokes, and ``failures`` (pure) decides what becomes of a batch: done, retried,
bisected, given up. ``kinds`` says which source has which poller. ``registry`` starts and stops pollers, and
moves the mapping's state when that is done.

1. A poller waits by long polls and timers; idle mappings cost nothing but those.
2. Nothing is given up before the mapping says so; nothing is retried beyond what it says.
3. What was handled is remembered before the next batch of the same shard or group begins, so that a
   restart repeats at most what was being handled.
4. A poller that cannot poll says why in ``LastProcessingResult``, and backs off.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from lambent.model.errors import AwsError
from lambent.model.event_source_mapping import EventSourceMapping
from lambent.model.invocation import InvocationResult
from lambent.observe.mapping_metrics import MappingCounts, MappingMetrics

OK = "OK"
NO_RECORDS = "No records processed"
CALL_FAILED = "PROBLEM: Function call failed"
"""``LastProcessingResult`` in AWS's words. Source: examples of Get- and UpdateEventSourceMapping."""


class AwsApi(Protocol):
    """The AWS API of wherever a service is: hosted here, embedded beside, or a real endpoint."""

    async def call(
        self,
        service: str,
        operation: str,
        parameters: Mapping[str, Any],
        *,
        account_id: str,
        region: str,
    ) -> Mapping[str, Any]:
        """The operation's output in the model's member names. Raises AwsError; has its own deadline."""
        ...


class Functions(Protocol):
    """The invocation path."""

    async def invoke(
        self, function_arn: str, payload: bytes, *, trace_id: str | None = None
    ) -> InvocationResult:
        """Invokes and waits. Raises AwsError: throttled (429), gone (404), or the platform's own fault."""
        ...

    def room(self, function_arn: str) -> int:
        """Executions of the function that could start now, so that nothing is fetched in vain.

        Raises AwsError where it could not run at all.
        """
        ...


class Reports(Protocol):
    """Where a poller says how it fares; called on the loop, cheap."""

    def processed(self, mapping: EventSourceMapping, last_processing_result: str) -> None:
        """``OK``, ``No records processed``, or ``PROBLEM: …`` in AWS's words."""
        ...


class Writes(Protocol):
    """Tells of writes to a stream that is reached through the platform only, so that nobody asks in vain."""

    @property
    def count(self) -> int:
        """Goes up with each."""
        ...

    def once(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls back at the next one, on the loop, unless the answer is called before."""
        ...


class Poller(Protocol):
    """Serves one mapping. Made stopped; ``start`` and ``stop`` once each."""

    def start(self) -> None: ...
    async def stop(self, deadline_s: float) -> None:
        """Takes no more records; what is being handled may end until the deadline. Leaks nothing."""
        ...

    async def describe(self) -> Mapping[str, Any]:
        """For ``lambent sources``: ``lag``, ``in_flight``, ``concurrency``, ``invoked``, ``retried``,

        ``given_up`` (batches) as numbers; a lag that cannot be told is None.
        """
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What a poller works with."""

    api: AwsApi
    functions: Functions
    reports: Reports
    metrics: MappingMetrics = field(default_factory=MappingMetrics)
    writes: Callable[[str, str], Writes | None] = lambda _service, _name: None
    """Of a stream, or table, by service and name; None where others write to it unnoticed."""

    def counts_of(self, mapping: EventSourceMapping) -> MappingCounts:
        """Where a poller counts its events; published as the mapping asks."""
        arn = mapping.event_source_arn or ""
        return self.metrics.publish(mapping.uuid, mapping.function_arn, arn, mapping.document)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of source: how a mapping of it is polled, and what a source says of itself."""

    make_poller: Callable[[EventSourceMapping, Parts], Poller]
    describe: Callable[[AwsApi, str, str, str], Awaitable[Mapping[str, Any]]]
    """Of (api, source ARN, account, region): the facts that validation needs; AwsError when it is not

    there or may not be read. Of a queue: ``VisibilityTimeout`` (seconds).
    """
    replay: Callable[[EventSourceMapping, Parts, object], Awaitable[list[str]]] | None = None
    """Sets a mapping that is not polled back, as a request says; the shards it set. AwsError when it cannot."""


def problem(error: AwsError) -> str:
    """``LastProcessingResult`` of what AWS's services refuse. Best known: AWS words some of them itself."""
    return f"PROBLEM: {error.message}"
