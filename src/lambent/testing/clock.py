"""Time that passes when a test says so."""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class FakeTimer:
    """A callback that is due, unless it is cancelled."""

    callback: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        """It will not be called."""
        self.cancelled = True


@dataclass
class FakeClock:
    """Unix milliseconds by calling it; :meth:`call_later` is the loop's, in this time."""

    now_ms: int = 1_700_000_000_000
    _timers: list[tuple[int, int, FakeTimer]] = field(default_factory=list)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def __call__(self) -> int:
        return self.now_ms

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> FakeTimer:
        """Has the callback called when so much time has passed."""
        timer = FakeTimer(callback)
        due_ms = self.now_ms + round(delay_s * 1000)
        heapq.heappush(self._timers, (due_ms, next(self._numbers), timer))
        return timer

    def advance(self, seconds: float) -> None:
        """Lets time pass; what falls due meanwhile is called, at its time."""
        end_ms = self.now_ms + round(seconds * 1000)
        while self._timers and self._timers[0][0] <= end_ms:
            due_ms, _, timer = heapq.heappop(self._timers)
            self.now_ms = max(self.now_ms, due_ms)
            if not timer.cancelled:
                timer.callback()
        self.now_ms = end_ms

    @property
    def pending(self) -> int:
        """Callbacks that are due some time."""
        return sum(not timer.cancelled for _, _, timer in self._timers)
