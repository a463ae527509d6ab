"""Asynchronous invocation: events accepted onto disk, and the pump that takes them to their functions.

Contract:
1. :meth:`EventQueue.accept` returns when the event is on disk; from then on it is handled at least once,
   also after a crash, with the same request id.
2. Each function has a queue and a window of its own: no function's backlog delays another's.
3. Nothing is polled: the store tells of arrivals, and one timer a function waits for its next retry. The
   transaction that stores an event takes it too, where there is room, so that it starts after one commit.
4. Events of a deleted function are dropped with their queue. AWS does not say what becomes of them; nobody
   is left to tell: its destinations went with it.
"""

from collections.abc import Callable, MutableMapping
from functools import partial

from lambent.invoke import event_works
from lambent.invoke.event_backlog import Backlog
from lambent.invoke.event_clock import Clock
from lambent.invoke.event_handling import Capacity, EventHandler, Outcome
from lambent.invoke.event_intake import disk_full, read_event
from lambent.invoke.event_tasks import Tasks
from lambent.invoke.events import MAX_PAYLOAD_BYTES, Function, function_of_key, queue_key
from lambent.invoke.ports import Directory
from lambent.invoke.tracing import Tracing
from lambent.model.errors import AwsError
from lambent.observe.metrics import Metrics
from lambent.store.queues.contract import (
    Message,
    NewMessage,
    QueueStore,
    StoreFullError,
    Transaction,
)


class EventQueue:
    """See the module. Lives on the loop's thread. ``queues`` (queue id → key) is shared with the outlet."""

    def __init__(
        self,
        store: QueueStore,
        handler: EventHandler,
        directory: Directory,
        capacity: Capacity,
        metrics: Metrics,
        clock: Clock,
        queues: MutableMapping[int, str],
        tracing: Tracing | None = None,
    ) -> None:
        self._tracing = tracing or Tracing()
        self._store = store
        self._handler = handler
        self._directory = directory
        self._capacity = capacity
        self._metrics = metrics
        self._clock = clock
        self._queues = queues
        self._backlogs: dict[Function, Backlog] = {}
        self._tasks = Tasks()
        self._unsubscribe: Callable[[], None] = lambda: None
        self._closing = False
        self._recovering = False

    async def open(self) -> None:
        """Finds what was accepted before and begins: events that were in flight are taken up again.

        Nothing is taken before every queue was gone through: what is in flight then is of this platform.
        """
        self._recovering = True
        self._unsubscribe = self._store.subscribe(self._on_arrival)
        await self._recover()
        self._recovering = False
        for backlog in tuple(self._backlogs.values()):
            self._advance(backlog)

    async def _recover(self) -> None:
        after: str | None = None
        while True:
            keys, last = await self._store.run(partial(event_works.release, after=after))
            for queue_id, key, has_messages in keys:
                self._queues[queue_id] = key
                if has_messages:
                    self._wake(self._backlog(function_of_key(key)))
            if last is None:
                return
            after = last

    async def close(self) -> None:
        """Ends; events in flight are taken up again at the next start."""
        self._closing = True
        self._unsubscribe()
        for backlog in self._backlogs.values():
            backlog.forget_timer()
        await self._tasks.cancel()

    # Accepting

    async def accept(
        self,
        account_id: str,
        region: str,
        function_name: str,
        qualifier: str | None,
        payload: bytes,
        *,
        request_id: str,
        trace: str,
        max_bytes: int = MAX_PAYLOAD_BYTES,
        deliveries: int = 1,
        tenant_id: str | None = None,
    ) -> str:
        """Takes an event; it is on disk when this returns. It is handled ``deliveries`` times, at least.

        Returns the trace header with the decision, made once for all attempts, whether it is sampled.

        Raises what resolving the function raises, AWS's errors for a payload that is too large or no JSON, and
        ``ServiceException`` (507) when the disk has no room.
        """
        target = self._directory.resolve(account_id, region, function_name, qualifier)
        trace = self._tracing.decide(target.primary, trace)
        function, message = read_event(
            target,
            payload,
            request_id=request_id,
            trace=trace,
            max_bytes=max_bytes,
            tenant_id=tenant_id,
        )
        await self._store_event(self._backlog(function), [message] * deliveries)
        self._metrics.of(*function).async_events_received += deliveries
        return trace

    async def _store_event(self, backlog: Backlog, messages: list[NewMessage]) -> None:
        key, now_ms = queue_key(*backlog.function), self._clock.now_ms()
        resting = self._closing or self._recovering
        takes = not (resting or backlog.is_receiving) and self._room(backlog) > 0

        def work(tx: Transaction) -> tuple[int, list[Message]]:
            found = event_works.store(tx, key, messages, now_ms, takes=takes)
            self._queues[found[0]] = key  # before anybody is told of the arrival
            return found

        backlog.window.claim(takes)
        received: list[Message] = []
        try:
            queue_id, received = await self._store.run(work)
        except StoreFullError as error:
            raise disk_full() from error
        finally:
            backlog.window.claim(len(received) - takes)
        for one in received:
            self._tasks.spawn(self._handle(backlog, queue_id, one))

    # The pump

    def _on_arrival(self, queue_ids: frozenset[int]) -> None:
        for queue_id in queue_ids:
            key = self._queues.get(queue_id)
            if key is not None:
                self._wake(self._backlog(function_of_key(key)))

    def function_changed(self, account_id: str, region: str, name: str) -> None:
        """A function is another one, has another reservation, or is no more."""
        function = (account_id, region, name)
        backlog = self._backlogs.get(function)
        if backlog is None and queue_key(*function) not in tuple(self._queues.values()):
            return
        try:
            self._directory.resolve(*function, None)
        except AwsError as error:
            if error.status == 404:
                self._tasks.spawn(self._drop(function))
                return
        if backlog is not None:
            backlog.window.resume()
            self._wake(backlog)

    def _backlog(self, function: Function) -> Backlog:
        found = self._backlogs.get(function)
        if found is None:
            found = self._backlogs[function] = Backlog(function)
        return found

    def _wake(self, backlog: Backlog) -> None:
        backlog.may_wait = True
        self._advance(backlog)

    def _room(self, backlog: Backlog) -> int:
        free, reserved = self._capacity.room(*backlog.function)
        return backlog.window.room(self._clock.now_ms(), free, reserved)

    def _advance(self, backlog: Backlog) -> None:
        """Takes events, if there may be any and there is room; at most one receive a function at a time."""
        if self._closing or self._recovering or backlog.is_receiving or not backlog.may_wait:
            return
        room = self._room(backlog)
        if room > 0:
            backlog.is_receiving = True
            backlog.may_wait = False
            backlog.window.claim(room)
            self._tasks.spawn(self._receive(backlog, room))
        elif backlog.window.paused_until_ms:
            self._set_timer(backlog, backlog.window.paused_until_ms)

    async def _receive(self, backlog: Backlog, limit: int) -> None:
        key, now_ms = queue_key(*backlog.function), self._clock.now_ms()

        found: list[Message] = []
        due_at_ms: int | None = now_ms + 1000  # where the store fails, it is asked again
        try:
            work = partial(event_works.take, key=key, limit=limit, now_ms=now_ms)
            queue_id, found, due_at_ms = await self._store.run(work)
            if not queue_id:
                self._forget_queue(key)
        finally:
            backlog.is_receiving = False
            backlog.window.claim(len(found) - limit)
            if due_at_ms is not None:
                self._set_timer(backlog, due_at_ms)
        backlog.may_wait = backlog.may_wait or len(found) == limit
        for message in found:
            self._tasks.spawn(self._handle(backlog, queue_id, message))
        self._advance(backlog)

    async def _handle(self, backlog: Backlog, queue_id: int, message: Message) -> None:
        backlog.window.begin()
        is_first = message.receives == 1
        waited_ms = self._clock.now_ms() - message.sent_at_ms if is_first else 0
        if is_first and '"source":"invoke"' not in message.attributes:
            self._metrics.of(*backlog.function).async_events_received += 1
        try:
            outcome = await self._handler.handle(backlog.function, queue_id, message)
        finally:
            backlog.window.end()
        if outcome is Outcome.FUNCTION_GONE:
            await self._drop(backlog.function)
            return
        if outcome is Outcome.THROTTLED:
            backlog.window.throttled(self._clock.now_ms())
        elif outcome is Outcome.PROCESSED:
            backlog.window.processed(self._clock.now_ms(), waited_ms)
        # A retry is nobody's arrival: the next receive tells when it is due.
        backlog.may_wait = True
        self._advance(backlog)

    async def _drop(self, function: Function) -> None:
        """The function is gone: its queue goes, with what is in it."""
        key = queue_key(*function)

        work = partial(event_works.drop, key=key, now_ms=self._clock.now_ms())
        gone = await self._store.run(work)
        if gone is None:
            return
        self._queues.pop(gone[0], None)
        if gone[1]:
            self._metrics.of(*function).async_events_dropped += gone[1]
        backlog = self._backlogs.pop(function, None)
        if backlog is not None:
            backlog.forget_timer()

    def _forget_queue(self, key: str) -> None:
        for queue_id in [i for i, known in tuple(self._queues.items()) if known == key]:
            self._queues.pop(queue_id, None)

    def _set_timer(self, backlog: Backlog, when_ms: int) -> None:
        if not self._closing:
            backlog.set_timer(self._clock, when_ms, self._wake)
