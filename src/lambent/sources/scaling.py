"""How many batches of a queue run at once: a number that grows with the backlog, and goes back. Pure.

AWS: five concurrent batches at first, up to 300 more each minute, up to 1,250. Source: "Configuring scaling
behavior for SQS event source mappings" (60 a minute and 1,000 until 2023). How it backs off AWS does not say.
"""

from typing import Final, Protocol

START: Final = 5
GROWTH_PER_S: Final = 300 / 60
MAX: Final = 1_250


class Concurrency(Protocol):
    """How much of a mapping may run, and be fetched. Times are any clock's seconds."""

    @property
    def limit(self) -> int:
        """Batches that may run now; at least one."""
        ...

    @property
    def pollers(self) -> int | None:
        """Event pollers, in provisioned mode."""
        ...

    def grow(self, now_s: float, *, backlog: bool) -> None:
        """Whether there is more than can run; the time since it was first said counts."""
        ...

    def rest(self, now_s: float) -> None:
        """The source was found empty."""
        ...

    def failed(self) -> None:
        """The function failed."""
        ...

    def throttled(self) -> None:
        """An invocation was throttled."""
        ...

    def wait_s(self, now_s: float) -> float:
        """How long until the source may be polled; 0 for now."""
        ...

    def polled(self, now_s: float) -> None:
        """The source is polled once."""
        ...

    def received(self, now_s: float, size_bytes: int) -> None:
        """What a poll brought."""
        ...


class Scaling:
    """``maximum`` is ``ScalingConfig.MaximumConcurrency``. Times are any clock's seconds."""

    pollers = None

    def __init__(self, now_s: float, maximum: int | None = None) -> None:
        self._maximum = min(maximum or MAX, MAX)
        self._start = min(START, self._maximum)
        self._limit = float(self._start)
        self._seen_s = now_s
        self._backlog = False

    @property
    def limit(self) -> int:
        """See the protocol."""
        return int(self._limit)

    def grow(self, now_s: float, *, backlog: bool) -> None:
        """See the protocol."""
        passed_s, self._seen_s = max(0.0, now_s - self._seen_s), now_s
        growing, self._backlog = self._backlog and backlog, backlog
        if growing:
            self._limit = min(self._maximum, self._limit + passed_s * GROWTH_PER_S)

    def rest(self, now_s: float) -> None:
        """See the protocol. POLICY: the next backlog begins anew."""
        self._seen_s, self._backlog = now_s, False
        self._limit = float(self._start)

    def failed(self) -> None:
        """See the protocol. POLICY: one batch less, never fewer than at the start."""
        self._limit = max(float(self._start), self._limit - 1)

    def throttled(self) -> None:
        """See the protocol. POLICY: half of it."""
        self._limit = max(1.0, self._limit / 2)

    def wait_s(self, _now_s: float) -> float:
        """See the protocol. AWS names no rates of its own pollers."""
        return 0.0

    def polled(self, now_s: float) -> None:
        """See the protocol."""

    def received(self, now_s: float, size_bytes: int) -> None:
        """See the protocol."""
