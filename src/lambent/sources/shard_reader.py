"""Reading a shard: an iterator, GetRecords again and again, and what to do when the stream refuses.

1. An iterator that expired is asked for again, behind the last record read.
2. A shard at its tip is polled once a second; while there is more it is read as often as streams allow.
"""

from typing import Final, Protocol

from lambent.model.errors import AwsError
from lambent.sources.backoff import Backoff
from lambent.sources.contract import problem
from lambent.sources.stream_source import TRIM_HORIZON, Fetched, Position, PositionKind
from lambent.sources.stream_work import FIRST_BACKOFF_S, MAX_BACKOFF_S, StreamWork, is_throttled

POLL_S: Final = 1.0
"""AWS: "Lambda polls shards for records at a base rate of once per second" (Kinesis).

POLICY: the same for DynamoDB, whose shards AWS polls four times a second.
"""
READ_ON_S: Final = 0.2
"""AWS: five reads a second of one shard."""
MIN_FETCH: Final = 1_000
"""POLICY: read ahead of small batches, so that five reads a second do not limit what runs."""
_EXPIRED: Final = frozenset({"ExpiredIteratorException", "ExpiredNextTokenException"})


class Taker(Protocol):
    """The shard, as its reader sees it."""

    @property
    def shard_id(self) -> str: ...
    @property
    def ended(self) -> bool: ...
    def take_over(self, fetched: Fetched, asked_s: float) -> None:
        """Records, in order; everything that had arrived at ``asked_s`` (Unix) may be among them."""
        ...

    def end(self) -> None:
        """There is nothing more."""
        ...

    async def room(self) -> None:
        """Waits until more can be taken."""
        ...

    async def save_now_and_then(self) -> None: ...


class ShardReader:
    """See the module. ``start`` is where it begins."""

    def __init__(self, work: StreamWork, shard: Taker, start: Position) -> None:
        self.missing = False
        """Whether the stream says that it has no such shard."""
        self._work = work
        self._shard = shard
        self._start = start
        self._iterator: str | None = None
        self._broken = Backoff(FIRST_BACKOFF_S, MAX_BACKOFF_S)

    async def run(self) -> None:
        """Until the end of the shard, or until the poller is to stop."""
        while True:
            await self._shard.room()
            if self._work.stopping.is_set() or self._shard.ended:
                return
            asked_s = self._work.now_s()
            try:
                fetched = await self._fetch()
            except AwsError as error:
                self._iterator = None
                await self._failed(error)
                continue
            self._broken.reset()
            self._iterator = fetched.next_iterator
            if fetched.records:
                last = fetched.records[-1].sequence_number
                self._start = Position(PositionKind.AFTER_SEQUENCE_NUMBER, last)
            self._shard.take_over(fetched, asked_s)
            if self._iterator is None:
                self._shard.end()
                return
            await self._shard.save_now_and_then()
            if not self._work.source_waits:
                await self._work.pause(self._pause_s(fetched))

    async def _fetch(self) -> Fetched:
        source, shard_id = self._work.source, self._shard.shard_id
        if self._iterator is None:
            self._iterator = await source.iterator(shard_id, self._start)
        return await source.fetch(shard_id, self._iterator, self._limit())

    async def _failed(self, error: AwsError) -> None:
        """What is to be done before it is tried again."""
        if error.code in _EXPIRED:
            await self._work.pause(READ_ON_S)
            return
        if error.code == "TrimmedDataAccessException":
            self._start = TRIM_HORIZON
            await self._work.pause(READ_ON_S)
            return
        self.missing = error.code == "ResourceNotFoundException"
        if not is_throttled(error):
            self._work.report(problem(error))
        await self._work.pause(self._broken.next_s())

    def _limit(self) -> int:
        settings = self._work.settings
        wanted = max(MIN_FETCH, settings.batch_size * settings.factor)
        return min(wanted, self._work.source.max_fetch)

    def _pause_s(self, fetched: Fetched) -> float:
        more = fetched.behind_ms or len(fetched.records) >= self._limit()
        return READ_ON_S if more else POLL_S
