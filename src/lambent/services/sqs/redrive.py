"""Taking messages out of a queue: expired ones are deleted, those received too often are dead letters.

All in the transaction of the receive: a message is in its queue or in the dead-letter queue, never
in both, and never in neither.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from lambent.services.sqs.queue import SqsQueue
from lambent.services.sqs.stored import parse_stored
from lambent.store.queues.contract import Message, NewMessage, Transaction

EXPIRE_SLICE: Final = 100
"""POLICY: expired messages deleted along with a receive; the sweep takes the rest."""
_MAX_ROUNDS: Final = 10
"""POLICY: a receive moves or deletes at most ten times what it may return, and then looks again."""


@dataclass(frozen=True, slots=True)
class Take:
    """What is to be taken: at most ``limit`` messages, for ``visibility_s``.

    ``dead_letters`` is the queue of the redrive policy, if it exists; ``tell_next``: say when the next
    message becomes visible; ``expires_from_ms``: before then there is nothing to expire;
    ``in_flight_at_most``: what is in flight, or more; None when it has to be counted.
    """

    queue: SqsQueue
    limit: int
    visibility_s: int
    dead_letters: SqsQueue | None
    tell_next: bool
    expires_from_ms: int
    max_in_flight: int
    in_flight_at_most: int | None


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken. ``more``: there may be messages that were not looked at.

    ``in_flight``: how many were in flight before, if they were counted; ``moved``: there are dead letters.
    """

    messages: list[Message]
    now_ms: int
    visible_at_ms: int
    more: bool = False
    next_visible_at_ms: int | None = None
    expires_from_ms: int = 0
    in_flight: int | None = None
    moved: bool = False


def take(tx: Transaction, asked: Take, clock: Callable[[], int]) -> Taken:
    """Receives, within a transaction."""
    queue, now_ms = asked.queue, clock()
    expires_from_ms = asked.expires_from_ms
    if now_ms >= expires_from_ms:
        expires_from_ms = expire(tx, queue, now_ms)
    limit, in_flight = asked.limit, None
    at_most = asked.in_flight_at_most
    if at_most is None or at_most + limit > asked.max_in_flight:
        in_flight = tx.count(queue.queue_id, now_ms).in_flight
        limit = min(limit, asked.max_in_flight - in_flight)
    kept, moved, more = _receive(tx, asked, limit, now_ms) if limit > 0 else ([], False, False)
    next_visible = tx.next_visible_at_ms(queue.queue_id, now_ms) if asked.tell_next else None
    visible_at_ms = now_ms + asked.visibility_s * 1000
    return Taken(kept, now_ms, visible_at_ms, more, next_visible, expires_from_ms, in_flight, moved)


def _receive(
    tx: Transaction, asked: Take, limit: int, now_ms: int
) -> tuple[list[Message], bool, bool]:
    queue, settings = asked.queue, asked.queue.settings
    visible_at_ms = now_ms + asked.visibility_s * 1000
    sent_after_ms = now_ms - settings.retention_s * 1000
    most = settings.redrive.max_receives if settings.redrive else None
    target = asked.dead_letters
    kept: list[Message] = []
    moved = False
    for _ in range(_MAX_ROUNDS):
        if len(kept) >= limit:
            break
        received = tx.receive(queue.queue_id, limit - len(kept), now_ms, visible_at_ms)
        for message in received:
            if message.sent_at_ms <= sent_after_ms:
                tx.delete(queue.queue_id, message.receipt)
            elif (
                most is not None
                and message.receives > most
                and target is not None
                and _bury(tx, queue, message, target, now_ms)
            ):
                moved = True
            else:
                kept.append(message)
        # Without a visibility timeout the next round would find the same messages again.
        if not received or (asked.visibility_s == 0 and kept):
            return kept, moved, False
    return kept, moved, True


def _bury(
    tx: Transaction, queue: SqsQueue, message: Message, dead_letters: SqsQueue, now_ms: int
) -> bool:
    """Whether the dead-letter queue is still there; else the message stays."""
    if tx.find_queue(dead_letters.name.key) is None:
        return False
    stored = parse_stored(message.attributes)
    # This receive is nobody's: the message is not given out.
    receives = stored.receives_before + message.receives - 1
    attributes = stored.as_dead_letter(queue.arn, receives).format()
    if queue.fifo:
        # AWS: a FIFO queue's dead letter counts as sent when it is moved; a standard queue's does not.
        dead = NewMessage(message.message_id, message.body, attributes, now_ms, message.group_id)
        tx.send(dead_letters.queue_id, [dead], now_ms)
        tx.delete(queue.queue_id, message.receipt)
        return True
    tx.update_attributes(queue.queue_id, message.receipt, attributes)
    tx.move(queue.queue_id, message.sequence, dead_letters.queue_id, now_ms)
    return True


def expire(tx: Transaction, queue: SqsQueue, now_ms: int, limit: int = EXPIRE_SLICE) -> int:
    """Deletes messages older than the retention; until when there is nothing more to delete."""
    retention_ms = queue.settings.retention_s * 1000
    gone = tx.expire(queue.queue_id, now_ms - retention_ms, limit)
    if gone >= limit:
        return now_ms
    oldest_ms = tx.oldest_sent_at_ms(queue.queue_id)
    return max(now_ms, (now_ms if oldest_ms is None else oldest_ms) + retention_ms)
