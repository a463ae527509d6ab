"""A lane of a shard: one batch at a time, in order. A shard has as many as its parallelization factor.

1. A batch begins when the one before it is done or given up and the checkpoint says so on disk; so is each
   attempt that failed, before the next one.
2. What a function fails on is decided by ``stream_failures``; throttles and faults that are not the
   function's are waited out and take no retry.
3. Told to stop, a lane ends what the function is handling, and begins nothing.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from lambent.model.errors import AwsError
from lambent.model.invocation import InvocationResult
from lambent.sources.backoff import Backoff
from lambent.sources.contract import CALL_FAILED, OK, problem
from lambent.sources.lane_intake import LaneIntake
from lambent.sources.stream_failures import (
    AGE_EXCEEDED,
    RETRIES_EXHAUSTED,
    TOO_LARGE,
    GivenUp,
    Piece,
    decide,
    lowest_failed,
    split_by_age,
    without_handled,
)
from lambent.sources.stream_retries import PieceMark, marks_of
from lambent.sources.stream_source import StreamRecord
from lambent.sources.stream_work import (
    FIRST_BACKOFF_S,
    MAX_BACKOFF_S,
    StreamWork,
    counts_as_attempt,
    is_throttled,
)
from lambent.sources.tumbling import Window, next_state, window_at, window_event


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
        self.intake = LaneIntake(work.settings, work.form.frame_bytes)
        self.done_bytes = 0
        self.in_flight = False
        self._work = work
        self._shard = shard
        self._pieces: deque[Piece] = deque()
        self._highest = -1
        self._backoff = Backoff(FIRST_BACKOFF_S, MAX_BACKOFF_S)
        self._last: InvocationResult | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing is unfinished."""
        return not self.intake.waiting and not self._pieces and self.window is None

    @property
    def held_bytes(self) -> int:
        """Of the records that are unfinished."""
        return self.intake.added_bytes - self.done_bytes

    @property
    def first_unfinished(self) -> StreamRecord | None:
        """The lowest record that is not done."""
        for piece in self._pieces:
            if piece.records:
                return piece.records[0]
        waiting = self.intake.waiting
        return waiting.first if waiting else None

    @property
    def tried(self) -> tuple[PieceMark, ...]:
        """What a restart has to know of the batch in hand."""
        return marks_of(self._pieces) + self.intake.tried

    @property
    def unfinished(self) -> int:
        """Records that wait or are being handled."""
        return len(self.intake.waiting) + sum(len(piece.records) for piece in self._pieces)

    async def run(self) -> None:
        """Until the shard has ended and everything is handled, or it is time to stop."""
        stopping = self._work.stopping
        while not stopping.is_set():
            if self._pieces:
                await self._handle(self._pieces[0])
                continue
            taken = await self.intake.take(self.window, stopping)
            if taken is None:
                return
            piece, self.window = taken
            self._pieces.append(piece)

    # Handling a piece

    async def _handle(self, piece: Piece) -> None:
        old, fresh = split_by_age(
            piece, self._work.now_s() - self._work.max_age_s(), self._work.kept_from
        )
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
            if error.status == 413 and len(piece.records) == 1 and self._work.form.drops_too_large:
                self._replace(())
                await self._give_up(piece, TOO_LARGE)
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
            payload = self._work.form.event(self._shard.shard_id, piece.records)
        if piece.records and self._work.form.has_iterator_age:
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
        left, apart, failed_at = self._outcome(piece, result)
        decision = decide(
            left,
            failed_at,
            max_retries=settings.max_retries,
            bisects=settings.bisects and not apart,
        )
        done = apart + left.records[: decision.done]
        self._work.counts.invoked_event_count += len(piece.records)
        self._work.counts.failed_invoke_event_count += len(piece.records) - len(done)
        went_well = failed_at is None or bool(done)
        self._replace(decision.left)
        if went_well:
            self._backoff.reset()
            self._pass_state(piece, result)
        self._finished(done)
        counters.retried += bool(decision.left)
        if result is not None:
            self._work.report(OK if went_well else CALL_FAILED)
        if decision.given_up is not None:
            await self._give_up(decision.given_up, RETRIES_EXHAUSTED)
        else:
            await self._shard.commit(self)
        if decision.wait:
            await self._work.pause(self._backoff.next_s())

    def _outcome(
        self, piece: Piece, result: InvocationResult | None
    ) -> tuple[Piece, tuple[StreamRecord, ...], int | None]:
        """(what is left, records that are done apart from it, where what is left failed)."""
        if result is None or result.function_error is not None:
            return piece, (), 0
        if not self._work.settings.reports_failures:
            return piece, (), None
        form, records = self._work.form, piece.records
        known = {record.sequence_number for record in records}
        failed = form.reported(self._shard.shard_id, result.payload, known)
        if form.retries_apart and failed:
            return *without_handled(piece, failed), 0
        return piece, (), lowest_failed(records, failed)

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
        """The mark follows once nothing below it is unfinished: a report may have left records out."""
        for record in records:
            self._highest = max(self._highest, record.sequence)
            self.done_bytes += len(record.record)
            self._work.counters.records += 1
        first = self.first_unfinished
        if self._highest >= 0 and (first is None or first.sequence > self._highest):
            self.mark = self._highest
        self._shard.freed()
