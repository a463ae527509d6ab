"""A lane of a shard: one batch at a time, in order. A shard has as many as its parallelization factor.

1. A batch begins when the one before it is done or given up and the checkpoint says so on disk.
2. A batch is taken when it is full, when its window is over, or when the shard has ended.
3. What a function fails on is decided by ``stream_failures``; throttles and faults that are not the
   function's are waited out and take no retry.
4. Told to stop, a lane ends what the function is handling, and begins nothing.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from lambent.model.errors import AwsError
from lambent.model.invocation import InvocationResult
from lambent.sources.backoff import Backoff
from lambent.sources.batch import MAX_EVENT_BYTES, make_event
from lambent.sources.contract import CALL_FAILED, OK
from lambent.sources.failures import reported_failures
from lambent.sources.queue_worker import problem
from lambent.sources.stream_batch import LaneQueue, batch_end
from lambent.sources.stream_failures import (
    AGE_EXCEEDED,
    RETRIES_EXHAUSTED,
    GivenUp,
    Piece,
    decide,
    lowest_failed,
    split_by_age,
)
from lambent.sources.stream_source import StreamRecord
from lambent.sources.stream_work import (
    FIRST_BACKOFF_S,
    MAX_BACKOFF_S,
    StreamWork,
    counts_as_attempt,
    is_throttled,
)
from lambent.sources.tumbling import Window, next_state, record_room, window_at, window_event

_FRAME_BYTES = len(b'{"Records":[]}')


class Keeper(Protocol):
    """The shard, as its lanes see it."""

    @property
    def shard_id(self) -> str: ...
    def freed(self) -> None:
        """There is room for more records."""
        ...

    async def commit(self, lane: "Lane", given_up: GivenUp | None = None) -> None:
        """Durable when it returns."""
        ...


class Lane:
    """See the module. ``mark`` is what it has finished, ``window`` its open tumbling window."""

    def __init__(self, work: StreamWork, shard: Keeper, number: int) -> None:
        self.number = number
        self.mark: int | None = None
        self.window: Window | None = None
        self.waiting = LaneQueue()
        self.held_bytes = 0
        self.in_flight = False
        self._work = work
        self._shard = shard
        self._pieces: deque[Piece] = deque()
        self._changed = asyncio.Event()
        self._ended = False
        self._caught_up_s = float("-inf")
        self._backoff = Backoff(FIRST_BACKOFF_S, MAX_BACKOFF_S)
        self._last: InvocationResult | None = None

    # What the shard says

    def add(self, records: list[StreamRecord]) -> None:
        """Records, in order, behind those that wait."""
        if records:
            self.waiting.add(records, self._now_s())
            self.held_bytes += sum(len(record.record) for record in records)
            self._changed.set()

    def caught_up(self, unix_s: float) -> None:
        """Everything that arrived until then was added."""
        self._caught_up_s = unix_s
        if self.window is not None:
            self._changed.set()

    def end(self) -> None:
        """Nothing more will be added."""
        self._ended = True
        self._changed.set()

    def wake(self) -> None:
        """Has it look around: it may be time to stop."""
        self._changed.set()

    @property
    def idle(self) -> bool:
        """Whether nothing is unfinished."""
        return not self.waiting and not self._pieces and self.window is None

    @property
    def first_unfinished(self) -> StreamRecord | None:
        """The lowest record that is not done."""
        for piece in self._pieces:
            if piece.records:
                return piece.records[0]
        return self.waiting.first if self.waiting else None

    @property
    def unfinished(self) -> int:
        """Records that wait or are being handled."""
        return len(self.waiting) + sum(len(piece.records) for piece in self._pieces)

    async def run(self) -> None:
        """Until the shard has ended and everything is handled, or it is time to stop."""
        while not self._work.stopping.is_set():
            if self._pieces:
                await self._handle(self._pieces[0])
            elif not await self._next_batch():
                return

    # Taking a batch

    async def _next_batch(self) -> bool:
        """Waits for one. False when there will be none."""
        while not self._work.stopping.is_set():
            self._changed.clear()
            if self._close_window():
                return True
            wait_s = None
            if self.waiting:
                wait_s = self._take()
                if wait_s <= 0:
                    return True
            elif self._ended and self.window is None:
                return False
            await self._wait(wait_s)
        return True

    def _close_window(self) -> bool:
        """Puts the final piece of the open window in place when nothing more belongs to it."""
        window = self.window
        if window is None:
            return False
        if self.waiting:
            over = self.waiting.first.arrived_s >= window.end_s
        else:
            over = self._ended or self._caught_up_s >= window.end_s
        if over:
            self._pieces.append(Piece((), final=True))
        return over

    def _take(self) -> float:
        """Takes what is due, or says how many seconds that is away."""
        settings = self._work.settings
        before_s, room = None, MAX_EVENT_BYTES - _FRAME_BYTES
        if settings.tumbling_s:
            window = self.window or window_at(self.waiting.first.arrived_s, settings.tumbling_s)
            before_s, room = window.end_s, record_room(window, MAX_EVENT_BYTES)
        count, full = batch_end(self.waiting, settings.batch_size, room, before_s)
        wait_s = self.waiting.since_s + settings.window_s - self._now_s()
        if not full and wait_s > 0 and not self._ended:
            return wait_s
        if settings.tumbling_s:
            self.window = window
        self._pieces.append(Piece(self.waiting.take(count)))
        return 0.0

    async def _wait(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return

    # Handling a piece

    async def _handle(self, piece: Piece) -> None:
        old, fresh = split_by_age(piece, self._work.now_s() - self._work.max_age_s())
        if old is not None:
            self._replace(() if fresh is None else (fresh,))
            await self._give_up(old, AGE_EXCEEDED)
            return
        try:
            result = await self._invoke(piece)
        except AwsError as error:
            self._work.report(problem(error))
            if not counts_as_attempt(error):
                self._work.counters.throttled += is_throttled(error)
                await self._work.pause(self._backoff.next_s())
                return
            result = None
        await self._after(replace(piece, invoked=piece.invoked + 1), result)

    async def _invoke(self, piece: Piece) -> InvocationResult:
        settings = self._work.settings
        if settings.tumbling_s and self.window is None:  # the rest of one that was ended early
            self.window = window_at(piece.records[0].arrived_s, settings.tumbling_s)
        if self.window is not None:
            payload = window_event(piece, self.window, self._shard.shard_id, settings.stream_arn)
        else:
            payload = make_event(piece.records)
        if piece.records:
            age_s = max(0.0, self._work.now_s() - piece.records[-1].arrived_s)
            self._work.metrics().iterator_age.observe(age_s)
        self.in_flight = True
        try:
            return await self._work.functions.invoke(settings.function_arn, payload)
        finally:
            self.in_flight = False

    async def _after(self, piece: Piece, result: InvocationResult | None) -> None:
        settings, counters = self._work.settings, self._work.counters
        counters.invoked += 1
        self._last = result
        failed_at = self._failed_at(piece, result)
        decision = decide(
            piece, failed_at, max_retries=settings.max_retries, bisects=settings.bisects
        )
        self._replace(decision.left)
        if failed_at is None or decision.done:
            self._backoff.reset()
            self._pass_state(piece, result)
        self._finished(piece.records[: decision.done])
        counters.retried += bool(decision.left)
        if result is not None:
            self._work.report(OK if failed_at is None or decision.done else CALL_FAILED)
        if decision.given_up is not None:
            await self._give_up(decision.given_up, RETRIES_EXHAUSTED)
        elif failed_at is None or decision.done:
            await self._shard.commit(self)
        if decision.wait:
            await self._work.pause(self._backoff.next_s())

    def _failed_at(self, piece: Piece, result: InvocationResult | None) -> int | None:
        if result is None or result.function_error is not None:
            return 0
        if not self._work.settings.reports_failures:
            return None
        known = {record.sequence_number for record in piece.records}
        return lowest_failed(piece.records, reported_failures(result.payload, known))

    def _pass_state(self, piece: Piece, result: InvocationResult | None) -> None:
        """To the next invocation of the window; one that is over is closed."""
        if self.window is None or result is None:
            return
        if piece.final:
            self.window = None
            return
        self.window = next_state(self.window, result.payload)
        if self.window.too_large:
            self._pieces.appendleft(Piece((), final=True, early=True))

    async def _give_up(self, piece: Piece, condition: str) -> None:
        if piece.final:
            self.window = None
        self._backoff.reset()
        self._finished(piece.records)
        self._work.counters.given_up += 1
        result = self._last if piece.invoked else None
        await self._shard.commit(self, GivenUp(piece, condition, result))

    def _replace(self, pieces: Iterable[Piece]) -> None:
        """Puts what is left of the first piece in its place."""
        self._pieces.popleft()
        self._pieces.extendleft(reversed(tuple(pieces)))

    def _finished(self, records: Iterable[StreamRecord]) -> None:
        for record in records:
            self.mark = record.sequence
            self.held_bytes -= len(record.record)
            self._work.counters.records += 1
        self._shard.freed()

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()
