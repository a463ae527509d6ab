"""What a subscription's attributes may be: each obeyed, or refused by name. Pure."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lambent.model.errors import ClientFault, not_yet
from lambent.patterns import PatternError, compile_pattern, error_message
from lambent.services.sns import faults
from lambent.services.sns.arns import is_fifo, split_arn
from lambent.services.sns.delivery_policy import (
    ENVELOPE_TYPES,
    PolicyProblem,
    media_type,
    parse_subscription_policy,
)
from lambent.services.sns.subscription import dialect_of

SCOPES = ("MessageAttributes", "MessageBody")
_REFUSED = frozenset({"ReplayPolicy", "SubscriptionRoleArn"})


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose attributes they are."""

    topic_arn: str
    protocol: str
    endpoint: str
    region: str
    account_id: str
    creating: bool

    @property
    def by_http(self) -> bool:
        """Whether it is delivered by HTTP or HTTPS."""
        return self.protocol in {"http", "https"}

    def fault(self, name: str, reason: str) -> ClientFault:
        """``InvalidParameter`` in the words of the operation in hand."""
        return faults.invalid_attribute(name, reason, creating=self.creating)


def merge_attributes(
    subject: Subject, before: Mapping[str, str], given: Mapping[str, str]
) -> dict[str, str]:
    """The attributes with those given checked and put in; an empty value takes one out.

    Raises ``InvalidParameter`` for what AWS does not take, 501 for what only Lambent has not.
    """
    after = dict(before)
    for name, value in given.items():
        if name in _REFUSED:
            raise not_yet(f"{name} of a subscription")
        check = _CHECKS.get(name)
        if check is None:
            raise faults.invalid(
                "Attributes Reason: AttributeName" if subject.creating else "AttributeName"
            )
        after.pop(name, None)
        if value or name in {"RawMessageDelivery", "FilterPolicyScope"}:
            after[name] = check(subject, value)
    _check_filter(subject, after)
    _check_content_type(subject, after)
    return after


def _check_filter(subject: Subject, attributes: Mapping[str, str]) -> None:
    """The policy and its scope together, whichever of the two was given."""
    policy = attributes.get("FilterPolicy")
    if policy:
        dialect = dialect_of(attributes.get("FilterPolicyScope", SCOPES[0]))
        try:
            compile_pattern(policy, dialect)
        except PatternError as error:
            message = error_message(error, dialect, subscribing=subject.creating)
            raise faults.invalid(message.removeprefix("Invalid parameter: ")) from error


def _check_content_type(subject: Subject, attributes: Mapping[str, str]) -> None:
    """What is no raw message may call itself text or JSON only."""
    policy = attributes.get("DeliveryPolicy")
    if policy and attributes.get("RawMessageDelivery") != "true":
        content_type = parse_subscription_policy(policy).content_type
        if content_type and media_type(content_type) not in ENVELOPE_TYPES:
            reason = f"headerContentType {content_type} needs raw message delivery"
            raise subject.fault("DeliveryPolicy", reason)


def _filter_policy(subject: Subject, value: str) -> str:
    del subject  # checked with its scope
    return value


def _scope(subject: Subject, value: str) -> str:
    if value not in SCOPES:
        raise subject.fault(
            "FilterPolicyScope",
            f"Invalid value [{value}]. Please use either MessageBody or MessageAttributes",
        )
    return value


def _raw(subject: Subject, value: str) -> str:
    if value.lower() not in {"true", "false"}:
        raise subject.fault(
            "RawMessageDelivery", f"Invalid value [{value}]. Must be true or false."
        )
    if value.lower() == "true" and subject.protocol == "lambda":
        raise faults.invalid(
            f"Delivery protocol [{subject.protocol}] does not support raw message delivery."
        )
    return value.lower()


def _delivery_policy(subject: Subject, value: str) -> str:
    if not subject.by_http:
        # Best known: AWS takes delivery policies for HTTP/S alone.
        raise subject.fault("DeliveryPolicy", "is supported by the http and https protocols only")
    try:
        parse_subscription_policy(value)
    except PolicyProblem as error:
        raise subject.fault("DeliveryPolicy", str(error)) from error
    return value


def _redrive_policy(subject: Subject, value: str) -> str:
    try:
        document = json.loads(value)
    except (ValueError, RecursionError):
        raise subject.fault("RedrivePolicy", "failed to parse JSON.") from None
    target = document.get("deadLetterTargetArn") if isinstance(document, dict) else None
    arn = split_arn(target) if isinstance(target, str) else None
    if arn is None or arn.service != "sqs":
        raise subject.fault("RedrivePolicy", "deadLetterTargetArn is an invalid arn")
    if set(document) != {"deadLetterTargetArn"}:
        raise subject.fault("RedrivePolicy", "deadLetterTargetArn is the only member there is")
    if (arn.region, arn.account_id) != (subject.region, subject.account_id):
        # Source: "Amazon SNS dead-letter queues": queue and subscription share account and Region.
        raise subject.fault("RedrivePolicy", "must use a queue of the same account and Region")
    if is_fifo(subject.topic_arn) and is_fifo(subject.endpoint) and not is_fifo(arn.resource):
        raise subject.fault(
            "RedrivePolicy",
            "must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic.",
        )
    if is_fifo(arn.resource) and not is_fifo(subject.endpoint):
        raise subject.fault("RedrivePolicy", "must use a standard queue as DLQ")  # best known
    return value


_CHECKS: Mapping[str, Callable[[Subject, str], str]] = MappingProxyType(
    {
        "FilterPolicy": _filter_policy,
        "FilterPolicyScope": _scope,
        "RawMessageDelivery": _raw,
        "DeliveryPolicy": _delivery_policy,
        "RedrivePolicy": _redrive_policy,
    }
)
