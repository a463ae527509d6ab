"""Provisioned mode: how many event pollers a mapping has, and what they may do. Pure; of any kind of source.

1. There are never fewer pollers than the minimum, nor more than the maximum.
2. They grow with the backlog, and go back to the minimum when there is none.
3. All of them together never exceed what one may do – invocations at once, bytes and polls a second – times
   their number; a poll that brought too much is made up for before the next one.

Source: "Using Lambda with Amazon SQS", "Configuring scaling behavior for SQS event source mappings", "How Lambda
processes records from stream and queue-based event sources" (provisioned mode).
"""

from dataclasses import dataclass
from typing import Final

GROWTH_PER_S: Final = 1_000 / 60
"""AWS: "quickly adding up to 1,000 concurrency per minute"."""


@dataclass(frozen=True, slots=True)
class PollerUnit:
    """What one event poller may do. ``polls_per_s`` is None where AWS names no limit."""

    invokes: int
    bytes_per_s: int
    polls_per_s: int | None = None


SQS_POLLER: Final = PollerUnit(invokes=10, bytes_per_s=1_000_000, polls_per_s=10)
"""AWS: "up to 1 MB/sec of throughput, up to 10 concurrent invokes, or up to 10 Amazon SQS polling API calls"."""
KAFKA_POLLER: Final = PollerUnit(invokes=5, bytes_per_s=5_000_000)
"""AWS: "up to 5 MB/sec of throughput or up to 5 concurrent invokes"."""


class Budget:
    """An allowance that comes by the second, and is kept for a second at most; it may be overdrawn."""

    def __init__(self) -> None:
        self._left = 0.0
        self._seen_s = float("-inf")

    def wait_s(self, now_s: float, per_s: float, least: float) -> float:
        """How long until at least ``least`` is left of it; 0 for now."""
        self._fill(now_s, per_s)
        return max(0.0, (least - self._left) / per_s)

    def take(self, now_s: float, per_s: float, amount: float) -> None:
        """Whatever was used."""
        self._fill(now_s, per_s)
        self._left -= amount

    def _fill(self, now_s: float, per_s: float) -> None:
        passed_s = max(0.0, now_s - self._seen_s)
        self._left = min(per_s, self._left + passed_s * per_s)
        self._seen_s = max(now_s, self._seen_s)


class ProvisionedPollers:
    """Is a :class:`~lambent.sources.scaling.Concurrency`. Times are any clock's seconds."""

    def __init__(self, unit: PollerUnit, minimum: int, maximum: int) -> None:
        self._unit = unit
        self._minimum = minimum
        self._maximum = max(minimum, maximum)
        self._pollers = float(minimum)
        self._seen_s = 0.0
        self._backlog = False
        self._bytes = Budget()
        self._polls = Budget()

    @property
    def pollers(self) -> int:
        """How many there are now."""
        return int(self._pollers)

    @property
    def limit(self) -> int:
        """Invocations at once."""
        return self.pollers * self._unit.invokes

    def grow(self, now_s: float, *, backlog: bool) -> None:
        """See the protocol."""
        passed_s, self._seen_s = max(0.0, now_s - self._seen_s), now_s
        growing, self._backlog = self._backlog and backlog, backlog
        if growing:
            more = passed_s * GROWTH_PER_S / self._unit.invokes
            self._pollers = min(self._maximum, self._pollers + more)

    def rest(self, now_s: float) -> None:
        """See the protocol. POLICY: at once; AWS publishes no rate."""
        self._seen_s, self._backlog = now_s, False
        self._pollers = float(self._minimum)

    def failed(self) -> None:
        """See the protocol. POLICY: nothing, for pollers that are provisioned are paid for."""

    def throttled(self) -> None:
        """See the protocol. POLICY: half of what grew beyond the minimum goes."""
        self._pollers = max(float(self._minimum), self._pollers / 2)

    def wait_s(self, now_s: float) -> float:
        """See the protocol."""
        unit, pollers = self._unit, self.pollers
        wait_s = self._bytes.wait_s(now_s, pollers * unit.bytes_per_s, 0)
        if unit.polls_per_s is None:
            return wait_s
        return max(wait_s, self._polls.wait_s(now_s, pollers * unit.polls_per_s, 1))

    def polled(self, now_s: float) -> None:
        """See the protocol."""
        if self._unit.polls_per_s is not None:
            self._polls.take(now_s, self.pollers * self._unit.polls_per_s, 1)

    def received(self, now_s: float, size_bytes: int) -> None:
        """See the protocol."""
        self._bytes.take(now_s, self.pollers * self._unit.bytes_per_s, size_bytes)
