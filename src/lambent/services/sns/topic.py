"""Topics: what is kept of one, and what GetTopicAttributes shows of it. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from lambent.policy import Policy, parse_policy
from lambent.services.sns.arns import is_fifo, split_arn
from lambent.services.sns.delivery_policy import (
    DeliveryPolicy,
    format_topic_policy,
    parse_topic_policy,
)

RECORD_KIND = "sns-topic"
MAX_MESSAGE_BYTES = 262_144
"""Source: Publish in botocore's ``sns`` model; ``MaximumMessageSize`` may say otherwise."""
_OWNER_ACTIONS = (
    "GetTopicAttributes", "SetTopicAttributes", "AddPermission", "RemovePermission", "DeleteTopic",
    "Subscribe", "ListSubscriptionsByTopic", "Publish",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic. ``attributes`` are those its owner gave, each already checked; they go to disk as they are."""

    arn: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    policy: Policy = field(init=False, repr=False, compare=False)
    delivery_policy: DeliveryPolicy = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "policy", parse_policy(self.policy_text))
        text = self.attributes.get("DeliveryPolicy")
        parsed = parse_topic_policy(text) if text else DeliveryPolicy()
        object.__setattr__(self, "delivery_policy", parsed)

    @property
    def account_id(self) -> str:
        """Its owner."""
        arn = split_arn(self.arn)
        return arn.account_id if arn else ""

    @property
    def fifo(self) -> bool:
        """Whether it keeps order and drops duplicates."""
        return is_fifo(self.arn)

    @property
    def policy_text(self) -> str:
        """Its access policy; AWS's default until one is set."""
        return self.attributes.get("Policy") or default_policy(self.arn, self.account_id)

    @property
    def signature_version(self) -> str:
        """1 (SHA-1) or 2 (SHA-256)."""
        return self.attributes.get("SignatureVersion", "1")

    @property
    def max_message_bytes(self) -> int:
        """The largest message with its attributes, and the largest batch."""
        return int(self.attributes.get("MaximumMessageSize", MAX_MESSAGE_BYTES))

    @property
    def content_based_deduplication(self) -> bool:
        """Whether a message without a deduplication id is known by its content."""
        return self.attributes.get("ContentBasedDeduplication") == "true"

    def to_document(self) -> str:
        """The record."""
        return json.dumps({"attributes": dict(self.attributes), "tags": dict(self.tags)})

    @classmethod
    def from_document(cls, arn: str, document: str) -> "Topic":
        """The inverse."""
        kept = json.loads(document)
        return cls(arn, kept["attributes"], kept["tags"])

    def describe(self, confirmed: int, pending: int, deleted: int) -> dict[str, str]:
        """What GetTopicAttributes answers, given the counts of subscriptions."""
        shown = {
            "TopicArn": self.arn,
            "Owner": self.account_id,
            "Policy": self.policy_text,
            "DisplayName": "",
            "SubscriptionsConfirmed": str(confirmed),
            "SubscriptionsPending": str(pending),
            "SubscriptionsDeleted": str(deleted),
            "EffectiveDeliveryPolicy": format_topic_policy(self.delivery_policy),
        }
        if self.fifo:
            shown |= {"FifoTopic": "true", "ContentBasedDeduplication": "false"}
        return shown | dict(self.attributes)


def default_policy(arn: str, account_id: str) -> str:
    """The policy AWS gives a new topic: its owner's account may do everything."""
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"SNS:{action}" for action in _OWNER_ACTIONS],
        "Resource": arn,
        "Condition": {"StringEquals": {"AWS:SourceOwner": account_id}},
    }
    document = {"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]}
    return json.dumps(document, separators=(",", ":"))
