"""A mapping of a fake stream with its poller, store and destination: what tests of streams work on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lambent.model.errors import AwsError
from lambent.model.event_source_mapping import EventSourceMapping, MappingState
from lambent.model.outgoing import Outgoing
from lambent.observe.metrics import FunctionMetrics, Metrics
from lambent.sources.contract import Parts, Poller
from lambent.sources.streams import StreamParts, stream_kinds
from lambent.store.queues.contract import QueueStore, Transaction
from lambent.testing.queue_store import FakeQueueStore
from lambent.testing.streams import FakeFunctions, FakeStream, unix_s

ACCOUNT = "123456789012"
FUNCTION_ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
KINESIS_ARN = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/s"
DYNAMODB_ARN = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/t/stream/2026-01-01T00:00:00.000"
DESTINATION_ARN = f"arn:aws:sqs:us-east-1:{ACCOUNT}:dead"


@dataclass(slots=True)
class FakeOutlet:
    """Is an :class:`~lambent.store.queues.outlet.Outlet`; ``refusal`` is what it raises."""

    sent: list[tuple[str, Outgoing]] = field(default_factory=list)
    refusal: AwsError | None = None

    def put(self, tx: Transaction, target_arn: str, outgoing: Outgoing, now_ms: int) -> None:
        """See the protocol."""
        del tx, now_ms
        if self.refusal is not None:
            raise self.refusal
        self.sent.append((target_arn, outgoing))


class StreamBench:
    """One mapping. ``settings`` are members of its document. Starts at the horizon unless they say more."""

    def __init__(
        self,
        stream: FakeStream,
        functions: FakeFunctions,
        *,
        arn: str = KINESIS_ARN,
        store: QueueStore | None = None,
        **settings: Any,
    ) -> None:
        self.stream = stream
        self.functions = functions
        self.store = FakeQueueStore() if store is None else store
        self.outlet = FakeOutlet()
        self.metrics = Metrics()
        self.results: list[str] = []
        self.arn = arn
        self.streams = StreamParts(self.store, self.outlet, self.metrics, lambda _: ROLE, unix_s)
        self.settings: dict[str, Any] = {"StartingPosition": "TRIM_HORIZON"} | settings
        self.poller: Poller

    def mapping(self) -> EventSourceMapping:
        """As it is stored."""
        return EventSourceMapping(
            uuid="6f2ed4a5-0000-4000-8000-000000000000",
            account_id=ACCOUNT,
            region="us-east-1",
            function_arn=FUNCTION_ARN,
            event_source_arn=self.arn,
            enabled=True,
            state=MappingState.ENABLED,
            state_transition_reason="User action",
            last_modified_s=0.0,
            last_processing_result="No records processed",
            document=self.settings,
        )

    def start(self) -> None:
        """A poller of it, as after a restart."""
        kind = stream_kinds(self.streams)[self.arn.split(":")[2]]
        parts = Parts(self.stream, self.functions, self, self.metrics.mappings)
        self.poller = kind.make_poller(self.mapping(), parts)
        self.poller.start()

    async def stop(self, deadline_s: float = 900.0) -> None:
        """Stops the poller."""
        await self.poller.stop(deadline_s)

    def processed(self, mapping: EventSourceMapping, last_processing_result: str) -> None:
        """See :class:`~lambent.sources.contract.Reports`."""
        del mapping
        if not self.results or self.results[-1] != last_processing_result:
            self.results.append(last_processing_result)

    async def describe(self) -> Mapping[str, Any]:
        """What the poller says of itself."""
        return await self.poller.describe()

    @property
    def counts(self) -> FunctionMetrics:
        """What is counted of the function."""
        return self.metrics.of(ACCOUNT, "us-east-1", "f")
