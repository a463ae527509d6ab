"""SubscriptionConfirmation and UnsubscribeConfirmation: made, and put where the endpoint gets them."""

import logging
import uuid
from dataclasses import dataclass

from lambent.model.errors import AwsError
from lambent.model.outgoing import Outgoing
from lambent.services.sns.envelope import (
    SUBSCRIPTION,
    canonical_string,
    confirmation_json,
    confirmation_members,
    format_timestamp,
)
from lambent.services.sns.fan_out import PRINCIPAL, send_by_http
from lambent.services.sns.signing import Signer
from lambent.services.sns.subscription import Subscription
from lambent.services.sns.topic import Topic
from lambent.store.queues.contract import Transaction
from lambent.store.queues.outlet import Outlet

_log = logging.getLogger("lambent.sns")


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A confirmation, signed."""

    kind: str
    message_id: str
    body: bytes
    topic: Topic


def make_confirmation(
    topic: Topic, subscription: Subscription, kind: str, signer: Signer, endpoint: str, now_ms: int
) -> Confirmation:
    """The confirmation of that kind for a subscription with its token. Blocks for a signature."""
    message_id = str(uuid.uuid4())
    members = confirmation_members(
        kind,
        message_id=message_id,
        token=subscription.token,
        topic_arn=topic.arn,
        about_arn=topic.arn if kind == SUBSCRIPTION else subscription.arn,
        endpoint=endpoint,
        timestamp=format_timestamp(now_ms),
    )
    signature = signer.sign(canonical_string(members), topic.signature_version)
    return Confirmation(kind, message_id, confirmation_json(members, signature), topic)


def put_confirmation(
    tx: Transaction,
    outlets: Outlet,
    subscription: Subscription,
    confirmation: Confirmation,
    now_ms: int,
) -> None:
    """Has it delivered: by HTTP, before anything else; or into a queue of another account."""
    if subscription.by_http:
        queue = tx.find_queue(subscription.queue_key)
        if queue is not None:
            tx.purge(
                queue.queue_id
            )  # what an ended subscription had not got; an older confirmation
        kind, message_id = confirmation.kind, confirmation.message_id
        send_by_http(tx, subscription, kind, message_id, confirmation.body, now_ms)
        return
    topic = confirmation.topic
    try:
        outgoing = Outgoing(confirmation.body, PRINCIPAL, topic.arn, topic.account_id)
        outlets.put(tx, subscription.endpoint, outgoing, now_ms)
    except AwsError as error:
        _log.info(
            "the confirmation of %s was refused by %s: %s: %s",
            subscription.arn, subscription.endpoint, error.code, error.message,
        )  # fmt: skip
