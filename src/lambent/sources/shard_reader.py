"""Reading a shard: an iterator, GetRecords again and again, and what to do when the stream refuses.

1. An iterator that expired is asked for again, behind the last record read.
2. A shard at its tip is polled as ``stream_polling`` says; while there is more it is read as often as streams
   allow. One that is quiet is read when it is told of a write, where somebody tells.
"""

import asyncio
from typing import Final, Protocol

from lambent.model.errors import AwsError
from lambent.sources.backoff import Backoff
from lambent.sources.contract import Writes, problem
from lambent.sources.stream_polling import READ_ON_S, PollPace
from lambent.sources.stream_source import TRIM_HORIZON, Fetched, Position, PositionKind
from lambent.sources.stream_work import FIRST_BACKOFF_S, MAX_BACKOFF_S, StreamWork, is_throttled

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
        self._poked = asyncio.Event()
        self._pace = PollPace(
            work.poll_s,
            work.now_s(),
            told=work.writes is not None,
            steady=work.settings.tumbling_s > 0,  # a window ends when it was read to its end
        )

    def wake(self) -> None:
        """It may be time to stop."""
        self._poked.set()

    async def run(self) -> None:
        """Until the end of the shard, or until the poller is to stop."""
        while True:
            await self._shard.room()
            if self._work.stopping.is_set() or self._shard.ended:
                return
            asked_s = self._work.now_s()
            writes = self._work.writes
            seen = 0 if writes is None else writes.count
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
                await self._rest(fetched, seen)

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

    async def _rest(self, fetched: Fetched, seen: int) -> None:
        """Until the next read is due. ``seen``: the writes that were told before this one."""
        more = bool(fetched.behind_ms) or len(fetched.records) >= self._limit()
        wait_s = self._pace.next_s(self._work.now_s(), found=bool(fetched.records), more=more)
        await self._work.pause(min(wait_s, self._work.poll_s))
        writes, left_s = self._work.writes, wait_s - self._work.poll_s
        if left_s <= 0 or self._work.stopping.is_set():
            return
        if writes is None or writes.count == seen:
            await self._sleep(left_s, writes)
        if writes is not None and writes.count != seen:
            self._pace.woken(self._work.now_s())

    async def _sleep(self, seconds: float, writes: Writes | None) -> None:
        """No longer than until a write is told, or the poller is to stop."""
        self._poked.clear()
        forget = writes.once(self._poked.set) if writes is not None else None
        try:
            async with asyncio.timeout(seconds):
                await self._poked.wait()
        except TimeoutError:
            return
        finally:
            if forget is not None:
                forget()
