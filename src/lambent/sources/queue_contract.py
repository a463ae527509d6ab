"""A queue as its worker sees it: what it gives, what a mapping says of its batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """A received message: ``record`` is its JSON in the event. ``received_s`` is on the loop's clock."""

    message_id: str
    receipt_handle: str
    group_id: str | None
    record: bytes
    trace: str | None
    received_s: float


class QueueSource(Protocol):
    """A queue, as the worker sees it. Everything raises AwsError."""

    async def receive(
        self, limit: int, wait_s: int
    ) -> tuple[list[QueueMessage], list[QueueMessage]]:
        """Messages for the function, and those that match no filter."""
        ...

    async def delete(self, messages: Sequence[QueueMessage]) -> None: ...
    async def release(self, messages: Sequence[QueueMessage]) -> None:
        """Makes them visible at once."""
        ...

    async def visibility_timeout_s(self) -> float: ...
    async def lag(self) -> int | None:
        """Messages that wait."""
        ...


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """What a mapping says of its batches."""

    function_arn: str
    batch_size: int
    window_s: float
    fifo: bool
    reports_failures: bool


@dataclass(slots=True)
class Counters:
    """Batches since the worker was started."""

    invoked: int = 0
    retried: int = 0
    given_up: int = 0
