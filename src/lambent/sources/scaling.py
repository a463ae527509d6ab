"""How many batches of a queue run at once: a number that grows with the backlog, and goes back. Pure.

AWS: five concurrent batches at first, up to 300 more each minute, up to 1,250. Source: "Configuring scaling
behavior for SQS event source mappings" (60 a minute and 1,000 until 2023). How it backs off AWS does not say.
"""

from typing import Final

START: Final = 5
GROWTH_PER_S: Final = 300 / 60
MAX: Final = 1_250


class Scaling:
    """``maximum`` is ``ScalingConfig.MaximumConcurrency``. Times are any clock's seconds."""

    def __init__(self, now_s: float, maximum: int | None = None) -> None:
        self._maximum = min(maximum or MAX, MAX)
        self._start = min(START, self._maximum)
        self._limit = float(self._start)
        self._seen_s = now_s
        self._backlog = False

    @property
    def limit(self) -> int:
        """Batches that may run now; at least one."""
        return int(self._limit)

    def grow(self, now_s: float, *, backlog: bool) -> None:
        """Whether there is more than can run; the time since it was first said counts."""
        passed_s, self._seen_s = max(0.0, now_s - self._seen_s), now_s
        growing, self._backlog = self._backlog and backlog, backlog
        if growing:
            self._limit = min(self._maximum, self._limit + passed_s * GROWTH_PER_S)

    def rest(self, now_s: float) -> None:
        """The queue was found empty: POLICY: the next backlog begins anew."""
        self._seen_s, self._backlog = now_s, False
        self._limit = float(self._start)

    def failed(self) -> None:
        """The function failed. POLICY: one batch less, never fewer than at the start."""
        self._limit = max(float(self._start), self._limit - 1)

    def throttled(self) -> None:
        """An invocation was throttled. POLICY: half of it."""
        self._limit = max(1.0, self._limit / 2)
