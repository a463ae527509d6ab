"""The event queue's clock, and its timers by that clock."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol


class Handle(Protocol):
    """A timer that can be called off."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """Unix milliseconds, and timers by them."""

    def now_ms(self) -> int: ...
    def call_at(self, when_ms: int, callback: Callable[[], None]) -> Handle: ...


class LoopClock:
    """The wall clock, and the running loop's timers."""

    def now_ms(self) -> int:
        """Now."""
        return time.time_ns() // 1_000_000

    def call_at(self, when_ms: int, callback: Callable[[], None]) -> Handle:
        """Calls back then, or at once when that was before."""
        delay_s = max(0, when_ms - self.now_ms()) / 1000
        return asyncio.get_running_loop().call_later(delay_s, callback)
