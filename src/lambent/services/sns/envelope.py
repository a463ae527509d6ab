"""What subscribers receive: the Notification, the Lambda event, the two confirmations; and what is signed. Pure.

Source: https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html and, for the order and the
spacing of members, recorded messages.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from lambent.model.outgoing import Attribute

NOTIFICATION: Final = "Notification"
SUBSCRIPTION: Final = "SubscriptionConfirmation"
UNSUBSCRIPTION: Final = "UnsubscribeConfirmation"
_SIGNED: Final = {
    NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    SUBSCRIPTION: (
        "Message",
        "MessageId",
        "SubscribeURL",
        "Timestamp",
        "Token",
        "TopicArn",
        "Type",
    ),
    UNSUBSCRIPTION: (
        "Message",
        "MessageId",
        "SubscribeURL",
        "Timestamp",
        "Token",
        "TopicArn",
        "Type",
    ),
}


@dataclass(frozen=True, slots=True)
class Signature:
    """What vouches for a message."""

    version: str
    signature: str
    """Base64."""
    certificate_url: str


@dataclass(frozen=True, slots=True)
class Notification:
    """One message as one protocol's subscribers of a topic get it.

    ``signature`` is None in a FIFO topic, whose messages AWS does not sign; ``sequence_number`` is None elsewhere.
    """

    message_id: str
    topic_arn: str
    message: str
    timestamp: str
    subject: str | None = None
    attributes: Mapping[str, Attribute] | None = None
    signature: Signature | None = None
    sequence_number: str | None = None


def format_timestamp(now_ms: int) -> str:
    """``2012-05-02T00:54:06.655Z``."""
    moment = datetime.fromtimestamp(now_ms / 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{now_ms % 1000:03d}Z"


def canonical_string(members: Mapping[str, str | None]) -> bytes:
    """What is signed: name and value of the signed members there are, a line each.

    Source: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
    """
    names = _SIGNED[members["Type"] or NOTIFICATION]
    lines = [f"{name}\n{members[name]}\n" for name in names if members.get(name) is not None]
    return "".join(lines).encode()


def signed_members(notification: Notification) -> dict[str, str | None]:
    """The members of a Notification that its signature covers."""
    return {
        "Type": NOTIFICATION,
        "MessageId": notification.message_id,
        "TopicArn": notification.topic_arn,
        "Subject": notification.subject,
        "Message": notification.message,
        "Timestamp": notification.timestamp,
    }


def notification_json(notification: Notification, unsubscribe_url: str) -> bytes:
    """The envelope for SQS and HTTP(S)."""
    members: dict[str, Any] = {"Type": NOTIFICATION, "MessageId": notification.message_id}
    if notification.sequence_number is not None:
        members["SequenceNumber"] = notification.sequence_number
    members["TopicArn"] = notification.topic_arn
    if notification.subject is not None:
        members["Subject"] = notification.subject
    members |= {"Message": notification.message, "Timestamp": notification.timestamp}
    members |= _signature_members(notification.signature)
    members["UnsubscribeURL"] = unsubscribe_url
    text = _spaced(members)
    if notification.attributes:
        shown = format_attributes(notification.attributes)
        inner = ",\n".join(f"    {_json(name)} : {_json(shown[name])}" for name in shown)
        text = f'{text[:-2]},\n  "MessageAttributes" : {{\n{inner}\n  }}\n}}'
    return text.encode()


def lambda_event(notification: Notification, subscription_arn: str, unsubscribe_url: str) -> bytes:
    """The event of a function: AWS spells ``Url`` there as nowhere else, and shows an absent subject."""
    signature = notification.signature
    inner: dict[str, Any] = {
        "Type": NOTIFICATION,
        "MessageId": notification.message_id,
        "TopicArn": notification.topic_arn,
        "Subject": notification.subject,
        "Message": notification.message,
        "Timestamp": notification.timestamp,
    }
    if signature is not None:
        inner |= {
            "SignatureVersion": signature.version,
            "Signature": signature.signature,
            "SigningCertUrl": signature.certificate_url,
        }
    inner["UnsubscribeUrl"] = unsubscribe_url
    inner["MessageAttributes"] = format_attributes(notification.attributes or {})
    record = {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription_arn,
        "Sns": inner,
    }
    return _json({"Records": [record]}).encode()


def confirmation_members(
    kind: str,
    *,
    message_id: str,
    token: str,
    topic_arn: str,
    about_arn: str,
    endpoint: str,
    timestamp: str,
) -> dict[str, str | None]:
    """A confirmation's members without its signature.

    ``about_arn`` is the topic, or the subscription that ended.
    """
    if kind == SUBSCRIPTION:
        message = (
            f"You have chosen to subscribe to the topic {about_arn}.\n"
            "To confirm the subscription, visit the SubscribeURL included in this message."
        )
    else:
        message = (
            f"You have chosen to deactivate subscription {about_arn}.\n"
            "To cancel this operation and restore the subscription, visit the SubscribeURL included"
            " in this message."
        )
    return {
        "Type": kind,
        "MessageId": message_id,
        "Token": token,
        "TopicArn": topic_arn,
        "Message": message,
        "SubscribeURL": subscribe_url(endpoint, topic_arn, token),
        "Timestamp": timestamp,
    }


def confirmation_json(members: Mapping[str, str | None], signature: Signature) -> bytes:
    """A confirmation, signed."""
    return _spaced({**members, **_signature_members(signature)}).encode()


def subscribe_url(endpoint: str, topic_arn: str, token: str) -> str:
    """Where an endpoint's owner confirms the subscription."""
    return f"{endpoint}/?Action=ConfirmSubscription&TopicArn={quote(topic_arn, safe=':')}&Token={token}"


def unsubscribe_url(endpoint: str, subscription_arn: str) -> str:
    """Where an endpoint's owner ends the subscription."""
    return f"{endpoint}/?Action=Unsubscribe&SubscriptionArn={quote(subscription_arn, safe=':')}"


def format_attributes(attributes: Mapping[str, Attribute]) -> dict[str, dict[str, str]]:
    """Message attributes as envelopes show them."""
    return {
        name: {"Type": attribute.data_type, "Value": _value(attribute.value)}
        for name, attribute in attributes.items()
    }


def _value(value: str | bytes) -> str:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _signature_members(signature: Signature | None) -> dict[str, str]:
    if signature is None:
        return {}
    return {
        "SignatureVersion": signature.version,
        "Signature": signature.signature,
        "SigningCertURL": signature.certificate_url,
    }


def _spaced(members: Mapping[str, Any]) -> str:
    return json.dumps(members, indent=2, separators=(",", " : "), ensure_ascii=False)


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
