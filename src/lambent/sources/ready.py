"""Batches of a queue that wait for their invocation, and the message groups of those that run. No I/O.

Contract (property-tested): 1. Of a message group one batch runs at a time, and they run in the order in which they
came. 2. Every message is taken once, or dropped with its group. A standard queue has no groups: whatever
came first runs first.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from lambent.sources.batch import join_batches
from lambent.sources.queue_contract import QueueMessage


class ReadyBatches:
    """``max_records`` is what a batch may have when groups share one."""

    def __init__(self, max_records: int, *, fifo: bool) -> None:
        self._max_records = max_records
        self._fifo = fifo
        self._waiting: deque[list[QueueMessage]] = deque()
        self._running: set[str | None] = set()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, batches: Iterable[list[QueueMessage]]) -> None:
        """Those of a FIFO queue are of one group each."""
        self._waiting.extend(batches)

    def join(self, room: Callable[[], int]) -> None:
        """FIFO: where more groups could run than there is ``room`` for, they share batches.

        So that none is begun, or waits, for which there is no room: each was received to run at once.
        """
        if not self._fifo or len(self._waiting) < 2:
            return
        able, blocked = self._split()
        able = join_batches(able, max(1, room()), self._max_records)
        self._waiting = deque([*able, *blocked])

    def take(self) -> list[QueueMessage] | None:
        """The batch that may run now, whose groups run from now on; None when there is none."""
        if not self._fifo:
            return self._waiting.popleft() if self._waiting else None
        blocked = set(self._running)
        for index, batch in enumerate(self._waiting):
            groups = _groups(batch)
            if blocked.isdisjoint(groups):
                del self._waiting[index]
                self._running |= groups
                return batch
            blocked |= groups
        return None

    def ended(self, batch: Sequence[QueueMessage]) -> None:
        """A batch that was taken runs no more."""
        if self._fifo:
            self._running -= _groups(batch)

    def stop_groups(self, failed: Sequence[QueueMessage]) -> None:
        """FIFO: what was received with these of their groups is dropped: it comes again with them, behind them."""
        if self._fifo:
            groups = _groups(failed)
            kept = (
                [each for each in batch if each.group_id not in groups] for batch in self._waiting
            )
            self._waiting = deque(batch for batch in kept if batch)

    def clear(self) -> list[QueueMessage]:
        """All that waits, waiting no more."""
        left = [message for batch in self._waiting for message in batch]
        self._waiting.clear()
        return left

    def _split(self) -> tuple[list[list[QueueMessage]], list[list[QueueMessage]]]:
        """Batches that could run now, and those behind something of their groups."""
        groups = set(self._running)
        able: list[list[QueueMessage]] = []
        blocked: list[list[QueueMessage]] = []
        for batch in self._waiting:
            (able if groups.isdisjoint(_groups(batch)) else blocked).append(batch)
            groups |= _groups(batch)
        return able, blocked


def _groups(batch: Iterable[QueueMessage]) -> set[str | None]:
    return {message.group_id for message in batch}
