"""Batches of a shard's records, made without I/O: which lane a record goes by, what goes into one event.

Contract (property-tested): 1. Every record comes out once, and those of a lane in order. 2. Records of one key
go by one lane, wherever and whenever they are hashed. 3. No batch has more than ``max_records``, nor more than
``max_bytes`` unless a single record is larger.
"""

import hashlib
from collections import deque
from collections.abc import Collection, Iterator, Sequence

from lambent.sources.stream_source import StreamRecord


def choose_lane(key: str, factor: int) -> int:
    """The lane of a key, of ``factor`` many. The same in every process, for checkpoints name lanes."""
    if factor == 1:
        return 0
    digest = hashlib.blake2b(key.encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % factor


class LaneQueue:
    """Records that wait in a lane, and since when. Times are any clock's seconds."""

    def __init__(self) -> None:
        self._records: deque[StreamRecord] = deque()
        self._added: deque[tuple[int, float]] = deque()

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[StreamRecord]:
        return iter(self._records)

    def __contains__(self, record: object) -> bool:
        return record in self._records

    @property
    def first(self) -> StreamRecord:
        """The next one. There has to be one."""
        return self._records[0]

    @property
    def since_s(self) -> float:
        """How long the first one waits."""
        return self._added[0][1]

    def add(self, records: Sequence[StreamRecord], now_s: float) -> None:
        """Behind those that wait."""
        self._records.extend(records)
        self._added.append((len(records), now_s))

    def take(self, count: int) -> tuple[StreamRecord, ...]:
        """The first ones."""
        taken = tuple(self._records.popleft() for _ in range(count))
        while count:
            added, when_s = self._added.popleft()
            if added > count:
                self._added.appendleft((added - count, when_s))
                break
            count -= added
        return taken


def batch_end(
    waiting: Collection[StreamRecord],
    max_records: int,
    max_bytes: int,
    before_s: float | None = None,
) -> tuple[int, bool]:
    """How many of the first records make a batch, and whether it is full: more could not be added.

    ``before_s``: what arrived then or later belongs to another batch.
    """
    size = 0
    for number, record in enumerate(waiting):
        if number >= max_records:
            return number, True
        if before_s is not None and record.arrived_s >= before_s:
            return number, True
        size += len(record.record) + 1
        if number and size > max_bytes:
            return number, True
    return len(waiting), len(waiting) >= max_records or size >= max_bytes
