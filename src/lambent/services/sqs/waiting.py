"""Receivers that wait for messages: in line, woken one after the other, never asking in a loop.

A :class:`Line` is one queue's. A receiver takes its place *before* it looks into the queue, so that
nothing that arrives meanwhile escapes it:

1. An arrival, or a message whose time has come, wakes the first in line that sleeps. It looks again.
2. One that found as many messages as it asked for wakes the next when it leaves: there may be more.
3. One that finds none keeps its place, and says when the next message becomes visible.
4. One that leaves with a wake it has not used (its client hung up) passes it on.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """Something that will happen."""

    def cancel(self) -> None: ...


CallLater = Callable[[float, Callable[[], None]], Timer]
"""``call_later(delay_s, callback)``."""


class Place:
    """One receiver's place in a line."""

    __slots__ = ("_sleep", "woken")

    def __init__(self) -> None:
        self.woken = False
        self._sleep: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """Has the receiver look into the queue (again)."""
        self.woken = True
        if self._sleep is not None and not self._sleep.done():
            self._sleep.set_result(None)

    async def sleep(self, seconds: float, call_later: CallLater) -> bool:
        """Until woken, at most ``seconds``; whether it was woken."""
        if not self.woken:
            self._sleep = asyncio.get_running_loop().create_future()
            timer = call_later(seconds, self._end_sleep)
            try:
                await self._sleep
            finally:
                timer.cancel()
                self._sleep = None
        return self.woken

    def _end_sleep(self) -> None:
        if self._sleep is not None and not self._sleep.done():
            self._sleep.set_result(None)


class Line:
    """The waiting receivers of one queue."""

    __slots__ = ("_call_later", "_clock", "_places", "_timer", "_timer_at_ms")

    def __init__(self, clock: Callable[[], int], call_later: CallLater) -> None:
        self._clock = clock
        self._call_later = call_later
        self._places: dict[Place, None] = {}
        self._timer: Timer | None = None
        self._timer_at_ms = 0

    def __len__(self) -> int:
        return len(self._places)

    def join(self) -> Place:
        """A place at the end."""
        place = Place()
        self._places[place] = None
        return place

    def leave(self, place: Place, *, wake_next: bool) -> None:
        """Gives the place up; ``wake_next`` when there may be messages that others can have."""
        del self._places[place]
        if wake_next or place.woken:
            self.wake()
        if not self._places and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def wake(self) -> None:
        """The first that is not awake yet."""
        for place in self._places:
            if not place.woken:
                place.wake()
                return

    def wake_all(self) -> None:
        """Everybody: the queue is gone, or other than it was."""
        for place in self._places:
            place.wake()

    def expect(self, visible_at_ms: int | None) -> None:
        """A message becomes visible then: somebody is woken. Nobody waits: nothing is remembered."""
        if visible_at_ms is None or not self._places:
            return
        if self._timer is not None:
            if self._timer_at_ms <= visible_at_ms:
                return
            self._timer.cancel()
        self._timer_at_ms = visible_at_ms
        delay_s = max(0, visible_at_ms - self._clock()) / 1000
        self._timer = self._call_later(delay_s, self._come)

    def _come(self) -> None:
        self._timer = None
        self.wake()
