"""``DeliveryPolicy`` of topics and of HTTP(S) subscriptions: JSON ↔ values, and which one holds. Pure.

Source: "Creating an HTTP/S delivery policy" in the SNS developer guide, and the JSON formats of
SetTopicAttributes and SetSubscriptionAttributes beside it.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lambent.services.sns.retry import CURVES, RetryPolicy

DEFAULT_CONTENT_TYPE: Final = "text/plain; charset=UTF-8"
ENVELOPE_TYPES: Final = frozenset({"text/plain", "application/json"})
"""What an envelope may call itself."""
RAW_TYPES: Final = ENVELOPE_TYPES | {
    "text/css", "text/csv", "text/html", "text/xml", "application/atom+xml",
    "application/octet-stream", "application/soap+xml", "application/x-www-form-urlencoded",
    "application/xhtml+xml", "application/xml",
}  # fmt: skip
"""What a raw message may call itself."""
_CONTENT_TYPE: Final = re.compile(r"([a-z+/-]{1,64})(?:; ?charset=(?:UTF-8|utf-8))?")
MAX_CHARS = 65_536
"""POLICY."""
_COUNTS: Final = {
    "minDelayTarget": "min_delay_s",
    "maxDelayTarget": "max_delay_s",
    "numRetries": "retries",
    "numNoDelayRetries": "no_delay_retries",
    "numMinDelayRetries": "min_delay_retries",
    "numMaxDelayRetries": "max_delay_retries",
}
_TOPIC_KEYS: Final = {
    "defaultHealthyRetryPolicy": "healthyRetryPolicy",
    "defaultThrottlePolicy": "throttlePolicy",
    "defaultRequestPolicy": "requestPolicy",
    "defaultSicklyRetryPolicy": "sicklyRetryPolicy",
}


class PolicyProblem(ValueError):
    """What is wrong with a delivery policy."""


@dataclass(frozen=True, slots=True)
class DeliveryPolicy:
    """How HTTP(S) deliveries go: None where a policy says nothing, and another one's value holds."""

    retry: RetryPolicy | None = None
    max_receives_per_s: int | None = None
    content_type: str | None = None
    no_overrides: bool = False
    """``disableSubscriptionOverrides`` of a topic's."""


def parse_subscription_policy(text: str) -> DeliveryPolicy:
    """A subscription's. Raises :class:`PolicyProblem`; also for members nobody knows."""
    return _parse(_object(text))


def parse_topic_policy(text: str) -> DeliveryPolicy:
    """A topic's, whose members stand under ``http`` and are called defaults. Raises likewise."""
    document = _object(text)
    _only(document, {"http"})
    http = document.get("http")
    if http is None:
        return DeliveryPolicy()
    if not isinstance(http, dict):
        raise PolicyProblem("http must be an object")
    _only(http, {*_TOPIC_KEYS, "disableSubscriptionOverrides"})
    no_overrides = http.get("disableSubscriptionOverrides") or False
    if not isinstance(no_overrides, bool):
        raise PolicyProblem("disableSubscriptionOverrides must be true or false")
    inner = {_TOPIC_KEYS[key]: value for key, value in http.items() if key in _TOPIC_KEYS}
    return _parse(inner, no_overrides)


def effective(topic: DeliveryPolicy, subscription: DeliveryPolicy) -> DeliveryPolicy:
    """What holds for a subscription: its own, the topic's, AWS's defaults, in this order."""
    own = DeliveryPolicy() if topic.no_overrides else subscription
    return DeliveryPolicy(
        own.retry or topic.retry or RetryPolicy(),
        own.max_receives_per_s or topic.max_receives_per_s,
        own.content_type or topic.content_type or DEFAULT_CONTENT_TYPE,
        topic.no_overrides,
    )


def format_topic_policy(policy: DeliveryPolicy) -> str:
    """``EffectiveDeliveryPolicy`` of a topic."""
    http: dict[str, Any] = {
        "defaultHealthyRetryPolicy": _format_retry(policy.retry or RetryPolicy()),
        "disableSubscriptionOverrides": policy.no_overrides,
    }
    if policy.max_receives_per_s is not None:
        http["defaultThrottlePolicy"] = {"maxReceivesPerSecond": policy.max_receives_per_s}
    http["defaultRequestPolicy"] = {
        "headerContentType": policy.content_type or DEFAULT_CONTENT_TYPE
    }
    return json.dumps({"http": http}, separators=(",", ":"))


def format_subscription_policy(policy: DeliveryPolicy) -> str:
    """``EffectiveDeliveryPolicy`` of a subscription."""
    throttle = policy.max_receives_per_s
    document = {
        "healthyRetryPolicy": _format_retry(policy.retry or RetryPolicy()),
        "sicklyRetryPolicy": None,
        "throttlePolicy": None if throttle is None else {"maxReceivesPerSecond": throttle},
        "requestPolicy": {"headerContentType": policy.content_type or DEFAULT_CONTENT_TYPE},
        "guaranteed": False,
    }
    return json.dumps(document, separators=(",", ":"))


def _parse(document: Mapping[str, Any], no_overrides: bool = False) -> DeliveryPolicy:
    known = {
        "healthyRetryPolicy",
        "sicklyRetryPolicy",
        "throttlePolicy",
        "requestPolicy",
        "guaranteed",
    }
    _only(document, known)
    if document.get("sicklyRetryPolicy") is not None or document.get("guaranteed"):
        raise PolicyProblem("sicklyRetryPolicy and guaranteed are not supported")
    throttle = _member(document, "throttlePolicy", {"maxReceivesPerSecond"}).get(
        "maxReceivesPerSecond"
    )
    if throttle is not None and not (type(throttle) is int and throttle >= 1):
        raise PolicyProblem("maxReceivesPerSecond must be an integer of at least 1")
    content_type = _member(document, "requestPolicy", {"headerContentType"}).get(
        "headerContentType"
    )
    if content_type is not None and media_type(content_type) not in RAW_TYPES:
        raise PolicyProblem(f"headerContentType {content_type!r} is not supported")
    return DeliveryPolicy(_parse_retry(document), throttle, content_type, no_overrides)


def _parse_retry(document: Mapping[str, Any]) -> RetryPolicy | None:
    given = _member(document, "healthyRetryPolicy", {*_COUNTS, "backoffFunction"})
    given = {key: value for key, value in given.items() if value is not None}
    if not given:
        return None
    curve = given.pop("backoffFunction", "linear")
    if curve not in CURVES:
        raise PolicyProblem(f"backoffFunction must be one of {', '.join(CURVES)}")
    if any(type(value) is not int for value in given.values()):
        raise PolicyProblem("the members of healthyRetryPolicy must be integers")
    policy = RetryPolicy(**{_COUNTS[key]: value for key, value in given.items()}, curve=curve)
    problem = policy.problem()
    if problem is not None:
        raise PolicyProblem(problem)
    return policy


def media_type(content_type: object) -> str:
    """``text/plain; charset=UTF-8`` → ``text/plain``; "" for anything else, so that it is fit for a header."""
    found = _CONTENT_TYPE.fullmatch(content_type) if isinstance(content_type, str) else None
    return found[1] if found else ""


def _format_retry(retry: RetryPolicy) -> dict[str, Any]:
    counts: dict[str, Any] = {key: getattr(retry, name) for key, name in _COUNTS.items()}
    return {**counts, "backoffFunction": retry.curve}


def _object(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text) if len(text) <= MAX_CHARS else None
    except (ValueError, RecursionError):
        raise PolicyProblem("failed to parse JSON") from None
    if not isinstance(document, dict):
        raise PolicyProblem("must be a JSON object")
    return document


def _member(document: Mapping[str, Any], key: str, known: set[str]) -> dict[str, Any]:
    found = document.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise PolicyProblem(f"{key} must be an object")
    _only(found, known)
    return found


def _only(document: Mapping[str, Any], known: set[str]) -> None:
    unknown = set(document) - known
    if unknown:
        raise PolicyProblem(f"Unexpected JSON member: {min(unknown)}")
