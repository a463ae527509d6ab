"""What waits to be delivered to one subscriber, bounded. No I/O, no clock.

Contract: at most one batch waits and one is on its way, each of at most ``max_items`` records and ``max_bytes``;
what comes beyond is dropped, counted, and the next batch begins with the count. An event larger than ``max_bytes``
goes alone.
"""

from collections.abc import Callable

Dropped = Callable[[int, int], bytes]
"""``(records, bytes)`` → a ``platform.logsDropped`` event."""


class Batches:
    """See the module. Events are whole JSON documents."""

    def __init__(self, max_items: int, max_bytes: int, describe_dropped: Dropped) -> None:
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._describe_dropped = describe_dropped
        self._events: list[bytes] = []
        self._size_bytes = 0
        self._on_its_way: list[bytes] = []
        self._dropped_records = 0
        self._dropped_bytes = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._events and not self._dropped_records

    @property
    def is_full(self) -> bool:
        """Whether what waits should go now."""
        return len(self._events) >= self._max_items or self._size_bytes >= self._max_bytes

    def add(self, event: bytes) -> None:
        """One more event; the first one that does not fit is dropped, unless nothing else waits."""
        fits = self._size_bytes + len(event) <= self._max_bytes or not self._events
        if self.is_full or not fits:
            self._count_dropped([event])
        else:
            self._events.append(event)
            self._size_bytes += len(event)

    def take(self) -> bytes:
        """What waits, as a JSON array, is on its way from now on; :meth:`arrived` or :meth:`lost` follows."""
        if self._dropped_records:
            self._events.insert(
                0, self._describe_dropped(self._dropped_records, self._dropped_bytes)
            )
            self._dropped_records = self._dropped_bytes = 0
        self._on_its_way, self._events, self._size_bytes = self._events, [], 0
        return b"[" + b",".join(self._on_its_way) + b"]"

    def arrived(self) -> None:
        """What was on its way was delivered."""
        self._on_its_way = []

    def lost(self) -> None:
        """It was not, and will not be."""
        self._count_dropped(self._on_its_way)
        self._on_its_way = []

    def _count_dropped(self, events: list[bytes]) -> None:
        self._dropped_records += len(events)
        self._dropped_bytes += sum(map(len, events))
