"""The worker of RabbitMQ: consumes a queue, makes batches, invokes, acknowledges.

1. One batch runs at a time: AWS limits a mapping of RabbitMQ to one concurrent invocation.
2. What was handled is acknowledged together; what matches no filter is acknowledged as it comes. When a function
   fails, its batch and all that was read ahead go back to the queue, in order, after a growing while: AWS retries
   the whole batch until it succeeds or its messages expire, which they do in the queue.
3. A throttle, or a function that is not there, sends nothing back: that would use up a quorum queue's deliveries.
   The batch is held, but not for longer than brokers let a delivery wait.
4. No more than a batch is unacknowledged, nor is more than some size held in memory.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lambent.model.errors import AwsError
from lambent.model.invocation import InvocationResult
from lambent.patterns.records import RecordFilter
from lambent.sources.backoff import Backoff
from lambent.sources.batch import MAX_EVENT_BYTES
from lambent.sources.contract import CALL_FAILED, NO_RECORDS, OK, Functions, problem
from lambent.sources.rabbitmq.contract import RabbitMessage, RabbitQueue
from lambent.sources.rabbitmq.form import RabbitForm, encoded
from lambent.sources.stream_batch import LaneQueue, batch_end
from lambent.sources.stream_source import StreamRecord
from lambent.sources.stream_work import FIRST_BACKOFF_S, MAX_BACKOFF_S, is_throttled
from lambent.sources.tasks import end_tasks, log_failure, pause, until_set

MAX_HELD_BYTES: Final = 32 * 1024 * 1024
"""POLICY: deliveries stop above that, and go on when the buffer has been handled."""
HOLD_S: Final = 20 * 60.0
"""POLICY: less than the half hour after which RabbitMQ closes the channel of a delivery that waits."""
_CLOSE_S: Final = 5.0
_log = logging.getLogger("lambent.sources")


@dataclass(frozen=True, slots=True)
class RabbitPlan:
    """What a mapping says of its batches."""

    function_arn: str
    batch_size: int
    window_s: float
    keeps: RecordFilter
    form: RabbitForm


@dataclass(slots=True)
class RabbitCounters:
    """Since the poller was started. Batches, but ``records`` handled and ``filtered``."""

    invoked: int = 0
    retried: int = 0
    given_up: int = 0
    throttled: int = 0
    records: int = 0
    filtered: int = 0


class RabbitWorker:
    """Is a :class:`~lambent.sources.contract.Poller`. ``connect`` makes a queue anew; it raises AwsError."""

    def __init__(
        self,
        plan: RabbitPlan,
        connect: Callable[[], Awaitable[RabbitQueue]],
        functions: Functions,
        report: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._connect = connect
        self._functions = functions
        self._report = report
        self._queue: RabbitQueue | None = None
        self._waiting = LaneQueue()
        self._held_bytes = 0
        self._last_tag = 0
        self._unwanted: list[int] = []
        self._flows = True
        self._in_flight = 0
        self._changed = asyncio.Event()
        self._broken = asyncio.Event()
        self._stopping = asyncio.Event()
        self._failures = Backoff(FIRST_BACKOFF_S, MAX_BACKOFF_S)
        self._breaks = Backoff(FIRST_BACKOFF_S, MAX_BACKOFF_S)
        self._task: asyncio.Task[None] | None = None
        self.counters = RabbitCounters()

    def start(self) -> None:
        """Begins to consume."""
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._task.add_done_callback(log_failure)

    async def stop(self, deadline_s: float) -> None:
        """Begins nothing more; what the function is handling may end, and be acknowledged, until the deadline."""
        self._stopping.set()
        self._changed.set()
        if self._task is not None:
            await end_tasks([self._task], deadline_s if self._in_flight else _CLOSE_S)

    async def describe(self) -> Mapping[str, Any]:
        """See the protocol."""
        counters = self.counters
        return {
            "lag": await self._lag(),
            "in_flight": self._in_flight,
            "concurrency": 1,
            "invoked": counters.invoked,
            "retried": counters.retried,
            "given_up": counters.given_up,
            "throttled": counters.throttled,
            "records": counters.records,
            "filtered": counters.filtered,
        }

    async def _lag(self) -> int | None:
        if self._queue is None or self._broken.is_set():
            return None
        try:
            return await self._queue.waiting() + len(self._waiting)
        except AwsError:
            return None

    # The connection

    async def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                await self._serve()
            except AwsError as error:
                self._report(problem(error))
            except Exception:
                _log.exception("a RabbitMQ queue could not be read")
                self._report("PROBLEM: The queue could not be read: see the platform's log.")
            await pause(self._stopping, self._breaks.next_s())

    async def _serve(self) -> None:
        """One connection, until it breaks or the poller stops."""
        self._waiting, self._held_bytes, self._unwanted, self._flows = LaneQueue(), 0, [], True
        self._broken.clear()
        queue = await self._connect()
        try:
            if await until_set(_opened(queue, self._delivered, self._breaks_off), self._stopping):
                self._queue = queue
                if not self.counters.invoked:
                    self._report(NO_RECORDS)
                while not self._stopping.is_set() and not self._broken.is_set():
                    await self._turn(queue)
        finally:
            self._queue = None
            await queue.close()

    def _breaks_off(self) -> None:
        self._broken.set()
        self._changed.set()

    def _delivered(self, message: RabbitMessage) -> None:
        self._last_tag = message.tag
        record = encoded(message, self._plan.keeps)
        if record is None:
            self._unwanted.append(message.tag)
            self.counters.filtered += 1
        else:
            now_s = asyncio.get_running_loop().time()
            self._waiting.add([StreamRecord(message.tag, "", "", now_s, record)], now_s)
            self._held_bytes += len(record)
        self._changed.set()

    # Batches

    async def _turn(self, queue: RabbitQueue) -> None:
        """Does what is due, or waits for something to be."""
        self._changed.clear()
        while self._unwanted:
            await queue.ack(self._unwanted.pop(0), up_to=False)
        await self._regulate(queue)
        wait_s = None
        if self._waiting:
            room = MAX_EVENT_BYTES - self._plan.form.frame_bytes
            count, full = batch_end(self._waiting, self._plan.batch_size, room)
            wait_s = self._waiting.since_s + self._plan.window_s - asyncio.get_running_loop().time()
            if full or wait_s <= 0:
                await self._handle(queue, self._waiting.take(count))
                return
        if not self._unwanted:
            await pause(self._changed, wait_s)

    async def _regulate(self, queue: RabbitQueue) -> None:
        wanted = self._held_bytes <= (MAX_HELD_BYTES if self._flows else MAX_HELD_BYTES // 2)
        if wanted != self._flows:
            self._flows = wanted
            await queue.flow(on=wanted)

    async def _handle(self, queue: RabbitQueue, batch: Sequence[StreamRecord]) -> None:
        tag = batch[-1].sequence
        try:
            result = await self._invoke([record.record for record in batch])
        except AwsError as error:  # it would be refused again and again
            self._report(problem(error))
            if error.status == 413 and len(batch) == 1:
                self.counters.given_up += 1
                await queue.reject(tag)
                self._let_go(batch)
                return
            result = None
        if result is not None and result.function_error is None:
            self._failures.reset()
            self._breaks.reset()
            # One acknowledgement is for all up to there; a second one of a tag would close the channel.
            self._unwanted = [each for each in self._unwanted if each > tag]
            await queue.ack(tag, up_to=True)
            self.counters.records += len(batch)
            self._let_go(batch)
            self._report(OK)
            return
        self.counters.retried += 1
        if result is not None:
            self._report(CALL_FAILED)
        await pause(self._stopping, self._failures.next_s())
        await self._send_back(queue)

    async def _send_back(self, queue: RabbitQueue) -> None:
        """All that is unacknowledged, so that it comes again in order."""
        tag, self._waiting, self._held_bytes = self._last_tag, LaneQueue(), 0
        self._unwanted.clear()
        if not self._broken.is_set():
            await queue.requeue(tag)

    def _let_go(self, batch: Sequence[StreamRecord]) -> None:
        self._held_bytes -= sum(len(record.record) for record in batch)

    async def _invoke(self, records: Sequence[bytes]) -> InvocationResult | None:
        """The function's answer; None when it could not be asked in time. Raises what would be so for ever."""
        payload, backoff = self._plan.form.event(records), Backoff(0.1, MAX_BACKOFF_S)
        until_s = asyncio.get_running_loop().time() + HOLD_S
        self._in_flight = 1
        try:
            while True:
                try:
                    result = await self._functions.invoke(self._plan.function_arn, payload)
                except AwsError as error:
                    if not _passes_by(error):
                        raise
                    self.counters.throttled += is_throttled(error)
                    self._report(problem(error))
                else:
                    self.counters.invoked += 1
                    return result
                wait_s = backoff.next_s()
                if asyncio.get_running_loop().time() + wait_s > until_s:
                    return None
                self._in_flight = 0
                await pause(self._stopping, wait_s)
                if self._stopping.is_set() or self._broken.is_set():
                    return None
                self._in_flight = 1
        finally:
            self._in_flight = 0


async def _opened(
    queue: RabbitQueue, deliver: Callable[[RabbitMessage], None], broken: Callable[[], None]
) -> bool:
    await queue.open(deliver, broken)
    return True


def _passes_by(error: AwsError) -> bool:
    """Whether the same invocation may go well later: throttled, not there, being changed, our own fault."""
    return error.status in {401, 403, 404, 409, 429} or error.status >= 500
