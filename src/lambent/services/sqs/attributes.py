"""Queue attributes: what each may be, what it is unless set, and how it is shown.

A queue keeps the texts that were set; :func:`parse_settings` makes of them what the operations obey.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from lambent.model.errors import not_yet
from lambent.policy import Policy, PolicyError, parse_policy
from lambent.services.sqs import faults
from lambent.services.sqs.redrive_policy import (
    RedriveAllowPolicy,
    RedrivePolicy,
    parse_redrive_allow_policy,
    parse_redrive_policy,
)

MAX_MESSAGE_BYTES: Final = 1_048_576
NUMBERS: Final[Mapping[str, tuple[int, int, int]]] = MappingProxyType(
    {
        "VisibilityTimeout": (0, 43_200, 30),
        "MaximumMessageSize": (1_024, MAX_MESSAGE_BYTES, MAX_MESSAGE_BYTES),
        "MessageRetentionPeriod": (60, 1_209_600, 345_600),
        "DelaySeconds": (0, 900, 0),
        "ReceiveMessageWaitTimeSeconds": (0, 20, 0),
    }
)
"""Attribute → least, greatest, default. Source: CreateQueue in botocore's ``sqs`` model."""
CHOICES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "ContentBasedDeduplication": ("false", "true"),
        "DeduplicationScope": ("queue", "messageGroup"),
        "FifoThroughputLimit": ("perQueue", "perMessageGroupId"),
    }
)
"""Attributes of FIFO queues → their values, the default first."""
MAX_POLICY_STATEMENTS: Final = 20
MAX_POLICY_BYTES: Final = 8_192
"""Source: "Amazon SQS policy quotas" of the developer guide."""
_ENCRYPTION: Final = ("KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds")


@dataclass(frozen=True, slots=True)
class Settings:
    """A queue's attributes as the operations obey them."""

    visibility_s: int
    max_message_bytes: int
    retention_s: int
    delay_s: int
    wait_s: int
    content_based_deduplication: bool
    deduplication_by_group: bool
    redrive: RedrivePolicy | None
    redrive_allow: RedriveAllowPolicy
    policy: Policy | None


def check_attributes(given: Mapping[str, str], *, fifo: bool) -> dict[str, str]:
    """The attributes in the form they are kept in; an empty text is one to be unset.

    Raises:
        ClientFault: ``InvalidAttributeName`` for one that queues of that type have not,
            ``InvalidAttributeValue``, ``InvalidParameterValue`` (policies), and 501 for encryption.
    """
    return {name: _check(name, text, fifo) for name, text in given.items()}


def _check(name: str, text: str, fifo: bool) -> str:
    if name in NUMBERS:
        return _check_number(name, text)
    if name in CHOICES and fifo:
        if text not in CHOICES[name]:
            raise faults.invalid_attribute(name)
        return text
    if name in _PARSED:
        if text:
            _PARSED[name](text)
        return text
    if name == "SqsManagedSseEnabled":
        return _check_encryption(text)
    if name in _ENCRYPTION:
        if text:
            raise not_yet(f"{name} of a queue (encryption of messages at rest)")
        return text
    raise faults.unknown_attribute(name[:256])


def _check_number(name: str, text: str) -> str:
    least, greatest, _ = NUMBERS[name]
    is_number = text.isascii() and text.isdigit() and len(text) <= 9
    if not is_number or not least <= int(text) <= greatest:
        raise faults.invalid_attribute(name)
    return str(int(text))


def _check_encryption(text: str) -> str:
    if text not in ("true", "false"):
        raise faults.invalid_attribute("SqsManagedSseEnabled")
    if text == "true":
        raise not_yet("SqsManagedSseEnabled=true of a queue (encryption of messages at rest)")
    return text


def read_policy(text: str) -> Policy:
    """A queue's policy. Raises ``InvalidAttributeValue``, as the best known answer."""
    try:
        policy = parse_policy(text) if len(text) <= MAX_POLICY_BYTES else None
        if policy is not None and len(policy.statements) <= MAX_POLICY_STATEMENTS:
            return policy
    except PolicyError as error:
        raise faults.invalid_attribute("Policy", error.reason) from error
    raise faults.invalid_attribute("Policy", "The policy is larger than SQS allows.")


_PARSED: Mapping[str, Callable[[str], object]] = {
    "Policy": read_policy,
    "RedrivePolicy": parse_redrive_policy,
    "RedriveAllowPolicy": parse_redrive_allow_policy,
}
_EVERYBODY = RedriveAllowPolicy(None)


def check_throughput(kept: Mapping[str, str]) -> None:
    """Raises ``InvalidAttributeValue`` for a throughput per group without deduplication per group."""
    if (
        kept.get("FifoThroughputLimit") == "perMessageGroupId"
        and kept.get("DeduplicationScope") != "messageGroup"
    ):
        # The reason is the model's documentation: AWS's own wording is not known.
        raise faults.invalid_attribute(
            "FifoThroughputLimit",
            "The perMessageGroupId value is allowed only when the value for DeduplicationScope "
            "is messageGroup.",
        )


def parse_settings(kept: Mapping[str, str]) -> Settings:
    """What the attributes a queue keeps mean; they were checked when they were set."""

    def number(name: str) -> int:
        return int(kept.get(name, NUMBERS[name][2]))

    redrive, allow, policy = (
        kept.get(name) for name in ("RedrivePolicy", "RedriveAllowPolicy", "Policy")
    )
    return Settings(
        visibility_s=number("VisibilityTimeout"),
        max_message_bytes=number("MaximumMessageSize"),
        retention_s=number("MessageRetentionPeriod"),
        delay_s=number("DelaySeconds"),
        wait_s=number("ReceiveMessageWaitTimeSeconds"),
        content_based_deduplication=kept.get("ContentBasedDeduplication") == "true",
        deduplication_by_group=kept.get("DeduplicationScope") == "messageGroup",
        redrive=parse_redrive_policy(redrive) if redrive else None,
        redrive_allow=parse_redrive_allow_policy(allow) if allow else _EVERYBODY,
        policy=parse_policy(policy) if policy else None,
    )


def show_attributes(kept: Mapping[str, str], *, fifo: bool) -> dict[str, str]:
    """The attributes with the defaults of those that are not set."""
    shown = {name: str(default) for name, (_, _, default) in NUMBERS.items()}
    # AWS encrypts by default; Lambent does not, and does not say that it does.
    shown["SqsManagedSseEnabled"] = "false"
    if fifo:
        shown |= {"FifoQueue": "true"} | {name: values[0] for name, values in CHOICES.items()}
    return shown | {name: text for name, text in kept.items() if text}


def differing(kept: Mapping[str, str], given: Mapping[str, str], *, fifo: bool) -> str | None:
    """The first attribute of ``given``, checked, that the queue has not, or has otherwise."""
    shown = show_attributes(kept, fifo=fifo)
    for name, text in given.items():
        if _comparable(name, shown.get(name, "")) != _comparable(name, text):
            return name
    return None


def _comparable(name: str, text: str) -> object:
    return json.loads(text) if name in _PARSED and text else text
