"""The worker of queues: receives messages, makes batches, has them invoked (``queue_invoker``).

Contract:
1. Messages are received only when a batch of them could run: within the scaling, ``MaximumConcurrency``,
   and what the function's concurrency has room for. So throttling burns no receive counts.
2. What matches no filter is deleted.
3. FIFO: batches are of one group each, in order, unless there are more groups than could run: then they share
   batches. The queue gives no more of a group while one of it is in flight. AWS: "Lambda sorts the messages
   into groups and sends only one batch at a time for a group".
4. An idle worker has one long poll waiting, and no timer.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from lambent.model.errors import AwsError
from lambent.model.event_source_mapping import EventSourceMapping
from lambent.sources.backoff import Backoff
from lambent.sources.batch import Packer
from lambent.sources.contract import Parts, problem
from lambent.sources.queue_contract import QueueMessage, QueueSettings, QueueSource
from lambent.sources.queue_invoker import QueueInvoker
from lambent.sources.ready import ReadyBatches
from lambent.sources.scaling import Concurrency
from lambent.sources.tasks import end_tasks, log_failure

LONG_POLL_S: Final = 20
MAX_RECEIVE: Final = 10
"""AWS: messages of one ReceiveMessage."""
_MAX_RECEIVES: Final = 8
"""POLICY: ReceiveMessage calls of one mapping at a time while there is a backlog."""
_STOPPING_RECEIVE_S: Final = 0.25
"""POLICY: what a receive that has begun is given to come back before it is called off."""
_NO_POLL_S: Final = 0.5
"""A long poll that comes back empty sooner was none (an endpoint that does not wait): not asked again at once."""


class QueueWorker:
    """Is a :class:`~lambent.sources.contract.Poller`."""

    def __init__(
        self,
        mapping: EventSourceMapping,
        settings: QueueSettings,
        queue: QueueSource,
        parts: Parts,
        scaling: Concurrency,
    ) -> None:
        self._settings = settings
        self._queue = queue
        self._functions = parts.functions
        self._report: Callable[[str], None] = lambda result: parts.reports.processed(
            mapping, result
        )
        self._counts = parts.counts_of(mapping)
        self._scaling = scaling
        self._packer: Packer[QueueMessage] = Packer(settings.batch_size)
        self._ready = ReadyBatches(settings.batch_size, fifo=settings.fifo)
        self._receives: dict[asyncio.Task[None], int] = {}
        self._changed = asyncio.Event()
        self._backlog = False
        self._stopping = False
        self._window: asyncio.TimerHandle | None = None
        self._recheck: asyncio.TimerHandle | None = None
        self._no_room = Backoff(0.05, 1.0)
        self._absent = Backoff(0.5, 5.0)
        self._broken = Backoff(1.0, 60.0)
        self._hasty = Backoff(0.1, 5.0)
        self._pump: asyncio.Task[None] | None = None
        self._invoker = QueueInvoker(
            settings,
            queue,
            parts.functions,
            self._report,
            self._ready,
            scaling,
            self._counts,
            self._changed.set,
        )

    def start(self) -> None:
        """Begins to receive."""
        self._pump = asyncio.get_running_loop().create_task(self._run())

    async def stop(self, deadline_s: float) -> None:
        """Gives back what was received and not begun; waits for what runs."""
        self._stopping = self._invoker.stopping = True
        self._changed.set()
        for timer in filter(None, (self._window, self._recheck)):
            timer.cancel()
        await end_tasks(self._receives, _STOPPING_RECEIVE_S)
        if self._pump is not None:
            await end_tasks([self._pump], 0)
        await self._invoker.give_back([*self._packer.take(), *self._ready.clear()])
        await end_tasks(self._invoker.running, deadline_s)

    async def describe(self) -> Mapping[str, Any]:
        """See the protocol."""
        try:
            lag = await self._queue.lag()
        except AwsError:
            lag = None
        counters = self._invoker.counters
        pollers = self._scaling.pollers
        return {
            "lag": lag,
            "in_flight": len(self._invoker.running),
            "concurrency": self._scaling.limit,
            "invoked": counters.invoked,
            "retried": counters.retried,
            "given_up": counters.given_up,
            **({} if pollers is None else {"pollers": pollers}),
        }

    # Deciding

    async def _run(self) -> None:
        while not self._stopping:
            self._changed.clear()
            self._ready.join(self._slots)
            while (batch := self._next_ready()) is not None:
                self._invoker.begin(batch)
            self._scaling.grow(self._now_s(), backlog=self._backlog or bool(self._ready))
            self._counts.provisioned_pollers = self._scaling.pollers
            for limit in self._wanted_receives():
                task = asyncio.get_running_loop().create_task(self._receive(limit))
                self._receives[task] = limit
                task.add_done_callback(self._received)
            await self._changed.wait()

    def _next_ready(self) -> list[QueueMessage] | None:
        """The batch that may run now."""
        if len(self._invoker.running) >= self._scaling.limit:
            return None
        return self._ready.take()

    def _slots(self) -> int:
        """Batches that could begin now, by the scaling and by the function's room."""
        return min(
            self._scaling.limit - len(self._invoker.running), self._room() - self._invoker.beginning
        )

    def _wanted_receives(self) -> list[int]:
        """How many messages each new ReceiveMessage asks for."""
        most = _MAX_RECEIVES if self._backlog else 1
        if self._invoker.held or len(self._receives) >= most:
            return []
        waiting = self._packer.waiting
        slots = self._slots() - len(self._ready) - bool(waiting)
        size = self._settings.batch_size
        messages = slots * size + (size - waiting if waiting else 0)
        messages -= sum(self._receives.values())
        # Of a group no more than a batch: what waits behind a batch that fails would be received in vain.
        largest = min(MAX_RECEIVE, size) if self._settings.fifo else MAX_RECEIVE
        wanted: list[int] = []
        while messages > 0 and len(self._receives) + len(wanted) < most and self._may_poll():
            wanted.append(min(largest, messages))
            messages -= wanted[-1]
        return wanted

    def _may_poll(self) -> bool:
        """Whether the source may be polled once more now; it counts as polled. Else looks again in time."""
        now_s = self._now_s()
        wait_s = self._scaling.wait_s(now_s)
        if wait_s > 0:
            self._look_again(wait_s)
            return False
        self._scaling.polled(now_s)
        return True

    def _room(self) -> int:
        """What the function's concurrency has left; asked again some time later when that is nothing."""
        try:
            room = self._functions.room(self._settings.function_arn)
        except AwsError as error:
            self._report(problem(error))
            self._look_again(self._absent.next_s())
            return 0
        self._absent.reset()
        if room <= 0:
            self._look_again(self._no_room.next_s())
        else:
            self._no_room.reset()
        return room

    def _look_again(self, delay_s: float) -> None:
        if self._recheck is not None:
            self._recheck.cancel()
        self._recheck = asyncio.get_running_loop().call_later(delay_s, self._changed.set)

    # Receiving

    async def _receive(self, limit: int) -> None:
        """One ReceiveMessage. What goes wrong is reported, and waited for."""
        wait_s = 0 if self._backlog and len(self._receives) > 1 else LONG_POLL_S
        asked_s = self._now_s()
        try:
            messages, unwanted = await self._queue.receive(limit, wait_s)
        except AwsError as error:
            if self._stopping:
                return
            self._report(problem(error))
            await asyncio.sleep(self._broken.next_s())
            return
        self._broken.reset()
        found = len(messages) + len(unwanted)
        self._counts.polled_event_count += found
        self._counts.filtered_out_event_count += len(unwanted)
        size_bytes = sum(len(message.record) for message in (*messages, *unwanted))
        self._scaling.received(self._now_s(), size_bytes)
        self._backlog = found >= limit
        if not found and wait_s:
            self._scaling.rest(self._now_s())
            if self._now_s() - asked_s < _NO_POLL_S and not self._stopping:
                await asyncio.sleep(self._hasty.next_s())
        else:
            self._hasty.reset()
        if unwanted:
            await self._invoker.delete(unwanted)
        self._add(messages)

    def _received(self, task: "asyncio.Task[None]") -> None:
        del self._receives[task]
        if log_failure(task):
            self._look_again(self._broken.next_s())
        else:
            self._changed.set()

    def _add(self, messages: Sequence[QueueMessage]) -> None:
        """To the open batch; without a window it is closed at once."""
        if self._settings.fifo:
            groups: dict[str | None, list[QueueMessage]] = {}
            for message in messages:
                groups.setdefault(message.group_id, []).append(message)
            for group in groups.values():
                self._ready.add(self._packer.add(group))
                self._close_window()
            return
        closed = self._packer.add(messages)
        self._ready.add(closed)
        if self._settings.window_s == 0:
            self._close_window()
            return
        if closed:
            self._forget_window()
        if self._packer.waiting and self._window is None:
            loop = asyncio.get_running_loop()
            self._window = loop.call_later(self._settings.window_s, self._close_window)

    def _close_window(self) -> None:
        self._forget_window()
        batch = self._packer.take()
        if batch:
            self._ready.add([batch])
            self._changed.set()

    def _forget_window(self) -> None:
        if self._window is not None:
            self._window.cancel()
            self._window = None

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()
