"""What the shards of one mapping share: its settings, its ports, its counts, and when to stop."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from lambent.model.errors import AwsError
from lambent.observe.mapping_metrics import MappingCounts
from lambent.observe.metrics import FunctionMetrics
from lambent.sources.checkpoints import Checkpoints
from lambent.sources.contract import Functions, Writes
from lambent.sources.stream_form import RECORDS, StreamForm
from lambent.sources.stream_polling import KINESIS_S
from lambent.sources.stream_settings import StreamSettings
from lambent.sources.stream_source import StreamSource

MAX_BACKOFF_S: Final = 60.0
"""POLICY: AWS backs off exponentially between retries and publishes no figures."""
FIRST_BACKOFF_S: Final = 0.5


@dataclass(slots=True)
class StreamCounters:
    """Since the poller was started. Batches, but ``records`` handled and ``filtered``."""

    invoked: int = 0
    retried: int = 0
    given_up: int = 0
    throttled: int = 0
    records: int = 0
    filtered: int = 0


@dataclass(slots=True)
class StreamWork:
    """Lives on the loop. ``now_s`` is Unix time; ``role`` the function's execution role, "" when unknown."""

    settings: StreamSettings
    source: StreamSource
    functions: Functions
    checkpoints: Checkpoints
    report: Callable[[str], None]
    metrics: Callable[[], FunctionMetrics]
    role: Callable[[], str]
    now_s: Callable[[], float]
    account_id: str
    mapping_uuid: str = ""
    form: StreamForm = RECORDS
    poll_s: float = KINESIS_S
    writes: Writes | None = None
    """What tells of writes to the stream, where somebody does."""
    source_waits: bool = False
    """Whether a read comes back when there are records, so that no pause is needed between reads."""
    retention_s: float = float("inf")
    kept_from: int = -1
    """The lowest sequence number that the stream still keeps, where it says so."""
    counters: StreamCounters = field(default_factory=StreamCounters)
    counts: MappingCounts = field(default_factory=MappingCounts)
    """What ``MetricsConfig`` publishes; events, not batches."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def pause(self, seconds: float) -> None:
        """Waits, but no longer than until the poller is to stop."""
        try:
            async with asyncio.timeout(seconds):
                await self.stopping.wait()
        except TimeoutError:
            return

    def max_age_s(self) -> float:
        """What is older is given up: as set, and what the stream itself would not keep."""
        limit_s = self.settings.max_age_s
        return self.retention_s if limit_s is None else min(limit_s, self.retention_s)


def is_throttled(error: AwsError) -> bool:
    """Whether a source, or a function, takes no more for the moment."""
    return error.status == 429 or error.code in {
        "ProvisionedThroughputExceededException",
        "LimitExceededException",
        "ThrottlingException",
        "KMSThrottlingException",
    }


def counts_as_attempt(error: AwsError) -> bool:
    """Whether the batch itself was refused, so that its retries go down.

    AWS: throttling takes no retry. POLICY: neither does a function that is missing, is being changed or may
    not be invoked, nor a fault of ours: the batch waits.
    """
    return error.status < 500 and error.status not in {401, 403, 404, 409, 429}
