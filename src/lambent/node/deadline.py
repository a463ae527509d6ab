"""One timer for one deadline after the other, each moved on or lifted long before it is due.

A timer that is made and cancelled with every invocation costs more than the invocation's log lines. Here a
deadline is a number; the timer, once set, rings when the first of them would have been due, and then looks.
"""

import asyncio
import math
import time
from collections.abc import Callable

_TOO_SOON_S = 0.001
"""A loop's timers are as exact as that."""


class Deadline:
    """Calls ``on_due`` once when a deadline that was :meth:`set` was neither lifted nor set anew in time."""

    __slots__ = ("_due_s", "_loop", "_on_due", "_rings_s", "_timer")

    def __init__(self, on_due: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_due = on_due
        self._due_s = self._rings_s = math.inf
        self._timer: asyncio.TimerHandle | None = None

    def set(self, due_s: float) -> None:
        """The deadline is at ``due_s`` of the monotonic clock from now on."""
        self._due_s = due_s
        if due_s < self._rings_s:
            self._arm()

    def lift(self) -> None:
        """There is no deadline, until another one is set."""
        self._due_s = math.inf

    def close(self) -> None:
        """Lifts it, and gives the timer back."""
        self._due_s = self._rings_s = math.inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings_s = self._due_s
        self._timer = self._loop.call_later(max(0.0, self._due_s - time.monotonic()), self._ring)

    def _ring(self) -> None:
        self._timer, self._rings_s = None, math.inf
        if self._due_s - time.monotonic() > _TOO_SOON_S:
            if self._due_s < math.inf:
                self._arm()
        else:
            self._due_s = math.inf
            self._on_due()
