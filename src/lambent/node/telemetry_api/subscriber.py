"""One subscriber: what it is to get waits here and goes out in portions, and nothing ever waits for it.

Contract:
1. One POST at a time. What comes meanwhile waits within the subscription's bounds; beyond them it is dropped and
   told.
2. While the environment is frozen nothing is sent and no deadline runs.
3. A listener that does not answer costs this subscriber its events, and nobody else anything.
"""

import asyncio
import time

from lambent.node.telemetry_api.batches import Batches
from lambent.node.telemetry_api.delivery import Connect, DeliveryError, post
from lambent.node.telemetry_api.records import dropped_event
from lambent.node.telemetry_api.subscription import Subscription

POST_DEADLINE_S = 2.0
"""POLICY: AWS does not say how long a listener has; it is frozen with its environment, so little is enough."""
_TRIES = 3
"""POLICY: a listener that cannot be reached may be about to start."""
_PAUSE_S = 0.1


class Subscriber:
    """See the module. Lives on the loop's thread only."""

    def __init__(self, subscription: Subscription, connect: Connect) -> None:
        self.subscription = subscription
        self._connect = connect
        self._batches = Batches(subscription.max_items, subscription.max_bytes, _dropped)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_paused = False
        self._is_due = False
        self._is_closed = False

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing is on its way."""
        return self._task is None and self._batches.is_empty

    def add(self, event: bytes) -> None:
        """One more event for it."""
        if self._is_closed:
            return
        self._batches.add(event)
        if self._batches.is_full:
            self.flush()
        elif self._timer is None and not self._is_paused:
            self._timer = self._loop.call_later(self.subscription.timeout_s, self.flush)

    def flush(self) -> None:
        """What waits goes now, or when what is on its way has arrived, or at the thaw."""
        self._stop_timer()
        self._is_due = True
        if self._task is None and not self._is_paused and not self._batches.is_empty:
            self._is_due = False
            body = self._batches.take()
            self._task = self._loop.create_task(self._deliver(body))
            self._task.add_done_callback(self._on_delivered)
            self._limit()

    def _limit(self) -> None:
        if self._task is not None:
            self._deadline = self._loop.call_later(POST_DEADLINE_S, self._task.cancel)

    async def _deliver(self, body: bytes) -> None:
        to = self.subscription
        for left in reversed(range(_TRIES)):
            try:
                await post(self._connect, to.host, to.port, to.path, body)
            except DeliveryError:
                if not left:
                    raise
                await asyncio.sleep(_PAUSE_S)
            else:
                return

    def _on_delivered(self, task: "asyncio.Task[None]") -> None:
        self._task = None
        self._stop_deadline()
        error = None if task.cancelled() else task.exception()
        if task.cancelled() or error is not None:
            self._batches.lost()
        else:
            self._batches.arrived()
        if error is not None and not isinstance(error, DeliveryError):
            context = {"message": "a delivery of telemetry failed", "exception": error}
            self._loop.call_exception_handler(context)
        if self._is_closed or self._batches.is_empty:
            self._is_due = False
        elif self._is_due or self._batches.is_full:
            self.flush()
        elif self._timer is None and not self._is_paused:
            self._timer = self._loop.call_later(self.subscription.timeout_s, self.flush)

    def pause(self) -> None:
        """The environment is being frozen."""
        self._is_paused = True
        self._stop_timer()
        self._stop_deadline()

    def resume(self) -> None:
        """It goes on: what waits goes out soon."""
        self._is_paused = False
        self._limit()
        if not self._batches.is_empty:
            if self._is_due or self._batches.is_full:
                self.flush()
            else:
                self._timer = self._loop.call_later(self.subscription.timeout_s, self.flush)

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _stop_deadline(self) -> None:
        deadline, self._deadline = self._deadline, None
        if deadline is not None:
            deadline.cancel()

    def close(self) -> None:
        """The environment is gone."""
        self._is_closed = True
        self._stop_timer()
        self._stop_deadline()
        if self._task is not None:
            self._task.cancel()


def _dropped(records: int, size_bytes: int) -> bytes:
    return dropped_event(time.time_ns() // 1_000_000, records, size_bytes)
