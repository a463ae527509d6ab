"""Topics and subscriptions as the store's records, and the engine queues that belong to them.

These run inside transactions.
"""

from collections.abc import Iterable, Iterator

from lambent.services.sns import subscription, topic
from lambent.services.sns.fan_out import deduplication_queue_key
from lambent.services.sns.subscription import Subscription
from lambent.services.sns.topic import Topic
from lambent.store.queues.contract import Transaction

_PAGE = 1_000


def load(tx: Transaction) -> tuple[list[Topic], list[Subscription]]:
    """Everything that is kept."""
    topics = [Topic.from_document(*one) for one in _records(tx, topic.RECORD_KIND)]
    kept = _records(tx, subscription.RECORD_KIND)
    return topics, [Subscription.from_document(*one) for one in kept]


def put_topic(tx: Transaction, one: Topic) -> None:
    """Writes one; a FIFO topic has a queue besides."""
    tx.put_record(topic.RECORD_KIND, one.arn, one.to_document())
    if one.fifo and tx.find_queue(deduplication_queue_key(one.arn)) is None:
        tx.create_queue(deduplication_queue_key(one.arn), fifo=False, document="{}")


def delete_topic(tx: Transaction, one: Topic, its: Iterable[Subscription]) -> None:
    """Deletes one with all its subscriptions."""
    tx.delete_record(topic.RECORD_KIND, one.arn)
    for each in its:
        delete_subscription(tx, each)
    queue = tx.find_queue(deduplication_queue_key(one.arn))
    if queue is not None:
        tx.delete_queue(queue.queue_id)


def put_subscription(tx: Transaction, one: Subscription) -> int | None:
    """Writes one; the id of the queue of its HTTP deliveries, if it has any."""
    tx.put_record(subscription.RECORD_KIND, one.arn, one.to_document())
    if not one.by_http:
        return None
    queue = tx.find_queue(one.queue_key)
    if queue is None:
        queue = tx.create_queue(one.queue_key, fifo=False, document="{}")
    return queue.queue_id


def delete_subscription(tx: Transaction, one: Subscription) -> None:
    """Deletes one with what was not delivered yet."""
    tx.delete_record(subscription.RECORD_KIND, one.arn)
    queue = tx.find_queue(one.queue_key) if one.by_http else None
    if queue is not None:
        tx.delete_queue(queue.queue_id)


def _records(tx: Transaction, kind: str) -> Iterator[tuple[str, str]]:
    after = None
    while page := tx.list_records(kind, "", after, _PAGE):
        yield from page
        after = page[-1][0]
