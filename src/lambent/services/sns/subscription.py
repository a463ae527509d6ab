"""Subscriptions: what is kept of one, and what GetSubscriptionAttributes shows of it. Pure."""

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from lambent.patterns import Dialect, Pattern, compile_pattern
from lambent.services.sns.delivery_policy import (
    DeliveryPolicy,
    effective,
    format_subscription_policy,
    parse_subscription_policy,
)

RECORD_KIND = "sns-subscription"
PENDING = "PendingConfirmation"
"""What stands for the ARN of an unconfirmed subscription in lists."""


class State(enum.StrEnum):
    """PENDING and CONFIRMED are there for everybody; DEACTIVATED only to be restored by its token."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    DEACTIVATED = "deactivated"


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription. ``attributes`` are those its owner gave, each already checked.

    ``expires_ms`` is when the token ends, and with it a subscription that is not confirmed.
    """

    arn: str
    topic_arn: str
    protocol: str
    endpoint: str
    owner: str
    state: State
    principal: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    token: str = ""
    expires_ms: int = 0
    authenticated: bool = False
    """ConfirmationWasAuthenticated: its owner made it, or whoever confirmed it asked for as much.

    Only a signed request of its owner or the topic's ends it then, and no link in a message.
    """
    from_function: bool = False
    """Whether a function asked for it, whose network is not this machine's: public addresses only."""
    pattern: Pattern | None = field(init=False, repr=False, compare=False)
    delivery_policy: DeliveryPolicy = field(init=False, repr=False, compare=False)
    dead_letter_arn: str | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        policy = self.attributes.get("DeliveryPolicy")
        parsed = parse_subscription_policy(policy) if policy else DeliveryPolicy()
        redrive = self.attributes.get("RedrivePolicy")
        dead_letter_arn = json.loads(redrive)["deadLetterTargetArn"] if redrive else None
        object.__setattr__(self, "pattern", self._compile())
        object.__setattr__(self, "delivery_policy", parsed)
        object.__setattr__(self, "dead_letter_arn", dead_letter_arn)

    def _compile(self) -> Pattern | None:
        text = self.attributes.get("FilterPolicy")
        return compile_pattern(text, dialect_of(self.filter_scope)) if text else None

    @property
    def filter_scope(self) -> str:
        """MessageAttributes or MessageBody."""
        return self.attributes.get("FilterPolicyScope", "MessageAttributes")

    @property
    def raw(self) -> bool:
        """Whether it gets messages without their envelope."""
        return self.attributes.get("RawMessageDelivery") == "true"

    @property
    def by_http(self) -> bool:
        """Whether it is delivered by HTTP or HTTPS."""
        return self.protocol in {"http", "https"}

    @property
    def queue_key(self) -> str:
        """The engine queue of its HTTP deliveries."""
        return queue_key(self.arn)

    def to_document(self) -> str:
        """The record."""
        names = ("topic_arn", "protocol", "endpoint", "owner", "state", "principal", "token")
        more = ("expires_ms", "authenticated", "from_function")
        kept = {name: getattr(self, name) for name in (*names, *more)}
        return json.dumps({**kept, "attributes": dict(self.attributes)})

    @classmethod
    def from_document(cls, arn: str, document: str) -> "Subscription":
        """The inverse."""
        kept = json.loads(document)
        return cls(arn=arn, **{**kept, "state": State(kept["state"])})

    def shown_endpoint(self) -> str:
        """The endpoint without its password, as AWS shows it."""
        if not self.by_http or "@" not in self.endpoint:
            return self.endpoint
        password = urlsplit(self.endpoint).password
        return self.endpoint.replace(f":{password}@", ":****@", 1) if password else self.endpoint

    def summarize(self) -> dict[str, str]:
        """What lists show of it."""
        return {
            "SubscriptionArn": self.arn if self.state is State.CONFIRMED else PENDING,
            "Owner": self.owner,
            "Protocol": self.protocol,
            "Endpoint": self.shown_endpoint(),
            "TopicArn": self.topic_arn,
        }

    def describe(self, topic_policy: DeliveryPolicy) -> dict[str, str]:
        """What GetSubscriptionAttributes answers, given the topic's delivery policy."""
        shown = {
            "SubscriptionArn": self.arn,
            "TopicArn": self.topic_arn,
            "Owner": self.owner,
            "Protocol": self.protocol,
            "Endpoint": self.shown_endpoint(),
            "SubscriptionPrincipal": self.principal,
            "PendingConfirmation": _truth(self.state is State.PENDING),
            "ConfirmationWasAuthenticated": _truth(self.authenticated),
            "RawMessageDelivery": "false",
        }
        shown |= dict(self.attributes)
        if "FilterPolicy" in shown:
            shown["FilterPolicyScope"] = self.filter_scope
        else:
            shown.pop("FilterPolicyScope", None)  # AWS shows it beside a policy only
        if self.by_http:
            policy = effective(topic_policy, self.delivery_policy)
            shown["EffectiveDeliveryPolicy"] = format_subscription_policy(policy)
        return shown


def dialect_of(filter_scope: str) -> Dialect:
    """The pattern language of a filter policy of that scope."""
    return Dialect.SNS_BODY if filter_scope == "MessageBody" else Dialect.SNS_ATTRIBUTES


def queue_key(subscription_arn: str) -> str:
    """The engine queue of a subscription's HTTP deliveries."""
    return f"sns-http:{subscription_arn}"


def _truth(value: bool) -> str:
    return "true" if value else "false"
