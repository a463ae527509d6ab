"""A shard: one reader, which hands what it reads to the shard's lanes, and one checkpoint.

1. Reading stops while lanes hold enough: memory is bounded, whatever waits in the stream. A lane that is
   blocked so holds up the others once the room is taken.
2. The checkpoint never passes a record that is not done, given up or filtered.
"""

import asyncio
from typing import Final

from lambent.model.errors import AwsError, PlatformFault
from lambent.sources.backoff import Backoff
from lambent.sources.batch import MAX_EVENT_BYTES
from lambent.sources.checkpoints import Checkpoint, Sending
from lambent.sources.contract import NO_RECORDS, problem
from lambent.sources.lane import Lane
from lambent.sources.shard_reader import ShardReader
from lambent.sources.stream_batch import choose_lane
from lambent.sources.stream_destination import is_bucket, sending_of
from lambent.sources.stream_failures import AGE_EXCEEDED, GivenUp
from lambent.sources.stream_source import (
    Fetched,
    Position,
    PositionKind,
    StreamRecord,
)
from lambent.sources.stream_work import FIRST_BACKOFF_S, MAX_BACKOFF_S, StreamWork
from lambent.store.queues.contract import StoreFullError

MIN_HELD: Final = 2_000
CHECKPOINT_EVERY_S: Final = 5.0
"""POLICY: how often the checkpoint follows records that no filter keeps."""


class Shard:
    """Is a :class:`~lambent.sources.lane.Keeper`. ``first`` is where this run begins, if not at the checkpoint."""

    def __init__(
        self,
        work: StreamWork,
        shard_id: str,
        checkpoint: Checkpoint,
        first: Position | None = None,
    ) -> None:
        self.shard_id = shard_id
        self.checkpoint = checkpoint
        self._work = work
        self._reader = ShardReader(work, self, first or checkpoint.position)
        self._since_s = _since_s(checkpoint.position)
        factor = work.settings.factor
        self._lanes = [Lane(work, self, number) for number in range(factor)]
        self._marks: dict[int, int] = {}
        if checkpoint.factor == factor:
            self._marks |= checkpoint.marks
            for number, tried in checkpoint.pieces.items():
                self._lanes[number].intake.restore(tried)
        self._last_read: str | None = None
        self._behind_ms: int | None = None
        self._room = asyncio.Event()
        self.ended = False
        self._saved = checkpoint
        self._saved_s = float("-inf")
        self._full = Backoff(FIRST_BACKOFF_S, MAX_BACKOFF_S)

    async def run(self) -> None:
        """Until the shard is finished, or the poller stops."""
        if self._work.settings.tumbling_s:
            windows = await self._work.checkpoints.windows(self.shard_id)
            for number, window in windows.items():
                if number < len(self._lanes) and window.length_s == self._work.settings.tumbling_s:
                    self._lanes[number].window = window
        try:
            async with asyncio.TaskGroup() as group:
                for lane in self._lanes:
                    group.create_task(lane.run())
                group.create_task(self._reader.run())
        finally:
            self._room.set()
        finished = self.ended and all(lane.idle for lane in self._lanes)
        if finished or self._moved():
            await self._save(finished=finished)

    def end(self) -> None:
        """Nothing more comes."""
        self.ended = True
        self._room.set()
        for lane in self._lanes:
            lane.intake.end()

    @property
    def missing(self) -> bool:
        """Whether the stream says that it has no such shard."""
        return self._reader.missing

    def wake(self) -> None:
        """It may be time to stop."""
        self._room.set()
        self._reader.wake()
        for lane in self._lanes:
            lane.intake.wake()

    @property
    def in_flight(self) -> int:
        """Batches a function is handling."""
        return sum(lane.in_flight for lane in self._lanes)

    def lag_ms(self) -> int | None:
        """How old the lowest unfinished record is; without one how far the reader is behind."""
        records = (lane.first_unfinished for lane in self._lanes)
        arrivals = [record.arrived_s for record in records if record is not None]
        if arrivals:
            return max(0, round((self._work.now_s() - min(arrivals)) * 1000))
        return self._behind_ms

    def describe(self) -> dict[str, object]:
        """For ``lambent sources``."""
        position = self.checkpoint.position
        return {
            "shard_id": self.shard_id,
            "lag_ms": self.lag_ms(),
            "waiting": sum(lane.unfinished for lane in self._lanes),
            "in_flight": self.in_flight,
            "position": position.kind.value,
            "sequence_number": None if position.kind not in _BY_SEQUENCE else position.value,
        }

    # What lanes ask

    def freed(self) -> None:
        """See the protocol."""
        self._room.set()

    async def commit(self, lane: Lane, given_up: GivenUp | None = None) -> None:
        """See the protocol."""
        sending = None if given_up is None else sending_of(given_up, self._work, self.shard_id)
        refused = await self._save(lane, sending)
        if given_up is not None and not (
            sending is not None and refused is None and is_bucket(sending.target_arn)
        ):
            self._count(given_up, delivered=sending is not None and refused is None)

    def _count(self, given_up: GivenUp, *, delivered: bool) -> None:
        """AWS: what the source itself would not keep is not counted as dropped."""
        counts, events = self._work.counts, len(given_up.piece.records)
        expired = given_up.condition == AGE_EXCEEDED and self._work.settings.max_age_s is None
        if delivered:
            counts.on_failure_destination_delivered_event_count += events
        elif not expired:
            counts.dropped_event_count += events

    # What the reader says

    def take_over(self, fetched: Fetched, asked_s: float) -> None:
        """Hands records to their lanes; what was finished before a restart, or is filtered, is passed over."""
        self._work.counts.polled_event_count += len(fetched.records)
        batches: dict[int, list[StreamRecord]] = {}
        factor = len(self._lanes)
        for record in fetched.records:
            if record.arrived_s < self._since_s:
                continue
            if not record.wanted:
                self._work.counters.filtered += 1
                self._work.counts.filtered_out_event_count += 1
                continue
            number = choose_lane(record.key, factor)
            if record.sequence > self._marks.get(number, -1):
                batches.setdefault(number, []).append(record)
        for number, records in batches.items():
            self._lanes[number].intake.add(records)
        if fetched.records:
            self._last_read = fetched.records[-1].sequence_number
            for lane in self._lanes:
                lane.intake.read_to(fetched.records[-1].sequence)
        elif not self._work.counters.invoked:
            self._work.report(NO_RECORDS)
        self._behind_ms = fetched.behind_ms
        if fetched.behind_ms == 0 or (fetched.behind_ms is None and not fetched.records):
            for lane in self._lanes:
                lane.intake.caught_up(asked_s)

    async def room(self) -> None:
        """Waits until lanes can hold more."""
        while not (self._has_room() or self.ended or self._work.stopping.is_set()):
            self._room.clear()
            for lane in self._lanes:
                lane.intake.crowded()
            await self._room.wait()

    def _has_room(self) -> bool:
        settings = self._work.settings
        if sum(lane.held_bytes for lane in self._lanes) > MAX_EVENT_BYTES * (settings.factor + 1):
            return False
        most = max(MIN_HELD, 2 * settings.batch_size * settings.factor)
        if sum(len(lane.intake.waiting) for lane in self._lanes) >= most:
            return False
        return any(len(lane.intake.waiting) < 2 * settings.batch_size for lane in self._lanes)

    # The checkpoint

    def _moved(self) -> bool:
        return self._checkpoint() != self._saved

    async def save_now_and_then(self) -> None:
        """For records that nobody hands in: those that no filter keeps."""
        now_s = asyncio.get_running_loop().time()
        if now_s - self._saved_s >= CHECKPOINT_EVERY_S and self._moved():
            await self._save()

    async def _save(
        self, lane: Lane | None = None, sending: Sending | None = None, *, finished: bool = False
    ) -> AwsError | None:
        """Durable when it returns, unless the poller stops meanwhile; why the destination took nothing."""
        windows = {}
        if lane is not None and self._work.settings.tumbling_s:
            windows[lane.number] = lane.window
        while True:
            checkpoint = self._checkpoint(finished=finished)
            try:
                refused = await self._work.checkpoints.save(
                    self.shard_id, checkpoint, windows, sending
                )
                break
            except (StoreFullError, PlatformFault) as error:
                self._work.report(f"PROBLEM: The checkpoint could not be written: {error}")
                if self._work.stopping.is_set():
                    return None
                await self._work.pause(self._full.next_s())
        self.checkpoint = self._saved = checkpoint
        self._saved_s = asyncio.get_running_loop().time()
        if refused is not None:
            self._work.metrics().destination_delivery_failures += 1
            self._work.report(problem(refused))
        return refused

    def _checkpoint(self, *, finished: bool = False) -> Checkpoint:
        """As things stand."""
        unfinished = [each for each in (x.first_unfinished for x in self._lanes) if each]
        if unfinished:
            lowest = min(unfinished, key=lambda record: record.sequence)
            position = Position(PositionKind.AT_SEQUENCE_NUMBER, lowest.sequence_number)
        elif self._last_read is not None:
            position = Position(PositionKind.AFTER_SEQUENCE_NUMBER, self._last_read)
        else:
            position = self._saved.position
        marks = dict(self._marks)
        marks |= {x.number: x.mark for x in self._lanes if x.mark is not None}
        pieces = {x.number: x.tried for x in self._lanes if x.tried}
        return Checkpoint(position, len(self._lanes), marks, finished, pieces)


_BY_SEQUENCE: Final = frozenset(
    {PositionKind.AT_SEQUENCE_NUMBER, PositionKind.AFTER_SEQUENCE_NUMBER}
)


def _since_s(position: Position) -> float:
    """What arrived earlier is passed over. AWS rounds DynamoDB's times to seconds, so whole ones are compared."""
    if position.kind is PositionKind.AT_TIMESTAMP:
        return float(int(float(position.value)))
    return float("-inf")
