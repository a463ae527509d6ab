"""Batches of records, made without I/O: what goes into one invocation.

Contract (property-tested): 1. Every record comes out once, in the order in which records came in. 2. No
batch has more than ``max_records``, nor an event larger than ``max_bytes`` unless a single record is.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final, Generic, Protocol, TypeVar

MAX_EVENT_BYTES: Final = 6 * 1024 * 1024
"""AWS: the payload of a batch, which is the quota of a synchronous call. Source: "Event source mappings"."""
_FRAME: Final = len(b'{"Records":[]}')
_LINEAGE = re.compile(r"Lineage=\d{1,3}:[0-9a-f]{8}:(\d{1,5})")


class Encoded(Protocol):
    """A record as it stands in the event: ``record`` is JSON."""

    @property
    def record(self) -> bytes: ...


T = TypeVar("T", bound=Encoded)


class Packer(Generic[T]):
    """Fills batches one after the other."""

    def __init__(self, max_records: int, max_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._open: list[T] = []
        self._size = _FRAME

    @property
    def waiting(self) -> int:
        """Records in the open batch."""
        return len(self._open)

    def add(self, records: Iterable[T]) -> list[list[T]]:
        """The batches that are full with these; the rest waits in the open one."""
        closed = []
        for record in records:
            size = len(record.record) + 1
            if self._open and self._size + size > self._max_bytes:
                closed.append(self.take())
            self._open.append(record)
            self._size += size
            if len(self._open) >= self._max_records:
                closed.append(self.take())
        return closed

    def take(self) -> list[T]:
        """Closes the open batch; it may be empty."""
        taken, self._open, self._size = self._open, [], _FRAME
        return taken


def join_batches(
    batches: Sequence[Sequence[T]], most: int, max_records: int, max_bytes: int = MAX_EVENT_BYTES
) -> list[list[T]]:
    """The batches as they are where there are ``most`` or fewer; else put together, each into the first with room.

    None is taken apart. What came in n lots that would each fit into a batch becomes n batches at most.
    """
    if len(batches) <= most:
        return [list(batch) for batch in batches]
    joined: list[list[T]] = []
    sizes: list[int] = []
    for batch in batches:
        size = sum(len(each.record) + 1 for each in batch)
        for place, other in enumerate(joined):
            if len(other) + len(batch) <= max_records and sizes[place] + size <= max_bytes:
                other.extend(batch)
                sizes[place] += size
                break
        else:
            joined.append(list(batch))
            sizes.append(_FRAME + size)
    return joined


def make_event(records: Sequence[Encoded]) -> bytes:
    """``{"Records": […]}``."""
    return b'{"Records":[' + b",".join(each.record for each in records) + b"]}"


def choose_trace(traces: Iterable[str | None]) -> str | None:
    """The trace header a batch is invoked with: the one whose chain came back to its function most often.

    AWS does not say which message's it is; so a loop is found however its messages are batched.
    """
    return max((trace for trace in traces if trace), key=_passes, default=None)


def _passes(trace: str) -> int:
    found = _LINEAGE.search(trace)
    return int(found[1]) if found else -1
