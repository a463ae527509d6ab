"""The worker of queues: receives messages, makes batches, invokes, deletes what was handled.

Contract:
1. Messages are received only when a batch of them could run: within the scaling, ``MaximumConcurrency``,
   and what the function's concurrency has room for. So throttling burns no receive counts.
2. A batch that is throttled all the same is held and tried again, until the visibility timeout of its
   messages is over.
3. What was handled, or matches no filter, is deleted; what failed is left to the visibility timeout.
4. FIFO: batches are of one group each, in order, unless there are more groups than could run: then they share
   batches. The queue gives no more of a group while one of it is in flight. AWS: "Lambda sorts the messages
   into groups and sends only one batch at a time for a group".
5. An idle worker has one long poll waiting, and no timer.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from lambent.model.errors import AwsError
from lambent.model.event_source_mapping import EventSourceMapping
from lambent.sources.backoff import Backoff
from lambent.sources.batch import Packer, choose_trace, make_event
from lambent.sources.contract import CALL_FAILED, OK, Functions, Reports
from lambent.sources.failures import reported_failures, split_failed
from lambent.sources.queue_contract import Counters, QueueMessage, QueueSettings, QueueSource
from lambent.sources.ready import ReadyBatches
from lambent.sources.scaling import Scaling
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
_SAFETY_S: Final = 1.0
"""Before the visibility timeout: a batch is not begun that could not even start in time."""
_log = logging.getLogger("lambent.sources")


class QueueWorker:
    """Is a :class:`~lambent.sources.contract.Poller`."""

    def __init__(
        self,
        mapping: EventSourceMapping,
        settings: QueueSettings,
        queue: QueueSource,
        functions: Functions,
        reports: Reports,
    ) -> None:
        self._settings = settings
        self._queue = queue
        self._functions = functions
        self._report: Callable[[str], None] = lambda result: reports.processed(mapping, result)
        self._packer: Packer[QueueMessage] = Packer(settings.batch_size)
        self._ready = ReadyBatches(settings.batch_size, fifo=settings.fifo)
        self._invocations: set[asyncio.Task[None]] = set()
        self._receives: dict[asyncio.Task[None], int] = {}
        self._changed = asyncio.Event()
        self._backlog = False
        self._stopping = False
        self._held = 0
        self._beginning = 0  # invocations that are not counted as running yet
        self._window: asyncio.TimerHandle | None = None
        self._recheck: asyncio.TimerHandle | None = None
        self._no_room = Backoff(0.05, 1.0)
        self._absent = Backoff(0.5, 5.0)
        self._broken = Backoff(1.0, 60.0)
        self._hasty = Backoff(0.1, 5.0)
        self._pump: asyncio.Task[None] | None = None
        self._scaling = Scaling(0.0, settings.max_concurrency)
        self.counters = Counters()

    def start(self) -> None:
        """Begins to receive."""
        self._scaling = Scaling(self._now_s(), self._settings.max_concurrency)
        self._pump = asyncio.get_running_loop().create_task(self._run())

    async def stop(self, deadline_s: float) -> None:
        """Gives back what was received and not begun; waits for what runs."""
        self._stopping = True
        self._changed.set()
        for timer in filter(None, (self._window, self._recheck)):
            timer.cancel()
        await end_tasks(self._receives, _STOPPING_RECEIVE_S)
        if self._pump is not None:
            await end_tasks([self._pump], 0)
        await self._give_back([*self._packer.take(), *self._ready.clear()])
        await end_tasks(self._invocations, deadline_s)

    async def describe(self) -> Mapping[str, Any]:
        """See the protocol."""
        try:
            lag = await self._queue.lag()
        except AwsError:
            lag = None
        return {
            "lag": lag,
            "in_flight": len(self._invocations),
            "concurrency": self._scaling.limit,
            "invoked": self.counters.invoked,
            "retried": self.counters.retried,
            "given_up": self.counters.given_up,
        }

    # Deciding

    async def _run(self) -> None:
        while not self._stopping:
            self._changed.clear()
            self._ready.join(self._slots)
            while (batch := self._next_ready()) is not None:
                self._spawn_invocation(batch)
            self._scaling.grow(self._now_s(), backlog=self._backlog or bool(self._ready))
            for limit in self._wanted_receives():
                task = asyncio.get_running_loop().create_task(self._receive(limit))
                self._receives[task] = limit
                task.add_done_callback(self._received)
            await self._changed.wait()

    def _next_ready(self) -> list[QueueMessage] | None:
        """The batch that may run now."""
        if len(self._invocations) >= self._scaling.limit:
            return None
        return self._ready.take()

    def _slots(self) -> int:
        """Batches that could begin now, by the scaling and by the function's room."""
        return min(self._scaling.limit - len(self._invocations), self._room() - self._beginning)

    def _wanted_receives(self) -> list[int]:
        """How many messages each new ReceiveMessage asks for."""
        most = _MAX_RECEIVES if self._backlog else 1
        if self._held or len(self._receives) >= most:
            return []
        waiting = self._packer.waiting
        slots = self._slots() - len(self._ready) - bool(waiting)
        size = self._settings.batch_size
        messages = slots * size + (size - waiting if waiting else 0)
        messages -= sum(self._receives.values())
        # Of a group no more than a batch: what waits behind a batch that fails would be received in vain.
        largest = min(MAX_RECEIVE, size) if self._settings.fifo else MAX_RECEIVE
        wanted: list[int] = []
        while messages > 0 and len(self._receives) + len(wanted) < most:
            wanted.append(min(largest, messages))
            messages -= wanted[-1]
        return wanted

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
        self._backlog = found >= limit
        if not found and wait_s:
            self._scaling.rest(self._now_s())
            if self._now_s() - asked_s < _NO_POLL_S and not self._stopping:
                await asyncio.sleep(self._hasty.next_s())
        else:
            self._hasty.reset()
        if unwanted:
            await self._delete(unwanted)
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

    # Invoking

    def _spawn_invocation(self, batch: list[QueueMessage]) -> None:
        self._beginning += 1
        task = asyncio.get_running_loop().create_task(self._handle(batch))
        self._invocations.add(task)
        task.add_done_callback(lambda task: self._handled(task, batch))

    def _handled(self, task: "asyncio.Task[None]", batch: list[QueueMessage]) -> None:
        self._invocations.discard(task)
        self._ready.ended(batch)
        self._changed.set()
        log_failure(task)

    async def _handle(self, batch: list[QueueMessage]) -> None:
        try:
            answer = await self._invoke(batch)
        except AwsError as error:  # nothing ran, and trying again would not help
            self._failed(batch, problem(error))
            return
        if answer is None:
            self._ready.stop_groups(batch)
            return
        self.counters.invoked += 1
        payload, function_error = answer
        failed: frozenset[str] | None = frozenset()
        if function_error is not None:
            failed = None
        elif self._settings.reports_failures:
            failed = reported_failures(payload, {message.message_id for message in batch})
        if failed is None:
            self._failed(batch, CALL_FAILED)
            return
        done, left = split_failed(batch, failed, ordered=self._settings.fifo)
        await self._delete(done)
        if left:
            self.counters.retried += 1
            self._ready.stop_groups(left)
        self._report(OK)

    def _failed(self, batch: list[QueueMessage], result: str) -> None:
        """The whole batch is left to the visibility timeout."""
        self._ready.stop_groups(batch)
        self.counters.retried += 1
        self._scaling.failed()
        self._report(result)

    async def _invoke(self, batch: list[QueueMessage]) -> tuple[bytes, str | None] | None:
        """The function's answer and error; None when there was no room for it in time."""
        self._beginning -= 1
        payload = make_event(batch)
        trace = choose_trace(message.trace for message in batch)
        backoff, until_s = Backoff(0.1, 5.0), None
        held = 0
        try:
            while True:
                try:
                    result = await self._functions.invoke(
                        self._settings.function_arn, payload, trace_id=trace
                    )
                except AwsError as error:
                    if not _passes_by(error):
                        raise
                    self._held += 1 - held
                    held = 1
                    self._scaling.throttled()
                    self._report(problem(error))
                    if until_s is None:
                        until_s = await self._held_until_s(batch)
                else:
                    return result.payload, result.function_error
                wait_s = backoff.next_s()
                if self._stopping or self._now_s() + wait_s > until_s:
                    await self._give_up(batch)
                    return None
                await asyncio.sleep(wait_s)
        finally:
            self._held -= held

    async def _held_until_s(self, batch: list[QueueMessage]) -> float:
        try:
            visibility_s = await self._queue.visibility_timeout_s()
        except AwsError:
            visibility_s = 0.0
        return min(message.received_s for message in batch) + visibility_s - _SAFETY_S

    async def _give_up(self, batch: list[QueueMessage]) -> None:
        if self._stopping:
            await self._give_back(batch)
        else:
            self.counters.given_up += 1

    # The queue

    async def _delete(self, messages: Sequence[QueueMessage]) -> None:
        """Three times, then the messages come again: at least once is what is promised."""
        if not messages:
            return
        for wait_s in (0.1, 0.5, None):
            try:
                await self._queue.delete(messages)
            except AwsError as error:
                if wait_s is None:
                    self._report(problem(error))
                    return
                await asyncio.sleep(wait_s)
            else:
                return

    async def _give_back(self, messages: Sequence[QueueMessage]) -> None:
        try:
            if messages:
                await self._queue.release(messages)
        except AwsError as error:
            _log.warning("messages come back only after their visibility timeout: %s", error)

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()


def problem(error: AwsError) -> str:
    """``LastProcessingResult`` of what AWS's services refuse. Best known: AWS words some of them itself."""
    return f"PROBLEM: {error.message}"


def _passes_by(error: AwsError) -> bool:
    """Whether the same invocation may go well a moment later: throttled, being updated, our own fault."""
    return error.status in {409, 429} or error.status >= 500
