"""A queue worker on a fake SQS (the real service, a store in memory) and functions the test answers for."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lambent.model.call import Caller
from lambent.model.errors import AwsError, ClientFault
from lambent.model.event_source_mapping import EventSourceMapping, MappingState
from lambent.model.invocation import InvocationResult
from lambent.observe.mapping_metrics import MappingCounts
from lambent.sources.contract import Parts, Poller
from lambent.sources.sqs import make_poller
from lambent.testing.sqs import FakeSqs

ACCOUNT = "000000000000"
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"
DEFAULTS: Mapping[str, Any] = {
    "BatchSize": 10,
    "MaximumBatchingWindowInSeconds": 0,
    "FunctionResponseTypes": [],
}


def throttle() -> ClientFault:
    """What a throttled invocation raises."""
    return ClientFault("TooManyRequestsException", "Rate Exceeded.", 429)


@dataclass
class FakeApi:
    """Is an AwsApi over a fake SQS; what is in ``failing`` raises."""

    sqs: FakeSqs = field(default_factory=FakeSqs)
    failing: dict[str, AwsError] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    async def call(
        self,
        service: str,
        operation: str,
        parameters: Mapping[str, Any],
        *,
        account_id: str,
        region: str,
    ) -> Mapping[str, Any]:
        """See the protocol."""
        assert service == "sqs"
        self.calls.append(operation)
        if operation in self.failing:
            raise self.failing[operation]
        return await self.sqs.call(operation, parameters, Caller(account_id, region, "id"))


@dataclass
class FakeFunctions:
    """Is a Functions: each invocation waits until the test answers it, unless ``answers`` is set."""

    answers: Any = None
    room_left: int = 1000
    error: AwsError | None = None
    """What ``room`` raises."""
    bodies: list[list[str]] = field(default_factory=list)
    traces: list[str | None] = field(default_factory=list)
    waiting: list["asyncio.Future[bytes]"] = field(default_factory=list)
    running: int = 0
    most: int = 0

    async def invoke(
        self, function_arn: str, payload: bytes, *, trace_id: str | None = None
    ) -> InvocationResult:
        """See the protocol."""
        assert function_arn == FUNCTION
        records = json.loads(payload)["Records"]
        self.bodies.append([record["body"] for record in records])
        self.traces.append(trace_id)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            if self.answers is not None:
                return self.answers(records)  # type: ignore[no-any-return]
            future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
            self.waiting.append(future)
            return InvocationResult(await future, "$LATEST")
        finally:
            self.running -= 1

    def room(self, function_arn: str) -> int:
        """See the protocol."""
        if self.error is not None:
            raise self.error
        return self.room_left - self.running


@dataclass
class Results:
    """Is a Reports."""

    said: list[str] = field(default_factory=list)

    def processed(self, mapping: EventSourceMapping, last_processing_result: str) -> None:
        """See the protocol."""
        self.said.append(last_processing_result)


@dataclass
class Bench:
    """A worker and everything around it."""

    api: FakeApi = field(default_factory=FakeApi)
    functions: FakeFunctions = field(default_factory=FakeFunctions)
    results: Results = field(default_factory=Results)
    url: str = ""
    poller: Poller | None = None
    counts: MappingCounts = field(default_factory=MappingCounts)

    async def queue(self, name: str = "q", **attributes: str) -> None:
        """Makes the queue."""
        self.url = await self.api.sqs.queue(name, **attributes)

    async def send(self, *bodies: str, **more: Any) -> None:
        """Sends messages one by one; of a FIFO queue, to the group their first letter names."""
        for body in bodies:
            group = {"MessageGroupId": body[0], "MessageDeduplicationId": body}
            fifo = group if self.url.endswith(".fifo") else {}
            await self.api.sqs.send(self.url, body, **fifo, **more)

    def start(self, **settings: Any) -> Any:
        """Starts a worker with these settings of the mapping."""
        mapping = mapping_of(self.url.rpartition("/")[2], **settings)
        parts = Parts(self.api, self.functions, self.results)
        self.counts = parts.metrics.of(mapping.uuid)
        self.poller = make_poller(mapping, parts)
        self.poller.start()
        return self.poller

    async def left(self) -> tuple[int, int]:
        """Messages that are visible, and in flight."""
        shown = await self.api.sqs.attributes(self.url)
        return (
            int(shown["ApproximateNumberOfMessages"]),
            int(shown["ApproximateNumberOfMessagesNotVisible"]),
        )

    async def stop(self, deadline_s: float = 1.0) -> None:
        """Stops the worker."""
        assert self.poller is not None
        await self.poller.stop(deadline_s)


def mapping_of(queue: str, **settings: Any) -> EventSourceMapping:
    """An enabled mapping of a queue to the function."""
    return EventSourceMapping(
        uuid="uuid-" + queue,
        account_id=ACCOUNT,
        region="us-east-1",
        function_arn=FUNCTION,
        event_source_arn=f"arn:aws:sqs:us-east-1:{ACCOUNT}:{queue}",
        enabled=True,
        state=MappingState.ENABLED,
        state_transition_reason="USER_INITIATED",
        last_modified_s=0.0,
        last_processing_result="",
        document={**DEFAULTS, **settings},
    )


def answered(payload: bytes = b"null", error: str | None = None) -> Any:
    """A function that always answers so."""
    return lambda _: InvocationResult(payload, "$LATEST", error)
