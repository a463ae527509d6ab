"""Destinations behind an API – S3 buckets, EventBridge buses: what is sent there, and when it is sent again. Pure.

Source: "Capturing records of Lambda asynchronous invocations" and, for streams, "Retain discarded batch records".
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from lambent.model.errors import AwsError
from lambent.model.outgoing import Delivery, Outgoing

SERVICES: Final = ("events", "s3")
MAX_AGE_MS: Final = 6 * 3600 * 1000
"""POLICY: as long as an event itself may wait at most; AWS publishes no figure for destinations."""
_FIRST_MS: Final = 1_000
_LONGEST_MS: Final = 5 * 60 * 1000
_PASSING: Final = frozenset(
    [
        *("InternalException", "InternalFailure", "InternalError", "SlowDown", "Throttling"),
        *("ThrottlingException", "ThrottledException", "RequestTimeout", "RequestTimeTooSkewed"),
        *("ExpiredToken", "ExpiredTokenException"),
    ]
)
"""Codes of what may go well later, whatever their status is."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What waits to be sent, but for its body. ``place`` is (account, region) of the call."""

    target_arn: str
    source_arn: str
    place: tuple[str, str]
    trace_header: str
    delivery: Delivery

    def encode(self) -> str:
        """As JSON."""
        delivery = self.delivery
        return json.dumps(
            {
                "target": self.target_arn,
                "source": self.source_arn,
                "place": self.place,
                "trace": self.trace_header,
                "key": delivery.object_key,
                "detail_type": delivery.detail_type,
                "resource": delivery.resource,
                "mapping": delivery.mapping_uuid,
                "events": delivery.events,
            }
        )

    @classmethod
    def decode(cls, text: str) -> "Stored":
        """What :meth:`encode` made."""
        found = json.loads(text)
        account_id, region = found["place"]
        delivery = Delivery(
            found["key"],
            found["detail_type"],
            found["resource"],
            found["mapping"],
            found["events"],
        )
        return cls(found["target"], found["source"], (account_id, region), found["trace"], delivery)


def stored_of(target_arn: str, outgoing: Outgoing) -> Stored:
    """AWS: a bucket's ARN names neither account nor region: those of the function are asked."""
    _, _, _, region, account_id, *_ = target_arn.split(":")
    if not (region and account_id):
        _, _, _, region, account_id, *_ = outgoing.source_arn.split(":")
    delivery = outgoing.delivery or Delivery()
    trace = outgoing.trace_header or ""
    return Stored(target_arn, outgoing.source_arn, (account_id, region), trace, delivery)


def request_of(stored: Stored, body: bytes) -> tuple[str, str, dict[str, Any]]:
    """(service, operation, parameters). Sending it again puts the same object; a bus gets another event."""
    delivery = stored.delivery
    if stored.target_arn.split(":", 3)[2] == "s3":
        bucket = stored.target_arn.rpartition(":")[2]
        return (
            "s3",
            "PutObject",
            {
                "Bucket": bucket,
                "Key": delivery.object_key,
                "Body": body,
                "ContentType": "application/json",
            },
        )
    entry = {
        "Source": "lambda",
        "DetailType": delivery.detail_type,
        "Detail": body.decode(),
        "EventBusName": stored.target_arn,
        "Resources": [stored.target_arn, delivery.resource or stored.source_arn],
    }
    if stored.trace_header:
        entry["TraceHeader"] = stored.trace_header
    return "events", "PutEvents", {"Entries": [entry]}


def refusal_of(answer: Mapping[str, Any]) -> AwsError | None:
    """What an answer refuses all the same: ``PutEvents`` says so entry by entry."""
    for entry in answer.get("Entries") or ():
        if entry.get("ErrorCode"):
            return AwsError(str(entry["ErrorCode"]), str(entry.get("ErrorMessage", "")), 400)
    return None


def sent_again_at_ms(
    error: AwsError, *, tries: int, sent_at_ms: int, now_ms: int, time_scale: int = 1
) -> int | None:
    """When what failed for the ``tries``-th time is sent again; None where that would not help, or is too late."""
    if error.status < 500 and error.status != 429 and error.code not in _PASSING:
        return None
    if error.status == 501:
        return None
    if now_ms - sent_at_ms >= MAX_AGE_MS / time_scale:
        return None
    wait_ms = min(_LONGEST_MS, _FIRST_MS << min(tries - 1, 20))
    return now_ms + max(1, wait_ms // time_scale)


def object_key(prefix: str, now_ms: int) -> str:
    """``PREFIX/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-<Random UUID>``."""
    moment = datetime.fromtimestamp(now_ms / 1000, UTC)
    return f"{prefix}/{moment:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}"
