"""RedrivePolicy and RedriveAllowPolicy: which queue takes a queue's dead letters, and who may ask it to."""

import json
from dataclasses import dataclass
from typing import Any

from lambent.services.sqs import faults
from lambent.services.sqs.names import parse_arn

MAX_RECEIVES = 1_000
MAX_SOURCES = 10


@dataclass(frozen=True, slots=True)
class RedrivePolicy:
    """Messages received more than ``max_receives`` times go to the queue ``target_arn``."""

    target_arn: str
    max_receives: int


@dataclass(frozen=True, slots=True)
class RedriveAllowPolicy:
    """Who may name the queue as its dead-letter queue; ``source_arns`` is None for everybody."""

    source_arns: tuple[str, ...] | None

    def allows(self, source_arn: str) -> bool:
        """Whether that queue may."""
        return self.source_arns is None or source_arn in self.source_arns


def _read_map(text: str) -> dict[str, Any] | None:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def parse_redrive_policy(text: str) -> RedrivePolicy:
    """The policy in its JSON text. Raises ``InvalidParameterValue``."""

    def refuse(reason: str) -> Exception:
        return faults.invalid_value(text, "RedrivePolicy", reason)

    document = _read_map(text)
    if document is None:
        raise refuse("Redrive policy is not a valid JSON map.")
    for name in ("deadLetterTargetArn", "maxReceiveCount"):
        if name not in document:
            raise refuse(f"Redrive policy does not contain mandatory attribute: {name}.")
    if len(document) > 2:
        raise refuse(
            "Only following attributes are supported: [deadLetterTargetArn, maxReceiveCount]."
        )
    target, given = document["deadLetterTargetArn"], document["maxReceiveCount"]
    if not isinstance(target, str) or parse_arn(target) is None:
        raise refuse("Invalid value for deadLetterTargetArn.")
    # AWS: the count may be a text, as templates write it.
    count = int(given) if isinstance(given, str) and _is_count(given) else given
    if type(count) is not int or not 1 <= count <= MAX_RECEIVES:
        raise refuse(
            f"Invalid value for maxReceiveCount: {given}, "
            f"valid values are from 1 to {MAX_RECEIVES} both inclusive."
        )
    return RedrivePolicy(target, count)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9


def parse_redrive_allow_policy(text: str) -> RedriveAllowPolicy:
    """The policy in its JSON text. Raises ``InvalidParameterValue``; the reasons are the best known."""

    def refuse(reason: str) -> Exception:
        return faults.invalid_value(text, "RedriveAllowPolicy", reason)

    document = _read_map(text)
    if document is None:
        raise refuse("Redrive allow policy is not a valid JSON map.")
    if not document.keys() <= {"redrivePermission", "sourceQueueArns"}:
        raise refuse(
            "Only following attributes are supported: [redrivePermission, sourceQueueArns]."
        )
    permission, sources = document.get("redrivePermission"), document.get("sourceQueueArns")
    if permission not in ("allowAll", "denyAll", "byQueue"):
        raise refuse("redrivePermission must be one of allowAll, denyAll, byQueue.")
    if permission != "byQueue":
        if sources is not None:
            raise refuse("sourceQueueArns can only be specified with the permission byQueue.")
        return RedriveAllowPolicy(None if permission == "allowAll" else ())
    if not isinstance(sources, list) or not 1 <= len(sources) <= MAX_SOURCES:
        raise refuse(f"sourceQueueArns must have 1 to {MAX_SOURCES} elements.")
    if any(not isinstance(arn, str) or parse_arn(arn) is None for arn in sources):
        raise refuse("Invalid value for sourceQueueArns.")
    return RedriveAllowPolicy(tuple(sources))
