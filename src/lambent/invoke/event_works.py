"""What the event queue does in transactions: works for the queue store, which run on its thread."""

from collections.abc import Sequence

from lambent.invoke.events import QUEUE_PREFIX, open_queue
from lambent.store.queues.contract import Message, NewMessage, Transaction

HELD_MS = 24 * 60 * 60 * 1000
"""Longer than any invocation: an event in flight comes back by a restart only."""
_PAGE = 500


def store(
    tx: Transaction, key: str, messages: Sequence[NewMessage], now_ms: int, *, takes: bool
) -> tuple[int, list[Message]]:
    """Stores one function's events and, where ``takes``, receives one; its queue's id, and that one."""
    queue_id = open_queue(tx, key).queue_id
    tx.send(queue_id, messages, now_ms)
    received = tx.receive(queue_id, 1, now_ms, now_ms + HELD_MS) if takes else []
    return queue_id, received


def take(
    tx: Transaction, key: str, limit: int, now_ms: int
) -> tuple[int, list[Message], int | None]:
    """At most ``limit`` events, and when the next is due if these are all. Queue 0: there is none."""
    queue = tx.find_queue(key)
    if queue is None:
        return 0, [], None
    found = tx.receive(queue.queue_id, limit, now_ms, now_ms + HELD_MS)
    is_all = len(found) < limit
    due = tx.next_visible_at_ms(queue.queue_id, now_ms) if is_all else None
    if due is not None and due > now_ms + HELD_MS // 2:
        due = None  # what is in flight only, and ends by itself
    return queue.queue_id, found, due


def drop(tx: Transaction, key: str, now_ms: int) -> tuple[int, int] | None:
    """Deletes a function's queue: its id, and how many events went with it. None where there is none."""
    queue = tx.find_queue(key)
    if queue is None:
        return None
    counts = tx.count(queue.queue_id, now_ms)
    tx.delete_queue(queue.queue_id)
    return queue.queue_id, counts.visible + counts.in_flight + counts.delayed


def release(tx: Transaction, after: str | None) -> tuple[list[tuple[int, str, bool]], str | None]:
    """A page of functions' queues (id, key, whether anything is in it), and where the next one starts.

    What was in flight can be received again, and so can retries: their due time is kept with the event.
    """
    queues = tx.list_queues(QUEUE_PREFIX, after, _PAGE)
    found = []
    for queue in queues:
        tx.release(queue.queue_id)
        has_messages = tx.oldest_sent_at_ms(queue.queue_id) is not None
        found.append((queue.queue_id, queue.key, has_messages))
    return found, queues[-1].key if len(queues) == _PAGE else None
