"""What a topic's attributes may be: each obeyed, or refused by name. Pure."""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from lambent.model.errors import not_yet
from lambent.policy import PolicyError, parse_policy
from lambent.services.sns import faults
from lambent.services.sns.delivery_policy import (
    ENVELOPE_TYPES,
    PolicyProblem,
    media_type,
    parse_topic_policy,
)

MAX_POLICY_BYTES = 30_720
"""Source: "Amazon SNS endpoints and quotas": an access policy is at most 30 KB."""
_MAX_DISPLAY_NAME_CHARS = 100
_FEEDBACK = re.compile(
    r"(HTTP|SQS|Lambda|Firehose|Application)(Success|Failure)Feedback(RoleArn|SampleRate)"
)
_REFUSED = frozenset({"KmsMasterKeyId", "ArchivePolicy", "DataProtectionPolicy"})
_FIFO_ONLY = frozenset({"ContentBasedDeduplication", "FifoThroughputScope"})

Check = Callable[[str, bool], str]
"""(value, creating) → the value to keep; raises InvalidParameter."""


def check_topic_attribute(name: str, value: str, *, fifo: bool, creating: bool) -> str | None:
    """The value to keep; None to keep nothing: AWS's default holds.

    Raises ``InvalidParameter`` for what AWS has not or does not take, 501 for what only Lambent has not.
    """
    if _FEEDBACK.fullmatch(name):
        raise not_yet(f"delivery status logging ({name})")
    if name in _REFUSED:
        if not value:
            return None
        raise not_yet(f"{name} of a topic")
    check = _CHECKS.get(name)
    if check is None or (name in _FIFO_ONLY and not fifo):
        raise faults.invalid(
            "Attributes Reason: Unknown attribute " + name if creating else "AttributeName"
        )
    if name == "TracingConfig" and fifo and value == "Active":
        raise faults.invalid_attribute(
            name, "Active is not supported by FIFO topics", creating=creating
        )
    if not value and name in {"DeliveryPolicy", "DisplayName", "Policy"}:
        return None
    return check(value, creating)


def _policy(value: str, creating: bool) -> str:
    if len(value.encode()) > MAX_POLICY_BYTES:
        raise faults.invalid_attribute("Policy Error", "Policy too large", creating=creating)
    try:
        policy = parse_policy(value)
    except PolicyError as error:
        raise faults.invalid_attribute("Policy Error", error.reason, creating=creating) from error
    # Best known: the words are SNS's, where they stand is not recorded.
    if any(statement.principals is None for statement in policy.statements):
        raise faults.invalid_attribute(
            "Policy", "statement must have a principal", creating=creating
        )
    return value


def _delivery_policy(value: str, creating: bool) -> str:
    try:
        policy = parse_topic_policy(value)
    except PolicyProblem as error:
        raise faults.invalid_attribute("DeliveryPolicy", str(error), creating=creating) from error
    if policy.content_type and media_type(policy.content_type) not in ENVELOPE_TYPES:
        reason = "a topic's headerContentType is text/plain or application/json"
        raise faults.invalid_attribute("DeliveryPolicy", reason, creating=creating)
    return value


def _display_name(value: str, creating: bool) -> str:
    if len(value) > _MAX_DISPLAY_NAME_CHARS:
        raise faults.invalid_attribute(
            "DisplayName", f"at most {_MAX_DISPLAY_NAME_CHARS} characters", creating=creating
        )
    return value


def _one_of(name: str, *values: str) -> Check:
    def check(value: str, creating: bool) -> str:
        if value not in values:
            shown = " or ".join(values)
            raise faults.invalid_attribute(
                name, f"Invalid value [{value}]. Must be {shown}.", creating=creating
            )
        return value

    return check


def _truth(name: str) -> Check:
    check = _one_of(name, "true", "false")
    return lambda value, creating: check(value.lower(), creating)


def _tracing(value: str, creating: bool) -> str:
    if value == "Active":
        raise not_yet("TracingConfig Active of a topic")
    return _one_of("TracingConfig", "PassThrough", "Active")(value, creating)


def _max_message_size(value: str, creating: bool) -> str:
    # Source: CreateTopic in botocore's model: 1,024 to 1,048,576.
    if not (
        value.isascii() and value.isdigit() and len(value) < 8 and 1024 <= int(value) <= 1_048_576
    ):
        raise faults.invalid_attribute(
            "MaximumMessageSize",
            f"Invalid value [{value}]. Must be 1024 to 1048576.",
            creating=creating,
        )
    return str(int(value))


_CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "Policy": _policy,
        "DeliveryPolicy": _delivery_policy,
        "DisplayName": _display_name,
        "SignatureVersion": _one_of("SignatureVersion", "1", "2"),
        "TracingConfig": _tracing,
        "MaximumMessageSize": _max_message_size,
        "ContentBasedDeduplication": _truth("ContentBasedDeduplication"),
        "FifoThroughputScope": _one_of("FifoThroughputScope", "Topic", "MessageGroup"),
    }
)
