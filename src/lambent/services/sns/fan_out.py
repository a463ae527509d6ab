"""From a topic to its subscriptions, in one transaction. What is decided is decided before it.

``prepare`` filters, and signs where somebody gets an envelope: it blocks, so it runs on a thread. ``deliver``
is the transaction's part: each matching subscription gets its message, or its dead-letter queue does, or nobody.
"""

import json
import logging
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from lambent.model.errors import AwsError
from lambent.model.outgoing import Outgoing
from lambent.services.sns import faults
from lambent.services.sns.arns import is_fifo
from lambent.services.sns.envelope import (
    NOTIFICATION,
    Notification,
    canonical_string,
    format_timestamp,
    lambda_event,
    notification_json,
    signed_members,
    unsubscribe_url,
)
from lambent.services.sns.matching import Filter
from lambent.services.sns.publication import Publication
from lambent.services.sns.signing import Signer
from lambent.services.sns.subscription import Subscription
from lambent.services.sns.topic import Topic
from lambent.store.queues.contract import NewMessage, Transaction
from lambent.store.queues.outlet import Outlet

PRINCIPAL: Final = "sns.amazonaws.com"
_MAX_RAW_ATTRIBUTES: Final = 10
"""AWS: a raw message with more is discarded as a client-side error: SQS takes no more."""
_FIRST_SEQUENCE: Final = 10**19
"""AWS: sequence numbers have 20 digits."""
_log = logging.getLogger("lambent.sns")


@dataclass(frozen=True, slots=True)
class Share:
    """One subscription's share of a publication."""

    subscription: Subscription
    notification: Notification


@dataclass(frozen=True, slots=True)
class Prepared:
    """A publication, and who gets it."""

    topic: Topic
    publication: Publication
    shares: Sequence[Share]


def prepare(
    topic: Topic,
    publication: Publication,
    subscriptions: Iterable[Subscription],
    signer: Signer,
    now_ms: int,
) -> Prepared:
    """Who gets the publication, of these confirmed subscriptions, and what vouches for it."""
    passing = Filter(publication)
    chosen = [one for one in subscriptions if passing.passes(one)]
    timestamp = format_timestamp(now_ms)
    by_text: dict[str, Notification] = {}
    for subscription in chosen:
        text = publication.text_for(subscription.protocol)
        signing = not topic.fifo and not subscription.raw
        if text not in by_text or (signing and by_text[text].signature is None):
            notification = Notification(
                publication.message_id,
                topic.arn,
                text,
                timestamp,
                publication.subject,
                publication.attributes,
            )
            if signing:
                signed = canonical_string(signed_members(notification))
                signature = signer.sign(signed, topic.signature_version)
                notification = replace(notification, signature=signature)
            by_text[text] = notification
    shares = [Share(one, by_text[publication.text_for(one.protocol)]) for one in chosen]
    return Prepared(topic, publication, shares)


def deliver(
    tx: Transaction, prepared: Sequence[Prepared], outlets: Outlet, endpoint: str, now_ms: int
) -> list[tuple[str, str | None]]:
    """Puts every share where it goes; (message id, sequence number) of each publication, in order.

    A duplicate of a FIFO topic is delivered to nobody and has the first one's ids.
    """
    published: list[tuple[str, str | None]] = []
    for one in prepared:
        sequence = None
        if one.topic.fifo:
            message_id, sequence, duplicate = _number(tx, one, now_ms)
            if duplicate:
                published.append((message_id, sequence))
                continue
        for share in one.shares:
            _put_or_dead_letter(tx, _Delivery(outlets, endpoint, now_ms, one, share, sequence))
        published.append((one.publication.message_id, sequence))
    return published


def deduplication_queue_key(topic_arn: str) -> str:
    """The engine queue in which a FIFO topic's messages are numbered, and duplicates known. Always empty."""
    return f"sns-fifo:{topic_arn}"


def _number(tx: Transaction, one: Prepared, now_ms: int) -> tuple[str, str, bool]:
    """The id, the sequence number, and whether it is a duplicate: the engine's own deduplication."""
    publication, topic = one.publication, one.topic
    key = publication.deduplication
    if topic.attributes.get("FifoThroughputScope") == "MessageGroup":
        key = f"{publication.group_id} {key}"  # neither may hold a blank
    queue = tx.find_queue(deduplication_queue_key(topic.arn))
    if queue is None:
        raise faults.no_topic()
    message = NewMessage(publication.message_id, b"", deduplication_key=key)
    sent = tx.send(queue.queue_id, [message], now_ms)[0]
    if not sent.duplicate:
        for held in tx.receive(queue.queue_id, 1, now_ms, now_ms + 1):
            tx.delete(queue.queue_id, held.receipt)
    return sent.message_id, str(_FIRST_SEQUENCE + sent.sequence), sent.duplicate


@dataclass(frozen=True, slots=True)
class _Delivery:
    """A share on its way."""

    outlets: Outlet
    endpoint: str
    now_ms: int
    prepared: Prepared
    share: Share
    sequence: str | None

    @property
    def notification(self) -> Notification:
        return replace(self.share.notification, sequence_number=self.sequence)

    def body(self) -> bytes:
        """What SQS and HTTP(S) get, and dead-letter queues."""
        subscription = self.share.subscription
        if subscription.raw:
            return self.share.notification.message.encode()
        return notification_json(
            self.notification, unsubscribe_url(self.endpoint, subscription.arn)
        )

    def outgoing(self, body: bytes, target_arn: str) -> Outgoing:
        """In SNS's name, for the topic. Of ids each queue is given those it takes."""
        topic, publication = self.prepared.topic, self.prepared.publication
        to_fifo = is_fifo(target_arn)
        grouped = to_fifo or not topic.fifo
        return Outgoing(
            body=body,
            principal=PRINCIPAL,
            source_arn=topic.arn,
            source_account=topic.account_id,
            attributes=publication.attributes if self.share.subscription.raw else {},
            group_id=publication.group_id if grouped else None,
            deduplication_id=publication.deduplication if to_fifo else None,
            trace_header=publication.trace_header,
        )


def _put_or_dead_letter(tx: Transaction, put: _Delivery) -> None:
    subscription = put.share.subscription
    try:
        _put(tx, put)
    except AwsError as error:
        _log.info(
            "%s of %s was refused by %s: %s: %s",
            put.prepared.publication.message_id, put.prepared.topic.arn,
            subscription.endpoint, error.code, error.message,
        )  # fmt: skip
        target = subscription.dead_letter_arn
        if target is not None:
            dead_letter(tx, put.outlets, subscription, put.outgoing(put.body(), target), put.now_ms)


def _put(tx: Transaction, put: _Delivery) -> None:
    subscription = put.share.subscription
    if subscription.protocol == "sqs":
        attributes = put.prepared.publication.attributes
        if subscription.raw and len(attributes) > _MAX_RAW_ATTRIBUTES:
            raise faults.invalid("a raw message to SQS has at most 10 attributes")
        outgoing = put.outgoing(put.body(), subscription.endpoint)
        put.outlets.put(tx, subscription.endpoint, outgoing, put.now_ms)
    elif subscription.protocol == "lambda":
        url = unsubscribe_url(put.endpoint, subscription.arn)
        event = lambda_event(put.notification, subscription.arn, url)
        outgoing = replace(
            put.outgoing(event, subscription.endpoint),
            group_id=None,
            trace_header=put.prepared.publication.trace_header or _new_trace(put.now_ms),
        )
        put.outlets.put(tx, subscription.endpoint, outgoing, put.now_ms)
    else:
        message_id = put.prepared.publication.message_id
        send_by_http(tx, subscription, NOTIFICATION, message_id, put.body(), put.now_ms)


def _new_trace(now_ms: int) -> str:
    """AWS: an invocation always has a trace; without one a function's loop would not be known.

    Whether it is sampled is the function's to say.
    """
    return f"Root=1-{now_ms // 1000:08x}-{secrets.token_hex(12)}"


def send_by_http(
    tx: Transaction,
    subscription: Subscription,
    kind: str,
    message_id: str,
    body: bytes,
    now_ms: int,
) -> None:
    """Puts a message into the queue from which HTTP deliveries are made."""
    queue = tx.find_queue(subscription.queue_key)
    if queue is not None:  # else it was unsubscribed a moment ago
        attributes = {"kind": kind, "raw": kind == NOTIFICATION and subscription.raw}
        message = NewMessage(message_id, body, json.dumps(attributes))
        tx.send(queue.queue_id, [message], now_ms)


def dead_letter(
    tx: Transaction, outlets: Outlet, subscription: Subscription, outgoing: Outgoing, now_ms: int
) -> None:
    """Puts what could not be delivered into the subscription's dead-letter queue; it is lost if that refuses."""
    target = subscription.dead_letter_arn
    if target is None:
        return
    try:
        outlets.put(tx, target, outgoing, now_ms)
    except AwsError as error:
        _log.warning(
            "a dead letter of %s was refused by %s and is lost: %s: %s",
            subscription.arn, target, error.code, error.message,
        )  # fmt: skip
