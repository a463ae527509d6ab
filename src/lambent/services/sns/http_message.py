"""A message waiting to be delivered by HTTP: its headers, what an answer means for it, its dead letter. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lambent.model.outgoing import Outgoing
from lambent.services.sns.arns import is_fifo, parse_topic_arn
from lambent.services.sns.delivery_policy import DEFAULT_CONTENT_TYPE, DeliveryPolicy
from lambent.services.sns.envelope import NOTIFICATION, SUBSCRIPTION
from lambent.services.sns.fan_out import PRINCIPAL
from lambent.services.sns.subscription import Subscription
from lambent.store.queues.contract import Message

USER_AGENT: Final = "Amazon Simple Notification Service Agent"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt: ``reason`` is why it failed, None when it did not."""

    message: Message
    reason: str | None = None
    permanent: bool = False


def judge(message: Message, status: int) -> Outcome:
    """AWS: 5xx and 429 are tried again, everything else but 2xx is permanent."""
    if 200 <= status < 300:
        return Outcome(message)
    return Outcome(message, f"status {status}", permanent=status < 500 and status != 429)


def request_headers(
    subscription: Subscription, policy: DeliveryPolicy, message: Message
) -> Mapping[str, str]:
    """The headers of a delivery.

    Source: "HTTP/HTTPS headers" in the SNS developer guide.
    """
    kind = kind_of(message)
    notification = kind == NOTIFICATION
    headers = {
        "x-amz-sns-message-type": kind,
        "x-amz-sns-message-id": message.message_id,
        "x-amz-sns-topic-arn": subscription.topic_arn,
    }
    if kind != SUBSCRIPTION:  # AWS: there is no subscription yet
        headers["x-amz-sns-subscription-arn"] = subscription.arn
    if notification and json.loads(message.attributes).get("raw"):
        headers["x-amz-sns-rawdelivery"] = "true"
    given = policy.content_type if notification else None
    headers["Content-Type"] = given or DEFAULT_CONTENT_TYPE
    headers["User-Agent"] = USER_AGENT
    headers["Accept-Encoding"] = "gzip,deflate"
    return headers


def kind_of(message: Message) -> str:
    """The type of a waiting message, as its header says it."""
    return str(json.loads(message.attributes).get("kind", NOTIFICATION))


def dead_message(subscription: Subscription, message: Message) -> Outgoing:
    """The message as it would have been delivered, in the topic's name."""
    account_id = parse_topic_arn(subscription.topic_arn).account_id
    return Outgoing(
        body=message.body,
        principal=PRINCIPAL,
        source_arn=subscription.topic_arn,
        source_account=account_id,
        group_id=message.message_id if is_fifo(subscription.dead_letter_arn or "") else None,
    )
