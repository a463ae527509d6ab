"""The queue store's contract: durable queues of messages, and small records beside them.

One store serves asynchronous invocation, SQS and SNS, so that "taken from here, put there" is one
transaction. Services decide (limits, policies, redrive, what AWS calls things); the store keeps.

1. Work handed to :meth:`QueueStore.run` is one transaction: all of it is on disk when ``run`` returns,
   and nothing of it when the work raises. Works that come together are committed together.
2. A message is received by one receiver at a time: until ``visible_at_ms`` passes, or it is released.
   Each receive counts, and gives a new receipt; an older receipt no longer holds the message.
3. A FIFO queue gives the messages of a group in the order in which they were sent, and none of a group
   of which another one is in flight; groups do not wait for each other. A delayed message holds its group.
4. Sending with a deduplication key seen within the last five minutes stores nothing.
5. No operation costs more the more messages wait: each is logarithmic in the queue.
6. After a crash every committed message is there, in flight as it was. Nothing uncommitted is.
7. Times are Unix milliseconds given by the caller; the store has no clock.
8. A ``queue_id`` of no queue is a KeyError, from every operation. Messages of a FIFO queue without a
   group are one group.

The implementations are held to one suite: tests/contract/test_queue_store.py.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

T = TypeVar("T")

DEDUPLICATION_MS = 5 * 60 * 1000
"""AWS: the deduplication interval. Source: "Exactly-once processing in Amazon SQS"."""


class StoreFullError(Exception):
    """The disk has no room for more: nothing was stored. What is there can still be received."""


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue: ``key`` is its owner's name for it, ``document`` what the owner keeps about it (JSON)."""

    queue_id: int
    key: str
    fifo: bool
    document: str


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to be stored. ``attributes`` is the owner's JSON; the store reads none of it.

    ``group_id`` and ``deduplication_key`` are for FIFO queues; a queue that is not FIFO takes a
    ``deduplication_key`` too.
    """

    message_id: str
    body: bytes
    attributes: str = "{}"
    visible_at_ms: int = 0
    group_id: str | None = None
    deduplication_key: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a sent message; the first one's ids when it was a duplicate."""

    message_id: str
    sequence: int
    duplicate: bool


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a receiver holds a message by. ``receives`` makes receipts of earlier receives stale."""

    sequence: int
    receives: int


@dataclass(frozen=True, slots=True)
class Message:
    """A message as received, or looked at. ``receives`` counts this receive too."""

    sequence: int
    message_id: str
    body: bytes
    attributes: str
    group_id: str | None
    sent_at_ms: int
    first_received_at_ms: int | None
    visible_at_ms: int
    receives: int

    @property
    def receipt(self) -> Receipt:
        """To delete it, or to change when it is visible again."""
        return Receipt(self.sequence, self.receives)


@dataclass(frozen=True, slots=True)
class Counts:
    """Messages that can be received now, that a receiver holds, and that are not visible yet."""

    visible: int
    in_flight: int
    delayed: int


class Transaction(Protocol):
    """What work can do. Lives on the store's thread, only while the work runs."""

    # Queues

    def create_queue(self, key: str, *, fifo: bool, document: str) -> Queue:
        """Raises ValueError when there is one of that key."""
        ...

    def find_queue(self, key: str) -> Queue | None: ...

    def list_queues(self, prefix: str, after: str | None, limit: int) -> list[Queue]:
        """By key, those that start with ``prefix`` and come after ``after``."""
        ...

    def set_document(self, queue_id: int, document: str) -> None: ...

    def delete_queue(self, queue_id: int) -> None:
        """With every message in it, at once; the rows of a large queue may go in the background."""
        ...

    # Messages

    def send(self, queue_id: int, messages: Sequence[NewMessage], now_ms: int) -> list[Sent]:
        """One :class:`Sent` each, in order. Raises :class:`StoreFullError`, KeyError without the queue."""
        ...

    def receive(self, queue_id: int, limit: int, now_ms: int, visible_at_ms: int) -> list[Message]:
        """At most ``limit`` messages, held until ``visible_at_ms``.

        Standard queues: what became visible first comes first. FIFO queues: of a group as many as there
        are, in order, up to the first one that is delayed; then of the next group.
        """
        ...

    def find(self, queue_id: int, sequence: int) -> Message | None:
        """A message without receiving it."""
        ...

    def browse(self, queue_id: int, after_sequence: int, limit: int) -> list[Message]:
        """Messages by sequence, whether visible or not, without receiving them."""
        ...

    def delete(self, queue_id: int, receipt: Receipt) -> bool:
        """Whether the message was there and held by this receipt; else nothing changes.

        The last receipt holds it even after ``visible_at_ms``, until the message is received again.
        """
        ...

    def change_visibility(
        self, queue_id: int, receipt: Receipt, visible_at_ms: int, now_ms: int
    ) -> bool:
        """Whether the message was in flight and held by this receipt; else nothing changes."""
        ...

    def update_attributes(self, queue_id: int, receipt: Receipt, attributes: str) -> bool:
        """Rewrites what the owner keeps with a held message."""
        ...

    def move(self, queue_id: int, sequence: int, to_queue_id: int, now_ms: int) -> Sent | None:
        """Takes a message to another queue, visible there now, its receives forgotten.

        Its id, body, attributes, group and the time it was sent stay. None when it is not there.
        """
        ...

    def purge(self, queue_id: int) -> None:
        """Deletes every message, those in flight too."""
        ...

    def expire(self, queue_id: int, sent_before_ms: int, limit: int) -> int:
        """Deletes at most ``limit`` messages sent before; how many went."""
        ...

    def release(self, queue_id: int) -> int:
        """Makes every received message visible again without counting: its receivers are no more.

        How many that changed. A message whose visibility its receiver changed is made visible too.
        """
        ...

    def count(self, queue_id: int, now_ms: int) -> Counts: ...

    def oldest_sent_at_ms(self, queue_id: int) -> int | None:
        """When the oldest message of the queue was sent."""
        ...

    def next_visible_at_ms(self, queue_id: int, now_ms: int) -> int | None:
        """When the next message that cannot be received now becomes visible (in flight or delayed).

        In a FIFO queue others of its group may still hold it then: ask again.
        """
        ...

    # Records

    def put_record(self, kind: str, key: str, document: str) -> None: ...
    def find_record(self, kind: str, key: str) -> str | None: ...
    def list_records(
        self, kind: str, prefix: str, after: str | None, limit: int
    ) -> list[tuple[str, str]]:
        """(key, document) by key."""
        ...

    def delete_record(self, kind: str, key: str) -> bool: ...


OnArrival = Callable[[frozenset[int]], None]
"""Told, on the loop's thread and after the commit, the ids of queues in which something became visible

by being sent, moved, released or made visible at once, or because what held its group is gone; now and
then one too many is told. The passing of time is nobody's arrival: see
:meth:`Transaction.next_visible_at_ms`.
"""


class QueueStore(Protocol):
    """A queue store. Lives on the loop's thread; its transactions may run on one of its own."""

    async def run(self, work: Callable[[Transaction], T]) -> T:
        """Runs ``work`` in a transaction; durable when it returns, undone when it raises.

        ``work`` must not wait for anything. Raises what it raises, or :class:`StoreFullError`.
        """
        ...

    def subscribe(self, on_arrival: OnArrival) -> Callable[[], None]:
        """Has arrivals told; the answer ends it."""
        ...

    async def clear(self) -> None:
        """Forgets every queue, message and record."""
        ...
